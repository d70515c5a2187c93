"""Reading a column of times, of whatever type, as integers: microseconds, or steps where there is no calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.dataset import DataWarning
from nbforecast.data.missing_texts import MISSING_TEXTS, drop_missing
from nbforecast.data.text_times import can_be_read, read_text
from nbforecast.errors import InputError
from nbforecast.text import option
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    import polars as pl

_HEAD = 100  # texts that are looked at before the whole column is
_LARGEST_STEP = 1 << 53
_FIRST_EPOCH, _LAST_EPOCH = 315_532_800 * 10**9, 4_102_444_800 * 10**9  # the years 1980 to 2099, in nanoseconds
# unit -> (microseconds, 0 for a part of one; nanoseconds)
_EPOCH_UNITS = {"seconds": (SECOND, 10**9), "milliseconds": (1_000, 10**6), "microseconds": (1, 10**3),
                "nanoseconds": (0, 1)}  # fmt: skip
# number of digits -> an integer that stands for a missing one
_DIGITS = {6: 200001, 8: 20000101, 10: 2000010100, 12: 200001010000, 14: 20000101000000}
_DATE_DIGITS = 8
_TELLING = 8  # different integers from which on all of them being dates is no chance
_FIRST_SHORT_DATE, _SHORT, _LAST_SHORT_DATE, _LONGEST_RUN = 101, 10_000, 991_231, 40
_MANY_CLOCKS, _LAST_MORNING, _DAY_END, _COARSEST_MINUTES = 20, 1_200, 2_400, 10  # of times of day, written as hhmm
_NO_PARTS = (1, 1, 0, 0, 0)  # month, day, hour, minute, second where integers have none
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
        warnings: How text or integers were read, where that is not evident.
    """

    times: Int64[np.ndarray, " rows"]
    local_times: Int64[np.ndarray, " rows"] | None
    is_missing: Bool[np.ndarray, " rows"]
    time_type: pl.DataType
    has_calendar: bool
    warnings: tuple[DataWarning, ...] = ()


def read_times(column: pl.Series, order: str | None = None, as_steps: bool = False) -> TimeColumn:
    """Convert a column of dates, datetimes, text or numbers.

    Args:
        column: The column under the user's name, which messages repeat.
        order: How text such as `1/2/24` is ordered (`dmy`, `mdy`, `ymd`), or None to decide by the whole column.
        as_steps: Whether integers are steps even if they look like dates or seconds since 1970.

    Raises:
        InputError: If a row is no time, if day and month cannot be told apart, or if the column has another type. The
            message names the first row concerned.
    """
    import polars as pl

    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        text, numbers = _clean(column)
        if text.null_count() == len(text):
            raise InputError(f"The column of times {column.name!r} is empty.")
        if numbers is None:
            return _from_text(text, order)
        column, dtype = numbers, pl.Int64()
    if dtype == pl.Null:
        raise InputError(f"The column of times {column.name!r} is empty.")
    if dtype.is_numeric():
        return _from_numbers(column, as_steps)
    is_missing = column.is_null().to_numpy()
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


def are_times(values: list[Any]) -> bool:
    """Tell whether the first values of a column of text or objects are times, ambiguous ones included."""
    present = drop_missing(values)
    if not present:
        return False
    if not all(isinstance(value, str) for value in present):
        present = [str(value) if isinstance(value, (dt.date, dt.datetime)) else value for value in present]
        if not all(isinstance(value, str) for value in present):
            return False
    if all(value.strip().isdigit() for value in present):
        return False
    import polars as pl

    text, numbers = _clean(pl.Series("", present))
    if text.null_count() == len(text):
        return False
    return numbers is not None or can_be_read(text)


