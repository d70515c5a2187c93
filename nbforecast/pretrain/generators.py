"""The families of synthetic series: each is a function of a random key and two season lengths in steps (0: none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.primitives import (
    PHASES,
    STEPS,
    autoregression,
    bernoulli,
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
    strength_path = jnp.exp(
        jnp.where(bernoulli(k[0], 0.5), 0.0, 0.5) * coloured(k[1], jax.random.uniform(k[2], minval=1.2, maxval=2.5))
    )
    first = season(k[3], short) * strength_path
    is_week = (short > 0) & (long == 7 * short)
    days = weekly(k[4], (jnp.arange(STEPS) + jax.random.randint(k[5], (), 0, 10_000)) // jnp.maximum(short, 1))
    second = jnp.where(is_week, days, season(k[6], long))
    first = jnp.where(is_week & bernoulli(k[7], 0.5), first * jnp.exp(0.6 * days), first)
    strength, share = log_uniform(k[8], 0.15, 4.0), log_uniform(k[9], 0.1, 1.5)
    size = jnp.where(bernoulli(k[10], 0.3), log_uniform(k[11], 0.004, 0.1), log_uniform(k[12], 0.04, 1.5))
    noise_scale = jnp.exp(
        jnp.where(bernoulli(k[13], 0.3), jax.random.uniform(k[14], minval=0.2, maxval=0.8), 0.0) * first
    )
    values = trend(k[15]) + strength * (first + share * second) + size * autoregression(k[16]) * noise_scale
    return jnp.where(bernoulli(k[17], 0.4), exponential(log_uniform(k[18], 0.05, 0.6) * values), values)


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
    days = days * jax.random.uniform(k[7]) * ((long == 7 * short) & bernoulli(k[8], 0.5))
    wave = wave * jnp.exp(0.7 * days) + days * jax.random.uniform(k[9], maxval=2.0)
    values = (
        log_uniform(k[10], 0.05, 4.0) * trend(k[11]) + wave + log_uniform(k[12], 0.001, 0.3) * autoregression(k[13])
    )
    values = values + jax.random.uniform(k[14], minval=-3.0, maxval=3.0)
    return jnp.where(bernoulli(k[15], 0.5), exponential(log_uniform(k[16], 0.03, 0.5) * values), values)


def smoothing(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Innovations state space: level, damped slope and season that the same errors move (Hyndman et al. 2008)."""
    k = jax.random.split(key, 20)
    period = seasons[0]
    positive_period = jnp.maximum(period, 1)
    share = jnp.arange(PHASES) / positive_period
    n = jnp.arange(1, 5)
    waves = (jax.random.normal(k[0], (4, 1)) / n[:, None]) * (n <= jnp.maximum(positive_period // 2, 1))[:, None]
    smooth = (waves * jnp.sin(2 * jnp.pi * (n[:, None] * share + jax.random.uniform(k[1], (4, 1))))).sum(0)
    table = jnp.where(bernoulli(k[2], 0.5), smooth, jax.random.normal(k[3], (PHASES,)))
    table = table * log_uniform(k[4], 0.3, 8.0) * (period > 0)
    alpha = jnp.where(bernoulli(k[5], 0.25), 1.0, jax.random.beta(k[6], 0.8, 1.0))
    phi = jnp.where(bernoulli(k[7], 0.5), 1.0, jax.random.uniform(k[8], minval=0.8))
    beta = jnp.where(bernoulli(k[9], 0.5), 0.0, alpha * jax.random.beta(k[10], 0.5, 4.0)) * jnp.where(
        phi < 1.0, 1.0, 0.15
    )
    gamma = (1.0 - alpha) * jnp.where(bernoulli(k[11], 0.5), 0.0, jax.random.beta(k[12], 0.6, 4.0))
    slope = jax.random.normal(k[13]) * log_uniform(k[14], 0.01, 0.6) * bernoulli(k[15], 0.6)
    pull = jnp.where(phi < 1.0, slope * (1.0 - phi), 0.0)
    phases = phase(k[16], period)

    def step(state: Any, inputs: Any) -> tuple[Any, Array]:
        level, slope, table = state
        position, error = inputs
        component = table[position]
        level_forecast = level + phi * slope
        table = table.at[position].set(component + gamma * error)
        return (
            level_forecast + alpha * error,
            phi * slope + pull + beta * error,
            table,
        ), level_forecast + component + error

    _, values = jax.lax.scan(step, (0.0, slope, table), (phases, innovations(k[17])))
    return jnp.where(bernoulli(k[18], 0.4), exponential(unit(values) * log_uniform(k[19], 0.03, 0.8)), values)


def sarima(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Two autoregressive roots in the unit disk, a moving average, seasonal terms, at times integrated."""
    k = jax.random.split(key, 20)
    period = jnp.where(bernoulli(k[0], 0.4), 0, seasons[0])
    radius = 0.97 * jnp.sqrt(jax.random.uniform(k[1], (2,)))
    angle = jax.random.uniform(k[2], maxval=jnp.pi)
    first, second = radius * jnp.where(bernoulli(k[3], 0.75, (2,)), 1.0, -1.0)
    is_real = bernoulli(k[4], 0.6)
    a = jnp.where(is_real, first + second, 2.0 * radius[0] * jnp.cos(angle))
    b = jnp.where(is_real, -first * second, -(radius[0] ** 2))
    ma = jax.random.uniform(k[5], minval=-0.8, maxval=0.8) * bernoulli(k[6], 0.5)
    seasonal = jnp.where(bernoulli(k[7], 0.3), 1.0, jax.random.uniform(k[8], minval=0.3, maxval=0.98)) * (period > 0)
    seasonal_ma = -jax.random.uniform(k[9], maxval=0.9) * bernoulli(k[10], 0.6) * (period > 0)
    phases = phase(k[11], period)

    def step(state: Any, inputs: Any) -> tuple[Any, Array]:
        lag_1, lag_2, last_error, last_cycle, last_noise = state
        position, error = inputs
        noise = a * lag_1 + b * lag_2 + error + ma * last_error
        value = noise + seasonal * last_cycle[position] + seasonal_ma * last_noise[position]
        return (noise, lag_1, error, last_cycle.at[position].set(value), last_noise.at[position].set(noise)), value

    start = jax.random.normal(k[12], (PHASES,)) * log_uniform(k[13], 0.5, 5.0)
    state = (0.0, 0.0, 0.0, start, jnp.zeros(PHASES))
    values = jax.lax.scan(step, state, (phases, innovations(k[14])))[1]
    drift = jnp.where(bernoulli(k[15], 0.3), 0.3 * jax.random.normal(k[16]), 0.0)
    values = jnp.where(bernoulli(k[17], 0.35), jnp.cumsum(values + drift), values)
    return jnp.where(bernoulli(k[18], 0.25), exponential(unit(values) * log_uniform(k[19], 0.1, 1.0)), values)


def gaussian_process(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Sums and products of processes: Matérn, power laws, periodic ones, with white noise."""
    k = jax.random.split(key, 12)
    slow = matern(k[0], log_uniform(k[1], 2.0, 120.0), log_uniform(k[2], 0.5, 4.0))
    fast = matern(k[3], log_uniform(k[4], 1.0, 20.0), log_uniform(k[5], 0.5, 4.0))
    power = coloured(k[6], jax.random.uniform(k[7], maxval=3.5))
    cycle = season(k[8], seasons[0])
    kinds = [slow, power, slow + fast, slow * fast + slow, slow + cycle, slow * cycle + slow]
    values = choose(k[9], kinds, [0.25, 0.35, 0.15, 0.1, 0.1, 0.05])
    return values + log_uniform(k[10], 0.003, 0.6) * jax.random.normal(k[11], (STEPS,))


def regimes(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """An Ornstein-Uhlenbeck process that switches between a calm regime and a wilder one; a season, at times."""
    k = jax.random.split(key, 14)
    pull = jnp.stack([log_uniform(k[0], 0.003, 0.5), log_uniform(k[1], 0.02, 0.8)])
    mean = jnp.array([-1.0, 1.0]) + jnp.array([1.0, 1.5]) * jax.random.normal(k[2], (2,))
    size = jnp.stack([log_uniform(k[3], 0.01, 0.3), log_uniform(k[4], 0.03, 0.8)])
    leave = jnp.stack([log_uniform(k[5], 0.002, 0.1), log_uniform(k[6], 0.002, 0.2)])
    noise, switch = jax.random.normal(k[7], (STEPS,)), jax.random.uniform(k[8], (STEPS,))

    def step(state: Any, inputs: Any) -> tuple[Any, Array]:
        value, regime = state
        error, coin = inputs
        regime = jnp.where(coin < leave[regime], 1 - regime, regime)
        value = value + pull[regime] * (mean[regime] - value) + size[regime] * error
        return (value, regime), value

    values = jax.lax.scan(step, (jax.random.normal(k[9]), 0), (noise, switch))[1]
    cycle = season(k[10], seasons[0]) * log_uniform(k[11], 0.1, 2.0) * bernoulli(k[12], 0.5)
    return values + cycle + jnp.where(bernoulli(k[13], 0.5), 0.05, 0.0) * jnp.roll(noise, 7)


def counts(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Counts at a rate with a season and a wandering level, at times overdispersed or with many zeros."""
    k = jax.random.split(key, 14)
    wander = coloured(k[0], jax.random.uniform(k[1], minval=0.5, maxval=2.3))
    log_rate = jax.random.uniform(k[2], minval=0.1, maxval=0.9) * season(k[3], seasons[0])
    rate = log_uniform(k[4], 0.05, 60.0) * jnp.exp(
        jnp.clip(log_rate + jax.random.uniform(k[5], maxval=0.6) * wander, -5.0, 4.0)
    )
    spread = jnp.where(bernoulli(k[6], 0.5), 0.0, log_uniform(k[7], 0.2, 1.2))
    rate = rate * jnp.exp(spread * jax.random.normal(k[8], (STEPS,)) - 0.5 * spread**2)
    # from 8 on a Poisson is nearly normal; below, its distribution function is inverted, a term at a time
    normal = jnp.round(rate + jnp.sqrt(rate) * jax.random.normal(k[9], (STEPS,)))
    uniform = jax.random.uniform(k[10], (STEPS,))

    def term(number: Array, state: Any) -> Any:
        mass, cumulative, values = state
        values = values + (uniform > cumulative + mass)
        return mass * rate / (number + 1.0), cumulative + mass, values

    start = (jnp.exp(-rate), jnp.zeros(STEPS), jnp.zeros(STEPS))
    exact = jax.lax.fori_loop(0, 24, term, start)[2]
    values = jnp.where(rate < 8.0, exact, jnp.maximum(normal, 0.0))
    is_nonzero = bernoulli(k[11], jax.random.uniform(k[12], minval=0.1, maxval=0.8), (STEPS,))
    return jnp.where(bernoulli(k[13], 0.25), values * is_nonzero, values)


def pulses(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Rises and decays after events that come at about the same times of a day, as meals, on a daily base."""
    k = jax.random.split(key, 20)
    period = jnp.where(seasons[0] >= 12, seasons[0], 288)
    share = phase(k[0], period) / period
    times, jitter = jax.random.uniform(k[1], (5,)), jax.random.uniform(k[2], maxval=0.12)
    daily_chance = jax.random.uniform(k[3], minval=0.3) * (jnp.arange(5) < jax.random.randint(k[4], (), 1, 6))
    # a meal's chance of coming now: a bell around its time of day, wide as its jitter
    distance = jnp.abs((share[:, None] - times + 0.5) % 1.0 - 0.5) / (jitter + 0.5 / period)
    bell = jnp.exp(-0.5 * distance**2) / (2.5 * (jitter * period + 0.5))
    events = bernoulli(k[5], jnp.clip(bell * daily_chance, 0.0, 1.0), (STEPS, 5)) * jnp.exp(
        0.7 * jax.random.normal(k[6], (STEPS, 5))
    )
    fast, slow = jnp.exp(-1.0 / log_uniform(k[7], 1.0, 14.0)), jnp.exp(-1.0 / log_uniform(k[8], 2.0, 30.0))
    rise = decay((1.0 - slow) * decay(events.sum(1), fast), slow)
    rough = decay(jax.random.normal(k[9], (STEPS,)), jax.random.uniform(k[10], minval=0.3, maxval=0.97))
    wander = log_uniform(k[11], 0.005, 0.12) * decay(rough, jax.random.uniform(k[12], minval=0.7, maxval=0.98))
    values = unit(rise + wander) * log_uniform(k[13], 0.5, 3.0)
    values = values + season(k[14], period, 3) * log_uniform(k[15], 0.1, 1.0) * bernoulli(k[16], 0.7)
    return values + log_uniform(k[17], 0.003, 0.15) * jax.random.normal(k[18], (STEPS,))


def bursts(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """A machine's metric: noise on a floor, bursts that decay, a sawtooth or another cycle, sudden levels."""
    k = jax.random.split(key, 16)
    size = log_uniform(k[0], 0.3, 3.0, (STEPS,)) ** jax.random.uniform(k[1], minval=0.5, maxval=2.5)
    events = bernoulli(k[2], log_uniform(k[3], 0.003, 0.1), (STEPS,)) * jnp.minimum(size, 30.0)
    factor = jnp.where(bernoulli(k[4], 0.4), 0.0, jax.random.uniform(k[5], minval=0.2, maxval=0.97))
    period = jnp.where(bernoulli(k[6], 0.5), 0, seasons[0])
    tooth = phase(k[7], period) / jnp.maximum(period, 1) * (period > 0)
    cycle = choose(k[8], [tooth, -tooth, season(k[9], period)], [0.25, 0.25, 0.5]) * log_uniform(k[10], 0.1, 2.0)
    levels = jnp.cumsum(bernoulli(k[11], 0.004, (STEPS,)) * 1.5 * jax.random.normal(k[12], (STEPS,))) * bernoulli(
        k[13], 0.4
    )
    noise = log_uniform(k[14], 0.01, 0.5) * autoregression(k[15])
    return noise + decay(events, factor) + cycle + levels


def steps(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Float32[Array, " T"]:
    """Constant between jumps, or a line that falls back at them; hardly any noise."""
    k = jax.random.split(key, 8)
    jumps = bernoulli(k[0], log_uniform(k[1], 0.01, 0.2), (STEPS,))
    number = jnp.cumsum(jumps)
    level = jax.random.normal(k[2], (STEPS,))[number]
    random_walk = jnp.cumsum(jumps * jax.random.normal(k[3], (STEPS,)))
    age = jnp.arange(STEPS) - jax.lax.cummax(jnp.where(jumps, jnp.arange(STEPS), 0))
    ramp = age * log_uniform(k[4], 0.02, 0.3)
    values = choose(k[5], [level, random_walk, ramp, ramp + level], [0.35, 0.35, 0.15, 0.15])
    return values + season(k[6], seasons[0]) * 0.3 + 0.02 * jax.random.normal(k[7], (STEPS,))


FAMILIES: dict[Family, float] = {
    composition: 0.24, quasi_periodic: 0.16, smoothing: 0.18, sarima: 0.1, gaussian_process: 0.07, regimes: 0.06,
    counts: 0.06, pulses: 0.06, bursts: 0.05, steps: 0.02,
}  # fmt: skip
