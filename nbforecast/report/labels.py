"""What times, horizons, data and models are called in the sentences of a report."""

from __future__ import annotations

import datetime as dt
from math import isfinite
from typing import TYPE_CHECKING

from nbforecast.data.frequency import STEP_UNITS
from nbforecast.data.units import stated_unit
from nbforecast.text import NEGLIGIBLE, integer, number, plural, relative_change
from nbforecast.time_units import SHORT_MONTHS, SHORT_WEEKDAYS, largest_unit

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run

_GENERIC_TARGETS = ("y", "value", "values")


def time_text(data: Dataset, row: int) -> str:
    """Write the time of a row, no finer than the step of the data: `Mon 5 Jan 2015, 08:00`."""
    time = data.times(data.time[[row]]).item()
    if not isinstance(time, (dt.datetime, dt.date)):
        return f"t = {integer(time)}"
    month = f"{SHORT_MONTHS[time.month - 1]} {time:%Y}"
    if data.frequency.kind == "month" and time.day == 1:
        return month
    day = f"{time.day} {month}"
    if not data.frequency.has_clock or not isinstance(time, dt.datetime):
        return day
    return f"{SHORT_WEEKDAYS[time.weekday()]} {day}, {time:%H:%M}"


def horizon_text(run: Run, steps: int | None = None) -> str:
    """Write the length of a number of steps, by default of the horizon: `12 hours`, `35 minutes`, `12 months`."""
    return run.data.frequency.describe_steps(steps or run.horizon)


def next_horizon_text(run: Run) -> str:
    """Write the horizon as the time ahead: `the next 12 hours`, `the next hour`."""
    frequency = run.data.frequency
    if frequency.kind == "fixed":
        count, _, unit = largest_unit(run.horizon * frequency.every)
    else:
        count = run.horizon
        step = f"step of {plural(frequency.every, STEP_UNITS[frequency.kind])}"
        unit = STEP_UNITS[frequency.kind] if frequency.every == 1 or frequency.kind == "calendar" else step
    return f"the next {unit}" if count == 1 else f"the next {horizon_text(run)}"


def target_name(data: Dataset) -> str:
    """Return the name of the values' column, or nothing where it is a generic one such as `y`."""
    return "" if data.names.target in _GENERIC_TARGETS else data.names.target


def in_unit(data: Dataset) -> str:
    """Write the unit of the values behind the name of a score, if the name of their column states one: `, kWh`."""
    unit = stated_unit(data.names.target)
    return f", {unit}" if unit else ""


def with_unit(data: Dataset, value: float) -> str:
    """Write a value of the data with its unit, if the name of their column states one: `3.21 kWh`."""
    unit = stated_unit(data.names.target)
    return f"{number(value)} {unit}" if unit else number(value)


def data_title(data: Dataset) -> str:
    """Return the name of the data."""
    return data.names.frame or target_name(data) or "the series"


def model_name(model: str) -> str:
    """Return the name of a model in a sentence."""
    return "seasonal naive" if model == "naive" else model


def compared_with(change: float, model: str) -> str:
    """Write a relative change beside another model: `18 % lower than that of auto`, `equal to that of auto`."""
    if not isfinite(change):
        return f"not comparable with that of {model_name(model)}"
    preposition = "to" if abs(change) < NEGLIGIBLE else "than"
    return f"{relative_change(change)} {preposition} that of {model_name(model)}"
