"""S8: text and numbers that are times, and those that could be two."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.data.timestamps import read_times
from nbforecast.errors import InputError, OptionError

DAYS = pd.date_range("2024-02-20", periods=30)
HOURS = pd.date_range("2024-02-20", periods=72, freq="h")


def _read(*texts, **options):
    column = read_times(pl.Series("ds", texts), **options)
    return column.times.astype("datetime64[us]").astype(str).tolist(), column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31/10/24", "2024-10-31"), ("10/31/24", "2024-10-31"), ("31.1.98", "1998-01-31"),
        ("31-Jan-15", "2015-01-31"),
        ("Jan-15", "2015-01-01"), ("Jan-49", "1949-01-01"), ("5 Mai 2024", "2024-05-05"),
        ("5. März 2024", "2024-03-05"),
        ("lun. 5 févr. 2024", "2024-02-05"), ("mar. 6 mars 2024", "2024-03-06"), ("Mar 6, 2024", "2024-03-06"),
        ("5 de enero de 2024", "2024-01-05"), ("6 gennaio 2024", "2024-01-06"), ("6 mrt. 2024", "2024-03-06"),
        ("2024-mei-06", "2024-05-06"), ("Aug 2024", "2024-08-01"), ("août 2024", "2024-08-01"),
        ("2005Q2", "2005-04-01"), ("2005-Q2", "2005-04-01"), ("Q2 2005", "2005-04-01"),
        ("2. Quartal 2005", "2005-04-01"),
        ("2005 T3", "2005-07-01"), ("2015M07", "2015-07-01"), ("2015-07", "2015-07-01"), ("07/2015", "2015-07-01"),
        ("2022-W01", "2022-01-03"), ("2022W01-3", "2022-01-05"), ("KW 1/2022", "2022-01-03"),
        ("2022-W52", "2022-12-26"),
        ("2024-01-05 UTC", "2024-01-05"), ("2024-01-05 13:00 UTC", "2024-01-05T13:00"),
        ("Fri, 05 Jan 2024 13:00:00 GMT", "2024-01-05T13:00"), ("Fri Jan 05 13:00:00 2024", "2024-01-05T13:00"),
        ("05.01.2024, 13:00", "2024-01-05T13:00"), ("05.01.2024 13:00 Uhr", "2024-01-05T13:00"),
        ("20240105T1300Z", "2024-01-05T13:00"), ("201507", "2015-07-01"), ("2015071513", "2015-07-15T13:00"),
        ("13/1/2024 1:05 PM", "2024-01-13T13:05"), ("13/1/2024 12:05 a. m.", "2024-01-13T00:05"),
        ("2024-01-05T24:00", "2024-01-06"), ("2024-01-05T13", "2024-01-05T13:00"),
        ("2024/1/5 3:04", "2024-01-05T03:04"),
        ("05/Jan/2024:13:00:00 +0100", "2024-01-05T12:00"), ("2024年1月5日", "2024-01-05"),
    ],
)  # fmt: skip
def test_S8_ways_of_writing_times(text, expected):
    assert _read(text)[0] == [str(np.datetime64(expected, "us"))]


@pytest.mark.parametrize(
    "form", ["%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y", "%y-%m-%d", "%d %b %y", "%d/%m/%y %H:%M"]
)
def test_S8_csv_and_frame_read_a_column_alike_whatever_its_order(form, tmp_path):
    times = HOURS if "%H" in form else DAYS
    expected = prepare(pd.DataFrame({"ds": times, "y": np.arange(len(times))}))
    text = pd.DataFrame({"when": times.strftime(form), "y": np.arange(len(times))})
    text.to_csv(tmp_path / "a.csv", index=False)
    assert prepare(text).handle == prepare(tmp_path / "a.csv").handle == expected.handle


def test_S8_day_and_month_that_cannot_be_told_apart_are_an_error_that_names_both_readings_and_the_option():
    frame = {"when": ["01/10/24", "02/11/24", "03/12/24"], "y": [1, 2, 3]}
    with pytest.raises(InputError, match=r"2024-10-01 \(date_order='dmy'\) or 2024-01-10 \(date_order='mdy'\)"):
        prepare(frame)
    assert prepare(frame, date_order="dmy").values.size == 3
    assert _read(*frame["when"], order="dmy")[0][0][:10] == "2024-10-01"
    assert _read(*frame["when"], order="mdy")[0][0][:10] == "2024-01-10"
    with pytest.raises(OptionError, match="date_order= takes one of"):
        prepare(frame, date_order="us")
    with pytest.raises(InputError, match=r"no common order: row 0 .*not day/month, row 1 .*not month/day"):
        _read("1/13/2024", "13/2/2024")


def test_S8_months_of_us_dates_are_told_by_their_regularity():
    starts = [f"{month}/1/{year}" for year in (2015, 2016) for month in range(1, 13)]
    data = prepare({"ds": starts, "y": range(24)})
    assert data.frequency.alias == "MS"
    assert [w.flag for w in data.warnings] == ["date_order"]
    with pytest.raises(InputError, match="date_order="):  # twelve days or twelve months
        prepare({"ds": starts[:12], "y": range(12)})


def test_S8_years_of_two_digits_are_told_and_never_the_first_century():
    data = prepare({"ds": ["Nov-99", "Dec-99", "Jan-00", "Feb-00"], "y": range(4)})
    assert (data.time_type, str(data.time[0])[:7], len(data)) == (pl.Date, "1999-11", 4)
    assert data.warnings[0].sentence == "Years of two digits in 'ds' are read as 1999 to 2000."


def test_S8_offsets_in_text_keep_the_local_clock():
    months = pd.date_range("2021-01-01", periods=24, freq="MS", tz="Europe/Berlin")
    data = prepare({"ds": [m.isoformat() for m in months], "y": range(24)})
    assert (data.frequency.alias, str(data.time[0])[:10], data.time_type) == ("MS", "2021-01-01", pl.Datetime("us"))
    with pytest.raises(InputError, match=r"Row 1 .*'2024-01-02 00:00'"):
        _read("2024-01-01 00:00+01:00", "2024-01-02 00:00")


def test_S8_midnights_without_a_time_of_day():
    text = [f"{h:%Y-%m-%d}" if h.hour == 0 else f"{h:%Y-%m-%d %H:%M:%S}" for h in HOURS]
    assert prepare({"ds": text, "y": range(72)}).handle == prepare(pd.DataFrame({"ds": HOURS, "y": range(72)})).handle
    objects = pd.DataFrame({"ds": pd.Series([*DAYS[:-1], "2024-03-20"], dtype=object), "y": range(30)})
    assert prepare(objects).frequency.alias == "D"
    dates = pd.DataFrame({"ds": pd.Series([dt.date(2024, 1, 1), "2024-01-02"], dtype=object), "y": range(2)})
    assert prepare(dates).frequency.alias == "D"


@pytest.mark.parametrize(
    ("unit", "size"), [("seconds", 10**9), ("milliseconds", 10**6), ("microseconds", 1000), ("nanoseconds", 1)]
)
def test_S8_epochs_are_times_with_a_note(unit, size):
    expected = prepare(pd.DataFrame({"ds": HOURS, "y": range(72)}))
    numbers = HOURS.astype("int64") // size
    for column in (numbers, numbers.astype(str)):
        data = prepare(pd.DataFrame({"ts": column, "y": range(72)}), time="ts")
        assert data.handle == expected.handle
        assert f"as {unit} since 1970" in data.warnings[0].sentence
    assert (
        prepare({"ts": (numbers // (10**9 // size)).to_list(), "y": range(72)}, time="ts", freq=3600).time_type
        == pl.Int64
    )
    if unit == "seconds":
        assert prepare({"ds": (numbers + 0.25).to_list(), "y": range(72)}).time[0] == np.datetime64(
            "2024-02-20T00:00:00.25"
        )


def test_S8_integers_of_dates_are_told_and_steps_stay_steps():
    months = [100 * y + m for y in (2015, 2016) for m in range(1, 13)]
    data = prepare({"ds": months, "y": range(24)})
    assert (data.frequency.alias, data.warnings[0].flag) == ("MS", "integer_dates")
    assert prepare({"ds": months[:12], "y": range(12)}, freq=1).time[0] == 201501
    for steps in ([2005, 2006, 2007], [1, 2, 3], [190010, 190011, 190013], [0, 5, 10**9]):
        assert read_times(pl.Series("ds", steps)).time_type == pl.Int64


@pytest.mark.parametrize(
    "text", ["2024-02-30", "2021-W53", "31/13/2024", "2024-01-01 25:00", "5 Foo 2024", "2005Q5", "13:00"]
)
def test_S8_text_that_is_no_time_names_its_row(text):
    with pytest.raises(InputError, match=r"Row 1 of the column of times 'ds'"):
        _read("2024-01-01", text)
    with pytest.raises(InputError, match=r"Row 0 of the column of times 'ds'"):
        _read(text)


def test_S4_a_stray_time_names_its_row():
    days = [*DAYS.astype(str), "9999-12-31"]
    for options in ({}, {"max_duration": "90d"}):
        with pytest.raises(InputError, match=r"9999-12-31 in row 30 of 'ds' is 7,97\d years away"):
            prepare({"ds": days, "y": range(31)}, **options)
    early = {"ds": ["1900-01-01", *days[:-1]], "y": range(31)}
    with pytest.raises(InputError, match=r"1900-01-01 in row 0 .*124 years away"):
        prepare(early)
    assert len(prepare(early, max_duration="90d")) == 30
    census = {"ds": [f"{y}-01-01" for y in (1850, 1860, 1870, 1950, 1960)], "y": range(5)}
    assert prepare(census).values[0] == 0


@pytest.mark.parametrize("rate", [24, 29.97, 30, 60, 120, 144])
def test_S3_frames_a_second_with_a_clock_of_milliseconds_keep_every_frame(rate):
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.round(np.arange(3000) * 1000 / rate).astype(int), unit="ms")
    data = prepare(pd.DataFrame({"ds": times, "y": np.arange(3000.0)}))
    assert np.array_equal(data.values, np.arange(3000.0))


@pytest.mark.parametrize(("hours", "alias"), [((6, 18), "12h"), ((0, 4, 8, 12, 16, 20), "4h"), ((1, 9, 17), "8h")])
def test_S3_steps_of_hours_that_only_the_local_clock_keeps(hours, alias):
    days = pd.date_range("2024-01-01", "2024-12-31")
    local = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in days for hour in hours])
    zoned = pd.DataFrame({"ds": local.tz_localize("Europe/Berlin"), "y": np.arange(len(local))})
    data = prepare(zoned)
    assert data.handle == prepare(pd.DataFrame({"ds": local, "y": np.arange(len(local))})).handle
    assert (data.frequency.alias, data.time_type) == (alias, pl.Datetime("us"))
    assert [w.flag for w in data.warnings] == ["local_clock"]
