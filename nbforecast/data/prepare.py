"""The way from a frame to a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbforecast.data import warnings
from nbforecast.data.aliases import FrequencySpec, Span, parse_frequency, parse_span
from nbforecast.data.anchor import place_grid
from nbforecast.data.dataset import Dataset, DataWarning
from nbforecast.data.grid import Cells, lay_out, refuse_absurd, refuse_coarse, refuse_huge, snap
from nbforecast.data.infer import infer_frequency
from nbforecast.data.observations import Observations, read
from nbforecast.errors import InputError, OptionError
from nbforecast.time_units import MONTH

if TYPE_CHECKING:
    from nbforecast.data.frequency import Frequency, Ints

_LONGEST_BRIDGE = 12
EMPTY = "has no data point"
SHORT = "has only one data point"


def prepare(
    frame: Any,
    *,
    time: str | None = None,
    target: str | None = None,
    id: str | None = None,
    freq: Any = None,
    max_duration: Any = None,
    max_gap: Any = None,
    name: str | None = None,
) -> Dataset:
    """Read a frame as series on a regular time grid.

    frame: a frame narwhals reads (eager or lazy), a Series or 1-D array, or the path of a CSV or Parquet file or of a
        glucose sensor's export. Without times, steps are numbered 0, 1, ...
    time, target, id: names of columns; by default `ds`, `y` and `unique_id`, else the only column of times and the
        only one of numbers.
    freq: the step, such as `"5min"`, `"h"`, `"MS"`, `"W-SAT"`, a timedelta or an integer; inferred by default. Where
        times are integers, `freq="h"` says what a step stands for (its seasons) without inventing dates.
        A step coarser than the data is refused: aggregate them first.
    max_duration: keep only this newest part of each series: `"18h"`, `"90d"`, a timedelta or an integer of steps.
    max_gap: the longest gap in steps (or a duration) that forecasters may bridge inside a context. By default half
        of the shortest season, at most 12 steps.
    name: what to call the frame in titles.

    Returns a `Dataset`; what was repaired is in its `warnings`. Raises `InputError` for data that cannot be read as
    series, `OptionError` for options that make no sense.
    """
    wanted = None if freq is None else parse_frequency(freq)
    newest = None if max_duration is None else parse_span(max_duration, "max_duration")
    if isinstance(frame, Dataset):
        raise InputError("This is a prepared dataset already: use it as it is, or hand in the frame it came from.")
    found = read(frame, time, target, id, name).sorted()
    found.refuse_mixed_series()
    frequency, found = _on_grid(found, wanted, freq)
    bridge = _longest_bridge(max_gap, frequency)
    given = None if wanted is None or wanted.kind != frequency.kind else freq  # else it only names the steps
    return _assemble(found, frequency, given, newest, bridge)


def _on_grid(found: Observations, wanted: FrequencySpec | None, freq: Any) -> tuple[Frequency, Observations]:
    """The frequency, and the observations with their stamps and type of time as that frequency takes them."""
    import polars as pl

    if not found.calendar:
        return _integer_grid(found, wanted), found
    if wanted is not None and wanted.kind == "integer":
        raise OptionError(
            f"freq={freq!r} counts integer steps, but the times in {found.names.time!r} are dates. Give a step such as "
            '"h" or "5min", or none to have it inferred.'
        )
    local = found.stamps if found.wall is None else found.wall
    chosen = wanted or infer_frequency(found.series, local, True, found.ids)
    if found.wall is not None and chosen.template().wall_clock:
        found = replace(found, stamps=local, wall=None).sorted()
    frequency = place_grid(chosen, found.stamps)
    if found.time_type == pl.Date and not frequency.wall_clock:
        found = replace(found, time_type=pl.Datetime("us"))
    return frequency, found


def _integer_grid(found: Observations, wanted: FrequencySpec | None) -> Frequency:
    if wanted is not None and wanted.kind == "integer":
        return place_grid(wanted, found.stamps)
    step = infer_frequency(found.series, found.stamps, False, found.ids)
    frequency = place_grid(step, found.stamps)
    if wanted is None:
        return frequency
    alias = wanted.template().alias
    return replace(frequency, nominal=alias.split("-")[0] if wanted.kind == "fixed" else alias)


def _longest_bridge(max_gap: Any, frequency: Frequency) -> int:
    if max_gap is None:
        season = frequency.seasons[0] if frequency.seasons else 2 * _LONGEST_BRIDGE
        return max(1, min(_LONGEST_BRIDGE, season // 2))
    if not isinstance(max_gap, (bool, str)) and max_gap == 0:
        return 0
    return _steps(parse_span(max_gap, "max_gap"), frequency, "max_gap")


def _steps(span: Span, frequency: Frequency, option: str) -> int:
    """The whole steps in a span, at least one."""
    if span.steps:
        return span.steps
    size = frequency.microseconds
    if frequency.kind == "integer":
        if not frequency.nominal:
            raise OptionError(f"{option} must be an integer of steps here: the times are integers without a calendar.")
        size = parse_frequency(frequency.nominal).template().microseconds
    return max(1, int((span.microseconds + span.months * MONTH) / size))


def _assemble(found: Observations, frequency: Frequency, given: Any, newest: Span | None, max_gap: int) -> Dataset:
    observed = ~np.isnan(found.values)
    present = found if observed.all() else found.take(observed)
    if not len(present):
        raise InputError(f"Every value of {found.names.target!r} is missing. Is it the right column? Say with target=.")
    refuse_huge(present)
    cells = snap(present, frequency)
    count = len(found.ids)
    sizes = np.bincount(cells.series, minlength=count)
    if not (sizes > 1).any():
        of = "The series has" if count == 1 else f"Each of the {count:,} series has"
        raise InputError(
            f"{of} fewer than two data points on a grid of {frequency.describe()}: nothing can be learned from that. "
            "Give more rows, a finer step with freq=, or check the columns taken as time and id."
        )
    notes = [*found.warnings, *warnings.about_dropped("empty_series", np.flatnonzero(sizes == 0), found.ids, EMPTY)]
    notes += warnings.about_dropped("too_short", np.flatnonzero(sizes == 1), found.ids, SHORT)
    kept = sizes > 1
    if not kept.all():
        cells = cells.take(kept[cells.series]).renumbered(np.cumsum(kept) - 1)
    ids = tuple(name for name, keep in zip(found.ids, kept.tolist(), strict=True) if keep)
    if newest is not None:
        cells = _newest(cells, frequency, newest)
    if given is not None:
        refuse_coarse(cells, present, frequency, given)
    refuse_absurd(cells, present, frequency)
    if not observed.all():
        notes += _trimmed(found.take(~observed), kept, cells, frequency, newest, ids)
    notes += warnings.about_cells(cells, frequency, max_gap, ids)
    notes += warnings.about_precision(cells, ids)
    offsets, steps, values = lay_out(cells, len(ids))
    return Dataset(ids, offsets, frequency.to_time(steps), values, frequency, max_gap, found.time_type, found.names,
                   tuple(notes))  # fmt: skip


def _newest(cells: Cells, frequency: Frequency, newest: Span) -> Cells:
    """The cells of the newest part of each series, counted back from its own last data point."""
    ends = np.flatnonzero(np.append(cells.series[1:] != cells.series[:-1], True))
    last = cells.step[ends][cells.series]
    return cells.take(_recent(cells.step, last, frequency, newest) | (cells.step == last))


def _recent(step: Ints, last: Ints, frequency: Frequency, newest: Span) -> npt.NDArray[np.bool_]:
    """Whether each step lies in the newest part of a series whose last data point is at step `last`."""
    if newest.steps or frequency.kind in (("month", "integer") if newest.months else ("fixed", "integer")):
        return np.asarray(step > last - _steps(newest, frequency, "max_duration"))
    end = frequency.to_time(last)
    months = end.astype("datetime64[M]")
    limit = (months - newest.months).astype("datetime64[us]") + (end - months.astype("datetime64[us]"))
    limit = limit - np.timedelta64(newest.microseconds, "us")
    return np.asarray(frequency.to_time(step) > limit)


def _trimmed(
    missing: Observations, kept: np.ndarray, cells: Cells, frequency: Frequency, newest: Span | None,
    ids: tuple[str, ...],
) -> list[DataWarning]:  # fmt: skip
    missing = missing.take(kept[missing.series])
    missing = replace(missing, series=(np.cumsum(kept) - 1)[missing.series])
    step = frequency.to_step(missing.stamps)
    first = np.searchsorted(cells.series, np.arange(len(ids)), side="left")
    last = np.searchsorted(cells.series, np.arange(len(ids)), side="right") - 1
    ends = cells.step[last][missing.series]
    early = step < cells.step[first][missing.series]
    if newest is not None:
        early &= _recent(step, ends, frequency, newest)
    return warnings.about_trimmed(missing, np.flatnonzero(early), np.flatnonzero(step > ends), ids)
