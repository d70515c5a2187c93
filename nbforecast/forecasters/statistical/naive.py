"""Seasonal naive: the value one season before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32

from nbforecast.forecasters.scaled_context import PointForecast, take
from nbforecast.forecasters.seasonality import seasonal_positions
from nbforecast.forecasters.statistical.base import Statistical

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import BacktestOrigins, ScaledContext
    from nbforecast.forecasters.seasonality import Seasons


@dataclass(frozen=True)
class SeasonalNaive(Statistical):
    """Repeats the value one season before, for the longer season found."""

    algorithm: ClassVar[str] = "naive"
    algorithm_version: ClassVar[int] = 1
    name: str = "naive"

    def warmup(self, seasons: Seasons) -> Int32[Array, " B"]:
        """See `Statistical.warmup`: the longer season."""
        return jnp.maximum(seasons.short, seasons.long)

    def point_forecast(self, past: ScaledContext, seasons: Seasons, origins: BacktestOrigins) -> PointForecast:
        """See `Statistical.point_forecast`."""
        return naive_forecast(past, origins, jnp.maximum(seasons.short, seasons.long))


def naive_forecast(past: ScaledContext, origins: BacktestOrigins, season: Int32[Array, " B"]) -> PointForecast:
    """Returns seasonal naive forecasts and their errors.

    Args:
        past: The contexts.
        origins: The backtest origins.
        season: The season length in steps; 0 repeats the last value.
    """
    _, horizon, batch = origins.targets.shape

    def points(origin_positions: Int32[Array, "n B"]) -> Float32[Array, "n H B"]:
        return take(past.values, seasonal_positions(origin_positions, season, horizon))

    end = jnp.full((1, batch), past.values.shape[0] - 1)
    return PointForecast(points(end)[0], origins.targets - points(origins.positions))
