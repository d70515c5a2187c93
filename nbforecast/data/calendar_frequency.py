"""Recognising months, quarters, years and business days in the dates of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nbforecast.data.votes import FrequencyEstimates
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from nbforecast.data.frequency import Ints

_FAR = 1 << 40


def calendar_votes(votes: FrequencyEstimates, series: Ints, stamps: Ints) -> FrequencyEstimates:
    """Replace steps of days by months or business days, where every date of a series says so.

    series, stamps: int64 (n,), ordered by series, then time; microseconds of the local clock.
    """
    slow = votes.series[votes.every >= DAY]
    if not len(slow):
        return votes
    rows = np.isin(series, slow)
    series, stamps = series[rows], stamps[rows]
    first = np.flatnonzero(np.r_[True, np.diff(series) != 0])
    at = np.searchsorted(votes.series, series[first])
    voted = at < len(votes.series)
    at = np.where(voted, at, 0)
    facts = _Dates(series, stamps, first)
    month, anchor = facts.monthly(votes.sure[at])
    business = facts.business() & (votes.every[at] == DAY) & ~month
    kind, every, anchors = votes.kind.copy(), votes.every.copy(), votes.anchor.copy()
    if month.any():
        kind[at[month]], every[at[month]], anchors[at[month]] = "month", facts.usual_months(month), anchor[month]
    kind[at[business]], every[at[business]] = "business", 1
    return FrequencyEstimates(votes.series, votes.rows, kind, every, anchors, votes.sure)


class _Dates:
    """Facts about the dates of each series; `first` (S,) is where each starts. Every answer is an array (S,)."""

    def __init__(self, series: Ints, stamps: Ints, first: Ints) -> None:
        self.series, self.first = series, first
        self.count = np.diff(np.append(first, len(series)))
        self.days = stamps // DAY
        dates = self.days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        self.month = months.astype(np.int64)
        self.day = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
        self.is_last = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64) == 1
        clock = stamps % DAY
        self.same_clock = self._all(clock == np.repeat(clock[first], self.count))
        gap = np.diff(self.days)
        self.inside = np.flatnonzero((np.diff(series) == 0) & (gap > 0))  # rows followed by a later date
        self.gap = np.full(len(series), _FAR)
        self.gap[self.inside] = gap[self.inside]
        self.widest = np.zeros(len(series), dtype=np.int64)
        self.widest[self.inside] = gap[self.inside]

    def monthly(self, sure: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Ints]:
        """(whether the dates go by months, the day of the month: 0 for the last)."""
        start, end = self._all(self.day == 1), self._all(self.is_last)
        low, high = np.minimum.reduceat(self.day, self.first), np.maximum.reduceat(self.day, self.first)
        same_day = (low == high) & (high <= 28)
        closest, widest = np.minimum.reduceat(self.gap, self.first), np.maximum.reduceat(self.widest, self.first)
        known = closest < _FAR
        dated = self.same_clock & (start | end | same_day) & (closest >= 28)
        loose = ~sure & (closest >= 20) & (closest != widest) & (self._mean_gap() >= 25)
        near_end, near_start = self._share(self.day >= 26) >= 0.5, self._share(self.day <= 5) >= 0.5
        anchor = np.select([start, end, same_day, near_end, near_start], [1, 0, low, 0, 1], 15)
        return known & (dated | loose), anchor

    def business(self) -> npt.NDArray[np.bool_]:
        """Whether the dates pass over one weekend or more, and never fall on one."""
        weekend = (self.days + 3) % 7 >= 5
        week = (self.days + 3) // 7
        last = np.append(self.first[1:], len(week)) - 1
        return self.same_clock & ~(self._share(weekend) > 0) & (week[last] > week[self.first])

    def usual_months(self, of: npt.NDArray[np.bool_]) -> Ints:
        """Months between two dates: the most frequent number, the smallest of several, of the series under a mask."""
        group = np.repeat(np.arange(len(self.first)), self.count)[self.inside]
        inside = self.inside[of[group]]
        group = (np.cumsum(of) - 1)[group[of[group]]]
        step = np.maximum(self.month[inside + 1] - self.month[inside], 1)
        pairs, counts = np.unique(np.column_stack([group, step]), axis=0, return_counts=True)
        ranked = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
        best = ranked[np.flatnonzero(np.r_[True, np.diff(pairs[ranked, 0]) != 0])]
        return np.asarray(pairs[best, 1])

    def _mean_gap(self) -> npt.NDArray[np.float64]:
        number = np.add.reduceat((self.widest > 0).astype(np.int64), self.first)
        return np.asarray(np.add.reduceat(self.widest, self.first) / np.maximum(number, 1))

    def _all(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return np.logical_and.reduceat(which, self.first)

    def _share(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.asarray(np.add.reduceat(which.astype(np.int64), self.first) / self.count)
