"""Q4, E10, C5: origins named by time, runs of some origins only, horizons as spans."""

import datetime as dt
import pickle
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.data import Dataset, prepare
from nbforecast.data.origins import find_row, parse_origins, select_rows
from nbforecast.data.span import horizon_steps
from nbforecast.errors import IndexOutOfRange, OptionError
from tests.support.cache_files import LastValueModel


def hours(start: str, count: int, zone: str | None = None, step: str = "1h") -> pl.DataFrame:
    first = dt.datetime.fromisoformat(start)
    end = first + dt.timedelta(hours=1) * count
    ds = pl.datetime_range(first, end, step, closed="left", time_zone="UTC" if zone else None, eager=True)
    return pl.DataFrame({"ds": ds.dt.convert_time_zone(zone) if zone else ds, "y": np.arange(float(len(ds)))})


def panel(*ends: int) -> pl.DataFrame:
    """Daily series from 1 January 2024 that end after so many days."""
    frames = [
        hours("2024-01-01", 24 * end, step="1d").with_columns(unique_id=pl.lit(f"s{i}")) for i, end in enumerate(ends)
    ]
    return pl.concat(frames).with_columns(pl.col("ds").cast(pl.Date))


def selected(data: Dataset, **options: Any) -> list[str]:
    rows = select_rows(data, np.zeros(len(data), np.uint8), **options)
    assert rows is not None
    return [str(t) for t in data.times(data.time[rows])]


@pytest.fixture(scope="module")
def berlin() -> Dataset:
    """Hourly, over both changes of the clock."""
    return prepare(hours("2024-03-01", 24 * 260, "Europe/Berlin"))


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        ("2024-07-01 18:00", 18),
        ("2024-07-01T18:59:59", 18),
        ("2024-07-01", 0),
        ("1 July 2024 18:30", 18),
        ("2024-07-01 16:00+00:00", 18),
        ("2024-07-01T12:00-04:00", 18),
        (dt.date(2024, 7, 1), 0),
        (dt.datetime(2024, 7, 1, 18, 5), 18),
        (dt.datetime(2024, 7, 1, 16, tzinfo=dt.UTC), 18),
        (np.datetime64("2024-07-01T18:59"), 18),
    ],
)
def test_Q4_a_time_is_the_last_grid_point_at_or_before_it_in_the_datas_zone(
    berlin: Dataset, time: Any, hour: int
) -> None:
    row = find_row(berlin, time)
    assert str(berlin.times(berlin.time[[row]]).item()) == f"2024-07-01 {hour:02}:00:00+02:00"


def test_Q4_an_integer_is_an_index_also_as_text(berlin: Dataset) -> None:
    for index in (-24, "-24", "\N{MINUS SIGN}24", np.int64(-24)):
        assert find_row(berlin, index) == len(berlin) - 25
    with pytest.raises(IndexOutOfRange, match="valid indices run from"):
        find_row(berlin, "20240701")
    for wrong in (True, 1.5, None):
        with pytest.raises(IndexOutOfRange, match="integer <= 0"):
            find_row(berlin, wrong)  # type: ignore[arg-type]


def test_Q4_a_time_that_the_clock_shows_twice_is_an_error_that_names_both(berlin: Dataset) -> None:
    with pytest.raises(OptionError, match=r"write 2024-10-27 02:30\+02:00 or 2024-10-27 02:30\+01:00"):
        find_row(berlin, "2024-10-27 02:30")
    first, second = (find_row(berlin, f"2024-10-27 02:30+0{n}:00") for n in (2, 1))
    assert second == first + 1


def test_Q4_a_time_that_the_clock_skips_is_the_grid_point_before_the_change(berlin: Dataset) -> None:
    row = find_row(berlin, "2024-03-31 02:30")
    assert str(berlin.times(berlin.time[[row]]).item()) == "2024-03-31 01:00:00+01:00"


def test_Q4_out_of_range_is_an_error_with_the_valid_times(berlin: Dataset) -> None:
    for time in ("2024-02-29", "2030-01-01", "2024-11-16 01:00"):
        with pytest.raises(IndexOutOfRange, match=r"valid times run from 2024-03-01 01:00 to 2024-11-16\."):
            find_row(berlin, time)
    assert find_row(berlin, "2024-11-16 00:59") == len(berlin) - 1


