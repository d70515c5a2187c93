"""What the cache holds, in memory and on disk, as one list."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.directory import CacheFile
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata

    Mark = tuple[EntrySlice, CacheFile | None, tuple[object, ...]]

_TICK = 0.05  # seconds; a file system's clock may stand still for as long


@dataclass(frozen=True)
class Item:
    """One key's results.

    name: what the frame was called, if that is known. start, end: the data's first and last time. view_of: the handle
    of the longer history in whose entry they are. used, created: seconds since the epoch. `view` is what is in memory,
    `found` the file; either may be missing.
    """

    key: CacheKey
    name: str | None
    model: str
    series: int
    origins: int
    available: int
    inferred: int
    calculated: int
    start: str
    end: str
    frequency: str
    memory_bytes: int
    disk_bytes: int
    hits: int
    reused: int
    view_of: str | None
    version: str
    created: float
    used: float
    view: EntrySlice | None
    found: CacheFile | None

    @cached_property
    def address(self) -> str:
        """The key as text: the stem of its file."""
        return str(self.key)


class Inventory:
    """Everything the cache holds, look by look: what has not changed since the last one costs next to nothing.

    Files that other kernels write, rename or remove are noticed; when they have used one is known at the next such
    change. An inventory keeps what it has listed in memory until the next look.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._stamp: object = None
        self._files: dict[tuple[str, str], CacheFile] = {}
        self._held: dict[int, tuple[Mark, Item]] = {}
        self._saved: dict[CacheFile, Item | None] = {}

    def look(self) -> list[Item]:
        """Everything as it stands, the last used first; an unchanged item is the same object as before.

        Files that cannot be read are left out.
        """
        self._list_files()
        saved, held = dict(self._files), {}
        for view in self._cache.views():
            files = [(view.data.handle, group) for group in view.spec.groups]
            found = next((saved.pop(file) for file in files if file in saved), None)
            held[id(view)] = self._held_item(view, found)
        self._held = held
        self._saved = {found: self._saved_item(found) for found in saved.values()}
        items = [item for _, item in held.values()] + [item for item in self._saved.values() if item is not None]
        return sorted(items, key=lambda item: -item.used)

    def _list_files(self) -> None:
        """The directory's files, listed anew if it has changed; a change in the same tick is not told by its time."""
        store, stamp, now = self._cache.store, None, time.time()
        with suppress(OSError):
            changed = 0.0 if store is None else store.directory.stat().st_mtime
            stamp = (store, changed) if changed + _TICK < now else None
        if stamp is None or stamp != self._stamp:
            self._files = {} if store is None else {(f.handle, f.group): f for f in store.files()}
            self._stamp = stamp

    def _held_item(self, view: EntrySlice, found: CacheFile | None) -> tuple[Mark, Item]:
        entry = view.entry
        mark = view, found, (entry.state, entry.hits, entry.reused, entry.used, entry.densities)
        known = self._held.get(id(view))
        return known if known is not None and known[0] == mark else (mark, _held(view, found))

    def _saved_item(self, found: CacheFile) -> Item | None:
        if found in self._saved:
            return self._saved[found]
        header = None if self._cache.store is None else self._cache.store.header(found)
        return None if header is None else _saved(found, header)


def inventory(cache: Cache) -> list[Item]:
    """Everything the cache holds, the last used first. Files that cannot be read are left out."""
    return Inventory(cache).look()


def _held(view: EntrySlice, found: CacheFile | None) -> Item:
    entry, data = view.entry, view.data
    own = view.key == entry.key
    return Item(
        key=view.key,
        name=data.names.frame,
        model=view.spec.model.name,
        series=len(data.ids),
        origins=len(data),
        available=view.available,
        inferred=view.inferred,
        calculated=view.calculated,
        start=_shown(data.time.min()),
        end=_shown(data.time.max()),
        frequency=data.frequency.describe(),
        memory_bytes=entry.nbytes if own else 0,
        disk_bytes=found.size if found is not None else 0,
        hits=entry.hits,
        reused=entry.reused if own else view.inferred,
        view_of=None if own else entry.key.handle,
        version=entry.version,
        created=entry.created,
        used=entry.used,
        view=view,
        found=found,
    )


def _saved(found: CacheFile, header: Metadata) -> Item:
    facts = header.facts
    return Item(
        key=header.key,
        name=facts["name"],
        model=header.spec.model.name,
        series=len(facts["ids"]),
        origins=header.rows,
        available=facts["available"],
        inferred=facts["inferred"],
        calculated=facts["calculated"],
        start=_shown(facts["start_time"]),
        end=_shown(facts["end_time"]),
        frequency=header.frequency.describe(),
        memory_bytes=0,
        disk_bytes=found.size,
        hits=0,
        reused=0,
        view_of=None,
        version=facts["version"],
        created=facts["created"],
        used=found.used,
        view=None,
        found=found,
    )


def _shown(moment: object) -> str:
    return str(moment).replace("T", " ").removesuffix(".000000").removesuffix(" 00:00:00")
