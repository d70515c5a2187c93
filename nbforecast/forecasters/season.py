"""Seasons: which a context has, and how far each step lies above the level because of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from nbforecast.forecasters.history import take

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float32, Int32

    from nbforecast.forecasters.history import History

CALENDAR_Z = 1.645  # one-sided 5 %, as the Theta method's test of its season
SMOOTH_Z = 2.33
SMOOTH_R = 0.3
FREE_Z = 4.0  # the largest of some 250 lags of noise stays below
LESS_UNEXPLAINED = 0.75
LEVEL_GAIN = 0.05
CYCLE_GAIN = 0.2


class Seasons(NamedTuple):
    """Up to two season lengths in steps, `short` < `long`; 0 for none."""

    short: Int32[Array, " B"]
    long: Int32[Array, " B"]


class Adjusted(NamedTuple):
    """A context without its seasons. `values` + short[t - m] + long[t - m'] is the context's value at t.

    short, long: the seasonal component as known once step t has been seen.
    """

    values: Float32[Array, "L B"]
    short: Float32[Array, "L B"]
    long: Float32[Array, "L B"]
    seasons: Seasons


def autocorrelation(
    values: Float32[Array, "L B"], known: Bool[Array, "L B"], first: Int32[Array, " B"]
) -> tuple[Float32[Array, "K B"], Float32[Array, "K B"]]:
    """Autocorrelation at lags 0..K-1, K = L / 2, and its z-score.

    The standard error is Bartlett's: sqrt((1 + 2 sum of the squared earlier correlations) / pairs), with
    the pairs that evenly spread gaps would leave.
    """
    length = values.shape[0]
    count = jnp.maximum(known.sum(0), 1)
    centred = jnp.where(known, values - jnp.where(known, values, 0.0).sum(0) / count, 0.0)
    limit = 4.0 * jnp.abs(centred).sum(0) / count
    power = jnp.abs(jnp.fft.rfft(jnp.clip(centred, -limit, limit), n=2 * length, axis=0)) ** 2
    lags = jnp.arange(length // 2)[:, None]
    pairs = jnp.maximum(count * (1.0 - lags / jnp.maximum(length - first, 1)), 1.0)
    covariance = jnp.fft.irfft(power, n=2 * length, axis=0)[: length // 2] / pairs
    r = jnp.where(covariance[0] > 0.0, covariance / jnp.maximum(covariance[0], 1e-12), 0.0)

    def bartlett(total: Array, now: Array) -> tuple[Array, Array]:
        return total + 2.0 * now**2, total

    _, variance = jax.lax.scan(bartlett, jnp.zeros_like(r[0]) - 1.0, r)
    return r, r / jnp.sqrt(jnp.maximum(variance, 1.0) / pairs)


def detrended_correlation(
    past: History, lags: Int32[Array, " S"]
) -> tuple[Float32[Array, "S B"], Float32[Array, "S B"]]:
    """Correlation, over each lag, of what a centred moving mean of that width leaves; and its z-score under no season.

    It sees the smooth seasons of noisy data, which differences hide (the first step of classical decomposition).
    """
    length = past.values.shape[0]

    def add(total: Array, now: Array) -> tuple[Array, Array]:
        return total + now, total + now

    kept = jnp.where(past.known, past.values, 0.0)
    _, sums = jax.lax.scan(add, jnp.zeros_like(kept[0]), kept)
    _, counts = jax.lax.scan(add, jnp.zeros_like(kept[0]), past.known.astype(jnp.float32))
    at = jnp.arange(length)

    def one(lag: Int32[Array, ""]) -> tuple[Float32[Array, " B"], Float32[Array, " B"]]:
        half = lag // 2
        high, low = jnp.minimum(at + half, length - 1), at - half - 1
        before = (low >= 0)[:, None]
        total = sums[high] - jnp.where(before, sums[low], 0.0)
        number = counts[high] - jnp.where(before, counts[low], 0.0)
        left = jnp.where(past.known, past.values - total / jnp.maximum(number, 1.0), 0.0)
        both = (at >= lag)[:, None] & past.known & past.known[at - lag]
        pairs = jnp.maximum(both.sum(0), 1)
        size = (left**2).sum(0) / jnp.maximum(counts[-1], 1.0)
        r = jnp.where(both, left * left[at - lag], 0.0).sum(0) / pairs / jnp.maximum(size, 1e-12)
        return r, r * jnp.sqrt(pairs)

    return jax.lax.map(one, lags)


def find_seasons(past: History, calendar: Int32[Array, " S"]) -> Seasons:
    """The calendar's seasons where the context shows them, else what its autocorrelation shows plainly."""
    known = past.known[1:] & past.known[:-1]
    r, z = autocorrelation(jnp.diff(past.values, axis=0), known, past.first)
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
        return jnp.argmax(allowed & (r >= share * best), axis=0).astype(jnp.int32)

    short = strongest(candidate & twice, 0.7)
    unexplained = 1.0 - jnp.take_along_axis(r, short[None], axis=0)
    stronger = (1.0 - r < LESS_UNEXPLAINED * unexplained) & (unexplained > 0.01)
    multiple = (short > 0) & (lags > short) & (lags % jnp.maximum(short, 1) == 0)
    shown = natural | (peak & (z > CALENDAR_Z))
    # a season longer than the first has to leave some steps to learn from after one whole cycle
    long = strongest(shown & multiple & stronger & (lags * 7 <= length * 5), 1.0)
    return Seasons(short, long)


def adjust(past: History, seasons: Seasons) -> Adjusted:
    """Takes the seasons out by exponential smoothing of the level and of each phase, forwards only.

    Holt-Winters' recursion (Winters 1960) in error-correction form with fixed gains; a phase's gain is 1 / visits
    until that falls below its final value. Level and slope of the first two cycles come from their means, as in
    Hyndman & Athanasopoulos' initialisation, so the component is causal only after two cycles.
    """
    length, batch = past.values.shape
    column = jnp.arange(batch)
    m, k = seasons.short, seasons.long
    at = jnp.arange(length)[:, None]
    age = at - past.first

    def cycle_mean(number: int) -> Float32[Array, " B"]:
        within = past.known & (age >= number * m) & (age < (number + 1) * m)
        return jnp.where(within, past.values, 0.0).sum(0) / jnp.maximum(within.sum(0), 1)

    one = jnp.maximum(m, 1)
    mean = cycle_mean(0)
    slope = jnp.where(m > 0, (cycle_mean(1) - mean) / one, 0.0)
    line = mean + slope * (age - (m - 1) / 2)

    def step(carry: Any, now: Any) -> tuple[Any, Array]:
        level, last, short, long = carry
        t, value, known, start = now
        since = jnp.maximum(t - past.first, 0)
        before, before_long = (
            s.reshape(-1).at[jnp.clip(t - lag, 0) * batch + column].get(mode="promise_in_bounds")
            for s, lag in ((short, m), (long, k))
        )
        level = jnp.where(since < 2 * m, start, level)
        error = value - level - before - before_long
        visits = since // one + 1
        gain = jnp.where(m > 0, jnp.maximum(CYCLE_GAIN, 1.0 / visits), 0.0)
        gain_long = jnp.where(
            (k > 0) & (since >= m), jnp.maximum(CYCLE_GAIN, 1.0 / (since // jnp.maximum(k, 1) + 2)), 0.0
        )
        last = jnp.where(known, value - before - before_long, last)
        error = jnp.where(known, error, 0.0)
        level = level + LEVEL_GAIN * error
        left = (1.0 - LEVEL_GAIN) * error
        short = jax.lax.dynamic_update_index_in_dim(short, before + gain * left, t, 0)
        long = jax.lax.dynamic_update_index_in_dim(long, before_long + gain_long * (1.0 - gain) * left, t, 0)
        return (level, last, short, long), last

    zeros = jnp.zeros((length, batch), jnp.float32)
    carry = (past.values[0], past.values[0], zeros, zeros)
    (_, _, short, long), values = jax.lax.scan(step, carry, (jnp.arange(length), past.values, past.known, line))
    return Adjusted(values, short, long, seasons)


def ahead(at: Int32[Array, "n B"], season: Int32[Array, " B"], horizon: int) -> Int32[Array, "n H B"]:
    """Positions one or more whole seasons before the steps 1..H after `at`, none of them after `at`."""
    h = jnp.arange(1, horizon + 1)[:, None]
    season = jnp.maximum(season, 1)
    return at[:, None] + h - season * ((h + season - 1) // season)


def seasonal(adjusted: Adjusted, at: Int32[Array, "n B"], horizon: int) -> Float32[Array, "n H B"]:
    """The seasonal component of the steps 1..H after `at`, as known at `at`."""
    n, batch = at.shape

    def one(component: Float32[Array, "L B"], season: Int32[Array, " B"]) -> Float32[Array, "n H B"]:
        where = ahead(at, season, horizon).reshape(-1, batch)
        return jnp.where(season > 0, take(component, where).reshape(n, horizon, batch), 0.0)

    return one(adjusted.short, adjusted.seasons.short) + one(adjusted.long, adjusted.seasons.long)