@pytest.mark.parametrize("text", ["yesterday", "1/2/24", "2024-13-01", "2024-02-30", "18:00"])
def test_Q4_text_that_is_no_time_or_two_is_an_error(berlin: Dataset, text: str) -> None:
    with pytest.raises(OptionError, match="is no time that can be read in one way"):
        find_row(berlin, text)


def test_Q4_an_offset_needs_a_zone_and_integers_have_no_times() -> None:
    with pytest.raises(OptionError, match="the times of the data have no zone"):
        find_row(prepare(hours("2024-01-01", 48)), "2024-01-01T12:00Z")
    with pytest.raises(OptionError, match="name the origin by its index"):
        find_row(prepare(np.arange(30.0)), "2024-01-01")


def test_Q4_months_and_days_in_local_dates() -> None:
    months = pl.date_range(dt.date(2020, 1, 1), dt.date(2023, 12, 1), "1mo", eager=True)
    data = prepare(pl.DataFrame({"ds": months, "y": np.arange(48.0)}))
    assert find_row(data, "2023-05-31") == find_row(data, "2023-05") == find_row(data, dt.date(2023, 5, 1)) == 40
    assert selected(data, origins="2023-10..2023-11") == ["2023-10-01", "2023-11-01"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_Q4_a_time_names_the_row_that_a_scan_of_all_times_finds(data: st.DataObject) -> None:
    step = data.draw(st.sampled_from(["15m", "1h", "4h"]))
    table = hours("2024-10-25", 96, "Europe/Berlin", step)
    dataset = prepare(table)
    second = data.draw(st.integers(0, 96 * 3600 - 1))
    time = (table["ds"][0].astimezone(dt.UTC) + dt.timedelta(seconds=second)).astimezone(ZoneInfo("Europe/Berlin"))
    expected = int((table["ds"] <= time).sum()) - 1
    assert find_row(dataset, time) == expected
    assert find_row(dataset, time.isoformat()) == expected


def test_Q4_slices_include_both_ends_and_a_day_to_its_end(berlin: Dataset) -> None:
    assert selected(berlin, origins=slice("2024-07-01", "2024-07-01")) == selected(
        berlin, origins=slice("2024-07-01 00:00", "2024-07-01 23:00")
    )
    assert len(selected(berlin, origins="2024-10-27..2024-10-27")) == 25
    assert len(selected(berlin, origins="2024-03-31..2024-03-31")) == 23
    assert len(selected(berlin, origins="-48..0")) == 49
    assert len(selected(berlin, origins=slice(-48, None))) == 49
    assert selected(berlin, origins=["2024-07-01 10:30", -1]) == [
        "2024-07-01 10:00:00+02:00",
        "2024-11-15 23:00:00+01:00",
    ]
    assert len(selected(berlin, origins=slice("2024-10-27 02:00", "2024-10-27 02:00"))) == 2


def test_Q4_at_is_the_last_origin_of_each_day_at_or_before_a_time_of_day(berlin: Dataset) -> None:
    times = selected(berlin, at="23:45", origins=slice("2024-10-25", "2024-10-28"))
    assert times == [f"2024-10-{day} 23:00:00+0{offset}:00" for day, offset in ((25, 2), (26, 2), (27, 1), (28, 1))]
    twice = selected(berlin, at="02:00", origins=slice("2024-10-26", "2024-10-27"))
    assert twice == ["2024-10-26 02:00:00+02:00", "2024-10-27 02:00:00+01:00"]
    skipped = selected(berlin, at="02:00", origins=slice("2024-03-30", "2024-04-01"))
    assert skipped == ["2024-03-30 02:00:00+01:00", "2024-03-31 01:00:00+01:00", "2024-04-01 02:00:00+02:00"]
    assert selected(berlin, at="23:45", origins="latest") == ["2024-11-15 23:00:00+01:00"]
    assert selected(berlin, at=dt.time(0, 30), origins="latest") == ["2024-11-16 00:00:00+01:00"]


def test_Q4_every_counts_back_from_the_newest_origin(berlin: Dataset) -> None:
    times = selected(berlin, every="7d", at="06:00")
    assert times[-2:] == ["2024-11-08 06:00:00+01:00", "2024-11-15 06:00:00+01:00"]
    assert len(times) == 38
    assert selected(berlin, every=24)[-1] == "2024-11-16 00:00:00+01:00"
    daily = selected(berlin, every="1d")
    assert {t[11:16] for t in daily} == {"00:00"}
    assert len(daily) == 260
    assert [t[:10] for t in selected(berlin, every="1mo")[-3:]] == ["2024-09-16", "2024-10-16", "2024-11-16"]


def test_Q4_series_that_end_earlier_have_their_own_newest_origins() -> None:
    data = prepare(panel(60, 40))
    assert selected(data, origins="latest") == ["2024-02-29", "2024-02-09"]
    assert selected(data, origins="-1..0") == ["2024-02-28", "2024-02-29", "2024-02-08", "2024-02-09"]
    assert selected(data, origins="2024-02-25..") == [f"2024-02-{day}" for day in range(25, 30)]
    assert selected(data, origins=["2024-02-25"]) == ["2024-02-25"]
    assert selected(data, every="7d")[-3:] == ["2024-01-25", "2024-02-01", "2024-02-08"], "the same times in all series"
    with pytest.raises(IndexOutOfRange, match=r"by origins='2025-01-01\.\.'\. Valid indices run from -59 to 0"):
        select_rows(data, np.zeros(len(data), np.uint8), origins="2025-01-01..")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": slice(0, -4, 2)}, "thin it with every="),
        ({"origins": 1.5}, "takes 'latest', slice"),
        ({"origins": []}, "takes 'latest', slice"),
        ({"origins": "2024-01-01..2024-01-02..2024-01-03"}, "takes 'latest', slice"),
        ({"every": "0d"}, "takes a span such as '1d'"),
        ({"every": 0}, "a positive number of steps"),
        ({"at": "25:00"}, "takes a time of day such as 23:45"),
        ({"at": "06:00"}, "the step is 1 day"),
    ],
)
def test_Q4_wrong_options_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        nbf.forecast(panel(30), "naive", **options)


