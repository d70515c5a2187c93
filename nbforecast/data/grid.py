"""Placing observations on a regular grid: nearest points, duplicates, gaps, and the checks that the grid is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nbforecast.data.dataset import DataWarning
from nbforecast.data.frequency import Frequency
from nbforecast.data.span import Span, is_newest_part
from nbforecast.errors import InputError, OptionError
from nbforecast.text import option, plural, step_span, timestamp
from nbforecast.time_units import DAY, SECOND, YEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data.observations import Observations

LAST_VALUE = "last"  # as an absent row's value: that of the row before
_LARGE, _LARGEST = 5_000_000, 400_000_000  # steps of a grid that need a reason, and that none justifies
_STEPS_PER_OBSERVATION = 1_000  # of a large grid, at most
_STRAY_YEARS, _STRAY_STEPS = 50, 20  # the gap beside stray times: its years, and its steps for each point of the series
_MOST_STRAY = 3  # points
_COARSE = 1.5  # observations that a requested step may merge into each grid point, on average
_TELLING = 8  # observations that a series needs to be judged alone
_TOO_LARGE = 1e37  # single precision ends at 3.4e38, and sums and differences need room


@dataclass(frozen=True)
class GridPoints:
    """Observed grid points with one value each, ordered by series and step.

    Attributes:
        series: The number of each point's series.
        step: The step number of each point.
        values: The values, all finite.
        duplicates: The number of further observations that are merged into each point.
        shift: The largest distance of an observation from its point, in steps.
        first_row: The place of the first observation of each point among the observations.
    """

    series: Int64[np.ndarray, " points"]
    step: Int64[np.ndarray, " points"]
    values: Float64[np.ndarray, " points"]
    duplicates: Int64[np.ndarray, " points"]
    shift: Float64[np.ndarray, " points"]
    first_row: Int64[np.ndarray, " points"]

    def __len__(self) -> int:
        return len(self.step)

    def take(self, mask: Bool[np.ndarray, " points"] | Int64[np.ndarray, " selected"]) -> GridPoints:
        """Return the points under a mask, or of these numbers."""
        return GridPoints(
            self.series[mask],
            self.step[mask],
            self.values[mask],
            self.duplicates[mask],
            self.shift[mask],
            self.first_row[mask],
        )

    def take_series(self, is_selected: Bool[np.ndarray, " series"]) -> GridPoints:
        """Return the points of some series, and number these anew from 0."""
        if is_selected.all():
            return self
        selection = self.take(is_selected[self.series])
        return replace(selection, series=(np.cumsum(is_selected) - 1)[selection.series])

    def take_newest(self, frequency: Frequency, span: Span) -> GridPoints:
        """Return the newest part of each series, counted back from its own last data point."""
        ends = np.flatnonzero(np.append(self.series[1:] != self.series[:-1], True))
        last_step = self.step[ends][self.series]
        return self.take(is_newest_part(self.step, last_step, frequency, span) | (self.step == last_step))

    def bounds(self, count: int) -> tuple[Int64[np.ndarray, " series"], Int64[np.ndarray, " series"]]:
        """Return the first and the last point of each of `count` series, all of which have one."""
        numbers = np.arange(count)
        return (
            np.searchsorted(self.series, numbers, side="left"),
            np.searchsorted(self.series, numbers, side="right") - 1,
        )

    def gaps(self) -> tuple[Int64[np.ndarray, " gaps"], Int64[np.ndarray, " gaps"]]:
        """Return the point before each gap, and the number of steps that are missing in it."""
        missing = np.where(self.series[1:] == self.series[:-1], np.diff(self.step) - 1, 0)
        before = np.flatnonzero(missing > 0)
        return before, missing[before]


def snap(observations: Observations, frequency: Frequency) -> GridPoints:
    """Give every observation its grid point, by itself; several at one point become their mean.

    Args:
        observations: Rows with finite values, ordered by series, time and value. Rows equal in all three count once.
        frequency: The grid.
    """
    series, times, values = observations.series, observations.times, observations.values
    step = frequency.to_step(times)
    shift = _distances(times, frequency.to_time(step), frequency)
    same_time = (series[1:] == series[:-1]) & (times[1:] == times[:-1])
    counts_once = np.ones(len(step), dtype=bool)
    counts_once[1:] = ~(same_time & (values[1:] == values[:-1]))
    is_first = np.ones(len(step), dtype=bool)
    is_first[1:] = (series[1:] != series[:-1]) | (step[1:] != step[:-1])
    starts = np.flatnonzero(is_first)
    if len(starts) == len(step):
        return GridPoints(series, step, values, np.zeros(len(step), dtype=np.int64), shift, starts)
    sizes = np.diff(np.append(starts, len(step)))
    weights = np.add.reduceat(counts_once.astype(np.float64), starts)
    means = np.add.reduceat(np.where(counts_once, values, 0.0), starts) / weights
    is_single = weights == 1
    means[is_single] = values[starts[is_single]]  # bit for bit
    return GridPoints(series[starts], step[starts], means, sizes - 1, np.maximum.reduceat(shift, starts), starts)


def point_distances(times: Int64[np.ndarray, " rows"], frequency: Frequency) -> Float64[np.ndarray, " rows"]:
    """Return the distance of each time from its grid point, in steps."""
    return _distances(times, frequency.to_time(frequency.to_step(times)), frequency)


def lay_out(
    points: GridPoints, count: int
) -> tuple[Int64[np.ndarray, " bounds"], Int64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """Lay the points out on the full grid.

    Args:
        points: Points of series that are numbered from 0, each with one point or more.
        count: The number of series.

    Returns:
        The row numbers of the series' bounds, the step of each row, and its value, NaN where none is observed.
    """
    first, last = points.bounds(count)
    lengths = points.step[last] - points.step[first] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    row_of_step_0 = offsets[:-1] - points.step[first]
    values = np.full(int(offsets[-1]), np.nan)
    values[points.step + row_of_step_0[points.series]] = points.values
    steps = np.arange(int(offsets[-1]), dtype=np.int64) - np.repeat(row_of_step_0, lengths)
    return offsets, steps, values


def check_fill(fill: Any) -> None:
    """Check what an absent row is to mean.

    Raises:
        OptionError: If it is neither a finite number nor `"last"`.
    """
    is_number = isinstance(fill, (int, float, np.number)) and not isinstance(fill, bool) and bool(np.isfinite(fill))
    if fill is not None and fill != LAST_VALUE and not is_number:
        raise OptionError(
            f"{option('fill', fill)} does not say what an absent row means: give a number, such as 0, or "
            f"{LAST_VALUE!r}."
        )


def fill_absent(
    points: GridPoints, series: Int64[np.ndarray, " rows"], step: Int64[np.ndarray, " rows"], fill: float | str
) -> tuple[GridPoints, list[DataWarning]]:
    """Take absent rows for observations, from the first point of each series to the last one of all.

    Args:
        points: Points of series that are numbered from 0, each with one point or more.
        series: The number of the series of each row without a value, which is not absent.
        step: The steps of these rows.
        fill: The value of absent rows, or `"last"` for that of the point before.

    Returns:
        The points with those of absent rows, and how many these are.

    Raises:
        InputError: If the rows are too many.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(points.series) != 0])
    first = points.step[starts]
    lengths = points.step.max() - first + 1
    total = int(lengths.sum())
    if total > _LARGEST:
        raise InputError(f"{option('fill')} would make {total:,} rows of {len(points):,} observations.")
    row_of_step_0 = np.concatenate([[0], np.cumsum(lengths)[:-1]]) - first
    place = np.zeros(total, dtype=np.int64)  # of the point at or before each row, among the points
    point_rows = points.step + row_of_step_0[points.series]
    place[point_rows] = np.arange(len(points))
    place = np.maximum.accumulate(place)
    is_point = np.zeros(total, dtype=bool)
    is_point[point_rows] = True
    is_row = np.ones(total, dtype=bool)
    is_inside = (step >= first[series]) & (step <= points.step.max())
    is_row[(step + row_of_step_0[series])[is_inside]] = False
    is_row |= is_point
    is_absent = ~is_point[is_row]
    rows = np.flatnonzero(is_row)
    filled = points.take(place[rows])
    values = filled.values if fill == LAST_VALUE else np.where(is_absent, float(fill), filled.values)
    filled = replace(
        filled,
        step=rows - row_of_step_0[filled.series],
        values=values,
        duplicates=np.where(is_absent, 0, filled.duplicates),
        shift=np.where(is_absent, 0.0, filled.shift),
    )
    count = int(is_absent.sum())
    if not count:
        return points, []
    meaning = "the value before them" if fill == LAST_VALUE else f"{fill:g}"
    sentence = f"{plural(count, 'absent row counts', 'absent rows count')} as {meaning} ({option('fill')})."
    return filled, [DataWarning("filled", count, sentence)]


