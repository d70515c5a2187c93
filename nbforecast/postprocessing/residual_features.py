"""What is known at an origin that may explain the error of its forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast.postprocessing.past_forecasts import PERIODS, PastForecasts, cycle, mean_of_known, phase_delays

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 5.0  # of a feature, in units of the forecast's spread
_HARMONICS = 2
_CHANGES = (1, 2, 4, 8)  # steps over which the newest change is measured
_MOST_DAYS = 7  # of a week

Columns = Float64[np.ndarray, "#S n"]


@dataclass(frozen=True)
class Origins:
    """The rows and the horizon steps that features are wanted for.

    Attributes:
        start, end: The rows, `end` excluded.
        steps: The horizon steps, from 0.
    """

    start: int
    end: int
    steps: range

    def observed(self, past: PastForecasts, delays: list[int] | int) -> Columns:
        """The newest observation some rows before each origin; the delay may depend on the step."""
        place = self.start + past.padding
        return _slices([past.newest] * len(self.steps), place, self.end - self.start, delays)

    def arrived(self, past: PastForecasts, delays: list[int] | int) -> Columns:
        """The error of each step that became known some rows before each origin."""
        return _slices([past.errors[h] for h in self.steps], self.start - past.first, self.end - self.start, delays)


def _slices(arrays: list[Float64[np.ndarray, " W"]], place: int, count: int, delays: list[int] | int) -> Columns:
    if isinstance(delays, int):
        if all(array is arrays[0] for array in arrays):
            return arrays[0][None, place - delays : place - delays + count]
        delays = [delays] * len(arrays)
    return np.stack([a[place - d : place - d + count] for a, d in zip(arrays, delays, strict=True)])


def lookback(seasons: tuple[int, ...], horizon: int) -> int:
    """How many rows before an origin its features reach.

    Args:
        seasons: Season lengths in steps.
        horizon: H.
    """
    reach = [cycle(horizon, season) + PERIODS * season for season in seasons]
    return max([*reach, *_counts(seasons), _CHANGES[-1], horizon]) + 2


def features(past: PastForecasts, origins: Origins) -> tuple[Float64[np.ndarray, "S P n"], tuple[int, ...]]:
    """The features of some steps, each known at the origin: an origin's column depends on nothing after it (L1).

    Distances from the forecast's median, in units of its spread, limited to 5; 0 where something is not known.

    Args:
        past: A series and its forecasts.
        origins: Which origins and steps.

    Returns:
        columns: (S, P, n) other models' medians; the newest observation, its changes, and the mean over parts of
            seasons; what was observed at the same phase one and two seasons before and on average over four; the newest
            known errors of this step and of the first, and those of the same phase; harmonics of the seasons; 1; then
            those of the covariates; then those of the days of the week.
        counts: How many features are of none of the last two groups, of the first two, and all; without repetitions.
    """
    core = [column for columns in CORE for column in columns(past, origins)]
    groups = [core, list(_covariates(past, origins)), list(_days(past, origins))]
    columns = np.empty((len(origins.steps), sum(map(len, groups)), origins.end - origins.start))
    for number, column in enumerate(column for group in groups for column in group):
        columns[:, number] = column
    np.nan_to_num(columns, copy=False)
    np.clip(columns, -LIMIT, LIMIT, out=columns)
    return columns, tuple(dict.fromkeys(np.cumsum([len(group) for group in groups]).tolist()))


def _other_models(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    median, unit = _median_and_unit(past, origins)
    for other in past.others:
        yield (other[_place(past, origins)] - median) / unit


def _newest_values(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    """The newest observation, its changes, and the mean over parts of the seasons."""
    median, unit = _median_and_unit(past, origins)
    newest = origins.observed(past, 0)
    distance = (newest - median) / unit
    yield distance
    yield np.minimum(distance, 0.0)
    for steps in _CHANGES:
        yield (newest - origins.observed(past, steps)) / unit
    yield np.abs(newest - origins.observed(past, 1)) / unit
    end = np.arange(origins.start, origins.end) + 1
    for count in _counts(past.seasons):
        total = past.sums[end + past.padding] - past.sums[end + past.padding - count]
        yield (total / np.minimum(end, count) - median) / unit


def _values_of_phase(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    """What was observed at the target's phase, one and two seasons before and on average."""
    median, unit = _median_and_unit(past, origins)
    for season in past.seasons:
        delays = phase_delays(origins.steps, season)
        phase = [(origins.observed(past, [d + season * k for d in delays]) - median) / unit for k in range(PERIODS)]
        yield phase[0]
        yield phase[1]
        yield mean_of_known(phase)
    if past.seasons:
        delays = phase_delays(origins.steps, past.seasons[0])
        yield np.maximum((origins.observed(past, delays) - median) / unit, 0.0)


