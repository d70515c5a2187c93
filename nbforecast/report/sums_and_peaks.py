"""Sums and peaks over the horizon: how much, how high, and how often their bands held what came (J4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.errors import NbForecastError
from nbforecast.report.labels import horizon_text, in_unit, next_horizon_text, time_text, with_unit
from nbforecast.report.section import Section, Table
from nbforecast.report.stats import is_panel, newest_index
from nbforecast.scoring.origin_scores import COVERAGES, QUANTILE_LEVELS
from nbforecast.text import UNKNOWN, number, percent, plural

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.groups.forecasts import GroupForecasts
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

_ROWS = (("total", "total"), ("peak", "maximum"), ("lowest value", "minimum"))
_MOST_STEPS = 500_000  # of all scored origins; of more origins one in several is scored
_MOST_SERIES = 1000  # of a panel whose total is shown
_METHODS = {"bottom_up": "sums of the series", "direct": "forecast directly", "reconciled": "reconciled"}


def describe_sums_and_peaks(run: Run) -> str:
    """The newest total and peak in a sentence, of a panel those over all series; nothing where there is none."""
    if not _has_joint_bands(run):
        return ""
    if is_panel(run.data):
        groups = find_total(run)
        if groups is None:
            return ""
        series = plural(len(groups.groups.series), "series", "series")
        return _describe(run, groups["total"], groups.data, f" over all {series}")
    index = newest_index(run)
    return "" if index is None else _describe(run, run.at(index), run.data, "")


def sums_and_peaks(run: Run) -> Section:
    """Show sums, peaks and lowest values over the horizon, and how well they were forecast at past origins.

    Args:
        run: A completed run.

    Returns:
        The section; an empty one for one step ahead, and for forecasts of points, which have no bands.

    Example:
        >>> report.sums_and_peaks(run)
    """
    if not _has_joint_bands(run):
        return Section()
    finding = describe_sums_and_peaks(run)
    every = max(1, len(run.rows) * run.horizon // _MOST_STEPS)
    where = pl.col("index") % every == 0 if every > 1 else None
    scores = {name: run.scores(of=of, where=where).row(0, named=True) for name, of in _ROWS}  # type: ignore[arg-type]
    count = scores["total"]["n"]
    if not count:
        return Section(finding)
    kind = "calibrated" if run.calibrate and scores["total"]["calibrated_80"] is not None else "coverage"
    bands = "calibrated 80 % bands" if kind == "calibrated" else "80 % bands"
    shares = {name: percent(row[f"{kind}_80"]) for name, row in scores.items()}
    of_series = " of single series" if is_panel(run.data) else ""
    origins = plural(count, "past origin") + (f", one in {every}" if every > 1 else "")
    added = _coverage_of_added_bands(run)
    details = [
        f"The {bands} held {shares['total']} of the totals{of_series} over {horizon_text(run)} and {shares['peak']} of "
        f"the peaks, at {origins}."
    ]
    if np.isfinite(added):
        details.append(f"The 80 % bands of single steps, added up, would have held {percent(added)} of the totals.")
    unit = in_unit(run.data)
    head = ("", f"MAE{unit}", f"CRPS{unit}", *(f"in {c} %" for c in COVERAGES))
    rows = tuple(
        (name, number(row["mae"]), number(row["crps"]), *(_share(row[f"{kind}_{c}"]) for c in COVERAGES))
        for name, row in scores.items()
    )
    total = find_total(run) if is_panel(run.data) else None
    parts: list[Table | Section] = [Table(head, rows)]
    if total is not None:
        parts.append(_tabulate_methods(run, total))
    return Section(finding, tuple(details), tuple(parts))


def _has_joint_bands(run: Run) -> bool:
    """Whether sums and peaks differ from values of single steps, and have bands: those of points have none."""
    return run.horizon > 1 and len(run.quantile_levels) > 1


def find_total(run: Run) -> GroupForecasts | None:
    """The newest forecast of the total over all series of a panel; None where they have no origin in common."""
    if len(run.data.ids) > _MOST_SERIES:
        return None
    try:
        return run.aggregate()
    except NbForecastError:
        return None


def _describe(run: Run, forecast: Forecast, data: Dataset, over: str) -> str:
    total, peak = forecast.total(), forecast.maximum()
    time = time_text(data, data.row(forecast.index, forecast.series))
    (low, high), (least, most) = total.interval(80), peak.interval(80)
    calibrated = " calibrated" if total.is_calibrated else "n"
    return (
        f"As of {time}, {forecast.model} expects a total of {with_unit(run.data, total.median)}{over} in "
        f"{next_horizon_text(run)}, with a{calibrated} 80 % band from {number(low)} to {number(high)}, and a peak of "
        f"{number(peak.median)}, from {number(least)} to {number(most)}."
    )


def _coverage_of_added_bands(run: Run) -> float:
    """How many totals lay between the sums of the ends of single steps' 80 % bands."""
    ends = run.column("quantiles").astype(np.float64).sum(1)
    actual = run.data.actuals(run.rows, run.horizon).sum(1)
    low, high = (ends[:, QUANTILE_LEVELS.index(level)] for level in (0.1, 0.9))
    is_known = np.isfinite(actual) & np.isfinite(low)
    return float(((low <= actual) & (actual <= high))[is_known].mean()) if is_known.any() else float("nan")


def _tabulate_methods(run: Run, total: GroupForecasts) -> Section:
    """How well the total over all series was forecast by each method."""
    try:
        scores = total.scores()
    except NbForecastError:
        return Section()
    best = scores.sort("crps").row(0, named=True)
    unit = in_unit(run.data)
    rows = []
    for row in scores.iter_rows(named=True):
        shares = (_share(row[f"coverage_{c}"]) for c in COVERAGES)
        rows.append((_METHODS[row["method"]], number(row["mae"]), number(row["crps"]), *shares))
    by = "by the " if best["method"] == "bottom_up" else ""
    sentence = (
        f"At {plural(best['n'], 'past origin')} whose horizons do not overlap, the total over all series had the "
        f"smallest CRPS, {number(best['crps'])}, {by}{_METHODS[best['method']]}."
    )
    head = ("total over all series", f"MAE{unit}", f"CRPS{unit}", *(f"in {c} %" for c in COVERAGES))
    return Section("", (sentence,), (Table(head, tuple(rows)),))


def _share(value: float | None) -> str:
    return UNKNOWN if value is None or not np.isfinite(value) else percent(value)
