"""E5 E7 E9 C9 C12: errors, interrupts, memory and ends, with nobody left waiting."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import jax
import numpy as np
import pytest

from nbforecast.engine import calculation
from nbforecast.engine import engine as engines
from nbforecast.engine.executor import SingleThreadExecutor
from nbforecast.engine.tasks import Priority
from nbforecast.errors import ForecasterError
from nbforecast.report import current_forecast
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.status import Status
from tests.support.blocking_model import PATIENCE, BlockingModel
from tests.support.cache_files import wait_until
from tests.support.engine_fixture import CHUNK, OTHER, WHOLE, EngineFixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from nbforecast.data import Dataset


def test_E5_a_failing_run_raises_its_error_with_traceback_and_others_go_on(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = BlockingModel()

    def out_of_luck(*_: object) -> np.ndarray:
        raise ZeroDivisionError("out of luck")

    monkeypatch.setattr(failing, "forecast", out_of_luck)
    run = fixture.run(model=failing)
    run.start(Priority.BATCH)
    other = fixture.forecast(OTHER)
    with pytest.raises(ForecasterError, match="'blocking' failed: ZeroDivisionError: out of luck") as caught:
        run.wait(PATIENCE)
    frames = caught.value.__cause__.__traceback__
    while frames.tb_next:
        frames = frames.tb_next
    assert frames.tb_frame.f_code.co_name == "out_of_luck"
    assert run.error is caught.value
    assert other.wait(PATIENCE).progress == 1
    with pytest.raises(ForecasterError, match="out of luck"):
        run.at(-1)


def test_E5_a_failing_calculation_is_an_error_of_the_run(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("no score")

    monkeypatch.setattr(calculation, "calculate", fail)
    run = fixture.forecast()
    with pytest.raises(ZeroDivisionError, match="no score"):
        run.wait(PATIENCE)
    assert isinstance(run.error, ZeroDivisionError)


class Cramped(BlockingModel):
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
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "8")
    model = Cramped()
    run = fixture.run(model=model)
    run.start(Priority.BATCH)
    assert run.wait(PATIENCE).progress == 1
    assert model.tried == [8, 4, 4, 4], "what did not fit is not tried again"
    assert (run.array[:, 0, 0] % 1000 == WHOLE.values).all()


def test_E7_a_model_that_does_not_fit_is_an_error_with_a_remedy(fixture: EngineFixture) -> None:
    model = Cramped()
    model.room = 0
    run = fixture.run(model=model)
    with pytest.raises(
        ForecasterError, match=r"does not fit into the device's memory.*NBFORECAST_DEVICE=cpu"
    ) as caught:
        run.at(0)
    assert "RESOURCE_EXHAUSTED" in str(caught.value.__cause__)


@contextmanager
def interrupts(count: int) -> Iterator[Callable[[], AbstractContextManager[object]]]:
    """Gives contexts in which an interrupt of this process raises, and must; elsewhere none does.

    At the end so many have come, so that none comes later, to pytest.
    """
    heard, waiting = [], []

    def hear(*_: object) -> None:
        heard.append(None)
        if waiting:
            raise KeyboardInterrupt

    @contextmanager
    def raised() -> Iterator[None]:
        waiting.append(None)
        try:
            yield
        except KeyboardInterrupt:
            return
        finally:
            waiting.clear()
        pytest.fail("nothing was interrupted")

    usual = signal.signal(signal.SIGINT, hear)
    try:
        yield raised
        wait_until(lambda: len(heard) >= count)
    finally:
        signal.signal(signal.SIGINT, usual)


def test_E9_an_interrupt_ends_the_wait_and_not_the_work(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    run.at(-5)  # its thread has started: Python does not know a thread whose start was interrupted
    fixture.model.interactive.close()
    main = threading.main_thread()

    def interrupt() -> None:
        signal.pthread_kill(main.ident, signal.SIGINT)

    def interrupt_when_asked() -> None:
        fixture.model.interactive.wait_for_arrival()
        interrupt()

    def interrupt_elsewhere() -> None:
        time.sleep(0.1)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    with interrupts(4) as raised:
        fixture.callers.submit(interrupt_when_asked)
        with raised():
            run.at(-7)
        with raised():
            fixture.callers.submit(interrupt)
            run.wait()
        # one that comes just before a wait, or to another thread, is handled between bytecodes of this thread only
        for wait in (run.wait, lambda: run.at(-7)):
            start_time = time.monotonic()
            with raised():
                fixture.callers.submit(interrupt_elsewhere)
                wait()
            assert time.monotonic() - start_time < 10
    assert not run.done
    fixture.model.interactive.open()
    fixture.model.background.open()
    assert run.wait(PATIENCE).progress == 1


def test_E9_shutdown_ends_threads_and_tasks_and_keeps_finished_chunks(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run, queued = fixture.forecast(), fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    ending = fixture.callers.submit(fixture.engine.shutdown)
    while not (run.cancelled and queued.cancelled):
        assert not ending.done()
    fixture.model.background.let_one_pass()
    ending.result(PATIENCE)
    assert not fixture.threads()
    assert run.done
    assert queued.done
    assert run.inferred == run.calculated == CHUNK
    assert queued.inferred == 0
    fixture.model.background.open()
    assert fixture.forecast().wait(PATIENCE).progress == 1, "a later request starts another thread"


@pytest.mark.parametrize("where", ["inference", "storing"])
def test_E5_no_exception_ends_the_background(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """SystemExit, or a panic in Rust, which is no Exception either."""

    def panic(*_: object, **__: object) -> None:
        raise SystemExit(3)

    failing = BlockingModel()
    run = fixture.run(model=failing)
    with monkeypatch.context() as patched:
        if where == "inference":
            patched.setattr(failing, "forecast", panic)
        else:
            patched.setattr(fixture.cache, "complete", panic)
        run.start(Priority.BATCH)
        assert run.wait_for_end(PATIENCE)
    if where == "inference":
        with pytest.raises(ForecasterError, match="SystemExit: 3"):
            run.wait(PATIENCE)
    else:
        assert run.progress == 1
    assert fixture.forecast(OTHER).wait(PATIENCE).progress == 1


def test_E9_an_interrupt_before_a_task_is_queued_does_not_strand_it(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fixture.cache, "pin", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fixture.forecast()
    assert fixture.forecast().wait(PATIENCE).progress == 1
    assert not fixture.cache._pins


def test_C12_E5_a_request_does_not_wait_for_results_that_are_being_saved(fixture: EngineFixture) -> None:
    """Nor do the two wait for each other, when both have to make room."""
    fixture.forecast().wait(PATIENCE)
    fixture.cache.memory = 1
    held, go = threading.Event(), threading.Event()

    def put_away() -> None:
        with fixture.cache.write_lock:
            held.set()
            assert go.wait(PATIENCE)
            fixture.cache.trim()

    writing = fixture.callers.submit(put_away)
    assert held.wait(PATIENCE)
    found = fixture.callers.submit(fixture.run, OTHER)
    assert found.result(PATIENCE).reused == 0
    go.set()
    writing.result(PATIENCE)
    assert len(fixture.cache.entries()) == 1


def test_E9_a_task_that_another_one_replaced_ends_with_the_engine(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture.model.background.close()
    first = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    first.task.error = ZeroDivisionError()
    second = fixture.forecast()
    assert second.task is not first.task
    ending = fixture.callers.submit(fixture.engine.shutdown)
    while not (first.cancelled and second.cancelled):
        assert not ending.done()
    fixture.model.background.open()
    ending.result(PATIENCE)
    assert first.done
    assert second.done
    assert not fixture.cache._pins


def test_E9_an_executor_whose_closing_was_interrupted_can_be_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = SingleThreadExecutor("test")
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


def test_E5_the_card_of_a_run_cancelled_before_its_start_infers_nothing(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    busy, queued = fixture.forecast(OTHER), fixture.forecast()
    fixture.model.background.wait_for_arrival()
    queued.cancel()
    fixture.model.background.open()
    busy.wait(PATIENCE)
    assert queued.wait_for_end(PATIENCE)
    calls = len(fixture.model.calls)
    card = queued._repr_mimebundle_()
    assert "Cancelled: 0 of 12 origins" in card["text/plain"]
    assert len(fixture.model.calls) == calls
    assert "<img" not in card["text/html"]
    assert "<img" in busy._repr_mimebundle_()["text/html"]


def test_W12_runs_and_charts_show_themselves_as_one_page_where_there_is_no_kernel(fixture: EngineFixture) -> None:
    run = fixture.forecast().wait(PATIENCE)
    for shown in (run, run.at(-1), current_forecast(run)):
        kind, html = shown._mime_()  # the protocol of marimo
        assert (kind, html) == ("text/html", shown._repr_mimebundle_()["text/html"])
        assert "<img" in html


def test_E5_a_run_knows_its_rate_and_the_time_left(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    run = fixture.forecast()
    assert (run.rate, np.isnan(run.eta_seconds)) == (0.0, True)
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()
    fixture.model.background.wait_for_arrival()
    assert run.inferred == CHUNK
    assert run.rate > 0
    assert run.eta_seconds == pytest.approx((12 - CHUNK) / run.rate)
    fixture.model.background.open()
    run.wait(PATIENCE)
    assert run.eta_seconds == 0
    assert run.rate >= run.inferred / run.seconds


def test_C9_a_long_run_is_saved_while_it_goes_on(
    fixture: EngineFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CHECKPOINT_SECONDS", 0.0)
    fixture.cache.directory = CacheDirectory(tmp_path)
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.wait_for_arrival()
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()
    while fixture.engine._calculation.backlog:
        assert not run.done
    found = fixture.cache.directory.find(run.entry_slice.key)
    assert (fixture.cache.directory.read(found).status == Status.SCORED).sum() == CHUNK
    fixture.model.background.open()
    run.wait(PATIENCE)


def test_E5_one_failing_calculation_ends_the_run(fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failed = calculation.calculate, threading.Event()

    def fail_once(*given: object) -> object:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("no score")
        return real(*given)

    monkeypatch.setattr(calculation, "calculate", fail_once)
    fixture.model.background.close()
    run = fixture.forecast()
    fixture.model.background.let_one_pass()
    assert failed.wait(PATIENCE)
    while run.error is None:
        assert not run.done
    fixture.model.background.open()
    with pytest.raises(ZeroDivisionError):
        run.wait(PATIENCE)
    assert run.inferred < len(WHOLE)


def test_E4_a_slow_model_holds_up_no_other_models_requests(fixture: EngineFixture) -> None:
    fixture.model.interactive.close()
    slow = fixture.request(fixture.run(), -7)
    fixture.model.interactive.wait_for_arrival()
    quick = fixture.run(model=BlockingModel())
    assert np.isfinite(fixture.request(quick, -3).result(PATIENCE).draws).all()
    same = fixture.request(fixture.run(), -5)
    assert [task.state for task in fixture.engine.tasks_info()][:1] == ["running"]
    assert not slow.done()
    fixture.model.interactive.open()
    assert np.isfinite(slow.result(PATIENCE).draws).all()
    assert np.isfinite(same.result(PATIENCE).draws).all()
