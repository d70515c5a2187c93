"""Inferring the frequency: first of each series, then the one that all series have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nbforecast.data.calendar_frequency import FrequencyEstimates, FrequencyGroup, open_anchors, recognise_calendar
from nbforecast.data.frequency import Frequency
from nbforecast.data.frequency_alias import FrequencySpec
from nbforecast.errors import InputError
from nbforecast.text import option
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUND_STEPS = np.array(
    [1_000, 10_000, 100_000, 500_000]
    + [n * SECOND for n in (1, 2, 5, 10, 15, 20, 30)]
    + [n * MINUTE for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    + [n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)]
    + [DAY, WEEK, 2 * WEEK]
)
_CLOCK_TICK = 1_000  # microseconds to which clocks of cameras and sensors round
_ENOUGH = 8  # intervals that a series needs to contradict the others
_COARSEST = 3  # times the finest step that a series of a panel may have: more leaves it mostly empty
_MOST_INTERVALS, _FEWEST_OF_A_SERIES = 200_000, 24  # newest intervals that are read: in all, and at least of each
_MOST_NAMED = 6
_THINNED = 0.5  # of the intervals of one step that a grid has whose rows are missing at random, at least
_ON_GRID = 0.95  # share of intervals that are multiples of the step of such a grid


def infer_frequency(
    series: Int64[np.ndarray, " rows"], times: Int64[np.ndarray, " rows"], has_calendar: bool, ids: Sequence[str]
) -> FrequencySpec:
    """Infer the step that most series have.

    Args:
        series: The number of each row's series, ascending.
        times: Microseconds of the local clock, or steps where there is no calendar; ascending within a series.
        has_calendar: Whether times are microseconds.
        ids: The names of the series, for messages.

    Raises:
        InputError: If no two times of a series differ, or if the series of a panel have different frequencies.
    """
    intervals = _collect_intervals(series, times)
    if not len(intervals.length):
        raise InputError(
            "No series has two different times, so no frequency can be inferred. Give more rows, or check that the "
            "right columns were taken as time and id."
        )
    estimates = _estimate_steps(intervals, has_calendar)
    if has_calendar:
        estimates = recognise_calendar(estimates, series, times)
    return _common_frequency(estimates, ids)


@dataclass(frozen=True)
class _Intervals:
    """Lengths of time between neighbouring times of a series, ordered by series and length.

    Attributes:
        series: The number of each interval's series.
        length: Microseconds or steps, positive.
        starts: The first interval of each series that has any.
        counts: The number of intervals of each such series.
    """

    series: Int64[np.ndarray, " intervals"]
    length: Int64[np.ndarray, " intervals"]
    starts: Int64[np.ndarray, " series"]
    counts: Int64[np.ndarray, " series"]

    def share(self, condition: Bool[np.ndarray, " intervals"]) -> Float64[np.ndarray, " series"]:
        """Return the share of each series' intervals that meet a condition."""
        return np.asarray(np.add.reduceat(condition.astype(np.float64), self.starts) / self.counts)

    def share_of_multiples(
        self, every: Int64[np.ndarray, " series"], tolerance: float
    ) -> Float64[np.ndarray, " series"]:
        """Return the share of each series' intervals that are multiples of its step.

        Args:
            every: The step of each series.
            tolerance: The largest deviation from a multiple, in steps.
        """
        step = np.repeat(every, self.counts)
        remainder = self.length % step
        is_multiple = np.minimum(remainder, step - remainder) <= tolerance * step
        return self.share(is_multiple & (2 * self.length > step))


