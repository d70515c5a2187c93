"""A directory of entries that several processes share (C9, C13).

Files are written beside and renamed into place, so a reader sees a whole file or none; writers of one directory take
turns. Names are made of hashes alone; nothing in a file decides where anything is written. Links are not followed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np
from jaxtyping import UInt8

from nbforecast.atomic_write import atomic_write
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache_file import CacheFile, FileMemory, stamp_of
from nbforecast.result_cache.metadata import Damaged, Unreadable
from nbforecast.result_cache.removals import Removals
from nbforecast.result_cache.snapshot import union

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nbforecast.result_cache.cache_file import FileStamp

    _Written = tuple[Metadata, UInt8[np.ndarray, " N"]]
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata
    from nbforecast.result_cache.parquet import FileOutline
    from nbforecast.result_cache.removals import Removal
    from nbforecast.result_cache.snapshot import Snapshot

_log = logging.getLogger("nbforecast.result_cache")
_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.parquet")
_PART = re.compile(r"\.[0-9a-f]{32}-[0-9a-f]{16}\.[0-9a-f]{16}\.part")
_TURN_TIMEOUT = 60.0  # seconds to wait for another process's turn
_ABANDONED_AFTER = 3600.0  # seconds after which an unfinished file belongs to a process that was killed
_MAX_ROWS = 2_000_000  # rows of outlines, and of what this process has written, that are held in memory
_MAX_IDS = 200_000  # names of series in the metadata that are held in memory
ASIDE, REMOVALS = "aside", ".removals.json"


class CacheDirectory:
    """The entries of one directory, which is created when the first one is written.

    Attributes:
        path: The directory.
        removals: What was removed from it, by any process (C16).
    """

    def __init__(self, path: Path, *, own: bool = True) -> None:
        """Use a directory that may not exist yet.

        Args:
            path: The directory.
            own: Whether it belongs to nbforecast: damaged files are then moved to its folder `aside`, elsewhere they
                are only passed over. Both are logged as warnings (C13).
        """
        self.path = path
        self.removals = Removals(path / REMOVALS)
        self._own = own
        self._file_lock = filelock.FileLock(path / ".lock", timeout=_TURN_TIMEOUT, mode=0o600)
        self._metadata: FileMemory[Metadata | None] = FileMemory(_MAX_IDS, _count_ids)
        self._outlines: FileMemory[FileOutline] = FileMemory(_MAX_ROWS, lambda outline: len(outline.contexts))
        self._written: FileMemory[_Written] = FileMemory(_MAX_ROWS, lambda written: len(written[1]))
        self._passed_over: set[tuple[Path, FileStamp]] = set()

    def files(self, groups: Collection[str] | None = None) -> list[CacheFile]:
        """The directory's files.

        Args:
            groups: Only files of these groups.

        Returns:
            The files, the last used first.
        """
        files = []
        with contextlib.suppress(OSError), os.scandir(self.path) as directory:
            for item in directory:
                match = _NAME.fullmatch(item.name)
                if match is None or not (groups is None or match[2] in groups):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    details = item.stat(follow_symlinks=False)
                    if stat.S_ISREG(details.st_mode):
                        files.append(CacheFile.of(Path(item.path), match, details))
        return sorted(files, key=lambda file: -file.used)

    def find(self, key: CacheKey) -> CacheFile | None:
        """The file of an entry, under its present name or else under its name in an earlier version.

        Args:
            key: The entry's key.

        Returns:
            The file, None if there is none.
        """
        return next(iter(self._find_all(key)), None)

    def _find_all(self, key: CacheKey) -> list[CacheFile]:
        files = []
        for name in key.names:
            path = self.path / f"{name}.parquet"
            match = _NAME.fullmatch(path.name)
            with contextlib.suppress(OSError):
                details = path.lstat()
                if match is not None and stat.S_ISREG(details.st_mode):
                    files.append(CacheFile.of(path, match, details))
        return files

    def file_path(self, key: CacheKey) -> Path:
        """Where an entry's file belongs.

        Args:
            key: The entry's key.

        Returns:
            The path.
        """
        return self.path / f"{key}.parquet"

    def metadata(self, file: CacheFile) -> Metadata | None:
        """The metadata of a file.

        Args:
            file: The file.

        Returns:
            The metadata, None if they cannot be read.
        """
        known = self._metadata.get(file.path, file.stamp)
        if known:
            return known[0]
        metadata: Metadata | None
        try:
            metadata = parquet.read_metadata(file.path)
            _check_name(file, metadata.key)
        except Unreadable as reason:
            metadata = None
            self._set_aside(file, reason)
        self._metadata.put(file.path, metadata, file.stamp)
        return metadata

    def outline(self, file: CacheFile) -> FileOutline | None:
        """A file's data, contexts and status, without results.

        Args:
            file: The file.

        Returns:
            The outline, None if it cannot be read.
        """
        known = self._outlines.get(file.path, file.stamp)
        if known:
            return known[0]
        try:
            outline = parquet.read_outline(file.path)
        except Unreadable as reason:
            self._set_aside(file, reason)
            return None
        self._outlines.put(file.path, outline, file.stamp)
        return outline

    def read(self, file: CacheFile) -> Snapshot | None:
        """The entry of a file.

        Args:
            file: The file.

        Returns:
            A snapshot, None if it cannot be read or was removed.
        """
        snapshot = self._read(file)
        self.removals.refresh()
        return None if snapshot is None else self.removals.apply(snapshot)

    def _read(self, file: CacheFile) -> Snapshot | None:
        """The entry of a file, also if it was removed."""
        try:
            snapshot = parquet.read(file.path)
            _check_name(file, snapshot.key)
        except Unreadable as reason:
            self._set_aside(file, reason)
            return None
        return snapshot

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
            The file written; None if the entry was removed since its results were made (C16).

        Raises:
            OSError: The directory cannot be written to, or holds a file that can neither be read nor set aside.
        """
        self._create()
        target = self.file_path(snapshot.key)
        with self._turn():
            self.removals.refresh()
            remainder = self.removals.apply(snapshot)
            if remainder is None:
                return None
            snapshot = remainder
            files = self._find_all(snapshot.key)
            present = next(iter(files), None)
            metadata = None if present is None else self.metadata(present)
            is_contained = overwrite or metadata is None or self._contains(snapshot, metadata)
            saved = None if is_contained or present is None else self._read(present)
            is_unread = metadata is None or (not is_contained and saved is None)
            if present is not None and is_unread and self.find(snapshot.key):
                raise OSError(f"{target} cannot be read, and not be set aside")
            merged = snapshot
            for other in (saved, *(None if overwrite else self._read(former) for former in files[1:])):
                other_remainder = None if other is None else self.removals.apply(other)
                merged = merged if other_remainder is None else union(merged, other_remainder)
            merged = replace(merged, cleared=max(merged.cleared, self.removals.latest))
            with atomic_write(target, mode=0o600) as file:
                parquet.write(merged, file)
            for former in files:
                if former.path != target:
                    self.remove(former)
            written = self.find(snapshot.key)
            metadata = None if written is None else self.metadata(written)
            if written is None or metadata is None:
                raise OSError(f"{target} was removed as soon as it was written")
            self._written.put(target, (metadata, merged.status))
        return written

    def _contains(self, snapshot: Snapshot, metadata: Metadata | None) -> bool:
        """Whether a snapshot has everything that its file has: this process wrote the file, and it had less then."""
        known = self._written.get(self.file_path(snapshot.key))
        if known is None or metadata is None or known[0][0].facts != metadata.facts:
            return False
        return bool(metadata.facts["version"] == snapshot.version and (snapshot.status >= known[0][1]).all())

    def touch(self, file: CacheFile, used: float | None = None) -> None:
        """Record that an entry was requested.

        Args:
            file: Its file.
            used: When, in seconds since the epoch; None for now.
        """
        with contextlib.suppress(OSError):
            os.utime(file.path, None if used is None else (used, used))

    def remove(self, file: CacheFile) -> int:
        """Delete a file.

        Args:
            file: The file; another process may have deleted it.

        Returns:
            The bytes that this freed.
        """
        try:
            file.path.unlink()
        except FileNotFoundError:
            return 0
        return file.size

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

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one process write at a time; the turn of a process that is killed ends with it."""
        try:
            with self._file_lock:  # the thread that holds it may take it again
                yield
        except filelock.Timeout as error:
            raise OSError(f"another program has been writing to {self.path} for {_TURN_TIMEOUT:.0f} s") from error

    def _set_aside(self, file: CacheFile, reason: Unreadable) -> None:
        """Move a damaged file to the folder `aside`, or pass an unreadable one over; with a warning, once."""
        name = (file.path, file.stamp)
        if name in self._passed_over or not os.path.lexists(file.path):
            return
        self._passed_over.add(name)
        if not self._own or not isinstance(reason, Damaged):
            _log.warning("%s is passed over: %s.", file.path, reason)
            return
        aside = self.path / ASIDE
        try:
            with self._turn():
                if stamp_of(file.path.lstat()) != file.stamp:
                    return  # another process has put a whole one in its place
                aside.mkdir(mode=0o700, exist_ok=True)
                if aside.is_symlink():
                    raise OSError(f"{aside} is a link")
                file.path.rename(aside / f"{file.path.stem}.{secrets.token_hex(4)}.parquet")
            _log.warning("%s is set aside, in the folder %r: %s.", file.path, ASIDE, reason)
        except FileNotFoundError:
            return  # another process has removed it
        except OSError as error:
            _log.warning("%s is passed over: %s (and it cannot be moved: %s).", file.path, reason, error)

    def _clear_parts(self, age: float) -> None:
        """Delete the unfinished files that are at least `age` seconds old."""
        with contextlib.suppress(OSError), os.scandir(self.path) as directory:
            for item in directory:
                if _PART.fullmatch(item.name):
                    with contextlib.suppress(OSError):
                        if time.time() - item.stat(follow_symlinks=False).st_mtime >= age:
                            Path(item.path).unlink()


def _check_name(file: CacheFile, key: CacheKey) -> None:
    if file.path.stem not in key.names:
        raise Damaged("it is another entry's file under a false name")


def _count_ids(metadata: Metadata | None) -> int:
    return 8 if metadata is None else 8 + len(metadata.facts["ids"])