def _clean(column: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Return the text without surrounding blanks, and the integers that it spells, if it spells such throughout.

    Text of eight digits is a date such as 20240131.
    """
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in([*MISSING_TEXTS, "NaT"]), None)
    present = text.drop_nulls()
    if present.is_empty() or not present.str.contains(r"^-?\d+$").all():
        return text, None
    if (present.head(_HEAD).str.len_chars() == 8).all():
        return text, None
    return text, text.cast(pl.Int64, strict=False)


def _from_text(text: pl.Series, order: str | None) -> TimeColumn:
    import polars as pl

    reading = read_text(text, order)
    is_missing = text.is_null().to_numpy()
    if reading.offset is not None:
        zone = pl.Datetime("us", "UTC")
        times = np.where(is_missing, 0, reading.local_times - reading.offset)
        return TimeColumn(times, reading.local_times, is_missing, zone, True, reading.warnings)
    time_type = pl.Date() if reading.is_date else pl.Datetime("us")
    return TimeColumn(reading.local_times, None, is_missing, time_type, True, reading.warnings)


def _from_numbers(column: pl.Series, as_steps: bool) -> TimeColumn:
    """Convert dates written as integers, seconds since 1970, or steps."""
    import polars as pl

    seconds = None if as_steps else _fractional_seconds(column)
    if seconds is not None:
        column = seconds
    elif not column.dtype.is_integer():
        column = _whole_numbers(column)
    steps = column.cast(pl.Int64, strict=False)
    is_missing = column.is_null().to_numpy()
    if not as_steps and steps.null_count() == column.null_count() and len(steps.drop_nulls()):
        written = _from_digits(steps) or _from_short_digits(steps)
        if written is not None:
            return written
        _check_clocks(steps)
        for unit, (length, nanoseconds) in _EPOCH_UNITS.items():
            if steps.drop_nulls().is_between(_FIRST_EPOCH // nanoseconds, _LAST_EPOCH // nanoseconds).all():
                times = (steps * length if length else steps // 1_000).fill_null(0).to_numpy()
                return TimeColumn(
                    times,
                    None,
                    is_missing,
                    pl.Datetime("us"),
                    True,
                    (_epoch_warning(column, times[~is_missing], unit),),
                )
    if steps.null_count() > column.null_count() or (steps.drop_nulls().abs() > _LARGEST_STEP).any():
        raise InputError(f"The column {column.name!r} holds integers too large for steps. Convert them to dates first.")
    return TimeColumn(steps.fill_null(0).to_numpy(), None, is_missing, pl.Int64(), False)


def _epoch_warning(column: pl.Series, times: Int64[np.ndarray, " times"], unit: str) -> DataWarning:
    first, last = (str(time.astype("datetime64[us]").astype("datetime64[s]")) for time in (times.min(), times.max()))
    sentence = (
        f"The numbers in {column.name!r} are read as {unit} since 1970 (Unix epoch, in UTC): {first} to {last}. If "
        f"they are steps, give {option('freq', '1')}."
    )
    return DataWarning("epoch_times", len(times), sentence)


def _from_digits(steps: pl.Series) -> TimeColumn | None:
    """Read integers such as 201501, 20150131 or 2015013113 as dates, if all are such."""
    import polars as pl

    present = steps.drop_nulls()
    digits = len(str(present.max()))
    if digits not in _DIGITS or not present.is_between(1_900 * 10 ** (digits - 4), 2_101 * 10 ** (digits - 4)).all():
        return None
    rest = steps.fill_null(_DIGITS[digits]).to_numpy()
    parts: list[Any] = []
    for _ in range((digits - 4) // 2):
        parts.append(rest % 100)
        rest = rest // 100
    absent = [np.full_like(rest, number) for number in _NO_PARTS[len(parts) :]]
    month, day, hour, minute, second = parts[::-1] + absent
    months = (rest - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    if ((month < 1) | (month > 12) | (day < 1) | (day > 31) | (hour > 23) | (minute > 59) | (second > 59)).any():
        return None
    is_wrong = first + day > (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise InputError(
            f"Row {row} of the column of times {steps.name!r} is {steps[row]}, a day that its month does not have. "
            f"Correct or drop it, or give {option('freq', '1')} if these are steps."
        )
    is_missing = steps.is_null().to_numpy()
    times = (first + day - 1) * DAY + hour * HOUR + minute * MINUTE + second * SECOND
    times = np.where(is_missing, 0, times)
    time_type = pl.Date() if digits <= _DATE_DIGITS else pl.Datetime("us")
    if digits == _DATE_DIGITS:
        return TimeColumn(times, None, is_missing, time_type, True)
    form = "yyyymmddhhmmss"[:digits]
    sentence = (
        f"The integers in {steps.name!r} ({present[0]}) are read as dates of the form {form}. If they are steps, give "
        f"{option('freq', '1')}."
    )
    return TimeColumn(times, None, is_missing, time_type, True, (DataWarning("integer_dates", len(present), sentence),))


def _from_short_digits(steps: pl.Series) -> TimeColumn | None:
    """Read integers such as 800131 as dates with years of two digits, if all are such and no run of steps."""
    import polars as pl

    present = steps.drop_nulls()
    distinct = present.unique().sort()
    if (
        len(distinct) < _TELLING
        or not distinct[0] >= _FIRST_SHORT_DATE
        or not _SHORT < distinct[-1] <= _LAST_SHORT_DATE
    ):
        return None
    if len(distinct) <= int(distinct[-1]) - int(distinct[0]) + 1 <= _LONGEST_RUN:
        return None  # within one month: as good as any steps
    month, day = distinct // 100 % 100, distinct % 100
    if not (month.is_between(1, 12) & day.is_between(1, 31)).all():
        return None
    digits = steps.cast(pl.String).str.zfill(6)
    text = digits.str.slice(0, 2) + "-" + digits.str.slice(2, 2) + "-" + digits.str.slice(4, 2)
    try:
        column = _from_text(text.alias(steps.name), "ymd")
    except InputError:
        return None  # a month does not have such a day
    sentence = (
        f"The integers in {steps.name!r} ({present[0]}) are read as dates of the form yymmdd. If they are steps, give "
        f"{option('freq', '1')}."
    )
    return replace(column, warnings=(*column.warnings, DataWarning("integer_dates", len(present), sentence)))


def _check_clocks(steps: pl.Series) -> None:
    """Check that integers are no times of day such as 840 and 2350, which are no steps: no hour has a minute 60 to 99.

    Raises:
        InputError: If they look like such.
    """
    distinct = steps.drop_nulls().unique().sort()
    if len(distinct) < _MANY_CLOCKS or distinct[0] < 0 or not _LAST_MORNING < distinct[-1] < _DAY_END:
        return
    is_coarse = int(np.gcd.reduce(distinct.to_numpy())) > _COARSEST_MINUTES
    if not is_coarse and distinct.diff().drop_nulls().n_unique() > 1 and (distinct % 100 < 60).all():
        first, last = f"{distinct[0]:04d}", f"{distinct[-1]:04d}"
        raise InputError(
            f"The integers in {steps.name!r} can be steps, or times of day from {first[:2]}:{first[2:]} to {last[:2]}:"
            f"{last[2:]}. Give {option('freq', '1')} if they are steps, else join them with their dates first."
        )


def _fractional_seconds(column: pl.Series) -> pl.Series | None:
    """Return microseconds for floats that are seconds since 1970 with a fraction."""
    import polars as pl

    if not column.dtype.is_float():
        return None
    numbers = column.cast(pl.Float64).fill_nan(None)
    present = numbers.drop_nulls()
    if present.is_empty() or not present.is_between(_FIRST_EPOCH // 10**9, _LAST_EPOCH // 10**9).all():
        return None
    if (present == present.floor()).all():
        return None
    return (numbers * SECOND).round(0).cast(pl.Int64)


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
            "steps. Convert them to dates (for example with pl.from_epoch), or name another column with "
            f"{option('time')}."
        )
    return numbers.fill_nan(None).cast(pl.Int64, strict=False)
