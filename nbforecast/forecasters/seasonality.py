"""Seasons of a context: which lengths it has, and how far each step lies above the level because of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.scaled_context import first_true, running_sum, take, total

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import ScaledContext

CALENDAR_Z = 1.645  # one-sided 5 %, as the Theta method's test of its season
SMOOTH_Z = 2.33
SMOOTH_R = 0.3
FREE_Z = 4.0  # the largest of some 250 lags of noise stays below
MAX_UNEXPLAINED_RATIO = 0.75
LEVEL_GAIN = 0.05
CYCLE_GAIN = 0.2


class Seasons(NamedTuple):
    """Up to two season lengths in steps.

    Attributes:
        short: The shorter one; 0 for none.
        long: The longer one, a multiple of the shorter; 0 for none.
    """

    short: Int32[Array, " B"]
    long: Int32[Array, " B"]


class Adjusted(NamedTuple):
    """A context without its seasons.

    The context's value at t is `values[t] + short[t - m] + long[t - m']` for the seasons m and m'.

    Attributes:
        values: The seasonally adjusted values.
        short: The component of the shorter season as known once a step has been seen.
        long: That of the longer season.
        seasons: The season lengths.
    """

    values: Float32[Array, "L B"]
    short: Float32[Array, "L B"]
    long: Float32[Array, "L B"]
    seasons: Seasons


def autocorrelation(
    values: Float32[Array, "L B"], is_known: Bool[Array, "L B"], first: Int32[Array, " B"]
) -> tuple[Float32[Array, "K B"], Float32[Array, "K B"]]:
    """Returns the autocorrelation at the lags 0 to K - 1, K = L / 2, and its z-scores.

    The standard error is Bartlett's: sqrt((1 + 2 sum of the squared earlier correlations) / pairs), with the pairs that
    evenly spread gaps would leave.

    Args:
        values: The values.
        is_known: Which of them are known.
        first: The position of the first one.
    """
    length = values.shape[0]
    weights = is_known.astype(jnp.float32)
    count = jnp.maximum(total(weights), 1.0)
    deviations = (values - total(values * weights) / count) * weights
    limit = 4.0 * total(jnp.abs(deviations)) / count
    size = _transform_size(length + length // 2)
    power = jnp.abs(jnp.fft.rfft(jnp.clip(deviations, -limit, limit), n=size, axis=0)) ** 2
    lags = jnp.arange(length // 2)[:, None]
    pairs = jnp.maximum(count * (1.0 - lags / jnp.maximum(length - first, 1)), 1.0)
    covariance = jnp.fft.irfft(power, n=size, axis=0)[: length // 2] / pairs
    r = jnp.where(covariance[0] > 0.0, covariance / jnp.maximum(covariance[0], 1e-12), 0.0)
    variance = 2.0 * (running_sum(r**2) - r**2) - 1.0
    return r, r / jnp.sqrt(jnp.maximum(variance, 1.0) / pairs)


def _transform_size(min_size: int) -> int:
    """The smallest number from `min_size` on with no prime factors but 2 and one 3, for a quick transform."""
    power = 1 << (min_size - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= min_size else power


def detrended_correlation(
    past: ScaledContext, lags: Int32[Array, " S"]
) -> tuple[Float32[Array, "S B"], Float32[Array, "S B"]]:
    """Returns the correlation over each lag of what a centred moving mean of that width leaves, and its z-score.

    The z-score is that under no season. It shows the smooth seasons of noisy data, which differences hide (the first
    step of classical decomposition).

    Args:
        past: The contexts.
        lags: The lags, in steps.
    """
    length = past.values.shape[0]

    sums = running_sum(jnp.where(past.is_known, past.values, 0.0))
    counts = running_sum(past.is_known.astype(jnp.float32))
    steps = jnp.arange(length)

    def at_lag(lag: Int32[Array, ""]) -> tuple[Float32[Array, " B"], Float32[Array, " B"]]:
        half = lag // 2
        high, low = jnp.minimum(steps + half, length - 1), steps - half - 1
        has_start = (low >= 0)[:, None]
        window_sum = sums[high] - jnp.where(has_start, sums[low], 0.0)
        number = counts[high] - jnp.where(has_start, counts[low], 0.0)
        residual = jnp.where(past.is_known, past.values - window_sum / jnp.maximum(number, 1.0), 0.0)
        is_pair = (steps >= lag)[:, None] & past.is_known & past.is_known[steps - lag]
        pairs = jnp.maximum(total(is_pair.astype(jnp.float32)), 1.0)
        size = total(residual**2) / jnp.maximum(counts[-1], 1.0)
        r = total(jnp.where(is_pair, residual * residual[steps - lag], 0.0)) / pairs / jnp.maximum(size, 1e-12)
        return r, r * jnp.sqrt(pairs)

    return jax.lax.map(at_lag, lags)


def find_seasons(past: ScaledContext, calendar: Int32[Array, " S"]) -> Seasons:
    """Returns the calendar's seasons where the context shows them, else what its autocorrelation shows plainly.

    Args:
        past: The contexts.
        calendar: The calendar's season lengths in steps, ascending; 0 for none.
    """
    is_known = past.is_known[1:] & past.is_known[:-1]
    r, z = autocorrelation(jnp.diff(past.values, axis=0), is_known, past.first)
    lags = jnp.arange(r.shape[0])[:, None]
    length = past.length

    smooth, score = detrended_correlation(past, calendar)
    is_calendar_lag = lags == calendar
    is_smooth_season = (score > SMOOTH_Z) & (smooth > SMOOTH_R)
    is_calendar_season = (is_calendar_lag.any(-1, keepdims=True) & (z > CALENDAR_Z)) | (
        is_calendar_lag[..., None] & is_smooth_season
    ).any(1)
    r = jnp.maximum(r, jnp.where(is_calendar_lag[..., None] & is_smooth_season, smooth, -1.0).max(1))
    is_peak = (r >= jnp.roll(r, 1, 0)) & (r >= jnp.roll(r, -1, 0)) & (lags >= 3) & (lags < r.shape[0] - 1)
    fits_twice = (lags > 1) & (lags * 2 + 2 <= length)
    is_candidate = jnp.where((is_calendar_season & fits_twice).any(0), is_calendar_season, is_peak & (z > FREE_Z))

    def strongest(is_allowed: Bool[Array, "K B"], share: float) -> Int32[Array, " B"]:
        best = jnp.where(is_allowed, r, 0.0).max(0)
        return first_true(is_allowed & (r >= share * best))

    short = strongest(is_candidate & fits_twice, 0.7)
    unexplained_share = 1.0 - take(r, short[None])
    is_stronger = (1.0 - r < MAX_UNEXPLAINED_RATIO * unexplained_share) & (unexplained_share > 0.01)
    ratio = lags / jnp.maximum(short, 1)
    is_multiple = (short > 0) & (lags > short) & (ratio == jnp.floor(ratio))
    is_significant = is_calendar_season | (is_peak & (z > CALENDAR_Z))
    # a season longer than the first has to leave some steps to learn from after one whole cycle
    long = strongest(is_significant & is_multiple & is_stronger & (lags * 7 <= length * 5), 1.0)
    return Seasons(short, long)


def deseasonalize(past: ScaledContext, seasons: Seasons) -> Adjusted:
    """Returns contexts without their seasons, by exponential smoothing of the level and of each phase, forwards only.

    The recursion is that of Holt and Winters (Winters 1960) in error-correction form with fixed gains; a phase's gain
    is 1 / visits until that falls below its final value. Level and slope of the first two cycles come from their means,
    as in the initialisation of Hyndman & Athanasopoulos, so the component is causal only after two cycles.

    Args:
        past: The contexts.
        seasons: Their seasons.
    """
    start = no_start(len(past.first))
    state, values = smooth_seasons(past.values, past.is_known, past.first, seasons, LEVEL_GAIN, start)
    return Adjusted(values, state.short, state.long, seasons)


class SeasonStart(NamedTuple):
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


def no_start(batch: int) -> SeasonStart:
    """Returns a start of which nothing is known.

    Args:
        batch: B, the number of contexts.
    """
    component, zero = jnp.zeros((0, batch)), jnp.zeros(batch)
    return SeasonStart(component, component, jnp.zeros((2, batch)), zero)


class SeasonState(NamedTuple):
    """The state of the recursion; the components are those of all steps so far, from the first step of their start."""

    level: Float32[Array, " B"]
    last: Float32[Array, " B"]
    short: Float32[Array, "O+T B"]
    long: Float32[Array, "O+T B"]


def smooth_seasons(
    values: Float32[Array, "T B"],
    is_known: Bool[Array, "T B"],
    first: Int32[Array, " B"],
    seasons: Seasons,
    level_gain: float,
    start: SeasonStart,
) -> tuple[SeasonState, Float32[Array, "T B"]]:
    """Returns the last state of a seasonal smoothing, and the adjusted values.

    The recursion is that of Holt and Winters (Winters 1960) in error-correction form with fixed gains.

    A phase's gain is 1 / visits until that falls below its final value. Where a season was not visited before, level
    and slope of its first two cycles come from their means (Hyndman & Athanasopoulos).

    Args:
        values: The values.
        is_known: Which of them are known.
        first: The position of the first observation.
        seasons: The season lengths.
        level_gain: The gain of the level.
        start: What is known of the steps before the first.
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

    def step(state: SeasonState, inputs: Any) -> tuple[SeasonState, Array]:
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
        return SeasonState(level, last, short, long), last

    zeros = jnp.zeros((length, batch), jnp.float32)
    level = jnp.where(visits[0] >= 2.0, start.level, values[0])
    components = (jnp.concatenate([c, zeros]) for c in (start.short, start.long))
    inputs = (jnp.arange(length), values, is_known, line, is_early, gain, gain_long, index, index_long)
    return jax.lax.scan(step, SeasonState(level, values[0], *components), inputs)


def seasonal_positions(
    positions: Int32[Array, "n B"], season: Int32[Array, " B"], horizon: int
) -> Int32[Array, "n H B"]:
    """Returns positions one or more whole seasons before the steps 1..H after `positions`, none after these.

    Args:
        positions: Positions in the context.
        season: The season length in steps; 0 counts as 1.
        horizon: H.
    """
    return positions_before(positions[:, None], season, jnp.arange(1, horizon + 1)[:, None])


def positions_before(
    positions: Int32[Array, "*#n B"], season: Int32[Array, "*#n #B"], steps: Int32[Array, "*#n 1"]
) -> Int32[Array, "*n B"]:
    """Returns positions one or more whole seasons before steps after `positions`, none after these.

    Args:
        positions: Positions in the context.
        season: The season length in steps; 0 counts as 1.
        steps: How many steps after each position, from 1.
    """
    season = jnp.maximum(season, 1)
    return positions + steps - season * jax.lax.div(*jnp.broadcast_arrays(steps + season - 1, season))


def seasonal_component(adjusted: Adjusted, positions: Int32[Array, "n B"], horizon: int) -> Float32[Array, "n H B"]:
    """Returns the seasonal component of the steps 1..H after `positions`, as known there.

    Args:
        adjusted: The adjusted contexts.
        positions: Positions in the context.
        horizon: H.
    """
    return component_after(adjusted, positions[:, None], jnp.arange(1, horizon + 1)[:, None])


def component_after(
    adjusted: Adjusted, positions: Int32[Array, "*#n B"], steps: Int32[Array, "*#n 1"]
) -> Float32[Array, "*n B"]:
    """Returns the seasonal component of steps after `positions`, as known there.

    Args:
        adjusted: The adjusted contexts.
        positions: Positions in the context.
        steps: How many steps after each position, from 1.
    """
    parts = zip((adjusted.short, adjusted.long), adjusted.seasons, strict=True)
    short, long = (jnp.where(m > 0, take(c, positions_before(positions, m, steps)), 0.0) for c, m in parts)
    return short + long
