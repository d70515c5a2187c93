"""F3, F4, H2, L1, E8: Chronos-2 equals the reference on its weights, and reads covariates as the reference does."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters.chronos2.forecaster import Chronos2
from nbforecast.forecasters.chronos2.unroll import extend
from nbforecast.forecasters.registry import resolve
from tests.support.networks import CHRONOS2, chronos2, chronos2_config, golden, save_chronos2

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.cache import Cache

SEEDED = "chronos2_seeded.npz"
COVARIATES = {"target": "y", "future_covariates": ["temp", "weather"], "past_covariates": ["traffic"]}
FAR = 67  # steps, one pass and a bit


@partial(jax.jit, static_argnums=(1, 4, 5))
def compiled(weights: Any, sizes: Any, context: Any, future: Any, horizon: int, targets: int) -> Any:
    return extend(weights, sizes, context, future, horizon, targets)


def pad(values: np.ndarray, length: int = CHRONOS2.context) -> np.ndarray:
    newest = np.atleast_2d(values)[:, -length:]
    return np.pad(newest, ((0, 0), (length - newest.shape[1], 0)), constant_values=np.nan)


def assert_near(found: np.ndarray, expected: np.ndarray, context: np.ndarray, steps: int = 64) -> None:
    """Within 1e-5 of the context's deviation and 1e-6 of its largest value; four times as much after the first pass."""
    context = pad(context)
    is_observed = ~np.isnan(context)
    count = np.maximum(is_observed.sum(1), 1)
    mean = np.where(is_observed, context, 0).sum(1) / count
    deviation = np.sqrt(np.where(is_observed, (context - mean[:, None]) ** 2, 0).sum(1) / count)
    deviation = np.where(is_observed.any(1), np.maximum(deviation, 1e-5), 1.0)
    limit = 1e-5 * deviation + 1e-6 * np.where(is_observed, np.abs(context), 0).max(1)
    limit = limit[: len(expected), None, None] * np.where(np.arange(expected.shape[-1]) < steps, 1, 4)
    assert (np.abs(found - expected) <= limit).all(), (np.abs(found - expected) / limit).max()


def test_F3_lone_series_equal_the_reference() -> None:
    """NaN inside, left, right and everywhere; constants, counts, offsets; any length; one pass and unrolled ones."""
    numbers, model = np.load(golden(SEEDED)), chronos2()
    meta = json.loads(str(numbers["meta"]))
    assert model.digest == meta["weights"], "random weights are no longer those of the reference's numbers"
    series = [numbers[f"in/uni/{name}"] for name in meta["names"]]
    contexts = np.concatenate([pad(values) for values in series])[:, None]
    for horizon, stride in ((12, 1), (133, 5)):
        found = np.asarray(compiled(model.placed, CHRONOS2, contexts, None, horizon, 1))
        for number, values in enumerate(series):
            expected = numbers[f"out/uni/h{horizon}/{number}"]
            assert_near(found[number][:, ::stride], expected, values)


def test_F3_variates_of_a_group_equal_the_reference() -> None:
    numbers, model = np.load(golden(SEEDED)), chronos2()
    contexts = numbers["in/multi/0"]
    found = np.asarray(compiled(model.placed, CHRONOS2, contexts[None], None, 12, 3))[0]
    assert_near(found, numbers["out/multi/h12/0"], contexts)


@pytest.mark.slow
def test_F3_the_shared_reference_numbers_are_met() -> None:
    numbers, model = np.load(golden("chronos2_tiny.npz")), Chronos2.load(golden("chronos2_tiny"))
    names = json.loads(str(numbers["meta"]))["cases"]["uni"]
    contexts = np.concatenate([pad(numbers[f"in/uni/{name}"]) for name in names])[:, None]
    for horizon in (17, 96):
        found = np.asarray(compiled(model.placed, model.sizes, contexts, None, horizon, 1))
        for number, context in enumerate(contexts):
            assert_near(found[number], numbers[f"out/uni/h{horizon}/{number}"], context)
    for number in range(2):
        part = f"in/cov/h67/{number}"
        parts = [numbers[f"{part}/{name}"] for name in ("target", "past/past_only", "past/temp")]
        future = np.full((1, 3, 67), np.nan, np.float32)
        future[0, 2] = numbers[f"{part}/future/temp"]
        context = np.concatenate([pad(values) for values in parts])[None]
        found = np.asarray(compiled(model.placed, model.sizes, context, future, 67, 1))
        assert_near(found[0], numbers[f"out/cov/h67/{number}"], parts[0])


def panel() -> pl.DataFrame:
    """A series with numbers and categories beside it, some of them missing, and its horizon."""
    numbers = np.load(golden(SEEDED))
    temp, weather = numbers["in/cov/temp"], numbers["in/cov/weather"]
    beyond = np.full(len(temp) - len(numbers["in/cov/y"]), np.nan, np.float32)
    return pl.DataFrame(
        {
            "ds": np.datetime64("2025-01-06", "us") + np.arange(len(temp)) * np.timedelta64(1, "h"),
            "y": np.append(numbers["in/cov/y"], beyond),
            "temp": temp,
            "weather": pl.Series(weather.tolist()).replace("", None),
            "traffic": np.append(numbers["in/cov/traffic"], beyond),
        }
    ).with_columns(pl.col("y", "temp", "traffic").fill_nan(None))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(panel(), freq="1h", **COVARIATES)


def test_H2_F3_covariates_and_categories_equal_the_reference(data: Dataset) -> None:
    """Known ahead, known up to the origin, categories (one new in the horizon), missing values, a short history."""
    numbers = np.load(golden(SEEDED))
    rows = numbers["in/cov/rows"]
    found = chronos2().forecast(data, rows, FAR)
    for number, row in enumerate(rows.tolist()):
        context = numbers["in/cov/y"][max(row - 127, 0) : row + 1]
        assert_near(found[number].T[None, ::5], numbers[f"out/cov/h{FAR}/{number}"], context)
