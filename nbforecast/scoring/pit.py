"""Probabilities that forecasts give to values: the inverse of `calculations.quantiles`, on the same scale."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64


class Cumulative(NamedTuple):
    """The probability of less than a value, and of no more than it; they differ where draws are equal."""

    below: Float64[np.ndarray, "*N"]
    up_to: Float64[np.ndarray, "*N"]


def cumulative(
    draws: Float32[np.ndarray, "*N Q"], levels: tuple[float, ...], values: Float64[np.ndarray, "*N"]
) -> Cumulative:
    """What ascending draws at probability levels say of a value each; NaN where either is not known.

    Between and beyond the draws, probabilities are interpolated linearly on the scale of normal scores. Of draws of one
    sign, none of the probability lies beyond zero.
    """
    score, count = _scores(levels), len(levels)
    known, flat = draws.reshape(-1, count).astype(np.float64), np.ravel(values).astype(np.float64)
    less, no_more = (known < flat[:, None]).sum(1), (known <= flat[:, None]).sum(1)
    row, left = np.arange(len(flat)), np.clip(less - 1, 0, max(count - 2, 0))
    low, high = known[row, left], known[row, np.minimum(left + 1, count - 1)]
    beyond = np.where(less == 0, -np.inf, np.inf)  # of draws that are all the same
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (flat - low) / (high - low)
        right = score[np.minimum(left + 1, count - 1)]
        between = np.where(high > low, score[left] + share * (right - score[left]), beyond)
    first, last = score[np.minimum(less, count - 1)], score[np.maximum(no_more - 1, 0)]
    met, several = no_more > less, no_more - less > (0 if count == 1 else 1)
    below, up_to = np.where(met, first, between), np.where(met, last, between)
    below[several & (less == 0)], up_to[several & (no_more == count)] = -np.inf, np.inf
    least, most = known[:, 0], known[:, -1]
    below[(least >= 0) & (flat <= 0)], up_to[(least >= 0) & (flat < 0)] = -np.inf, -np.inf
    up_to[(most <= 0) & (flat >= 0)], below[(most <= 0) & (flat > 0)] = np.inf, np.inf
    unknown = np.isnan(known).any(1) | np.isnan(flat)
    found = [np.where(unknown, np.nan, _normal(s)).reshape(np.shape(values)) for s in (below, up_to)]
    return Cumulative(*found)


def pit_histogram(found: Cumulative, bins: int = 10) -> Float64[np.ndarray, " K"]:
    """Shares of actual values in `bins` equal parts of what was forecast: all equal for a calibrated forecast.

    Where probability is concentrated on an actual value, that value counts for all of its part (Czado, Gneiting & Held
    2009, "Predictive model assessment for count data").
    """
    known = np.isfinite(found.below)
    low, high = found.below[known][:, None], found.up_to[known][:, None]
    if not len(low):
        return np.full(bins, np.nan)
    edges = np.linspace(0, 1, bins + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (np.clip(edges, low, high) - low) / (high - low)
    reached = np.where(high > low, spread, edges >= low).mean(0)
    reached[0], reached[-1] = 0.0, 1.0
    return np.diff(reached)


@cache
def _scores(levels: tuple[float, ...]) -> Float64[np.ndarray, " Q"]:
    return np.array([NormalDist().inv_cdf(p) for p in levels])


def _normal(score: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    from scipy.special import ndtr

    return np.asarray(ndtr(score))
