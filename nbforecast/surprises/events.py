"""Gaps in the data, and events: surprises that are neighbours (A1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.surprises.p_values import WINDOW


class Gaps(NamedTuple):
    """Gaps in the data that are as rare as surprises.

    Attributes:
        rows: (G,) ascending, the first missing row of each.
        ends: (G,) the row of the first observation after it, with which it becomes known.
        p: (G,) the share of steps in the past, and this one, at which a gap began.
    """

    rows: Int64[np.ndarray, " G"]
    ends: Int64[np.ndarray, " G"]
    p: Float64[np.ndarray, " G"]


def rare_gaps(values: Float64[np.ndarray, " N"], offsets: Int64[np.ndarray, " bounds"], rate: float) -> Gaps:
    """Find the gaps that begin no more often than at a rate, as of their own time.

    Args:
        values: (N,) observations, NaN where there is none.
        offsets: (S + 1,) the bounds of the series.
        rate: The rate of surprises.
    """
    is_missing = np.isnan(values)
    is_start = is_missing.copy()
    is_start[1:] &= ~is_missing[:-1]
    is_start[offsets[:-1][offsets[:-1] < len(values)]] = False
    rows, observed = np.flatnonzero(is_start), np.flatnonzero(~is_missing)
    begins = offsets[np.searchsorted(offsets, rows, side="right") - 1]
    first = np.maximum(begins, rows - WINDOW)
    earlier = np.arange(len(rows)) - np.searchsorted(rows, first)
    p = (1 + earlier) / (1 + rows - first)
    is_rare = p <= rate
    return Gaps(rows[is_rare], observed[np.searchsorted(observed, rows[is_rare])], p[is_rare])


def event_begins(
    rows: Int64[np.ndarray, " M"], offsets: Int64[np.ndarray, " bounds"], distance: int, span: int
) -> Int64[np.ndarray, " M"]:
    """The first surprise of the event of each surprise.

    Surprises of one series that are at most some steps apart belong to one event, which ends with the span in which
    its kind is decided.

    Args:
        rows: (M,) ascending rows of surprises.
        offsets: (S + 1,) the bounds of the series.
        distance: The most steps from one surprise to the next of its event.
        span: The most steps from the first surprise of an event to the last.

    Returns:
        (M,) rows.
    """
    begins, begin, last = np.empty_like(rows), -1, -1
    ends = offsets[np.searchsorted(offsets, rows, side="right")].tolist()
    for number, row in enumerate(rows.tolist()):
        if not number or row - last > distance or row - begin > span or ends[number] != ends[number - 1]:
            begin = row
        begins[number], last = begin, row
    return begins
