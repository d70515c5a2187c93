"""Frequencies and durations as people write them: pandas, Nixtla and Polars aliases, timedeltas, integers."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from nbforecast.data.frequency import DAY_NAMES, MONTH_NAMES, Frequency
from nbforecast.errors import OptionError
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, WEEK

_EXAMPLES = '"5min", "h", "D", "B", "W-SAT", "MS", "ME", "QS", "YS", "15m", "1mo", a timedelta, or an integer'

_FIXED = {
    "us": 1, "µs": 1, "u": 1, "ms": 1_000, "l": 1_000, "s": SECOND, "sec": SECOND, "second": SECOND, "t": MINUTE,
    "m": MINUTE, "min": MINUTE, "minute": MINUTE, "h": HOUR, "hr": HOUR, "hour": HOUR, "hourly": HOUR, "d": DAY,
    "day": DAY, "daily": DAY, "w": WEEK, "wk": WEEK, "week": WEEK, "weekly": WEEK,
}  # fmt: skip
# name -> (months, day of the month: 1 first, 0 last, None whatever the data have)
_MONTHS: dict[str, tuple[int, int | None]] = {
    "MS": (1, 1), "BMS": (1, 1), "ME": (1, 0), "M": (1, 0), "BME": (1, 0), "BM": (1, 0), "mo": (1, None),
    "month": (1, None), "monthly": (1, None), "QS": (3, 1), "BQS": (3, 1), "QE": (3, 0), "Q": (3, 0), "BQE": (3, 0),
    "q": (3, None), "quarter": (3, None), "quarterly": (3, None), "YS": (12, 1), "AS": (12, 1), "BYS": (12, 1),
    "YE": (12, 0), "Y": (12, 0), "A": (12, 0), "BYE": (12, 0), "y": (12, None), "year": (12, None),
    "yearly": (12, None), "annual": (12, None),
}  # fmt: skip
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*([A-Za-zµ]+)(?:-([A-Za-z]{3}))?")


@dataclass(frozen=True)
class FrequencySpec:
    """A frequency asked for or inferred, whose place on the time axis may still have to be read from the data."""

    kind: Literal["fixed", "month", "business", "integer"]
    every: int
    anchor: int | None = None
    phase: int | None = None

    def template(self) -> Frequency:
        """The grid with everything unsaid set to the usual: from the epoch, month starts."""
        anchor = (1 if self.kind == "month" else 0) if self.anchor is None else self.anchor
        return Frequency(self.kind, self.every, anchor, self.phase or 0)


def parse_frequency(freq: Any) -> FrequencySpec:
    """The frequency meant by a string, a timedelta, a pandas offset or an integer.

    Raises `OptionError` for anything else, and for steps that are not positive.
    """
    if isinstance(freq, Frequency):
        return FrequencySpec(freq.kind, freq.every, freq.anchor, freq.phase)
    if isinstance(freq, bool):
        _refuse(freq)
    if isinstance(freq, (dt.timedelta, np.timedelta64)):
        every = _microseconds(freq)
        if every < 1:
            _refuse(freq, "A step must be a positive duration. ")
        return FrequencySpec("fixed", every)
    if isinstance(freq, (int, np.integer)):  # after timedelta64, which NumPy counts among the integers
        if freq < 1:
            _refuse(freq, "An integer step must be 1 or more. ")
        return FrequencySpec("integer", int(freq))
    if not isinstance(freq, str):
        freq = getattr(freq, "freqstr", freq)
    if not isinstance(freq, str):
        _refuse(freq)
    text = freq.strip()
    if re.fullmatch(r"\d+i?", text):
        return parse_frequency(int(text.rstrip("i")))
    matches = _split(text)
    if not matches:
        _refuse(freq)
    if len(matches) == 1:
        wanted = _single(*matches[0])
    else:
        wanted = FrequencySpec("fixed", sum(_fixed(number, unit) or _refuse(freq) for number, unit, _ in matches))
    if wanted is None or wanted.every < 1:
        _refuse(freq)
    return wanted


def _split(text: str) -> list[tuple[str, str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or (at and not match[1]):
            return []
        found.append((match[1] or "1", match[2], (match[3] or "").upper()))
        at = match.end()
    return found


def _single(number: str, unit: str, suffix: str) -> FrequencySpec | None:
    months = _MONTHS.get(unit) or (_MONTHS.get(unit.lower().rstrip("s")) if len(unit) > 3 else None)
    if months is not None:
        return _monthly(number, months, suffix)
    if unit == "B" and not suffix:
        return FrequencySpec("business", 1) if number == "1" else None
    every = _fixed(number, unit)
    if every is None or not suffix:
        return None if every is None else FrequencySpec("fixed", every)
    if unit in ("W", "w") and suffix in DAY_NAMES:
        return FrequencySpec("fixed", every, (DAY_NAMES.index(suffix) - 3) * DAY % WEEK if every == WEEK else None)
    return None


def _monthly(number: str, months: tuple[int, int | None], suffix: str) -> FrequencySpec | None:
    if not number.isdigit() or (suffix and (suffix not in MONTH_NAMES or months[0] == 1)):
        return None
    every = months[0] * int(number)
    if every < 1:
        return None
    return FrequencySpec("month", every, months[1], MONTH_NAMES.index(suffix) % every if suffix else None)


def _fixed(number: str, unit: str) -> int | None:
    size = _FIXED.get(unit)
    if size is None and unit not in ("M", "A", "Y", "Q"):
        lower = unit.lower()
        size = _FIXED.get(lower) or (_FIXED.get(lower.rstrip("s")) if len(lower) > 3 or lower == "hrs" else None)
    return None if size is None else round(float(number) * size)


def _microseconds(delta: dt.timedelta | np.timedelta64) -> int:
    if isinstance(delta, np.timedelta64):
        return int(delta.astype("timedelta64[us]").astype(np.int64))
    return delta // dt.timedelta(microseconds=1)


def _refuse(freq: Any, why: str = "") -> NoReturn:
    raise OptionError(f"freq={freq!r} is not a frequency. {why}Use something like {_EXAMPLES}.")


@dataclass(frozen=True)
class Span:
    """A length of history: a number of steps, of months, or of microseconds; the other two are 0."""

    steps: int = 0
    months: int = 0
    microseconds: int = 0


def parse_span(value: Any, option: str) -> Span:
    """The length meant by `"18h"`, `"90d"`, `"6mo"`, a timedelta or an integer of steps.

    Raises `OptionError` naming `option`, for anything else and for lengths that are not positive.
    """
    wanted: FrequencySpec | None = None
    if not isinstance(value, float):
        try:
            wanted = parse_frequency(value)
        except OptionError:
            wanted = None
    if wanted is None or wanted.kind == "business":
        raise OptionError(
            f'{option}={value!r} is not a length of time. Use something like "18h", "90d", "6mo", a positive '
            f"timedelta, or a positive integer of steps."
        )
    if wanted.kind == "integer":
        return Span(steps=wanted.every)
    return Span(months=wanted.every) if wanted.kind == "month" else Span(microseconds=wanted.every)
