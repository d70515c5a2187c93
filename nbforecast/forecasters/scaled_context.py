"""Contexts scaled to their own spread, past origins inside them, and point forecasts.

Axes are (time L, batch B): recursions over time are then scans over contiguous rows, which is what makes them fast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Shaped

if TYPE_CHECKING:
    from nbforecast.forecasters.windows import Windows

N_ORIGINS = 64
MIN_OBSERVATIONS = 4
_PARTS = 5
_BLOCK = 32
_PREFERENCE = 0.8
_MIN_SHARE = 0.1
_MAX_GROWTH = 20.0
_ZEROS = 3


class ScaledContext(NamedTuple):
    """A batch of contexts in units of their own spread, relative to their last observation.

    Attributes:
        values: Finite everywhere. Unknown steps repeat the value before them, those before `first` the first value.
        is_known: Whether a step was observed, or bridged between two observations.
        observed: Whether a step was observed.
        first: The position of the first observation.
        scale: The size of one unit, in the data's unit or of its logarithm.
        is_log: Whether values are logarithms of the ratio to the last observation, instead of differences from it.
        location: The last observation, in the data's unit.
        floor: The data's zero relative to the location, where several observations are 0 and none is negative; else
            -infinity.
    """

    values: Float32[Array, "L B"]
    is_known: Bool[Array, "L B"]
    observed: Bool[Array, "L B"]
    first: Int32[Array, " B"]
    scale: Float32[Array, " B"]
    is_log: Bool[Array, " B"]
    location: Float32[Array, " B"]
    floor: Float32[Array, " B"]

    @property
    def length(self) -> Int32[Array, " B"]:
        """(B,) the number of steps from the first observation on."""
        return self.values.shape[0] - self.first


class BacktestOrigins(NamedTuple):
    """Past origins inside the contexts, at which forecasters are tried against what followed.

    Attributes:
        positions: Their positions in the context.
        targets: The values that followed.
        valid: False where the target is not observed or not inside the context, or where too little precedes the
            origin.
    """

    positions: Int32[Array, "n B"]
    targets: Float32[Array, "n H B"]
    valid: Bool[Array, "n H B"]


class PointForecast(NamedTuple):
    """Point forecasts as of the last step, and the errors of the same method at the backtest origins.

    Attributes:
        points: The forecasts, in the context's unit.
        errors: Actual minus forecast at each origin and step.
    """

    points: Float32[Array, "H B"]
    errors: Float32[Array, "n H B"]


def take(values: Shaped[Array, "L B"], positions: Int32[Array, "*n B"]) -> Shaped[Array, "*n B"]:
    """Returns the values at some positions of each column. Positions outside are moved to the nearest end."""
    length, batch = values.shape
    # one gather from a flat array: `jnp.take_along_axis` takes XLA several times as long to compile
    flat_positions = jnp.clip(positions, 0, length - 1) * batch + jnp.arange(batch)
    return values.reshape(-1).at[flat_positions].get(mode="promise_in_bounds")


def first_true(values: Bool[Array, "L ..."]) -> Int32[Array, "..."]:
    """Returns where each column is first true, 0 where it never is. On CPUs it is quicker than `jnp.argmax`."""
    positions = jnp.arange(len(values), dtype=jnp.int32).reshape(-1, *(1,) * (values.ndim - 1))
    position = jnp.where(values, positions, len(values)).min(0)
    return jnp.where(position < len(values), position, 0)


def total(values: Float32[Array, "L ..."]) -> Float32[Array, "..."]:
    """Returns sums along the first axis, as products with ones: on CPUs several times quicker than a reduction."""
    return (jnp.ones(len(values)) @ values.reshape(len(values), -1)).reshape(values.shape[1:])


def running_sum(values: Float32[Array, "L B"]) -> Float32[Array, "L B"]:
    """Returns sums of all values up to each position, as products with triangles of ones."""
    length, batch = values.shape
    size = math.gcd(length, _BLOCK)
    parts = values.reshape(-1, size, batch)
    within = jnp.einsum("ij,njb->nib", jnp.tri(size), parts)
    before = jnp.tri(len(parts), k=-1) @ within[:, -1]
    return (within + before[:, None]).reshape(values.shape)


def mean_absolute_deviation(values: Float32[Array, "L B"], is_known: Bool[Array, "L B"]) -> Float32[Array, " B"]:
    """Returns the mean absolute deviation from the mean, 1 where it is 0.

    It is not squared, so that tiny units do not underflow.
    """
    weights = is_known.astype(jnp.float32)
    count = jnp.maximum(total(weights), 1.0)
    mean = total(values * weights) / count
    size = total(jnp.abs(values - mean) * weights) / count
    return jnp.where(size > 0.0, size, 1.0)


def scale_context(windows: Windows) -> ScaledContext:
    """Returns windows as contexts in units of their own spread.

    Logarithms are taken of positive series whose steps they make more even (Guerrero 1993).

    Args:
        windows: The windows, relative to their last value.
    """
    values, observed = windows.values.T, windows.observed.T
    is_known = ~jnp.isnan(values)
    first = first_true(observed)

    def carry(last: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        last = jnp.where(inputs[1], inputs[0], last)
        return last, last

    start = take(values, first[None])[0]
    _, filled = jax.lax.scan(carry, start, (values, is_known))
    location = windows.location
    lowest = filled.min(0) + location
    is_positive = (location > 0.0) & (lowest > _MIN_SHARE * (filled.mean(0) + location))
    ratio = filled / jnp.where(is_positive, location, 1.0)
    logs = jnp.log1p(jnp.where(is_positive, ratio, 0.0))
    log_unevenness, unevenness_as_is = unevenness(jnp.stack([logs, filled], 1), is_known, first)
    is_log = is_positive & (log_unevenness < _PREFERENCE * unevenness_as_is)
    values = jnp.where(is_log, logs, filled)
    scale = mean_absolute_deviation(values, is_known)
    # only zeros themselves show that a series stops at zero: a temperature may have been positive for long
    zeros = (observed & (filled == -location)).sum(0)
    floor = jnp.where((lowest >= 0.0) & (zeros >= _ZEROS), -location, -jnp.inf)
    return ScaledContext(values / scale, is_known, observed, first, scale, is_log, location, floor)


def to_data_unit(past: ScaledContext, values: Float32[Array, "... B"]) -> Float32[Array, "... B"]:
    """Returns forecasts in the data's unit, relative to the location.

    Args:
        past: The contexts.
        values: Forecasts in the contexts' unit; the batch is the last axis.
    """
    scaled = values * past.scale
    growth = jnp.expm1(jnp.minimum(jnp.where(past.is_log, scaled, 0.0), _MAX_GROWTH))
    return jnp.maximum(jnp.where(past.is_log, past.location * growth, scaled), past.floor)


def unevenness(
    values: Float32[Array, "L V B"], is_known: Bool[Array, "L B"], first: Int32[Array, " B"]
) -> Float32[Array, "V B"]:
    """Returns how much the size of steps differs between `_PARTS` equal parts of a context.

    It is their coefficient of variation (Guerrero 1993).

    Args:
        values: V transformations of the contexts' values.
        is_known: Which values are known.
        first: The position of the first observation.
    """
    length = values.shape[0]
    age = jnp.arange(length)[:, None] - first
    # whole numbers as they are: their division is slow on CPUs, and this one is exact where its result is whole
    part = jnp.floor((age * _PARTS).astype(jnp.float32) / jnp.maximum(length - first, 1))
    part = jnp.where(is_known[1:] & is_known[:-1], part[1:], -1.0)
    changes = jnp.abs(jnp.diff(values, axis=0))

    def mean_change(number: Float32[Array, ""]) -> Float32[Array, "V B"]:
        is_within = part == number
        count = jnp.maximum(total(is_within.astype(jnp.float32)), 1.0)
        return total(jnp.where(is_within[:, None], changes, 0.0)) / count

    size = jax.lax.map(mean_change, jnp.arange(_PARTS, dtype=jnp.float32))  # compiled once for all parts
    return size.std(0) / jnp.maximum(size.mean(0), 1e-30)


def backtest_origins(past: ScaledContext, horizon: int, start: Int32[Array, " B"]) -> BacktestOrigins:
    """Returns `N_ORIGINS` origins evenly from position `start` to the last but one of each context.

    The stride is a real number, so that origins fall on every phase of whatever season there is.

    Args:
        past: The contexts.
        horizon: H, the number of steps that are tried.
        start: The first position of an origin.
    """
    length = past.values.shape[0]
    span = (length - 1 - start).astype(jnp.float32)
    stride = jnp.maximum(span / N_ORIGINS, 1.0)
    distance = 1 + jnp.floor(jnp.arange(N_ORIGINS)[:, None] * stride).astype(jnp.int32)
    positions = length - 1 - distance
    target_positions = positions[:, None] + jnp.arange(1, horizon + 1)[:, None]
    targets, is_observed = (take(v, target_positions) for v in (past.values, past.observed))
    return BacktestOrigins(
        positions, targets, is_observed & (target_positions < length) & (positions >= start)[:, None]
    )


def mean_error(errors: Float32[Array, "*m n H B"], valid: Bool[Array, "n H B"]) -> Float32[Array, "*m B"]:
    """Returns the mean absolute error over origins and horizon, 0 where no target is observed.

    Args:
        errors: Errors, with any leading axes.
        valid: Which of them count.
    """
    total = jnp.where(valid, jnp.abs(errors), 0.0).sum((-3, -2))
    return total / jnp.maximum(valid.sum((0, 1)), 1)


def combine(members: PointForecast, weights: Float32[Array, "M B"]) -> PointForecast:
    """Returns the weighted sum of point forecasts and of their errors.

    Args:
        members: Point forecasts, stacked along a leading axis.
        weights: Their weights, which sum to 1.
    """
    return PointForecast((members.points * weights[:, None]).sum(0), (members.errors * weights[:, None, None]).sum(0))


def inverse_error_weights(error: Float32[Array, "M B"], power: float) -> Float32[Array, "M B"]:
    """Returns weights proportional to error ** -power.

    Bates & Granger (1969) use the power 2 of the root mean square.

    Args:
        error: The error of each of M members.
        power: The power.
    """
    relative = error / jnp.maximum(error.min(0), 1e-12)
    weights = jnp.maximum(relative, 1.0) ** -power
    return weights / weights.sum(0)
