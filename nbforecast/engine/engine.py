"""The background: one thread that infers chunk by chunk, the most urgent task first."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.compute.calculations import calculate, densities, draw_levels
from nbforecast.compute.inference import run_inference
from nbforecast.engine.tasks import Priority, Task
from nbforecast.settings import settings

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.results.entry import Entry

_log = logging.getLogger("nbforecast.engine")
DENSITY_ORIGINS = 256


class Engine:
    """Fills entries in one background thread, a chunk at a time, the most urgent task first.

    Each chunk is a job of its own in the thread's pool, so a more urgent task overtakes between two of them, and at
    interpreter exit Python waits for the chunk in work before JAX is taken down. Tasks for one entry are joined. A task
    that fails keeps its error; the engine goes on with the others.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[Priority, int, Task]] = []
        self._tasks: dict[int, Task] = {}
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._busy = False

    def submit(
        self, entry: Entry, forecaster: Forecaster, seed: int, priority: Priority, near: int | None = None
    ) -> Task:
        """Have an entry filled; an unfinished task for the same entry is returned, made as urgent as asked."""
        with self._lock:
            task = self._tasks.get(id(entry))
            if task is None or task.cancelled:
                task = self._tasks[id(entry)] = Task(entry, forecaster, seed, priority, near)
            elif priority >= task.priority:
                return task
            task.priority = priority
            heapq.heappush(self._queue, (priority, next(self._count), task))
            if not self._busy:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(1, thread_name_prefix="nbforecast-engine")
                self._busy = True
                self._pool.submit(self._step)
            return task

    def infer_now(self, entry: Entry, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int) -> None:
        """Infer and calculate some rows in the calling thread, beside whatever the background does (SPEC E4)."""
        waiting = rows[entry.waiting(rows)]
        if len(waiting):
            horizon = entry.meta.key.horizon
            draws = run_inference(forecaster, entry.data, waiting, horizon, seed)
            entry.write_forecasts(waiting, draws)
            _calculate(entry, forecaster, waiting, draws)

    def shutdown(self) -> None:
        """Stop after the chunk in work, cancel what is left and end the thread; a later task starts another."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._cancel_all()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _step(self) -> None:
        """One chunk of the most urgent task, then the next step."""
        task = self._next()
        if task is None:
            return
        try:
            if task.cancelled or not self._chunk(task):
                self._finish(task)
        except Exception as error:
            _log.info("A forecast failed: %s", error, exc_info=True)
            self._finish(task, error)
        with self._lock:
            try:
                if self._pool is not None:
                    self._pool.submit(self._step)
            except RuntimeError:  # the interpreter is exiting
                self._cancel_all()

    def _next(self) -> Task | None:
        """The most urgent unfinished task; it stays in the queue until it is finished."""
        with self._lock:
            while self._queue and self._queue[0][2].finished.is_set():
                heapq.heappop(self._queue)
            self._busy = bool(self._queue)
            return self._queue[0][2] if self._queue else None

    def _cancel_all(self) -> None:
        self._busy = False
        for _, _, task in self._queue:
            task.cancel()
            task.finish(task.error)
        self._queue.clear()
        self._tasks.clear()

    def _chunk(self, task: Task) -> bool:
        """One chunk of a task; False when nothing is left to do."""
        entry, forecaster = task.entry, task.forecaster
        rows = task.next_rows(settings().chunk)
        if len(rows):
            draws = run_inference(forecaster, entry.data, rows, entry.meta.key.horizon, task.seed)
            task.inferred += entry.write_forecasts(rows, draws)
            _calculate(entry, forecaster, rows, draws)
            return True
        left = entry.uncalculated()
        if len(left):
            _calculate(entry, forecaster, left, entry.take("forecast", left))
        _densities_of_newest(entry)
        return False

    def _finish(self, task: Task, error: BaseException | None = None) -> None:
        with self._lock:
            if self._tasks.get(id(task.entry)) is task:
                del self._tasks[id(task.entry)]
            task.finish(error)


def _calculate(
    entry: Entry, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"]
) -> None:
    """Calculations for some rows, a batch computed without a lock and written under one (SPEC E3)."""
    batch = settings().batch
    levels = draw_levels(forecaster.levels, forecaster.draws)
    actual = entry.data.actuals(rows, entry.meta.key.horizon)
    for at in range(0, len(rows), batch):
        part = slice(at, at + batch)
        entry.write_calculations(rows[part], calculate(draws[part], actual[part], levels, batch))


def _densities_of_newest(entry: Entry) -> None:
    """Densities of the newest origins of the first series, those a person draws first."""
    end = int(entry.data.offsets[1])
    rows = np.arange(max(end - DENSITY_ORIGINS, 0), end)
    batch = settings().batch
    draws = entry.take("forecast", rows)
    known = np.isfinite(draws[:, 0, 0])
    rows, draws = rows[known], draws[known]
    for at in range(0, len(rows), batch):
        entry.write_densities(rows[at : at + batch], densities(draws[at : at + batch], batch))
