"""Where results are found again: in this kernel's memory, and in the directory that kernels share."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.errors import StorageError
from nbforecast.result_cache.collisions import Verdict, settle
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.leads import FileCandidate, MemoryCandidate
from nbforecast.result_cache.reuse import begin
from nbforecast.result_cache.snapshot import has_forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.directory import CacheDirectory, CacheFile
    from nbforecast.result_cache.key import CacheKey, ForecastSpec
    from nbforecast.result_cache.reuse import ReuseCandidate

_log = logging.getLogger("nbforecast.result_cache")


class Cache:
    """The one place of results: an entry for each (handle, model, horizon), and views for histories inside others.

    memory, disk: bytes that entries may take; what was used longest ago goes first, from memory to disk.
    `putting_away` is held while results go to disk: who removes some takes it, so that none come back after it. It is
    taken before any other lock.
    `misses` counts requests for which nothing was there under their key, `reused` origins that other entries gave.
    """

    def __init__(self, store: CacheDirectory | None, memory: int, disk: int) -> None:
        self.store = store
        self.memory = memory
        self.disk = disk
        self.hits = self.misses = self.reused = 0
        self._views: dict[CacheKey, EntrySlice] = {}
        self._pins: dict[int, int] = {}
        self._lock = threading.RLock()
        self._making = threading.RLock()
        self.putting_away = threading.RLock()

    def find(
        self,
        data: Dataset,
        spec: ForecastSpec,
        reasons: Callable[[], UInt8[np.ndarray, " N"]],
        *,
        force: bool = False,
    ) -> EntrySlice:
        """Results for some data, as far as they are known; nobody but the caller has them yet if `force`.

        reasons: says for every row why it cannot be forecast from these data.
        """
        if force:
            return EntrySlice.whole(Entry(data, spec, reasons(), forced=time.time()))
        key = spec.key(data.handle)
        view = self._hit(key)
        if view is None:
            with self._making:
                view = self._hit(key) or self._make(key, data, spec, reasons)
            self._make_room()
        return view.of(data)

    def open(self, key: CacheKey) -> EntrySlice | None:
        """What is kept under a key, brought into memory if need be; None if there is nothing, or it cannot be read."""
        with self._making:
            view = self._hit(key) or self._read_in(key)
        self._make_room()
        return view

    def held(self, key: CacheKey) -> EntrySlice | None:
        """What is in memory under a key."""
        with self._lock:
            return self._views.get(key)

    def current(self, view: EntrySlice) -> bool:
        """Whether a view's entry is the one that the cache holds for its data."""
        held = self.held(view.key)
        return held is not None and held.entry is view.entry

    def offer(self, view: EntrySlice, *, force: bool = False) -> Verdict:
        """Hand in a result for one key; `settle` says what becomes of it."""
        with self._lock:
            held = self._views.get(view.key)
            if held is not None and held.entry is view.entry:
                return Verdict.RETURN
            verdict = settle(None if held is None else held.inferred, view.inferred, agree=True, force=force)
            if verdict is not Verdict.RETURN:
                self._views[view.key] = view
                view.entry.offered = True
                if held is not None and held.key == held.entry.key:
                    self._replace(held.entry, view.entry)
            return verdict

    def finish(self, view: EntrySlice, *, asked: bool) -> None:
        """Work on a view has ended: its entry replaces smaller ones and is saved, and old ones make room.

        asked: somebody holds the result, so it is handed in; what follows by itself only fills what is there.
        """
        with self.putting_away:
            if asked:
                self.offer(view, force=bool(view.entry.forced) and view.complete)
            if self.current(view):
                self.save(view.entry)
                self._cover(view.entry)
            self.trim()

    def save(self, entry: Entry, *, instead: bool = False, trim: bool = True, must: bool = False) -> CacheFile | None:
        """Save an entry that has changed or is not on disk, or put it `instead` of what is.

        Failure costs a warning; if it `must` be saved, raises `StorageError`.
        """
        if self.store is None:
            return None
        if entry.saved == entry.state and not instead and self.store.find(entry.key) is not None:
            return None
        with self.putting_away:
            snapshot, state = entry.snapshot()
            if not (snapshot.inferred or instead):
                return None
            try:
                found = self.store.write(snapshot, instead=instead)
                if trim:
                    self.store.trim(self.disk, keep=found.path)
            except OSError as error:
                told = f"Results stay in memory, since they cannot be saved: {error}."
                if must:
                    raise StorageError(told) from error
                _log.warning(told)
                return None
            entry.saved = state
            return found

    def save_all(self, *, changed: bool = False, must: bool = False) -> list[CacheFile]:
        """Save every entry that is not on disk as it is, or only what has `changed` since; the last used first.

        Raises `StorageError` if they `must` be saved and cannot.
        """
        entries = sorted(self.entries(), key=lambda e: -e.used)
        kept = [e for e in entries if not (changed and e.saved == e.state)]
        found = [(e, f) for e in kept if (f := self.save(e, trim=False, must=must)) is not None]
        for entry, file in found:
            self.store.touch(file, entry.used)  # type: ignore[union-attr]
        if self.store is not None and found:
            self.store.trim(self.disk, keep=found[0][1].path)
        return [f for _, f in found]

    def take_in(self, entry: Entry) -> EntrySlice:
        """Hold an entry that was read from a file; what is held already under its key takes over what it lacks."""
        with self._making:
            held = self.held(entry.key)
            if held is None:
                held = EntrySlice.whole(entry)
                self.offer(held)
            elif held.key == held.entry.key:
                status = entry.status
                rows = np.flatnonzero((held.status == 0) & has_forecast(status))
                status, values = entry.read(rows)
                held.entry.adopt(rows, status, entry.contexts[rows], values)
            return held

    def forget(self, key: CacheKey) -> EntrySlice | None:
        """Let go of what is in memory under a key, and of views of its entry. Runs that hold it keep it."""
        with self._making, self._lock:
            gone = self._views.pop(key, None)
            if gone is not None and gone.key == gone.entry.key:
                self._views = {k: v for k, v in self._views.items() if v.entry is not gone.entry}
            return gone

    def clear(self) -> list[Entry]:
        """Let go of everything in memory; returns the entries. Runs that hold one keep it."""
        with self._making, self._lock:
            gone = self.entries()
            self._views.clear()
            return gone

    def views(self) -> list[EntrySlice]:
        """What is in memory: an entry, or a part of one, for each key."""
        with self._lock:
            return list(self._views.values())

    def entries(self) -> list[Entry]:
        """The entries in memory."""
        return list({id(v.entry): v.entry for v in self.views()}.values())

    def read(self, found: CacheFile, store: CacheDirectory | None = None) -> Entry | None:
        """The entry of a file, not held yet; None if it cannot be read."""
        store = store or self.store
        snapshot = None if store is None else store.read(found)
        if snapshot is None:
            return None
        entry = Entry.of(snapshot)
        entry.used = found.used
        if store is self.store:
            entry.saved = entry.state
        return entry

    def pin(self, entry: Entry, by: int = 1) -> None:
        """Keep an entry in memory while somebody works on it; `by=-1` ends that."""
        with self._lock:
            count = self._pins.pop(id(entry), 0) + by
            if count > 0:
                self._pins[id(entry)] = count

    def trim(self, most: int | None = None) -> list[Entry]:
        """Let go of the entries used longest ago until the rest take at most so many bytes (default: the budget).

        They are saved first, and stay where that fails. What is being worked on stays, too, and by default what was
        used last. Returns what went.
        """
        with self.putting_away:
            there = sorted(self.entries(), key=lambda e: e.used)
            total, limit = sum(e.nbytes for e in there), self.memory if most is None else most
            gone = []
            for entry in there if most is not None else there[:-1]:
                if total <= limit:
                    break
                if id(entry) in self._pins:
                    continue
                try:
                    self.save(entry, must=True)
                except StorageError as error:
                    _log.warning(str(error))
                    continue
                total -= entry.nbytes
                self.forget(entry.key)
                gone.append(entry)
            return gone

    def _make_room(self) -> None:
        """Keep to the budget of memory."""
        if self.putting_away.acquire(blocking=False):  # whoever holds it makes room at its end
            try:
                self.trim()
            finally:
                self.putting_away.release()

    def _hit(self, key: CacheKey) -> EntrySlice | None:
        with self._lock:
            view = self._views.get(key)
            if view is not None:
                self.hits += 1
                self._use(view.entry)
            return view

    def _make(
        self, key: CacheKey, data: Dataset, spec: ForecastSpec, reasons: Callable[[], UInt8[np.ndarray, " N"]]
    ) -> EntrySlice:
        """What is saved under a key, or a beginning made of what else is there."""
        view = self._read_in(key)
        if view is not None:
            return view
        self.misses += 1
        prints = Fingerprints(data)
        view = begin(data, spec, reasons(), prints, self._leads(key, data, spec))
        self.reused += view.inferred
        if view.key != view.entry.key:
            self._use(view.entry)
            self.offer(EntrySlice.whole(view.entry))
        self.offer(view)
        return view

    def _read_in(self, key: CacheKey) -> EntrySlice | None:
        """What is saved under a key, held from now on."""
        found = None if self.store is None else self.store.find(key)
        entry = None if found is None else self.read(found)
        if entry is None:
            return None
        self.hits += 1
        self._use(entry)
        view = EntrySlice.whole(entry)
        self.offer(view)
        return view

    def _leads(self, key: CacheKey, data: Dataset, spec: ForecastSpec) -> Iterator[ReuseCandidate]:
        """Entries of one spec on one grid: in memory, the largest first, then on disk, the last used first."""
        there = [e for e in self.entries() if e.spec == spec and e.data.frequency == data.frequency]
        yield from (MemoryCandidate(e) for e in sorted(there, key=len, reverse=True))
        if self.store is None:
            return
        held = {e.key for e in there}
        for found in self.store.files(key.spec.groups):
            header = self.store.header(found)
            if header is not None and header.frequency == data.frequency and header.key not in held:
                yield FileCandidate(self.store, found, header, self.read)

    def _use(self, entry: Entry) -> None:
        entry.hits += 1
        entry.used = time.time()
        found = None if self.store is None else self.store.find(entry.key)
        if found is not None and self.store is not None:
            self.store.touch(found)

    def _cover(self, entry: Entry) -> None:
        """Have an entry serve the histories it contains instead of smaller entries of their own."""
        for held in self.views():
            mine = held.entry
            alike = mine.spec == entry.spec and mine.data.frequency == entry.data.frequency
            if mine is entry or held.key != mine.key or not alike:
                continue
            part = EntrySlice.tail(entry, held.data, mine.fingerprints, mine.reasons)
            verdict = settle(len(mine), len(entry), agree=part is not None, force=False)
            if part is not None and verdict is Verdict.REPLACE and part.inferred >= held.inferred:
                with self._lock:
                    self._views[held.key] = part
                    self._replace(mine, entry)
                found = None if self.store is None else self.store.find(held.key)
                if found is not None and self.store is not None and entry.saved == entry.state:
                    self.store.remove(found)

    def _replace(self, old: Entry, new: Entry) -> None:
        """Have views of one entry read another one that has taken its place."""
        for key, view in list(self._views.items()):
            if view.entry is old and key != old.key:
                part = EntrySlice.tail(new, view.data, Fingerprints(view.data), view.reasons)
                if part is None:
                    del self._views[key]
                else:
                    self._views[key] = part
