"""What training makes small: the quantile loss, in units of each series' own difficulty."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS

_LEVELS = np.array(DRAW_LEVELS, np.float32)
_EASE = 4.0


def loss(
    quantiles: Float32[Array, "B S Q"], target: Float32[Array, "B S"], size: Float32[Array, " B"]
) -> Float32[Array, ""]:
    """Twice the mean pinball loss over levels, steps and series; near steps weigh more, hopeless series less.

    A series' own loss x becomes 4 log(1 + x / 4): linear where small, so that no single one rules a batch.
    """
    over = target[..., None] - quantiles
    pinball = 2.0 * jnp.maximum(_LEVELS * over, (_LEVELS - 1.0) * over).mean(-1)
    steps = quantiles.shape[1]
    weight = 1.0 / np.sqrt(np.arange(steps, dtype=np.float32) + 2.0)
    each = pinball @ (weight / weight.sum()) / size
    return (_EASE * jnp.log1p(each / _EASE)).mean()
