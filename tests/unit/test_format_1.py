"""C13, C15: results that nbforecast 0.1 saved are found, reused and written anew under their present names."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.forecasters.statistical.naive import SeasonalNaive
from nbforecast.result_cache import format_1, parquet
from nbforecast.result_cache.directory import ASIDE
from nbforecast.result_cache.metadata import FORMAT
from tests.support.cache_files import cut_in_half, foreign, packed_metadata, reopen, rewrite_metadata, text, warnings_of
from tests.support.networks import bolt, gluformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.result_cache.cache import Cache

pytestmark = pytest.mark.slow

SAVED = Path(__file__).parents[1] / "golden" / "saved_by_0_1"
START = dt.datetime(2025, 1, 1)


def hourly(rows: int) -> pl.DataFrame:
    steps = np.arange(rows)
    times = [START + dt.timedelta(hours=int(step)) for step in steps]
    return pl.DataFrame({"ds": times, "y": (20 + 5 * np.sin(steps / 3) + steps % 5).round(2)})


def glucose(rows: int) -> pl.DataFrame:
    steps = np.arange(rows)
    times = [START + dt.timedelta(minutes=5 * int(step)) for step in steps]
    return pl.DataFrame({"ds": times, "y": (120 + 30 * np.sin(steps / 6)).round(1)})


def panel(rows: int) -> pl.DataFrame:
    series = (("A", 1.0), ("B", 2.0))
    return pl.concat([hourly(rows).with_columns(unique_id=pl.lit(i), y=pl.col("y") * by) for i, by in series])


def last(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return contexts[:, -1:] + 0 * np.arange(horizon)


def band(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return contexts[:, -1:, None] + np.zeros((1, horizon, 1)) + np.array([-1.0, 0.0, 1.0])


def request(model: str, frame: pl.DataFrame | None = None, **options: Any) -> nbf.Run:
    """A request of which version 0.1 saved the results."""
    nbf.register("last", last, context=8, key="1")
    nbf.register("band", band, context=8, levels=(0.25, 0.5, 0.75), key="it's (2), None")
    frame = frame if frame is not None else glucose(30) if model == "gluformer" else hourly(20)
    forecaster: Any = {"bolt": bolt, "gluformer": gluformer}.get(model, lambda: model)()
    return nbf.forecast(frame, forecaster, 2, wait=True, **options)


@pytest.fixture
def saved(cache: Cache) -> Cache:
    """A cache over a directory with the files of version 0.1."""
    assert cache.directory is not None
    shutil.copytree(SAVED, cache.directory.path)
    return cache


def names(cache: Cache) -> set[str]:
    assert cache.directory is not None
    return {file.path.name for file in cache.directory.files()}


MODELS = ("auto", "naive", "ridge", "bolt", "gluformer", "last", "band")


@pytest.mark.parametrize("model", MODELS)
def test_C15_results_of_every_model_of_0_1_are_reused(model: str, saved: Cache) -> None:
    before = names(saved)
    run = request(model)
    assert run.inferred == 0
    assert run.reused == run.frame.filter(status="scored").height > 0
    shorter = model == "naive"  # of which there is an entry of 18 rows, too, which has no forecast of its own
    assert len(names(saved)) == len(before) - shorter, (
        "scores are calculated as today, and written in place of the former ones"
    )
    before = names(saved)
    reopen(saved)
    assert request(model).inferred == 0
    assert names(saved) == before, "nothing is written for what is only read"


def test_C15_results_of_another_network_are_not_taken_for_those_of_this_one(saved: Cache) -> None:
    """`pretrained` of 0.1 had other weights and another algorithm."""
    run = request("pretrained")
    assert run.reused == 0
    assert run.inferred == run.frame.filter(status="scored").height > 0


def test_C5_C6_C15_a_panel_with_a_seed_that_0_1_was_forced_to_forecast_is_reused(saved: Cache) -> None:
    run = request("theta", panel(14), seed=3)
    assert (run.inferred, run.reused) == (0, 14)
    assert request("theta", panel(14), seed=4).inferred == 0, "theta draws nothing at random"
    reopen(saved)
    assert request("theta", panel(14), seed=3).inferred == 0
    nbf.cache.drop(run.handle)
    assert request("theta", panel(14), seed=3).inferred == 14, "C16"


@pytest.mark.parametrize("model", ["naive", "bolt"])
def test_C5_C15_results_of_0_1_serve_longer_and_shorter_data(model: str, saved: Cache) -> None:
    assert request(model, hourly(21)).inferred == 1
    assert request(model, hourly(20).tail(16)).inferred == 0


def test_C2_C15_the_status_of_0_1_is_read_and_what_is_missing_is_inferred(saved: Cache) -> None:
    """Four of the eleven origins of this file were dropped before it was saved."""
    before = names(saved)
    run = request("naive", hourly(18))
    assert run.inferred == 4
    whole = request("naive", hourly(18), force=True)
    np.testing.assert_array_equal(run.frame["status"].to_list(), whole.frame["status"].to_list())
    np.testing.assert_allclose(run.array, whole.array, rtol=1e-5)
    nbf.cache.save()
    (gone,) = before - names(saved)
    (new,) = names(saved) - before
    assert gone.split("-")[0] == new.split("-")[0] == run.handle
    assert json.loads(packed_metadata(reopen(saved).path / new))["format"] == FORMAT
    assert request("naive", hourly(18)).inferred == 0


def test_C11_C16_what_0_1_saved_is_listed_and_dropped(saved: Cache) -> None:
    entries = nbf.cache.entries()
    assert sorted(entries["model"]) == sorted([*MODELS, "pretrained", "naive", "theta"])
    for handle in entries["handle"].unique():
        nbf.cache.drop(handle)
    assert not names(saved)
    assert request("naive").inferred == 13


def test_C15_an_entry_saved_under_both_names_becomes_one(saved: Cache) -> None:
    """An older version goes on writing its own names."""
    request("naive", hourly(18))
    nbf.cache.save()
    shutil.copytree(SAVED, saved.directory.path, dirs_exist_ok=True)  # type: ignore[union-attr]
    reopen(saved)
    before = names(saved)
    request("naive", hourly(18), force=True)
    nbf.cache.save()
    assert len(before) - len(names(saved)) == 1


def test_C15_another_version_of_an_algorithm_reuses_nothing(saved: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeasonalNaive, "algorithm_version", 2)
    assert request("naive").inferred == 13


@pytest.mark.parametrize("damage", [cut_in_half, foreign, text])
def test_C13_C15_a_damaged_file_of_0_1_is_set_aside(
    damage: Callable[[Path], None], saved: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    assert saved.directory is not None
    for file in saved.directory.files():
        damage(file.path)
    assert request("ridge").inferred == 13
    assert any("is set aside" in warning for warning in warnings_of(caplog))


FORGED: dict[str, dict[str, Any]] = {
    "a model that was named otherwise": {"model": "naive"},
    "a model of another name": {"model": "other|key|seed=0|gap=12"},
    "another gap rule": {"max_gap": 3},
    "another horizon": {"horizon": 3},
    "a model that is no text": {"model": 7},
    "no model": {"model": None},
}


@pytest.mark.parametrize("kind", FORGED)
def test_C13_C15_a_file_of_0_1_whose_metadata_are_not_its_own_is_set_aside(
    kind: str, saved: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    assert saved.directory is not None
    (file,) = (f for f in saved.directory.files() if parquet.read_metadata(f.path).spec.model.name == "ridge")
    rewrite_metadata(file.path, lambda facts: facts | FORGED[kind])
    reopen(saved)
    assert request("ridge").inferred == 13
    assert len(warnings_of(caplog)) == 1
    assert len(list((saved.directory.path / ASIDE).iterdir())) == 1


def test_C15_each_key_of_0_1_and_its_present_one_name_each_other() -> None:
    seen = set()
    for path in SAVED.glob("*.parquet"):
        model = parquet.read_metadata(path).spec.model
        former = format_1.former_key(model.name, model.key)
        assert former is not None
        assert format_1.current_key(model.name, former) == model.key != former
        assert path.stem in parquet.read_metadata(path).key.names
        seen.add(model.name)
    assert seen == {*MODELS, "pretrained", "theta"}


@pytest.mark.parametrize("key", ["", "mine", "theta", "v1 x=1", "SeasonalNaive(name='naive', context=512)"])
def test_C15_the_key_of_somebodys_own_forecaster_stays(key: str) -> None:
    assert format_1.current_key("x", key) == format_1.former_key("x", key) == key


@pytest.mark.parametrize("key", ["theta v1", "theta v2 context=512", "chronos-bolt v1 x=[[[", "function v1 code=1"])
def test_C15_a_key_that_0_1_did_not_have_has_no_former_one(key: str) -> None:
    assert format_1.former_key("x", key) is None
