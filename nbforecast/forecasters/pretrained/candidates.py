"""Candidate forecasts of each context: as of its end, and as of past origins, where their errors are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.pretrained import autoregression
from nbforecast.forecasters.scaled_context import MIN_OBSERVATIONS, take, total
from nbforecast.forecasters.seasonality import component_after, positions_before
from nbforecast.forecasters.statistical.smoothing_theta import states

if TYPE_CHECKING:
    from nbforecast.forecasters.pretrained.long_context import LongContext
    from nbforecast.forecasters.scaled_context import ScaledContext
    from nbforecast.forecasters.seasonality import Adjusted

STEPS = 64  # forecast in one pass
ERROR_STEPS = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # steps ahead at which candidates are tried in the past
ORIGINS = 24

# alpha, beta / alpha, phi, share of the running trend line's slope, as in `smoothing`
_GRID = np.array(
    [(1.0, 0.0, 1.0, 0.0), (0.5, 0.0, 1.0, 0.0), (0.2, 0.0, 1.0, 0.0), (0.07, 0.0, 1.0, 0.0), (1.0, 0.0, 1.0, 0.5),
     (0.3, 0.0, 1.0, 0.5), (0.3, 0.0, 1.0, 1.0), (0.5, 0.2, 0.95, 0.0), (0.9, 0.6, 0.85, 0.0)],
    np.float32,
)  # fmt: skip
_GAINS = (0.1, 0.4)  # of the change from one season to the next
_CYCLES = 6  # of a mean shape
_CYCLE_DECAY = 0.95  # of a cycle's weight, by its age
NAIVE = len(_GRID) + 3  # the candidate that repeats the longest season
CANDIDATES = NAIVE + 1 + len(_GAINS) + 5
# Forecasts from all past origins at `ERROR_STEPS` and from the end at all steps are computed at once: the latter in as
# many rows of the same width as they need, so that the last ones are not used.
_END_ROWS = -(-STEPS // len(ERROR_STEPS))
_END_STEPS = np.arange(1, _END_ROWS * len(ERROR_STEPS) + 1)
_STEPS = np.concatenate([np.tile(ERROR_STEPS, (ORIGINS, 1)), _END_STEPS.reshape(_END_ROWS, -1)])


class Candidates(NamedTuple):
    """Forecasts of K candidates, relative to the last value, in the context's unit.

    Attributes:
        ahead: Those as of the last step.
        cycle: Their seasonal component.
        error: Actual minus forecast of past ones, at `ERROR_STEPS`.
        valid: Which of these count.
    """

    ahead: Float32[Array, "K S B"]
    cycle: Float32[Array, "S B"]
    error: Float32[Array, "K O J B"]
    valid: Bool[Array, "O J B"]


class _State(NamedTuple):
    """Everything that candidates are made of; time leads."""

    past: ScaledContext
    long: LongContext
    calendar: Int32[Array, "2 B"]
    adjusted: Adjusted
    levels: Float32[Array, "T G B"]
    slopes: Float32[Array, "T G B"]
    changes: Float32[Array, "T 2 B"]
    mean: Float32[Array, " B"]
    lag_weights: Float32[Array, "2 S P B"]


def forecast_candidates(
    past: ScaledContext, long: LongContext, adjusted: Adjusted, calendar: Int32[Array, "2 B"]
) -> Candidates:
    """Returns the candidates of contexts.

    XLA compiles each array that it computes on its own, and what is computed for two uses twice. So what is alike is
    stacked and computed at once, and barriers stand before what is used more than once.

    Args:
        past: The contexts.
        long: The same in their whole length.
        adjusted: The seasonally adjusted contexts; their components are of the whole length.
        calendar: The seasons that the calendar gives.
    """
    adjusted_values = adjusted.values
    levels, slopes = states(adjusted_values, past, _GRID)
    changes = _seasonal_changes(past, long, jnp.maximum(*adjusted.seasons))
    weights = past.is_known.astype(jnp.float32)
    mean = total(adjusted_values * weights) / jnp.maximum(total(weights), 1.0)
    is_pair = past.is_known & jnp.roll(past.is_known, 1, 0) & (jnp.arange(len(past.values)) > 0)[:, None]
    changes_by_step = past.values - jnp.roll(past.values, 1, 0)
    fitted = jnp.stack([adjusted_values - mean, changes_by_step], 1)
    coefficients = autoregression.fit(fitted, jnp.stack([past.is_known, is_pair], 1))
    of_levels, of_changes = autoregression.multistep_weights(coefficients, _END_STEPS[-1]).transpose(2, 0, 1, 3)
    lag_weights = jnp.stack([of_levels, jnp.cumsum(of_changes, 0)])
    state = jax.lax.optimization_barrier(
        _State(past, long, calendar, adjusted, levels, slopes, changes, mean, lag_weights)
    )
    origins, start = _origins(past, long, adjusted)
    forecasts, cycle = jax.lax.optimization_barrier(_forecasts(state, origins))
    error, valid = jax.lax.optimization_barrier(_backtest(past, origins, start, forecasts))
    ahead, cycle = (v[..., ORIGINS:, :, :].reshape(*v.shape[:-3], -1, v.shape[-1]) for v in (forecasts, cycle))
    return Candidates(ahead[:, :STEPS], cycle[:STEPS], error, valid)


def _origins(
    past: ScaledContext, long: LongContext, adjusted: Adjusted
) -> tuple[Int32[Array, "n B"], Int32[Array, " B"]]:
    """The positions of the origins of the rows of `_STEPS`, and the first position of one that counts."""
    length, batch = past.values.shape
    start = jnp.maximum(past.first + MIN_OBSERVATIONS, long.first - long.start + 2 * adjusted.seasons.short)
    stride = jnp.maximum((length - 1 - start).astype(jnp.float32) / ORIGINS, 1.0)
    origins = length - 2 - jnp.floor(jnp.arange(ORIGINS)[:, None] * stride).astype(jnp.int32)
    return jnp.concatenate([origins, jnp.full((_END_ROWS, batch), length - 1, jnp.int32)]), start


def _forecasts(
    state: _State, origins: Int32[Array, "n B"]
) -> tuple[Float32[Array, "K n J B"], Float32[Array, "n J B"]]:
    """Forecasts of the steps `_STEPS` after some positions, from the values up to them, and their seasonal component.

    Levels and slopes with the seasonal component; an autoregression with it, and one of the changes without; the
    season before, for either season; that and its usual change; the mean shape of some seasons; the calendar's seasons
    before, found or not; the last value.
    """
    past, long, adjusted = state.past, state.long, state.adjusted
    short, longer = adjusted.seasons
    longest = jnp.maximum(short, longer)
    calendar_short, calendar_long = state.calendar
    calendar_long = jnp.where(calendar_long > 0, calendar_long, calendar_short)
    cycle_length = jnp.maximum(longest, 1)
    long_origins = origins + long.start

    # what is known as of each origin
    cycle_ends = [long_origins - age * cycle_length for age in range(_CYCLES)]
    ends = jnp.stack([*cycle_ends, long_origins, long_origins - calendar_long])
    widths = jnp.stack([*(cycle_length,) * _CYCLES, calendar_short, calendar_short])
    means = _window_means(long, ends, widths[:, None])
    smoothed = [_take_rows(s, origins) for s in (state.levels, state.slopes, state.changes)]
    lags = origins[:, None] - jnp.arange(autoregression.LAGS + 1)[:, None]
    known = jax.lax.optimization_barrier((means, *smoothed, take(adjusted.values, lags), take(past.values, lags)))
    means, level, slope, changes = (k[..., None, :] for k in known[:-2])
    last_adjusted, last_values = known[-2:]
    last = last_values[:, :1]

    # values one or more seasons before each step
    steps, positions = jnp.array(_STEPS, jnp.int32)[..., None], long_origins[:, None]
    cycles = positions_before(positions, longest, steps)
    others = [positions_before(positions, s, steps) for s in (short, calendar_short, calendar_long)]
    sources = jnp.stack([*others, *(cycles - age * cycle_length for age in range(_CYCLES))])
    sources, cycle = jax.lax.optimization_barrier((sources, component_after(adjusted, positions, steps)))
    before_short, before_calendar_short, before_calendar_long, *before = jax.lax.optimization_barrier(
        take(long.values, sources)
    )

    smooth = level + slope * jnp.array(_slope_multiples())[..., None] + cycle
    differences = last_values[:, :-1] - last_values[:, 1:]
    of_levels = _weigh(last_adjusted[:, :-1] - state.mean, state.lag_weights[0]) + state.mean + cycle
    of_changes = _weigh(differences, state.lag_weights[1]) + last
    short_naive = jnp.where(short > 0, before_short, last)
    long_naive = jnp.where(longest > 0, before[0], last)
    *cycle_means, mean_season, mean_season_before = means
    is_inside = sources >= long.first
    deviation, weights = jnp.zeros(cycle.shape), jnp.full(cycle.shape, 1e-6)
    for age in range(_CYCLES):
        weight = jnp.where(is_inside[3 + age], _CYCLE_DECAY**age, 0.0)
        deviation, weights = deviation + weight * (before[age] - cycle_means[age]), weights + weight
    is_short_inside = is_inside[1] & (calendar_short > 0)
    is_long_inside = is_inside[2] & (calendar_long > 0)
    calendar_naive = jnp.where(is_long_inside, before_calendar_long, long_naive)
    others = [
        of_levels,
        of_changes,
        short_naive,
        long_naive,
        *(long_naive + changes),
        cycle_means[0] + deviation / weights,
        jnp.where(is_short_inside, before_calendar_short, long_naive),
        calendar_naive,
        calendar_naive + jnp.where(is_long_inside, mean_season - mean_season_before, 0.0),
        jnp.broadcast_to(last, cycle.shape),
    ]
    return jnp.concatenate([smooth, jnp.stack(others)]), cycle


def _weigh(last: Float32[Array, "n P B"], weights: Float32[Array, "S P B"]) -> Float32[Array, "n J B"]:
    """Sums of the last values as of each origin, weighted for each step after it."""
    past = (last[:ORIGINS, None] * weights[np.array(ERROR_STEPS) - 1]).sum(2)
    ahead = (last[-1] * weights).sum(1).reshape(_END_ROWS, len(ERROR_STEPS), -1)
    return jnp.concatenate([past, ahead])


def _take_rows(values: Float32[Array, "T G B"], positions: Int32[Array, "n B"]) -> Float32[Array, "G n B"]:
    """The values of several arrays at the same positions."""
    length, count, batch = values.shape
    row = jnp.clip(positions, 0, length - 1) * count + jnp.arange(count)[:, None, None]
    return values.reshape(-1).at[row * batch + jnp.arange(batch)].get(mode="promise_in_bounds")


def _window_means(
    long: LongContext, ends: Int32[Array, "w n B"], widths: Int32[Array, "w 1 B"]
) -> Float32[Array, "w n B"]:
    """The means of the known among some last values up to each position."""
    before = ends - widths
    bounds = jnp.stack([ends, before])
    sums, counts = (take(s, bounds) for s in (long.sums, long.counts))
    sum_before, count_before = (jnp.where(before >= 0, s[1], 0.0) for s in (sums, counts))
    return (sums[0] - sum_before) / jnp.maximum(counts[0] - count_before, 1.0)


def _seasonal_changes(past: ScaledContext, long: LongContext, season: Int32[Array, " B"]) -> Float32[Array, "T 2 B"]:
    """Exponentially weighted means of the change from one season (a step, where there is none) to the next."""
    before = jnp.arange(past.values.shape[0])[:, None] + long.start - jnp.maximum(season, 1)
    change = past.values - take(long.values, before)
    is_used = past.is_known & (before >= long.first)
    gains = jnp.array(_GAINS)[:, None]

    def step(mean: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        mean = jnp.where(inputs[1], mean + gains * (inputs[0] - mean), mean)
        return mean, mean

    return jax.lax.scan(step, jnp.zeros((len(_GAINS), change.shape[1])), (change, is_used))[1]


def _backtest(
    past: ScaledContext, origins: Int32[Array, "n B"], start: Int32[Array, " B"], forecasts: Float32[Array, "K n J B"]
) -> tuple[Float32[Array, "K m J B"], Bool[Array, "m J B"]]:
    """The candidates' errors at past origins, and which of them count."""
    length = past.values.shape[0]
    origins, forecasts = origins[:ORIGINS], forecasts[:, :ORIGINS]
    positions = origins[:, None] + jnp.array(ERROR_STEPS)[:, None]
    target, is_observed = (take(v, positions) for v in (past.values, past.observed))
    valid = is_observed & (positions < length) & (origins >= start)[:, None]
    return target - forecasts, valid


def _slope_multiples() -> Float32[np.ndarray, "G n J"]:
    """How many times its next step a slope moves the forecast, by grid row and step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:, None]
    damped_steps = np.cumsum(phi ** np.arange(_STEPS.max()), 1)[:, _STEPS - 1]
    return np.where(share > 0, _STEPS, damped_steps).astype(np.float32)
