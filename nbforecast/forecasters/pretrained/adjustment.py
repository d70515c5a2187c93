"""Seasonal adjustment of a long window: coarsely up to its last steps, then step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from jaxtyping import Array, Float32

from nbforecast.forecasters.pretrained.long_context import COARSE, RECENT
from nbforecast.forecasters.pretrained.seasons import is_coarse
from nbforecast.forecasters.seasonality import LEVEL_GAIN, Adjusted, Seasons, SeasonStart, no_start, smooth_seasons

if TYPE_CHECKING:
    from nbforecast.forecasters.pretrained.long_context import LongContext
    from nbforecast.forecasters.scaled_context import ScaledContext

_COARSE_LEVEL_GAIN = 1.0 - (1.0 - LEVEL_GAIN) ** COARSE


def adjust(past: ScaledContext, long: LongContext, seasons: Seasons) -> Adjusted:
    """Returns the last steps without their seasons, by exponential smoothing of the level and of each phase.

    It is `seasonality.deseasonalize`, but for long seasons, whose components start from what the means of `COARSE`
    steps before show. The components are of the whole window, 0 where a season was not looked for.

    Args:
        past: The contexts.
        long: The same in their whole length.
        seasons: Their seasons.
    """
    nothing = no_start(len(past.first))
    rows = long.start // COARSE
    if rows:
        begin = len(long.coarse) - RECENT // COARSE - rows
        old = slice(begin, begin + rows)
        first = jnp.clip(long.coarse_first - begin, 0, rows)
        coarse_seasons = Seasons(*(jnp.where(is_coarse(m), m // COARSE, 0) for m in seasons))
        state, _ = smooth_seasons(
            long.coarse[old], long.coarse_known[old], first, coarse_seasons, _COARSE_LEVEL_GAIN, nothing
        )
        elapsed = (rows - first).astype(jnp.float32)
        visits = jnp.stack([jnp.floor(elapsed / jnp.maximum(m, 1)) * (m > 0) for m in coarse_seasons])
        steps = (jnp.arange(long.start)[:, None] - (COARSE - 1) / 2) / COARSE
        start = SeasonStart(_interpolate(state.short, steps), _interpolate(state.long, steps), visits, state.level)
    else:
        start = nothing
    state, values = smooth_seasons(past.values, past.is_known, past.first, seasons, LEVEL_GAIN, start)
    return Adjusted(values, state.short, state.long, seasons)


def _interpolate(rows: Float32[Array, "R B"], steps: Float32[Array, "T 1"]) -> Float32[Array, "T B"]:
    before = jnp.floor(steps).astype(jnp.int32)[:, 0]
    share = steps - before[:, None]
    return rows[jnp.clip(before, 0)] * (1.0 - share) + rows[jnp.minimum(before + 1, len(rows) - 1)] * share
