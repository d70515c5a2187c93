"""The parts of a report on a backtest: from runs that are done to sentences, tables and charts.

Each function takes runs and returns a `Section`, which shows itself in a notebook. The template
`backtest_report.ipynb` puts them together; `nbforecast report` executes and exports it.
"""

from nbforecast.report.calibration import calibration
from nbforecast.report.comparison import comparison
from nbforecast.report.data import data
from nbforecast.report.extremes import extremes
from nbforecast.report.horizons import horizons
from nbforecast.report.limits import limits
from nbforecast.report.outlook import outlook
from nbforecast.report.places import places
from nbforecast.report.portraits import portraits
from nbforecast.report.provenance import provenance
from nbforecast.report.section import Section
from nbforecast.report.summary import summary

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
