"""C6, C7a: what was made with `force` lasts: the newest word wins in every later reuse, restart or eviction."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.snapshot import has_forecast
from tests.support.blocking_model import PATIENCE, BlockingModel, Gate
from tests.support.cache_files import LastValueModel, reopen
from tests.support.deterministic_engine import HORIZON, CountingModel, decode
from tests.support.engine_fixture import WHOLE, EngineFixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.cache import Cache
    from nbforecast.run import Run

ROWS, PART = 30, 12


class DriftingModel(LastValueModel):
    """Forecasts change although its key does not: a fault that `force` mends; `edition` is what it adds."""

    def __init__(self) -> None:
        super().__init__()
        self.edition = 0.0

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        return super().forecast(data, rows, horizon, seed) + np.float32(self.edition)


def frame(rows: int = ROWS) -> pl.DataFrame:
    return pl.DataFrame({"ds": np.arange(rows), "y": np.zeros(rows)})


def editions(run: Run) -> list[float]:
    return run.array[:, 0, 4:6].mean(1).round().tolist()


@pytest.fixture
def model(cache: Cache) -> DriftingModel:
    """A model whose first edition has forecast a whole history, and whose second one its newest part, with force."""
    model = DriftingModel()
    nbf.forecast(frame(), model, freq=1, wait=True)
    model.edition = 1
    forced = nbf.forecast(frame().tail(PART), model, freq=1, force=True, wait=True)
    assert editions(forced) == [1.0] * PART
    model.edition = 2
    return model


RESTART = pytest.mark.parametrize("restart", [False, True], ids=["", "after a restart"])


@RESTART
def test_C6_opening_the_longer_history_leaves_a_forced_part(cache: Cache, model: DriftingModel, restart: bool) -> None:
    if restart:
        reopen(cache)
    longer = nbf.forecast(frame(), model, freq=1, wait=True)
    cache.complete(longer.entry_slice, publish=True)
    assert editions(nbf.forecast(frame().tail(PART), model, freq=1, wait=True)) == [1.0] * PART
    reopen(cache)
    assert editions(nbf.forecast(frame().tail(PART), model, freq=1, wait=True)) == [1.0] * PART


@RESTART
@pytest.mark.parametrize("what", ["appended", "shorter"])
def test_C5_C6_forced_forecasts_are_reused_before_those_of_larger_entries(
    cache: Cache, model: DriftingModel, restart: bool, what: str
) -> None:
    if restart:
        reopen(cache)
    if what == "appended":
        run = nbf.forecast(frame(ROWS + 1), model, freq=1, wait=True)
        assert editions(run) == [0.0] * (ROWS - PART) + [1.0] * PART + [2.0]
    else:
        run = nbf.forecast(frame().tail(PART - 2), model, freq=1, wait=True)
        assert editions(run) == [1.0] * (PART - 2)
    reopen(cache)
    again = nbf.forecast(frame(ROWS + 1) if what == "appended" else frame().tail(PART - 2), model, freq=1, wait=True)
    assert editions(again) == editions(run)


def test_C6_C7a_a_forced_origin_stays_when_a_long_run_replaces_its_entry(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    long = fixture.forecast()
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()
    forced = fixture.run(force=True)
    newest, old = forced.at(0).draws, forced.at(-11).draws
    fixture.cache.publish(forced.entry_slice, force=True)
    fixture.model.background.open()
    long.wait(PATIENCE)
    assert fixture.current_entry() is long.entry_slice.entry, "A is bigger"
    again = fixture.run()
    np.testing.assert_array_equal(again.at(0).draws, newest, "A had inferred it before")
    np.testing.assert_array_equal(again.at(-11).draws, old, "A had not")
    assert again.progress == 1
    assert (long.entry_slice.entry.forced_times > 0).tolist() == [True] + [False] * 10 + [True]


def test_C6_C13_forced_rows_outlive_what_another_kernel_holds_of_them(cache: Cache) -> None:
    model = DriftingModel()
    first = nbf.forecast(frame(), model, freq=1, wait=True)
    old = first.entry_slice.entry.snapshot()[0]
    model.edition = 1
    nbf.forecast(frame(), model, freq=1, origins=slice(-3, -2), force=True, wait=True)
    cache.directory.write(old)  # another kernel saves what it holds
    reopen(cache)
    model.edition = 2
    run = nbf.forecast(frame(), model, freq=1, wait=True)
    assert editions(run) == [0.0] * (ROWS - 4) + [1.0, 1.0, 0.0, 0.0]
    assert run.inferred == 0


def test_C6_loading_a_folder_leaves_what_was_forced_later(
    cache: Cache, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = DriftingModel()
    nbf.forecast(frame(), model, freq=1, wait=True)
    before = tmp_path_factory.mktemp("before")
    nbf.cache.save(before)
    model.edition = 1
    run = nbf.forecast(frame(), model, freq=1, force=True, wait=True)
    after = tmp_path_factory.mktemp("after")
    nbf.cache.save(after)
    nbf.cache.load(before)
    assert editions(nbf.forecast(frame(), model, freq=1, wait=True)) == [1.0] * ROWS
    nbf.cache.flush()
    nbf.cache.load(before)
    nbf.cache.load(after)
    assert editions(nbf.forecast(frame(), model, freq=1, wait=True)) == editions(run)


def test_C3_C6_forced_rows_replace_others_without_changing_what_was_read(fixture: EngineFixture) -> None:
    run = fixture.forecast().wait(PATIENCE)
    array, copied, entry = run.array, run.array.copy(), run.entry_slice.entry
    forced = fixture.run(force=True)
    forced.at(-3)
    forced_rows = np.flatnonzero(has_forecast(forced.entry_slice.status))
    entry.adopt(forced_rows, forced.entry_slice.entry.read(forced_rows))
    np.testing.assert_array_equal(array, copied)
    assert np.flatnonzero((entry.array("forecast") != copied).any((1, 2))).tolist() == [WHOLE.row(-3)]
    assert EntrySlice.whole(entry).complete


def test_C6_E4_two_equal_forced_requests_in_flight_are_one(cache: Cache) -> None:
    gate = Gate()
    gate.close()

    class Gated(DriftingModel):
        def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
            gate.pass_through()
            return super().forecast(data, rows, horizon, seed)

    model = Gated()
    first = nbf.forecast(frame(), model, freq=1, force=True)
    gate.wait_for_arrival()
    second = nbf.forecast(frame(), model, freq=1, force=True)
    gate.open()
    first.wait(PATIENCE)
    second.wait(PATIENCE)
    assert model.rows == ROWS
    assert second.entry_slice.entry is first.entry_slice.entry
    nbf.forecast(frame(), model, freq=1, force=True, wait=True)
    assert model.rows == 2 * ROWS, "a request after the end of others computes anew"


def test_E4_C6_equal_forced_drawings_in_work_are_one(cache: Cache) -> None:
    model = BlockingModel()
    model.interactive.close()
    model.background.close()
    drawn: list[np.ndarray] = []

    def draw(index: int) -> None:
        chart = nbf.quickdraw(frame(), index, model=model, horizon=2, freq=1, force=True)
        drawn.append(chart.forecast.draws)

    joined = session.engine().statistics.joined
    threads = [threading.Thread(target=draw, args=(-3,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    model.interactive.wait_for_arrival()
    deadline = time.monotonic() + PATIENCE
    while session.engine().statistics.joined == joined:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    model.interactive.open()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(model.calls) - len(model.histories) == 1, "one inference beside the background"
    np.testing.assert_array_equal(*drawn)
    draw(-3)
    assert (drawn[2] > drawn[0]).all(), "a later one is forecast anew"
    draw(-4)
    assert (drawn[3] > drawn[2]).all()
    model.background.open()
    session.engine().shutdown()


class GatedModel(CountingModel):
    """Stops at a gate before more than one origin."""

    key = "gate"

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        if len(rows) > 1:
            assert self.open.wait(30)
        return super().forecast(data, rows, horizon, seed)


@pytest.fixture
def values() -> Iterator[np.ndarray]:
    """A series, with nothing in the cache and nothing at work before and after."""
    session.engine().shutdown()
    nbf.cache.flush()
    yield np.arange(60) + 0.5
    session.engine().shutdown()
    nbf.cache.flush()


@pytest.mark.slow
def test_C6_C7b_Q1_quickdraw_with_force_replaces_a_full_run(values: np.ndarray) -> None:
    gate = GatedModel()
    gate.open.set()
    full = nbf.forecast(values, gate, HORIZON, wait=True)
    before = full.array.copy()
    calls = len(gate.calls)
    assert decode(nbf.quickdraw(values, -7, model=gate, horizon=HORIZON).forecast.draws[None])[0] <= calls
    assert len(gate.calls) == calls, "without force nothing is inferred"

    gate.open.clear()
    drawn = nbf.quickdraw(values, -7, model=gate, horizon=HORIZON, force=True).forecast.draws
    assert decode(drawn[None])[0] == calls + 1
    np.testing.assert_array_equal(nbf.quickdraw(values, -7, model=gate, horizon=HORIZON).forecast.draws, drawn)
    assert len(gate.calls) == calls + 1
    assert nbf.cache.entries()["inferred"].to_list() == [1]

    again = nbf.forecast(values, gate, HORIZON)
    assert again.reused == 1
    gate.open.set()
    again.wait()
    assert (decode(again.array)[0] > calls).all()
    np.testing.assert_array_equal(again.array[-8], drawn)
    np.testing.assert_array_equal(full.array, before)
    session.engine().shutdown()
    nbf.cache.flush(disk=False)
    saved = nbf.forecast(values, gate, HORIZON, wait=True)
    assert saved.inferred == 0
    np.testing.assert_array_equal(saved.array, again.array)
