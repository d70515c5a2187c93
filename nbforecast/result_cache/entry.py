"""Everything that the cache holds for one key: forecasts and calculations, a row an origin."""

from __future__ import annotations

import secrets
import threading
from copy import copy
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache.density_columns import DensityColumns
from nbforecast.result_cache.entry_record import EntryRecord, State, Version
from nbforecast.result_cache.result_column import Column
from nbforecast.result_cache.snapshot import ColumnViews, RowResults, Snapshot, has_forecast, has_result
from nbforecast.result_cache.status import FIRST_STATUS, Status, column_shapes

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.result_cache.fingerprints import Fingerprints
    from nbforecast.result_cache.growth import Growth
    from nbforecast.result_cache.key import ForecastSpec
    from nbforecast.scoring.origin_scores import Calculations, Densities


class Entry(EntryRecord):
    """Forecasts and calculations of every origin of a dataset, written while readers read.

    Rows are the dataset's rows: ascending in time, the last of each series index 0. Results are written a batch at a
    time under one lock (E3). What is handed out is a snapshot that later writes do not change (C3).

    Attributes:
        version: Changes whenever results are discarded (C4); a write for an earlier version is dropped (C8a).
        lock_count: How often results were written under the lock.
    """

    def __init__(
        self,
        data: Dataset,
        spec: ForecastSpec,
        reasons: UInt8[np.ndarray, " N"],
        *,
        forced: float = 0.0,
        fingerprints: Fingerprints | None = None,
        covariates: str | None = None,
        columns: dict[str, Column] | None = None,
    ) -> None:
        """Create an entry without results; `columns` are its memory, the other arguments those of `EntryRecord`."""
        super().__init__(data, spec, reasons, forced, fingerprints, covariates)
        self.version: Version = secrets.token_hex(8)
        self.lock_count = self._changes = 0
        never = reasons != UnavailableReason.AVAILABLE
        shapes = column_shapes(spec.horizon, spec.draws)
        self._columns = columns or {name: Column(name, len(data), shape, never) for name, shape in shapes.items()}
        self._status = np.where(never, Status.UNAVAILABLE, Status.PENDING).astype(np.uint8)
        self._densities = DensityColumns(spec.horizon)
        self._lock = threading.Lock()  # protects the columns, the status and the version; see engine/engine.py

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, densities: DensityColumns | None = None) -> Entry:
        """The entry that a snapshot was taken of.

        Args:
            snapshot: Its arrays become the entry's.
            densities: Those of its rows, if there are any.

        Returns:
            An entry with the snapshot's results.
        """
        entry = cls(
            snapshot.data, snapshot.spec, snapshot.reasons, forced=snapshot.forced, covariates=snapshot.covariates
        )
        entry.forced_times = snapshot.forced_times
        entry.version, entry.created, entry.contexts = snapshot.version, snapshot.created, snapshot.contexts
        entry.cleared, entry.is_exact, entry.former = snapshot.cleared, snapshot.is_exact, snapshot.former
        entry._status = snapshot.status.copy()
        if snapshot.rows is not None:
            entry.unsearched = snapshot.status == Status.PENDING
        never = snapshot.reasons != UnavailableReason.AVAILABLE
        for name, values in snapshot.columns.items():
            is_written = has_result(name, entry._status)
            if snapshot.rows is None:
                entry._columns[name] = Column.from_array(name, values, is_written, never)
            else:
                is_written = is_written[snapshot.rows]
                entry._columns[name].write(snapshot.rows[is_written], values[is_written])
        if densities is not None:
            entry._densities = densities
        return entry

    @classmethod
    def grown(cls, old: Entry, growth: Growth, data: Dataset, reasons: UInt8[np.ndarray, " M"]) -> Entry:
        """An entry of data to which rows were appended, which shares memory with that of the data before (V2).

        Args:
            old: The entry of the data before; it does not change.
            growth: What was appended.
            data: The data.
            reasons: (M,) for every row why it cannot be forecast, 0 where it can.

        Returns:
            A new entry. The results of the new rows are missing, and scores that the new values change.
        """
        places = growth.places
        with old._lock:
            before, state, densities = old._status.copy(), old.state, old._densities.moved(places)
            status, reasons = growth.carry(before, reasons)
            never, is_blank = reasons > 0, (before == Status.UNAVAILABLE) & (status == Status.UNAVAILABLE)
            columns = {
                name: column.grown(places, growth.new, has_result(name, status) | is_blank, never)
                for name, column in old._columns.items()
            }
        entry = cls(data, old.spec, reasons, fingerprints=growth.fingerprints, columns=columns)
        entry._status[places], entry._densities, entry.contexts = status, densities, growth.contexts
        entry.forced, entry.forced_times[places] = old.forced, old.forced_times
        entry.reused = int(has_forecast(status).sum())
        entry.former, entry.grown_from = old.next_former, (ref(old), state)
        return entry

    def __len__(self) -> int:
        return len(self.data)

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """(N,) a `Status` each, at this moment."""
        return self._status.copy()

    @property
    def state(self) -> State:
        """Differs after every write: the version and the number of changes."""
        return self.version, self._changes

    @property
    def complete(self) -> bool:
        """Whether no row is pending or lacks calculations."""
        return bool((self._status >= Status.SCORED).all())

    @property
    def densities(self) -> int:
        """How many rows have a density."""
        return len(self._densities.rows)

    def density_columns(self) -> DensityColumns:
        """The densities at this moment."""
        with self._lock:
            return copy(self._densities)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the results take."""
        return sum(c.nbytes for c in self._columns.values()) + self._densities.nbytes + 18 * len(self)

    def is_pending(self, rows: Int64[np.ndarray, " R"]) -> Bool[np.ndarray, " R"]:
        """Which rows have no forecast yet.

        Args:
            rows: (R,) rows.

        Returns:
            (R,) whether each is pending.
        """
        return self._status[rows] == Status.PENDING

    def write_forecasts(
        self, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"], version: Version | None = None
    ) -> int:
        """Store forecasts; rows that have one keep it.

        Args:
            rows: (R,) distinct rows.
            draws: (R, H, Q) ascending draws.
            version: The version they were made for; nothing is stored if it is no longer the entry's (C8a).

        Returns:
            How many were stored.
        """
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return 0
            is_new = self._status[rows] == Status.PENDING
            self._columns["forecast"].write(rows[is_new], draws[is_new])
            self._status[rows[is_new]] = Status.INFERRED
            self._changes += 1
            return int(is_new.sum())

    def write_calculations(
        self, rows: Int64[np.ndarray, " R"], calculations: Calculations, version: Version | None = None
    ) -> None:
        """Store what was calculated from the forecasts of some rows.

        Args:
            rows: (R,) distinct rows.
            calculations: Of these rows.
            version: The version they were made for; nothing is stored if it is no longer the entry's (C8a).
        """
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return
            status = self._status[rows]
            for name, values in calculations._asdict().items():
                is_missing = (status >= Status.INFERRED) & (status < FIRST_STATUS[name])
                self._columns[name].write(rows[is_missing], values[is_missing])
            self._status[rows[has_forecast(status)]] = Status.SCORED
            self._changes += 1

    def write_densities(
        self, rows: Int64[np.ndarray, " R"], densities: Densities, version: Version | None = None
    ) -> None:
        """Store densities; only those of the rows written last are kept.

        Args:
            rows: (R,) distinct rows.
            densities: Of these rows.
            version: The version they were made for; nothing is stored if it is no longer the entry's (C8a).
        """
        with self._lock:
            self.lock_count += 1
            if version not in (None, self.version):
                return
            self._densities.write(rows, densities.limits, densities.density)

    def adopt(self, rows: Int64[np.ndarray, " R"], results: RowResults) -> None:
        """Store results of another entry bit for bit, for the rows that are pending or were forced earlier (C5, C6).

        Frames and arrays that were handed out do not change (C3).

        Args:
            rows: (R,) distinct rows.
            results: Of these rows.
        """
        if not len(rows):
            return
        with self._lock:
            self.lock_count += 1
            is_earlier = has_forecast(self._status[rows]) & (self.forced_times[rows] < results.forced_times)
            if is_earlier.any():
                self._discard(rows[is_earlier], Status.PENDING)
            is_pending = self._status[rows] == Status.PENDING
            if not is_pending.all():
                rows, results = rows[is_pending], results.where(is_pending)
            for name, column in results.values.items():
                has_result = results.status >= FIRST_STATUS[name]
                if has_result.all():
                    self._columns[name].write(rows, column)
                else:
                    self._columns[name].write(rows[has_result], column[has_result])
            self._status[rows] = results.status
            contexts, times = self.contexts.copy(), self.forced_times.copy()
            contexts[rows], times[rows] = results.contexts, results.forced_times
            self.contexts, self.forced_times, self.forced = contexts, times, float(times.max())
            self._changes += 1

    def read(self, rows: Int64[np.ndarray, " R"]) -> RowResults:
        """Results of some rows at one moment, to adopt elsewhere.

        Args:
            rows: (R,) rows.

        Returns:
            The results.
        """
        with self._lock:
            values = {name: column.peek(rows) for name, column in self._columns.items()}
            return RowResults(self._status[rows], self.contexts[rows], self.forced_times[rows], values)

    def discard(self, rows: Int64[np.ndarray, " R"], keep: Status) -> int:
        """Remove results above a status; work in progress for the entry is dropped (C8a, C11).

        Frames and arrays that were handed out do not change (C3).

        Args:
            rows: (R,) rows.
            keep: The highest status that the rows may have afterwards.

        Returns:
            How many rows had a higher one.
        """
        with self._lock:
            status = self._status[rows]
            affected = rows[has_forecast(status) & (status > keep)]
            if len(affected):
                self._discard(affected, keep)
            return len(affected)

    def _discard(self, rows: Int64[np.ndarray, " R"], keep: Status) -> None:
        """Remove results above a status from rows that have a higher one (`_lock` is held)."""
        new_status = self._status.copy()
        new_status[rows] = keep
        never = self.reasons != UnavailableReason.AVAILABLE
        columns = {
            name: column.with_rows(np.flatnonzero(has_result(name, new_status)), never)
            if FIRST_STATUS[name] > keep
            else column
            for name, column in self._columns.items()
        }
        # an interrupt up to here changes nothing, and one from here on costs work in progress at most
        self.version = secrets.token_hex(8)
        self._columns, self._status = columns, new_status
        self._changes += 1
        if keep == Status.PENDING:
            self._densities.discard(rows)

    def discard_densities(self, rows: Int64[np.ndarray, " R"]) -> int:
        """Remove the densities of some rows; work in progress for the entry is dropped.

        Args:
            rows: (R,) rows.

        Returns:
            How many of them had a density.
        """
        with self._lock:
            count = self._densities.discard(rows)
            if count:
                self.version = secrets.token_hex(8)
            return count

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of one column.

        Args:
            column: A name of `status.FIRST_STATUS`.
            rows: (R,) rows.

        Returns:
            (R, ...) the values, NaN where there is no result yet.
        """
        with self._lock:
            return self._columns[column].take(rows)

    def array(self, column: str) -> Float32[np.ndarray, "N *T"]:
        """A whole column, read-only; no copy once the entry is complete.

        Args:
            column: A name of `status.FIRST_STATUS`.

        Returns:
            (N, ...) the values, NaN where there is no result yet.
        """
        with self._lock:
            return self._columns[column].array()

    def results(self) -> tuple[UInt8[np.ndarray, " N"], list[pl.Series]]:
        """Status and every result column, densities included, at one moment."""
        with self._lock:
            columns = [column.series() for column in self._columns.values()]
            return self._status.copy(), [*columns, *self._densities.series(len(self))]

    def results_of_rows(self, rows: Int64[np.ndarray, " R"]) -> tuple[UInt8[np.ndarray, " R"], list[pl.Series]]:
        """Status and every result column of some rows, densities included, at one moment.

        Args:
            rows: (R,) distinct rows.

        Returns:
            status: (R,) a `Status` each.
            columns: The columns of R rows, NaN where there is no result yet.
        """
        import polars as pl

        with self._lock:
            status, densities = self._status[rows], copy(self._densities)
            columns = [pl.Series(name, column.take(rows)) for name, column in self._columns.items()]
        return status, [*columns, *densities.take(rows).series(len(rows))]

    def snapshot(self) -> tuple[Snapshot, State]:
        """What a file holds (everything but densities), and the `state` it was taken in.

        It reads the entry's memory, and copies none of its results. While few rows have a forecast, it has their
        results only (E10).
        """
        with self._lock:
            status, state = self._status.copy(), self.state
            rows = np.flatnonzero(has_forecast(status))
            is_sparse = 2 * len(rows) < len(status)
            views = {name: column.view() for name, column in self._columns.items()}
        snapshot = Snapshot(
            data=self.data,
            spec=self.spec,
            status=status,
            reasons=self.reasons,
            contexts=self.contexts,
            columns=ColumnViews(views, status, rows if is_sparse else None),
            version=state[0],
            created=self.created,
            forced_times=self.forced_times,
            cleared=self.cleared,
            is_exact=self.is_exact,
            covariates=self.covariates,
            former=self.former,
            rows=rows if is_sparse else None,
        )
        return snapshot, state
