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
_LOOKED = 4

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

    def step(carry: Any, now: Any) -> tuple[Any, tuple[Array, Array]]:
        level, trend, drift, n, mean_t, mean_y, var_t, cov = carry
        t, value, is_known = now
        use = is_known & (t >= past.first)
        n = n + use
        dt, dy = (t - past.first) - mean_t, value - mean_y
        mean_t = jnp.where(use, mean_t + dt / jnp.maximum(n, 1.0), mean_t)
        mean_y = jnp.where(use, mean_y + dy / jnp.maximum(n, 1.0), mean_y)
        var_t = jnp.where(use, var_t + dt * ((t - past.first) - mean_t), var_t)
        cov = jnp.where(use, cov + dt * (value - mean_y), cov)
        forecast = level + phi * trend + drift
        error = jnp.where(use, value - forecast, 0.0)
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
    reach = jnp.array(_reach(horizon))
    end = jnp.full((1, batch), past.values.shape[0] - 1)
    here = jnp.concatenate([origins.positions, end])[:, None]
    level, slope = (jnp.take_along_axis(s, here, axis=0) for s in (level, slope))
    # without a barrier XLA gathers anew for each of the places where the gathered values are used
    level, slope, season = jax.lax.optimization_barrier(
        (level, slope, seasonal_component(adjusted, here[:, 0], horizon))
    )

    looked = np.unique(np.linspace(0, horizon - 1, _LOOKED).round().astype(int))
    targets = (origins.targets - season[:-1])[:, looked]
    forecasts = level[:-1, :, None] + slope[:-1, :, None] * reach[:, looked, None]
    valid = origins.valid[:, looked]
    error = jnp.where(valid[:, None], jnp.abs(targets[:, None] - forecasts), 0.0).sum((0, 2))
    weights = inverse_error_weights(error / jnp.maximum(valid.sum((0, 1)), 1), _POWER)

    trend = jnp.einsum("ngb,gb,gh->nhb", slope, weights, reach)
    points = (level * weights).sum(1)[:, None] + trend + season
    return PointForecast(points[-1], origins.targets - points[:-1])


def _reach(horizon: int) -> Float32[np.ndarray, "G H"]:
    """How many times its next step a slope moves the forecast, by grid row and horizon step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:]
    steps = np.arange(horizon)
    return np.where(share > 0, steps + 1.0, np.cumsum(phi**steps, 1)).astype(np.float32)
