"""Batches of contexts straight from arrays, for tests and benchmarks of forecasters."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nbforecast.device import devices
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.scaled_context import scale_context
from nbforecast.forecasters.windows import N_SEASONS, Windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float64

CONTEXT = 512
past_of = jax.jit(scale_context)  # one compilation instead of one for each operation
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
    parts: tuple[Any, ...] = (
        (values - location[:, None]).astype(np.float32),
        observed,
        location.astype(np.float32),
        np.arange(len(values), dtype=np.int32),
        np.stack([np.arange(len(values), dtype=np.uint32)] * 2, 1),
        seasons,
    )
    return Windows(*parts)


def context(*histories: Sequence[float]) -> Float64[np.ndarray, "B 512"]:
    """Histories of any length as contexts: their last 512 values, NaN to the left of a shorter one."""
    out = np.full((len(histories), CONTEXT), np.nan)
    for row, values in zip(out, histories, strict=True):
        tail = np.asarray(values, float)[-CONTEXT:]
        row[CONTEXT - len(tail) :] = tail
    return out


def forecast(
    model: str, history: Float64[np.ndarray, "B L"], horizon: int = 12, calendar: tuple[int, ...] = ()
) -> Float64[np.ndarray, "B H Q"]:
    """Draws in the data's unit, in batches of one size: compiled once for each horizon."""
    predict = resolve(model).compiled(horizon, 0)  # type: ignore[attr-defined]
    last = np.array([row[~np.isnan(row)][-1] for row in history], np.float32)
    with jax.default_device(devices()[0]):  # as in the engine, or it is traced once more
        draws = np.concatenate([np.asarray(predict(w))[:n] for w, n in batches(history, calendar)])
    return draws.astype(np.float64) + last[:, None, None]


def batches(
    history: Float64[np.ndarray, "B L"], calendar: tuple[int, ...] = (), sizes: tuple[int, ...] = (32,)
) -> Iterator[tuple[Windows, int]]:
    """Contexts in batches of the smallest sizes that hold them, filled up with the last, and how many are not."""
    for at in range(0, len(history), sizes[-1]):
        part = history[at : at + sizes[-1]]
        size = next(b for b in sizes if b >= len(part))
        yield windows(np.concatenate([part, np.repeat(part[-1:], size - len(part), 0)]), calendar), len(part)
