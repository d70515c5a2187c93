"""Results saved into files and folders of the user's choice, and loaded from them."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbforecast.cache_manager.tables import Change
from nbforecast.distributed.destination import shards_below
from nbforecast.engine.tasks import Priority
from nbforecast.errors import InputError, NbForecastError, OptionError, StorageError
from nbforecast.result_cache import parquet
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.inventory import inventory
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.session import engine, results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.snapshot import Snapshot

_log = logging.getLogger("nbforecast.result_cache")


def save_entries(path: str | Path | None) -> Change:
    """Save results into a folder, or what is not saved yet into the cache's directory; see `ResultCache.save`."""
    cache = results()
    if path is None:
        if cache.directory is None:
            raise OptionError("NBFORECAST_CACHE=memory: nothing is written by itself. Give save() a folder.")
        return _saved(cache.save_all(required=True), cache.directory.path)
    target = CacheDirectory(_expand(path), own=False)
    if target.path.exists() and not target.path.is_dir():
        raise OptionError(f"{str(target.path)!r} is a file; give a folder to save into.")
    files = []
    with storage_errors(target.path):
        for entry in cache.entries():
            snapshot, _ = entry.snapshot()
            if snapshot.inferred:
                files.append(_write_to(target, snapshot))
        for item in inventory(cache):
            is_elsewhere = item.entry_slice is None and item.view_of is None
            if is_elsewhere and item.file is not None and cache.directory is not None:
                saved = cache.directory.read(item.file)
                if saved is not None:
                    files.append(_write_to(target, saved))
    return _saved(files, target.path)


def load_entries(path: str | Path | None) -> Change:
    """Load results from a folder or file, or from the cache's directory; see `ResultCache.load`."""
    cache = results()
    if path is None and cache.directory is None:
        raise OptionError("NBFORECAST_CACHE=memory: nothing is saved by itself. Give load() a folder or a file.")
    loaded = []
    for saved in _entries_at(None if path is None else _expand(path)):
        entry = cache.adopt(saved).entry
        entry_slice = EntrySlice.whole(entry)
        if len(entry_slice.incomplete_rows()):
            engine().submit(entry_slice, None, 0, Priority.IDLE)
        loaded.append(entry)
        if sum(e.nbytes for e in cache.entries()) > cache.memory:
            cache.trim()
            if path is None:
                break
    inferred = sum(EntrySlice.whole(e).inferred for e in loaded)
    return Change("Loaded", len(loaded), inferred, sum(e.nbytes for e in loaded), 0)


def _entries_at(path: Path | None) -> Iterator[Entry]:
    """The saved entries in a file or folder; None is the cache's own directory."""
    cache = results()
    if path is not None and path.is_file():
        folder = CacheDirectory(path.parent, own=False)
        file = next((file for file in folder.files() if file.path == path and file.deltas), None)
        try:
            grown = None if file is None else folder.read(file)
            yield Entry.from_snapshot(grown or parquet.read(path))
        except Unreadable as reason:
            raise InputError(f"{str(path)!r} is not loaded: {reason}.") from reason
        return
    if path is not None and not path.is_dir():
        raise InputError(f"There is no folder or file {str(path)!r} to load from.")
    for shard in [] if path is None else shards_below(path):
        try:
            yield Entry.from_snapshot(parquet.read(shard.path))
        except Unreadable as reason:
            _log.warning("%s is passed over: %s.", shard.path, reason)
    directory = cache.directory if path is None else CacheDirectory(path, own=False)
    for file in directory.files() if directory is not None else []:
        metadata = None if directory is None else directory.metadata(file)
        entry = None if metadata is None or metadata.view is not None else cache.read(file, directory)
        if entry is not None:
            yield entry


@contextlib.contextmanager
def storage_errors(place: Path | None = None) -> Iterator[None]:
    """Raise errors of the operating system as `StorageError`, which names the folder."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NbForecastError):
            raise
        where = "of the cache" if place is None else f"in {str(place)!r}"
        raise StorageError(f"Files {where} cannot be changed: {error}.") from error


def _expand(path: str | Path) -> Path:
    """A path with its `~` expanded; raises `OptionError` where no file or folder can have it."""
    try:
        expanded = Path(path).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            expanded.stat()
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise OptionError(f"{str(path)[:80]!r} cannot be the path of a file or folder: {error}.") from error
    return expanded


def _write_to(target: CacheDirectory, snapshot: Snapshot) -> CacheFile | None:
    """Save an entry into a folder of the user's choice, whatever was removed from it before."""
    return target.write(replace(snapshot, cleared=max(time.time(), target.removals.latest)))


def _saved(files: list[Any], directory: Path) -> Change:
    files = [file for file in files if file is not None]
    return Change("Saved", len(files), None, 0, sum(f.size for f in files), where=directory)
