"""What is known at an origin that may explain the error of its forecast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 5.0  # of a feature, in units of the forecast's spread
_HARMONICS = 2
_CHANGES = (1, 2, 4, 8)  # steps over which the newest change is measured
_PERIODS = 4  # seasons whose same phase is averaged

Column = Float64[np.ndarray, " N"]


@dataclass(frozen=True)
class PastForecasts:
    """One series and the forecasts of one model from each of its origins.

    Attributes:
        values: (N,) observations, NaN where there is none.
        steps: (N,) absolute grid steps, ascending by 1.
        medians: (N, H) the median of each forecast, NaN where there is none.
        units: (N, H) the spread of each forecast, positive: features and errors are measured in it.
        actual: (N, H) what was observed after each origin, NaN where it is not known.
        seasons: Season lengths in steps, ascending.
        others: (M, N, H) the medians of other models.
        ahead: (K, N, H) covariates at the times that are forecast, known at the origin; NaN where one is missing.
        now: (K, N) the same covariates at the origins.
        known: (J, N) covariates that are known up to the origins only.
    """

    values: Column
    steps: Int64[np.ndarray, " N"]
    medians: Float64[np.ndarray, "N H"]
    units: Float64[np.ndarray, "N H"]
    actual: Float64[np.ndarray, "N H"]
    seasons: tuple[int, ...]
    others: Float64[np.ndarray, "M N H"]
    ahead: Float64[np.ndarray, "K N H"]
    now: Float64[np.ndarray, "K N"]
    known: Float64[np.ndarray, "J N"]

    @cached_property
    def newest(self) -> Column:
        """(N,) the newest observation as of each origin, NaN before the first."""
        rows = np.where(np.isfinite(self.values), np.arange(len(self.values)), 0)
        return self.values[np.maximum.accumulate(rows)]

    @cached_property
    def sums(self) -> Float64[np.ndarray, " N1"]:
        """(N + 1,) cumulative sums of `newest`."""
        return np.concatenate([[0.0], np.nancumsum(self.newest)])

    def mean(self, count: int) -> Column:
        """(N,) the mean of the newest observations of the last `count` steps."""
        end = np.arange(1, len(self.values) + 1)
        start = np.maximum(end - count, 0)
        return (self.sums[end] - self.sums[start]) / (end - start)

    def errors(self, h: int) -> Column:
        """(N,) errors of step `h` (from 0) in units of the forecast's spread, NaN where they are not known."""
        return (self.actual[:, h] - self.medians[:, h]) / self.units[:, h]


def features(past: PastForecasts, h: int) -> tuple[Float64[np.ndarray, "N P"], int]:
    """The features of step `h`, each known at the origin: an origin's row depends on nothing after it (L1).

    Distances from the forecast's median, in units of its spread, limited to 5; 0 where something is not known.

    Args:
        past: A series and its forecasts.
        h: The horizon step, from 0.

    Returns:
        columns: (N, P) other models' medians; the newest observation, its changes, and the mean over parts of seasons;
            what was observed at the same phase one and two seasons before and on average over four; the newest known
            errors of this step and of the first, and those of the same phase; harmonics of the seasons; 1; then the
            covariates.
        plain: How many columns come before those of the covariates.
    """
    plain = list(_columns(past, h))
    of_covariates = [
        column
        for target, current in zip(past.ahead, past.now, strict=True)
        for column in _future_covariate(target[:, h], current)
    ]
    of_covariates += [column for current in past.known for column in _past_covariate(current)]
    columns = np.column_stack([*plain, *of_covariates])
    return np.clip(np.nan_to_num(columns), -LIMIT, LIMIT), len(plain)


def _columns(past: PastForecasts, h: int) -> Iterator[Column]:
    median, unit, newest = past.medians[:, h], past.units[:, h], past.newest
    ahead, error = h + 1, past.errors(h)

    for other in past.others:
        yield (other[:, h] - median) / unit

    distance = (newest - median) / unit
    yield distance
    yield np.minimum(distance, 0.0)
    for steps in _CHANGES:
        yield (newest - delayed(newest, steps)) / unit
    yield np.abs(newest - delayed(newest, 1)) / unit
    for count in _counts(past.seasons):
        yield (past.mean(count) - median) / unit

    for season in past.seasons:
        cycle = -(-ahead // season) * season  # the fewest whole seasons before the target that are known
        phase = [delayed(newest, cycle - ahead + season * k) for k in range(_PERIODS)]
        yield (phase[0] - median) / unit
        yield (phase[1] - median) / unit
        yield (_mean_of_known(phase) - median) / unit
        phase_errors = [delayed(error, cycle + season * k) for k in range(_PERIODS)]
        yield phase_errors[0]
        yield _mean_of_known(phase_errors)
    if past.seasons:
        yield np.maximum((delayed(newest, -ahead % past.seasons[0]) - median) / unit, 0.0)

    yield delayed(error, ahead)
    yield delayed(error, ahead + 1)
    yield delayed(past.errors(0), 1)

    for season in past.seasons:
        angle = 2 * np.pi * ((past.steps + ahead) % season) / season
        for k in range(1, _HARMONICS + 1):
            yield np.sin(k * angle)
            yield np.cos(k * angle)
    yield np.ones(len(newest))


def _future_covariate(target: Column, now: Column) -> Iterator[Column]:
    """A covariate at the target time in units of its past deviation, with hinges, and its change since the origin."""
    mean, deviation = _running_moments(now)
    score = (target - mean) / deviation
    yield score
    yield np.maximum(score, 0.0)
    yield np.maximum(score - 1.0, 0.0)
    yield np.maximum(-1.0 - score, 0.0)
    yield (target - now) / deviation


def _past_covariate(now: Column) -> Iterator[Column]:
    """A covariate at the origin in units of its past deviation, with hinges, and its changes."""
    mean, deviation = _running_moments(now)
    score = (now - mean) / deviation
    yield score
    yield np.maximum(score, 0.0)
    yield np.maximum(score - 1.0, 0.0)
    for steps in _CHANGES:
        yield (now - delayed(now, steps)) / deviation


def _running_moments(values: Column) -> tuple[Column, Column]:
    """The mean and the deviation of the values so far; a deviation of 1 where all are equal."""
    is_known = np.isfinite(values)
    filled = np.where(is_known, values, 0.0)
    count = np.maximum(np.cumsum(is_known), 1)
    mean = np.cumsum(filled) / count
    variance = np.cumsum(filled**2) / count - mean**2
    return mean, np.sqrt(np.where(variance > 1e-12 * (1 + mean**2), variance, 1.0))


def delayed(values: Column, steps: int) -> Column:
    """The value `steps` rows before each row, NaN where there is none."""
    if steps == 0:
        return values
    return np.concatenate([np.full(min(steps, len(values)), np.nan), values[:-steps]])


def _counts(seasons: tuple[int, ...]) -> tuple[int, ...]:
    """Over how many steps observations are averaged: a quarter of the first season, and each season."""
    return (max(2, seasons[0] // 4), *seasons) if seasons else (4, 16)


def _mean_of_known(columns: list[Column]) -> Column:
    """The mean of those that are known, NaN where none is."""
    stacked = np.stack(columns)
    is_known = np.isfinite(stacked)
    count = is_known.sum(0)
    return np.where(count > 0, np.where(is_known, stacked, 0.0).sum(0) / np.maximum(count, 1), np.nan)
