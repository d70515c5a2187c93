"""Putting observations on a regular grid: snapping, duplicates, gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nbforecast.data.frequency import Frequency, Ints, Times, polars_every
from nbforecast.errors import InputError
from nbforecast.text import step_span
from nbforecast.time_units import DAY, SECOND

if TYPE_CHECKING:
    from typing import Any

    from nbforecast.data.observations import Observations

_LARGE, _SPARSE, _LARGEST = 5_000_000, 1_000, 400_000_000
SHIFTED = 0.05  # of a step: what device clocks wander is not worth a word below this
_COARSE, _TELLING = 1.5, 8  # times a grid point that a given step may merge; times a series needs to be judged alone
_HUGE = 1e37  # single precision ends at 3.4e38, and sums and differences need room


@dataclass(frozen=True)
class Cells:
    """Observed grid points, one value each, ordered by series and step.

    series, step: int64 (n,). values: float64 (n,), finite. merged: int64 (n,), observations averaged away.
    shift: float64 (n,), the largest distance of an observation from its grid point, in steps. rows: int64 (n,), number
    of the first observation of each cell in the observations snapped.
    """

    series: Ints
    step: Ints
    values: npt.NDArray[np.float64]
    merged: Ints
    shift: npt.NDArray[np.float64]
    rows: Ints

    def __len__(self) -> int:
        return len(self.step)

    def take(self, which: npt.NDArray[np.bool_]) -> Cells:
        """The cells under a mask."""
        return Cells(self.series[which], self.step[which], self.values[which], self.merged[which], self.shift[which],
                     self.rows[which])  # fmt: skip

    def renumbered(self, numbers: Ints) -> Cells:
        """With series `s` called `numbers[s]`."""
        return replace(self, series=numbers[self.series])


def snap(found: Observations, frequency: Frequency) -> Cells:
    """Give every observation its grid point, by itself; several at one point become their mean.

    found: observations with finite values, ordered by series, time and value. Rows equal in all three count once.
    """
    times = found.stamps
    step = frequency.to_step(times)
    shift = _shift(times, frequency.to_time(step), frequency)
    keep = np.ones(len(step), dtype=bool)
    again = (found.series[1:] == found.series[:-1]) & (times[1:] == times[:-1])
    keep[1:] = ~(again & (found.values[1:] == found.values[:-1]))
    first = np.ones(len(step), dtype=bool)
    first[1:] = (found.series[1:] != found.series[:-1]) | (step[1:] != step[:-1])
    starts = np.flatnonzero(first)
    if len(starts) == len(step):
        return Cells(found.series, step, found.values, np.zeros(len(step), dtype=np.int64), shift, np.arange(len(step)))
    counts = np.diff(np.append(starts, len(step)))
    weight = np.add.reduceat(keep.astype(np.float64), starts)
    values = np.add.reduceat(np.where(keep, found.values, 0.0), starts) / weight
    alone = weight == 1
    values[alone] = found.values[starts[alone]]  # overflow-free, bit for bit
    return Cells(found.series[starts], step[starts], values, counts - 1, np.maximum.reduceat(shift, starts), starts)


def _shift(times: Ints, points: Times, frequency: Frequency) -> npt.NDArray[np.float64]:
    if frequency.kind in ("month", "business"):
        times = times // DAY * DAY
    away = times - points.astype(np.int64)
    return np.asarray(np.abs(away) / frequency.microseconds)


def gaps(cells: Cells) -> tuple[Ints, Ints]:
    """(numbers of the cells before a gap, missing steps in it)."""
    missing = np.where(cells.series[1:] == cells.series[:-1], np.diff(cells.step) - 1, 0)
    before = np.flatnonzero(missing > 0)
    return before, missing[before]


def refuse_absurd(cells: Cells, found: Observations, frequency: Frequency) -> None:
    """Raise `InputError` where a stray time or a wrong frequency makes a grid almost wholly empty."""
    before, missing = gaps(cells)
    total = len(cells) + int(missing.sum())
    if total <= _LARGE or (total <= _SPARSE * len(cells) and total <= _LARGEST):
        return
    widest = before[int(missing.argmax())]
    left, right = found.where(int(cells.rows[widest])), found.where(int(cells.rows[widest + 1]))
    times = [_shown(frequency.to_time(cells.step[i : i + 1])[0]) for i in (widest, widest + 1)]
    raise InputError(
        f"A grid of {frequency.describe()} would have {total:,} steps for {len(cells):,} observations. The widest gap "
        f"is between {times[0]} ({left}) and {times[1]} ({right}): correct or drop a stray time there, keep only the "
        "newest part with max_duration=, or give a coarser step with freq=."
    )


def refuse_huge(found: Observations) -> None:
    """Raise `InputError` for values that single precision could not hold."""
    huge = np.flatnonzero(np.abs(found.values) > _HUGE)
    if len(huge):
        row = int(huge[0])
        others = f" ({len(huge):,} such values in all)" if len(huge) > 1 else ""
        raise InputError(
            f"The value {found.values[row]:g} in {found.where(row)} of {found.names.target!r} is too large for single "
            f"precision, in which forecasts are kept{others}. Rescale the column: divide it by a constant first."
        )


def refuse_coarse(cells: Cells, found: Observations, frequency: Frequency, freq: Any) -> None:
    """Raise `InputError` where a given step is coarser than the data.

    Each label would be the mean of values on both sides of it, some observed after the time it names.
    cells: what `snap` made of `found`, whole or in part. Rows of `found` at the same time count once.
    """
    if not cells.merged.any():
        return
    new = np.ones(len(found), dtype=np.int64)
    new[1:] = (found.series[1:] != found.series[:-1]) | (found.stamps[1:] != found.stamps[:-1])
    seen = np.concatenate([[0], np.cumsum(new)])
    ends = cells.rows + cells.merged
    times = seen[ends + 1] - seen[cells.rows]
    points = np.bincount(cells.series)
    total = np.bincount(cells.series, weights=times)
    fine = (total > _COARSE * points) & (total >= _TELLING)
    if fine.any():
        in_question = fine[cells.series]
    elif total.sum() > _COARSE * len(cells):
        in_question = np.ones(len(cells), dtype=bool)
    else:
        return
    several = in_question & (times > 1)
    between = (found.stamps[ends] - found.stamps[cells.rows])[several] / (times[several] - 1)
    names = found.names
    of = "" if len(found.ids) == 1 else f" in series {found.ids[found.series[cells.rows[np.argmax(several)]]]!r}"
    each = "" if names.id is None else f", group_by={names.id!r}"
    raise InputError(
        f"The data come about every {_about(float(np.median(between)), frequency)}{of}, but freq={freq!r} is "
        f"{frequency.describe()}: aggregate first, for example with group_by_dynamic in Polars: "
        f"frame.sort({names.time!r}).group_by_dynamic({names.time!r}, every={polars_every(frequency)!r}{each})"
        f".agg(pl.col({names.target!r}).mean()), or leave freq out."
    )


def _about(gap: float, frequency: Frequency) -> str:
    size = max(1, round(gap / SECOND) * SECOND if gap >= 10 * SECOND and frequency.kind != "integer" else round(gap))
    if frequency.kind == "integer":
        return Frequency("integer", size).describe()
    if 28 * DAY <= size <= 31 * DAY:
        return "1 month"
    return step_span(size)


def _shown(time: object) -> str:
    return str(time).replace("T", " ").removesuffix(".000000")


def lay_out(cells: Cells, count: int) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """(offsets (count + 1,), steps (N,), values (N,)) of the full grid, NaN where nothing was observed.

    Series are numbered 0..count-1, each with one cell or more.
    """
    first = np.searchsorted(cells.series, np.arange(count), side="left")
    last = np.searchsorted(cells.series, np.arange(count), side="right") - 1
    lengths = cells.step[last] - cells.step[first] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shift = offsets[:-1] - cells.step[first]
    values = np.full(int(offsets[-1]), np.nan)
    values[cells.step + shift[cells.series]] = cells.values
    steps = np.arange(int(offsets[-1]), dtype=np.int64) - np.repeat(shift, lengths)
    return offsets, steps, values
