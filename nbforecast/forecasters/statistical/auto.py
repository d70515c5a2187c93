"""The weight-free forecasters, weighted by their past errors in each context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp

from nbforecast.forecasters.scaled_context import combine, inverse_error_weights, mean_error
from nbforecast.forecasters.seasonality import deseasonalize
from nbforecast.forecasters.statistical.base import Statistical
from nbforecast.forecasters.statistical.naive import naive_forecast
from nbforecast.forecasters.statistical.ridge import ridge_forecast
from nbforecast.forecasters.statistical.smoothing_theta import theta_forecast

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import BacktestOrigins, PointForecast, ScaledContext
    from nbforecast.forecasters.seasonality import Seasons

_POWER = 5.0


@dataclass(frozen=True)
class Auto(Statistical):
    """Combines seasonal naive, Theta and ridge autoregression, weighted by their past errors in each context.

    Source:
        Bates & Granger (1969), The combination of forecasts.
    """

    algorithm: ClassVar[str] = "auto"
    algorithm_version: ClassVar[int] = 1
    name: str = "auto"

    def point_forecast(self, past: ScaledContext, seasons: Seasons, origins: BacktestOrigins) -> PointForecast:
        """See `Statistical.point_forecast`."""
        adjusted = deseasonalize(past, seasons)
        forecasts = (
            naive_forecast(past, origins, jnp.maximum(seasons.short, seasons.long)),
            theta_forecast(adjusted, past, origins),
            ridge_forecast(adjusted, past, origins),
        )
        members = jax.tree.map(lambda *o: jnp.stack(o), *forecasts)
        weights = inverse_error_weights(mean_error(members.errors, origins.valid), _POWER)
        return combine(members, weights)
