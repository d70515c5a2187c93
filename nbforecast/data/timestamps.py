"""Reading a column of times, of whatever type, as integers: microseconds, or steps where there is no calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z", "%Y-%m-%dT%H:%M%#z",
          "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%dT%H:%MZ")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S%.f", "T%H:%M")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y",
          "%B %d, %Y", "%Y%m%d")  # fmt: skip
# Years of two digits come first: %Y takes 18 for the year 18.
_MONTH_OR_DAY_FIRST = (("%m/%d/%y", "%d/%m/%y"), ("%m/%d/%Y", "%d/%m/%Y"), ("%m-%d-%y", "%d-%m-%y"),
                       ("%m-%d-%Y", "%d-%m-%Y"))  # fmt: skip
_MONTHS = ("%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%y", "%b-%Y")

# A format, or two that read the same text as different dates; in the order in which they are tried.
_FORMATS: tuple[tuple[str, ...], ...] = (
    *((form,) for form in _ZONED),
    *((date + clock,) for date in _DATES for clock in _CLOCKS),
    *((month_first + clock, day_first + clock) for month_first, day_first in _MONTH_OR_DAY_FIRST for clock in _CLOCKS),
    *((form,) for form in _MONTHS),
)
_HEAD = 100  # texts that rule formats out before the whole column is read
_LARGEST_STEP = 1 << 53
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000  # the years 1 to 9999


@dataclass(frozen=True)
class TimeColumn:
    """A column of times as integers.

    Attributes:
        times: Microseconds since the epoch (in UTC for times with a zone), or steps where there is no calendar.
        local_times: Microseconds of the local clock for times with a zone, else None.
        is_missing: Where there is no time.
        time_type: The Polars type in which times are returned to the user.
        has_calendar: Whether the integers are microseconds rather than steps.
    """

    times: Int64[np.ndarray, " rows"]
    local_times: Int64[np.ndarray, " rows"] | None
    is_missing: Bool[np.ndarray, " rows"]
    time_type: pl.DataType
    has_calendar: bool


@dataclass(frozen=True)
class _TextReadings:
    """The ways in which a column of text can be read as times.

    Attributes:
        complete: One reading, two different ones (month first, day first), or none that fits every row.
        best: The reading that fits most rows, where none fits all.
    """

    complete: tuple[pl.Series, ...]
    best: pl.Series | None = None


def read_times(column: pl.Series) -> TimeColumn:
    """Convert a column of dates, datetimes, text or integers.

    Args:
        column: The column under the user's name, which messages repeat.

    Raises:
        InputError: If a row is no time, if day and month cannot be told apart, or if the column has another type. The
            message names the first row concerned.
    """
    import polars as pl

    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        column = parse_times(column)
        dtype = column.dtype
    if dtype == pl.Null:
        raise InputError(f"The column of times {column.name!r} is empty.")
    if dtype.is_float() or dtype.is_decimal():
        column = _whole_numbers(column)
        dtype = column.dtype
    is_missing = column.is_null().to_numpy()
    if dtype.is_integer():
        steps = column.cast(pl.Int64, strict=False)
        if steps.null_count() > column.null_count() or (steps.drop_nulls().abs() > _LARGEST_STEP).any():
            raise InputError(
                f"The column {column.name!r} holds integers too large for steps. Convert them to dates first."
            )
        if _are_compact_dates(steps):
            return read_times(steps.cast(pl.String))
        return TimeColumn(steps.fill_null(0).to_numpy(), None, is_missing, pl.Int64(), False)
    if dtype == pl.Date:
        return TimeColumn(_microseconds(column.cast(pl.Datetime("us"))), None, is_missing, pl.Date(), True)
    if isinstance(dtype, pl.Datetime):
        local = None
        if dtype.time_zone is not None:
            local = _microseconds(column.dt.replace_time_zone(None).dt.cast_time_unit("us"))
        times = _microseconds(column.dt.cast_time_unit("us"))
        return TimeColumn(times, local, is_missing, pl.Datetime("us", dtype.time_zone), True)
    raise InputError(
        f"The column of times {column.name!r} is of type {dtype}. Use dates, datetimes, text such as 2024-05-01 13:00, "
        "or integer steps."
    )


def parse_times(column: pl.Series) -> pl.Series:
    """Parse a column of text in the first format that fits every row.

    Args:
        column: Text; empty and missing texts stay missing.

    Returns:
        Dates, datetimes (in UTC where the text has an offset), or integers where the text is numbers other than dates.

    Raises:
        InputError: If a row fits no format, or if day and month cannot be told apart.
    """
    text, numbers = _clean(column)
    if text.null_count() == len(text):
        raise InputError(f"The column of times {column.name!r} is empty.")
    if numbers is not None:
        return numbers
    readings = _read_text(text)
    if len(readings.complete) == 1:
        return readings.complete[0].alias(column.name)
    if readings.complete:
        raise InputError(
            f"The times in {column.name!r} ({text.drop_nulls()[0]!r}) can be read as either month/day or day/month. "
            'Parse them first, for example with pl.col(...).str.to_datetime("%d/%m/%Y").'
        )
    unread = text.is_not_null() if readings.best is None else (text.is_not_null() & readings.best.is_null())
    row = int(unread.arg_max() or 0)
    raise InputError(
        f"Row {row} of the column of times {column.name!r} is {column[row]!r}, which is no time in a known format. "
        "Correct or drop it, parse the column first, or name another one with time=."
    )


def are_times(values: list[Any]) -> bool:
    """Tell whether the first values of a column of text or objects are times, ambiguous ones included."""
    present = [value for value in values if value is not None and value == value and value != ""]
    if not present:
        return False
    if not all(isinstance(value, str) for value in present):
        return all(isinstance(value, (dt.date, dt.datetime)) for value in present)
    if all(value.strip().isdigit() for value in present):
        return False
    import polars as pl

    text, numbers = _clean(pl.Series("", present))
    if text.null_count() == len(text):
        return False
    return numbers is not None or bool(_read_text(text).complete)


def _clean(column: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Return the text without surrounding blanks, and the integers that it spells, if it spells such throughout.

    Text of eight digits is a date such as 20240131.
    """
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text == "", None)
    present = text.drop_nulls()
    if present.is_empty() or not present.str.contains(r"^-?\d+$").all():
        return text, None
    if (present.head(_HEAD).str.len_chars() == 8).all():
        return text, None
    return text, text.cast(pl.Int64)


