"""S3: frequencies, their steps, and the ways in which people write them."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbforecast.data import Frequency, prepare
from nbforecast.data.frequency import parse_frequency
from nbforecast.data.span import parse_span
from nbforecast.errors import InputError, OptionError
from nbforecast.time_units import DAY, HOUR, MINUTE, WEEK

HOURLY = Frequency("fixed", HOUR)
MONTHLY = Frequency("month", 1, 1)


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("5min", "5min"), ("5m", "5min"), ("5T", "5min"), ("h", "h"), ("1h", "h"), ("H", "h"), ("60min", "h"),
        ("D", "D"), ("1d", "D"), ("daily", "D"), ("W-SAT", "W-SAT"), ("w-mon", "W-MON"), ("MS", "MS"), ("ME", "ME"),
        ("M", "ME"), ("1mo", "MS"), ("QS", "QS-JAN"), ("QE-DEC", "QE-DEC"), ("QS-FEB", "QS-FEB"), ("YS", "YS-JAN"),
        ("1y", "YS-JAN"), ("B", "B"), ("1h30m", "90min"), ("15 min", "15min"), ("500ms", "500ms"), ("1", "1"),
        ("5", "5"), ("3i", "3"), ("2 hours", "2h"), ("0.5h", "30min"), (dt.timedelta(minutes=5), "5min"),
        (pd.Timedelta("1h"), "h"), (np.timedelta64(2, "h"), "2h"), (pd.offsets.MonthEnd(), "ME"), (7, "7"),
        (np.int64(2), "2"), (MONTHLY, "MS"),
    ],
)  # fmt: skip
def test_S3_aliases_timedeltas_and_integers_are_parsed(text, alias):
    assert Frequency.from_spec(parse_frequency(text)).alias == alias


@pytest.mark.parametrize(
    "freq", ["", "x", 0, -1, "-1h", "0h", True, 1.5, None, "h5", "W-XXX", "2SMS", "2B", [], dt.timedelta(0)]
)
def test_S3_other_frequencies_are_errors(freq):
    with pytest.raises(OptionError, match="is not a frequency"):
        parse_frequency(freq)


def test_S6_spans_count_steps_months_or_microseconds():
    assert parse_span("18h", "max_duration").microseconds == 18 * HOUR
    assert parse_span(5, "max_duration").steps == 5
    assert parse_span("6mo", "max_duration").months == 6
    for other in (0, "0d", -1, "abc", 1.5, True, "B"):
        with pytest.raises(OptionError, match="max_duration"):
            parse_span(other, "max_duration")


@pytest.mark.parametrize(
    ("alias", "seasons"),
    [
        ("h", (24, 168)), ("30min", (48, 336)), ("5min", (288,)), ("15min", (96, 672)), ("D", (7, 365)), ("W", (52,)),
        ("MS", (12,)), ("QS", (4,)), ("B", (5,)), ("min", (60, 1440)), ("YS", ()), ("11h", ()),
    ],
)  # fmt: skip
def test_S3_seasons_in_steps(alias, seasons):
    assert Frequency.from_spec(parse_frequency(alias)).seasons == seasons


def test_S3_integer_grids_have_the_seasons_of_their_nominal_step():
    assert Frequency("integer", 1).seasons == ()
    assert Frequency("integer", 1, nominal="h").seasons == (24, 168)
    assert Frequency("integer", 1).key != Frequency("integer", 1, nominal="h").key


@pytest.mark.parametrize(
    ("frequency", "words"),
    [
        (Frequency("fixed", 5 * MINUTE), "5 minutes"), (HOURLY, "1 hour"), (MONTHLY, "1 month (start)"),
        (Frequency("fixed", WEEK, 2 * DAY), "1 week (Saturday)"), (Frequency("month", 1, 0), "1 month (end)"),
        (Frequency("business", 1), "1 business day"),
        (Frequency("month", 12, 1, 6), "12 months (start, counted from July)"),
        (Frequency("integer", 1), "1 step"), (Frequency("month", 1, 15), "1 month (day 15)"),
    ],
)  # fmt: skip
def test_frequency_is_described_in_words(frequency, words):
    assert frequency.describe() == words


@pytest.mark.parametrize(
    "alias",
    ["MS", "ME", "QS", "QE", "QS-FEB", "YS", "YE", "B", "2MS", "W-WED", "D", "h", "36h", "10s", "BME", "2D", "YE-JUN"],
)
def test_S3_frequency_is_inferred_from_the_calendar(alias):
    """Times of pandas' own ranges stay as they are; month ends on business days move to the end of the month."""
    times = pd.date_range("2018-01-01", periods=40, freq=alias)
    data = prepare(pd.DataFrame({"ds": times, "y": range(40)}))
    assert len(data) == 40
    if alias == "BME":
        assert data.frequency.alias == "ME"
        assert [w.flag for w in data.warnings] == ["irregular_times"]
    else:
        assert (data.time == times.to_numpy()).all()
        assert not data.warnings


