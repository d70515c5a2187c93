"""Runs on the page, their progress while they go on and their results when they are done; and the cache."""

from __future__ import annotations

import logging
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.display import DisplayHandle, display

from nbforecast.errors import MissingExtra
from nbforecast.jupyter.assets import need_widgets
from nbforecast.jupyter.display.dataset_card import dataset_card
from nbforecast.jupyter.display.run_card import run_card
from nbforecast.jupyter.interactivity import WITH_STILL, can_show_widgets, is_interactive
from nbforecast.session import wait_or_cancel

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.cache_manager.manager import ResultCache
    from nbforecast.distributed.run import DatasetRun
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
REFRESH = 0.2

_shown: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()


def show(run: Run, shell: InteractiveShell, wait: bool = False) -> None:
    """Display a run under the current cell; on a page it stays up to date by itself, in a terminal it is printed."""
    page, live = getattr(shell, "kernel", None) is not None, is_interactive(shell)
    _shown[run] = shell.execution_count
    if not live or (wait and not page):
        wait_or_cancel(run)
    handle = display(run_card(run), raw=True, display_id=True)
    if page and live and handle is not None and not run.done:
        _follower.follow(run, partial(_update, partial(run_card, run), handle))
    if wait:
        wait_or_cancel(run)


def show_dataset(run: DatasetRun, shell: InteractiveShell) -> None:
    """Display a panel's run under the current cell, as `show` does a run; where nobody watches it is waited for."""
    live = is_interactive(shell)
    if not live:
        run.wait()
    handle = display(dataset_card(run), raw=True, display_id=True)
    if live and getattr(shell, "kernel", None) is not None and handle is not None and not run.done:
        _follower.follow(run, partial(_update, partial(dataset_card, run), handle))


def redisplay(run: Run, shell: InteractiveShell) -> None:
    """What a cell that ends in a run shows, unless the magic of the same cell has shown it already.

    To a person on a page, that is the explorer, with the card for pages without widgets; else the card alone.
    """
    if _shown.get(run) == shell.execution_count:
        return
    view = _explorer(run) if can_show_widgets(shell) else {}
    if view:
        _shown[run] = shell.execution_count
        display({**view, **run_card(run)}, raw=True, metadata=WITH_STILL)
    else:
        show(run, shell)


def show_cache(cache: ResultCache, shell: InteractiveShell) -> None:
    """What a cell that ends in `nbf.cache` shows: the tables, and to a person on a page the live view beside them."""
    view = _cache_view() if can_show_widgets(shell) else {}
    still = {"text/html": cache._repr_html_(), "text/plain": repr(cache)}
    display({**view, **still}, raw=True, metadata=WITH_STILL if view else {})


def _cache_view() -> dict[str, Any]:
    """The mime bundle of the cache's view; empty, with a notice, where it has not been built or cannot be shown."""
    try:
        need_widgets("The live view of the cache")
        from nbforecast.jupyter.widgets.cache.widget import cache_view

        return cache_view().view()
    except MissingExtra as missing:
        _log.warning("The cache is shown as a table only. %s", missing)
        return {}


def _explorer(run: Run) -> dict[str, Any]:
    """The mime bundle of a new explorer of a run; empty where its libraries are missing."""
    from nbforecast.jupyter.widgets.explorer.explore import explore

    try:
        return explore(run).view()
    except MissingExtra:
        return {}


class _Follower:
    """Keeps the cards of all runs up to date, from one thread that ends with the last of them.

    It updates displays by their identity, which reaches the right cell from any thread; it prints nothing.
    """

    def __init__(self) -> None:
        self._followed: list[tuple[Run | DatasetRun, Callable[[], bool]]] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def follow(self, run: Run | DatasetRun, update: Callable[[], bool]) -> None:
        """Have `update` called until the run's end, and once more then, or until it says that it failed."""
        with self._lock:
            self._followed.append((run, update))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="nbforecast-display", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._followed:
                    self._thread = None
                    return
                followed = list(self._followed)
            followed[0][0].wait_for_end(REFRESH)
            for run, update in followed:
                ended = run.done
                if not update() or ended:
                    with self._lock:
                        self._followed.remove((run, update))


_follower = _Follower()


def _update(card: Callable[[], dict[str, str]], handle: DisplayHandle) -> bool:
    try:
        handle.update(card(), raw=True)
    except BaseException:
        _log.warning("The progress display of a forecast stopped.", exc_info=True)
        return False
    return True
