"""S3, S4, S5, S6, S7: the grid, repairs, errors, and the newest part of a history."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import Frequency, prepare, samples
from nbforecast.errors import IndexOutOfRange, InputError, OptionError
from tests.support.requirements import shared

FIVE = np.timedelta64(300, "s")
START = np.datetime64("2024-03-01", "us")


def frame(values, step=FIVE, start=START, **more):
    return pl.DataFrame({"ds": start + np.arange(len(values)) * step, "y": np.asarray(values, dtype=float), **more})


def flags(data):
    return {w.flag: w.count for w in data.warnings}


def test_S3_absent_rows_nulls_and_nan_are_missing_rows():
    whole = frame(np.arange(300.0))
    gaps = whole.filter(~pl.int_range(pl.len()).is_in([5, 6, *range(100, 150)]))
    nulls = whole.with_columns(
        y=pl.when(pl.int_range(pl.len()).is_in([5, 6, *range(100, 150)])).then(None).otherwise("y")
    )
    nans = nulls.with_columns(pl.col("y").fill_null(float("nan")))
    prepared = [prepare(f) for f in (gaps, nulls, nans)]
    assert len({d.handle for d in prepared}) == 1
    data = prepared[0]
    assert len(data) == 300
    assert np.isnan(data.values).sum() == 52
    assert flags(data) == {"interpolated": 2, "long_gap": 1}
    assert "50 steps (4 h 10 min), from 2024-03-01 08:20 to 2024-03-01 12:25" in str(data.warnings[-1])


def test_S3_a_gap_never_shifts_an_index():
    table = frame(np.arange(60.0))
    whole, part = prepare(table), prepare(table.filter(pl.col("y") % 7 != 2))
    for index in (0, -1, -30, -59):
        assert whole.time[whole.row(index)] == part.time[part.row(index)]


def test_S3_max_gap_default_is_half_a_season_at_most_twelve_steps():
    assert prepare(frame(np.ones(9))).max_gap == 12
    assert prepare(frame(np.ones(9), np.timedelta64(1, "D"))).max_gap == 3
    assert prepare(frame(np.ones(9)), max_gap="1h").max_gap == 12
    assert prepare(frame(np.ones(9)), max_gap=0).max_gap == 0
    with pytest.raises(OptionError, match="max_gap"):
        prepare(frame(np.ones(9)), max_gap=-1)


def test_S3_duplicate_times_become_their_mean_and_equal_rows_count_once():
    more = pl.DataFrame({"ds": START + np.array([0, 0, 1]) * FIVE, "y": [0.0, 6.0, 1.0]})
    data = prepare(pl.concat([frame(np.arange(20.0)), more]))
    assert data.values[:2].tolist() == [3.0, 1.0]
    assert flags(data) == {"duplicate_times": 3}
    assert len(data) == 20


def test_S3_shifted_times_move_to_the_grid_and_are_counted():
    shift = np.zeros(300, dtype="timedelta64[us]")
    shift[[10, 20]] = 60_000_000
    data = prepare(frame(np.arange(300.0)).with_columns(pl.col("ds") + pl.Series(shift)))
    assert flags(data) == {"irregular_times": 2}
    assert (data.values == np.arange(300)).all()


def test_S3_L1_each_time_is_placed_by_itself():
    """With a given frequency, later rows change no row before the last one."""
    rng = np.random.default_rng(3)
    times = START + np.sort(rng.integers(0, 86_400_000_000, 200)).astype("timedelta64[us]")
    table = pl.DataFrame({"ds": times, "y": rng.normal(size=200)})
    whole = prepare(table, freq="5min")
    part = prepare(table.head(125), freq="5min")
    n = len(part) - 1
    assert (part.time[:n] == whole.time[:n]).all()
    assert np.array_equal(part.values[:n], whole.values[:n], equal_nan=True)


@pytest.mark.parametrize("series", range(4))
def test_S3_C5_the_grid_of_sensor_data_does_not_depend_on_a_cut(series):
    table = nbf.sample("glucose")
    table = table.filter(pl.col("unique_id") == table["unique_id"].unique().sort()[series])
    whole = prepare(table)
    for part in (table.tail(1500), table.tail(600), table.tail(300)):
        cut = prepare(part)
        assert cut.frequency == whole.frequency
        assert np.array_equal(cut.values[1:], whole.values[-len(cut) + 1 :], equal_nan=True)
    for part in (table.head(1500), table.head(600), table.head(300)):
        cut = prepare(part)
        assert np.array_equal(cut.values[:-1], whole.values[: len(cut) - 1], equal_nan=True)


def test_S4_ends_without_values_are_trimmed_and_infinities_are_missing():
    data = prepare(frame([np.nan, np.inf, 1, 2, -np.inf, 3, np.nan]))
    assert flags(data) == {"non_finite": 2, "trimmed": 3, "interpolated": 1}
    assert data.values[[0, -1]].tolist() == [1.0, 3.0]
    assert data.row(0) == 3


def test_S4_series_with_less_than_two_points_are_left_out_with_a_warning():
    good = frame(np.arange(9.0)).with_columns(unique_id=pl.lit("good"))
    one = good.head(1).with_columns(unique_id=pl.lit("one"))
    empty = good.with_columns(y=pl.lit(None, dtype=pl.Float64), unique_id=pl.lit("empty"))
    data = prepare(pl.concat([one, good, empty]))
    assert data.ids == ("good",)
    assert {(w.flag, w.series) for w in data.warnings} == {("empty_series", "empty"), ("too_short", "one")}
    with pytest.raises(InputError, match="fewer than two data points"):
        prepare(pl.concat([one, one.with_columns(unique_id=pl.lit("two")), empty]))
    many = pl.concat([good] + [one.with_columns(unique_id=pl.lit(f"s{i}")) for i in range(9)])
    assert flags(prepare(many)) == {"too_short": 9}


def test_S4_a_stray_time_is_an_error_that_names_its_row():
    stray = pl.DataFrame({"ds": np.array(["1970-01-01"], dtype="datetime64[us]"), "y": [0.0]})
    table = pl.concat([frame(np.arange(1000.0)), stray])
    with pytest.raises(InputError, match=r"1970-01-01.*row 1000.*2024-03-01.*row 0.*max_duration="):
        prepare(table)
    assert len(prepare(table, max_duration="1d")) == 288


def test_S4_hours_doubled_by_a_clock_change_are_merged_and_explained():
    zoned = pl.datetime_range(
        pl.datetime(2024, 10, 20), pl.datetime(2024, 10, 30), "15m", time_zone="Europe/Madrid", eager=True
    )
    table = pl.DataFrame({"ds": zoned, "y": np.arange(len(zoned), dtype=float)})
    naive = prepare(table.with_columns(pl.col("ds").dt.replace_time_zone(None)))
    assert flags(naive) == {"duplicate_times": 4}
    assert "clocks put back" in str(naive.warnings[0])
    data = prepare(table)
    assert not data.warnings
    assert (data.times(data.time) == table["ds"]).all()


def test_S3_days_with_a_zone_are_dates_of_the_local_clock():
    zoned = pl.datetime_range(
        pl.datetime(2024, 3, 1), pl.datetime(2024, 11, 30), "1d", time_zone="Europe/Madrid", eager=True
    )
    data = prepare(pl.DataFrame({"ds": zoned, "y": np.arange(len(zoned))}))
    assert data.frequency == Frequency("fixed", 86_400_000_000)
    assert data.time_type == pl.Datetime("us", "Europe/Madrid")
    assert (data.times(data.time) == zoned).all()
    assert not data.warnings


def test_times_are_returned_as_dates_or_as_datetimes_if_the_step_needs_them():
    days = frame(np.arange(5.0), np.timedelta64(1, "D")).with_columns(pl.col("ds").cast(pl.Date))
    assert prepare(days).time_type == pl.Date
    assert prepare(days, freq="12h").time_type == pl.Datetime("us")


def test_S3_L1_a_given_step_coarser_than_the_data_is_an_error():
    """A label of a coarser grid would hold values observed after it."""
    hours = frame(np.arange(600.0), np.timedelta64(1, "h"))
    with pytest.raises(
        InputError, match=r"every 1 hour, but freq='D' is 1 day: aggregate first.*or leave freq out"
    ) as error:
        prepare(hours, freq="D")
    assert "group_by_dynamic('ds', every='1d').agg(pl.col('y').mean())" in str(error.value)
    days = hours.sort("ds").group_by_dynamic("ds", every="1d").agg(pl.col("y").mean())
    assert len(prepare(days, freq="D")) == 25
    with pytest.raises(InputError, match=r"every 1 step, but freq=2 is 2 steps.*every='2i'"):
        prepare(np.arange(60.0), freq=2)
    with pytest.raises(InputError, match=r"every 1 month, but freq='QS'.*every='3mo'"):
        prepare(samples.sample_path("retail"), freq="QS")
    panel = pl.concat([hours.with_columns(unique_id=pl.lit(i)) for i in "ab"])
    with pytest.raises(InputError, match="group_by='unique_id'"):
        prepare(panel, freq="D")


def test_S3_equal_rows_and_discarded_rows_do_not_make_a_step_coarse():
    hours = frame(np.arange(60.0), np.timedelta64(1, "h"))
    data = prepare(pl.concat([hours] * 3), freq="h")
    assert data.values.tolist() == list(range(60))
    fine = frame(np.arange(500.0), start=START - np.timedelta64(500 * 5, "m"))
    assert len(prepare(pl.concat([fine, hours]), freq="h", max_duration="2d")) == 48


def test_S4_changes_below_single_precision_are_a_warning():
    walk = np.cumsum(np.where(np.arange(200) % 2, 1.5, -1.5))
    (warning,) = prepare(frame(1e9 + walk)).warnings
    assert (warning.flag, warning.count) == ("precision", 1)
    assert str(warning) == (
        "Values near 1,000,000,000 change by about 1.5 a step, but forecasts are stored in single precision, which "
        "distinguishes only values 64 apart there. Subtract a constant from the column first."
    )
    for fine in (walk, 1e9 + 1e5 * walk, np.full(9, 1e9), np.r_[np.full(99, 5.0), 1e9, np.full(99, 5.0)]):
        assert not prepare(frame(fine)).warnings
    parts = {"a": walk, "b": 1e9 + walk, "c": 1e12 + walk, "d": np.full(9, 1e12)}
    panel = pl.concat([frame(y).with_columns(unique_id=pl.lit(i)) for i, y in parts.items()])
    warning, _ = prepare(panel).warnings
    assert (warning.count, warning.series) == (2, None)
    assert str(warning).startswith("In 2 of 4 series, most in 'c': values near 1,000,000,000,000 change by about 1.5")
    warning, _ = prepare(panel.filter(pl.col("unique_id") != "c")).warnings
    assert warning.series == "b"


def test_S4_values_beyond_single_precision_are_an_error():
    panel = frame([1.0, 2.0, -2e37, 3.0]).with_columns(unique_id=pl.lit("b"))
    panel = pl.concat([frame(np.arange(9.0)).with_columns(unique_id=pl.lit("a")), panel])
    with pytest.raises(InputError, match=r"-2e\+37 in row 11 \(series 'b'\) of 'y'.*Rescale the column"):
        prepare(panel)
    assert not prepare(frame([0.0, 1e37, 0.0, 1e37])).warnings


def test_S4_a_step_finer_than_the_data_is_a_warning():
    data = prepare(frame(np.arange(50.0), np.timedelta64(1, "h")), freq="5min")
    assert "sparse_grid" in flags(data)


@pytest.mark.parametrize(
    ("span", "rows"),
    [("18h", 216), ("1d", 288), (10, 10), (1, 1), (np.timedelta64(1, "h"), 12), ("9999d", 600), ("1mo", 600)],
)
def test_S6_max_duration_keeps_the_newest_part(span, rows):
    whole, data = prepare(frame(np.arange(600.0))), prepare(frame(np.arange(600.0)), max_duration=span)
    assert len(data) == rows
    assert (data.values == whole.values[-rows:]).all()


def test_S6_max_duration_counts_from_the_end_of_each_series_and_by_calendar():
    late = frame(np.arange(90.0), np.timedelta64(1, "D")).with_columns(unique_id=pl.lit("late"))
    early = frame(np.arange(80.0), np.timedelta64(1, "D"), START - np.timedelta64(500, "D")).with_columns(
        unique_id=pl.lit("early")
    )
    assert prepare(pl.concat([late, early]), max_duration="30d").lengths.tolist() == [30, 30]
    assert str(prepare(late, max_duration="1mo").time[0])[:10] == "2024-04-30"  # the last day is 2024-05-29
    months = prepare(samples.sample_path("retail"), max_duration="2y")
    assert len(months) == 24
    assert len(prepare(samples.sample_path("retail"), max_duration="365d")) == 12
    with pytest.raises(OptionError, match="integer"):
        prepare(np.arange(9.0), max_duration="3h")
    assert len(prepare(np.arange(90.0), max_duration="1d", freq="h")) == 24
    for other in ("0h", 0, -4, "soon", 1.5):
        with pytest.raises(OptionError, match="max_duration"):
            prepare(late, max_duration=other)


def test_S4_S6_rows_before_the_newest_part_do_not_count_as_trimmed():
    values = np.arange(600.0)
    values[[0, 1, 50, 99, 590, 599]] = np.nan
    assert flags(prepare(frame(values)))["trimmed"] == 3
    assert flags(prepare(frame(values), max_duration="9999d"))["trimmed"] == 3
    assert flags(prepare(frame(values), max_duration=100)) == {"trimmed": 1, "interpolated": 1}
    newest = prepare(frame(values), max_duration=9)  # the oldest of the nine has no value
    assert "2 rows without a value are left out (1 at the start, 1 at the end)" in str(newest.warnings[0])
    beijing = prepare(shared("beijing_pm25_hourly.parquet"), max_duration="60d")
    assert "trimmed" not in flags(beijing)


def test_S6_max_duration_keeps_the_grid_of_the_whole_history():
    table = nbf.sample("glucose").filter(pl.col("unique_id") == "hall_2133-036")
    whole, cut = prepare(table), prepare(table, max_duration="18h")
    assert cut.frequency == whole.frequency
    assert np.array_equal(cut.values, whole.values[-len(cut) :], equal_nan=True)


def test_S7_length_gives_the_smallest_valid_index():
    data = prepare(frame(np.arange(9.0)))
    assert data.lengths.tolist() == [9]
    assert data.row(-8) == 0
    assert data.index().tolist() == list(range(-8, 1))
    with pytest.raises(IndexOutOfRange, match="from -8 to 0"):
        data.row(-9)
    with pytest.raises(OptionError, match="No series"):
        data.row(0, "x")


def test_future_times_and_actuals_follow_the_grid():
    data = prepare(samples.sample_path("retail"))
    last = np.array([len(data) - 1, len(data) - 3])
    assert [str(t)[:7] for t in data.future_times(last, 2)[0]] == ["2016-06", "2016-07"]
    assert np.isnan(data.actuals(last, 3)[0]).all()
    assert data.actuals(last, 3)[1][:2].tolist() == data.values[-2:].tolist()


@pytest.mark.parametrize(
    ("name", "alias", "rows", "series"),
    [
        ("beijing_pm25_hourly", "h", 43800, 1), ("cgm_dubosson", "5min", 8372, 9), ("cgm_hall", "5min", 233787, 42),
        ("cgm_iglu5", "5min", 16884, 5), ("co2_weekly", "W-SAT", 2284, 1), ("daily_misc", "D", 14611, 9),
        ("etth1", "h", 121940, 7), ("m3_monthly_shared", "MS", 35323, 300),
        ("m3_quarterly_shared", "QS-JAN", 7398, 150), ("monthly_classics", "MS", 4011, 9),
        ("m4_hourly_shared", "1", 90400, 100), ("m4_weekly_shared", "1", 126884, 120),
        ("vic_elec_30min", "30min", 52608, 1), ("demo/cgm_demo", "5min", 8351, 4), ("demo/taxi_demo", "h", 5160, 1),
        ("demo/retail_demo", "MS", 293, 1),
    ],
)  # fmt: skip
def test_S3_frequency_and_length_of_real_data(name, alias, rows, series):
    data = prepare(shared(f"{name}.parquet"))
    assert (data.frequency.alias, len(data), len(data.ids)) == (alias, rows, series)
    assert (np.diff(data.offsets) > 1).all()
    assert not np.isnan(data.values[data.offsets[:-1]]).any()
    assert not np.isnan(data.values[data.offsets[1:] - 1]).any()
    assert all(w.count > 0 and w.sentence.endswith(".") for w in data.warnings)


def test_S3_series_of_different_frequencies_are_prepared_apart():
    table = pl.read_parquet(shared("nab_shared.parquet"))
    with pytest.raises(InputError, match=r"5 minutes.*30 minutes.*1 hour"):
        prepare(table)
    for (name,), part in table.group_by("unique_id"):
        data = prepare(part)
        assert data.frequency.alias in ("5min", "10min", "30min", "h"), name
        if "raffic" in str(name):
            assert "irregular_times" in flags(data)


def test_S5_import_is_light():
    heavy = ("pandas", "jax", "IPython", "cgm_format", "polars")
    code = f"import sys, nbforecast.data; print([m for m in {heavy} if m in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_S12_values_are_converted_and_titles_carry_the_unit():
    table = {"ds": [1, 2, 3], "glucose (mg/dl)": [90.091, 180.182, 270.273]}
    assert prepare(table).names.target == "glucose (mg/dl)"
    data = prepare(table, convert_to="mmol/L")
    assert data.values.round(9).tolist() == [5, 10, 15]
    assert data.names.target == "glucose (mmol/L)"
    assert prepare({"ds": [1, 2], "y": [20, 25]}, unit="°C", convert_to="°F").values.round(9).tolist() == [68, 77]
    plain = prepare({"ds": [1, 2], "y": [20, 25]})
    named = prepare({"ds": [1, 2], "y": [20, 25]}, unit="kWh")
    assert (named.handle, named.names.target, plain.names.target) == (plain.handle, "y (kWh)", "y")
    with pytest.raises(OptionError, match="needs the unit of the data: name it with unit="):
        prepare({"ds": [1, 2], "y": [20, 25]}, convert_to="kWh")
    with pytest.raises(OptionError, match="No conversion from °C to kWh is known"):
        prepare({"ds": [1, 2], "y": [20, 25]}, unit="°C", convert_to="kWh")
