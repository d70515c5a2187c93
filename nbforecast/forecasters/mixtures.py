"""Quantiles of a mixture of normal distributions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

_HALVINGS = 40


def mixture_quantiles(
    mean: Float32[Array, "*N S"], spread: Float32[Array, "*N S"], levels: tuple[float, ...]
) -> Float32[Array, "*N K"]:
    """Where the equal-weight mixture of S normals reaches each level, by bisection between its outermost components."""
    wanted = jnp.array(levels, jnp.float32)
    shape = (*mean.shape[:-1], len(levels))
    low = jnp.broadcast_to((mean - 6 * spread).min(-1, keepdims=True), shape)
    high = jnp.broadcast_to((mean + 6 * spread).max(-1, keepdims=True), shape)

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        reached = jax.scipy.special.ndtr((middle[..., None] - mean[..., None, :]) / spread[..., None, :]).mean(-1)
        return jnp.where(reached < wanted, middle, low), jnp.where(reached < wanted, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))
    return (low + high) / 2
