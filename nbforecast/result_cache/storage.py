"""Entries on disk: read from the directory that processes share, and saved into it."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.errors import StorageError
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.removals import Removals
from nbforecast.result_cache.snapshot import ViewRecord
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.directory import CacheDirectory
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.removals import Removal

_log = logging.getLogger("nbforecast.result_cache")


class Storage:
    """Reads and saves entries, and knows what was removed.

    Attributes:
        directory: Where entries are saved; None where nothing is written.
        disk: The bytes that entries may take on disk (C12).
        write_lock: Held while results go to disk. Whoever removes results holds it, so that none come back afterwards
            (C16). It is taken before any other lock; `engine/engine.py` has the order of all.
    """

    def __init__(self, directory: CacheDirectory | None, disk: int) -> None:
        self.directory = directory
        self.disk = disk
        self.write_lock = threading.RLock()
        self._own_removals = Removals()  # of a cache without a directory

    @property
    def removals(self) -> Removals:
        """What was removed from the cache (C16)."""
        return self._own_removals if self.directory is None else self.directory.removals

    def record_removal(self, removal: Removal) -> Removal:
        """Record that results were removed, here and for other processes; files and memory stay as they are.

        Args:
            removal: What was removed.

        Returns:
            The removal with its time.
        """
        return (self.removals.add if self.directory is None else self.directory.record_removal)(removal)

    def apply_removals(self, entry: Entry) -> bool:
        """Remove from an entry what was removed from the cache since its results were made.

        Args:
            entry: The entry.

        Returns:
            Whether the entry still belongs to the cache; nothing is taken from one that does not.
        """
        removals = self.removals.newer(entry.key, entry.cleared)
        if any(removal.is_whole for removal in removals):
            return False
        for removal in removals:
            entry.discard(removal.rows(entry.data), Status(removal.keep))
            entry.cleared = removal.time
        return True

    def mark_young(self, entry: Entry) -> Entry:
        """Have an entry count as younger than every removal so far.

        Args:
            entry: A new entry, or one that somebody has loaded on purpose.

        Returns:
            The entry.
        """
        entry.cleared = max(entry.cleared, entry.created, self.removals.latest)
        return entry

    def read(self, file: CacheFile, directory: CacheDirectory | None = None) -> Entry | None:
        """The entry of a file.

        Args:
            file: The file.
            directory: Its directory, if it is not the cache's own.

        Returns:
            A new entry that only the caller has; None if the file cannot be read or was removed.
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

    def is_view(self, file: CacheFile) -> bool:
        """Whether a file only says in which longer history's entry its results are."""
        metadata = None if self.directory is None else self.directory.metadata(file)
        return metadata is not None and metadata.view is not None

    def save_view(self, part: EntrySlice, reasons: UInt8[np.ndarray, " N"], former: CacheFile | None = None) -> None:
        """Record on disk that results are a longer history's, so that their handle opens after a restart.

        Args:
            part: A slice of the longer history's entry.
            reasons: (N,) for every row why it cannot be forecast from the data alone, 0 where it can.
            former: The file of the results' own entry, which the record replaces.
        """
        if self.directory is None or self.removals.is_removed(part.key, part.entry.cleared):
            return
        try:
            if part.entry.covariates or not part.inferred:  # the record has no covariates, which a look-up needs
                if former is not None:
                    self.directory.remove(former)
                return
            view = ViewRecord(str(part.entry.key), part.inferred, part.calculated)
            snapshot, _ = Entry(part.data, part.spec, reasons).snapshot()
            file = self.directory.write(replace(snapshot, view=view, cleared=part.entry.cleared), overwrite=True)
            if file is not None and former is not None:
                self.directory.touch(file, former.used)
        except OSError as error:
            _log.warning("The entry %s is not recorded in %s: %s.", part.key, self.directory.path, error)

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
            The file written; None if there was no need or no way to write, or the entry was removed (C16).

        Raises:
            StorageError: The entry is `required` to be saved and cannot be.
        """
        if self.directory is None:
            return None
        self.removals.refresh()
        if not self.apply_removals(entry):
            return None
        if entry.saved == entry.state and not overwrite and self.directory.find(entry.key) is not None:
            return None
        with self.write_lock:
            snapshot, state = entry.snapshot()
            if not (snapshot.inferred or overwrite or self.directory.find(entry.key)):
                return None
            try:
                file = self.directory.write(snapshot, overwrite=overwrite)
                if trim and file is not None:
                    self.directory.trim(self.disk, keep=file.path)
            except OSError as error:
                message = (
                    f"Results stay in memory, since they cannot be saved in {str(self.directory.path)!r}: {error}."
                )
                if required:
                    raise StorageError(message) from error
                _log.warning(message)
                return None
            entry.saved = state
            return file
