"""Background tasks, what becomes of one whose entry changes, and what the engine reports of them."""

from __future__ import annotations

import enum
import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from nbforecast.result_cache.status import column_shapes

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.entry_slice import EntrySlice

NEIGHBOURS = 64  # rows on either side of a wanted one that are inferred before all others
RATE_WINDOW = 3.0  # seconds over which the present rate is measured

State = Literal["running", "queued", "calculating", "ending"]
_numbers = itertools.count(1)


def next_number() -> int:
    """A number that no other task or request of this process has."""
    return next(_numbers)


class Priority(enum.IntEnum):
    """Who waits for a task; smaller goes first."""

    INTERACTIVE = 0
    BATCH = 1
    IDLE = 2


class StaleAction(enum.Enum):
    """What to do with a task that a worker picks up, or with a request that waits, if its entry may have changed."""

    GO_ON = "the entry is unchanged"
    DROP = "nobody waits for the task"
    RESTART = "plan the task anew, on the current entry"
    INFER = "no entry has the origin: infer it anew, then answer"


def action_for_stale(priority: Priority, *, same: bool, available: bool = True) -> StaleAction:
    """What becomes of a task whose entry may have changed since the task was made (C8).

    | same | priority    | available | action  | rule                                                              |
    |------|-------------|-----------|---------|-------------------------------------------------------------------|
    | yes  | any         | -         | GO_ON   |                                                                   |
    | no   | idle        | -         | DROP    | C8b                                                               |
    | no   | batch       | -         | RESTART | a person holds the run: the task still fills the entry of the run |
    | no   | interactive | yes       | RESTART | C8b                                                               |
    | no   | interactive | no        | INFER   | C8c                                                               |

    Args:
        priority: The task's priority.
        same: Whether the task's entry is the cache's current one, and of the version that the task was made for.
        available: Whether the cache has an entry in which the task's origin can be forecast.

    Returns:
        The action.
    """
    if same:
        return StaleAction.GO_ON
    if priority is Priority.IDLE:
        return StaleAction.DROP
    if priority is Priority.BATCH or available:
        return StaleAction.RESTART
    return StaleAction.INFER


