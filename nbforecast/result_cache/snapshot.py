"""An entry as it stands at one moment: plain arrays that nothing changes, ready for a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8, UInt64

from nbforecast.result_cache.status import FILLED, Status

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey, ForecastSpec


@dataclass(frozen=True)
class Snapshot:
    """status, reasons: (N,). contexts: (N,), fingerprints of what each forecast was made from. columns: (N, ...) each.

    version: minted when the entry was created or last replaced. created: seconds since the epoch. forced:
    when it was last asked for anew with `force`, 0 if never.
    """

    data: Dataset
    spec: ForecastSpec
    status: UInt8[np.ndarray, " N"]
    reasons: UInt8[np.ndarray, " N"]
    contexts: UInt64[np.ndarray, " N"]
    columns: dict[str, Float32[np.ndarray, "N ..."]]
    version: str
    created: float
    forced: float = 0.0

    @property
    def key(self) -> CacheKey:
        return self.spec.key(self.data.handle)

    @property
    def inferred(self) -> int:
        """Origins whose forecast stands here."""
        return int(has_forecast(self.status).sum())


def has_forecast(status: UInt8[np.ndarray, " N"]) -> np.ndarray:
    """Where a forecast stands."""
    return (status >= Status.INFERRED) & (status <= Status.SCORED)


def union(one: Snapshot, other: Snapshot) -> Snapshot:
    """Everything that either of two snapshots of one entry holds.

    Where both hold an origin, the one that was forced later counts, else the one that has come further.
    """
    first, second = (one, other) if one.forced >= other.forced else (other, one)
    there, spare = has_forecast(first.status), has_forecast(second.status)
    further = (second.status > first.status) & (first.forced == second.forced) & there
    taken = spare & (~there | further)
    if not taken.any():
        return first
    columns = {n: _mixed(taken, second.columns[n], c) for n, c in first.columns.items()}
    return replace(
        first,
        status=np.where(taken, second.status, first.status),
        reasons=np.where(taken, second.reasons, first.reasons),
        contexts=np.where(taken, second.contexts, first.contexts),
        columns=columns,
        created=min(first.created, second.created),
    )


def _mixed(taken: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(taken.reshape(-1, *[1] * (one.ndim - 1)), one, other)


def consistent(snapshot: Snapshot) -> bool:
    """Whether forecasts and quantiles are finite exactly where the status says that they stand."""
    status = snapshot.status
    if ((status == Status.UNAVAILABLE) != (snapshot.reasons > 0)).any():
        return False
    for name in ("forecast", "quantiles"):
        values = snapshot.columns[name]
        finite = np.isfinite(values.reshape(len(values), -1)).all(1)
        if (finite != (has_forecast(status) & (status >= FILLED[name]))).any():
            return False
    return True
