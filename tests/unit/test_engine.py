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
from tests.support.blocking_model import PATIENCE, Turnstile, stopping
from tests.support.engine_fixture import CHUNK, OTHER, WHOLE, Scene, history


def test_E4_who_waits_is_served_while_the_background_stands_still(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    for index in (-3, -9):
        assert run.at(index).draws[0, 0] % 1000 == WHOLE.values[index - 1]
    assert not run.done


def test_E4_equal_requests_of_two_people_are_one_inference(scene: Scene) -> None:
    scene.model.interactive.close()
    run = scene.run()
    first = scene.ask(run, -7)
    scene.model.interactive.wait_for_one()
    second = scene.ask(scene.run(), -7)
    while scene.engine.statistics.joined == 0:
        assert not second.done()
    scene.model.interactive.open()
    np.testing.assert_array_equal(first.result(PATIENCE).draws, second.result(PATIENCE).draws)
    assert len(scene.model.calls) == 1
    assert scene.engine.statistics.answers == 1


def test_E4_a_batch_overtakes_idle_work_between_two_chunks(scene: Scene) -> None:
    scene.model.background.close()
    idle = scene.run()
    idle.at(0)
    idle.start(Priority.IDLE)
    scene.model.background.wait_for_one()
    batch = scene.long(OTHER)
    scene.model.background.open()
    batch.wait(PATIENCE)
    order = [rows for rows in scene.model.calls if len(rows) > 1]
    assert idle.wait_for_end(PATIENCE)
    assert [len(rows) for rows in order[1:4]] == [CHUNK, CHUNK, CHUNK]
    assert [int(rows[0]) for rows in order[1:4]] == [11, 7, 3], "the other history's chunks come second to fourth"


def test_E4_a_batch_joins_the_idle_task_for_the_same_and_hurries_it(scene: Scene) -> None:
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    idle = scene.run()
    idle.start(Priority.IDLE, near=5)
    batch = scene.long()
    assert batch.task is idle.task
    assert batch.task.priority is Priority.BATCH
    assert not batch.started
    scene.model.background.open()
    batch.wait(PATIENCE)
    busy.wait(PATIENCE)
    assert sum(map(len, scene.model.calls)) == len(WHOLE) + len(OTHER)


def test_E4_a_run_that_still_waits_for_another_is_cancelled_at_once(scene: Scene) -> None:
    scene.model.background.close()
    busy, queued = scene.long(OTHER), scene.long()
    scene.model.background.wait_for_one()
    queued.cancel()
    scene.model.background.let_one()
    scene.model.background.wait_for_one()  # the busy one's second chunk: the queued one ended between the two
    assert queued.wait_for_end(PATIENCE)
    assert queued.cancelled
    assert queued.inferred == 0
    assert not busy.done


def test_E4_cancelling_ends_the_work_for_all_and_tells_those_who_did_not(scene: Scene) -> None:
    scene.model.background.close()
    first, second = scene.long(), scene.long()
    scene.model.background.wait_for_one()
    waiting = scene.people.submit(second.wait, PATIENCE)
    first.cancel()
    scene.model.background.open()
    assert first.wait(PATIENCE).cancelled
    with pytest.raises(RunCancelled, match=r"cancelled when it was 33% done; request it again"):
        waiting.result(PATIENCE)
    assert first.inferred == CHUNK
    assert (first.frame["status"] == "scored").sum() == CHUNK, "what is finished stays"
    third = scene.long()
    assert third.reused == CHUNK
    assert third.wait(PATIENCE).progress == 1


def test_E6_the_origins_around_one_that_is_asked_for_come_next(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    near = WHOLE.row(-10)
    follower = scene.run()
    follower.start(Priority.IDLE, near=near)
    scene.model.background.open()
    run.wait(PATIENCE)
    assert scene.model.calls[0].tolist() == [11, 10, 9, 8]
    assert scene.model.calls[1].tolist() == [near, near + 1, near - 1, near + 2]


def test_E4_who_asks_again_while_a_cancelled_run_ends_gets_a_run_of_their_own(scene: Scene) -> None:
    scene.model.background.close()
    first = scene.long()
    scene.model.background.wait_for_one()
    first.cancel()
    second = scene.long()
    scene.model.background.open()
    assert second.wait(PATIENCE).progress == 1
    assert first.cancelled
    assert not second.cancelled


def test_C10_calculations_that_are_queued_become_a_run_when_forecasts_are_asked_for(scene: Scene) -> None:
    view = scene.long().wait(PATIENCE).entry_slice
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    view.entry.discard(np.arange(4), Status.INFERRED)
    scene.engine.submit(view, None, 0, Priority.IDLE)
    view.entry.discard(np.arange(6, 9), Status.PENDING)
    run = scene.long()
    scene.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert busy.wait(PATIENCE).progress == 1


def test_C10_what_lacks_calculations_alone_is_calculated_and_not_inferred_again(scene: Scene) -> None:
    entry = scene.long().wait(PATIENCE).entry_slice.entry
    calls = len(scene.model.calls)
    assert entry.discard(np.arange(2, 11), Status.INFERRED) == 9
    run = scene.long().wait(PATIENCE)
    assert (entry.status == Status.SCORED).all()
    assert (len(scene.model.calls), run.inferred, run.reused) == (calls, 0, 12)


def test_E4_a_run_that_is_hurried_overtakes_what_it_had_waited_behind(scene: Scene) -> None:
    third = history(0, np.arange(12) + 200.5)
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    idle = [scene.run(data) for data in (third, WHOLE)]
    for run in idle:
        run.at(0)
        run.start(Priority.IDLE)
    hurried = scene.long()
    scene.model.background.open()
    assert all(run.wait_for_end(PATIENCE) for run in (busy, hurried, *idle))
    assert scene.model.histories == [100.5] * 3 + [0.5] * 3 + [200.5] * 3


def test_C12_what_is_worked_on_stays_in_memory(scene: Scene) -> None:
    scene.cache.memory = 1
    scene.model.background.close()
    held = scene.long()
    scene.model.background.wait_for_one()
    view = scene.run(OTHER)
    view.at(-1)
    scene.cache.trim()
    assert scene.held() is held.entry_slice.entry
    scene.model.background.open()
    held.wait(PATIENCE)


def test_E4_cancelling_what_has_ended_changes_nothing(scene: Scene) -> None:
    run = scene.long().wait(PATIENCE)
    scene.engine.cancel(run.task)
    run.cancel()
    assert not run.cancelled


def test_E2_the_inference_thread_lends_a_hand_where_calculations_are_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile, by = Turnstile(), []
    turnstile.close()
    real = stopping(turnstile)

    def calculate(*given: object) -> object:
        by.append(threading.current_thread().name)
        return real(*given)

    monkeypatch.setattr(calculation, "calculate", calculate)
    monkeypatch.setenv("NBFORECAST_CHUNK", "2")
    run = scene.long()
    turnstile.wait_for_one()
    while not run.task.is_finishing:
        assert scene.engine._calculation.backlog <= MAX_BACKLOG + 1, "and the end of the task"
    turnstile.open()
    assert run.wait(PATIENCE).progress == 1
    assert len([name for name in by if name.startswith("nbforecast-inference")]) == 4
    assert len(by) == 6


def test_E4_the_same_origin_of_a_forced_run_is_another_request(scene: Scene) -> None:
    scene.model.interactive.close()
    asked = scene.ask(scene.run(), -7)
    scene.model.interactive.wait_for_one()
    forced = scene.ask(scene.run(force=True), -7)
    scene.model.interactive.let_one()
    scene.model.interactive.wait_for_one()
    scene.model.interactive.open()
    assert asked.result(PATIENCE).draws[0, 0] != forced.result(PATIENCE).draws[0, 0]
    assert len(scene.model.calls) == 2


def test_E4_what_was_answered_and_dropped_is_answered_again(scene: Scene) -> None:
    run = scene.run()
    first = run.at(-7).draws
    run.entry_slice.entry.discard(np.array([WHOLE.row(-7)]), Status.PENDING)
    assert run.at(-7).draws[0, 0] == first[0, 0] + 1000
