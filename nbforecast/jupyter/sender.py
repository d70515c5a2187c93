"""The one thread that sends messages to pages: those of explorers and of views of the cache.

Messages from a browser arrive in whatever thread the kernel gives them to, and other threads fill the runs. All of
these only queue, and this thread sends. Comm messages from it reach the page while a cell runs, too.
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
REFRESH = 0.1  # seconds between two rounds while runs go on
IDLE = 1.0  # seconds while none does: results may still be evicted, or computed again


class MessageSource(Protocol):
    """A connection to pages whose messages the sender sends."""

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        ...


class CommSender:
    """Sends the messages of all attached sources from one thread, which ends with the last of them.

    It holds the sources weakly: a source that is closed or forgotten is served no more, and its results are freed.
    What takes longer than a message may wait runs on three other threads.

    Attributes:
        inference: Runs the forecasts that pages request.
        actions: Runs what pages do to the cache.
        analysis: Runs what is found in whole runs.
    """

    def __init__(self) -> None:
        self.inference = SingleThreadExecutor("page-inference")
        self.actions = SingleThreadExecutor("page-actions")
        self.analysis = SingleThreadExecutor("page-analysis")
        self._sources: list[weakref.ref[MessageSource]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def attach(self, source: MessageSource) -> None:
        """Serves a source from now on, at once if possible."""
        with self._lock:
            if not any(ref() is source for ref in self._sources):
                self._sources.append(weakref.ref(source, self._on_collected))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nbforecast-page", daemon=True)
                self._thread.start()
        self._wake.set()

    def detach(self, source: MessageSource) -> None:
        """Serves a source no more."""
        with self._lock:
            self._sources = [ref for ref in self._sources if ref() not in (source, None)]
        self._wake.set()

    def close(self) -> None:
        """Ends the thread; a source that is attached later starts another."""
        with self._lock:
            self._sources, thread = [], self._thread
        self._wake.set()
        if thread is not None:
            thread.join(5)
        self._close_executors()

    def _close_executors(self) -> None:
        self.inference.close()
        self.actions.close()
        self.analysis.close()

    def _on_collected(self, _: weakref.ref[MessageSource]) -> None:
        self._wake.set()  # takes no lock: garbage may be collected while this thread holds it

    def _run(self) -> None:
        while True:
            self._wake.clear()
            expects_more = self._send_round()
            if expects_more is None:
                self._close_executors()
                return
            self._wake.wait(REFRESH if expects_more else IDLE)

    def _send_round(self) -> bool | None:
        """Serves every source once; returns whether more is due soon, None if there is no source."""
        with self._lock:
            sources = [source for ref in self._sources if (source := ref()) is not None]
            if not sources:
                self._sources, self._thread = [], None
                return None
        return sum(self._send(source) for source in sources) > 0  # each of them: any() stops at the first

    def _send(self, source: MessageSource) -> bool:
        try:
            return source.send_messages()
        except KeyboardInterrupt:  # Polars raises it here, too; it is meant for the main thread (E11)
            return True
        except Exception:
            _log.warning("Messages to a page could not be sent; it is served again when it asks.", exc_info=True)
            self.detach(source)
            return False


def receive_during_cells(comm: Any) -> None:
    """Has the messages of pages over a comm arrive in the thread they are sent to, while a cell runs.

    ipykernel 7.4 moves them to the shell that last sent over the comm, which may be that of the busy cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, default: default


def wake_callback(source: MessageSource) -> Callable[[], None]:
    """Returns a function that attaches a source to the sender, without keeping it alive."""
    ref = weakref.ref(source)

    def wake() -> None:
        if (target := ref()) is not None:
            comm_sender.attach(target)

    return wake


comm_sender = CommSender()
atexit.register(comm_sender.close)
