"""Shows runs and the cache in notebooks and terminals."""

from __future__ import annotations

import logging
import time
import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.display import display

from nbforecast.device import has_compiled
from nbforecast.errors import MissingExtra
from nbforecast.jupyter.assets import need_widgets
from nbforecast.jupyter.display.dataset_card import dataset_card
from nbforecast.jupyter.display.live_cards import keep_current
from nbforecast.jupyter.interactivity import WITH_STILL, can_show_widgets, is_interactive
from nbforecast.session import wait_or_cancel
from nbforecast.text import PREPARING, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.cache_manager.manager import ResultCache
    from nbforecast.distributed.run import DatasetRun
    from nbforecast.live.live import Live
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
_last_shown: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()  # the cells that show runs


def show(run: Run, shell: InteractiveShell, wait: bool = False) -> None:
    """Shows the card of a run under the current cell; in a notebook with a person it stays up to date.

    Args:
        run: The run. It is waited for where nobody watches.
        shell: The shell of the cell.
        wait: Whether to return only when the run is done.
    """
    has_kernel, is_live = getattr(shell, "kernel", None) is not None, is_interactive(shell)
    _last_shown[run] = shell.execution_count
    if not is_live or (wait and not has_kernel):
        wait_or_cancel(run)
    handle = display(run._repr_mimebundle_(), raw=True, display_id=True)
    if has_kernel and is_live and handle is not None and not run.done:
        keep_current(run, run._repr_mimebundle_, handle)
    if wait:
        wait_or_cancel(run)


@contextmanager
def announce_preparation(shell: InteractiveShell) -> Iterator[None]:
    """Tells a person in a notebook what takes some seconds where nothing has been compiled yet, and how long it took.

    The sentence is taken back where nothing was compiled: the cell has failed, or the model has no such functions.

    Args:
        shell: The shell of the cell.
    """
    handle, start = None, time.monotonic()
    if getattr(shell, "kernel", None) is not None and is_interactive(shell) and not has_compiled():
        handle = display({"text/plain": PREPARING}, raw=True, display_id=True)
    try:
        yield
    finally:
        if handle is not None:
            seconds = duration(time.monotonic() - start)
            text = f"The model is prepared, once on this machine: {seconds}." if has_compiled() else ""
            handle.update({"text/plain": text}, raw=True)


def show_dataset(run: DatasetRun, shell: InteractiveShell) -> None:
    """Shows the card of a run over a panel, as `show` does for a run."""
    is_live = is_interactive(shell)
    if not is_live:
        run.wait()
    handle = display(dataset_card(run), raw=True, display_id=True)
    if is_live and getattr(shell, "kernel", None) is not None and handle is not None and not run.done:
        keep_current(run, partial(dataset_card, run), handle)


def redisplay(run: Run, shell: InteractiveShell) -> None:
    """Shows the run that a cell ends in, unless a magic of the same cell has shown it already.

    A person in a notebook sees the explorer, with the card for pages without widgets; elsewhere it is the card alone.
    """
    if _last_shown.get(run) == shell.execution_count:
        return
    view, metadata = _explorer(run) if can_show_widgets(shell) else ({}, {})
    if view:
        _last_shown[run] = shell.execution_count
        display({**view, **run._repr_mimebundle_()}, raw=True, metadata=metadata | WITH_STILL)
    else:
        show(run, shell)


def show_live(live: Live, shell: InteractiveShell) -> None:
    """Shows the live data that a cell ends in: to a person in a notebook as an explorer that follows them."""
    view, metadata = _explorer(live) if live.has_run and can_show_widgets(shell) else ({}, {})
    display({**view, **live._repr_mimebundle_()}, raw=True, metadata=metadata | WITH_STILL if view else {})


def show_cache(cache: ResultCache, shell: InteractiveShell) -> None:
    """Shows the cache that a cell ends in: its tables, and to a person in a notebook the live view in their place."""
    view, metadata = _cache_view() if can_show_widgets(shell) else ({}, {})
    still = {"text/html": cache._repr_html_(), "text/plain": repr(cache)}
    display({**view, **still}, raw=True, metadata=metadata | WITH_STILL if view else {})


def _cache_view() -> tuple[dict[str, Any], dict[str, Any]]:
    """The mime bundle of the cache's view and its metadata; empty, with a warning, where its libraries are missing."""
    try:
        need_widgets("The live view of the cache")
        from nbforecast.jupyter.widgets.cache.widget import cache_view

        return cache_view().view()
    except MissingExtra as error:
        _log.warning("The cache is shown as a table only. %s", error)
        return {}, {}


def _explorer(run: Run | Live) -> tuple[dict[str, Any], dict[str, Any]]:
    """The mime bundle of a new explorer and its metadata; empty where its libraries are missing."""
    from nbforecast.jupyter.widgets.explorer.explore import explore

    try:
        return explore(run).view()
    except MissingExtra:
        return {}, {}
