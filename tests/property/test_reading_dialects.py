"""S8: random tables, written in random ways, come back as they were."""

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.data.date_text import MONTH_NUMBERS
from nbforecast.errors import InputError
from nbforecast.time_units import DAY, HOUR, MINUTE

quick = settings(max_examples=60, deadline=None)
NAMES = {number: [n for n, m in MONTH_NUMBERS.items() if m == number] for number in range(1, 13)}
ORDERS = {"dmy": "{d}{m}{y}", "mdy": "{m}{d}{y}", "ymd": "{y}{m}{d}"}


@st.composite
def times(draw, steps=(MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY)):
    every, start = draw(st.sampled_from(steps)), draw(st.integers(0, 14_000))  # days from 1980 on
    first = dt.datetime(1980, 1, 1) + dt.timedelta(days=start)
    return [first + dt.timedelta(microseconds=every) * i for i in range(draw(st.integers(12, 60)))]


@st.composite
def dialects(draw):
    """Make a function that writes a time as text, and the order of its numbers, None where letters or ISO name it."""
    order = draw(st.sampled_from(["dmy", "mdy", "ymd", None]))
    pad, short = draw(st.booleans()), draw(st.booleans()) and order != "ymd"
    clock = draw(st.sampled_from([" %H:%M:%S", "T%H:%M:%S", ", %H:%M:%S", " %I:%M:%S %p", " %H:%M:%S UTC"]))
    mark, which = draw(st.sampled_from("/-. ")) if order else "", draw(st.integers(0, 4))
    if order == "mdy" and mark == ".":
        mark = "/"

    def write(time):
        day, month = (f"{n:02d}" if pad else str(n) for n in (time.day, time.month))
        year = f"{time.year % 100:02d}" if short else str(time.year)
        if order is None:
            names = NAMES[time.month]
            return f"{day} {names[which % len(names)]} {year}" + time.strftime(clock)
        parts = {"d": day, "m": month, "y": year}
        return mark.join(parts[letter] for letter in order) + time.strftime(clock)

    return write, order


@quick
@given(times(), dialects())
def test_S8_times_in_any_dialect_come_back_or_are_asked_about(column, dialect):
    write, order = dialect
    text = pl.Series([write(time) for time in column])
    values = np.arange(len(column))
    expected = prepare({"ds": column, "y": values})
    try:
        data = prepare({"ds": text, "y": values})
    except InputError as error:
        assert order in str(error)  # noqa: PT017
        data = prepare({"ds": text, "y": values}, date_order=order)
    assert (data.time == expected.time).all()
    assert np.array_equal(data.values, expected.values)
