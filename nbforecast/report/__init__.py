"""The parts of a report on a backtest: from completed runs to sentences, tables and charts.

Each function takes runs and returns a `Section`, which shows itself in a notebook. The template
`backtest_report.ipynb` puts them together; `nbforecast report` executes and exports it.
"""

from __future__ import annotations

import warnings
from typing import Any

from nbforecast.report.breakdown import breakdown
from nbforecast.report.calibration import calibration
from nbforecast.report.comparison import comparison
from nbforecast.report.current_forecast import current_forecast
from nbforecast.report.data import data
from nbforecast.report.exceedance import exceedance
from nbforecast.report.horizons import horizons
from nbforecast.report.provenance import provenance
from nbforecast.report.section import Section
from nbforecast.report.series_profiles import series_profiles
from nbforecast.report.summary import summary
from nbforecast.report.worst_origins import worst_origins

__all__ = [
    "Section",
    "breakdown",
    "calibration",
    "comparison",
    "current_forecast",
    "data",
    "exceedance",
    "horizons",
    "provenance",
    "series_profiles",
    "summary",
    "worst_origins",
]

_RENAMED = {
    "extremes": worst_origins,
    "limits": exceedance,
    "outlook": current_forecast,
    "places": breakdown,
    "portraits": series_profiles,
}


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = _RENAMED[name]
    warnings.warn(
        f"report.{name} is now called report.{function.__name__}; the old name works until nbforecast 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return function
