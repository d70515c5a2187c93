"""Keeps the cards of runs up to date while the runs go on."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from nbforecast.interrupts import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.display import DisplayHandle

    from nbforecast.distributed.run import DatasetRun
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
REFRESH = 0.2  # seconds between two updates of the cards


def keep_current(run: Run | DatasetRun, card: Callable[[], dict[str, str]], handle: DisplayHandle) -> None:
    """Updates a display until its run has ended, and once more then.

    Args:
        run: The run.
        card: Makes the mime bundle of its card.
        handle: The display.
    """
    _updater.add(run, partial(_update, card, handle))


class _CardUpdater:
    """Keeps the cards of all runs up to date, from one thread that ends with the last run.

    It updates displays by their ids, which reaches the right cell from any thread; it prints nothing.
    """

    def __init__(self) -> None:
        self._cards: list[tuple[Run | DatasetRun, Callable[[], bool]]] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, run: Run | DatasetRun, update: Callable[[], bool]) -> None:
        """Calls `update` until the run has ended, and once more then, or until it returns False."""
        with self._lock:
            self._cards.append((run, update))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="nbforecast-display", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._cards:
                    self._thread = None
                    return
                cards = list(self._cards)
            cards[0][0].wait_for_end(REFRESH)
            for run, update in cards:
                has_ended = run.done
                if not update() or has_ended:
                    with self._lock:
                        self._cards.remove((run, update))


_updater = _CardUpdater()


def _update(card: Callable[[], dict[str, str]], handle: DisplayHandle) -> bool:
    """Updates a display; False where that fails."""
    try:
        handle.update(uninterrupted(card), raw=True)
    except BaseException:
        _log.warning("The progress display of a forecast stopped.", exc_info=True)
        return False
    return True
