"""What there is, and what was repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast import charts
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.report.section import Picture, Points, Section
from nbforecast.report.stats import panel
from nbforecast.report.words import counted, percent, target, title, when

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run


def data(run: Run) -> Section:
    """The data, their repairs, and the origins that cannot be forecast; the history of a single series."""
    there = run.data
    missing = float(np.isnan(there.values).mean())
    gaps = f"{percent(missing)} of the steps are missing" if missing else "none is missing"
    first, last = when(there, int(np.argmin(there.time))), when(there, int(np.argmax(there.time)))
    known = counted(int((~np.isnan(there.values)).sum()), "value")
    several = f" in {len(there.ids):,} series" if panel(there) else ""
    finding = f"{known}{several} at steps of {there.frequency.describe()}, from {first} to {last}; {gaps}."
    repairs = tuple(str(w) for w in there.warnings) or ("Nothing had to be repaired.",)
    drawn = () if panel(there) else (history(there),)
    return Section(finding, (), (Points((*repairs, *_barred(run))), *drawn))


def history(there: Dataset, *marks: charts.Dots) -> Picture:
    """The whole of the first series, with what is marked on it."""
    line = charts.Line(there.time[: there.offsets[1]], there.values[: there.offsets[1]], kind="history")
    zone = None if there.frequency.wall_clock else getattr(there.time_type, "time_zone", None)
    alt = f"The history of {title(there)} from {when(there, 0)} to {when(there, int(there.offsets[1]) - 1)}."
    graph = charts.LineChart(title(there), (line, *marks), alt, target(there), "step", zone=zone, height=210)
    return Picture(charts.draw_line_chart(graph), alt)


def _barred(run: Run) -> list[str]:
    counts = [(r, int((run.reasons == r).sum())) for r in UnavailableReason if r]
    return [f"{counted(n, 'origin')} cannot be forecast: {r.sentence}." for r, n in counts if n]
