"""What the pretrained network reads of a context: features, candidate forecasts, and their errors in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.scaled_context import MIN_OBSERVATIONS, running_sum, take, total
from nbforecast.forecasters.seasonality import component_after, deseasonalize, find_seasons, positions_before
from nbforecast.forecasters.statistical.smoothing_theta import states

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
_MIN_RATIO = 0.01  # of a size to the unit, before its logarithm is taken
_MAX_FEATURE = 12.0
# Forecasts from all past origins at `ERROR_STEPS` and from the end at all steps are computed at once: the latter in as
# many rows of the same width as they need, so that the last ones are not used.
_END_ROWS = -(-STEPS // len(ERROR_STEPS))
_END_STEPS = np.arange(1, _END_ROWS * len(ERROR_STEPS) + 1)
_STEPS = np.concatenate([np.tile(ERROR_STEPS, (ORIGINS, 1)), _END_STEPS.reshape(_END_ROWS, -1)])


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

    XLA compiles each array that it computes on its own, and what is computed for two uses twice. So what is alike is
    stacked and computed at once, and barriers stand before what is used more than once.

    Args:
        past: The contexts.
        calendar: The season lengths that are looked for first, in steps.
    """
    seasons = find_seasons(past, calendar)
    adjusted = deseasonalize(past, seasons)
    levels, slopes = states(adjusted.values, past, _GRID)
    is_known = past.is_known.astype(jnp.float32)
    changes = _seasonal_changes(past, jnp.maximum(seasons.short, seasons.long))
    sums, counts = (_running_sum_from_zero(v) for v in (past.values * is_known, is_known))
    state = jax.lax.optimization_barrier(_State(past, calendar, adjusted, levels, slopes, changes, sums, counts))
    origins, start = _origins(past, seasons)
    forecasts, cycle = jax.lax.optimization_barrier(_candidates(state, origins))
    error, valid = jax.lax.optimization_barrier(_backtest(past, origins, start, forecasts))
    candidates, cycle = (v[..., ORIGINS:, :, :].reshape(*v.shape[:-3], -1, v.shape[-1]) for v in (forecasts, cycle))
    candidates = candidates[:, :STEPS]
    count = valid.sum(0)
    size = jnp.abs(error)
    # a candidate that has hardly been tried has the error of a random walk
    step = _mean(jnp.abs(jnp.diff(past.values, axis=0)), is_known[1:] * is_known[:-1])
    random_walk = jnp.maximum(step, MIN_UNIT) * jnp.sqrt(jnp.array(ERROR_STEPS, jnp.float32))[:, None]
    mean = (jnp.where(valid, size, 0.0).sum(1) + _PRIOR_COUNT * random_walk) / (count + _PRIOR_COUNT)
    errors = jnp.log(jnp.maximum(mean, MIN_UNIT))
    unit = jnp.exp(errors[:, :3].mean(1).min(0))
    errors, unit, count = jax.lax.optimization_barrier((errors, unit, count.astype(jnp.float32)))
    recent_error = jnp.where(valid, size, 0.0)[:, :_RECENT].mean((1, 2))
    bias = jnp.where(valid, error, 0.0)[:, :, ::3].sum(1) / (count[::3] + _PRIOR_COUNT)
    recent, recent_adjusted, patch_means, patch_changes, known_share, lag_changes = _recent_values(state)
    lowest, highest, floor, scalars = _scalars(past, seasons, calendar, unit)
    # in the order in which the network reads them, as they are or as a function of their ratio to the unit
    parts = [
        (_squash, recent_adjusted),
        (_squash, recent),
        (None, patch_means),
        (_log_ratio, patch_changes),
        (None, known_share),
        (_log_ratio, lag_changes),
        (_squash, candidates[:, np.array(ERROR_STEPS) - 1]),
        (None, errors - jnp.log(unit)),
        (_log_ratio, recent_error),
        (_squash, bias),
        (None, jnp.log1p(count)),
        (_squash, cycle[np.array(KNOTS) - 1]),
        (None, scalars),
        (_squash, jnp.stack([lowest, highest, floor])),
    ]
    features = _join(parts, unit)
    naive = jnp.exp(errors[len(_GRID) + 1]).mean(0)
    return Features(
        jnp.clip(jnp.nan_to_num(features), -_MAX_FEATURE, _MAX_FEATURE).T,
        candidates.transpose(2, 0, 1),
        errors.transpose(2, 0, 1),
        unit,
        naive,
    )


