"""A piece of background work: fill what a view of an entry lacks."""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.engine.work import next_number

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.entry_slice import EntrySlice

NEIGHBOURS = 64
LATELY = 3.0  # seconds over which a rate is taken


class Priority(enum.IntEnum):
    """Who waits for it; smaller goes first."""

    INTERACTIVE = 0
    BATCH = 1
    IDLE = 2


def order_by_value(data: Dataset, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """Rows in the order in which a person wants them: newest to oldest."""
    return rows[np.lexsort((rows, -data.index()[rows]))]


def nearest_first(data: Dataset, rows: Int64[np.ndarray, " R"], near: int) -> Int64[np.ndarray, " R"]:
    """The rows with those around row `near` of its series put first, the others in their order."""
    series = int(np.searchsorted(data.offsets, near, side="right")) - 1
    away = np.abs(rows - near)
    close = (away < NEIGHBOURS) & (rows >= data.offsets[series]) & (rows < data.offsets[series + 1])
    at = np.flatnonzero(close)
    return np.concatenate([rows[at[np.argsort(away[at], kind="stable")]], rows[~close]])


class Task:
    """Everything a view lacks, taken chunk by chunk by the engine's thread.

    `rows` are the view's origins still to be inferred, most wanted first; none without a forecaster, when only
    calculations are missing. `version` is the entry's that they were planned for. `finished` is set when
    nothing is left, after an error (kept in `error`) or after it was `cancelled`.

    `number` tells it from others. `begun`: the engine has come to it. `ending`: nothing is left to infer, the last
    calculations are on their way.
    """

    def __init__(
        self, view: EntrySlice, forecaster: Forecaster | None, seed: int, priority: Priority, near: int | None = None
    ) -> None:
        self.number = next_number()
        self.view = view
        self.forecaster = forecaster
        self.seed = seed
        self.priority = priority
        self.near = near
        self._lock = threading.Lock()
        self.plan()
        self.started = self.saved = time.monotonic()
        self.ended: float | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.begun = self.ending = False
        self.finished = threading.Event()
        self._inferred = 0
        self._marks: deque[tuple[float, int]] = deque([(self.started, 0)], maxlen=256)

    def plan(self) -> None:
        """Look anew for what is missing."""
        self.version = self.view.entry.version
        missing = self.view.missing() if self.forecaster is not None else np.zeros(0, np.int64)
        rows = order_by_value(self.view.data, missing)
        with self._lock:
            self._rows = rows if self.near is None else nearest_first(self.view.data, rows, self.near)

    def aim(self, near: int) -> None:
        """Take the rows around `near` next."""
        with self._lock:
            self.near = near
            self._rows = nearest_first(self.view.data, self._rows, near)

    @property
    def left(self) -> int:
        """Rows still to be inferred."""
        return len(self._rows)

    def next_rows(self, most: int) -> Int64[np.ndarray, " C"]:
        """The entry's rows of the next origins to infer, without those that somebody else has inferred meanwhile."""
        with self._lock:
            while len(self._rows):
                part, self._rows = self.view.rows(self._rows[:most]), self._rows[most:]
                part = part[self.view.entry.waiting(part)]
                if len(part):
                    return part
            return self._rows

    @property
    def stopped(self) -> bool:
        """Nothing more is to be done for it: cancelled or failed."""
        return self.cancelled or self.error is not None

    def note(self, inferred: int) -> None:
        """So many more origins have been inferred."""
        self._inferred += inferred
        self._marks.append((time.monotonic(), self._inferred))

    @property
    def rate(self) -> float:
        """Origins inferred a second, of late; over all its time when it has ended."""
        marks = list(self._marks)
        (last, total), now = marks[-1], time.monotonic()
        if self.ended is not None:
            first, before = self.started, 0
        else:
            first, before = next((m for m in marks if now - m[0] < LATELY), marks[-2] if len(marks) > 1 else marks[0])
        return (total - before) / (last - first) if last > first else 0.0

    @property
    def seconds(self) -> float:
        """Time since the task was given, or that it took."""
        return (self.ended or time.monotonic()) - self.started

    def finish(self) -> None:
        """Mark the end, once."""
        if not self.finished.is_set():
            self.ended = time.monotonic()
            self.finished.set()