def check_magnitude(observations: Observations) -> None:
    """Check that single precision holds the values.

    Raises:
        InputError: If it does not; the message names the first row.
    """
    too_large = np.flatnonzero(np.abs(observations.values) > _TOO_LARGE)
    if len(too_large):
        row = int(too_large[0])
        others = f" ({len(too_large):,} such values in all)" if len(too_large) > 1 else ""
        raise InputError(
            f"The value {observations.values[row]:g} in {observations.origin_of(row)} of {observations.names.target!r} "
            f"is too large for single precision, in which forecasts are stored{others}. Rescale the column: divide it "
            "by a constant first."
        )


def check_stray_times(points: GridPoints, observations: Observations, frequency: Frequency, at_start: bool) -> None:
    """Check that no few rows lie decades away from all others of their series, as `9999-12-31` for "no end" does.

    Args:
        points: What `snap` makes of `observations`.
        observations: Rows with finite values.
        frequency: The grid.
        at_start: Whether rows before the others count, too.

    Raises:
        InputError: If some do; the message names the first row.
    """
    before, missing = points.gaps()
    is_wide = missing * frequency.microseconds >= _STRAY_YEARS * YEAR
    if frequency.kind == "integer" or not is_wide.any():
        return
    for point, width in zip(before[is_wide].tolist(), missing[is_wide].tolist(), strict=True):
        first, last = np.searchsorted(points.series, points.series[point] + np.array([0, 1]))
        sizes = {point: point + 1 - int(first), point + 1: int(last) - point - 1}
        stray = min(sizes, key=lambda each: sizes[each])
        is_few = sizes[stray] <= _MOST_STRAY and sizes[stray] < max(sizes.values())
        if not is_few or width < _STRAY_STEPS * int(last - first) or (stray == point and not at_start):
            continue
        is_at_start = stray == point
        names = [
            (timestamp(frequency.to_time(points.step[[each]])[0]), observations.origin_of(int(points.first_row[each])))
            for each in (int(first) if is_at_start else stray, point + 1 if is_at_start else point)
        ]
        remedy = f", or keep only the newest part with {option('max_duration')}" if is_at_start else ""
        raise InputError(
            f"The time {names[0][0]} in {names[0][1]} of {observations.names.time!r} is "
            f"{round(width * frequency.microseconds / YEAR):,} years away from the next time of its series, "
            f"{names[1][0]} in {names[1][1]}. Correct or drop it{remedy}."
        )


