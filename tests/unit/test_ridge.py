"""Ridge autoregression (F2): coefficients equal to NumPy's on the same design."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nbforecast.forecasters.scaled_context import PointForecast, ScaledContext, backtest_origins
from nbforecast.forecasters.seasonality import Seasons, deseasonalize
from nbforecast.forecasters.statistical import ridge
from tests.support.windows import context, forecast, past_of, windows


def _design(values: np.ndarray) -> np.ndarray:
    """Lags and exponentially weighted means relative to each value, in plain NumPy."""
    means = [np.full(len(values), values[0]) for _ in ridge._GAINS]
    for mean, gain in zip(means, ridge._GAINS, strict=True):
        for t in range(1, len(values)):
            mean[t] = mean[t - 1] + gain * (values[t] - mean[t - 1])
    padded = np.concatenate([np.repeat(values[:1], ridge._LAGS), values])
    lags = [padded[ridge._LAGS - i : ridge._LAGS - i + len(values)] for i in range(1, ridge._LAGS + 1)]
    return np.stack([*lags, *means], 1) - values[:, None]


@partial(jax.jit, static_argnums=1)
def _outlook(past: ScaledContext, horizon: int) -> PointForecast:
    """Without a season."""
    none = Seasons(jnp.zeros(1, jnp.int32), jnp.zeros(1, jnp.int32))
    return ridge.ridge_forecast(deseasonalize(past, none), past, backtest_origins(past, horizon, past.first + 4))


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 5])
def test_points_equal_numpy_on_the_same_design(horizon: int) -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(512)
    for t in range(2, 512):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + rng.normal()
    past = past_of(windows(context(y - 40)))
    points = np.asarray(_outlook(past, horizon).points)[:, 0]

    values = np.asarray(past.values, np.float64)[:, 0]
    x = _design(values)
    rows = np.arange(ridge.MIN_OBSERVATIONS, 512 - horizon)
    gram = x[rows].T @ x[rows]
    diagonal = np.diag(gram)
    mean = diagonal.mean()
    penalty = ridge._PRIOR_ROWS / len(rows) * (diagonal + 0.01 * mean) + 1e-4 * mean + 1e-6
    # ridge as least squares with one more row a coefficient
    left = np.concatenate([x[rows], np.diag(np.sqrt(penalty))])
    for h in range(1, horizon + 1):
        right = np.concatenate([values[rows + h] - values[rows], np.zeros(x.shape[1])])
        weights = np.linalg.lstsq(left, right, rcond=None)[0]
        assert points[h - 1] == pytest.approx(values[-1] + x[-1] @ weights, abs=2e-3)


@pytest.mark.slow
def test_l1_past_errors_come_from_coefficients_fitted_before() -> None:
    """L1: what happened after a backtest origin's targets leaves its error as it was."""
    rng = np.random.default_rng(1)
    past = past_of(windows(context(-80 + np.cumsum(rng.normal(size=512)))))
    origins = backtest_origins(past, 12, past.first + 4)
    changed = past._replace(values=past.values.at[460:].add(jnp.array(rng.normal(0, 5, (52, 1)), jnp.float32)))
    one, two = (np.asarray(_outlook(p, 12).errors) for p in (past, changed))
    early = np.asarray(origins.positions)[:, 0] + 12 < 460
    assert early.sum() > 30
    np.testing.assert_allclose(one[early], two[early], atol=1e-5)


def test_an_autoregression_is_forecast_better_than_by_its_last_value() -> None:
    rng = np.random.default_rng(2)
    n, steps = 200, 530
    y = np.zeros((n, steps))
    for t in range(2, steps):
        y[:, t] = 1.6 * y[:, t - 1] - 0.8 * y[:, t - 2] + rng.normal(size=n)
    y -= 100
    median = forecast("ridge", y[:, :512], 12)[..., 4:6].mean(-1)
    error = np.abs(median - y[:, 512:524]).mean()
    naive = np.abs(y[:, 511:512] - y[:, 512:524]).mean()
    assert error < 0.75 * naive
