"""Work that an interrupt (Ctrl-C) does not end (E11).

Python raises `KeyboardInterrupt` in the main thread alone. Polars raises it in every thread that waits for one of its
queries, and goes on to do so until the last such query of the process has ended. Both see the signal through handlers
of their own; whoever sets a handler from Python takes Polars' away, and this module does not.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_MAX_ATTEMPTS = 600
_PAUSE_SECONDS = 0.05  # before another attempt, at most
_START_SECONDS = 1.0  # that a thread may take to begin


def uninterrupted(work: Callable[[], T]) -> T:
    """Do some work of a background thread to its end; in the main thread, to which interrupts belong, just do it.

    Args:
        work: A function that may be called again after an interrupt.

    Returns:
        What the function returns.
    """
    if threading.current_thread() is threading.main_thread():
        return work()
    for attempt in range(_MAX_ATTEMPTS):  # a function that raises the error by itself does not go on for ever
        try:
            return work()
        except KeyboardInterrupt:
            time.sleep(min(_PAUSE_SECONDS, 0.001 * 2 ** min(attempt, 10)))
    return work()


def done_before_interrupts(work: Callable[[], T]) -> T:
    """Do some work to its end in any thread; an interrupt is raised afterwards.

    Args:
        work: A function that may be called again after an interrupt, in another thread.

    Returns:
        What the function returns.

    Raises:
        KeyboardInterrupt: An interrupt has come meanwhile; the work is done.
    """
    if threading.current_thread() is not threading.main_thread():
        return uninterrupted(work)
    began = threading.Event()
    outcomes: list[Future[T]] = []

    def run() -> None:
        began.set()
        outcome: Future[T] = Future()
        try:
            outcome.set_result(uninterrupted(work))
        except BaseException as error:
            outcome.set_exception(error)
        outcomes.append(outcome)

    interrupt: KeyboardInterrupt | None = None
    thread: threading.Thread | None = None
    while not outcomes:
        try:
            if thread is None or not began.wait(_START_SECONDS):  # an interrupt may have come before it was started
                thread = threading.Thread(target=run, name="nbforecast-uninterrupted")
                thread.start()
            thread.join(_START_SECONDS)
        except KeyboardInterrupt as error:
            interrupt = error
        except RuntimeError:  # the interpreter is exiting and starts no thread
            return work()
    result = outcomes[0].result()
    if interrupt is not None:
        raise interrupt
    return result