def check_size(points: GridPoints, observations: Observations, frequency: Frequency) -> None:
    """Check that a stray time or a wrong frequency does not make the grid almost wholly empty.

    Args:
        points: What `snap` makes of `observations`, whole or in part.
        observations: Rows with finite values.
        frequency: The grid.

    Raises:
        InputError: If it does; the message names the widest gap and the rows beside it.
    """
    before, missing = points.gaps()
    total = len(points) + int(missing.sum())
    if total <= _LARGE or (total <= _STEPS_PER_OBSERVATION * len(points) and total <= _LARGEST):
        return
    widest = before[int(missing.argmax())]
    ends = [
        f"{timestamp(frequency.to_time(points.step[[point]])[0])} "
        f"({observations.origin_of(int(points.first_row[point]))})"
        for point in (widest, widest + 1)
    ]
    raise InputError(
        f"A grid of {frequency.describe()} would have {total:,} steps for {len(points):,} observations. The widest gap "
        f"is between {ends[0]} and {ends[1]}: correct or drop a stray time there, keep only the newest part with "
        f"{option('max_duration')}, or give a coarser step with {option('freq')}."
    )


def check_step(
    points: GridPoints, observations: Observations, frequency: Frequency, written: str, id_columns: Sequence[str]
) -> None:
    """Check that a step that the user gives is not coarser than the data.

    Each label of a coarser grid is the mean of values on both sides of it, some observed after the time it names.

    Args:
        points: What `snap` makes of `observations`, whole or in part.
        observations: Rows with finite values; rows at the same time count once.
        frequency: The grid.
        written: The option that names the step, as the user writes it.
        id_columns: The columns of series ids.

    Raises:
        InputError: If it is coarser; the message says how to aggregate first.
    """
    if not points.duplicates.any():
        return
    series, times, ids = observations.series, observations.times, observations.ids
    is_new_time = np.ones(len(observations), dtype=np.int64)
    is_new_time[1:] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
    times_before = np.concatenate([[0], np.cumsum(is_new_time)])
    first, last = points.first_row, points.first_row + points.duplicates
    time_count = times_before[last + 1] - times_before[first]  # different times at each point
    points_of_series = np.bincount(points.series)
    times_of_series = np.bincount(points.series, weights=time_count)
    is_finer = (times_of_series > _COARSE * points_of_series) & (times_of_series >= _TELLING)
    if is_finer.any():
        in_question = is_finer[points.series]
    elif times_of_series.sum() > _COARSE * len(points):
        in_question = np.ones(len(points), dtype=bool)
    else:
        return
    is_merged = in_question & (time_count > 1)
    intervals = (times[last] - times[first])[is_merged] / (time_count[is_merged] - 1)
    names = observations.names
    of_series = "" if len(ids) == 1 else f" in series {ids[series[first[np.argmax(is_merged)]]]!r}"
    keys = id_columns[0] if len(id_columns) == 1 else list(id_columns)
    grouping = f", group_by={keys!r}" if id_columns else ""
    example = "to one row a slot"
    if frequency.kind != "calendar" or not frequency.is_dated:
        example = (
            f"for example with group_by_dynamic in Polars: frame.sort({names.time!r})"
            f".group_by_dynamic({names.time!r}, every={frequency.polars_alias!r}{grouping})"
            f".agg(pl.col({names.target!r}).mean())"
        )
    raise InputError(
        f"The data come about every {_describe_interval(float(np.median(intervals)), frequency)}{of_series}, but "
        f"{written} is {frequency.describe()}: aggregate first, {example}, "
        f"or leave {written.partition('=')[0].split()[0]} out."
    )


def _distances(
    times: Int64[np.ndarray, " rows"], points: Shaped[np.ndarray, " rows"], frequency: Frequency
) -> Float64[np.ndarray, " rows"]:
    """Return the distance of each time from its grid point, in steps."""
    if frequency.is_dated:
        times = times // DAY * DAY
    return np.asarray(np.abs(times - points.astype(np.int64)) / frequency.spacing)


def _describe_interval(length: float, frequency: Frequency) -> str:
    if frequency.kind == "integer":
        return Frequency("integer", max(1, round(length))).describe()
    rounded = max(1, round(length / SECOND) * SECOND if length >= 10 * SECOND else round(length))
    if 28 * DAY <= rounded <= 31 * DAY:
        return "1 month"
    return step_span(rounded)
