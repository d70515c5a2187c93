"""A thread of its own for one kind of job, made when the first one comes."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# a wait without a limit may not see an interrupt: where other libraries have touched the signal, it starts again
FOR_EVER = threading.TIMEOUT_MAX


class SingleThreadExecutor:
    """Does jobs in their order, in one thread.

    The thread is a pool's: at interpreter exit Python waits for the job in work, before JAX is taken down.
    """

    def __init__(self, name: str) -> None:
        self.name = f"nbforecast-{name}"
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def backlog(self) -> int:
        """Jobs that wait or are in work."""
        return self._waiting

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Have a job done; raises `RuntimeError` when the lane is closing or the interpreter exiting."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
            future = self._pool.submit(job)
            self._waiting += 1
        future.add_done_callback(self._done)
        return future

    def close(self) -> None:
        """Do what waits, and end the thread; a later job starts another."""
        pool = self._pool
        if pool is not None:
            try:
                pool.shutdown(wait=True)
            finally:
                with self._lock:
                    if self._pool is pool:
                        self._pool = None

    def _done(self, _: Future[T]) -> None:
        with self._lock:
            self._waiting -= 1
