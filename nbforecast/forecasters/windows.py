"""Contexts cut from a dataset: windows of one length, bridged where they may be, relative to their last value."""

from __future__ import annotations

import hashlib
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Int64, UInt8, UInt32

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
    """

    values: Float32[Array, "B L"]
    observed: Bool[Array, "B L"]
    location: Float32[Array, " B"]
    step: Int32[Array, " B"]
    key: UInt32[Array, "B 2"]
    seasons: Int32[Array, " S"]
    covariates: Float32[Array, "B L+H C"] | None = None


class _Padded(NamedTuple):
    """A dataset's values with a context's worth of NaN before each series, so that every window is a plain slice."""

    values: Int64[np.ndarray, " P"]
    bridged: Int64[np.ndarray, " P"]
    before: Int64[np.ndarray, " P"] | None
    after: Int64[np.ndarray, " P"] | None
    start: Int64[np.ndarray, " N"]


_padded: weakref.WeakKeyDictionary[Dataset, dict[int, _Padded]] = weakref.WeakKeyDictionary()


def _pad(data: Dataset, context: int) -> _Padded:
    cached = _padded.setdefault(data, {})
    if context not in cached:
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        start = np.arange(len(data)) + series * (context - 1)
        values = np.full(len(data) + len(data.ids) * (context - 1), np.nan)
        values[start + context - 1] = data.values
        missing = np.isnan(values)
        if not np.isnan(data.values).any():
            cached[context] = _Padded(values, values, None, None, start)
        else:
            at = np.arange(len(values))
            before = np.maximum.accumulate(np.where(missing, -1, at))
            after = np.minimum.accumulate(np.where(missing, len(values), at)[::-1])[::-1]
            inner = missing & (before >= 0) & (after < len(values)) & (after - before - 1 <= data.max_gap)
            # padding is as long as a context, so no bridge whose two ends lie in one window can cross series
            bridged = values.copy()
            a, b, i = before[inner], after[inner], at[inner]
            bridged[inner] = values[a] + (values[b] - values[a]) * ((i - a) / (b - a))
            cached[context] = _Padded(values, bridged, before, after, start)
    return cached[context]


@lru_cache(maxsize=65536)
def _series_bits(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def _keys(data: Dataset, rows: Int64[np.ndarray, " R"], step: Int64[np.ndarray, " R"], seed: int) -> np.ndarray:
    series, which = np.unique(np.searchsorted(data.offsets, rows, side="right") - 1, return_inverse=True)
    names = np.array([_series_bits(data.ids[i]) for i in series], np.uint32)
    bits = seed % 2**64
    turned = np.uint64(bits << 32 & 0xFFFFFFFF00000000 | bits >> 32)
    mixed = (step.astype(np.uint64) ^ turned) * np.uint64(0x9E3779B97F4A7C15)
    return np.stack([names[which] ^ (mixed >> np.uint64(32)).astype(np.uint32), mixed.astype(np.uint32)], 1)


def cut(data: Dataset, rows: Int64[np.ndarray, " R"], context: int, seed: int = 0) -> tuple[Windows, np.ndarray]:
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
    padded = _pad(data, context)
    start = padded.start[rows]
    at = start[:, None] + np.arange(context)
    values = padded.bridged[at]
    if padded.before is None or padded.after is None:
        observed = ~np.isnan(values)
    else:
        raw = padded.values[at]
        observed = ~np.isnan(raw)
        inside = (padded.before[at] >= start[:, None]) & (padded.after[at] < start[:, None] + context)
        values = np.where(observed | inside, values, np.nan)
    last = context - 1 - np.argmax(observed[:, ::-1], axis=1)
    # rounded before it is subtracted: a draw at zero then comes out as zero, not a rounding error below
    location = values[np.arange(len(rows)), last].astype(np.float32).astype(np.float64)
    step = data.frequency.to_step(data.time[rows])
    seasons = np.zeros(N_SEASONS, np.int32)
    natural = data.frequency.seasons[:N_SEASONS]
    seasons[: len(natural)] = natural
    windows = Windows(
        (values - location[:, None]).astype(np.float32),
        observed,
        location.astype(np.float32),
        step.astype(np.int32),  # type: ignore[arg-type]  # jitted functions take NumPy's arrays as they are
        _keys(data, rows, step, seed),  # type: ignore[arg-type]
        seasons,  # type: ignore[arg-type]
    )
    return windows, location


def usable(data: Dataset, context: int, least: int) -> UInt8[np.ndarray, " N"]:
    """Returns for each row 0 if its context can be used, else an `UnavailableReason`.

    A context needs `least` observed values, one of them within `max_gap` steps of the origin, and must not be more than
    half empty after its first observation.

    Args:
        data: The dataset.
        context: L, in steps.
        least: The fewest observed values.
    """
    padded = _pad(data, context)
    seen = np.concatenate([[0], np.cumsum(~np.isnan(padded.values))])
    end = padded.start + context
    count = seen[end] - seen[padded.start]
    codes = np.zeros(len(data), np.uint8)
    if padded.before is not None and padded.after is not None:
        first = np.minimum(padded.after[padded.start], end - 1)
        codes[count * 2 < end - first] = UnavailableReason.MISSING
        codes[end - 1 - padded.before[end - 1] > data.max_gap] = UnavailableReason.LONG_GAP
    codes[count < least] = UnavailableReason.TOO_SHORT
    return codes


def complete(data: Dataset, context: int, least: int | None = None) -> UInt8[np.ndarray, " N"]:
    """Returns for each row 0 if its context is complete once short gaps are bridged, else an `UnavailableReason`.

    Args:
        data: The dataset.
        context: L, in steps.
        least: The fewest steps from the first observed one on; by default all of `context`.
    """
    least = context if least is None else least
    missing = np.isnan(data.values)
    at = np.arange(len(data))
    before = np.maximum.accumulate(np.where(missing, -1, at))
    after = np.minimum.accumulate(np.where(missing, len(data), at)[::-1])[::-1]
    open_ = missing & ((before < 0) | (after == len(data)) | (after - before - 1 > data.max_gap))
    begin = np.repeat(data.offsets[:-1], data.lengths)
    # a bridge needs both of its ends in the context, so that it begins with an observed value
    first = np.minimum(after[np.maximum(at - context + 1, begin)], at)
    count = np.concatenate([[0], np.cumsum(open_)])
    holes = (count[at + 1] > count[first]) | missing
    codes = np.where(
        holes | (at - first + 1 < least), UnavailableReason.INCOMPLETE, UnavailableReason.AVAILABLE
    ).astype(np.uint8)
    codes[at - begin + 1 < least] = UnavailableReason.TOO_SHORT
    return codes
