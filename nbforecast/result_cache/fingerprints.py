"""Which origins of two datasets have the same context, told by fingerprints.

Each observed point is hashed with its time; the sum of a range of hashes, modulo 2^64, stands for the range. Two
contexts with equal sums hold the same observations at the same times (order is implied by the times), but for a chance
of 2^-64. Sums of any range are differences of one cumulative sum, so a million contexts take milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64, UInt64

if TYPE_CHECKING:
    from nbforecast.data import Dataset

NOWHERE = -1
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


def _mixed(z: UInt64[np.ndarray, " N"]) -> UInt64[np.ndarray, " N"]:
    """splitmix64's finaliser (Steele, Lea & Flood 2014), in place; `_GAMMA` is its increment."""
    z ^= z >> _S30
    z *= _M1
    z ^= z >> _S27
    z *= _M2
    z ^= z >> _S31
    return z


class Fingerprints:
    """A dataset's cumulative sums of hashed observations, and its place on the grid.

    ids: the series' names. first, last: int64 (S,), grid steps of each series' ends. offsets: int64 (S + 1,).
    """

    def __init__(self, data: Dataset) -> None:
        self.ids = data.ids
        self.offsets = data.offsets
        self.first: Int64[np.ndarray, " S"] = data.frequency.to_step(data.time[data.offsets[:-1]])
        self.last: Int64[np.ndarray, " S"] = self.first + data.lengths - 1
        hashed = _mixed(data.time.view("i8").astype("u8") + _GAMMA)  # else zero at time zero would leave no trace
        hashed += (data.values + 0.0).view("u8")  # -0.0 and 0.0 are the same value
        hashed = _mixed(hashed)
        hashed[np.isnan(data.values)] = 0  # what was not observed leaves no trace, inside a series or before it
        self._sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum(hashed, out=self._sums[1:])

    @property
    def rows(self) -> int:
        """Grid steps of all series."""
        return len(self._sums) - 1

    def contexts(self, length: int) -> UInt64[np.ndarray, " N"]:
        """For every row the fingerprint of the `length` steps that end at it, cut short where the series begins."""
        end = np.arange(1, self.rows + 1)
        start = np.maximum(end - length, np.repeat(self.offsets[:-1], np.diff(self.offsets)))
        return self._sums[end] - self._sums[start]

    def futures(self, horizon: int) -> UInt64[np.ndarray, " N"]:
        """For every row the fingerprint of what was observed in the `horizon` steps after it."""
        start = np.arange(1, self.rows + 1)
        end = np.minimum(start + horizon, np.repeat(self.offsets[1:], np.diff(self.offsets)))
        return self._sums[end] - self._sums[start]

    def newest(self, series: Int64[np.ndarray, " K"], steps: Int64[np.ndarray, " K"]) -> UInt64[np.ndarray, " K"]:
        """For some series the fingerprint of their newest `steps` steps."""
        end = self.offsets[series + 1]
        return self._sums[end] - self._sums[end - steps]


def matched_series(new: Fingerprints, old: Fingerprints) -> Int64[np.ndarray, " S"]:
    """For each new series the number of the old one of that name, or `NOWHERE`."""
    if new.ids == old.ids:
        return np.arange(len(new.ids))
    known = {name: number for number, name in enumerate(old.ids)}
    return np.array([known.get(name, NOWHERE) for name in new.ids], np.int64)


def aligned_rows(new: Fingerprints, old: Fingerprints) -> Int64[np.ndarray, " N"]:
    """For each new row the old row of the same series and time, or `NOWHERE`. Both are on the same grid."""
    match = matched_series(new, old)
    there = match >= 0
    first = np.where(there, old.offsets[match], 0)
    length = np.where(there, np.diff(old.offsets)[match], 0)
    lengths = np.diff(new.offsets)
    away = np.arange(new.rows) - np.repeat(new.offsets[:-1] - (new.first - old.first[match]), lengths)
    inside = (away >= 0) & (away < np.repeat(length, lengths))
    return np.where(inside, away + np.repeat(first, lengths), NOWHERE)


def tails(new: Fingerprints, old: Fingerprints) -> Bool[np.ndarray, " S"]:
    """Which new series are the newest part, or all, of the old series of that name: the same end, nothing different."""
    match = matched_series(new, old)
    steps = np.diff(new.offsets)
    found = (match >= 0) & (new.last == old.last[match]) & (steps <= np.diff(old.offsets)[match])
    at = np.flatnonzero(found)
    found[at] = new.newest(at, steps[at]) == old.newest(match[at], steps[at])
    return found
