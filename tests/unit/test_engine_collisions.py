"""C7a C7b C7c C8a C8b C8c: results that meet, between real tasks in real threads, without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nbforecast.engine import calculation
from nbforecast.engine.tasks import Priority
from nbforecast.result_cache.status import Status
from tests.support.blocking_model import PATIENCE, Gate, gated_calculation
from tests.support.engine_fixture import CHUNK, NEWEST, OTHER, WHOLE, EngineFixture

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.run import Run


@pytest.mark.parametrize("data", [WHOLE, NEWEST], ids=["same history", "its newest part"])
@pytest.mark.parametrize("force", [False, True], ids=["", "A -f"])
def test_C7a_B_ends_first_and_A_replaces_its_entry(fixture: EngineFixture, force: bool, data: Dataset) -> None:
    fixture.model.background.close()
    a = fixture.forecast(force=force)
    fixture.model.background.wait_for_arrival()
    b = fixture.run(data)
    drawn = b.at(-7 + 4 * (data is NEWEST))
    assert drawn.draws[0, 0] == 2000 + drawn.actual[0] - 1
    assert not a.done
    assert fixture.current_entry(data) is b.entry_slice.entry
    assert b.entry_slice.entry is not a.entry_slice.entry or not (force or data is NEWEST)
    fixture.model.background.open()
    a.wait(PATIENCE)
    assert a.progress == 1
    assert fixture.current_entry() is a.entry_slice.entry
    assert fixture.current_entry(data) is a.entry_slice.entry, "A's result is bigger, and matches by its end"
    again = fixture.run(data).at(drawn.index)
    assert len(fixture.model.calls) == 4, "three chunks and one origin"
    if not force and data is WHOLE:
        np.testing.assert_array_equal(again.draws, drawn.draws)


def test_C7b_B_ends_after_A_and_without_force_is_served_from_it(fixture: EngineFixture) -> None:
    a = fixture.forecast().wait(PATIENCE)
    calls = len(fixture.model.calls)
    for data, index in ((WHOLE, -7), (NEWEST, -2)):
        b = fixture.run(data)
        np.testing.assert_array_equal(b.at(index).draws, a.at(index).draws)
    assert len(fixture.model.calls) == calls, "nothing is inferred again"
    assert fixture.current_entry() is fixture.current_entry(NEWEST) is a.entry_slice.entry


def test_C7b_B_started_before_A_ended_is_returned_and_not_cached(fixture: EngineFixture) -> None:
    """B found nothing, is at work when A fills the entry, and ends with less."""
    fixture.model.interactive.close()
    b = fixture.run(force=True)
    asked = fixture.request(b, -7)
    fixture.model.interactive.wait_for_arrival()
    a = fixture.forecast().wait(PATIENCE)
    fixture.model.interactive.open()
    drawn = asked.result(PATIENCE)
    assert drawn.draws[0, 0] == 1000 + WHOLE.values[-8], "B's own result"
    fixture.cache.publish(b.entry_slice)
    assert fixture.current_entry() is a.entry_slice.entry


def test_C7b_B_with_force_replaces_the_entry(fixture: EngineFixture) -> None:
    a = fixture.forecast().wait(PATIENCE)
    b = fixture.run(force=True)
    drawn = b.at(-7)
    fixture.cache.publish(b.entry_slice, force=True)
    assert fixture.current_entry() is b.entry_slice.entry is not a.entry_slice.entry
    np.testing.assert_array_equal(fixture.run().at(-7).draws, drawn.draws)
    assert a.progress == 1, "who holds A keeps it"


def test_C7c_a_different_past_is_never_merged(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    a, other = fixture.forecast(), fixture.forecast(OTHER)
    assert fixture.run(OTHER).at(-3).draws[0, 0] % 1000 == OTHER.values[-4]
    fixture.model.background.open()
    a.wait(PATIENCE)
    other.wait(PATIENCE)
    assert (a.array[:, 0, 0] % 1000 == WHOLE.values).all()
    assert (other.array[:, 0, 0] % 1000 == OTHER.values).all()


def _stopped_before_its_first_scores(fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Gate]:
    """A run whose first chunk is inferred, and about to be calculated."""
    gate = Gate()
    gate.close()
    monkeypatch.setattr(calculation, "calculate", gated_calculation(gate))
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.let_one_pass()
    gate.wait_for_arrival()
    return run, gate


def test_C8a_a_calculation_that_ends_after_its_entry_changed_is_dropped(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, gate = _stopped_before_its_first_scores(fixture, monkeypatch)
    entry = run.entry_slice.entry
    newest = np.arange(len(WHOLE) - CHUNK, len(WHOLE))
    assert entry.discard(newest, Status.PENDING) == CHUNK
    gate.let_one_pass()
    while fixture.engine._calculation.backlog:
        assert not run.done
    assert (entry.status[newest] == Status.PENDING).all()
    assert np.isnan(entry.take("median", newest)).all()
    gate.open()
    fixture.model.background.open()
    run.wait(PATIENCE)
    assert run.progress == 1
    assert fixture.call_numbers(run)[newest].min() > 1, "a person holds the run: it was planned anew"


def test_C8b_an_idle_task_of_another_version_is_dropped(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    busy = fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    idle = fixture.run()
    idle.at(0)
    idle.start(Priority.IDLE)
    fixture.cache.remove_all()
    calls = len(fixture.model.calls)
    fixture.model.background.open()
    busy.wait(PATIENCE)
    assert idle.wait_for_end(PATIENCE)
    assert idle.cancelled
    assert not [rows for rows in fixture.model.calls[calls:] if len(rows) == 0]
    assert idle.inferred == 1
    assert fixture.current_entry() is None, "what was flushed stays away"


def test_C8b_an_interactive_task_is_restarted_on_the_current_entry(fixture: EngineFixture) -> None:
    fixture.model.interactive.close()
    asked = fixture.request(fixture.run(), -7)
    fixture.model.interactive.wait_for_arrival()
    replacing = fixture.forecast(force=True).wait(PATIENCE)
    assert fixture.current_entry() is replacing.entry_slice.entry
    calls = len(fixture.model.calls)
    fixture.model.interactive.open()
    np.testing.assert_array_equal(asked.result(PATIENCE).draws, replacing.at(-7).draws)
    assert len(fixture.model.calls) == calls, "the entry had its index"


@pytest.mark.parametrize("how", ["flushed", "replaced by a smaller one", "dropped"])
def test_C8c_a_request_for_a_removed_index_waits_until_it_is_inferred_again(fixture: EngineFixture, how: str) -> None:
    fixture.model.interactive.close()
    run = fixture.run()
    asked = fixture.request(run, -7)
    fixture.model.interactive.wait_for_arrival()
    smaller = fixture.run(force=True)
    if how == "flushed":
        fixture.cache.remove_all()
    elif how == "dropped":
        row = np.array([WHOLE.row(-1)])
        run.entry_slice.entry.write_forecasts(row, np.zeros((1, 2, 2), np.float32))
        assert run.entry_slice.entry.discard(row, Status.PENDING) == 1
    else:
        smaller.entry_slice.entry.write_forecasts(np.array([11]), np.full((1, 2, 2), 1.0, np.float32))
        fixture.cache.publish(smaller.entry_slice, force=True)
    fixture.model.interactive.let_one_pass()
    fixture.model.interactive.wait_for_arrival()  # the new inference
    assert not asked.done()
    fixture.model.interactive.open()
    drawn = asked.result(PATIENCE)
    assert drawn.draws[0, 0] == 2000 + WHOLE.values[-8]
    entry = fixture.current_entry()
    assert entry is run.entry_slice.entry
    assert np.isfinite(entry.take("forecast", np.array([WHOLE.row(-7)]))).all()
    assert entry.status[WHOLE.row(-7)] == Status.SCORED


def test_C8_a_running_run_keeps_the_entry_that_it_fills(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    fixture.cache.remove_all()
    other = fixture.run()
    other.at(-7)
    assert fixture.current_entry() is other.entry_slice.entry is not run.entry_slice.entry
    np.testing.assert_array_equal(run.at(-7).draws, other.at(-7).draws)
    fixture.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert np.isfinite(run.array).all()


def test_C8a_a_calculation_of_forecasts_that_were_replaced_meanwhile_is_dropped(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, gate = _stopped_before_its_first_scores(fixture, monkeypatch)
    newest = np.array([11])
    run.entry_slice.entry.discard(newest, Status.PENDING)
    drawn = run.at(0).draws
    assert drawn[0, 0] >= 2000
    run.entry_slice.entry.discard(newest, Status.INFERRED)
    gate.let_one_pass()
    while fixture.engine._calculation.backlog:
        assert not run.done
    assert np.isnan(run.take("median", newest)).all(), "it was made of the first forecast"
    gate.open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_C8_results_discarded_while_a_run_ends_are_inferred_before_it_is_done(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real, finished = fixture.cache.complete, []

    def finish(view: EntrySlice, *, publish: bool) -> None:
        if when == "after":
            real(view, publish=publish)
        if not finished:
            view.entry.discard(np.arange(5), Status.PENDING)
        finished.append(view)
        if when == "before":
            real(view, publish=publish)

    monkeypatch.setattr(fixture.cache, "complete", finish)
    assert fixture.forecast().wait(PATIENCE).progress == 1
    assert len(finished) == 2


def test_C8_results_discarded_before_the_end_are_computed_again_and_saved_once(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, finished = Gate(), []
    gate.close()
    monkeypatch.setattr(calculation, "calculate", gated_calculation(gate))
    real = fixture.cache.complete
    monkeypatch.setattr(fixture.cache, "complete", lambda view, **k: (finished.append(view), real(view, **k)))
    run = fixture.forecast()
    gate.wait_for_arrival()
    while not run.task.is_finishing:
        assert not run.done
    run.entry_slice.entry.discard(np.arange(3), Status.PENDING)
    gate.open()
    assert run.wait(PATIENCE).progress == 1
    assert len(finished) == 1


def test_C8c_an_origin_discarded_before_its_request_wakes_is_inferred_again(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = fixture.run(), fixture.engine.infer_now
    left = [WHOLE.row(-7)]

    def answer(*given: Any) -> EntrySlice:
        view = real(*given)
        if left:
            view.entry.discard(np.array([left.pop()]), Status.PENDING)
        return view

    monkeypatch.setattr(fixture.engine, "infer_now", answer)
    assert run.at(-7).draws[0, 0] == 2000 + WHOLE.values[-8]
