"""A directory of entries that several processes share (C9, C13).

Files are written beside and renamed into place, so a reader sees a whole file or none; writers of one directory take
turns. Names are made of hashes alone; nothing in a file decides where anything is written. Links are not followed.

Rows that are appended to an entry go into a small file beside the entry's first one (V2). The last of these files is
written again, with one row more, until it has `FULL_DELTA` bytes. Once they hold an eighth of the entry, or are many,
the entry becomes one file again: a row is written a bounded number of times, however long the data grow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.atomic_write import atomic_write
from nbforecast.result_cache import parquet
from nbforecast.result_cache.appended_rows import appended_rows, has_all, has_equal, holds
from nbforecast.result_cache.cache_file import UNFINISHED, FileMemory, delta_path, stamp_of
from nbforecast.result_cache.directory_reader import ASIDE, REMOVALS, DirectoryReader
from nbforecast.result_cache.snapshot import DeltaRecord, union

if TYPE_CHECKING:
    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata
    from nbforecast.result_cache.removals import Removal
    from nbforecast.result_cache.snapshot import Snapshot

    _Written = tuple[Metadata, UInt8[np.ndarray, " N"]]

__all__ = ["ASIDE", "REMOVALS", "CacheDirectory"]

_log = logging.getLogger("nbforecast.result_cache")
_ABANDONED_AFTER = 3600.0  # seconds after which an unfinished file belongs to a process that was killed
_MAX_ROWS = 2_000_000  # rows of what this process has written whose status is held in memory
FULL_DELTA = 40_000  # bytes from which on a file of appended rows is not written again
MOST_DELTAS = 512  # files of appended rows of one entry
LEAST_ROWS, LARGEST_SHARE = 1024, 8  # appended rows that make an entry one file again: so many, and one in so many


class CacheDirectory(DirectoryReader):
    """The entries of one directory, which is created when the first one is written."""

    def __init__(self, path: Path, *, own: bool = True) -> None:
        """Use a directory that may not exist yet; the arguments are those of `DirectoryReader`."""
        super().__init__(path, own=own)
        self._written: FileMemory[_Written] = FileMemory(_MAX_ROWS, lambda written: len(written[1]))
        self._compared: set[Path] = set()  # first files of entries that this process has compared with the others

    def file_path(self, key: CacheKey) -> Path:
        """Where an entry's file belongs.

        Args:
            key: The entry's key.

        Returns:
            The path.
        """
        return self.path / f"{key}.parquet"

    def record_removal(self, removal: Removal) -> Removal:
        """Record that results were removed, so that no process saves them again (C16); files stay as they are.

        Args:
            removal: What was removed.

        Returns:
            The removal with its time. Where the directory cannot be written to, it counts in this process only.
        """
        try:
            with self._turn() if self.path.is_dir() else contextlib.nullcontext():
                return self.removals.add(removal)
        except OSError as error:
            _log.warning("Other kernels do not learn what was removed from %s: %s.", self.path, error)
            return self.removals.add(removal, write=False)

    def write(self, snapshot: Snapshot, *, overwrite: bool = False) -> CacheFile | None:
        """Save an entry, together with what other processes have saved of it (C13).

        Args:
            snapshot: The entry.
            overwrite: Save the snapshot alone.

        Returns:
            The files that hold it; None if the entry was removed since its results were made (C16).

        Raises:
            OSError: The directory cannot be written to, or holds a file that can neither be read nor set aside.
        """
        self._create()
        with self._turn():
            self.removals.refresh()
            remainder = self.removals.apply(snapshot)
            if remainder is None:
                return None
            entry = replace(remainder, cleared=max(remainder.cleared, self.removals.latest))
            others = self.files(entry.spec.groups)
            appended = None if overwrite else self._append(entry, others)
            file = appended or self._write_whole(entry, others, overwrite=overwrite)
            self._remove_former(entry, others, file, compare=appended is None or file.path not in self._compared)
            self._compared.add(file.path)
        return file

    def _append(self, entry: Snapshot, others: list[CacheFile]) -> CacheFile | None:
        """Save the rows that an entry's files lack beside them.

        Args:
            entry: The entry.
            others: The files of its spec.

        Returns:
            Its files; None where all of it has to be written.
        """
        handles = [*entry.former, entry.key.handle]
        file = max((f for f in others if f.handle in handles), key=lambda f: handles.index(f.handle), default=None)
        first, metadata = (None, None) if file is None else (self._file_metadata(file.first), self.metadata(file))
        if file is None or first is None or metadata is None or not first.can_grow:
            return None
        is_complete = first.has_current_scores and first.facts["inferred"] == first.facts["calculated"]
        if not is_complete or metadata.frequency != entry.data.frequency or not has_equal(entry, metadata):
            return None
        has_gap = any(other.number and other.path.name.startswith(f"{file.path.stem}.") for other in others)
        if has_gap or self.removals.newer(metadata.key, metadata.facts["cleared"]):
            return None
        if file.handle == entry.key.handle:
            return file if file.deltas else None
        if len(entry.data) - first.rows > max(LEAST_ROWS, first.rows // LARGEST_SHARE):
            return None
        lengths, number = np.array(metadata.facts["index_len"], np.int64), len(file.deltas) + 1
        last = self._file_metadata(file.deltas[-1]) if file.deltas and file.deltas[-1].size < FULL_DELTA else None
        if last is not None:
            lengths[[entry.data.ids.index(name) for name in last.facts["ids"]]] -= last.facts["index_len"]
            number -= 1
        if number > MOST_DELTAS:
            return None
        target = delta_path(file.path, number)
        with atomic_write(target, mode=0o600) as stream:
            written = parquet.write(appended_rows(entry, lengths), stream, DeltaRecord(file.path.stem, number, entry))
        self._remember(target, written)
        return self._find_written(entry.key, file.path)

    def _write_whole(self, entry: Snapshot, others: list[CacheFile], *, overwrite: bool) -> CacheFile:
        """Save an entry as one file, together with what other processes have saved of it; see `write`."""
        target = self.file_path(entry.key)
        files = self._find_all(entry.key)
        for other in others:
            if other.path == target and other.handle != entry.key.handle:  # it has grown beyond this entry
                first = self._file_metadata(other.first)
                if first is not None and has_all(first, entry):
                    return other
                self._rename(other)
        present = next(iter(files), None)
        metadata = None if present is None else self.metadata(present)
        is_contained = overwrite or metadata is None or self._contains(entry, metadata)
        saved = None if is_contained or present is None else self._read(present)
        is_unread = metadata is None or (not is_contained and saved is None)
        if present is not None and is_unread and self.find(entry.key):
            raise OSError(f"{target} cannot be read, and not be set aside")
        merged = entry
        for other_entry in (saved, *(None if overwrite else self._read(former) for former in files[1:])):
            remainder = None if other_entry is None else self.removals.apply(other_entry)
            merged = merged if remainder is None else union(merged, remainder)
        with atomic_write(target, mode=0o600) as stream:
            parquet.write(merged, stream)
        for former in files:
            if former.path != target:
                self.remove(former)
        written = self._find_written(entry.key, target)
        metadata = self.metadata(written)
        if metadata is not None:
            self._written.put(target, (metadata, merged.status))
        return written

    def _remember(self, path: Path, metadata: Metadata) -> None:
        """Hold the metadata of a file that has just been written, which need not be read again."""
        with contextlib.suppress(FileNotFoundError):
            self._of_each_file.put(path, metadata, stamp_of(path.lstat()))

    def _find_written(self, key: CacheKey, path: Path) -> CacheFile:
        """The files of an entry whose first file has just been written, or rows beside it."""
        written = self.find(key)
        if written is None or written.path != path or self.metadata(written) is None:
            raise OSError(f"{path} was removed as soon as it was written")
        return written

    def _rename(self, file: CacheFile) -> None:
        """Make an entry with appended rows one file, under the name of its present handle."""
        entry = self._read(file)
        if entry is not None:
            with atomic_write(self.file_path(entry.key), mode=0o600) as stream:
                parquet.write(entry, stream)
        self.remove(file)

    def _remove_former(self, entry: Snapshot, others: list[CacheFile], written: CacheFile, *, compare: bool) -> None:
        """Delete files that hold nothing which an entry lacks: those from before rows were appended, and parts (V2).

        A process that is killed between the two leaves the former files, or some of them. So whoever writes the entry
        next compares them row by row with what can be read from its files, whatever handles they have.

        Args:
            entry: The entry.
            others: The files of its spec before it was written.
            written: Its files.
            compare: Whether to look for such files, too: when all of it was written, and once per process.
        """
        for other in others:
            metadata = None if other.path == written.path else self.metadata(other)
            if metadata is None or metadata.view is not None:
                continue
            if other.handle in entry.former and not other.number:
                is_superseded = has_all(entry, metadata)
            else:
                is_candidate = compare and (other.number > 0 or has_all(entry, metadata))
                own, outline = (self.outline(f) if is_candidate else None for f in (written, other))
                is_superseded = own is not None and outline is not None and holds(own, outline)
            if is_superseded:
                self.remove(other)

    def _contains(self, snapshot: Snapshot, metadata: Metadata | None) -> bool:
        """Whether a snapshot has everything that its file has: this process wrote the file, and it had less then."""
        known = self._written.get(self.file_path(snapshot.key))
        if known is None or metadata is None or known[0][0].facts != metadata.facts:
            return False
        return bool(metadata.facts["version"] == snapshot.version and (snapshot.status >= known[0][1]).all())

    def touch(self, file: CacheFile, used: float | None = None) -> None:
        """Record that an entry was requested.

        Args:
            file: Its files.
            used: When, in seconds since the epoch; None for now.
        """
        with contextlib.suppress(OSError):
            os.utime(file.paths[0], None if used is None else (used, used))

    def remove(self, file: CacheFile) -> int:
        """Delete an entry's files.

        Args:
            file: The files; another process may have deleted some.

        Returns:
            The bytes that this freed; 0 if the first file was not there.
        """
        is_there = False
        for path in file.paths:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                is_there = path == file.path
        return file.size if is_there else 0

    def remove_entry(self, key: CacheKey) -> None:
        """Delete an entry's files, also under its name in an earlier version.

        Args:
            key: The entry's key.
        """
        for file in self._find_all(key):
            self.remove(file)

    def trim(self, limit: int, keep: Path | None = None) -> list[CacheFile]:
        """Delete the files used longest ago, and what killed processes have left unfinished (C12).

        Args:
            limit: The bytes that the other files may take.
            keep: A file that stays.

        Returns:
            The files deleted.
        """
        self._clear_parts(_ABANDONED_AFTER)
        files = self.files()
        total = sum(file.size for file in files)
        removed = []
        for file in reversed(files):
            if total <= limit:
                break
            if file.path != keep:
                total -= file.size
                self.remove(file)
                removed.append(file)
        return removed

    def clear(self) -> list[CacheFile]:
        """Delete every entry, and what was set aside or left unfinished. Returns the entries deleted."""
        files = self.files()
        for file in files:
            self.remove(file)
        with contextlib.suppress(OSError), self._turn():  # nobody writes: what is unfinished was abandoned
            self._clear_parts(0.0)
        with contextlib.suppress(OSError):
            aside = self.path / ASIDE
            if not aside.is_symlink():
                for path in aside.iterdir():
                    path.unlink()
                aside.rmdir()
        self._metadata.clear()
        return files

    def _create(self) -> None:
        """Create the directory, and those above it that are missing, for their owner alone."""
        missing = [d for d in (self.path, *self.path.parents) if not d.exists()]
        for directory in reversed(missing):
            directory.mkdir(exist_ok=True, mode=0o700)
        if not self.path.is_dir():
            raise NotADirectoryError(f"{self.path} is a file")

    def _clear_parts(self, age: float) -> None:
        """Delete the unfinished files that are at least `age` seconds old."""
        with contextlib.suppress(OSError), os.scandir(self.path) as directory:
            for item in directory:
                if UNFINISHED.fullmatch(item.name):
                    with contextlib.suppress(OSError):
                        if time.time() - item.stat(follow_symlinks=False).st_mtime >= age:
                            Path(item.path).unlink()
