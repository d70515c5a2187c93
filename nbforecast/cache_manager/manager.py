"""`nbforecast.cache`: shows and manages the result cache."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.cache_manager.handles import index_spans, parse_origins_to_drop, pick, pick_one, remaining_status
from nbforecast.cache_manager.rerun import open_run, recompute
from nbforecast.cache_manager.tables import Change, Detail, Info, Listing
from nbforecast.cache_manager.transfer import load_entries, save_entries, storage_errors
from nbforecast.data.origins import select_rows
from nbforecast.data.span import parse_span
from nbforecast.device import remove_compiled
from nbforecast.errors import OptionError
from nbforecast.interrupts import done_before_interrupts
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.inventory import Item, inventory
from nbforecast.result_cache.removals import Removal
from nbforecast.result_cache.status import Status
from nbforecast.session import results
from nbforecast.settings import parse_size
from nbforecast.text import option, plural
from nbforecast.time_units import MONTH, SECOND

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import polars as pl

    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.result_cache")


class ResultCache:
    """The result cache of this process and the directory that it shares with others.

    `nbforecast.cache` is its only instance.

    Example:
        >>> nbf.cache.entries().select("handle", "model", "inferred")
        >>> nbf.cache.prune(max_size="5GB", max_age="30d")
    """

    @property
    def directory(self) -> Path | None:
        """The directory with one file per entry; None if nothing is written (`NBFORECAST_CACHE=memory`)."""
        directory = results().directory
        return None if directory is None else directory.path

    def info(self) -> Info:
        """Totals: entries, origins, bytes in memory and on disk with their budgets, hits and reuse.

        Example:
            >>> nbf.cache.info()
        """
        return Info.of(results(), inventory(results()))

    def entries(self) -> pl.DataFrame:
        """The entries as a DataFrame, one row each, last used first.

        Returns:
            Columns handle, name (of the frame), model, horizon, rows (grid steps of the data), series, available
            (origins that can be forecast), inferred, calculated, start, end, memory_bytes, disk_bytes, hits, reused
            (origins taken from other entries), view_of (handle of the longer history whose entry has the results),
            created and used.

        Example:
            >>> nbf.cache.entries().select("handle", "model", "rows", "inferred", "disk_bytes")
        """
        return Listing(inventory(results())).frame()

    def listing(self) -> Listing:
        """The entries as a table for people, last used first.

        Example:
            >>> nbf.cache.listing()
        """
        return Listing(inventory(results()))

    def show(self, handle: str, model: str | None = None) -> Detail:
        """All facts about the entries of one handle.

        Args:
            handle: A handle, or enough of its first digits to tell it from the others.
            model: Name of the model; None for all.

        Raises:
            OptionError: The cache has no such entry.

        Example:
            >>> nbf.cache.show(handle)
        """
        return Detail(self._pick(handle, model))

    def run(self, handle: str, model: str | None = None, *, calibrate: bool = False) -> Run:
        """A run of cached results, from memory or disk, without the frame.

        Missing calculations follow in the background. An origin without a forecast is inferred when it is requested,
        if this process knows the model.

        Args:
            handle: A handle, or enough of its first digits; `HANDLE-SPEC`, as the error lists it, names one of several
                results.
            model: Name of the model, where the handle has results of several.
            calibrate: As for `nbforecast.forecast`.

        Raises:
            OptionError: The cache has no such entry, or several.
            StorageError: The entry cannot be read.

        Example:
            >>> nbf.cache.run(handle).horizon  # no frame, no inference
            12
        """
        return open_run(pick_one(inventory(results()), handle, model), calibrate=calibrate)

    def recompute(self, handle: str, model: str | None = None, *, calibrate: bool = False) -> Run:
        """Infer all origins of an entry anew, in the background; the old results stay until the new ones are complete.

        Args:
            handle: As for `run`.
            model: As for `run`.
            calibrate: As for `nbforecast.forecast`.

        Raises:
            OptionError: The cache has no such entry, or several.
            UnknownModel: This process does not know the entry's model.

        Example:
            >>> nbf.cache.recompute(handle).wait()
        """
        return recompute(pick_one(inventory(results()), handle, model), calibrate=calibrate)

    def drop(
        self,
        handle: str,
        model: str | None = None,
        index: int | str | dt.date | np.datetime64 | slice | tuple[Any, Any] | None = None,
        only: str | None = None,
    ) -> Change:
        """Remove results from memory and disk; tasks that fill them drop their work.

        Frames and arrays that were read before do not change.

        Args:
            handle: A handle, or enough of its first digits; `HANDLE-SPEC`, the stem of a file, names one result.
            model: Name of the model; None for all.
            index: Origins to remove: an index, a time such as "2025-01-31 18:00" (the last grid point at or before
                it), or a range such as `"-24:0"`, `"2025-01-01..2025-01-31"` or `(-24, 0)`, both ends included. None
                removes all.
            only: "scores", "quantiles" (and the scores, which depend on them) or "density"; the forecasts stay and the
                results are calculated anew when they are next requested. None removes the forecasts as well.

        Returns:
            What was removed.

        Raises:
            OptionError: The cache has no such entry, or an argument makes no sense.
            IndexOutOfRange: The data have no such origin.
            StorageError: A file cannot be removed.

        Example:
            >>> nbf.cache.drop(handle, index=slice(-24, 0))  # these origins are inferred anew when asked for
        """
        origins, status = parse_origins_to_drop(index), remaining_status(only)
        with results().write_lock, storage_errors():
            items = self._pick(handle, model)
            if origins is None and status is Status.PENDING:
                for item in items:
                    results().remove(item.key)
                return _removed(items)
            count = sum(self._thin(item, origins, status) for item in items)
        return Change("Removed", 0, count, 0, 0, what=only or "forecast")

    def flush(self, memory: bool = True, disk: bool = True, *, compiled: bool = False) -> Change:
        """Remove every entry. With `disk=False`, results that are not saved yet are saved first.

        Args:
            memory: Whether to remove entries from memory.
            disk: Whether to remove entries from disk.
            compiled: Whether to remove the compiled functions on disk instead, and no results. This process goes on
                with those that it has; later ones compile anew.

        Returns:
            What was removed.

        Raises:
            StorageError: Results cannot be saved or files cannot be removed; nothing is removed from memory.

        Example:
            >>> nbf.cache.flush(disk=False)  # from memory only
        """
        cache = results()
        if compiled:
            with storage_errors():
                count, size = remove_compiled()
            return Change("Removed", 0, None, 0, size, plural(count, "compiled function"))
        with cache.write_lock, storage_errors():
            items = inventory(cache)
            if memory and disk:
                cache.remove_all()
            elif memory:
                cache.save_all(changed=True, required=True)
                cache.clear()
            elif disk and cache.directory is not None:
                cache.directory.clear()
        removed = [i for i in items if (memory and i.entry_slice is not None) or (disk and i.file is not None)]
        return Change(
            "Removed",
            len(removed),
            sum(i.inferred for i in removed if i.view_of is None),
            sum(i.memory_bytes for i in removed) if memory else 0,
            sum(i.disk_bytes for i in removed) if disk else 0,
        )

    def save(self, path: str | Path | None = None) -> Change:
        """Save results.

        Args:
            path: A folder that receives every entry, created if needed; None saves what is not saved yet into
                `directory`.

        Returns:
            What was saved.

        Raises:
            OptionError: The path cannot be a folder, or there is no directory.
            StorageError: A file cannot be written.

        Example:
            >>> nbf.cache.save(folder)  # every entry
        """
        return done_before_interrupts(partial(save_entries, path))

    def load(self, path: str | Path | None = None) -> Change:
        """Load saved entries into memory, as far as its budget goes; missing calculations follow at idle priority.

        Args:
            path: A folder that `save` has written, a destination of `nbforecast.forecast_dataset`, or one file; None
                loads from `directory`.

        Returns:
            What was loaded.

        Raises:
            InputError: There is no such folder or file, or the file has no results.
            OptionError: The path cannot be a folder or file, or there is no directory.

        Example:
            >>> nbf.cache.load(folder)
        """
        return done_before_interrupts(partial(load_entries, path))

    def prune(self, max_size: str | float | None = None, max_age: str | dt.timedelta | None = None) -> Change:
        """Remove the entries that were used longest ago. Without arguments the budgets are applied.

        Args:
            max_size: Size to which memory and disk are each reduced: "2GB", "500MB" or a number of bytes.
            max_age: Time since the last use after which an entry is removed: "30d", "12h" or a timedelta.

        Returns:
            What was removed.

        Raises:
            OptionError: An argument makes no sense.
            StorageError: A file cannot be removed.
        """
        cache = results()
        size = None if max_size is None else parse_size(max_size, option("max_size", max_size))
        oldest = None if max_age is None else time.time() - _seconds(max_age)
        with cache.write_lock, storage_errors():
            before = {item.key: item for item in inventory(cache)}
            for item in before.values():
                if oldest is not None and item.used < oldest:
                    self._remove(item)
            if max_size is not None or max_age is None:
                cache.trim(cache.memory if size is None else size)
                if cache.directory is not None:
                    cache.directory.trim(cache.disk if size is None else size)
        after = {item.key: item for item in inventory(cache)}
        memory = sum(i.memory_bytes - (after[k].memory_bytes if k in after else 0) for k, i in before.items())
        disk = sum(i.disk_bytes - (after[k].disk_bytes if k in after else 0) for k, i in before.items())
        removed = [i for k, i in before.items() if k not in after]
        inferred = sum(i.inferred for i in removed if not i.view_of)
        return Change("Removed", len(removed), inferred, max(memory, 0), max(disk, 0))

    def _pick(self, handle: str, model: str | None) -> list[Item]:
        return pick(inventory(results()), handle, model)

    def _remove(self, item: Item) -> Item:
        cache = results()
        cache.evict(item.key)
        if item.file is not None and cache.directory is not None:
            cache.directory.remove(item.file)
        return item

    def _thin(self, item: Item, origins: Any, status: Status | None) -> int:
        """Remove part of an entry's results; returns the number of origins that lost some."""
        cache = results()
        entry_slice = item.entry_slice
        if entry_slice is None and item.view_of is not None:
            entry_slice = cache.open(item.key)
        elif entry_slice is None and item.file is not None:
            saved = cache.read(item.file)
            entry_slice = None if saved is None else EntrySlice.whole(saved)
        if entry_slice is None:
            return 0
        entry, data = entry_slice.entry, entry_slice.data
        removals = [Removal()]
        if isinstance(origins, tuple):
            removals = [Removal(span=origins)]
        elif origins is not None:  # series that end at different times have other indices at the same time
            named = select_rows(data, np.zeros(len(data), np.uint8), origins, argument="index")
            removals = [] if named is None else [Removal(span=s, series=ids) for s, ids in index_spans(data, named)]
        count = 0
        for removal in removals:
            rows = removal.rows(data)
            if status is None:
                count += entry.discard_densities(entry_slice.entry_rows(rows))
            else:
                count += cache.remove_rows(entry_slice, rows, status, removal.span, removal.series)
        return count

    def __repr__(self) -> str:
        return repr(self.info())

    def _repr_html_(self) -> str:
        items = inventory(results())
        return Info.of(results(), items)._repr_html_() + Listing(items)._repr_html_()


cache = ResultCache()


def _seconds(age: Any) -> float:
    span = parse_span(age, "max_age")
    if span.steps:
        raise OptionError(f'{option("max_age", age)} is not a length of time. Use something like "30d" or "12h".')
    return (span.microseconds + span.months * MONTH) / SECOND


def _removed(items: list[Item]) -> Change:
    return Change(
        "Removed",
        len(items),
        sum(i.inferred for i in items if i.view_of is None),
        sum(i.memory_bytes for i in items),
        sum(i.disk_bytes for i in items),
    )
