"""Where results are found again: in the memory of this process, and in the directory that processes share."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.errors import StorageError
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.reuse import FileCandidate, MemoryCandidate, begin_results
from nbforecast.result_cache.snapshot import has_forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.directory import CacheDirectory, CacheFile
    from nbforecast.result_cache.key import CacheKey, ForecastSpec
    from nbforecast.result_cache.reuse import ReuseCandidate

    Reasons = Callable[[], UInt8[np.ndarray, " N"]]

_log = logging.getLogger("nbforecast.result_cache")


def should_replace(present: int | None, new: int, *, agree: bool, force: bool) -> bool:
    """Whether a new result takes the place of the one that the cache holds (C7).

    | present     | agree | force | replaced | rule                                    |
    |-------------|-------|-------|----------|-----------------------------------------|
    | nothing     | -     | -     | yes      |                                         |
    | any         | no    | -     | no       | C7c: other data, the two are not merged |
    | smaller     | yes   | -     | yes      | C7a                                     |
    | not smaller | yes   | no    | no       | C7b                                     |
    | not smaller | yes   | yes   | yes      | C7b                                     |

    Args:
        present: How many origins the present result has; None if there is none.
        new: How many origins the new result has.
        agree: Whether both end at the same time and hold the same values wherever they overlap.
        force: Whether the new result was requested with `force`.

    Returns:
        Whether it does.
    """
    return present is None or (agree and (force or new > present))


class Cache:
    """The one place of results: an entry for each key, and slices for histories inside others.

    Attributes:
        directory: Where entries are saved; None where nothing is written.
        memory, disk: The bytes that entries may take in memory and on disk (C12).
        hits: Requests answered from memory or disk.
        misses: Requests for which there was nothing under their key.
        reused: Origins whose forecasts came from other entries.
        write_lock: Held while results go to disk. Whoever removes results holds it, so that none come back afterwards
            (C16). It is taken before any other lock; `engine/engine.py` has the order of all.
    """

    def __init__(self, directory: CacheDirectory | None, memory: int, disk: int) -> None:
        self.directory = directory
        self.memory = memory
        self.disk = disk
        self.hits = self.misses = self.reused = 0
        self._slices: dict[CacheKey, EntrySlice] = {}
        self._pins: dict[int, int] = {}
        self._lock = threading.RLock()  # protects _slices and _pins
        self._build_lock = threading.RLock()  # one thread at a time creates entries, so that no two have one key
        self.write_lock = threading.RLock()

    # --- look-up -----------------------------------------------------------------------------------------------------

    def find(self, data: Dataset, spec: ForecastSpec, reasons: Reasons, *, force: bool = False) -> EntrySlice:
        """Results for some data, as far as they are known (C5).

        Args:
            data: The dataset.
            spec: How the forecasts are made.
            reasons: Returns for every row (N,) why it cannot be forecast from `data`, 0 where it can; called if needed.
            force: Begin a new entry that only the caller has (C6).

        Returns:
            The results.
        """
        if force:
            return EntrySlice.whole(Entry(data, spec, reasons(), forced=time.time()))
        key = spec.key(data.handle)
        entry_slice = self._hit(key)
        if entry_slice is None:
            with self._build_lock:
                entry_slice = self._hit(key) or self._read_in(key) or self._build(key, data, spec, reasons)
            self._trim_if_free()
        return entry_slice.with_data(data)

    def open(self, key: CacheKey) -> EntrySlice | None:
        """Stored results, read into memory if need be.

        Args:
            key: Their key.

        Returns:
            The results; None if there are none or they cannot be read.
        """
        with self._build_lock:
            entry_slice = self._hit(key) or self._read_in(key)
        self._trim_if_free()
        return entry_slice

    def peek(self, key: CacheKey) -> EntrySlice | None:
        """Results in memory, without counting a request.

        Args:
            key: Their key.

        Returns:
            The results; None if there are none in memory.
        """
        with self._lock:
            return self._slices.get(key)

    def is_current(self, entry_slice: EntrySlice) -> bool:
        """Whether the cache holds a slice's entry for its data (C8).

        Args:
            entry_slice: Any slice.

        Returns:
            Whether it does.
        """
        present = self.peek(entry_slice.key)
        return present is not None and present.entry is entry_slice.entry

    def slices(self) -> list[EntrySlice]:
        """The results in memory, one for each key."""
        with self._lock:
            return list(self._slices.values())

    def entries(self) -> list[Entry]:
        """The entries in memory."""
        return list({id(part.entry): part.entry for part in self.slices()}.values())

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
        entry = None if file is None else self.read(file)
        if entry is None:
            return None
        self.hits += 1
        self._mark_used(entry)
        entry_slice = EntrySlice.whole(entry)
        self.publish(entry_slice)
        return entry_slice

    def _build(self, key: CacheKey, data: Dataset, spec: ForecastSpec, reasons: Reasons) -> EntrySlice:
        """Results that begin with what other entries hold (`_build_lock` is held)."""
        self.misses += 1
        candidates = self._candidates(key, data, spec)
        entry_slice = begin_results(data, spec, reasons(), Fingerprints(data), candidates)
        self.reused += entry_slice.inferred
        if entry_slice.key != entry_slice.entry.key:
            self._mark_used(entry_slice.entry)
            self.publish(EntrySlice.whole(entry_slice.entry))
        self.publish(entry_slice)
        return entry_slice

    def _candidates(self, key: CacheKey, data: Dataset, spec: ForecastSpec) -> Iterator[ReuseCandidate]:
        """Entries of the spec on the grid: in memory, the largest first, then on disk, the last used first."""
        entries = [e for e in self.entries() if e.spec == spec and e.data.frequency == data.frequency]
        yield from (MemoryCandidate(entry) for entry in sorted(entries, key=len, reverse=True))
        if self.directory is None:
            return
        in_memory = {entry.key for entry in entries}
        for file in self.directory.files(key.spec.groups):
            metadata = self.directory.metadata(file)
            if metadata is not None and metadata.frequency == data.frequency and metadata.key not in in_memory:
                yield FileCandidate(self.directory, file, metadata, self.read)

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
            Whether it was stored now; False also for one that the cache holds already.
        """
        entry_slice = entry_slice.with_requested(None)
        with self._lock:
            present = self._slices.get(entry_slice.key)
            if present is not None and present.entry is entry_slice.entry:
                return False
            count = None if present is None else present.inferred
            if not should_replace(count, entry_slice.inferred, agree=True, force=force):
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
        entry_slice = entry_slice.with_requested(None)
        with self.write_lock:
            if publish:
                self.publish(entry_slice, force=bool(entry_slice.entry.forced) and entry_slice.complete)
            if self.is_current(entry_slice):
                self.save(entry_slice.entry)
                self._replace_parts(entry_slice.entry)
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
                present = EntrySlice.whole(entry)
                self.publish(present)
            elif present.key == present.entry.key:
                rows = np.flatnonzero((present.status == 0) & has_forecast(entry.status))
                status, values = entry.read(rows)
                present.entry.adopt(rows, status, entry.contexts[rows], values)
            return present

    def _replace_parts(self, entry: Entry) -> None:
        """Serve the histories that an entry contains from it, instead of from smaller entries of their own (C7a)."""
        for present in self.slices():
            smaller = present.entry
            is_alike = smaller.spec == entry.spec and smaller.data.frequency == entry.data.frequency
            if smaller is entry or present.key != smaller.key or not is_alike:
                continue
            part = EntrySlice.newest_part(entry, present.data, smaller.fingerprints, smaller.reasons)
            replaces = should_replace(len(smaller), len(entry), agree=part is not None, force=False)
            if part is not None and replaces and part.inferred >= present.inferred:
                with self._lock:
                    self._slices[present.key] = part
                    self._repoint(smaller, entry)
                file = None if self.directory is None else self.directory.find(present.key)
                if file is not None and self.directory is not None and entry.saved == entry.state:
                    self.directory.remove(file)

    def _repoint(self, old: Entry, new: Entry) -> None:
        """Read parts of an entry from the one that has replaced it (`_lock` is held)."""
        for key, part in list(self._slices.items()):
            if part.entry is old and key != old.key:
                new_part = EntrySlice.newest_part(new, part.data, Fingerprints(part.data), part.reasons)
                if new_part is None:
                    del self._slices[key]
                else:
                    self._slices[key] = new_part

    # --- memory ------------------------------------------------------------------------------------------------------

    def pin(self, entry: Entry, change: int = 1) -> None:
        """Keep an entry in memory while a task works on it.

        Args:
            entry: The entry.
            change: 1 for a task that begins, -1 for one that ends.
        """
        with self._lock:
            count = self._pins.pop(id(entry), 0) + change
            if count > 0:
                self._pins[id(entry)] = count

    def evict(self, key: CacheKey) -> EntrySlice | None:
        """Remove results from memory, with the slices of their entry. Runs that hold them keep them.

        Args:
            key: Their key.

        Returns:
            What was removed, None if there was nothing.
        """
        with self._build_lock, self._lock:
            removed = self._slices.pop(key, None)
            if removed is not None and removed.key == removed.entry.key:
                self._slices = {k: part for k, part in self._slices.items() if part.entry is not removed.entry}
            return removed

    def clear(self) -> list[Entry]:
        """Remove everything from memory; returns the entries. Runs that hold one keep it."""
        with self._build_lock, self._lock:
            entries = self.entries()
            self._slices.clear()
            return entries

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

    def read(self, file: CacheFile, directory: CacheDirectory | None = None) -> Entry | None:
        """The entry of a file.

        Args:
            file: The file.
            directory: Its directory, if it is not the cache's own.

        Returns:
            A new entry that only the caller has; None if the file cannot be read.
        """
        directory = directory or self.directory
        snapshot = None if directory is None else directory.read(file)
        if snapshot is None:
            return None
        entry = Entry.from_snapshot(snapshot)
        entry.used = file.used
        if directory is self.directory:
            entry.saved = entry.state
        return entry

    def save(
        self, entry: Entry, *, overwrite: bool = False, trim: bool = True, required: bool = False
    ) -> CacheFile | None:
        """Save an entry that has changed since it was last saved, or whose file is missing (C9).

        Args:
            entry: The entry.
            overwrite: Replace the file, instead of adding what other processes have saved in it (C13).
            trim: Keep to the budget of disk afterwards.
            required: Raise an error if the entry cannot be saved, instead of logging a warning.

        Returns:
            The file written, None if there was no need or no way to write.

        Raises:
            StorageError: The entry is `required` to be saved and cannot be.
        """
        if self.directory is None:
            return None
        if entry.saved == entry.state and not overwrite and self.directory.find(entry.key) is not None:
            return None
        with self.write_lock:
            snapshot, state = entry.snapshot()
            if not (snapshot.inferred or overwrite):
                return None
            try:
                file = self.directory.write(snapshot, overwrite=overwrite)
                if trim:
                    self.directory.trim(self.disk, keep=file.path)
            except OSError as error:
                message = f"Results stay in memory, since they cannot be saved: {error}."
                if required:
                    raise StorageError(message) from error
                _log.warning(message)
                return None
            entry.saved = state
            return file

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
        if files:
            self.directory.trim(self.disk, keep=files[0][1].path)
        return [file for _, file in files]
