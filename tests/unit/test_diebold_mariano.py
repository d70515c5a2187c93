"""R3, R4: the test of a mean of overlapping losses, against its definition, SciPy and simulated forecasts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nbforecast.scoring.diebold_mariano import estimate_mean, holm, long_run_variance


def by_definition(values: np.ndarray, cosines: int) -> float:
    """Lazarus et al. (2018), equation 10, written out."""
    count, middle = len(values), sum(values) / len(values)
    squares = []
    for j in range(1, cosines + 1):
        projected = sum((v - middle) * math.cos(math.pi * j * (t + 0.5) / count) for t, v in enumerate(values))
        squares.append(2 / count * projected**2)
    return sum(squares) / cosines


def overlapping(random: np.random.Generator, count: int, horizon: int, size: int) -> np.ndarray:
    """Differences of losses that are means over `horizon` steps: (size, count), of mean zero."""
    noise = random.standard_normal((size, count + horizon))
    sums = noise.cumsum(1)
    return (sums[:, horizon:] - sums[:, :-horizon]) / horizon


def test_R3_the_variance_is_that_of_the_definition() -> None:
    values = np.random.default_rng(0).standard_normal(57).cumsum()
    assert long_run_variance(values, 5) == pytest.approx(by_definition(values, 5), rel=1e-10)


def test_R3_the_mean_has_students_p_value_and_interval() -> None:
    values = overlapping(np.random.default_rng(1), 800, 6, 1)[0] + 0.02
    estimate = estimate_mean(values, np.arange(800), 6)
    freedom = int(0.4 * 800 ** (2 / 3))
    error = math.sqrt(by_definition(values, freedom) / 800)
    assert (estimate.degrees_of_freedom, estimate.value) == (freedom, pytest.approx(values.mean()))
    assert estimate.standard_error == pytest.approx(error, rel=1e-9)
    assert estimate.p_value == pytest.approx(2 * stats.t.sf(abs(values.mean()) / error, freedom), rel=1e-9)
    reach = stats.t.ppf(0.975, freedom) * error
    assert estimate.interval() == pytest.approx((values.mean() - reach, values.mean() + reach))


@pytest.mark.parametrize(("count", "horizon"), [(120, 12), (600, 12), (2000, 48)])
def test_R3_models_that_do_equally_well_are_rarely_called_different_though_forecasts_overlap(
    count: int, horizon: int
) -> None:
    draws = overlapping(np.random.default_rng(2), count, horizon, 1500)
    ours = np.mean([estimate_mean(d, np.arange(count), horizon).p_value < 0.05 for d in draws])
    naive = np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05)
    assert 0.03 < ours < 0.075, "as often as the level of the test says"
    assert naive > 0.4, "unlike a test that takes origins as independent"


def test_R3_series_that_move_together_count_as_one() -> None:
    draws = overlapping(np.random.default_rng(3), 300, 6, 800)
    time = np.tile(np.arange(300), 8)
    rejections = [estimate_mean(np.tile(d, 8), time, 6).p_value < 0.05 for d in draws]
    assert 0.03 < np.mean(rejections) < 0.075
    one, eight = estimate_mean(draws[0], time[:300], 6), estimate_mean(np.tile(draws[0], 8), time, 6)
    assert eight == pytest.approx(one)


def test_R3_order_and_gaps_do_not_matter_and_too_few_times_give_no_p_value() -> None:
    values = overlapping(np.random.default_rng(4), 400, 6, 1)[0]
    shuffled = np.random.default_rng(5).permutation(400)
    assert estimate_mean(values[shuffled], shuffled, 6) == pytest.approx(estimate_mean(values, np.arange(400), 6))
    with_gap = np.where(np.arange(400) < 40, np.nan, values)
    assert estimate_mean(with_gap, np.arange(400), 6) == pytest.approx(estimate_mean(values[40:], np.arange(360), 6))
    short = estimate_mean(values[:60], np.arange(60), 12)
    assert short.degrees_of_freedom == 0
    assert math.isnan(short.p_value)
    assert estimate_mean(np.zeros(400), np.arange(400), 6).p_value == 1.0
    assert math.isnan(estimate_mean(np.full(4, np.nan), np.arange(4), 1).value)


def test_R4_holm_adjusts_several_p_values() -> None:
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm([0.01, float("nan")])[1])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
