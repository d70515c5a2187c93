"""The background: inference chunk by chunk, the most urgent task first, and the calculations that follow.

Threads and locks of the package. Threads are started by their first job:

- *inference* takes one chunk of the most urgent task at a time, so that a more urgent one overtakes between two chunks.
- *calculation* computes quantiles and scores of these chunks, and ends tasks: it saves their results.
- *interactive* infers the single origins that people wait for (`interactive.py`), one thread for each model in use.

A thread that holds a lock takes only locks further down this list:

1. `Cache.write_lock`: results go to disk, or are removed from memory and disk (C16).
2. `Cache._build_lock`: results for new data are looked up and entries are created, so that no two exist for one key.
3. `Engine._lock`: the queue and the tasks in work. `InteractiveQueue._lock`: the requests in work.
4. `Cache._lock`: which slices are current, and which entries are pinned.
5. `Entry._lock`: one entry's results; taken once a batch (E3).
6. Locks that protect a few fields and call nothing: those of `Task`, `SingleThreadExecutor`, `Statistics`,
   `BatchSizers` and `CacheDirectory`.

The file lock of a directory is taken under 1 or 2, with no lock of 3 to 5. None of these locks is held while a model
infers or a calculation runs; threads that need the same function wait for one compilation (`device.CompileOnce`).
"""

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
from nbforecast.engine.calculation import calculate_newest_densities, calculate_rows
from nbforecast.engine.executor import SingleThreadExecutor, wait_in_slices
from nbforecast.engine.inference import run_inference
from nbforecast.engine.interactive import InteractiveQueue
from nbforecast.engine.tasks import Counts, Priority, StaleAction, Statistics, Task, TaskInfo, action_for_stale
from nbforecast.errors import ForecasterError
from nbforecast.interrupts import uninterrupted
from nbforecast.settings import settings

if TYPE_CHECKING:
    from nbforecast.engine.tasks import State
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey

    _TaskName = tuple[int, CacheKey, bytes | None]

_log = logging.getLogger("nbforecast.engine")
CHECKPOINT_SECONDS = 60.0  # of a long run, between two savings
EASE_SECONDS = 0.3  # for which a chunk is followed by a rest, after somebody has moved what is on the screen
REST_SECONDS = 0.15  # between two chunks meanwhile: a browser on the same cores draws its frames
MAX_BACKLOG = 2  # chunks that wait for their calculations before the inference thread calculates, too
MISSING_AT_ONCE = 4096  # origins without calculations that are calculated before other tasks have their turn


