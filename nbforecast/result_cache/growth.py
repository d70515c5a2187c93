"""How data have grown: rows appended to the end of some series, and what that changes in an entry (V2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from nbforecast.result_cache.covariate_prints import context_fingerprints
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry_record import EntryRecord


@dataclass(frozen=True)
class Growth:
    """What was appended to the data of an entry.

    Attributes:
        places: (N,) where each row from before is among all rows.
        new: (K,) the other rows, ascending.
        changed: (C,) the rows from before, by their number then, within whose horizon a value was appended.
        fingerprints: Those of all rows.
        contexts: (M,) the fingerprints of all contexts.
    """

    places: slice | Int64[np.ndarray, " N"]
    new: Int64[np.ndarray, " K"]
    changed: Int64[np.ndarray, " C"]
    fingerprints: Fingerprints
    contexts: UInt64[np.ndarray, " M"]

    def carry(
        self, before: UInt8[np.ndarray, " N"], reasons: UInt8[np.ndarray, " M"]
    ) -> tuple[UInt8[np.ndarray, " N"], UInt8[np.ndarray, " M"]]:
        """What stays of an entry's status.

        Args:
            before: (N,) the `Status` of each row from before.
            reasons: (M,) for every row why it cannot be forecast from all data, 0 where it can.

        Returns:
            status: (N,) the `Status` of each row from before; scores that the new values change are missing.
            reasons: (M,) the reasons, 0 also where there is a forecast.
        """
        status = np.where(reasons[self.places] > 0, Status.UNAVAILABLE, Status.PENDING).astype(np.uint8)
        status = np.where(has_forecast(before), before, status)
        status[self.changed[status[self.changed] == Status.SCORED]] = Status.UNSCORED
        reasons = reasons.copy()
        reasons[self.places] = np.where(has_forecast(status), 0, reasons[self.places])
        return status, reasons


def find_growth(old: EntryRecord, status: UInt8[np.ndarray, " N"], data: Dataset) -> Growth | None:
    """How the data of an entry have grown into others.

    Args:
        old: The entry.
        status: (N,) its `Status` of each row.
        data: The other data, of M rows.

    Returns:
        What was appended; None if the data are not the entry's with more rows at the end of some series, or if a
        forecast of the entry is not made from what it would be made from now.
    """
    before = old.data
    is_alike = before.ids == data.ids and before.frequency == data.frequency and len(before) < len(data)
    if not is_alike or (before.lengths > data.lengths).any():
        return None
    if (before.time[before.offsets[:-1]] != data.time[data.offsets[:-1]]).any():
        return None
    places: slice | Int64[np.ndarray, " N"] = slice(0, len(before))
    if len(data.ids) > 1:
        places = np.arange(len(before)) + np.repeat(data.offsets[:-1] - before.offsets[:-1], before.lengths)
    if not np.array_equal(data.values[places], before.values, equal_nan=True):
        return None
    new = np.ones(len(data), bool)
    new[places] = False
    prints = Fingerprints.grown(old.fingerprints, data)
    contexts = context_fingerprints(prints, data, old.spec)
    if ((contexts[places] != old.contexts) & has_forecast(status)).any():
        return None
    rows = np.flatnonzero(new)
    return Growth(places, rows, _changed_rows(before, data, old.spec.horizon), prints, contexts)


def _changed_rows(before: Dataset, data: Dataset, horizon: int) -> Int64[np.ndarray, " C"]:
    """The rows of the data before within whose horizon a value was appended."""
    parts = [np.zeros(0, np.int64)]
    for number in np.flatnonzero(data.lengths > before.lengths).tolist():
        start, end = before.offsets[number : number + 2].tolist()
        rows = np.arange(max(start, end - horizon), end)
        appended = data.values[data.offsets[number] + before.lengths[number] : data.offsets[number + 1]][:horizon]
        first = int(np.argmax(np.isfinite(appended))) if np.isfinite(appended).any() else horizon
        parts.append(rows[rows + horizon >= end + first])
    return np.concatenate(parts)
