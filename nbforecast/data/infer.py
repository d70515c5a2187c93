"""Reading the frequency from the data: series by series, then what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nbforecast.data.aliases import FrequencySpec
from nbforecast.data.calendar_frequency import calendar_votes
from nbforecast.data.votes import FrequencyEstimates
from nbforecast.errors import InputError
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data.frequency import Ints

_NICE = np.array(
    [1_000, 10_000, 100_000, 500_000]
    + [n * SECOND for n in (1, 2, 5, 10, 15, 20, 30)]
    + [n * MINUTE for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    + [n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)]
    + [DAY, WEEK, 2 * WEEK]
)
_ENOUGH = 8  # differences a series needs to contradict the others
_COARSEST = 3  # a series may be this many times coarser than its panel: more would leave it mostly empty
_LOOKED_AT, _LOOKED_AT_EACH = 200_000, 24  # newest differences: in all, and at least of each series


def infer_frequency(series: Ints, stamps: Ints, calendar: bool, ids: Sequence[str]) -> FrequencySpec:
    """The step most series keep, from times ordered within their series.

    series, stamps: int64 (n,), ordered by series, then time; microseconds if `calendar`, else integers.
    Raises `InputError` where no two times differ, and where series of a panel disagree.
    """
    gaps = _collect_gaps(series, stamps)
    if not len(gaps.size):
        raise InputError(
            "No series has two different times, so no frequency can be inferred. Give more rows, or check that the "
            "right columns were taken as time and id."
        )
    votes = _fixed_votes(gaps, calendar)
    return _agree(calendar_votes(votes, series, stamps) if calendar else votes, ids)


@dataclass(frozen=True)
class _Gaps:
    """Differences of neighbouring times.

    series, size: (G,), ordered by both. first, count: (S,), where the gaps of each series begin, and how many they are.
    """

    series: Ints
    size: Ints
    first: Ints
    count: Ints

    def share(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.asarray(np.add.reduceat(which.astype(np.float64), self.first) / self.count)

    def multiples(self, every: Ints, slack: float) -> npt.NDArray[np.float64]:
        """Share of each series' gaps that are multiples of its step, give or take `slack` steps."""
        step = np.repeat(every, self.count)
        rest = self.size % step
        return self.share((np.minimum(rest, step - rest) <= slack * step) & (2 * self.size > step))


def _collect_gaps(series: Ints, stamps: Ints) -> _Gaps:
    later = np.flatnonzero((series[1:] == series[:-1]) & (stamps[1:] > stamps[:-1]))
    numbers, size = series[later], stamps[later + 1] - stamps[later]
    last = np.searchsorted(numbers, numbers, side="right") if len(later) > _LOOKED_AT else None
    if last is not None:
        each = max(_LOOKED_AT_EACH, _LOOKED_AT // len(np.unique(numbers)))
        newest = last - np.arange(len(numbers)) <= each
        numbers, size = numbers[newest], size[newest]
    order = np.lexsort((size, numbers))
    numbers, size = numbers[order], size[order]
    first = np.flatnonzero(np.r_[True, np.diff(numbers) != 0]) if len(numbers) else np.zeros(0, dtype=np.int64)
    return _Gaps(numbers, size, first, np.diff(np.append(first, len(numbers))))


def _fixed_votes(gaps: _Gaps, calendar: bool) -> FrequencyEstimates:
    starts = np.flatnonzero(np.r_[True, (np.diff(gaps.series) != 0) | (np.diff(gaps.size) != 0)])
    run_series, run_size = gaps.series[starts], gaps.size[starts]
    run_count = np.diff(np.append(starts, len(gaps.size)))
    ranked = np.lexsort((run_size, -run_count, run_series))
    best = ranked[np.flatnonzero(np.r_[True, np.diff(run_series[ranked]) != 0])]
    mode, share = run_size[best], run_count[best] / gaps.count
    median = gaps.size[gaps.first + (gaps.count - 1) // 2]
    nice = _NICE[np.abs(np.log(_NICE[None, :] / median[:, None])).argmin(axis=1)] if calendar else mode
    near = np.abs(nice / median - 1) <= 0.05
    jittered = near & (nice != mode) & (np.abs(mode / nice - 1) <= 0.05) & (share < 0.95)
    exact = (gaps.multiples(mode, 0.0) >= 0.8) & (share >= 0.3) & ~jittered
    rounded = near & (gaps.multiples(nice, 0.1) >= 0.8)
    common = _common_divisors(gaps, run_series, run_size, run_count)
    finer = (common * 12 >= mode) & (common < mode) & (gaps.multiples(common, 0.0) >= 0.8)
    every = np.select([exact, rounded, finer, share >= 0.3], [mode, nice, common, mode], nice)
    sure = (exact | rounded | finer) & (gaps.count >= _ENOUGH)
    kind = np.full(len(every), "fixed" if calendar else "integer", dtype=object)
    return FrequencyEstimates(gaps.series[gaps.first], gaps.count, kind, every, np.full(len(every), -1), sure)


def _common_divisors(gaps: _Gaps, series: Ints, size: Ints, count: Ints) -> Ints:
    """(S,) the greatest common divisor of the gaps that occur often, 1 where none does."""
    place = np.searchsorted(gaps.series[gaps.first], series)
    often = (count >= 0.05 * gaps.count[place]) & ((count >= 2) | (gaps.count[place] < _ENOUGH))
    found = np.ones(len(gaps.first), dtype=np.int64)
    if often.any():
        place, size = place[often], size[often]
        first = np.flatnonzero(np.r_[True, np.diff(place) != 0])
        found[place[first]] = np.gcd.reduceat(size, first)
    return found


def _agree(votes: FrequencyEstimates, ids: Sequence[str]) -> FrequencySpec:
    sure = bool(votes.sure.any())
    heard = votes.take(votes.sure) if sure else votes
    parties = heard.parties()
    if any(p.wanted == FrequencySpec("fixed", DAY) for p in parties):
        parties = [p.daily() for p in parties]
    finest = min((p.wanted for p in parties), key=lambda w: w.template().microseconds)
    if all(_fits(p.wanted, finest, bounded=sure) for p in parties):
        return finest
    parts = [f"{p.wanted.template().describe()} ({p.series} series, such as {ids[p.first]!r})" for p in parties[:6]] + (
        [f"and {len(parties) - 6} more"] if len(parties) > 6 else []
    )
    raise InputError(
        f"The series have different frequencies: {'; '.join(parts)}. Prepare them apart (filter on the id), or give "
        "the finest for all with freq=."
    )


def _fits(wanted: FrequencySpec, finest: FrequencySpec, bounded: bool) -> bool:
    if wanted.kind != finest.kind or (wanted.anchor != finest.anchor and wanted.kind == "month"):
        return False
    return wanted.every % finest.every == 0 and (wanted.every <= _COARSEST * finest.every or not bounded)