def _join(
    parts: Sequence[tuple[Callable[[Array], Array] | None, Array]], unit: Float32[Array, " B"]
) -> Float32[Array, "F B"]:
    """Joins the parts of the features; each function is computed for all rows at once, and used where it belongs."""
    rows = [values.reshape(-1, len(unit)) for _, values in parts]
    joined = features = jnp.concatenate(rows)
    for function in (_squash, _log_ratio):
        is_used = np.concatenate([np.full((len(r), 1), f is function) for r, (f, _) in zip(rows, parts, strict=True)])
        features = jnp.where(is_used, function(joined / unit), features)
    return features


def _origins(past: ScaledContext, seasons: Seasons) -> tuple[Int32[Array, "n B"], Int32[Array, " B"]]:
    """The positions of the origins of the rows of `_STEPS`, and the first position of one that counts."""
    length, batch = past.values.shape
    start = past.first + jnp.maximum(2 * seasons.short, MIN_OBSERVATIONS)
    stride = jnp.maximum((length - 1 - start).astype(jnp.float32) / ORIGINS, 1.0)
    origins = length - 2 - jnp.floor(jnp.arange(ORIGINS)[:, None] * stride).astype(jnp.int32)
    return jnp.concatenate([origins, jnp.full((_END_ROWS, batch), length - 1, jnp.int32)]), start


def _candidates(
    state: _State, origins: Int32[Array, "n B"]
) -> tuple[Float32[Array, "K n J B"], Float32[Array, "n J B"]]:
    """Forecasts of the steps `_STEPS` after some positions, from the values up to them, and their seasonal component.

    Levels and slopes with the seasonal component; the season before, for either season; that and its usual change;
    the mean shape of some seasons; the calendar's seasons before, found or not; the last value; moving means.
    """
    past, adjusted = state.past, state.adjusted
    short, long = adjusted.seasons
    longest = jnp.maximum(short, long)
    calendar_short, calendar_long = jnp.broadcast_to(state.calendar[:2, None], (2, len(longest)))
    calendar_long = jnp.where(calendar_long > 0, calendar_long, calendar_short)
    cycle_length = jnp.maximum(longest, 1)

    # what is known as of each origin
    cycle_ends = [origins - age * cycle_length for age in range(_CYCLES)]
    ends = jnp.stack([origins, origins, *cycle_ends, origins, origins - calendar_long])
    fixed_widths = (jnp.full_like(longest, width) for width in _MEANS)
    widths = jnp.stack([*fixed_widths, *(cycle_length,) * _CYCLES, calendar_short, calendar_short])
    means = _window_means(state, ends, widths[:, None])
    smoothed = [_take_rows(s, origins) for s in (state.levels, state.slopes, state.changes)]
    known = jax.lax.optimization_barrier((means, *smoothed, take(past.values, origins)))
    means, level, slope, changes, last = (k[..., None, :] for k in known)

    # values one or more seasons before each step
    steps, positions = jnp.array(_STEPS, jnp.int32)[..., None], origins[:, None]
    cycles = positions_before(positions, longest, steps)
    others = [positions_before(positions, s, steps) for s in (short, calendar_short, calendar_long)]
    sources = jnp.stack([*others, *(cycles - age * cycle_length for age in range(_CYCLES))])
    sources, cycle = jax.lax.optimization_barrier((sources, component_after(adjusted, positions, steps)))
    before_short, before_calendar_short, before_calendar_long, *before = jax.lax.optimization_barrier(
        take(past.values, sources)
    )

    smooth = level + slope * jnp.array(_slope_multiples(_STEPS))[..., None] + cycle
    short_naive = jnp.where(short > 0, before_short, last)
    long_naive = jnp.where(longest > 0, before[0], last)
    mean_of_few, mean_of_many, *cycle_means, mean_season, mean_season_before = means
    deviation, weights = jnp.zeros(cycle.shape), jnp.full(cycle.shape, 1e-6)
    for age in range(_CYCLES):
        weight = jnp.where(sources[3 + age] >= past.first, _CYCLE_DECAY**age, 0.0)
        deviation, weights = deviation + weight * (before[age] - cycle_means[age]), weights + weight
    is_short_inside = (sources[1] >= past.first) & (calendar_short > 0)
    is_long_inside = (sources[2] >= past.first) & (calendar_long > 0)
    calendar_naive = jnp.where(is_long_inside, before_calendar_long, long_naive)
    plain = [
        short_naive,
        long_naive,
        *(long_naive + changes),
        cycle_means[0] + deviation / weights,
        jnp.where(is_short_inside, before_calendar_short, long_naive),
        calendar_naive,
        calendar_naive + jnp.where(is_long_inside, mean_season - mean_season_before, 0.0),
        *(jnp.broadcast_to(v, cycle.shape) for v in (last, mean_of_few, mean_of_many)),
    ]
    return jnp.concatenate([smooth, jnp.stack(plain)]), cycle


