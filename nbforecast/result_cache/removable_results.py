"""Results in memory and on disk, and their removal from both for good (C16)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.result_cache.removals import Removal
from nbforecast.result_cache.slice_table import SliceTable
from nbforecast.result_cache.storage import Storage

if TYPE_CHECKING:
    from nbforecast.result_cache.directory import CacheDirectory
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.status import Status


class RemovableResults(SliceTable, Storage):
    """Removes results from memory and disk, and takes back nothing that was removed, here or by another process."""

    def __init__(self, directory: CacheDirectory | None, disk: int) -> None:
        """Hold nothing yet.

        Args:
            directory: Where entries are saved; None where nothing is written.
            disk: The bytes that entries may take on disk (C12).
        """
        SliceTable.__init__(self)
        Storage.__init__(self, directory, disk)
        self._revision = 0  # of the removals that the memory follows

    def remove(self, key: CacheKey) -> None:
        """Remove results from memory and disk, for good (C16). Runs that hold them keep them.

        Args:
            key: Their key.

        Raises:
            OSError: Files cannot be removed.
        """
        with self.write_lock:
            self.record_removal(Removal(str(key), former=self._former_keys(key)))
            self.evict(key)
            if self.directory is not None:
                self.directory.remove_entry(key)

    def remove_all(self) -> None:
        """Remove everything from memory and disk, for good (C16). Runs that hold results keep them.

        Raises:
            OSError: Files cannot be removed.
        """
        with self.write_lock:
            self.record_removal(Removal())
            self.clear()
            if self.directory is not None:
                self.directory.clear()

    def remove_rows(
        self,
        part: EntrySlice,
        rows: Int64[np.ndarray, " R"],
        keep: Status,
        span: tuple[int, int] | None,
        series: tuple[str, ...] | None = None,
    ) -> int:
        """Remove results of some origins from memory and disk, for good (C11, C16).

        Args:
            part: Results in memory, or read from a file.
            rows: (R,) rows of the slice.
            keep: The highest status that they have afterwards.
            span: The lowest and highest index of these rows; None for all.
            series: The series of these rows; None for all of the slice.

        Returns:
            How many had a higher status.
        """
        with self.write_lock:
            entry = part.entry
            series = series or part.data.ids
            series = series if len(series) < len(entry.data.ids) else None
            is_shorter = span is None and len(part) < len(entry)
            span = (int(part.data.index().min()), 0) if is_shorter else span
            removal = self.record_removal(Removal(str(entry.key), keep, span, series))
            count = entry.discard(part.entry_rows(rows), keep)
            entry.cleared, entry.saved = removal.time, None
            if self.directory is not None and self.directory.find(entry.key) is not None:
                self.save(entry)
            return count

    def _former_keys(self, key: CacheKey) -> tuple[str, ...]:
        """The keys that an entry had before rows were appended: other processes may hold it under these (C16)."""
        part, file = self.peek(key), None if self.directory is None else self.directory.find(key)
        handles: list[str] = [] if part is None or part.key != part.entry.key else list(part.entry.former)
        metadata = None if file is None or self.directory is None else self.directory.metadata(file)
        handles += [] if metadata is None else metadata.facts["former"]
        return tuple(str(replace(key, handle=handle)) for handle in dict.fromkeys(handles))

    def _belongs(self, entry_slice: EntrySlice) -> bool:
        """Whether results may be held: they were not removed since they were made (C16)."""
        entry = entry_slice.entry
        is_removed = entry.is_released or self.removals.is_removed(entry_slice.key, entry.cleared)
        return not is_removed and self.apply_removals(entry)

    def _follow_others(self) -> None:
        """Remove from memory what other processes have removed (C16)."""
        self.removals.refresh()
        if self.removals.revision != self._revision:
            self._revision = self.removals.revision
            for part in self.slices():
                if not self._belongs(part):
                    self.evict(part.key)
