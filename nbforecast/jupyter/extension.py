"""Loads and unloads the IPython extension."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbforecast.jupyter import lab_comm
from nbforecast.jupyter.magics.completion import complete_magic
from nbforecast.jupyter.magics.magics import PARSERS, ForecastMagics, NbForecast
from nbforecast.jupyter.sender import comm_sender

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.cache_manager.manager import ResultCache
    from nbforecast.distributed.run import DatasetRun
    from nbforecast.live.live import Live
    from nbforecast.run import Run

_RUN = "nbforecast.run.Run"
_CACHE = "nbforecast.cache_manager.manager.ResultCache"
_LIVE = "nbforecast.live.live.Live"
_DATASET_RUN = "nbforecast.distributed.run.DatasetRun"


def load(shell: InteractiveShell) -> None:
    """Register magics, their defaults, completion and displays, and connect to the front end.

    Neither JAX nor Polars is imported.
    """
    _remove_defaults(shell)
    defaults = NbForecast(parent=shell)
    _configurables(shell).append(defaults)
    shell.register_magics(ForecastMagics(shell, defaults))

    def display_run(run: Run) -> None:
        from nbforecast.jupyter.display.show import redisplay

        redisplay(run, shell)

    def display_cache(cache: ResultCache) -> None:
        from nbforecast.jupyter.display.show import show_cache

        show_cache(cache, shell)

    def display_dataset_run(run: DatasetRun) -> None:
        from nbforecast.jupyter.display.show import show_dataset

        show_dataset(run, shell)

    def display_live(live: Live) -> None:
        from nbforecast.jupyter.display.show import show_live

        show_live(live, shell)

    _formatter(shell).for_type(_RUN, display_run)
    _formatter(shell).for_type(_LIVE, display_live)
    _formatter(shell).for_type(_DATASET_RUN, display_dataset_run)
    _formatter(shell).for_type(_CACHE, display_cache)
    if complete_magic not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(complete_magic)
    lab_comm.connect(shell)


def _formatter(shell: InteractiveShell) -> Any:
    formatter: Any = shell.display_formatter
    return formatter.ipython_display_formatter


def _remove_defaults(shell: InteractiveShell) -> None:
    configurables = _configurables(shell)
    configurables[:] = [c for c in configurables if not isinstance(c, NbForecast)]


def _configurables(shell: InteractiveShell) -> list[Any]:
    """The objects whose traits `%config` shows and sets."""
    return shell.configurables


def unload(shell: InteractiveShell) -> None:
    """Undo `load`, end the background threads if there are any, and save their results."""
    _remove_defaults(shell)
    for name in PARSERS:
        shell.magics_manager.magics["line"].pop(name, None)
    for name in (_RUN, _LIVE, _DATASET_RUN, _CACHE):
        _formatter(shell).pop(name, None)
    if complete_magic in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(complete_magic)
    lab_comm.disconnect()
    comm_sender.close()
    session = sys.modules.get("nbforecast.session")
    if session is not None:
        session.shutdown()
