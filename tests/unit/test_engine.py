"""E2 E4 E6 C10 C12: what is worked on next, by whom, and for whom."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nbforecast.engine import calculation
from nbforecast.engine.engine import MAX_BACKLOG
from nbforecast.engine.tasks import Priority
from nbforecast.errors import RunCancelled
from nbforecast.result_cache.status import Status
from tests.support.blocking_model import PATIENCE, Gate, gated_calculation
from tests.support.engine_fixture import CHUNK, OTHER, WHOLE, EngineFixture, history


def test_E4_interactive_requests_do_not_wait_for_the_background(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    for index in (-3, -9):
        assert run.at(index).draws[0, 0] % 1000 == WHOLE.values[index - 1]
    assert not run.done


def test_E4_equal_requests_of_two_people_are_one_inference(fixture: EngineFixture) -> None:
    fixture.model.interactive.close()
    run = fixture.run()
    first = fixture.request(run, -7)
    fixture.model.interactive.wait_for_arrival()
    second = fixture.request(fixture.run(), -7)
    while fixture.engine.statistics.joined == 0:
        assert not second.done()
    fixture.model.interactive.open()
    np.testing.assert_array_equal(first.result(PATIENCE).draws, second.result(PATIENCE).draws)
    assert len(fixture.model.calls) == 1
    assert fixture.engine.statistics.answers == 1


def test_E4_a_batch_overtakes_idle_work_between_two_chunks(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    idle = fixture.run()
    idle.at(0)
    idle.start(Priority.IDLE)
    fixture.model.background.wait_for_arrival()
    batch = fixture.forecast(OTHER)
    fixture.model.background.open()
    batch.wait(PATIENCE)
    order = [rows for rows in fixture.model.calls if len(rows) > 1]
    assert idle.wait_for_end(PATIENCE)
    assert [len(rows) for rows in order[1:4]] == [CHUNK, CHUNK, CHUNK]
    assert [int(rows[0]) for rows in order[1:4]] == [11, 7, 3], "the other history's chunks come second to fourth"


def test_E4_a_batch_joins_the_idle_task_for_the_same_slice_and_raises_its_priority(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    busy = fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    idle = fixture.run()
    idle.start(Priority.IDLE, near=5)
    batch = fixture.forecast()
    assert batch.task is idle.task
    assert batch.task.priority is Priority.BATCH
    assert not batch.started
    fixture.model.background.open()
    batch.wait(PATIENCE)
    busy.wait(PATIENCE)
    assert sum(map(len, fixture.model.calls)) == len(WHOLE) + len(OTHER)


def test_E4_a_queued_run_is_cancelled_at_once(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    busy, queued = fixture.forecast(OTHER), fixture.forecast()
    fixture.model.background.wait_for_arrival()
    queued.cancel()
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()  # the busy one's second chunk: the queued one ended between the two
    assert queued.wait_for_end(PATIENCE)
    assert queued.cancelled
    assert queued.inferred == 0
    assert not busy.done


def test_E4_cancelling_ends_a_joined_run_for_all_and_raises_for_the_others(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    first, second = fixture.forecast(), fixture.forecast()
    fixture.model.background.wait_for_arrival()
    waiting = fixture.callers.submit(second.wait, PATIENCE)
    first.cancel()
    fixture.model.background.open()
    assert first.wait(PATIENCE).cancelled
    with pytest.raises(RunCancelled, match=r"cancelled when it was 33% done; request it again"):
        waiting.result(PATIENCE)
    assert first.inferred == CHUNK
    assert (first.frame["status"] == "scored").sum() == CHUNK, "what is finished stays"
    third = fixture.forecast()
    assert third.reused == CHUNK
    assert third.wait(PATIENCE).progress == 1


def test_E6_neighbours_of_a_requested_origin_come_next(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    near = WHOLE.row(-10)
    follower = fixture.run()
    follower.start(Priority.IDLE, near=near)
    fixture.model.background.open()
    run.wait(PATIENCE)
    assert fixture.model.calls[0].tolist() == [11, 10, 9, 8]
    assert fixture.model.calls[1].tolist() == [near, near + 1, near - 1, near + 2]


def test_E4_a_request_made_while_a_cancelled_run_ends_is_a_new_task(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    first = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    first.cancel()
    second = fixture.forecast()
    fixture.model.background.open()
    assert second.wait(PATIENCE).progress == 1
    assert first.cancelled
    assert not second.cancelled


def test_C10_a_task_of_calculations_is_replaced_when_forecasts_are_requested(fixture: EngineFixture) -> None:
    view = fixture.forecast().wait(PATIENCE).entry_slice
    fixture.model.background.close()
    busy = fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    view.entry.discard(np.arange(4), Status.INFERRED)
    fixture.engine.submit(view, None, 0, Priority.IDLE)
    view.entry.discard(np.arange(6, 9), Status.PENDING)
    run = fixture.forecast()
    fixture.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert busy.wait(PATIENCE).progress == 1


def test_C10_rows_that_lack_calculations_are_calculated_and_not_inferred_again(fixture: EngineFixture) -> None:
    entry = fixture.forecast().wait(PATIENCE).entry_slice.entry
    calls = len(fixture.model.calls)
    assert entry.discard(np.arange(2, 11), Status.INFERRED) == 9
    run = fixture.forecast().wait(PATIENCE)
    assert (entry.status == Status.SCORED).all()
    assert (len(fixture.model.calls), run.inferred, run.reused) == (calls, 0, 12)


def test_E4_a_run_whose_priority_rises_overtakes_the_queue(fixture: EngineFixture) -> None:
    third = history(0, np.arange(12) + 200.5)
    fixture.model.background.close()
    busy = fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    idle = [fixture.run(data) for data in (third, WHOLE)]
    for run in idle:
        run.at(0)
        run.start(Priority.IDLE)
    hurried = fixture.forecast()
    fixture.model.background.open()
    assert all(run.wait_for_end(PATIENCE) for run in (busy, hurried, *idle))
    assert fixture.model.histories == [100.5] * 3 + [0.5] * 3 + [200.5] * 3


def test_C12_entries_of_running_tasks_stay_in_memory(fixture: EngineFixture) -> None:
    fixture.cache.memory = 1
    fixture.model.background.close()
    held = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    view = fixture.run(OTHER)
    view.at(-1)
    fixture.cache.trim()
    assert fixture.current_entry() is held.entry_slice.entry
    fixture.model.background.open()
    held.wait(PATIENCE)


def test_E4_cancelling_a_finished_task_changes_nothing(fixture: EngineFixture) -> None:
    run = fixture.forecast().wait(PATIENCE)
    fixture.engine.cancel(run.task)
    run.cancel()
    assert not run.cancelled


def test_E2_the_inference_thread_calculates_too_where_calculations_are_behind(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, by = Gate(), []
    gate.close()
    real = gated_calculation(gate)

    def calculate(*given: object) -> object:
        by.append(threading.current_thread().name)
        return real(*given)

    monkeypatch.setattr(calculation, "calculate", calculate)
    monkeypatch.setenv("NBFORECAST_CHUNK", "2")
    run = fixture.forecast()
    gate.wait_for_arrival()
    while not run.task.is_finishing:
        assert fixture.engine._calculation.backlog <= MAX_BACKLOG + 1, "and the end of the task"
    gate.open()
    assert run.wait(PATIENCE).progress == 1
    assert len([name for name in by if name.startswith("nbforecast-inference")]) == 4
    assert len(by) == 6


def test_E4_the_same_origin_of_a_forced_run_is_another_request(fixture: EngineFixture) -> None:
    fixture.model.interactive.close()
    asked = fixture.request(fixture.run(), -7)
    fixture.model.interactive.wait_for_arrival()
    forced = fixture.request(fixture.run(force=True), -7)
    fixture.model.interactive.let_one_pass()
    fixture.model.interactive.wait_for_arrival()
    fixture.model.interactive.open()
    assert asked.result(PATIENCE).draws[0, 0] != forced.result(PATIENCE).draws[0, 0]
    assert len(fixture.model.calls) == 2


def test_E4_an_answer_that_was_discarded_is_inferred_again(fixture: EngineFixture) -> None:
    run = fixture.run()
    first = run.at(-7).draws
    run.entry_slice.entry.discard(np.array([WHOLE.row(-7)]), Status.PENDING)
    assert run.at(-7).draws[0, 0] == first[0, 0] + 1000
