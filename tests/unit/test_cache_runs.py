"""C10, C11, E5, M6: runs of what the cache holds, without the frame; entries inferred anew; one of several named."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.cache_manager.handles import shortest_name
from nbforecast.cli import main
from nbforecast.forecasters import registry
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.result_cache.inventory import inventory
from tests.support.explorers import DRIFT, drift, series

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.result_cache.cache import Cache


@pytest.fixture
def frame(cache: Cache) -> pl.DataFrame:
    return series(120, 11)


@pytest.mark.parametrize("on_disk", [False, True])
def test_C11_a_run_of_an_entry_needs_no_frame_and_infers_nothing(frame: pl.DataFrame, on_disk: bool) -> None:
    before = nbf.forecast(frame, "naive", wait=True, name="load")
    nbf.cache.flush(disk=False, memory=on_disk)
    counts = session.engine().statistics
    run = nbf.cache.run(before.handle[:6]).wait()
    assert (run.model, run.horizon, run.data.names.frame) == ("naive", 12, "load")
    assert (run.inferred, run.reused, run.progress) == (0, before.available, 1.0)
    np.testing.assert_array_equal(run.array, before.array)
    assert run.scores().equals(before.scores())
    after = session.engine().statistics
    assert (after.inferred, after.answers) == (counts.inferred, counts.answers)


def test_C10_C11_what_a_run_of_an_entry_lacks_of_calculations_is_made(frame: pl.DataFrame) -> None:
    handle = nbf.forecast(frame, "naive", wait=True).handle
    nbf.cache.drop(handle, only="quantiles", index="-49:0")
    run = nbf.cache.run(handle).wait()
    assert (run.inferred, run.progress) == (0, 1.0)


def test_C11_a_known_model_infers_an_origin_when_it_is_asked_for(frame: pl.DataFrame) -> None:
    before = nbf.forecast(frame, "naive", wait=True)
    expected = before.at(-5).draws
    nbf.cache.drop(before.handle, index="-24:0")
    run = nbf.cache.run(before.handle).wait()
    assert run.available - run.calculated == 25
    np.testing.assert_allclose(run.at(-5).draws, expected, rtol=1e-5)
    assert run.available - run.calculated == 24


def test_E5_an_origin_of_a_model_that_is_not_known_says_so(frame: pl.DataFrame) -> None:
    handle = nbf.forecast(frame, FunctionForecaster(drift, "mine", context=8, draws=10), wait=True).handle
    gc.collect()
    nbf.cache.drop(handle, index=-5)
    run = nbf.cache.run(handle).wait()
    assert run.at(-6).index == -6
    for request in (lambda: run.at(-5), lambda: nbf.cache.recompute(handle)):
        with pytest.raises(nbf.NbForecastError, match=r"'mine' .* is not known to this kernel\. Run the cells"):
            request()


def test_C11_a_model_that_was_handed_over_is_known_while_somebody_holds_it(frame: pl.DataFrame) -> None:
    mine = FunctionForecaster(drift, "held", context=8, draws=10)
    before = nbf.forecast(frame, mine, wait=True)
    nbf.cache.drop(before.handle, index=-5)
    assert nbf.cache.run(before.handle).at(-5).index == -5
    assert nbf.cache.recompute(before.handle).wait().inferred == before.available


def test_C11_a_registered_model_of_the_same_name_but_other_code_is_not_taken(
    frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_models", "_forecasters"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    nbf.register("twice", drift, context=8, draws=10)
    handle = nbf.forecast(frame, "twice", wait=True).handle
    assert nbf.cache.recompute(handle).wait().done
    nbf.register("twice", drift, context=9, draws=10)
    with pytest.raises(nbf.NbForecastError, match="is not the model that these results were made by"):
        nbf.cache.recompute(handle)


@pytest.mark.parametrize("on_disk", [False, True])
def test_C7_C11_recomputing_infers_all_anew_and_replaces_what_was_kept(frame: pl.DataFrame, on_disk: bool) -> None:
    before = nbf.forecast(frame, "naive", wait=True, seed=7)
    nbf.cache.flush(disk=False, memory=on_disk)
    run = nbf.cache.recompute(before.handle).wait()
    assert (run.inferred, run.reused) == (run.available, 0)
    np.testing.assert_allclose(run.array, before.array, rtol=1e-5)
    assert nbf.cache.entries().height == 1
    assert nbf.forecast(frame, "naive", seed=7).reused == run.available
    assert session.results().peek(run.entry_slice.key).entry is run.entry_slice.entry  # type: ignore[union-attr]


def test_C11_of_several_results_of_a_handle_one_is_named(cache: Cache, frame: pl.DataFrame) -> None:
    first = nbf.forecast(frame, DRIFT, wait=True)
    other = FunctionForecaster(drift, "other", context=8, draws=10)
    for model, horizon in ((DRIFT, 6), (DRIFT, 7), (other, 12)):
        nbf.forecast(frame, model, horizon, wait=True)
    with pytest.raises(
        nbf.NbForecastError, match=r"has 4 results: .*\(drift, horizon 6\).* Give one of these"
    ) as caught:
        nbf.cache.run(first.handle)
    with pytest.raises(nbf.NbForecastError, match="has 3 results"):
        nbf.cache.recompute(first.handle, "drift")
    assert nbf.cache.run(first.handle, "other").model == "other"
    items = inventory(cache)
    for item in items:
        name = shortest_name(item, items)
        assert len(name) == (2 if item.model == "other" else 1)
        assert name[0] in str(caught.value)
        assert nbf.cache.run(*name).entry_slice.key == nbf.cache.run(str(item.key)).entry_slice.key == item.key
    assert nbf.cache.drop(str(items[0].key)).entries == 1
    assert {str(i.key) for i in inventory(cache)} == {str(i.key) for i in items[1:]}
    with pytest.raises(nbf.NbForecastError, match="has no entry"):
        nbf.cache.drop(str(items[0].key))


def test_C11_M4_the_command_line_recomputes_an_entry(frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    run = nbf.forecast(frame, "naive", wait=True)
    assert main(["cache", "recompute", run.handle[:8], "-m", "naive"]) == 0
    assert f"done ({run.available} inferred, 0 reused)" in capsys.readouterr().out
    assert main(["cache", "run", run.handle]) == 0
    assert "done (0 inferred" in capsys.readouterr().out
