"""Reading the chosen columns as flat arrays of observations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from nbforecast.data.dataset import DataWarning, Names
from nbforecast.data.date_columns import join_dates
from nbforecast.data.ids import id_expression
from nbforecast.data.missing_texts import drop_missing
from nbforecast.data.time_of_day_columns import read_clock
from nbforecast.data.timestamps import TimeColumn, read_times
from nbforecast.data.values import read_values
from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals as nw
    import polars as pl

    from nbforecast.data.columns import Columns

SINGLE_SERIES = "series"  # the id where there is no column of ids


@dataclass(frozen=True)
class Observations:
    """Rows of a frame that have a time; some have no value.

    Attributes:
        ids: The names of the series, in sorted order.
        series: The number of each row's series.
        times: Microseconds since the epoch (in UTC for times with a zone), or steps where there is no calendar.
        local_times: Microseconds of the local clock for times with a zone, else None.
        values: The values, NaN where one is missing.
        rows: The number of each row in the user's frame.
        time_type: The Polars type in which times are returned to the user.
        has_calendar: Whether times are microseconds rather than steps.
        names: The user's names of the frame and its columns.
    """

    ids: tuple[str, ...]
    series: Int64[np.ndarray, " rows"]
    times: Int64[np.ndarray, " rows"]
    local_times: Int64[np.ndarray, " rows"] | None
    values: Float64[np.ndarray, " rows"]
    rows: Int64[np.ndarray, " rows"]
    time_type: pl.DataType
    has_calendar: bool
    names: Names

    def __len__(self) -> int:
        return len(self.values)

    def take(self, selection: Bool[np.ndarray, " rows"] | Integer[np.ndarray, " selected"]) -> Observations:
        """Return the rows under a mask, or of these numbers in this order."""
        return replace(
            self,
            series=self.series[selection],
            times=self.times[selection],
            local_times=None if self.local_times is None else self.local_times[selection],
            values=self.values[selection],
            rows=self.rows[selection],
        )

    def take_series(self, is_selected: Bool[np.ndarray, " series"]) -> Observations:
        """Return the rows of some series, and number these anew from 0."""
        if is_selected.all():
            return self
        selection = self.take(is_selected[self.series])
        ids = tuple(name for name, selected in zip(self.ids, is_selected.tolist(), strict=True) if selected)
        return replace(selection, ids=ids, series=(np.cumsum(is_selected) - 1)[selection.series])

    def sort(self) -> Observations:
        """Return the rows ordered by series, time and value, whatever their order was."""
        import polars as pl

        same_series = self.series[1:] == self.series[:-1]
        later = self.times[1:] > self.times[:-1]
        if np.all((same_series & later) | (self.series[1:] > self.series[:-1])):
            return self
        keys = pl.DataFrame({"series": self.series, "time": self.times, "value": self.values})
        return self.take(keys.select(pl.arg_sort_by("series", "time", "value")).to_series().to_numpy())

    def origin_of(self, row: int) -> str:
        """Describe where an observation comes from: `row 7 (series 'a')`."""
        of_series = f" (series {self.ids[self.series[row]]!r})" if len(self.ids) > 1 else ""
        return f"row {self.rows[row]}{of_series}"


def read_observations(
    table: nw.DataFrame[Any],
    columns: Columns,
    name: str | None,
    date_order: str | None = None,
    decimal: str | None = None,
    as_steps: bool = False,
) -> tuple[Observations, list[DataWarning]]:
    """Read the chosen columns of a table.

    Args:
        table: The rows.
        columns: The columns of times, values and ids.
        name: What the input is called; None if it has no name.
        date_order: How text such as `1/2/24` is ordered (`dmy`, `mdy`, `ymd`), or None.
        decimal: The decimal sign of text, or None.
        as_steps: Whether integer times are steps, whatever they look like.

    Returns:
        The rows that have a time, ordered by series, time and value. Warnings of the flags `non_finite`,
        `joined_times` and `missing_times`.

    Raises:
        InputError: If the frame is empty, or a time, a value or an id cannot be read.
    """
    if not len(table):
        raise InputError("The frame has no rows.")
    times, part_warnings = _join_parts(table, columns, as_steps)
    time_column = read_times(times, date_order, as_steps)
    values, value_warnings = read_values(to_polars(table, columns.target), decimal)
    series, ids = read_ids(table, columns.ids)
    time_column, clock_warnings = _join_clock(table, columns, series, time_column)
    if name is not None:
        name = name.encode(errors="replace").decode()  # the name of a file need not be text
    observations = Observations(
        ids=ids,
        series=series,
        times=time_column.times,
        local_times=time_column.local_times,
        values=values,
        rows=np.arange(len(values)),
        time_type=time_column.time_type,
        has_calendar=time_column.has_calendar,
        names=Names(name, columns.time or "time", columns.target or "value", columns.id),
    )
    observations, missing_warnings = _drop_missing_times(observations, time_column.is_missing)
    warnings = [*part_warnings, *time_column.warnings, *value_warnings, *clock_warnings, *missing_warnings]
    return observations.sort(), warnings


def to_polars(table: nw.DataFrame[Any], name: str) -> pl.Series:
    """Return a column of a table of any library as a Polars Series; objects of several types become text."""
    import polars as pl

    series = table[name]
    _check_zones(series, name)
    try:
        column = series.to_polars().alias(name)
        return column if column.dtype != pl.Object else pl.Series(name, column.to_list())
    except Exception:  # objects of several types
        try:
            values = series.to_list()
            texts = [str(value) if drop_missing([value]) else None for value in values]
        except Exception as error:  # of a time zone that is not known, or of a user's class
            raise InputError(
                f"The column {name!r} of type {series.dtype} cannot be read ({type(error).__name__}: {error}). Convert "
                "it first, for example times with a zone to UTC."
            ) from error
        return pl.Series(name, texts, dtype=pl.String)


def _check_zones(series: nw.Series[Any], name: str) -> None:
    """Check that datetimes among objects have a zone in every row or in none."""
    import narwhals as nw

    if series.dtype != nw.Object:
        return
    has_zone = [value.tzinfo is not None for value in drop_missing(series.to_list()) if isinstance(value, dt.datetime)]
    if len(set(has_zone)) > 1:
        raise InputError(
            f"Some times in {name!r} have a time zone and others have none: {sum(has_zone):,} of {len(has_zone):,}. "
            "Give them all one zone, or none."
        )


def _join_parts(table: nw.DataFrame[Any], columns: Columns, as_steps: bool) -> tuple[pl.Series, list[DataWarning]]:
    """Return the times, with months or quarters of other columns if the user names them or if the years repeat."""
    import polars as pl

    years = to_polars(table, columns.time)
    if not columns.parts or (as_steps and not columns.are_parts_given):
        return years, []
    if not columns.are_parts_given:
        series, _ = read_ids(table, columns.ids)
        if not pl.DataFrame({"series": series, "year": years}).is_duplicated().any():
            return years, []
    dates = join_dates(years, [to_polars(table, name) for name in columns.parts])
    sentence = f"Times are {columns.time!r} and {quoted(columns.parts)} together."
    return dates, [DataWarning("joined_times", len(dates), sentence)]


def _join_clock(
    table: nw.DataFrame[Any], columns: Columns, series: Int64[np.ndarray, " rows"], time_column: TimeColumn
) -> tuple[TimeColumn, list[DataWarning]]:
    """Add the times of day of another column to dates, if the user names it or if the dates repeat.

    Raises:
        InputError: If several columns hold times of day.
    """
    import polars as pl

    if columns.is_clock_given and not time_column.has_calendar:
        raise InputError(
            f"The numbers in {columns.time!r} are no dates, to which the times of day in {columns.clocks[0]!r} can be "
            "added."
        )
    if not columns.clocks or not time_column.has_calendar or time_column.local_times is not None:
        return time_column, []
    dates = time_column.times
    if (dates % DAY).any():
        if columns.is_clock_given:
            raise InputError(
                f"The column {columns.time!r} has times of day already: {columns.clocks[0]!r} cannot be added."
            )
        return time_column, []
    if not columns.is_clock_given:
        keys = pl.DataFrame({"series": series, "date": dates}).filter(pl.Series(~time_column.is_missing))
        if not keys.is_duplicated().any():
            return time_column, []
    if len(columns.clocks) > 1:
        raise InputError(
            f"Several columns hold times of day: {quoted(columns.clocks)}. Say which one belongs to the dates of "
            f"{columns.time!r} with {option('time', [columns.time, columns.clocks[0]])}."
        )
    clock, is_missing = read_clock(to_polars(table, columns.clocks[0]))
    joined = replace(
        time_column,
        times=np.where(time_column.is_missing | is_missing, 0, dates + clock),
        is_missing=time_column.is_missing | is_missing,
        time_type=pl.Datetime("us"),
    )
    sentence = f"Times are the dates of {columns.time!r} and the times of day of {columns.clocks[0]!r} together."
    return joined, [DataWarning("joined_times", len(dates), sentence)]


def _drop_missing_times(
    observations: Observations, is_missing: Bool[np.ndarray, " rows"]
) -> tuple[Observations, list[DataWarning]]:
    count = int(is_missing.sum())
    if not count:
        return observations, []
    if count == len(observations):
        raise InputError(f"The column of times {observations.names.time!r} is empty.")
    first = observations.origin_of(int(np.argmax(is_missing)))
    sentence = f"{plural(count, 'row without a time is', 'rows without a time are')} left out (first: {first})."
    return observations.take(~is_missing), [DataWarning("missing_times", count, sentence)]


def read_ids(table: nw.DataFrame[Any], names: Sequence[str]) -> tuple[Int64[np.ndarray, " rows"], tuple[str, ...]]:
    """Return the number of each row's series, and the ids in sorted order.

    Args:
        table: The rows.
        names: The columns that together make the ids; none if the rows are one series.

    Raises:
        InputError: If a row has no id, or a column cannot be written as text.
    """
    import polars as pl

    if not names:
        return np.zeros(len(table), dtype=np.int64), (SINGLE_SERIES,)
    columns = pl.DataFrame([_whole_or_text(to_polars(table, name)) for name in names])
    text = columns.select(id_expression(names, columns.schema)).to_series()
    if text.null_count():
        row = int(text.is_null().arg_max() or 0)
        empty = next((name for name in names if columns[name][row] is None), names[0])
        raise InputError(f"Row {row} has no series id in {empty!r}. Fill it in or drop the row.")
    ids = text.unique().sort()
    series = text.cast(pl.Enum(ids)).to_physical().cast(pl.Int64).to_numpy()
    return series, tuple(ids.to_list())


def _whole_or_text(column: pl.Series) -> pl.Series:
    """Return floats as integers if all are whole, else as text; other columns as they are."""
    import polars as pl

    if not column.dtype.is_float():
        return column
    column = column.fill_nan(None)
    is_whole = bool((column.is_null() | (column == column.floor())).all())
    return column.cast(pl.Int64 if is_whole else pl.String, strict=False)
