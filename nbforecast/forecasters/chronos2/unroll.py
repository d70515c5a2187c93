"""Horizons beyond one pass of Chronos-2: nine quantile paths go on from the first pass, as in the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Float64

from nbforecast.forecasters.chronos2.network import fit_steps, forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.forecasters.chronos2.network import Sizes, Weights

PATH_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def extend(
    weights: Weights,
    sizes: Sizes,
    context: Float32[Array, "B V L"],
    future: Float32[Array, "B V S"] | None,
    horizon: int,
    targets: int = 1,
    is_member: Bool[Array, "B V"] | None = None,
) -> Float32[Array, "B R Q H"]:
    """Returns quantiles for any horizon.

    Beyond one pass each of nine quantiles is appended to a copy of the context, with what is known of the future in
    its place. The nine copies are forecast on their own; their 9 Q quantiles are reduced to Q, weighted by the
    probability that each of them stands for.

    Args:
        weights: What `fuse` returned.
        sizes: The network's sizes.
        context: The V variates of B groups, targets first, NaN where nothing was observed.
        future: What is known of the next S steps, NaN elsewhere; None if nothing.
        horizon: H.
        targets: R, the number of variates that are forecast.
        is_member: Which variates the others attend to; None for all.
    """
    batch, variates = context.shape[:2]
    total = -(-horizon // sizes.patch)
    if total <= sizes.patches:
        return forward(weights, sizes, context, future, total, targets, is_member)[..., :horizon]
    quantiles = forward(weights, sizes, context, future, sizes.patches, variates, is_member)
    parts = [quantiles[:, :targets]]
    paths = np.array([sizes.levels.index(level) for level in PATH_LEVELS])
    members = None if is_member is None else jnp.repeat(is_member, len(paths), 0)
    copies = jnp.broadcast_to(context[:, None], (batch, len(paths), *context.shape[1:]))
    for begin in range(sizes.patches, total, sizes.patches):
        newest = quantiles[:, :, paths].swapaxes(1, 2)
        if future is not None:
            steps = quantiles.shape[-1]
            known = fit_steps(future, steps)[:, None]
            newest = jnp.where(jnp.isnan(known), newest, known)
            future = future[..., steps:]
        copies = jnp.concatenate([copies, newest], -1)[..., -sizes.context :]
        rows = copies.reshape(-1, variates, copies.shape[-1])
        ahead = None if future is None else jnp.repeat(future, len(paths), 0)
        patches = min(total - begin, sizes.patches)
        is_last = begin + patches == total
        quantiles = forward(weights, sizes, rows, ahead, patches, targets if is_last else variates, members)
        quantiles = _reduce(quantiles.reshape(batch, len(paths), *quantiles.shape[1:]), sizes.levels)
        parts.append(quantiles[:, :targets])
    return jnp.concatenate(parts, -1)[..., :horizon]


def _reduce(paths: Float32[Array, "B P V Q S"], levels: Sequence[float]) -> Float32[Array, "B V Q S"]:
    """The quantiles of the quantiles of all paths, each as probable as the levels around it are apart."""
    count = paths.shape[1] * paths.shape[3]
    samples = paths.transpose(0, 2, 4, 1, 3).reshape(-1, count)
    masses = jnp.asarray(np.outer(_masses(PATH_LEVELS), _masses(levels)).ravel(), jnp.float32)
    samples, weights = jax.lax.sort((samples, jnp.broadcast_to(masses, samples.shape)), num_keys=1)
    probability = jnp.minimum(jnp.cumsum(weights, -1), 1.0)
    reduced = jax.vmap(jnp.interp, (None, 0, 0))(jnp.asarray(levels, jnp.float32), probability, samples)
    batch, _, variates, _, steps = paths.shape
    return reduced.reshape(batch, variates, steps, len(levels)).swapaxes(2, 3)


def _masses(levels: Sequence[float]) -> Float64[np.ndarray, " Q"]:
    bounds = np.array([0.0, *levels, 1.0])
    masses = (bounds[2:] - bounds[:-2]) / 2
    return masses / masses.sum()
