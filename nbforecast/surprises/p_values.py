"""Conformal p-values: the rank of an observation's score among those before it (A1).

Where the scores of a series are exchangeable, the p-value of an observation is at most `rate` with probability of at
most `rate`, whatever the model and the distribution. Scores of time series depend on each other, through overlapping
horizons and changing spread; then the rate holds on average over a long past (the benchmark `surprises` measures it).

Equal scores count as at least as odd. Ties, which counts and constant stretches bring, therefore make p larger and
never smaller: the rate is an upper bound there. Nothing is random.

The past of an observation is the newest `WINDOW` steps before its block of `_BLOCK` steps and those before it within
the block. Blocks begin at multiples of `_BLOCK` in absolute steps, so p depends on that many rows alone.

Source:
    Vovk, Gammerman & Shafer (2005), "Algorithmic learning in a random world", chapter 2 (conformal transducers).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import nan

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nbforecast.device import map_on_cores

_BLOCK = 256  # steps
_BLOCKS_AT_ONCE = 256  # that one core ranks
_FEW = 5  # scores
WINDOW = 40 * _BLOCK  # steps
P_ROWS = WINDOW + _BLOCK  # before an observation whose scores its p-value depends on


@dataclass(frozen=True)
class PValues:
    """The p-values of N observations.

    Attributes:
        p: (N,) in (0, 1]; NaN where there is no score, or none before it.
        past: (N,) how many scores it is ranked among; the least possible p is 1 / (past + 1).
        limit: (N,) of observations that are odd at the rate the score above which they are; NaN for others.
    """

    p: Float64[np.ndarray, " N"]
    past: Int64[np.ndarray, " N"]
    limit: Float32[np.ndarray, " N"]


def p_values(
    scores: Float32[np.ndarray, " N"],
    offsets: Int64[np.ndarray, " bounds"],
    steps: Int64[np.ndarray, " N"],
    rate: float | None = None,
    start: int = 0,
) -> PValues:
    """Rank every score among those before it.

    Args:
        scores: (N,) the higher, the odder; NaN where there is none.
        offsets: (S + 1,) the bounds of the series.
        steps: (N,) the absolute grid step of each row.
        rate: The rate in (0, 1) of `PValues.limit`; None leaves the limits out.
        start: The first row that is ranked; those before have no p-value.
    """
    p, past = np.full(len(scores), np.nan), np.zeros(len(scores), np.int64)
    limit = np.full(len(scores), np.nan, np.float32)

    blocks = [
        (begin, max(origin, begin), min(origin + _BLOCK, end))
        for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        if begin < end
        for origin in range(begin - int(steps[begin]) % _BLOCK, end, _BLOCK)
        if origin + _BLOCK > start
    ]

    def rank_blocks(first: int) -> None:
        for begin, first_row, end in blocks[first : first + _BLOCKS_AT_ONCE]:
            before = np.sort(scores[max(begin, first_row - WINDOW) : first_row])
            before = before[: np.searchsorted(before, np.nan)]
            rows = slice(first_row, end)
            p[rows], past[rows], limit[rows] = _rank(scores[rows], before, rate)

    map_on_cores(rank_blocks, range(0, len(blocks), _BLOCKS_AT_ONCE))
    return PValues(p, past, limit)


def attainable_share(scores: Float32[np.ndarray, " N"], rate: float) -> float:
    """The share of the newest scores of a series above the limit of a rate: less than the rate where scores tie.

    Args:
        scores: (N,) the scores of one series; NaN where there is none.
        rate: The rate.

    Returns:
        The share; NaN where fewer than `_FEW` scores can be above the limit, so that a share says little.
    """
    newest = scores[-WINDOW:]
    newest = newest[~np.isnan(newest)]
    number = int(rate * (len(newest) + 1) + 1e-9)
    if number < _FEW:
        return nan
    limit = np.partition(newest, len(newest) - number)[len(newest) - number]
    return float((newest > limit).sum() + 1) / (len(newest) + 1)


def _rank(
    scores: Float32[np.ndarray, " b"], before: Float32[np.ndarray, " n"], rate: float | None
) -> tuple[Float64[np.ndarray, " b"], Int64[np.ndarray, " b"], Float32[np.ndarray, " b"]]:
    """p, past and limit of one block, whose past begins with the ascending scores `before`."""
    is_known = ~np.isnan(scores)
    earlier = np.cumsum(is_known) - is_known
    past = len(before) + earlier
    as_odd_within = ((scores >= scores[:, None]) & _is_earlier(len(scores))).sum(1)
    as_odd = len(before) - np.searchsorted(before, scores) + as_odd_within
    p = np.where(is_known & (past > 0), (1 + as_odd) / (past + 1), np.nan)
    limit = np.full(len(scores), np.nan, np.float32)
    if rate is None:
        return p, past, limit
    number = np.floor(rate * (past + 1) + 1e-9).astype(np.int64)  # so many of the largest are odd
    for row in np.flatnonzero(is_known & (p <= rate) & (number > 0)):
        largest = np.concatenate([before[max(len(before) - number[row], 0) :], scores[:row][is_known[:row]]])
        limit[row] = np.partition(largest, len(largest) - number[row])[len(largest) - number[row]]
    return p, past, limit


@lru_cache(maxsize=8)
def _is_earlier(count: int) -> Bool[np.ndarray, "b b"]:
    """For each row of a block which rows come before it."""
    return np.tril(np.ones((count, count), bool), -1)
