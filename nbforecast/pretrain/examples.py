"""From synthetic series to what the network is trained on: the views of a context, and what followed in their unit."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from nbforecast.forecasters.pretrained.features import Features, extract_features
from nbforecast.forecasters.scaled_context import scale_context
from nbforecast.forecasters.windows import Windows
from nbforecast.pretrain.primitives import CONTEXT
from nbforecast.pretrain.prior import Series, draw

MAX_GAP = 12  # as `prepare` has it by default
_LEAST_RATIO = 1e-3
_FARTHEST = 50.0


class Examples(NamedTuple):
    """views: of contexts. target: what followed, as their candidates are. size: what a loss is counted in."""

    features: Features
    target: Float32[Array, "B S"]
    size: Float32[Array, " B"]


def examples(key: PRNGKeyArray, calendar: Int32[Array, " C"], count: int) -> Examples:
    return prepare(draw(key, calendar, count))


def prepare(series: Series) -> Examples:
    """The examples that some series make; targets far outside are brought nearer."""
    windows = cut(series)
    past = scale_context(windows)
    seen = extract_features(past, series.calendar)
    ahead = series.values[:, CONTEXT:] - windows.location[:, None]
    ratio = jnp.maximum(1.0 + ahead / jnp.where(past.is_log, windows.location, 1.0)[:, None], _LEAST_RATIO)
    target = jnp.where(past.is_log[:, None], jnp.log(ratio), ahead) / past.scale[:, None]
    centre = seen.candidates.mean(1)
    limit = _FARTHEST * jnp.maximum(seen.size, seen.naive)[:, None]
    target = centre + jnp.clip(target - centre, -limit, limit)
    return Examples(seen, target, jnp.sqrt(seen.size * seen.naive))


def cut(series: Series) -> Windows:
    """The contexts as `forecasters.windows.cut_windows` makes them: relative to the last value, short gaps bridged."""
    context = series.values[:, :CONTEXT]
    at = jnp.arange(CONTEXT)
    before = jax.lax.cummax(jnp.where(series.seen, at, -1), axis=1)
    after = jax.lax.cummin(jnp.where(series.seen, at, CONTEXT), axis=1, reverse=True)
    left, right = (jnp.take_along_axis(context, i.clip(0, CONTEXT - 1), axis=1) for i in (before, after))
    bridge = left + (right - left) * (at - before) / jnp.maximum(after - before, 1)
    inside = (before >= 0) & (after < CONTEXT) & (after - before - 1 <= MAX_GAP)
    location = jnp.take_along_axis(context, before[:, -1:], axis=1)
    values = jnp.where(series.seen, context, jnp.where(inside, bridge, jnp.nan)) - location
    none = jnp.zeros(len(context), jnp.int32)
    return Windows(values, series.seen, location[:, 0], none, jnp.zeros((len(context), 2), jnp.uint32), series.calendar)
