"""Calibrated prediction intervals: widened or narrowed by the errors of past forecasts of the same series.

Conformalised quantile regression (Romano, Patterson & Candès 2019), made rolling. The score of an interval is how far
the actual value fell outside it (negative: inside), in units of the forecast's width plus the typical error of that
time. The interval of an origin is moved by the quantile of the scores of the last `WINDOW` steps whose actual values
were known at the origin (L1). Each horizon step has its own scores.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, as_forecast, quantiles

CALIBRATED_LEVELS = (0.025, 0.05, 0.1, 0.25, 0.75, 0.9, 0.95, 0.975)  # of the ends of `CALIBRATED_COVERAGES`
WINDOW = 500  # steps whose scores calibrate an interval
MIN_ERRORS = 40  # known errors of a horizon step, below which intervals are not calibrated


def rows_needed(horizon: int) -> int:
    """How many rows, up to and with an origin, its calibrated intervals depend on.

    Args:
        horizon: H, the number of steps forecast.

    Returns:
        A number of rows of one series.
    """
    return 2 * (WINDOW + horizon)


def rows_that_calibrate(
    rows: Int64[np.ndarray, " R"], offsets: Int64[np.ndarray, " bounds"], horizon: int
) -> Int64[np.ndarray, " M"]:
    """The rows that the calibrated intervals of some origins depend on, themselves included.

    Args:
        rows: (R,) ascending rows.
        offsets: (S + 1,) the bounds of the series.
        horizon: H, the number of steps forecast.

    Returns:
        (M,) ascending rows.
    """
    first = np.maximum(offsets[np.searchsorted(offsets, rows, side="right") - 1], rows + 1 - rows_needed(horizon))
    changes = np.zeros(int(offsets[-1]) + 1, np.int64)
    np.add.at(changes, first, 1)
    np.add.at(changes, rows + 1, -1)
    return np.flatnonzero(np.cumsum(changes))


def calibrate(
    draws: Float32[np.ndarray, "N H Q"],
    actual: Float64[np.ndarray, "N H"],
    lengths: Int64[np.ndarray, " S"],
    levels: tuple[float, ...],
) -> Float32[np.ndarray, "N H K"]:
    """The ends of calibrated central intervals, as of every origin a function of what was known then (L1).

    Every interval contains the forecast's median: an end that the scores would move beyond it stops there. Where a
    series has lately not been below zero, no interval is moved there, unless the forecast itself reaches below zero;
    then no further than its widest interval.

    Args:
        draws: (N, H, Q) ascending draws of every row, NaN where there is no forecast.
        actual: (N, H) what was observed after each row, NaN where it is not known.
        lengths: (S,) rows of each series; they add up to N.
        levels: The Q probability levels of the draws.

    Returns:
        (N, H, 8) quantiles at `CALIBRATED_LEVELS`, in the data's unit. NaN at origins without a forecast, and where
        fewer than `MIN_ERRORS` errors of one of the horizon steps were known.

    Source:
        Romano, Patterson & Candès (2019), "Conformalized quantile regression".
    """
    series = np.repeat(np.arange(len(lengths)), lengths)
    calibrated = np.empty((*draws.shape[:2], len(CALIBRATED_LEVELS)), np.float32)
    for h in range(draws.shape[1]):
        ends = quantiles(draws[:, h].astype(np.float64), levels, (*CALIBRATED_LEVELS, 0.5))
        calibrated[:, h] = _calibrate_step(ends[:, :-1], ends[:, -1], actual[:, h], series, h + 1)
    half, median = len(CALIBRATED_COVERAGES), quantiles(draws, levels, (0.5,))
    np.minimum(calibrated[..., :half], median, out=calibrated[..., :half])
    np.maximum(calibrated[..., half:], median, out=calibrated[..., half:])
    calibrated[np.isnan(calibrated).any((1, 2))] = np.nan
    return calibrated


def calibrate_values(
    ends: Float64[np.ndarray, "N K"],
    median: Float64[np.ndarray, " N"],
    actual: Float64[np.ndarray, " N"],
    lengths: Int64[np.ndarray, " S"],
    delay: int,
) -> Float64[np.ndarray, "N K"]:
    """As `calibrate`, for one number per origin, such as the sum over the horizon.

    Args:
        ends: (N, 8) its quantiles at `CALIBRATED_LEVELS`, NaN where there is no forecast.
        median: (N,) its median.
        actual: (N,) what it was, NaN where it is not known.
        lengths: (S,) rows of each series; they add up to N.
        delay: Steps after which an origin's outcome is known.

    Returns:
        (N, 8) calibrated quantiles at `CALIBRATED_LEVELS`; NaN where fewer than `MIN_ERRORS` errors were known.
    """
    half, series = len(CALIBRATED_COVERAGES), np.repeat(np.arange(len(lengths)), lengths)
    calibrated = _calibrate_step(ends, median, actual, series, delay)
    np.minimum(calibrated[:, :half], median[:, None], out=calibrated[:, :half])
    np.maximum(calibrated[:, half:], median[:, None], out=calibrated[:, half:])
    calibrated[np.isnan(calibrated).any(1)] = np.nan
    return calibrated


def is_covered(ends: Float32[np.ndarray, "N H K"], actual: Float64[np.ndarray, "N H"]) -> Float32[np.ndarray, "N H B"]:
    """Whether the actual lies in each calibrated interval.

    Args:
        ends: (N, H, 8) quantiles at `CALIBRATED_LEVELS`.
        actual: (N, H) what was observed, NaN where it is not known.

    Returns:
        (N, H, 4), 1 or 0 for each of `CALIBRATED_COVERAGES`; NaN where the interval or the actual is not known.
    """
    half, observed = len(CALIBRATED_COVERAGES), as_forecast(actual)[..., None]
    low, high = ends[..., :half][..., ::-1], ends[..., half:]
    is_inside = (low <= observed) & (observed <= high)
    is_unknown = np.isnan(high) | np.isnan(actual)[..., None]
    return np.where(is_unknown, np.nan, is_inside).astype(np.float32)


def _calibrate_step(
    ends: Float64[np.ndarray, "N K"],
    median: Float64[np.ndarray, " N"],
    actual: Float64[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    step: int,
) -> Float64[np.ndarray, "N K"]:
    """The calibrated ends of one horizon step: the actual value of a row's forecast is known `step` rows later."""
    half = len(CALIBRATED_COVERAGES)
    low, high = ends[:, :half], ends[:, half:][:, ::-1]  # from the widest interval to the narrowest
    coverages = [str(c) for c in reversed(CALIBRATED_COVERAGES)]
    outside = np.maximum(low - actual[:, None], actual[:, None] - high)
    columns = dict(zip(coverages, outside.T, strict=True)) | {
        "width": (high - low)[:, coverages.index("80")], "error": np.abs(actual - median), "actual": actual,
    }  # fmt: skip
    table = pl.DataFrame(columns).fill_nan(None).with_columns(series=series)

    def known_at_origin(name: str) -> pl.Expr:
        return pl.col(name).shift(step)

    typical_error = known_at_origin("error").rolling_mean(WINDOW, min_samples=1).over("series").fill_null(0.0)
    farthest_outside = table.select(
        known_at_origin(c).rolling_max(WINDOW, min_samples=1).over("series") for c in coverages
    ).to_numpy()
    lowest_actual = table.select(known_at_origin("actual").rolling_min(WINDOW, min_samples=1).over("series")).to_numpy()
    table = table.with_columns(scale=pl.col("width") + typical_error)
    scores = table.with_columns((pl.col(c) / pl.col("scale")).fill_nan(0.0) for c in coverages)
    shifts = scores.select(
        _conformal_quantile(known_at_origin(c), int(c)).over("series") * pl.col("scale") for c in coverages
    ).to_numpy()
    shifts = np.clip(shifts, (low - high) / 2, farthest_outside)
    floor = np.minimum(low[:, :1], 0)
    lower = np.where(lowest_actual >= 0, np.maximum(low - shifts, floor), low - shifts)
    return np.sort(np.concatenate([lower, (high + shifts)[:, ::-1]], 1), -1)


def _conformal_quantile(scores: pl.Expr, coverage: int) -> pl.Expr:
    """The score of rank ceil((n + 1) coverage) among the last n, for which coverage holds in finite samples."""
    probability = ((WINDOW + 1) * coverage / 100 - 1) / (WINDOW - 1)
    return scores.rolling_quantile(probability, "higher", WINDOW, min_samples=MIN_ERRORS)
