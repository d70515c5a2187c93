"""S8: years, months and quarters in columns of their own, and integers that are dates or times of day."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.errors import InputError, OptionError

MONTHS = pd.date_range("1949-01-01", periods=36, freq="MS")
VALUES = np.arange(36.0)
MONTHLY = prepare(pd.DataFrame({"ds": MONTHS, "y": VALUES})).handle


@pytest.mark.parametrize("form", ["%-m", "%b", "%B", "%m"])
@pytest.mark.parametrize("names", [("year", "month"), ("Year", "Mon"), ("Jahr", "Monat"), ("an", "mois")])
def test_S8_a_year_and_a_month_are_joined(form, names, tmp_path):
    months = MONTHS.strftime(form)
    table = pd.DataFrame({names[0]: MONTHS.year, names[1]: months, "passengers": VALUES})
    table.to_csv(tmp_path / "a.csv", index=False)
    for frame in (table, pl.from_pandas(table), tmp_path / "a.csv"):
        data = prepare(frame)
        assert data.handle == MONTHLY
        assert [w.flag for w in data.warnings] == ["joined_times"]
        assert prepare(frame, time=names[0]).handle == prepare(frame, time=list(names)).handle == MONTHLY


def test_S8_quarters_and_days_are_joined_too():
    quarters = pd.date_range("1959-01-01", periods=30, freq="QS")
    table = pd.DataFrame({"year": quarters.year, "quarter": quarters.quarter, "gdp": np.arange(30.0)})
    assert prepare(table).handle == prepare(pd.DataFrame({"ds": quarters, "y": np.arange(30.0)})).handle
    days = pd.date_range("2023-11-20", periods=80)
    table = pd.DataFrame({"flow": np.arange(80.0), "day": days.day, "month": days.month, "year": days.year})
    expected = prepare(pd.DataFrame({"ds": days, "y": np.arange(80.0)})).handle
    assert prepare(table).handle == prepare(table, time=["year", "month", "day"]).handle == expected
    hours = pd.date_range("2023-12-30", periods=80, freq="h")
    parts = {part: getattr(hours, part) for part in ("year", "month", "day", "hour")}
    table = pd.DataFrame(parts | {"v": VALUES[0]})
    assert prepare(table).frequency.alias == "h"


def test_S8_a_panel_of_months_needs_no_hint():
    one = pd.DataFrame({"year": MONTHS.year, "month": MONTHS.month, "y": VALUES})
    rows = pd.concat([one.assign(unique_id=name) for name in "ab"])
    assert prepare(rows).ids == ("a", "b")
    assert prepare(rows).frequency.alias == "MS"


def test_S8_years_that_do_not_repeat_stay_years():
    table = pd.DataFrame({"year": range(1900, 1940), "month": 7, "y": np.arange(40.0)})
    assert prepare(table, time="year").frequency.kind == "integer"


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"month": 13}, "is 13, which is no month"), ({"year": 49}, "is 49, which is no year"),
     ({"month": "Smarch"}, "is 'Smarch', which is no month"), ({"day": 31, "month": 2}, "has the date 1950-2-31")],
)  # fmt: skip
def test_S8_what_is_no_date_is_named(changed, said):
    table = pd.DataFrame({"year": MONTHS.year, "month": MONTHS.month, "day": 1, "y": VALUES}).astype({"month": object})
    for name, value in changed.items():
        table.loc[13, name] = value
    with pytest.raises(InputError, match=rf"Row 13 (of '\w+' )?{re.escape(said)}"):
        prepare(table)


def test_S8_a_time_of_day_needs_a_date():
    table = pd.DataFrame({"run": [1, 1, 2, 2], "clock": ["10:00", "11:00"] * 2, "y": [1.0, 2, 3, 4]})
    with pytest.raises(InputError, match="The numbers in 'run' are no dates, to which the times of day in 'clock'"):
        prepare(table, time=["run", "clock"])
    with pytest.raises(OptionError, match="takes a date and a time of day, or a year, a month and a day"):
        prepare(table, time=["run", "clock", "y"], target="y")


DAYS = pd.bdate_range("1980-01-02", periods=400)


@settings(max_examples=20, deadline=None)
@given(start=st.integers(0, 300), count=st.integers(40, 100), as_text=st.booleans())
def test_S8_integers_that_are_all_dates_of_two_digit_years_are_read_as_such(start, count, as_text):
    days = DAYS[start : start + count]
    integers = [int(f"{day:%y%m%d}") for day in days]
    data = prepare({"date": list(map(str, integers)) if as_text else integers, "y": np.ones(count)}, time="date")
    assert data.handle == prepare({"ds": list(days), "y": np.ones(count)}).handle
    assert {"integer_dates", "two_digit_years"} <= {w.flag for w in data.warnings}
    assert prepare({"date": integers, "y": np.ones(count)}, time="date", freq=1).frequency.kind == "integer"


@pytest.mark.parametrize(
    "steps", [range(100_101, 100_131), range(1, 300), range(100_000, 101_300), range(101, 1_300, 100)]
)
def test_S8_runs_of_steps_are_no_dates(steps):
    assert prepare({"step": list(steps), "y": np.arange(len(steps)) * 1.0}, time="step").frequency.kind == "integer"


def test_S8_integers_that_may_be_times_of_day_are_an_error():
    clocks = [100 * (m // 60 % 24) + m % 60 for m in range(510, 510 + 14 * 60, 10)]
    table = {"time": clocks, "y": np.arange(len(clocks)) * 1.0}
    with pytest.raises(InputError, match="can be steps, or times of day from 08:30 to 22:20"):
        prepare(table, time="time")
    assert prepare(table, time="time", freq=10).frequency.kind == "integer"
    assert prepare({"time": list(range(0, 2_400, 50)), "y": np.arange(48) * 1.0}, time="time").frequency.every == 50


def test_S8_a_number_beside_a_month_that_may_be_a_day_is_an_error():
    march = ["Oct18", "Oct24", "Nov09", "Nov14", "Nov21", "Nov28", "Dec01", "Dec06", "Dec07"]
    with pytest.raises(InputError, match=r"'Oct18': the number can be a year of two digits or a day"):
        prepare({"date": march, "temp": np.arange(9.0)})
    years = [f"{day:%b%y}" for day in pd.date_range("2018-10-01", periods=60, freq="MS")]
    assert prepare({"date": years, "temp": np.arange(60.0)}).frequency.alias == "MS"


def test_S8_month_names_may_be_joined_by_dashes():
    text = [f"{day:%b}-{day.day}-{day.year}" for day in MONTHS]
    assert prepare({"DATE": text, "y": VALUES}).handle == MONTHLY


def test_S8_a_written_index_is_no_value(tmp_path):
    pd.DataFrame(
        {"Quarter": [f"{y} Q{q}" for y in range(1970, 1980) for q in range(1, 5)], "use": np.arange(40.0)}
    ).to_csv(tmp_path / "a.csv")
    assert prepare(tmp_path / "a.csv").names.target == "use"
