"""The data of a report and their repairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nbforecast import charts
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.report.labels import data_title, target_name, time_text
from nbforecast.report.section import Bullets, Picture, Section
from nbforecast.report.stats import is_panel
from nbforecast.text import percent, plural

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run


@dataclass(frozen=True)
class DataFindings:
    """Extent, gaps and repairs of the data.

    Attributes:
        finding: The extent in a sentence.
        repairs: A sentence per repair.
        unavailable: A sentence per reason for which origins cannot be forecast.
    """

    finding: str
    repairs: tuple[str, ...]
    unavailable: tuple[str, ...]


def find_data(run: Run) -> DataFindings:
    """Summarise the data of a run."""
    data = run.data
    missing = float(np.isnan(data.values).mean())
    gaps = f"{percent(missing)} of the steps are missing" if missing else "no step is missing"
    first, last = time_text(data, int(np.argmin(data.time))), time_text(data, int(np.argmax(data.time)))
    values = plural(int((~np.isnan(data.values)).sum()), "value")
    series = f" in {len(data.ids):,} series" if is_panel(data) else ""
    reasons = run.reasons[run.rows]
    counts = [(r, int((reasons == r).sum())) for r in UnavailableReason if r]
    return DataFindings(
        f"{values}{series} at steps of {data.frequency.describe()}, from {first} to {last}; {gaps}.",
        tuple(str(w) for w in data.warnings) or ("Nothing had to be repaired.",),
        tuple(f"{plural(n, 'origin')} cannot be forecast: {reason.sentence}." for reason, n in counts if n),
    )


def data(run: Run) -> Section:
    """Show the data, their repairs, the origins that cannot be forecast, and the history of a single series.

    Args:
        run: A completed run.

    Example:
        >>> report.data(run)
    """
    findings = find_data(run)
    chart = () if is_panel(run.data) else (draw_history(run.data),)
    return Section(findings.finding, (), (Bullets((*findings.repairs, *findings.unavailable)), *chart))


def draw_history(data: Dataset, *marks: charts.Dots) -> Picture:
    """Draw the whole history of the first series with marks on it."""
    end = int(data.offsets[1])
    slots = None if data.frequency.slot is None else data.time[:end]
    places = data.time[:end] if slots is None else np.arange(end)
    if slots is not None:
        marks = tuple(replace(mark, x=np.searchsorted(slots, mark.x)) for mark in marks)
    line = charts.Line(places, data.values[:end], kind="history")
    zone = None if data.frequency.wall_clock else getattr(data.time_type, "time_zone", None)
    title = data_title(data)
    alt = f"The history of {title} from {time_text(data, 0)} to {time_text(data, end - 1)}."
    chart = charts.LineChart(title, (line, *marks), alt, target_name(data), "step", zone=zone, height=210, slots=slots)
    return Picture.of(chart)
