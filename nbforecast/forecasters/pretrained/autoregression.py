"""Autoregressions of a few lags, fitted to each window by Yule and Walker's equations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.scaled_context import total

LAGS = 8
_RIDGE = 1e-2


def fit(values: Float32[Array, "T ..."], is_known: Bool[Array, "T ..."]) -> Float32[Array, "P ..."]:
    """Returns the coefficients of lags 1 to `LAGS` of values whose mean is 0.

    Args:
        values: The values.
        is_known: Which of them are known.

    Source:
        Levinson (1946), The Wiener RMS error criterion in filter design and prediction; Durbin (1960), The fitting of
        time-series models.
    """
    values = jnp.where(is_known, values, 0.0)
    padded = jnp.pad(values, ((LAGS, 0), *((0, 0),) * (values.ndim - 1)))

    def at_lag(lag: Int32[Array, ""]) -> Float32[Array, "..."]:
        return total(values * jax.lax.dynamic_slice_in_dim(padded, LAGS - lag, len(values)))

    covariance = jax.lax.map(at_lag, jnp.arange(LAGS + 1))
    variance = covariance[0] * (1.0 + _RIDGE) + 1e-12
    coefficients: list[Array] = []
    for order in range(1, LAGS + 1):
        predicted = sum((c * covariance[order - 1 - i] for i, c in enumerate(coefficients)), jnp.zeros_like(variance))
        reflection = (covariance[order] - predicted) / variance
        mirrored = coefficients[::-1]
        coefficients = [c - reflection * d for c, d in zip(coefficients, mirrored, strict=True)] + [reflection]
        variance = variance * jnp.maximum(1.0 - reflection**2, 1e-3)
    return jnp.stack(coefficients)


def multistep_weights(coefficients: Float32[Array, "P ..."], steps: int) -> Float32[Array, "S P ..."]:
    """Returns the weights of the last values (the last first) in the forecasts of the next steps.

    Args:
        coefficients: The coefficients of the lags.
        steps: S.
    """

    def step(weights: Array, _: None) -> tuple[Array, Array]:
        shifted = jnp.concatenate([weights[1:], jnp.zeros_like(weights[:1])])
        return weights[:1] * coefficients + shifted, weights

    return jax.lax.scan(step, coefficients, None, length=steps)[1]