def test_Q4_text_of_a_shell_means_the_same() -> None:
    assert parse_origins("-48..0") == slice(-48, 0)
    assert parse_origins("..-3") == slice(None, -3)
    assert parse_origins("-1, 2024-01-05") == [-1, "2024-01-05"]
    assert parse_origins(-3) == [-3]


@pytest.fixture
def model() -> LastValueModel:
    nbf.cache.flush()
    return LastValueModel()


def test_Q4_E10_nothing_else_is_inferred_and_a_later_run_adds_the_rest(model: LastValueModel) -> None:
    data = panel(60, 50, 40)
    run = nbf.forecast(data, model, 3, origins="latest", wait=True)
    assert (run.inferred, run.available, run.progress) == (3, 3, 1.0)
    assert run.frame["index"].to_list() == [0, 0, 0]
    assert run.frame["status"].unique().to_list() == ["scored"]
    assert run.series("s1").frame["ds"].to_list() == [dt.date(2024, 2, 19)]
    assert run.series("s1").array.shape == (1, 3, model.draws)
    assert run.scores()["n"].item() == 0
    more = nbf.forecast(data, model, 3, origins=slice(-3, 0), wait=True)
    assert (more.inferred, more.reused) == (9, 3)
    assert more.scores("series")["n"].to_list() == [6, 6, 6]
    every = nbf.forecast(data, model, 3, wait=True)
    assert (every.inferred, every.reused) == (every.available - 12, 12)
    expected = every.frame.filter(pl.col("index") >= -3)
    assert more.frame.drop("density", "density_limits").equals(expected.drop("density", "density_limits"))
    assert more.scores("index").equals(every.scores("index").filter(pl.col("index") >= -3))


def test_Q4_an_origin_that_was_not_asked_for_is_still_inferred_at_once(model: LastValueModel) -> None:
    run = nbf.forecast(panel(60), model, 3, origins="latest", wait=True)
    assert not run.has_result("2024-02-01")
    assert run.at("2024-02-01").index == -28
    assert run.has_result("2024-02-01")
    assert run.frame.height == 1
    assert run.available == 1


