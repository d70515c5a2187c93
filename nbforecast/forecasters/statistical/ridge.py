"""Ridge autoregression: direct for every horizon step, on the seasonally adjusted context."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int

from nbforecast.forecasters.scaled_context import MIN_OBSERVATIONS, PointForecast
from nbforecast.forecasters.seasonality import deseasonalize, seasonal_component
from nbforecast.forecasters.statistical.base import Statistical

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import BacktestOrigins, ScaledContext
    from nbforecast.forecasters.seasonality import Adjusted, Seasons

_LAGS = 12
_GAINS = np.array([1 / 8, 1 / 20, 1 / 50, 1 / 120], np.float32)
_MAX_DIRECT_STEPS = 48
_SYSTEMS_PER_PASS = 128  # as many systems as stay in a core's cache
_PRIOR_ROWS = 80.0
_HOLDOUT_STEPS = (260, 100, 30)


@dataclass(frozen=True)
class RidgeAutoregression(Statistical):
    """Ridge autoregression on the seasonally adjusted context, direct for every horizon step up to 48.

    Source:
        Hoerl & Kennard (1970), Ridge regression; Marcellino, Stock & Watson (2006) on direct forecasts.
    """

    algorithm: ClassVar[str] = "ridge"
    algorithm_version: ClassVar[int] = 1
    name: str = "ridge"

    def point_forecast(self, past: ScaledContext, seasons: Seasons, origins: BacktestOrigins) -> PointForecast:
        """See `Statistical.point_forecast`."""
        return ridge_forecast(deseasonalize(past, seasons), past, origins)


def sources(values: Float32[Array, "L B"]) -> Float32[Array, "B S"]:
    """Returns, end to end, each context's values after `_LAGS` repeats of the first and its weighted means.

    The means are exponentially weighted, with the gains `_GAINS`.
    """
    gains = jnp.array(_GAINS)[:, None]

    def step(means: Array, value: Array) -> tuple[Array, Array]:
        means = means + gains * (value - means)
        return means, means

    _, means = jax.lax.scan(step, jnp.broadcast_to(values[0], (len(_GAINS), values.shape[1])), values)
    padded = jnp.concatenate([jnp.broadcast_to(values[:1], (_LAGS, values.shape[1])), values])
    return jnp.concatenate([padded.T, means.transpose(2, 1, 0).reshape(values.shape[1], -1)], axis=1)


def columns(length: int, direct: int) -> Int[np.ndarray, " C"]:
    """Returns where in `sources`, relative to a step, its features and then its targets lie.

    Args:
        length: L.
        direct: The number of targets.
    """
    return np.concatenate(
        [
            _LAGS - np.arange(1, _LAGS + 1),
            _LAGS + length * np.arange(1, len(_GAINS) + 1),
            _LAGS + np.arange(1, direct + 1),
        ]
    )


def solve(gram: Float32[Array, "... p p"], cross: Float32[Array, "... p h"]) -> Float32[Array, "... p h"]:
    """Returns gram^-1 cross for positive definite matrices, by Gauss-Jordan elimination.

    LAPACK is not used: its batched calls wait, on one of XLA's threads, for others of them, so that with two cores an
    interactive forecast beside a background one can wait for ever.

    Args:
        gram: The matrices.
        cross: The right-hand sides.
    """
    *leading, p, h = cross.shape
    systems = jnp.concatenate([gram, cross], -1).reshape(-1, p, p + h)
    count, size = len(systems), min(len(systems), _SYSTEMS_PER_PASS)
    systems = jnp.concatenate([systems, jnp.broadcast_to(jnp.eye(p, p + h), (-count % size, p, p + h))])

    def eliminate(a: Float32[Array, "p c s"]) -> Float32[Array, "p h s"]:
        def step(k: Array, a: Array) -> Array:
            row = a[k] / a[k, k]
            return (a - jax.lax.dynamic_index_in_dim(a, k, 1) * row).at[k].set(row)

        return jax.lax.fori_loop(0, p, step, a)[:, p:]

    solutions = jax.lax.map(eliminate, systems.reshape(-1, size, p, p + h).transpose(0, 2, 3, 1))
    return solutions.transpose(0, 3, 1, 2).reshape(-1, p, h)[:count].reshape(*leading, p, h)


def ridge_forecast(adjusted: Adjusted, past: ScaledContext, origins: BacktestOrigins) -> PointForecast:
    """Returns forecasts with coefficients fitted to the whole context, and errors with coefficients fitted before them.

    Features and targets are taken relative to the step's own value, so that no coefficients means no change. The
    context is cut into blocks; the moments of all blocks before a backtest origin give its coefficients, so that every
    past forecast is one that could have been made then.

    Args:
        adjusted: The seasonally adjusted contexts.
        past: The contexts.
        origins: The backtest origins.
    """
    n, horizon, batch = origins.targets.shape
    length = adjusted.values.shape[0]
    direct = min(horizon, _MAX_DIRECT_STEPS)
    rows = length - direct
    source = sources(adjusted.values)
    offsets = columns(length, direct)
    p = len(offsets) - direct
    start = past.first + jnp.maximum(2 * adjusted.seasons.short, MIN_OBSERVATIONS)
    is_used = (past.is_known & (jnp.arange(length)[:, None] >= start)).T.astype(jnp.float32)

    def moments(i: int, j: int) -> Float32[Array, "B C C"]:
        origin_values = source[:, _LAGS + i : _LAGS + j, None]
        # taken by index: one gather is several times quicker than stacking shifted slices
        block = (source[:, np.arange(i, j)[:, None] + offsets] - origin_values) * is_used[:, i:j, None]
        return jnp.einsum("brp,brq->bpq", block, block)

    holdouts = np.array([c for c in _HOLDOUT_STEPS if c < rows])
    total = jnp.cumsum(jnp.stack([moments(i, j) for i, j in itertools.pairwise([0, *(rows - holdouts), rows])]), axis=0)
    count = jnp.stack([is_used[:, :i].sum(1) for i in (*(rows - holdouts), rows)])
    gram, cross = total[..., :p, :p], total[..., :p, p:]
    diagonal = jnp.diagonal(gram, axis1=-2, axis2=-1)
    mean = diagonal.mean(-1, keepdims=True)
    penalty = _PRIOR_ROWS / jnp.maximum(count, 1.0)[..., None] * (diagonal + 0.01 * mean) + 1e-4 * mean + 1e-6
    weights = solve(gram + penalty[..., None] * jnp.eye(p), cross)

    origin_positions = jnp.concatenate([origins.positions, jnp.full((1, batch), length - 1)])
    positions = jnp.clip(origin_positions.T, 0)
    level = jnp.take_along_axis(source, positions + _LAGS, axis=1)
    feature_positions = (positions[..., None] + offsets[:p]).reshape(batch, -1)
    features = jnp.take_along_axis(source, feature_positions, axis=1).reshape(batch, n + 1, p) - level[..., None]
    # the number of cuts behind an origin: cut c's coefficients know what was seen up to c steps before the end
    fit_index = jnp.maximum((positions[..., None] >= length - 1 - holdouts).sum(-1) - 1, 0)
    is_own_fit = fit_index.at[:, -1].set(len(holdouts))[..., None] == jnp.arange(len(holdouts) + 1)
    changes_by_fit = jnp.einsum("bnp,kbph->bnkh", features, weights)
    changes = jnp.where(is_own_fit[..., None], changes_by_fit, 0.0).sum(2)
    changes = jnp.concatenate([changes, jnp.repeat(changes[..., -1:], horizon - direct, axis=2)], axis=2)
    points = (level[..., None] + changes).transpose(1, 2, 0) + seasonal_component(adjusted, origin_positions, horizon)
    return PointForecast(points[-1], origins.targets - points[:-1])
