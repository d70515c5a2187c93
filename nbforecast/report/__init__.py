"""The parts of a report on a backtest: from runs that are done to sentences, tables and charts.

Each function takes runs and returns a `Section`, which shows itself in a notebook. The template
`backtest_report.ipynb` puts them together; `nbforecast report` executes and exports it.
"""

from nbforecast.report.breakdown import places
from nbforecast.report.calibration import calibration
from nbforecast.report.comparison import comparison
from nbforecast.report.current_forecast import outlook
from nbforecast.report.data import data
from nbforecast.report.exceedance import limits
from nbforecast.report.horizons import horizons
from nbforecast.report.provenance import provenance
from nbforecast.report.section import Section
from nbforecast.report.series_profiles import portraits
from nbforecast.report.summary import summary
from nbforecast.report.worst_origins import extremes

__all__ = [
    "Section",
    "calibration",
    "comparison",
    "data",
    "extremes",
    "horizons",
    "limits",
    "outlook",
    "places",
    "portraits",
    "provenance",
    "summary",
]
