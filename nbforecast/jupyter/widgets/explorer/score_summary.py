"""Encodes the mean scores of one series by a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64

from nbforecast.jupyter.widgets.explorer.encoding import finite, series_span
from nbforecast.jupyter.widgets.explorer.messages import HorizonScores, OverallScores, ScoresMessage
from nbforecast.postprocessing.conformal import is_covered
from nbforecast.result_cache.status import Status
from nbforecast.scoring.mean_scores import seasonal_scale
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, COVERAGES

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run

_ROWS = 1 << 14  # that are added up together: copies of all would take more memory than the results


class _Sum:
    """Sums over origins of what is known of a score, and how often it is known, by step."""

    def __init__(self, horizon: int, *shape: int) -> None:
        self.total, self.count = np.zeros((horizon, *shape)), np.zeros((horizon, *shape))

    def add(self, values: Float[np.ndarray, "R H *C"]) -> None:
        is_known = ~np.isnan(values)
        self.total += np.where(is_known, values, 0).sum(0, dtype=np.float64)
        self.count += is_known.sum(0)

    @property
    def by_step(self) -> Float64[np.ndarray, "H *C"]:
        return _ratio(self.total, self.count)

    @property
    def overall(self) -> Float64[np.ndarray, "*C"]:
        return _ratio(np.asarray(self.total.sum(0)), np.asarray(self.count.sum(0)))


def encode_scores(run: Run, series: int, model: int) -> ScoresMessage:
    """Encodes the mean scores of one series, overall and by step ahead, as far as they are known.

    The coverage is that of the bands that are drawn: of calibrated ones once the run is done.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
    """
    start, end = series_span(run.data, series)
    sums = {name: _Sum(run.horizon) for name in ("mae", "crps", "mase")}
    covered = _Sum(run.horizon, len(COVERAGES))
    rows, scored = np.flatnonzero(run.status[start:end] == Status.SCORED), 0
    if len(rows):
        scale = seasonal_scale(_only_series(run, series))
        for first in range(0, len(rows), _ROWS):
            part = rows[first : first + _ROWS]
            error = run.take("abs_error", start + part).astype(np.float64)
            crps = run.take("crps", start + part)
            sums["mae"].add(error)
            sums["mase"].add(error / scale[part, None])
            sums["crps"].add(crps)
            covered.add(run.take("covered", start + part))
            scored += int(np.isfinite(crps).any(1).sum())
    if run.calibrate and run.done:
        bands = run.calibrated_bands(slice(start, end))
        calibrated = _Sum(run.horizon, len(CALIBRATED_COVERAGES))
        calibrated.add(is_covered(bands, run.data.actuals(np.arange(start, end), run.horizon)))
        if calibrated.count.any():
            columns = [CALIBRATED_COVERAGES.index(c) for c in COVERAGES]
            covered.total, covered.count = calibrated.total[:, columns], calibrated.count[:, columns]
    means = {name: finite(float(sums[name].overall)) for name in sums}
    coverage = {f"coverage_{c}": finite(float(share)) for c, share in zip(COVERAGES, covered.overall, strict=True)}
    return ScoresMessage(
        series=series,
        model=model,
        overall=OverallScores(**means, **coverage, n=scored),
        horizon=HorizonScores(
            mae=[finite(x) for x in sums["mae"].by_step],
            crps=[finite(x) for x in sums["crps"].by_step],
            coverage_80=[finite(x) for x in covered.by_step[:, COVERAGES.index(80)]],
        ),
    )


def _only_series(run: Run, series: int) -> Dataset:
    """The data of one series."""
    start, end = series_span(run.data, series)
    return replace(
        run.data,
        ids=(run.data.ids[series],),
        offsets=np.array([0, end - start]),
        time=run.data.time[start:end],
        values=run.data.values[start:end],
    )


def _ratio(total: Float64[np.ndarray, "*C"], count: Float64[np.ndarray, "*C"]) -> Float64[np.ndarray, "*C"]:
    """Means; NaN where nothing is known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)
