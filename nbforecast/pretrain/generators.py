"""The families of synthetic series: each is a function of a random key and two season lengths in steps (0: none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.primitives import (
    PHASES,
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

    Family = Callable[[PRNGKeyArray, Int32[Array, "2"], int], Float32[Array, " T"]]


def composition(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Trend, one or two seasons of changing strength, noise; added up or multiplied."""
    k = jax.random.split(key, 20)
    short, long = seasons
    strength_path = jnp.exp(
        jnp.where(bernoulli(k[0], 0.5), 0.0, 0.5)
        * coloured(k[1], jax.random.uniform(k[2], minval=1.2, maxval=2.5), steps)
    )
    first = season(k[3], short, steps) * strength_path
    is_week = (short > 0) & (long == 7 * short)
    days = weekly(k[4], (jnp.arange(steps) + jax.random.randint(k[5], (), 0, 10_000)) // jnp.maximum(short, 1))
    second = jnp.where(is_week, days, season(k[6], long, steps))
    first = jnp.where(is_week & bernoulli(k[7], 0.5), first * jnp.exp(0.6 * days), first)
    strength, share = log_uniform(k[8], 0.15, 4.0), log_uniform(k[9], 0.1, 1.5)
    size = jnp.where(bernoulli(k[10], 0.3), log_uniform(k[11], 0.004, 0.1), log_uniform(k[12], 0.04, 1.5))
    noise_scale = jnp.exp(
        jnp.where(bernoulli(k[13], 0.3), jax.random.uniform(k[14], minval=0.2, maxval=0.8), 0.0) * first
    )
    values = (
        trend(k[15], steps) + strength * (first + share * second) + size * autoregression(k[16], steps) * noise_scale
    )
    return jnp.where(bernoulli(k[17], 0.4), exponential(log_uniform(k[18], 0.05, 0.6) * values), values)


def quasi_periodic(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Little noise on a season that changes slowly, above a drifting level."""
    k = jax.random.split(key, 20)
    short, long = seasons
    drift = log_uniform(k[0], 0.01, 0.5)

    def wander(key: PRNGKeyArray) -> Float32[Array, " T"]:
        slope, series = jax.random.split(key)
        return drift * coloured(series, jax.random.uniform(slope, minval=1.8, maxval=3.2), steps)

    wave = (1.0 + wander(k[1])) * season(k[2], short, steps) + wander(k[3]) * season(k[4], short, steps)
    days = weekly(k[5], (jnp.arange(steps) + jax.random.randint(k[6], (), 0, 10_000)) // jnp.maximum(short, 1))
    days = days * jax.random.uniform(k[7]) * ((long == 7 * short) & bernoulli(k[8], 0.5))
    wave = wave * jnp.exp(0.7 * days) + days * jax.random.uniform(k[9], maxval=2.0)
    values = (
        log_uniform(k[10], 0.05, 4.0) * trend(k[11], steps)
        + wave
        + log_uniform(k[12], 0.001, 0.3) * autoregression(k[13], steps)
    )
    values = values + jax.random.uniform(k[14], minval=-3.0, maxval=3.0)
    return jnp.where(bernoulli(k[15], 0.5), exponential(log_uniform(k[16], 0.03, 0.5) * values), values)


def smoothing(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
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
    phases = phase(k[16], period, steps)

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

    _, values = jax.lax.scan(step, (0.0, slope, table), (phases, innovations(k[17], steps)))
    return jnp.where(bernoulli(k[18], 0.4), exponential(unit(values) * log_uniform(k[19], 0.03, 0.8)), values)


def sarima(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
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
    phases = phase(k[11], period, steps)

    def step(state: Any, inputs: Any) -> tuple[Any, Array]:
        lag_1, lag_2, last_error, last_cycle, last_noise = state
        position, error = inputs
        noise = a * lag_1 + b * lag_2 + error + ma * last_error
        value = noise + seasonal * last_cycle[position] + seasonal_ma * last_noise[position]
        return (noise, lag_1, error, last_cycle.at[position].set(value), last_noise.at[position].set(noise)), value

    start = jax.random.normal(k[12], (PHASES,)) * log_uniform(k[13], 0.5, 5.0)
    state = (0.0, 0.0, 0.0, start, jnp.zeros(PHASES))
    values = jax.lax.scan(step, state, (phases, innovations(k[14], steps)))[1]
    drift = jnp.where(bernoulli(k[15], 0.3), 0.3 * jax.random.normal(k[16]), 0.0)
    values = jnp.where(bernoulli(k[17], 0.35), jnp.cumsum(values + drift), values)
    return jnp.where(bernoulli(k[18], 0.25), exponential(unit(values) * log_uniform(k[19], 0.1, 1.0)), values)


def gaussian_process(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Sums and products of processes: Matérn, power laws, periodic ones, with white noise."""
    k = jax.random.split(key, 12)
    slow = matern(k[0], log_uniform(k[1], 2.0, 120.0), log_uniform(k[2], 0.5, 4.0), steps)
    fast = matern(k[3], log_uniform(k[4], 1.0, 20.0), log_uniform(k[5], 0.5, 4.0), steps)
    power = coloured(k[6], jax.random.uniform(k[7], maxval=3.5), steps)
    cycle = season(k[8], seasons[0], steps)
    kinds = [slow, power, slow + fast, slow * fast + slow, slow + cycle, slow * cycle + slow]
    values = choose(k[9], kinds, [0.25, 0.35, 0.15, 0.1, 0.1, 0.05])
    return values + log_uniform(k[10], 0.003, 0.6) * jax.random.normal(k[11], (steps,))


def regimes(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """An Ornstein-Uhlenbeck process that switches between a calm regime and a wilder one; a season, at times."""
    k = jax.random.split(key, 14)
    pull = jnp.stack([log_uniform(k[0], 0.003, 0.5), log_uniform(k[1], 0.02, 0.8)])
    mean = jnp.array([-1.0, 1.0]) + jnp.array([1.0, 1.5]) * jax.random.normal(k[2], (2,))
    size = jnp.stack([log_uniform(k[3], 0.01, 0.3), log_uniform(k[4], 0.03, 0.8)])
    leave = jnp.stack([log_uniform(k[5], 0.002, 0.1), log_uniform(k[6], 0.002, 0.2)])
    noise, switch = jax.random.normal(k[7], (steps,)), jax.random.uniform(k[8], (steps,))

    def step(state: Any, inputs: Any) -> tuple[Any, Array]:
        value, regime = state
        error, coin = inputs
        regime = jnp.where(coin < leave[regime], 1 - regime, regime)
        value = value + pull[regime] * (mean[regime] - value) + size[regime] * error
        return (value, regime), value

    values = jax.lax.scan(step, (jax.random.normal(k[9]), 0), (noise, switch))[1]
    cycle = season(k[10], seasons[0], steps) * log_uniform(k[11], 0.1, 2.0) * bernoulli(k[12], 0.5)
    return values + cycle + jnp.where(bernoulli(k[13], 0.5), 0.05, 0.0) * jnp.roll(noise, 7)


def counts(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Counts at a rate with a season and a wandering level, at times overdispersed or with many zeros."""
    k = jax.random.split(key, 14)
    wander = coloured(k[0], jax.random.uniform(k[1], minval=0.5, maxval=2.3), steps)
    log_rate = jax.random.uniform(k[2], minval=0.1, maxval=0.9) * season(k[3], seasons[0], steps)
    rate = log_uniform(k[4], 0.05, 60.0) * jnp.exp(
        jnp.clip(log_rate + jax.random.uniform(k[5], maxval=0.6) * wander, -5.0, 4.0)
    )
    spread = jnp.where(bernoulli(k[6], 0.5), 0.0, log_uniform(k[7], 0.2, 1.2))
    rate = rate * jnp.exp(spread * jax.random.normal(k[8], (steps,)) - 0.5 * spread**2)
    # from 8 on a Poisson is nearly normal; below, its distribution function is inverted, a term at a time
    normal = jnp.round(rate + jnp.sqrt(rate) * jax.random.normal(k[9], (steps,)))
    uniform = jax.random.uniform(k[10], (steps,))

    def term(number: Array, state: Any) -> Any:
        mass, cumulative, values = state
        values = values + (uniform > cumulative + mass)
        return mass * rate / (number + 1.0), cumulative + mass, values

    start = (jnp.exp(-rate), jnp.zeros(steps), jnp.zeros(steps))
    exact = jax.lax.fori_loop(0, 24, term, start)[2]
    values = jnp.where(rate < 8.0, exact, jnp.maximum(normal, 0.0))
    is_nonzero = bernoulli(k[11], jax.random.uniform(k[12], minval=0.1, maxval=0.8), (steps,))
    return jnp.where(bernoulli(k[13], 0.25), values * is_nonzero, values)


def pulses(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Rises and decays after events that come at about the same times of a day, as meals, on a daily base."""
    k = jax.random.split(key, 20)
    period = jnp.where(seasons[0] >= 12, seasons[0], 288)
    share = phase(k[0], period, steps) / period
    times, jitter = jax.random.uniform(k[1], (5,)), jax.random.uniform(k[2], maxval=0.12)
    daily_chance = jax.random.uniform(k[3], minval=0.3) * (jnp.arange(5) < jax.random.randint(k[4], (), 1, 6))
    # a meal's chance of coming now: a bell around its time of day, wide as its jitter
    distance = jnp.abs((share[:, None] - times + 0.5) % 1.0 - 0.5) / (jitter + 0.5 / period)
    bell = jnp.exp(-0.5 * distance**2) / (2.5 * (jitter * period + 0.5))
    events = bernoulli(k[5], jnp.clip(bell * daily_chance, 0.0, 1.0), (steps, 5)) * jnp.exp(
        0.7 * jax.random.normal(k[6], (steps, 5))
    )
    fast, slow = jnp.exp(-1.0 / log_uniform(k[7], 1.0, 14.0)), jnp.exp(-1.0 / log_uniform(k[8], 2.0, 30.0))
    rise = decay((1.0 - slow) * decay(events.sum(1), fast), slow)
    rough = decay(jax.random.normal(k[9], (steps,)), jax.random.uniform(k[10], minval=0.3, maxval=0.97))
    wander = log_uniform(k[11], 0.005, 0.12) * decay(rough, jax.random.uniform(k[12], minval=0.7, maxval=0.98))
    values = unit(rise + wander) * log_uniform(k[13], 0.5, 3.0)
    values = values + season(k[14], period, steps, 3) * log_uniform(k[15], 0.1, 1.0) * bernoulli(k[16], 0.7)
    return values + log_uniform(k[17], 0.003, 0.15) * jax.random.normal(k[18], (steps,))


def bursts(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """A machine's metric: noise on a floor, bursts that decay, a sawtooth or another cycle, sudden levels."""
    k = jax.random.split(key, 16)
    size = log_uniform(k[0], 0.3, 3.0, (steps,)) ** jax.random.uniform(k[1], minval=0.5, maxval=2.5)
    events = bernoulli(k[2], log_uniform(k[3], 0.003, 0.1), (steps,)) * jnp.minimum(size, 30.0)
    factor = jnp.where(bernoulli(k[4], 0.4), 0.0, jax.random.uniform(k[5], minval=0.2, maxval=0.97))
    period = jnp.where(bernoulli(k[6], 0.5), 0, seasons[0])
    tooth = phase(k[7], period, steps) / jnp.maximum(period, 1) * (period > 0)
    cycle = choose(k[8], [tooth, -tooth, season(k[9], period, steps)], [0.25, 0.25, 0.5]) * log_uniform(k[10], 0.1, 2.0)
    levels = jnp.cumsum(bernoulli(k[11], 0.004, (steps,)) * 1.5 * jax.random.normal(k[12], (steps,))) * bernoulli(
        k[13], 0.4
    )
    noise = log_uniform(k[14], 0.01, 0.5) * autoregression(k[15], steps)
    return noise + decay(events, factor) + cycle + levels


def step_functions(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Constant between jumps, or a line that falls back at them; hardly any noise."""
    k = jax.random.split(key, 8)
    jumps = bernoulli(k[0], log_uniform(k[1], 0.01, 0.2), (steps,))
    number = jnp.cumsum(jumps)
    level = jax.random.normal(k[2], (steps,))[number]
    random_walk = jnp.cumsum(jumps * jax.random.normal(k[3], (steps,)))
    age = jnp.arange(steps) - jax.lax.cummax(jnp.where(jumps, jnp.arange(steps), 0))
    ramp = age * log_uniform(k[4], 0.02, 0.3)
    values = choose(k[5], [level, random_walk, ramp, ramp + level], [0.35, 0.35, 0.15, 0.15])
    return values + season(k[6], seasons[0], steps) * 0.3 + 0.02 * jax.random.normal(k[7], (steps,))


def growth(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Growth that slows, S-curves, cumulative curves, rates of growth that wander and jump; little noise."""
    k = jax.random.split(key, 24)
    length = log_uniform(k[0], 8.0, 300.0)
    t = (jnp.arange(steps) - jax.random.uniform(k[1], maxval=steps)) / length
    logistic = jax.nn.sigmoid(2.0 * t)
    gompertz = jnp.exp(-jnp.exp(-jnp.clip(2.0 * t, -4.0, 4.0)))
    saturating = 1.0 - jnp.exp(-jnp.maximum(t, 0.0))
    power = jnp.clip(jnp.maximum(t + 0.3, 1e-3) ** jax.random.uniform(k[2], minval=0.4, maxval=2.2), 0.0, 60.0)
    curve = unit(choose(k[3], [logistic, gompertz, saturating, power], [0.3, 0.2, 0.25, 0.25]))
    # rates of growth that return to their mean, in logarithms
    phi = jax.random.uniform(k[4], minval=0.3, maxval=0.98)
    rate = decay(jax.random.normal(k[5], (steps,)), phi) * jnp.sqrt(1.0 - phi**2)
    mean_rate = jax.random.normal(k[6]) * log_uniform(k[7], 0.3, 3.0)
    jumps = jnp.cumsum(bernoulli(k[8], 0.01, (steps,)) * jax.random.normal(k[9], (steps,))) * bernoulli(k[10], 0.4)
    path = jnp.cumsum((rate + mean_rate + jumps) * log_uniform(k[11], 0.002, 0.06))
    path = path - path.mean()
    compound = unit(jnp.exp(jnp.clip(path, -5.0, 5.0)))
    base = choose(k[12], [curve, compound, unit(path), 0.7 * curve + compound], [0.4, 0.3, 0.2, 0.1])
    step_size = jnp.abs(jnp.diff(base, prepend=base[:1])).mean()
    noise = step_size * log_uniform(k[13], 0.02, 4.0) * autoregression(k[14], steps)
    walk = step_size * log_uniform(k[15], 0.02, 1.5) * jnp.cumsum(innovations(k[16], steps))
    values = base + noise + walk
    cycle = season(k[17], seasons[0], steps) * log_uniform(k[18], 0.02, 0.6) * bernoulli(k[19], 0.6)
    positive = values - values.min() + jnp.ptp(values) * log_uniform(k[20], 0.01, 0.5)
    return jnp.where(bernoulli(k[21], 0.5), positive * jnp.exp(0.5 * cycle), values + 0.5 * cycle)


def walks(key: PRNGKeyArray, _: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Random walks: heavy-tailed, of changing variance, with a drift, of logarithms, each at times."""
    k = jax.random.split(key, 10)
    spread = jnp.exp(jnp.where(bernoulli(k[0], 0.5), 0.0, 0.7) * coloured(k[1], 1.6, steps))
    changes = innovations(k[2], steps) * spread
    changes = changes + jnp.where(bernoulli(k[3], 0.4), 0.15 * jax.random.normal(k[4]), 0.0)
    correlated = decay(changes, jax.random.uniform(k[5], minval=-0.4, maxval=0.4))
    values = jnp.cumsum(jnp.where(bernoulli(k[6], 0.3), correlated, changes))
    return jnp.where(bernoulli(k[7], 0.6), exponential(values * log_uniform(k[8], 0.002, 0.06)), values)


def demand(key: PRNGKeyArray, seasons: Int32[Array, "2"], steps: int) -> Float32[Array, " T"]:
    """Days and weeks, and what answers to a temperature that the series does not show, as electricity."""
    k = jax.random.split(key, 20)
    short, _ = seasons
    period = jnp.maximum(short, 1)
    days = (jnp.arange(steps) + jax.random.randint(k[0], (), 0, 10_000)) // period
    week = weekly(k[1], days) * (short > 0)
    day, weekend_day = season(k[2], short, steps, 8), season(k[3], short, steps, 8)
    is_weekend = (days % 7 >= 5) & bernoulli(k[4], 0.6)
    day = jnp.where(is_weekend, 0.6 * day + 0.4 * weekend_day, day)
    phi = jnp.exp(-1.0 / (period * log_uniform(k[5], 0.7, 6.0)))
    weather = unit(decay(jax.random.normal(k[6], (steps,)), phi))
    year = coloured(k[7], 3.0, steps)
    warmth = weather + year * jax.random.uniform(k[8], maxval=1.5) + 0.7 * season(k[9], short, steps, 2)
    comfort = jax.random.normal(k[10])
    response = jnp.maximum(warmth - comfort, 0.0) + jax.random.uniform(k[11]) * jnp.maximum(comfort - warmth, 0.0)
    values = day + jax.random.uniform(k[12], minval=0.2, maxval=1.5) * week + log_uniform(k[13], 0.05, 1.2) * response
    values = values + log_uniform(k[14], 0.01, 0.15) * autoregression(k[15], steps)
    values = values + 0.3 * year * bernoulli(k[16], 0.5)
    return jnp.where(bernoulli(k[17], 0.6), exponential(log_uniform(k[18], 0.05, 0.4) * values), values)


# shares of the families among series of few steps and of many
SHORT_FAMILIES: dict[Family, float] = {
    composition: 0.2, quasi_periodic: 0.08, smoothing: 0.2, sarima: 0.1, gaussian_process: 0.08, regimes: 0.03,
    counts: 0.08, bursts: 0.02, step_functions: 0.02, growth: 0.14, walks: 0.07,
}  # fmt: skip
LONG_FAMILIES: dict[Family, float] = {
    composition: 0.22, quasi_periodic: 0.22, demand: 0.1, smoothing: 0.1, sarima: 0.07, gaussian_process: 0.05,
    regimes: 0.05, counts: 0.05, pulses: 0.07, bursts: 0.05, step_functions: 0.02, growth: 0.02, walks: 0.03,
}  # fmt: skip
