"""The findings of all sections, at the top of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.report.breakdown import find_breakdown
from nbforecast.report.calendar_errors import find_calendar_errors
from nbforecast.report.calibration import describe_coverage
from nbforecast.report.comparison import find_comparison
from nbforecast.report.current_forecast import find_current_forecast
from nbforecast.report.data import find_data
from nbforecast.report.horizons import find_horizon_errors
from nbforecast.report.labels import data_title, horizon_text
from nbforecast.report.learning import describe_learning
from nbforecast.report.section import Bullets, Section
from nbforecast.report.stats import is_panel
from nbforecast.report.sums_and_peaks import describe_sums_and_peaks
from nbforecast.report.surprises import find_surprises
from nbforecast.report.worst_origins import find_worst_origins
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run


def summary(run: Run, baseline: Run, others: Sequence[Run], heading: str = "") -> Section:
    """Show the findings of all sections under a heading.

    Args:
        run: The completed run that the report is about.
        baseline: A run of another model over the same data.
        others: Runs of all other models, the baseline included.
        heading: Title of the report; by default it names the data.

    Example:
        >>> report.summary(run, baseline, [baseline])
    """
    findings = [
        find_data(run).finding,
        find_current_forecast(run).finding,
        describe_sums_and_peaks(run),
        find_horizon_errors(run, baseline).finding,
        find_comparison(run, others).findings,
        describe_learning(run),
        describe_coverage(run),
        find_calendar_errors(run).finding,
        find_surprises(run).finding,
        find_breakdown(run, baseline).finding if is_panel(run.data) else find_worst_origins(run, 1).finding,
    ]
    subject = f"{run.model}, {horizon_text(run)} ahead, from {plural(run.available - run.supporting, 'origin')}."
    title = heading or f"Backtest of {data_title(run.data)}"
    return Section("", (subject,), (Bullets(tuple(filter(None, findings))),), title, 1)
