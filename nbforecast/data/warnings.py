"""Sentences for what preparation found and repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.data.dataset import DataWarning
from nbforecast.data.grid import SHIFTED, Cells, gaps
from nbforecast.text import time_span
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data.frequency import Frequency, Ints
    from nbforecast.data.observations import Observations

_APART = 3  # more series than this with the same trouble share one warning
_SPARSE = 0.1
_BLUR = 0.01  # of the usual change a step: what single precision may blur without a word


def about_cells(cells: Cells, frequency: Frequency, max_gap: int, ids: Sequence[str]) -> list[DataWarning]:
    """Warnings about duplicates, shifted times, gaps and nearly empty grids."""
    found = _about_duplicates(cells, frequency, ids)
    moved = np.flatnonzero(cells.shift > SHIFTED)

    def shifted(count: int, which: Ints) -> str:
        worst = time_span(float(cells.shift[moved[which]].max()) * frequency.microseconds)
        off = f" by up to {worst}" if worst and frequency.kind != "integer" else ""
        was = "time was" if count == 1 else "times were"
        return f"{count:,} {was} off the grid of {frequency.describe()}{off} and taken to the nearest point."

    found += per_series("irregular_times", cells.series[moved], np.ones(len(moved), dtype=np.int64), ids, shifted)
    return found + _about_gaps(cells, frequency, max_gap, ids)


def _about_duplicates(cells: Cells, frequency: Frequency, ids: Sequence[str]) -> list[DataWarning]:
    twice = np.flatnonzero(cells.merged > 0)
    coarse = ""
    if cells.merged.sum() > len(cells):
        coarse = " The step is coarser than the data: aggregate them first if the mean is not what you want."

    def words(count: int, which: Ints) -> str:
        at = frequency.to_time(cells.step[twice[which]])
        shares = "observation shares its" if count == 1 else "observations share their"
        return (
            f"{count:,} {shares} time step with another (first at {show(at[0])}): the mean of each step is used."
            f"{_clock_change(at, frequency)}{coarse}"
        )

    return per_series("duplicate_times", cells.series[twice], cells.merged[twice], ids, words)


def _clock_change(times: Any, frequency: Frequency) -> str:
    if frequency.kind != "fixed" or frequency.every >= DAY or len(times) > 10_000:
        return ""
    days = np.unique(times.astype("datetime64[D]"))
    sunday = (days.astype(np.int64) + 3) % 7 == 6
    autumn = np.isin(days.astype("datetime64[M]").astype(np.int64) % 12, [2, 3, 8, 9, 10])
    if not (sunday & autumn).all():
        return ""
    return " It looks like clocks put back by an hour; times with a zone would keep both hours."


def _about_gaps(cells: Cells, frequency: Frequency, max_gap: int, ids: Sequence[str]) -> list[DataWarning]:
    before, missing = gaps(cells)
    series = cells.series[before]
    short = missing <= max_gap
    at, size = before[short], missing[short]
    length = plural(max_gap, "step") + in_words(max_gap, frequency)

    def bridged(count: int, which: Ints) -> str:
        holes = "1 gap" if len(which) == 1 else f"{len(which):,} gaps"
        points = "1 missing point" if count == 1 else f"{count:,} missing points"
        return f"{points} in {holes} of at most {length}: bridged inside contexts, and left missing in the data."

    found = per_series("interpolated", cells.series[at], size, ids, bridged)
    wide, width = before[~short], missing[~short]

    def left_open(count: int, which: Ints) -> str:
        worst = which[int(width[which].argmax())]
        start = cells.step[wide[worst]] + 1
        first, last = frequency.to_time(np.array([start, start + width[worst] - 1]))
        of = f" in series {ids[cells.series[wide[worst]]]!r}" if len(np.unique(cells.series[wide[which]])) > 1 else ""
        longest = f"{plural(int(width[worst]), 'step')}{in_words(int(width[worst]), frequency)}{of}"
        lies = f"{longest}, from {show(first)} to {show(last)}"
        if count == 1:
            return f"1 gap is longer than {length} and stays open: {lies}."
        return f"{count:,} gaps are longer than {length} and stay open; the longest is {lies}."

    ones = np.ones(len(wide), dtype=np.int64)
    found += per_series("long_gap", series[~short], ones, ids, left_open)
    total = len(cells) + int(missing.sum())
    if len(cells) < _SPARSE * total:
        sentence = (
            f"Only {len(cells) / total:.1%} of the steps of {frequency.describe()} have an observation. If the data "
            "are coarser than that, give their step with freq=."
        )
        found.append(DataWarning("sparse_grid", total - len(cells), sentence))
    return found


def about_trimmed(missing: Observations, before: Ints, after: Ints, ids: Sequence[str]) -> list[DataWarning]:
    """Warnings about rows without a value before the first (`before`) and after the last (`after`) observed one."""
    outside = np.concatenate([before, after])
    ends = len(before)

    def words(count: int, which: Ints) -> str:
        late = int((which >= ends).sum())
        sides = [f"{n:,} at the {side}" for n, side in ((count - late, "start"), (late, "end")) if n]
        return f"{plural(count, 'row')} without a value left out ({', '.join(sides)}): a series ends with a data point."

    return per_series("trimmed", missing.series[outside], np.ones(len(outside), dtype=np.int64), ids, words)


def about_precision(cells: Cells, ids: Sequence[str]) -> list[DataWarning]:
    """A warning where single precision blurs the changes from one observation to the next."""
    starts = np.searchsorted(cells.series, np.arange(len(ids)))
    largest = np.maximum.reduceat(np.abs(cells.values), starts)
    apart = np.spacing(largest.astype(np.float32)).astype(np.float64)
    change = np.abs(np.diff(cells.values))
    series = cells.series[1:]
    moves = (series == cells.series[:-1]) & (change > 0)
    small = moves & (change < (apart / _BLUR)[series])
    count = np.bincount(series[moves], minlength=len(ids))
    suspects = 2 * np.bincount(series[small], minlength=len(ids)) >= np.maximum(count, 1)
    if not suspects.any():
        return []
    which = np.flatnonzero(moves & suspects[series])
    which = which[np.lexsort((change[which], series[which]))]
    concerned, first, size = np.unique(series[which], return_index=True, return_counts=True)
    typical = (change[which[first + (size - 1) // 2]] + change[which[first + size // 2]]) / 2
    blur = apart[concerned] / typical
    blurred = int((blur > _BLUR).sum())
    if not blurred:
        return []
    worst = int(blur.argmax())
    s = int(concerned[worst])
    near = (
        f"alues near {_number(largest[s])} change by about {_number(typical[worst])} a step, but forecasts are kept in "
        f"single precision, which tells apart only values {_number(apart[s])} apart there; subtract a constant from "
        "the column first."
    )
    if len(ids) == 1:
        return [DataWarning("precision", 1, f"V{near}")]
    if blurred == 1:
        return [DataWarning("precision", 1, f"Series {ids[s]!r}: v{near}", ids[s])]
    several = f"In {blurred:,} of {len(ids):,} series, most in {ids[s]!r}: v{near}"
    return [DataWarning("precision", blurred, several)]


def _number(value: float) -> str:
    rounded = float(f"{value:.4g}")
    return f"{rounded:,.0f}" if 1_000 <= rounded < 1e15 else f"{rounded:g}"


def about_dropped(flag: str, dropped: Ints, ids: Sequence[str], why: str) -> list[DataWarning]:
    """Warnings about series left out."""
    if not len(dropped):
        return []
    if len(dropped) <= _APART:
        return [DataWarning(flag, 1, f"Series {ids[s]!r} {why} and is left out.", ids[s]) for s in dropped]
    shown = ", ".join(repr(ids[s]) for s in dropped[:5])
    return [DataWarning(flag, len(dropped), f"{len(dropped):,} series have {why[4:]} and are left out ({shown} ...).")]


def per_series(
    flag: str, series: Ints, weights: Ints, ids: Sequence[str], words: Callable[[int, Ints], str]
) -> list[DataWarning]:
    """One warning a series, or one for all where many are concerned.

    series: (n,) number of the series of each occurrence. weights: (n,) what each adds to the count.
    words: makes a sentence from the count and the numbers of the occurrences.
    """
    if not len(series):
        return []
    everything = np.arange(len(series))
    total = int(weights.sum())
    concerned = np.unique(series)
    if len(ids) == 1:
        return [DataWarning(flag, total, words(total, everything))]
    if len(concerned) > _APART:
        return [DataWarning(flag, total, f"In {len(concerned):,} of {len(ids):,} series: {words(total, everything)}")]
    found = []
    for s in concerned:
        which = everything[series == s]
        count = int(weights[which].sum())
        found.append(DataWarning(flag, count, f"Series {ids[s]!r}: {words(count, which)}", ids[s]))
    return found


def plural(count: int, word: str) -> str:
    """`1 gap`, `1,200 gaps`."""
    return f"{count:,} {word if count == 1 else word + 's'}"


def in_words(steps: int, frequency: Frequency) -> str:
    """` (2 hours)` for so many steps of a fixed duration, else nothing."""
    return f" ({time_span(steps * frequency.microseconds)})" if frequency.kind == "fixed" and steps else ""


def show(time: object) -> str:
    """A grid time for a sentence, without what is zero."""
    return str(time).replace("T", " ").removesuffix(".000000").removesuffix(":00").removesuffix(" 00:00")
