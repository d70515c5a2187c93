"""The results in memory: a slice for each key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbforecast.result_cache.entry import Entry
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey


class SliceTable:
    """What a cache holds in memory. Any thread may use it; `engine/engine.py` has the order of all locks."""

    def __init__(self) -> None:
        self._slices: dict[CacheKey, EntrySlice] = {}
        self._pins: dict[int, int] = {}
        self._lock = threading.RLock()  # protects _slices and _pins
        self._build_lock = threading.RLock()  # one thread at a time creates entries, so that no two have one key

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
        """Remove everything from memory; returns the entries. Runs that hold one keep it, and do not bring it back."""
        with self._build_lock, self._lock:
            entries = self.entries()
            for entry in entries:
                entry.is_released = True
            self._slices.clear()
            return entries
