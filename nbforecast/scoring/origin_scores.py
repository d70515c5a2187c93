"""Quantiles, scores and densities of forecasts, vmapped over batches of origins (E3).

A forecast is a set of ascending draws at probability levels: a forecaster's own quantile levels, or (i - 0.5) / Q for
Q equally likely samples (the plotting positions of Hazen 1914). Every quantile in the package and on a page comes
from `quantiles`.

Forecasts are float32 and actual values float64. A forecast and an actual value are equal where they are equal in
float32: 0.1 equals the forecast 0.1, although float32(0.1) is 1.5e-9 more. Every comparison of the two follows this
rule, and an error between equals is zero.
"""

from __future__ import annotations

from functools import cache, partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int64

from nbforecast.device import CompileOnce, host

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array

    Draws = TypeVar("Draws", Array, np.ndarray)
else:
    Array = Draws = Any  # to name JAX's array would import JAX; shapes and types of numbers are checked all the same

COVERAGES = (50, 80, 95)  # per cent, of the central intervals that are scored
CALIBRATED_COVERAGES = (50, 80, 90, 95)  # per cent, of the central intervals that are calibrated
QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)  # of the stored `quantiles`: interval ends and median
DENSITY_POINTS = 64
SCORE_VERSION = 2  # of stored scores; a change of their numbers raises it, and stored ones are calculated anew

_compile_once = CompileOnce()


def draw_levels(levels: tuple[float, ...] | None, draws: int) -> tuple[float, ...]:
    """The probability level of each draw of a forecaster.

    Args:
        levels: The forecaster's own quantile levels, or None if its draws are equally likely samples.
        draws: Q, the number of draws.

    Returns:
        `levels` itself, or Hazen's plotting positions (i - 0.5) / Q for i = 1 .. Q.
    """
    return levels if levels is not None else tuple((i + 0.5) / draws for i in range(draws))


@cache
def interpolation_weights(
    levels: tuple[float, ...], probabilities: tuple[float, ...]
) -> tuple[Int64[np.ndarray, " K"], Float32[np.ndarray, " K"]]:
    """Where `quantiles` reads each probability: between which draws, and how far from the left one.

    Args:
        levels: The Q > 1 ascending probability levels of the draws.
        probabilities: K probabilities in (0, 1).

    Returns:
        left: The number of the left one of two neighbouring draws, 0 to Q - 2.
        share: The distance from the left draw in units of the gap between the two, on the scale of normal scores.
            Negative or above 1 for probabilities beyond the outermost levels.
    """
    normal_score = np.vectorize(NormalDist().inv_cdf)
    level_scores, scores = normal_score(np.array(levels)), normal_score(np.array(probabilities))
    left: Any = np.clip(np.searchsorted(level_scores, scores) - 1, 0, len(levels) - 2)
    gap = level_scores[left + 1] - level_scores[left]
    return left, ((scores - level_scores[left]) / gap).astype(np.float32)


def quantiles(
    draws: Float[Draws, "*N Q"], levels: tuple[float, ...], probabilities: tuple[float, ...]
) -> Float[Draws, "*N K"]:
    """Quantiles of ascending draws.

    Between and beyond the draws' levels, quantiles are linear on the scale of normal scores, which is exact for a
    normal distribution. Where all draws have one sign, quantiles keep it: the tail of a count does not fall below
    zero. A single draw is every quantile. `tests/golden/quantiles.json` holds cases that every implementation of this
    rule must meet.

    Args:
        draws: Ascending draws along the last axis, NumPy or JAX, in the data's unit.
        levels: The Q ascending probability levels of the draws.
        probabilities: The K probabilities asked for, each in (0, 1).

    Returns:
        The quantiles along the last axis, in the data's unit. NaN draws give NaN.

    Source:
        Linear interpolation on normal probability paper; levels of samples by Hazen (1914), see `draw_levels`.
    """
    if len(levels) == 1:
        return draws[..., np.zeros(len(probabilities), int)]
    left, share = interpolation_weights(levels, probabilities)
    low = draws[..., left]
    values = low + share * (draws[..., left + 1] - low)  # in this form equal draws give exactly themselves
    least, most = draws[..., :1], draws[..., -1:]
    crosses_zero = ((least >= 0) & (values < 0)) | ((most <= 0) & (values > 0))
    return values * ~crosses_zero + 0.0  # no negative zeros


