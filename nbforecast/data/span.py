"""Lengths of history, such as `"90d"`, `"6mo"` or 500 steps, and the newest part of a series."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.checks import check_horizon, is_integer
from nbforecast.data.frequency import Frequency, parse_frequency
from nbforecast.errors import OptionError
from nbforecast.text import option
from nbforecast.time_units import MONTH

if TYPE_CHECKING:
    from nbforecast.data.frequency_alias import FrequencySpec

_MOST_STEPS = 1 << 53  # longer than any series


@dataclass(frozen=True)
class Span:
    """A length of history in one of three units; the other two are 0.

    Attributes:
        steps: Steps of the grid.
        months: Calendar months.
        microseconds: A fixed duration.
    """

    steps: int = 0
    months: int = 0
    microseconds: int = 0

    def count_steps(self, frequency: Frequency, name: str) -> int:
        """Return the number of whole steps in the span, at least one; see `measure`."""
        return max(1, int(self.measure(frequency, name)))

    def measure(self, frequency: Frequency, name: str) -> float:
        """Return the length of the span in steps.

        Args:
            frequency: The grid.
            name: The option that the user gave, for messages.

        Raises:
            OptionError: If the span is a duration and the times are integers without a calendar.
        """
        if self.steps:
            return self.steps
        if frequency.kind == "calendar":
            return frequency.slots.count(self.microseconds + self.months * MONTH)
        length = frequency.microseconds
        if frequency.kind == "integer":
            if not frequency.nominal:
                raise OptionError(
                    f"{option(name)} must be an integer of steps here: the times are integers without a calendar."
                )
            length = Frequency.from_spec(parse_frequency(frequency.nominal)).microseconds
        return (self.microseconds + self.months * MONTH) / length


def parse_span(value: Any, name: str) -> Span:
    """Read a length of history as people write it.

    Args:
        value: `"18h"`, `"90d"`, `"6mo"`, a positive timedelta, or a positive integer of steps.
        name: The option that the user gave, for messages.

    Raises:
        OptionError: For anything else, and for lengths that are not positive.
    """
    spec: FrequencySpec | None = None
    if isinstance(value, (int, np.integer)) and not isinstance(value, np.timedelta64) and value > _MOST_STEPS:
        return Span(steps=_MOST_STEPS)
    if not isinstance(value, float):
        try:
            spec = parse_frequency(value)
        except OptionError:
            spec = None
    if spec is None or spec.kind == "business":
        raise OptionError(
            f'{option(name, value)} is not a length of time. Use something like "18h", "90d", "6mo", a positive '
            f"timedelta, or a positive integer of steps."
        )
    if spec.kind == "integer":
        return Span(steps=spec.every)
    return Span(months=spec.every) if spec.kind == "month" else Span(microseconds=spec.every)


def horizon_steps(horizon: int | str | dt.timedelta, frequency: Frequency) -> int:
    """The steps of a horizon.

    Args:
        horizon: A number of steps, or a span such as `"1h"`: the whole steps that it holds.
        frequency: The grid.

    Raises:
        OptionError: It is neither, or shorter than a step.

    Example:
        >>> horizon_steps("1h", Frequency.from_spec(parse_frequency("5min")))
        12
    """
    if isinstance(horizon, str | dt.timedelta):
        horizon = int(parse_span(horizon, "horizon").measure(frequency, "horizon"))
        if not horizon:
            raise OptionError(f"The horizon is shorter than the step of the data, {frequency.describe()}.")
    return check_horizon(horizon)


def horizon_part(steps: int | str | dt.timedelta | slice | None, horizon: int, frequency: Frequency) -> slice:
    """The part of a horizon that a sum, an extreme or an event is of.

    Args:
        steps: A number of steps from the origin on, or a span such as `"7d"`; a slice from and to such lengths, so that
            `slice(12, 24)` and `slice("12h", "24h")` are the steps 13 to 24; None for the whole horizon.
        horizon: H, the number of steps forecast.
        frequency: The grid.

    Returns:
        A slice of the H steps with `0 <= start < stop <= horizon`.

    Raises:
        OptionError: It is none of these, empty, or reaches beyond the horizon.

    Example:
        >>> horizon_part("1h", 24, Frequency.from_spec(parse_frequency("5min")))
        slice(0, 12, None)
    """
    ends = (steps.start, steps.stop) if isinstance(steps, slice) else (None, steps)
    if isinstance(steps, slice) and steps.step not in (None, 1):
        raise OptionError(f"{option('steps', steps)} leaves steps out: a slice has no third number here.")
    start, stop = (
        default if end is None else _steps_from_origin(end, frequency)
        for end, default in zip(ends, (0, horizon), strict=True)
    )
    if not 0 <= start < stop <= horizon:
        raise OptionError(
            f"{option('steps', steps)} is no part of the horizon: it takes 1 to {horizon} steps, a span, or a slice "
            f"that ends after it starts, at most {horizon} steps from the origin."
        )
    return slice(start, stop)


def _steps_from_origin(end: Any, frequency: Frequency) -> int:
    if is_integer(end):
        return int(end)
    return int(parse_span(end, "steps").measure(frequency, "steps"))


def is_newest_part(
    steps: Int64[np.ndarray, " n"], last_steps: Int64[np.ndarray, " n"], frequency: Frequency, span: Span
) -> Bool[np.ndarray, " n"]:
    """Mark the grid points that lie in the newest part of their series.

    Args:
        steps: Step numbers of the points.
        last_steps: For each point, the step of the last data point of its series.
        frequency: The grid.
        span: The length of the newest part (`max_duration`).

    Raises:
        OptionError: If the span is a duration and the times are integers without a calendar.
    """
    step_kinds = ("month", "integer") if span.months else ("fixed", "integer")
    if span.steps or frequency.kind in step_kinds:
        return np.asarray(steps > last_steps - span.count_steps(frequency, "max_duration"))
    ends = frequency.to_time(last_steps)
    months = ends.astype("datetime64[M]")
    limits = (months - span.months).astype("datetime64[us]") + (ends - months.astype("datetime64[us]"))
    limits = limits - np.timedelta64(span.microseconds, "us")
    return np.asarray(frequency.to_time(steps) > limits)
