"""C7a C7b C7c C8a C8b C8c: results that meet, between real tasks in real threads, without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nbforecast.engine import calculation
from nbforecast.engine.tasks import Priority
from nbforecast.result_cache.status import Status
from tests.support.blocking_model import PATIENCE, Turnstile, stopping
from tests.support.engine_fixture import CHUNK, NEWEST, OTHER, WHOLE, Scene

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.run import Run


@pytest.mark.parametrize("data", [WHOLE, NEWEST], ids=["same history", "its newest part"])
@pytest.mark.parametrize("force", [False, True], ids=["", "A -f"])
def test_C7a_B_ends_first_and_A_replaces_its_entry(scene: Scene, force: bool, data: Dataset) -> None:
    scene.model.background.close()
    a = scene.long(force=force)
    scene.model.background.wait_for_one()
    b = scene.run(data)
    drawn = b.at(-7 + 4 * (data is NEWEST))
    assert drawn.draws[0, 0] == 2000 + drawn.actual[0] - 1
    assert not a.done
    assert scene.held(data) is b.entry_slice.entry
    assert b.entry_slice.entry is not a.entry_slice.entry or not (force or data is NEWEST)
    scene.model.background.open()
    a.wait(PATIENCE)
    assert a.progress == 1
    assert scene.held() is a.entry_slice.entry
    assert scene.held(data) is a.entry_slice.entry, "A's result is bigger, and matches by its end"
    again = scene.run(data).at(drawn.index)
    assert len(scene.model.calls) == 4, "three chunks and one origin"
    if not force and data is WHOLE:
        np.testing.assert_array_equal(again.draws, drawn.draws)


def test_C7b_B_ends_after_A_and_without_force_is_served_from_it(scene: Scene) -> None:
    a = scene.long().wait(PATIENCE)
    calls = len(scene.model.calls)
    for data, index in ((WHOLE, -7), (NEWEST, -2)):
        b = scene.run(data)
        np.testing.assert_array_equal(b.at(index).draws, a.at(index).draws)
    assert len(scene.model.calls) == calls, "nothing is inferred again"
    assert scene.held() is scene.held(NEWEST) is a.entry_slice.entry


def test_C7b_B_begun_before_A_ended_is_returned_and_not_cached(scene: Scene) -> None:
    """B found nothing, is at work when A fills the entry, and ends with less."""
    scene.model.interactive.close()
    b = scene.run(force=True)
    asked = scene.ask(b, -7)
    scene.model.interactive.wait_for_one()
    a = scene.long().wait(PATIENCE)
    scene.model.interactive.open()
    drawn = asked.result(PATIENCE)
    assert drawn.draws[0, 0] == 1000 + WHOLE.values[-8], "B's own result"
    scene.cache.publish(b.entry_slice)
    assert scene.held() is a.entry_slice.entry


def test_C7b_B_with_force_replaces_the_entry(scene: Scene) -> None:
    a = scene.long().wait(PATIENCE)
    b = scene.run(force=True)
    drawn = b.at(-7)
    scene.cache.publish(b.entry_slice, force=True)
    assert scene.held() is b.entry_slice.entry is not a.entry_slice.entry
    np.testing.assert_array_equal(scene.run().at(-7).draws, drawn.draws)
    assert a.progress == 1, "who holds A keeps it"


def test_C7c_a_different_past_is_never_merged(scene: Scene) -> None:
    scene.model.background.close()
    a, other = scene.long(), scene.long(OTHER)
    assert scene.run(OTHER).at(-3).draws[0, 0] % 1000 == OTHER.values[-4]
    scene.model.background.open()
    a.wait(PATIENCE)
    other.wait(PATIENCE)
    assert (a.array[:, 0, 0] % 1000 == WHOLE.values).all()
    assert (other.array[:, 0, 0] % 1000 == OTHER.values).all()


def _stopped_before_its_first_scores(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Turnstile]:
    """A run whose first chunk is inferred, and about to be calculated."""
    turnstile = Turnstile()
    turnstile.close()
    monkeypatch.setattr(calculation, "calculate", stopping(turnstile))
    scene.model.background.close()
    run = scene.long()
    scene.model.background.let_one()
    turnstile.wait_for_one()
    return run, turnstile


def test_C8a_a_calculation_that_ends_after_its_entry_changed_is_dropped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, turnstile = _stopped_before_its_first_scores(scene, monkeypatch)
    entry = run.entry_slice.entry
    newest = np.arange(len(WHOLE) - CHUNK, len(WHOLE))
    assert entry.discard(newest, Status.PENDING) == CHUNK
    turnstile.let_one()
    while scene.engine._calculation.backlog:
        assert not run.done
    assert (entry.status[newest] == Status.PENDING).all()
    assert np.isnan(entry.take("median", newest)).all()
    turnstile.open()
    scene.model.background.open()
    run.wait(PATIENCE)
    assert run.progress == 1
    assert scene.numbers(run)[newest].min() > 1, "a person holds the run: it was planned anew"


def test_C8b_an_idle_task_of_another_version_is_dropped(scene: Scene) -> None:
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    idle = scene.run()
    idle.at(0)
    idle.start(Priority.IDLE)
    scene.cache.clear()
    calls = len(scene.model.calls)
    scene.model.background.open()
    busy.wait(PATIENCE)
    assert idle.wait_for_end(PATIENCE)
    assert idle.cancelled
    assert not [rows for rows in scene.model.calls[calls:] if len(rows) == 0]
    assert idle.inferred == 1
    assert scene.held() is None, "what was flushed stays away"


def test_C8b_an_interactive_task_is_restarted_on_the_current_entry(scene: Scene) -> None:
    scene.model.interactive.close()
    asked = scene.ask(scene.run(), -7)
    scene.model.interactive.wait_for_one()
    replacing = scene.long(force=True).wait(PATIENCE)
    assert scene.held() is replacing.entry_slice.entry
    calls = len(scene.model.calls)
    scene.model.interactive.open()
    np.testing.assert_array_equal(asked.result(PATIENCE).draws, replacing.at(-7).draws)
    assert len(scene.model.calls) == calls, "the entry had its index"


@pytest.mark.parametrize("how", ["flushed", "replaced by a smaller one", "dropped"])
def test_C8c_who_waits_for_an_index_that_is_gone_sleeps_until_it_is_inferred_anew(scene: Scene, how: str) -> None:
    scene.model.interactive.close()
    run = scene.run()
    asked = scene.ask(run, -7)
    scene.model.interactive.wait_for_one()
    smaller = scene.run(force=True)
    if how == "flushed":
        scene.cache.clear()
    elif how == "dropped":
        row = np.array([WHOLE.row(-1)])
        run.entry_slice.entry.write_forecasts(row, np.zeros((1, 2, 2), np.float32))
        assert run.entry_slice.entry.discard(row, Status.PENDING) == 1
    else:
        smaller.entry_slice.entry.write_forecasts(np.array([11]), np.full((1, 2, 2), 1.0, np.float32))
        scene.cache.publish(smaller.entry_slice, force=True)
    scene.model.interactive.let_one()
    scene.model.interactive.wait_for_one()  # the new inference
    assert not asked.done()
    scene.model.interactive.open()
    drawn = asked.result(PATIENCE)
    assert drawn.draws[0, 0] == 2000 + WHOLE.values[-8]
    entry = scene.held()
    assert entry is run.entry_slice.entry
    assert np.isfinite(entry.take("forecast", np.array([WHOLE.row(-7)]))).all()
    assert entry.status[WHOLE.row(-7)] == Status.SCORED


def test_C8_a_run_at_work_stays_with_the_entry_that_it_fills(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    scene.cache.clear()
    other = scene.run()
    other.at(-7)
    assert scene.held() is other.entry_slice.entry is not run.entry_slice.entry
    np.testing.assert_array_equal(run.at(-7).draws, other.at(-7).draws)
    scene.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert np.isfinite(run.array).all()


def test_C8a_a_calculation_of_forecasts_that_were_inferred_anew_meanwhile_is_dropped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, turnstile = _stopped_before_its_first_scores(scene, monkeypatch)
    newest = np.array([11])
    run.entry_slice.entry.discard(newest, Status.PENDING)
    drawn = run.at(0).draws
    assert drawn[0, 0] >= 2000
    run.entry_slice.entry.discard(newest, Status.INFERRED)
    turnstile.let_one()
    while scene.engine._calculation.backlog:
        assert not run.done
    assert np.isnan(run.take("median", newest)).all(), "it was made of the first forecast"
    turnstile.open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_C8_what_is_dropped_while_a_run_ends_is_inferred_before_it_has_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real, finished = scene.cache.complete, []

    def finish(view: EntrySlice, *, publish: bool) -> None:
        if when == "after":
            real(view, publish=publish)
        if not finished:
            view.entry.discard(np.arange(5), Status.PENDING)
        finished.append(view)
        if when == "before":
            real(view, publish=publish)

    monkeypatch.setattr(scene.cache, "complete", finish)
    assert scene.long().wait(PATIENCE).progress == 1
    assert len(finished) == 2


def test_C8_results_taken_away_before_the_end_are_made_up_for_and_saved_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile, finished = Turnstile(), []
    turnstile.close()
    monkeypatch.setattr(calculation, "calculate", stopping(turnstile))
    real = scene.cache.complete
    monkeypatch.setattr(scene.cache, "complete", lambda view, **k: (finished.append(view), real(view, **k)))
    run = scene.long()
    turnstile.wait_for_one()
    while not run.task.is_finishing:
        assert not run.done
    run.entry_slice.entry.discard(np.arange(3), Status.PENDING)
    turnstile.open()
    assert run.wait(PATIENCE).progress == 1
    assert len(finished) == 1


def test_C8c_an_origin_that_is_dropped_before_its_asker_wakes_is_inferred_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = scene.run(), scene.engine.infer_now
    left = [WHOLE.row(-7)]

    def answer(*given: Any) -> EntrySlice:
        view = real(*given)
        if left:
            view.entry.discard(np.array([left.pop()]), Status.PENDING)
        return view

    monkeypatch.setattr(scene.engine, "infer_now", answer)
    assert run.at(-7).draws[0, 0] == 2000 + WHOLE.values[-8]
