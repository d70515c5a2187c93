"""Exponential smoothing and Theta: a grid of level, slope and damping gains, weighted by their past errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from nbforecast.forecasters.scaled_context import (
    MIN_OBSERVATIONS,
    PointForecast,
    inverse_error_weights,
)
from nbforecast.forecasters.seasonality import deseasonalize, seasonal_component
from nbforecast.forecasters.statistical.base import Statistical

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import BacktestOrigins, ScaledContext
    from nbforecast.forecasters.seasonality import Adjusted, Seasons

_POWER = 10.0
_N_ERROR_STEPS = 4

# alpha, beta / alpha, phi, share of the running trend line's slope (Theta: half of it)
_GRID = np.array(
    [(a, 0.0, 1.0, 0.0) for a in (0.05, 0.15, 0.3, 0.5, 0.75, 1.0)]
    + [(a, b, 0.95, 0.0) for a in (0.3, 0.7) for b in (0.1, 0.3)]
    + [(a, b, 0.8, 0.0) for a in (0.9,) for b in (0.5, 0.9)]
    + [(a, 0.0, 1.0, 0.5) for a in (0.05, 0.15, 0.3, 0.5, 0.75, 1.0)],
    np.float32,
)


@dataclass(frozen=True)
class Theta(Statistical):
    """Exponential smoothing and Theta, on the seasonally adjusted context.

    A grid of gains is run at once; each is weighted by its errors in the context.

    Source:
        Gardner & McKenzie (1985), Forecasting trends in time series; Assimakopoulos & Nikolopoulos (2000), The theta
        model; Hyndman & Billah (2003), Unmasking the Theta method.
    """

    algorithm: ClassVar[str] = "theta"
    algorithm_version: ClassVar[int] = 1
    name: str = "theta"

    def point_forecast(self, past: ScaledContext, seasons: Seasons, origins: BacktestOrigins) -> PointForecast:
        """See `Statistical.point_forecast`."""
        return theta_forecast(deseasonalize(past, seasons), past, origins)


def states(
    values: Float32[Array, "L B"], past: ScaledContext, grid: Float32[np.ndarray | Array, "G 4"]
) -> tuple[Float32[Array, "L G B"], Float32[Array, "L G B"]]:
    """Returns the level and the next step's slope after each step, for every row of the grid.

    The recursion is Gardner & McKenzie's (1985) damped trend in error-correction form; a gain is 1 / steps at first.
    With a share of the running least-squares line's slope as drift, simple smoothing is Theta (Hyndman & Billah 2003).

    Args:
        values: The seasonally adjusted values.
        past: The contexts they are of.
        grid: Rows of alpha, beta / alpha, phi and the share of the line's slope.
    """
    alpha, ratio, phi, share = (jnp.array(c)[:, None] for c in grid.T)

    def step(carry: Any, inputs: Any) -> tuple[Any, tuple[Array, Array]]:
        level, trend, drift, n, mean_t, mean_y, var_t, cov = carry
        t, value, is_known = inputs
        is_used = is_known & (t >= past.first)
        n = n + is_used
        dt, dy = (t - past.first) - mean_t, value - mean_y
        mean_t = jnp.where(is_used, mean_t + dt / jnp.maximum(n, 1.0), mean_t)
        mean_y = jnp.where(is_used, mean_y + dy / jnp.maximum(n, 1.0), mean_y)
        var_t = jnp.where(is_used, var_t + dt * ((t - past.first) - mean_t), var_t)
        cov = jnp.where(is_used, cov + dt * (value - mean_y), cov)
        forecast = level + phi * trend + drift
        error = jnp.where(is_used, value - forecast, 0.0)
        gain = jnp.maximum(alpha, 1.0 / jnp.maximum(n, 1.0))
        level = forecast + gain * error
        trend = phi * trend + alpha * ratio * error
        drift = share * jnp.where(n > MIN_OBSERVATIONS, cov / jnp.maximum(var_t, 1.0), 0.0)
        return (level, trend, drift, n, mean_t, mean_y, var_t, cov), (level, phi * trend + drift)

    none = jnp.zeros((len(grid), values.shape[1]), jnp.float32)
    zero = jnp.zeros(values.shape[1], jnp.float32)
    start = (none + values[0], none, none, *(zero,) * 5)
    times = jnp.arange(values.shape[0])
    return jax.lax.scan(step, start, (times, values, past.is_known))[1]


def theta_forecast(adjusted: Adjusted, past: ScaledContext, origins: BacktestOrigins) -> PointForecast:
    """Returns the grid's forecasts, each weighted by its errors at the backtest origins (at a few horizon steps).

    Args:
        adjusted: The seasonally adjusted contexts.
        past: The contexts.
        origins: The backtest origins.
    """
    horizon, batch = origins.targets.shape[1:]
    level, slope = states(adjusted.values, past, _GRID)
    multiples = jnp.array(_slope_multiples(horizon))
    end = jnp.full((1, batch), past.values.shape[0] - 1)
    positions = jnp.concatenate([origins.positions, end])[:, None]
    level, slope = (jnp.take_along_axis(s, positions, axis=0) for s in (level, slope))
    # without a barrier XLA gathers anew for each of the places where the gathered values are used
    level, slope, season = jax.lax.optimization_barrier(
        (level, slope, seasonal_component(adjusted, positions[:, 0], horizon))
    )

    error_steps = np.unique(np.linspace(0, horizon - 1, _N_ERROR_STEPS).round().astype(int))
    targets = (origins.targets - season[:-1])[:, error_steps]
    forecasts = level[:-1, :, None] + slope[:-1, :, None] * multiples[:, error_steps, None]
    valid = origins.valid[:, error_steps]
    error = jnp.where(valid[:, None], jnp.abs(targets[:, None] - forecasts), 0.0).sum((0, 2))
    weights = inverse_error_weights(error / jnp.maximum(valid.sum((0, 1)), 1), _POWER)

    trend = jnp.einsum("ngb,gb,gh->nhb", slope, weights, multiples)
    points = (level * weights).sum(1)[:, None] + trend + season
    return PointForecast(points[-1], origins.targets - points[:-1])


def _slope_multiples(horizon: int) -> Float32[np.ndarray, "G H"]:
    """How many times its next step a slope moves the forecast, by grid row and horizon step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:]
    steps = np.arange(horizon)
    return np.where(share > 0, steps + 1.0, np.cumsum(phi**steps, 1)).astype(np.float32)
