"""R3: probabilities of values are the inverse of quantiles; PIT histograms are flat for calibrated forecasts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nbforecast.scoring.origin_scores import quantiles
from nbforecast.scoring.pit import CumulativeProbability, cumulative_probability, pit_histogram

LEVELS = tuple((i + 0.5) / 10 for i in range(10))
FINE = tuple(np.linspace(0.0005, 0.9995, 1999))


def by_search(draws: np.ndarray, value: float) -> tuple[float, float]:
    """The largest probabilities whose quantile is less than the value, and no more than it."""
    curve = quantiles(draws.astype(np.float64), LEVELS, FINE)
    return float(np.mean(curve < value)), float(np.mean(curve <= value))


def cases() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    draws = np.sort(random.normal(0, 2, (60, 10)), 1)
    draws[:10] = np.abs(draws[:10])
    draws[10:30] = np.maximum(draws[10:30], 0)  # several draws of zero
    draws[30:33] = -np.abs(draws[30:33])
    draws[33] = 1.0
    draws = np.sort(draws, 1).astype(np.float32)
    values = random.normal(0, 3, 60)
    values[5:15] = 0
    values[15:20] = draws[15:20, 4]
    values[31] = 0
    return draws, values


def test_R3_probabilities_invert_quantiles() -> None:
    draws, values = cases()
    probability = cumulative_probability(draws, LEVELS, values)
    expected = np.array([by_search(d, v) for d, v in zip(draws, values, strict=True)])
    assert probability.below == pytest.approx(expected[:, 0], abs=0.002)
    assert probability.up_to == pytest.approx(expected[:, 1], abs=0.002)
    assert (probability.up_to - probability.below).max() > 0.3, "some values are met by several draws"


def test_R3_probabilities_of_a_normal_forecast_are_exact_and_NaN_where_unknown() -> None:
    draws = stats.norm(3, 2).ppf(LEVELS).astype(np.float32)
    values = np.array([[-2.0, 3.0], [9.0, np.nan]])
    probability = cumulative_probability(np.broadcast_to(draws, (2, 2, 10)), LEVELS, values)
    assert probability.below == pytest.approx(stats.norm(3, 2).cdf(values), abs=1e-5, nan_ok=True)
    assert np.isnan(cumulative_probability(np.full((1, 10), np.nan, np.float32), LEVELS, np.array([1.0])).up_to).all()
    one = cumulative_probability(np.array([[5.0]] * 3, np.float32), (0.5,), np.array([4.0, 5.0, 6.0]))
    assert one.below.tolist() == [0, 0, 1]
    assert one.up_to.tolist() == [0, 1, 1]


def test_R3_the_histogram_is_flat_where_forecasts_are_calibrated_counts_included() -> None:
    random = np.random.default_rng(1)
    normal = stats.norm(3, 2).ppf(LEVELS).astype(np.float32)
    flat = pit_histogram(
        cumulative_probability(np.broadcast_to(normal, (40_000, 10)), LEVELS, random.normal(3, 2, 40_000))
    )
    assert flat.sum() == pytest.approx(1)
    assert flat == pytest.approx(np.full(10, 0.1), abs=0.01)
    narrow = pit_histogram(
        cumulative_probability(np.broadcast_to(normal, (40_000, 10)), LEVELS, random.normal(3, 4, 40_000))
    )
    assert narrow[0] > 0.2
    assert narrow[-1] > 0.2
    counts = random.poisson(1.3, 40_000)
    exact = CumulativeProbability(stats.poisson(1.3).cdf(counts - 1), stats.poisson(1.3).cdf(counts))
    assert pit_histogram(exact) == pytest.approx(np.full(10, 0.1), abs=0.01)
    assert np.isnan(pit_histogram(CumulativeProbability(np.array([np.nan]), np.array([np.nan])))).all()
