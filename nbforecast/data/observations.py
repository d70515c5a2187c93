"""From the user's frame to flat arrays of observations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbforecast.data.columns import Chosen, choose_columns, collect
from nbforecast.data.dataset import DataWarning, Names
from nbforecast.data.files import MISSING_WORDS
from nbforecast.data.source import listing, open_source
from nbforecast.data.timestamps import Clock, read_times
from nbforecast.errors import InputError

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

SINGLE = "series"
_REPEATED = 0.3  # share of rows


@dataclass(frozen=True)
class Observations:
    """Rows of a frame that have a time, in the frame's order until `sorted` was called.

    ids: series names in sorted order.
    series: int64 (n,), number of each row's series.
    stamps: int64 (n,), microseconds since the epoch, in UTC for zoned times, or integer steps.
    wall: int64 (n,), microseconds of the local clock for zoned times, else None.
    values: float64 (n,), NaN where missing.
    rows: int64 (n,), number of the row in the user's frame.
    spare: text columns of the frame that were not used, and might have been ids.
    """

    ids: tuple[str, ...]
    series: npt.NDArray[np.int64]
    stamps: npt.NDArray[np.int64]
    wall: npt.NDArray[np.int64] | None
    values: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    time_type: pl.DataType
    calendar: bool
    names: Names
    spare: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, which: npt.NDArray[Any]) -> Observations:
        """The rows under a mask or in an order."""
        wall = None if self.wall is None else self.wall[which]
        return replace(self, series=self.series[which], stamps=self.stamps[which], wall=wall,
                       values=self.values[which], rows=self.rows[which])  # fmt: skip

    def sorted(self) -> Observations:
        """Ordered by series, time and value, whatever the order of the rows was."""
        import polars as pl

        same = self.series[1:] == self.series[:-1]
        later = self.stamps[1:] > self.stamps[:-1]
        if np.all((same & later) | (self.series[1:] > self.series[:-1])):
            return self
        keys = pl.DataFrame({"s": self.series, "t": self.stamps, "v": self.values})
        return self.take(keys.select(pl.arg_sort_by("s", "t", "v")).to_series().to_numpy())

    def refuse_mixed_series(self) -> None:
        """Raise `InputError` where so many times repeat that a column left aside must tell series apart.

        The observations must be sorted.
        """
        if self.names.id is not None or not self.spare or len(self) < 2:
            return
        again = int((self.stamps[1:] == self.stamps[:-1]).sum())
        if again >= _REPEATED * len(self):
            raise InputError(
                f"{again:,} of {len(self):,} rows repeat the time of another row. If they belong to several series, "
                f"say which column tells them apart with id= ({listing(list(self.spare))}); if not, drop that column."
            )

    def where(self, row: int) -> str:
        """Words that say where observation `row` came from."""
        of = f" (series {self.ids[self.series[row]]!r})" if len(self.ids) > 1 else ""
        return f"row {self.rows[row]}{of}"


def read(frame: Any, time: str | None, target: str | None, id: str | None, name: str | None) -> Observations:
    """Read any table, file or array into observations. Raises `InputError` (what, where, what to do)."""
    source = open_source(frame, time, target, id)
    chosen = choose_columns(source, time, target, id)
    table = collect(source, chosen)
    if not len(table):
        raise InputError("The frame has no rows.")
    clock = read_times(_column(table, chosen.time))
    values, warnings = _read_values(_column(table, chosen.target))
    numbers, ids = _read_ids(table, chosen)
    rows = np.arange(len(values))
    called = name or source.name
    called = called and called.encode(errors="replace").decode()  # a file's name need not be text
    names = Names(called, chosen.time or "time", chosen.target or "value", chosen.id)
    found = Observations(ids, numbers, clock.stamps, clock.wall, values, rows, clock.time_type, clock.calendar, names,
                         chosen.spare, (*source.warnings, *warnings))  # fmt: skip
    return _without_missing_times(found, clock)


def _without_missing_times(found: Observations, clock: Clock) -> Observations:
    count = int(clock.missing.sum())
    if not count:
        return found
    if count == len(found):
        raise InputError(f"The column of times {found.names.time!r} is empty.")
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    first = found.where(int(np.argmax(clock.missing)))
    warning = DataWarning("missing_times", count, f"{rows} no time and cannot be placed: left out (first: {first}).")
    return replace(found.take(~clock.missing), warnings=(*found.warnings, warning))


def _column(table: nw.DataFrame[Any], name: str) -> pl.Series:
    import polars as pl

    series = table[name]
    try:
        return series.to_polars().alias(name)
    except Exception:
        cells = [None if v is None or v != v else str(v) for v in series.to_list()]
        return pl.Series(name, cells, dtype=pl.String)


def _read_values(column: pl.Series) -> tuple[npt.NDArray[np.float64], tuple[DataWarning, ...]]:
    import polars as pl

    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        column = _parse_numbers(column)
    elif not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise InputError(f"The column {column.name!r} holds {kind}, not numbers. Name another one with target=.")
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    infinite = np.isinf(values)
    if not infinite.any():
        return values, ()
    count, first = int(infinite.sum()), int(np.argmax(infinite))
    what = "1 value is" if count == 1 else f"{count:,} values are"
    sentence = f"{what} infinite and count as missing (first: row {first})."
    return np.where(infinite, np.nan, values), (DataWarning("non_finite", count, sentence),)


def _parse_numbers(column: pl.Series) -> pl.Series:
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING_WORDS), None)
    numbers = text.cast(pl.Float64, strict=False)
    bad = text.is_not_null() & numbers.is_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        others = f" ({int(bad.sum()):,} such values in all)" if int(bad.sum()) > 1 else ""
        raise InputError(
            f"Row {row} of {column.name!r} is {column[row]!r}, which is no number{others}. Replace it by a number or "
            "null, or name another column with target=."
        )
    return numbers


def _read_ids(table: nw.DataFrame[Any], chosen: Chosen) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    import polars as pl

    if chosen.id is None:
        return np.zeros(len(table), dtype=np.int64), (SINGLE,)
    column = _column(table, chosen.id)
    if column.dtype.is_float() and (column.is_null() | (column == column.floor())).all():
        column = column.cast(pl.Int64, strict=False)
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise InputError(f"Row {row} has no series id in {chosen.id!r}. Fill it in or drop the row.")
    text = column.cast(pl.String)
    ids = text.unique().sort()
    numbers = text.cast(pl.Enum(ids)).to_physical().cast(pl.Int64).to_numpy()
    return numbers, tuple(ids.to_list())
