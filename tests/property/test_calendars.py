"""S10: random calendars with random closings come back with the same slots, whatever is appended."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import Frequency, prepare
from nbforecast.data.calendar_text import parse_calendar, week_rule, write_rule
from nbforecast.data.calendars import MonthDay, MonthlyCalendar, RetailCalendar, WeeklyCalendar
from nbforecast.time_units import DAY, HOUR, MINUTE, WEEK
from tests.support.examples import examples

few = examples(15)
MONDAY = np.datetime64("2023-01-02", "us").astype(np.int64)


@st.composite
def weeks(draw) -> WeeklyCalendar:
    """Days of the week, or hours on some days, that leave some hours of the week closed."""
    weekdays = sorted(draw(st.sets(st.integers(0, 6), min_size=2, max_size=6)))
    every = draw(st.sampled_from([30 * MINUTE, HOUR, DAY]))
    if every == DAY:
        return WeeklyCalendar(DAY, draw(st.sampled_from([0, 16 * HOUR])), np.array(weekdays))
    steps = DAY // every
    first = draw(st.integers(0, steps - 4))
    last = draw(st.integers(first + 3, steps))
    is_open = np.zeros((7, steps), dtype=bool)
    is_open[weekdays, first:last] = True
    if draw(st.booleans()) and last - first > 6:
        is_open[weekdays[-1], last - 3 : last] = False  # closes early on one day
    return WeeklyCalendar(every, draw(st.sampled_from([0, 15 * MINUTE])), np.flatnonzero(is_open))


def slots_of(calendar: WeeklyCalendar, count: int) -> np.ndarray:
    """The times of the first slots from a Monday on."""
    first = int(calendar.to_slot(np.array([MONDAY + calendar.anchor]))[0])
    return calendar.to_time(np.arange(first, first + count * len(calendar.cells)))


def table(times: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"ds": times.astype("datetime64[us]"), "y": np.arange(len(times), dtype=float)})


@few
@given(weeks(), st.integers(0, 2**32), st.sampled_from([0, 0.05, 0.15]))
def test_S10_slots_come_back_with_single_closings_missing(calendar, seed, closed):
    times = slots_of(calendar, 26)
    random = np.random.default_rng(seed)
    is_open = random.random(len(times)) >= closed
    is_open &= ~np.isin(times // DAY, random.choice(np.unique(times // DAY), 3))  # three holidays
    is_open[[0, 1, -2, -1]] = True
    data = prepare(table(times[is_open]))
    assert np.array_equal(data.time.astype(np.int64), times)
    assert np.array_equal(np.isnan(data.values), ~is_open)
    ahead = data.future_times(np.array([len(data) - 1]), len(calendar.cells))[0].astype(np.int64)
    assert np.array_equal(ahead, slots_of(calendar, 27)[len(times) :])
    steps = np.array([0, 1, 5])
    rows = [data.row(-int(step)) for step in steps]
    assert np.array_equal(data.time[rows].astype(np.int64), times[-1 - steps])  # an index counts slots
    assert prepare(table(times[is_open]), calendar=data.frequency.alias).handle == data.handle


@few
@given(weeks(), st.integers(0, 2**32), st.integers(16, 30))
def test_S10_appended_rows_move_no_slot(calendar, seed, weeks_before):
    times = slots_of(calendar, 40)
    random = np.random.default_rng(seed)
    is_open = random.random(len(times)) >= 0.08
    stray = MONDAY + random.integers(30, 39) * WEEK + np.arange(2) * WEEK + calendar.anchor
    strays = stray[~calendar.holds(stray)]  # two rows off the calendar, if it is closed then
    later = np.unique(np.concatenate([times[is_open], strays]))
    part = later[later < MONDAY + weeks_before * WEEK]
    before, after = prepare(table(part)), prepare(table(later))
    assert after.frequency == before.frequency
    assert np.array_equal(after.time[: len(before)], before.time)
    assert np.array_equal(after.values[: len(before)], before.values, equal_nan=True)
    assert sum(w.count for w in after.warnings if w.flag == "off_calendar") == len(strays)


@few
@given(weeks())
def test_S10_weekly_calendars_are_written_and_read(calendar):
    text = write_rule(week_rule(calendar))
    read = parse_calendar(text)
    assert read.text == text
    assert np.array_equal(read.rule.on(calendar.every, calendar.anchor).cells, calendar.cells)
    frequency = Frequency("calendar", calendar.every, calendar.anchor, calendar=text)
    steps = np.arange(-100, 100)
    times = frequency.to_time(steps)
    assert np.array_equal(frequency.to_step(times), steps)
    assert (np.diff(times.astype(np.int64)) > 0).all()
    between = times.astype(np.int64)[:-1] + np.diff(times.astype(np.int64)) * 2 // 5  # nearer to the earlier slot
    assert np.array_equal(frequency.to_step(between.astype("datetime64[us]")), steps[:-1])


DAYS = st.builds(MonthDay, st.integers(0, 28)) | st.builds(
    MonthDay, st.sampled_from([1, 2, 3, 4, -1]), st.integers(0, 6)
)
RETAIL = st.builds(
    RetailCalendar,
    st.sampled_from([(4, 4, 5), (4, 5, 4), (5, 4, 4)]),
    st.integers(0, 6),
    st.integers(1, 12),
    st.integers(1, 28),
)


@few
@given(
    st.builds(
        lambda day, months: MonthlyCalendar((day,), tuple(sorted(months))),
        DAYS,
        st.sets(st.integers(0, 11), min_size=1),
    )
    | RETAIL,
    st.integers(-600, 600),
)
def test_S10_dates_belong_to_the_nearest_slot(calendar, first):
    slots = np.arange(first, first + 30)
    days = calendar.to_day(slots)
    assert (np.diff(days) > 0).all()
    assert np.array_equal(calendar.to_slot(days * DAY), slots)
    every_day = np.arange(days[0], days[-1])
    nearest = np.abs(every_day[:, None] - days).argmin(axis=1)  # the earlier of two
    assert np.array_equal(calendar.to_slot(every_day * DAY), slots[nearest])
