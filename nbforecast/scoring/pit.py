"""Probabilities that forecasts give to values, the inverse of `origin_scores.quantiles`, and their histogram."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast.scoring.origin_scores import as_forecast


class CumulativeProbability(NamedTuple):
    """The predictive distribution function at values; both are NaN where the forecast or the value is not known.

    Attributes:
        below: The probability of less than the value.
        up_to: The probability of no more than the value. It differs from `below` where several draws equal the value.
    """

    below: Float64[np.ndarray, "*N"]
    up_to: Float64[np.ndarray, "*N"]


def cumulative_probability(
    draws: Float32[np.ndarray, "*N Q"], levels: tuple[float, ...], values: Float64[np.ndarray, "*N"]
) -> CumulativeProbability:
    """The probability that each forecast gives to less than a value, and to no more than it.

    A value equals a draw where it does in float32, the precision of forecasts (see `origin_scores`). Between and beyond
    the draws, probabilities are linear on the scale of normal scores, as quantiles are. Forecasts whose draws have one
    sign give no probability to the other side of zero.

    Args:
        draws: Ascending draws along the last axis, in the data's unit.
        levels: The Q probability levels of the draws.
        values: One value for each forecast, in the data's unit.

    Returns:
        The probabilities, in the shape of `values`.
    """
    level_scores, count = _normal_scores(levels), len(levels)
    flat_draws = draws.reshape(-1, count).astype(np.float64)
    flat = as_forecast(np.ravel(values)).astype(np.float64)
    number_below, number_up_to = (flat_draws < flat[:, None]).sum(1), (flat_draws <= flat[:, None]).sum(1)

    # the value lies between two draws, or beyond them
    row, left = np.arange(len(flat)), np.clip(number_below - 1, 0, max(count - 2, 0))
    right = np.minimum(left + 1, count - 1)
    low, high = flat_draws[row, left], flat_draws[row, right]
    beyond_equal_draws = np.where(number_below == 0, -np.inf, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (flat - low) / (high - low)
        interpolated = level_scores[left] + share * (level_scores[right] - level_scores[left])
        between = np.where(high > low, interpolated, beyond_equal_draws)

    # the value equals some draws: it holds the probability between their levels
    first = level_scores[np.minimum(number_below, count - 1)]
    last = level_scores[np.maximum(number_up_to - 1, 0)]
    is_draw = number_up_to > number_below
    is_repeated = number_up_to - number_below > (0 if count == 1 else 1)
    below, up_to = np.where(is_draw, first, between), np.where(is_draw, last, between)
    below[is_repeated & (number_below == 0)], up_to[is_repeated & (number_up_to == count)] = -np.inf, np.inf

    # draws of one sign give no probability to the other side of zero
    least, most = flat_draws[:, 0], flat_draws[:, -1]
    below[(least >= 0) & (flat <= 0)], up_to[(least >= 0) & (flat < 0)] = -np.inf, -np.inf
    up_to[(most <= 0) & (flat >= 0)], below[(most <= 0) & (flat > 0)] = np.inf, np.inf

    is_unknown = np.isnan(flat_draws).any(1) | np.isnan(flat)
    probabilities = (np.where(is_unknown, np.nan, _normal_cdf(scores)) for scores in (below, up_to))
    return CumulativeProbability(*(p.reshape(np.shape(values)) for p in probabilities))


def pit_histogram(probability: CumulativeProbability, bins: int = 10) -> Float64[np.ndarray, " K"]:
    """The histogram of probability integral transforms: flat for calibrated forecasts.

    Where a forecast concentrates probability on the actual value, that value counts evenly for all of its part.

    Args:
        probability: What the forecasts gave to the actual values.
        bins: K, the number of equal parts of [0, 1].

    Returns:
        The share of the actual values in each part; NaN where no actual value is known.

    Source:
        Czado, Gneiting & Held (2009), "Predictive model assessment for count data".
    """
    is_known = np.isfinite(probability.below)
    low, high = probability.below[is_known][:, None], probability.up_to[is_known][:, None]
    if not len(low):
        return np.full(bins, np.nan)
    edges = np.linspace(0, 1, bins + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.clip(edges, low, high) - low) / (high - low)
    share_below_edge = np.where(high > low, share, edges >= low).mean(0)
    share_below_edge[0], share_below_edge[-1] = 0.0, 1.0
    return np.diff(share_below_edge)


@cache
def _normal_scores(levels: tuple[float, ...]) -> Float64[np.ndarray, " Q"]:
    return np.array([NormalDist().inv_cdf(p) for p in levels])


def _normal_cdf(scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    from scipy.special import ndtr

    return np.asarray(ndtr(scores))
