"""The default: the weight-free forecasters, weighted by their past errors in each context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from nbforecast.forecasters.draws import LEVELS, draw
from nbforecast.forecasters.history import (
    LEAST,
    combine,
    history,
    inner_origins,
    inverse_error_weights,
    mean_error,
)
from nbforecast.forecasters.naive import naive_outlook
from nbforecast.forecasters.ridge import ridge_outlook
from nbforecast.forecasters.season import adjust, find_seasons
from nbforecast.forecasters.smoothing import smoothing_outlook
from nbforecast.forecasters.windows import WindowForecaster

if TYPE_CHECKING:
    from jaxtyping import Array, Float32

    from nbforecast.forecasters.windows import Windows

_POWER = 5.0


@dataclass(frozen=True)
class Auto(WindowForecaster):
    """Seasonal naive, smoothing and ridge, averaged; the errors of the average, not of its members, give its draws."""

    name: str = "auto"
    context: int = 512
    levels: tuple[float, ...] = LEVELS
    draws: int = len(LEVELS)

    def predict(self, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
        past = history(windows)
        seasons = find_seasons(past, windows.seasons)
        inner = inner_origins(past, horizon, past.first + jnp.maximum(2 * seasons.short, LEAST))
        adjusted = adjust(past, seasons)
        outlooks = (
            naive_outlook(past, inner, jnp.maximum(seasons.short, seasons.long)),
            smoothing_outlook(adjusted, past, inner),
            ridge_outlook(adjusted, past, inner),
        )
        members = jax.tree.map(lambda *o: jnp.stack(o), *outlooks)
        weights = inverse_error_weights(mean_error(members.errors, inner.valid), _POWER)
        return draw(past, inner, combine(members, weights))
