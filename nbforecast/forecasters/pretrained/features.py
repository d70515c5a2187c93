"""What the pretrained network reads of a context: features, candidate forecasts, and their errors in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from nbforecast.forecasters.scaled_context import MIN_OBSERVATIONS, running_sum, take, total
from nbforecast.forecasters.seasonality import deseasonalize, find_seasons, seasonal_component, seasonal_positions
from nbforecast.forecasters.statistical.smoothing_theta import states

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import ScaledContext
    from nbforecast.forecasters.seasonality import Adjusted, Seasons

STEPS = 64  # forecast in one pass
KNOTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 56, 64)
LOOKED = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # steps ahead at which candidates are tried in the past
ORIGINS = 24
LEAST_UNIT = 1e-3

# alpha, beta / alpha, phi, share of the running trend line's slope, as in `smoothing`
_GRID = np.array(
    [(1.0, 0.0, 1.0, 0.0), (0.5, 0.0, 1.0, 0.0), (0.2, 0.0, 1.0, 0.0), (0.07, 0.0, 1.0, 0.0), (1.0, 0.0, 1.0, 0.5),
     (0.3, 0.0, 1.0, 0.5), (0.3, 0.0, 1.0, 1.0), (0.5, 0.2, 0.95, 0.0), (0.9, 0.6, 0.85, 0.0)],
    np.float32,
)  # fmt: skip
_MEANS = (16, 128)
_GAINS = (0.1, 0.4)  # of the change from one season to the next
_CYCLES = 3
_FADING = 0.75  # of a cycle's weight, by its age
_RECENT = 6
CANDIDATES = len(_GRID) + 7 + len(_MEANS) + len(_GAINS)
_TAIL = 48
_PATCH = 16
FEATURES = 667  # what the parts below add up to
_LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_PRIOR_COUNT = 1.0
_FARTHEST = 12.0


class Features(NamedTuple):
    """What the network reads of a batch of contexts.

    Attributes:
        inputs: The F features.
        candidates: K forecasts of `STEPS` steps, relative to the last value, in the context's unit.
        errors: The logarithms of the candidates' mean absolute past errors, at `LOOKED` steps ahead.
        size: A typical error one to four steps ahead.
        naive: The mean past error of the seasonal naive forecast.
    """

    inputs: Float32[Array, "B F"]
    candidates: Float32[Array, "B K S"]
    errors: Float32[Array, "B K J"]
    size: Float32[Array, " B"]
    naive: Float32[Array, " B"]


class _Past(NamedTuple):
    """Everything that candidates are made of; time leads."""

    past: ScaledContext
    calendar: Int32[Array, " C"]
    adjusted: Adjusted
    levels: Float32[Array, "L G B"]
    slopes: Float32[Array, "L G B"]
    changes: Float32[Array, "L 2 B"]
    sums: Float32[Array, "L+1 B"]
    counts: Float32[Array, "L+1 B"]


def extract_features(past: ScaledContext, calendar: Int32[Array, " C"]) -> Features:
    """Returns features, candidates and errors of contexts, in their own unit.

    Args:
        past: The contexts.
        calendar: The season lengths that are looked for first, in steps.
    """
    seasons = find_seasons(past, calendar)
    adjusted = deseasonalize(past, seasons)
    levels, slopes = states(adjusted.values, past, _GRID)
    known = past.is_known.astype(jnp.float32)
    changes = _changes(past, jnp.maximum(seasons.short, seasons.long))
    state = _Past(
        past,
        calendar,
        adjusted,
        levels,
        slopes,
        changes,
        _running_sum_from_zero(past.values * known),
        _running_sum_from_zero(known),
    )
    # without barriers XLA works some of this out anew for each of the places where it is used
    state = jax.lax.optimization_barrier(state)
    error, valid = jax.lax.optimization_barrier(_tried(state, seasons))
    count = valid.sum(0)
    size = jnp.abs(error)
    # a candidate that has hardly been tried has the error of a random walk
    step = _mean(jnp.abs(jnp.diff(past.values, axis=0)), known[1:] * known[:-1])
    walk = jnp.maximum(step, LEAST_UNIT) * jnp.sqrt(jnp.array(LOOKED, jnp.float32))[:, None]
    mean = (jnp.where(valid, size, 0.0).sum(1) + _PRIOR_COUNT * walk) / (count + _PRIOR_COUNT)
    errors = jnp.log(jnp.maximum(mean, LEAST_UNIT))
    unit = jnp.exp(errors[:, :3].mean(1).min(0))
    end = jnp.full((1, past.values.shape[1]), past.values.shape[0] - 1)
    candidates = jax.lax.optimization_barrier(_candidates(state, end, np.arange(1, STEPS + 1))[:, 0])
    recent = jnp.where(valid, size, 0.0)[:, :_RECENT].mean((1, 2))
    bias = jnp.where(valid, error, 0.0)[:, :, ::3].sum(1) / (count[::3] + _PRIOR_COUNT)
    parts = [
        *_series(state, unit),
        _squash(candidates[:, np.array(LOOKED) - 1] / unit),
        errors - jnp.log(unit),
        jnp.log(recent / unit + 0.01),
        _squash(bias / unit),
        jnp.log1p(count.astype(jnp.float32)),
        _squash(seasonal_component(adjusted, end, STEPS)[0][np.array(KNOTS) - 1] / unit),
        *_scalars(past, seasons, calendar, unit),
    ]
    batch = past.values.shape[1]
    features = jnp.concatenate([p.reshape(-1, batch) for p in parts]).T
    naive = jnp.exp(errors[len(_GRID) + 1]).mean(0)
    return Features(
        jnp.clip(jnp.nan_to_num(features), -_FARTHEST, _FARTHEST),
        candidates.transpose(2, 0, 1),
        errors.transpose(2, 0, 1),
        unit,
        naive,
    )


def _candidates(state: _Past, at: Int32[Array, "n B"], steps: np.ndarray) -> Float32[Array, "K n S B"]:
    """Forecasts of some steps ahead, as of positions `at`, from what was known there.

    Levels and slopes with the seasonal component; the season before, for either season; that and its usual change;
    the mean shape of some seasons; the calendar's seasons before, found or not; the last value; moving means.
    """
    past, adjusted = state.past, state.adjusted
    batch = at.shape[1]

    def component(values: Float32[Array, "L B"], season: Int32[Array, " B"]) -> Float32[Array, "n S B"]:
        where = seasonal_positions(at, season, int(steps[-1]))[:, steps - 1]
        return take(values, where.reshape(-1, batch)).reshape(where.shape)

    short, long = adjusted.seasons
    cycle = jnp.where(short > 0, component(adjusted.short, short), 0.0)
    cycle = cycle + jnp.where(long > 0, component(adjusted.long, long), 0.0)
    level, slope = (jnp.take_along_axis(s, at[:, None].clip(0), axis=0) for s in (state.levels, state.slopes))
    smooth = level[:, :, None] + slope[:, :, None] * jnp.array(_reach(steps))[:, :, None] + cycle[:, None]
    last = jnp.broadcast_to(take(past.values, at)[:, None], cycle.shape)
    longest = jnp.maximum(short, long)
    before, longer = (jnp.where(s > 0, component(past.values, s), last) for s in (short, longest))
    changed = [longer + take(state.changes[:, i], at)[:, None] for i in range(len(_GAINS))]
    means = [jnp.broadcast_to(_mean_of_last(state, at, w)[:, None], cycle.shape) for w in _MEANS]
    shape = _shape(state, at, seasonal_positions(at, longest, int(steps[-1]))[:, steps - 1])
    others = [before, longer, *changed, shape, *_named(state, at, steps, longer), last, *means]
    return jnp.concatenate([smooth.transpose(1, 0, 2, 3), jnp.stack(others)])


def _named(
    state: _Past, at: Int32[Array, "n B"], steps: np.ndarray, instead: Float32[Array, "n S B"]
) -> list[Float32[Array, "n S B"]]:
    """The values one and another of the calendar's seasons before; the latter moved to the present level, too.

    What lies before the context's first value is taken from `instead`.
    """
    short, long = state.calendar[0], jnp.where(state.calendar[1] > 0, state.calendar[1], state.calendar[0])
    values_before = []
    for season in (short, long):
        where = seasonal_positions(at, jnp.broadcast_to(season, at.shape[1:]), int(steps[-1]))[:, steps - 1]
        values = take(state.past.values, where.reshape(-1, at.shape[1])).reshape(where.shape)
        is_inside = (where >= state.past.first) & (season > 0)
        values_before.append(jnp.where(is_inside, values, instead))
    level = _mean_of_last(state, at, short) - _mean_of_last(state, at - long, short)
    return [*values_before, values_before[-1] + jnp.where(is_inside, level[:, None], 0.0)]


def _mean_of_last(state: _Past, at: Int32[Array, "n B"], width: int | Array) -> Float32[Array, "n B"]:
    """The mean of the known among the last values up to positions `at`."""
    before = jnp.clip(at + 1 - width, 0)
    total, number = (take(s, at + 1) - take(s, before) for s in (state.sums, state.counts))
    return total / jnp.maximum(number, 1.0)


def _shape(state: _Past, at: Int32[Array, "n B"], where: Int32[Array, "n S B"]) -> Float32[Array, "n S B"]:
    """The last cycle's mean, and how far steps usually lie from the means of their cycles, newer ones counting more.

    where: the steps' positions in the last cycle. Cycles are the longest season's, single steps where there is none.
    """
    season = jnp.maximum(jnp.maximum(*state.adjusted.seasons), 1)
    away, weights = jnp.zeros(where.shape), jnp.full(where.shape, 1e-6)
    for age in range(_CYCLES):
        mean = _mean_of_last(state, at - age * season, season)[:, None]
        here = where - age * season
        value = take(state.past.values, here.reshape(-1, here.shape[-1])).reshape(here.shape)
        weight = jnp.where(here >= state.past.first, _FADING**age, 0.0)
        away, weights = away + weight * (value - mean), weights + weight
    return _mean_of_last(state, at, season)[:, None] + away / weights


def _changes(past: ScaledContext, season: Int32[Array, " B"]) -> Float32[Array, "L 2 B"]:
    """Exponentially weighted means of the change from one season (a step, where there is none) to the next."""
    season = jnp.maximum(season, 1)
    at = jnp.arange(past.values.shape[0])[:, None]
    change = past.values - take(past.values, at - season)
    use = past.is_known & (at - season >= past.first)
    gains = jnp.array(_GAINS)[:, None]

    def step(mean: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        mean = jnp.where(now[1], mean + gains * (now[0] - mean), mean)
        return mean, mean

    return jax.lax.scan(step, jnp.zeros((len(_GAINS), change.shape[1])), (change, use))[1]


def _tried(state: _Past, seasons: Seasons) -> tuple[Array, Array]:
    """The candidates' errors (K n J B) at past origins, and which of them count (n J B)."""
    past = state.past
    length, batch = past.values.shape
    start = past.first + jnp.maximum(2 * seasons.short, MIN_OBSERVATIONS)
    stride = jnp.maximum((length - 1 - start).astype(jnp.float32) / ORIGINS, 1.0)
    at = length - 2 - jnp.floor(jnp.arange(ORIGINS)[:, None] * stride).astype(jnp.int32)
    steps = np.array(LOOKED)
    where = at[:, None] + steps[:, None]
    flat = where.reshape(-1, batch)
    target, seen = (take(v, flat).reshape(where.shape) for v in (past.values, past.observed))
    valid = seen & (where < length) & (at >= start)[:, None]
    return target - _candidates(state, at, steps), valid


