"""What is derived from an origin's forecast for drawing and scoring, vmapped over batches of origins.

Draws are taken at probability levels: a forecaster's own quantile levels, or (i - 0.5) / Q for Q equally likely samples
in ascending order (Hazen's plotting position). Between and beyond these levels, quantiles are interpolated linearly on
the scale of normal scores, which is exact for a normal distribution.
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

COVERAGES = (50, 80, 95)
CALIBRATED_COVERAGES = (50, 80, 90, 95)
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
GRID = 64


def draw_levels(levels: tuple[float, ...] | None, draws: int) -> tuple[float, ...]:
    """The probability level of each of `draws` ascending draws."""
    return levels if levels is not None else tuple((i + 0.5) / draws for i in range(draws))


@cache
def _places(
    levels: tuple[float, ...], wanted: tuple[float, ...]
) -> tuple[Int64[np.ndarray, " K"], Float32[np.ndarray, " K"]]:
    """For each wanted level the left one of the two draws it lies between or beyond, and the way to the right one."""
    score = np.vectorize(NormalDist().inv_cdf)
    known, asked = score(np.array(levels)), score(np.array(wanted))
    left: Any = np.clip(np.searchsorted(known, asked) - 1, 0, len(levels) - 2)
    return left, ((asked - known[left]) / (known[left + 1] - known[left])).astype(np.float32)


def quantiles(
    draws: Float[Draws, "*N Q"], levels: tuple[float, ...], wanted: tuple[float, ...]
) -> Float[Draws, "*N K"]:
    """Quantiles of ascending draws at `wanted` levels, for any leading shape, of NumPy or JAX.

    Where all draws have one sign the quantiles beyond them keep it: a count's tail does not reach below zero.
    """
    if len(levels) == 1:
        return draws[..., np.zeros(len(wanted), int)]
    left, share = _places(levels, wanted)
    low = draws[..., left]
    found = low + share * (draws[..., left + 1] - low)  # in this form equal draws give exactly themselves
    least, most = draws[..., :1], draws[..., -1:]
    crossing = ((least >= 0) & (found < 0)) | ((most <= 0) & (found > 0))
    return found * ~crossing + 0.0  # no negative zeros


class Calculations(NamedTuple):
    """Per origin: quantiles at `LEVELS`, and scores per horizon step, NaN where the actual is not known.

    pinball is the mean over `LEVELS` of the quantile loss, so the weighted interval score of the 50, 80 and 95 %
    intervals is twice that (Bracher et al. 2021). crps is twice the mean quantile loss at the draws' own levels:
    for equally likely samples this is the CRPS of their empirical distribution. covered says whether the actual lies in
    the central interval, for each of `COVERAGES`.
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
    """Calculations for up to `batch` origins, padded to `batch` so that they are compiled once."""
    count = len(draws)
    if count < batch:
        draws = np.concatenate([draws, np.zeros((batch - count, *draws.shape[1:]), np.float32)])
        actual = np.concatenate([actual, np.zeros((batch - count, actual.shape[1]))])
    # actual values are taken relative to a draw before they are rounded: 1e9 + 3 is 1e9 in single precision
    anchor = draws[:, 0, draws.shape[-1] // 2]
    relative = (actual - anchor[:, None]).astype(np.float32)
    out = _on_host(_compiled(levels), draws, anchor, relative)
    return Calculations(*(np.asarray(a)[:count] for a in out))


def _on_host(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """On the CPU: the arrays are in its memory, and a GPU has inference to do."""
    import jax

    with jax.default_device(host()):
        return _first_calls.call((function, *(a.shape for a in arrays)), lambda: function(*arrays))


_first_calls = CompileOnce()


@cache
def _compiled(levels: tuple[float, ...]) -> Callable[..., Any]:
    import jax

    return jax.jit(jax.vmap(partial(_origin, levels=levels)))


def _origin(
    draws: Float32[Array, "H Q"], anchor: Float32[Array, ""], actual: Float32[Array, " H"], levels: tuple[float, ...]
) -> tuple[Array, ...]:
    """Calculations of one origin; `actual` is relative to `anchor`."""
    import jax.numpy as jnp

    wanted = quantiles(draws, levels, LEVELS)
    near = wanted - anchor
    middle = LEVELS.index(0.5)

    def loss(at: Array, probabilities: tuple[float, ...]) -> Array:
        tau, over = jnp.asarray(probabilities), actual[:, None] - at
        return jnp.maximum(tau * over, (tau - 1) * over).mean(-1)

    half = len(LEVELS) // 2
    low, high = near[:, :half][:, ::-1], near[:, half + 1 :]
    inside = (actual[:, None] >= low) & (actual[:, None] <= high)
    known = jnp.isfinite(actual)
    covered = jnp.where(known[:, None], inside.astype(jnp.float32), jnp.nan)
    error = jnp.abs(actual - near[:, middle])
    return wanted[:, middle], wanted, error, 2 * loss(draws - anchor, levels), loss(near, LEVELS), covered


class Densities(NamedTuple):
    """Gaussian-kernel densities per horizon step, on `GRID` points evenly spaced between the `limits`."""

    limits: Float32[np.ndarray, "B H 2"]
    density: Float32[np.ndarray, "B H G"]


def densities(draws: Float32[np.ndarray, "B H Q"], batch: int) -> Densities:
    """Kernel density estimates with Scott's bandwidth (Scott 1992), as `scipy.stats.gaussian_kde`, in closed form.

    Where all draws agree the bandwidth is floored at a millionth of their magnitude, so the result stays finite.
    """
    count = len(draws)
    filled = np.concatenate([draws, np.zeros((max(batch - count, 0), *draws.shape[1:]), np.float32)])
    limits, density = _on_host(_density_compiled(), filled)
    return Densities(np.asarray(limits)[:count], np.asarray(density)[:count])


@cache
def _density_compiled() -> Callable[..., Any]:
    import jax

    return jax.jit(jax.vmap(jax.vmap(_density)))


def _density(draws: Float32[Array, " Q"]) -> tuple[Array, Array]:
    import jax.numpy as jnp

    count = draws.shape[0]
    centre = draws.mean()
    away = draws - centre
    spread = jnp.sqrt((away**2).sum() / max(count - 1, 1))
    width = jnp.maximum(spread * count**-0.2, 1e-6 * jnp.maximum(jnp.abs(centre), 1e-30))
    limits = jnp.stack([away.min() - 3 * width, away.max() + 3 * width])
    at = jnp.linspace(limits[0], limits[1], GRID)
    kernels = jnp.exp(-0.5 * ((at[:, None] - away[None, :]) / width) ** 2)
    return limits + centre, kernels.sum(-1) / (count * width * np.sqrt(2 * np.pi).astype(np.float32))