def newest_first(data: Dataset, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """Rows by index, from the newest origins of all series to the oldest (E6).

    Args:
        data: The dataset of the rows.
        rows: (R,) rows in ascending order.

    Returns:
        The same rows.
    """
    return rows[np.lexsort((rows, -data.index()[rows]))]


def nearest_first(data: Dataset, rows: Int64[np.ndarray, " R"], near: int) -> Int64[np.ndarray, " R"]:
    """Rows with the neighbours of one row moved to the front (E6).

    Args:
        data: The dataset of the rows.
        rows: (R,) rows in any order.
        near: The wanted row; its neighbours are those of its series less than `NEIGHBOURS` away.

    Returns:
        The neighbours by distance, then the other rows in their order.
    """
    series = int(np.searchsorted(data.offsets, near, side="right")) - 1
    distance = np.abs(rows - near)
    is_near = (distance < NEIGHBOURS) & (rows >= data.offsets[series]) & (rows < data.offsets[series + 1])
    neighbours = np.flatnonzero(is_near)
    by_distance = neighbours[np.argsort(distance[neighbours], kind="stable")]
    return np.concatenate([rows[by_distance], rows[~is_near]])


def _in_front(rows: Int64[np.ndarray, " R"], first: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " R"]:
    """Rows with those of `first` that are among them moved to the front, in its order."""
    return np.concatenate([first[np.isin(first, rows)], rows[~np.isin(rows, first)]])


def choose_rows(part: EntrySlice, near: int, limit: int) -> Int64[np.ndarray, " R"] | None:
    """The rows whose results are made although nobody has asked for them (E10).

    Args:
        part: The results.
        near: A row whose neighbours are among them.
        limit: Bytes that all results together may take.

    Returns:
        (R,) ascending rows: the neighbours, then the newest; None for all.
    """
    row_bytes = sum(int(np.prod(shape)) * 4 for shape in column_shapes(part.spec.horizon, part.spec.draws).values())
    pending, count = part.pending_rows(), max(limit // row_bytes - part.inferred, 2 * NEIGHBOURS)
    if len(pending) <= count:
        return None
    return np.sort(nearest_first(part.data, newest_first(part.data, pending), near)[:count])


class Task:
    """The work that completes a slice of an entry, inferred chunk by chunk by the engine's thread.

    Attributes:
        number: Differs from that of every other task and request of this process.
        entry_slice: The results to complete.
        forecaster: What infers; None where only calculations are missing.
        seed: For models that draw at random.
        priority: The most urgent priority that the task was submitted with.
        near: The row whose neighbours come first, or None.
        version: The entry's version that the rows were planned for (C8).
        is_started: The engine has picked the task up.
        is_finishing: Nothing is left to infer; the last calculations are in work.
        cancelled: Somebody has cancelled the task.
        error: What the task failed with, or None.
        finished: Set when nothing is left to do, after an error or after the task was cancelled.
        start_time, save_time, end_time: Seconds of the monotonic clock: when the task was made, its entry last saved,
            and the task finished (None before).
    """

    def __init__(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster | None,
        seed: int,
        priority: Priority,
        near: int | None = None,
    ) -> None:
        self.number = next_number()
        self.entry_slice = entry_slice
        self.forecaster = forecaster
        self.seed = seed
        self.priority = priority
        self.near = near
        self._lock = threading.Lock()
        self._preferred = np.zeros(0, np.int64)
        self.plan()
        self.start_time = self.save_time = time.monotonic()
        self.end_time: float | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.is_started = self.is_finishing = False
        self.finished = threading.Event()
        self._inferred = 0
        self._history: deque[tuple[float, int]] = deque([(self.start_time, 0)], maxlen=256)  # time, origins inferred

    def plan(self) -> None:
        """Find the rows that are pending now, for the entry's present version."""
        self.version = self.entry_slice.entry.version
        pending = self.entry_slice.pending_rows() if self.forecaster is not None else np.zeros(0, np.int64)
        rows = newest_first(self.entry_slice.data, pending)
        with self._lock:
            rows = _in_front(rows, self._preferred)
            self._rows = rows if self.near is None else nearest_first(self.entry_slice.data, rows, self.near)

    def prefer(self, rows: Int64[np.ndarray, " R"]) -> None:
        """Infer some rows before all others.

        Args:
            rows: (R,) rows of the slice's dataset in the order in which they are inferred; those that have been
                count for nothing.
        """
        with self._lock:
            self._preferred = rows
            self._rows = _in_front(self._rows, rows)

    @property
    def has_preferred(self) -> bool:
        """Whether preferred rows are still to be inferred."""
        return len(self._rows) > 0 and len(self._preferred) > 0 and bool(np.isin(self._rows[0], self._preferred))

    def move_first(self, near: int) -> None:
        """Infer the neighbours of a row next.

        Args:
            near: A row of the slice's dataset.
        """
        with self._lock:
            self.near = near
            self._rows = nearest_first(self.entry_slice.data, self._rows, near)

    @property
    def remaining(self) -> int:
        """Rows still to be inferred."""
        return len(self._rows)

    def next_rows(self, most: int) -> Int64[np.ndarray, " C"]:
        """Take the next rows from the plan, without those that have been inferred meanwhile.

        Args:
            most: The number of rows to take.

        Returns:
            Rows of the entry, at most `most`; none when the plan is done.
        """
        with self._lock:
            while len(self._rows):
                rows, self._rows = self.entry_slice.entry_rows(self._rows[:most]), self._rows[most:]
                rows = rows[self.entry_slice.entry.is_pending(rows)]
                if len(rows):
                    return rows
            return self._rows

    @property
    def is_stopped(self) -> bool:
        """Whether the task was cancelled or has failed: nothing more is done for it."""
        return self.cancelled or self.error is not None

    def record_inferred(self, count: int) -> None:
        """Count origins that have been inferred, for the rate.

        Args:
            count: How many more.
        """
        self._inferred += count
        self._history.append((time.monotonic(), self._inferred))

    @property
    def rate(self) -> float:
        """Origins inferred per second: of the last seconds, or over the whole time of a finished task."""
        history, now = list(self._history), time.monotonic()
        end, total = history[-1]
        if self.end_time is not None:
            start, before = self.start_time, 0
        else:
            recent = (point for point in history if now - point[0] < RATE_WINDOW)
            start, before = next(recent, history[-2] if len(history) > 1 else history[0])
        return (total - before) / (end - start) if end > start else 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the task was made, or that it took."""
        return (self.end_time or time.monotonic()) - self.start_time

    def finish(self) -> None:
        """Record the end and wake those who wait; once."""
        if not self.finished.is_set():
            self.end_time = time.monotonic()
            self.finished.set()


@dataclass(frozen=True)
class TaskInfo:
    """A task, or a request of somebody who waits, at one moment.

    Attributes:
        number: Differs from that of every other task and request of this process.
        entry_slice: The results that it completes.
        priority: Its priority.
        state: "running" (origins are being inferred), "queued", "calculating" (nothing is left to infer) or "ending"
            (cancelled or failed).
        available, inferred, calculated: Origins of the slice; of a request, those that it asks for.
        rate: Origins inferred per second in the last seconds.
        eta_seconds: Seconds until all are inferred, NaN while that is not known.
        seconds: Seconds since it was submitted.
        task: What `Engine.cancel` takes; None for a request, which lasts a moment.
    """

    number: int
    entry_slice: EntrySlice
    priority: Priority
    state: State
    available: int
    inferred: int
    calculated: int
    rate: float
    eta_seconds: float
    seconds: float
    task: Task | None = None

    @classmethod
    def of_task(cls, task: Task, state: State) -> TaskInfo:
        """The present state of a task.

        Args:
            task: The task.
            state: "running" or "queued", which only the engine knows.

        Returns:
            The information.
        """
        entry_slice = task.entry_slice
        available, inferred, rate = entry_slice.available, entry_slice.inferred, task.rate
        if task.is_stopped:
            state = "ending"
        elif task.is_finishing or task.forecaster is None:
            state = "calculating"
        return cls(
            number=task.number,
            entry_slice=entry_slice,
            priority=task.priority,
            state=state,
            available=available,
            inferred=inferred,
            calculated=entry_slice.calculated,
            rate=rate,
            eta_seconds=eta_seconds(available - inferred if task.forecaster is not None else 0, rate),
            seconds=task.seconds,
            task=task,
        )


def eta_seconds(pending: int, rate: float) -> float:
    """How long the pending origins take.

    Args:
        pending: The number of origins.
        rate: Origins inferred per second, 0 if not known.

    Returns:
        Seconds; NaN where the rate is not known.
    """
    if pending <= 0:
        return 0.0
    return pending / rate if rate else float("nan")


@dataclass(frozen=True)
class Counts:
    """What the engine has done so far.

    Attributes:
        chunks, inferred: Chunks of background inference, and the origins in them.
        batches, calculated: Batches of calculations, and the origins in them.
        answers: Requests of people who wait, inferred beside the background.
        joined: Tasks and requests that joined an equal one (E4).
        locks: How often an entry was locked to write results (E3).
    """

    chunks: int = 0
    inferred: int = 0
    batches: int = 0
    calculated: int = 0
    answers: int = 0
    joined: int = 0
    locks: int = 0


class Statistics:
    """Counts that several threads add to."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._lock = threading.Lock()

    def add(self, **increments: int) -> None:
        """Add to some counts.

        Args:
            **increments: How much to add, by the names of `Counts`.
        """
        with self._lock:
            counts = self._counts
            sums = {f.name: getattr(counts, f.name) + increments.get(f.name, 0) for f in fields(Counts)}
            self._counts = Counts(**sums)

    @property
    def counts(self) -> Counts:
        """The counts at this moment."""
        return self._counts
