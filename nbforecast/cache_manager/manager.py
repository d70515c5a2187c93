"""`nbf.cache`: what the cache holds, and what can be done with it."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.cache_manager.handles import pick, pick_one
from nbforecast.cache_manager.rerun import kept, recomputed
from nbforecast.cache_manager.tables import Change, Detail, Info, Listing
from nbforecast.data.span import parse_span
from nbforecast.distributed.layout import shards_below
from nbforecast.engine.tasks import Priority
from nbforecast.errors import InputError, NbForecastError, OptionError, StorageError
from nbforecast.result_cache import parquet
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.inventory import Item, inventory
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.result_cache.status import FILLED, Status
from nbforecast.session import engine, results
from nbforecast.settings import parse_size
from nbforecast.time_units import MONTH, SECOND

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    import polars as pl

    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.result_cache")
_RANGE = re.compile(r"(-?\d*):(-?\d*)")
ONLY = ("density", "scores", "quantiles", "forecast")


class ResultCache:
    """The result cache of this kernel, and the directory it shares with others."""

    @property
    def directory(self) -> Path | None:
        """Where entries are saved, a file each; None where nothing is written (`NBFORECAST_CACHE=memory`)."""
        store = results().store
        return None if store is None else store.directory

    def info(self) -> Info:
        """Totals: entries, origins, bytes in memory and on disk with their budgets, hits, reuse."""
        return Info.of(results(), inventory(results()))

    def entries(self) -> pl.DataFrame:
        """A row an entry, the last used first.

        handle, name (of the frame), model, horizon, series, origins, available, inferred, calculated, start, end,
        memory_bytes, disk_bytes, hits, reused (origins that came from other entries), view_of (the longer history in
        whose entry the results are), created, used.
        """
        return Listing(inventory(results())).frame()

    def listing(self) -> Listing:
        """The entries as a table for people."""
        return Listing(inventory(results()))

    def show(self, handle: str, model: str | None = None) -> Detail:
        """Everything known of the entries of one handle (or the first digits of it)."""
        return Detail(self._pick(handle, model))

    def run(self, handle: str, model: str | None = None, *, calibrate: bool = False) -> Run:
        """A run of what is kept, from memory or disk, without the frame and without inference.

        Calculations that it lacks are made. An origin that is not inferred is when it is asked for, if this kernel
        knows the model. A handle with results of several models, horizons or settings needs the `model`, or the form
        `HANDLE-RECIPE` that the error lists.
        """
        return kept(pick_one(inventory(results()), handle, model), calibrate=calibrate)

    def recompute(self, handle: str, model: str | None = None, *, calibrate: bool = False) -> Run:
        """Have every origin of an entry inferred anew, in the background; what is kept stays until that is complete.

        Raises `UnknownModel` where this kernel does not know the model that the entry was made by.
        """
        return recomputed(pick_one(inventory(results()), handle, model), calibrate=calibrate)

    def drop(
        self,
        handle: str,
        model: str | None = None,
        index: int | str | slice | tuple[int, int] | None = None,
        only: str | None = None,
    ) -> Change:
        """Remove results, from memory and from disk; what is in work for them is dropped.

        handle: a handle, or as many of its first digits as tell it from the others; with `-RECIPE`, as in the name of
            its file, of one recipe only. model: of this model only.
        index: only these origins: an index, or a range such as `"-24:0"` or `(-24, 0)`, both ends included.
        only: "scores", "quantiles" (and the scores, which rest on them) or "density" keep the forecasts themselves;
            they are calculated anew when next asked for.

        Frames and arrays that were handed out before keep what they have. Returns what was removed.
        """
        span, keep = _parse_index(index), _parse_only(only)
        with results().putting_away, _files():
            picked = self._pick(handle, model)
            if span is None and keep is Status.PENDING:
                return _removed([self._remove(item) for item in picked])
            count = sum(self._thin(item, span, keep) for item in picked)
        return Change("Removed", 0, count, 0, 0, what=only or "forecast")

    def flush(self, memory: bool = True, disk: bool = True) -> Change:
        """Remove every entry, from memory, disk or both. From memory alone: what is not saved yet is saved first.

        Raises `StorageError`, with nothing removed, where that cannot be done.
        """
        cache = results()
        with cache.putting_away:
            gone = inventory(cache)
            if memory:
                if not disk:
                    cache.save_all(changed=True, must=True)
                cache.clear()
            if disk and cache.store is not None:
                with _files():
                    cache.store.clear()
        touched = [i for i in gone if (memory and i.view is not None) or (disk and i.found is not None)]
        return Change(
            "Removed",
            len(touched),
            sum(i.inferred for i in touched if i.view_of is None),
            sum(i.memory_bytes for i in touched) if memory else 0,
            sum(i.disk_bytes for i in touched) if disk else 0,
        )

    def save(self, path: str | Path | None = None) -> Change:
        """Save what is not saved yet; with a path, everything, into that folder (made if need be)."""
        cache = results()
        if path is None:
            if cache.store is None:
                raise OptionError("NBFORECAST_CACHE=memory: nothing is written by itself. Give save() a folder.")
            return _saved(cache.save_all(), cache.store.directory)
        target = CacheDirectory(_place(path), own=False)
        if target.directory.exists() and not target.directory.is_dir():
            raise OptionError(f"{str(target.directory)!r} is a file; give a folder to save into.")
        written = []
        with _files():
            for entry in cache.entries():
                snapshot, _ = entry.snapshot()
                if snapshot.inferred:
                    written.append(target.write(snapshot))
            for item in inventory(cache):
                if item.view is None and item.found is not None and cache.store is not None:
                    saved = cache.store.read(item.found)
                    if saved is not None:
                        written.append(target.write(saved))
        return _saved(written, target.directory)

    def load(self, path: str | Path | None = None) -> Change:
        """Bring saved entries into memory, as far as its budget goes; with a path, from that folder or file.

        The folder may be one that `save` has written, or a destination of `forecast_dataset`.
        What their origins lack of calculations is made when nothing else is to be done.
        """
        cache = results()
        if path is None and cache.store is None:
            raise OptionError("NBFORECAST_CACHE=memory: nothing is saved by itself. Give load() a folder or a file.")
        loaded = []
        for entry in self._entries_at(None if path is None else _place(path)):
            held = cache.take_in(entry).entry
            view = EntrySlice.whole(held)
            if len(view.uncalculated()):
                engine().submit(view, None, 0, Priority.IDLE)
            loaded.append(held)
            if sum(e.nbytes for e in cache.entries()) > cache.memory:
                cache.trim()
                if path is None:
                    break
        return Change(
            "Loaded", len(loaded), sum(EntrySlice.whole(e).inferred for e in loaded), sum(e.nbytes for e in loaded), 0
        )

    def prune(self, max_size: str | float | None = None, max_age: str | dt.timedelta | None = None) -> Change:
        """Remove what was used longest ago, until memory and disk each hold at most `max_size` and nothing older.

        max_size: "2GB", "500MB" or bytes. max_age: "30d", "12h" or a timedelta since the last use. Without either, the
        budgets are applied.
        """
        cache = results()
        most = None if max_size is None else parse_size(max_size, "max_size")
        oldest = None if max_age is None else time.time() - _seconds(max_age)
        with cache.putting_away, _files():
            before = {item.key: item for item in inventory(cache)}
            for item in before.values():
                if oldest is not None and item.used < oldest:
                    self._remove(item)
            if max_size is not None or max_age is None:
                cache.trim(cache.memory if most is None else most)
                if cache.store is not None:
                    cache.store.trim(cache.disk if most is None else most)
        left = {item.key: item for item in inventory(cache)}
        memory = sum(i.memory_bytes - (left[k].memory_bytes if k in left else 0) for k, i in before.items())
        disk = sum(i.disk_bytes - (left[k].disk_bytes if k in left else 0) for k, i in before.items())
        gone = [i for k, i in before.items() if k not in left]
        return Change(
            "Removed", len(gone), sum(i.inferred for i in gone if not i.view_of), max(memory, 0), max(disk, 0)
        )

    def _pick(self, handle: str, model: str | None) -> list[Item]:
        return pick(inventory(results()), handle, model)

    def _remove(self, item: Item) -> Item:
        cache = results()
        cache.forget(item.key)
        if item.found is not None and cache.store is not None:
            cache.store.remove(item.found)
        return item

    def _thin(self, item: Item, span: tuple[int, int] | None, keep: Status | None) -> int:
        """Take part of an entry's results away; returns from how many origins."""
        cache = results()
        entry = item.view.entry if item.view is not None else cache.read(item.found) if item.found is not None else None
        if entry is None:
            return 0
        view = item.view or EntrySlice.whole(entry)
        index = view.data.index()
        lo, hi = span or (int(index.min()), 0)
        rows = view.rows(np.flatnonzero((index >= lo) & (index <= hi)))
        if keep is None:
            return entry.forget_densities(rows)
        count = entry.forget(rows, keep)
        if count and cache.store is not None and cache.store.find(entry.key) is not None:
            cache.save(entry, instead=True)
        return count

    def _entries_at(self, path: Path | None) -> Any:
        cache = results()
        if path is not None and path.is_file():
            try:
                yield Entry.of(parquet.read(path))
            except Unreadable as reason:
                raise InputError(f"{str(path)!r} is not loaded: {reason}.") from reason
            return
        if path is not None and not path.is_dir():
            raise InputError(f"There is no folder or file {str(path)!r} to load from.")
        for shard in [] if path is None else shards_below(path):
            try:
                yield Entry.of(parquet.read(shard.path))
            except Unreadable as reason:
                _log.warning("%s is passed over: %s.", shard.path, reason)
        store = cache.store if path is None else CacheDirectory(path, own=False)
        for found in store.files() if store is not None else []:
            entry = cache.read(found, store)
            if entry is not None:
                yield entry

    def __repr__(self) -> str:
        return repr(self.info())

    def _repr_html_(self) -> str:
        items = inventory(results())
        return Info.of(results(), items)._repr_html_() + Listing(items)._repr_html_()


