"""C7, C8, E4, E5, E6, E9: real tasks in real threads, stopped where two of them meet.

The orders of events are those of a test, without a clock: whoever has to work stops at a turnstile until let through.
"""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jax
import numpy as np
import polars as pl
import pytest

from nbforecast.engine import calculating
from nbforecast.engine import engine as engines
from nbforecast.engine.engine import AHEAD, Engine
from nbforecast.engine.lanes import Lane
from nbforecast.engine.run import Run
from nbforecast.engine.tasks import Priority
from nbforecast.errors import ForecasterError, RunCancelled
from nbforecast.notebook.card import run_card
from nbforecast.results.cache import Cache
from nbforecast.results.status import Status
from nbforecast.results.store import Store
from nbforecast.series import prepare
from tests.unit.stops import PATIENCE, Stopped, Turnstile, stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from nbforecast.engine.forecast import Forecast
    from nbforecast.results.view import View
    from nbforecast.series import Dataset

CHUNK = 4


def history(first: int, values: np.ndarray) -> Dataset:
    return prepare(pl.DataFrame({"ds": np.arange(first, first + len(values)), "y": values}), freq=1)


WHOLE = history(0, np.arange(12) + 0.5)
NEWEST = history(8, WHOLE.values[8:])
OTHER = history(0, np.arange(12) + 100.5)


