"""Files of a cache directory, and what was read from them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

FileStamp = tuple[int, ...]
V = TypeVar("V")

_FIRST = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.parquet")
_ROWS = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.rows-(\d{4,9})\.parquet")
UNFINISHED = re.compile(r"\.[0-9a-f]{32}-[0-9a-f]{16}(\.rows-\d{4,9})?\.[0-9a-f]{16}\.part")


@dataclass(frozen=True)
class CacheFile:
    """The files of an entry, as they were when the directory was read: one, and those of appended rows beside it.

    Attributes:
        path: Where the first one is.
        handle: The handle of the entry's data.
        group: The group of its spec.
        size: The bytes of all.
        used: When the entry was last requested, in seconds since the epoch (the last one's modification time).
        stamp: Differs once one of them is another file.
        number: Which file of appended rows it is, where a file of such rows stands by itself; 0 for others.
        deltas: The files of appended rows, each as if it stood by itself, in their order.
    """

    path: Path
    handle: str
    group: str
    size: int
    used: float
    stamp: FileStamp
    number: int = 0
    deltas: tuple[CacheFile, ...] = field(default=(), repr=False)

    def with_deltas(self, deltas: tuple[CacheFile, ...], handle: str) -> CacheFile:
        """The entry of this first file and of rows that were appended.

        Args:
            deltas: Their files.
            handle: The handle of all rows.

        Returns:
            The entry.
        """
        size = self.size + sum(delta.size for delta in deltas)
        stamp = tuple(number for file in (self, *deltas) for number in file.stamp)
        return replace(self, handle=handle, size=size, used=deltas[-1].used, stamp=stamp, deltas=deltas)

    @property
    def first(self) -> CacheFile:
        """The first file alone; its handle is that of its name."""
        if not self.deltas:
            return self
        size, stamp = self.size - sum(d.size for d in self.deltas), self.stamp[:3]
        return replace(self, handle=self.path.stem[:32], size=size, stamp=stamp, deltas=())

    @property
    def paths(self) -> list[Path]:
        """Every file, the newest rows first: in this order they are removed, so that what is left is an entry."""
        return [*(delta.path for delta in reversed(self.deltas)), self.path]


class DirectoryListing:
    """The files of a directory that are named like those of a cache; links do not count. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        """List nothing yet.

        Args:
            path: The directory, which may not exist.
        """
        self._path = path
        self._files: dict[str, CacheFile] = {}  # of the last listing; most files are the same in the next

    def files(self, groups: Collection[str] | None = None) -> list[CacheFile]:
        """The files at this moment.

        Args:
            groups: Only files of these groups.

        Returns:
            Each file by itself. The handle is that of its name, which for appended rows names the first file.
        """
        files, last = {}, self._files
        with contextlib.suppress(OSError), os.scandir(self._path) as directory:
            for item in directory:
                match = _FIRST.fullmatch(item.name) or _ROWS.fullmatch(item.name)
                if match is None or not (groups is None or match[2] in groups):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    details = item.stat(follow_symlinks=False)
                    if stat.S_ISREG(details.st_mode):
                        file = last.get(item.name)
                        is_same = file is not None and file.stamp == stamp_of(details)
                        files[item.name] = file if is_same and file else _file_of(Path(item.path), match, details)
        others = {} if groups is None else {name: file for name, file in last.items() if file.group not in groups}
        self._files = others | files
        return list(files.values())

    def without_rows(self, name: str) -> CacheFile | None:
        """An entry's first file, if no rows were appended to it: without a listing of the directory.

        Args:
            name: The stem of its name.

        Returns:
            The file; None if there is none, or if there are others beside it.
        """
        path = self._path / f"{name}.parquet"
        match = _FIRST.fullmatch(path.name)
        try:
            details = path.lstat()
        except OSError:
            return None
        if match is None or not stat.S_ISREG(details.st_mode) or os.path.lexists(delta_path(path, 1)):
            return None
        return _file_of(path, match, details)


def _file_of(path: Path, match: re.Match[str], details: os.stat_result) -> CacheFile:
    """A file by itself, from the parts of its name and from what the system says of it."""
    number = int(match[3]) if match.re is _ROWS else 0
    return CacheFile(path, match[1], match[2], details.st_size, details.st_mtime, stamp_of(details), number)


def delta_path(first: Path, number: int) -> Path:
    """Where a file of appended rows belongs.

    Args:
        first: The entry's first file.
        number: Which file of appended rows it is, from 1 on.

    Returns:
        The path; in alphabetic order it comes after the first file's.
    """
    return first.with_name(f"{first.stem}.rows-{number:04d}.parquet")


def stamp_of(details: os.stat_result) -> FileStamp:
    """What differs once another file has a file's name."""
    return details.st_ino, details.st_size, details.st_mtime_ns


class FileMemory(Generic[V]):
    """What is known of files, as long as they do not change; what was used longest ago goes first.

    Any thread may use it.
    """

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        """Hold nothing yet.

        Args:
            limit: The size that all values together may have.
            size: The size of a value.
        """
        self._limit = limit
        self._size = size
        self._total = 0
        self._values: dict[Path, tuple[FileStamp | None, V]] = {}
        self._lock = threading.Lock()  # protects _values and _total

    def get(self, path: Path, stamp: FileStamp | None = None) -> tuple[V] | None:
        """The value of a file.

        Args:
            path: The file.
            stamp: Its stamp, if the value depends on it.

        Returns:
            The value in a tuple; None if there is none, or only that of an earlier file of this name.
        """
        with self._lock:
            item = self._pop(path)
            if item is None or item[0] != stamp:
                return None
            self._insert(path, item)
            return (item[1],)

    def put(self, path: Path, value: V, stamp: FileStamp | None = None) -> None:
        """Hold the value of a file, instead of that of an earlier file of its name.

        Args:
            path: The file.
            value: The value.
            stamp: The file's stamp, if the value depends on it.
        """
        with self._lock:
            self._pop(path)
            while self._values and self._total + self._size(value) > self._limit:
                self._pop(next(iter(self._values)))
            self._insert(path, (stamp, value))

    def clear(self) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._values.clear()
            self._total = 0

    def _pop(self, path: Path) -> tuple[FileStamp | None, V] | None:
        item = self._values.pop(path, None)
        self._total -= 0 if item is None else self._size(item[1])
        return item

    def _insert(self, path: Path, item: tuple[FileStamp | None, V]) -> None:
        self._values[path] = item
        self._total += self._size(item[1])
