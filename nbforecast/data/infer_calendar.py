"""Finding the slots that recur: hours and days of the week that have rows, and dates of the month."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nbforecast.data.calendar_text import CalendarRule, week_rule
from nbforecast.data.calendars import (
    FIRST_MONDAY,
    LAST,
    DateCalendar,
    MonthDay,
    MonthlyCalendar,
    RetailCalendar,
    WeeklyCalendar,
    days_to_weekday,
)
from nbforecast.time_units import DAY, HOUR, SECOND, WEEK

_DAYS = 7
_CLOSED_SHARE = 0.03  # of a grid's steps, which a calendar closes at least
_RECURRENT = 0.1  # of the weeks or days in which the usual step has a row; what recurs less is no slot
_CHANCE = 1e-4  # that some open step has no row in the whole history
_SURE = 0.99  # the largest share of open steps that have a row
_FEWEST_WEEKS, _FEWEST_DAYS = 4, 5
_STABLE_WEEKS = 8  # of the shortest history whose calendar stays when rows are appended
_OFF, _FEW_OFF = 0.02, 2  # share of rows off a calendar, or their number, that it bears
_BLURRED = 0.15  # share of open times with half the usual rows or fewer, from which on hours have no sharp ends
_COARSE_ROWS = 50_000  # that are looked at before all of them
_FEWEST_DATES, _FEWEST_MONTHS, _MOST_MONTH_DAYS = 6, 3, 6
_ON_DATES = 0.85  # share of dates that a calendar of dates explains
_FILLED = 0.6  # share of the slots of a calendar of dates that have a row
# first days on which retail years begin: of the weekday nearest to, of the last one in, and of the one after the last
# one in January, December, September, June and March
_RETAIL_YEARS = tuple(
    (month, last - back) for month, last in ((1, 31), (12, 31), (9, 30), (6, 30), (3, 31)) for back in (2, 3, 6, 5)
)


class _Rows(NamedTuple):
    """Rows of different steps, ordered by series and time.

    Attributes:
        series: The number of each row's series.
        step: The number of each row's step, counted from a Monday.
        steps_a_day: The steps of a day.
    """

    series: Int64[np.ndarray, " rows"]
    step: Int64[np.ndarray, " rows"]
    steps_a_day: int

    @property
    def week(self) -> Int64[np.ndarray, " rows"]:
        """The number of each row's week."""
        return self.step // (_DAYS * self.steps_a_day)

    @property
    def cell(self) -> Int64[np.ndarray, " rows"]:
        """The number of each row's step within its week."""
        return self.step % (_DAYS * self.steps_a_day)

    def take(self, mask: Bool[np.ndarray, " rows"]) -> _Rows:
        """Return the rows under a mask."""
        return _Rows(self.series[mask], self.step[mask], self.steps_a_day)


