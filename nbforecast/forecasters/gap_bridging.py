"""Short gaps bridged inside contexts: only between two observations that a context holds (S3, L1)."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

if TYPE_CHECKING:
    from nbforecast.data import Dataset


class PaddedValues(NamedTuple):
    """A dataset's values with a context's worth of NaN before each series, so that every window is a plain slice.

    Attributes:
        values: (P,) the observed values, NaN where there is none.
        bridged: (P,) the same with gaps of up to `max_gap` steps bridged linearly. A bridge is for those contexts only
            that hold both of its ends.
        before: (P,) where the last observation up to each position is, -1 for none; None if no value is missing.
        after: (P,) where the next observation from each position on is, P for none; None if no value is missing.
        start: (N,) where the context of each row begins.
    """

    values: Float64[np.ndarray, " P"]
    bridged: Float64[np.ndarray, " P"]
    before: Int64[np.ndarray, " P"] | None
    after: Int64[np.ndarray, " P"] | None
    start: Int64[np.ndarray, " N"]


_padded: weakref.WeakKeyDictionary[Dataset, dict[int, PaddedValues]] = weakref.WeakKeyDictionary()


def pad_and_bridge(data: Dataset, context: int) -> PaddedValues:
    """Return the padded values of a dataset, computed once for each length of context.

    Args:
        data: The dataset.
        context: L, the length of a context in steps.
    """
    cached = _padded.setdefault(data, {})
    if context not in cached:
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        start = np.arange(len(data)) + series * (context - 1)
        values = np.full(len(data) + len(data.ids) * (context - 1), np.nan)
        values[start + context - 1] = data.values
        missing = np.isnan(values)
        if not np.isnan(data.values).any():
            cached[context] = PaddedValues(values, values, None, None, start)
        else:
            positions = np.arange(len(values))
            before = np.maximum.accumulate(np.where(missing, -1, positions))
            after = np.minimum.accumulate(np.where(missing, len(values), positions)[::-1])[::-1]
            is_bridged = missing & (before >= 0) & (after < len(values)) & (after - before - 1 <= data.max_gap)
            # padding is as long as a context, so no bridge whose two ends lie in one window can cross series
            bridged = values.copy()
            a, b, i = before[is_bridged], after[is_bridged], positions[is_bridged]
            bridged[is_bridged] = values[a] + (values[b] - values[a]) * ((i - a) / (b - a))
            cached[context] = PaddedValues(values, bridged, before, after, start)
    return cached[context]
