"""E2, E7: every program of the package lowers for NVIDIA GPUs, which no machine of the tests has."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.window_forecaster import WindowForecaster
from nbforecast.forecasters.windows import cut_windows
from nbforecast.scoring import origin_scores
from tests.support import networks

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.forecasters.windows import Windows

HORIZON, BATCH = 6, 4


def lower_for_gpus(function: Callable[..., Any], *arguments: object) -> str:
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), np.asarray(x).dtype), arguments)
    exported = jax.export.export(jax.jit(function), platforms=["cuda"])(*shapes)
    assert exported.platforms == ("cuda",)
    return exported.mlir_module()


def windows(model: WindowForecaster) -> Windows:
    times = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 4), "5m", eager=True)
    data = prepare(pl.DataFrame({"ds": times, "y": np.sin(np.arange(len(times)) / 9)}))
    rows = np.arange(len(data) - BATCH, len(data))
    cut, _ = cut_windows(data, rows, model.context)
    return cut._replace(covariates=model.covariates(data, rows, HORIZON))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["auto", "pretrained", "bolt", "chronos2", "gluformer"])
def test_E2_models_lower_for_gpus(name: str) -> None:
    model = getattr(networks, name)() if hasattr(networks, name) else resolve(name)
    assert isinstance(model, WindowForecaster)
    assert "stablehlo" in lower_for_gpus(partial(model.predict, horizon=HORIZON), windows(model))


def test_E2_calculations_lower_for_gpus() -> None:
    levels = tuple(np.linspace(0.05, 0.95, 10).tolist())
    draws, row = np.zeros((BATCH, HORIZON, 10), np.float32), np.zeros((BATCH, HORIZON), np.float32)
    assert "stablehlo" in lower_for_gpus(origin_scores._compiled_calculations(levels), draws, row[:, 0], row, row)
    assert "stablehlo" in lower_for_gpus(origin_scores._compiled_densities(), draws)
