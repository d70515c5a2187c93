"""A run on the page: its progress while it goes on, its results when it is done."""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from typing import TYPE_CHECKING

from IPython.display import DisplayHandle, display

from nbforecast.notebook.card import run_card

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.engine.run import Run

_log = logging.getLogger("nbforecast.notebook")
REFRESH = 0.2

_shown: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()


def watched(shell: InteractiveShell) -> bool:
    """Whether a person sees the page change: not under papermill, nbconvert or in a script (SPEC M7).

    A front end with a person says that it can answer a prompt; runners of whole notebooks say that they cannot.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", True))
    return sys.stdin is not None and sys.stdin.isatty()


def show(run: Run, shell: InteractiveShell, wait: bool = False) -> None:
    """Display a run under the current cell; it stays up to date by itself."""
    live = watched(shell)
    _shown[run] = shell.execution_count
    if not live:
        run.wait()
    handle = display(run_card(run), raw=True, display_id=True)
    if live and handle is not None and not run.done:
        threading.Thread(target=_follow, args=(run, handle), name="nbforecast-display", daemon=True).start()
    if wait:
        run.wait()


def redisplay(run: Run, shell: InteractiveShell) -> None:
    """What a cell that ends in a run shows, unless the magic of the same cell has shown it already."""
    if _shown.get(run) != shell.execution_count:
        show(run, shell)


def _follow(run: Run, handle: DisplayHandle) -> None:
    try:
        while not run.settle(REFRESH):
            handle.update(run_card(run), raw=True)
        handle.update(run_card(run), raw=True)
    except Exception:
        _log.warning("The progress display of a forecast stopped.", exc_info=True)
