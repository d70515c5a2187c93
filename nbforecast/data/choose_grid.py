"""Choosing the grid of all series: its step, its place and its calendar."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.calendar_text import BUSINESS, CalendarRule, WeekRule
from nbforecast.data.calendars import days_to_weekday
from nbforecast.data.dataset import DataWarning
from nbforecast.data.frequency import Frequency
from nbforecast.data.frequency_alias import FrequencySpec
from nbforecast.data.grid_anchor import place_grid
from nbforecast.data.infer_calendar import infer_week
from nbforecast.data.infer_frequency import infer_frequency
from nbforecast.errors import InputError, OptionError
from nbforecast.text import option, plural, timestamp
from nbforecast.time_units import DAY, HOUR, SECOND, WEEKDAYS

if TYPE_CHECKING:
    from nbforecast.data.observations import Observations

_SATURDAY = 5


def choose_grid(
    observations: Observations, spec: FrequencySpec | None, freq: Any, calendar: CalendarRule | None
) -> tuple[Frequency, Observations, list[DataWarning]]:
    """Choose the grid of all series.

    Args:
        observations: Rows ordered by series and time.
        spec: The frequency that the user gives, or None.
        freq: The same as the user writes it, for messages.
        calendar: The calendar that the user gives, or None: it is then found in the rows unless a frequency is given.

    Returns:
        The grid, and the observations that lie on its calendar, with the times that it needs: those of the local clock
        for daily and calendar frequencies, and for steps of hours that only that clock keeps, which a warning tells.

    Raises:
        InputError: If no frequency can be inferred, or no row lies on the calendar.
        OptionError: If frequency or calendar do not fit the times.
    """
    if not observations.has_calendar:
        if calendar is not None:
            raise OptionError(
                f"{option('calendar', calendar.text)} needs dates, but the times in {observations.names.time!r} are "
                "integers."
            )
        return _choose_integer_grid(observations, spec), observations, []
    if spec is not None and spec.kind == "integer":
        raise OptionError(
            f"{option('freq', freq)} counts integer steps, but the times in {observations.names.time!r} are dates. "
            'Give a step such as "h" or "5min", or none to have it inferred.'
        )
    local_times = observations.times if observations.local_times is None else observations.local_times
    is_inferred = spec is None and calendar is None
    if calendar is not None and not calendar.is_weekly:
        spec = FrequencySpec("calendar", DAY, calendar=calendar.text)
    elif spec is None:
        spec = infer_frequency(observations.series, local_times, True, observations.ids)
    if calendar is not None and calendar.is_weekly:
        frequency: Frequency | None = _place_week(calendar, spec, local_times)
    else:
        frequency = _find_week(observations, spec, local_times) if is_inferred else None
    is_found = is_inferred and (frequency is not None or spec.kind == "calendar")
    return _on_grid(observations, frequency, spec, local_times, is_found)


def _on_grid(
    observations: Observations,
    frequency: Frequency | None,
    spec: FrequencySpec,
    local_times: Int64[np.ndarray, " rows"],
    is_found: bool,
) -> tuple[Frequency, Observations, list[DataWarning]]:
    """Return the grid, the observations on it with the times that it needs, and warnings.

    Args:
        observations: Rows ordered by series and time.
        frequency: A weekly calendar, or None: `spec` then decides.
        spec: The frequency.
        local_times: Microseconds of the local clock.
        is_found: Whether a calendar was found in the rows.
    """
    import polars as pl

    warnings: list[DataWarning] = []
    if observations.local_times is not None and (frequency or Frequency.from_spec(spec)).wall_clock:
        if not np.array_equal(local_times, observations.times) and _is_utc(observations.time_type):
            observations = replace(observations, time_type=pl.Datetime("us"))  # offsets in text name no zone
        observations = replace(observations, times=local_times, local_times=None).sort()
    elif _is_kept_by_local_clock(observations, spec):
        sentence = (
            f"The step of {Frequency.from_spec(spec).describe()} is kept by the local clock and not by UTC: times are "
            "those of the local clock, without a zone."
        )
        warnings.append(DataWarning("local_clock", len(observations), sentence))
        observations = replace(observations, times=local_times, local_times=None, time_type=pl.Datetime("us")).sort()
    grid = place_grid(spec, observations.times) if frequency is None else frequency
    if observations.time_type == pl.Date and not grid.wall_clock:
        observations = replace(observations, time_type=pl.Datetime("us"))
    is_calendar = grid.kind == "calendar"
    if is_calendar and is_found:
        warnings.append(_calendar_warning(grid, spec, len(observations)))
    if is_calendar or frequency is not None:
        observations, off_warnings = _drop_off_calendar(observations, grid)
        warnings += off_warnings
    return grid, observations, warnings


def _place_week(calendar: CalendarRule, spec: FrequencySpec, times: Int64[np.ndarray, " rows"]) -> Frequency:
    """Return the grid of a calendar of weekdays and hours that the user gives.

    Raises:
        OptionError: If the step is none of a day or less, or the calendar has hours and the step is a day.
    """
    every = _base_step(spec)
    is_weekly = spec.kind == "fixed" and spec.every % DAY == 0
    every = DAY if is_weekly else every
    if every is None:
        raise OptionError(
            f"{option('calendar', calendar.text)} names weekdays and hours, which need a step that divides a day, such "
            f"as an hour; this one is {Frequency.from_spec(spec).describe()}. Give the step with {option('freq')}."
        )
    rule = calendar.rule
    if isinstance(rule, WeekRule) and rule.has_hours and every == DAY:
        raise OptionError(
            f"{option('calendar', calendar.text)} names hours, but the step of the data is a day. Give weekdays only, "
            f"or the step with {option('freq')}."
        )
    frequency = _week_frequency(calendar, every, _anchor(every, times, spec), times)
    if frequency.kind == "calendar":
        _ = frequency.slots  # an error if the hours hold no grid point
    return frequency


def _find_week(
    observations: Observations, spec: FrequencySpec, local_times: Int64[np.ndarray, " rows"]
) -> Frequency | None:
    """Find a calendar of weekdays and hours in the rows."""
    every = _base_step(spec)
    if every is None:
        return None
    if every < DAY and observations.local_times is not None:
        same_series = observations.series[1:] == observations.series[:-1]
        is_later = np.diff(observations.times) > 0
        if (same_series & is_later & (np.diff(local_times) <= 0)).any():
            return None  # clocks put back within opening hours: the local clock has no number for each of these rows
    if spec.kind == "business" and not _has_one_clock(local_times):
        return None
    anchor = _anchor(every, local_times, spec)
    rule = infer_week(observations.series, local_times, every, anchor)
    return None if rule is None else _week_frequency(rule, every, anchor, local_times)


def _week_frequency(calendar: CalendarRule, every: int, anchor: int, times: Int64[np.ndarray, " rows"]) -> Frequency:
    if every == DAY and calendar.text == BUSINESS and _has_one_clock(times):
        return Frequency("business", 1)
    return Frequency("calendar", every, anchor, calendar=calendar.text)


def _has_one_clock(times: Int64[np.ndarray, " rows"]) -> bool:
    """Tell whether all times have the same time of day: they are dates."""
    return bool((times % DAY == times[0] % DAY).all())


def _base_step(spec: FrequencySpec) -> int | None:
    """Return the step within opening hours, or None where a frequency has no part of a day or a day as its step."""
    if spec.kind == "business":
        return DAY
    return spec.every if spec.kind == "fixed" and spec.every >= SECOND and DAY % spec.every == 0 else None


def _anchor(every: int, times: Int64[np.ndarray, " rows"], spec: FrequencySpec) -> int:
    return place_grid(FrequencySpec("fixed", every, spec.anchor), times).anchor % every


def _calendar_warning(frequency: Frequency, spec: FrequencySpec, count: int) -> DataWarning:
    """Tell that a calendar was found in the rows, and how to do without it."""
    base = "D" if spec.kind in ("business", "calendar") else Frequency.from_spec(spec).alias
    sentence = (
        f"Rows recur by a calendar ({frequency.describe()}). Other times are closed: they are no grid points, and no "
        f"forecast is made for them. {option('freq', base)} keeps them as missing."
    )
    return DataWarning("calendar", count, sentence)


def _drop_off_calendar(observations: Observations, frequency: Frequency) -> tuple[Observations, list[DataWarning]]:
    """Leave out the rows off a calendar, and count those that have a value.

    Raises:
        InputError: If no row is left.
    """
    holds: Bool[np.ndarray, " rows"]
    if frequency.kind == "business":
        holds = days_to_weekday(observations.times // DAY) < _SATURDAY
    else:
        holds = frequency.slots.holds(observations.times)
    off = np.flatnonzero(~holds & ~np.isnan(observations.values))
    if holds.all():
        return observations, []
    kept = observations.take(holds)
    if not len(kept):
        raise InputError(
            f"No row lies on the calendar ({frequency.describe()}); the first one is at "
            f"{_describe_time(observations, 0)}. Give another {option('calendar')}, or none to have it found."
        )
    if not len(off):
        return kept, []
    rows = plural(len(off), "row lies", "rows lie")
    sentence = (
        f"{rows} off the calendar ({frequency.describe()}), first {_describe_time(observations, int(off[0]))}, "
        f"{observations.origin_of(int(off[0]))}: left out. {option('calendar')} names another calendar."
    )
    return kept, [DataWarning("off_calendar", len(off), sentence)]


def _describe_time(observations: Observations, row: int) -> str:
    time = observations.times[[row]]
    weekday = WEEKDAYS[days_to_weekday(time // DAY).item()]
    return f"{weekday} {timestamp(time.astype('datetime64[us]')[0])}"


def _is_kept_by_local_clock(observations: Observations, spec: FrequencySpec) -> bool:
    """Tell whether a step of several hours is regular in local times (06:00 and 18:00) and not in UTC."""
    if observations.local_times is None or spec.kind != "fixed" or not HOUR < spec.every < DAY:
        return False
    is_kept = [
        bool((times % spec.every == times[0] % spec.every).all())
        for times in (observations.local_times, observations.times)
    ]
    return is_kept == [True, False]


def _is_utc(time_type: Any) -> bool:
    return getattr(time_type, "time_zone", None) == "UTC"


def _choose_integer_grid(observations: Observations, spec: FrequencySpec | None) -> Frequency:
    """Choose the grid of times that are integers; a calendar frequency only states what a step stands for."""
    if spec is not None and spec.kind == "integer":
        return place_grid(spec, observations.times)
    inferred = infer_frequency(observations.series, observations.times, False, observations.ids)
    frequency = place_grid(inferred, observations.times)
    if spec is None:
        return frequency
    alias = Frequency.from_spec(spec).alias
    return replace(frequency, nominal=alias.split("-")[0] if spec.kind == "fixed" else alias)
