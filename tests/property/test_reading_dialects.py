"""S8: random tables, written in random ways, come back as they were."""

import datetime as dt
import gzip

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.data.date_formats import MONTH_NUMBERS
from nbforecast.data.values import read_values
from nbforecast.errors import InputError
from nbforecast.time_units import DAY, HOUR, MINUTE
from tests.support.examples import examples

quick = examples(25)
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


@st.composite
def number_dialects(draw):
    """Make a function that writes a number as text, and its decimal sign."""
    decimal = draw(st.sampled_from(".,"))
    group = draw(st.sampled_from(["", " ", "\u202f", "'", "," if decimal == "." else "."]))
    digits, trims = draw(st.integers(0, 4)), draw(st.booleans())

    def write(value):
        whole, _, fraction = f"{value:,.{digits}f}".partition(".")
        fraction = fraction.rstrip("0") if trims else fraction
        return whole.replace(",", group) + (decimal + fraction if fraction else "")

    return write, decimal, digits


NUMBERS = st.lists(st.floats(-1e7, 1e7, allow_nan=False, width=32), min_size=12, max_size=40)


@quick
@given(NUMBERS, number_dialects(), st.sampled_from(["", "-", "NA", "k. A."]))
def test_S8_numbers_in_any_dialect_come_back_or_are_asked_about(values, dialect, missing):
    write, decimal, digits = dialect
    text = pl.Series("y", [missing, *map(write, values)])
    try:
        numbers, _ = read_values(text)
    except InputError as error:
        assert f"decimal={decimal!r}" in str(error)  # noqa: PT017
        numbers, _ = read_values(text, decimal)
    assert np.isnan(numbers[0])
    assert np.allclose(numbers[1:], np.round(values, digits), rtol=1e-12, atol=10.0**-digits)


@st.composite
def layouts(draw):
    """Make a function that writes rows of text as a file."""
    separator = draw(st.sampled_from(",;\t|"))
    above = draw(st.sampled_from(["", "Title\n", "# a comment, with commas; and others\n", "Title\n\nOf: x\n\n",
                                  f"sep={separator}\n", f"a{separator}b\n1{separator}2\n\n", "\n"]))  # fmt: skip
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]))
    line_end, quotes, compress = draw(st.sampled_from(["\n", "\r\n", "\r"])), draw(st.booleans()), draw(st.booleans())

    def write(rows):
        def field(text):
            return f'"{text}"' if quotes or separator in text else text

        text = above + "".join(separator.join(map(field, row)) + "\n" for row in rows)
        content = text.replace("\n", line_end).encode(encoding)
        return gzip.compress(content) if compress else content

    return write


@quick
@given(times(), layouts(), st.sampled_from(["%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M"]), st.sampled_from(".,"))
def test_S8_files_in_any_layout_come_back(tmp_path_factory, column, layout, form, decimal):
    values = [i + 0.25 for i in range(len(column))]
    rows = [(time.strftime(form), f"{value}".replace(".", decimal)) for time, value in zip(column, values, strict=True)]
    path = tmp_path_factory.mktemp("layouts") / ("a.csv.gz" if layout([])[:2] == b"\x1f\x8b" else "a.csv")
    path.write_bytes(layout([("Datum", "Größe"), *rows]))
    data = prepare(path)
    assert data.handle == prepare({"ds": column, "y": values}).handle
    assert (data.names.time, data.names.target) == ("Datum", "Größe")
