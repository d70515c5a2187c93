"""The numbers behind a report's sentences, computed from completed runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from nbforecast.scoring.mean_scores import seasonal_scale
from nbforecast.scoring.panel_mean import estimate_over_origins

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.run import Run
    from nbforecast.scoring.diebold_mariano import MeanEstimate

Loss = Literal["crps", "wis"]  # a score of whole forecasts
SIGNIFICANCE = 0.05  # a p-value below this is a difference by more than chance
MOST_CALIBRATED = 0.95  # of the origins, below which their share is stated
_MOST_WITH_MASE = 0.75  # of the origins; below that share MASE is no column of a comparison


def is_panel(data: Dataset) -> bool:
    """Return whether there are several series."""
    return len(data.ids) > 1


def relative(value: float, reference: float) -> float:
    """Return how much larger a value is than a reference: 0.1 is 10 % more; NaN for a reference of zero."""
    return value / reference - 1 if reference else float("nan")


def loss_scale(data: Dataset) -> Float64[np.ndarray, " N"]:
    """Compute the divisor that makes losses of several series comparable, for each row.

    It is the mean seasonal change of the series, as for MASE, or the mean change from step to step where a series is
    shorter than a season; 1 for a single series.
    """
    if not is_panel(data):
        return np.ones(len(data))
    seasonal = _seasonal_scale(data)
    return np.repeat(seasonal if np.isfinite(seasonal).all() else _mean_change(data), data.lengths)


def loss_unit(data: Dataset) -> str:
    """Describe the unit of scaled losses; nothing for a single series, whose losses are not scaled."""
    if not is_panel(data):
        return ""
    change = "season to season" if np.isfinite(_seasonal_scale(data)).all() else "step to step"
    return f"in units of each series' mean change from {change}"


def _seasonal_scale(data: Dataset) -> Float64[np.ndarray, " S"]:
    """The mean seasonal change over the whole of each series; NaN where a series is shorter than a season."""
    return seasonal_scale(data)[data.offsets[1:] - 1]


def _mean_change(data: Dataset) -> Float64[np.ndarray, " S"]:
    """The mean absolute change from step to step of each series."""
    change = np.abs(np.diff(data.values, prepend=np.nan))
    change[data.offsets[:-1]] = np.nan
    finite = np.isfinite(change)
    starts = data.offsets[:-1]
    total, count = np.add.reduceat(np.where(finite, change, 0), starts), np.add.reduceat(finite.astype(float), starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, total / count, np.nan)


def losses(run: Run, loss: Loss = "crps") -> Float64[np.ndarray, " N"]:
    """Compute the mean scaled loss of each origin over the steps with an actual value; NaN where there is none."""
    return origin_scores(run, loss) / loss_scale(run.data)


def common_loss(*runs: Run) -> Loss:
    """Find the score of whole forecasts that is the same for all runs.

    The CRPS is the mean quantile loss at the levels that a forecast has. Equal forecasts of which one has more levels
    in the tails differ in it, so forecasts of different levels are compared by the WIS, at the same seven levels.
    """
    return "crps" if len({run.quantile_levels for run in runs}) == 1 else "wis"


def origin_scores(run: Run, name: str) -> Float64[np.ndarray, " N"]:
    """Return a score of each origin, NaN where there is none."""
    return spread_rows(run, score_column(run.scores(by="index"), name))


def spread_rows(run: Run, values: Float[np.ndarray, "R *T"]) -> Float[np.ndarray, "N *T"]:
    """Spread values of the rows of a run over all rows of its data, NaN where the run has no origin."""
    if not run.is_partial:
        return values
    spread = np.full((len(run.data), *values.shape[1:]), np.nan, values.dtype)
    spread[run.rows] = values
    return spread


def score_column(scores: pl.DataFrame, name: str) -> Float64[np.ndarray, " K"]:
    """Return a column of scores, NaN where a score is unknown."""
    return scores[name].cast(float).to_numpy().astype(np.float64)


def overall_score(run: Run, name: str) -> float:
    """Return a mean score over all origins, NaN where it is unknown."""
    return float(score_column(run.scores(), name)[0])


def scored_rows(runs: Sequence[Run]) -> Bool[np.ndarray, " N"]:
    """Find the origins at which every run has an error."""
    return np.logical_and.reduce([np.isfinite(origin_scores(run, "mae")) for run in runs])


def calibrated_rows(run: Run) -> Bool[np.ndarray, " N"]:
    """Find the scored origins that have calibrated bands."""
    return np.isfinite(origin_scores(run, "calibrated_80")) if run.calibrate else np.zeros(len(run.data), bool)


def comparable_rows(runs: Sequence[Run]) -> Bool[np.ndarray, " N"]:
    """Find the origins on which all columns of a comparison rest (R4).

    Returns:
        Where every run has an error and a scaled loss, and a MASE if most of these origins have one.
    """
    rows = scored_rows(runs) & np.logical_and.reduce([np.isfinite(losses(run)) for run in runs])
    with_mase = rows & np.isfinite(origin_scores(runs[0], "mase"))
    return with_mase if with_mase.sum() >= _MOST_WITH_MASE * rows.sum() else rows


def scores_of(run: Run, rows: Bool[np.ndarray, " N"], by: str | None = None) -> pl.DataFrame:
    """Return mean scores over some origins, given as a truth value for each row of the data."""
    return run.scores(by, where=rows[run.rows])


def estimate(run: Run, values: Float64[np.ndarray, " N"]) -> MeanEstimate:
    """Estimate the mean of a value of each origin: of a panel for other series and times, if it has enough series."""
    series = np.repeat(np.arange(len(run.data.ids)), run.data.lengths)
    return estimate_over_origins(values, run.data.time, series, np.arange(len(run.data)), run.horizon)


def compare_losses(
    run: Run, other: Run, rows: Bool[np.ndarray, " N"] | None = None, loss: Loss | None = None
) -> MeanEstimate:
    """Compare the losses of two runs over origins that both have forecast.

    Args:
        run: A completed run.
        other: A run of another model over the same data.
        rows: The origins to compare at; None for all that both have.
        loss: The score to compare by; None for the one that both have in common.

    Returns:
        How much larger the other's losses are, relative to the mean loss of `run`: 0.1 is 10 % more. NaN where the run
        has no loss.
    """
    loss = loss or common_loss(run, other)
    own, others = losses(run, loss), losses(other, loss)
    own = np.where(np.isfinite(others) & (True if rows is None else rows), own, np.nan)
    average = float(np.nanmean(own)) if np.isfinite(own).any() else np.nan
    return estimate(run, (others - own) / (average or np.nan))


def loss_change_by_series(run: Run, other: Run) -> Float64[np.ndarray, " S"]:
    """Compute how much larger the mean loss of `run` is than the other's in each series; NaN where it is unknown."""
    loss = common_loss(run, other)
    own, others = losses(run, loss), losses(other, loss)
    both = np.isfinite(own) & np.isfinite(others)
    starts = run.data.offsets[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.add.reduceat(np.where(both, own, 0), starts) / np.add.reduceat(np.where(both, others, 0), starts)
    return np.where(np.isfinite(ratio), ratio - 1, np.nan)


def newest_index(run: Run, series: str | None = None) -> int | None:
    """Return the newest index of a series, by default the first, that has a forecast, or None where none has."""
    number = run.data.position(series)
    start, end = int(run.data.offsets[number]), int(run.data.offsets[number + 1])
    rows = run.rows[(run.rows >= start) & (run.rows < end)]
    available = rows[run.reasons[rows] == 0]
    return int(available[-1]) - (end - 1) if len(available) else None


def worst_rows(run: Run, count: int, series: str | None = None) -> Int64[np.ndarray, " K"]:
    """Find the rows with the largest losses, worst first.

    Args:
        run: A completed run.
        count: At most so many rows.
        series: Only rows of this series.

    Returns:
        Rows that are apart by two horizons or a season; of a panel without `series`, one row per series.
    """
    data = run.data
    loss = np.where(origin_scores(run, "n") == run.horizon, losses(run), np.nan)
    if not np.isfinite(loss).any():
        loss = losses(run)
    loss = np.where(np.isfinite(loss), loss, -np.inf)
    if series is not None:
        number = data.position(series)
        loss[: data.offsets[number]] = loss[data.offsets[number + 1] :] = -np.inf
    distance = max(2 * run.horizon, *data.frequency.seasons[:1], 1)
    rows: list[int] = []
    while len(rows) < count and np.isfinite(loss).any():
        row = int(loss.argmax())
        rows.append(row)
        number = data.locate(row)[0]
        start, end = int(data.offsets[number]), int(data.offsets[number + 1])
        near = slice(max(start, row - distance), row + distance + 1)
        loss[slice(start, end) if is_panel(data) and series is None else near] = -np.inf
    return np.array(rows, dtype=np.int64)
