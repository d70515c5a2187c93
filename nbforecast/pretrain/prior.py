"""Synthetic series in batches: generators, seasons and augmentations. A batch is a pure function of a key."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray

from nbforecast.pretrain.augmentations import augment, change_regime, draw_observation_mask, mix_series
from nbforecast.pretrain.generators import LONG_FAMILIES, SHORT_FAMILIES
from nbforecast.pretrain.primitives import log_uniform

HORIZON = 64
SHORT, LONG = 512, 2048  # steps of a context
WINDOWS = 4  # contexts that are cut from a series, at random places
_LONG_SHARE = 0.5
_UNDATED_SHARE = 0.3  # of series with the seasons of a calendar, read without it
_SPREAD = {SHORT: 192, LONG: 448}  # steps between the first and the last place
_FAMILIES = {SHORT: SHORT_FAMILIES, LONG: LONG_FAMILIES}
# the seasons that follow from a time column (`Frequency.seasons`), and their shares; () for integers and years
CALENDARS: dict[int, dict[tuple[int, ...], float]] = {
    SHORT: {
        (12,): 0.3, (4,): 0.18, (): 0.3, (52,): 0.05, (5,): 0.03, (7, 365): 0.08, (24, 168): 0.03, (288,): 0.03,
    },
    LONG: {
        (24, 168): 0.28, (48, 336): 0.17, (96, 672): 0.09, (288,): 0.14, (7, 365): 0.18, (60,): 0.03, (): 0.09,
        (52,): 0.05,
    },
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


class Kind(NamedTuple):
    """What the series of a batch have in common.

    Attributes:
        context: L, the steps of a context.
        calendar: The S season lengths of their calendar in steps; 0 for none.
        known: Those that the forecaster is told: the same, or none.
    """

    context: int
    calendar: Int32[np.ndarray, " S"]
    known: Int32[np.ndarray, " S"]


def draw_kind(random: np.random.Generator) -> Kind:
    """Returns a random length of contexts and a calendar.

    Args:
        random: The random generator.
    """
    context = LONG if random.random() < _LONG_SHARE else SHORT
    calendars = CALENDARS[context]
    weights = np.array(list(calendars.values()))
    seasons = list(calendars)[random.choice(len(calendars), p=weights / weights.sum())]
    calendar = np.array([*seasons, *(0,) * (_SLOTS - len(seasons))], np.int32)
    return Kind(context, calendar, np.zeros_like(calendar) if random.random() < _UNDATED_SHARE else calendar)


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


def draw_series(
    key: PRNGKeyArray, calendar: Int32[Array, " S"], known: Int32[Array, " S"], count: int, context: int
) -> Series:
    """Returns random series; every family has its share of them, and `WINDOWS` are cut from each series.

    Args:
        key: The random key.
        calendar: The S season lengths of the calendar in steps; 0 for none.
        known: Those that the contexts are read with.
        count: The number of series; there are `WINDOWS` times as many contexts.
        context: L, the steps of a context: `SHORT` or `LONG`.
    """
    keys = jax.random.split(key, 7)
    families, spread = _FAMILIES[context], _SPREAD[context]
    length = context + HORIZON
    seasons = jax.vmap(draw_seasons, (0, None))(jax.random.split(keys[0], count), calendar)
    series_keys = jax.random.split(keys[1], count)
    ends = np.round(np.cumsum(list(families.values())) / sum(families.values()) * count).astype(int)
    family_values = [
        jax.vmap(lambda k, s, family=family: family(k, s, length + spread))(series_keys[a:b], seasons[a:b])
        for family, a, b in zip(families, [0, *ends[:-1]], ends, strict=True)
        if b > a
    ]
    values = jnp.nan_to_num(jnp.concatenate(family_values), posinf=1e4, neginf=-1e4)
    values = mix_series(keys[2], jax.vmap(augment)(jax.random.split(keys[3], count), values))
    values = jax.vmap(change_regime)(jax.random.split(keys[4], count), values)
    starts = jax.random.randint(keys[5], (WINDOWS, count), 0, spread + 1)

    def cut(values: Float32[Array, " T"], start: Int32[Array, ""]) -> Float32[Array, " L+H"]:
        return jax.lax.dynamic_slice_in_dim(values, start, length)

    windows = jax.vmap(jax.vmap(cut), (None, 0))(values, starts).reshape(-1, length)
    seasons = jnp.tile(seasons, (WINDOWS, 1))
    mask_keys = jax.random.split(keys[6], len(windows))
    observed = jax.vmap(lambda k, s: draw_observation_mask(k, s, context))(mask_keys, seasons)
    return Series(windows, observed, known)
