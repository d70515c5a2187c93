"""The points of a time grid by number: regular steps, months, business days, or the slots of a calendar."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from jaxtyping import Int64, Shaped

from nbforecast.data.calendar_text import build_calendar, describe_calendar, is_business_calendar, read_calendar
from nbforecast.data.frequency_alias import MONTH_CODES, WEEKDAY_CODES, FrequencySpec, Kind, parse_alias
from nbforecast.errors import OptionError
from nbforecast.text import option, plural, step_span
from nbforecast.time_units import (
    DAY,
    EPOCH_WEEKDAY,
    HOUR,
    MINUTE,
    MONTH,
    MONTHS,
    SECOND,
    WEEK,
    WEEKDAYS,
    YEAR,
    largest_unit,
)

if TYPE_CHECKING:
    from nbforecast.data.calendars import Calendar

_EXAMPLES = '"5min", "h", "D", "B", "W-SAT", "MS", "ME", "QS", "YS", "15m", "1mo", a timedelta, or an integer'

_LONGEST_TEXT = 60  # characters of a frequency
_MOST_UNITS = {
    "fixed": 9_998 * YEAR,
    "month": 9_998 * 12,
    "calendar": DAY,
    "business": 1,
    "integer": 1 << 53,
}  # of a step
STEP_UNITS = {"month": "month", "business": "business day", "integer": "step", "calendar": "slot"}
_POLARS_UNITS = {"month": "mo", "integer": "i"}
_LONGEST_SECOND_SEASON = 1_500  # a later season of more steps is longer than any context


@dataclass(frozen=True)
class Frequency:
    """A grid of times whose points are numbered by integer steps: regular, or the slots of a calendar.

    Attributes:
        kind: `"fixed"` (a duration), `"month"` (calendar months), `"business"` (Monday to Friday), `"integer"` (no
            calendar) or `"calendar"` (slots that recur, such as trading hours).
        every: The distance of two points: microseconds (fixed), months (month), days (business: 1) or units (integer);
            for a calendar the microseconds between two slots without closed times in between.
        anchor: Where the points lie. Fixed: microseconds after the epoch of some point, in [0, every). Month: the day
            of the month, 0 for the last. Integer: the remainder of the points modulo `every`. Business: 0.
        phase: Month: the number of a point's month since January 1970, modulo `every`; otherwise 0.
        nominal: Integer: the alias of the calendar step that one `every` stands for (`"h"` for hourly data without
            dates), or empty. It gives the grid its seasons, not its times.
        calendar: The calendar as `parse_calendar` reads it, or empty.
    """

    kind: Kind
    every: int
    anchor: int = 0
    phase: int = 0
    nominal: str = ""
    calendar: str = ""

    @classmethod
    def from_spec(cls, spec: FrequencySpec) -> Frequency:
        """Return the grid of a spec, in its usual place where that is open: from the epoch, at month starts."""
        anchor = (1 if spec.kind == "month" else 0) if spec.anchor is None else spec.anchor
        return cls(spec.kind, spec.every, anchor, spec.phase or 0, calendar=spec.calendar)

    @property
    def key(self) -> str:
        """The canonical text of the grid; part of the content handle."""
        calendar = f":{self.calendar}" if self.calendar else ""
        return f"{self.kind}:{self.every}:{self.anchor}:{self.phase}:{self.nominal}{calendar}"

    @property
    def wall_clock(self) -> bool:
        """Whether times are dates of the local clock (whole days and longer) rather than instants in UTC."""
        return self.kind in ("month", "business", "calendar") or (self.kind == "fixed" and self.every % DAY == 0)

    @property
    def has_clock(self) -> bool:
        """Whether points differ in their time of day."""
        return self.kind in ("fixed", "calendar") and self.every % DAY != 0

    @property
    def is_dated(self) -> bool:
        """Whether points are dates, whatever the time of day: months, business days, calendars of dates."""
        return self.kind in ("month", "business") or (self.kind == "calendar" and self.slots.wanders)

    @property
    def slots(self) -> Calendar:
        """The slots of a grid of the kind `"calendar"`."""
        return build_calendar(self.calendar, self.every, self.anchor)

    @property
    def microseconds(self) -> float:
        """The mean length of a step in microseconds; for integers, the number of units."""
        if self.kind == "calendar":
            return self.slots.mean_step
        if self.kind == "month":
            return float(self.every * MONTH)
        return WEEK / 5 if self.kind == "business" else float(self.every)

    @property
    def spacing(self) -> float:
        """The usual distance of neighbouring points in microseconds: of slots without closed times between them."""
        return float(self.every) if self.kind == "calendar" and not self.slots.wanders else self.microseconds

    @property
    def slot(self) -> int | None:
        """The microseconds between two slots of a calendar without closed times in between; 0 where they differ.

        None where points are regular, or closed times too short to matter.
        """
        if self.kind == "business":
            return DAY
        return None if self.kind != "calendar" else 0 if self.slots.wanders else self.every

    @property
    def alias(self) -> str:
        """The alias of pandas: `5min`, `h`, `D`, `W-SAT`, `MS`, `QE-DEC`, `B`; the number of units for integers.

        The alias of a calendar is the calendar's text.
        """
        if self.kind == "integer":
            return str(self.every)
        if self.kind == "calendar":
            return self.calendar
        if self.kind == "business":
            return "B"
        if self.kind == "month":
            return self._month_alias()
        count, code, _ = largest_unit(self.every)
        if code == "W":
            code = f"W-{WEEKDAY_CODES[self._weekday()]}"
        return code if count == 1 else f"{count}{code}"

    @property
    def polars_alias(self) -> str:
        """The step as Polars writes it: `1h`, `5m`, `3mo`, `1w`; `1d` for business days, and for calendars of dates."""
        if self.kind == "business":
            return "1d"
        if self.kind in ("fixed", "calendar"):
            count, code, _ = largest_unit(self.every)
            return f"{count}{'m' if code == 'min' else code.lower()}"
        return f"{self.every}{_POLARS_UNITS[self.kind]}"

    @property
    def seasons(self) -> tuple[int, ...]:
        """The natural season lengths in steps, the shortest first: (24, 168) for hours, (12,) for months."""
        if self.kind == "business":
            return (5,)
        if self.kind == "calendar":
            lengths = list(self.slots.seasons)
            return tuple(n for i, n in enumerate(lengths) if i == 0 or n <= _LONGEST_SECOND_SEASON)
        if self.kind == "month":
            return (12 // self.every,) if self.every < 12 and 12 % self.every == 0 else ()
        if self.kind == "integer":
            return Frequency.from_spec(parse_frequency(self.nominal)).seasons if self.nominal else ()
        periods = [DAY, WEEK]
        if self.every < 5 * MINUTE:
            periods = [HOUR, DAY] if self.every >= 10 * SECOND else [MINUTE, HOUR]
        lengths = [p // self.every for p in periods if p % self.every == 0 and p >= 2 * self.every]
        if self.every >= DAY:
            lengths.append(round(YEAR / self.every))
        return tuple(n for i, n in enumerate(lengths) if n >= 2 and (i == 0 or n <= _LONGEST_SECOND_SEASON))

    def describe(self) -> str:
        """Describe the step in words: `5 minutes`, `1 week (Saturday)`, `third Friday of the month`."""
        if self.kind == "integer":
            meaning = f", each {self.nominal}" if self.nominal else ""
            return f"{plural(self.every, 'step')}{meaning}"
        if self.kind == "business":
            return "1 business day"
        if self.kind == "calendar":
            count, _, word = largest_unit(self.every)
            step = f"{plural(count, word)}, " if self.every != DAY else ""
            return f"{step}{describe_calendar(self.calendar)}"
        if self.kind == "fixed":
            count, code, word = largest_unit(self.every)
            return plural(count, word) + (f" ({WEEKDAYS[self._weekday()]})" if code == "W" else "")
        day = {0: "end", 1: "start"}.get(self.anchor, f"day {self.anchor}")
        if self.every == 1:
            return f"1 month ({day})"
        return f"{plural(self.every, 'month')} ({day}, counted from {MONTHS[self.phase % 12]})"

    def describe_steps(self, count: int) -> str:
        """Describe how long some steps are: `12 hours`, `7 days`, `12 months`, `3 steps`."""
        if self.kind == "fixed":
            return step_span(count * self.every)
        unit = STEP_UNITS[self.kind]
        if self.every == 1 or self.kind == "calendar":
            return plural(count, unit)
        return f"{plural(count, 'step')} of {plural(self.every, unit)}"

    def to_step(self, times: Shaped[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the step numbers of the grid points to which times belong.

        A time belongs to the nearest grid point, with two exceptions: grids of month starts and month ends take every
        date of their own period, and weekends count to the nearest business day. Each time is judged by itself.

        Args:
            times: `datetime64` or integer microseconds; integers where there is no calendar.
        """
        if self.kind == "integer":
            return _nearest_multiple(np.asarray(times).astype(np.int64), self.every, self.anchor)
        moments = np.asarray(times).astype("datetime64[us]")
        if self.kind == "calendar":
            return self.slots.to_slot(moments.astype(np.int64))
        if self.kind == "fixed":
            return _nearest_multiple(moments.astype(np.int64), self.every, self.anchor)
        days = moments.astype("datetime64[D]")
        if self.kind == "business":
            week, weekday = np.divmod(days.astype(np.int64) + EPOCH_WEEKDAY, 7)
            return np.asarray(5 * week + np.array([0, 1, 2, 3, 4, 4, 5])[weekday], dtype=np.int64)
        months = days.astype("datetime64[M]").astype(np.int64) - self.phase
        if self.anchor == 0:
            return np.asarray(-(-months // self.every), dtype=np.int64)
        before = np.asarray(months // self.every, dtype=np.int64)
        if self.anchor == 1:
            return before
        before = before - (self._month_days(before) > days)
        start = self._month_days(before)
        elapsed, length = days - start, self._month_days(before + 1) - start
        return np.asarray(before + (2 * elapsed >= length), dtype=np.int64)

    def to_time(self, steps: Shaped[np.ndarray, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
        """Return the times of grid points, `datetime64[us]`, or integers where there is no calendar.

        Args:
            steps: Step numbers, as `to_step` returns them.
        """
        numbers = np.asarray(steps).astype(np.int64)
        if self.kind == "integer":
            return np.asarray(numbers * self.every + self.anchor)
        if self.kind == "fixed":
            return (numbers * self.every + self.anchor).astype("datetime64[us]")
        if self.kind == "calendar":
            return self.slots.to_time(numbers).astype("datetime64[us]")
        if self.kind == "business":
            week, weekday = np.divmod(numbers, 5)
            return (7 * week + weekday - EPOCH_WEEKDAY).astype("datetime64[D]").astype("datetime64[us]")
        return self._month_days(numbers).astype("datetime64[us]")

    def _month_days(self, steps: Int64[np.ndarray, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
        """Return the days, `datetime64[D]`, of points of a grid of months."""
        months = np.asarray(steps * self.every + self.phase).astype("datetime64[M]")
        last = (months + 1).astype("datetime64[D]") - 1
        if self.anchor == 0:
            return np.asarray(last)
        return np.asarray(np.minimum(months.astype("datetime64[D]") + (self.anchor - 1), last))

    def _month_alias(self) -> str:
        edge = "E" if self.anchor == 0 else "S"
        if self.every == 12:
            return f"Y{edge}-{MONTH_CODES[self.phase]}"
        if self.every == 3:
            return f"Q{edge}-{MONTH_CODES[self.phase + (9 if edge == 'E' else 0)]}"
        return f"M{edge}" if self.every == 1 else f"{self.every}M{edge}"

    def _weekday(self) -> int:
        return (self.anchor // DAY + EPOCH_WEEKDAY) % 7


def _nearest_multiple(numbers: Int64[np.ndarray, "*shape"], every: int, anchor: int) -> Int64[np.ndarray, "*shape"]:
    return np.asarray((numbers - anchor + every // 2) // every, dtype=np.int64)


def parse_frequency(freq: Any) -> FrequencySpec:
    """Read a frequency as people write it.

    Args:
        freq: An alias of pandas, Nixtla or Polars (`"5min"`, `"W-SAT"`, `"1h30m"`), a timedelta of Python or NumPy, an
            offset of pandas (`CustomBusinessDay` included), an integer of steps, or a `Frequency`.

    Raises:
        OptionError: For anything else, and for steps that are not positive.

    Example:
        >>> Frequency.from_spec(parse_frequency("W-SAT")).describe()
        '1 week (Saturday)'
    """
    if isinstance(freq, Frequency):
        return FrequencySpec(freq.kind, freq.every, freq.anchor, freq.phase, freq.calendar)
    if isinstance(freq, bool):
        _raise_invalid(freq)
    if isinstance(freq, (dt.timedelta, np.timedelta64)):
        every = _microseconds(freq)
        if not 1 <= every <= _MOST_UNITS["fixed"]:
            _raise_invalid(freq, "A step must be a positive duration, and no longer than any data. ")
        return FrequencySpec("fixed", every)
    if isinstance(freq, (int, np.integer)):  # after timedelta64, which NumPy counts among the integers
        if not 1 <= freq <= _MOST_UNITS["integer"]:
            _raise_invalid(freq, "An integer step must be 1 or more, and no longer than any data. ")
        return FrequencySpec("integer", int(freq))
    if is_business_calendar(freq) and not getattr(freq, "start", None):
        return FrequencySpec("calendar", DAY, calendar=read_calendar(freq).text)
    if not isinstance(freq, str):
        freq = getattr(freq, "freqstr", freq)
    if not isinstance(freq, str):
        _raise_invalid(freq)
    text = freq.strip()
    if len(text) > _LONGEST_TEXT:
        _raise_invalid(freq)
    if re.fullmatch(r"\d+i?", text):
        return parse_frequency(int(text.rstrip("i")))
    spec = parse_alias(text)
    if spec is None or spec.every < 1:
        _raise_invalid(freq)
    if spec.every > _MOST_UNITS[spec.kind]:
        _raise_invalid(freq, "No data are that long. ")
    return spec


def _microseconds(delta: dt.timedelta | np.timedelta64) -> int:
    if isinstance(delta, np.timedelta64):
        return int(delta.astype("timedelta64[us]").astype(np.int64))
    return delta // dt.timedelta(microseconds=1)


def _raise_invalid(freq: Any, reason: str = "") -> NoReturn:
    raise OptionError(f"{option('freq', freq)} is not a frequency. {reason}Use something like {_EXAMPLES}.")
