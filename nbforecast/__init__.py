"""Probabilistic forecasts from every origin of a time series, in a notebook.

- `forecast(frame)` forecasts from every origin in the background; `quickdraw(frame, -24)` draws one of them at once.
- `explore(frame)` shows all of them in a widget.
- `forecast_dataset(source, destination)` forecasts panels of any size, into files.
- `watch(source)` forecasts data that grow, and calls somebody at events.
- `from_long(table)` takes forecasts that were made elsewhere.
- `cache` manages the results; `models()` lists the models, `register` adds one; `sample(name)` loads sample data.
- `report` has the parts of a backtest report. Every error is an `NbForecastError`.

The logger `nbforecast` reports what goes wrong beside the results, such as a damaged file: to configured handlers, else
to the standard error. Repairs of the data, which a run's card shows, go to configured handlers only.

In a notebook, `%load_ext nbforecast` adds the magics `%forecast`, `%quickdraw`, `%forecast_cache` and
`%forecast_models`.
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.api import forecast, from_long, quickdraw
    from nbforecast.cache_manager.manager import cache
    from nbforecast.data.samples import sample
    from nbforecast.distributed.request import forecast_dataset
    from nbforecast.distributed.run import DatasetRun
    from nbforecast.errors import (
        ForecasterError,
        ForkedProcessError,
        IndexOutOfRange,
        InputError,
        MissingExtra,
        MissingFont,
        NbForecastError,
        OptionError,
        OriginUnavailable,
        ReportError,
        RunCancelled,
        SourceError,
        StorageError,
        UnknownModel,
        WeightsError,
    )
    from nbforecast.forecast_chart import Chart
    from nbforecast.forecasters.catalogue import models
    from nbforecast.forecasters.registry import register
    from nbforecast.jupyter.widgets.explorer.explore import explore
    from nbforecast.live.events import Event
    from nbforecast.live.live import Live
    from nbforecast.live.watch import watch
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

__version__ = _version("nbforecast")
logging.getLogger("nbforecast.data").addHandler(logging.NullHandler())  # what a run's card shows needs no second place

_MODULES = {
    "Chart": "nbforecast.forecast_chart",
    "DatasetRun": "nbforecast.distributed.run",
    "Event": "nbforecast.live.events",
    "Forecast": "nbforecast.origin_forecast",
    "ForecasterError": "nbforecast.errors",
    "IndexOutOfRange": "nbforecast.errors",
    "InputError": "nbforecast.errors",
    "Live": "nbforecast.live.live",
    "MissingExtra": "nbforecast.errors",
    "MissingFont": "nbforecast.errors",
    "NbForecastError": "nbforecast.errors",
    "OptionError": "nbforecast.errors",
    "OriginUnavailable": "nbforecast.errors",
    "ReportError": "nbforecast.errors",
    "Run": "nbforecast.run",
    "RunCancelled": "nbforecast.errors",
    "ForkedProcessError": "nbforecast.errors",
    "SourceError": "nbforecast.errors",
    "StorageError": "nbforecast.errors",
    "UnknownModel": "nbforecast.errors",
    "WeightsError": "nbforecast.errors",
    "cache": "nbforecast.cache_manager.manager",
    "explore": "nbforecast.jupyter.widgets.explorer.explore",
    "forecast": "nbforecast.api",
    "forecast_dataset": "nbforecast.distributed.request",
    "from_long": "nbforecast.api",
    "models": "nbforecast.forecasters.catalogue",
    "quickdraw": "nbforecast.api",
    "register": "nbforecast.forecasters.registry",
    "sample": "nbforecast.data.samples",
    "watch": "nbforecast.live.watch",
}

__all__ = [
    "Chart",
    "DatasetRun",
    "Event",
    "Forecast",
    "ForecasterError",
    "ForkedProcessError",
    "IndexOutOfRange",
    "InputError",
    "Live",
    "MissingExtra",
    "MissingFont",
    "NbForecastError",
    "OptionError",
    "OriginUnavailable",
    "ReportError",
    "Run",
    "RunCancelled",
    "SourceError",
    "StorageError",
    "UnknownModel",
    "WeightsError",
    "cache",
    "explore",
    "forecast",
    "forecast_dataset",
    "from_long",
    "models",
    "quickdraw",
    "register",
    "sample",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import nbforecast` and `%load_ext` stay quick."""
    if name == "report":
        return import_module("nbforecast.report")
    if name not in _MODULES:
        raise AttributeError(f"module 'nbforecast' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "report"})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load the magics and displays: `%load_ext nbforecast`."""
    from nbforecast.jupyter.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove them: `%unload_ext nbforecast`."""
    from nbforecast.jupyter.extension import unload

    unload(shell)
