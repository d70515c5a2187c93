"""Past forecasts of one series and their errors, as they become known from row to row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from nbforecast.scoring.origin_scores import quantiles

PERIODS = 4  # seasons whose same phase is averaged
_UNIT = (0.15, 0.85)  # the interval whose width is the unit
_TYPICAL_SHARE = 0.3  # of the typical error, below which the unit does not fall: points have no width
_LEAST_UNIT = 1e-6  # times the largest value so far
_DECAY = 0.5 ** (1 / 1000)  # from row to row, of errors and losses that are averaged
_PIECE = 1 << 12  # rows whose draws are read at once


@dataclass(frozen=True)
class SeriesForecasts:
    """The forecasts of a model from every origin of one series, and what was observed.

    Attributes:
        draws: (N, H, Q) ascending draws, NaN where there is no forecast.
        levels: The Q probability levels of the draws.
        values: (N,) observations, NaN where there is none.
        step: The grid step of the first row.
        seasons: Season lengths in steps, ascending.
        others: (N, H, ...) draws of other models, with their levels.
        covariates: (K, N + H) covariates at the rows and one horizon beyond.
        is_future: (K,) whether each is known ahead.
        issued: (I, N, H + 1) covariates as they were issued by each row, about the row itself and the steps after it.
    """

    draws: Float32[np.ndarray, "N H Q"]
    levels: tuple[float, ...]
    values: Float64[np.ndarray, " N"]
    step: int
    seasons: tuple[int, ...]
    others: tuple[tuple[Float32[np.ndarray, "N H _"], tuple[float, ...]], ...]
    covariates: Float64[np.ndarray, "K C"]
    is_future: Bool[np.ndarray, " K"]
    issued: Float64[np.ndarray, "I N H1"]


@dataclass(frozen=True)
class RecentForecasts:
    """What a series has shown until its newest row: the forecasts of the newest rows, and sums.

    Attributes:
        row: How many rows there are.
        medians, units, absolute, errors: (H, T) of the newest T rows; `absolute` and `errors` are the errors that
            became known at them, in the data's unit without sign and in units of the spread.
        others: (M, H, T) the medians of other models.
        error_sums: (2, H) discounted sums of the known absolute errors, and their numbers.
    """

    row: int
    medians: Float64[np.ndarray, "H T"]
    units: Float64[np.ndarray, "H T"]
    absolute: Float64[np.ndarray, "H T"]
    errors: Float64[np.ndarray, "H T"]
    others: Float64[np.ndarray, "M H T"]
    error_sums: Float64[np.ndarray, "2 H"]

    @classmethod
    def before(cls, horizon: int, count: int, models: int) -> RecentForecasts:
        """Before the first row."""
        unknown = np.full((horizon, count), np.nan)
        others = np.full((models, horizon, count), np.nan)
        return cls(0, unknown, unknown, unknown, unknown, others, np.zeros((2, horizon)))


@dataclass(frozen=True)
class PastForecasts:
    """One series and the forecasts of one model from its newest origins.

    Arrays end with the newest row. Those of forecasts begin with row `first`, which may be negative: what lies before
    the series is NaN there.

    Attributes:
        first: The row of the first column of the arrays of forecasts.
        padding: How many rows before the series `newest` and `sums` have.
        step: The grid step of the series' first row.
        seasons: Season lengths in steps, ascending.
        newest: (padding + N,) the newest observation as of each row.
        sums: (padding + N + 1,) their cumulative sums.
        medians: (H, W) the medians of the forecasts from each row.
        units: (H, W) their spreads: features and errors are measured in them.
        errors: (H, W) the error of each step, in units, that becomes known at each row; NaN where it is not known.
        others: (M, H, W) medians of other models.
        covariates: (K, N + H) covariates at the rows and one horizon beyond, NaN where one is missing.
        is_future: (K,) whether each is known ahead.
        issued: (I, N, H + 1) covariates as they were issued by each row, about the row itself and the steps after it.
        moments: (2, K + I, N) the running means and deviations of all covariates.
    """

    first: int
    padding: int
    step: int
    seasons: tuple[int, ...]
    newest: Float64[np.ndarray, " R"]
    sums: Float64[np.ndarray, " R1"]
    medians: Float64[np.ndarray, "H W"]
    units: Float64[np.ndarray, "H W"]
    errors: Float64[np.ndarray, "H W"]
    others: Float64[np.ndarray, "M H W"]
    covariates: Float64[np.ndarray, "K C"]
    is_future: Bool[np.ndarray, " K"]
    issued: Float64[np.ndarray, "I N H1"]
    moments: Float64[np.ndarray, "2 J N"]


@dataclass(frozen=True)
class Observation:
    """What a series shows from the row on that was learned last.

    Attributes:
        past: For features.
        recent: The state afterwards.
    """

    past: PastForecasts
    recent: RecentForecasts


def observe(series: SeriesForecasts, recent: RecentForecasts) -> Observation:
    """Read the rows of a series that are new, and the errors that become known at them.

    Args:
        series: The series with further rows.
        recent: What it has shown before.
    """
    row, end, tail = recent.row, len(series.values), recent.medians.shape[1]
    new = slice(row, end)
    low, median, high = _read_quantiles(series.draws[new], series.levels, (_UNIT[0], 0.5, _UNIT[1]))
    medians = np.concatenate([recent.medians, median], axis=1)
    missed = series.values[new] - _at_arrival(medians, tail)
    absolute = np.concatenate([recent.absolute, np.abs(missed)], axis=1)
    sums = discounted(np.stack([np.nan_to_num(np.abs(missed)), np.isfinite(missed)]), recent.error_sums)
    typical = np.fmax(sums[0] / np.maximum(sums[1], 1.0), _typical_of_phase(absolute, tail, series.seasons))
    largest = np.fmax.accumulate(np.abs(np.nan_to_num(series.values)))[new]
    least = np.maximum(_LEAST_UNIT * largest, np.finfo(float).tiny)
    units = np.maximum(np.maximum(high - low, _TYPICAL_SHARE * typical), least)
    units = np.concatenate([recent.units, units], axis=1)
    errors = np.concatenate([recent.errors, missed / _at_arrival(units, tail)], axis=1)
    new_others = [_read_quantiles(draws[new], levels, (0.5,))[0] for draws, levels in series.others]
    others = np.concatenate([recent.others, np.reshape(new_others, (len(new_others), *median.shape))], axis=2)
    newest = series.values[np.maximum.accumulate(np.where(np.isfinite(series.values), np.arange(end), 0))]
    past = PastForecasts(
        first=row - tail,
        padding=tail,
        step=series.step,
        seasons=series.seasons,
        newest=np.append(np.full(tail, np.nan), newest),
        sums=np.append(np.zeros(tail + 1), np.nancumsum(newest)),
        medians=medians,
        units=units,
        errors=errors,
        others=others,
        covariates=series.covariates,
        is_future=series.is_future,
        issued=series.issued,
        moments=running_moments(np.concatenate([series.covariates[:, :end], series.issued[..., 0]])),
    )
    tails = (array[..., -tail:].copy() for array in (medians, units, absolute, errors))
    medians, units, absolute, errors = tails
    now = RecentForecasts(end, medians, units, absolute, errors, others[..., -tail:].copy(), sums[..., -1])
    return Observation(past, now)


def _read_quantiles(
    draws: Float32[np.ndarray, "n H Q"], levels: tuple[float, ...], probabilities: tuple[float, ...]
) -> Float64[np.ndarray, "K H n"]:
    out = np.empty((len(probabilities), draws.shape[1], len(draws)))
    for start in range(0, len(draws), _PIECE):
        rows = slice(start, start + _PIECE)
        out[..., rows] = quantiles(draws[rows].astype(np.float64), levels, probabilities).transpose(2, 1, 0)
    return out


def _at_arrival(rows: Float64[np.ndarray, "H W"], tail: int) -> Float64[np.ndarray, "H n"]:
    """Of each step what belongs to the forecast whose error becomes known at each row from column `tail` on."""
    return np.stack([row[tail - h - 1 : len(row) - h - 1] for h, row in enumerate(rows)])


def _typical_of_phase(
    absolute: Float64[np.ndarray, "H W"], tail: int, seasons: tuple[int, ...]
) -> Float64[np.ndarray, "H n"]:
    """The mean absolute error at the target's phase of the longest season, NaN where none is known.

    A model whose context is shorter than a week can be sure of itself every Friday and wrong every Saturday.
    """
    if not seasons:
        return np.full((len(absolute), absolute.shape[1] - tail), np.nan)
    delays = phase_delays(range(len(absolute)), seasons[-1])
    periods = [[tail - delay - seasons[-1] * k for delay in delays] for k in range(PERIODS)]
    count = absolute.shape[1] - tail
    return mean_of_known([np.stack([row[a : a + count] for row, a in zip(absolute, s, strict=True)]) for s in periods])


def discounted(values: Float64[np.ndarray, "*K n"], before: Float64[np.ndarray, "*K"]) -> Float64[np.ndarray, "*K n"]:
    """Running sums in which older values count less.

    Args:
        values: Values, ascending in time.
        before: The sum before the first one.
    """
    pieces = []
    for start in range(0, values.shape[-1], _PIECE):
        piece = values[..., start : start + _PIECE]
        weights = _DECAY ** np.arange(1, piece.shape[-1] + 1)  # at least 1/16
        pieces.append((np.cumsum(piece / weights, axis=-1) + before[..., None]) * weights)
        before = pieces[-1][..., -1]
    return np.concatenate(pieces, axis=-1)


def phase_delays(steps: range, season: int) -> list[int]:
    """For each step how many rows before an origin the newest row of the target's phase is.

    Args:
        steps: Horizon steps, from 0.
        season: The season's length in rows.
    """
    return [cycle(h + 1, season) - (h + 1) for h in steps]


def mean_of_known(columns: list[Float64[np.ndarray, "#S n"]]) -> Float64[np.ndarray, "#S n"]:
    """The mean of those that are known, NaN where none is.

    Args:
        columns: Float64[np.ndarray, "#S n"] of equal shapes, NaN where one is not known.
    """
    stacked = np.stack(columns)
    is_known = np.isfinite(stacked)
    count = is_known.sum(0)
    return np.where(count > 0, np.where(is_known, stacked, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def running_moments(values: Float64[np.ndarray, "K N"]) -> Float64[np.ndarray, "2 K N"]:
    """The mean and the deviation of the values so far; a deviation of 1 where all are equal.

    Args:
        values: Covariates at the rows of a series, NaN where one is missing.
    """
    is_known = np.isfinite(values)
    filled = np.where(is_known, values, 0.0)
    count = np.maximum(np.cumsum(is_known, axis=-1), 1)
    mean = np.cumsum(filled, axis=-1) / count
    variance = np.cumsum(filled**2, axis=-1) / count - mean**2
    return np.stack([mean, np.sqrt(np.where(variance > 1e-12 * (1 + mean**2), variance, 1.0))])


def cycle(ahead: int, season: int) -> int:
    """The fewest whole seasons, in rows, before a target that are known at the origin."""
    return -(-ahead // season) * season
