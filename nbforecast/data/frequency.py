"""The step of a regular time grid: fixed durations, months, business days or plain integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nbforecast.text import plural
from nbforecast.time_units import DAY, HOUR, MINUTE, MONTH, MONTHS, SECOND, WEEK, WEEKDAYS, YEAR, largest_unit

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[Any]  # datetime64[us], or int64 where there is no calendar

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY_NAMES = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_POLARS = {"month": "mo", "integer": "i", "business": "d"}
_LONGEST_SECOND_SEASON = 1_500  # beyond this many steps a further season is longer than any context


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times, numbered by integer steps.

    kind: `fixed` (a duration), `month` (calendar months), `business` (Monday to Friday) or `integer` (no calendar).
    every: microseconds (fixed), months (month), days (business: 1) or units (integer) between two steps.
    anchor: fixed: microseconds after the epoch of some grid point, in [0, every); month: day of the month, 0 for the
        last; integer: remainder of the steps modulo `every`; business: 0.
    phase: month: number of the month since January 1970, modulo `every`; otherwise 0.
    nominal: integer: alias of the calendar step that one `every` stands for (`"h"` for hourly data without dates), or
        empty. It gives such a grid its seasons, not its times.
    """

    kind: Literal["fixed", "month", "business", "integer"]
    every: int
    anchor: int = 0
    phase: int = 0
    nominal: str = ""

    @property
    def key(self) -> str:
        """Canonical text, the same for the same grid; part of the content handle."""
        return f"{self.kind}:{self.every}:{self.anchor}:{self.phase}:{self.nominal}"

    @property
    def wall_clock(self) -> bool:
        """Whether times on this grid are wall-clock dates (whole days and longer) rather than instants in UTC."""
        return self.kind in ("month", "business") or (self.kind == "fixed" and self.every % DAY == 0)

    @property
    def microseconds(self) -> float:
        """Mean length of a step in microseconds; for integers, the number of units."""
        if self.kind == "month":
            return float(self.every * MONTH)
        return WEEK / 5 if self.kind == "business" else float(self.every)

    def to_step(self, times: Times) -> Ints:
        """int64 step numbers of the grid points the times belong to; same shape as `times`.

        That is the nearest grid point, except that grids of month starts and month ends take every date of
        their own period, and weekends count to the nearest business day. Each time is judged by itself.
        """
        if self.kind == "integer":
            return _nearest(np.asarray(times).astype(np.int64), self.every, self.anchor)
        stamps = np.asarray(times).astype("datetime64[us]")
        if self.kind == "fixed":
            return _nearest(stamps.astype(np.int64), self.every, self.anchor)
        days = stamps.astype("datetime64[D]")
        if self.kind == "business":
            week, weekday = np.divmod(days.astype(np.int64) + 3, 7)
            return np.asarray(5 * week + np.array([0, 1, 2, 3, 4, 4, 5])[weekday], dtype=np.int64)
        months = days.astype("datetime64[M]").astype(np.int64) - self.phase
        if self.anchor == 0:
            return np.asarray(-(-months // self.every), dtype=np.int64)
        below = np.asarray(months // self.every, dtype=np.int64)
        if self.anchor == 1:
            return below
        below = below - (self._month_days(below) > days)
        gap, width = days - self._month_days(below), self._month_days(below + 1) - self._month_days(below)
        return np.asarray(below + (2 * gap >= width), dtype=np.int64)

    def to_time(self, steps: Ints) -> Times:
        """`datetime64[us]` (or int64) of grid points; same shape as `steps`."""
        numbers = np.asarray(steps).astype(np.int64)
        if self.kind == "integer":
            return np.asarray(numbers * self.every + self.anchor)
        if self.kind == "fixed":
            return (numbers * self.every + self.anchor).astype("datetime64[us]")
        if self.kind == "business":
            week, weekday = np.divmod(numbers, 5)
            return (7 * week + weekday - 3).astype("datetime64[D]").astype("datetime64[us]")
        return self._month_days(numbers).astype("datetime64[us]")

    def _month_days(self, steps: Ints) -> Times:
        """datetime64[D] of steps on a grid of months."""
        months = np.asarray(steps * self.every + self.phase).astype("datetime64[M]")
        last = (months + 1).astype("datetime64[D]") - 1
        if self.anchor == 0:
            return np.asarray(last)
        return np.asarray(np.minimum(months.astype("datetime64[D]") + (self.anchor - 1), last))

    @property
    def alias(self) -> str:
        """Pandas-style text: `5min`, `h`, `D`, `W-SAT`, `MS`, `QE-DEC`, `B`; the number of units for integers."""
        if self.kind == "integer":
            return str(self.every)
        if self.kind == "business":
            return "B"
        if self.kind == "month":
            return self._month_alias()
        number, code, _ = largest_unit(self.every)
        if code == "W":
            code = f"W-{DAY_NAMES[self._weekday()]}"
        return code if number == 1 else f"{number}{code}"

    def _month_alias(self) -> str:
        edge = "E" if self.anchor == 0 else "S"
        if self.every == 12:
            return f"Y{edge}-{MONTH_NAMES[self.phase]}"
        if self.every == 3:
            return f"Q{edge}-{MONTH_NAMES[self.phase + (9 if edge == 'E' else 0)]}"
        return f"M{edge}" if self.every == 1 else f"{self.every}M{edge}"

    def _weekday(self) -> int:
        return (self.anchor // DAY + 3) % 7

    @property
    def seasons(self) -> tuple[int, ...]:
        """Natural season lengths in steps, shortest first: (24, 168) for hours, (12,) for months, () for none."""
        if self.kind == "business":
            return (5,)
        if self.kind == "month":
            return (12 // self.every,) if self.every < 12 and 12 % self.every == 0 else ()
        if self.kind == "integer":
            return self._nominal_seasons()
        periods = [DAY, WEEK]
        if self.every < 5 * MINUTE:
            periods = [HOUR, DAY] if self.every >= 10 * SECOND else [MINUTE, HOUR]
        found = [p // self.every for p in periods if p % self.every == 0 and p >= 2 * self.every]
        if self.every >= DAY:
            found.append(round(YEAR / self.every))
        short = [n for i, n in enumerate(found) if n >= 2 and (i == 0 or n <= _LONGEST_SECOND_SEASON)]
        return tuple(short)

    def _nominal_seasons(self) -> tuple[int, ...]:
        from nbforecast.data.aliases import parse_frequency

        return parse_frequency(self.nominal).template().seasons if self.nominal else ()

    def describe(self) -> str:
        """Words for people: `5 minutes`, `1 week (Saturday)`, `1 month (start)`."""
        if self.kind == "integer":
            each = f", each {self.nominal}" if self.nominal else ""
            return f"{plural(self.every, 'step')}{each}"
        if self.kind == "business":
            return "1 business day"
        if self.kind == "fixed":
            number, code, word = largest_unit(self.every)
            return plural(number, word) + (f" ({WEEKDAYS[self._weekday()]})" if code == "W" else "")
        place = {0: "end", 1: "start"}.get(self.anchor, f"day {self.anchor}")
        if self.every == 1:
            return f"1 month ({place})"
        return f"{plural(self.every, 'month')} ({place}, counted from {MONTHS[self.phase % 12]})"


def _nearest(numbers: Ints, every: int, anchor: int) -> Ints:
    return np.asarray((numbers - anchor + every // 2) // every, dtype=np.int64)


def polars_every(frequency: Frequency) -> str:
    """The step as Polars writes it: `1h`, `5m`, `3mo`, `1w`; `1d` for business days."""
    if frequency.kind == "fixed":
        number, code, _ = largest_unit(frequency.every)
        return f"{number}{'m' if code == 'min' else code.lower()}"
    return f"{frequency.every}{_POLARS[frequency.kind]}"
