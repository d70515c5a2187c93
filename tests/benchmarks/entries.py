"""Entries and files to measure on."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.registry import resolve
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS, Calculations, calculate, draw_levels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.snapshot import Snapshot

HORIZON, DRAWS, BLOCK = 12, 10, 16_384
MAX_GAP = 3  # of daily data
SPEC = ForecastSpec(ModelSpec("benchmark", "benchmark", 0, MAX_GAP), HORIZON, draw_levels(None, DRAWS), 512)


def real_entry(data: Dataset, model: str) -> Entry:
    """An entry of real forecasts."""
    forecaster = resolve(model)
    levels = draw_levels(forecaster.levels, forecaster.draws)
    spec = ForecastSpec(ModelSpec(model, forecaster.key, 0, data.max_gap), HORIZON, levels, forecaster.context)
    entry = Entry(data, spec, forecaster.availability(data))
    there = np.flatnonzero(entry.reasons == 0)
    for at in range(0, len(there), 512):
        rows = there[at : at + 512]
        draws = run_inference(forecaster, data, rows, HORIZON)
        entry.write_forecasts(rows, draws)
        entry.write_calculations(rows, calculate(draws, data.actuals(rows, HORIZON), levels, 512))
    return entry


def made_up_entry(data: Dataset, spec: ForecastSpec, *, constant: bool = False) -> Entry:
    """A complete entry of made-up forecasts."""
    entry = Entry(data, spec, np.zeros(len(data), np.uint8))
    shape = (min(BLOCK, len(data)), HORIZON, DRAWS)
    made = np.full(shape, 100) if constant else np.random.default_rng(1).normal(100, 5, shape)
    block = np.sort(made.astype(np.float32), -1)
    for at in range(0, len(data), BLOCK):
        rows = np.arange(at, min(at + BLOCK, len(data)))
        draws = block[: len(rows)]
        step = draws[..., 0]
        entry.write_forecasts(rows, draws)
        entry.write_calculations(
            rows, Calculations(step, draws[..., : len(QUANTILE_LEVELS)], step, step, step, draws[..., :3])
        )
    return entry


def daily(count: int, seed: int = 0) -> pl.DataFrame:
    values = np.random.default_rng(seed + 10).normal(size=count).cumsum() + 100
    start = np.datetime64("2015-01-01", "D")
    return pl.DataFrame({"unique_id": ["sales"] * count, "ds": start + np.arange(count), "y": values})


def saved(frame: pl.DataFrame) -> Snapshot:
    return made_up_entry(prepare(frame), SPEC, constant=True).snapshot()[0]


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nbforecast-benchmark-") as path:
        yield Path(path)
