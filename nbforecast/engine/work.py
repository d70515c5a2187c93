"""What the background does and has before it, told piece by piece."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nbforecast.engine.tasks import Priority, Task
    from nbforecast.result_cache.entry_slice import EntrySlice

State = Literal["running", "queued", "calculating", "ending"]
_numbers = itertools.count(1)


def next_number() -> int:
    """A number that no other piece of work of this process has."""
    return next(_numbers)


@dataclass(frozen=True)
class TaskInfo:
    """One piece of work, as it stands.

    number: tells it from all others of this process. state: "running" (origins are being inferred), "queued",
    "calculating" (nothing is left to infer) or "ending" (cancelled or failed). available, inferred, calculated: origins
    of its view, or those that somebody waits for. rate: origins inferred a second, of late. left: seconds until all are
    inferred, NaN while that is not known. seconds: since it was asked for. task: what can be cancelled; None for an
    answer to somebody who waits, which lasts a moment.
    """

    number: int
    view: EntrySlice
    priority: Priority
    state: State
    available: int
    inferred: int
    calculated: int
    rate: float
    left: float
    seconds: float
    task: Task | None = None

    @classmethod
    def of(cls, task: Task, state: State) -> TaskInfo:
        view = task.view
        available, inferred, rate = view.available, view.inferred, task.rate
        return cls(
            task.number,
            view,
            task.priority,
            "ending" if task.stopped else "calculating" if task.ending or task.forecaster is None else state,
            available,
            inferred,
            view.calculated,
            rate,
            time_left(available - inferred if task.forecaster is not None else 0, rate),
            task.seconds,
            task,
        )


def time_left(waiting: int, rate: float) -> float:
    """Seconds that `waiting` origins take at a rate; NaN where nothing is known of it."""
    if waiting <= 0:
        return 0.0
    return waiting / rate if rate else float("nan")
