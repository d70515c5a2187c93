"""A directory of entries that several kernels share.

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
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np
from jaxtyping import UInt8

from nbforecast.atomic_write import atomic_write
from nbforecast.result_cache import parquet
from nbforecast.result_cache.metadata import Damaged, Unreadable
from nbforecast.result_cache.snapshot import union

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.metadata import Metadata
    from nbforecast.result_cache.snapshot import Snapshot

    Outline = tuple[Dataset, np.ndarray, np.ndarray]


_log = logging.getLogger("nbforecast.result_cache")
_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.parquet")
_PART = re.compile(r"\.[0-9a-f]{32}-[0-9a-f]{16}\.[0-9a-f]{16}\.part")
_PATIENCE = 60.0  # seconds to wait for another kernel's turn
_ABANDONED = 3600.0  # seconds after which an unfinished file was left by a kernel that was killed
_REMEMBERED = 2_000_000  # rows of outlines that are not read again
ASIDE = "aside"


@dataclass(frozen=True)
class CacheFile:
    """A file of the directory. `used` is when an entry of it was last asked for (its modification time)."""

    path: Path
    handle: str
    group: str
    size: int
    used: float
    stamp: tuple[int, int, int]


class CacheDirectory:
    """The entries of one directory, made when the first one is written.

    `own` says whether the directory is ours: what cannot be read is then moved to its folder `aside`; elsewhere it is
    only passed over. Both are logged as warnings.
    """

    def __init__(self, directory: Path, *, own: bool = True) -> None:
        self.directory = directory
        self._own = own
        self._lock = filelock.FileLock(directory / ".lock", timeout=_PATIENCE, mode=0o600)
        self._headers: dict[tuple[Path, tuple[int, int, int]], Metadata | None] = {}
        self._remembering = threading.Lock()
        self._outlines: dict[tuple[Path, tuple[int, int, int]], Outline] = {}
        self._written: dict[Path, tuple[Metadata, UInt8[np.ndarray, " N"]]] = {}
        self._passed: set[tuple[Path, tuple[int, int, int]]] = set()

    def files(self, groups: Collection[str] | None = None) -> list[CacheFile]:
        """The directory's files (of some groups), the last used first."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is None or not (groups is None or match[2] in groups):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode):
                        found.append(_found(Path(entry.path), match, facts))
        return sorted(found, key=lambda f: -f.used)

    def find(self, key: CacheKey) -> CacheFile | None:
        """The file of an entry, under its present name or else under its name in an earlier version."""
        return next(iter(self._find_all(key)), None)

    def _find_all(self, key: CacheKey) -> list[CacheFile]:
        files = []
        for name in key.names:
            path = self.directory / f"{name}.parquet"
            match = _NAME.fullmatch(path.name)
            with contextlib.suppress(OSError):
                facts = path.lstat()
                if match is not None and stat.S_ISREG(facts.st_mode):
                    files.append(_found(path, match, facts))
        return files

    def path(self, key: CacheKey) -> Path:
        """Where an entry's file belongs."""
        return self.directory / f"{key}.parquet"

    def header(self, found: CacheFile) -> Metadata | None:
        """What a file says of itself; None if it cannot be read."""
        known = (found.path, found.stamp)
        header = self._headers.get(known)
        if header is not None or known in self._headers:
            return header
        try:
            header = parquet.read_header(found.path)
            _check_name(found, header.key)
        except Unreadable as reason:
            header = None
            self._set_aside(found, reason)
        self._headers[known] = header
        return header

    def outline(self, found: CacheFile) -> Outline | None:
        """A file's data, contexts and status, without results; None if it cannot be read."""
        known = (found.path, found.stamp)
        outline = self._outlines.get(known)
        if outline is None:
            try:
                outline = parquet.read_outline(found.path)
            except Unreadable as reason:
                self._set_aside(found, reason)
                return None
            with self._remembering:
                room = _REMEMBERED - len(outline[1])
                while self._outlines and sum(len(o[1]) for o in self._outlines.values()) > room:
                    del self._outlines[next(iter(self._outlines))]
                self._outlines[known] = outline
        return outline

    def read(self, found: CacheFile) -> Snapshot | None:
        """The entry of a file; None if it cannot be read."""
        try:
            snapshot = parquet.read(found.path)
            _check_name(found, snapshot.key)
        except Unreadable as reason:
            self._set_aside(found, reason)
            return None
        return snapshot

    def write(self, snapshot: Snapshot, *, instead: bool = False) -> CacheFile:
        """Save an entry, together with what another kernel has saved of it (or `instead` of that).

        Raises `OSError` if the directory cannot be written to, or holds a file that can neither be read nor set aside.
        """
        self._make()
        target = self.path(snapshot.key)
        with self._turn():
            files = self._find_all(snapshot.key)
            there = next(iter(files), None)
            header = None if there is None else self.header(there)
            known = instead or header is None or self._contains(snapshot, header)
            saved = None if known or there is None else self.read(there)
            if there is not None and (header is None or not known) and saved is None and self.find(snapshot.key):
                raise OSError(f"{target} cannot be read, and not be set aside")
            both = snapshot if saved is None else union(snapshot, saved)
            for file in files[1:]:
                saved = None if instead else self.read(file)
                both = both if saved is None else union(both, saved)
            self._put(both, target)
            for file in files:
                if file.path != target:
                    self.remove(file)
            found = self.find(snapshot.key)
            header = None if found is None else self.header(found)
            if found is None or header is None:
                raise OSError(f"{target} has been removed as soon as it was written")
            self._written[target] = header, both.status
        return found

    def _contains(self, snapshot: Snapshot, header: Metadata | None) -> bool:
        """Whether a snapshot has everything that its file has: we have written that, and it was less."""
        known = self._written.get(self.path(snapshot.key))
        if known is None or header is None or known[0].facts != header.facts:
            return False
        return bool(header.facts["version"] == snapshot.version and (snapshot.status >= known[1]).all())

    def touch(self, found: CacheFile, used: float | None = None) -> None:
        """Note that an entry has been used, now or at a time in seconds since the epoch."""
        with contextlib.suppress(OSError):
            os.utime(found.path, None if used is None else (used, used))

    def remove(self, found: CacheFile) -> int:
        """Delete a file; returns the bytes this gave back."""
        try:
            found.path.unlink()
        except FileNotFoundError:
            return 0
        return found.size

    def trim(self, most: int, keep: Path | None = None) -> list[CacheFile]:
        """Delete the files used longest ago, but for `keep`, until the rest take at most so many bytes.

        Also deletes what killed kernels have left unfinished. Returns what was deleted.
        """
        self._clear_parts(_ABANDONED)
        there = self.files()
        total = sum(f.size for f in there)
        gone = []
        for found in reversed(there):
            if total <= most:
                break
            if found.path != keep:
                total -= found.size
                self.remove(found)
                gone.append(found)
        return gone

    def clear(self) -> list[CacheFile]:
        """Delete every entry, and what was set aside or left unfinished. Returns the entries deleted."""
        gone = self.files()
        for found in gone:
            self.remove(found)
        with contextlib.suppress(OSError), self._turn():  # nobody writes: what is unfinished stays so
            self._clear_parts(0.0)
        with contextlib.suppress(OSError):
            aside = self.directory / ASIDE
            if not aside.is_symlink():
                for path in aside.iterdir():
                    path.unlink()
                aside.rmdir()
        self._headers.clear()
        return gone

    def _make(self) -> None:
        """The directory, and those above it that are missing, for their owner alone."""
        missing = [d for d in (self.directory, *self.directory.parents) if not d.exists()]
        for directory in reversed(missing):
            directory.mkdir(exist_ok=True, mode=0o700)
        if not self.directory.is_dir():
            raise NotADirectoryError(f"{self.directory} is a file")

    def _put(self, snapshot: Snapshot, target: Path) -> None:
        with atomic_write(target, mode=0o600) as file:
            parquet.write(snapshot, file)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer at a time; a killed one's turn ends with it."""
        try:
            with self._lock:  # may be taken again by the thread that holds it
                yield
        except filelock.Timeout as error:
            raise OSError(f"another program has been writing to {self.directory} for {_PATIENCE:.0f} s") from error

    def _set_aside(self, found: CacheFile, reason: Unreadable) -> None:
        seen = (found.path, found.stamp)
        if seen in self._passed or not os.path.lexists(found.path):
            return
        self._passed.add(seen)
        if not self._own or not isinstance(reason, Damaged):
            _log.warning("%s is passed over: %s.", found.path, reason)
            return
        aside = self.directory / ASIDE
        try:
            with self._turn():
                if _stamp(found.path.lstat()) != found.stamp:
                    return  # another kernel has put a whole one in its place
                aside.mkdir(mode=0o700, exist_ok=True)
                if aside.is_symlink():
                    raise OSError(f"{aside} is a link")
                found.path.rename(aside / f"{found.path.stem}.{secrets.token_hex(4)}.parquet")
            _log.warning("%s is set aside, in the folder %r: %s.", found.path, ASIDE, reason)
        except FileNotFoundError:
            return  # another kernel has removed it
        except OSError as error:
            _log.warning("%s is passed over: %s (and it cannot be moved: %s).", found.path, reason, error)

    def _clear_parts(self, age: float) -> None:
        with contextlib.suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                if _PART.fullmatch(entry.name):
                    with contextlib.suppress(OSError):
                        if time.time() - entry.stat(follow_symlinks=False).st_mtime >= age:
                            Path(entry.path).unlink()


def _check_name(found: CacheFile, key: CacheKey) -> None:
    if found.path.stem not in key.names:
        raise Damaged("it is another entry's file under a false name")


def _found(path: Path, match: re.Match[str], facts: os.stat_result) -> CacheFile:
    return CacheFile(path, match[1], match[2], facts.st_size, facts.st_mtime, _stamp(facts))


def _stamp(facts: os.stat_result) -> tuple[int, int, int]:
    """Tells whether a path still names the same file."""
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
