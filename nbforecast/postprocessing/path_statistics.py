"""Sums, extremes and events of paths: one number for each path, from its values over a part of the horizon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Float64

from nbforecast.errors import OptionError
from nbforecast.text import did_you_mean, quoted

Name = Literal["total", "mean", "maximum", "minimum"]
Statistic = Callable[[Float[np.ndarray, "*N H"]], Any]


def total(paths: Float[np.ndarray, "*N H"]) -> Float64[np.ndarray, "*N"]:
    """The sum of the values of each path."""
    return np.asarray(paths.sum(-1, dtype=np.float64))


def mean(paths: Float[np.ndarray, "*N H"]) -> Float64[np.ndarray, "*N"]:
    """The mean of the values of each path."""
    return np.asarray(paths.mean(-1, dtype=np.float64))


def maximum(paths: Float[np.ndarray, "*N H"]) -> Float64[np.ndarray, "*N"]:
    """The largest value of each path."""
    return np.asarray(paths.max(-1).astype(np.float64))


def minimum(paths: Float[np.ndarray, "*N H"]) -> Float64[np.ndarray, "*N"]:
    """The smallest value of each path."""
    return np.asarray(paths.min(-1).astype(np.float64))


def first_above(paths: Float[np.ndarray, "*N H"], limit: float) -> Float64[np.ndarray, "*N"]:
    """The first step, from 1 on, at which each path is above a limit; infinite where it never is, NaN where unknown."""
    is_above = paths > limit
    first = np.where(is_above.any(-1), is_above.argmax(-1) + 1.0, np.inf)
    return np.where(np.isnan(paths).any(-1), np.nan, first)


def time_above(paths: Float[np.ndarray, "*N H"], limit: float) -> Float64[np.ndarray, "*N"]:
    """The number of steps at which each path is above a limit; NaN where a value is unknown."""
    count = (paths > limit).sum(-1).astype(np.float64)
    return np.where(np.isnan(paths).any(-1), np.nan, count)


STATISTICS: dict[str, Statistic] = {"total": total, "mean": mean, "maximum": maximum, "minimum": minimum}


def statistic_limits(of: Statistic, low: float, high: float, steps: int) -> tuple[float, float]:
    """The least and the largest value of a statistic of paths between two bounds.

    Args:
        of: The statistic; one of `STATISTICS`, which all grow with the values. Others have no limits.
        low: The lower bound of the values.
        high: The upper bound of the values.
        steps: Number of steps.
    """
    if of not in STATISTICS.values():
        return -np.inf, np.inf
    ends = of(np.repeat(np.array([[low], [high]]), steps, axis=1))
    return float(ends[0]), float(ends[1])


def is_event(of: Statistic, steps: int) -> bool:
    """Whether a function returns truth values, which is found out with paths of zeros.

    Args:
        of: A function of values (..., H).
        steps: H.

    Raises:
        OptionError: It does not return one number or truth value for each path, (...).
    """
    values = np.asarray(of(np.zeros((2, 3, steps), np.float32)))
    if values.shape != (2, 3) or values.dtype.kind not in "biuf":
        raise OptionError(
            f"of= takes a function that returns one number or truth value for each path, such as paths.max(axis=-1): "
            f"values of the shape (2, 3) for paths of the shape (2, 3, {steps}). It returned "
            f"{values.dtype} of the shape {values.shape}."
        )
    return values.dtype.kind == "b"


def find_statistic(of: Name | Statistic) -> Statistic:
    """The function of a name, or a function itself.

    Args:
        of: "total", "mean", "maximum" or "minimum"; or a function of values (..., H) that returns one number or truth
            value for each path, (...).

    Raises:
        OptionError: There is no such name.
    """
    if callable(of):
        return of
    if of not in STATISTICS:
        hint = did_you_mean(str(of), STATISTICS)
        raise OptionError(f"of={of!r} is none of {quoted(get_args(Name))}, nor a function of paths.{hint}")
    return STATISTICS[of]
