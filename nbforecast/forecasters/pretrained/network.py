"""A residual network that weighs candidate forecasts, moves their mean and sets the quantiles around it.

It begins as the weighting by inverse past errors (Bates & Granger 1969), with bands as wide as those errors, and learns
to depart from both. The gate's departures are bounded, so that no candidate is trusted against all evidence.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, PRNGKeyArray

QUANTILES = 10
# increments, from the middle outwards, of a normal's quantiles at .55, .65 ... .95 in mean absolute deviations
_INCREMENTS = np.array([0.1575, 0.3255, 0.3624, 0.4538, 0.7628], np.float32)
_MAX_LOGIT = 5.0  # of a gate's logit
_MAX_LOG_WIDTH = 2.5  # of the logarithm of a band's width relative to past errors
_POWER = 5.0
_MAX_FEATURE = 5.0


class Block(eqx.Module):
    """x + W2 gelu(W1 norm(x))."""

    norm: eqx.nn.LayerNorm
    first: eqx.nn.Linear
    second: eqx.nn.Linear

    def __init__(self, width: int, key: PRNGKeyArray) -> None:
        a, b = jax.random.split(key)
        self.norm = eqx.nn.LayerNorm(width)
        self.first, self.second = eqx.nn.Linear(width, width, key=a), eqx.nn.Linear(width, width, key=b)

    def __call__(self, x: Float32[Array, " W"]) -> Float32[Array, " W"]:
        """Returns (W,) the transformed features `x`, added to them."""
        return x + self.second(jax.nn.gelu(self.first(self.norm(x))))


class GatedNetwork(eqx.Module):
    """One context's quantiles from its features (see `features.extract_features`); vmapped for a batch.

    Attributes:
        mean: The mean of each feature over the first training examples.
        deviation: Its standard deviation.
        power: The power of past errors in each candidate's weight.
        enter: The first layer.
        blocks: The residual blocks.
        norm: The last norm.
        leave: The last layer: weights, shift, width and shape at each knot.
        knots: The steps at which it gives them; they are linear in between.
        error_steps: The steps ahead at which past errors are known.
    """

    mean: Float32[Array, " F"]
    deviation: Float32[Array, " F"]
    power: Float32[Array, "2 K"]
    enter: eqx.nn.Linear
    blocks: tuple[Block, ...]
    norm: eqx.nn.LayerNorm
    leave: eqx.nn.Linear
    knots: tuple[int, ...] = eqx.field(static=True)
    error_steps: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, features: int, candidates: int, knots: tuple[int, ...], error_steps: tuple[int, ...], width: int,
        depth: int, key: PRNGKeyArray,
    ) -> None:  # fmt: skip
        keys = jax.random.split(key, depth + 2)
        self.knots, self.error_steps = knots, error_steps
        self.mean, self.deviation = jnp.zeros(features), jnp.ones(features)
        self.power = jnp.stack([jnp.full(candidates, _POWER), jnp.zeros(candidates)])
        self.enter = eqx.nn.Linear(features, width, key=keys[0])
        self.blocks = tuple(Block(width, k) for k in keys[1:-1])
        self.norm = eqx.nn.LayerNorm(width)
        leave = eqx.nn.Linear(width, len(knots) * (candidates + 2 + QUANTILES), key=keys[-1])
        self.leave = eqx.tree_at(lambda m: m.weight, leave, 0.1 * leave.weight)

    def __call__(
        self, features: Float32[Array, " F"], candidates: Float32[Array, "K S"], errors: Float32[Array, "2 K J"]
    ) -> Float32[Array, "S Q"]:
        """Quantiles, ascending, in the candidates' unit; errors are logarithms."""
        count, steps = candidates.shape
        x = self.enter(jnp.clip((features - self.mean) / self.deviation, -_MAX_FEATURE, _MAX_FEATURE))
        for block in self.blocks:
            x = block(x)
        outputs = self.leave(self.norm(x)).reshape(len(self.knots), -1).T @ interpolation_weights(self.knots, steps)
        logits, shift, width, shape = jnp.split(outputs, [count, count + 1, count + 2])
        past = errors @ interpolation_weights(self.error_steps, steps)
        relative = past - past.min(1, keepdims=True)
        logits = _MAX_LOGIT * jnp.tanh(logits / _MAX_LOGIT) - (self.power[..., None] * relative).sum(0)
        past = past[0]
        gate = jax.nn.softmax(logits, axis=0)
        size = jnp.exp((gate * past).sum(0) + _MAX_LOG_WIDTH * jnp.tanh(width[0] / _MAX_LOG_WIDTH))
        median = (gate * candidates).sum(0) + size * shift[0]
        half = QUANTILES // 2
        distance = jax.nn.softplus(shape.reshape(2, half, steps) + jnp.log(jnp.expm1(_INCREMENTS))[:, None])
        distance = jnp.cumsum(distance, axis=1) * size
        return jnp.concatenate([median - distance[0, ::-1], median + distance[1]]).T


def interpolation_weights(knots: tuple[int, ...], steps: int) -> Float32[np.ndarray, "N S"]:
    """Returns weights of linear interpolation from knots to every step.

    Args:
        knots: The steps of the N knots.
        steps: S, the number of steps.
    """
    positions = np.arange(1, steps + 1)
    return np.stack([np.interp(positions, knots, row) for row in np.eye(len(knots))]).astype(np.float32)
