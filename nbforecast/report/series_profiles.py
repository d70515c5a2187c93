"""Single series of a panel: those where a model is least accurate, and some at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.report.current_forecast import describe_forecast, draw_forecast
from nbforecast.report.labels import compared_with, time_text
from nbforecast.report.section import PictureRow, Section
from nbforecast.report.stats import (
    common_loss,
    is_panel,
    loss_change_by_series,
    newest_index,
    origin_scores,
    scored_rows,
    worst_rows,
)
from nbforecast.text import percent

if TYPE_CHECKING:
    from nbforecast.run import Run

_SMALL = (424, 300)  # pixels


def series_profiles(run: Run, baseline: Run, worst_few: int = 3, random_few: int = 3, seed: int = 0) -> Section:
    """Show series of a panel, each with its newest forecast and its worst; nothing for a single series.

    Args:
        run: A completed run.
        baseline: A run of another model over the same data.
        worst_few: How many series where the model is least accurate beside the baseline.
        random_few: How many others, picked at random.
        seed: Of the random choice.

    Example:
        >>> report.series_profiles(panel, panel)
    """
    if not is_panel(run.data):
        return Section()
    changes = loss_change_by_series(run, baseline)
    finite = np.flatnonzero(np.isfinite(changes))
    least_accurate = finite[np.argsort(-changes[finite], kind="stable")][:worst_few]
    rest = np.setdiff1d(finite, least_accurate)
    picked = np.sort(np.random.default_rng(seed).choice(rest, min(random_few, len(rest)), replace=False))
    parts = [_profile(run, baseline, int(s), float(changes[s]), "among the worst") for s in least_accurate]
    parts += [_profile(run, baseline, int(s), float(changes[s]), "picked at random") for s in picked]
    return Section("", (), tuple(parts))


def _profile(run: Run, baseline: Run, series: int, change: float, reason: str) -> Section:
    name, offsets = run.data.ids[series], run.data.offsets
    scored = np.where(scored_rows([run, baseline]), origin_scores(run, "coverage_80"), np.nan)
    coverage = percent(float(np.nanmean(scored[offsets[series] : offsets[series + 1]])))
    crps = (
        f"The {common_loss(run, baseline).upper()} is {compared_with(change, baseline.model)}; the" if change else "The"
    )
    finding = f"{crps} 80 % bands contain {coverage} of the actual values as forecast."
    details, pictures = [], []
    newest = newest_index(run, name)
    if newest is not None:
        forecast = run.at(newest, name)
        details.append(describe_forecast(run, forecast))
        pictures.append(draw_forecast(forecast, *_SMALL))
    for row in worst_rows(run, 1, name).tolist():
        details.append(f"The largest error is at the origin {time_text(run.data, row)}.")
        pictures.append(draw_forecast(run.forecast_at(row), *_SMALL))
    return Section(finding, tuple(details), (PictureRow(tuple(pictures)),), f"{name}: {reason}")
