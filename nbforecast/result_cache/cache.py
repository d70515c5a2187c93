"""Where results are found again: in the memory of this process, and in the directory that processes share."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64, UInt8

from nbforecast.errors import StorageError
from nbforecast.result_cache.collisions import should_replace
from nbforecast.result_cache.covariate_prints import entry_key
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.growth import find_growth
from nbforecast.result_cache.replacement import ReplaceableResults
from nbforecast.result_cache.reuse import MemoryCandidate, begin_results, list_candidates, overlap
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.directory import CacheDirectory
    from nbforecast.result_cache.key import CacheKey, ForecastSpec
    from nbforecast.result_cache.reuse import ReuseCandidate

    Reasons = Callable[[], UInt8[np.ndarray, " N"]]
    RequestedRows = Callable[[UInt8[np.ndarray, " N"]], Int64[np.ndarray, " R"] | None]

_log = logging.getLogger("nbforecast.result_cache")


class Cache(ReplaceableResults):
    """The one place of results: an entry for each key, and slices for histories inside others.

    Attributes:
        memory: The bytes that entries may take in memory (C12).
        hits: Requests answered from memory or disk.
        misses: Requests for which there was nothing under their key.
        reused: Origins whose forecasts came from other entries.
    """

    def __init__(self, directory: CacheDirectory | None, memory: int, disk: int) -> None:
        super().__init__(directory, disk)
        self.memory = memory
        self.hits = self.misses = self.reused = 0

    # --- look-up -----------------------------------------------------------------------------------------------------

    def find(
        self,
        data: Dataset,
        spec: ForecastSpec,
        reasons: Reasons,
        *,
        force: bool = False,
        exact: bool = False,
        requested: RequestedRows = lambda _: None,
    ) -> EntrySlice:
        """Results for some data, as far as they are known (C5).

        Args:
            data: The dataset.
            spec: How the forecasts are made.
            reasons: Returns for every row (N,) why it cannot be forecast from `data`, 0 where it can; called if needed.
            force: Begin a new entry that only the caller has (C6).
            exact: Use no forecast that was made from a longer history.
            requested: Returns from such reasons the rows (R,) that are asked for, None for all. Forecasts of other
                entries are looked for and held for these only (E10).

        Returns:
            The results.
        """
        if force:
            return EntrySlice.whole(self.mark_young(Entry(data, spec, reasons(), forced=time.time())))
        self._follow_others()
        key = entry_key(data, spec)
        entry_slice = self._hit(key)
        if entry_slice is None or (exact and not _is_exact(entry_slice)):
            with self._build_lock:
                entry_slice = self._hit(key) or self._read_in(key)
                if entry_slice is None or (exact and not _is_exact(entry_slice)):
                    entry_slice = self._build(key, data, spec, reasons, requested, exact=exact)
            self._trim_if_free()
        entry_slice.entry.is_exact |= exact
        cached = entry_slice.entry.data
        if spec.covariates is not None and cached.covariates is None and cached.groups is None:
            entry_slice.entry.data = data  # files hold neither covariates nor groups; the key says that they are these
        if entry_slice.entry.unsearched is not None and entry_slice.key == entry_slice.entry.key:
            with self._build_lock:
                self._search(entry_slice, requested(entry_slice.reasons))
        return entry_slice.with_data(data)

    def open(self, key: CacheKey) -> EntrySlice | None:
        """Stored results, read into memory if need be.

        Args:
            key: Their key.

        Returns:
            The results; None if there are none or they cannot be read.
        """
        self._follow_others()
        with self._build_lock:
            entry_slice = self._hit(key) or self._read_in(key) or self._open_view(key)
        self._trim_if_free()
        return entry_slice

    def _hit(self, key: CacheKey) -> EntrySlice | None:
        """Results in memory, counted as a request."""
        with self._lock:
            entry_slice = self._slices.get(key)
            if entry_slice is not None:
                self.hits += 1
                self._mark_used(entry_slice.entry)
            return entry_slice

    def _read_in(self, key: CacheKey) -> EntrySlice | None:
        """Results on disk, in memory from now on (`_build_lock` is held)."""
        file = None if self.directory is None else self.directory.find(key)
        entry = None if file is None or self.is_view(file) else self.read(file)
        if entry is None or entry.key != key:  # appended rows may have been damaged
            return None
        self.hits += 1
        self._mark_used(entry)
        entry_slice = EntrySlice.whole(entry)
        self.publish(entry_slice)
        return entry_slice

    def _open_view(self, key: CacheKey) -> EntrySlice | None:
        """Results of a history that a longer one contains, found by the record on disk (`_build_lock` is held)."""
        file = None if self.directory is None else self.directory.find(key)
        entry = None if file is None else self.read(file)
        if entry is None:
            return None
        part = self._build(key, entry.data, entry.spec, lambda: entry.reasons, lambda _: None, exact=False)
        if part.inferred:
            return part
        self.evict(key)  # the longer history is gone
        return None

    def _build(
        self,
        key: CacheKey,
        data: Dataset,
        spec: ForecastSpec,
        reasons: Reasons,
        requested: RequestedRows,
        *,
        exact: bool,
    ) -> EntrySlice:
        """Results that begin with what other entries hold (`_build_lock` is held)."""
        self.misses += 1
        grown = self._grow(data, spec, reasons, requested)
        if grown is not None:
            return grown
        why, prints = reasons(), Fingerprints(data)
        rows, damages = requested(why), -1
        while damages != self._damages:  # a file that is set aside while it is read leaves others to be found
            damages = self._damages
            entry_slice = begin_results(data, spec, why, prints, self._candidates(data, spec), rows, exact=exact)
        self.reused += entry_slice.inferred
        if entry_slice.key == entry_slice.entry.key:
            self.mark_young(entry_slice.entry)
        if entry_slice.key != entry_slice.entry.key:
            self._mark_used(entry_slice.entry)
            self.publish(EntrySlice.whole(entry_slice.entry))
        if exact:  # what the cache has held under the key is made from a longer history
            self.evict(key)
        self.publish(entry_slice)
        return entry_slice

    def _grow(self, data: Dataset, spec: ForecastSpec, reasons: Reasons, requested: RequestedRows) -> EntrySlice | None:
        """Results that begin with those of an entry in memory to whose data rows were appended (V2)."""
        candidates = list(self._candidates(data, spec))
        own = [c.entry for c in candidates if isinstance(c, MemoryCandidate) and len(c.entry) < len(data)]
        old = max(own, key=len, default=None)
        growth = (
            None
            if old is None or max(c.forced for c in candidates) > old.forced
            else find_growth(old, old.status, data)
        )
        if old is None or growth is None:
            return None
        entry = self.mark_young(Entry.grown(old, growth, data, reasons()))
        self.reused += entry.reused
        is_open = np.zeros(len(data), bool)
        if old.unsearched is not None:
            is_open[growth.places] = old.unsearched
        others = [c for c in candidates if not (isinstance(c, MemoryCandidate) and c.entry is old)]
        is_new = np.isin(np.arange(len(data)), growth.new) & (entry.reasons == 0)
        if any(overlap(growth.fingerprints, is_new, other.spans) for other in others):
            is_open |= is_new
        entry.unsearched = is_open if is_open.any() else None
        entry_slice = EntrySlice.whole(entry)
        self._search(entry_slice, requested(entry.reasons))
        self.publish(entry_slice)
        return entry_slice

    def _search(self, entry_slice: EntrySlice, requested: Int64[np.ndarray, " R"] | None) -> None:
        """Look in other entries for rows that no earlier request has asked for (`_build_lock` is held)."""
        entry = entry_slice.entry
        if entry.unsearched is None:
            return
        rows = np.flatnonzero(entry.unsearched) if requested is None else requested[entry.unsearched[requested]]
        pending = rows[entry.is_pending(rows)]
        if len(pending):
            all_candidates = self._candidates(entry.data, entry.spec)
            candidates = (c for c in all_candidates if not (isinstance(c, MemoryCandidate) and c.entry is entry))
            others = begin_results(
                entry.data, entry.spec, entry.reasons, entry.fingerprints, candidates, pending, exact=entry.is_exact
            )
            found = pending[has_forecast(others.status[pending])]
            entry.adopt(found, others.entry.read(others.entry_rows(found)))
            entry.reused += len(found)
            self.reused += len(found)
        unsearched = entry.unsearched.copy()
        unsearched[rows] = False
        entry.unsearched = unsearched if unsearched.any() else None

    def _candidates(self, data: Dataset, spec: ForecastSpec) -> Iterator[ReuseCandidate]:
        """Entries whose forecasts may be reused."""
        key = entry_key(data, spec)
        removals = [r.time for r in self.removals.newer(key, 0.0) if r.is_whole]
        return list_candidates(self.entries(), self.directory, self.read, data, spec, max(removals, default=0.0))

    @property
    def _damages(self) -> int:
        return 0 if self.directory is None else self.directory.damages

    def _mark_used(self, entry: Entry) -> None:
        entry.hits += 1
        entry.used = time.time()
        file = None if self.directory is None else self.directory.find(entry.key)
        if file is not None and self.directory is not None:
            self.directory.touch(file)

    # --- replacement -------------------------------------------------------------------------------------------------

    def publish(self, entry_slice: EntrySlice, *, force: bool = False) -> bool:
        """Hold a result under its key, if `should_replace` says so.

        Args:
            entry_slice: The result.
            force: Whether it was requested with `force` (C6).

        Returns:
            Whether it was stored now; False also for one that the cache holds already, or that was removed (C16).
        """
        entry_slice = entry_slice.with_requested(None)
        with self._lock:
            present = self._slices.get(entry_slice.key)
            if present is not None and present.entry is entry_slice.entry:
                return False
            if not self._belongs(entry_slice):
                return False
            count = None if present is None else present.inferred
            if not should_replace(count, entry_slice.inferred, agree=True, force=force):
                return False
            if present is not None and not self._adopt_forced(present, entry_slice):
                return False
            self._slices[entry_slice.key] = entry_slice
            entry_slice.entry.is_published = True
            if present is not None and present.key == present.entry.key:
                self._repoint(present.entry, entry_slice.entry)
            return True

    def complete(self, entry_slice: EntrySlice, *, publish: bool) -> None:
        """Store the results of a task that has ended: smaller entries are replaced (C7a), budgets are kept (C12).

        Args:
            entry_slice: The task's results.
            publish: Whether somebody requested them; those of idle work only complete what the cache holds.
        """
        is_forced = bool(entry_slice.entry.forced) and entry_slice.complete
        entry_slice = entry_slice.with_requested(None)
        with self.write_lock:
            if publish:
                self.publish(entry_slice, force=is_forced)
            self._follow_others()
            if self.is_current(entry_slice):
                self.save(entry_slice.entry)
                self._replace_parts(entry_slice.entry)
                self._evict_former(entry_slice.entry)
            elif entry_slice.entry.is_released:
                self.save(entry_slice.entry)
            self.trim()

    def adopt(self, entry: Entry) -> EntrySlice:
        """Hold an entry that was read from a file.

        Args:
            entry: An entry that nobody else has.

        Returns:
            What the cache holds under its key: the entry, or an earlier one with what it lacked (C13).
        """
        with self._build_lock:
            present = self.peek(entry.key)
            if present is None:
                present = EntrySlice.whole(self.mark_young(entry))
                self.publish(present)
            elif present.key == present.entry.key:
                is_later = (present.status == Status.PENDING) | (present.forced_times < entry.forced_times)
                rows = np.flatnonzero(is_later & has_forecast(entry.status))
                present.entry.adopt(rows, entry.read(rows))
            return present

    # --- memory ------------------------------------------------------------------------------------------------------

    def trim(self, limit: int | None = None) -> list[Entry]:
        """Remove the entries used longest ago from memory, after saving them (C12).

        Args:
            limit: The bytes that the others may take; None for the budget, which the entry used last may exceed.

        Returns:
            The entries removed. Those that are pinned or cannot be saved stay.
        """
        with self.write_lock:
            entries = sorted(self.entries(), key=lambda e: e.used)
            total, most = sum(e.nbytes for e in entries), self.memory if limit is None else limit
            removed = []
            for entry in entries if limit is not None else entries[:-1]:
                if total <= most:
                    break
                if id(entry) in self._pins:
                    continue
                try:
                    self.save(entry, required=True)
                except StorageError as error:
                    _log.warning(str(error))
                    continue
                total -= entry.nbytes
                self.evict(entry.key)
                removed.append(entry)
            return removed

    def _trim_if_free(self) -> None:
        """Keep to the budget of memory, unless a thread that writes does so at its end."""
        if self.write_lock.acquire(blocking=False):
            try:
                self.trim()
            finally:
                self.write_lock.release()

    # --- disk --------------------------------------------------------------------------------------------------------

    def save_all(self, *, changed: bool = False, required: bool = False) -> list[CacheFile]:
        """Save every entry in memory, the last used first.

        Args:
            changed: Leave out entries that have not changed since they were last saved, even if their file is missing.
            required: Raise an error if an entry cannot be saved, instead of logging a warning.

        Returns:
            The files written.

        Raises:
            StorageError: An entry is `required` to be saved and cannot be.
        """
        if self.directory is None:
            return []
        entries = sorted(self.entries(), key=lambda e: -e.used)
        entries = [entry for entry in entries if not (changed and entry.saved == entry.state)]
        files = [(e, file) for e in entries if (file := self.save(e, trim=False, required=required)) is not None]
        for entry, file in files:
            self.directory.touch(file, entry.used)
        for part in self.slices():
            if part.key != part.entry.key and self.directory.find(part.key) is None:
                self.save_view(part, part.reasons)
        if files:
            self.directory.trim(self.disk, keep=files[0][1].path)
        return [file for _, file in files]


def _is_exact(entry_slice: EntrySlice) -> bool:
    """Whether no forecast is made from a longer history than that of the data."""
    return not entry_slice.longer_contexts().any()
