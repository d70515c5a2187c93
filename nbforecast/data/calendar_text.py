"""How calendars are written: `mon-fri 09:30-16:00`, `1st, 11th, 21st`, `third friday`, `business except 2024-12-25`."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from nbforecast.data.calendars import (
    LAST,
    Calendar,
    CalendarWithClosings,
    MonthDay,
    MonthlyCalendar,
    RetailCalendar,
    WeeklyCalendar,
)
from nbforecast.errors import OptionError
from nbforecast.text import listing, option, plural, timestamp
from nbforecast.time_units import DAY, HOUR, MINUTE, MONTHS, SECOND, SHORT_MONTHS, SHORT_WEEKDAYS, WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

Hours = tuple[tuple[int, int], ...]  # opening and closing times in microseconds after midnight; the latter is not open

BUSINESS = "mon-fri"
_ALIASES = {
    "business": BUSINESS, "b": BUSINESS, "weekdays": BUSINESS, "weekends": "sat-sun", "weekend": "sat-sun",
    "daily": "mon-sun", "dekads": "1st, 11th, 21st", "semi-monthly": "1st, 15th",
}  # fmt: skip
_FILLERS = frozenset(("trading", "opening", "open", "hours", "from", "and", "the", "day", "days", "each", "every"))
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": LAST}
_WHOLE_DAY: Hours = ((0, DAY),)
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_HOURS = re.compile(rf"{_CLOCK}-{_CLOCK}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RETAIL = re.compile(r"(4-4-5|4-5-4|5-4-4) from ([a-z]+) (?:on or )?after (?:(\d{1,2}) ([a-z]+)|([a-z]+) (\d{1,2}))")
_EXAMPLES = (
    '"business", "mon-sat", "weekends", "mon-fri 09:30-16:00", "mon-fri 08:00-18:00; sat 09:00-13:00", "1st, 11th, '
    '21st", "third friday of mar, jun, sep, dec", "4-4-5 from sunday after 29 jan", each with "except 2024-12-25, '
    '2025-01-01" where dates are closed'
)


@dataclass(frozen=True)
class WeekRule:
    """Opening hours of each weekday, from Monday on."""

    hours: tuple[Hours, ...]

    def on(self, every: int, anchor: int) -> WeeklyCalendar:
        """Return the slots on a grid.

        Args:
            every: The step, which divides a day.
            anchor: Microseconds after midnight of some grid point.

        Raises:
            OptionError: If no slot is left.
        """
        starts = np.arange(DAY // every) * every + anchor
        is_open = [np.zeros(len(starts), dtype=bool) for _ in self.hours]
        for weekday, hours in enumerate(self.hours):
            for low, high in hours:
                is_open[weekday] |= (low <= starts) & (starts < high)
        cells = np.flatnonzero(np.concatenate(is_open))
        if not len(cells):
            raise OptionError(f"{option('calendar', write_rule(self))} holds no point of the grid. Give other hours.")
        return WeeklyCalendar(every, anchor, cells)

    @property
    def has_hours(self) -> bool:
        """Whether some day is open in part."""
        return any(of not in ((), _WHOLE_DAY) for of in self.hours)


@dataclass(frozen=True)
class CalendarRule:
    """A calendar that is written.

    Attributes:
        rule: Weekdays and hours, or a calendar of dates.
        closed: The dates that are closed, as days since 1970, ascending.
    """

    rule: WeekRule | MonthlyCalendar | RetailCalendar
    closed: tuple[int, ...] = ()

    @property
    def is_weekly(self) -> bool:
        """Whether the rule says weekdays and hours, which lie on a grid."""
        return isinstance(self.rule, WeekRule)

    @property
    def text(self) -> str:
        """The canonical text."""
        closed = ", ".join(str(day) for day in np.array(self.closed, dtype="datetime64[D]"))
        return write_rule(self.rule) + (f" except {closed}" if closed else "")


@lru_cache(maxsize=64)
def build_calendar(text: str, every: int, anchor: int) -> Calendar:
    """Return the slots of a written calendar.

    Args:
        text: As `parse_calendar` reads it.
        every: The step of the grid in microseconds, for weekdays and hours.
        anchor: Microseconds after midnight of some grid point.
    """
    written = parse_calendar(text)
    calendar = written.rule.on(every, anchor) if isinstance(written.rule, WeekRule) else written.rule
    return CalendarWithClosings(calendar, np.array(written.closed)) if written.closed else calendar


def read_calendar(value: Any) -> CalendarRule:
    """Read a calendar as people give it.

    Args:
        value: A text; a pair of a text and the dates that are closed; a `CustomBusinessDay` or `CustomBusinessHour` of
            pandas, or a `busdaycalendar` of NumPy.

    Raises:
        OptionError: For anything else.
    """
    if isinstance(value, str):
        return parse_calendar(value)
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        written = parse_calendar(value[0])
        return replace(written, closed=_sorted_days([*written.closed, *_read_dates(value[1])]))
    if not is_business_calendar(value):
        _raise_invalid(value)
    days = np.flatnonzero(np.busdaycalendar(weekmask=value.weekmask).weekmask).tolist()
    opening, closing = getattr(value, "start", None) or (), getattr(value, "end", None) or ()
    hours = ",".join(f"{low:%H:%M}-{high:%H:%M}" for low, high in zip(opening, closing, strict=True))
    written = parse_calendar(f"{_write_days(days)} {hours}")
    return replace(written, closed=_sorted_days(_read_dates(() if value.holidays is None else value.holidays)))


def is_business_calendar(value: Any) -> bool:
    """Tell whether a value is an offset of pandas for days or hours of business, or a calendar of NumPy."""
    return hasattr(value, "weekmask") and str(getattr(value, "freqstr", "C")) in ("C", "cbh")


def parse_calendar(text: str) -> CalendarRule:
    """Read a written calendar.

    Args:
        text: Weekdays and hours (`mon-fri 09:30-16:00; sat`), days of the month (`1st, 15th`, `third friday of mar,
            sep`) or retail periods (`4-4-5 from sunday after 29 jan`); then perhaps `except` and dates.

    Raises:
        OptionError: For any other text.

    Example:
        >>> parse_calendar("trading hours 09:30-16:00 Mon-Fri").text
        'mon-fri 09:30-16:00'
    """
    body, _, closed = " ".join(text.casefold().split()).partition(" except ")
    dates = closed.replace(",", " ").split()
    if not all(map(_DATE.fullmatch, dates)):
        _raise_invalid(text)
    body = _ALIASES.get(body, body)
    rule = _parse_retail(body) or _parse_month(body) or _parse_week(body)
    if rule is None:
        _raise_invalid(text)
    return CalendarRule(rule, _sorted_days(_read_dates(dates)))


def agree_until(one: str, other: str, time: np.datetime64) -> bool:
    """Tell whether two written calendars differ in nothing but dates that are closed after a time.

    The slots up to that time then have the same numbers.
    """
    day = int(time.astype("datetime64[D]").astype(np.int64))
    rules = [parse_calendar(text) for text in (one, other)]
    closed = [[date for date in rule.closed if date <= day] for rule in rules]
    return closed[0] == closed[1] and replace(rules[0], closed=()).text == replace(rules[1], closed=()).text


def describe_calendar(text: str) -> str:
    """Describe a written calendar in words: `Monday to Friday 09:30 to 16:00`, `third Friday of the month`."""
    written = parse_calendar(text)
    rule = written.rule
    if isinstance(rule, WeekRule):
        words = "; ".join(_days_in_words(days) + _hours_in_words(hours) for days, hours in _group_days(rule))
    elif isinstance(rule, RetailCalendar):
        words = f"periods of {', '.join(map(str, rule.weeks))} weeks"
    else:
        words = f"{listing([_write_month_day(day, WEEKDAYS) for day in rule.days])} of " + (
            "the month" if len(rule.months) == 12 else listing([MONTHS[month] for month in rule.months])
        )
    return words + (f" but {plural(len(written.closed), 'closed date')}" if written.closed else "")


def write_rule(rule: WeekRule | MonthlyCalendar | RetailCalendar) -> str:
    """Write a rule canonically."""
    if isinstance(rule, WeekRule):
        return "; ".join(
            _write_days(days) + ("" if hours == _WHOLE_DAY else f" {_write_hours(hours)}")
            for days, hours in _group_days(rule)
        )
    if isinstance(rule, RetailCalendar):
        periods, weekday = "-".join(map(str, rule.weeks)), WEEKDAYS[rule.weekday].lower()
        return f"{periods} from {weekday} after {rule.day} {SHORT_MONTHS[rule.month - 1].lower()}"
    days = ", ".join(_write_month_day(day, WEEKDAYS) for day in rule.days).lower()
    months = "" if len(rule.months) == 12 else " of " + ", ".join(SHORT_MONTHS[month].lower() for month in rule.months)
    return days + months


def week_rule(calendar: WeeklyCalendar) -> WeekRule:
    """Return the opening hours of a calendar's slots; the last slot of an interval closes one step later."""
    steps = DAY // calendar.every
    hours = []
    for weekday in range(7):
        cells = calendar.cells[calendar.cells // steps == weekday] % steps
        if len(cells) == steps:
            hours.append(_WHOLE_DAY)
            continue
        parts = np.split(cells, np.flatnonzero(np.diff(cells) > 1) + 1) if len(cells) else []
        starts = [(int(part[0]) * calendar.every + calendar.anchor, int(part[-1]) + 1) for part in parts]
        hours.append(tuple((low, min(last * calendar.every + calendar.anchor, DAY)) for low, last in starts))
    return WeekRule(tuple(hours))


def _group_days(rule: WeekRule) -> list[tuple[list[int], Hours]]:
    """Group the weekdays of equal hours, in the order of their first ones."""
    groups: dict[Hours, list[int]] = {}
    for weekday, hours in enumerate(rule.hours):
        if hours:
            groups.setdefault(hours, []).append(weekday)
    return [(days, hours) for hours, days in groups.items()]


def _runs(days: list[int]) -> list[list[int]]:
    return [[day for _, day in run] for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0])]


