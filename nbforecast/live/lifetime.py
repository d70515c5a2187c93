"""The threads that look at sources: they end with the objects they serve, and before the interpreter does."""

from __future__ import annotations

import atexit
import contextvars
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nbforecast.live.waiting import ChangeWaiter


class Watch(Protocol):
    """What a thread serves."""

    @property
    def is_stopped(self) -> bool:
        """Whether the thread is to end."""

    def step(self) -> float:
        """Look at the source; returns the seconds until the next look."""

    def stop(self) -> None:
        """End the thread."""


_running: weakref.WeakSet[Watch] = weakref.WeakSet()
_acting: set[Watch] = set()  # nobody has to hold what calls somebody
_exit_lock = threading.Lock()
_is_registered = False


def start_thread(watch: Watch, waiter: ChangeWaiter, wake: threading.Event, seconds: float) -> threading.Thread:
    """Start the thread that looks at a source until its object is stopped or forgotten.

    Args:
        watch: The object, which the thread does not keep alive.
        waiter: Waits for the next look.
        wake: Ends a wait.
        seconds: Until the first look.
    """
    thread = threading.Thread(
        target=contextvars.copy_context().run,  # errors name options as the caller writes them
        args=(_follow, weakref.ref(watch), waiter, wake, seconds),
        name="nbforecast-live",
        daemon=True,
    )
    _register_exit()
    _running.add(watch)
    weakref.finalize(watch, wake.set).atexit = False
    thread.start()
    return thread


def keep_alive(watch: Watch) -> None:
    """Have an object go on when nobody holds it any more."""
    _acting.add(watch)


def forget(watch: Watch) -> None:
    """Take notice that an object was stopped."""
    _acting.discard(watch)
    _running.discard(watch)


def running() -> list[Watch]:
    """The objects whose sources are looked at."""
    return list(_running)


def _follow(ref: weakref.ref[Watch], waiter: ChangeWaiter, wake: threading.Event, seconds: float) -> None:
    while True:
        try:
            waiter.wait(seconds)
        except KeyboardInterrupt:  # Polars raises it in any thread; it is meant for the main thread (E11)
            continue
        wake.clear()
        watch = ref()
        if watch is None or watch.is_stopped:
            break
        seconds = watch.step()
        del watch
    waiter.close()


def _register_exit() -> None:
    """Have all threads end before the interpreter does, and before JAX is taken down (E9)."""
    global _is_registered  # noqa: PLW0603
    with _exit_lock:
        if not _is_registered:
            getattr(threading, "_register_atexit", atexit.register)(_stop_all)
            _is_registered = True


def _stop_all() -> None:
    for watch in running():
        watch.stop()
