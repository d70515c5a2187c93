"""All that the cache knows of one (handle, model, horizon): a row an origin."""

from __future__ import annotations

import secrets
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8, UInt64

from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache.column import Column
from nbforecast.result_cache.densities import DensityWindow
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.snapshot import Snapshot, has_forecast
from nbforecast.result_cache.status import FILLED, Status, shapes

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey, ForecastSpec
    from nbforecast.scoring.calculations import Calculations, Densities


class Entry:
    """Forecasts and calculations of every origin of a dataset, filled while readers read.

    Results are written a batch at a time under one lock; `lock_count` counts these. What is handed out is a
    snapshot that later writes do not change (C3). Rows are the dataset's rows: ascending in time, the last of each
    series index 0.

    `version` changes whenever results are taken away (C4): a write made for an earlier version is dropped (C8a).
    `used` is when it was last asked for, `hits` how often; `reused` origins came from other entries; `saved` is the
    `state` in which it was last saved; `offered` says that the cache has taken it.
    """

    def __init__(
        self,
        data: Dataset,
        spec: ForecastSpec,
        reasons: UInt8[np.ndarray, " N"],
        *,
        forced: float = 0.0,
        prints: Fingerprints | None = None,
    ) -> None:
        """`reasons` says for every row why it cannot be forecast (0: it can)."""
        self.data = data
        self.spec = spec
        self.key: CacheKey = spec.key(data.handle)
        self.reasons = reasons
        self.forced = forced
        self.version = secrets.token_hex(8)
        self.created = self.used = time.time()
        self.hits = self.reused = self.lock_count = self.changes = 0
        self.saved: tuple[str, int] | None = None
        self.offered = False
        if prints is not None:
            self.fingerprints = prints
        never = reasons != UnavailableReason.AVAILABLE
        tails = shapes(spec.horizon, spec.draws)
        self._columns = {name: Column(name, len(data), tail, never) for name, tail in tails.items()}
        self._status = np.where(never, Status.UNAVAILABLE, Status.PENDING).astype(np.uint8)
        self._lock = threading.Lock()
        self._density = DensityWindow(spec.horizon)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Entry:
        """The entry that a snapshot was taken of."""
        entry = cls(snapshot.data, snapshot.spec, snapshot.reasons, forced=snapshot.forced)
        entry.version, entry.created, entry.contexts = snapshot.version, snapshot.created, snapshot.contexts
        entry._status = snapshot.status.copy()
        never = snapshot.reasons != UnavailableReason.AVAILABLE
        for name, values in snapshot.columns.items():
            entry._columns[name] = Column.of(name, values, _filled(name, entry._status), never)
        return entry

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Of the data."""
        return Fingerprints(self.data)

    @cached_property
    def contexts(self) -> UInt64[np.ndarray, " N"]:
        """For every row the fingerprint of the context that its forecast is made from."""
        return self.fingerprints.contexts(self.spec.context)

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """How far every row has come: a `Status` each, as it stands now."""
        return self._status.copy()

    @property
    def state(self) -> tuple[str, int]:
        """Changes with every write: version and count of changes."""
        return self.version, self.changes

    @property
    def complete(self) -> bool:
        """Nothing waits and nothing is half done."""
        return bool((self._status >= Status.SCORED).all())

    @property
    def densities(self) -> int:
        """Rows that have a density."""
        return len(self._density.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that results take."""
        return sum(c.nbytes for c in self._columns.values()) + self._density.nbytes + 18 * len(self)

    def waiting(self, rows: Int64[np.ndarray, " R"]) -> Bool[np.ndarray, " R"]:
        """Which of the rows wait for a forecast."""
        return self._status[rows] == Status.PENDING

    def write_forecasts(
        self, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"], version: str | None = None
    ) -> int:
        """Store forecasts, ascending draws; rows that have one keep it. Returns how many were new.

        Nothing is stored if `version` is given and no longer the entry's.
        """
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return 0
            new = self._status[rows] == Status.PENDING
            self._columns["forecast"].write(rows[new], draws[new])
            self._status[rows[new]] = Status.INFERRED
            self.changes += 1
            return int(new.sum())

    def write_calculations(
        self, rows: Int64[np.ndarray, " R"], values: Calculations, version: str | None = None
    ) -> None:
        """Store what was calculated from the forecasts of some rows, unless `version` is no longer the entry's."""
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return
            status = self._status[rows]
            for name, column in values._asdict().items():
                lacking = (status >= Status.INFERRED) & (status < FILLED[name])
                self._columns[name].write(rows[lacking], column[lacking])
            self._status[rows[has_forecast(status)]] = Status.SCORED
            self.changes += 1

    def write_densities(self, rows: Int64[np.ndarray, " R"], values: Densities, version: str | None = None) -> None:
        """Store densities; only those of the last rows written are kept."""
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return
            self._density.write(rows, values.limits, values.density)

    def adopt(
        self,
        rows: Int64[np.ndarray, " R"],
        status: UInt8[np.ndarray, " R"],
        contexts: UInt64[np.ndarray, " R"],
        values: dict[str, Float32[np.ndarray, "R ..."]],
    ) -> None:
        """Take over results of another entry for rows that wait, bit for bit."""
        if not len(rows):
            return
        with self._lock:
            self.lock_count += 1
            waiting = self._status[rows] == Status.PENDING
            if not waiting.all():
                rows, status, contexts = rows[waiting], status[waiting], contexts[waiting]
                values = {name: column[waiting] for name, column in values.items()}
            for name, column in values.items():
                there = status >= FILLED[name]
                if there.all():
                    self._columns[name].write(rows, column)
                else:
                    self._columns[name].write(rows[there], column[there])
            self._status[rows] = status
            made_from = self.contexts.copy()
            made_from[rows] = contexts
            self.contexts = made_from
            self.changes += 1

    def read(
        self, rows: Int64[np.ndarray, " R"]
    ) -> tuple[UInt8[np.ndarray, " R"], dict[str, Float32[np.ndarray, "R ..."]]]:
        """Status and results of some rows; a result counts where the status says that it stands, and may be a view."""
        with self._lock:
            return self._status[rows], {n: c.peek(rows) for n, c in self._columns.items()}

    def forget(self, rows: Int64[np.ndarray, " R"], keep: Status) -> int:
        """Take results away, so that rows have come as far as `keep` and no further; returns how many rows had more.

        Frames and arrays handed out before are not changed. Work in progress for these rows is dropped.
        """
        with self._lock:
            status = self._status[rows]
            fewer = rows[has_forecast(status) & (status > keep)]
            if not len(fewer):
                return 0
            left = self._status.copy()
            left[fewer] = keep
            never = self.reasons != UnavailableReason.AVAILABLE
            columns = {
                name: column.keeping(np.flatnonzero(_filled(name, left)), never) if FILLED[name] > keep else column
                for name, column in self._columns.items()
            }
            # an interrupt up to here changes nothing, and one from here on costs work in progress at most
            self.version = secrets.token_hex(8)
            self._columns, self._status = columns, left
            self.changes += 1
            if keep == Status.PENDING:
                self._density.forget(fewer)
            return len(fewer)

    def forget_densities(self, rows: Int64[np.ndarray, " R"]) -> int:
        """Take the densities of some rows away, as `forget` does; returns how many had one."""
        with self._lock:
            count = self._density.forget(rows)
            if count:
                self.version = secrets.token_hex(8)
            return count

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of one column, NaN where nothing stands yet."""
        with self._lock:
            return self._columns[column].take(rows)

    def array(self, column: str) -> Float32[np.ndarray, "N *T"]:
        """A whole column, read-only; no copy once the entry is complete."""
        with self._lock:
            return self._columns[column].array()

    def results(self) -> tuple[UInt8[np.ndarray, " N"], list[pl.Series]]:
        """Status and every result column, densities included, at one moment: snapshots."""
        with self._lock:
            columns = [c.series() for c in self._columns.values()]
            return self._status.copy(), [*columns, *self._density.series(len(self))]

    def snapshot(self) -> tuple[Snapshot, tuple[str, int]]:
        """What a file keeps (everything but densities), and the `state` it was taken in."""
        with self._lock:
            columns = {name: column.array() for name, column in self._columns.items()}
            status, state = self._status.copy(), self.state
        return Snapshot(
            self.data,
            self.spec,
            status,
            self.reasons,
            self.contexts,
            columns,
            self.version,
            self.created,
            self.forced,
        ), state


def _filled(name: str, status: UInt8[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    return (status >= FILLED[name]) & (status <= Status.SCORED)