def _write_days(days: list[int]) -> str:
    short = [name.lower() for name in SHORT_WEEKDAYS]
    return ",".join(short[run[0]] + (f"-{short[run[-1]]}" if len(run) > 1 else "") for run in _runs(days))


def _days_in_words(days: list[int]) -> str:
    names = []
    for run in _runs(days):
        names += [WEEKDAYS[day] for day in run] if len(run) < 3 else [f"{WEEKDAYS[run[0]]} to {WEEKDAYS[run[-1]]}"]
    return listing(names)


def _hours_in_words(hours: Hours) -> str:
    return "" if hours == _WHOLE_DAY else " " + _write_hours(hours).replace("-", " to ").replace(",", " and ")


def _write_hours(hours: Hours) -> str:
    return ",".join(f"{_write_clock(low)}-{_write_clock(high)}" for low, high in hours)


def _write_clock(time: int) -> str:
    seconds = time % MINUTE // SECOND
    return f"{time // HOUR:02d}:{time % HOUR // MINUTE:02d}" + (f":{seconds:02d}" if seconds else "")


def _write_month_day(day: MonthDay, weekdays: tuple[str, ...]) -> str:
    if day.weekday is not None:
        ordinal = next(name for name, number in _ORDINALS.items() if number == day.day)
        return f"{ordinal} {weekdays[day.weekday]}"
    if day.day == 0:
        return "last"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
    return f"{day.day}{ending}"