class Engine:
    """Completes entries in the background, and answers those who wait beside it.

    Tasks for the same results are joined (E4). A task that fails keeps its error; the engine continues with the others
    (E5).
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._queue: list[tuple[Priority, int, Task]] = []
        self._tasks: dict[_TaskName, Task] = {}
        self._batch_sizers = BatchSizers()
        self._sequence = itertools.count()
        self._lock = threading.Lock()  # protects _queue, _tasks and _is_busy
        self._is_busy = False  # the inference thread has a step before it
        self._eased_until = 0.0
        self._current: Task | None = None
        self._statistics = Statistics()
        self._inference = SingleThreadExecutor("inference")
        self._calculation = SingleThreadExecutor("calculation")
        self._interactive = InteractiveQueue(cache, self._batch_sizers, self._statistics)

    @property
    def cache(self) -> Cache:
        """The cache whose entries are completed."""
        return self._cache

    @property
    def statistics(self) -> Counts:
        """What has been done so far."""
        return self._statistics.counts

    def submit(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster | None,
        seed: int,
        priority: Priority,
        near: int | None = None,
    ) -> Task:
        """Complete a slice in the background.

        Args:
            entry_slice: The results to complete.
            forecaster: What infers; None to calculate only, for the forecasts that are there.
            seed: For models that draw at random.
            priority: Who waits.
            near: A row of the slice whose neighbours come first (E6).

        Returns:
            The task: an unfinished one for the same slice if there is one, made as urgent as `priority`.
        """
        with self._lock:
            name = _name(entry_slice)
            task = self._tasks.get(name)
            if task is None or task.is_stopped or (task.forecaster is None and forecaster is not None):
                task = self._tasks[name] = Task(entry_slice, forecaster, seed, priority, near)
                self._cache.pin(entry_slice.entry)
                self._push(task)
                return task
            self._statistics.add(joined=1)
            if near is not None:
                task.move_first(near)
            if priority < task.priority or not task.is_started:  # an interrupt may have come before it was queued
                task.priority = min(priority, task.priority)
                self._push(task)
            return task

    def find_forced(self, key: CacheKey) -> EntrySlice | None:
        """The results of a forced request for every origin that is in work, which an equal one joins (E4).

        Args:
            key: The key of the results.

        Returns:
            The slice that the task completes; None if there is none.
        """
        with self._lock:
            for task in self._unfinished():
                part = task.entry_slice
                is_private = bool(part.entry.forced) and not part.entry.is_published
                if part.key == key and is_private and part.requested is None and not task.is_stopped:
                    return part
        return None

    def cancel(self, task: Task) -> None:
        """End a task after the chunk in work; finished results stay.

        Args:
            task: A task of this engine; one that has finished is left alone.
        """
        with self._lock:
            if not task.finished.is_set():
                task.cancelled = True
                self._push(task, Priority.INTERACTIVE)  # it ends before other tasks go on

    def ease(self) -> None:
        """Have the background rest between chunks for a moment: somebody drags, and a page draws on the same cores."""
        self._eased_until = time.monotonic() + EASE_SECONDS

    def tasks_info(self) -> list[TaskInfo]:
        """What is in work or queued: requests of people who wait, running tasks, then the queue in its order."""
        with self._lock:
            queued = {id(task): task for _, _, task in sorted(self._queue) if not task.is_finishing}
            running = [] if self._current is None else [self._current]
            running += [task for task in self._unfinished() if id(task) not in queued and task is not self._current]
            waiting = [task for task in queued.values() if task is not self._current]
        states: list[tuple[Task, State]] = [*((t, "running") for t in running), *((t, "queued") for t in waiting)]
        tasks = [TaskInfo.of_task(task, state) for task, state in states if not task.finished.is_set()]
        return self._interactive.tasks_info() + tasks

    def infer_now(
        self, entry_slice: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int
    ) -> EntrySlice:
        """Infer and calculate some rows beside the background, and wait for them.

        Args:
            entry_slice: The results that the rows belong to.
            forecaster: What infers.
            rows: (R,) rows of the slice.
            seed: For models that draw at random.

        Returns:
            The slice that holds the forecasts: another one if the cache holds other results by then (C8).

        Raises:
            ForecasterError: The forecaster fails.
        """
        return self._interactive.infer_now(entry_slice, forecaster, rows, seed)

    def shutdown(self) -> None:
        """Cancel what is queued, finish the chunks in work and end the threads (E9); a later task starts others."""
        with self._lock:
            tasks = self._unfinished()
        for task in tasks:
            self.cancel(task)
        for task in tasks:
            wait_in_slices(task.finished.wait)
        for executor in (self._inference, self._calculation, self._interactive.executor):
            executor.close()

    # --- the queue ---------------------------------------------------------------------------------------------------

    def _push(self, task: Task, priority: Priority | None = None) -> None:
        """Queue a task (`_lock` is held)."""
        heapq.heappush(self._queue, (task.priority if priority is None else priority, next(self._sequence), task))
        self._ensure_busy()

    def _ensure_busy(self) -> None:
        """Start the inference thread on the queue, if it is not at work (`_lock` is held)."""
        if self._queue and not self._is_busy:
            try:
                self._inference.submit(self._step)
            except RuntimeError:  # the interpreter is exiting
                self._abandon()
            else:
                self._is_busy = True

    def _next(self) -> Task | None:
        """The most urgent task that has something to infer; it stays in the queue until it has nothing left."""
        with self._lock:
            while self._queue and self._queue[0][2].is_finishing:
                heapq.heappop(self._queue)
            self._is_busy = bool(self._queue)
            return self._queue[0][2] if self._queue else None

    def _unfinished(self) -> list[Task]:
        """Every task that somebody may wait for, also those that a later one has replaced (`_lock` is held)."""
        tasks = {id(task): task for task in (*self._tasks.values(), *(task for _, _, task in self._queue))}
        return [task for task in tasks.values() if not task.finished.is_set()]

    def _abandon(self) -> None:
        """Cancel and end every task, since nothing will be inferred any more (`_lock` is held)."""
        tasks, self._is_busy = self._unfinished(), False
        self._queue.clear()
        for task in tasks:
            if not task.is_finishing:
                task.cancelled = True
                self._end(task)

    # --- the inference thread ----------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Infer one chunk of the most urgent task, then submit the next step."""
        task = self._current = self._next()
        if task is None:
            return
        task.is_started = True
        if time.monotonic() < self._eased_until and not task.is_stopped and not task.has_preferred:
            time.sleep(REST_SECONDS)
        try:
            has_more = not task.is_stopped and self._is_up_to_date(task) and self._infer(task)
        except BaseException as error:
            task.error, has_more = _as_exception(error), False
        if not has_more:
            task.is_finishing = True
            self._submit_conclusion(task)
        try:
            self._inference.submit(self._step)
        except RuntimeError:  # the interpreter is exiting
            with self._lock:
                self._abandon()

    def _is_up_to_date(self, task: Task) -> bool:
        """Whether a task goes on; it is planned anew if its entry has changed (C8b)."""
        entry = task.entry_slice.entry
        same = entry.version == task.version and self._cache.is_current(task.entry_slice)
        action = action_for_stale(task.priority, same=same)
        if action is StaleAction.DROP:
            task.cancelled = True
            return False
        if action is StaleAction.RESTART and entry.version != task.version:
            task.plan()
        return True

    def _infer(self, task: Task) -> bool:
        """Infer one chunk of a task; False when nothing is left to infer."""
        if task.forecaster is None:
            return False
        entry, version = task.entry_slice.entry, task.version
        spec, chunk = entry.spec, settings().chunk
        sizer = self._batch_sizers.get(task.forecaster, spec.model, spec.horizon, chunk)
        sizer.choose(task.remaining)
        rows = task.next_rows(chunk or sizer.chunk)
        if not len(rows):
            return False
        draws = run_inference(task.forecaster, entry.data, rows, spec.horizon, task.seed, sizer)
        self._statistics.add(chunks=1, inferred=len(rows), locks=1)
        if entry.write_forecasts(rows, draws, version):
            task.record_inferred(len(rows))
            try:
                if self._calculation.backlog >= MAX_BACKLOG:
                    self._calculate(task, rows, draws, version)
                else:
                    self._calculation.submit(lambda: self._calculate(task, rows, draws, version))
            except RuntimeError:  # the interpreter is exiting
                self._calculate(task, rows, draws, version)
        return True

    # --- the calculation thread --------------------------------------------------------------------------------------

    def _calculate(
        self, task: Task, rows: Int64[np.ndarray, " R"], draws: Float32[np.ndarray, "R H Q"], version: str
    ) -> None:
        try:
            entry = task.entry_slice.entry
            uninterrupted(lambda: calculate_rows(entry, rows, draws, version, self._statistics))
            uninterrupted(lambda: self._save_checkpoint(task))
        except BaseException as error:
            task.error = _as_exception(error)

    def _save_checkpoint(self, task: Task) -> None:
        """Save a long run now and then, in at most a tenth of the time."""
        began = time.monotonic()
        if began - task.save_time > CHECKPOINT_SECONDS:
            self._cache.save(task.entry_slice.entry)
            task.save_time = time.monotonic() + 9 * (time.monotonic() - began)

    def _submit_conclusion(self, task: Task) -> None:
        """End a task after the calculations of its last chunks."""
        try:
            self._calculation.submit(lambda: self._conclude(task))
        except RuntimeError:  # the interpreter is exiting
            task.cancelled = True
            self._conclude(task)

    def _conclude(self, task: Task) -> None:
        """Calculate what is left and end the task; or queue it again, if results have been discarded since."""
        entry, version = task.entry_slice.entry, task.version
        try:
            rows = task.entry_slice.entry_rows(task.entry_slice.incomplete_rows()[:MISSING_AT_ONCE])
            if len(rows) and not task.is_stopped and entry.version == version:
                draws = entry.take("forecast", rows)
                uninterrupted(lambda: calculate_rows(entry, rows, draws, version, self._statistics))
                return self._submit_conclusion(task)
            if not task.is_stopped:
                uninterrupted(lambda: calculate_newest_densities(entry, version, self._statistics))
        except BaseException as error:
            task.error = _as_exception(error)
        if task.error is not None:
            _log.info("A forecast failed: %s", task.error, exc_info=task.error)
        self._cache.apply_removals(entry)  # what was dropped is inferred again before the task ends (C16)
        if not self._requeue(task):
            try:
                is_requested = task.priority is not Priority.IDLE
                uninterrupted(lambda: self._cache.complete(task.entry_slice, publish=is_requested))
            except BaseException:
                _log.warning("The results of a forecast were not stored.", exc_info=True)
            self._requeue(task, or_end=True)
        return None

    def _requeue(self, task: Task, *, or_end: bool = False) -> bool:
        """Queue a task again if results of its entry were discarded while it ended; else it may `or_end`."""
        with self._lock:
            is_same = task.entry_slice.entry.version == task.version
            if not (task.is_stopped or is_same or task.entry_slice.complete):
                task.is_finishing = False
                self._push(task)
                return True
            if or_end:
                self._end(task)
            return False

    def _end(self, task: Task) -> None:
        """Finish a task and wake those who wait (`_lock` is held)."""
        name = _name(task.entry_slice)
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.finished.is_set():
            self._cache.pin(task.entry_slice.entry, -1)
            task.finish()


def _as_exception(error: BaseException) -> Exception:
    """What ended a task, as an exception that does no more harm than an error where it is raised again.

    The engine's threads must survive whatever a model or a library raises: SystemExit, a panic in Rust.
    """
    if isinstance(error, Exception):
        return error
    exception = ForecasterError(f"The forecast failed: {type(error).__name__}: {error}")
    exception.__cause__ = error
    return exception


def _name(entry_slice: EntrySlice) -> _TaskName:
    """What equal tasks have in common."""
    requested = entry_slice.requested
    return id(entry_slice.entry), entry_slice.key, None if requested is None else requested.tobytes()
