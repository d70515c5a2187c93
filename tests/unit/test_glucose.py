"""Glucose metrics equal their published definitions; the references are worked out by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import report
from nbforecast.data import prepare
from nbforecast.errors import InputError

# five-minute readings from 05:45: three at night, then six by day, of which one is missing
READINGS = [50.0, 60.0, 100.0, 180.0, 181.0, None, 250.0, 251.0, 70.0]


def readings(values: list[float | None] = READINGS, unit: str = "mg/dL") -> pl.DataFrame:
    start = dt.datetime(2024, 5, 1, 5, 45)
    times = [start + dt.timedelta(minutes=5 * k) for k in range(len(values))]
    return pl.DataFrame({"time": times, f"glucose ({unit})": values})


def row(part: str, frame: pl.DataFrame | None = None) -> dict:
    metrics = report.glucose_metrics(prepare(readings() if frame is None else frame))
    return metrics.row(by_predicate=pl.col("part") == part, named=True)


def test_shares_of_readings_in_the_consensus_ranges():
    whole = row("all")
    assert whole["readings"] == 8
    assert whole["active"] == pytest.approx(8 / 9)
    shares = [whole[name] for name in ("very_low", "low", "in_range", "high", "very_high")]
    # below 54: 50 · 54 to 69: 60 · 70 to 180: 70, 100, 180 · 181 to 250: 181, 250 · above: 251
    assert shares == pytest.approx([1 / 8, 1 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_mean_sd_cv_and_gmi():
    whole = row("all")
    # the mean is 1142 / 8 = 142.75; the squared deviations add up to 48641.5, and 48641.5 / 7 = 6948.7857
    assert whole["mean"] == pytest.approx(142.75)
    assert whole["sd"] == pytest.approx(83.3594, abs=1e-4)
    assert whole["cv"] == pytest.approx(58.3954, abs=1e-3)
    assert whole["gmi"] == pytest.approx(3.31 + 0.02392 * 142.75)


def test_day_and_night_are_those_of_the_local_clock():
    assert row("night")["readings"] == 3  # 05:45, 05:50, 05:55
    assert row("night")["mean"] == pytest.approx(70.0)
    assert row("day")["mean"] == pytest.approx(932 / 5)
    zoned = readings().with_columns(pl.col("time").dt.replace_time_zone("America/New_York"))
    assert row("night", zoned)["mean"] == pytest.approx(70.0)


def test_ranges_and_gmi_of_readings_in_mmol_per_litre():
    whole = row("all", readings([2.9, 3.0, 3.8, 3.9, 10.0, 10.1, 13.9, 14.0], "mmol/L"))
    shares = [whole[name] for name in ("very_low", "low", "in_range", "high", "very_high")]
    assert shares == pytest.approx([1 / 8, 2 / 8, 2 / 8, 2 / 8, 1 / 8])
    assert whole["gmi"] == pytest.approx(3.31 + 0.02392 * 61.6 / 8 * 18.0182, abs=1e-6)


def test_S12_a_unit_that_is_unknown_is_asked_for():
    with pytest.raises(InputError, match=r"unit='mg/dL'"):
        report.glucose_metrics(prepare(readings().rename({"glucose (mg/dL)": "value"})))
    converted = prepare(readings(), convert_to="mmol/L")
    assert report.glucose_ranges(converted).low == 3.9


@pytest.mark.slow
def test_the_section_names_the_time_in_range_and_draws_a_profile_of_three_days():
    frame = nbf.sample("glucose").rename({"y": "glucose (mg/dL)"})
    name = frame["unique_id"][0]
    run = nbf.forecast(frame.filter(unique_id=name), "naive", wait=True)
    section, metrics = report.glucose(run), report.glucose_metrics(run).row(0, named=True)
    assert f"{100 * metrics['in_range']:.1f} % of the readings are in range (70 to 180 mg/dL)" in section.text()
    assert "A typical day" in section.html() or "data:image/svg" in section.html()
    short = nbf.forecast(readings([100.0 + k for k in range(40)]), "naive", wait=True)
    assert "Glucose over the day" not in report.glucose(short).text()