cache = ResultCache()


def _parse_index(index: object) -> tuple[int, int] | None:
    """Both ends of a range of indices, included."""
    if index is None:
        return None
    ends: tuple[Any, Any]
    if isinstance(index, str) and (match := _RANGE.fullmatch(index.strip())):
        ends = (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)
    elif isinstance(index, slice) and index.step is None:
        ends = (index.start, index.stop)
    elif isinstance(index, tuple) and len(index) == 2:
        ends = index
    else:
        text = str(index).strip()
        ends = (int(text), int(text)) if re.fullmatch(r"-?\d+", text) else ("", "")
    low, high = -(1 << 62) if ends[0] is None else ends[0], 0 if ends[1] is None else ends[1]
    if not (isinstance(low, int | np.integer) and isinstance(high, int | np.integer) and low <= high <= 0):
        raise OptionError(
            f"index={index!r}: give an index such as -24, or a range such as '-24:0', both ends included."
        )
    return int(low), int(high)


def _parse_only(only: str | None) -> Status | None:
    """How far origins stay if only this is removed; None for densities."""
    if only is None or only == "forecast":
        return Status.PENDING
    if only in ("density", "density_limits"):
        return None
    if only == "scores":
        return Status.UNSCORED
    if only in FILLED:
        return Status(FILLED[only] - 1)
    raise OptionError(f"only={only!r}: there are {', '.join(ONLY)}.")


def _seconds(age: Any) -> float:
    span = parse_span(age, "max_age")
    if span.steps:
        raise OptionError(f'max_age={age!r} is not a length of time. Use something like "30d" or "12h".')
    return (span.microseconds + span.months * MONTH) / SECOND


def _place(path: str | Path) -> Path:
    """A path that a file or folder may have."""
    try:
        place = Path(path).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            place.stat()
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise OptionError(f"{str(path)[:80]!r} is no place for files: {error}.") from error
    return place


@contextlib.contextmanager
def _files() -> Iterator[None]:
    """What the system refuses is told as our error."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NbForecastError):
            raise
        raise StorageError(f"Files of the cache cannot be changed: {error}.") from error


def _removed(items: list[Item]) -> Change:
    return Change(
        "Removed",
        len(items),
        sum(i.inferred for i in items if i.view_of is None),
        sum(i.memory_bytes for i in items),
        sum(i.disk_bytes for i in items),
    )


def _saved(written: list[Any], directory: Path) -> Change:
    return Change("Saved", len(written), None, 0, sum(f.size for f in written), where=directory)
