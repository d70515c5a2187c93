"""Bands that keep their promise: widened or narrowed by how far past forecasts of the same series were off.

Conformalised quantile regression (Romano, Patterson & Candès 2019, "Conformalized quantile regression"), made rolling:
a band's score is how far the actual value fell outside it (negative: inside), in units of how wide the forecast and how
large the errors of that time were; the band of an origin is moved by the quantile of the scores of the last `MEMORY`
steps whose actual values were known at the origin. Each horizon step has its own scores.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nbforecast.scoring.calculations import CALIBRATED_COVERAGES, quantiles

CALIBRATED_LEVELS = (0.025, 0.05, 0.1, 0.25, 0.75, 0.9, 0.95, 0.975)
MEMORY = 500
LEAST = 40


def reach(horizon: int) -> int:
    """How many rows up to an origin its calibrated bands depend on."""
    return 2 * (MEMORY + horizon)


def calibrate(
    draws: Float32[np.ndarray, "N H Q"],
    actual: Float64[np.ndarray, "N H"],
    lengths: Int64[np.ndarray, " S"],
    levels: tuple[float, ...],
) -> Float32[np.ndarray, "N H K"]:
    """Quantiles at `CALIBRATED_LEVELS` levels: the ends of the central `CALIBRATED_COVERAGES`.

    draws: at `levels`, NaN where there is no forecast. actual: what followed each origin, NaN where it is not known.
    lengths: rows of each series. NaN where an origin has no forecast, or where fewer than `LEAST` errors of one of its
    steps are known. Where a series has lately not been below zero, no band is moved there, unless the forecast itself
    reaches below; then no further than its widest band.
    """
    series = np.repeat(np.arange(len(lengths)), lengths)
    out = np.empty((*draws.shape[:2], len(CALIBRATED_LEVELS)), np.float32)
    for h in range(draws.shape[1]):
        ends = quantiles(draws[:, h].astype(np.float64), levels, (*CALIBRATED_LEVELS, 0.5))
        out[:, h] = _step(ends[:, :-1], ends[:, -1], actual[:, h], series, h + 1)
    out[np.isnan(out).any((1, 2))] = np.nan
    return out


def inside(bands: Float32[np.ndarray, "N H K"], actual: Float64[np.ndarray, "N H"]) -> Float32[np.ndarray, "N H B"]:
    """Whether the actual lies in each of the `CALIBRATED_COVERAGES`, 1 or 0; NaN where either is not known."""
    half = len(CALIBRATED_COVERAGES)
    low, high = bands[..., :half][..., ::-1], bands[..., half:]
    found = (low <= actual[..., None]) & (actual[..., None] <= high)
    return np.where(np.isnan(bands[..., half:]) | np.isnan(actual)[..., None], np.nan, found).astype(np.float32)


def _step(
    ends: Float64[np.ndarray, "N K"],
    median: Float64[np.ndarray, " N"],
    actual: Float64[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    ahead: int,
) -> Float64[np.ndarray, "N K"]:
    """One horizon step: what was forecast at a row is known `ahead` rows later."""
    half = len(CALIBRATED_COVERAGES)
    low, high = ends[:, :half], ends[:, half:][:, ::-1]  # from the widest band to the narrowest
    bands = [str(b) for b in reversed(CALIBRATED_COVERAGES)]
    outside = np.maximum(low - actual[:, None], actual[:, None] - high)
    columns = dict(zip(bands, outside.T, strict=True)) | {
        "width": (high - low)[:, bands.index("80")], "error": np.abs(actual - median), "actual": actual,
    }  # fmt: skip
    table = pl.DataFrame(columns).fill_nan(None).with_columns(series=series)

    def known(name: str) -> pl.Expr:
        return pl.col(name).shift(ahead)

    typical = known("error").rolling_mean(MEMORY, min_samples=1).over("series").fill_null(0.0)
    most = table.select(known(b).rolling_max(MEMORY, min_samples=1).over("series") for b in bands).to_numpy()
    least = table.select(known("actual").rolling_min(MEMORY, min_samples=1).over("series")).to_numpy()
    table = table.with_columns(scale=pl.col("width") + typical)
    scores = table.with_columns((pl.col(b) / pl.col("scale")).fill_nan(0.0) for b in bands)
    moved = scores.select((_quantile(known(b), int(b)).over("series") * pl.col("scale")) for b in bands).to_numpy()
    moved = np.clip(moved, (low - high) / 2, most)
    lowest = np.minimum(low[:, :1], 0)
    below = np.where(least >= 0, np.maximum(low - moved, lowest), low - moved)
    return np.sort(np.concatenate([below, (high + moved)[:, ::-1]], 1), -1)


def _quantile(scores: pl.Expr, band: int) -> pl.Expr:
    """The score of rank ceil((n + 1) band) among the last n, which makes the band hold in finite samples."""
    share = ((MEMORY + 1) * band / 100 - 1) / (MEMORY - 1)
    return scores.rolling_quantile(share, "higher", MEMORY, min_samples=LEAST)
