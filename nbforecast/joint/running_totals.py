"""Running totals and peaks over the horizons of some origins, for views that show many at a time (J4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from nbforecast.joint.forecasts import MARGINAL_LEVELS
from nbforecast.postprocessing import conformal
from nbforecast.postprocessing.path_statistics import maximum
from nbforecast.postprocessing.rank_templates import PATHS
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS, draw_levels, quantiles

if TYPE_CHECKING:
    from nbforecast.joint.forecasts import JointForecasts

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
    if joint.calibrate and len(rows):
        return _calibrated_totals(joint, rows)
    paths = joint.paths(rows)
    numbers = _quantiles_of_numbers(paths, QUANTILE_LEVELS)
    return RunningTotals(paths, *_split(numbers))


def _split(
    numbers: Float64[np.ndarray, "R H1 K"],
) -> tuple[Float32[np.ndarray, "R H K"], Float32[np.ndarray, "R K"]]:
    """Running totals, and the peak behind them."""
    return numbers[:, :-1].astype(np.float32), numbers[:, -1].astype(np.float32)


def _numbers(paths: Float[np.ndarray, "*R H"]) -> Float64[np.ndarray, "*R H1"]:
    """The sums of the first 1 to H values, and the largest value."""
    return np.concatenate([np.cumsum(paths, -1, dtype=np.float64), maximum(paths)[..., None]], -1)


def _quantiles_of_numbers(
    paths: Float32[np.ndarray, "R n H"], probabilities: tuple[float, ...]
) -> Float64[np.ndarray, "R H1 K"]:
    values = np.ascontiguousarray(np.sort(_numbers(paths), 1).transpose(0, 2, 1))
    return quantiles(values, draw_levels(None, paths.shape[1]), probabilities)


def _calibrated_totals(joint: JointForecasts, rows: Int64[np.ndarray, " R"]) -> RunningTotals:
    """All numbers and those that calibrate them from one set of paths; as forecast where too few errors are known."""
    data, horizon = joint.part.data, joint.part.spec.horizon
    needed = conformal.rows_that_calibrate(rows, data.offsets, horizon)
    levels = (*conformal.CALIBRATED_LEVELS, 0.5)
    ends, shown = [], []
    for piece in np.array_split(needed, max(1, len(needed) * PATHS * horizon // _VALUES)):
        paths = joint.paths(piece)
        ends.append(_quantiles_of_numbers(paths, levels))
        shown.append(paths[np.isin(piece, rows)])
    past, paths = np.concatenate(ends), np.concatenate(shown)
    actual = _numbers(data.actuals(needed, horizon))
    lengths = np.diff(np.append(np.flatnonzero(np.append(True, np.diff(needed) != 1)), len(needed)))
    own = np.searchsorted(needed, rows)
    numbers = _quantiles_of_numbers(paths, QUANTILE_LEVELS)
    for number, delay in enumerate((*range(1, horizon + 1), horizon)):
        median = past[:, number, -1]
        calibrated = conformal.calibrate_values(past[:, number, :-1], median, actual[:, number], lengths, delay)[own]
        with_median = np.insert(calibrated, calibrated.shape[-1] // 2, median[own], -1)[:, _SHOWN]
        is_known = np.isfinite(calibrated).all(-1)
        numbers[is_known, number] = with_median[is_known]
    return RunningTotals(paths, *_split(numbers))
