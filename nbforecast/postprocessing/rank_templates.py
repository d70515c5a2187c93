"""Joint paths by rank templates: the order of past outcomes within their forecasts gives the dependence between steps.

A template is a past origin whose horizon has ended: the H probabilities that its forecast gave to values no larger than
those observed. Path k of a new forecast takes at each step the quantile whose rank among n paths is that of template k
among n templates. The values at each step are then the n quantiles of the forecast, and their order is that of the past
(the Schaake shuffle, over probabilities in place of observations).

Source:
    Clark, Gangopadhyay, Hay, Rajagopalan & Wilby (2004), "The Schaake shuffle"; Schefzik, Thorarinsdottir & Gneiting
    (2013), "Uncertainty quantification in complex simulation models using ensemble copula coupling".
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt64

from nbforecast.scoring.origin_scores import draw_levels, quantiles
from nbforecast.scoring.pit import cumulative_probability

PATHS = 100  # paths of a forecast, unless another number is asked for
MIN_TEMPLATES = 30  # past origins, below which the dependence is parametric
_MIN_SPREAD = 1000  # origins that templates are spread over at least, where there are as many
_CHUNK = 1 << 16  # path values per piece of work, so that temporary arrays stay in the processor's cache


class Templates(NamedTuple):
    """The past origins that give the dependence of the forecasts of R origins.

    Attributes:
        steps: (R, n) absolute steps of the templates; some occur twice where there are fewer than n.
        available: (R,) number of past origins whose horizon had ended.
        season: (R,) the season in steps at whose same phase half of the templates are; 0 if they are not.
    """

    steps: Int64[np.ndarray, "R n"]
    available: Int64[np.ndarray, " R"]
    season: Int64[np.ndarray, " R"]


def choose_templates(
    usable: Int64[np.ndarray, " M"],
    origins: Int64[np.ndarray, " R"],
    horizon: int,
    seasons: tuple[int, ...],
    count: int = PATHS,
) -> Templates:
    """Choose the templates of some origins from what is known at each (L1).

    Half of them are alike: the newest at the same phase of the longest season that has enough (same hour and weekday,
    else same hour). The rest, or all, are spread over the newest origins, so far that their horizons need not overlap.

    Steps are absolute, so series of a panel share templates if `usable` holds the steps at which all of them have a
    forecast and its outcome.

    Args:
        usable: (M,) ascending absolute steps of origins that have a forecast and H known outcomes.
        origins: (R,) absolute steps of the origins to forecast from.
        horizon: H, the number of steps forecast.
        seasons: Lengths of seasons in steps.
        count: n, the number of templates.

    Returns:
        The templates; the steps of an origin whose `available` is 0 mean nothing.
    """
    if not len(usable):
        return Templates(np.repeat(origins[:, None], count, 1), np.zeros_like(origins), np.zeros_like(origins))
    available = np.searchsorted(usable, origins - horizon, side="right")
    farthest, alike = max(_MIN_SPREAD, count * horizon), count // 2
    chosen = _spread(available, count, farthest)
    season = np.zeros_like(origins)
    for length in sorted(seasons) if alike else ():
        newest, number = _newest_of_phase(usable, origins, horizon, length, alike)
        is_enough = number >= alike
        rest = _spread(available[is_enough], count - alike, farthest)
        chosen[is_enough] = np.concatenate([newest[is_enough], rest], 1)
        season[is_enough] = length
    return Templates(usable[np.maximum(chosen, 0)], available, season)


def positions(
    draws: Float32[np.ndarray, "N H Q"],
    levels: tuple[float, ...],
    actual: Float64[np.ndarray, "N H"],
    keys: UInt64[np.ndarray, " N"],
) -> Float32[np.ndarray, "N H"]:
    """Where outcomes lie within their forecasts: probability integral transforms.

    Where a forecast gives an outcome a probability of its own (a zero of a count), the transform is drawn evenly from
    that part. The draw depends on the origin's key and the step alone.

    Args:
        draws: (N, H, Q) ascending draws.
        levels: The Q probability levels of the draws.
        actual: (N, H) what was observed.
        keys: (N,) a number for each origin, as of `origin_keys`.

    Returns:
        (N, H) between 0 and 1, NaN where the forecast or the outcome is not known. Of forecasts of points, the errors:
        only the order matters, and a point gives an outcome no probability to order by.
    """
    share = _uniform(keys, draws.shape[1])
    if len(levels) == 1:
        return _with_random_low_bits((actual - draws[..., 0]).astype(np.float32), share)
    probability = cumulative_probability(draws, levels, actual)
    return (probability.below + share * (probability.up_to - probability.below)).astype(np.float32)


def origin_keys(series_key: int, steps: Int64[np.ndarray, " N"]) -> UInt64[np.ndarray, " N"]:
    """A pseudo-random number for each origin of a series, the same in any batch (E8).

    Args:
        series_key: A number for the series, from 0 to 2**64 - 1.
        steps: (N,) absolute steps of the origins.
    """
    return _mix(_mix(np.full(1, series_key, np.uint64)) + steps.astype(np.uint64))


def arrange(
    draws: Float32[np.ndarray, "R H Q"], levels: tuple[float, ...], order: Float32[np.ndarray, "R n H"]
) -> Float32[np.ndarray, "R n H"]:
    """Paths whose values at each step are the forecast's quantiles, in the order of the templates.

    Args:
        draws: (R, H, Q) ascending draws of the forecasts.
        levels: The Q probability levels of the draws.
        order: (R, n, H) numbers whose ranks among the n at each step are the ranks of the paths' values, such as the
            `positions` of n templates.

    Returns:
        (R, n, H) paths, in the data's unit: at each step the quantiles at (i - 0.5) / n for i = 1 .. n.
    """
    count, horizon = order.shape[1:]
    paths = np.empty((len(draws), horizon, count), np.float32)
    piece = max(1, _CHUNK // (count * horizon))
    for start in range(0, len(draws), piece):
        part = slice(start, start + piece)
        ranked = np.argsort(np.ascontiguousarray(order[part].transpose(0, 2, 1)), -1)
        values = quantiles(draws[part], levels, draw_levels(None, count))
        np.put_along_axis(paths[part], ranked, values, -1)
    return np.ascontiguousarray(paths.transpose(0, 2, 1))


def _spread(available: Int64[np.ndarray, " R"], count: int, most: int) -> Int64[np.ndarray, "R n"]:
    """The numbers of `count` past origins, spread evenly over the newest `most` of those available."""
    among = np.minimum(available, most)[:, None]
    shares = (np.arange(count) + 0.5) / count
    return (available[:, None] - among + (shares * among).astype(np.int64)).astype(np.int64)


def _newest_of_phase(
    usable: Int64[np.ndarray, " M"], origins: Int64[np.ndarray, " R"], horizon: int, season: int, count: int
) -> tuple[Int64[np.ndarray, "R n"], Int64[np.ndarray, " R"]]:
    """The numbers of the newest past origins at the phase of each origin, and how many there are."""
    base, width = int(usable[0]), int(max(usable[-1], origins.max()) - usable[0]) + 2
    places = np.lexsort((usable, usable % season))
    ordered = usable[places]
    keys = (ordered % season) * width + ordered - base + 1
    phases = (origins % season) * width
    first = np.searchsorted(keys, phases)
    end = np.searchsorted(keys, phases + np.maximum(origins - horizon - base + 1, 0), side="right")
    return places[np.maximum(end[:, None] - 1 - np.arange(count), 0)], end - first


@cache
def _steps_hash(horizon: int) -> UInt64[np.ndarray, " H"]:
    return _mix(np.arange(1, horizon + 1, dtype=np.uint64))


def _uniform(keys: UInt64[np.ndarray, " N"], horizon: int) -> Float64[np.ndarray, "N H"]:
    """Pseudo-random numbers from 0 to 1, of each key and step."""
    return (_mix(keys[:, None] + _steps_hash(horizon)) >> np.uint64(11)) * 2.0**-53


def _with_random_low_bits(
    values: Float32[np.ndarray, "N H"], share: Float64[np.ndarray, "N H"]
) -> Float32[np.ndarray, "N H"]:
    """The values with the last of their 24 bits drawn anew, so that equal ones have a random order."""
    bits = values.view(np.int32) & ~np.int32(0xFF) | (share * 256).astype(np.int32)
    return np.where(np.isfinite(values), bits.view(np.float32), np.float32(np.nan))


def _mix(keys: UInt64[np.ndarray, "*N"]) -> UInt64[np.ndarray, "*N"]:
    """Hash 64-bit numbers.

    Source:
        Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators": splitmix64.
    """
    z = keys + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
