"""Everything that the cache holds, in memory and on disk, as one list (C11)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata

    Mark = tuple[EntrySlice, CacheFile | None, tuple[object, ...]]

_TICK = 0.05  # seconds; two changes of a directory within this time may have the same modification time


@dataclass(frozen=True)
class Item:
    """The results of one key.

    Attributes:
        key: The key.
        name: The name of the frame, None if it has none.
        model: The forecaster's name.
        series, rows: How many series and grid steps the data have.
        available, inferred, calculated: How many origins can be forecast, have a forecast, have all calculations.
        start, end: The data's first and last time, as text.
        frequency: The grid's step, as text.
        memory_bytes, disk_bytes: What the results take; 0 where they are a slice of another entry.
        hits: How often the results were requested.
        reused: Origins whose forecasts came from other entries.
        view_of: The handle of the longer history that the results are a slice of, or None.
        version: The entry's version.
        created, used: When the entry was created and last requested, in seconds since the epoch.
        entry_slice: The results in memory, None if they are only on disk.
        file: The results on disk, None if they are only in memory.
    """

    key: CacheKey
    name: str | None
    model: str
    series: int
    rows: int
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
    entry_slice: EntrySlice | None
    file: CacheFile | None

    @cached_property
    def address(self) -> str:
        """The key as text: the stem of its file."""
        return str(self.key)


class Inventory:
    """Lists the cache again and again; what has not changed since the last listing costs next to nothing.

    It notices files that other processes write, rename or remove; when such a file was last used is updated at the next
    such change. It holds what it has listed in memory until the next listing.
    """

    def __init__(self, cache: Cache) -> None:
        """List a cache.

        Args:
            cache: The cache.
        """
        self._cache = cache
        self._stamp: object = None
        self._files: dict[tuple[str, str], CacheFile] = {}
        self._memory_items: dict[int, tuple[Mark, Item]] = {}
        self._file_items: dict[CacheFile, Item | None] = {}

    def items(self) -> list[Item]:
        """Everything in the cache, the last used first; files that cannot be read are left out.

        Returns:
            The items; an unchanged one is the same object as in the last listing.
        """
        self._list_files()
        files, memory_items = dict(self._files), {}
        for part in self._cache.slices():
            names = [(part.key.handle, group) for group in part.spec.groups]
            file = next((files.pop(name) for name in names if name in files), None)
            memory_items[id(part)] = self._memory_item(part, file)
        self._memory_items = memory_items
        self._file_items = {file: self._file_item(file) for file in files.values()}
        items = [item for _, item in memory_items.values()]
        items += [item for item in self._file_items.values() if item is not None]
        addresses = {item.address[:32] for item in items if item.view_of is None or item.entry_slice is not None}
        views = {item.key.handle for item in items if item.view_of is not None and item.entry_slice is None}
        items = [i for i in items if i.entry_slice is not None or i.view_of is None or i.view_of in addresses | views]
        return sorted(items, key=lambda item: -item.used)

    def _list_files(self) -> None:
        """List the directory again if it has changed; a change in the same tick does not show in its time."""
        directory, stamp, now = self._cache.directory, None, time.time()
        with suppress(OSError):
            changed = 0.0 if directory is None else directory.path.stat().st_mtime
            stamp = (directory, changed) if changed + _TICK < now else None
        if stamp is None or stamp != self._stamp:
            self._files = {} if directory is None else {(f.handle, f.group): f for f in directory.files()}
            self._stamp = stamp

    def _memory_item(self, part: EntrySlice, file: CacheFile | None) -> tuple[Mark, Item]:
        entry = part.entry
        mark = part, file, (entry.state, entry.hits, entry.reused, entry.used, entry.densities)
        last = self._memory_items.get(id(part))
        return last if last is not None and last[0] == mark else (mark, _item_in_memory(part, file))

    def _file_item(self, file: CacheFile) -> Item | None:
        if file in self._file_items:
            return self._file_items[file]
        metadata = None if self._cache.directory is None else self._cache.directory.metadata(file)
        return None if metadata is None else _item_on_disk(file, metadata)


def inventory(cache: Cache) -> list[Item]:
    """Everything in a cache, the last used first; files that cannot be read are left out.

    Args:
        cache: The cache.

    Returns:
        The items.
    """
    return Inventory(cache).items()


def _item_in_memory(part: EntrySlice, file: CacheFile | None) -> Item:
    entry, data = part.entry, part.data
    is_whole = part.key == entry.key
    return Item(
        key=part.key,
        name=data.names.frame,
        model=part.spec.model.name,
        series=len(data.ids),
        rows=len(data),
        available=part.available,
        inferred=part.inferred,
        calculated=part.calculated,
        start=_as_text(data.time.min()),
        end=_as_text(data.time.max()),
        frequency=data.frequency.describe(),
        memory_bytes=entry.nbytes if is_whole else 0,
        disk_bytes=file.size if file is not None else 0,
        hits=entry.hits,
        reused=entry.reused if is_whole else part.inferred,
        view_of=None if is_whole else entry.key.handle,
        version=entry.version,
        created=entry.created,
        used=entry.used,
        entry_slice=part,
        file=file,
    )


def _item_on_disk(file: CacheFile, metadata: Metadata) -> Item:
    facts, view = metadata.facts, metadata.view
    return Item(
        key=metadata.key,
        name=facts["name"],
        model=metadata.spec.model.name,
        series=len(facts["ids"]),
        rows=metadata.rows,
        available=facts["available"],
        inferred=facts["inferred"] if view is None else view.inferred,
        calculated=facts["calculated"] if view is None else view.calculated,
        start=_as_text(facts["start_time"]),
        end=_as_text(facts["end_time"]),
        frequency=metadata.frequency.describe(),
        memory_bytes=0,
        disk_bytes=file.size,
        hits=0,
        reused=0 if view is None else view.inferred,
        view_of=None if view is None else view.of.partition("-")[0],
        version=facts["version"],
        created=facts["created"],
        used=file.used,
        entry_slice=None,
        file=file,
    )


def _as_text(moment: object) -> str:
    return str(moment).replace("T", " ").removesuffix(".000000").removesuffix(" 00:00:00")
