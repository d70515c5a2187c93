"""The kinds of series in the prior: each a function of a random key and two season lengths (0: none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.primitives import (
    PHASES,
    STEPS,
    autoregression,
    chance,
    choose,
    coloured,
    decay,
    exponential,
    innovations,
    log_uniform,
    matern,
    phase,
    season,
    trend,
    unit,
    weekly,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Family = Callable[[PRNGKeyArray, Int32[Array, "2"]], Float32[Array, " T"]]


def composition(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Trend, one or two seasons of changing strength, noise; added up or multiplied."""
    k = jax.random.split(key, 20)
    short, long = seasons
    swell = jnp.exp(
        jnp.where(chance(k[0], 0.5), 0.0, 0.5) * coloured(k[1], jax.random.uniform(k[2], minval=1.2, maxval=2.5))
    )
    first = season(k[3], short) * swell
    is_week = (short > 0) & (long == 7 * short)
    days = weekly(k[4], (jnp.arange(STEPS) + jax.random.randint(k[5], (), 0, 10_000)) // jnp.maximum(short, 1))
    second = jnp.where(is_week, days, season(k[6], long))
    first = jnp.where(is_week & chance(k[7], 0.5), first * jnp.exp(0.6 * days), first)
    strength, share = log_uniform(k[8], 0.15, 4.0), log_uniform(k[9], 0.1, 1.5)
    size = jnp.where(chance(k[10], 0.3), log_uniform(k[11], 0.004, 0.1), log_uniform(k[12], 0.04, 1.5))
    uneven = jnp.exp(jnp.where(chance(k[13], 0.3), jax.random.uniform(k[14], minval=0.2, maxval=0.8), 0.0) * first)
    values = trend(k[15]) + strength * (first + share * second) + size * autoregression(k[16]) * uneven
    return jnp.where(chance(k[17], 0.4), exponential(log_uniform(k[18], 0.05, 0.6) * values), values)


def quasi_periodic(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Little noise on a season that changes slowly, above a drifting level."""
    k = jax.random.split(key, 20)
    short, long = seasons
    drift = log_uniform(k[0], 0.01, 0.5)

    def wander(key: PRNGKeyArray) -> Float32[Array, " T"]:
        slope, series = jax.random.split(key)
        return drift * coloured(series, jax.random.uniform(slope, minval=1.8, maxval=3.2))

    wave = (1.0 + wander(k[1])) * season(k[2], short) + wander(k[3]) * season(k[4], short)
    days = weekly(k[5], (jnp.arange(STEPS) + jax.random.randint(k[6], (), 0, 10_000)) // jnp.maximum(short, 1))
    days = days * jax.random.uniform(k[7]) * ((long == 7 * short) & chance(k[8], 0.5))
    wave = wave * jnp.exp(0.7 * days) + days * jax.random.uniform(k[9], maxval=2.0)
    values = (
        log_uniform(k[10], 0.05, 4.0) * trend(k[11]) + wave + log_uniform(k[12], 0.001, 0.3) * autoregression(k[13])
    )
    values = values + jax.random.uniform(k[14], minval=-3.0, maxval=3.0)
    return jnp.where(chance(k[15], 0.5), exponential(log_uniform(k[16], 0.03, 0.5) * values), values)


def smoothing(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Innovations state space: level, damped slope and season that the same errors move (Hyndman et al. 2008)."""
    k = jax.random.split(key, 20)
    period = seasons[0]
    one = jnp.maximum(period, 1)
    share = jnp.arange(PHASES) / one
    n = jnp.arange(1, 5)
    waves = (jax.random.normal(k[0], (4, 1)) / n[:, None]) * (n <= jnp.maximum(one // 2, 1))[:, None]
    smooth = (waves * jnp.sin(2 * jnp.pi * (n[:, None] * share + jax.random.uniform(k[1], (4, 1))))).sum(0)
    table = jnp.where(chance(k[2], 0.5), smooth, jax.random.normal(k[3], (PHASES,)))
    table = table * log_uniform(k[4], 0.3, 8.0) * (period > 0)
    alpha = jnp.where(chance(k[5], 0.25), 1.0, jax.random.beta(k[6], 0.8, 1.0))
    phi = jnp.where(chance(k[7], 0.5), 1.0, jax.random.uniform(k[8], minval=0.8))
    beta = jnp.where(chance(k[9], 0.5), 0.0, alpha * jax.random.beta(k[10], 0.5, 4.0)) * jnp.where(phi < 1.0, 1.0, 0.15)
    gamma = (1.0 - alpha) * jnp.where(chance(k[11], 0.5), 0.0, jax.random.beta(k[12], 0.6, 4.0))
    slope = jax.random.normal(k[13]) * log_uniform(k[14], 0.01, 0.6) * chance(k[15], 0.6)
    pull = jnp.where(phi < 1.0, slope * (1.0 - phi), 0.0)
    at = phase(k[16], period)

    def step(state: Any, now: Any) -> tuple[Any, Array]:
        level, slope, table = state
        where, error = now
        here = table[where]
        ahead = level + phi * slope
        table = table.at[where].set(here + gamma * error)
        return (ahead + alpha * error, phi * slope + pull + beta * error, table), ahead + here + error

    _, values = jax.lax.scan(step, (0.0, slope, table), (at, innovations(k[17])))
    return jnp.where(chance(k[18], 0.4), exponential(unit(values) * log_uniform(k[19], 0.03, 0.8)), values)


def sarima(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Two autoregressive roots in the unit disk, a moving average, seasonal terms, at times integrated."""
    k = jax.random.split(key, 20)
    period = jnp.where(chance(k[0], 0.4), 0, seasons[0])
    radius = 0.97 * jnp.sqrt(jax.random.uniform(k[1], (2,)))
    turn = jax.random.uniform(k[2], maxval=jnp.pi)
    first, second = radius * jnp.where(chance(k[3], 0.75, (2,)), 1.0, -1.0)
    real = chance(k[4], 0.6)
    a = jnp.where(real, first + second, 2.0 * radius[0] * jnp.cos(turn))
    b = jnp.where(real, -first * second, -(radius[0] ** 2))
    moving = jax.random.uniform(k[5], minval=-0.8, maxval=0.8) * chance(k[6], 0.5)
    seasonal = jnp.where(chance(k[7], 0.3), 1.0, jax.random.uniform(k[8], minval=0.3, maxval=0.98)) * (period > 0)
    lagged = -jax.random.uniform(k[9], maxval=0.9) * chance(k[10], 0.6) * (period > 0)
    at = phase(k[11], period)

    def step(state: Any, now: Any) -> tuple[Any, Array]:
        one, two, last, old, old_noise = state
        where, error = now
        noise = a * one + b * two + error + moving * last
        value = noise + seasonal * old[where] + lagged * old_noise[where]
        return (noise, one, error, old.at[where].set(value), old_noise.at[where].set(noise)), value

    start = jax.random.normal(k[12], (PHASES,)) * log_uniform(k[13], 0.5, 5.0)
    state = (0.0, 0.0, 0.0, start, jnp.zeros(PHASES))
    values = jax.lax.scan(step, state, (at, innovations(k[14])))[1]
    drift = jnp.where(chance(k[15], 0.3), 0.3 * jax.random.normal(k[16]), 0.0)
    values = jnp.where(chance(k[17], 0.35), jnp.cumsum(values + drift), values)
    return jnp.where(chance(k[18], 0.25), exponential(unit(values) * log_uniform(k[19], 0.1, 1.0)), values)


def gaussian_process(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Sums and products of processes: Matérn, power laws, periodic ones, with white noise."""
    k = jax.random.split(key, 12)
    slow = matern(k[0], log_uniform(k[1], 2.0, 120.0), log_uniform(k[2], 0.5, 4.0))
    fast = matern(k[3], log_uniform(k[4], 1.0, 20.0), log_uniform(k[5], 0.5, 4.0))
    power = coloured(k[6], jax.random.uniform(k[7], maxval=3.5))
    cycle = season(k[8], seasons[0])
    kinds = [slow, power, slow + fast, slow * fast + slow, slow + cycle, slow * cycle + slow]
    found = choose(k[9], kinds, [0.25, 0.35, 0.15, 0.1, 0.1, 0.05])
    return found + log_uniform(k[10], 0.003, 0.6) * jax.random.normal(k[11], (STEPS,))


def regimes(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """An Ornstein-Uhlenbeck process that switches between a calm regime and a wilder one; a season, at times."""
    k = jax.random.split(key, 14)
    pull = jnp.stack([log_uniform(k[0], 0.003, 0.5), log_uniform(k[1], 0.02, 0.8)])
    mean = jnp.array([-1.0, 1.0]) + jnp.array([1.0, 1.5]) * jax.random.normal(k[2], (2,))
    size = jnp.stack([log_uniform(k[3], 0.01, 0.3), log_uniform(k[4], 0.03, 0.8)])
    leave = jnp.stack([log_uniform(k[5], 0.002, 0.1), log_uniform(k[6], 0.002, 0.2)])
    noise, switch = jax.random.normal(k[7], (STEPS,)), jax.random.uniform(k[8], (STEPS,))

    def step(state: Any, now: Any) -> tuple[Any, Array]:
        value, wild = state
        error, coin = now
        wild = jnp.where(coin < leave[wild], 1 - wild, wild)
        value = value + pull[wild] * (mean[wild] - value) + size[wild] * error
        return (value, wild), value

    values = jax.lax.scan(step, (jax.random.normal(k[9]), 0), (noise, switch))[1]
    cycle = season(k[10], seasons[0]) * log_uniform(k[11], 0.1, 2.0) * chance(k[12], 0.5)
    return values + cycle + jnp.where(chance(k[13], 0.5), 0.05, 0.0) * jnp.roll(noise, 7)


def counts(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Counts at a rate with a season and a wandering level, at times overdispersed or with many zeros."""
    k = jax.random.split(key, 14)
    wander = coloured(k[0], jax.random.uniform(k[1], minval=0.5, maxval=2.3))
    shape = jax.random.uniform(k[2], minval=0.1, maxval=0.9) * season(k[3], seasons[0])
    rate = log_uniform(k[4], 0.05, 60.0) * jnp.exp(
        jnp.clip(shape + jax.random.uniform(k[5], maxval=0.6) * wander, -5.0, 4.0)
    )
    spread = jnp.where(chance(k[6], 0.5), 0.0, log_uniform(k[7], 0.2, 1.2))
    rate = rate * jnp.exp(spread * jax.random.normal(k[8], (STEPS,)) - 0.5 * spread**2)
    # from 8 on a Poisson is nearly normal; below, its distribution function is inverted, a term at a time
    normal = jnp.round(rate + jnp.sqrt(rate) * jax.random.normal(k[9], (STEPS,)))
    uniform = jax.random.uniform(k[10], (STEPS,))

    def term(number: Array, state: Any) -> Any:
        mass, below, found = state
        found = found + (uniform > below + mass)
        return mass * rate / (number + 1.0), below + mass, found

    start = (jnp.exp(-rate), jnp.zeros(STEPS), jnp.zeros(STEPS))
    exact = jax.lax.fori_loop(0, 24, term, start)[2]
    found = jnp.where(rate < 8.0, exact, jnp.maximum(normal, 0.0))
    kept = chance(k[11], jax.random.uniform(k[12], minval=0.1, maxval=0.8), (STEPS,))
    return jnp.where(chance(k[13], 0.25), found * kept, found)


def pulses(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Rises and decays after events that come at about the same times of a day, as meals, on a daily base."""
    k = jax.random.split(key, 20)
    period = jnp.where(seasons[0] >= 12, seasons[0], 288)
    share = phase(k[0], period) / period
    times, jitter = jax.random.uniform(k[1], (5,)), jax.random.uniform(k[2], maxval=0.12)
    often = jax.random.uniform(k[3], minval=0.3) * (jnp.arange(5) < jax.random.randint(k[4], (), 1, 6))
    # a meal's chance of coming now: a bell around its time of day, wide as its jitter
    away = jnp.abs((share[:, None] - times + 0.5) % 1.0 - 0.5) / (jitter + 0.5 / period)
    bell = jnp.exp(-0.5 * away**2) / (2.5 * (jitter * period + 0.5))
    events = chance(k[5], jnp.clip(bell * often, 0.0, 1.0), (STEPS, 5)) * jnp.exp(
        0.7 * jax.random.normal(k[6], (STEPS, 5))
    )
    fast, slow = jnp.exp(-1.0 / log_uniform(k[7], 1.0, 14.0)), jnp.exp(-1.0 / log_uniform(k[8], 2.0, 30.0))
    rise = decay((1.0 - slow) * decay(events.sum(1), fast), slow)
    rough = decay(jax.random.normal(k[9], (STEPS,)), jax.random.uniform(k[10], minval=0.3, maxval=0.97))
    wander = log_uniform(k[11], 0.005, 0.12) * decay(rough, jax.random.uniform(k[12], minval=0.7, maxval=0.98))
    values = unit(rise + wander) * log_uniform(k[13], 0.5, 3.0)
    values = values + season(k[14], period, 3) * log_uniform(k[15], 0.1, 1.0) * chance(k[16], 0.7)
    return values + log_uniform(k[17], 0.003, 0.15) * jax.random.normal(k[18], (STEPS,))


def bursts(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """A machine's metric: noise on a floor, bursts that decay, a sawtooth or another cycle, sudden levels."""
    k = jax.random.split(key, 16)
    size = log_uniform(k[0], 0.3, 3.0, (STEPS,)) ** jax.random.uniform(k[1], minval=0.5, maxval=2.5)
    events = chance(k[2], log_uniform(k[3], 0.003, 0.1), (STEPS,)) * jnp.minimum(size, 30.0)
    keep = jnp.where(chance(k[4], 0.4), 0.0, jax.random.uniform(k[5], minval=0.2, maxval=0.97))
    period = jnp.where(chance(k[6], 0.5), 0, seasons[0])
    tooth = phase(k[7], period) / jnp.maximum(period, 1) * (period > 0)
    cycle = choose(k[8], [tooth, -tooth, season(k[9], period)], [0.25, 0.25, 0.5]) * log_uniform(k[10], 0.1, 2.0)
    levels = jnp.cumsum(chance(k[11], 0.004, (STEPS,)) * 1.5 * jax.random.normal(k[12], (STEPS,))) * chance(k[13], 0.4)
    noise = log_uniform(k[14], 0.01, 0.5) * autoregression(k[15])
    return noise + decay(events, keep) + cycle + levels


def steps(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Constant between jumps, or a line that falls back at them; hardly any noise."""
    k = jax.random.split(key, 8)
    jumps = chance(k[0], log_uniform(k[1], 0.01, 0.2), (STEPS,))
    number = jnp.cumsum(jumps)
    level = jax.random.normal(k[2], (STEPS,))[number]
    summed = jnp.cumsum(jumps * jax.random.normal(k[3], (STEPS,)))
    since = jnp.arange(STEPS) - jax.lax.cummax(jnp.where(jumps, jnp.arange(STEPS), 0))
    ramp = since * log_uniform(k[4], 0.02, 0.3)
    found = choose(k[5], [level, summed, ramp, ramp + level], [0.35, 0.35, 0.15, 0.15])
    return found + season(k[6], seasons[0]) * 0.3 + 0.02 * jax.random.normal(k[7], (STEPS,))


FAMILIES: dict[Family, float] = {
    composition: 0.24, quasi_periodic: 0.16, smoothing: 0.18, sarima: 0.1, gaussian_process: 0.07, regimes: 0.06,
    counts: 0.06, pulses: 0.06, bursts: 0.05, steps: 0.02,
}  # fmt: skip
