"""F3, H4, L1: calibrated prediction intervals cover as often as stated, and use nothing after the origin."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.arguments import add_forecast_options, forecast_keywords
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.postprocessing.conformal import (
    CALIBRATED_LEVELS,
    MIN_ERRORS,
    WINDOW,
    calibrate,
    is_covered,
    rows_needed,
)
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, quantiles
from tests.support.requirements import shared

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def forecasts(seed: int, lengths: list[int], horizon: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Draws and actual values of noise whose spread wanders, with gaps in both."""
    random = np.random.default_rng(seed)
    count = sum(lengths)
    spread = np.exp(random.normal(0, 0.2, (count, horizon, 1)).cumsum(0) * 0.1)
    draws = spread * np.array([-1.0, -0.4, 0.1, 0.5, 1.2])
    actual = 1.3 * spread[..., 0] * random.standard_normal((count, horizon))
    draws[random.random(count) < 0.1] = np.nan
    actual[random.random((count, horizon)) < 0.1] = np.nan
    return draws.astype(np.float32), actual


def by_definition(draws: np.ndarray, actual: np.ndarray, coverage: int) -> list[tuple[float, float] | None]:
    """Intervals of one coverage, for one horizon step: `draws` (N, Q), `actual` (N,) known one row later."""
    tails = ((100 - coverage) / 200, (100 + coverage) / 200)
    low, high, ten, ninety, median = quantiles(draws.astype(float), LEVELS, (*tails, 0.1, 0.9, 0.5)).T
    error = np.abs(actual - median)
    scale = np.zeros(len(draws))
    intervals: list[tuple[float, float] | None] = []
    for row in range(len(draws)):
        known = [s for s in range(max(row - WINDOW, 0), row) if np.isfinite(error[s])]
        scale[row] = ninety[row] - ten[row] + (np.mean(error[known]) if known else 0)
        if len(known) < MIN_ERRORS:
            intervals.append(None)
            continue
        outside = np.maximum(low - actual, actual - high)[known]
        scores = sorted(outside / scale[known])
        share = ((WINDOW + 1) * coverage / 100 - 1) / (WINDOW - 1)
        shift = scores[math.ceil(share * (len(scores) - 1))] * scale[row]
        shift = max(min(shift, outside.max()), (low[row] - high[row]) / 2)
        intervals.append((min(low[row] - shift, median[row]), max(high[row] + shift, median[row])))
    return intervals


def test_F3_intervals_equal_their_definition() -> None:
    lengths = [700, 30, 120]
    draws, actual = forecasts(1, lengths, 1)
    calibrated = calibrate(draws, actual, np.array(lengths), LEVELS)[:, 0]
    compared = 0
    for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False):
        rows = slice(start, start + length)
        each = [by_definition(draws[rows, 0], actual[rows, 0], coverage) for coverage in CALIBRATED_COVERAGES]
        for computed, ends in zip(calibrated[rows], zip(*each, strict=True), strict=True):
            if None in ends:
                assert np.isnan(computed).all()
            else:
                expected = sorted(end for pair in ends for end in pair)
                np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-5)
                compared += np.isfinite(computed).all()
    assert compared > 500


@pytest.mark.parametrize("cut", [100, 420, 800])
def test_L1_nothing_after_an_origin_changes_its_intervals(cut: int) -> None:
    draws, actual = forecasts(3, [900])
    before = calibrate(draws, actual, np.array([900]), LEVELS)
    later = np.arange(900)[:, None] + np.arange(1, 4) > cut
    draws[cut + 1 :] *= 50
    calibrated = calibrate(draws, np.where(later, 1e6, actual), np.array([900]), LEVELS)
    np.testing.assert_array_equal(calibrated[: cut + 1], before[: cut + 1])
    assert not np.array_equal(calibrated, before, equal_nan=True)


def test_E10_one_origin_is_calibrated_from_the_rows_needed() -> None:
    draws, actual = forecasts(4, [1800])
    whole = calibrate(draws, actual, np.array([1800]), LEVELS)
    rows = slice(1700 + 1 - rows_needed(3), 1701)
    draws, actual = draws[rows], actual[rows]
    calibrated = calibrate(draws, actual, np.array([len(draws)]), LEVELS)
    np.testing.assert_allclose(calibrated[-1], whole[1700], rtol=1e-6)


def test_F3_point_forecasts_get_intervals_and_constant_series_stay_certain() -> None:
    actual = np.random.default_rng(0).standard_normal((2000, 1))
    calibrated = calibrate(np.zeros((2000, 1, 1), np.float32), actual, np.array([2000]), (0.5,))
    coverage = np.nanmean(is_covered(calibrated, actual), (0, 1))
    np.testing.assert_allclose(coverage, np.array(CALIBRATED_COVERAGES) / 100, atol=0.02)
    flat = calibrate(np.ones((200, 1, 3), np.float32), np.ones((200, 1)), np.array([200]), (0.1, 0.5, 0.9))
    assert (flat[MIN_ERRORS + 1 :] == 1).all()


def test_F3_a_series_that_is_never_negative_has_no_interval_below_zero() -> None:
    random = np.random.default_rng(0)
    actual = random.poisson(0.5, (600, 2)).astype(float)
    draws = np.broadcast_to(np.array([0.0, 0.0, 0.2, 0.4, 0.6], np.float32), (600, 2, 5)).copy()
    calibrated = calibrate(draws, actual, np.array([600]), LEVELS)
    assert calibrated[-300:, :, 0].min() == 0
    assert calibrated[-300:, :, -1].min() > 0.6
    assert calibrate(draws, actual - 1, np.array([600]), LEVELS)[-300:, :, 0].min() < 0


