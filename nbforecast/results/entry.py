"""All that the cache knows of one (handle, model, horizon): a row an origin."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.compute.calculations import COVERAGES, GRID, LEVELS
from nbforecast.forecasters.reasons import Reason
from nbforecast.results.column import Column

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int64, UInt8

    from nbforecast.compute.calculations import Calculations, Densities
    from nbforecast.series import Dataset

WAITING, INFERRED, CALCULATED, UNAVAILABLE = range(4)
STATUS = pl.Enum(["waiting", "inferred", "calculated", "unavailable"])
REASON = pl.Enum([r.name.lower() for r in Reason if r])
DENSITY_ROWS = 1024
DENSITY_BLOCK = 256

_versions = itertools.count(1)


@dataclass(frozen=True)
class Key:
    """What an entry is of. `model` holds the forecaster's name, settings and weights, the seed and the gap rule."""

    handle: str
    model: str
    horizon: int


@dataclass
class Metadata:
    """Facts about an entry (SPEC C4); `index_len` per series, times in seconds since the epoch."""

    key: Key
    model_name: str
    frequency: str
    start_time: str
    content_signature: str
    index_len: tuple[int, ...]
    version: int = field(default_factory=lambda: next(_versions))
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)
    hits: int = 0


class Entry:
    """Forecasts and calculations of every origin of a dataset, filled while readers read.

    Results are written a batch at a time under one lock (SPEC E3); `lock_count` counts these. A frame handed out is a
    snapshot that later writes do not change (C3). Rows are the dataset's rows: ascending in time, the last of each
    series index 0.
    """

    def __init__(
        self, key: Key, data: Dataset, model_name: str, draws: int, availability: UInt8[np.ndarray, " N"]
    ) -> None:
        self.data = data
        self.meta = Metadata(
            key=key,
            model_name=model_name,
            frequency=data.frequency.key,
            start_time=str(data.time.min()),
            content_signature=data.handle,
            index_len=tuple(int(n) for n in data.lengths),
        )
        self.reasons = availability
        never = availability != Reason.AVAILABLE
        rows, horizon = len(data), key.horizon
        tails = {
            "forecast": (horizon, draws),
            "median": (horizon,),
            "quantiles": (horizon, len(LEVELS)),
            "abs_error": (horizon,),
            "crps": (horizon,),
            "pinball": (horizon,),
            "covered": (horizon, len(COVERAGES)),
        }
        self._columns = {name: Column(name, rows, tail, never) for name, tail in tails.items()}
        self._status = np.where(never, UNAVAILABLE, WAITING).astype(np.uint8)
        self._density: dict[str, Column] = {}
        self._density_done = np.zeros(rows, bool)
        self._lock = threading.Lock()
        self.lock_count = 0

    def __len__(self) -> int:
        return len(self.data)

    @property
    def available(self) -> int:
        """Origins that can be forecast."""
        return int((self._status != UNAVAILABLE).sum())

    @property
    def inferred(self) -> int:
        """Origins whose forecast stands here."""
        return int(((self._status == INFERRED) | (self._status == CALCULATED)).sum())

    @property
    def calculated(self) -> int:
        """Origins whose calculations stand here."""
        return int((self._status == CALCULATED).sum())

    @property
    def complete(self) -> bool:
        """Nothing waits and nothing is half done."""
        return not ((self._status == WAITING) | (self._status == INFERRED)).any()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that results take."""
        return sum(c.nbytes for c in (*self._columns.values(), *self._density.values())) + self._status.nbytes

    def missing(self) -> Int64[np.ndarray, " M"]:
        """Rows that wait for a forecast."""
        return np.flatnonzero(self._status == WAITING)

    def waiting(self, rows: Int64[np.ndarray, " R"]) -> Bool[np.ndarray, " R"]:
        """Which of the rows wait for a forecast."""
        return self._status[rows] == WAITING

    def uncalculated(self) -> Int64[np.ndarray, " M"]:
        """Rows that have a forecast and wait for its calculations."""
        return np.flatnonzero(self._status == INFERRED)

    def write_forecasts(self, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"]) -> int:
        """Store forecasts, ascending draws; rows that have one keep it. Returns how many were new."""
        with self._lock:
            self.lock_count += 1
            new = self._status[rows] == WAITING
            self._columns["forecast"].write(rows[new], draws[new])
            self._status[rows[new]] = INFERRED
            return int(new.sum())

    def write_calculations(self, rows: Int64[np.ndarray, " R"], values: Calculations) -> None:
        """Store what was calculated from the forecasts of some rows."""
        with self._lock:
            self.lock_count += 1
            new = self._status[rows] == INFERRED
            for name, column in values._asdict().items():
                self._columns[name].write(rows[new], column[new])
            self._status[rows[new]] = CALCULATED

    def write_densities(self, rows: Int64[np.ndarray, " R"], values: Densities) -> None:
        """Store densities; only the newest `DENSITY_ROWS` or so written are kept (SPEC E3)."""
        with self._lock:
            self.lock_count += 1
            if not self._density or int(self._density_done.sum()) + len(rows) > DENSITY_ROWS:
                self._clear_densities()
            new = ~self._density_done[rows]
            self._density["density_limits"].write(rows[new], values.limits[new])
            self._density["density"].write(rows[new], values.density[new])
            self._density_done[rows] = True

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of one column, NaN where nothing stands yet."""
        with self._lock:
            return self._columns[column].take(rows)

    def array(self, column: str = "forecast") -> Float32[np.ndarray, "N *T"]:
        """A whole column, read-only; no copy once the entry is complete (SPEC X1)."""
        with self._lock:
            return self._columns[column].array()

    def frame(self) -> pl.DataFrame:
        """The Result DataFrame (SPEC C1): a snapshot with a row an origin.

        unique_id, ds, index, y; status (`waiting`, `inferred`, `calculated`, `unavailable`) and, for the last, the
        reason; forecast (H, Q); median (H); quantiles (H, 7) at `LEVELS`; abs_error, crps, pinball (H) and covered
        (H, 3) for 50, 80 and 95 %; density (H, 64) and density_limits (H, 2) for a bounded number of origins. NaN in
        a result means not done where the status says so, and in a score that the actual value is not known.
        """
        with self._lock:
            results = [c.series() for c in (*self._columns.values(), *self._density.values())]
            status = self._status.copy()
        return pl.DataFrame([*self._base(), *_labels(status, self.reasons), *results])

    def _base(self) -> list[pl.Series]:
        data = self.data
        ids = pl.Series("unique_id", data.ids, pl.Categorical)
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        return [
            ids.gather(series),
            data.times(data.time).alias("ds"),
            pl.Series("index", data.index()),
            pl.Series("y", data.values, nan_to_null=True),
        ]

    def _clear_densities(self) -> None:
        never = self.reasons != Reason.AVAILABLE
        horizon = self.meta.key.horizon
        self._density = {
            "density_limits": Column("density_limits", len(self), (horizon, 2), never, DENSITY_BLOCK),
            "density": Column("density", len(self), (horizon, GRID), never, DENSITY_BLOCK),
        }
        self._density_done = np.zeros(len(self), bool)


def _labels(status: UInt8[np.ndarray, " N"], reasons: UInt8[np.ndarray, " N"]) -> list[pl.Series]:
    names = pl.Series("status", STATUS.categories, STATUS)
    why = pl.Series("reason", [None, *REASON.categories], REASON)
    return [names.gather(status), why.gather(reasons)]
