"""What a directory of entries holds, read beside other processes that write (C9, C13).

An entry is one file, and beside it the files of rows that were appended later (`appended_rows`). Readers see a whole
file or none. Nothing in a file decides where anything is read. Links are not followed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import filelock

from nbforecast.result_cache import parquet
from nbforecast.result_cache.appended_rows import joined, joined_outline
from nbforecast.result_cache.cache_file import DirectoryListing, FileMemory, stamp_of
from nbforecast.result_cache.metadata import Damaged, Unreadable
from nbforecast.result_cache.removals import Removals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from nbforecast.result_cache.cache_file import CacheFile, FileStamp
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata
    from nbforecast.result_cache.parquet import FileOutline
    from nbforecast.result_cache.snapshot import Snapshot

    Content = TypeVar("Content", Snapshot, FileOutline)

_log = logging.getLogger("nbforecast.result_cache")
_TURN_TIMEOUT = 60.0  # seconds to wait for another process's turn
_MAX_ROWS = 2_000_000  # rows of outlines that are held in memory
_MAX_IDS = 200_000  # names of series in the metadata that are held in memory
ASIDE, REMOVALS = "aside", ".removals.json"


class DirectoryReader:
    """Reads the entries of one directory, and sets aside what is damaged.

    Attributes:
        path: The directory, which may not exist yet.
        removals: What was removed from it, by any process (C16).
        damages: How many files this process has set aside or passed over.
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
        self._listing = DirectoryListing(path)
        self._file_lock = filelock.FileLock(path / ".lock", timeout=_TURN_TIMEOUT, mode=0o600)
        self._of_each_file: FileMemory[Metadata | None] = FileMemory(_MAX_IDS, _count_ids)
        self._metadata: FileMemory[Metadata] = FileMemory(_MAX_IDS, _count_ids)
        self._outlines: FileMemory[FileOutline] = FileMemory(_MAX_ROWS, lambda outline: len(outline.contexts))
        self._passed_over: set[tuple[Path, FileStamp]] = set()

    @property
    def damages(self) -> int:
        """How many files this process has set aside or passed over."""
        return len(self._passed_over)

    def files(self, groups: Collection[str] | None = None) -> list[CacheFile]:
        """The directory's entries. Appended rows whose first file is missing are an entry of their own.

        Args:
            groups: Only entries of these groups.

        Returns:
            The entries, the last used first.
        """
        files: list[CacheFile] = []
        deltas: dict[tuple[str, str], dict[int, CacheFile]] = {}
        for file in self._listing.files(groups):
            if file.number:
                deltas.setdefault((file.handle, file.group), {})[file.number] = file
            else:
                files.append(file)
        if deltas:
            files = [self._with_deltas(f, deltas.get((f.handle, f.group), {})) for f in files]
            files += [orphan for rest in deltas.values() for delta in rest.values() for orphan in self._alone(delta)]
        return sorted(files, key=lambda file: -file.used)

    def _with_deltas(self, first: CacheFile, deltas: dict[int, CacheFile]) -> CacheFile:
        """An entry with the rows that were appended to its first file, as far as none is missing.

        Args:
            first: Its first file.
            deltas: The files beside it by number; those that belong to the entry are taken out.
        """
        chain: list[CacheFile] = []
        while (delta := deltas.get(len(chain) + 1)) is not None and not self._is_passed_over(delta):
            chain.append(delta)
        while chain:
            metadata = self._file_metadata(chain[-1])
            if metadata is not None:
                for delta in chain:
                    del deltas[delta.number]
                return first.with_deltas(tuple(chain), metadata.facts["delta"]["entry"]["handle"])
            del deltas[chain.pop().number]
        return first

    def _alone(self, delta: CacheFile) -> Iterator[CacheFile]:
        """Appended rows as an entry of their own, if they can be read."""
        metadata = None if self._is_passed_over(delta) else self._file_metadata(delta)
        if metadata is not None:
            yield replace(delta, handle=metadata.facts["handle"])

    def _is_passed_over(self, file: CacheFile) -> bool:
        return bool(self._passed_over) and (file.path, file.stamp) in self._passed_over

    def find(self, key: CacheKey) -> CacheFile | None:
        """The files of an entry, under its present name or else under its name in an earlier version.

        Args:
            key: The entry's key.

        Returns:
            The files, None if there are none.
        """
        for name in key.names:
            file = self._listing.without_rows(name)
            if file is not None:
                return file
        return next(iter(self._find_all(key)), None)

    def _find_all(self, key: CacheKey) -> list[CacheFile]:
        groups = list(key.spec.groups)
        files = [file for file in self.files(groups) if file.handle == key.handle]
        return sorted(files, key=lambda file: (groups.index(file.group), file.path.stem not in key.names))

    def metadata(self, file: CacheFile) -> Metadata | None:
        """The metadata of an entry.

        Args:
            file: Its files.

        Returns:
            The metadata, None if they cannot be read.
        """
        if not file.deltas:
            return self._file_metadata(file)
        cached = self._metadata.get(file.path, file.stamp)
        if cached:
            return cached[0]
        first, last = self._file_metadata(file.first), self._file_metadata(file.deltas[-1])
        if first is None or last is None:
            return None
        try:
            metadata = first.grown(last)
        except Damaged as reason:
            self._set_aside(file.deltas[-1], reason)
            return None
        self._metadata.put(file.path, metadata, file.stamp)
        return metadata

    def _file_metadata(self, file: CacheFile) -> Metadata | None:
        """The metadata of one file."""
        cached = self._of_each_file.get(file.path, file.stamp)
        if cached:
            return cached[0]
        metadata: Metadata | None
        try:
            metadata = parquet.read_metadata(file.path)
            _check_name(file, metadata)
        except Unreadable as reason:
            metadata = None
            self._set_aside(file, reason)
        self._of_each_file.put(file.path, metadata, file.stamp)
        return metadata

    def outline(self, file: CacheFile) -> FileOutline | None:
        """An entry's data, contexts and status, without results.

        Args:
            file: Its files.

        Returns:
            The outline, None if it cannot be read, or not all of it.
        """
        cached = self._outlines.get(file.path, file.stamp)
        if cached:
            return cached[0]
        outline, whole = self._read_files(file, parquet.read_outline, joined_outline)
        if outline is not None and whole:
            self._outlines.put(file.path, outline, file.stamp)
        return outline if whole else None

    def read(self, file: CacheFile) -> Snapshot | None:
        """An entry. Without appended rows that cannot be read, it is the entry of the rows before them.

        Args:
            file: Its files.

        Returns:
            A snapshot, None if it cannot be read or was removed.
        """
        snapshot = self._read(file)
        self.removals.refresh()
        return None if snapshot is None else self.removals.apply(snapshot)

    def _read(self, file: CacheFile) -> Snapshot | None:
        """The entry in some files, also if it was removed."""
        return self._read_files(file, parquet.read, joined)[0]

    def _read_files(
        self,
        file: CacheFile,
        read: Callable[[Path], Content],
        join: Callable[[Content, Sequence[Content], Metadata], Content],
    ) -> tuple[Content | None, bool]:
        """What an entry's files hold together, and whether that is all; damaged ones are set aside."""
        rest: CacheFile = file
        while True:
            parts: list[Content] = []
            part = rest.first
            try:
                for part in (rest.first, *rest.deltas):
                    if self._file_metadata(part) is None:
                        raise Damaged("its metadata cannot be read")
                    parts.append(read(part.path))
                metadata, part = self.metadata(rest), rest.deltas[-1] if rest.deltas else part
                if metadata is not None:
                    return join(parts[0], parts[1:], metadata) if rest.deltas else parts[0], rest is file
            except Unreadable as reason:
                self._set_aside(part, reason)
            remaining = [f for f in self.files([file.group]) if f.path == file.path and f.stamp != rest.stamp]
            if part.path == file.path or not remaining:
                return None, False
            rest = remaining[0]

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


def _check_name(file: CacheFile, metadata: Metadata) -> None:
    """Raise an error for a file whose name says something else than its metadata."""
    delta = metadata.facts.get("delta")
    stem, _, rest = file.path.stem.partition(".")
    if file.number:
        if delta is None or (delta["of"], delta["number"]) != (stem, file.number):
            raise Damaged("its rows were not appended to the file that its name says")
    elif delta is not None or rest or stem not in metadata.key.names:
        raise Damaged("it is another entry's file under a false name")


def _count_ids(metadata: Metadata | None) -> int:
    return 8 if metadata is None else 8 + len(metadata.facts["ids"])
