"""The background: inference chunk by chunk, the most urgent task first, and the calculations that follow."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast.engine.batch_size import BatchSizers
from nbforecast.engine.calculation import calculate_rows, density_of_newest
from nbforecast.engine.executor import FOR_EVER, SingleThreadExecutor
from nbforecast.engine.inference import run_inference
from nbforecast.engine.interactive import InteractiveQueue
from nbforecast.engine.statistics import Counts, Statistics
from nbforecast.engine.tasks import Priority, Task
from nbforecast.engine.versions import StaleAction, action_for_stale
from nbforecast.engine.work import TaskInfo
from nbforecast.errors import ForecasterError
from nbforecast.settings import settings

if TYPE_CHECKING:
    from nbforecast.engine.work import State
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey

_log = logging.getLogger("nbforecast.engine")
CHECKPOINT = 60.0  # seconds of a long run between two savings
AHEAD = 2  # chunks that wait for their calculations before the inference thread lends a hand
AT_ONCE = 4096  # origins without calculations that are calculated between two looks at others' calculations


class Engine:
    """Fills entries in the background, and answers those who wait beside it.

    Three threads: one infers a chunk at a time, so that a more urgent task overtakes between two of them; one makes
    the calculations of these chunks, and the end of a task; one serves people who wait. Tasks for the same results are
    joined. A task that fails keeps its error; the engine goes on with the others.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._queue: list[tuple[Priority, int, Task]] = []
        self._tasks: dict[tuple[int, CacheKey], Task] = {}
        self._paces = BatchSizers()
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._busy = False
        self._current: Task | None = None
        self._statistics = Statistics()
        self._inference = SingleThreadExecutor("inference")
        self._calculation = SingleThreadExecutor("calculation")
        self._answering = InteractiveQueue(cache, self._paces, self._statistics)

    @property
    def statistics(self) -> Counts:
        """What has been done so far."""
        return self._statistics.counts

    def submit(
        self, view: EntrySlice, forecaster: Forecaster | None, seed: int, priority: Priority, near: int | None = None
    ) -> Task:
        """Have a view filled; an unfinished task for the same one is returned, made as urgent as asked.

        Without a forecaster only calculations are made, for the forecasts that are there. The rows around `near` come
        first.
        """
        with self._lock:
            name = _name(view)
            task = self._tasks.get(name)
            if task is None or task.stopped or (task.forecaster is None and forecaster is not None):
                task = self._tasks[name] = Task(view, forecaster, seed, priority, near)
                self._cache.pin(view.entry)
                self._push(task)
                return task
            self._statistics.add(joined=1)
            if near is not None:
                task.aim(near)
            if priority < task.priority or not task.begun:  # an interrupt may have come before it was queued
                task.priority = min(priority, task.priority)
                self._push(task)
            return task

    def cancel(self, task: Task) -> None:
        """End a task after the chunk in work; what is finished stays."""
        with self._lock:
            if not task.finished.is_set():
                task.cancelled = True
                self._push(task, Priority.INTERACTIVE)  # its end waits for nothing else

    def work(self) -> list[TaskInfo]:
        """What goes on and waits: answers to people who wait, what is in work, then the queue in its order."""
        with self._lock:
            queue = {id(task): task for _, _, task in sorted(self._queue) if not task.ending}
            going = [] if self._current is None else [self._current]
            going += [task for task in self._unfinished() if id(task) not in queue and task is not self._current]
            waiting = [task for task in queue.values() if task is not self._current]
        there: list[tuple[Task, State]] = [*((task, "running") for task in going), *((t, "queued") for t in waiting)]
        return self._answering.work() + [TaskInfo.of(*one) for one in there if not one[0].finished.is_set()]

    def answer(self, view: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int) -> EntrySlice:
        """Have some rows inferred and calculated beside whatever the background does, and wait for it.

        Returns the view that holds them: another one if the cache has come to hold other results meanwhile (C8).
        """
        return self._answering.answer(view, forecaster, rows, seed)

    def shutdown(self) -> None:
        """Cancel what is queued, finish the chunks in work and end the threads; a later task starts others."""
        with self._lock:
            tasks = self._unfinished()
        for task in tasks:
            self.cancel(task)
        for task in tasks:
            task.finished.wait(FOR_EVER)
        for lane in (self._inference, self._calculation, self._answering.lane):
            lane.close()

    def _push(self, task: Task, priority: Priority | None = None) -> None:
        """Queue a task (`_lock` is held)."""
        heapq.heappush(self._queue, (task.priority if priority is None else priority, next(self._count), task))
        self._begin()

    def _begin(self) -> None:
        """See to it that the inference thread is at work (`_lock` is held)."""
        if self._queue and not self._busy:
            try:
                self._inference.submit(self._step)
            except RuntimeError:  # the interpreter is exiting
                self._abandon()
            else:
                self._busy = True

    def _step(self) -> None:
        """One chunk of the most urgent task, then the next step."""
        task = self._current = self._next()
        if task is None:
            return
        task.begun = True
        try:
            more = not task.stopped and self._up_to_date(task) and self._infer(task)
        except BaseException as error:
            task.error, more = _as_exception(error), False
        if not more:
            task.ending = True
            self._end_soon(task)
        try:
            self._inference.submit(self._step)
        except RuntimeError:  # the interpreter is exiting
            with self._lock:
                self._abandon()

    def _next(self) -> Task | None:
        """The most urgent task that has something to infer; it stays in the queue until it has not."""
        with self._lock:
            while self._queue and self._queue[0][2].ending:
                heapq.heappop(self._queue)
            self._busy = bool(self._queue)
            return self._queue[0][2] if self._queue else None

    def _abandon(self) -> None:
        """Nothing will be inferred any more: tell those who wait (`_lock` is held)."""
        left, self._busy = self._unfinished(), False
        self._queue.clear()
        for task in left:
            if not task.ending:
                task.cancelled = True
                self._end(task)

    def _unfinished(self) -> list[Task]:
        """Every task that somebody may wait for, those that others have taken the place of included."""
        known = [*self._tasks.values(), *(task for _, _, task in self._queue)]
        return [task for task in {id(t): t for t in known}.values() if not task.finished.is_set()]

    def _up_to_date(self, task: Task) -> bool:
        """Whether a task is to go on, planned anew if its entry has changed."""
        entry = task.view.entry
        same = entry.version == task.version and self._cache.current(task.view)
        verdict = action_for_stale(task.priority, same=same)
        if verdict is StaleAction.DROP:
            task.cancelled = True
            return False
        if verdict is StaleAction.RESTART and entry.version != task.version:
            task.plan()
        return True

    def _infer(self, task: Task) -> bool:
        """One chunk of a task; False when nothing is left to infer."""
        if task.forecaster is None:
            return False
        entry, version = task.view.entry, task.version
        spec, chunk = entry.spec, settings().chunk
        pace = self._paces.of(task.forecaster, spec.model, spec.horizon, chunk)
        pace.adapt(task.left)
        rows = task.next_rows(chunk or pace.chunk)
        if not len(rows):
            return False
        draws = run_inference(task.forecaster, entry.data, rows, spec.horizon, task.seed, pace)
        self._statistics.add(chunks=1, inferred=len(rows), locks=1)
        if entry.write_forecasts(rows, draws, version):
            task.note(len(rows))
            try:
                if self._calculation.backlog >= AHEAD:
                    self._calculate(task, rows, draws, version)
                else:
                    self._calculation.submit(lambda: self._calculate(task, rows, draws, version))
            except RuntimeError:  # the interpreter is exiting
                self._calculate(task, rows, draws, version)
        return True

    def _calculate(
        self, task: Task, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"], version: str
    ) -> None:
        try:
            calculate_rows(task.view.entry, rows, draws, version, self._statistics)
            self._checkpoint(task)
        except BaseException as error:
            task.error = _as_exception(error)

    def _checkpoint(self, task: Task) -> None:
        """Save a long run now and then, at most a tenth of the time."""
        began = time.monotonic()
        if began - task.saved > CHECKPOINT:
            self._cache.save(task.view.entry)
            task.saved = time.monotonic() + 9 * (time.monotonic() - began)

    def _end_soon(self, task: Task) -> None:
        """Have a task end after the calculations of its last chunks."""
        try:
            self._calculation.submit(lambda: self._conclude(task))
        except RuntimeError:  # the interpreter is exiting
            task.cancelled = True
            self._conclude(task)

    def _conclude(self, task: Task) -> None:
        """What is left to calculate, then the end; or back into the queue, if results have been taken away since."""
        entry, version = task.view.entry, task.version
        try:
            left = task.view.rows(task.view.uncalculated()[:AT_ONCE])
            if len(left) and not task.stopped and entry.version == version:
                calculate_rows(entry, left, entry.take("forecast", left), version, self._statistics)
                return self._end_soon(task)
            if not task.stopped:
                density_of_newest(entry, version, self._statistics)
        except BaseException as error:
            task.error = _as_exception(error)
        if task.error is not None:
            _log.info("A forecast failed: %s", task.error, exc_info=task.error)
        if not self._again(task):
            try:
                self._cache.finish(task.view, asked=task.priority is not Priority.IDLE)
            except BaseException:
                _log.warning("The results of a forecast were not put away.", exc_info=True)
            self._again(task, end=True)
        return None

    def _again(self, task: Task, *, end: bool = False) -> bool:
        """Queue a task anew if results were taken from its entry while it ended; otherwise tell those who wait."""
        with self._lock:
            if not (task.stopped or task.view.entry.version == task.version or task.view.complete):
                task.ending = False
                self._push(task)
                return True
            if end:
                self._end(task)
            return False

    def _end(self, task: Task) -> None:
        """Tell those who wait (`_lock` is held)."""
        name = _name(task.view)
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.finished.is_set():
            self._cache.pin(task.view.entry, -1)
            task.finish()


def _as_exception(error: BaseException) -> Exception:
    """What ended a task, as something that does no more harm than an error where it is raised again.

    A thread of ours must survive whatever a model or a library raises: SystemExit, a panic in Rust.
    """
    if isinstance(error, Exception):
        return error
    found = ForecasterError(f"The forecast failed: {type(error).__name__}: {error}")
    found.__cause__ = error
    return found


def _name(view: EntrySlice) -> tuple[int, CacheKey]:
    return id(view.entry), view.key
