"""Whether a mean of losses differs from zero by more than chance, where forecasts overlap in time (R4).

Forecasts of neighbouring origins share most of the actual values they are judged by, so their losses are correlated,
and a test that takes them as independent finds differences everywhere. The variance of a mean is therefore a long-run
variance, estimated from equally weighted cosines, with Student's t of as many degrees of freedom (Lazarus, Lewis, Stock
& Watson 2018, "HAR inference: recommendations for practice"). Applied to differences of losses, this is the test of
Diebold & Mariano (1995). Losses of several series at one time are added up first (Driscoll & Kraay 1998), so that
series may depend on each other. The inference is about other times of the same series; `panel_mean` has that about
other series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

if TYPE_CHECKING:
    from collections.abc import Sequence


_COSINES_FACTOR = 0.4  # the number of cosines is this times T ** (2 / 3), as Lazarus et al. recommend
_MIN_COSINES = 3  # with fewer, no inference is made


class MeanEstimate(NamedTuple):
    """A mean and its uncertainty. All but the value are NaN (degrees of freedom: 0) where there are too few times.

    Attributes:
        value: The mean, in the unit of what was averaged.
        standard_error: The standard error of the mean, in the same unit.
        degrees_of_freedom: Of Student's t distribution, the number of cosines used.
        p_value: The two-sided p-value of the mean being zero.
        scope: What the inference is about: other `times` of the same series, other `series`, or `series and times`.
    """

    value: float
    standard_error: float
    degrees_of_freedom: int
    p_value: float
    scope: str = "times"

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """The confidence interval of the mean.

        Args:
            coverage: The probability that such intervals contain the mean, in (0, 1).

        Returns:
            The lower and the upper end; NaN where the standard error is not known.
        """
        from scipy.special import stdtrit

        if not self.degrees_of_freedom:
            return np.nan, np.nan
        half_width = float(stdtrit(self.degrees_of_freedom, (1 + coverage) / 2)) * self.standard_error
        return self.value - half_width, self.value + half_width


def estimate_mean(values: Float64[np.ndarray, " N"], time: Shaped[np.ndarray, " N"], overlap: int) -> MeanEstimate:
    """The mean of values measured at some times, with a standard error that allows for overlap.

    Args:
        values: (N,) values in any order, of one or several series; NaN values are left out.
        time: (N,) the times they were measured at.
        overlap: How many successive times depend on the same observations: the horizon, for losses of forecasts from
            every origin.

    Returns:
        The estimate, from the sums of all values of each time. No inference is made from fewer than `2 * overlap`
        times a cosine.

    Source:
        Lazarus, Lewis, Stock & Watson (2018); Driscoll & Kraay (1998).
    """
    from scipy.special import stdtr

    is_known = np.isfinite(values)
    known, count = values[is_known].astype(np.float64), int(is_known.sum())
    if not count:
        return MeanEstimate(np.nan, np.nan, 0, np.nan)
    value = float(known.mean())
    _, moment = np.unique(time[is_known], return_inverse=True)
    sums = np.bincount(moment, known - value)
    cosines = min(int(_COSINES_FACTOR * len(sums) ** (2 / 3)), len(sums) // (2 * overlap))
    if cosines < _MIN_COSINES:
        return MeanEstimate(value, np.nan, 0, np.nan)
    error = float(np.sqrt(len(sums) * long_run_variance(sums, cosines))) / count
    if error <= 1e-12 * max(abs(value), 1e-300):  # nothing but rounding is left
        return MeanEstimate(value, 0.0, cosines, 1.0 if value == 0 else 0.0)
    return MeanEstimate(value, error, cosines, float(2 * stdtr(cosines, -abs(value) / error)))


def long_run_variance(values: Float64[np.ndarray, " T"], cosines: int) -> float:
    """The long-run variance of a series: the variance of its mean, times T.

    Args:
        values: (T,) values in order of time, with mean zero.
        cosines: How many cosines of lowest frequency to project on.

    Returns:
        The mean of the squared projections.

    Source:
        Lazarus, Lewis, Stock & Watson (2018), the equal-weighted cosine estimator.
    """
    from scipy.fft import dct

    return float((dct(values, norm="ortho")[1 : cosines + 1] ** 2).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several questions, adjusted so that all answers hold together.

    Args:
        p_values: The unadjusted p-values; NaN where a question has no answer.

    Returns:
        The adjusted p-values in the same order, each at least as large as before; NaN stays NaN.

    Source:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    order = sorted((i for i, p in enumerate(p_values) if np.isfinite(p)), key=lambda i: p_values[i])
    adjusted, highest = list(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
