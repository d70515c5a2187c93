"""Reading a column of text as times, in the one way that fits every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.dataset import DataWarning
from nbforecast.data.date_formats import SHAPES, DateParts, Shape, normalise, split, to_local_times
from nbforecast.errors import InputError
from nbforecast.text import option
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    import polars as pl

DATE_ORDERS = {"dmy": "day/month", "mdy": "month/day", "ymd": "year/month/day"}
_ISO = r"^\d{4}-\d{2}-\d{2}"
_ISO_CLOCKS = ("", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f")
_HEAD = 100  # texts that rule ways of writing out before the whole column is read
_LAST_SHORT_YEAR = 2039  # the latest year that two digits stand for
_FEW = 4  # different numbers, below which those that are left out between them tell nothing
_TELLING = 8  # different times from which on their regularity decides between two readings
_LONGEST_MONTH = 31
_DENSER = 5  # times as many dates in the same span
_FIRST_YEAR = -30_610_224_000_000_000  # 1000-01-01: "%Y" takes "24" for the year 24


@dataclass(frozen=True)
class TextTimes:
    """A column of text as times.

    Attributes:
        local_times: Microseconds of the local clock, 0 where there is no time.
        offset: Microseconds of the local clock ahead of UTC, or None where the text does not state them.
        is_date: Whether no row has a time of day.
        warnings: What the reading rests on, where the text leaves it open.
    """

    local_times: Int64[np.ndarray, " rows"]
    offset: Int64[np.ndarray, " rows"] | None
    is_date: bool
    warnings: tuple[DataWarning, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """One way to read the text.

    Attributes:
        local_times: Microseconds of the local clock.
        is_valid: Where the text is a date that exists.
        order: The order of day, month and year, or empty.
        parts: The parts of the dates.
    """

    local_times: Int64[np.ndarray, " rows"]
    is_valid: Bool[np.ndarray, " rows"]
    order: str
    parts: DateParts


def read_text(text: pl.Series, order: str | None = None) -> TextTimes:
    """Read text as times.

    Args:
        text: Text without blanks around it, null where there is no time, under the user's name.
        order: How numbers such as `1/2/24` are ordered (`dmy`, `mdy`, `ymd`), or None to decide by the whole column.

    Raises:
        InputError: If a row fits no way of writing that fits the others, or if several orders fit the column.
    """
    iso = _read_iso(text)
    if iso is not None:
        return iso
    is_present = text.is_not_null().to_numpy()
    shape_readings = _read_shapes(normalise(text), is_present, order)
    complete = [reading for reading in shape_readings if reading.is_valid[is_present].all()]
    if not complete:
        raise InputError(_unread(text, is_present, shape_readings))
    warnings = []
    reading = complete[0]
    if len(complete) > 1:
        reading, is_inferred = _choose(complete, is_present, text)
        if is_inferred:
            warnings.append(_order_warning(reading, is_present, text))
    is_short = reading.parts.is_short_year() & is_present
    if is_short.any():
        _check_short_years(reading, is_short, text)
        years = reading.local_times[is_short].astype("datetime64[us]").astype("datetime64[Y]")
        span = " to ".join(dict.fromkeys(str(year) for year in (years.min(), years.max())))
        sentence = f"Years of two digits in {text.name!r} are read as {span}."
        warnings.append(DataWarning("two_digit_years", int(is_short.sum()), sentence))
    has_offset = bool(reading.parts.has_offset[is_present].any())
    return TextTimes(
        np.where(is_present, reading.local_times, 0),
        reading.parts.offset if has_offset else None,
        not reading.parts.has_clock,
        tuple(warnings),
    )


def find_readable(text: pl.Series, order: str | None = None) -> pl.Series | None:
    """Return which texts fit the way of writing of most; None if all do, so that another reason stops the reading.

    Args:
        text: Text, null where there is no time.
        order: How numbers such as `1/2/24` are ordered, or None.
    """
    import polars as pl

    text = text.str.strip_chars()
    is_present = text.is_not_null().to_numpy()
    readings = _read_shapes(normalise(text), is_present, order)
    if not readings:
        return None
    best = max(readings, key=lambda reading: int(reading.is_valid.sum()))
    return None if best.is_valid[is_present].all() else pl.Series(best.is_valid)


def can_be_read(text: pl.Series) -> bool:
    """Tell whether text can be read as times, in one or several ways."""
    if _read_iso(text) is not None:
        return True
    is_present = text.is_not_null().to_numpy()
    return any(reading.is_valid[is_present].all() for reading in _read_shapes(normalise(text), is_present, None))


def _read_iso(text: pl.Series) -> TextTimes | None:
    """Read text such as `2024-01-31 13:00:00`, all rows in the same form, in the quickest way."""
    import polars as pl

    head = text.drop_nulls().head(_HEAD)
    if not head.str.contains(_ISO).all():
        return None
    for clock in _ISO_CLOCKS:
        if head.str.to_datetime("%Y-%m-%d" + clock, strict=False).null_count():
            continue
        times = text.str.to_datetime("%Y-%m-%d" + clock, strict=False, time_unit="us")
        numbers = times.cast(pl.Int64).fill_null(0).to_numpy()
        if times.null_count() > text.null_count() or numbers.min() < _FIRST_YEAR:
            return None
        return TextTimes(numbers, None, not clock)
    return None


def _read_shapes(text: pl.Series, is_present: Bool[np.ndarray, " rows"], order: str | None) -> list[_Reading]:
    """Read normalised text in the first way of writing that fits, or in all if none fits every row."""
    head = text.drop_nulls().head(_HEAD).to_list()
    readings = []
    for shape in SHAPES:
        if not shape.fits_any(head):
            continue
        of_shape = _read_shape(text, is_present, shape, order)
        if any(reading.is_valid[is_present].all() for reading in of_shape):
            return of_shape
        readings += of_shape
    return readings


def _read_shape(
    text: pl.Series, is_present: Bool[np.ndarray, " rows"], shape: Shape, order: str | None
) -> list[_Reading]:
    """Read text in every order of a shape."""
    parts = split(text, shape)
    has_offset = parts.has_offset & is_present
    readings = []
    for candidate in _orders(parts, shape, is_present, order):
        local_times, is_valid = to_local_times(parts, candidate, _full_years(parts, candidate, is_present))
        if has_offset.any():  # in all rows, or the others are unclear
            is_valid = is_valid & parts.has_offset
        readings.append(_Reading(local_times, is_valid, candidate, parts))
    return readings


def _orders(
    parts: DateParts, shape: Shape, is_present: Bool[np.ndarray, " rows"], order: str | None
) -> tuple[str, ...]:
    """Return the orders in which numbers may be read; those that begin with a year only if days would be last."""
    if not shape.orders:
        return ("",)
    if order is not None:
        return (order,)
    first, last = parts.numbers["a"][is_present], parts.numbers["c"][is_present]
    can_begin_with_year = last.max() <= _LONGEST_MONTH and len(np.unique(last)) > len(np.unique(first))
    return tuple(each for each in shape.orders if each != "ymd" or can_begin_with_year)


def _full_years(
    parts: DateParts, order: str, is_present: Bool[np.ndarray, " rows"]
) -> Int64[np.ndarray, " rows"] | None:
    """Complete years of two digits to one run of years, the latest that does not end after `_LAST_SHORT_YEAR`."""
    year = parts.numbers["abc"[order.index("y")] if order else "year"]
    is_short = parts.is_match & is_present & (year < 100)
    if not is_short.any():
        return None
    distinct = np.unique(year[is_short])
    widest = int(np.argmax(np.diff(np.append(distinct, distinct[0] + 100))))
    first = distinct[(widest + 1) % len(distinct)]
    unwrapped = (year - first) % 100 + first
    century = 100 * ((_LAST_SHORT_YEAR - int(unwrapped[is_short].max())) // 100)
    return np.where(is_short, unwrapped + century, year)


def _choose(readings: list[_Reading], is_present: Bool[np.ndarray, " rows"], text: pl.Series) -> tuple[_Reading, bool]:
    """Choose the reading that alone is regular.

    Returns:
        The reading, and whether its regularity alone decides.

    Raises:
        InputError: If several remain.
    """
    distinct = [readings[0]]
    for reading in readings[1:]:
        if all((reading.local_times[is_present] != other.local_times[is_present]).any() for other in distinct):
            distinct.append(reading)
    if len(distinct) == 1:
        return readings[0], False
    times = [np.unique(reading.local_times[is_present]) for reading in distinct]
    regular = [reading for reading, own in zip(distinct, times, strict=True) if _is_regular(own)]
    if len(regular) == 1:
        return regular[0], True
    spans = [int(np.ptp(own)) for own in times]
    densest = int(np.argmin(spans))
    if len(times[densest]) >= _TELLING and not regular:
        others = [span for number, span in enumerate(spans) if number != densest]
        if min(others) >= _DENSER * spans[densest]:
            return distinct[densest], True
    row = int(np.argmax(is_present & (distinct[0].local_times != distinct[-1].local_times)))
    meanings = " or ".join(
        f"{str(reading.local_times[row].astype('datetime64[us]'))[:10]} ({option('date_order', reading.order)})"
        for reading in distinct
    )
    names = " or ".join(DATE_ORDERS[reading.order] for reading in reversed(distinct))
    raise InputError(
        f"The times in {text.name!r} can be read as {names}: row {row}, {text[row]!r}, is {meanings}. Say which with "
        f"{option('date_order')}."
    )


def _check_short_years(reading: _Reading, is_short: Bool[np.ndarray, " rows"], text: pl.Series) -> None:
    """Check that numbers beside the names of months are years: `Oct18` could also be a day of a year that is missing.

    Years follow each other. Numbers that leave out most of those between them, and could all be days, may be such.

    Raises:
        InputError: If they may be days.
    """
    numbers = reading.parts.numbers
    if "name" not in numbers or "day" in numbers:
        return
    distinct = np.unique(numbers["year"][is_short])
    if len(distinct) >= _FEW and distinct.max() <= _LONGEST_MONTH and np.ptp(distinct) + 1 >= 2 * len(distinct):
        row = int(np.argmax(is_short))
        raise InputError(
            f"Row {row} of the column of times {text.name!r} is {text[row]!r}: the number can be a year of two digits "
            "or a day of a year that is missing. Write years with four digits, or add the year."
        )


def _is_regular(times: Int64[np.ndarray, " times"]) -> bool:
    """Tell whether different times, ascending, have one step: of fixed length, of months, or of business days."""
    if len(times) < _TELLING:
        return False
    if len(np.unique(np.diff(times))) == 1:
        return True
    days = np.unique(times // DAY)
    if len(days) < len(times) or len(np.unique(times % DAY)) > 1:
        return False
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    of_month = days - months.astype("datetime64[D]").astype(np.int64)
    is_last = (months + 1).astype("datetime64[D]").astype(np.int64) - days == 1
    if len(np.unique(np.diff(months.astype(np.int64)))) == 1 and (len(np.unique(of_month)) == 1 or is_last.all()):
        return True
    week, weekday = np.divmod(days + 3, 7)
    return bool((weekday < 5).all() and (np.diff(5 * week + weekday) == 1).all())


def _order_warning(reading: _Reading, is_present: Bool[np.ndarray, " rows"], text: pl.Series) -> DataWarning:
    other = {"dmy": "mdy", "mdy": "dmy", "ymd": "dmy"}[reading.order]
    sentence = (
        f"The dates in {text.name!r} ({text.drop_nulls()[0]!r}) are read as {DATE_ORDERS[reading.order]}, since only "
        f"so they are regular. If that is wrong, give {option('date_order', other)}."
    )
    return DataWarning("date_order", int(is_present.sum()), sentence)


def _unread(text: pl.Series, is_present: Bool[np.ndarray, " rows"], readings: list[_Reading]) -> str:
    """Describe the first row that does not fit the way of writing of most others."""
    name = text.name
    if readings:
        best = max(readings, key=lambda reading: int(reading.is_valid.sum()))
        same = [reading for reading in readings if reading.parts is best.parts]
        any_valid = np.logical_or.reduce([reading.is_valid for reading in same])
        if len(same) > 1 and any_valid[is_present].all():
            rows = {reading.order: int(np.argmax(is_present & ~reading.is_valid)) for reading in same}
            places = ", ".join(f"row {row} ({text[row]!r}) is not {DATE_ORDERS[o]}" for o, row in rows.items())
            return f"The times in {name!r} have no common order: {places}. Write them all in one order."
        unread = is_present & ~best.is_valid
    else:
        unread = is_present
    row, count = int(np.argmax(unread)), int(unread.sum())
    of_others = f" ({count:,} such rows in all)" if 1 < count < is_present.sum() else ""
    return (
        f"Row {row} of the column of times {name!r} is {text[row]!r}, which is no time in a known format{of_others}. "
        f"Correct or drop it, parse the column first, or name another one with {option('time')}."
    )
