"""C5, E8: a seed counts for models that use it, and for no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.base import uses_seed
from nbforecast.forecasters.registry import resolve
from nbforecast.result_cache import format_1
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.scoring.origin_scores import draw_levels
from tests.support.cache_files import LastValueModel, reopen
from tests.support.networks import bolt, gluformer

if TYPE_CHECKING:
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.cache import Cache

DATA = pl.DataFrame({"ds": np.arange(40), "y": np.arange(40.0)})


def last(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return contexts[:, -1:] + 0 * np.arange(horizon)


def noisy(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(contexts), horizon))


MODELS: dict[str, tuple[Forecaster, bool]] = {
    **{name: (resolve(name), False) for name in ("naive", "theta", "ridge", "auto", "pretrained")},
    "bounded": (resolve("naive", 0.0, 10.0), False),
    "bolt": (bolt(), False),
    "gluformer": (gluformer(), True),
    "function": (FunctionForecaster(last, "last", context=4, key='1" seeded=true'), False),
    "function of a seed": (FunctionForecaster(noisy, "noisy", context=4, seeded=True, key="seeded=false"), True),
    "somebody's own": (LastValueModel(), True),
}


@pytest.mark.parametrize("name", MODELS)
def test_C5_E8_specs_of_other_seeds_are_equal_where_the_seed_is_not_used(name: str) -> None:
    model, is_seeded = MODELS[name]
    assert uses_seed(model) == is_seeded
    assert format_1.names_unused_seed(model.key) == (not is_seeded and " v1" in model.key), "only old files do"
    data = prepare(DATA, freq=1)
    one, other = (ForecastSpec.from_forecaster(model, data, 3, seed) for seed in (0, 7))
    assert (one == other) == (one.group == other.group) != is_seeded


@pytest.mark.parametrize("restart", [False, True], ids=["", "after a restart"])
def test_C5_a_deterministic_model_asked_with_another_seed_is_reused(cache: Cache, restart: bool) -> None:
    first = nbf.forecast(DATA, "naive", 3, freq=1, seed=1, wait=True)
    if restart:
        reopen(cache)
    again = nbf.forecast(DATA, "naive", 3, freq=1, seed=2, wait=True)
    assert (again.inferred, again.seed) == (0, 2)
    np.testing.assert_array_equal(again.array, first.array)
    noise = FunctionForecaster(noisy, "noisy", context=4, seeded=True, key="1")
    runs = [nbf.forecast(DATA, noise, 3, freq=1, seed=seed, wait=True) for seed in (1, 2, 1)]
    assert [run.inferred > 0 for run in runs] == [True, True, False]


def test_C5_C15_files_that_name_an_unused_seed_are_found_and_removed(cache: Cache) -> None:
    """Files were named by the seed of the request, whatever the model."""
    assert cache.directory is not None
    naive, data = resolve("naive"), prepare(DATA, freq=1)
    model = ModelSpec(naive.name, naive.key, 3, data.max_gap)
    entry = Entry(
        data, ForecastSpec(model, 3, draw_levels(naive.levels, naive.draws), naive.context), naive.availability(data)
    )
    rows = np.flatnonzero(entry.reasons == 0)
    entry.write_forecasts(rows, np.full((len(rows), 3, naive.draws), 5, np.float32))
    cache.directory.write(entry.snapshot()[0])
    run = nbf.forecast(DATA, "naive", 3, freq=1, seed=3, wait=True)
    assert run.inferred == 0
    assert (run.array[rows] == 5).all()
    assert [file.group for file in cache.directory.files()] == [run.spec.group], "calculations are saved under one name"
    assert nbf.cache.entries().height == 1
    reopen(cache)
    assert nbf.forecast(DATA, "naive", 3, freq=1, seed=4, wait=True).inferred == 0
    nbf.cache.drop(run.handle)
    assert not cache.directory.files()
