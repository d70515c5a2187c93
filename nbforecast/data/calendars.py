"""Calendars: the recurring slots of a grid that is closed in between, numbered without the closed times.

Each calendar numbers its slots from a fixed point of time. A slot's number therefore depends on the calendar alone, and
not on the data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nbforecast.time_units import DAY, WEEK, YEAR

FIRST_MONDAY = 4 * DAY  # 5 January 1970
LAST = -1  # the last weekday of a month, as an ordinal
_WEEKS_A_YEAR = YEAR / WEEK
_THURSDAY = 3  # the weekday of 1 January 1970; Monday is 0
_PERIODS = 12  # of a retail year


class Calendar(ABC):
    """The slots of a grid. Times are microseconds of the local clock."""

    wanders: ClassVar[bool] = False  # whether a time beside the slots belongs to the nearest one

    @property
    @abstractmethod
    def mean_step(self) -> float:
        """The mean distance of two slots in microseconds."""

    @property
    @abstractmethod
    def seasons(self) -> tuple[int, ...]:
        """The natural season lengths in slots, ascending."""

    @abstractmethod
    def to_time(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the times of slots."""

    @abstractmethod
    def to_slot(self, times: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the numbers of the slots nearest to times."""

    @abstractmethod
    def holds(self, times: Int64[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        """Tell which times belong to a slot."""

    def count(self, microseconds: float) -> int:
        """Return the number of slots in a length of time."""
        return int(microseconds / self.mean_step)


@dataclass(frozen=True, eq=False)
class WeeklyCalendar(Calendar):
    """Slots that recur every week: opening hours, trading hours, days of the week.

    Attributes:
        every: The step of the grid within opening hours, in microseconds; it divides a day.
        anchor: Microseconds after midnight of some slot, less than `every`.
        cells: The numbers of the open steps of a week that starts on Monday, ascending.
    """

    every: int
    anchor: int
    cells: Int64[np.ndarray, " slots"]

    @property
    def mean_step(self) -> float:
        """The mean distance of two slots in microseconds."""
        return WEEK / len(self.cells)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Slots a day, if the times of day repeat, a week, and for days a year."""
        slots = len(self.cells)
        time_of_day = self.cells % (DAY // self.every)
        by_day = [n for n in range(2, slots) if slots % n == 0 and np.array_equal(np.roll(time_of_day, n), time_of_day)]
        lengths = ([*by_day[:1]] if self.every < DAY else []) + ([slots] if slots > 1 else [])
        return tuple(lengths + ([round(_WEEKS_A_YEAR * slots)] if self.every == DAY else []))

    def to_time(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the times of slots."""
        week, place = np.divmod(slots, len(self.cells))
        return np.asarray(week * WEEK + self.cells[place] * self.every + (FIRST_MONDAY + self.anchor))

    def to_slot(self, times: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the numbers of the slots nearest to times, the earlier of two."""
        week, cell = np.divmod(self._to_cell(times), WEEK // self.every)
        return np.asarray(week * len(self.cells) + self._nearest_place[cell])

    def holds(self, times: Int64[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        """Tell which times are nearer to an open step of the week than to a closed one."""
        is_open = np.zeros(WEEK // self.every, dtype=bool)
        is_open[self.cells] = True
        return np.asarray(is_open[self._to_cell(times) % len(is_open)])

    def count(self, microseconds: float) -> int:
        """Return the number of slots in a length of time: of whole weeks, of the fullest days, and of steps."""
        weeks, rest = divmod(microseconds, WEEK)
        days, rest = divmod(rest, DAY)
        a_day = int(np.bincount(self.cells // (DAY // self.every)).max())
        part = min(len(self.cells), int(days) * a_day + min(a_day, int(rest // self.every)))
        return int(weeks) * len(self.cells) + part

    @cached_property
    def _nearest_place(self) -> Int64[np.ndarray, " cells"]:
        """For each step of the week the place of the nearest open one; -1 and one beyond are those of other weeks."""
        slots, steps = len(self.cells), WEEK // self.every
        around = np.concatenate([self.cells[-1:] - steps, self.cells, self.cells[:1] + steps])
        after = np.searchsorted(around, np.arange(steps), side="left")
        is_earlier = np.arange(steps) - around[after - 1] <= around[np.minimum(after, slots + 1)] - np.arange(steps)
        return np.asarray(after - is_earlier - 1)

    def _to_cell(self, times: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        return (times - (FIRST_MONDAY + self.anchor - self.every // 2)) // self.every


class DateCalendar(Calendar):
    """Slots that are dates which some rule gives; a date beside them belongs to the nearest one."""

    wanders = True

    @abstractmethod
    def to_day(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the days since 1970 of slots."""

    @abstractmethod
    def estimate(self, days: Int64[np.ndarray, "*shape"]) -> tuple[Int64[np.ndarray, "*shape"], int]:
        """Return a slot at or before each day, and how many slots after it may be the nearest one."""

    def to_time(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the times of slots."""
        return np.asarray(self.to_day(slots) * DAY)

    def to_slot(self, times: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the numbers of the slots nearest to times, the earlier of two."""
        days = times // DAY
        nearest, reach = self.estimate(days)
        distance = np.abs(self.to_day(nearest) - days)
        for candidate in [nearest + offset for offset in range(1, reach + 1)]:
            other = np.abs(self.to_day(candidate) - days)
            nearest, distance = np.where(other < distance, candidate, nearest), np.minimum(other, distance)
        return np.asarray(nearest)

    def holds(self, times: Int64[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        """Tell that every time belongs to the nearest slot."""
        return np.ones(np.shape(times), dtype=bool)


@dataclass(frozen=True)
class MonthDay:
    """A day of a month: the first, the last (0), or a weekday such as the third Friday.

    Attributes:
        day: The day of the month, 0 for the last one; the ordinal of the weekday, -1 for the last one.
        weekday: 0 for Monday, or None for a day of the month.
    """

    day: int
    weekday: int | None = None

    def of(self, months: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the days since 1970 in months since 1970."""
        first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        last = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
        if self.weekday is None:
            return np.asarray(last if self.day == 0 else np.minimum(first + self.day - 1, last))
        if self.day == LAST:
            return np.asarray(last - (last + _THURSDAY - self.weekday) % 7)
        return np.asarray(first + (self.weekday - first - _THURSDAY) % 7 + 7 * (self.day - 1))


@dataclass(frozen=True, eq=False)
class MonthlyCalendar(DateCalendar):
    """Days that recur every month, or in some months of the year.

    Attributes:
        days: The days of a month, ascending within it.
        months: The months that have them, 0 for January; every month by default.
    """

    days: tuple[MonthDay, ...]
    months: tuple[int, ...] = tuple(range(12))

    @property
    def mean_step(self) -> float:
        """The mean distance of two slots in microseconds."""
        return YEAR / (len(self.days) * len(self.months))

    @property
    def seasons(self) -> tuple[int, ...]:
        """The slots of a year."""
        slots = len(self.days) * len(self.months)
        return (slots,) if slots > 1 else ()

    def to_day(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the days since 1970 of slots."""
        number, place = np.divmod(slots, len(self.days))
        year, month = np.divmod(number, len(self.months))
        months = 12 * year + np.array(self.months)[month]
        days = np.zeros(np.shape(slots), dtype=np.int64)
        for item, day in enumerate(self.days):
            days = np.where(place == item, day.of(months), days)
        return days

    def estimate(self, days: Int64[np.ndarray, "*shape"]) -> tuple[Int64[np.ndarray, "*shape"], int]:
        """Return the last slot of an earlier month, and the number of slots up to the next month that has some."""
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        year, month = np.divmod(months, 12)
        number = len(self.months) * year + np.searchsorted(self.months, month)
        return number * len(self.days) - 1, 2 * len(self.days)


@dataclass(frozen=True, eq=False)
class RetailCalendar(DateCalendar):
    """The twelve periods of a retail year, such as 4, 4 and 5 weeks; a year of 53 weeks lengthens its last period.

    Attributes:
        weeks: The weeks of the three periods of a quarter.
        weekday: The weekday of all dates, 0 for Monday.
        month: The month of `day`, 1 for January.
        day: A year begins on the first such weekday on or after this day of `month`.
    """

    weeks: tuple[int, int, int]
    weekday: int
    month: int
    day: int

    @property
    def mean_step(self) -> float:
        """The mean distance of two slots in microseconds."""
        return YEAR / _PERIODS

    @property
    def seasons(self) -> tuple[int, ...]:
        """The periods of a year."""
        return (_PERIODS,)

    def to_day(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the days since 1970 of slots."""
        year, period = np.divmod(slots, _PERIODS)
        weeks = np.concatenate([[0], np.cumsum(self.weeks * 4)])
        return self._year_start(year) + 7 * weeks[period]

    def estimate(self, days: Int64[np.ndarray, "*shape"]) -> tuple[Int64[np.ndarray, "*shape"], int]:
        """Return the start of the year before that of each day, and the number of slots in these years and the next."""
        year = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)
        return _PERIODS * (year - 1), 2 * _PERIODS + 1

    def _year_start(self, years: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        earliest = MonthDay(self.day).of(12 * years + self.month - 1)
        return np.asarray(earliest + (self.weekday - earliest - _THURSDAY) % 7)


@dataclass(frozen=True, eq=False)
class CalendarWithClosings(Calendar):
    """A calendar without the slots of some dates, such as holidays.

    Attributes:
        calendar: The calendar with these dates.
        closed_days: The dates as days since 1970, ascending.
    """

    calendar: Calendar
    closed_days: Int64[np.ndarray, " days"]

    @property
    def mean_step(self) -> float:
        """The mean distance of two slots of the calendar with these dates, in microseconds."""
        return self.calendar.mean_step

    @property
    def seasons(self) -> tuple[int, ...]:
        """The season lengths of the calendar with these dates."""
        return self.calendar.seasons

    def to_time(self, slots: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the times of slots."""
        open_before = self._closed_slots - np.arange(len(self._closed_slots))
        return self.calendar.to_time(slots + np.searchsorted(open_before, slots, side="right"))

    def to_slot(self, times: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Return the numbers of the slots nearest to times; the next one on a closed date."""
        slots = self.calendar.to_slot(times)
        return np.asarray(slots - np.searchsorted(self._closed_slots, slots, side="left"))

    def holds(self, times: Int64[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        """Tell which times belong to a slot."""
        slots = self.calendar.to_slot(times)
        is_closed = np.isin(slots, self._closed_slots)
        return np.asarray(self.calendar.holds(times) & ~is_closed)

    def count(self, microseconds: float) -> int:
        """Return the number of slots in a length of time without a closed date."""
        return self.calendar.count(microseconds)

    @cached_property
    def _closed_slots(self) -> Int64[np.ndarray, " slots"]:
        first = self.calendar.to_slot(self.closed_days * DAY)
        last = self.calendar.to_slot((self.closed_days + 1) * DAY)
        slots = np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]))
        days = self.calendar.to_time(slots) // DAY
        return np.asarray(slots[np.isin(days, self.closed_days)])


def days_to_weekday(days: Shaped[np.ndarray, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
    """Return the weekdays, 0 for Monday, of days since 1970."""
    return np.asarray((days + _THURSDAY) % 7)
