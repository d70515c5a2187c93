"""A single thread for one kind of job, started by the first job."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_SLICE_SECONDS = 0.25


def wait_in_slices(wait: Callable[[float], bool], timeout: float | None = None) -> bool:
    """Wait for something so that an interrupt is noticed soon, whenever it comes.

    Python runs signal handlers between bytecodes only: a signal that comes just before a lock is waited for, or that
    another thread receives, is handled when the wait ends.

    Args:
        wait: Waits for the given seconds at most, and returns whether it has come.
        timeout: Seconds to wait at most; None waits until it comes.

    Returns:
        Whether it has come.
    """
    end = float("inf") if timeout is None else time.monotonic() + timeout
    while not wait(max(min(_SLICE_SECONDS, end - time.monotonic()), 0)):
        if time.monotonic() >= end:
            return False
    return True


class SingleThreadExecutor:
    """Runs jobs in their order, in one thread.

    The thread belongs to a `ThreadPoolExecutor`, so that at interpreter exit Python waits for the job in work before
    JAX is taken down (E9).
    """

    def __init__(self, name: str) -> None:
        self.name = f"nbforecast-{name}"
        self._pool: ThreadPoolExecutor | None = None
        self._backlog = 0
        self._lock = threading.Lock()

    @property
    def backlog(self) -> int:
        """Jobs that are queued or in work."""
        return self._backlog

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Queue a job.

        Args:
            job: A function without arguments.

        Returns:
            The future of what the job returns.

        Raises:
            RuntimeError: The executor is closing or the interpreter is exiting.
        """
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
            future = self._pool.submit(job)
            self._backlog += 1
        future.add_done_callback(self._count_done)
        return future

    def close(self) -> None:
        """Run what is queued and end the thread; a later job starts another."""
        pool = self._pool
        if pool is not None:
            try:
                pool.shutdown(wait=True)
            finally:
                with self._lock:
                    if self._pool is pool:
                        self._pool = None

    def _count_done(self, _: Future[T]) -> None:
        with self._lock:
            self._backlog -= 1


class KeyedExecutor:
    """Runs jobs of one key in their order, and jobs of different keys side by side, in a few threads."""

    def __init__(self, name: str, threads: int = 4) -> None:
        """Start no thread yet.

        Args:
            name: The name of the first thread; the others have numbers.
            threads: The most threads; beyond that keys share them.
        """
        names = [name, *(f"{name}-{number}" for number in range(2, threads + 1))]
        self._executors = [SingleThreadExecutor(each) for each in names]
        self._places: dict[Hashable, tuple[SingleThreadExecutor, int]] = {}  # of keys with jobs, with their number
        self._lock = threading.Lock()  # protects _places

    def submit(self, job: Callable[[], T], key: Hashable) -> Future[T]:
        """Queue a job.

        Args:
            job: A function without arguments.
            key: Whose jobs run one after the other.

        Returns:
            The future of what the job returns.

        Raises:
            RuntimeError: The executor is closing or the interpreter is exiting.
        """
        with self._lock:
            idlest = min(self._executors, key=lambda executor: executor.backlog)
            executor, count = self._places.get(key, (idlest, 0))
            future = executor.submit(job)
            self._places[key] = executor, count + 1
        future.add_done_callback(lambda _: self._leave(key))
        return future

    def close(self) -> None:
        """Run what is queued and end the threads; a later job starts others."""
        for executor in self._executors:
            executor.close()

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            executor, count = self._places.pop(key)
            if count > 1:
                self._places[key] = executor, count - 1