def _take_rows(values: Float32[Array, "L G B"], positions: Int32[Array, "n B"]) -> Float32[Array, "G n B"]:
    """The values of several arrays at the same positions."""
    length, count, batch = values.shape
    row = jnp.clip(positions, 0, length - 1) * count + jnp.arange(count)[:, None, None]
    return values.reshape(-1).at[row * batch + jnp.arange(batch)].get(mode="promise_in_bounds")


def _window_means(state: _State, ends: Int32[Array, "w n B"], widths: Int32[Array, "w 1 B"]) -> Float32[Array, "w n B"]:
    """The means of the known among some last values up to each position."""
    bounds = jnp.stack([ends + 1, jnp.clip(ends + 1 - widths, 0)])
    sums, counts = (take(s, bounds) for s in (state.sums, state.counts))
    return (sums[0] - sums[1]) / jnp.maximum(counts[0] - counts[1], 1.0)


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


def _slope_multiples(steps: np.ndarray) -> Float32[np.ndarray, "G n J"]:
    """How many times its next step a slope moves the forecast, by grid row and step."""
    phi, share = _GRID[:, 2:3], _GRID[:, 3:, None]
    damped_steps = np.cumsum(phi ** np.arange(steps.max()), 1)[:, steps - 1]
    return np.where(share > 0, steps, damped_steps).astype(np.float32)


def _recent_values(state: _State) -> tuple[Array, ...]:
    """The last steps as they are, without and with their season; the rest in patches; how it moves over lags."""
    past, adjusted = state.past, state.adjusted
    is_known = past.is_known.astype(jnp.float32)
    batch = past.values.shape[1]
    adjusted_values = adjusted.values - adjusted.values[-1]
    changes = jnp.abs(jnp.diff(adjusted_values, axis=0, prepend=adjusted_values[:1]))
    patched = jnp.stack([adjusted_values * is_known, changes * is_known, is_known])
    sums, change_sums, counts = patched.reshape(3, -1, _PATCH, batch).sum(2)
    patch_means = sums / jnp.maximum(counts, 1.0)
    patch_changes = (change_sums / jnp.maximum(counts, 1.0))[::2]
    known_share = counts.reshape(-1, 2, batch).sum(1) / (2 * _PATCH)
    lag_changes = _lag_changes(jnp.stack([adjusted_values, past.values], 1), past.is_known)
    recent, recent_adjusted = past.values[-_TAIL:], adjusted_values[-_TAIL:]
    return recent, recent_adjusted, patch_means, patch_changes, known_share, lag_changes


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
    past: ScaledContext, seasons: Seasons, calendar: Int32[Array, " C"], unit: Float32[Array, " B"]
) -> tuple[Float32[Array, " B"], Float32[Array, " B"], Float32[Array, " B"], Float32[Array, "R B"]]:
    """The lowest and the highest value, the floor, and R facts of each context."""
    length = past.length.astype(jnp.float32)
    changes = jnp.diff(past.values, axis=0)
    is_pair = past.is_known[1:] & past.is_known[:-1]
    still_share = _mean((jnp.abs(changes) < 1e-6).astype(jnp.float32), is_pair.astype(jnp.float32))
    known_values = jnp.where(past.is_known, past.values, 0.0)
    lowest, highest = known_values.min(0), known_values.max(0)
    floor = jnp.where(jnp.isfinite(past.floor), past.floor / past.scale, 0.0)
    lengths = jnp.stack([*seasons, *(jnp.broadcast_to(c, unit.shape) for c in (calendar[0], calendar[1]))])
    log_lengths = jnp.log(jnp.maximum(lengths, 1))
    is_season = (lengths[:2] > 0).astype(jnp.float32)
    log_cycles = jnp.log(length / jnp.maximum(lengths[:2], 1)) * is_season
    rows = [jnp.log(length / past.values.shape[0]), jnp.log(unit), past.is_log, jnp.isfinite(past.floor), still_share]
    for season in range(2):
        rows += [is_season[season], log_lengths[season], log_cycles[season]]
    rows += [*log_lengths[2:], lowest / 3.0, highest / 3.0]
    return lowest, highest, floor, jnp.stack([r.astype(jnp.float32) for r in rows])


def _running_sum_from_zero(values: Float32[Array, "L B"]) -> Float32[Array, "L+1 B"]:
    """Sums of all values before each position, and of all."""
    return jnp.concatenate([jnp.zeros_like(values[:1]), running_sum(values)])


def _mean(values: Float32[Array, "L B"], weights: Float32[Array, "L B"]) -> Float32[Array, " B"]:
    return total(values * weights) / jnp.maximum(total(weights), 1.0)


def _squash(ratio: Array) -> Array:
    """Like a logarithm, for either sign."""
    return jnp.arcsinh(ratio)


def _log_ratio(ratio: Array) -> Array:
    return jnp.log(ratio + _MIN_RATIO)