def infer_week(
    series: Int64[np.ndarray, " rows"], times: Int64[np.ndarray, " rows"], every: int, anchor: int
) -> CalendarRule | None:
    """Find the hours and weekdays at which rows recur, if at the others there are none.

    The calendar is that of the shortest beginning of the history (8, 16, 32 ... weeks, or all) that shows one and
    explains 98 % of all rows. Appended rows therefore move no slot as long as few of them lie off the calendar.

    Args:
        series: The number of each row's series, ascending.
        times: Microseconds of the local clock, ascending within a series.
        every: The step of the grid in microseconds.
        anchor: Microseconds after midnight of some grid point.

    Returns:
        The calendar, which has each slot that recurs in some series; None if the grid has no closed times.
    """
    if not SECOND <= every <= DAY or DAY % every or not len(times):
        return None
    ends = np.append(np.flatnonzero(series[1:] != series[:-1]), len(series) - 1)
    starts = np.append(0, ends[:-1] + 1)
    spans = ((times[ends] - times[starts]) // every + 1).sum()
    if len(times) > (1 - _CLOSED_SHARE) * spans or not _has_closed_hours(times, every):
        return None
    step = (times - (FIRST_MONDAY + anchor - every // 2)) // every
    is_new = np.ones(len(step), dtype=bool)
    is_new[1:] = (series[1:] != series[:-1]) | (step[1:] != step[:-1])
    rows = _Rows(series[is_new], step[is_new], DAY // every)
    week, cell = rows.week, rows.cell
    week = week - week.min()
    total = int(week.max()) + 1
    limit = _STABLE_WEEKS
    while True:
        is_whole = limit >= total
        calendar = _find_cells(rows if is_whole else rows.take(week < limit), is_whole)
        if calendar is not None and _bears(np.isin(cell, calendar, invert=True)):
            return CalendarRule(week_rule(WeeklyCalendar(every, anchor, calendar)))
        if is_whole:
            return None
        limit *= 2


def _bears(is_off: Bool[np.ndarray, " rows"]) -> bool:
    """Tell whether so few rows lie off a calendar that they are strays."""
    return bool(is_off.mean() <= _OFF or is_off.sum() <= _FEW_OFF)


def _has_closed_hours(times: Int64[np.ndarray, " rows"], every: int) -> bool:
    """Tell from some of the rows whether some hour of the week has hardly any."""
    length = max(every, HOUR)
    sample = times[:: max(1, len(times) // _COARSE_ROWS) | 1]
    counts = np.bincount(sample // length % (WEEK // length), minlength=WEEK // length)
    return bool(counts.min() < _RECURRENT * len(sample) / len(counts))


def _find_cells(rows: _Rows, is_whole: bool) -> Int64[np.ndarray, " slots"] | None:
    """Find the open steps of a week.

    Args:
        rows: A beginning of the history.
        is_whole: Whether it is all of it; a part is used only if it is long enough for a verdict on every step.

    Returns:
        The numbers of the open steps, ascending; None if none is closed, or too many rows lie off them.
    """
    steps_a_day = rows.steps_a_day
    day = rows.step // steps_a_day
    weekday = day % _DAYS
    is_new_day = np.ones(len(day), dtype=bool)
    is_new_day[1:] = (rows.series[1:] != rows.series[:-1]) | (day[1:] != day[:-1])
    days = day[is_new_day]
    day_series = rows.series[is_new_day]
    is_open_day, is_certain = _open_weekdays(day_series, days)
    is_open_row = is_open_day[weekday]
    is_open = np.repeat(is_open_day, steps_a_day)
    if steps_a_day > 1 and is_open_row.any():
        is_open_hour, is_certain_hour = _open_hours(rows.take(is_open_row), day_series, days, is_open_day[days % _DAYS])
        is_certain &= is_certain_hour
        is_open &= is_open_hour
    is_calendar = 0 < is_open.sum() <= (1 - _CLOSED_SHARE) * len(is_open)
    bears = _bears(~is_open[rows.cell])
    return np.flatnonzero(is_open) if is_calendar and bears and (is_certain or is_whole) else None


def _open_weekdays(
    series: Int64[np.ndarray, " days"], days: Int64[np.ndarray, " days"]
) -> tuple[Bool[np.ndarray, " weekdays"], bool]:
    """Tell which weekdays are open, and whether enough weeks show it.

    Args:
        series: The number of the series of each day that has rows.
        days: These days, counted from a Monday.
    """
    week = days // _DAYS
    count = np.bincount(series * _DAYS + days % _DAYS, minlength=_DAYS * (int(series[-1]) + 1)).reshape(-1, _DAYS)
    is_new_week = np.ones(len(week), dtype=bool)
    is_new_week[1:] = (series[1:] != series[:-1]) | (week[1:] != week[:-1])
    weeks = np.bincount(series[is_new_week], minlength=len(count))
    usual = _usual_share(count, weeks)
    is_open = _recurs(count, weeks, usual)
    total = len(np.unique(week))
    share = _usual_share(count.sum(axis=0)[None], weeks.sum()[None])
    is_enough = total >= max(_FEWEST_WEEKS, _least_count(share, _DAYS).item())
    if is_enough or is_open.all():
        return is_open, is_enough
    is_weekend = np.arange(_DAYS) >= _DAYS - 2
    is_on_weekend = is_weekend[days % _DAYS].any()
    skips_weekend = bool(week.max() > week.min())
    return (~is_weekend if skips_weekend and not is_on_weekend else np.ones(_DAYS, dtype=bool)), False


def _open_hours(
    rows: _Rows,
    day_series: Int64[np.ndarray, " days"],
    days: Int64[np.ndarray, " days"],
    is_open_day: Bool[np.ndarray, " days"],
) -> tuple[Bool[np.ndarray, " cells"], bool]:
    """Tell which steps of a week are open on the days that are, and whether enough days show it.

    Args:
        rows: Rows on open days.
        day_series: The number of the series of each day that has rows.
        days: These days, counted from a Monday.
        is_open_day: Which of them are open ones.
    """
    steps = rows.steps_a_day
    days, day_series = days[is_open_day], day_series[is_open_day]
    codes, counts = np.unique(rows.series * (_DAYS * steps) + rows.cell, return_counts=True)
    series, cell = np.divmod(codes, _DAYS * steps)
    present, place = np.unique(series, return_inverse=True)
    sizes = np.bincount(day_series, minlength=int(series[-1]) + 1)[present]
    by_weekday = np.bincount(day_series * _DAYS + days % _DAYS, minlength=_DAYS * (int(series[-1]) + 1))
    distinct = np.unique(days)
    # the share of a series' days on which the step of its usual row has one
    at_time, time_counts = _sum_by(place * steps + cell % steps, counts)
    owner = at_time // steps
    usual = np.bincount(owner, weights=time_counts**2) / np.bincount(owner, weights=time_counts) / sizes
    is_slot = (time_counts >= 2) & (time_counts >= _RECURRENT * (usual * sizes)[owner])
    is_rare = time_counts < 0.5 * (usual * sizes)[owner]
    if (is_rare & is_slot).sum() > _BLURRED * is_slot.sum():
        is_slot[:] = True  # hours that move with the seasons or from day to day: no row of theirs is a stray
    is_open_time = np.zeros(steps, dtype=bool)
    is_open_time[at_time[is_slot] % steps] = True
    share = np.asarray(np.average(usual, weights=sizes))
    if len(distinct) < max(_FEWEST_DAYS, _least_count(share, steps).item()):
        return np.ones(_DAYS * steps, dtype=bool), False
    is_open = np.tile(is_open_time, _DAYS)
    on_weekday = by_weekday.reshape(-1, _DAYS)[series, cell // steps]
    is_own_slot = (counts >= 2) & (counts >= _RECURRENT * usual[place] * on_weekday)
    own = np.zeros(_DAYS * steps, dtype=bool)
    own[cell[is_own_slot]] = True
    # a weekday is closed at a time at which the others are open
    counts_at_cell = np.bincount(cell, weights=counts, minlength=_DAYS * steps).reshape(_DAYS, steps)
    days_elsewhere = sizes.sum() - by_weekday.reshape(-1, _DAYS).sum(axis=0)[:, None]
    share_elsewhere = (counts_at_cell.sum(axis=0) - counts_at_cell) / np.maximum(days_elsewhere, 1)
    days_of_weekday = np.bincount(distinct % _DAYS, minlength=_DAYS)[:, None]
    is_enough = days_of_weekday >= np.maximum(_FEWEST_WEEKS, _least_count(share_elsewhere, steps))
    is_open &= own | ~is_enough.ravel()
    is_usual = (share_elsewhere >= 0.5 * share) & (days_of_weekday > 0)
    return is_open, bool(is_enough[is_usual].all())


def _sum_by(
    codes: Int64[np.ndarray, " items"], counts: Int64[np.ndarray, " items"]
) -> tuple[Int64[np.ndarray, " codes"], Float64[np.ndarray, " codes"]]:
    distinct, place = np.unique(codes, return_inverse=True)
    return distinct, np.bincount(place, weights=counts)


def _usual_share(
    count: Int64[np.ndarray, "series cells"], total: Int64[np.ndarray, " series"]
) -> Float64[np.ndarray, " series"]:
    """Return the share of weeks in which the weekday of the usual day has rows."""
    return np.asarray((count**2).sum(axis=1) / np.maximum(count.sum(axis=1), 1) / np.maximum(total, 1))


def _recurs(
    count: Int64[np.ndarray, "series cells"], total: Int64[np.ndarray, " series"], usual: Float64[np.ndarray, " series"]
) -> Bool[np.ndarray, " cells"]:
    """Tell which cells recur in some series, or in all of them together."""
    least = _RECURRENT * (usual * total)[:, None]
    pooled = count.sum(axis=0)
    return np.asarray(((count >= 2) & (count >= least)).any(axis=0) | ((pooled >= 2) & (pooled >= least.sum())))


def _least_count(share: Float64[np.ndarray, "*shape"], cells: int) -> Float64[np.ndarray, "*shape"]:
    """Return the number of weeks or days after which an open cell is unlikely to have no row.

    Args:
        share: The chance that an open cell has a row.
        cells: The number of cells.
    """
    return np.asarray(np.log(_CHANCE / cells) / np.log1p(-np.clip(share, 1e-9, _SURE)))


def infer_dates(days: Int64[np.ndarray, " days"]) -> str:
    """Find a calendar of dates, such as the 1st, 11th and 21st, third Fridays, or periods of 4, 4 and 5 weeks.

    Args:
        days: The dates of a series as days since 1970, ascending and different.

    Returns:
        The calendar's text; empty if the dates follow none.
    """
    if len(days) < _FEWEST_DATES:
        return ""
    for rule in (_find_retail_periods(days), _find_weekday_of_month(days), _find_days_of_month(days)):
        if rule is not None and _explains(rule, days):
            return CalendarRule(rule).text
    return ""


def _explains(calendar: DateCalendar, days: Int64[np.ndarray, " days"]) -> bool:
    """Tell whether nearly all dates are slots of a calendar, and most slots have one."""
    slots = calendar.to_slot(days * DAY)
    is_exact = calendar.to_day(slots) == days
    has_one_each = len(np.unique(slots)) == len(days)
    return bool(has_one_each and is_exact.mean() >= _ON_DATES and len(days) >= _FILLED * (slots[-1] - slots[0] + 1))


def _find_weekday_of_month(days: Int64[np.ndarray, " days"]) -> MonthlyCalendar | None:
    dates, months = days.astype("datetime64[D]"), days.astype("datetime64[D]").astype("datetime64[M]")
    if np.diff(days).min() < 3 * _DAYS:
        return None
    weekday = int(np.bincount(days_to_weekday(days)).argmax())
    ordinal = (dates - months.astype("datetime64[D]")).astype(np.int64) // _DAYS + 1
    is_last = (dates + _DAYS).astype("datetime64[M]") > months
    usual = int(np.bincount(ordinal).argmax())
    number = months.astype(np.int64)
    present = np.unique(number % 12)
    step = int(np.median(np.diff(number)))
    in_year = tuple(range(12)) if step == 1 else tuple(present.tolist())
    is_usual = ordinal == usual
    if usual <= 4 and is_usual.mean() >= _ON_DATES:
        return MonthlyCalendar((MonthDay(usual, weekday),), in_year)
    return MonthlyCalendar((MonthDay(LAST, weekday),), in_year) if is_last.mean() >= _ON_DATES else None


def _find_days_of_month(days: Int64[np.ndarray, " days"]) -> MonthlyCalendar | None:
    dates, months = days.astype("datetime64[D]"), days.astype("datetime64[D]").astype("datetime64[M]")
    of_month = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    of_month[(dates + 1).astype("datetime64[M]") > months] = 0
    span = int((months[-1] - months[0]).astype(np.int64)) + 1
    counts = np.bincount(of_month, minlength=32)
    usual = np.flatnonzero(counts >= max(2, _RECURRENT * counts.max()))
    if span < _FEWEST_MONTHS or not 2 <= len(usual) <= _MOST_MONTH_DAYS:
        return None
    ordered = sorted(usual.tolist(), key=lambda day: day or 32)
    return MonthlyCalendar(tuple(MonthDay(day) for day in ordered))


def _find_retail_periods(days: Int64[np.ndarray, " days"]) -> RetailCalendar | None:
    weeks, rest = np.divmod(np.diff(days), _DAYS)
    if rest.any() or not np.isin(weeks, (4, 5, 6)).all() or len(days) < 2 * _FEWEST_DATES + 1:
        return None
    weekday = int(days_to_weekday(days[:1])[0])
    for pattern in ((4, 4, 5), (4, 5, 4), (5, 4, 4)):
        for month, day in _RETAIL_YEARS:
            calendar = RetailCalendar(pattern, weekday, month, day)
            if (calendar.to_day(calendar.to_slot(days * DAY)) == days).all():
                return calendar
    return None
