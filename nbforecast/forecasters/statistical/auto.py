"""The weight-free forecasters, weighted by their past errors in each context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp

from nbforecast.forecasters.context import combine, inverse_error_weights, mean_error
from nbforecast.forecasters.seasonality import adjust
from nbforecast.forecasters.statistical.base import Statistical
from nbforecast.forecasters.statistical.naive import naive_outlook
from nbforecast.forecasters.statistical.ridge import ridge_outlook
from nbforecast.forecasters.statistical.theta import smoothing_outlook

if TYPE_CHECKING:
    from nbforecast.forecasters.context import BacktestOrigins, PointForecast, ScaledContext
    from nbforecast.forecasters.seasonality import Seasons

_POWER = 5.0


@dataclass(frozen=True)
class Auto(Statistical):
    """The three others, weighted by their past errors."""

    algorithm: ClassVar[str] = "auto"
    algorithm_version: ClassVar[int] = 1
    name: str = "auto"

    def outlook(self, past: ScaledContext, seasons: Seasons, inner: BacktestOrigins) -> PointForecast:
        adjusted = adjust(past, seasons)
        outlooks = (
            naive_outlook(past, inner, jnp.maximum(seasons.short, seasons.long)),
            smoothing_outlook(adjusted, past, inner),
            ridge_outlook(adjusted, past, inner),
        )
        members = jax.tree.map(lambda *o: jnp.stack(o), *outlooks)
        weights = inverse_error_weights(mean_error(members.errors, inner.valid), _POWER)
        return combine(members, weights)
