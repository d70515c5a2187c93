"""What happens to real series on their way into a file: rounding, limits, outliers, shifts, gaps, short histories."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.primitives import CONTEXT, STEPS, chance, log_uniform

LEAST = 10


def blemish(key: PRNGKeyArray, values: Float32[Array, " T"]) -> Float32[Array, " T"]:
    """A series as it might be recorded: turned over, shifted, hit by outliers, rounded, cut off, moved from zero."""
    k = jax.random.split(key, 20)
    size = values.std() + 1e-6
    values = jnp.where(chance(k[0], 0.2) & (values.min() <= 0.0), -values, values)
    moves = chance(k[1], 0.003, (STEPS,)) * 1.2 * jax.random.normal(k[2], (STEPS,))
    values = values + size * jnp.cumsum(moves) * chance(k[3], 0.12)
    hits = chance(k[4], 0.01, (STEPS,)) * 4.0 * jax.random.normal(k[5], (STEPS,))
    values = values + size * hits * chance(k[6], 0.12)
    grain = size * log_uniform(k[7], 0.01, 0.6)
    values = jnp.where(chance(k[8], 0.2), jnp.round(values / grain) * grain, values)
    low, high = jnp.quantile(values[::4], jnp.array([0.15, 0.85]))
    values = jnp.where(chance(k[9], 0.05), jnp.maximum(values, low), values)
    values = jnp.where(chance(k[10], 0.03), jnp.minimum(values, high), values)
    # what is never negative keeps its zero, much of the rest is measured on a scale whose zero is far away
    lift = log_uniform(k[11], 0.05, 5.0) * (values.max() - values.min()) - values.min()
    values = values + jnp.where((values.min() < 0.0) & chance(k[12], 0.6), lift, 0.0)
    return values / (values.std() + 1e-6)


def mix(key: PRNGKeyArray, values: Float32[Array, "B T"]) -> Float32[Array, "B T"]:
    """Some series become a weighted mean of themselves and another."""
    some, other, share = jax.random.split(key, 3)
    count = len(values)
    weight = jax.random.uniform(share, (count, 1), minval=0.3, maxval=0.9)
    weight = jnp.where(chance(some, 0.12, (count, 1)), weight, 1.0)
    return weight * values + (1.0 - weight) * values[jax.random.permutation(other, count)]


def hide(key: PRNGKeyArray, seasons: Int32[Array, "2"]) -> Bool[Array, " L"]:
    """Which steps of the context are seen: histories of any length, scattered gaps, a long one.

    Short histories are as common as short seasons: few people have 500 quarters.
    """
    k = jax.random.split(key, 12)
    free = jnp.exp(jax.random.uniform(k[0], minval=jnp.log(12.0), maxval=jnp.log(CONTEXT)))
    length = jnp.where(chance(k[1], 0.45), CONTEXT, free)
    few = (seasons[0] > 0) & (seasons[0] <= 12) & chance(k[2], 0.65)
    length = jnp.where(few, jnp.minimum(length, jax.random.uniform(k[3], minval=14.0, maxval=150.0)), length)
    wanted = jnp.where(chance(k[4], 0.9), 2 * seasons[0] + 2, LEAST)
    length = jnp.clip(length, jnp.minimum(wanted, CONTEXT), CONTEXT)
    back = CONTEXT - 1 - jnp.arange(CONTEXT)
    scattered = chance(k[5], log_uniform(k[6], 0.01, 0.4), (CONTEXT,)) & chance(k[7], 0.1)
    start = jax.random.randint(k[8], (), 8, CONTEXT)
    hole = (back >= start) & (back < start + log_uniform(k[9], 2.0, 100.0)) & chance(k[10], 0.06)
    return (back < length) & (~(scattered | hole) | (back == 0) | (back < 0))