def _parse_week(text: str) -> WeekRule | None:
    week: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for part in text.split(";"):
        days: list[int] = []
        hours: list[tuple[int, int]] = []
        for word in part.replace(",", " ").split():
            span = _parse_hours(word)
            weekdays = _parse_weekdays(_ALIASES.get(word, word)) if span is None else []
            if span is not None:
                hours.append(span)
            elif weekdays is not None:
                days += weekdays
            elif word not in _FILLERS:
                return None
        if not days and not hours:
            return None
        for day in days or range(7):
            for low, high in hours or _WHOLE_DAY:
                if low < high:
                    week[day].append((low, high))
                else:  # overnight
                    week[day].append((low, DAY))
                    week[(day + 1) % 7] += [(0, high)] if high else []
    return WeekRule(tuple(_merge(of) for of in week))


def _parse_hours(word: str) -> tuple[int, int] | None:
    """Return opening and closing time; hours over midnight close before they open."""
    match = _HOURS.fullmatch(word)
    if match is None:
        return None
    numbers = [int(number or 0) for number in match.groups()]
    low, high = (h * HOUR + m * MINUTE + s * SECOND for h, m, s in (numbers[:3], numbers[3:]))
    if max(low, high) > DAY or max(numbers[1::3] + numbers[2::3]) > 59 or low == DAY:
        return None
    return low, high


