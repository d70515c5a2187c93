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
ERROR_STEPS = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # steps ahead at which candidates are tried in the past
ORIGINS = 24
MIN_UNIT = 1e-3

# alpha, beta / alpha, phi, share of the running trend line's slope, as in `smoothing`
_GRID = np.array(
    [(1.0, 0.0, 1.0, 0.0), (0.5, 0.0, 1.0, 0.0), (0.2, 0.0, 1.0, 0.0), (0.07, 0.0, 1.0, 0.0), (1.0, 0.0, 1.0, 0.5),
     (0.3, 0.0, 1.0, 0.5), (0.3, 0.0, 1.0, 1.0), (0.5, 0.2, 0.95, 0.0), (0.9, 0.6, 0.85, 0.0)],
    np.float32,
)  # fmt: skip
_MEANS = (16, 128)
_GAINS = (0.1, 0.4)  # of the change from one season to the next
_CYCLES = 3
_CYCLE_DECAY = 0.75  # of a cycle's weight, by its age
_RECENT = 6
CANDIDATES = len(_GRID) + 7 + len(_MEANS) + len(_GAINS)
_TAIL = 48
_PATCH = 16
FEATURES = 667  # what the parts below add up to
_LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_PRIOR_COUNT = 1.0
_MAX_FEATURE = 12.0


class Features(NamedTuple):
    """What the network reads of a batch of contexts.

    Attributes:
        inputs: The F features.
        candidates: K forecasts of `STEPS` steps, relative to the last value, in the context's unit.
        errors: The logarithms of the candidates' mean absolute past errors, at `ERROR_STEPS` steps ahead.
        size: A typical error one to four steps ahead.
        naive: The mean past error of the seasonal naive forecast.
    """

    inputs: Float32[Array, "B F"]
    candidates: Float32[Array, "B K S"]
    errors: Float32[Array, "B K J"]
    size: Float32[Array, " B"]
    naive: Float32[Array, " B"]


class _State(NamedTuple):
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
    is_known = past.is_known.astype(jnp.float32)
    changes = _seasonal_changes(past, jnp.maximum(seasons.short, seasons.long))
    state = _State(
        past,
        calendar,
        adjusted,
        levels,
        slopes,
        changes,
        _running_sum_from_zero(past.values * is_known),
        _running_sum_from_zero(is_known),
    )
    # without barriers XLA works some of this out anew for each of the places where it is used
    state = jax.lax.optimization_barrier(state)
    error, valid = jax.lax.optimization_barrier(_backtest(state, seasons))
    count = valid.sum(0)
    size = jnp.abs(error)
    # a candidate that has hardly been tried has the error of a random walk
    step = _mean(jnp.abs(jnp.diff(past.values, axis=0)), is_known[1:] * is_known[:-1])
    random_walk = jnp.maximum(step, MIN_UNIT) * jnp.sqrt(jnp.array(ERROR_STEPS, jnp.float32))[:, None]
    mean = (jnp.where(valid, size, 0.0).sum(1) + _PRIOR_COUNT * random_walk) / (count + _PRIOR_COUNT)
    errors = jnp.log(jnp.maximum(mean, MIN_UNIT))
    unit = jnp.exp(errors[:, :3].mean(1).min(0))
    end = jnp.full((1, past.values.shape[1]), past.values.shape[0] - 1)
    candidates = jax.lax.optimization_barrier(_candidates(state, end, np.arange(1, STEPS + 1))[:, 0])
    recent_error = jnp.where(valid, size, 0.0)[:, :_RECENT].mean((1, 2))
    bias = jnp.where(valid, error, 0.0)[:, :, ::3].sum(1) / (count[::3] + _PRIOR_COUNT)
    parts = [
        *_recent_values(state, unit),
        _squash(candidates[:, np.array(ERROR_STEPS) - 1] / unit),
        errors - jnp.log(unit),
        jnp.log(recent_error / unit + 0.01),
        _squash(bias / unit),
        jnp.log1p(count.astype(jnp.float32)),
        _squash(seasonal_component(adjusted, end, STEPS)[0][np.array(KNOTS) - 1] / unit),
        *_scalars(past, seasons, calendar, unit),
    ]
    batch = past.values.shape[1]
    features = jnp.concatenate([p.reshape(-1, batch) for p in parts]).T
    naive = jnp.exp(errors[len(_GRID) + 1]).mean(0)
    return Features(
        jnp.clip(jnp.nan_to_num(features), -_MAX_FEATURE, _MAX_FEATURE),
        candidates.transpose(2, 0, 1),
        errors.transpose(2, 0, 1),
        unit,
        naive,
    )


