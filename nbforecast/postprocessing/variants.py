"""Forecasts as a model makes them, calibrated, corrected, or both, side by side (H4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.scoring.diebold_mariano import MeanEstimate, holm
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, as_forecast
from nbforecast.scoring.panel_mean import estimate_over_origins

if TYPE_CHECKING:
    from collections.abc import Sequence

_HALF = len(CALIBRATED_LEVELS) // 2
VARIANT_LEVELS = (*CALIBRATED_LEVELS[:_HALF], 0.5, *CALIBRATED_LEVELS[_HALF:])  # of the quantiles that are compared
_ROUNDING = 1e-6  # of the values, below which a loss is rounding to float32
_WIDTH_OF = 80  # per cent, the interval whose mean width is reported


class Variant(NamedTuple):
    """Forecasts of a run, as they are or calibrated.

    Attributes:
        model: The name of its model.
        is_calibrated: Whether the intervals are.
        quantiles: (R, H, 9) at `VARIANT_LEVELS`, NaN where there is no forecast or no calibrated interval.
    """

    model: str
    is_calibrated: bool
    quantiles: Float32[np.ndarray, "R H K"]


def compare_variants(
    variants: Sequence[Variant],
    actual: Float64[np.ndarray, "R H"],
    time: Shaped[np.ndarray, " R"],
    series: Int64[np.ndarray, " R"],
    rows: Int64[np.ndarray, " R"],
) -> pl.DataFrame:
    """Score variants of forecasts over the origins that all have, and test them against the first.

    Args:
        variants: The variants; the others are compared with the first.
        actual: (R, H) what was observed, NaN where it is not known.
        time: (R,) the time of each origin.
        series: (R,) the number of each origin's series, ascending.
        rows: (R,) the row of each origin in its data.

    Returns:
        A row for each variant; see `Run.compare`. A variant without any forecast counts for nothing, and is null.
    """
    is_there = [np.isfinite(variant.quantiles).all(-1) for variant in variants]
    is_common = np.isfinite(actual) & np.logical_and.reduce([known for known in is_there if known.any()] or is_there)
    losses = [_interval_scores(variant.quantiles, actual) for variant in variants]
    means = [_origin_means(loss, is_common) for loss in losses]
    scale = _scale(means[0], series)
    horizon = actual.shape[1]
    first = np.nanmean(means[0] / scale) if is_common.any() else np.nan
    if is_common.any() and losses[0][is_common].mean() <= _ROUNDING * np.abs(actual[is_common]).mean():
        first = np.nan  # nothing is left to gain
    changes = [
        estimate_over_origins((mean - means[0]) / scale / first, time, series, rows, horizon) for mean in means[1:]
    ]
    adjusted = holm([change.p_value for change in changes])
    changes = [MeanEstimate(0.0, np.nan, 0, np.nan), *changes]
    table = [
        _row(variant, loss, actual, is_common, change, p)
        for variant, loss, change, p in zip(variants, losses, changes, [np.nan, *adjusted], strict=True)
    ]
    return pl.DataFrame(table).with_columns(pl.col(pl.Float64).fill_nan(None))


def _row(
    variant: Variant,
    losses: Float64[np.ndarray, "R H"],
    actual: Float64[np.ndarray, "R H"],
    is_common: Bool[np.ndarray, "R H"],
    change: MeanEstimate,
    p_value: float,
) -> dict[str, Any]:
    observed = as_forecast(actual)
    ends = {c: (_HALF - 1 - k, _HALF + 1 + k) for k, c in enumerate(CALIBRATED_COVERAGES)}
    low, high = ends[_WIDTH_OF]
    scores = {"mae": np.abs(observed - variant.quantiles[..., _HALF]), "wis": losses}
    for coverage, (start, end) in ends.items():
        is_inside = (variant.quantiles[..., start] <= observed) & (observed <= variant.quantiles[..., end])
        scores[f"coverage_{coverage}"] = is_inside.astype(np.float64)
    scores[f"width_{_WIDTH_OF}"] = variant.quantiles[..., high] - variant.quantiles[..., low]
    lower, upper = change.interval()
    is_known = is_common.any() and np.isfinite(losses[is_common]).all()
    means = {name: float(each[is_common].mean(dtype=np.float64)) for name, each in scores.items() if is_known}
    return {
        "model": variant.model,
        "calibrated": variant.is_calibrated,
        "n": int(is_common.sum()),
        **{name: means.get(name, float("nan")) for name in scores},
        "wis_change": 100 * change.value,
        "lower": 100 * lower,
        "upper": 100 * upper,
        "p_value": p_value,
    }


def _interval_scores(
    quantiles: Float32[np.ndarray, "R H K"], actual: Float64[np.ndarray, "R H"]
) -> Float64[np.ndarray, "R H"]:
    """Twice the mean quantile loss, which is the weighted interval score of the median and four intervals."""
    observed, total = as_forecast(actual).astype(np.float64), np.zeros(actual.shape)
    for k, level in enumerate(VARIANT_LEVELS):
        error = observed - quantiles[..., k]
        total += np.maximum(level * error, (level - 1) * error)
    return 2 * total / len(VARIANT_LEVELS)


def _origin_means(losses: Float64[np.ndarray, "R H"], is_common: Bool[np.ndarray, "R H"]) -> Float64[np.ndarray, " R"]:
    count = is_common.sum(1)
    return np.where(count > 0, np.where(is_common, losses, 0.0).sum(1) / np.maximum(count, 1), np.nan)


def _scale(losses: Float64[np.ndarray, " R"], series: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
    """The mean loss of each origin's series, so that every series counts alike."""
    is_known = np.isfinite(losses)
    mean = np.bincount(series, np.where(is_known, losses, 0.0)) / np.maximum(np.bincount(series, is_known), 1)
    return np.where(mean > 0, mean, 1.0)[series]