def _reach(steps: np.ndarray) -> Float32[np.ndarray, "G S"]:
    """How many times its next step a slope moves the forecast, by grid row and step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:]
    damped = np.cumsum(phi ** np.arange(STEPS), 1)[:, steps - 1]
    return np.where(share > 0, steps, damped).astype(np.float32)


def _series(state: _Past, unit: Float32[Array, " B"]) -> list[Array]:
    """The last steps as they are, with and without their season; the rest in patches; how it moves over lags."""
    past, adjusted = state.past, state.adjusted
    known = past.is_known.astype(jnp.float32)
    batch = past.values.shape[1]
    without, raw = adjusted.values - adjusted.values[-1], past.values

    def patches(values: Float32[Array, "L B"]) -> Float32[Array, "P B"]:
        parts = (values * known).reshape(-1, _PATCH, batch).sum(1)
        return parts / jnp.maximum(known.reshape(-1, _PATCH, batch).sum(1), 1.0)

    moves = jnp.abs(jnp.diff(without, axis=0, prepend=without[:1]))
    moved = jnp.stack([_moved((without, raw), known, lag) for lag in _LAGS])
    return [
        _squash(without[-_TAIL:] / unit),
        _squash(raw[-_TAIL:] / unit),
        patches(without),
        jnp.log(patches(moves) / unit + 0.01)[::2],
        known.reshape(-1, 2 * _PATCH, batch).mean(1),
        *(jnp.log(moved[:, i] / unit + 0.01) for i in range(2)),
    ]


def _moved(several: tuple[Float32[Array, "L B"], ...], known: Float32[Array, "L B"], lag: int) -> Float32[Array, "N B"]:
    """Mean absolute changes over a lag."""
    pairs = known[lag:] * known[:-lag]
    count = jnp.maximum(total(pairs), 1.0)
    return jnp.stack([total(jnp.abs(v[lag:] - v[:-lag]) * pairs) / count for v in several])


def _scalars(
    past: ScaledContext, seasons: Seasons, calendar: Int32[Array, " C"], unit: Float32[Array, " B"]
) -> list[Array]:
    length = past.length.astype(jnp.float32)
    moves = jnp.diff(past.values, axis=0)
    both = past.is_known[1:] & past.is_known[:-1]
    still = _mean((jnp.abs(moves) < 1e-6).astype(jnp.float32), both.astype(jnp.float32))
    rows = [jnp.log(length / past.values.shape[0]), jnp.log(unit), past.is_log, jnp.isfinite(past.floor), still]
    for season in seasons:
        rows += [season > 0, jnp.log(jnp.maximum(season, 1)), jnp.log(length / jnp.maximum(season, 1)) * (season > 0)]
    rows += [jnp.broadcast_to(jnp.log(jnp.maximum(c, 1)), length.shape) for c in (calendar[0], calendar[1])]
    ends = [jnp.where(past.is_known, past.values, 0.0).min(0), jnp.where(past.is_known, past.values, 0.0).max(0)]
    floor = jnp.where(jnp.isfinite(past.floor), past.floor / past.scale, 0.0)
    rows += [e / 3.0 for e in ends] + [_squash(e / unit) for e in (*ends, floor)]
    return [r.astype(jnp.float32)[None] for r in rows]


def _running_sum_from_zero(values: Float32[Array, "L B"]) -> Float32[Array, "L+1 B"]:
    """Sums of all values before each position, and of all."""
    return jnp.concatenate([jnp.zeros_like(values[:1]), running_sum(values)])


def _mean(values: Float32[Array, "L B"], weights: Float32[Array, "L B"]) -> Float32[Array, " B"]:
    return total(values * weights) / jnp.maximum(total(weights), 1.0)


def _squash(values: Array) -> Array:
    """Like a logarithm, for either sign."""
    return jnp.arcsinh(values)
