"""Turning a column of times, of whatever type, into integers: microseconds, or steps where there is no calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.frequency import Ints

_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z", "%Y-%m-%dT%H:%M%#z",
          "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%dT%H:%MZ")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S%.f", "T%H:%M")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y",
          "%B %d, %Y", "%Y%m%d")  # fmt: skip
# two-digit years first: %Y would take 18 for the year 18
_AMBIGUOUS = (("%m/%d/%y", "%d/%m/%y"), ("%m/%d/%Y", "%d/%m/%Y"), ("%m-%d-%y", "%d-%m-%y"), ("%m-%d-%Y", "%d-%m-%Y"))
_MONTHS = ("%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%y", "%b-%Y")
_LARGEST_STEP = 1 << 53
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000  # the years 1 to 9999


@dataclass(frozen=True)
class Clock:
    """A column of times as integers.

    stamps: int64 (n,), microseconds since the epoch (UTC for zoned times), or steps where `calendar` is false.
    wall: int64 (n,), microseconds of the local clock for zoned times, else None.
    missing: bool (n,), where there is no time.
    time_type: the Polars type in which times are handed back.
    """

    stamps: Ints
    wall: Ints | None
    missing: np.ndarray
    time_type: pl.DataType
    calendar: bool


def read_times(column: pl.Series) -> Clock:
    """Convert a column of dates, datetimes, text or integers. Raises `InputError` naming the first bad row."""
    import polars as pl

    name, kind = column.name, column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        column = parse_text(column)
        kind = column.dtype
    missing = column.is_null().to_numpy()
    if kind == pl.Null:
        raise InputError(f"The column of times {name!r} is empty.")
    if kind.is_float() or kind.is_decimal():
        column = _whole(column)
        kind, missing = column.dtype, column.is_null().to_numpy()
    if kind.is_integer():
        steps = column.cast(pl.Int64, strict=False)
        if steps.null_count() > column.null_count() or (steps.drop_nulls().abs() > _LARGEST_STEP).any():
            raise InputError(f"The column {name!r} holds integers too large for steps. Convert them to dates first.")
        if _are_dates(steps):
            return read_times(steps.cast(pl.String))
        return Clock(steps.fill_null(0).to_numpy(), None, missing, pl.Int64(), False)
    if kind == pl.Date:
        return Clock(_stamps(column.cast(pl.Datetime("us"))), None, missing, pl.Date(), True)
    if isinstance(kind, pl.Datetime):
        wall = None
        if kind.time_zone is not None:
            wall = _stamps(column.dt.replace_time_zone(None).dt.cast_time_unit("us"))
        stamps = column.dt.cast_time_unit("us")
        return Clock(_stamps(stamps), wall, missing, pl.Datetime("us", kind.time_zone), True)
    raise InputError(
        f"The column of times {name!r} is of type {kind}. Use dates, datetimes, text such as 2024-05-01 13:00, or "
        "integer steps."
    )


def _are_dates(column: pl.Series) -> bool:
    """Whether integers are all dates written as 20240131."""
    known = column.drop_nulls()
    if known.is_empty() or not known.is_between(19_000_101, 21_001_231).all():
        return False
    month, day = known // 100 % 100, known % 100
    return bool(month.is_between(1, 12).all() and day.is_between(1, 31).all())


def _stamps(column: pl.Series) -> Ints:
    import polars as pl

    stamps: Ints = column.cast(pl.Int64).fill_null(0).to_numpy()
    if len(stamps) and (stamps.min() < _EARLIEST or stamps.max() >= _LATEST):
        row = int(np.argmax((stamps < _EARLIEST) | (stamps >= _LATEST)))
        raise InputError(f"Row {row} of {column.name!r} has a time outside the years 1 to 9999; correct or drop it.")
    return stamps


def _whole(column: pl.Series) -> pl.Series:
    import polars as pl

    numbers = column.cast(pl.Float64)
    bad = ~(numbers.is_null() | numbers.is_nan() | (numbers.is_finite() & (numbers == numbers.floor())))
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise InputError(
            f"Row {row} of the column of times {column.name!r} is {column[row]}: times given as numbers must be whole "
            "steps. Convert them to dates (for example with pl.from_epoch), or name another column with time=."
        )
    return numbers.fill_nan(None).cast(pl.Int64, strict=False)


def looks_like_time(values: list[Any]) -> bool:
    """Whether the first values of a column of text or objects are times."""
    known = [v for v in values if v is not None and v == v and v != ""]
    if not known:
        return False
    if not all(isinstance(v, str) for v in known):
        return all(isinstance(v, (dt.date, dt.datetime)) for v in known)
    if all(v.strip().isdigit() for v in known):
        return False
    import polars as pl

    try:
        parse_text(pl.Series("", known))
    except InputError as error:
        return "either" in str(error)
    return True


def parse_text(column: pl.Series) -> pl.Series:
    """Parse written times in the first format that fits every row.

    Text with an offset from UTC becomes UTC. Raises `InputError` naming the first row that fits nothing, or saying
    that day and month cannot be told apart.
    """
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text == "", None)
    known = text.drop_nulls()
    if known.is_empty():
        raise InputError(f"The column of times {column.name!r} is empty.")
    head = known.head(100)
    if known.str.contains(r"^-?\d+$").all() and not (head.str.len_chars() == 8).all():
        return text.cast(pl.Int64)
    best, most = None, 0
    for formats in _candidates():
        if not _parse(head, formats[0]).is_not_null().any() and not _parse(head, formats[-1]).is_not_null().any():
            continue
        parsed = [p for p in (_parse(text, f) for f in formats) if p.null_count() == text.null_count()]
        if len(parsed) == 2 and not parsed[0].equals(parsed[1]):
            raise InputError(
                f"The times in {column.name!r} ({known[0]!r}) can be read as either month/day or day/month. Parse them "
                'first, for example with pl.col(...).str.to_datetime("%d/%m/%Y").'
            )
        if parsed:
            return parsed[0].alias(column.name)
        for candidate in formats:
            attempt = _parse(text, candidate)
            if len(text) - attempt.null_count() > most:
                best, most = attempt, len(text) - attempt.null_count()
    bad = text.is_not_null() if best is None else (text.is_not_null() & best.is_null())
    row = int(bad.arg_max() or 0)
    raise InputError(
        f"Row {row} of the column of times {column.name!r} is {column[row]!r}, which is no time in a known format. "
        "Correct or drop it, parse the column first, or name another one with time=."
    )


def _candidates() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [(f,) for f in _ZONED]
    found += [(d + c,) for d in _DATES for c in _CLOCKS]
    found += [(a + c, b + c) for a, b in _AMBIGUOUS for c in _CLOCKS]
    return [*found, *((f,) for f in _MONTHS)]


def _parse(text: pl.Series, layout: str) -> pl.Series:
    if layout in _MONTHS:
        return _parse("1 " + text, "%d " + layout)
    if layout.endswith("z"):
        return text.str.to_datetime(layout, strict=False, time_unit="us", time_zone="UTC")
    if layout.endswith("Z"):
        return text.str.to_datetime(layout, strict=False, time_unit="us").dt.replace_time_zone("UTC")
    if "%H" not in layout and "%I" not in layout:
        return text.str.to_date(layout, strict=False)
    return text.str.to_datetime(layout, strict=False, time_unit="us")
