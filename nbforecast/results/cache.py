"""Where results are found again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.results.entry import Entry, Key


class Cache:
    """The entries of this kernel, one for each (handle, model, horizon)."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, create: Callable[[], Entry]) -> Entry:
        """The entry of that key, made if there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = create()
            else:
                entry.meta.hits += 1
            entry.meta.used = time.time()
            return entry

    def put(self, entry: Entry) -> None:
        """Make an entry the one of its key."""
        with self._lock:
            self._entries[entry.meta.key] = entry

    def entries(self) -> pl.DataFrame:
        """A row an entry: handle, model, horizon, origins, how many are inferred and calculated, bytes, hits."""
        with self._lock:
            entries = list(self._entries.values())
        return pl.DataFrame(
            [
                {
                    "handle": e.meta.key.handle,
                    "model": e.meta.model_name,
                    "horizon": e.meta.key.horizon,
                    "series": len(e.meta.index_len),
                    "origins": len(e),
                    "available": e.available,
                    "inferred": e.inferred,
                    "calculated": e.calculated,
                    "memory_bytes": e.nbytes,
                    "hits": e.meta.hits,
                }
                for e in entries
            ],
            schema={
                "handle": pl.String,
                "model": pl.String,
                "horizon": pl.Int64,
                "series": pl.Int64,
                "origins": pl.Int64,
                "available": pl.Int64,
                "inferred": pl.Int64,
                "calculated": pl.Int64,
                "memory_bytes": pl.Int64,
                "hits": pl.Int64,
            },
        )

    def flush(self) -> int:
        """Forget every entry; returns how many there were. Runs that hold one keep it."""
        with self._lock:
            count = len(self._entries)
            self._entries.clear()
            return count
