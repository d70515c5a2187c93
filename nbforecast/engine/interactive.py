"""Requests of people who wait: inferred in a thread of their own, whatever the background does (E4)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast.engine.calculation import calculate_rows
from nbforecast.engine.executor import KeyedExecutor, wait_in_slices
from nbforecast.engine.inference import run_inference
from nbforecast.engine.tasks import Priority, StaleAction, TaskInfo, action_for_stale, next_number
from nbforecast.interrupts import uninterrupted

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nbforecast.engine.batch_size import BatchSizers
    from nbforecast.engine.tasks import State, Statistics
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import CacheKey

    RequestName = tuple[int, CacheKey, bytes]


@dataclass(frozen=True)
class _Request:
    """A request in work."""

    entry_slice: EntrySlice
    rows: Int64[np.ndarray, " R"]
    answer: Future[EntrySlice]
    number: int
    start_time: float

    def result(self) -> EntrySlice:
        """Wait for the answer."""
        wait_in_slices(lambda seconds: bool(wait([self.answer], seconds).done))
        return self.answer.result()

    def info(self, state: State) -> TaskInfo:
        is_pending = self.entry_slice.entry.is_pending(self.entry_slice.entry_rows(self.rows))
        origins, pending = len(self.rows), int(is_pending.sum())
        return TaskInfo(
            number=self.number,
            entry_slice=self.entry_slice,
            priority=Priority.INTERACTIVE,
            state=state,
            available=origins,
            inferred=origins - pending,
            calculated=0,
            rate=0.0,
            eta_seconds=float("nan") if pending else 0.0,
            seconds=time.monotonic() - self.start_time,
        )


class InteractiveQueue:
    """Infers and calculates single origins at once; a slow model holds up its own requests only. Equal ones join (E4).

    Whoever waits can be interrupted; the request is still finished and its result stored (E11).
    """

    def __init__(self, cache: Cache, batch_sizers: BatchSizers, statistics: Statistics) -> None:
        self._cache = cache
        self._batch_sizers = batch_sizers
        self._statistics = statistics
        self._requests: dict[RequestName, _Request] = {}
        self._lock = threading.Lock()  # protects _requests; see engine.py for the order of locks
        self.executor = KeyedExecutor("interactive")

    def infer_now(
        self, entry_slice: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int
    ) -> EntrySlice:
        """Infer and calculate some rows, and wait for them.

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
        if not entry_slice.entry.is_pending(entry_slice.entry_rows(rows)).any():
            return entry_slice
        name = (id(entry_slice.entry), entry_slice.key, rows.tobytes())
        serve = partial(self._serve, entry_slice, forecaster, rows, seed, name)
        with self._lock:
            request = self._requests.get(name)
            if request is not None:
                self._statistics.add(joined=1)
            else:
                with suppress(RuntimeError):  # the interpreter is exiting and starts no thread
                    answer = self.executor.submit(serve, entry_slice.spec.model)
                    request = _Request(entry_slice, rows, answer, next_number(), time.monotonic())
                    self._requests[name] = request
        answered = serve() if request is None else request.result()
        return answered.with_data(entry_slice.data)

    def tasks_info(self) -> list[TaskInfo]:
        """The requests in work, in the order in which they were made."""
        with self._lock:
            requests = list(self._requests.values())
        models = [request.entry_slice.spec.model for request in requests]
        return [
            request.info("queued" if model in models[:number] else "running")
            for number, (request, model) in enumerate(zip(requests, models, strict=True))
        ]

    def _serve(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster,
        rows: Int64[np.ndarray, " R"],
        seed: int,
        name: RequestName,
    ) -> EntrySlice:
        try:
            self._statistics.add(answers=1)
            return self._infer(entry_slice, forecaster, rows, seed)
        finally:
            with self._lock:
                self._requests.pop(name, None)

    def _infer(
        self, entry_slice: EntrySlice, forecaster: Forecaster, rows: Int64[np.ndarray, " R"], seed: int
    ) -> EntrySlice:
        """Infer until the rows have forecasts in an entry that is current (C8b, C8c).

        A forced entry that nobody has published yet is private to its run: it need not be current.
        """
        is_private = bool(entry_slice.entry.forced) and not entry_slice.entry.is_published
        while True:
            entry, version = entry_slice.entry, entry_slice.entry.version
            entry_rows = entry_slice.entry_rows(rows)
            entry_rows = entry_rows[entry.is_pending(entry_rows)]
            if not len(entry_rows):
                return entry_slice
            if not is_private and not self._cache.is_current(entry_slice):
                current = self._cache.peek(entry_slice.key)
                available = current is not None and not current.reasons[rows].any()
                action = action_for_stale(Priority.INTERACTIVE, same=False, available=available)
                if current is not None and action is StaleAction.RESTART:
                    entry_slice = current.with_data(entry_slice.data)
                    continue
                if not self._cache.publish(entry_slice) and current is None:  # it was removed, and stays so (C16)
                    data = entry_slice.data
                    reasons = partial(forecaster.availability, data)
                    anew = uninterrupted(partial(self._cache.find, data, entry.spec, reasons, exact=entry.is_exact))
                    if not anew.reasons[rows].any():
                        entry_slice = anew
                        continue
                is_private = not self._cache.is_current(entry_slice)
            began, spec = time.perf_counter(), entry.spec
            draws = run_inference(forecaster, entry.data, entry_rows, spec.horizon, seed)
            seconds = time.perf_counter() - began
            self._batch_sizers.get(forecaster, spec.model, spec.horizon, None).observe_elsewhere(seconds)
            if is_private or self._cache.is_current(entry_slice):
                self._statistics.add(locks=1)
                if entry.write_forecasts(entry_rows, draws, version):
                    uninterrupted(partial(calculate_rows, entry, entry_rows, draws, version, self._statistics))
