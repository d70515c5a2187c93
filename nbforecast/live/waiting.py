"""Waiting for a change of files, or for the next poll."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nbforecast.data.span import parse_span
from nbforecast.errors import OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option

if TYPE_CHECKING:
    import datetime as dt
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_log = logging.getLogger("nbforecast.live")
_TICK = 0.1  # seconds between two looks at the event while files are watched
_STEP = 10  # milliseconds between two looks of the watching library at what the system has announced
_QUIET = 30  # milliseconds for which changes are collected at most


class ChangeWaiter:
    """Waits until a folder changes, an event is set or some time has passed.

    The library watchfiles announces changes; where it is missing, or fails, as it may on drives of other machines, time
    alone decides.

    Args:
        folders: The folders; none if nothing announces changes.
        wake: Ends a wait.
    """

    def __init__(self, folders: Sequence[Path], wake: threading.Event) -> None:
        self._folders = folders
        self._wake = wake
        self._changes: Iterator[object] | None = None
        self._has_failed = False

    def wait(self, seconds: float) -> None:
        """Wait for some seconds at most."""
        end = time.monotonic() + seconds
        while not self._wake.is_set() and time.monotonic() < end:
            changes = self._open()
            if changes is None:
                self._wake.wait(max(end - time.monotonic(), 0))
                return
            try:
                if next(changes):
                    return
            except (OSError, RuntimeError, StopIteration):  # a folder that was removed
                self._changes = None
                self._wake.wait(min(_TICK, max(end - time.monotonic(), 0)))

    def close(self) -> None:
        """Watch no longer."""
        changes, self._changes = self._changes, None
        if changes is not None and hasattr(changes, "close"):
            changes.close()

    def _open(self) -> Iterator[object] | None:
        if self._changes is not None:
            return self._changes
        if self._has_failed or not self._folders or not all(folder.is_dir() for folder in self._folders):
            return None
        try:
            from watchfiles import watch
        except ImportError:
            self._has_failed = True
            _log.info("The library watchfiles is not installed: files are polled.")
            return None
        self._changes = watch(
            *self._folders,
            watch_filter=None,
            debounce=_QUIET,
            step=_STEP,
            rust_timeout=int(1000 * _TICK),
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        return self._changes


def poll_seconds(poll: str | float | dt.timedelta) -> float:
    """Read the time between two looks at a source, in seconds.

    Raises:
        OptionError: It is no time.

    Example:
        >>> poll_seconds("30s"), poll_seconds(0.5)
        (30.0, 0.5)
    """
    if isinstance(poll, (int, float)) and not isinstance(poll, bool):
        seconds = float(poll)
    else:
        seconds = parse_span(poll, "poll").microseconds / 1e6
    if not 0 < seconds < 1e7:
        raise OptionError(f"{option('poll')} takes a time such as 30s or 5min, not {brief_repr(poll)}.")
    return max(seconds, 0.01)
