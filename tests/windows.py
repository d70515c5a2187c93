"""Batches of contexts straight from arrays, for tests and benchmarks of forecasters."""

from __future__ import annotations

import itertools
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nbforecast.forecasters.base import resolve
from nbforecast.forecasters.windows import N_SEASONS, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float64

CONTEXT = 512
MODELS = ("auto", "naive", "theta", "ridge", "pretrained")


def windows(history: Float64[np.ndarray, "B L"], calendar: tuple[int, ...] = (), max_gap: int = 12) -> Windows:
    """`Windows` straight from arrays, bridging gaps of up to `max_gap` steps as `cut` does."""
    values = np.array(history, np.float64)
    observed = ~np.isnan(values)
    for row, seen in zip(values, observed, strict=True):
        at = np.flatnonzero(seen)
        for a, b in itertools.pairwise(at):
            if 1 < b - a <= max_gap + 1:
                row[a + 1 : b] = np.interp(np.arange(a + 1, b), (a, b), (row[a], row[b]))
    last = values.shape[1] - 1 - np.argmax(observed[:, ::-1], axis=1)
    location = values[np.arange(len(values)), last].astype(np.float32).astype(np.float64)
    seasons = np.zeros(N_SEASONS, np.int32)
    seasons[: len(calendar)] = calendar
    return Windows(
        (values - location[:, None]).astype(np.float32),
        observed,
        location.astype(np.float32),
        np.arange(len(values), dtype=np.int32),
        np.stack([np.arange(len(values), dtype=np.uint32)] * 2, 1),
        seasons,
    )


def context(*histories: Sequence[float]) -> Float64[np.ndarray, "B 512"]:
    """Histories of any length as contexts: their last 512 values, NaN to the left of a shorter one."""
    out = np.full((len(histories), CONTEXT), np.nan)
    for row, values in zip(out, histories, strict=True):
        tail = np.asarray(values, float)[-CONTEXT:]
        row[CONTEXT - len(tail) :] = tail
    return out


@lru_cache(maxsize=64)
def compiled(model: str, horizon: int) -> Callable[[Windows], Any]:
    return jax.jit(partial(resolve(model).predict, horizon=horizon))  # type: ignore[attr-defined]


def forecast(
    model: str, history: Float64[np.ndarray, "B L"], horizon: int = 12, calendar: tuple[int, ...] = ()
) -> Float64[np.ndarray, "B H Q"]:
    """Draws in the data's unit."""
    last = np.array([row[~np.isnan(row)][-1] for row in history], np.float32)
    draws = np.asarray(compiled(model, horizon)(windows(history, calendar)), np.float64)
    return draws + last[:, None, None]
