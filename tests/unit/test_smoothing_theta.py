"""Exponential smoothing (F2): states equal to slow recursions written out in plain Python."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nbforecast.forecasters.scaled_context import PointForecast, ScaledContext, backtest_origins
from nbforecast.forecasters.seasonality import Seasons, deseasonalize
from nbforecast.forecasters.statistical.smoothing_theta import states, theta_forecast
from tests.support.windows import context, forecast, past_of, windows

_states = jax.jit(states)


def _damped(y: np.ndarray, alpha: float, beta: float, phi: float) -> tuple[list[float], list[float]]:
    """Holt's damped trend, gains of 1 / step at first; missing values leave the forecast as the state."""
    level, slope, n = 0.0, 0.0, 0
    levels, slopes = [], []
    for i, value in enumerate(y):
        forecast_ = level + slope
        if np.isnan(value):
            level, slope = forecast_, phi * slope
        else:
            n += 1
            if i == 0:
                forecast_ = value
            error = value - forecast_
            level = forecast_ + max(alpha, 1 / n) * error
            slope = phi * (slope + alpha * beta * error)
        levels.append(level)
        slopes.append(slope)
    return levels, slopes


@pytest.mark.parametrize(
    ("alpha", "beta", "phi"), [(0.3, 0.0, 1.0), (0.5, 0.2, 0.95), (1.0, 0.0, 1.0), (0.9, 0.5, 0.8)]
)
def test_states_equal_a_plain_recursion(alpha: float, beta: float, phi: float) -> None:
    rng = np.random.default_rng(0)
    y = -100 + np.cumsum(rng.normal(size=90))
    y[[20, 21, 50]] = np.nan
    past = past_of(windows(context(y), max_gap=0))
    level, slope = _states(past.values, past, np.array([[alpha, beta, phi, 0.0]], np.float32))
    scale, last = float(past.scale[0]), y[-1]
    levels, slopes = _damped(y, alpha, beta, phi)
    np.testing.assert_allclose(np.asarray(level)[-90:, 0, 0] * scale + last, levels, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(np.asarray(slope)[-90:, 0, 0] * scale, slopes, rtol=1e-3, atol=1e-3)


def test_theta_drift_is_half_the_slope_of_the_running_line() -> None:
    """Hyndman & Billah (2003)."""
    rng = np.random.default_rng(1)
    y = -200 - 0.5 * np.arange(120) + rng.normal(size=120)
    past = past_of(windows(context(y)))
    _, slope = _states(past.values, past, np.array([[0.3, 0.0, 1.0, 0.5]], np.float32))
    expected = [np.polyfit(np.arange(k), y[:k], 1)[0] / 2 for k in range(10, 121)]
    np.testing.assert_allclose(np.asarray(slope)[-111:, 0, 0] * float(past.scale[0]), expected, rtol=2e-3, atol=1e-4)


def test_simple_smoothing_equals_statsforecast() -> None:
    from statsforecast.models import SimpleExponentialSmoothing

    y = -50 + np.cumsum(np.random.default_rng(3).normal(size=400))
    past = past_of(windows(context(y)))
    level, _ = _states(past.values, past, np.array([[0.3, 0.0, 1.0, 0.0]], np.float32))
    expected = SimpleExponentialSmoothing(0.3).forecast(y, h=1)["mean"][0]
    assert float(level[-1, 0, 0]) * float(past.scale[0]) + y[-1] == pytest.approx(expected, abs=1e-3)


def test_l1_backtest_errors_are_those_of_forecasts_made_then() -> None:
    """The forecast for a backtest origin's window cut there has equal states: weights apart, nothing later counts."""
    rng = np.random.default_rng(4)
    y = -50 + np.cumsum(rng.normal(size=512))
    past = past_of(windows(context(y)))
    none = Seasons(jnp.zeros(1, jnp.int32), jnp.zeros(1, jnp.int32))
    grid = np.array([[0.5, 0.1, 0.95, 0.0]], np.float32)
    changed = past._replace(values=past.values.at[300:].add(9.0))
    one, two = (_states(jax.jit(deseasonalize)(p, none).values, p, grid) for p in (past, changed))
    np.testing.assert_array_equal(one[0][:300], two[0][:300])

    @jax.jit
    def point_forecast(past: ScaledContext) -> PointForecast:
        return theta_forecast(deseasonalize(past, none), past, backtest_origins(past, 12, past.first + 4))

    assert point_forecast(past).errors.shape == (64, 12, 1)


def test_trends_are_continued_and_exponential_growth_too() -> None:
    t = np.arange(200)
    line = forecast("theta", context(-300 + 1.5 * t), 12)[0]
    np.testing.assert_allclose(line[:, 4:6].mean(-1), -300 + 1.5 * (200 + np.arange(12)), atol=3.0)
    rng = np.random.default_rng(0)
    growth = 100 * np.exp(0.01 * t + 0.2 * np.sin(2 * np.pi * t / 12) + 0.01 * rng.normal(size=200))
    ahead = np.arange(200, 212)
    expected = 100 * np.exp(0.01 * ahead + 0.2 * np.sin(2 * np.pi * ahead / 12))
    got = forecast("theta", context(growth), 12, (12,))[0]
    np.testing.assert_allclose(got[:, 4:6].mean(-1), expected, rtol=0.06)
