"""What synthetic series are made of: one series a call, `STEPS` long; batches by vmap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

CONTEXT, HORIZON = 512, 64
STEPS = CONTEXT + HORIZON
PHASES = 720  # the longest season there can be

_TIME = jnp.arange(STEPS)
_FREQUENCY = jnp.fft.rfftfreq(2 * STEPS).at[0].set(0.5 / STEPS)


def log_uniform(key: PRNGKeyArray, low: float, high: float, shape: tuple[int, ...] = ()) -> Float32[Array, "*S"]:
    return jnp.exp(jax.random.uniform(key, shape, minval=jnp.log(low), maxval=jnp.log(high)))


def chance(key: PRNGKeyArray, p: float | Array, shape: tuple[int, ...] = ()) -> Bool[Array, "*S"]:
    return jax.random.bernoulli(key, p, shape)


def choose(key: PRNGKeyArray, options: list[Array], weights: list[float]) -> Array:
    """One of several arrays."""
    picked = jax.random.choice(key, len(options), p=jnp.array(weights) / sum(weights))
    return jnp.stack(options)[picked]


def unit(values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """To mean 0 and standard deviation 1."""
    away = values - values.mean()
    return away / (jnp.sqrt((away**2).mean()) + 1e-6)


def _of_spectrum(key: PRNGKeyArray, amplitude: Float32[Array, " F"]) -> Float32[Array, " T"]:
    """A stationary Gaussian series; half of a longer one, so that its ends do not meet."""
    parts = jax.random.normal(key, (2, len(_FREQUENCY)))
    return unit(jnp.fft.irfft((parts[0] + 1j * parts[1]) * amplitude, 2 * STEPS)[:STEPS])


def coloured(key: PRNGKeyArray, slope: float | Array) -> Float32[Array, " T"]:
    """Noise whose power falls with frequency ** -slope: 0 white, 2 a random walk, 3 and more smooth."""
    return _of_spectrum(key, _FREQUENCY ** (-0.5 * slope))


def matern(key: PRNGKeyArray, length: float | Array, order: float | Array) -> Float32[Array, " T"]:
    """A Gaussian process of a length scale, the smoother the higher its order (Rasmussen & Williams 2006, 4.15)."""
    return _of_spectrum(
        key, (1.0 + (2.0 * jnp.pi * _FREQUENCY * length) ** 2 / (2.0 * order)) ** (-0.5 * (order + 0.5))
    )


def innovations(key: PRNGKeyArray) -> Float32[Array, " T"]:
    """Independent noise: normal, heavy-tailed or skewed."""
    kind, normal, tail, degrees = jax.random.split(key, 4)
    free = jax.random.uniform(degrees, minval=2.2, maxval=6.0)
    base = jax.random.normal(normal, (STEPS,))
    # Student's t by its scale mixture, with Wilson and Hilferty's chi-square; the same mixture skews the third kind
    chi = jnp.maximum(1.0 - 2.0 / (9.0 * free) + jax.random.normal(tail, (STEPS,)) * jnp.sqrt(2.0 / (9.0 * free)), 0.2)
    heavy = base * chi**-1.5
    skewed = jnp.exp(0.6 * base) - jnp.exp(0.18)
    return unit(choose(kind, [base, heavy, skewed], [0.65, 0.25, 0.1]))


def autoregression(key: PRNGKeyArray) -> Float32[Array, " T"]:
    """AR(1) noise; white half of the time."""
    a, b, c = jax.random.split(key, 3)
    phi = jnp.where(chance(a, 0.5), 0.0, jax.random.uniform(b, minval=-0.3, maxval=0.97))
    return unit(decay(innovations(c), phi))


def decay(values: Float32[Array, " T"], keep: float | Array) -> Float32[Array, " T"]:
    """Running sums that forget: s_t = keep s_{t-1} + x_t."""

    def step(state: Array, value: Array) -> tuple[Array, Array]:
        state = keep * state + value
        return state, state

    return jax.lax.scan(step, jnp.zeros(values.shape[1:]), values)[1]


def trend(key: PRNGKeyArray) -> Float32[Array, " T"]:
    """None, a line, a line with a knee, an S, a smooth wandering or a random walk."""
    kinds, where, reach, knee, slopes, rough, a, b, sign = jax.random.split(key, 9)
    length = log_uniform(reach, 25.0, 1500.0)
    t = (_TIME - jax.random.uniform(where, maxval=STEPS)) / length
    bent = t + jnp.maximum(t, 0.0) * 1.5 * jax.random.normal(knee)
    smooth = jnp.cumsum(coloured(a, jax.random.uniform(slopes, maxval=2.2))) / length * 3.0
    walk = coloured(b, jax.random.uniform(rough, minval=1.5, maxval=2.6)) * jnp.sqrt(STEPS / length)
    found = choose(kinds, [0.0 * t, t, bent, jnp.tanh(2.0 * t), smooth, walk], [0.25, 0.17, 0.1, 0.06, 0.17, 0.25])
    return jnp.where(chance(sign, 0.35), -found, found)


def phase(key: PRNGKeyArray, period: Int32[Array, ""]) -> Int32[Array, " T"]:
    """Where in its season each step lies, from a random start."""
    one = jnp.maximum(period, 1)
    return (_TIME + jax.random.randint(key, (), 0, 10_000)) % one


def season(key: PRNGKeyArray, period: Int32[Array, ""], harmonics: int = 6) -> Float32[Array, " T"]:
    """A pattern that repeats: harmonics, free values, on and off, or a spike; 0 where the period is 0."""
    when, kinds, waves, turns, falls, table, duty, peak = jax.random.split(key, 8)
    at = phase(when, period)
    share = at / jnp.maximum(period, 1)
    k = jnp.arange(1, harmonics + 1)
    size = jax.random.normal(waves, (harmonics,)) * k ** -jax.random.uniform(falls, minval=0.3, maxval=2.0)
    size = size * (k <= jnp.maximum(period // 2, 1))
    turn = 2.0 * jnp.pi * (k[:, None] * share + jax.random.uniform(turns, (harmonics, 1)))
    smooth = unit((size[:, None] * jnp.sin(turn)).sum(0))
    free = jax.random.normal(table, (PHASES,))[at]
    level = jax.random.uniform(duty, minval=0.1, maxval=0.9)
    blocks = (share < level) + 0.1 * free
    spike = jnp.where(at == 0, 4.0, 0.2 * free)
    found = choose(kinds, [smooth, free, free + smooth, blocks, spike], [0.58, 0.12, 0.14, 0.1, 0.06])
    sharp = jnp.where(chance(peak, 0.25), 0.4, 0.0)  # long tails upwards
    return unit(unit(found) * jnp.exp(sharp * unit(found))) * (period > 0)


def weekly(key: PRNGKeyArray, days: Int32[Array, " T"]) -> Float32[Array, " T"]:
    """A value for each of seven days, the last two often lower than the rest."""
    free, lower = jax.random.split(key)
    table = 0.3 * jax.random.normal(free, (7,))
    return table.at[5:].add(jnp.where(chance(lower, 0.7), -1.5, 0.0))[days % 7]


def exponential(values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """exp, without overflow."""
    return jnp.exp(jnp.clip(values, -6.0, 6.0))
