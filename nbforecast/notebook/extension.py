"""Loading and unloading of the IPython extension."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbforecast.notebook.completion import complete_magic
from nbforecast.notebook.magics import PARSERS, ForecastMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.engine.run import Run

_RUN = "nbforecast.engine.run.Run"


def load(shell: InteractiveShell) -> None:
    """Register magics, completion and the display of runs. Imports neither JAX nor Polars."""
    shell.register_magics(ForecastMagics)

    def display_run(run: Run) -> None:
        from nbforecast.notebook.display import redisplay

        redisplay(run, shell)

    _formatter(shell).for_type(_RUN, display_run)
    if complete_magic not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(complete_magic)


def _formatter(shell: InteractiveShell) -> Any:
    formatter: Any = shell.display_formatter
    return formatter.ipython_display_formatter


def unload(shell: InteractiveShell) -> None:
    """Undo `load`, end the background threads if there are any, and save what it has found."""
    for name in PARSERS:
        shell.magics_manager.magics["line"].pop(name, None)
    _formatter(shell).pop(_RUN, None)
    if complete_magic in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(complete_magic)
    routing = sys.modules.get("nbforecast.notebook.routing")
    if routing is not None:
        routing.hub.close()
    session = sys.modules.get("nbforecast.session")
    if session is not None:
        session.shutdown()
