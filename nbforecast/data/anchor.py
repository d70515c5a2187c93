"""Where on the time axis a grid lies: its phase, read from the data so that cutting the history does not move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.data.frequency import Frequency, Ints
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from nbforecast.data.aliases import FrequencySpec

_HARM = 0.01  # share of observations lost to their neighbours that makes a grid from the epoch a bad choice


def place_grid(wanted: FrequencySpec, stamps: Ints) -> Frequency:
    """Fix what `wanted` leaves open from the times, int64 (n,) microseconds (or integers), n >= 1.

    Regular stamps keep their own phase. Jittered or drifting ones go to a grid that starts at the epoch, since a phase
    measured on them would move whenever rows are added; unless they keep close to another part of the step, and then
    to a round part of it.
    """
    if wanted.kind == "business":
        return Frequency("business", 1)
    if wanted.kind == "month":
        return _place_months(wanted, stamps)
    if wanted.anchor is not None:
        return Frequency(wanted.kind, wanted.every, wanted.anchor % wanted.every)
    residues = stamps % wanted.every
    if wanted.kind == "integer":
        return Frequency("integer", wanted.every, _commonest(residues)[0])
    return Frequency("fixed", wanted.every, _fixed_phase(stamps, residues, wanted.every))


def _fixed_phase(stamps: Ints, residues: Ints, every: int) -> int:
    residue, share = _commonest(residues)
    round_unit = MINUTE if every >= HOUR else 30 * SECOND if every >= MINUTE else SECOND
    if share == 1.0 or (share >= 0.9 and residue % round_unit == 0):
        return residue
    if every > DAY and every % DAY == 0:
        return _commonest(residues // DAY)[0] * DAY
    if every < HOUR:
        lost = _lost(stamps, every, 0)
        return every // 2 if lost > _HARM and _lost(stamps, every, every // 2) < lost / 2 else 0
    turn = np.exp(2j * np.pi * residues / every).mean()
    quarter = round(float(np.angle(turn)) / (2 * np.pi) * 4) % 4
    return quarter * (every // 4) if np.abs(turn) >= 0.9 else 0


def _lost(stamps: Ints, every: int, anchor: int) -> float:
    """The share of times that fall on the same grid point as the one before."""
    step = Frequency("fixed", every, anchor).to_step(stamps)
    return float(np.mean((step[1:] == step[:-1]) & (stamps[1:] > stamps[:-1])))


def _place_months(wanted: FrequencySpec, stamps: Ints) -> Frequency:
    days = stamps.astype("datetime64[us]").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    anchor = wanted.anchor
    if anchor is None:
        day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        last = ((months + 1).astype("datetime64[D]") - days).astype(np.int64) == 1
        anchor = 0 if last.mean() > 0.5 else min(_commonest(day)[0], 28)
        anchor = anchor if (day == anchor).mean() > 0.5 or anchor == 0 else 1
    phase = wanted.phase
    if phase is None:
        phase = _commonest(months.astype(np.int64) % wanted.every)[0]
    return Frequency("month", wanted.every, anchor, phase)


def _commonest(numbers: Ints) -> tuple[int, float]:
    """The most frequent number (the smallest of several) and its share."""
    if (numbers == numbers[0]).all():
        return int(numbers[0]), 1.0
    values, counts = np.unique(numbers, return_counts=True)
    best = int(counts.argmax())
    return int(values[best]), float(counts[best] / len(numbers))
