"""Whether a mean of losses of a panel differs from zero by more than chance, for other series and other times (R4).

Losses of one series depend on each other at all lags (a series may suit a model), and losses of all series at
neighbouring times do (a holiday, overlapping horizons). The variance of the mean is therefore clustered by series and
by time at once. The estimator is that of Chiang, Hansen & Sasaki: the variance clustered by series (Liang & Zeger
1986), plus the long-run variance of the sums of each time (Driscoll & Kraay 1998), minus what both count, the long-run
variance within each series (Newey & West 1987). Chen & Vogelsang correct the bias that the kernel has where the lags
are a large part of the times. Applied to differences of losses, this is a test of equal predictive ability in a panel
(Timmermann & Zhu 2019).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from nbforecast.scoring.diebold_mariano import MeanEstimate, estimate_mean

MIN_SERIES = 5  # with fewer, nothing is inferred about other series
_MIN_SPANS = 2  # of times as long as the kernel; with fewer, nothing is inferred about other times


def estimate_panel_mean(
    values: Float64[np.ndarray, " N"],
    time: Shaped[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    overlap: int,
) -> MeanEstimate:
    """The mean of values of several series, with a standard error that allows for dependence in both directions.

    Args:
        values: (N,) values, series by series and in order of time within each; NaN values are left out.
        time: (N,) the times they were measured at.
        series: (N,) the number of each value's series, ascending.
        overlap: How many successive times depend on the same observations: the horizon, for losses of forecasts.

    Returns:
        The estimate, about other series and other times. About other series only (`scope`) where there are too few
        times. Student's t has as many degrees of freedom as there are series less one, or spans of `2 * overlap` times
        if these are fewer. No inference is made from fewer than five series.

    Source:
        Chiang, Hansen & Sasaki (2024), "Standard errors for two-way clustering with serially correlated time effects",
        Review of Economics and Statistics; Chen & Vogelsang (2024), "Fixed-b asymptotics for panel models with two-way
        clustering", Journal of Econometrics 244 (the bias 1 - b + b² / 3 of the Bartlett kernel); Cameron, Gelbach &
        Miller (2011), "Robust inference with multiway clustering", for the degrees of freedom.
    """
    from scipy.special import stdtr

    is_known = np.isfinite(values)
    count = int(is_known.sum())
    if not count:
        return MeanEstimate(np.nan, np.nan, 0, np.nan)
    mean = float(values[is_known].mean())
    deviation = np.where(is_known, values - mean, 0.0)
    _, code = np.unique(series, return_inverse=True)
    present = np.bincount(code, is_known) > 0
    clusters = int(present.sum())
    _, moment = np.unique(time[is_known], return_inverse=True)
    times, width = int(moment.max()) + 1, 2 * overlap
    if clusters < MIN_SERIES:
        return MeanEstimate(mean, np.nan, 0, np.nan)
    variance = (np.bincount(code, deviation) ** 2).sum() * clusters / (clusters - 1)
    degrees, scope = clusters - 1, "series"
    if times >= _MIN_SPANS * width:
        by_time = bartlett_variance(np.bincount(moment, deviation[is_known]), np.zeros(times, np.int64), width)
        within = bartlett_variance(deviation, code, width)
        share = width / times
        variance += max(by_time - within, 0.0) / (1 - share + share**2 / 3)
        degrees, scope = min(degrees, times // width), "series and times"
    error = float(np.sqrt(variance)) / count
    if error <= 1e-12 * max(abs(mean), 1e-300):  # nothing but rounding is left
        return MeanEstimate(mean, 0.0, degrees, 1.0 if mean == 0 else 0.0, scope)
    return MeanEstimate(mean, error, degrees, float(2 * stdtr(degrees, -abs(mean) / error)), scope)


def estimate_over(
    values: Float64[np.ndarray, " N"],
    time: Shaped[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    overlap: int,
) -> MeanEstimate:
    """The mean of values: for other series and times if there are enough series, else for other times.

    Args:
        values: (N,) values, series by series and in order of time within each; NaN values are left out.
        time: (N,) the times they were measured at.
        series: (N,) the number of each value's series, ascending.
        overlap: How many successive times depend on the same observations.
    """
    if len(np.unique(series)) >= MIN_SERIES:
        mean = estimate_panel_mean(values, time, series, overlap)
        if mean.degrees_of_freedom:
            return mean
    return estimate_mean(values, time, overlap)


def estimate_over_origins(
    values: Float64[np.ndarray, " N"],
    time: Shaped[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    rows: Int64[np.ndarray, " N"],
    horizon: int,
) -> MeanEstimate:
    """The mean of a value of each origin; origins as far apart as the horizon share no actual value.

    Args:
        values: (N,) values, series by series and in order of time within each; NaN values are left out.
        time: (N,) the times of the origins.
        series: (N,) the number of each origin's series, ascending.
        rows: (N,) the row of each origin in its data.
        horizon: H, the number of steps forecast from each.
    """
    known = np.flatnonzero(np.isfinite(values))
    distances = np.diff(rows[known])[np.diff(series[known]) == 0]
    overlap = -(-horizon // int(distances.min())) if len(distances) else horizon
    return estimate_over(values, time, series, overlap)


def bartlett_variance(values: Float64[np.ndarray, " N"], series: Int64[np.ndarray, " N"], width: int) -> float:
    """The long-run variances of several series, each times its length, added up.

    A Bartlett kernel weighs products of values at lag l with 1 - l / width. This is the mean of the squared sums over
    all windows of that width, which takes one pass.

    Args:
        values: (N,) values with mean zero, series by series in order of time.
        series: (N,) the number of each value's series, ascending.
        width: The first lag without weight.

    Returns:
        The sum over all pairs of values of one series of their weighted product.
    """
    first = np.searchsorted(series, np.arange(int(series[-1]) + 2))
    padded = np.zeros(len(values) + width * len(first))
    padded[np.arange(len(values)) + (series + 1) * width] = values
    total = np.cumsum(padded)
    sums = total[width:] - total[:-width]
    return float((sums**2).sum()) / width
