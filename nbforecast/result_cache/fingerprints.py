"""Which origins of two datasets have the same context, by fingerprints (C5).

Each observed value is hashed with its time, and the sum of a range of hashes, modulo 2^64, is the fingerprint of the
range. Two contexts with equal fingerprints hold the same observations at the same times, but for a chance of 2^-64; the
hashed times imply the order. The sum of any range is a difference of one cumulative sum, so a million contexts take
milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

if TYPE_CHECKING:
    from nbforecast.data import Dataset

MISSING = -1  # the number of a series or row that the other dataset does not have
_MULTIPLIER_1, _MULTIPLIER_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)


def mix_bits(z: UInt64[np.ndarray, " N"]) -> UInt64[np.ndarray, " N"]:
    """Hash numbers of 64 bits: the output function of splitmix64, in place; `_GAMMA` is the increment of its state.

    Args:
        z: The numbers, which are overwritten.

    Source:
        Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators", with the constants of variant 13
        of Stafford's mixers.
    """
    z ^= z >> _SHIFT_1
    z *= _MULTIPLIER_1
    z ^= z >> _SHIFT_2
    z *= _MULTIPLIER_2
    z ^= z >> _SHIFT_3
    return z


def hash_numbers(times: UInt64[np.ndarray, " N"], values: Float64[np.ndarray, " N"]) -> UInt64[np.ndarray, " N"]:
    """Hash numbers with their times.

    Args:
        times: (N,) times as numbers.
        values: (N,) the numbers.

    Returns:
        (N,) hashes; 0 for NaN, so that what is missing does not count.
    """
    hashes = mix_bits(times + _GAMMA)  # else a zero at time zero would not count
    hashes += (values + 0.0).view("u8")  # -0.0 and 0.0 are the same value
    hashes = mix_bits(hashes)
    hashes[np.isnan(values)] = 0
    return hashes


class Fingerprints:
    """The cumulative sums of a dataset's hashed observations, and its place on the grid.

    Attributes:
        ids: The names of the S series.
        offsets: (S + 1,) int64, the rows at which series begin.
        first, last: (S,) int64, the grid steps of each series' ends.
    """

    def __init__(self, data: Dataset) -> None:
        """Hash a dataset.

        Args:
            data: The dataset.
        """
        self.ids = data.ids
        self.offsets = data.offsets
        self.first: Int64[np.ndarray, " S"] = data.frequency.to_step(data.time[data.offsets[:-1]])
        self.last: Int64[np.ndarray, " S"] = self.first + data.lengths - 1
        hashes = hash_numbers(data.time.view("i8").astype("u8"), data.values)
        self._sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum(hashes, out=self._sums[1:])

    @classmethod
    def grown(cls, old: Fingerprints, data: Dataset) -> Fingerprints:
        """Those of data to which rows were appended; of a single series, the new rows alone are hashed.

        Args:
            old: Those of the data before.
            data: The data.

        Returns:
            The fingerprints.
        """
        if len(data.ids) > 1:
            return cls(data)
        new = cls.__new__(cls)
        new.ids, new.offsets, new.first = data.ids, data.offsets, old.first
        new.last = new.first + data.lengths - 1
        hashes = hash_numbers(data.time[old.rows :].view("i8").astype("u8"), data.values[old.rows :])
        new._sums = np.append(old._sums, old._sums[-1] + np.cumsum(hashes, dtype=np.uint64))
        return new

    @property
    def rows(self) -> int:
        """N, the grid steps of all series."""
        return len(self._sums) - 1

    def contexts(self, length: int) -> UInt64[np.ndarray, " N"]:
        """The fingerprint of the context of every row.

        Args:
            length: L, the grid steps of a context, which ends with the row; it is cut short where the series begins.

        Returns:
            (N,) fingerprints.
        """
        end = np.arange(1, self.rows + 1)
        start = np.maximum(end - length, np.repeat(self.offsets[:-1], np.diff(self.offsets)))
        return self._sums[end] - self._sums[start]

    def futures(self, horizon: int) -> UInt64[np.ndarray, " N"]:
        """The fingerprint of what was observed after every row.

        Args:
            horizon: H, the number of steps after the row; it is cut short where the series ends.

        Returns:
            (N,) fingerprints.
        """
        start = np.arange(1, self.rows + 1)
        end = np.minimum(start + horizon, np.repeat(self.offsets[1:], np.diff(self.offsets)))
        return self._sums[end] - self._sums[start]

    def sums_of(self, start: Int64[np.ndarray, " K"], steps: Int64[np.ndarray, " K"]) -> UInt64[np.ndarray, " K"]:
        """The fingerprints of some parts of series.

        Args:
            start: (K,) the first row of each part.
            steps: (K,) grid steps of each part.

        Returns:
            (K,) fingerprints.
        """
        return self._sums[start + steps] - self._sums[start]


def match_series(new: Fingerprints, old: Fingerprints) -> Int64[np.ndarray, " S"]:
    """The old series of the same name for each new one.

    Args:
        new: A dataset with S series.
        old: Another dataset.

    Returns:
        (S,) numbers of old series, or `MISSING`.
    """
    if new.ids == old.ids:
        return np.arange(len(new.ids))
    numbers = {name: number for number, name in enumerate(old.ids)}
    return np.array([numbers.get(name, MISSING) for name in new.ids], np.int64)


def align_rows(new: Fingerprints, old: Fingerprints) -> Int64[np.ndarray, " N"]:
    """The old row of the same series and time for each new one.

    Args:
        new: A dataset with N rows.
        old: Another dataset on the same grid.

    Returns:
        (N,) old rows, or `MISSING`.
    """
    match = match_series(new, old)
    has_match = match >= 0
    old_start = np.where(has_match, old.offsets[match], 0)
    old_length = np.where(has_match, np.diff(old.offsets)[match], 0)
    new_lengths = np.diff(new.offsets)
    # the step of each new row, counted from the first step of the old series
    position = np.arange(new.rows) - np.repeat(new.offsets[:-1] - (new.first - old.first[match]), new_lengths)
    is_inside = (position >= 0) & (position < np.repeat(old_length, new_lengths))
    return np.where(is_inside, position + np.repeat(old_start, new_lengths), MISSING)


def is_beginning(old: Fingerprints, new: Fingerprints) -> bool:
    """Whether a dataset has grown into another one: the same series, with rows appended to one of them at least.

    Args:
        old: A dataset.
        new: Another dataset on the same grid.

    Returns:
        Whether it has.
    """
    if old.ids != new.ids or (old.first != new.first).any() or old.rows >= new.rows or (old.last > new.last).any():
        return False
    lengths = np.diff(old.offsets)
    return bool((old.sums_of(old.offsets[:-1], lengths) == new.sums_of(new.offsets[:-1], lengths)).all())


def are_newest_parts(new: Fingerprints, old: Fingerprints) -> Bool[np.ndarray, " S"]:
    """Which new series are the newest part, or all, of the old series of that name: same end, same observations.

    Args:
        new: A dataset with S series.
        old: Another dataset on the same grid.

    Returns:
        (S,) whether each is.
    """
    match = match_series(new, old)
    return are_parts(new, old) & (new.last == old.last[match])


def are_parts(new: Fingerprints, old: Fingerprints) -> Bool[np.ndarray, " S"]:
    """Which new series are a part, or all, of the old series of that name: same observations, wherever they end.

    Args:
        new: A dataset with S series.
        old: Another dataset on the same grid.

    Returns:
        (S,) whether each is.
    """
    match = match_series(new, old)
    is_part = (match >= 0) & (new.last <= old.last[match]) & (new.first >= old.first[match])
    series = np.flatnonzero(is_part)
    start = old.offsets[match[series]] + new.first[series] - old.first[match[series]]
    sums = old.sums_of(start, np.diff(new.offsets)[series])
    is_part[series] = new.sums_of(new.offsets[:-1][series], np.diff(new.offsets)[series]) == sums
    return is_part
