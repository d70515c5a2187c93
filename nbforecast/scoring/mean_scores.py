"""Mean scores over many origins, by the field's definitions (X2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Float64, Int64

from nbforecast.errors import OptionError
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, COVERAGES
from nbforecast.scoring.score_groups import By, Where, group_steps, origin_labels, select_steps
from nbforecast.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbforecast.data import Dataset


class OriginScores(NamedTuple):
    """Scores of N origins by horizon step; NaN where the actual is not known or nothing has been calculated.

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
    data: Dataset,
    scores: OriginScores,
    by: By | None = None,
    where: Where | None = None,
    rows: Int64[np.ndarray, " R"] | None = None,
) -> pl.DataFrame:
    """Mean scores overall or by group.

    Args:
        data: The dataset that was forecast.
        scores: Scores of some of its rows.
        by: What a row of the result stands for, as in `group_steps`; None for one row overall.
        where: Which steps count, as in `select_steps`; None for all.
        rows: (R,) the rows that the scores are of; None for all.

    Returns:
        The groups' columns (`horizon`; `unique_id`; `unique_id`, `ds`, `index`; `weekday` ...), n (steps with a known
        actual), mae, rmse, mase, pinball and wis (at the 2.5, 10, 25, 50, 75, 90 and 97.5 % quantiles; the point
        forecast is the median), crps, coverage_50, coverage_80 and coverage_95 (shares from 0 to 1), and calibrated_50
        to calibrated_95 if `scores` has them. Null where a group has no known actual; with `where` such groups are left
        out.

    Raises:
        OptionError: `by` or `where` is impossible.

    Source:
        MASE: Hyndman & Koehler (2006). CRPS: Gneiting & Raftery (2007). WIS: Bracher et al. (2021), twice the mean
        quantile loss.
    """
    return mean_scores(score_sums(data, scores, by, where, rows))


def score_sums(
    data: Dataset,
    scores: OriginScores,
    by: By | None = None,
    where: Where | None = None,
    rows: Int64[np.ndarray, " R"] | None = None,
) -> pl.DataFrame:
    """The sums that `mean_scores` makes means of; those of several datasets may be added up.

    Args:
        data: The dataset that was forecast.
        scores: Scores of some of its rows.
        by: What a row of the result stands for, as in `group_steps`; None for one row overall.
        where: Which steps count, as in `select_steps`; None for all.
        rows: (R,) the rows that the scores are of; None for all.

    Returns:
        The groups' columns, `n`, and for every score its sum and, as `NAME_n`, its number of known values.

    Raises:
        OptionError: `by` or `where` is impossible.
    """
    rows = np.arange(len(data)) if rows is None else rows
    error = scores.abs_error.astype(np.float64)
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
    return group_sums(data, arrays, by, where, rows)


def group_sums(
    data: Dataset,
    arrays: Mapping[str, Float[np.ndarray, "R H"]],
    by: By | None,
    where: Where | None,
    rows: Int64[np.ndarray, " R"],
) -> pl.DataFrame:
    """The sums of scores by group, as `score_sums` returns them.

    Args:
        data: The dataset that was forecast.
        arrays: (R, H) scores by name, NaN where unknown; `n` counts the known ones of the first.
        by: What a row of the result stands for, as in `group_steps`; None for one row overall.
        where: Which steps count, as in `select_steps`; None for all.
        rows: (R,) the rows that the scores are of.

    Returns:
        The groups' columns, `n`, and for every score its sum and, as `NAME_n`, its number of known values.
    """
    first = next(iter(arrays.values()))
    groups = group_steps(data, rows, first.shape[1], by)
    is_selected = select_steps(data, rows, first.shape[1], where)
    columns: dict[str, np.ndarray] = {"n": groups.sum(~np.isnan(first) & is_selected).astype(np.int64)}
    for name, array in arrays.items():
        is_known = ~np.isnan(array) & is_selected
        columns[name] = groups.sum(np.where(is_known, array, 0.0))
        columns[f"{name}_n"] = groups.sum(is_known).astype(np.int64)
    sums = pl.DataFrame(columns)
    if clash := set(groups.labels.columns) & set(sums.columns):
        raise OptionError(f"by= has a column called {quoted(sorted(clash))}, as a score is: call it otherwise (alias).")
    if groups.labels.width:
        sums = pl.concat([groups.labels, sums], how="horizontal")
    return sums if where is None or by is None else sums.filter(pl.col("n") > 0)


def with_unscored_origins(
    data: Dataset, means: pl.DataFrame, rows: Int64[np.ndarray, " R"], scored: Int64[np.ndarray, " M"]
) -> pl.DataFrame:
    """Mean scores by origin, with a row for each origin that has no score, too.

    Args:
        data: The dataset.
        means: The result of `summarise` by "index" for the scored origins.
        rows: (R,) ascending rows of all origins.
        scored: (M,) those of the scored ones.

    Returns:
        R rows; where an origin has no score, n is 0 and the scores are null.
    """
    labels = origin_labels(data)[rows]
    position = pl.Series(np.arange(len(scored), dtype=np.uint32)).extend_constant(None, 1)
    place = np.full(len(rows), len(scored))
    place[np.searchsorted(rows, scored)] = np.arange(len(scored))
    scores = means.drop(labels.columns).select(pl.all().gather(position.gather(place)))
    return pl.concat([labels, scores.with_columns(pl.col("n").fill_null(0))], how="horizontal")


def mean_scores(sums: pl.DataFrame) -> pl.DataFrame:
    """Mean scores from their `score_sums`.

    Args:
        sums: A frame of `score_sums`, or several added up.

    Returns:
        The columns of `summarise`.
    """
    names = [name for name in sums.columns if f"{name}_n" in sums.columns]
    means = sums.with_columns((pl.col(name) / pl.col(f"{name}_n")).fill_nan(None) for name in names)
    means = means.drop(f"{name}_n" for name in names)
    derived = {"rmse": pl.col("rmse").sqrt()} if "rmse" in names else {}
    return means.with_columns(**derived | ({"wis": 2 * pl.col("pinball")} if "pinball" in names else {}))
