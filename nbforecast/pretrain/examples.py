"""Training examples from synthetic series: the features of a context, and the values after it in its unit."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from nbforecast.forecasters.pretrained.features import Features, extract_features
from nbforecast.forecasters.windows import Windows
from nbforecast.pretrain.prior import Series, draw_series

MAX_GAP = 12  # the default of `data.prepare`
_MIN_RATIO = 1e-3
_MAX_ERRORS = 50.0


class Examples(NamedTuple):
    """A batch of training examples.

    Attributes:
        features: The features of the contexts.
        target: The S values after each context, in the unit of its candidates.
        size: The unit of each example's loss.
    """

    features: Features
    target: Float32[Array, "B S"]
    size: Float32[Array, " B"]


def draw_examples(
    key: PRNGKeyArray, calendar: Int32[Array, " C"], known: Int32[Array, " C"], count: int, context: int
) -> Examples:
    """Returns random examples (see `draw_series`).

    Args:
        key: The random key.
        calendar: The C season lengths of the calendar in steps; 0 for none.
        known: Those that the contexts are read with.
        count: The number of series, of which each gives several examples.
        context: L, the steps of a context.
    """
    return prepare_examples(draw_series(key, calendar, known, count, context))


def prepare_examples(series: Series) -> Examples:
    """Returns the examples of some series. Targets far from the candidates are limited.

    Args:
        series: B series.

    Returns:
        B examples.
    """
    windows = to_windows(series)
    past, features = extract_features(windows)
    changes = series.values[:, windows.values.shape[1] :] - windows.location[:, None]
    ratio = jnp.maximum(1.0 + changes / jnp.where(past.is_log, windows.location, 1.0)[:, None], _MIN_RATIO)
    target = jnp.where(past.is_log[:, None], jnp.log(ratio), changes) / past.scale[:, None]
    mean = features.candidates.mean(1)
    limit = _MAX_ERRORS * jnp.maximum(features.size, features.naive)[:, None]
    target = mean + jnp.clip(target - mean, -limit, limit)
    return Examples(features, target, jnp.sqrt(features.size * features.naive))


def to_windows(series: Series) -> Windows:
    """Returns contexts as `forecasters.windows.cut_windows` does: relative to the last value, short gaps bridged.

    Args:
        series: B series.

    Returns:
        B windows.
    """
    length = series.observed.shape[1]
    context = series.values[:, :length]
    positions = jnp.arange(length)
    before = jax.lax.cummax(jnp.where(series.observed, positions, -1), axis=1)
    after = jax.lax.cummin(jnp.where(series.observed, positions, length), axis=1, reverse=True)
    left, right = (jnp.take_along_axis(context, i.clip(0, length - 1), axis=1) for i in (before, after))
    bridge = left + (right - left) * (positions - before) / jnp.maximum(after - before, 1)
    is_bridged = (before >= 0) & (after < length) & (after - before - 1 <= MAX_GAP)
    location = jnp.take_along_axis(context, before[:, -1:], axis=1)
    values = jnp.where(series.observed, context, jnp.where(is_bridged, bridge, jnp.nan)) - location
    zeros = jnp.zeros(len(context), jnp.int32)
    return Windows(
        values, series.observed, location[:, 0], zeros, jnp.zeros((len(context), 2), jnp.uint32), series.calendar
    )
