"""Components of synthetic series: one series a call; batches by vmap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

PHASES = 720  # the longest season there can be


def log_uniform(key: PRNGKeyArray, low: float, high: float, shape: tuple[int, ...] = ()) -> Float32[Array, "*S"]:
    """Returns random numbers whose logarithms are uniform.

    Args:
        key: The random key.
        low: The lower end.
        high: The upper end.
        shape: The shape S of the result.
    """
    return jnp.exp(jax.random.uniform(key, shape, minval=jnp.log(low), maxval=jnp.log(high)))


def bernoulli(key: PRNGKeyArray, p: float | Array, shape: tuple[int, ...] = ()) -> Bool[Array, "*S"]:
    """Returns random truth values.

    Args:
        key: The random key.
        p: The probability of True.
        shape: The shape S of the result.
    """
    return jax.random.bernoulli(key, p, shape)


def choose(key: PRNGKeyArray, options: list[Array], weights: list[float]) -> Array:
    """Returns one of several arrays at random.

    Args:
        key: The random key.
        options: Arrays of one shape.
        weights: Their weights.
    """
    index = jax.random.choice(key, len(options), p=jnp.array(weights) / sum(weights))
    return jnp.stack(options)[index]


def unit(values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """Returns values with mean 0 and standard deviation 1.

    Args:
        values: A series of T steps.
    """
    deviation = values - values.mean()
    return deviation / (jnp.sqrt((deviation**2).mean()) + 1e-6)


def _frequencies(steps: int) -> Float32[Array, " F"]:
    return jnp.fft.rfftfreq(2 * steps).at[0].set(0.5 / steps)


def _of_spectrum(key: PRNGKeyArray, amplitude: Float32[Array, " F"]) -> Float32[Array, " T"]:
    """A stationary Gaussian series; half of a longer one, so that its ends do not meet."""
    steps = len(amplitude) - 1
    parts = jax.random.normal(key, (2, steps + 1))
    return unit(jnp.fft.irfft((parts[0] + 1j * parts[1]) * amplitude, 2 * steps)[:steps])


def coloured(key: PRNGKeyArray, slope: float | Array, steps: int) -> Float32[Array, " T"]:
    """Returns noise whose power falls with frequency ** -slope: 0 white, 2 a random walk, 3 and more smooth.

    Args:
        key: The random key.
        slope: The slope.
        steps: T, the number of steps.
    """
    return _of_spectrum(key, _frequencies(steps) ** (-0.5 * slope))


def matern(key: PRNGKeyArray, length: float | Array, order: float | Array, steps: int) -> Float32[Array, " T"]:
    """Returns a Gaussian process with a Matérn kernel.

    Args:
        key: The random key.
        length: The length scale in steps.
        order: The order; the process is the smoother the higher it is.
        steps: T, the number of steps.

    Source:
        Rasmussen & Williams (2006), Gaussian processes for machine learning, equation 4.15.
    """
    angle = 2.0 * jnp.pi * _frequencies(steps) * length
    return _of_spectrum(key, (1.0 + angle**2 / (2.0 * order)) ** (-0.5 * (order + 0.5)))


def innovations(key: PRNGKeyArray, steps: int) -> Float32[Array, " T"]:
    """Returns independent noise: normal, heavy-tailed or skewed.

    Args:
        key: The random key.
        steps: T, the number of steps.
    """
    kind, normal, tail, degrees = jax.random.split(key, 4)
    dof = jax.random.uniform(degrees, minval=2.2, maxval=6.0)
    base = jax.random.normal(normal, (steps,))
    # Student's t by its scale mixture, with Wilson and Hilferty's chi-square; the same mixture skews the third kind
    chi = jnp.maximum(1.0 - 2.0 / (9.0 * dof) + jax.random.normal(tail, (steps,)) * jnp.sqrt(2.0 / (9.0 * dof)), 0.2)
    heavy = base * chi**-1.5
    skewed = jnp.exp(0.6 * base) - jnp.exp(0.18)
    return unit(choose(kind, [base, heavy, skewed], [0.65, 0.25, 0.1]))


def autoregression(key: PRNGKeyArray, steps: int) -> Float32[Array, " T"]:
    """Returns AR(1) noise; it is white half of the time.

    Args:
        key: The random key.
        steps: T, the number of steps.
    """
    a, b, c = jax.random.split(key, 3)
    phi = jnp.where(bernoulli(a, 0.5), 0.0, jax.random.uniform(b, minval=-0.3, maxval=0.97))
    return unit(decay(innovations(c, steps), phi))


def decay(values: Float32[Array, " T"], factor: float | Array) -> Float32[Array, " T"]:
    """Returns sums with exponential decay: s_t = factor s_{t-1} + x_t.

    Args:
        values: A series of T steps.
        factor: The decay of a step.
    """

    def step(state: Array, value: Array) -> tuple[Array, Array]:
        state = factor * state + value
        return state, state

    return jax.lax.scan(step, jnp.zeros(values.shape[1:]), values)[1]


def trend(key: PRNGKeyArray, steps: int) -> Float32[Array, " T"]:
    """Returns no trend, a line, a line with a knee, an S, a smooth curve or a random walk.

    Args:
        key: The random key.
        steps: T, the number of steps.
    """
    kinds, where, reach, knee, slopes, rough, a, b, sign = jax.random.split(key, 9)
    length = log_uniform(reach, 25.0, 1500.0)
    t = (jnp.arange(steps) - jax.random.uniform(where, maxval=steps)) / length
    bent_line = t + jnp.maximum(t, 0.0) * 1.5 * jax.random.normal(knee)
    smooth = jnp.cumsum(coloured(a, jax.random.uniform(slopes, maxval=2.2), steps)) / length * 3.0
    walk = coloured(b, jax.random.uniform(rough, minval=1.5, maxval=2.6), steps) * jnp.sqrt(steps / length)
    values = choose(
        kinds, [0.0 * t, t, bent_line, jnp.tanh(2.0 * t), smooth, walk], [0.25, 0.17, 0.1, 0.06, 0.17, 0.25]
    )
    return jnp.where(bernoulli(sign, 0.35), -values, values)


def phase(key: PRNGKeyArray, period: Int32[Array, ""], steps: int) -> Int32[Array, " T"]:
    """Returns the position of each step in its season, from a random start.

    Args:
        key: The random key.
        period: The season length in steps.
        steps: T, the number of steps.
    """
    positive_period = jnp.maximum(period, 1)
    return (jnp.arange(steps) + jax.random.randint(key, (), 0, 10_000)) % positive_period


def season(key: PRNGKeyArray, period: Int32[Array, ""], steps: int, harmonics: int = 6) -> Float32[Array, " T"]:
    """Returns a periodic pattern: harmonics, random values, blocks, or a spike; 0 where the period is 0.

    Args:
        key: The random key.
        period: The season length in steps; 0 for none.
        steps: T, the number of steps.
        harmonics: The number of harmonics.
    """
    phase_key, kinds, waves, turns, falls, table, duty, peak = jax.random.split(key, 8)
    position = phase(phase_key, period, steps)
    share = position / jnp.maximum(period, 1)
    k = jnp.arange(1, harmonics + 1)
    size = jax.random.normal(waves, (harmonics,)) * k ** -jax.random.uniform(falls, minval=0.3, maxval=2.0)
    size = size * (k <= jnp.maximum(period // 2, 1))
    angle = 2.0 * jnp.pi * (k[:, None] * share + jax.random.uniform(turns, (harmonics, 1)))
    smooth = unit((size[:, None] * jnp.sin(angle)).sum(0))
    phase_values = jax.random.normal(table, (PHASES,))[position]
    threshold = jax.random.uniform(duty, minval=0.1, maxval=0.9)
    blocks = (share < threshold) + 0.1 * phase_values
    spike = jnp.where(position == 0, 4.0, 0.2 * phase_values)
    pattern = choose(kinds, [smooth, phase_values, phase_values + smooth, blocks, spike], [0.58, 0.12, 0.14, 0.1, 0.06])
    skewness = jnp.where(bernoulli(peak, 0.25), 0.4, 0.0)  # long tails upwards
    return unit(unit(pattern) * jnp.exp(skewness * unit(pattern))) * (period > 0)


def weekly(key: PRNGKeyArray, days: Int32[Array, " T"]) -> Float32[Array, " T"]:
    """Returns a value for each day of the week; the last two days are often lower than the rest.

    Args:
        key: The random key.
        days: The day number of each step.
    """
    table_key, weekend_key = jax.random.split(key)
    table = 0.3 * jax.random.normal(table_key, (7,))
    return table.at[5:].add(jnp.where(bernoulli(weekend_key, 0.7), -1.5, 0.0))[days % 7]


def exponential(values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """Returns the exponential, limited so that it does not overflow.

    Args:
        values: A series of T steps.
    """
    return jnp.exp(jnp.clip(values, -6.0, 6.0))
