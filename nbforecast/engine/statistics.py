"""What the engine has done, counted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Counts:
    """chunks, inferred: pieces of background inference, and the origins in them. batches, calculated: calculations of
    the background. answers: requests of people who waited, inferred beside it. joined: requests that found equal ones
    in work. locks: how often an entry was locked to write results of any of these.
    """

    chunks: int = 0
    inferred: int = 0
    batches: int = 0
    calculated: int = 0
    answers: int = 0
    joined: int = 0
    locks: int = 0


class Statistics:
    """Counts from several threads."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._lock = threading.Lock()

    def add(self, **more: int) -> None:
        """Add to some counts."""
        with self._lock:
            now = self._counts
            self._counts = Counts(**{f.name: getattr(now, f.name) + more.get(f.name, 0) for f in fields(Counts)})

    @property
    def counts(self) -> Counts:
        """The counts as they stand."""
        return self._counts
