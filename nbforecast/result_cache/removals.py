"""What was removed from a cache, recorded so that nothing brings it back (C16): the tombstones of databases.

A removal has a time. Results that are older than it are gone, wherever they are: in another kernel's memory, in a run
that somebody holds, in a task that began before.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.atomic_write import atomic_write
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.snapshot import Snapshot

_log = logging.getLogger("nbforecast.result_cache")
_MAX_REMOVALS = 4096
_MAX_BYTES = 64 << 20  # of a file of removals
_CLOCK_TOLERANCE = 86_400.0  # seconds by which another machine's clock may be ahead
_TICK = 1e-6  # seconds between two removals


@dataclass(frozen=True)
class Removal:
    """Results that were removed.

    Attributes:
        key: The key of their entry as text; None for every entry.
        keep: The highest `Status` that a row may have afterwards.
        span: The lowest and highest index concerned; None for all.
        series: The series concerned; None for all.
        time: When, in seconds since the epoch.
        former: Keys that the entry had before rows were appended: whoever holds it under these has it no more, either.
    """

    key: str | None = None
    keep: int = Status.PENDING
    span: tuple[int, int] | None = None
    series: tuple[str, ...] | None = None
    time: float = 0.0
    former: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing of an entry remains."""
        return self.keep == Status.PENDING and self.span is None and self.series is None

    def covers(self, other: Removal) -> bool:
        """Whether an earlier removal adds nothing to this one.

        Args:
            other: The earlier removal.

        Returns:
            Whether everything that it concerns is removed whole by this one.
        """
        own = {self.key, *self.former}
        return self.is_whole and (self.key is None or own.issuperset((other.key, *other.former)))

    def rows(self, data: Dataset) -> Int64[np.ndarray, " R"]:
        """The rows concerned.

        Args:
            data: The dataset of the entry.

        Returns:
            (R,) rows.
        """
        is_concerned = np.ones(len(data), bool)
        if self.span is not None:
            index = data.index()
            is_concerned &= (index >= self.span[0]) & (index <= self.span[1])
        if self.series is not None:
            is_concerned &= np.repeat(np.isin(np.array(data.ids, object), self.series), data.lengths)
        return np.flatnonzero(is_concerned)

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Removal:
        """A removal from its plain values as JSON has them; raises `ValueError` for others."""
        span, series, key, moment = facts["span"], facts["series"], facts["key"], facts["time"]
        former = facts.get("former", ())  # earlier versions have none
        is_sound = (
            type(moment) in (int, float)
            and 0 < moment < time.time() + _CLOCK_TOLERANCE
            and (key is None or isinstance(key, str))
            and (span is None or (len(span) == 2 and all(type(end) is int and abs(end) < 1 << 62 for end in span)))
            and (series is None or all(isinstance(name, str) for name in series))
            and all(isinstance(name, str) for name in former)
        )
        if not is_sound:
            raise ValueError("a value is impossible")
        return cls(
            key,
            int(Status(facts["keep"])),
            None if span is None else (span[0], span[1]),
            None if series is None else tuple(series),
            float(moment),
            tuple(former),
        )


class Removals:
    """The removals of a cache, the oldest first; those of a directory are in a file that processes share.

    Any thread may use them.

    Attributes:
        revision: Differs after every new removal.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Use a file that may not exist yet.

        Args:
            path: The file; None for removals that only this process needs.
        """
        self._path = path
        self.revision = 0
        self._items: list[Removal] = []
        self._stamp: tuple[int, ...] | None = None
        self._lock = threading.Lock()  # protects _items and _stamp

    @property
    def latest(self) -> float:
        """When something was last removed; results that begin later are younger than every removal."""
        items = self._items
        return items[-1].time if items else 0.0

    def newer(self, key: CacheKey, since: float) -> list[Removal]:
        """The removals that concern an entry.

        Args:
            key: Its key.
            since: The time up to which removals count as applied.

        Returns:
            Later ones, the oldest first.
        """
        items = self._items
        later = items[bisect_right(items, since, key=lambda removal: removal.time) :]
        own = str(key) if later else ""
        return [removal for removal in later if removal.key in (None, own) or own in removal.former]

    def is_removed(self, key: CacheKey, since: float) -> bool:
        """Whether an entry as a whole was removed.

        Args:
            key: Its key.
            since: The time up to which removals count as applied.

        Returns:
            Whether it was.
        """
        return any(removal.is_whole for removal in self.newer(key, since))

    def apply(self, snapshot: Snapshot) -> Snapshot | None:
        """What remains of an entry.

        Args:
            snapshot: The entry as it was read or is to be saved.

        Returns:
            A snapshot to which every removal is applied, None if nothing remains.
        """
        for removal in self.newer(snapshot.key, snapshot.cleared):
            if removal.is_whole:
                return None
            snapshot = snapshot.lower(removal.rows(snapshot.data), Status(removal.keep), removal.time)
        return snapshot

    def add(self, removal: Removal, *, write: bool = True) -> Removal:
        """Record a removal; the caller holds the turn of the directory.

        Args:
            removal: The removal, whose time does not count.
            write: Whether other processes learn of it.

        Returns:
            The removal with its time, which is later than any other's.

        Raises:
            OSError: The file cannot be written.
        """
        self.refresh()
        with self._lock:
            new = replace(removal, time=max(time.time(), self.latest) + _TICK)
            items = [item for item in self._items if not new.covers(item)]
            items = [*items, new][-_MAX_REMOVALS:]
            if write and self._path is not None and self._path.parent.is_dir():
                with atomic_write(self._path, mode=0o600) as file:
                    file.write(json.dumps({"format": 1, "removals": [asdict(item) for item in items]}).encode())
                self._stamp = self._file_stamp()
            self._items = items
            self.revision += 1
        return new

    def refresh(self) -> None:
        """Read what other processes have removed."""
        stamp = self._file_stamp()
        if stamp is None or stamp == self._stamp:
            return
        with self._lock:
            known = set(self._items)
            items = known.union(self._read())
            self._stamp = stamp
            if len(items) > len(known):
                self._items = sorted(items, key=lambda removal: removal.time)
                self.revision += 1

    def _file_stamp(self) -> tuple[int, ...] | None:
        with contextlib.suppress(OSError):
            details = self._path.lstat() if self._path is not None else None
            return None if details is None else (details.st_ino, details.st_size, details.st_mtime_ns)
        return None

    def _read(self) -> list[Removal]:
        """The removals in the file; a damaged one is passed over with a warning (C13)."""
        try:
            if self._path is None or self._path.is_symlink() or self._path.stat().st_size > _MAX_BYTES:
                raise ValueError("it is not a file of removals")
            facts = json.loads(self._path.read_bytes())
            return [Removal.from_facts(item) for item in facts["removals"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _log.warning("%s is passed over: %s.", self._path, error)
            return []
