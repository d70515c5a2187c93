"""The dependence between steps where too few past origins are known for templates: one correlation per distance.

The normal scores of past outcomes within their forecasts are correlated between two steps, the more the nearer these
are. The correlation at each distance is the mean over all series and origins that are known; a Gaussian copula has it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast.postprocessing.rank_templates import MIN_TEMPLATES

DEFAULT_CORRELATION = 0.85  # of neighbouring steps where nothing is known; it falls by this factor with each step


def rank_autocorrelation(order: Float32[np.ndarray, "M H"]) -> tuple[float, ...]:
    """The rank correlation of outcomes at steps 0 to H - 1 apart.

    Args:
        order: (M, H) `rank_templates.positions` of past origins of any series.

    Returns:
        H correlations of normal scores, the first of them 1. Those of `DEFAULT_CORRELATION` for fewer than
        `MIN_TEMPLATES` origins.
    """
    count, horizon = order.shape
    if count < MIN_TEMPLATES:
        return tuple((DEFAULT_CORRELATION ** np.arange(horizon)).tolist())
    from scipy.special import ndtri

    scores = ndtri((order.argsort(0).argsort(0) + 0.5) / count)
    product = scores.T @ scores / np.mean(scores[:, 0] ** 2) / count
    return tuple(float(np.diagonal(product, lag).mean()) for lag in range(horizon))


@lru_cache(maxsize=64)
def correlated_order(correlation: tuple[float, ...], count: int, seed: int) -> Float32[np.ndarray, "n H"]:
    """Random numbers whose ranks have a stationary correlation between steps.

    Args:
        correlation: H correlations of steps 0 to H - 1 apart.
        count: n, the number of paths.
        seed: The same seed gives the same numbers.

    Returns:
        (n, H) an order of paths for `rank_templates.arrange`. Where the correlations are those of no distribution, the
        nearest that are.
    """
    lags = np.abs(np.arange(len(correlation))[:, None] - np.arange(len(correlation)))
    values, vectors = np.linalg.eigh(np.asarray(correlation)[lags])
    root: Float64[np.ndarray, "H H"] = vectors * np.sqrt(np.maximum(values, 0))
    normal = np.random.default_rng(seed).standard_normal((count, len(correlation)))
    order = (normal @ root.T).astype(np.float32)
    order.flags.writeable = False
    return order
