"""Contexts of a dataset: windows of one length relative to their last value, with short gaps bridged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Int64, UInt8, UInt32

from nbforecast.forecasters.gap_bridging import pad_and_bridge
from nbforecast.forecasters.random_keys import random_keys
from nbforecast.forecasters.unavailable import UnavailableReason

if TYPE_CHECKING:
    from nbforecast.data import Dataset

N_SEASONS = 4


class Windows(NamedTuple):
    """A batch of contexts for a jitted function. The leading axis of each field is the batch, but for `seasons`.

    Attributes:
        values: Observed values minus `location`. Gaps of up to `max_gap` steps between two observations of the context
            are bridged linearly; NaN elsewhere, and to the left of a short history.
        observed: Whether a value was observed: False where it was bridged or is NaN.
        location: The last observed value in float32. It is subtracted in double precision, so that float32 loses
            nothing.
        step: The origin's number on the grid.
        key: Random bits that depend on seed, series and origin time alone.
        seasons: The calendar's season lengths in steps, ascending; 0 for none.
        covariates: What a model knows beside the values, of every step of context and horizon; None if nothing.
        siblings: The values of G other series at the times of the context, each less its last one; NaN where there is
            none. None if there are no other series.
    """

    values: Float32[Array, "B L"]
    observed: Bool[Array, "B L"]
    location: Float32[Array, " B"]
    step: Int32[Array, " B"]
    key: UInt32[Array, "B 2"]
    seasons: Int32[Array, " S"]
    covariates: Float32[Array, "B L+H C"] | None = None
    siblings: Float32[Array, "B L G"] | None = None


def blank_windows(count: int, context: int) -> Windows:
    """Returns windows of zeros, all of them observed.

    Args:
        count: B.
        context: L.
    """
    return Windows(
        np.zeros((count, context), np.float32),  # type: ignore[arg-type]
        np.ones((count, context), bool),  # type: ignore[arg-type]
        np.zeros(count, np.float32),  # type: ignore[arg-type]
        np.zeros(count, np.int32),  # type: ignore[arg-type]
        np.zeros((count, 2), np.uint32),  # type: ignore[arg-type]
        np.zeros(N_SEASONS, np.int32),  # type: ignore[arg-type]
    )


def cut_windows(
    data: Dataset, rows: Int64[np.ndarray, " R"], context: int, seed: int = 0
) -> tuple[Windows, np.ndarray]:
    """Returns the contexts of some rows, and their locations in double precision.

    A value of a window depends on nothing outside the window: a gap is bridged only between two observations that both
    lie in it, so nothing after the origin, and nothing older than `context` steps, can matter (L1).

    Args:
        data: The dataset.
        rows: The R rows that the contexts end at; each has an observation in its context.
        context: L, the length of a window in steps.
        seed: The seed of the windows' random bits.

    Returns:
        The windows, and their locations (R,) in float64.
    """
    padded = pad_and_bridge(data, context)
    start = padded.start[rows]
    positions = start[:, None] + np.arange(context)
    values = padded.bridged[positions]
    if padded.before is None or padded.after is None:
        observed = ~np.isnan(values)
    else:
        raw = padded.values[positions]
        observed = ~np.isnan(raw)
        is_bridged = (padded.before[positions] >= start[:, None]) & (padded.after[positions] < start[:, None] + context)
        values = np.where(observed | is_bridged, values, np.nan)
    last = context - 1 - np.argmax(observed[:, ::-1], axis=1)
    # rounded before it is subtracted: a draw at zero then comes out as zero, not a rounding error below
    location = values[np.arange(len(rows)), last].astype(np.float32).astype(np.float64)
    step = data.frequency.to_step(data.time[rows])
    seasons = np.zeros(N_SEASONS, np.int32)
    calendar = data.frequency.seasons[:N_SEASONS]
    seasons[: len(calendar)] = calendar
    windows = Windows(
        (values - location[:, None]).astype(np.float32),
        observed,
        location.astype(np.float32),
        step.astype(np.int32),  # type: ignore[arg-type]  # jitted functions take NumPy's arrays as they are
        random_keys(data, rows, step, seed),  # type: ignore[arg-type]
        seasons,  # type: ignore[arg-type]
    )
    return windows, location


def partial_context_availability(data: Dataset, context: int, min_observed: int) -> UInt8[np.ndarray, " N"]:
    """Returns for each row 0 if its context can be used, else an `UnavailableReason`.

    A context needs `min_observed` observed values, one of them within `max_gap` steps of the origin. After its first
    observation it must not be more than half empty.

    Args:
        data: The dataset.
        context: L, in steps.
        min_observed: The fewest observed values.
    """
    padded = pad_and_bridge(data, context)
    counts = np.concatenate([[0], np.cumsum(~np.isnan(padded.values))])
    end = padded.start + context
    count = counts[end] - counts[padded.start]
    codes = np.zeros(len(data), np.uint8)
    if padded.before is not None and padded.after is not None:
        first = np.minimum(padded.after[padded.start], end - 1)
        codes[count * 2 < end - first] = UnavailableReason.MISSING
        codes[end - 1 - padded.before[end - 1] > data.max_gap] = UnavailableReason.LONG_GAP
    codes[count < min_observed] = UnavailableReason.TOO_SHORT
    return codes


def full_context_availability(data: Dataset, context: int, min_length: int | None = None) -> UInt8[np.ndarray, " N"]:
    """Returns for each row 0 if its context is complete once short gaps are bridged, else an `UnavailableReason`.

    Args:
        data: The dataset.
        context: L, in steps.
        min_length: The fewest steps from the first observed one on; by default all of `context`.
    """
    min_length = context if min_length is None else min_length
    missing = np.isnan(data.values)
    positions = np.arange(len(data))
    before = np.maximum.accumulate(np.where(missing, -1, positions))
    after = np.minimum.accumulate(np.where(missing, len(data), positions)[::-1])[::-1]
    is_unbridged = missing & ((before < 0) | (after == len(data)) | (after - before - 1 > data.max_gap))
    start = np.repeat(data.offsets[:-1], data.lengths)
    # a bridge needs both of its ends in the context, so that it begins with an observed value
    first = np.minimum(after[np.maximum(positions - context + 1, start)], positions)
    counts = np.concatenate([[0], np.cumsum(is_unbridged)])
    has_gap = (counts[positions + 1] > counts[first]) | missing
    codes = np.where(
        has_gap | (positions - first + 1 < min_length), UnavailableReason.INCOMPLETE, UnavailableReason.AVAILABLE
    ).astype(np.uint8)
    codes[positions - start + 1 < min_length] = UnavailableReason.TOO_SHORT
    return codes
