"""Synthetic series in batches: families, seasons of a calendar or others, blemishes. A pure function of a key."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.augmentations import blemish, hide, mix
from nbforecast.pretrain.generators import FAMILIES
from nbforecast.pretrain.primitives import log_uniform

# the seasons that a time column gives away (`Frequency.seasons`), and how often; () for bare integers
CALENDARS: dict[tuple[int, ...], float] = {
    (24, 168): 0.18, (48, 336): 0.1, (7, 365): 0.11, (12,): 0.17, (4,): 0.08, (288,): 0.09, (96, 672): 0.03,
    (60,): 0.02, (52,): 0.03, (5,): 0.02, (): 0.17,
}  # fmt: skip
# what is found without a calendar, the common ones several times
_FOUND = np.array(
    [*[(24, 168)] * 5, *[(24, 0)] * 3, (48, 336), *[(12, 0)] * 3, (4, 0), *[(7, 0)] * 2, (52, 0), (96, 0), (30, 0),
     (60, 0), (10, 0), (6, 0), (144, 0)],
    np.int32,
)  # fmt: skip
_SLOTS = 4


class Series(NamedTuple):
    """values: contexts and what follows them. seen: which steps of the contexts are observed.

    calendar: the season lengths that all of them are read with.
    """

    values: Float32[Array, "B L+H"]
    seen: Bool[Array, "B L"]
    calendar: Int32[Array, " S"]


def calendars(random: np.random.Generator) -> Int32[np.ndarray, " S"]:
    """One of the calendars at random, padded with zeros."""
    weights = np.array(list(CALENDARS.values()))
    chosen = list(CALENDARS)[random.choice(len(CALENDARS), p=weights / weights.sum())]
    return np.array([*chosen, *(0,) * (_SLOTS - len(chosen))], np.int32)


def draw_seasons(key: PRNGKeyArray, calendar: Int32[Array, " S"]) -> Int32[Array, "2"]:
    """The seasons that a series has: mostly the calendar's, both or one; others; or none."""
    a, b, c, d = jax.random.split(key, 4)
    short, long = calendar[0], calendar[1]
    named = short > 0
    common = jnp.array(_FOUND)[jax.random.randint(a, (), 0, len(_FOUND))]
    free = jnp.stack([jnp.round(log_uniform(b, 3.0, 200.0)).astype(jnp.int32), 0])
    own = jnp.where(named, jnp.stack([short, long]), common)
    alone = jnp.stack([jnp.where((long > 0) & (jax.random.uniform(c) < 0.2), long, own[0]), 0])
    kind = jax.random.choice(d, 5, p=jnp.array([0.42, 0.24, 0.2, 0.06, 0.08]))
    return jnp.stack([own, alone, jnp.zeros(2, jnp.int32), common, free])[kind].astype(jnp.int32)


def draw(key: PRNGKeyArray, calendar: Int32[Array, " S"], count: int) -> Series:
    """`count` series in no order; every family has its share of them."""
    names = jax.random.split(key, 6)
    seasons = jax.vmap(draw_seasons, (0, None))(jax.random.split(names[0], count), calendar)
    keys = jax.random.split(names[1], count)
    ends = np.round(np.cumsum(list(FAMILIES.values())) / sum(FAMILIES.values()) * count).astype(int)
    parts = [
        jax.vmap(family)(keys[a:b], seasons[a:b]) for family, a, b in zip(FAMILIES, [0, *ends[:-1]], ends, strict=True)
    ]
    values = jnp.nan_to_num(jnp.concatenate(parts), posinf=1e4, neginf=-1e4)
    values = mix(names[2], jax.vmap(blemish)(jax.random.split(names[3], count), values))
    seen = jax.vmap(hide)(jax.random.split(names[4], count), seasons)
    order = jax.random.permutation(names[5], count)
    return Series(values[order], seen[order], calendar)
