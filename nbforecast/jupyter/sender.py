"""The one thread that tells pages things: explorers, and views of the cache.

Messages from a browser arrive in whatever thread the kernel gives them to, and runs are filled by others: all of these
only leave word, and this thread sends. Comm messages sent from it reach the page while a cell runs, too.
"""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from nbforecast.engine.executor import SingleThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("nbforecast.jupyter")
REFRESH = 0.1  # seconds between looks at runs that go on
IDLE = 1.0  # and at those that are done, whose results may still be taken away or computed again


class Served(Protocol):
    """One of those whose messages the hub sends."""

    def serve(self) -> bool:
        """Send what there is to say; returns whether more is expected soon."""
        ...


class CommSender:
    """Serves everyone attached, from a thread that ends with the last of them.

    It holds them weakly: who has been closed or forgotten is served no more, and nothing here keeps its results.
    What takes longer than a message may wait is for its lanes: `lane` for forecasts, `actions` for what is done to the
    cache.
    """

    def __init__(self) -> None:
        self.lane = SingleThreadExecutor("page-inference")
        self.actions = SingleThreadExecutor("page-actions")
        self._served: list[weakref.ref[Served]] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def attach(self, served: Served) -> None:
        """Serve it from now on, at once if possible."""
        with self._lock:
            if not any(ref() is served for ref in self._served):
                self._served.append(weakref.ref(served, self._gone))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="nbforecast-page", daemon=True)
                self._thread.start()
        self._woken.set()

    def detach(self, served: Served) -> None:
        """Serve it no more."""
        with self._lock:
            self._served = [ref for ref in self._served if ref() not in (served, None)]
        self._woken.set()

    def close(self) -> None:
        """End the thread; whoever has something to say later starts another."""
        with self._lock:
            self._served, thread = [], self._thread
        self._woken.set()
        if thread is not None:
            thread.join(5)
        self._close_lanes()

    def _close_lanes(self) -> None:
        self.lane.close()
        self.actions.close()

    def _gone(self, _: weakref.ref[Served]) -> None:
        self._woken.set()  # takes no lock: garbage may be collected while this thread holds it

    def _work(self) -> None:
        while True:
            self._woken.clear()
            soon = self._round()
            if soon is None:
                self._close_lanes()
                return
            self._woken.wait(REFRESH if soon else IDLE)

    def _round(self) -> bool | None:
        """Serve everyone once; None if there is nobody left."""
        with self._lock:
            there = [served for ref in self._served if (served := ref()) is not None]
            if not there:
                self._served, self._thread = [], None
                return None
        return sum(self._serve(served) for served in there) > 0  # each of them: any() stops at the first

    def _serve(self, served: Served) -> bool:
        try:
            return served.serve()
        except Exception:
            _log.warning("A page is told nothing more until it asks.", exc_info=True)
            self.detach(served)
            return False


def answer_beside_cells(comm: Any) -> None:
    """Have what pages send over a comm arrive where they send it to, beside the cell that runs.

    ipykernel 7.4 has messages of a page wait for the shell that last sent to it: that of the busy cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, default: default


def waker(served: Served) -> Callable[[], None]:
    """Has the hub serve somebody, as long as there is somebody."""
    me = weakref.ref(served)

    def wake() -> None:
        there = me()
        if there is not None:
            hub.attach(there)

    return wake


hub = CommSender()
atexit.register(hub.close)
