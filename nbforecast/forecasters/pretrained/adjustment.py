"""Seasonal adjustment of a long window: coarsely up to its last steps, then step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.pretrained.long_context import COARSE, RECENT
from nbforecast.forecasters.pretrained.seasons import is_coarse
from nbforecast.forecasters.seasonality import CYCLE_GAIN, LEVEL_GAIN, Adjusted, Seasons

if TYPE_CHECKING:
    from nbforecast.forecasters.pretrained.long_context import LongContext
    from nbforecast.forecasters.scaled_context import ScaledContext

_COARSE_LEVEL_GAIN = 1.0 - (1.0 - LEVEL_GAIN) ** COARSE


class _Start(NamedTuple):
    """What is known of the steps before the first.

    Attributes:
        short: The component of the shorter season at the O steps before.
        long: That of the longer season.
        visits: How often each phase of either season was seen.
        level: The level.
    """

    short: Float32[Array, "O B"]
    long: Float32[Array, "O B"]
    visits: Float32[Array, "2 B"]
    level: Float32[Array, " B"]


def adjust(past: ScaledContext, long: LongContext, seasons: Seasons) -> Adjusted:
    """Returns the last steps without their seasons, by exponential smoothing of the level and of each phase.

    It is `seasonality.deseasonalize`, but for long seasons, whose components start from what the means of `COARSE`
    steps before show. The components are of the whole window, 0 where a season was not looked for.

    Args:
        past: The contexts.
        long: The same in their whole length.
        seasons: Their seasons.
    """
    zero = jnp.zeros(past.first.shape)
    nothing = _Start(*(jnp.zeros((0, len(zero))),) * 2, jnp.zeros((2, len(zero))), zero)
    rows = long.start // COARSE
    if rows:
        begin = len(long.coarse) - RECENT // COARSE - rows
        old = slice(begin, begin + rows)
        first = jnp.clip(long.coarse_first - begin, 0, rows)
        coarse_seasons = Seasons(*(jnp.where(is_coarse(m), m // COARSE, 0) for m in seasons))
        state, _ = _smooth(long.coarse[old], long.coarse_known[old], first, coarse_seasons, _COARSE_LEVEL_GAIN, nothing)
        elapsed = (rows - first).astype(jnp.float32)
        visits = jnp.stack([jnp.floor(elapsed / jnp.maximum(m, 1)) * (m > 0) for m in coarse_seasons])
        steps = (jnp.arange(long.start)[:, None] - (COARSE - 1) / 2) / COARSE
        start = _Start(_interpolate(state.short, steps), _interpolate(state.long, steps), visits, state.level)
    else:
        start = nothing
    state, values = _smooth(past.values, past.is_known, past.first, seasons, LEVEL_GAIN, start)
    return Adjusted(values, state.short, state.long, seasons)


def _interpolate(rows: Float32[Array, "R B"], steps: Float32[Array, "T 1"]) -> Float32[Array, "T B"]:
    before = jnp.floor(steps).astype(jnp.int32)[:, 0]
    share = steps - before[:, None]
    return rows[jnp.clip(before, 0)] * (1.0 - share) + rows[jnp.minimum(before + 1, len(rows) - 1)] * share


class _State(NamedTuple):
    """The state of the recursion; the components are those of all steps so far, from the first step of their start."""

    level: Float32[Array, " B"]
    last: Float32[Array, " B"]
    short: Float32[Array, "O+T B"]
    long: Float32[Array, "O+T B"]


def _smooth(
    values: Float32[Array, "T B"],
    is_known: Bool[Array, "T B"],
    first: Int32[Array, " B"],
    seasons: Seasons,
    level_gain: float,
    start: _Start,
) -> tuple[_State, Float32[Array, "T B"]]:
    """The recursion of Holt and Winters (Winters 1960) in error-correction form with fixed gains.

    A phase's gain is 1 / visits until that falls below its final value. Where a season was not visited before, level
    and slope of its first two cycles come from their means (Hyndman & Athanasopoulos).

    Returns:
        The last state, and the adjusted values.
    """
    length, batch = values.shape
    old, visits = len(start.short), start.visits
    m, k = seasons
    steps = jnp.arange(length)[:, None]
    age = steps - first

    def cycle_mean(number: int) -> Float32[Array, " B"]:
        is_in_cycle = is_known & (age >= number * m) & (age < (number + 1) * m)
        return jnp.where(is_in_cycle, values, 0.0).sum(0) / jnp.maximum(is_in_cycle.sum(0), 1)

    mean = cycle_mean(0)
    slope = jnp.where(m > 0, (cycle_mean(1) - mean) / jnp.maximum(m, 1), 0.0)
    line = mean + slope * (age - (m - 1) / 2)
    elapsed = jnp.maximum(age, 0)
    is_early = (elapsed < 2 * m) & (visits[0] < 2.0)

    def cycles(season: Int32[Array, " B"]) -> Float32[Array, "T B"]:
        return jnp.floor(elapsed / jnp.maximum(season, 1))

    gain = jnp.where(m > 0, jnp.maximum(CYCLE_GAIN, 1.0 / (visits[0] + cycles(m) + 1.0)), 0.0)
    gain_long = jnp.maximum(CYCLE_GAIN, 1.0 / (visits[1] + cycles(k) + 2.0)) * (1.0 - gain)
    gain_long = jnp.where((k > 0) & ((elapsed >= m) | (visits[0] > 0.0)), gain_long, 0.0)
    rows = [jnp.clip(steps - season + old, 0) for season in (m, k)]
    index, index_long = (row * batch + jnp.arange(batch) for row in rows)

    def step(state: _State, inputs: Any) -> tuple[_State, Array]:
        level, last, short, long = state
        t, value, is_known, early_level, is_early, gain, gain_long, index, index_long = inputs
        component, component_long = (
            s.reshape(-1).at[p].get(mode="promise_in_bounds") for s, p in ((short, index), (long, index_long))
        )
        level = jnp.where(is_early, early_level, level)
        adjusted = value - component - component_long
        last = jnp.where(is_known, adjusted, last)
        error = jnp.where(is_known, adjusted - level, 0.0)
        level = level + level_gain * error
        residual = (1.0 - level_gain) * error
        short = jax.lax.dynamic_update_index_in_dim(short, component + gain * residual, t + old, 0)
        long = jax.lax.dynamic_update_index_in_dim(long, component_long + gain_long * residual, t + old, 0)
        return _State(level, last, short, long), last

    zeros = jnp.zeros((length, batch), jnp.float32)
    level = jnp.where(visits[0] >= 2.0, start.level, values[0])
    components = (jnp.concatenate([c, zeros]) for c in (start.short, start.long))
    inputs = (jnp.arange(length), values, is_known, line, is_early, gain, gain_long, index, index_long)
    return jax.lax.scan(step, _State(level, values[0], *components), inputs)
