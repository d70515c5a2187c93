"""The background: one thread that infers chunk by chunk, the most urgent task first."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.compute.calculations import calculate, densities
from nbforecast.compute.inference import run_inference
from nbforecast.engine.tasks import Priority, Task
from nbforecast.engine.versions import Pickup, on_pickup
from nbforecast.settings import settings

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.results.cache import Cache
    from nbforecast.results.entry import Entry
    from nbforecast.results.recipe import Key
    from nbforecast.results.view import View

_log = logging.getLogger("nbforecast.engine")
DENSITY_ORIGINS = 256
CHECKPOINT = 60.0  # seconds of a long run between two savings


class Engine:
    """Fills entries in one background thread, a chunk at a time, the most urgent task first.

    Each chunk is a job of its own in the thread's pool, so a more urgent task overtakes between two of them, and at
    interpreter exit Python waits for the chunk in work before JAX is taken down. Tasks for the same results are
    joined. A task that fails keeps its error; the engine goes on with the others.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._queue: list[tuple[Priority, int, Task]] = []
        self._tasks: dict[tuple[int, Key], Task] = {}
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._busy = False

    def submit(
        self, view: View, forecaster: Forecaster | None, seed: int, priority: Priority, near: int | None = None
    ) -> Task:
        """Have a view filled; an unfinished task for the same one is returned, made as urgent as asked.

        Without a forecaster only calculations are made, for the forecasts that are there.
        """
        with self._lock:
            name = _name(view)
            task = self._tasks.get(name)
            if task is None or task.cancelled or (task.forecaster is None and forecaster is not None):
                task = self._tasks[name] = Task(view, forecaster, seed, priority, near)
                self._cache.pin(view.entry)
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

    def answer(self, view: View, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int) -> View:
        """Infer and calculate some rows in the calling thread, beside whatever the background does (SPEC E4).

        Returns the view that holds them: another one if the cache has come to hold other results meanwhile (C8).
        """
        alone = bool(view.entry.forced) and not view.entry.offered
        while True:
            entry, version, at = view.entry, view.entry.version, view.rows(rows)
            at = at[entry.waiting(at)]
            if not len(at):
                return view
            if not alone and not self._cache.current(view):
                current = self._cache.held(view.key)
                there = current is not None and not current.reasons[rows].any()
                if current is not None and on_pickup(Priority.INTERACTIVE, same=False, there=there) is Pickup.RESTART:
                    view = current.of(view.data)
                    continue
                self._cache.offer(view)
                alone = not self._cache.current(view)
            draws = run_inference(forecaster, entry.data, at, entry.recipe.horizon, seed)
            if (alone or self._cache.current(view)) and entry.write_forecasts(at, draws, version):
                _calculate(entry, at, draws, version)

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
            if task.cancelled or not self._up_to_date(task) or not self._chunk(task):
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
            self._end(task, task.error)
        self._queue.clear()
        self._tasks.clear()

    def _up_to_date(self, task: Task) -> bool:
        """Whether a task is to go on, planned anew if its entry has changed (SPEC C8b)."""
        entry = task.view.entry
        same = entry.version == task.version and self._cache.current(task.view)
        verdict = on_pickup(task.priority, same=same)
        if verdict is Pickup.DROP:
            task.cancel()
            return False
        if verdict is Pickup.RESTART and entry.version != task.version:
            task.plan()
        return True

    def _chunk(self, task: Task) -> bool:
        """One chunk of a task; False when nothing is left to do."""
        entry = task.view.entry
        rows = task.next_rows(settings().chunk)
        if len(rows) and task.forecaster is not None:
            draws = run_inference(task.forecaster, entry.data, rows, entry.recipe.horizon, task.seed)
            if entry.write_forecasts(rows, draws, task.version):
                _calculate(entry, rows, draws, task.version)
            self._checkpoint(task)
            return True
        left = task.view.rows(task.view.uncalculated())
        if len(left):
            _calculate(entry, left, entry.take("forecast", left), task.version)
        _densities_of_newest(entry, task.version)
        return entry.version != task.version and not task.view.complete

    def _checkpoint(self, task: Task) -> None:
        """Save a long run now and then, at most a tenth of the time."""
        began = time.monotonic()
        if began - task.saved > CHECKPOINT:
            self._cache.save(task.view.entry)
            task.saved = time.monotonic() + 9 * (time.monotonic() - began)

    def _finish(self, task: Task, error: BaseException | None = None) -> None:
        """Hand what a task has found to the cache, then tell those who wait."""
        try:
            self._cache.finish(task.view, asked=task.priority is not Priority.IDLE)
        except Exception:
            _log.warning("The results of a forecast were not put away.", exc_info=True)
        with self._lock:
            name = _name(task.view)
            if self._tasks.get(name) is task:
                del self._tasks[name]
            self._end(task, error)

    def _end(self, task: Task, error: BaseException | None) -> None:
        if not task.finished.is_set():
            self._cache.pin(task.view.entry, -1)
            task.finish(error)


def _name(view: View) -> tuple[int, Key]:
    return id(view.entry), view.key


def _calculate(entry: Entry, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"], version: str) -> None:
    """Calculations for some rows, a batch computed without a lock and written under one (SPEC E3)."""
    batch = settings().batch
    actual = entry.data.actuals(rows, entry.recipe.horizon)
    for at in range(0, len(rows), batch):
        part = slice(at, at + batch)
        made = calculate(draws[part], actual[part], entry.recipe.levels, batch)
        entry.write_calculations(rows[part], made, version)


def _densities_of_newest(entry: Entry, version: str) -> None:
    """Densities of the newest origins of the first series, those a person draws first."""
    end = int(entry.data.offsets[1])
    rows = np.arange(max(end - DENSITY_ORIGINS, 0), end)
    batch = settings().batch
    draws = entry.take("forecast", rows)
    known = np.isfinite(draws[:, 0, 0])
    rows, draws = rows[known], draws[known]
    for at in range(0, len(rows), batch):
        entry.write_densities(rows[at : at + batch], densities(draws[at : at + batch], batch), version)
