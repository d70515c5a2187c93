"""Layers that the networks share.

Weights are stored as PyTorch stores them, (out, in). A batch of token sequences (N, T, D) becomes one (N * T, D) matrix
for each product: on CPUs a batched product takes up to a third longer. A single token is a product of a
matrix and a vector, for which XLA transposes no weights.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32


def product(x: Float32[Array, "... I"], weight: Float32[Array | np.ndarray, "O I"]) -> Float32[Array, "... O"]:
    """Returns x Wᵀ, the product with the transposed weight."""
    rows = x.reshape(-1, x.shape[-1])
    outputs = jnp.matmul(weight, rows[0]) if len(rows) == 1 else rows @ weight.T
    return outputs.reshape(*x.shape[:-1], weight.shape[0])


def split_heads(x: Float32[Array, "N T I"], heads: int) -> Float32[Array, "N h T k"]:
    """Returns tokens with their width split into attention heads."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def join_heads(x: Float32[Array, "N h T k"]) -> Float32[Array, "N T I"]:
    """Returns the inverse of `split_heads`."""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)
