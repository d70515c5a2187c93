"""The weights of the Gluformer references: random, from a seed, with NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Weights = dict[str, np.ndarray]


def position_table(tokens: int, width: int) -> np.ndarray:
    """The sinusoidal table of positions (1, tokens, width) of Vaswani et al. (2017)."""
    angle = np.arange(tokens, dtype=np.float64)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
    table = np.zeros((tokens, width))
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return table[None].astype(np.float32)


def seeded_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Weights:
    """Weights of some shapes; each tensor has a stream of its own, by the rank of its name."""
    weights = {}
    for rank, name in enumerate(sorted(shapes)):
        shape = tuple(shapes[name])
        noise = np.random.default_rng([seed, rank]).standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            weights[name] = np.array(137, np.int64)
            continue
        if name.endswith("pos_emb"):
            value = position_table(*shape[1:])
        elif name.endswith("running_mean"):
            value = 0.3 * noise
        elif name.endswith("running_var"):
            value = np.exp(0.3 * noise)
        elif name.endswith("bias"):
            value = 0.1 * noise
        elif len(shape) == 1:
            value = 1 + 0.2 * noise
        else:
            value = noise / np.sqrt(np.prod(shape[1:]))
        if name == "var.proj2.weight":
            value = 0.3 * value  # keeps the log-variance inside (-10, 10)
        weights[name] = np.asarray(value, np.float32)
    return weights


def small_weights(weights: Weights) -> Weights:
    """The same weights, so small that variances inside the norms are of the order of their epsilon."""
    small = {}
    for name, value in weights.items():
        layer = name.split(".")[-2] if "." in name else name
        is_inner_norm = layer.startswith("norm") and not name.startswith(("encoder.norm.", "decoder.norm."))
        if name.endswith("running_var"):
            factor = 1e-5
        elif not name.endswith("num_batches_tracked") and (is_inner_norm or layer in ("conv2", "proj_out", "downConv")):
            factor = 3e-3
        else:
            factor = 1
        small[name] = value * value.dtype.type(factor)
    return small