def _collect_intervals(series: Int64[np.ndarray, " rows"], times: Int64[np.ndarray, " rows"]) -> _Intervals:
    """Collect the newest intervals between different times of a series."""
    before = np.flatnonzero((series[1:] == series[:-1]) & (times[1:] > times[:-1]))
    number, length = series[before], times[before + 1] - times[before]
    if len(before) > _MOST_INTERVALS:
        series_ends = np.searchsorted(number, number, side="right")
        most = max(_FEWEST_OF_A_SERIES, _MOST_INTERVALS // len(np.unique(number)))
        is_newest = series_ends - np.arange(len(number)) <= most
        number, length = number[is_newest], length[is_newest]
    order = np.lexsort((length, number))
    number, length = number[order], length[order]
    starts = _run_starts(number)
    return _Intervals(number, length, starts, np.diff(np.append(starts, len(number))))


def _run_starts(*columns: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " runs"]:
    """Return where the rows of sorted columns change, the first row included."""
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    changes = np.zeros(len(columns[0]) - 1, dtype=bool)
    for column in columns:
        changes |= np.diff(column) != 0
    return np.flatnonzero(np.r_[True, changes])


def _estimate_steps(intervals: _Intervals, has_calendar: bool) -> FrequencyEstimates:
    """Estimate a step of fixed length for each series, from the most frequent interval and the median one."""
    starts = _run_starts(intervals.series, intervals.length)  # of intervals of equal length
    run_series, run_length = intervals.series[starts], intervals.length[starts]
    run_count = np.diff(np.append(starts, len(intervals.length)))
    ranked = np.lexsort((run_length, -run_count, run_series))
    best = ranked[_run_starts(run_series[ranked])]
    mode, mode_share = run_length[best], run_count[best] / intervals.counts
    median = intervals.length[intervals.starts + (intervals.counts - 1) // 2]
    nearest_round = mode
    if has_calendar:
        nearest_round = _ROUND_STEPS[np.abs(np.log(_ROUND_STEPS[None, :] / median[:, None])).argmin(axis=1)]
    divisor = _common_divisors(intervals, run_series, run_length, run_count)

    is_near_round = np.abs(nearest_round / median - 1) <= 0.05
    mode_is_near_round = np.abs(mode / nearest_round - 1) <= 0.05
    has_jitter = is_near_round & (nearest_round != mode) & mode_is_near_round & (mode_share < 0.95)
    is_mode = (intervals.share_of_multiples(mode, 0.0) >= 0.8) & (mode_share >= 0.3) & ~has_jitter
    is_round = is_near_round & (intervals.share_of_multiples(nearest_round, 0.1) >= 0.8)
    is_divisor = (divisor * 12 >= mode) & (divisor < mode) & (intervals.share_of_multiples(divisor, 0.0) >= 0.8)
    unit = _thinned_steps(intervals, run_length, run_count, starts) if has_calendar else mode
    is_thinned = (unit > 0) & (mode_share < 0.3) & ~is_mode & ~is_round & ~is_divisor if has_calendar else np.False_
    rate, has_rate = _frame_rates(intervals, mode) if has_calendar else (mode, np.zeros(len(mode), dtype=bool))
    every = np.select(
        [has_rate, is_mode, is_round, is_divisor, is_thinned, mode_share >= 0.3],
        [rate, mode, nearest_round, divisor, unit, mode],
        nearest_round,
    )
    return FrequencyEstimates(
        series=intervals.series[intervals.starts],
        interval_count=intervals.counts,
        kind=np.full(len(every), "fixed" if has_calendar else "integer", dtype=object),
        every=every,
        anchor=open_anchors(len(every)),
        is_certain=(has_rate | is_mode | is_round | is_divisor | is_thinned) & (intervals.counts >= _ENOUGH),
        calendar=np.full(len(every), "", dtype=object),
    )


def _thinned_steps(
    intervals: _Intervals,
    run_length: Int64[np.ndarray, " runs"],
    run_count: Int64[np.ndarray, " runs"],
    run_starts: Int64[np.ndarray, " runs"],
) -> Int64[np.ndarray, " series"]:
    """Return the step of each series whose times are some of a regular grid's, such as the hours with an event.

    If a share p of the steps has a row, whichever they are, a share p of the intervals is one step long.

    Args:
        intervals: The intervals of all series.
        run_length: The length of the intervals of each run of equal intervals, ascending within a series.
        run_count: The number of intervals of each run.
        run_starts: The first interval of each run.

    Returns:
        The step; 0 where there is none.
    """
    place = np.searchsorted(intervals.starts, run_starts, side="right") - 1
    repeated = np.flatnonzero((run_count >= 2) & np.isin(run_length, _ROUND_STEPS))
    series, first = np.unique(place[repeated], return_index=True)
    unit = np.zeros(len(intervals.starts), dtype=np.int64)
    share = np.zeros(len(unit))
    unit[series] = run_length[repeated[first]]
    share[series] = run_count[repeated[first]] / intervals.counts[series]
    mean = np.add.reduceat(intervals.length, intervals.starts) / intervals.counts
    step = np.maximum(unit, 1)
    is_thinned = (share >= _THINNED * unit / mean) & (intervals.share_of_multiples(step, 0.0) >= _ON_GRID)
    return np.where(is_thinned, unit, 0)


def _frame_rates(
    intervals: _Intervals, mode: Int64[np.ndarray, " series"]
) -> tuple[Int64[np.ndarray, " series"], Bool[np.ndarray, " series"]]:
    """Find steps such as 1/60 s whose times a clock rounds to milliseconds: 16, 17, 17, 16 ms.

    Args:
        intervals: The intervals of all series.
        mode: The most frequent interval of each series.

    Returns:
        The mean interval of each series, and whether it is the step: all intervals are whole milliseconds, nearly all
        of them the most frequent one or the next, and on the whole they drift away from the most frequent one.
    """
    around = np.repeat(mode, intervals.counts)
    is_near = np.abs(intervals.length - around) <= _CLOCK_TICK
    near_count = np.maximum(np.add.reduceat(is_near.astype(np.int64), intervals.starts), 1)
    total = np.add.reduceat(np.where(is_near, intervals.length, 0), intervals.starts)
    is_whole = intervals.share(intervals.length % _CLOCK_TICK == 0) == 1
    drifts = np.abs(total - near_count * mode) >= mode
    is_short = (mode >= 2 * _CLOCK_TICK) & (mode < SECOND)
    has_rate = is_short & is_whole & drifts & (intervals.share(is_near) >= 0.95) & (intervals.counts >= _ENOUGH)
    return np.rint(total / near_count).astype(np.int64), has_rate


def _common_divisors(
    intervals: _Intervals,
    series: Int64[np.ndarray, " runs"],
    length: Int64[np.ndarray, " runs"],
    count: Int64[np.ndarray, " runs"],
) -> Int64[np.ndarray, " series"]:
    """Return the greatest common divisor of the frequent intervals of each series, 1 where none is frequent.

    Args:
        intervals: The intervals of all series.
        series: The number of the series of each run of equal intervals, ascending.
        length: The length of the intervals of each run.
        count: The number of intervals of each run.
    """
    place = np.searchsorted(intervals.series[intervals.starts], series)
    total = intervals.counts[place]
    is_frequent = (count >= 0.05 * total) & ((count >= 2) | (total < _ENOUGH))
    divisors = np.ones(len(intervals.starts), dtype=np.int64)
    if is_frequent.any():
        place, length = place[is_frequent], length[is_frequent]
        starts = _run_starts(place)
        divisors[place[starts]] = np.gcd.reduceat(length, starts)
    return divisors


def _common_frequency(estimates: FrequencyEstimates, ids: Sequence[str]) -> FrequencySpec:
    """Return the finest frequency if the other ones fit into it."""
    any_certain = bool(estimates.is_certain.any())
    groups = (estimates.take(estimates.is_certain) if any_certain else estimates).groups()
    if any(group.spec == FrequencySpec("fixed", DAY) for group in groups):
        groups = [group.as_days() for group in groups]
    finest = min((group.spec for group in groups), key=lambda spec: Frequency.from_spec(spec).microseconds)
    if all(_fits(group.spec, finest, bounded=any_certain) for group in groups):
        return finest
    parts = [_describe(group, ids) for group in groups[:_MOST_NAMED]]
    if len(groups) > _MOST_NAMED:
        parts.append(f"and {len(groups) - _MOST_NAMED} more")
    raise InputError(
        f"The series have different frequencies: {'; '.join(parts)}. Prepare them apart (filter on the id), or give "
        f"the finest for all with {option('freq')}."
    )


def _describe(group: FrequencyGroup, ids: Sequence[str]) -> str:
    first = ids[group.first_series]
    return f"{Frequency.from_spec(group.spec).describe()} ({group.series_count:,} series, such as {first!r})"


def _fits(spec: FrequencySpec, finest: FrequencySpec, bounded: bool) -> bool:
    """Tell whether each point of a grid is one of the finest grid.

    Args:
        spec: The frequency of some series of a panel.
        finest: The finest frequency of the panel.
        bounded: Whether the grid may not be much coarser than the finest one.
    """
    if spec.kind != finest.kind or (spec.anchor != finest.anchor and spec.kind == "month"):
        return False
    if spec.kind == "calendar":
        return spec.calendar == finest.calendar
    return spec.every % finest.every == 0 and (spec.every <= _COARSEST * finest.every or not bounded)
