"""C16: what was flushed or dropped stays gone, whoever holds it: a run, a task, another kernel, a later save."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.engine.tasks import Priority
from nbforecast.jupyter.widgets.explorer.messages import Connect, InferOrigin, OpenSeries, RowsRequest
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import REMOVALS, CacheDirectory
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.removals import Removal, Removals
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status
from tests.support.blocking_model import PATIENCE
from tests.support.cache_files import LastValueModel, random_walk, reopen, warnings_of
from tests.support.engine_fixture import WHOLE, EngineFixture
from tests.support.explorers import DRIFT, answers, make_feed, series, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.result_cache.key import CacheKey


def remove(how: str, cache: Cache, key: CacheKey) -> None:
    if how == "flush":
        cache.remove_all()
    else:
        cache.remove(key)


REMOVED = pytest.mark.parametrize("how", ["flush", "drop"])


def other_kernel(cache: Cache) -> Cache:
    """A cache of the same directory, as another process has it."""
    assert cache.directory is not None
    return Cache(CacheDirectory(cache.directory.path), 1 << 30, 1 << 30)


@REMOVED
def test_C16_a_held_run_that_infers_an_origin_brings_nothing_else_back(fixture: EngineFixture, how: str) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()
    held = fixture.run()
    held.at(-11)
    run.cancel()
    fixture.model.background.open()
    run.wait_for_end(PATIENCE)
    before = fixture.call_numbers(held)
    remove(how, fixture.cache, run.entry_slice.key)
    missing = int(np.flatnonzero(before == 0)[0])
    held.at(missing - len(WHOLE) + 1)
    part = fixture.cache.peek(run.entry_slice.key)
    assert part is not None
    assert np.flatnonzero(has_forecast(part.status)).tolist() == [missing]
    assert part.entry is not run.entry_slice.entry
    assert (fixture.call_numbers(run) == before).all(), "whoever holds the run keeps it"


@REMOVED
def test_C16_the_end_of_a_running_task_brings_nothing_back(fixture: EngineFixture, tmp_path: Path, how: str) -> None:
    fixture.cache.directory = CacheDirectory(tmp_path)
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    remove(how, fixture.cache, run.entry_slice.key)
    fixture.model.background.open()
    assert run.wait(PATIENCE).progress == 1, "a person holds the run"
    assert fixture.current_entry() is None
    run.start(Priority.IDLE)
    fixture.engine.shutdown()
    fixture.cache.save(run.entry_slice.entry)
    assert not fixture.cache.directory.files()
    calls = len(fixture.model.calls)
    again = fixture.forecast().wait(PATIENCE)
    assert again.reused == 0
    assert len(fixture.model.calls) > calls
    assert len(fixture.cache.directory.files()) == 1, "what is requested anew is kept"


@REMOVED
def test_C16_C13_another_kernel_neither_serves_nor_saves_what_was_removed(cache: Cache, how: str) -> None:
    model = LastValueModel()
    key = nbf.forecast(random_walk(3), model, wait=True).entry_slice.key
    other = other_kernel(cache)
    held = other.open(key)
    assert held is not None
    (nbf.cache.flush if how == "flush" else lambda: nbf.cache.drop(key.handle))()
    held.entry.saved = None
    other.save(held.entry)
    assert not cache.directory.files()
    found = other.find(held.data, held.spec, lambda: model.availability(held.data))
    assert found.inferred == 0
    assert found.entry is not held.entry
    rows = np.array([0])
    found.entry.write_forecasts(rows, held.entry.take("forecast", rows))
    other.save(found.entry)
    read = cache.directory.read(cache.directory.files()[0])
    assert read is not None
    assert np.flatnonzero(has_forecast(read.status)).tolist() == [0]


@pytest.mark.parametrize("only", [None, "scores", "quantiles"])
def test_C11_C16_a_dropped_range_does_not_come_back_from_another_kernel(cache: Cache, only: str | None) -> None:
    run = nbf.forecast(random_walk(4), LastValueModel(), wait=True)
    key, whole = run.entry_slice.key, run.entry_slice.status
    other = other_kernel(cache)
    held = other.open(key)
    assert held is not None
    assert nbf.cache.drop(key.handle, index="-9:-5", only=only).origins == 5
    keep = {None: Status.PENDING, "scores": Status.UNSCORED, "quantiles": Status.INFERRED}[only]
    expected = whole.copy()
    expected[-10:-5] = np.minimum(expected[-10:-5], keep)
    held.entry.saved = None
    other.save(held.entry)
    for snapshot in (cache.directory.read(cache.directory.files()[0]), held.entry.snapshot()[0]):
        assert snapshot is not None
        np.testing.assert_array_equal(snapshot.status, expected)
        assert np.isnan(snapshot.columns["crps"][-10:-5]).all()
    assert (other_kernel(cache).open(key).status == expected).all()  # type: ignore[union-attr]


def test_C13_C16_a_dropped_range_leaves_what_another_kernel_has_saved_of_the_rest(cache: Cache) -> None:
    run = nbf.forecast(random_walk(5), LastValueModel(), wait=True)
    key, rows = run.entry_slice.key, np.arange(len(run.data))
    snapshot = run.entry_slice.entry.snapshot()[0]
    cache.directory.write(snapshot.lower(rows[:40], Status.PENDING, snapshot.cleared), overwrite=True)
    part = other_kernel(cache).open(key)
    cache.directory.write(snapshot)  # another kernel saves the rest
    cache.clear()
    cache.publish(EntrySlice.whole(part.entry))  # type: ignore[union-attr]
    assert nbf.cache.drop(key.handle, index=0).origins == 1
    saved = cache.directory.read(cache.directory.files()[0])
    assert saved is not None
    np.testing.assert_array_equal(has_forecast(saved.status), has_forecast(snapshot.status) & (rows < rows[-1]))


def test_C16_a_dropped_part_is_computed_anew_and_not_read_from_its_longer_history(cache: Cache) -> None:
    model = LastValueModel()
    frame = pl.DataFrame({"ds": np.arange(90), "y": random_walk(6)[:90]})
    nbf.forecast(frame, model, freq=1, wait=True)
    part = nbf.forecast(frame.tail(60), model, freq=1, wait=True)
    assert part.reused == part.available
    nbf.cache.drop(part.handle)
    before = model.rows
    again = nbf.forecast(frame.tail(60), model, freq=1, wait=True)
    assert (again.reused, model.rows - before) == (0, again.available)


def test_C16_an_emptied_memory_is_not_filled_by_a_held_run(cache: Cache) -> None:
    model = LastValueModel()
    run = nbf.forecast(random_walk(7), model, wait=True)
    key = run.entry_slice.key
    nbf.cache.flush(disk=False)
    assert not cache.publish(run.entry_slice)
    before = model.rows
    again = nbf.forecast(random_walk(7), model, wait=True)
    assert model.rows == before, "the results are on disk"
    assert cache.peek(key).entry is again.entry_slice.entry is not run.entry_slice.entry  # type: ignore[union-attr]


def test_C13_C16_a_damaged_list_of_removals_costs_a_warning(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    run = nbf.forecast(random_walk(8), LastValueModel(), wait=True)
    path = cache.directory.path / REMOVALS
    for content in ("[" * 100_000, '{"removals": [{"key": null}]}', '{"removals": 3}', '{"removals": [{"key": null, '
                    '"keep": 0, "span": null, "series": null, "time": 1e30}]}'):  # fmt: skip
        path.write_text(content)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "nbforecast"):
            assert other_kernel(cache).open(run.entry_slice.key) is not None
        assert any(REMOVALS in message for message in warnings_of(caplog))
    nbf.cache.flush()
    assert other_kernel(cache).open(run.entry_slice.key) is None


def test_C16_removals_of_several_processes_are_one_list_in_order_of_time(tmp_path: Path) -> None:
    one, other = Removals(tmp_path / REMOVALS), Removals(tmp_path / REMOVALS)
    times = [removals.add(Removal("a", span=(n, 0))).time for n, removals in ((-1, one), (-2, other), (-3, one))]
    assert times == sorted(set(times))
    other.refresh()
    assert other.latest == one.latest
    one.add(Removal())
    assert [removal.is_whole for removal in Removals(tmp_path / REMOVALS)._read()] == [True], "it stands for the others"
    assert Removal(span=(-3, -1)).rows(WHOLE).tolist() == [8, 9, 10]


@REMOVED
def test_C16_a_look_in_an_open_page_brings_nothing_else_back(cache: Cache, how: str) -> None:
    run = nbf.forecast(series(), DRIFT, freq="1h", origins=slice(-99, 0), wait=True)
    feed = make_feed(run)
    answers(feed, Connect(4), OpenSeries(0, 0))
    if how == "flush":
        nbf.cache.flush()
    else:
        nbf.cache.drop(run.handle)
    before = session.engine().statistics.answers
    messages = answers(feed, RowsRequest(0, 0, 250, 40, "x"), InferOrigin(0, 0, 100))
    assert "x" in [message.content.get("request") for message in messages], "the page goes on showing what it held"
    wait_for(lambda: session.engine().statistics.answers > before)
    nbf.cache.save()
    session.shutdown()
    for _ in range(2):
        assert nbf.cache.entries()["inferred"].sum() <= 1, "the origin that the page asked for"
        reopen(cache)
