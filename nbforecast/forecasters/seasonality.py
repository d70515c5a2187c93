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
LESS_UNEXPLAINED = 0.75
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
    use = is_known.astype(jnp.float32)
    count = jnp.maximum(total(use), 1.0)
    centred = (values - total(values * use) / count) * use
    limit = 4.0 * total(jnp.abs(centred)) / count
    size = _transform_size(length + length // 2)
    power = jnp.abs(jnp.fft.rfft(jnp.clip(centred, -limit, limit), n=size, axis=0)) ** 2
    lags = jnp.arange(length // 2)[:, None]
    pairs = jnp.maximum(count * (1.0 - lags / jnp.maximum(length - first, 1)), 1.0)
    covariance = jnp.fft.irfft(power, n=size, axis=0)[: length // 2] / pairs
    r = jnp.where(covariance[0] > 0.0, covariance / jnp.maximum(covariance[0], 1e-12), 0.0)
    variance = 2.0 * (running_sum(r**2) - r**2) - 1.0
    return r, r / jnp.sqrt(jnp.maximum(variance, 1.0) / pairs)


def _transform_size(least: int) -> int:
    """The smallest number from `least` on that has no prime factors but 2 and one 3: Fourier transforms are quick."""
    power = 1 << (least - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= least else power


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
    at = jnp.arange(length)

    def one(lag: Int32[Array, ""]) -> tuple[Float32[Array, " B"], Float32[Array, " B"]]:
        half = lag // 2
        high, low = jnp.minimum(at + half, length - 1), at - half - 1
        before = (low >= 0)[:, None]
        near = sums[high] - jnp.where(before, sums[low], 0.0)
        number = counts[high] - jnp.where(before, counts[low], 0.0)
        residual = jnp.where(past.is_known, past.values - near / jnp.maximum(number, 1.0), 0.0)
        both = (at >= lag)[:, None] & past.is_known & past.is_known[at - lag]
        pairs = jnp.maximum(total(both.astype(jnp.float32)), 1.0)
        size = total(residual**2) / jnp.maximum(counts[-1], 1.0)
        r = total(jnp.where(both, residual * residual[at - lag], 0.0)) / pairs / jnp.maximum(size, 1e-12)
        return r, r * jnp.sqrt(pairs)

    return jax.lax.map(one, lags)


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
    named = lags == calendar
    plain = (score > SMOOTH_Z) & (smooth > SMOOTH_R)
    natural = (named.any(-1, keepdims=True) & (z > CALENDAR_Z)) | (named[..., None] & plain).any(1)
    r = jnp.maximum(r, jnp.where(named[..., None] & plain, smooth, -1.0).max(1))
    peak = (r >= jnp.roll(r, 1, 0)) & (r >= jnp.roll(r, -1, 0)) & (lags >= 3) & (lags < r.shape[0] - 1)
    twice = (lags > 1) & (lags * 2 + 2 <= length)
    candidate = jnp.where((natural & twice).any(0), natural, peak & (z > FREE_Z))

    def strongest(allowed: Bool[Array, "K B"], share: float) -> Int32[Array, " B"]:
        best = jnp.where(allowed, r, 0.0).max(0)
        return first_true(allowed & (r >= share * best))

    short = strongest(candidate & twice, 0.7)
    unexplained = 1.0 - jnp.take_along_axis(r, short[None], axis=0)
    stronger = (1.0 - r < LESS_UNEXPLAINED * unexplained) & (unexplained > 0.01)
    times = lags / jnp.maximum(short, 1)
    multiple = (short > 0) & (lags > short) & (times == jnp.floor(times))
    shown = natural | (peak & (z > CALENDAR_Z))
    # a season longer than the first has to leave some steps to learn from after one whole cycle
    long = strongest(shown & multiple & stronger & (lags * 7 <= length * 5), 1.0)
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
    length, batch = past.values.shape
    column = jnp.arange(batch)
    m, k = seasons.short, seasons.long
    at = jnp.arange(length)[:, None]
    age = at - past.first

    def cycle_mean(number: int) -> Float32[Array, " B"]:
        within = past.is_known & (age >= number * m) & (age < (number + 1) * m)
        return jnp.where(within, past.values, 0.0).sum(0) / jnp.maximum(within.sum(0), 1)

    mean = cycle_mean(0)
    slope = jnp.where(m > 0, (cycle_mean(1) - mean) / jnp.maximum(m, 1), 0.0)
    line = mean + slope * (age - (m - 1) / 2)
    since = jnp.maximum(age, 0)

    def cycles(season: Int32[Array, " B"]) -> Float32[Array, "L B"]:
        return jnp.floor(since / jnp.maximum(season, 1))

    gain = jnp.where(m > 0, jnp.maximum(CYCLE_GAIN, 1.0 / (cycles(m) + 1.0)), 0.0)
    gain_long = jnp.maximum(CYCLE_GAIN, 1.0 / (cycles(k) + 2.0)) * (1.0 - gain)
    gain_long = jnp.where((k > 0) & (since >= m), gain_long, 0.0)
    place, place_long = (jnp.clip(at - season, 0) * batch + column for season in (m, k))

    def step(carry: Any, now: Any) -> tuple[Any, Array]:
        level, last, short, long = carry
        t, value, is_known, start, early, gain, gain_long, place, place_long = now
        before, before_long = (
            s.reshape(-1).at[p].get(mode="promise_in_bounds") for s, p in ((short, place), (long, place_long))
        )
        level = jnp.where(early, start, level)
        without = value - before - before_long
        last = jnp.where(is_known, without, last)
        error = jnp.where(is_known, without - level, 0.0)
        level = level + LEVEL_GAIN * error
        residual = (1.0 - LEVEL_GAIN) * error
        short = jax.lax.dynamic_update_index_in_dim(short, before + gain * residual, t, 0)
        long = jax.lax.dynamic_update_index_in_dim(long, before_long + gain_long * residual, t, 0)
        return (level, last, short, long), last

    zeros = jnp.zeros((length, batch), jnp.float32)
    carry = (past.values[0], past.values[0], zeros, zeros)
    steps = (jnp.arange(length), past.values, past.is_known, line, since < 2 * m, gain, gain_long, place, place_long)
    (_, _, short, long), values = jax.lax.scan(step, carry, steps)
    return Adjusted(values, short, long, seasons)


def seasonal_positions(at: Int32[Array, "n B"], season: Int32[Array, " B"], horizon: int) -> Int32[Array, "n H B"]:
    """Returns positions one or more whole seasons before the steps 1..H after `at`, none of them after `at`.

    Args:
        at: Positions in the context.
        season: The season length in steps; 0 counts as 1.
        horizon: H.
    """
    h = jnp.arange(1, horizon + 1)[:, None]
    season = jnp.maximum(season, 1)
    return at[:, None] + h - season * ((h + season - 1) // season)


def seasonal_component(adjusted: Adjusted, at: Int32[Array, "n B"], horizon: int) -> Float32[Array, "n H B"]:
    """Returns the seasonal component of the steps 1..H after `at`, as known at `at`.

    Args:
        adjusted: The adjusted contexts.
        at: Positions in the context.
        horizon: H.
    """
    n, batch = at.shape

    def one(component: Float32[Array, "L B"], season: Int32[Array, " B"]) -> Float32[Array, "n H B"]:
        where = seasonal_positions(at, season, horizon).reshape(-1, batch)
        return jnp.where(season > 0, take(component, where).reshape(n, horizon, batch), 0.0)

    return one(adjusted.short, adjusted.seasons.short) + one(adjusted.long, adjusted.seasons.long)
