"""What the pretrained network reads of a context: features, candidate forecasts, and their errors in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.pretrained.adjustment import adjust
from nbforecast.forecasters.pretrained.candidates import (
    ERROR_STEPS,
    NAIVE,
    ORIGINS,
    forecast_candidates,
)
from nbforecast.forecasters.pretrained.long_context import COARSE, RECENT, long_context, recent
from nbforecast.forecasters.pretrained.seasons import find_seasons
from nbforecast.forecasters.scaled_context import scale_context, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.forecasters.pretrained.long_context import LongContext
    from nbforecast.forecasters.scaled_context import ScaledContext
    from nbforecast.forecasters.seasonality import Adjusted, Seasons
    from nbforecast.forecasters.windows import Windows

KNOTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 56, 64)
MIN_UNIT = 1e-3

_TAIL = 48
_PATCH = 16
FEATURES = 762  # what the parts below add up to
_LAGS = (1, 2, 4, 8, 16, 32, 64)
_PRIOR_COUNT = 1.0
_MIN_RATIO = 0.01  # of a size to the unit, before its logarithm is taken
_MAX_FEATURE = 12.0
_RECENCY = 0.8  # of an origin's weight, by its age, among the recent errors
_OLD_PATCH = 64


class Features(NamedTuple):
    """What the network reads of a batch of contexts.

    Attributes:
        inputs: The F features.
        candidates: K forecasts of `STEPS` steps, relative to the last value, in the context's unit.
        errors: The logarithms of the candidates' mean absolute past errors, at `ERROR_STEPS` steps ahead: of all past
            origins, and of these with less weight the older they are.
        size: A typical error one to four steps ahead.
        naive: The mean past error of the seasonal naive forecast.
    """

    inputs: Float32[Array, "B F"]
    candidates: Float32[Array, "B K S"]
    errors: Float32[Array, "B 2 K J"]
    size: Float32[Array, " B"]
    naive: Float32[Array, " B"]


class _RecentValues(NamedTuple):
    """What the network reads of the values themselves: squashed, as logarithms of ratios, and as they are."""

    squashed: list[Array]
    ratios: list[Array]
    plain: list[Array]


def extract_features(windows: Windows) -> tuple[ScaledContext, Features]:
    """Returns the last steps of windows in their own unit, and features, candidates and errors in it.

    A unit below 0 turns a context upside down.

    Args:
        windows: The windows (see `long_context`).
    """
    past = _turn(scale_context(recent(windows)))
    long = long_context(windows, past)
    past, long = jax.lax.optimization_barrier((past, long))
    seasons, calendar = find_seasons(past, long, windows.seasons)
    adjusted = jax.lax.optimization_barrier(adjust(past, long, seasons))
    candidates = forecast_candidates(past, long, adjusted, calendar)
    ahead, valid = candidates.ahead, candidates.valid
    is_known = past.is_known.astype(jnp.float32)
    size = jnp.where(valid, jnp.abs(candidates.error), 0.0)
    recency = (_RECENCY ** np.arange(ORIGINS, dtype=np.float32))[:, None, None]
    size = jnp.stack([size.sum(1), (size * recency).sum(1)])
    count = jnp.stack([valid.sum(0).astype(jnp.float32), (valid * recency).sum(0)])
    # a candidate that has hardly been tried has the error of a random walk
    step = _mean(jnp.abs(jnp.diff(past.values, axis=0)), is_known[1:] * is_known[:-1])
    random_walk = jnp.maximum(step, MIN_UNIT) * jnp.sqrt(jnp.array(ERROR_STEPS, jnp.float32))[:, None]
    mean = (size + _PRIOR_COUNT * random_walk) / (count[:, None] + _PRIOR_COUNT)
    errors = jnp.log(jnp.maximum(mean, MIN_UNIT))
    unit = jnp.exp(errors[0, :, :3].mean(1).min(0))
    errors, unit, count = jax.lax.optimization_barrier((errors, unit, count[0]))
    errors, recent_errors = errors
    bias = jnp.where(valid, candidates.error, 0.0)[:, :, ::3].sum(1) / (count[::3] + _PRIOR_COUNT)
    lowest, highest, floor, scalars = _scalars(past, long, seasons, calendar, unit)
    recent_values = _recent_values(past, long, adjusted)
    # as functions of their ratio to the unit, or as they are; the network reads them in this order
    squashed = [
        *recent_values.squashed,
        ahead[:, np.array(ERROR_STEPS) - 1],
        bias,
        candidates.cycle[np.array(KNOTS) - 1],
        jnp.stack([lowest, highest, floor]),
    ]
    plain = [*recent_values.plain, errors - jnp.log(unit), (recent_errors - errors)[:, ::2], jnp.log1p(count), scalars]
    features = jnp.concatenate(
        [_squash(_rows(squashed) / unit), _log_ratio(_rows(recent_values.ratios) / unit), _rows(plain)]
    )
    return past, Features(
        jnp.clip(jnp.nan_to_num(features), -_MAX_FEATURE, _MAX_FEATURE).T,
        ahead.transpose(2, 0, 1),
        jnp.stack([errors, recent_errors]).transpose(3, 0, 1, 2),
        unit,
        jnp.exp(errors[NAIVE]).mean(0),
    )


def _turn(past: ScaledContext) -> ScaledContext:
    """Turns contexts upside down, by the sign of their unit, whose past lies above their last value.

    The network then sees rises alone, and forecasts x and -x alike. What is bounded below, or in logarithms, stays.
    """
    is_above = total(jnp.where(past.is_known, past.values, 0.0)) > 0.0
    sign = jnp.where(is_above & ~past.is_log & ~jnp.isfinite(past.floor), -1.0, 1.0)
    return past._replace(values=past.values * sign, scale=past.scale * sign)


def _rows(parts: Sequence[Float32[Array, "... B"]]) -> Float32[Array, "F B"]:
    return jnp.concatenate([values.reshape(-1, values.shape[-1]) for values in parts])


def _recent_values(past: ScaledContext, long: LongContext, adjusted: Adjusted) -> _RecentValues:
    """The last steps as they are, without and with their season; older ones in patches; how it moves over lags."""
    is_known = past.is_known.astype(jnp.float32)
    batch = past.values.shape[1]
    adjusted_values = adjusted.values - adjusted.values[-1]
    changes = jnp.abs(jnp.diff(adjusted_values, axis=0, prepend=adjusted_values[:1]))
    patched = jnp.stack([adjusted_values * is_known, changes * is_known, is_known])
    sums, change_sums, counts = patched.reshape(3, -1, _PATCH, batch).sum(2)
    old_known = long.coarse_known[: -RECENT // COARSE].astype(jnp.float32)
    old_sums = (long.coarse[: -RECENT // COARSE] * old_known).reshape(-1, _OLD_PATCH // COARSE, batch).sum(1)
    old_counts = old_known.reshape(-1, _OLD_PATCH // COARSE, batch).sum(1)
    return _RecentValues(
        [adjusted_values[-_TAIL:], past.values[-_TAIL:]],
        [
            (change_sums / jnp.maximum(counts, 1.0))[::2],
            _lag_changes(jnp.stack([adjusted_values, past.values], 1), past.is_known),
        ],
        [
            sums / jnp.maximum(counts, 1.0),
            counts.reshape(-1, 2, batch).sum(1) / (2 * _PATCH),
            old_sums / jnp.maximum(old_counts, 1.0),
        ],
    )


def _lag_changes(values: Float32[Array, "L V B"], is_known: Bool[Array, "L B"]) -> Float32[Array, "V N B"]:
    """Mean absolute changes of some series over `_LAGS`."""
    longest = max(_LAGS)
    values = jnp.where(is_known[:, None], values, jnp.nan)
    padded = jnp.pad(values, ((longest, 0), (0, 0), (0, 0)), constant_values=jnp.nan)

    def mean_change(lag: Int32[Array, ""]) -> Float32[Array, "V B"]:
        change = jnp.abs(values - jax.lax.dynamic_slice_in_dim(padded, longest - lag, len(values)))
        is_pair = ~jnp.isnan(change)
        count = jnp.maximum(total(is_pair[:, 0].astype(jnp.float32)), 1.0)
        return total(jnp.where(is_pair, change, 0.0)) / count

    return jax.lax.map(mean_change, jnp.array(_LAGS)).transpose(1, 0, 2)  # compiled once for all lags


def _scalars(
    past: ScaledContext, long: LongContext, seasons: Seasons, calendar: Int32[Array, "2 B"], unit: Float32[Array, " B"]
) -> tuple[Float32[Array, " B"], Float32[Array, " B"], Float32[Array, " B"], Float32[Array, "R B"]]:
    """The lowest and the highest value, the floor, and R facts of each context."""
    length = past.length.astype(jnp.float32)
    changes = jnp.diff(past.values, axis=0)
    is_pair = past.is_known[1:] & past.is_known[:-1]
    still_share = _mean((jnp.abs(changes) < 1e-6).astype(jnp.float32), is_pair.astype(jnp.float32))
    known_values = jnp.where(past.is_known, past.values, 0.0)
    lowest, highest = known_values.min(0), known_values.max(0)
    floor = jnp.where(jnp.isfinite(past.floor), past.floor / past.scale, 0.0)
    lengths = jnp.stack([*seasons, *calendar])
    log_lengths = jnp.log(jnp.maximum(lengths, 1))
    is_season = (lengths[:2] > 0).astype(jnp.float32)
    log_cycles = jnp.log(long.length / jnp.maximum(lengths[:2], 1)) * is_season
    lengths_seen = [jnp.log(n / past.values.shape[0]) for n in (length, long.length)]
    rows = [*lengths_seen, jnp.log(unit), past.is_log, jnp.isfinite(past.floor), still_share]
    for season in range(2):
        rows += [is_season[season], log_lengths[season], log_cycles[season]]
    rows += [*log_lengths[2:], lowest / 3.0, highest / 3.0]
    return lowest, highest, floor, jnp.stack([r.astype(jnp.float32) for r in rows])


def _mean(values: Float32[Array, "L B"], weights: Float32[Array, "L B"]) -> Float32[Array, " B"]:
    return total(values * weights) / jnp.maximum(total(weights), 1.0)


def _squash(ratio: Array) -> Array:
    """Like a logarithm, for either sign: the inverse hyperbolic sine, without its care for tiny numbers."""
    return jnp.sign(ratio) * jnp.log(jnp.abs(ratio) + jnp.sqrt(ratio * ratio + 1.0))


def _log_ratio(ratio: Array) -> Array:
    return jnp.log(ratio + _MIN_RATIO)
