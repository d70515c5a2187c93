"""The numbers that a report's sentences rest on, from runs that are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.scoring.diebold_mariano import MeanEstimate, estimate_mean
from nbforecast.scoring.scores import seasonal_scale

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.run import Run


def panel(data: Dataset) -> bool:
    """Whether there are several series."""
    return len(data.ids) > 1


def scale(data: Dataset) -> Float64[np.ndarray, " N"]:
    """What each row's losses are divided by, so that those of several series can be added.

    Of a panel, how much the series changes from one season to the next, as for MASE, or from step to step where there
    is a series without a season's history; else 1.
    """
    if not panel(data):
        return np.ones(len(data))
    seasonal = seasonal_scale(data)[data.offsets[1:] - 1]
    found = seasonal if _seasonal(data) else _changes(data)
    return np.repeat(found, data.lengths)


def scale_words(data: Dataset) -> str:
    """What `scale` is, in words; nothing where it is 1."""
    if not panel(data):
        return ""
    return f"in units of each series' mean change from {'season to season' if _seasonal(data) else 'step to step'}"


def _seasonal(data: Dataset) -> bool:
    return bool(np.isfinite(seasonal_scale(data)[data.offsets[1:] - 1]).all())


def _changes(data: Dataset) -> Float64[np.ndarray, " S"]:
    change = np.abs(np.diff(data.values, prepend=np.nan))
    change[data.offsets[:-1]] = np.nan
    known = np.isfinite(change)
    total, count = (np.add.reduceat(a, data.offsets[:-1]) for a in (np.where(known, change, 0), known.astype(float)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, total / count, np.nan)


def losses(run: Run) -> Float64[np.ndarray, " N"]:
    """The mean CRPS of each origin over the steps whose actual value is known, scaled; NaN where there is none."""
    return column(run, "crps") / scale(run.data)


def column(run: Run, name: str) -> Float64[np.ndarray, " N"]:
    """A score of each origin, NaN where there is none."""
    return values(run.scores(by="index"), name)


def compare(run: Run, other: Run) -> MeanEstimate:
    """How much larger the other's losses are where both have any, relative to the run's: 0.1 is 10 % more."""
    ours, theirs = losses(run), losses(other)
    ours = np.where(np.isfinite(theirs), ours, np.nan)
    usual = float(np.nanmean(ours)) if np.isfinite(ours).any() else np.nan
    return estimate_mean((theirs - ours) / (usual or np.nan), run.data.time, run.horizon)


def by_series(run: Run, other: Run) -> Float64[np.ndarray, " S"]:
    """How much larger the run's mean loss is than the other's in each series; NaN where it is not known."""
    ours, theirs = losses(run), losses(other)
    both = np.isfinite(ours) & np.isfinite(theirs)
    starts = run.data.offsets[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.add.reduceat(np.where(both, ours, 0), starts) / np.add.reduceat(np.where(both, theirs, 0), starts)
    return np.where(np.isfinite(ratio), ratio - 1, np.nan)


def newest(run: Run, series: str | None = None) -> int | None:
    """The newest index of a series that has a forecast, None where none has."""
    at = run.data.position(series)
    start, end = int(run.data.offsets[at]), int(run.data.offsets[at + 1])
    there = np.flatnonzero(run.reasons[start:end] == 0)
    return int(there[-1]) - (end - start - 1) if len(there) else None


def worst(run: Run, count: int, series: str | None = None) -> Int64[np.ndarray, " K"]:
    """The rows with the largest losses, worst first: apart by two horizons or a season, of a panel one a series."""
    data = run.data
    loss = np.where(column(run, "n") == run.horizon, losses(run), np.nan)
    if not np.isfinite(loss).any():
        loss = losses(run)
    loss = np.where(np.isfinite(loss), loss, -np.inf)
    if series is not None:
        at = data.position(series)
        loss[: data.offsets[at]] = loss[data.offsets[at + 1] :] = -np.inf
    apart = max(2 * run.horizon, *data.frequency.seasons[:1], 1)
    found: list[int] = []
    while len(found) < count and np.isfinite(loss).any():
        row = int(loss.argmax())
        found.append(row)
        first, end = (int(o) for o in data.offsets[[data.locate(row)[0], data.locate(row)[0] + 1]])
        near = slice(first, end) if panel(data) and series is None else slice(max(first, row - apart), row + apart + 1)
        loss[near] = -np.inf
    return np.array(found, dtype=np.int64)


def values(scores: pl.DataFrame, name: str) -> Float64[np.ndarray, " K"]:
    """A column of scores, NaN where nothing is known."""
    return scores[name].cast(float).to_numpy().astype(np.float64)


def measure(run: Run) -> str:
    """The score of points: `mae`, or `mase` of a panel, as far as that is known."""
    scaled = panel(run.data) and np.isfinite(values(run.scores(), "mase"))[0]
    return "mase" if scaled else "mae"