def test_Q4_H4_past_origins_that_calibration_needs_are_counted_and_told(model: LastValueModel) -> None:
    data = panel(120)
    run = nbf.forecast(data, model, 3, origins="latest", calibrate=True, wait=True)
    assert run.frame.height == 1
    assert run.supporting == run.inferred - 1 > 50
    assert "1 origin and" in repr(run)
    assert f"{run.supporting} past ones for calibration" in repr(run)
    full = nbf.forecast(data, model, 3, calibrate=True, wait=True)
    np.testing.assert_array_equal(run.frame["calibrated"].to_numpy(), full.frame["calibrated"].to_numpy()[-1:])
    np.testing.assert_array_equal(run.at(0).interval(90), full.at(0).interval(90))


def test_Q4_equal_requests_of_other_origins_are_not_joined(model: LastValueModel) -> None:
    data = panel(60)
    runs = [nbf.forecast(data, model, 3, origins=o) for o in ("latest", slice(-5, 0), None)]
    for run in runs:
        run.wait()
    assert [r.frame.height for r in runs] == [1, 6, 60]
    assert all(r.frame["status"].is_in(["scored", "unavailable"]).all() for r in runs)


def test_Q4_quickdraw_of_a_time_and_nothing_else(model: LastValueModel) -> None:
    chart = nbf.quickdraw(panel(60), "2024-02-01", model=model, horizon=3, origins="latest")
    assert chart.forecast.index == -28
    chart.run.wait()
    assert chart.run.entry_slice.with_requested(None).inferred == 2


@pytest.mark.parametrize(
    ("horizon", "freq", "steps"),
    [("1h", "5min", 12), ("1h", "15min", 4), ("28d", "D", 28), ("1y", "MS", 12), ("7d", "B", 5), ("90min", "h", 1),
     (dt.timedelta(days=1), "h", 24), (7, "h", 7), ("7", "h", 7)],
)  # fmt: skip
def test_Q4_a_horizon_is_the_whole_steps_of_a_span(horizon: Any, freq: str, steps: int) -> None:
    from nbforecast.data.frequency import Frequency, parse_frequency

    assert horizon_steps(horizon, Frequency.from_spec(parse_frequency(freq))) == steps


@pytest.mark.slow
def test_Q4_a_horizon_as_a_span_everywhere(tmp_path: Any) -> None:
    data = panel(40)
    assert nbf.forecast(data, "naive", horizon="7d", origins="latest", wait=True).horizon == 7
    assert len(nbf.quickdraw(data, model="naive", horizon="7d").forecast.median) == 7
    with pytest.raises(OptionError, match="shorter than the step of the data, 1 day"):
        nbf.forecast(data, "naive", horizon="1h")
    with pytest.raises(OptionError, match="takes a number of steps from 1 to 4096, or a span"):
        nbf.forecast(data, "naive", horizon=1.5)  # type: ignore[arg-type]
    data.write_parquet(tmp_path / "data.parquet")
    with pytest.raises(OptionError, match="give the step of the data, too, with freq="):
        nbf.forecast_dataset(tmp_path / "data.parquet", tmp_path / "out", model="naive", horizon="7d")
    run = nbf.forecast_dataset(
        tmp_path / "data.parquet", tmp_path / "out", model="naive", horizon="7d", freq="D", wait=True
    )
    assert run.horizon == 7


def test_Q4_a_copy_of_a_run_of_few_origins_has_them(model: LastValueModel) -> None:
    run = nbf.forecast(panel(60, 50), model, 3, origins="latest", wait=True)
    copied = pickle.loads(pickle.dumps(run))
    assert copied.frame.equals(run.frame)
    assert copied.latest().equals(run.latest())


def test_Q4_the_card_of_a_run_shows_and_counts_what_was_asked_for(model: LastValueModel) -> None:
    run = nbf.forecast(panel(120), model, 3, origins=slice(-60, -50), calibrate=True, wait=True)
    inferred = model.rows
    assert f"from 11 origins, and {run.supporting} past ones for calibration" in run._repr_mimebundle_()["text/html"]
    assert model.rows == inferred
    assert run.has_result(-50)
    assert not run.has_result(0)
