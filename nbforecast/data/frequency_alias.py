"""How people write the step of a grid: the aliases of pandas, Nixtla and Polars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nbforecast.data.calendar_text import read_calendar
from nbforecast.time_units import DAY, EPOCH_WEEKDAY, HOUR, MINUTE, SECOND, SHORT_MONTHS, SHORT_WEEKDAYS, WEEK

MONTH_CODES = tuple(name.upper() for name in SHORT_MONTHS)
WEEKDAY_CODES = tuple(name.upper() for name in SHORT_WEEKDAYS)

_FIXED_UNITS = {
    "us": 1, "µs": 1, "u": 1, "ms": 1_000, "l": 1_000, "s": SECOND, "sec": SECOND, "second": SECOND, "t": MINUTE,
    "m": MINUTE, "min": MINUTE, "minute": MINUTE, "h": HOUR, "hr": HOUR, "hour": HOUR, "hourly": HOUR, "d": DAY,
    "day": DAY, "daily": DAY, "w": WEEK, "wk": WEEK, "week": WEEK, "weekly": WEEK,
}  # fmt: skip
# unit -> (months, day of the month: 1 is the first, 0 the last, None that of the data)
_MONTH_UNITS: dict[str, tuple[int, int | None]] = {
    "MS": (1, 1), "BMS": (1, 1), "ME": (1, 0), "M": (1, 0), "BME": (1, 0), "BM": (1, 0), "mo": (1, None),
    "month": (1, None), "monthly": (1, None), "QS": (3, 1), "BQS": (3, 1), "QE": (3, 0), "Q": (3, 0), "BQE": (3, 0),
    "q": (3, None), "quarter": (3, None), "quarterly": (3, None), "YS": (12, 1), "AS": (12, 1), "BYS": (12, 1),
    "YE": (12, 0), "Y": (12, 0), "A": (12, 0), "BYE": (12, 0), "y": (12, None), "year": (12, None),
    "yearly": (12, None), "annual": (12, None),
}  # fmt: skip
_CASE_SENSITIVE = ("M", "A", "Y", "Q")  # month ends and years, never minutes
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*([A-Za-zµ]+)(?:-([A-Za-z]{3}))?")

_SEMI_MONTHS = {"SMS": "1st, 15th", "SME": "15th, last", "SM": "15th, last"}
_WEEK_OF_MONTH = re.compile(r"WOM-([1-4])([A-Z]{3})|LWOM-([A-Z]{3})")
_ORDINALS = ("first", "second", "third", "fourth")

Kind = Literal["fixed", "month", "business", "integer", "calendar"]


@dataclass(frozen=True)
class FrequencySpec:
    """A frequency that is requested or inferred; what is None follows from the data (see `grid_anchor.place_grid`).

    Attributes:
        kind: As in `frequency.Frequency`.
        every: As in `frequency.Frequency`.
        anchor: As in `frequency.Frequency`, or None.
        phase: As in `frequency.Frequency`, or None.
        calendar: As in `frequency.Frequency`.
    """

    kind: Kind
    every: int
    anchor: int | None = None
    phase: int | None = None
    calendar: str = ""


def parse_alias(text: str) -> FrequencySpec | None:
    """Read an alias of a frequency.

    Args:
        text: An alias without spaces around it, such as `"5min"`, `"W-SAT"`, `"1h30m"` and `"WOM-3FRI"`.

    Returns:
        The frequency, whose number of steps may be 0; None if the text is none.

    Example:
        >>> parse_alias("15m").every
        900000000
    """
    dates = _parse_dates(text.upper())
    if dates:
        return FrequencySpec("calendar", DAY, calendar=read_calendar(dates).text)
    parts = _split_parts(text)
    if len(parts) == 1:
        return _parse_part(*parts[0])
    lengths = [_fixed_length(number, unit) or 0 for number, unit, _ in parts]
    return FrequencySpec("fixed", sum(lengths)) if lengths and all(lengths) else None


def _parse_dates(alias: str) -> str:
    """Return the calendar of an alias of dates such as `WOM-3FRI` and `SMS`; empty for others."""
    match = _WEEK_OF_MONTH.fullmatch(alias)
    if match is None:
        return _SEMI_MONTHS.get(alias.removesuffix("-15"), "")
    return f"{_ORDINALS[int(match[1]) - 1]} {match[2]}" if match[1] else f"last {match[3]}"


def _split_parts(text: str) -> list[tuple[str, str, str]]:
    """Split `1h30m` or `2QS-FEB` into (number, unit, suffix); empty where the text has another form."""
    parts, position = [], 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or (position and not match[1]):
            return []
        parts.append((match[1] or "1", match[2], (match[3] or "").upper()))
        position = match.end()
    return parts


def _parse_part(number: str, unit: str, suffix: str) -> FrequencySpec | None:
    months = _MONTH_UNITS.get(unit) or (_MONTH_UNITS.get(unit.lower().rstrip("s")) if len(unit) > 3 else None)
    if months is not None:
        return _month_spec(number, *months, suffix)
    if unit == "B" and not suffix:
        return FrequencySpec("business", 1) if number == "1" else None
    every = _fixed_length(number, unit)
    if every is None or not suffix:
        return None if every is None else FrequencySpec("fixed", every)
    if unit in ("W", "w") and suffix in WEEKDAY_CODES:
        weekday = WEEKDAY_CODES.index(suffix)
        return FrequencySpec("fixed", every, (weekday - EPOCH_WEEKDAY) * DAY % WEEK if every == WEEK else None)
    return None


def _month_spec(number: str, months: int, day: int | None, suffix: str) -> FrequencySpec | None:
    if not number.isdigit() or (suffix and (suffix not in MONTH_CODES or months == 1)):
        return None
    every = months * int(number)
    if every < 1:
        return None
    return FrequencySpec("month", every, day, MONTH_CODES.index(suffix) % every if suffix else None)


def _fixed_length(number: str, unit: str) -> int | None:
    """Return the microseconds of a number of units; None where the unit has no fixed length."""
    length = _FIXED_UNITS.get(unit)
    if length is None and unit not in _CASE_SENSITIVE:
        lower = unit.lower()
        length = _FIXED_UNITS.get(lower)
        if length is None and (len(lower) > 3 or lower == "hrs"):
            length = _FIXED_UNITS.get(lower.rstrip("s"))
    return None if length is None else round(float(number) * length)
