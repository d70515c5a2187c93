"""Mean scores over many origins, by the field's definitions (X2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64, Shaped

from nbforecast.errors import OptionError
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, COVERAGES

if TYPE_CHECKING:
    from nbforecast.data import Dataset

By = Literal["horizon", "series", "index"]


class OriginScores(NamedTuple):
    """Scores of every origin and horizon step; NaN where the actual is not known or nothing has been calculated.

    Attributes:
        abs_error: (N, H), the absolute error of the median, in the data's unit.
        crps: (N, H), the continuous ranked probability score, in the data's unit.
        pinball: (N, H), the mean quantile loss at `origin_scores.QUANTILE_LEVELS`, in the data's unit.
        covered: (N, H, 3), 1 or 0: whether the actual lies in the central interval of each of `COVERAGES`.
        calibrated: (N, H, 4), the same for the calibrated intervals of `CALIBRATED_COVERAGES`; None if the request
            does not calibrate.
    """

    abs_error: Float32[np.ndarray, "N H"]
    crps: Float32[np.ndarray, "N H"]
    pinball: Float32[np.ndarray, "N H"]
    covered: Float32[np.ndarray, "N H C"]
    calibrated: Float32[np.ndarray, "N H B"] | None = None


def seasonal_scale(data: Dataset) -> Float64[np.ndarray, " N"]:
    """The scale of MASE for every origin: the mean absolute seasonal difference of the history up to it.

    Args:
        data: The dataset; the season is the frequency's shortest, or 1 where it has none.

    Returns:
        The scale in the data's unit; NaN where the history is shorter than a season or constant.

    Source:
        Hyndman & Koehler (2006), with the training data that precede each cutoff.
    """
    lag = data.frequency.seasons[0] if data.frequency.seasons else 1
    change = np.full(len(data), np.nan)
    change[lag:] = np.abs(data.values[lag:] - data.values[:-lag])
    step_in_series = np.arange(len(data)) - np.repeat(data.offsets[:-1], data.lengths)
    change[step_in_series < lag] = np.nan
    series = np.repeat(np.arange(len(data.ids)), data.lengths)
    is_known = ~np.isnan(change)
    sums = pl.DataFrame(
        {"series": series, "total": np.where(is_known, change, 0.0), "count": is_known.astype(np.int64)}
    )
    # summed within each series: the difference of sums over all series has the rounding of the largest
    total, count = (c.to_numpy() for c in sums.select(pl.col("total", "count").cum_sum().over("series")))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = total / count
    return np.where((count > 0) & (scale > 0), scale, np.nan)


def summarise(
    data: Dataset, scores: OriginScores, by: By | None = None, rows: Int64[np.ndarray, " N"] | None = None
) -> pl.DataFrame:
    """Mean scores overall, by horizon step, by series or by origin.

    Args:
        data: The dataset that was forecast.
        scores: Its scores, one row for each of its rows or of `rows`.
        by: What a row of the result stands for; None for one row overall.
        rows: (N,) ascending rows of the dataset that the scores belong to; None for all.

    Returns:
        The group's columns (`horizon`; `unique_id`; or `unique_id`, `ds`, `index`), n (steps with a known actual),
        mae, rmse, mase, pinball and wis (at the 2.5, 10, 25, 50, 75, 90 and 97.5 % quantiles; the point forecast is
        the median), crps, coverage_50, coverage_80 and coverage_95 (shares from 0 to 1), and calibrated_50 to
        calibrated_95 if `scores` has them. Null where a group has no known actual.

    Raises:
        OptionError: `by` is none of these.

    Source:
        MASE: Hyndman & Koehler (2006). CRPS: Gneiting & Raftery (2007). WIS: Bracher et al. (2021), twice the mean
        quantile loss.
    """
    return mean_scores(score_sums(data, scores, by, rows))


def score_sums(
    data: Dataset, scores: OriginScores, by: By | None = None, rows: Int64[np.ndarray, " N"] | None = None
) -> pl.DataFrame:
    """The sums that `mean_scores` makes means of; those of several datasets may be added up.

    Args:
        data: The dataset that was forecast.
        scores: Its scores, one row for each of its rows or of `rows`.
        by: What a row of the result stands for; None for one row overall.
        rows: (N,) ascending rows of the dataset that the scores belong to; None for all.

    Returns:
        The group's columns, `n`, and for every score its sum and, as `NAME_n`, its number of known values.

    Raises:
        OptionError: `by` is none of these.
    """
    if by is not None and by not in get_args(By):
        raise OptionError(f"by= takes None, 'horizon', 'series' or 'index', not {by!r}.")
    error = scores.abs_error.astype(np.float64)
    rows = np.arange(len(data)) if rows is None else rows
    arrays = {
        "mae": error,
        "rmse": error**2,
        "mase": error / seasonal_scale(data)[rows, None],
        "pinball": scores.pinball,
        "crps": scores.crps,
        **{f"coverage_{c}": scores.covered[..., i] for i, c in enumerate(COVERAGES)},
    }
    if scores.calibrated is not None:
        arrays |= {f"calibrated_{c}": scores.calibrated[..., i] for i, c in enumerate(CALIBRATED_COVERAGES)}
    columns: dict[str, np.ndarray] = {"n": _sum_groups(~np.isnan(error), data, rows, by).astype(np.int64)}
    for name, array in arrays.items():
        columns[name] = _sum_groups(np.nan_to_num(array, copy=True, nan=0.0).astype(np.float64), data, rows, by)
        columns[f"{name}_n"] = _sum_groups(~np.isnan(array), data, rows, by).astype(np.int64)
    sums = pl.DataFrame(columns)
    return pl.concat([_groups(data, rows, error.shape[1], by), sums], how="horizontal") if by else sums


def mean_scores(sums: pl.DataFrame) -> pl.DataFrame:
    """Mean scores from their `score_sums`.

    Args:
        sums: A frame of `score_sums`, or several added up.

    Returns:
        The columns of `summarise`.
    """
    names = [name.removesuffix("_n") for name in sums.columns if name.endswith("_n")]
    means = sums.with_columns((pl.col(name) / pl.col(f"{name}_n")).fill_nan(None) for name in names)
    means = means.drop(f"{name}_n" for name in names)
    return means.with_columns(pl.col("rmse").sqrt(), wis=2 * pl.col("pinball"))


def _sum_groups(
    array: Shaped[np.ndarray, "N H"], data: Dataset, rows: Int64[np.ndarray, " N"], by: By | None
) -> Shaped[np.ndarray, " G"]:
    """The sum of each group's values."""
    if by == "horizon":
        return array.sum(0)
    sums = array.sum(1)
    if by == "index":
        return sums
    if by == "series":
        bounds = np.searchsorted(rows, data.offsets)
        totals = np.add.reduceat(np.append(sums.astype(np.float64), 0.0), bounds[:-1])
        return np.where(bounds[:-1] < bounds[1:], totals, 0.0)
    return sums.sum(keepdims=True)


def _groups(data: Dataset, rows: Int64[np.ndarray, " N"], horizon: int, by: By) -> pl.DataFrame:
    """The columns that name the groups."""
    if by == "horizon":
        return pl.DataFrame({"horizon": np.arange(1, horizon + 1)})
    if by == "series":
        return pl.DataFrame({"unique_id": list(data.ids)})
    ids = pl.Series("unique_id", data.ids).gather(np.searchsorted(data.offsets, rows, side="right") - 1)
    return pl.DataFrame([ids, data.times(data.time[rows]), pl.Series("index", data.index()[rows])])
