"""J1, J2, L1, E8: joint paths have the forecast's values and the past's dependence, and events are read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import nbforecast as nbf
from nbforecast.data.frequency import Frequency, parse_frequency
from nbforecast.data.span import horizon_part
from nbforecast.joint.forecasts import MARGINAL_LEVELS, JointForecasts
from nbforecast.joint.path_distribution import PathDistribution
from nbforecast.postprocessing.conformal import MIN_ERRORS
from nbforecast.postprocessing.path_statistics import first_above, time_above, total
from nbforecast.postprocessing.rank_correlation import DEFAULT_CORRELATION, correlated_order, rank_autocorrelation
from nbforecast.postprocessing.rank_templates import (
    MIN_TEMPLATES,
    arrange,
    choose_templates,
    origin_keys,
    positions,
)
from nbforecast.scoring.origin_scores import draw_levels, quantiles
from nbforecast.scoring.pit import cumulative_probability

if TYPE_CHECKING:
    from nbforecast.run import Run

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
HORIZON = 6


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(nbf.sample("taxi").tail(700), "naive", HORIZON, wait=True)


@pytest.fixture(scope="module")
def calibrated_run() -> Run:
    return nbf.forecast(nbf.sample("taxi").tail(700), "naive", HORIZON, calibrate=True, wait=True)


def test_J1_values_are_the_quantiles_and_ranks_those_of_the_templates() -> None:
    random = np.random.default_rng(0)
    draws = np.sort(random.normal(size=(40, 7, 5)).astype(np.float32), -1)
    order = random.random((40, 30, 7)).astype(np.float32)
    paths = arrange(draws, LEVELS, order)
    expected = quantiles(draws, LEVELS, draw_levels(None, 30))
    np.testing.assert_array_equal(np.sort(paths, 1).transpose(0, 2, 1), expected)
    np.testing.assert_array_equal(paths.argsort(1), order.argsort(1))
    np.testing.assert_array_equal(paths[7:8], arrange(draws[7:8], LEVELS, order[7:8]))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_J1_L1_templates_have_ended_and_half_are_at_the_same_phase_where_there_are_enough(data: st.DataObject) -> None:
    start = data.draw(st.integers(-500, 500))
    is_usable = np.random.default_rng(data.draw(st.integers(0, 9))).random(400) < data.draw(st.sampled_from([0.2, 1]))
    usable = np.flatnonzero(is_usable) + start
    origins = np.arange(start + 5, start + 450, 7)
    horizon, season, count = data.draw(st.integers(1, 30)), data.draw(st.integers(2, 12)), 16
    chosen = choose_templates(usable, origins, horizon, (season,), count)
    for origin, steps, available, phase in zip(origins, *chosen, strict=True):
        past = usable[usable <= origin - horizon]
        assert available == len(past)
        if not available:
            continue
        assert np.isin(steps, past).all()
        alike = past[past % season == origin % season]
        assert phase == (season if len(alike) >= count // 2 else 0)
        if phase:
            np.testing.assert_array_equal(steps[: count // 2], alike[::-1][: count // 2])
        known_then = choose_templates(past, np.array([origin]), horizon, (season,), count)
        np.testing.assert_array_equal(known_then.steps[0], steps, "later origins change nothing, nor does the batch")


def test_J1_templates_are_spread_over_the_past_and_repeat_where_there_are_few() -> None:
    chosen = choose_templates(np.arange(5000), np.array([4999]), 12, (), 100)
    assert np.diff(chosen.steps[0]).min() >= 11
    few = choose_templates(np.arange(40), np.array([60]), 12, (), 100)
    np.testing.assert_array_equal(np.unique(few.steps), np.arange(40))
    longest = choose_templates(np.arange(5000), np.array([4999]), 12, (24, 48, 4000), 100)
    assert longest.season[0] == 48
    assert (choose_templates(np.zeros(0, int), np.array([3, 4]), 2, (2,), 10).available == 0).all()


def test_J1_outcomes_with_a_probability_of_their_own_are_spread_over_it() -> None:
    draws = np.broadcast_to(np.array([0, 0, 0, 1, 3], np.float32), (4000, 1, 5))
    actual = np.where(np.arange(4000) % 4 < 3, 0.0, 2.0)[:, None]
    keys = origin_keys(17, np.arange(4000))
    spread = positions(draws, LEVELS, actual, keys)
    probability = cumulative_probability(draws, LEVELS, actual)
    assert ((probability.below <= spread + 1e-6) & (spread <= probability.up_to + 1e-6)).all()
    zeros = spread[actual == 0] / probability.up_to[actual == 0]
    np.testing.assert_allclose(np.quantile(zeros, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)
    np.testing.assert_array_equal(positions(draws[9:11], LEVELS, actual[9:11], keys[9:11]), spread[9:11])
    assert (positions(draws, LEVELS, actual, origin_keys(18, np.arange(4000))) != spread)[actual == 0].mean() > 0.9
    points = positions(np.zeros((3000, 2, 1), np.float32), (0.5,), np.zeros((3000, 2)), keys[:3000])
    assert abs(np.corrcoef(points.argsort(0).argsort(0).T)[0, 1]) < 0.1, "equal errors have no order"


def test_J1_too_few_origins_have_a_correlation_by_distance() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(4000, 5)).astype(np.float32)
    for h in range(1, 5):
        noise[:, h] = 0.6 * noise[:, h - 1] + 0.8 * noise[:, h]
    learned = rank_autocorrelation(noise)
    np.testing.assert_allclose(learned, 0.6 ** np.arange(5), atol=0.05)
    order = correlated_order(learned, 4000, 1)
    np.testing.assert_allclose(np.corrcoef(order.T)[0], learned, atol=0.05)
    assert (rank_autocorrelation(noise[: MIN_TEMPLATES - 1])[1], len(learned)) == (DEFAULT_CORRELATION, 5)
    assert np.isfinite(correlated_order((1.0, 0.9, -0.9, 0.9), 10, 1)).all(), "of no distribution"


def test_J1_E8_a_forecast_has_the_same_paths_in_any_batch(run: Run) -> None:
    rows = np.arange(200, 640, 40)
    batch = JointForecasts(run.entry_slice).paths(rows, 50)
    for row, paths in zip(rows.tolist(), batch, strict=True):
        np.testing.assert_array_equal(run.forecast_at(row).paths(50), paths)
    forecast = run.at(-30)
    paths = forecast.paths()
    assert paths.shape == (100, HORIZON)
    np.testing.assert_array_equal(
        np.sort(paths, 0).T, quantiles(forecast.draws, run.quantile_levels, draw_levels(None, 100))
    )
    lag = np.corrcoef(paths[:, 2].argsort().argsort(), paths[:, 3].argsort().argsort())[0, 1]
    assert lag > 0.3, "errors of neighbouring steps of a taxi series go together"


def test_L1_nothing_after_an_origin_changes_its_paths_or_events() -> None:
    frame = nbf.sample("taxi").tail(400)
    changed = frame.with_columns(
        y=pl.when(pl.int_range(pl.len()) > 330).then(pl.col("y") * 3 + 7).otherwise(pl.col("y"))
    )
    before, after = (
        nbf.forecast(each, "naive", HORIZON, calibrate=True, exact=True, wait=True).forecast_at(330)
        for each in (frame, changed)
    )
    np.testing.assert_array_equal(before.paths(), after.paths())
    for name in ("total", "maximum"):
        own, other = getattr(before, name)(), getattr(after, name)()
        assert own.is_calibrated
        np.testing.assert_array_equal(own.values, other.values)
        assert own.actual != other.actual


def test_J2_distributions_are_those_of_the_paths(run: Run) -> None:
    forecast = run.at(-100)
    paths = forecast.paths().astype(np.float64)
    np.testing.assert_allclose(forecast.total().values, np.sort(paths.sum(1)))
    np.testing.assert_allclose(forecast.mean("3h").values, np.sort(paths[:, :3].mean(1)), rtol=1e-6)
    np.testing.assert_allclose(forecast.maximum(slice(2, 5)).values, np.sort(paths[:, 2:5].max(1)))
    np.testing.assert_allclose(forecast.minimum(4).values, np.sort(paths[:, :4].min(1)))
    limit = float(np.quantile(paths, 0.8))
    assert forecast.any_above(limit) == pytest.approx((paths.max(1) > limit).mean(), abs=0.02)
    assert forecast.any_below(limit) == pytest.approx((paths.min(1) < limit).mean(), abs=0.02)
    first, count = forecast.first_above(limit), forecast.time_above(limit)
    for k in range(1, HORIZON + 1):
        assert first.probability(up_to=k) == pytest.approx((paths[:, :k].max(1) > limit).mean())
        assert count.probability(above=k - 1) == pytest.approx(((paths > limit).sum(1) >= k).mean())
    assert forecast.total().actual == pytest.approx(forecast.actual.sum())
    assert np.isnan(run.at(0).total().actual)
    assert "total of the next 6 steps: median" in repr(forecast.total())
    assert "dependence between steps from 100 past origins" in repr(forecast.total())


def test_J2_events_of_paths_by_definition() -> None:
    paths = np.array([[1.0, 5, 2, 7], [0, 0, 0, 0], [9, 1, 1, np.nan]])
    np.testing.assert_array_equal(first_above(paths, 4), [2, np.inf, np.nan])
    np.testing.assert_array_equal(time_above(paths, 4), [2, 0, np.nan])


def test_J2_few_past_origins_are_told() -> None:
    frame = nbf.sample("taxi").tail(60)
    run = nbf.forecast(frame, "naive", HORIZON, calibrate=True, wait=True)
    row = int(np.flatnonzero(run.reasons == 0)[10])
    forecast = run.forecast_at(row)
    assert forecast.paths().shape == (100, HORIZON)
    assert "assumed, a correlation of 0.85 between neighbours: fewer than 30 past origins" in repr(forecast.total())
    assert f"not calibrated: fewer than {MIN_ERRORS} past errors" in repr(forecast.total())
    later = (
        frame.with_columns(pl.lit("b").alias("unique_id")),
        frame.tail(40).with_columns(pl.lit("a").alias("unique_id")),
    )
    panel = nbf.forecast(pl.concat(later), "naive", HORIZON, wait=True)
    dependence = panel.at(0, "a").dependence
    assert dependence.origins < MIN_TEMPLATES <= dependence.pooled
    assert "mean correlation over all series" in str(dependence)


def test_J2_calibrated_totals_cover_as_often_as_stated(run: Run, calibrated_run: Run) -> None:
    rows, part = np.arange(300, 690), slice(0, HORIZON)
    for each in (run, calibrated_run):
        joint = JointForecasts(each.entry_slice, calibrate=each.calibrate)
        values, actual = joint.calibrated_values(total, part, rows), joint.actual(total, part, rows)
        low, high = values[:, MARGINAL_LEVELS.index(0.1)], values[:, MARGINAL_LEVELS.index(0.9)]
        assert ((low <= actual) & (actual <= high)).mean() == pytest.approx(0.8, abs=0.08)
    forecast = calibrated_run.forecast_at(500)
    np.testing.assert_allclose(forecast.total().interval(80), [low[200], high[200]], rtol=1e-6)
    assert "calibrated by past errors" in repr(forecast.total())
    assert not forecast.total(calibrate=False).is_calibrated
    assert run.forecast_at(500).total(calibrate=True).is_calibrated
    np.testing.assert_array_equal(forecast.paths(), run.forecast_at(500).paths())


def test_J2_parts_of_the_horizon() -> None:
    hourly = Frequency.from_spec(parse_frequency("h"))
    assert horizon_part(None, 24, hourly) == slice(0, 24)
    assert horizon_part("6h", 24, hourly) == horizon_part(6, 24, hourly) == slice(0, 6)
    assert horizon_part(slice("12h", None), 24, hourly) == slice(12, 24)
    for wrong in (0, 25, "2d", "30min", slice(5, 5), slice(-3, None), slice(0, 9, 2), 1.5, True):
        with pytest.raises(nbf.NbForecastError, match="steps"):
            horizon_part(wrong, 24, hourly)


def test_J2_a_distribution_answers_with_probabilities_and_quantiles() -> None:
    normal = PathDistribution("sum", np.array([-1.0, 0.0, 1.0]), (0.158655, 0.5, 0.841345))
    assert normal.probability(above=0.0) == pytest.approx(0.5)
    assert normal.probability(above=-1.0, below=1.0) == pytest.approx(0.6827, abs=1e-3)
    assert normal.quantile(0.975) == pytest.approx(1.96, abs=1e-2)
    np.testing.assert_allclose(normal.interval(95), [-1.96, 1.96], atol=1e-2)
    steps = PathDistribution("first", np.array([1, 1, 2, np.inf]), draw_levels(None, 4), is_count=True)
    assert (steps.quantile(0.5), steps.quantile(0.75), steps.quantile(0.8)) == (1, 2, np.inf)
    assert steps.probability(up_to=2) == 0.75
    assert "never with probability 25" in repr(steps)
    with pytest.raises(nbf.NbForecastError, match="above= with one of the other two"):
        steps.probability()
    for each in (normal, steps):
        ax = Figure().add_subplot()
        assert each.plot(ax).get_title(loc="left").lower() == each.name


def test_S12_J2_paths_and_events_stay_within_the_bounds_of_the_forecast() -> None:
    frame = nbf.sample("taxi").tail(400)
    run = nbf.forecast(frame, "naive", HORIZON, minimum=5_000, maximum=20_000, calibrate=True, wait=True)
    forecast = run.at(-10)
    for paths in (forecast.paths(), forecast.paths(calibrate=True)):
        assert 5_000 <= paths.min() <= paths.max() == 20_000
    extremes = (1e-4, 0.9999)
    for distribution, steps in ((forecast.maximum(), 1), (forecast.minimum(), 1), (forecast.total(), HORIZON)):
        assert distribution.is_calibrated
        low, high = distribution.quantile(extremes)
        assert 5_000 * steps <= low <= high <= 20_000 * steps
    assert forecast.any_above(20_000) == forecast.any_below(5_000) == 0
    assert forecast.above(20_000).max() == forecast.below(5_000).max() == 0
    assert 5_000 <= forecast.quantile(extremes).min() <= forecast.quantile(extremes).max() <= 20_000


def test_J1_calibrated_and_learned_forecasts_have_paths_of_their_own_values() -> None:
    frame = nbf.sample("taxi").tail(400)
    run = nbf.forecast(frame, "naive", HORIZON, learn=True, calibrate=True, wait=True)
    forecast = run.at(-20)
    marginals = np.insert(forecast.calibrated, 4, forecast.median, axis=1)
    expected = quantiles(marginals, MARGINAL_LEVELS, draw_levels(None, 100))
    np.testing.assert_allclose(np.sort(forecast.paths(calibrate=True), 0).T, expected, rtol=1e-6)
    own = quantiles(forecast.draws, run.quantile_levels, draw_levels(None, 100))
    np.testing.assert_array_equal(np.sort(forecast.paths(), 0).T, own)
    assert forecast.dependence.templates == 100
    assert forecast.model == run.model != "naive"
