"""Forecasts of every model for a few deterministic series, as they are committed beside its key (C15)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
import polars as pl

from nbforecast.data import prepare
from nbforecast.device import devices
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.registry import resolve
from tests.support.networks import bolt, chronos2, gluformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float32

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster

DIRECTORY = Path(__file__).parents[1] / "golden"
ORIGINS = (0, -29)  # indices of each series that are forecast
ROUNDING = 2e-5  # of a row's scale
EPSILON = 4e-7  # of a row's largest value: some units in the last place of float32


class Difference(NamedTuple):
    """How far forecasts are from the golden ones: the largest difference over the tolerance, and where it is."""

    size: float
    place: str


def _noise(rows: int, seed: int) -> np.ndarray:
    """Numbers between -1 and 1 that look random, the same everywhere: a linear congruential generator."""
    state, values = seed, []
    for _ in range(rows):
        state = (state * 1103515245 + 12345) % 2**31
        values.append(state / 2**30 - 1)
    return np.array(values)


def _series(rows: int, day_length: int) -> dict[str, np.ndarray]:
    """Series of the kinds that forecasters treat differently."""
    step = np.arange(rows)
    noise = _noise(rows, 1)
    day, week = (np.sin(step * 2 * np.pi / length) for length in (day_length, 7 * day_length))
    gaps = 30 + 8 * day + noise
    gaps[[40, 41, 42, 150, *range(200, 230), rows - 20, rows - 2]] = np.nan
    return {
        "seasonal": 50 + 10 * day + 2 * noise,
        "two seasons": 100 + 10 * day + 15 * week + noise,
        "trending": 5 + 0.3 * step + 4 * noise,
        "growing": 20 * np.exp(step * 330 / rows / 90 + 0.1 * noise),
        "constant": np.full(rows, 7.25),
        "gaps": gaps,
        "short": 3 + _noise(42, 2),
        "counts": np.floor(np.maximum(3 * _noise(rows, 3), 0) + (step % day_length == 8)),
        "large": 3e7 + 2e6 * day + 4e5 * noise,
        "noise": _noise(rows, 4),
    }


# the width of a step, the rows of a series, and the steps of its day; the last are longer than any context
_GRIDS = {
    "1h": (pl.duration(hours=1), 330, 24),
    "5min": (pl.duration(minutes=5), 330, 24),
    "15min": (pl.duration(minutes=15), 2100, 96),
}


def dataset(step: str) -> Dataset:
    """The series as one panel, on a grid of some width."""
    width, rows, day_length = _GRIDS[step]
    frames = [
        pl.select(
            unique_id=pl.lit(name),
            ds=pl.datetime(2025, 1, 6) + width * pl.int_range(len(values)),
            y=pl.Series(values).fill_nan(None),
        )
        for name, values in _series(rows, day_length).items()
    ]
    return prepare(pl.concat(frames), freq=step)


def _steps(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """A user's function: the last value, moved by a band that widens."""
    away = np.sqrt(np.arange(1, horizon + 1))[:, None] * np.array([-1.0, 0.0, 1.0])
    return contexts[:, -1, None, None] + away


class Case(NamedTuple):
    """A model and the part of its forecasts that is kept.

    Attributes:
        model: Returns the forecaster.
        grid: The frequency of the series.
        steps: The kept steps of each horizon.
        levels: The kept draws; None keeps all of them.
        absolute: The tolerance in the data's unit, for a model whose scaling does not depend on the series.
    """

    model: Callable[[], Forecaster]
    grid: str
    steps: dict[int, list[int]]
    levels: list[int] | None = None
    absolute: float = 0.0


_ANY = {1: [0], 12: [0, 5, 11], 70: [0, 31, 63, 64, 69]}
# Among 50 past errors the quantile at .65 is the 33rd itself. Rounding decides between it and its neighbour, and XLA
# rounds as it fuses; so this level differs between compilations by more than rounding.
_LEVELS = [0, 1, 2, 3, 4, 5, 7, 8, 9]
CASES = {
    "pretrained": Case(lambda: resolve("pretrained"), "1h", _ANY),
    "pretrained-long": Case(lambda: resolve("pretrained"), "15min", {12: [0, 5, 11]}),
    "auto": Case(lambda: resolve("auto"), "1h", _ANY, _LEVELS),
    "naive": Case(lambda: resolve("naive"), "1h", _ANY, _LEVELS),
    "theta": Case(lambda: resolve("theta"), "1h", _ANY, _LEVELS),
    "ridge": Case(lambda: resolve("ridge"), "1h", _ANY, _LEVELS),
    "chronos-bolt": Case(bolt, "1h", {1: [0], 12: [0, 5, 11], 40: [15, 16, 39]}),
    "chronos-2": Case(chronos2, "1h", {12: [0, 5, 11]}, [0, 2, 10, 20]),
    "gluformer": Case(gluformer, "5min", {1: [0], 6: [0, 3, 5]}, absolute=1e-3),
    "function": Case(
        lambda: FunctionForecaster(_steps, "function", context=8, levels=(0.1, 0.5, 0.9), key="1"), "1h", {12: [0, 11]}
    ),
}


def forecasts(case: Case, data: Dataset, rows: np.ndarray) -> dict[str, Float32[np.ndarray, "R S Q"]]:
    """The kept part of a model's forecasts, by horizon."""
    forecaster = case.model()
    levels = slice(None) if case.levels is None else case.levels
    with jax.default_device(devices()[0]):  # as in the engine, or it is traced once more
        return {
            f"horizon {horizon}": forecaster.forecast(data, rows, horizon, seed=5)[:, steps][..., levels]
            for horizon, steps in case.steps.items()
        }


def rows_of(case: Case, data: Dataset) -> np.ndarray:
    """The rows of `ORIGINS` in each series that the model can forecast."""
    rows = np.sort(np.concatenate([data.offsets[1:] - 1 + index for index in ORIGINS]))
    return rows[case.model().availability(data)[rows] == 0]


def largest_difference(
    case: Case, data: Dataset, rows: np.ndarray, new: dict[str, np.ndarray], golden: dict[str, np.ndarray]
) -> Difference:
    """The largest difference between two sets of forecasts, in tolerances: beyond 1 it is more than rounding."""
    scale = {
        name: np.nan_to_num(np.nanstd(values)) * ROUNDING + np.nanmax(np.abs(values)) * EPSILON + case.absolute
        for name, values in ((n, data.values[slice(*data.offsets[i : i + 2])]) for i, n in enumerate(data.ids))
    }
    names = [data.ids[i] for i in np.searchsorted(data.offsets, rows, side="right") - 1]
    worst = Difference(0.0, "nowhere")
    for horizon, values in new.items():
        away = np.abs(values.astype(np.float64) - golden[horizon]).max((1, 2))
        for name, row, difference in zip(names, rows, away, strict=True):
            size = float(difference / scale[name]) if np.isfinite(difference) else np.inf
            if size > worst.size:
                worst = Difference(size, f"the series {name!r}, row {row}, {horizon}")
    return worst


def load(name: str) -> tuple[str, dict[str, np.ndarray]]:
    """The committed key and forecasts of a model."""
    with np.load(DIRECTORY / f"{name}.npz") as file:
        return str(file["key"]), {field: file[field] for field in file.files if field != "key"}
