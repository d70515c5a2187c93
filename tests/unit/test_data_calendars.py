"""S10: calendars that are named or found, rows off them, and absent rows that mean something."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.data.calendar_text import build_calendar, parse_calendar, read_calendar
from nbforecast.errors import InputError, OptionError
from nbforecast.time_units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset

FIVE_MINUTES = 5 * MINUTE


def table(times, **columns) -> pd.DataFrame:
    return pd.DataFrame({"ds": times, "y": 10 + np.sin(np.arange(len(times)) / 7), **columns})


def flags(data: Dataset) -> dict[str, int]:
    return {warning.flag: warning.count for warning in data.warnings}


def days(start: str, end: str, weekdays) -> pd.DatetimeIndex:
    every = pd.date_range(start, end)
    return every[np.isin(every.dayofweek, weekdays)]


def trading_times(start="2024-02-01", end="2024-03-28") -> pd.DatetimeIndex:
    times = pd.date_range(f"{start} 09:30", f"{end} 16:00", freq="5min")
    minute = times.hour * 60 + times.minute
    return times[(times.dayofweek < 5) & (minute >= 570) & (minute < 960)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("business", "mon-fri"),
        ("Mon-Sat", "mon-sat"),
        ("weekends", "sat-sun"),
        ("trading hours 09:30-16:00 Monday-Friday", "mon-fri 09:30-16:00"),
        ("08:00-12:00,13:00-17:00 weekdays; sat 9:00-13:00", "mon-fri 08:00-12:00,13:00-17:00; sat 09:00-13:00"),
        ("mon-thu 18:00-02:00", "mon 18:00-24:00; tue-thu 00:00-02:00,18:00-24:00; fri 00:00-02:00"),
        ("tue, thu", "tue,thu"),
        ("dekads", "1st, 11th, 21st"),
        ("15th, last", "15th, last"),
        ("third fri of Mar, jun, sep, dec", "third friday of mar, jun, sep, dec"),
        ("last monday", "last monday"),
        ("4-4-5 from sunday on or after Jan 29", "4-4-5 from sunday after 29 jan"),
        ("business except 2025-01-01, 2024-12-25", "mon-fri except 2024-12-25, 2025-01-01"),
    ],
)
def test_S10_calendars_are_written_canonically(text, canonical):
    assert parse_calendar(text).text == canonical
    assert parse_calendar(canonical).text == canonical


@pytest.mark.parametrize("text", ["", "x", "mon-fri 25:00-26:00", "fifth friday", "32nd", ";", "mon except x", "4-4-5"])
def test_S10_other_texts_are_errors(text):
    with pytest.raises(OptionError, match="is no calendar"):
        parse_calendar(text)


def test_S10_calendars_of_libraries_are_read():
    holidays = ["2024-12-25", dt.date(2024, 12, 26), pd.Timestamp("2025-01-01"), np.datetime64("2025-01-06")]
    dates = "2024-12-25, 2024-12-26, 2025-01-01, 2025-01-06"
    assert read_calendar(("mon-sat", holidays)).text == f"mon-sat except {dates}"
    offset = pd.offsets.CustomBusinessDay(weekmask="Mon Tue Wed", holidays=["2024-12-25"])
    assert read_calendar(offset).text == "mon-wed except 2024-12-25"
    assert read_calendar(np.busdaycalendar("1111000", ["2024-12-25"])).text == "mon-thu except 2024-12-25"
    assert read_calendar(pd.offsets.CustomBusinessHour(start="09:30", end="16:00")).text == "mon-fri 09:30-16:00"
    for value in (3, ["2024-01-01"], ("mon", ["x"]), pd.offsets.CustomBusinessMonthEnd()):
        with pytest.raises(OptionError):
            read_calendar(value)


@pytest.mark.parametrize(
    ("text", "every", "alias"),
    [
        ("third friday", DAY, "WOM-3FRI"),
        ("15th, last", DAY, "SME"),
        ("1st, 15th", DAY, "SMS"),
        ("mon-fri", DAY, "B"),
        ("tue,thu", DAY, pd.offsets.CustomBusinessDay(weekmask="Tue Thu")),
        ("mon-fri 09:30-16:00", 30 * MINUTE, pd.offsets.CustomBusinessHour(start="09:30", end="16:00") * 1),
    ],
)
def test_S10_slots_are_those_of_pandas(text, every, alias):
    calendar = build_calendar(text, every, 0)
    if every < DAY:
        every_half_hour = pd.date_range("2024-01-01", "2024-03-01", freq="30min")
        minute = every_half_hour.hour * 60 + every_half_hour.minute
        expected = every_half_hour[(every_half_hour.dayofweek < 5) & (minute >= 570) & (minute < 960)]
    else:
        expected = pd.date_range("2000-01-01", "2030-01-01", freq=alias)
    micros = expected.as_unit("us").asi8
    slots = calendar.to_slot(micros)
    assert (np.diff(slots) == 1).all()
    assert np.array_equal(calendar.to_time(slots), micros)


def test_S10_closings_take_slots_away():
    calendar = build_calendar("mon-fri except 2024-12-25, 2024-12-26, 2025-01-01", DAY, 0)
    offset = pd.offsets.CustomBusinessDay(holidays=["2024-12-25", "2024-12-26", "2025-01-01"])
    expected = pd.date_range("2024-12-02", "2025-02-28", freq=offset).as_unit("us").asi8
    slots = calendar.to_slot(expected)
    assert (np.diff(slots) == 1).all()
    assert np.array_equal(calendar.to_time(slots), expected)
    assert not calendar.holds(np.array([np.datetime64("2024-12-25", "us").astype(int)])).any()


def test_S10_a_year_of_53_weeks_lengthens_the_last_period():
    calendar = build_calendar("4-4-5 from sunday after 29 jan", DAY, 0)
    # the retail years of 2016 to 2018 (NRF) begin on these Sundays; 2017 has 53 weeks
    starts = np.array(["2016-01-31", "2017-01-29", "2018-02-04"], "datetime64[us]").astype(np.int64)
    assert calendar.to_slot(starts).tolist() == [12 * 46, 12 * 47, 12 * 48]
    weeks = np.diff(calendar.to_time(np.arange(12 * 47, 12 * 48 + 1))) // (7 * DAY)
    assert weeks.tolist() == [4, 4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 6]


@pytest.mark.parametrize(
    ("times", "calendar", "seasons"),
    [
        (trading_times(), "mon-fri 09:30-16:00", (78, 390)),
        (trading_times().tz_localize("America/New_York"), "mon-fri 09:30-16:00", (78, 390)),
        (trading_times("2024-02-01", "2024-02-07"), "mon-fri 09:30-16:00", (78, 390)),
        (days("2023-01-02", "2023-12-30", range(6)), "mon-sat", (6, 313)),
        (days("2023-01-07", "2023-12-31", (5, 6)), "sat-sun", (2, 104)),
        (days("2023-01-03", "2023-12-31", (1, 3)), "tue,thu", (2, 104)),
        (pd.date_range("2015-01-01", periods=60, freq="WOM-3FRI"), "third friday", (12,)),
        (pd.date_range("2015-01-01", periods=60, freq="WOM-3FRI")[2::3], "third friday of mar, jun, sep, dec", (4,)),
        (pd.date_range("2015-01-01", periods=60, freq="SME"), "15th, last", (24,)),
    ],
)
def test_S10_slots_that_recur_are_the_grid(times, calendar, seasons):
    data = prepare(table(times))
    assert data.frequency.calendar == calendar
    assert data.frequency.seasons == seasons
    assert len(data) == len(times)
    assert not np.isnan(data.values).any()
    assert flags(data) == {"calendar": len(times)}
    assert data.times(data.time).to_list() == [time.to_pydatetime() for time in times]


def test_S10_shops_and_markets_have_hours_of_their_own_each_day():
    hours = pd.date_range("2023-01-02", "2023-06-30", freq="h")
    shop = hours[
        ((hours.dayofweek < 5) & (hours.hour >= 8) & (hours.hour < 18))
        | ((hours.dayofweek == 5) & (hours.hour >= 9) & (hours.hour < 13))
    ]
    is_open = np.random.default_rng(1).random(len(shop)) > 0.1
    data = prepare(table(shop[is_open]))
    assert data.frequency.calendar == "mon-fri 08:00-18:00; sat 09:00-13:00"
    assert data.frequency.seasons == (54,)  # days differ, weeks do not
    is_closed = (hours.dayofweek == 5) | ((hours.dayofweek == 4) & (hours.hour >= 17))
    is_closed |= (hours.dayofweek == 6) & (hours.hour < 17)
    market = prepare(table(hours[~is_closed]))
    assert market.frequency.calendar == "mon-thu; fri 00:00-17:00; sun 17:00-24:00"
    assert market.frequency.seasons == (24, 120)


def test_S10_retail_periods_are_found():
    calendar = build_calendar("4-5-4 from sunday after 29 jan", DAY, 0)
    times = pd.DatetimeIndex(calendar.to_time(np.arange(550, 610)).astype("datetime64[us]"))
    data = prepare(table(times))
    assert len(data) == 60
    assert data.frequency.seasons == (12,)
    last = data.future_times(np.array([59]), 12)[0].astype(np.int64)
    assert np.array_equal(last, calendar.to_time(np.arange(610, 622)))


def test_S10_dekads_and_their_forecasts():
    times = days("2018-01-01", "2023-12-31", range(7))
    times = times[np.isin(times.day, (1, 11, 21))]
    data = prepare(table(times))
    assert data.frequency.calendar == "1st, 11th, 21st"
    future = data.future_times(np.array([len(data) - 1]), 4)[0].astype("datetime64[D]").astype(str)
    assert future.tolist() == ["2024-01-01", "2024-01-11", "2024-01-21", "2024-02-01"]


def test_S10_single_closings_stay_missing_rows():
    business = pd.bdate_range("2022-01-03", "2023-12-29")
    holidays = pd.DatetimeIndex(["2022-12-26", "2023-01-02", "2023-05-01", "2023-12-25"])
    data = prepare(table(business.difference(holidays)))
    assert data.frequency.describe() == "1 business day"
    assert np.isnan(data.values).sum() == 4
    named = prepare(table(business.difference(holidays)), calendar=("business", holidays))
    assert len(named) == len(business) - 4
    assert not np.isnan(named.values).any()
    run = nbf.forecast(
        table(business.difference(holidays)[:-1]), "naive", 3, calendar=("business", holidays.append(business[-1:]))
    )
    assert run.at(0).time.date() == dt.date(2023, 12, 28)
    assert [time.date() for time in run.at(0).future] == [dt.date(2024, 1, day) for day in (1, 2, 3)]


def test_S10_friday_is_followed_by_monday():
    data = prepare(table(trading_times("2024-02-01", "2024-03-29")))
    future = data.future_times(np.array([len(data) - 1]), 2)[0].astype("datetime64[m]").astype(str)
    assert future.tolist() == ["2024-04-01T09:30", "2024-04-01T09:35"]


@pytest.mark.parametrize("weekdays", [range(5), range(6)])
def test_S10_a_row_off_the_calendar_is_counted_and_makes_no_new_grid(weekdays):
    regular = days("2023-01-02", "2023-12-30", weekdays)
    sunday = pd.DatetimeIndex(["2023-12-24"])
    before, after = prepare(table(regular)), prepare(table(regular.union(sunday)))
    assert after.frequency == before.frequency
    assert np.array_equal(after.time, before.time)
    assert flags(after)["off_calendar"] == 1
    sentence = next(w.sentence for w in after.warnings if w.flag == "off_calendar")
    assert "Sunday 2023-12-24" in sentence
    assert "row 30" in sentence or "row 25" in sentence


def test_S10_gaps_without_a_pattern_are_no_calendar():
    hours = pd.date_range("2023-01-02", periods=24 * 120, freq="h")
    random = np.random.default_rng(0)
    outages = ~np.isin(np.arange(len(hours)) // 150, (1, 4, 7, 11))
    for is_present in (random.random(len(hours)) < 0.25, outages, outages & (random.random(len(hours)) < 0.7)):
        assert prepare(table(hours[is_present])).frequency.describe() == "1 hour"
    week = table(hours[hours.hour < 20][: 20 * 4])  # four days of data show no pattern
    assert prepare(week).frequency.kind == "fixed"


def test_S10_a_year_of_a_stock_exchange_with_holidays_and_half_days():
    times = trading_times("2023-01-02", "2023-12-29").tz_localize("America/New_York")
    day = times.strftime("%Y-%m-%d")
    holidays = ["2023-01-02", "2023-01-16", "2023-02-20", "2023-04-07", "2023-05-29", "2023-06-19", "2023-07-04"]
    is_open = ~np.isin(day, holidays) & ~((day == "2023-11-24") & (times.hour >= 13))
    data = prepare(table(times[is_open]))
    assert data.frequency.calendar == "mon-fri 09:30-16:00"
    assert np.isnan(data.values).sum() == 6 * 78 + 36  # from the first row on
    # in UTC the hours move with the clocks, and the grid has those of summer and winter
    assert prepare(table(times[is_open].tz_convert("UTC"))).frequency.calendar == "mon-fri 13:30-21:00"


def test_S10_hours_without_sharp_ends_leave_no_row_out():
    hours = pd.date_range("2023-01-01", "2023-12-31 23:00", freq="h")
    daylight = 6 + 2.5 * np.cos(2 * np.pi * (hours.dayofyear - 172) / 365)
    data = prepare(table(hours[np.abs(hours.hour - 12) < daylight]))
    assert data.frequency.calendar == "mon-sun 04:00-21:00"
    assert "off_calendar" not in flags(data)


def test_S10_dates_beside_their_slots_are_moved_to_them():
    first_fridays = pd.date_range("2015-01-01", periods=80, freq="WOM-1FRI")
    times = pd.DatetimeIndex([time + pd.Timedelta(days=7 * (n % 9 == 8)) for n, time in enumerate(first_fridays)])
    data = prepare(table(times))
    assert data.frequency.calendar == "first friday"
    assert data.times(data.time).to_list() == [time.to_pydatetime() for time in first_fridays]
    assert flags(data)["irregular_times"] == 8


def test_S10_a_given_step_finds_no_calendar():
    times = trading_times()
    data = prepare(table(times), freq="5min")
    assert data.frequency.kind == "fixed"
    assert len(data) > 3 * len(times)
    assert prepare(table(days("2023-01-02", "2023-12-30", range(6))), freq="D").frequency.seasons == (7, 365)


def test_S10_a_named_calendar_leaves_other_rows_out():
    hours = pd.date_range("2023-01-02", periods=24 * 21, freq="h")
    data = prepare(table(hours), calendar="mon-fri 08:00-18:00")
    assert len(data) == 3 * 5 * 10
    assert flags(data) == {"off_calendar": 24 * 21 - 150}
    with pytest.raises(OptionError, match="names hours"):
        prepare(table(pd.date_range("2023-01-02", periods=30)), calendar="mon 08:00-10:00")
    with pytest.raises(OptionError, match="needs dates"):
        prepare(np.arange(30.0), calendar="business")
    with pytest.raises(InputError, match="No row lies on the calendar"):
        prepare(table(pd.date_range("2023-01-02", periods=30, freq="7D")), calendar="sat")
    with pytest.raises(OptionError, match="Give one of them"):
        prepare(table(hours), calendar="third friday", freq="h")
    for options in ({"freq": "WOM-3FRI"}, {"calendar": "third friday"}):
        with pytest.raises(InputError, match="aggregate first, to one row a slot"):
            prepare(table(hours), **options)
    business = prepare(table(pd.date_range("2023-01-02", periods=70)), calendar="business")
    assert flags(business) == {"off_calendar": 20}


def test_S10_series_of_a_panel_share_the_slots_of_all():
    six, seven = days("2023-01-02", "2023-12-30", range(6)), days("2023-01-02", "2023-12-30", range(5))
    both = pd.concat([table(six, unique_id="a"), table(seven, unique_id="b")])
    data = prepare(both)
    assert data.frequency.calendar == "mon-sat"
    assert np.isnan(data.values[data.offsets[1] :]).sum() == 51  # Saturdays of b
    open_on_sundays = pd.concat(
        [table(six, unique_id=str(n)) for n in range(30)]
        + [table(days("2023-01-02", "2023-12-30", range(7)), unique_id="all")]
    )
    assert prepare(open_on_sundays).frequency.describe() == "1 day"


def test_S10_absent_rows_mean_what_fill_says():
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 4 + ["b"] * 3,
            "ds": pd.to_datetime([f"2024-01-0{day}" for day in (1, 2, 4, 7, 2, 3, 5)]),
            "y": [1.0, 2.0, 4.0, 7.0, 20.0, None, 50.0],
        }
    )
    zeros = prepare(frame, fill=0)
    assert zeros.values[:7].tolist() == [1, 2, 0, 4, 0, 0, 7]
    np.testing.assert_array_equal(zeros.values[7:], [20, np.nan, 0, 50, 0, 0])  # a missing value is no absent row
    assert flags(zeros)["filled"] == 6
    last = prepare(frame, fill="last")
    assert last.values[:7].tolist() == [1, 2, 2, 4, 4, 4, 7]
    np.testing.assert_array_equal(last.values[7:], [20, np.nan, 20, 50, 50, 50])
    assert prepare(frame, fill=0, max_duration=2).values.tolist() == [0, 7, 0, 0]
    for fill in ("x", True, float("nan"), [0]):
        with pytest.raises(OptionError, match="absent row"):
            prepare(frame, fill=fill)


def test_S10_a_series_with_most_rows_absent_is_told_of_it():
    every = pd.date_range("2023-01-01", periods=400)
    is_sold = np.random.default_rng(2).random(400) < 0.3
    warnings = {warning.flag: warning.sentence for warning in prepare(table(every[is_sold])).warnings}
    assert "fill=0" in warnings["mostly_absent"]
    assert "mostly_absent" not in flags(prepare(table(every[is_sold]), fill=0))


def test_S10_results_of_a_calendar_are_saved_and_reused(tmp_path):
    times = trading_times("2024-02-01", "2024-02-16")
    frame = table(times)
    first = nbf.forecast(frame[:-3], "naive", 3, wait=True)
    assert first.inferred > 0
    nbf.cache.save()
    nbf.cache.flush(memory=True, disk=False)
    second = nbf.forecast(frame, "naive", 3, wait=True)
    assert second.inferred == 3
    assert np.array_equal(second.array[: len(first.array)], first.array, equal_nan=True)
    assert second.data.frequency.spacing == FIVE_MINUTES
    assert nbf.forecast(frame, "naive", 3, freq="5min").handle != second.handle


def test_C5_another_year_of_holidays_keeps_the_forecasts():
    times = pd.bdate_range("2023-01-02", "2023-12-22").difference(pd.DatetimeIndex(["2023-05-01"]))
    first = nbf.forecast(table(times), "naive", 3, calendar=("business", ["2023-05-01"]), wait=True)
    later = ("business", ["2023-05-01", "2023-12-25"])
    second = nbf.forecast(table(times), "naive", 3, calendar=later, wait=True)
    assert second.handle != first.handle
    assert (second.inferred, second.reused) == (0, first.inferred)
    assert second.at(0).future.to_list()[0].date() == dt.date(2023, 12, 26)
    assert first.at(0).future.to_list()[0].date() == dt.date(2023, 12, 25)
    moved = nbf.forecast(table(times), "naive", 3, calendar=("business", ["2023-05-02"]), wait=True)
    assert moved.reused == 0  # a slot of the past is another one


def test_S10_hours_of_a_calendar_are_hours_of_the_local_clock():
    times = trading_times("2024-02-01", "2024-04-12").tz_localize("America/New_York")  # clocks change on 10 March
    data = prepare(table(times.tz_convert("UTC").tz_convert("America/New_York")))
    assert data.frequency.calendar == "mon-fri 09:30-16:00"
    assert not np.isnan(data.values).any()
    future = data.times(data.future_times(np.array([len(data) - 1]), 1)).to_list()
    assert future[0].isoformat() == "2024-04-15T09:30:00-04:00"


def test_S10_hours_count_in_spans():
    assert build_calendar("mon-fri 09:30-16:00", FIVE_MINUTES, 0).count(2 * HOUR) == 24
    assert build_calendar("mon-fri 09:30-16:00", FIVE_MINUTES, 0).count(DAY) == 78
    assert build_calendar("mon-fri 09:30-16:00", FIVE_MINUTES, 0).count(14 * DAY) == 780
    assert prepare(table(trading_times()), max_gap="2h").max_gap == 24
    assert len(prepare(table(trading_times()), max_duration="7d")) == 390
