"""A piece of background work: fill what a view of an entry lacks."""

from __future__ import annotations

import enum
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int64

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.results.view import View
    from nbforecast.series import Dataset

NEIGHBOURS = 64


class Priority(enum.IntEnum):
    """Who waits for it; smaller goes first."""

    INTERACTIVE = 0
    BATCH = 1
    IDLE = 2


def order_by_value(data: Dataset, rows: Int64[np.ndarray, " R"], near: int | None = None) -> Int64[np.ndarray, " R"]:
    """Rows in the order in which a person wants them: around index `near`, then newest to oldest (SPEC E6)."""
    index = data.index()[rows]
    first = np.full(len(rows), NEIGHBOURS) if near is None else np.minimum(np.abs(index - near), NEIGHBOURS)
    return rows[np.lexsort((rows, -index, first))]


class Task:
    """Everything a view lacks, taken chunk by chunk by the engine's thread.

    `rows` are the view's origins still to be inferred, most wanted first; none without a forecaster, when only
    calculations are missing. `version` is the entry's that they were planned for (SPEC C8). `finished` is set when
    nothing is left, after an error (kept in `error`) or after `cancel`.
    """

    def __init__(
        self, view: View, forecaster: Forecaster | None, seed: int, priority: Priority, near: int | None = None
    ) -> None:
        self.view = view
        self.forecaster = forecaster
        self.seed = seed
        self.priority = priority
        self.near = near
        self.plan()
        self.started = self.saved = time.monotonic()
        self.ended: float | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.finished = threading.Event()

    def plan(self) -> None:
        """Look anew for what is missing."""
        self.version = self.view.entry.version
        missing = self.view.missing() if self.forecaster is not None else np.zeros(0, np.int64)
        self.rows = order_by_value(self.view.data, missing, self.near)

    def next_rows(self, most: int) -> Int64[np.ndarray, " C"]:
        """The entry's rows of the next origins to infer, without those that somebody else has inferred meanwhile."""
        while len(self.rows):
            part, self.rows = self.view.rows(self.rows[:most]), self.rows[most:]
            part = part[self.view.entry.waiting(part)]
            if len(part):
                return part
        return self.rows

    def cancel(self) -> None:
        """Stop after the chunk in work; what is finished stays."""
        self.cancelled = True

    @property
    def seconds(self) -> float:
        """Time since the task was given, or that it took."""
        return (self.ended or time.monotonic()) - self.started

    def finish(self, error: BaseException | None = None) -> None:
        """Mark the end, once."""
        if not self.finished.is_set():
            self.error = error
            self.ended = time.monotonic()
            self.finished.set()
