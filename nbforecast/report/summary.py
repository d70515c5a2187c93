"""What a report says, at its top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.report.breakdown import places
from nbforecast.report.calibration import held
from nbforecast.report.comparison import comparison
from nbforecast.report.current_forecast import outlook
from nbforecast.report.data import data
from nbforecast.report.horizons import horizons
from nbforecast.report.section import Points, Section
from nbforecast.report.stats import panel
from nbforecast.report.words import counted, steps, title
from nbforecast.report.worst_origins import extremes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run


def summary(run: Run, baseline: Run, others: Sequence[Run], heading: str = "") -> Section:
    """The findings of all sections, under a heading."""
    told = [data(run), outlook(run), horizons(run, baseline), comparison(run, others)]
    where = places(run, baseline) if panel(run.data) else extremes(run, 1)
    findings = [s.finding for s in told if s.finding] + [held(run), where.finding]
    about = f"{run.model}, {steps(run)} ahead, from {counted(run.available, 'origin')}."
    return Section("", (about,), (Points(tuple(findings)),), heading or f"Backtest of {title(run.data)}", 1)
