"""What the weight-free forecasters share: quantiles from their own errors at past origins of the context."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS, quantile_forecast
from nbforecast.forecasters.scaled_context import MIN_OBSERVATIONS, backtest_origins, scale_context
from nbforecast.forecasters.seasonality import find_seasons
from nbforecast.forecasters.window_forecaster import WindowForecaster

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import BacktestOrigins, PointForecast, ScaledContext
    from nbforecast.forecasters.seasonality import Seasons
    from nbforecast.forecasters.windows import Windows


@dataclass(frozen=True)
class Statistical(WindowForecaster):
    """Base of weight-free forecasters.

    It finds the seasons of a context, forecasts points from its end and from past origins inside it, and takes
    quantiles from the errors at those origins. A subclass implements `point_forecast`.

    Attributes:
        name: The forecaster's name.
        context: L, the steps it looks at.
    """

    name: str = ""
    context: int = 512
    levels: ClassVar[tuple[float, ...]] = DRAW_LEVELS
    draws: ClassVar[int] = len(DRAW_LEVELS)
    uses_seed: ClassVar[bool] = False

    def predict(self, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
        """See `WindowForecaster.predict`."""
        # barriers keep XLA from computing again what is used more than once: a tenth of the time of `naive`
        past = jax.lax.optimization_barrier(scale_context(windows))
        seasons = find_seasons(past, windows.seasons)
        start = past.first + jnp.maximum(self.warmup(seasons), MIN_OBSERVATIONS)
        origins = jax.lax.optimization_barrier(backtest_origins(past, horizon, start))
        forecast = jax.lax.optimization_barrier(self.point_forecast(past, seasons, origins))
        return quantile_forecast(past, origins, forecast)

    def warmup(self, seasons: Seasons) -> Int32[Array, " B"]:
        """Returns the number of steps at the start of a context from which nothing is forecast."""
        return 2 * seasons.short

    @abstractmethod
    def point_forecast(self, past: ScaledContext, seasons: Seasons, origins: BacktestOrigins) -> PointForecast:
        """Returns forecasts as of the end of the contexts, and the errors of the same method at the backtest origins.

        Args:
            past: The contexts.
            seasons: Their seasons.
            origins: The backtest origins.
        """
