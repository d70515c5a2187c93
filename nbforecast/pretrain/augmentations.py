"""Augmentations that imitate recorded series: rounding, limits, outliers, level shifts, gaps, short histories."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.primitives import bernoulli, log_uniform

MIN_LENGTH = 8


def augment(key: PRNGKeyArray, values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """Returns a series with random signs, level shifts, outliers, rounding, limits and offsets.

    Args:
        key: The random key.
        values: A series of T steps.

    Returns:
        The series (T,), with standard deviation 1.
    """
    k = jax.random.split(key, 20)
    steps = len(values)
    scale = values.std() + 1e-6
    values = jnp.where(bernoulli(k[0], 0.2) & (values.min() <= 0.0), -values, values)
    level_shifts = bernoulli(k[1], 0.003, (steps,)) * 1.2 * jax.random.normal(k[2], (steps,))
    values = values + scale * jnp.cumsum(level_shifts) * bernoulli(k[3], 0.12)
    outliers = bernoulli(k[4], 0.01, (steps,)) * 4.0 * jax.random.normal(k[5], (steps,))
    values = values + scale * outliers * bernoulli(k[6], 0.12)
    resolution = scale * log_uniform(k[7], 0.01, 0.6)
    values = jnp.where(bernoulli(k[8], 0.2), jnp.round(values / resolution) * resolution, values)
    low, high = jnp.quantile(values[::4], jnp.array([0.15, 0.85]))
    values = jnp.where(bernoulli(k[9], 0.05), jnp.maximum(values, low), values)
    values = jnp.where(bernoulli(k[10], 0.03), jnp.minimum(values, high), values)
    # what is never negative keeps its zero, much of the rest is measured on a scale whose zero is far away
    offset = log_uniform(k[11], 0.05, 5.0) * (values.max() - values.min()) - values.min()
    values = values + jnp.where((values.min() < 0.0) & bernoulli(k[12], 0.6), offset, 0.0)
    return values / (values.std() + 1e-6)


def mix_series(key: PRNGKeyArray, values: Float32[Array, "B T"]) -> Float32[Array, "B T"]:
    """Returns the series, of which some become a weighted mean of themselves and another one.

    Args:
        key: The random key.
        values: B series of T steps.

    Returns:
        The series (B, T).
    """
    choice_key, order_key, weight_key = jax.random.split(key, 3)
    count = len(values)
    weight = jax.random.uniform(weight_key, (count, 1), minval=0.3, maxval=0.9)
    weight = jnp.where(bernoulli(choice_key, 0.12, (count, 1)), weight, 1.0)
    return weight * values + (1.0 - weight) * values[jax.random.permutation(order_key, count)]


def change_regime(key: PRNGKeyArray, values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """Returns a series that, at times, had another level and another spread before some step.

    Args:
        key: The random key.
        values: A series of T steps.

    Returns:
        The series (T,).
    """
    k = jax.random.split(key, 6)
    where = jax.random.randint(k[0], (), 0, len(values) - 64)
    is_old = (jnp.arange(len(values)) < where) & bernoulli(k[1], 0.1)
    shift = 2.0 * (values.std() + 1e-6) * jax.random.normal(k[2]) * bernoulli(k[3], 0.7)
    factor = jnp.where(bernoulli(k[4], 0.5), log_uniform(k[5], 0.2, 3.0), 1.0)
    mean = values.mean()
    return jnp.where(is_old, (values - mean) * factor + mean + shift, values)


def draw_observation_mask(key: PRNGKeyArray, seasons: Int32[Array, "2"], context: int) -> Bool[Array, " L"]:
    """Returns which steps of a context are observed: histories of any length, scattered gaps, a long gap.

    Short histories are as common as short seasons, or none: few people have 500 quarters or years.

    Args:
        key: The random key.
        seasons: The two season lengths of the series in steps; 0 for none.
        context: L, the steps of the context.

    Returns:
        True where a step is observed, (L,).
    """
    k = jax.random.split(key, 13)
    full_share, short_share = (0.25, 0.6) if context <= 512 else (0.5, 0.1)
    random_length = log_uniform(k[0], 10.0, context)
    length = jnp.where(bernoulli(k[1], full_share), context, random_length)
    is_short = (seasons[0] > 0) & (seasons[0] <= 12) & bernoulli(k[2], 0.7)
    cycles = jax.random.uniform(k[3], minval=2.2, maxval=14.0)
    length = jnp.where(is_short, jnp.minimum(length, cycles * seasons[0]), length)
    is_yearly = (seasons[0] == 0) & bernoulli(k[11], short_share)
    length = jnp.where(is_yearly, jax.random.uniform(k[12], minval=8.0, maxval=60.0), length)
    min_length = jnp.where(bernoulli(k[4], 0.9), jnp.maximum(2 * seasons[0] + 2, MIN_LENGTH), MIN_LENGTH)
    length = jnp.clip(length, jnp.minimum(min_length, context), context)
    age = context - 1 - jnp.arange(context)
    is_scattered_gap = bernoulli(k[5], log_uniform(k[6], 0.01, 0.4), (context,)) & bernoulli(k[7], 0.1)
    start = jax.random.randint(k[8], (), 8, context)
    is_long_gap = (age >= start) & (age < start + log_uniform(k[9], 2.0, 100.0)) & bernoulli(k[10], 0.06)
    return (age < length) & (~(is_scattered_gap | is_long_gap) | (age == 0))