def _errors_of_phase(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    for season in past.seasons:
        delays = phase_delays(origins.steps, season)
        errors = [origins.arrived(past, [d + season * k for d in delays]) for k in range(PERIODS)]
        yield errors[0]
        yield mean_of_known(errors)


def _newest_errors(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    yield origins.arrived(past, 0)
    yield origins.arrived(past, 1)
    yield past.errors[0, origins.start - past.first : origins.end - past.first][None]


def _calendar(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    for season in past.seasons:
        angle = 2 * np.pi * (_target_steps(past, origins) % season) / season
        for k in range(1, _HARMONICS + 1):
            yield np.sin(k * angle)
            yield np.cos(k * angle)
    yield np.ones((1, origins.end - origins.start))


def _covariates(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    """Of those known ahead the value at the target, of the others that at the origin; hinges and changes.

    They are measured in units of the covariate's past deviation.
    """
    rows = slice(origins.start, origins.end)
    for number in np.argsort(~past.is_future, kind="stable").tolist():
        values, now = past.covariates[number], past.covariates[number, rows]
        mean, deviation = past.moments[:, number, rows]
        if past.is_future[number]:
            target = np.stack([values[origins.start + h + 1 : origins.end + h + 1] for h in origins.steps])
            yield from _known_ahead(target, now, mean, deviation)
        else:
            score = ((now - mean) / deviation)[None]
            yield score
            yield np.maximum(score, 0.0)
            yield np.maximum(score - 1.0, 0.0)
            for steps in _CHANGES:
                before = np.append(np.full(steps, np.nan), values)[rows]
                yield ((now - before) / deviation)[None]

    for number, issued in enumerate(past.issued, len(past.covariates)):
        target = issued[rows, origins.steps.start + 1 : origins.steps.stop + 1].T
        yield from _known_ahead(target, issued[rows, 0], *past.moments[:, number, rows])


def _known_ahead(
    target: Columns,
    now: Float64[np.ndarray, " n"],
    mean: Float64[np.ndarray, " n"],
    deviation: Float64[np.ndarray, " n"],
) -> Iterator[Columns]:
    score = (target - mean) / deviation
    yield score
    yield np.maximum(score, 0.0)
    yield np.maximum(score - 1.0, 0.0)
    yield np.maximum(-1.0 - score, 0.0)
    yield (target - now) / deviation


def _days(past: PastForecasts, origins: Origins) -> Iterator[Columns]:
    """For each day of the week whether the target is on it, and what was observed there one week before."""
    if not past.seasons:
        return
    week = past.seasons[-1]
    day = next((season for season in past.seasons if week % season == 0 and 1 < week // season <= _MOST_DAYS), None)
    if day is None:
        return
    median, unit = _median_and_unit(past, origins)
    phase = (origins.observed(past, phase_delays(origins.steps, week)) - median) / unit
    distance = np.clip(np.nan_to_num(phase), -LIMIT, LIMIT)
    number = (_target_steps(past, origins) % week) // day
    for k in range(week // day):
        is_on = (number == k).astype(np.float64)
        yield is_on
        yield is_on * distance


def _median_and_unit(past: PastForecasts, origins: Origins) -> tuple[Columns, Columns]:
    return past.medians[_place(past, origins)], past.units[_place(past, origins)]


def _place(past: PastForecasts, origins: Origins) -> tuple[slice, slice]:
    """Where the origins are in arrays of forecasts."""
    rows = slice(origins.start - past.first, origins.end - past.first)
    return slice(origins.steps.start, origins.steps.stop), rows


def _target_steps(past: PastForecasts, origins: Origins) -> Columns:
    rows = np.arange(origins.start, origins.end)
    return past.step + rows + np.arange(origins.steps.start + 1, origins.steps.stop + 1)[:, None]


def _counts(seasons: tuple[int, ...]) -> tuple[int, ...]:
    """Over how many steps observations are averaged: a quarter of the first season, and each season."""
    return (max(2, seasons[0] // 4), *seasons) if seasons else (4, 16)


CORE = (_other_models, _newest_values, _values_of_phase, _errors_of_phase, _newest_errors, _calendar)
