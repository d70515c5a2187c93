"""The parts of a report on a backtest: from completed runs to sentences, tables and charts.

Each function takes runs and returns a `Section`, which shows itself in a notebook. The template
`backtest_report.ipynb` puts them together; `nbforecast report` executes and exports it.
"""

from __future__ import annotations

from nbforecast.deprecation import renamed_functions
from nbforecast.report.breakdown import breakdown
from nbforecast.report.calendar_errors import calendar_errors
from nbforecast.report.calibration import calibration
from nbforecast.report.comparison import comparison
from nbforecast.report.current_forecast import current_forecast
from nbforecast.report.data import data
from nbforecast.report.exceedance import exceedance
from nbforecast.report.glucose import glucose, glucose_metrics, glucose_ranges
from nbforecast.report.horizons import horizons
from nbforecast.report.learning import learning
from nbforecast.report.provenance import provenance
from nbforecast.report.section import Section
from nbforecast.report.series_profiles import series_profiles
from nbforecast.report.summary import summary
from nbforecast.report.sums_and_peaks import sums_and_peaks
from nbforecast.report.surprises import surprises
from nbforecast.report.worst_origins import worst_origins

__all__ = [
    "Section",
    "breakdown",
    "calendar_errors",
    "calibration",
    "comparison",
    "current_forecast",
    "data",
    "exceedance",
    "glucose",
    "glucose_metrics",
    "glucose_ranges",
    "horizons",
    "learning",
    "provenance",
    "series_profiles",
    "summary",
    "sums_and_peaks",
    "surprises",
    "worst_origins",
]

__getattr__ = renamed_functions(
    __name__,
    {
        "extremes": worst_origins,
        "limits": exceedance,
        "outlook": current_forecast,
        "places": breakdown,
        "portraits": series_profiles,
    },
)