def _read_text(text: pl.Series) -> _TextReadings:
    head = text.drop_nulls().head(_HEAD)
    best: pl.Series | None = None
    for formats in _FORMATS:
        if not any(_parse(head, form).is_not_null().any() for form in formats):
            continue
        readings = [_parse(text, form) for form in formats]
        complete = [reading for reading in readings if reading.null_count() == text.null_count()]
        if len(complete) == 2 and not complete[0].equals(complete[1]):
            return _TextReadings(tuple(complete))
        if complete:
            return _TextReadings((complete[0],))
        for reading in readings:
            if best is None or reading.null_count() < best.null_count():
                best = reading
    return _TextReadings((), best)


def _parse(text: pl.Series, form: str) -> pl.Series:
    """Parse text in one format; what does not fit is null."""
    if form in _MONTHS:
        return _parse("1 " + text, "%d " + form)
    if form.endswith("z"):
        return text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
    if form.endswith("Z"):
        return text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone("UTC")
    if "%H" not in form and "%I" not in form:
        return text.str.to_date(form, strict=False)
    return text.str.to_datetime(form, strict=False, time_unit="us")


def _are_compact_dates(numbers: pl.Series) -> bool:
    """Tell whether all integers are dates such as 20240131."""
    present = numbers.drop_nulls()
    if present.is_empty() or not present.is_between(19_000_101, 21_001_231).all():
        return False
    month, day = present // 100 % 100, present % 100
    return bool(month.is_between(1, 12).all() and day.is_between(1, 31).all())


def _microseconds(column: pl.Series) -> Int64[np.ndarray, " rows"]:
    """Return microseconds since the epoch, 0 where there is no time."""
    import polars as pl

    times = column.cast(pl.Int64).fill_null(0).to_numpy()
    if len(times) and (times.min() < _EARLIEST or times.max() >= _LATEST):
        row = int(np.argmax((times < _EARLIEST) | (times >= _LATEST)))
        raise InputError(f"Row {row} of {column.name!r} has a time outside the years 1 to 9999; correct or drop it.")
    return times


def _whole_numbers(column: pl.Series) -> pl.Series:
    """Convert floats and decimals that are whole to integers; NaN is missing."""
    import polars as pl

    numbers = column.cast(pl.Float64)
    is_whole = numbers.is_null() | numbers.is_nan() | (numbers.is_finite() & (numbers == numbers.floor()))
    if not is_whole.all():
        row = int((~is_whole).arg_max() or 0)
        raise InputError(
            f"Row {row} of the column of times {column.name!r} is {column[row]}: times given as numbers must be whole "
            "steps. Convert them to dates (for example with pl.from_epoch), or name another column with time=."
        )
    return numbers.fill_nan(None).cast(pl.Int64, strict=False)
