"""Synthetic series in batches: generators, seasons and augmentations. A batch is a pure function of a key."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.augmentations import augment, draw_observation_mask, mix_series
from nbforecast.pretrain.generators import FAMILIES
from nbforecast.pretrain.primitives import log_uniform

# the seasons that follow from a time column (`Frequency.seasons`), and their shares; () for integers
CALENDARS: dict[tuple[int, ...], float] = {
    (24, 168): 0.18, (48, 336): 0.1, (7, 365): 0.11, (12,): 0.17, (4,): 0.08, (288,): 0.09, (96, 672): 0.03,
    (60,): 0.02, (52,): 0.03, (5,): 0.02, (): 0.17,
}  # fmt: skip
# seasons of series without a calendar; common ones occur several times
_COMMON_SEASONS = np.array(
    [*[(24, 168)] * 5, *[(24, 0)] * 3, (48, 336), *[(12, 0)] * 3, (4, 0), *[(7, 0)] * 2, (52, 0), (96, 0), (30, 0),
     (60, 0), (10, 0), (6, 0), (144, 0)],
    np.int32,
)  # fmt: skip
_SLOTS = 4


class Series(NamedTuple):
    """A batch of synthetic series.

    Attributes:
        values: The L steps of the contexts and the H steps after them.
        observed: Which steps of the contexts are observed.
        calendar: The S season lengths that all contexts are read with, in steps; 0 for none.
    """

    values: Float32[Array, "B L+H"]
    observed: Bool[Array, "B L"]
    calendar: Int32[Array, " S"]


def draw_calendar(random: np.random.Generator) -> Int32[np.ndarray, " S"]:
    """Returns one of `CALENDARS` at random, padded with zeros.

    Args:
        random: The random generator.
    """
    weights = np.array(list(CALENDARS.values()))
    seasons = list(CALENDARS)[random.choice(len(CALENDARS), p=weights / weights.sum())]
    return np.array([*seasons, *(0,) * (_SLOTS - len(seasons))], np.int32)


def draw_seasons(key: PRNGKeyArray, calendar: Int32[Array, " S"]) -> Int32[Array, "2"]:
    """Returns the seasons of a series: mostly the calendar's, both or one; others; or none.

    Args:
        key: The random key.
        calendar: The S season lengths of the calendar in steps; 0 for none.

    Returns:
        The shorter and the longer season length; 0 for none.
    """
    a, b, c, d = jax.random.split(key, 4)
    short, long = calendar[0], calendar[1]
    has_calendar = short > 0
    common = jnp.array(_COMMON_SEASONS)[jax.random.randint(a, (), 0, len(_COMMON_SEASONS))]
    random = jnp.stack([jnp.round(log_uniform(b, 3.0, 200.0)).astype(jnp.int32), 0])
    both = jnp.where(has_calendar, jnp.stack([short, long]), common)
    single = jnp.stack([jnp.where((long > 0) & (jax.random.uniform(c) < 0.2), long, both[0]), 0])
    kind = jax.random.choice(d, 5, p=jnp.array([0.42, 0.24, 0.2, 0.06, 0.08]))
    return jnp.stack([both, single, jnp.zeros(2, jnp.int32), common, random])[kind].astype(jnp.int32)


def draw_series(key: PRNGKeyArray, calendar: Int32[Array, " S"], count: int) -> Series:
    """Returns random series in random order; every family has its share of them.

    Args:
        key: The random key.
        calendar: The S season lengths of the calendar in steps; 0 for none.
        count: B, the number of series.
    """
    part_keys = jax.random.split(key, 6)
    seasons = jax.vmap(draw_seasons, (0, None))(jax.random.split(part_keys[0], count), calendar)
    keys = jax.random.split(part_keys[1], count)
    ends = np.round(np.cumsum(list(FAMILIES.values())) / sum(FAMILIES.values()) * count).astype(int)
    family_values = [
        jax.vmap(family)(keys[a:b], seasons[a:b]) for family, a, b in zip(FAMILIES, [0, *ends[:-1]], ends, strict=True)
    ]
    values = jnp.nan_to_num(jnp.concatenate(family_values), posinf=1e4, neginf=-1e4)
    values = mix_series(part_keys[2], jax.vmap(augment)(jax.random.split(part_keys[3], count), values))
    observed = jax.vmap(draw_observation_mask)(jax.random.split(part_keys[4], count), seasons)
    order = jax.random.permutation(part_keys[5], count)
    return Series(values[order], observed[order], calendar)
