"""Requests of people who wait: served in a thread of their own, beside whatever the background does."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.engine.calculation import calculate_rows
from nbforecast.engine.executor import FOR_EVER, SingleThreadExecutor
from nbforecast.engine.inference import run_inference
from nbforecast.engine.tasks import Priority
from nbforecast.engine.versions import StaleAction, action_for_stale
from nbforecast.engine.work import TaskInfo, next_number

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nbforecast.engine.batch_size import BatchSizers
    from nbforecast.engine.statistics import Statistics
    from nbforecast.engine.work import State
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey

    Name = tuple[int, CacheKey, bytes]


@dataclass(frozen=True)
class _Asked:
    """A request in work."""

    view: EntrySlice
    rows: Int64[np.ndarray, " R"]
    answer: Future[EntrySlice]
    number: int
    began: float


class InteractiveQueue:
    """Infers and calculates the rows that somebody waits for. Equal requests in work are joined.

    Who waits can be interrupted; what was asked for is still finished and kept.
    """

    def __init__(self, cache: Cache, paces: BatchSizers, statistics: Statistics) -> None:
        self._cache = cache
        self._paces = paces
        self._statistics = statistics
        self._asked: dict[Name, _Asked] = {}
        self._lock = threading.Lock()
        self.lane = SingleThreadExecutor("interactive")

    def answer(self, view: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int) -> EntrySlice:
        """Have some rows inferred and calculated, and wait for it.

        Returns the view that holds them: another one if the cache has come to hold other results meanwhile (C8).
        """
        if not view.entry.waiting(view.rows(rows)).any():
            return view
        name = (id(view.entry), view.key, rows.tobytes())
        serve = partial(self._serve, view, forecaster, rows, seed, name)
        with self._lock:
            asked = self._asked.get(name)
            if asked is not None:
                self._statistics.add(joined=1)
            else:
                with suppress(RuntimeError):  # the interpreter is exiting: no thread can be had
                    asked = _Asked(view, rows, self.lane.submit(serve), next_number(), time.monotonic())
                    self._asked[name] = asked
        return serve() if asked is None else asked.answer.result(FOR_EVER).of(view.data)

    def work(self) -> list[TaskInfo]:
        """What people wait for, in the order in which they have asked."""
        with self._lock:
            asked = list(self._asked.values())
        return [_told(one, "queued" if at else "running") for at, one in enumerate(asked)]

    def _serve(
        self, view: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int, name: Name
    ) -> EntrySlice:
        try:
            self._statistics.add(answers=1)
            return self._infer(view, forecaster, rows, seed)
        finally:
            with self._lock:
                self._asked.pop(name, None)

    def _infer(self, view: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int) -> EntrySlice:
        alone = bool(view.entry.forced) and not view.entry.offered
        while True:
            entry, version, at = view.entry, view.entry.version, view.rows(rows)
            at = at[entry.waiting(at)]
            if not len(at):
                return view
            if not alone and not self._cache.current(view):
                current = self._cache.held(view.key)
                there = current is not None and not current.reasons[rows].any()
                if (
                    current is not None
                    and action_for_stale(Priority.INTERACTIVE, same=False, there=there) is StaleAction.RESTART
                ):
                    view = current.of(view.data)
                    continue
                self._cache.offer(view)
                alone = not self._cache.current(view)
            began, spec = time.perf_counter(), entry.spec
            draws = run_inference(forecaster, entry.data, at, spec.horizon, seed)
            self._paces.of(forecaster, spec.model, spec.horizon, None).hear(time.perf_counter() - began)
            if alone or self._cache.current(view):
                self._statistics.add(locks=1)
                if entry.write_forecasts(at, draws, version):
                    calculate_rows(entry, at, draws, version, self._statistics)


def _told(asked: _Asked, state: State) -> TaskInfo:
    view, rows = asked.view, asked.rows
    inferred = len(rows) - int(view.entry.waiting(view.rows(rows)).sum())
    seconds = time.monotonic() - asked.began
    left = 0.0 if inferred == len(rows) else float("nan")
    return TaskInfo(asked.number, view, Priority.INTERACTIVE, state, len(rows), inferred, 0, 0.0, left, seconds)
