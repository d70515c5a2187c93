"""Telling the rows of several series from duplicates of one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

_REPEATED = 0.3  # share of rows that repeat a time, from which on several series are suspected
_SOME = 0.005  # the same, if the columns that tell the rows apart look like those of series
_DISTINCT = 0.9  # share of the rows of one time that have a label of their own
_RECURRENCE = 2  # rows that each label has at least, on average
_COVERAGE = 0.6  # share of the times between its first and its last one at which a series has a row, on average
_MOST_COLUMNS = 3  # that make one id


@dataclass(frozen=True)
class _Rows:
    """Rows that have a series and a time, ordered by both.

    Attributes:
        group: The number of each row's series and time.
        in_series: The number of each row's series.
        repeats: Whether the row before it has the same series and time.
    """

    group: Int64[np.ndarray, " rows"]
    in_series: Int64[np.ndarray, " rows"]
    repeats: Bool[np.ndarray, " rows"]

    @property
    def shared(self) -> Bool[np.ndarray, " rows"]:
        """Whether another row has the same series and time."""
        return self.repeats | np.append(self.repeats[1:], False)


def check_distinct_series(
    series: Int64[np.ndarray, " rows"],
    times: Int64[np.ndarray, " rows"],
    ids: Sequence[str],
    labels: Sequence[str],
    read_label: Callable[[str], pl.Series],
) -> None:
    """Check that rows of one series and time are no rows of several series.

    They are those of several series if another column, or several together, tell them apart and take the same values at
    many times. A running number does not, nor does a remark.

    Args:
        series: The number of each row's series, ascending.
        times: Times or steps, ascending within a series.
        ids: The columns that make the ids; none if the frame counts as one series.
        labels: Columns that might tell series apart.
        read_label: Returns the values of such a column, in the order of the rows.

    Raises:
        InputError: If there is such a column, or if many times repeat and no id is given.
    """
    repeats = np.zeros(len(times), dtype=bool)
    repeats[1:] = (series[1:] == series[:-1]) & (times[1:] == times[:-1])
    count = int(repeats.sum())
    if not count or not labels or count < _SOME * len(times):
        return
    rows = _Rows(np.cumsum(~repeats) - 1, series, repeats)
    codes = {name: code for name in labels if (code := _encode(read_label(name))) is not None}
    keys = _find_keys(rows, codes, is_frequent=count >= _REPEATED * len(times))
    if keys:
        named = "the column" if len(keys) == 1 else "the columns"
        remedy = option("id", [*ids, *keys] if len(ids) + len(keys) > 1 else keys[0])
        raise InputError(
            f"{plural(count, 'row repeats', 'rows repeat')} the time of another row, and {named} {quoted(keys)} "
            f"{'tells' if len(keys) == 1 else 'tell'} them apart: they look like several series. Forecast each by "
            f"itself with {remedy}, or drop {named} if the mean of each time is meant."
        )
    if count >= _REPEATED * len(times) and not ids:
        raise InputError(
            f"{count:,} of {len(times):,} rows repeat the time of another row. If they belong to several series, say "
            f"which column tells them apart with {option('id')} ({quoted(labels)}); if not, drop that column."
        )


def _encode(values: pl.Series) -> Int64[np.ndarray, " rows"] | None:
    """Number the values of a label; None where some are missing, so that they cannot be ids."""
    import polars as pl

    if values.null_count():
        return None
    return values.rank("dense").cast(pl.Int64).to_numpy() - 1


def _find_keys(rows: _Rows, codes: dict[str, Int64[np.ndarray, " rows"]], is_frequent: bool) -> tuple[str, ...]:
    """Return the fewest columns that tell the rows of one time apart and look like ids of series."""
    usable = {name: code for name, code in codes.items() if code.max() > 0 and _recurs(code)}
    for size in range(1, _MOST_COLUMNS + 1):
        for names in combinations(usable, size):
            code = _combine([usable[name] for name in names])
            if _tells_apart(rows, code) and _recurs(code) and (is_frequent or _is_persistent(rows, code)):
                return names
    return ()


def _recurs(code: Int64[np.ndarray, " rows"]) -> bool:
    return len(code) >= _RECURRENCE * (int(code.max()) + 1)


def _combine(codes: Sequence[Int64[np.ndarray, " rows"]]) -> Int64[np.ndarray, " rows"]:
    combined = codes[0]
    for code in codes[1:]:
        _, combined = np.unique(combined * (int(code.max()) + 1) + code, return_inverse=True)
    return combined


def _tells_apart(rows: _Rows, code: Int64[np.ndarray, " rows"]) -> bool:
    """Tell whether nearly all rows that share a time have different labels."""
    shared = rows.shared
    pairs = rows.group[shared] * (int(code.max()) + 1) + code[shared]
    return len(np.unique(pairs)) >= _DISTINCT * len(pairs)


def _is_persistent(rows: _Rows, code: Int64[np.ndarray, " rows"]) -> bool:
    """Tell whether each label has rows at most of the times between its first and its last one."""
    _, label = np.unique(rows.in_series * (int(code.max()) + 1) + code, return_inverse=True)
    order = np.lexsort((rows.group, label))
    label, group = label[order], rows.group[order]
    starts = np.flatnonzero(np.append(True, np.diff(label) > 0))
    ends = np.append(starts[1:], len(label)) - 1
    span = group[ends] - group[starts] + 1
    sizes = ends - starts + 1
    return float(np.mean(sizes / span)) >= _COVERAGE and float(np.mean(sizes > 1)) > 0.5
