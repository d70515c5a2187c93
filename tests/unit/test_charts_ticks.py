"""Ticks of the static chart (SPEC Q3: real times on the axis, numbers for people)."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbforecast.charts.text_layout import text_width
from nbforecast.charts.ticks import calendar_fields, find_zone, time_ticks, value_axis
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])


def us(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


def boxes(places, texts):
    return [(x - text_width(t) / 2, x + text_width(t) / 2) for x, t in zip(places, texts, strict=True) if t]


@given(
    start=st.integers(us("1850-01-01"), us("2150-01-01")),
    span=st.integers(1, 18).flatmap(lambda p: st.integers(10**p, 10 ** (p + 1))).map(lambda s: min(s, 400 * 365 * DAY)),
    width=st.floats(120, 1400),
    zone=ZONES,
    calendar=st.booleans(),
)
@example(start=us("2024-10-27T00:10"), span=2 * HOUR, width=800.0, zone="Europe/Berlin", calendar=True)
@example(start=us("2015-12-31T20:00"), span=12 * HOUR, width=420.0, zone=None, calendar=True)
def test_q3_time_labels_never_overlap_and_time_goes_on(start, span, width, zone, calendar):
    ticks = time_ticks(start, start + span, width, calendar=calendar, zone=find_zone(zone), overhang=20)
    assert all(a.time < b.time and a.x < b.x for a, b in pairwise(ticks))
    assert all(start <= t.time <= start + span and -1e-6 <= t.x <= width + 1e-6 for t in ticks)
    for row in (
        boxes([t.label_x for t in ticks], [t.label for t in ticks]),
        boxes([t.context_x for t in ticks], [t.context for t in ticks]),
    ):
        assert all(a[1] + 6 <= b[0] for a, b in pairwise(row))
        assert all(left >= -20.001 and right <= width + 20.001 for left, right in row)


@given(
    start=st.integers(us("1950-01-01"), us("2050-01-01")).map(lambda t: t // MINUTE * MINUTE),
    span=st.integers(2 * HOUR, 4 * DAY),
    zone=ZONES,
)
def test_q3_an_hour_is_labelled_with_the_local_clock(start, span, zone):
    place = find_zone(zone) or UTC
    for tick in time_ticks(start, start + span, 800, calendar=True, zone=find_zone(zone)):
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tick.time)).astimezone(place)
        assert tick.label in (local.strftime("%H:%M"), f"{local:%a} {local.day}")


@given(st.integers(us("0001-01-01"), us("9999-12-31")))
def test_q3_calendar_fields_are_those_of_the_standard_library(at):
    fields, expected = calendar_fields(at), datetime(1970, 1, 1) + timedelta(microseconds=at)
    assert (fields.year, fields.month, fields.day, fields.weekday) == (
        expected.year,
        expected.month,
        expected.day,
        expected.weekday(),
    )


@pytest.mark.parametrize(
    ("start", "stop", "labels", "unders"),
    [
        ("2015-05-31T21:10", "2015-06-01T10:00", ["22:00", "23:00", "00:00"], ["Sun 31 May 2015", "", "Mon 1 Jun"]),
        ("2014-09-10", "2015-07-20", ["Oct", "Nov", "Dec", "Jan"], ["2014", "", "", "2015"]),
        ("1917-05-01", "1978-05-01", ["1920", "1925", "1930"], ["", "", ""]),
        ("2015-06-01T08:34:58", "2015-06-01T08:36", ["08:35:00", "08:35:10"], ["Mon 1 Jun 2015", ""]),
        ("2014-12-20", "2015-02-10", ["22 Dec", "29 Dec", "5 Jan"], ["2014", "", "2015"]),
    ],
)
def test_q3_times_read_like_a_calendar(start, stop, labels, unders):
    ticks = time_ticks(us(start), us(stop), 800, calendar=True)
    assert [t.label for t in ticks][: len(labels)] == labels
    assert [t.context for t in ticks][: len(unders)] == unders


def test_q3_a_change_of_clocks_leaves_every_tick_on_a_whole_local_hour():
    zone = find_zone("Europe/Berlin")
    ticks = time_ticks(us("2024-03-30T21:00"), us("2024-03-31T06:00"), 900, calendar=True, zone=zone)
    assert [t.label for t in ticks] == ["22:00", "23:00", "00:00", "01:00", "03:00", "04:00", "05:00", "06:00", "07:00",
                                        "08:00"]  # fmt: skip


def test_q3_an_unknown_zone_leaves_utc():
    assert find_zone("Middle_Earth/Shire") is None
    assert find_zone("../../etc/passwd") is None


@given(st.floats(-1e15, 1e15), st.floats(1e-6, 1), st.integers(-12, 15), st.floats(2, 9))
@example(-5e-324, 1.0, 0, 5.0)
def test_q3_value_ticks_are_distinct_ascending_and_inside(middle, share, power, count):
    span = max(share * 10.0**power, abs(middle) * 1e-8)
    low, high = middle - span / 2, middle + span / 2
    axis = value_axis(low, high, count)
    assert all(a < b for a, b in pairwise(axis.values))
    assert all(low - span * 1e-6 <= at <= high + span * 1e-6 for at in axis.values)
    assert len(set(axis.labels)) == len(axis.labels)
    assert 1 <= len(axis.values) <= 2 * count + 2


@given(st.floats(-1e14, 1e14), st.floats(1e-4, 1), st.integers(-3, 14))
def test_q3_labels_say_the_value_they_stand_at(middle, share, power):
    span = max(share * 10.0**power, abs(middle) * 1e-6)
    axis = value_axis(middle - span, middle + span)
    scales = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    for at, label in zip(axis.values, axis.labels, strict=True):
        if "×" in label:
            continue
        plain = label.replace(",", "").replace("−", "-")
        value = float(plain.rstrip("kMBT")) * scales.get(plain[-1], 1.0)
        assert math.isclose(value, at, rel_tol=1e-9, abs_tol=span * 1e-9)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (60, 200, ("60", "80", "100", "120", "140", "160", "180", "200")),
        (0, 1, ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")),
        (0, 42_000, ("0", "10,000", "20,000", "30,000", "40,000")),
        (310_000, 500_000, ("350k", "400k", "450k", "500k")),
        (0.98e12, 1.02e12, ("0.98T", "0.99T", "1.00T", "1.01T", "1.02T")),
        (-2e-9, 4e-9, ("−2×10⁻⁹", "−1×10⁻⁹", "0", "1×10⁻⁹", "2×10⁻⁹", "3×10⁻⁹", "4×10⁻⁹")),
        (-0.35, 0.35, ("−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3")),
    ],
)
def test_q3_numbers_are_written_for_people(low, high, labels):
    assert value_axis(low, high).labels == labels


def test_q3_steps_shorter_than_a_second_are_told_apart():
    ticks = time_ticks(0, SECOND, 800, calendar=True)
    assert len(ticks) > 3
    assert len({t.label for t in ticks}) == len(ticks)
