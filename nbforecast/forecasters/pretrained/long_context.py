"""The whole window of the pretrained network: its last steps as they are, and all of them four at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.scaled_context import first_true

if TYPE_CHECKING:
    from nbforecast.forecasters.scaled_context import ScaledContext
    from nbforecast.forecasters.windows import Windows

RECENT = 512  # steps that are read as they are
COARSE = 4  # steps of one coarse step
MAX_COARSE = 512  # coarse steps of the longest window
_MIN_RATIO = 1e-3


class LongContext(NamedTuple):
    """Windows of L steps in the unit of their last `RECENT`.

    Attributes:
        values: Finite everywhere; unknown steps repeat the value before them.
        first: The position of the first known step.
        sums: The sums of all known values up to each position.
        counts: Their numbers.
        coarse: The means of `COARSE` steps each, at the end of `MAX_COARSE` rows; 0 where none is known.
        coarse_known: Whether one of these steps is known.
        coarse_first: The row of the first known one.
    """

    values: Float32[Array, "L B"]
    first: Int32[Array, " B"]
    sums: Float32[Array, "L B"]
    counts: Float32[Array, "L B"]
    coarse: Float32[Array, "C B"]
    coarse_known: Bool[Array, "C B"]
    coarse_first: Int32[Array, " B"]

    @property
    def start(self) -> int:
        """The position of the first of the last `RECENT` steps."""
        return self.values.shape[0] - RECENT

    @property
    def length(self) -> Int32[Array, " B"]:
        """(B,) the number of steps from the first known one on."""
        return self.values.shape[0] - self.first


def recent(windows: Windows) -> Windows:
    """Returns the last `RECENT` steps of windows."""
    return windows._replace(values=windows.values[:, -RECENT:], observed=windows.observed[:, -RECENT:])


def long_context(windows: Windows, past: ScaledContext) -> LongContext:
    """Returns whole windows in the unit of their last steps.

    Args:
        windows: Windows of a multiple of `COARSE` steps, at least `RECENT` and at most `COARSE * MAX_COARSE`.
        past: Their last `RECENT` steps.
    """
    old = jax.lax.optimization_barrier(windows.values[:, :-RECENT].T)  # else each use reads it against its order
    ratio = 1.0 + old / jnp.where(past.is_log, past.location, 1.0)
    is_old_known = ~jnp.isnan(old) & (~past.is_log | (ratio > _MIN_RATIO))
    logs = jnp.log(jnp.maximum(jnp.where(past.is_log, ratio, 1.0), _MIN_RATIO))
    old = jnp.where(is_old_known, jnp.where(past.is_log, logs, old) / past.scale, 0.0)

    is_known = jnp.concatenate([is_old_known, past.is_known])
    known_values = jnp.concatenate([old, jnp.where(past.is_known, past.values, 0.0)])
    is_known, known_values = jax.lax.optimization_barrier((is_known, known_values))

    def step(carry: tuple[Array, Array, Array], inputs: tuple[Array, Array]) -> tuple[Any, Any]:
        last, total, count = carry
        value, is_known = inputs
        carry = jnp.where(is_known, value, last), total + value, count + is_known
        return carry, carry

    zero = jnp.zeros(past.first.shape)
    _, (values, sums, counts) = jax.lax.scan(step, (known_values[0], zero, zero), (known_values, is_known))
    # of differences of sums: another pass over the values takes three times as long
    parts, part_counts = (jnp.diff(v[COARSE - 1 :: COARSE], axis=0, prepend=0.0) for v in (sums, counts))
    padding = ((MAX_COARSE - len(parts), 0), (0, 0))
    coarse = jnp.pad(parts / jnp.maximum(part_counts, 1.0), padding)
    coarse_known = jnp.pad(part_counts > 0.0, padding)
    return LongContext(values, first_true(is_known), sums, counts, coarse, coarse_known, first_true(coarse_known))