def test_F3_no_interval_is_moved_below_the_widest_of_the_forecast() -> None:
    """The forecast itself reaches below zero, the series has not."""
    random = np.random.default_rng(0)
    actual = random.choice([0.0, 200.0], (600, 1))
    draws = np.broadcast_to(np.array([-30.0, 40.0, 60.0, 70.0, 80.0], np.float32), (600, 1, 5)).copy()
    low = calibrate(draws, actual, np.array([600]), LEVELS)[-1, 0, :4]
    assert low[3] < 0
    assert low[0] > -60


def test_H4_every_calibrated_interval_contains_the_median() -> None:
    """Intervals of counts are shifted by whole numbers, and narrow ones would end up beside the median."""
    counts = np.random.default_rng(1).poisson(1.2, 300).astype(float)
    run = nbf.forecast(counts, "naive", 4, calibrate=True, wait=True)
    table = run.to_long(levels=CALIBRATED_COVERAGES)
    narrow = table.filter(pl.col("naive-hi-50") - pl.col("naive-lo-50") < 1)
    assert len(narrow) > 20
    for coverage in CALIBRATED_COVERAGES:
        low, high = table[f"naive-lo-{coverage}"], table[f"naive-hi-{coverage}"]
        assert ((low <= table["naive"]) & (table["naive"] <= high)).all()
    for index in range(-60, 0):
        forecast = run.at(index)
        low, high = forecast.interval(50).T
        assert ((low <= forecast.median) & (forecast.median <= high)).all()


def spread(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """The last value observed and the spread of changes: bands that nothing has calibrated, inferred without JAX."""
    newest = contexts.shape[1] - 1 - np.isfinite(contexts[:, ::-1]).argmax(1)
    last = contexts[np.arange(len(contexts)), newest][:, None, None]
    change = np.nan_to_num(np.diff(contexts[:, -49:], axis=1)).std(1)[:, None, None]
    return last + change * np.sqrt(np.arange(1, horizon + 1))[:, None] * np.linspace(-1.5, 1.5, 9)


SPREAD = FunctionForecaster(spread, "spread", context=64, least=24, levels=tuple(np.linspace(0.1, 0.9, 9).tolist()))


def taxi() -> pl.DataFrame:
    return nbf.sample("taxi")


def glucose() -> pl.DataFrame:
    return nbf.sample("glucose")


def etth1() -> pl.DataFrame:
    return pl.read_parquet(shared("etth1.parquet")).filter(unique_id="ETTh1_OT").tail(6000)


@pytest.mark.parametrize("frame", [taxi, glucose, etth1], ids=lambda f: f.__name__)
def test_F3_coverage_on_real_data_is_that_of_the_intervals(frame: Callable[[], pl.DataFrame]) -> None:
    run = nbf.forecast(frame(), SPREAD, calibrate=True, wait=True)
    row = run.scores().row(0, named=True)
    for coverage in CALIBRATED_COVERAGES:
        assert row[f"calibrated_{coverage}"] == pytest.approx(coverage / 100, abs=0.02), coverage
    steps = run.scores("horizon")
    assert (steps["calibrated_80"] - 0.8).abs().max() < 0.04


def test_F3_a_run_shows_calibrated_intervals_and_its_draws_unchanged() -> None:
    frame = taxi().tail(900)
    plain = nbf.forecast(frame, "naive", 6, wait=True)
    run = nbf.forecast(frame, "naive", 6, calibrate=True)
    assert run.wait().inferred == 0, "calibration infers nothing"
    np.testing.assert_array_equal(run.array, plain.array)
    whole = run.frame["calibrated"].to_numpy()
    assert whole.shape == (900, 6, len(CALIBRATED_LEVELS))
    assert "calibrated" not in plain.frame.columns
    one = run.at(-30)
    np.testing.assert_allclose(one.calibrated, whole[-31], rtol=1e-5)
    np.testing.assert_array_equal(one.interval(80), one.calibrated[:, [2, 5]])
    np.testing.assert_array_equal(plain.at(-30).interval(80), plain.at(-30).quantile((0.1, 0.9)))
    assert np.abs(one.interval(80) - one.quantile((0.1, 0.9))).max() > 1
    np.testing.assert_array_equal(one.interval(60), one.quantile((0.2, 0.8)))
    long = run.to_long((60, 80)).filter(cutoff=one.time)
    np.testing.assert_allclose(long["naive-lo-80"], one.interval(80)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(long["naive-hi-60"], one.interval(60)[:, 1], rtol=1e-5)
    first = run.to_long(95).filter(cutoff=run.frame["ds"][20])
    np.testing.assert_allclose(first["naive-lo-95"], run.at(20 - 899).quantile(0.025), rtol=1e-5)


def test_Q1_a_drawing_says_whether_its_bands_are_calibrated() -> None:
    frame = glucose().filter(unique_id="hall_2133-036").tail(700)
    drawn = nbf.quickdraw(frame, -5, model="naive", horizon=7, calibrate=True)
    assert "bands are not calibrated: fewer than 40 past errors are known yet" in repr(drawn)
    assert drawn.run.wait_for_end(60)
    drawn = nbf.quickdraw(frame, -5, model="naive", horizon=7, calibrate=True)
    assert "bands are calibrated by past errors" in repr(drawn)
    assert "calibrated" not in repr(nbf.quickdraw(frame, -5, model="naive", horizon=7))
    with pytest.raises(nbf.NbForecastError, match="above 1 and below 100, not 0"):
        drawn.forecast.interval(0)


def test_M2_M3_magics_and_commands_take_the_option() -> None:
    parser = argparse.ArgumentParser()
    add_forecast_options(parser)
    assert forecast_keywords(parser.parse_args(["frame", "-c"]))["calibrate"] is True
    assert forecast_keywords(parser.parse_args(["frame"]))["calibrate"] is False
