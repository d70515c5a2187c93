"""The loss of the training: the quantile loss in units of each series' own difficulty."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS

_LEVELS = np.array(DRAW_LEVELS, np.float32)
_LINEAR_RANGE = 4.0


def loss(
    quantiles: Float32[Array, "B S Q"], target: Float32[Array, "B S"], size: Float32[Array, " B"]
) -> Float32[Array, ""]:
    """Returns twice the mean pinball loss over levels, steps and series. Near steps weigh more.

    A series' own loss x becomes 4 log(1 + x / 4): linear where small, so that no single series rules a batch.

    Args:
        quantiles: (B, S, Q) quantiles at `DRAW_LEVELS`.
        target: (B, S) actual values.
        size: (B,) unit of each series' loss.

    Returns:
        The loss, a scalar.

    Source:
        Koenker & Bassett (1978), Regression quantiles.
    """
    errors = target[..., None] - quantiles
    pinball = 2.0 * jnp.maximum(_LEVELS * errors, (_LEVELS - 1.0) * errors).mean(-1)
    steps = quantiles.shape[1]
    weight = 1.0 / np.sqrt(np.arange(steps, dtype=np.float32) + 2.0)
    series_loss = pinball @ (weight / weight.sum()) / size
    return (_LINEAR_RANGE * jnp.log1p(series_loss / _LINEAR_RANGE)).mean()
