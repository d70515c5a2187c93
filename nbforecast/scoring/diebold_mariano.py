"""Whether a mean of losses differs from nothing by more than chance, where forecasts overlap in time.

Forecasts of neighbouring origins share most of the actual values they are judged by, so their losses move together, and
a test that takes them as independent finds differences everywhere. Here the variance of a mean is a long-run one, from
equally weighted cosines, with Student's t of as many degrees of freedom (Lazarus, Lewis, Stock & Watson 2018, "HAR
inference: recommendations for practice"); applied to differences of losses this is the test of Diebold & Mariano
(1995). Losses of several series at one time are added up first (Driscoll & Kraay 1998), so that series may depend on
each other. What is inferred is about other times of the same series, not about other series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

if TYPE_CHECKING:
    from collections.abc import Sequence


_SHARE = 0.4  # of T^(2/3) cosines, as recommended by Lazarus et al.
_LEAST = 3  # cosines, below which nothing can be said


class Mean(NamedTuple):
    """A mean, its standard error, the degrees of freedom of that, and the two-sided p-value of the mean being zero.

    All but the mean are NaN (`freedom` 0) where too little is known to say.
    """

    value: float
    error: float
    freedom: int
    p: float

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """The confidence interval of that coverage."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, (1 + coverage) / 2)) * self.error if self.freedom else np.nan
        return self.value - reach, self.value + reach


def mean(values: Float64[np.ndarray, " N"], time: np.ndarray, overlap: int) -> Mean:
    """The mean of what was measured at times (N,), in any order; NaN is left out.

    overlap: how many successive times have something in common, which is the horizon of forecasts from every origin.
    """
    from scipy.special import stdtr

    known = np.isfinite(values)
    found, count = values[known].astype(np.float64), int(known.sum())
    if not count:
        return Mean(np.nan, np.nan, 0, np.nan)
    middle = float(found.mean())
    _, moment = np.unique(time[known], return_inverse=True)
    sums = np.bincount(moment, found - middle)
    freedom = min(int(_SHARE * len(sums) ** (2 / 3)), len(sums) // (2 * overlap))
    if freedom < _LEAST:
        return Mean(middle, np.nan, 0, np.nan)
    error = float(np.sqrt(len(sums) * long_run_variance(sums, freedom))) / count
    if error <= 1e-12 * max(abs(middle), 1e-300):  # rounding is all that is left
        return Mean(middle, 0.0, freedom, 1.0 if middle == 0 else 0.0)
    return Mean(middle, error, freedom, float(2 * stdtr(freedom, -abs(middle) / error)))


def long_run_variance(values: Float64[np.ndarray, " T"], cosines: int) -> float:
    """The variance of a mean, times T: from the projections of the values on so many cosines of low frequency."""
    from scipy.fft import dct

    return float((dct(values, norm="ortho")[1 : cosines + 1] ** 2).mean())


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several questions, made larger so that all answers hold together (Holm 1979); NaN stays."""
    order = sorted((i for i, value in enumerate(p) if np.isfinite(value)), key=lambda i: p[i])
    out, highest = list(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[i]))
        out[i] = highest
    return out
