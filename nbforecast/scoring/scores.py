"""Scores over many origins, by the field's definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64

from nbforecast.errors import OptionError
from nbforecast.scoring.calculations import CALIBRATED_COVERAGES, COVERAGES

if TYPE_CHECKING:
    from nbforecast.data import Dataset

By = Literal["horizon", "series", "index"]


class Scored(NamedTuple):
    """Scores per origin and step, NaN where the actual is not known or nothing has been calculated.

    calibrated: whether the actual lies in each of the calibrated `CALIBRATED_COVERAGES`, if these are wanted.
    """

    abs_error: Float32[np.ndarray, "N H"]
    crps: Float32[np.ndarray, "N H"]
    pinball: Float32[np.ndarray, "N H"]
    covered: Float32[np.ndarray, "N H C"]
    calibrated: Float32[np.ndarray, "N H B"] | None = None


def seasonal_scale(data: Dataset) -> Float64[np.ndarray, " N"]:
    """MASE's scale for every origin: the mean absolute seasonal difference of the history up to it.

    The season is the frequency's shortest (1 where it has none). NaN where the history is too short or constant.
    Source: Hyndman & Koehler (2006), with the training data that precede each cutoff.
    """
    lag = data.frequency.seasons[0] if data.frequency.seasons else 1
    change = np.full(len(data), np.nan)
    change[lag:] = np.abs(data.values[lag:] - data.values[:-lag])
    since = np.arange(len(data)) - np.repeat(data.offsets[:-1], data.lengths)
    change[since < lag] = np.nan
    series = np.repeat(np.arange(len(data.ids)), data.lengths)
    there = ~np.isnan(change)
    sums = pl.DataFrame({"series": series, "total": np.where(there, change, 0.0), "count": there.astype(np.int64)})
    # of each series by itself: the difference of sums over all has the rounding of the largest
    total, count = (c.to_numpy() for c in sums.select(pl.col("total", "count").cum_sum().over("series")))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = total / count
    return np.where((count > 0) & (scale > 0), scale, np.nan)


def summarise(data: Dataset, scored: Scored, by: By | None = None) -> pl.DataFrame:
    """Mean scores overall, by horizon step, by series or by origin.

    Columns: the group's (`horizon`; `unique_id`; `unique_id, ds, index`), `n` (steps with a known actual), mae, rmse,
    mase, pinball and wis (over the 2.5, 10, 25, 50, 75, 90 and 97.5 % quantiles; the point forecast is the median),
    crps, coverage_50, coverage_80 and coverage_95 (shares), and calibrated_50 to calibrated_95 if these are wanted.
    Null where a group has no known actual.
    """
    return means(totals(data, scored, by))


def totals(data: Dataset, scored: Scored, by: By | None = None) -> pl.DataFrame:
    """What `means` makes scores of: the group's columns, `n`, and of every score its sum and, `NAME_n`, its number.

    Those of several datasets may be added up.
    """
    if by not in (None, "horizon", "series", "index"):
        raise OptionError(f"by= takes None, 'horizon', 'series' or 'index', not {by!r}.")
    error = scored.abs_error.astype(np.float64)
    layers = {
        "mae": error,
        "rmse": error**2,
        "mase": error / seasonal_scale(data)[:, None],
        "pinball": scored.pinball,
        "crps": scored.crps,
        **{f"coverage_{c}": scored.covered[..., i] for i, c in enumerate(COVERAGES)},
    }
    if scored.calibrated is not None:
        layers |= {f"calibrated_{b}": scored.calibrated[..., i] for i, b in enumerate(CALIBRATED_COVERAGES)}
    columns: dict[str, np.ndarray] = {"n": _reduce(~np.isnan(error), data, by).astype(np.int64)}
    for name, layer in layers.items():
        columns[name] = _reduce(np.nan_to_num(layer, copy=True, nan=0.0).astype(np.float64), data, by)
        columns[f"{name}_n"] = _reduce(~np.isnan(layer), data, by).astype(np.int64)
    sums = pl.DataFrame(columns)
    return pl.concat([_groups(data, error.shape[1], by), sums], how="horizontal") if by else sums


def means(sums: pl.DataFrame) -> pl.DataFrame:
    """Mean scores from their `totals`."""
    names = [name.removesuffix("_n") for name in sums.columns if name.endswith("_n")]
    scores = sums.with_columns((pl.col(name) / pl.col(f"{name}_n")).fill_nan(None) for name in names)
    scores = scores.drop(f"{name}_n" for name in names)
    return scores.with_columns(pl.col("rmse").sqrt(), wis=2 * pl.col("pinball"))


def _reduce(layer: np.ndarray, data: Dataset, by: By | None) -> np.ndarray:
    if by == "horizon":
        return layer.sum(0)
    rows = layer.sum(1)
    if by == "index":
        return rows
    if by == "series":
        return np.add.reduceat(rows.astype(np.float64), data.offsets[:-1])
    return rows.sum(keepdims=True)


def _groups(data: Dataset, horizon: int, by: By) -> pl.DataFrame:
    if by == "horizon":
        return pl.DataFrame({"horizon": np.arange(1, horizon + 1)})
    if by == "series":
        return pl.DataFrame({"unique_id": list(data.ids)})
    ids = pl.Series("unique_id", data.ids).gather(np.repeat(np.arange(len(data.ids)), data.lengths))
    return pl.DataFrame([ids, data.times(data.time), pl.Series("index", data.index())])