def _parse_weekdays(word: str) -> list[int] | None:
    ends = [_find_name(name, WEEKDAYS) for name in word.split("-")]
    if None in ends or len(ends) > 2:
        return None
    first, last = ends[0], ends[-1]
    return [(first + day) % 7 for day in range((last - first) % 7 + 1)]  # type: ignore[operator]


def _find_name(word: str, names: tuple[str, ...]) -> int | None:
    """Return the number of a weekday or month by its name or the beginning of it, of three letters or more."""
    matches = [n for n, name in enumerate(names) if len(word) >= 3 and name.lower().startswith(word.removesuffix("s"))]
    return matches[0] if matches else None


def _merge(hours: Iterable[tuple[int, int]]) -> Hours:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(hours):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _parse_month(text: str) -> MonthlyCalendar | None:
    body, _, of = text.partition(" of ")
    days = []
    for part in body.split(","):
        words = [word for word in part.split() if word not in _FILLERS]
        number = _ORDINALS.get(words[0]) if words else None
        digits = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", words[0]) if words else None
        number = int(digits[1]) if digits else number
        weekday = _find_name(words[1], WEEKDAYS) if len(words) == 2 else None
        if number is None or len(words) > 2 or (len(words) == 2 and (weekday is None or number > 4)):
            return None
        days.append(MonthDay(0 if weekday is None and number == LAST else number, weekday))
    if not all(LAST <= day.day <= 31 and (day.weekday is None or day.day != 0) for day in days):
        return None
    months: list[int | None] = list(range(12))
    if of and of not in ("the month", "each month", "every month"):
        months = [_find_name(word, MONTHS) for word in of.replace(",", " ").split() if word not in _FILLERS]
    if not months or None in months:
        return None
    ordered = sorted(set(days), key=lambda day: int(day.of(np.array([0]))[0]))
    return MonthlyCalendar(tuple(ordered), tuple(sorted({month for month in months if month is not None})))


def _parse_retail(text: str) -> RetailCalendar | None:
    match = _RETAIL.fullmatch(text)
    if match is None:
        return None
    periods, weekday, day, month, month_first, day_last = match.groups()
    numbers = _find_name(weekday, WEEKDAYS), _find_name(month or month_first, MONTHS)
    if None in numbers or not 1 <= int(day or day_last) <= 31:
        return None
    first, second, third = map(int, periods.split("-"))
    return RetailCalendar((first, second, third), numbers[0], numbers[1] + 1, int(day or day_last))  # type: ignore


def _read_dates(dates: Any) -> list[int]:
    """Return dates as days since 1970.

    Raises:
        OptionError: If one is none; the message names it.
    """
    days = []
    for date in dates:
        text = date if isinstance(date, str) else str(date)[:10] if isinstance(date, (dt.date, np.datetime64)) else ""
        try:
            days.append(int(np.datetime64(text, "D").astype(np.int64)))
        except ValueError:
            _raise_invalid(date)
        if not text:
            _raise_invalid(date)
    return days


def _sorted_days(days: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(days)))


def _raise_invalid(value: Any) -> NoReturn:
    shown = timestamp(value) if isinstance(value, dt.date) else value
    raise OptionError(f"{option('calendar', shown)} is no calendar. Use something like {_EXAMPLES}.")
