"""The origins with the largest errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbforecast import charts
from nbforecast.report.current_forecast import draw_forecast
from nbforecast.report.data import draw_history
from nbforecast.report.labels import horizon_text, time_text, with_unit
from nbforecast.report.section import Section
from nbforecast.report.stats import is_panel, losses, origin_scores, worst_rows
from nbforecast.scoring.origin_scores import as_forecast
from nbforecast.text import number, percent, plural

if TYPE_CHECKING:
    from nbforecast.origin_forecast import Forecast
    from nbforecast.report.section import Picture
    from nbforecast.run import Run

_LEAST_ORIGINS = 500  # for the share of the worst 1 % to be stated


@dataclass(frozen=True)
class WorstOrigins:
    """The origins with the largest errors.

    Attributes:
        finding: The largest error in a sentence.
        details: The share of the worst 1 % of origins.
        rows: Of the origins, worst first.
    """

    finding: str
    details: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()


def find_worst_origins(run: Run, count: int = 3) -> WorstOrigins:
    """Find the origins with the largest CRPS, apart by two horizons or a season; of a panel one per series."""
    rows = worst_rows(run, count)
    if not len(rows):
        return WorstOrigins("No error is known yet.")
    loss = losses(run)
    descending = np.sort(loss[np.isfinite(loss)])[::-1]
    average, worst = float(descending.mean()), int(rows[0])
    if not average:
        return WorstOrigins(f"{run.model} has no error.")
    series = f" in {run.data.ids[run.data.locate(worst)[0]]}" if is_panel(run.data) else ""
    ratio = number(float(loss[worst]) / average, 2)
    crps = with_unit(run.data, float(origin_scores(run, "crps")[worst]))
    mean = "the mean once series are scaled by their change" if is_panel(run.data) else "the mean"
    share = percent(float(descending[: max(len(descending) // 100, 1)].sum() / descending.sum()), 0)
    origin = f"{series} at the origin {time_text(run.data, worst)}"
    return WorstOrigins(
        f"The largest error of {run.model} is{origin}: a CRPS of {crps}, {ratio} times {mean}.",
        (f"The worst 1 % of origins account for {share} of the CRPS.",) if len(descending) >= _LEAST_ORIGINS else (),
        tuple(rows.tolist()),
    )


def worst_origins(run: Run, count: int = 3) -> Section:
    """Show the origins with the largest CRPS, at least two horizons or a season apart; of a panel one per series.

    Args:
        run: A completed run.
        count: How many origins.

    Example:
        >>> report.worst_origins(run, 2)
    """
    findings = find_worst_origins(run, count)
    history = () if is_panel(run.data) or not findings.rows else (_draw_on_history(run, findings.rows),)
    parts = tuple(_show_origin(run, rank, row) for rank, row in enumerate(findings.rows, 1))
    return Section(findings.finding, findings.details, (*history, *parts))


def _draw_on_history(run: Run, rows: tuple[int, ...]) -> Picture:
    """The origins on the history, each at its next observed value."""
    marked = np.array([row + np.flatnonzero(np.isfinite(run.data.values[row:]))[0] for row in rows])
    ranks = tuple(str(rank) for rank in range(1, len(rows) + 1))
    return draw_history(run.data, charts.Dots(run.data.time[marked], run.data.values[marked], ranks))


def _show_origin(run: Run, rank: int, row: int) -> Section:
    forecast = run.forecast_at(row)
    sentence = _describe_error(run, forecast, row)
    return Section("", (f"{rank}. {sentence}",) if sentence else (), (draw_forecast(forecast, height=300),))


def _describe_error(run: Run, forecast: Forecast, row: int) -> str:
    """What was expected and observed at the last observed step; nothing where nothing is observed."""
    actual = forecast.actual
    is_observed = np.isfinite(actual)
    if not is_observed.any():
        return ""
    step = int(np.flatnonzero(is_observed)[-1])
    low, high = forecast.interval(95).T
    observed = as_forecast(actual)
    is_inside = (low <= observed) & (observed <= high)
    series = f" of {forecast.series}" if is_panel(run.data) else ""
    reach = f"{horizon_text(run, step + 1)} ahead"
    median, observed_value = (with_unit(run.data, float(v[step])) for v in (forecast.median, actual))
    expected = f"{median}{series} is expected and {observed_value} is observed"
    band = f"the 95 % band of {number(low[step])} to {number(high[step])}"
    sentence = (
        f"As of {time_text(run.data, row)}: {reach}, {expected}, {'in' if is_inside[step] else 'out'}side {band}."
    )
    count, inside = int(is_observed.sum()), int(is_inside[is_observed].sum())
    if count < 2:
        return sentence
    return f"{sentence} Of the {count} observed values, {plural(inside, 'is', 'are') if inside else 'none is'} inside."