def test_S3_months_of_any_day_are_inferred_through_gaps():
    days = [dt.datetime(2020 + m // 12, m % 12 + 1, 15) for m in range(30) if m not in (4, 5, 17)]
    data = prepare(pl.DataFrame({"ds": days, "y": range(len(days))}))
    assert data.frequency == Frequency("month", 1, 15)
    assert len(data) == 30
    assert np.isnan(data.values).sum() == 3


@pytest.mark.parametrize("freq", ["MS", "1mo", "ME"])
def test_S3_dates_belong_to_the_grid_point_of_their_own_month(freq):
    ends = pd.date_range("2020-01-31", periods=12, freq="ME")
    data = prepare(pd.DataFrame({"ds": ends, "y": range(12)}), freq=freq)
    assert len(data) == 12
    months = data.time.astype("datetime64[M]")
    assert (months == ends.to_numpy().astype("datetime64[M]")).all()


def test_S3_weekend_dates_belong_to_the_nearest_business_day():
    grid = Frequency("business", 1)
    days = np.array(["2024-05-03", "2024-05-04", "2024-05-05", "2024-05-06"], dtype="datetime64[us]")
    assert np.diff(grid.to_step(days)).tolist() == [0, 1, 0]


def test_S3_regular_times_keep_their_phase_and_times_with_jitter_go_to_the_epoch():
    start = np.datetime64("2024-01-01T00:30", "us")
    exact = start + np.arange(50) * np.timedelta64(1, "h")
    assert (prepare({"ds": exact, "y": np.arange(50.0)}).time == exact).all()
    jitter = np.random.default_rng(0).integers(-60_000_000, 60_000_000, 50).astype("timedelta64[us]")
    assert (prepare({"ds": exact + jitter, "y": np.arange(50.0)}).time == exact).all()
    near = exact - np.timedelta64(28, "m")
    assert prepare({"ds": near + jitter, "y": np.arange(50.0)}).frequency.anchor == 0


def test_S3_frequency_is_inferred_despite_gaps_jitter_and_nan():
    rng = np.random.default_rng(1)
    times = np.datetime64("2024-01-01", "us") + np.arange(400) * np.timedelta64(300, "s")
    times = times + rng.integers(-1_000_000, 1_000_000, 400).astype("timedelta64[us]")
    values = np.where(rng.random(400) < 0.2, np.nan, 1.0)
    keep = rng.random(400) > 0.3
    data = prepare({"ds": times[keep], "y": values[keep]})
    assert data.frequency == Frequency("fixed", 5 * MINUTE)


def test_S3_series_of_different_frequencies_are_an_error_that_names_them():
    hours = pl.DataFrame({"ds": np.datetime64("2024-01-01", "us") + np.arange(50) * np.timedelta64(1, "h")})
    fives = pl.DataFrame({"ds": np.datetime64("2024-01-01", "us") + np.arange(50) * np.timedelta64(5, "m")})
    panel = pl.concat([hours.with_columns(unique_id=pl.lit("slow")), fives.with_columns(unique_id=pl.lit("fast"))])
    panel = panel.with_columns(y=pl.lit(1.0))
    with pytest.raises(InputError, match=r"5 minutes.*'fast'.*1 hour.*'slow'.*freq="):
        prepare(panel)
    assert prepare(panel, freq="5min").ids == ("fast", "slow")
    with pytest.raises(InputError, match=r"every 5 minutes in series 'fast', but freq='1h' is 1 hour"):
        prepare(panel, freq="1h")


def test_S3_calendar_frequency_of_integer_times_gives_seasons_and_no_dates():
    data = prepare(np.arange(60.0), freq="h")
    assert data.time.tolist() == list(range(60))
    assert data.frequency.seasons == (24, 168)
    assert data.time_type == pl.Int64
    with pytest.raises(OptionError, match="counts integer steps"):
        prepare({"ds": pd.date_range("2024", periods=9), "y": range(9)}, freq=1)