def _candidates(state: _State, origins: Int32[Array, "n B"], steps: np.ndarray) -> Float32[Array, "K n S B"]:
    """Forecasts of some steps ahead, as of the positions `origins`, from the values up to them.

    Levels and slopes with the seasonal component; the season before, for either season; that and its usual change;
    the mean shape of some seasons; the calendar's seasons before, found or not; the last value; moving means.
    """
    past, adjusted = state.past, state.adjusted
    batch = origins.shape[1]

    def component(values: Float32[Array, "L B"], season: Int32[Array, " B"]) -> Float32[Array, "n S B"]:
        positions = seasonal_positions(origins, season, int(steps[-1]))[:, steps - 1]
        return take(values, positions.reshape(-1, batch)).reshape(positions.shape)

    short, long = adjusted.seasons
    cycle = jnp.where(short > 0, component(adjusted.short, short), 0.0)
    cycle = cycle + jnp.where(long > 0, component(adjusted.long, long), 0.0)
    level, slope = (jnp.take_along_axis(s, origins[:, None].clip(0), axis=0) for s in (state.levels, state.slopes))
    smooth_forecasts = (
        level[:, :, None] + slope[:, :, None] * jnp.array(_slope_multiples(steps))[:, :, None] + cycle[:, None]
    )
    last = jnp.broadcast_to(take(past.values, origins)[:, None], cycle.shape)
    longest = jnp.maximum(short, long)
    short_naive, long_naive = (jnp.where(s > 0, component(past.values, s), last) for s in (short, longest))
    drift_naive = [long_naive + take(state.changes[:, i], origins)[:, None] for i in range(len(_GAINS))]
    means = [jnp.broadcast_to(_mean_of_last(state, origins, w)[:, None], cycle.shape) for w in _MEANS]
    shape = _mean_cycle(state, origins, seasonal_positions(origins, longest, int(steps[-1]))[:, steps - 1])
    others = [
        short_naive,
        long_naive,
        *drift_naive,
        shape,
        *_calendar_forecasts(state, origins, steps, long_naive),
        last,
        *means,
    ]
    return jnp.concatenate([smooth_forecasts.transpose(1, 0, 2, 3), jnp.stack(others)])


def _calendar_forecasts(
    state: _State, origins: Int32[Array, "n B"], steps: np.ndarray, fallback: Float32[Array, "n S B"]
) -> list[Float32[Array, "n S B"]]:
    """The values one and another of the calendar's seasons before; the latter moved to the present level, too.

    Where these lie before the context's first value, the forecast is `fallback`.
    """
    short, long = state.calendar[0], jnp.where(state.calendar[1] > 0, state.calendar[1], state.calendar[0])
    values_before = []
    for season in (short, long):
        positions = seasonal_positions(origins, jnp.broadcast_to(season, origins.shape[1:]), int(steps[-1]))[
            :, steps - 1
        ]
        values = take(state.past.values, positions.reshape(-1, origins.shape[1])).reshape(positions.shape)
        is_inside = (positions >= state.past.first) & (season > 0)
        values_before.append(jnp.where(is_inside, values, fallback))
    level = _mean_of_last(state, origins, short) - _mean_of_last(state, origins - long, short)
    return [*values_before, values_before[-1] + jnp.where(is_inside, level[:, None], 0.0)]


def _mean_of_last(state: _State, positions: Int32[Array, "n B"], width: int | Array) -> Float32[Array, "n B"]:
    """The mean of the known among the last values up to each position."""
    starts = jnp.clip(positions + 1 - width, 0)
    total, count = (take(s, positions + 1) - take(s, starts) for s in (state.sums, state.counts))
    return total / jnp.maximum(count, 1.0)


def _mean_cycle(
    state: _State, origins: Int32[Array, "n B"], positions: Int32[Array, "n S B"]
) -> Float32[Array, "n S B"]:
    """The last cycle's mean, and how far steps usually lie from the means of their cycles, newer ones counting more.

    `positions` are those of the steps in the last cycle. Cycles are the longest season's, or single steps.
    """
    season = jnp.maximum(jnp.maximum(*state.adjusted.seasons), 1)
    deviation, weights = jnp.zeros(positions.shape), jnp.full(positions.shape, 1e-6)
    for age in range(_CYCLES):
        mean = _mean_of_last(state, origins - age * season, season)[:, None]
        cycle_positions = positions - age * season
        value = take(state.past.values, cycle_positions.reshape(-1, cycle_positions.shape[-1])).reshape(
            cycle_positions.shape
        )
        weight = jnp.where(cycle_positions >= state.past.first, _CYCLE_DECAY**age, 0.0)
        deviation, weights = deviation + weight * (value - mean), weights + weight
    return _mean_of_last(state, origins, season)[:, None] + deviation / weights


