"""The background: one thread that infers chunk by chunk, the most urgent task first."""

from __future__ import annotations

import atexit
import heapq
import itertools
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.compute import runtime
from nbforecast.compute.calculations import calculate, densities, draw_levels
from nbforecast.compute.inference import run_inference
from nbforecast.engine.tasks import Priority, Task
from nbforecast.errors import NbForecastError
from nbforecast.settings import settings

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.results.entry import Entry

_log = logging.getLogger("nbforecast.engine")
DENSITY_ORIGINS = 256


class Engine:
    """Runs tasks in one daemon thread, started with the first task and ended by `shutdown` or at interpreter exit.

    Between two chunks the thread looks at the queue again, so a more urgent task overtakes; tasks for one entry are
    joined. A task that fails keeps its error; the engine goes on with the others.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[Priority, int, Task]] = []
        self._tasks: dict[int, Task] = {}
        self._count = itertools.count()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def submit(
        self, entry: Entry, forecaster: Forecaster, seed: int, priority: Priority, near: int | None = None
    ) -> Task:
        """Have an entry filled; an unfinished task for the same entry is returned, made as urgent as asked."""
        if self._stopping:
            self.shutdown()  # the old thread ends before a new one begins
        with self._change:
            task = self._tasks.get(id(entry))
            if task is None or task.finished.is_set() or task.cancelled:
                task = self._tasks[id(entry)] = Task(entry, forecaster, seed, priority, near)
            elif priority >= task.priority:
                return task
            task.priority = priority
            heapq.heappush(self._queue, (priority, next(self._count), task))
            self._ensure_thread()
            self._change.notify_all()
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
        """Stop after the chunk in work and end the thread; unfinished tasks are cancelled."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=30)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopping = False
            self._thread = threading.Thread(target=self._work, name="nbforecast-engine", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        with suppress(NbForecastError):  # inference meets it again, where it belongs to a task
            runtime.start()
        atexit.register(self.shutdown)  # after JAX's own, so that it runs before JAX is taken down
        while (task := self._next()) is not None:
            try:
                more = not task.cancelled and self._chunk(task)
            except Exception as error:
                _log.info("A forecast failed: %s", error, exc_info=True)
                self._finish(task, error)
            else:
                if not more:
                    self._finish(task)
        with self._change:
            for task in self._tasks.values():
                task.cancel()
                task.finish()
            self._tasks.clear()
            self._queue.clear()

    def _next(self) -> Task | None:
        """The most urgent unfinished task, left in the queue until it is finished; None at shutdown."""
        with self._change:
            while not self._stopping:
                while self._queue and self._queue[0][2].finished.is_set():
                    heapq.heappop(self._queue)
                if self._queue:
                    return self._queue[0][2]
                self._change.wait()
            return None

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
        with self._change:
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
    rows = rows[~entry.waiting(rows)]
    batch = settings().batch
    draws = entry.take("forecast", rows)
    known = np.isfinite(draws[:, 0, 0])
    rows, draws = rows[known], draws[known]
    for at in range(0, len(rows), batch):
        entry.write_densities(rows[at : at + batch], densities(draws[at : at + batch], batch))
