"""Where on the time axis a grid lies, read from the data such that cutting the history does not move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.data.frequency import Frequency
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from nbforecast.data.frequency_alias import FrequencySpec

_HARM = 0.01  # share of merged observations from which on a grid from the epoch is a bad choice


def place_grid(spec: FrequencySpec, times: Int64[np.ndarray, " rows"]) -> Frequency:
    """Choose the place of a grid that a frequency leaves open.

    Times that are regular keep their own phase. Times with jitter or drift go to a grid that starts at the epoch,
    since a phase measured on them moves whenever rows are added. Where they keep close to another part of the step,
    the grid starts at a round part of it.

    Args:
        spec: The frequency.
        times: Microseconds or steps of all series, one or more.
    """
    if spec.kind == "business":
        return Frequency("business", 1)
    if spec.kind == "calendar":
        return Frequency.from_spec(spec)
    if spec.kind == "month":
        return _place_months(spec, times)
    if spec.anchor is not None:
        return Frequency(spec.kind, spec.every, spec.anchor % spec.every)
    remainders = times % spec.every
    if spec.kind == "integer":
        return Frequency("integer", spec.every, _most_frequent(remainders)[0])
    return Frequency("fixed", spec.every, _fixed_anchor(times, remainders, spec.every))


def _fixed_anchor(times: Int64[np.ndarray, " rows"], remainders: Int64[np.ndarray, " rows"], every: int) -> int:
    remainder, share = _most_frequent(remainders)
    round_unit = MINUTE if every >= HOUR else 30 * SECOND if every >= MINUTE else SECOND
    if share == 1.0 or (share >= 0.9 and remainder % round_unit == 0):
        return remainder
    if every > DAY and every % DAY == 0:
        return _most_frequent(remainders // DAY)[0] * DAY
    if every < HOUR:
        merged = _merged_share(times, every, 0)
        return every // 2 if merged > _HARM and _merged_share(times, every, every // 2) < merged / 2 else 0
    mean_direction = np.exp(2j * np.pi * remainders / every).mean()
    quarter = round(float(np.angle(mean_direction)) / (2 * np.pi) * 4) % 4
    return quarter * (every // 4) if np.abs(mean_direction) >= 0.9 else 0


def _merged_share(times: Int64[np.ndarray, " rows"], every: int, anchor: int) -> float:
    """Return the share of times that share a grid point with the time before."""
    step = Frequency("fixed", every, anchor).to_step(times)
    return float(np.mean((step[1:] == step[:-1]) & (times[1:] > times[:-1])))


def _place_months(spec: FrequencySpec, times: Int64[np.ndarray, " rows"]) -> Frequency:
    days = times.astype("datetime64[us]").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    anchor = spec.anchor
    if anchor is None:
        day_of_month = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        is_last_day = ((months + 1).astype("datetime64[D]") - days).astype(np.int64) == 1
        anchor = 0 if is_last_day.mean() > 0.5 else min(_most_frequent(day_of_month)[0], 28)
        anchor = anchor if (day_of_month == anchor).mean() > 0.5 or anchor == 0 else 1
    phase = spec.phase
    if phase is None:
        phase = _most_frequent(months.astype(np.int64) % spec.every)[0]
    return Frequency("month", spec.every, anchor, phase)


def _most_frequent(numbers: Int64[np.ndarray, " n"]) -> tuple[int, float]:
    """Return the most frequent number, the smallest of several, and its share."""
    if (numbers == numbers[0]).all():
        return int(numbers[0]), 1.0
    values, counts = np.unique(numbers, return_counts=True)
    best = int(counts.argmax())
    return int(values[best]), float(counts[best] / len(numbers))