def _seasonal_changes(past: ScaledContext, season: Int32[Array, " B"]) -> Float32[Array, "L 2 B"]:
    """Exponentially weighted means of the change from one season (a step, where there is none) to the next."""
    season = jnp.maximum(season, 1)
    steps = jnp.arange(past.values.shape[0])[:, None]
    change = past.values - take(past.values, steps - season)
    is_used = past.is_known & (steps - season >= past.first)
    gains = jnp.array(_GAINS)[:, None]

    def step(mean: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        mean = jnp.where(inputs[1], mean + gains * (inputs[0] - mean), mean)
        return mean, mean

    return jax.lax.scan(step, jnp.zeros((len(_GAINS), change.shape[1])), (change, is_used))[1]


def _backtest(state: _State, seasons: Seasons) -> tuple[Array, Array]:
    """The candidates' errors (K n J B) at past origins, and which of them count (n J B)."""
    past = state.past
    length, batch = past.values.shape
    start = past.first + jnp.maximum(2 * seasons.short, MIN_OBSERVATIONS)
    stride = jnp.maximum((length - 1 - start).astype(jnp.float32) / ORIGINS, 1.0)
    origins = length - 2 - jnp.floor(jnp.arange(ORIGINS)[:, None] * stride).astype(jnp.int32)
    steps = np.array(ERROR_STEPS)
    positions = origins[:, None] + steps[:, None]
    flat_positions = positions.reshape(-1, batch)
    target, is_observed = (take(v, flat_positions).reshape(positions.shape) for v in (past.values, past.observed))
    valid = is_observed & (positions < length) & (origins >= start)[:, None]
    return target - _candidates(state, origins, steps), valid


def _slope_multiples(steps: np.ndarray) -> Float32[np.ndarray, "G S"]:
    """How many times its next step a slope moves the forecast, by grid row and step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:]
    damped_steps = np.cumsum(phi ** np.arange(STEPS), 1)[:, steps - 1]
    return np.where(share > 0, steps, damped_steps).astype(np.float32)


def _recent_values(state: _State, unit: Float32[Array, " B"]) -> list[Array]:
    """The last steps as they are, with and without their season; the rest in patches; how it moves over lags."""
    past, adjusted = state.past, state.adjusted
    is_known = past.is_known.astype(jnp.float32)
    batch = past.values.shape[1]
    adjusted_values = adjusted.values - adjusted.values[-1]

    def patches(values: Float32[Array, "L B"]) -> Float32[Array, "P B"]:
        parts = (values * is_known).reshape(-1, _PATCH, batch).sum(1)
        return parts / jnp.maximum(is_known.reshape(-1, _PATCH, batch).sum(1), 1.0)

    changes = jnp.abs(jnp.diff(adjusted_values, axis=0, prepend=adjusted_values[:1]))
    lag_changes = jnp.stack([_lagged_changes((adjusted_values, past.values), is_known, lag) for lag in _LAGS])
    return [
        _squash(adjusted_values[-_TAIL:] / unit),
        _squash(past.values[-_TAIL:] / unit),
        patches(adjusted_values),
        jnp.log(patches(changes) / unit + 0.01)[::2],
        is_known.reshape(-1, 2 * _PATCH, batch).mean(1),
        *(jnp.log(lag_changes[:, i] / unit + 0.01) for i in range(2)),
    ]


def _lagged_changes(
    series: tuple[Float32[Array, "L B"], ...], is_known: Float32[Array, "L B"], lag: int
) -> Float32[Array, "N B"]:
    """Mean absolute changes over a lag."""
    pairs = is_known[lag:] * is_known[:-lag]
    count = jnp.maximum(total(pairs), 1.0)
    return jnp.stack([total(jnp.abs(v[lag:] - v[:-lag]) * pairs) / count for v in series])


def _scalars(
    past: ScaledContext, seasons: Seasons, calendar: Int32[Array, " C"], unit: Float32[Array, " B"]
) -> list[Array]:
    length = past.length.astype(jnp.float32)
    changes = jnp.diff(past.values, axis=0)
    is_pair = past.is_known[1:] & past.is_known[:-1]
    still_share = _mean((jnp.abs(changes) < 1e-6).astype(jnp.float32), is_pair.astype(jnp.float32))
    rows = [jnp.log(length / past.values.shape[0]), jnp.log(unit), past.is_log, jnp.isfinite(past.floor), still_share]
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
