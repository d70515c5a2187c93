"""Files of a cache directory, and what was read from them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import os
    import re
    from collections.abc import Callable
    from pathlib import Path

FileStamp = tuple[int, int, int]
V = TypeVar("V")


@dataclass(frozen=True)
class CacheFile:
    """A file of a cache directory, as it was when the directory was read.

    Attributes:
        path: Where it is.
        handle: The handle of its data, from its name.
        group: The group of its spec, from its name.
        size: Its bytes.
        used: When its entry was last requested, in seconds since the epoch (its modification time).
        stamp: Differs once another file has its name.
    """

    path: Path
    handle: str
    group: str
    size: int
    used: float
    stamp: FileStamp

    @classmethod
    def of(cls, path: Path, match: re.Match[str], details: os.stat_result) -> CacheFile:
        """A file from the parts of its name, handle and group, and from what the system says of it."""
        return cls(path, match[1], match[2], details.st_size, details.st_mtime, stamp_of(details))


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