class Scene:
    """A cache and an engine of their own, a forecaster that can be stopped, and people who wait in threads."""

    def __init__(self) -> None:
        self.cache = Cache(None, 1 << 30, 1 << 30)
        self.engine = Engine(self.cache)
        self.model = Stopped()
        self.people = ThreadPoolExecutor(8, "person")
        self._before = set(threading.enumerate())

    def run(self, data: Dataset = WHOLE, *, force: bool = False, model: Stopped | None = None) -> Run:
        model = model or self.model
        view = self.cache.find(data, model.recipe, lambda: model.availability(data), force=force)
        return Run(view, model, self.engine, 0)

    def long(self, data: Dataset = WHOLE, *, force: bool = False) -> Run:
        """`%forecast`."""
        run = self.run(data, force=force)
        run.start(Priority.BATCH)
        return run

    def ask(self, run: Run, index: int) -> Future[Forecast]:
        """`run.at`, by somebody in another thread."""
        return self.people.submit(run.at, index)

    def held(self, data: Dataset = WHOLE) -> object:
        view = self.cache.held(self.model.recipe.key(data.handle))
        return None if view is None else view.entry

    def numbers(self, run: Run) -> np.ndarray:
        """For every origin the number of the call that forecast it; 0 where none has."""
        return (np.nan_to_num(run._view.take("forecast", np.arange(len(run.data)))[:, 0, 0]) // 1000).astype(int)

    def threads(self) -> list[str]:
        """The engine's."""
        return [t.name for t in set(threading.enumerate()) - self._before if t.name.startswith("nbforecast-")]

    def leave(self) -> None:
        self.model.background.open()
        self.model.interactive.open()
        self.people.shutdown()
        ending = threading.Thread(target=self.engine.shutdown, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        assert not ending.is_alive(), "the engine does not come to an end"
        assert not self.cache._pins
        assert not self.engine._answering._asked


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("NBFORECAST_CHUNK", str(CHUNK))
    scene = Scene()
    yield scene
    scene.leave()
    assert not scene.threads()


# --- C7: a long run A and a short request B ------------------------------------------------------------------------


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
    assert scene.held(data) is b._view.entry
    assert b._view.entry is not a._view.entry or not (force or data is NEWEST)
    scene.model.background.open()
    a.wait(PATIENCE)
    assert a.progress == 1
    assert scene.held() is a._view.entry
    assert scene.held(data) is a._view.entry, "A's result is bigger, and matches by its end"
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
    assert scene.held() is scene.held(NEWEST) is a._view.entry


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
    scene.cache.offer(b._view)
    assert scene.held() is a._view.entry


def test_C7b_B_with_force_replaces_the_entry(scene: Scene) -> None:
    a = scene.long().wait(PATIENCE)
    b = scene.run(force=True)
    drawn = b.at(-7)
    scene.cache.offer(b._view, force=True)
    assert scene.held() is b._view.entry is not a._view.entry
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


# --- C8: tasks know the version they were started for --------------------------------------------------------------


def test_C8a_a_calculation_that_ends_after_its_entry_changed_is_dropped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile = Turnstile()
    turnstile.close()
    monkeypatch.setattr(calculating, "calculate", stopping(turnstile))
    scene.model.background.close()
    run = scene.long()
    scene.model.background.let_one()
    turnstile.wait_for_one()
    entry = run._view.entry
    newest = np.arange(len(WHOLE) - CHUNK, len(WHOLE))
    assert entry.forget(newest, Status.WAITING) == CHUNK
    turnstile.let_one()
    while scene.engine._calculation.backlog:
        assert not run.done
    assert (entry.status[newest] == Status.WAITING).all()
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
    assert idle.settle(PATIENCE)
    assert idle.cancelled
    assert not [rows for rows in scene.model.calls[calls:] if len(rows) == 0]
    assert idle.inferred == 1
    assert scene.held() is None, "what was flushed stays away"


def test_C8b_an_interactive_task_is_restarted_on_the_current_entry(scene: Scene) -> None:
    scene.model.interactive.close()
    asked = scene.ask(scene.run(), -7)
    scene.model.interactive.wait_for_one()
    replacing = scene.long(force=True).wait(PATIENCE)
    assert scene.held() is replacing._view.entry
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
        run._view.entry.write_forecasts(row, np.zeros((1, 2, 2), np.float32))
        assert run._view.entry.forget(row, Status.WAITING) == 1
    else:
        smaller._view.entry.write_forecasts(np.array([11]), np.full((1, 2, 2), 1.0, np.float32))
        scene.cache.offer(smaller._view, force=True)
    scene.model.interactive.let_one()
    scene.model.interactive.wait_for_one()  # the new inference
    assert not asked.done()
    scene.model.interactive.open()
    drawn = asked.result(PATIENCE)
    assert drawn.draws[0, 0] == 2000 + WHOLE.values[-8]
    entry = scene.held()
    assert entry is run._view.entry
    assert np.isfinite(entry.take("forecast", np.array([WHOLE.row(-7)]))).all()
    assert entry.status[WHOLE.row(-7)] == Status.CALCULATED


# --- E4: priorities, joining, cancelling ---------------------------------------------------------------------------


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
    assert idle.settle(PATIENCE)
    assert [len(rows) for rows in order[1:4]] == [CHUNK, CHUNK, CHUNK]
    assert [int(rows[0]) for rows in order[1:4]] == [11, 7, 3], "the other history's chunks come second to fourth"


def test_E4_a_batch_joins_the_idle_task_for_the_same_and_hurries_it(scene: Scene) -> None:
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    idle = scene.run()
    idle.start(Priority.IDLE, near=5)
    batch = scene.long()
    assert batch._task is idle._task
    assert batch._task.priority is Priority.BATCH
    assert not batch.begun
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
    assert queued.settle(PATIENCE)
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
    with pytest.raises(RunCancelled, match=r"cancelled when it was 33% done; ask for it again"):
        waiting.result(PATIENCE)
    assert first.inferred == CHUNK
    assert (first.frame["status"] == "calculated").sum() == CHUNK, "what is finished stays"
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


# --- E5, E7, E9: errors, memory, interrupts, ends ------------------------------------------------------------------


def test_E5_a_failure_is_kept_with_its_traceback_and_others_go_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Stopped()

    def out_of_luck(*_: object) -> np.ndarray:
        raise ZeroDivisionError("out of luck")

    monkeypatch.setattr(failing, "forecast", out_of_luck)
    run = scene.run(model=failing)
    run.start(Priority.BATCH)
    other = scene.long(OTHER)
    with pytest.raises(ForecasterError, match="'stopped' failed: ZeroDivisionError: out of luck") as caught:
        run.wait(PATIENCE)
    frames = caught.value.__cause__.__traceback__
    while frames.tb_next:
        frames = frames.tb_next
    assert frames.tb_frame.f_code.co_name == "out_of_luck"
    assert run.error is caught.value
    assert other.wait(PATIENCE).progress == 1
    with pytest.raises(ForecasterError, match="out of luck"):
        run.at(-1)


def test_E5_a_calculation_that_fails_is_no_less_an_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("no score")

    monkeypatch.setattr(calculating, "calculate", fail)
    run = scene.long()
    with pytest.raises(ZeroDivisionError, match="no score"):
        run.wait(PATIENCE)
    assert isinstance(run.error, ZeroDivisionError)


class Cramped(Stopped):
    """Has memory for so many origins at once."""

    room = 5

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[int] = []

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.tried.append(len(rows))
        if len(rows) > self.room:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes.")
        return super().forecast(data, rows, horizon, seed)


def test_E7_out_of_device_memory_the_batch_is_halved_and_the_run_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "8")
    model = Cramped()
    run = scene.run(model=model)
    run.start(Priority.BATCH)
    assert run.wait(PATIENCE).progress == 1
    assert model.tried == [8, 4, 4, 4], "what did not fit is not tried again"
    assert (run.array[:, 0, 0] % 1000 == WHOLE.values).all()


def test_E7_what_does_not_fit_at_all_is_an_error_that_says_what_to_do(scene: Scene) -> None:
    model = Cramped()
    model.room = 0
    run = scene.run(model=model)
    with pytest.raises(
        ForecasterError, match=r"does not fit into the device's memory.*NBFORECAST_DEVICE=cpu"
    ) as caught:
        run.at(0)
    assert "RESOURCE_EXHAUSTED" in str(caught.value.__cause__)


def test_E9_an_interrupt_ends_the_wait_and_not_the_work(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    run.at(-5)  # its thread has started: Python does not know a thread whose start was interrupted
    scene.model.interactive.close()
    main = threading.main_thread()

    def interrupt() -> None:
        signal.pthread_kill(main.ident, signal.SIGINT)

    def interrupt_when_asked() -> None:
        scene.model.interactive.wait_for_one()
        interrupt()

    scene.people.submit(interrupt_when_asked)
    with pytest.raises(KeyboardInterrupt):
        run.at(-7)
    threading.Timer(0.1, interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run.wait()
    assert not run.done
    scene.model.interactive.open()
    scene.model.background.open()
    assert run.wait(PATIENCE).progress == 1


def test_E9_shutdown_ends_threads_and_tasks_and_keeps_finished_chunks(scene: Scene) -> None:
    scene.model.background.close()
    run, queued = scene.long(), scene.long(OTHER)
    scene.model.background.wait_for_one()
    ending = scene.people.submit(scene.engine.shutdown)
    while not (run.cancelled and queued.cancelled):
        assert not ending.done()
    scene.model.background.let_one()
    ending.result(PATIENCE)
    assert not scene.threads()
    assert run.done
    assert queued.done
    assert run.inferred == run.calculated == CHUNK
    assert queued.inferred == 0
    scene.model.background.open()
    assert scene.long().wait(PATIENCE).progress == 1, "a later request starts another thread"


# --- moments that only bad luck finds: each of these has hung or lied once -------------------------------------------


@pytest.mark.parametrize("where", ["inference", "put away"])
def test_E5_no_exception_whatever_ends_the_background(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """SystemExit, or a panic in Rust, which is no Exception either."""

    def panic(*_: object, **__: object) -> None:
        raise SystemExit(3)

    failing = Stopped()
    run = scene.run(model=failing)
    with monkeypatch.context() as patched:
        if where == "inference":
            patched.setattr(failing, "forecast", panic)
        else:
            patched.setattr(scene.cache, "finish", panic)
        run.start(Priority.BATCH)
        assert run.settle(PATIENCE)
    if where == "inference":
        with pytest.raises(ForecasterError, match="SystemExit: 3"):
            run.wait(PATIENCE)
    else:
        assert run.progress == 1
    assert scene.long(OTHER).wait(PATIENCE).progress == 1


def test_E9_an_interrupt_before_a_task_is_queued_does_not_strand_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scene.cache, "pin", interrupt)
        with pytest.raises(KeyboardInterrupt):
            scene.long()
    assert scene.long().wait(PATIENCE).progress == 1
    assert not scene.cache._pins


def test_C8_a_run_at_work_stays_with_the_entry_that_it_fills(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    scene.cache.clear()
    other = scene.run()
    other.at(-7)
    assert scene.held() is other._view.entry is not run._view.entry
    np.testing.assert_array_equal(run.at(-7).draws, other.at(-7).draws)
    scene.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert np.isfinite(run.array).all()


def test_C12_E5_a_request_does_not_wait_for_results_that_are_put_away(scene: Scene) -> None:
    """Nor do the two wait for each other, when both have to make room."""
    scene.long().wait(PATIENCE)
    scene.cache.memory = 1
    held, go = threading.Event(), threading.Event()

    def put_away() -> None:
        with scene.cache.putting_away:
            held.set()
            assert go.wait(PATIENCE)
            scene.cache.trim()

    writing = scene.people.submit(put_away)
    assert held.wait(PATIENCE)
    found = scene.people.submit(scene.run, OTHER)
    assert found.result(PATIENCE).reused == 0
    go.set()
    writing.result(PATIENCE)
    assert len(scene.cache.entries()) == 1


def test_E9_a_task_whose_place_was_taken_ends_with_the_engine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.model.background.close()
    first = scene.long()
    scene.model.background.wait_for_one()
    first._task.error = ZeroDivisionError()
    second = scene.long()
    assert second._task is not first._task
    ending = scene.people.submit(scene.engine.shutdown)
    while not (first.cancelled and second.cancelled):
        assert not ending.done()
    scene.model.background.open()
    ending.result(PATIENCE)
    assert first.done
    assert second.done
    assert not scene.cache._pins


def test_E9_a_lane_whose_closing_was_interrupted_is_as_good_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane("test")
    assert lane.submit(lambda: 1).result(PATIENCE) == 1

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    pool = lane._pool
    with monkeypatch.context() as patched:
        patched.setattr(pool, "shutdown", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lane.close()
    pool.shutdown()
    assert lane.submit(lambda: 2).result(PATIENCE) == 2
    lane.close()
    assert lane.backlog == 0


def test_E5_the_card_of_a_run_cancelled_before_it_began_infers_nothing(scene: Scene) -> None:
    scene.model.background.close()
    busy, queued = scene.long(OTHER), scene.long()
    scene.model.background.wait_for_one()
    queued.cancel()
    scene.model.background.open()
    busy.wait(PATIENCE)
    assert queued.settle(PATIENCE)
    calls = len(scene.model.calls)
    card = run_card(queued)
    assert "Cancelled: 0 of 12 origins" in card["text/plain"]
    assert len(scene.model.calls) == calls
    assert "<img" not in card["text/html"]
    assert "<img" in run_card(busy)["text/html"]


# --- what mutants of the engine got away with ------------------------------------------------------------------------


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
    view = scene.long().wait(PATIENCE)._view
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    view.entry.forget(np.arange(4), Status.INFERRED)
    scene.engine.submit(view, None, 0, Priority.IDLE)
    view.entry.forget(np.arange(6, 9), Status.WAITING)
    run = scene.long()
    scene.model.background.open()
    assert run.wait(PATIENCE).progress == 1
    assert busy.wait(PATIENCE).progress == 1


def test_C10_what_lacks_calculations_alone_is_calculated_and_not_inferred_again(scene: Scene) -> None:
    entry = scene.long().wait(PATIENCE)._view.entry
    calls = len(scene.model.calls)
    assert entry.forget(np.arange(2, 11), Status.INFERRED) == 9
    run = scene.long().wait(PATIENCE)
    assert (entry.status == Status.CALCULATED).all()
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
    assert all(run.settle(PATIENCE) for run in (busy, hurried, *idle))
    assert scene.model.histories == [100.5] * 3 + [0.5] * 3 + [200.5] * 3


def test_C12_what_is_worked_on_stays_in_memory(scene: Scene) -> None:
    scene.cache.memory = 1
    scene.model.background.close()
    held = scene.long()
    scene.model.background.wait_for_one()
    view = scene.run(OTHER)
    view.at(-1)
    scene.cache.trim()
    assert scene.held() is held._view.entry
    scene.model.background.open()
    held.wait(PATIENCE)


def test_E4_cancelling_what_has_ended_changes_nothing(scene: Scene) -> None:
    run = scene.long().wait(PATIENCE)
    scene.engine.cancel(run._task)
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

    monkeypatch.setattr(calculating, "calculate", calculate)
    monkeypatch.setenv("NBFORECAST_CHUNK", "2")
    run = scene.long()
    turnstile.wait_for_one()
    while not run._task.ending:
        assert scene.engine._calculation.backlog <= AHEAD + 1, "and the end of the task"
    turnstile.open()
    assert run.wait(PATIENCE).progress == 1
    assert len([name for name in by if name.startswith("nbforecast-inference")]) == 4
    assert len(by) == 6


def test_E5_a_run_knows_its_rate_and_the_time_left(scene: Scene) -> None:
    scene.model.background.close()
    run = scene.long()
    assert (run.rate, np.isnan(run.left)) == (0.0, True)
    scene.model.background.let_one()
    scene.model.background.wait_for_one()
    scene.model.background.wait_for_one()
    assert run.inferred == CHUNK
    assert run.rate > 0
    assert run.left == pytest.approx((12 - CHUNK) / run.rate)
    scene.model.background.open()
    run.wait(PATIENCE)
    assert run.left == 0
    assert run.rate >= run.inferred / run.seconds


def test_C9_a_long_run_is_saved_while_it_goes_on(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CHECKPOINT", 0.0)
    scene.cache.store = Store(tmp_path)
    scene.model.background.close()
    run = scene.long()
    scene.model.background.wait_for_one()
    scene.model.background.let_one()
    scene.model.background.wait_for_one()
    while scene.engine._calculation.backlog:
        assert not run.done
    found = scene.cache.store.find(run._view.key)
    assert (scene.cache.store.read(found).status == Status.CALCULATED).sum() == CHUNK
    scene.model.background.open()
    run.wait(PATIENCE)


def test_E5_one_failing_calculation_ends_the_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failed = calculating.calculate, threading.Event()

    def fail_once(*given: object) -> object:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("no score")
        return real(*given)

    monkeypatch.setattr(calculating, "calculate", fail_once)
    scene.model.background.close()
    run = scene.long()
    scene.model.background.let_one()
    assert failed.wait(PATIENCE)
    while run.error is None:
        assert not run.done
    scene.model.background.open()
    with pytest.raises(ZeroDivisionError):
        run.wait(PATIENCE)
    assert run.inferred < len(WHOLE)


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
    run._view.entry.forget(np.array([WHOLE.row(-7)]), Status.WAITING)
    assert run.at(-7).draws[0, 0] == first[0, 0] + 1000


def test_C8a_a_calculation_of_forecasts_that_were_inferred_anew_meanwhile_is_dropped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile = Turnstile()
    turnstile.close()
    monkeypatch.setattr(calculating, "calculate", stopping(turnstile))
    scene.model.background.close()
    run = scene.long()
    scene.model.background.let_one()
    turnstile.wait_for_one()
    newest = np.array([11])
    run._view.entry.forget(newest, Status.WAITING)
    drawn = run.at(0).draws
    assert drawn[0, 0] >= 2000
    run._view.entry.forget(newest, Status.INFERRED)
    turnstile.let_one()
    while scene.engine._calculation.backlog:
        assert not run.done
    assert np.isnan(run._view.take("median", newest)).all(), "it was made of the first forecast"
    turnstile.open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_C8_what_is_dropped_while_a_run_ends_is_inferred_before_it_has_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real, finished = scene.cache.finish, []

    def finish(view: View, *, asked: bool) -> None:
        if when == "after":
            real(view, asked=asked)
        if not finished:
            view.entry.forget(np.arange(5), Status.WAITING)
        finished.append(view)
        if when == "before":
            real(view, asked=asked)

    monkeypatch.setattr(scene.cache, "finish", finish)
    assert scene.long().wait(PATIENCE).progress == 1
    assert len(finished) == 2


def test_C8_results_taken_away_before_the_end_are_made_up_for_and_saved_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile, finished = Turnstile(), []
    turnstile.close()
    monkeypatch.setattr(calculating, "calculate", stopping(turnstile))
    real = scene.cache.finish
    monkeypatch.setattr(scene.cache, "finish", lambda view, **k: (finished.append(view), real(view, **k)))
    run = scene.long()
    turnstile.wait_for_one()
    while not run._task.ending:
        assert not run.done
    run._view.entry.forget(np.arange(3), Status.WAITING)
    turnstile.open()
    assert run.wait(PATIENCE).progress == 1
    assert len(finished) == 1
