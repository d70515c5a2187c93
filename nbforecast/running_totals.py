"""Running totals and peaks over the horizons of some origins, for views that show many at a time (J4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.joint_forecasts import MARGINAL_LEVELS
from nbforecast.postprocessing import conformal
from nbforecast.postprocessing.path_statistics import maximum
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS, draw_levels, quantiles

if TYPE_CHECKING:
    from nbforecast.joint_forecasts import JointForecasts

_VALUES = 1 << 23  # path values in memory at a time
_SHOWN = [MARGINAL_LEVELS.index(level) for level in QUANTILE_LEVELS]


class RunningTotals(NamedTuple):
    """Joint forecasts of R origins, NaN where there is none.

    Attributes:
        paths: (R, n, H) their paths.
        sums: (R, H, 7) quantiles at `QUANTILE_LEVELS` of the sum of the first 1 to H steps, those of `Forecast.total`.
        peaks: (R, 7) quantiles of the largest value, those of `Forecast.maximum`.
    """

    paths: Float32[np.ndarray, "R n H"]
    sums: Float32[np.ndarray, "R H Q"]
    peaks: Float32[np.ndarray, "R Q"]


def running_totals(joint: JointForecasts, rows: Int64[np.ndarray, " R"]) -> RunningTotals:
    """Paths, running totals and peaks of some origins of one series, calibrated where the run calibrates.

    Args:
        joint: The joint forecasts of a run.
        rows: (R,) ascending rows of one series.
    """
    horizon = joint.part.spec.horizon
    paths = joint.paths(rows)
    sums = _sum_quantiles(paths, QUANTILE_LEVELS)
    peaks = quantiles(np.sort(maximum(paths), -1), draw_levels(None, paths.shape[1]), QUANTILE_LEVELS)
    if joint.calibrate and len(rows):
        calibrated_sums = _calibrated_sums(joint, rows)
        calibrated_peaks = joint.calibrated_values(maximum, slice(0, horizon), rows)[:, _SHOWN]
        sums = np.where(np.isnan(calibrated_sums).any(-1, keepdims=True), sums, calibrated_sums)
        peaks = np.where(np.isnan(calibrated_peaks).any(-1, keepdims=True), peaks, calibrated_peaks)
    return RunningTotals(paths, sums.astype(np.float32), peaks.astype(np.float32))


def _sum_quantiles(
    paths: Float32[np.ndarray, "R n H"], probabilities: tuple[float, ...]
) -> Float64[np.ndarray, "R H K"]:
    sums = np.sort(np.cumsum(paths, -1, dtype=np.float64), 1).transpose(0, 2, 1)
    return quantiles(np.ascontiguousarray(sums), draw_levels(None, paths.shape[1]), probabilities)


def _calibrated_sums(joint: JointForecasts, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, "R H K"]:
    """The calibrated quantiles of all running totals from one set of paths; NaN where too few errors are known."""
    data, horizon = joint.part.data, joint.part.spec.horizon
    needed = conformal.rows_that_calibrate(rows, data.offsets, horizon)
    pieces = np.array_split(needed, max(1, len(needed) * 100 * horizon // _VALUES))
    ends = np.concatenate([_sum_quantiles(joint.paths(piece), (*conformal.CALIBRATED_LEVELS, 0.5)) for piece in pieces])
    actual = np.cumsum(data.actuals(needed, horizon), -1)
    starts = np.flatnonzero(np.append(True, np.diff(needed) != 1))
    lengths = np.diff(np.append(starts, len(needed)))
    calibrated = np.stack(
        [
            conformal.calibrate_values(ends[:, h, :-1], ends[:, h, -1], actual[:, h], lengths, h + 1)
            for h in range(horizon)
        ],
        axis=1,
    )
    with_median = np.insert(calibrated, calibrated.shape[-1] // 2, ends[..., -1], -1)
    return with_median[np.searchsorted(needed, rows)][..., _SHOWN]
