"""Seasonal naive: the value one season before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp

from nbforecast.forecasters.draws import LEVELS, draw
from nbforecast.forecasters.history import LEAST, Outlook, history, inner_origins, take
from nbforecast.forecasters.season import ahead, find_seasons
from nbforecast.forecasters.windows import WindowForecaster

if TYPE_CHECKING:
    from jaxtyping import Array, Float32, Int32

    from nbforecast.forecasters.history import History, Inner
    from nbforecast.forecasters.windows import Windows


@dataclass(frozen=True)
class SeasonalNaive(WindowForecaster):
    """The value one season before; of two seasons the longer, of none the last value. Errors are those made so far."""

    name: str = "naive"
    context: int = 512
    levels: tuple[float, ...] = LEVELS
    draws: int = len(LEVELS)

    def predict(self, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
        past = history(windows)
        seasons = find_seasons(past, windows.seasons)
        season = jnp.maximum(seasons.short, seasons.long)
        inner = inner_origins(past, horizon, past.first + jnp.maximum(season, LEAST))
        return draw(past, inner, naive_outlook(past, inner, season))


def naive_outlook(past: History, inner: Inner, season: Int32[Array, " B"]) -> Outlook:
    _, horizon, batch = inner.targets.shape

    def points(at: Int32[Array, "n B"]) -> Float32[Array, "n H B"]:
        where = ahead(at, season, horizon)
        return take(past.values, where.reshape(-1, batch)).reshape(where.shape)

    end = jnp.full((1, batch), past.values.shape[0] - 1)
    return Outlook(points(end)[0], inner.targets - points(inner.at))