def as_forecast(actual: Float[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N"]:
    """Actual values in the precision of forecasts, in which the two are compared.

    Args:
        actual: Actual values, in the data's unit.

    Returns:
        The values rounded to float32.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and so beyond every forecast
        return np.asarray(actual).astype(np.float32)


class Calculations(NamedTuple):
    """Quantiles and scores of B origins by horizon step; scores are NaN where the actual is not known.

    Attributes:
        median: (B, H), the quantile at 0.5, in the data's unit.
        quantiles: (B, H, 7), at `QUANTILE_LEVELS`.
        abs_error: (B, H), the absolute error of the median.
        crps: (B, H), twice the mean quantile loss at the draws' own levels. For equally likely samples this is the
            continuous ranked probability score of their empirical distribution (Gneiting & Raftery 2007).
        pinball: (B, H), the mean quantile loss at `QUANTILE_LEVELS`. The weighted interval score of the 50, 80 and 95 %
            intervals is twice that (Bracher, Ray, Gneiting & Reich 2021).
        covered: (B, H, 3), 1 where the actual lies in the central interval of each of `COVERAGES`, else 0.
    """

    median: Float32[np.ndarray, "B H"]
    quantiles: Float32[np.ndarray, "B H K"]
    abs_error: Float32[np.ndarray, "B H"]
    crps: Float32[np.ndarray, "B H"]
    pinball: Float32[np.ndarray, "B H"]
    covered: Float32[np.ndarray, "B H C"]


def calculate(
    draws: Float32[np.ndarray, "B H Q"], actual: Float[np.ndarray, "B H"], levels: tuple[float, ...], batch: int
) -> Calculations:
    """Quantiles and scores of up to `batch` origins, on the CPU.

    Args:
        draws: (B, H, Q) ascending draws.
        actual: (B, H) values observed at the steps forecast, NaN where unknown.
        levels: The Q probability levels of the draws.
        batch: The size that shorter batches are padded to, so that the function is compiled once.

    Returns:
        Calculations for the B origins.
    """
    count = len(draws)
    if count < batch:
        draws = np.concatenate([draws, np.zeros((batch - count, *draws.shape[1:]), np.float32)])
        actual = np.concatenate([actual, np.zeros((batch - count, actual.shape[1]))])
    # actual values are taken relative to a draw before they are rounded: 1e9 + 3 is 1e9 in single precision
    anchor = draws[:, 0, draws.shape[-1] // 2]
    relative = (actual - anchor[:, None]).astype(np.float32)
    results = _on_host(_compiled_calculations(levels), draws, anchor, relative, as_forecast(actual))
    return Calculations(*(np.asarray(array)[:count] for array in results))


class Densities(NamedTuple):
    """Predictive densities of B origins by horizon step.

    Attributes:
        limits: (B, H, 2), the first and last value at which the density is given, in the data's unit.
        density: (B, H, 64), at `DENSITY_POINTS` values evenly spaced between the limits, per data unit.
    """

    limits: Float32[np.ndarray, "B H 2"]
    density: Float32[np.ndarray, "B H G"]


def densities(draws: Float32[np.ndarray, "B H Q"], batch: int) -> Densities:
    """Gaussian kernel density estimates of up to `batch` origins, on the CPU.

    Where all draws agree, the bandwidth is a millionth of their magnitude, so that the density stays finite.

    Args:
        draws: (B, H, Q) draws.
        batch: The size that shorter batches are padded to, so that the function is compiled once.

    Returns:
        Densities from three bandwidths below the least draw to three above the largest.

    Source:
        Scott (1992), "Multivariate density estimation": bandwidth = standard deviation * Q ** (-1 / 5), as in
        `scipy.stats.gaussian_kde`.
    """
    count = len(draws)
    padded = np.concatenate([draws, np.zeros((max(batch - count, 0), *draws.shape[1:]), np.float32)])
    limits, density = _on_host(_compiled_densities(), padded)
    return Densities(np.asarray(limits)[:count], np.asarray(density)[:count])


def _on_host(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """Call a compiled function on the CPU: the arrays are in its memory, and a GPU has inference to do."""
    import jax

    with jax.default_device(host()):
        return _compile_once.call((function, *(array.shape for array in arrays)), lambda: function(*arrays))


@cache
def _compiled_calculations(levels: tuple[float, ...]) -> Callable[..., Any]:
    import jax

    return jax.jit(jax.vmap(partial(_calculate_origin, levels=levels)))


def _calculate_origin(
    draws: Float32[Array, "H Q"],
    anchor: Float32[Array, ""],
    relative: Float32[Array, " H"],
    actual: Float32[Array, " H"],
    levels: tuple[float, ...],
) -> tuple[Array, ...]:
    """The fields of `Calculations` for one origin; `relative` are the actual values less `anchor`."""
    import jax.numpy as jnp

    values = quantiles(draws, levels, QUANTILE_LEVELS)
    middle = QUANTILE_LEVELS.index(0.5)

    def errors(predicted: Array) -> Array:
        return jnp.where(predicted == actual[:, None], 0.0, relative[:, None] - (predicted - anchor))

    def quantile_loss(error: Array, probabilities: tuple[float, ...]) -> Array:
        tau = jnp.asarray(probabilities)
        return jnp.maximum(tau * error, (tau - 1) * error).mean(-1)

    half = len(QUANTILE_LEVELS) // 2
    low, high = values[:, :half][:, ::-1], values[:, half + 1 :]
    is_inside = (actual[:, None] >= low) & (actual[:, None] <= high)
    is_known = jnp.isfinite(actual)
    covered = jnp.where(is_known[:, None], is_inside.astype(jnp.float32), jnp.nan)
    error = errors(values)
    crps, pinball = 2 * quantile_loss(errors(draws), levels), quantile_loss(error, QUANTILE_LEVELS)
    return values[:, middle], values, jnp.abs(error[:, middle]), crps, pinball, covered


@cache
def _compiled_densities() -> Callable[..., Any]:
    import jax

    return jax.jit(jax.vmap(jax.vmap(_density)))


def _density(draws: Float32[Array, " Q"]) -> tuple[Float32[Array, " 2"], Float32[Array, " G"]]:
    """Limits and density of one horizon step."""
    import jax.numpy as jnp

    count = draws.shape[0]
    centre = draws.mean()
    deviations = draws - centre
    spread = jnp.sqrt((deviations**2).sum() / max(count - 1, 1))
    bandwidth = jnp.maximum(spread * count**-0.2, 1e-6 * jnp.maximum(jnp.abs(centre), 1e-30))
    limits = jnp.stack([deviations.min() - 3 * bandwidth, deviations.max() + 3 * bandwidth])
    points = jnp.linspace(limits[0], limits[1], DENSITY_POINTS)
    kernels = jnp.exp(-0.5 * ((points[:, None] - deviations[None, :]) / bandwidth) ** 2)
    return limits + centre, kernels.sum(-1) / (count * bandwidth * np.sqrt(2 * np.pi).astype(np.float32))
