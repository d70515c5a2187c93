"""E4, E5, W3: what the background tells of its work: what runs, what waits and in which order, and cancelling by it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.engine.tasks import Priority
from nbforecast.result_cache.status import Status
from tests.support.engine_fixture import CHUNK, NEWEST, OTHER, WHOLE
from tests.support.explorers import wait_for

if TYPE_CHECKING:
    from nbforecast.engine.tasks import TaskInfo
    from tests.support.engine_fixture import EngineFixture


def told(fixture: EngineFixture) -> list[tuple[str, str, str]]:
    return [(w.entry_slice.key.handle, w.priority.name, w.state) for w in fixture.engine.tasks_info()]


def test_E4_tasks_are_listed_in_the_order_in_which_they_run(fixture: EngineFixture) -> None:
    assert fixture.engine.tasks_info() == []
    fixture.model.background.close()
    first = fixture.forecast(WHOLE)
    fixture.model.background.wait_for_arrival()
    idle = fixture.run(OTHER)
    idle.start(Priority.IDLE)
    batch = fixture.forecast(NEWEST)
    assert told(fixture) == [
        (first.handle, "BATCH", "running"),
        (batch.handle, "BATCH", "queued"),
        (idle.handle, "IDLE", "queued"),
    ]
    whole = fixture.engine.tasks_info()[0]
    assert (whole.available, whole.inferred, whole.calculated) == (12, 0, 0)
    assert math.isnan(whole.eta_seconds)
    assert whole.rate == 0
    assert len({w.number for w in fixture.engine.tasks_info()}) == 3
    idle.start(Priority.BATCH)
    fixture.model.background.let_one_pass()
    fixture.model.background.wait_for_arrival()
    wait_for(lambda: fixture.engine.tasks_info()[0].calculated == CHUNK)
    whole = fixture.engine.tasks_info()[0]
    assert (whole.inferred, whole.number) == (CHUNK, fixture.engine.tasks_info()[0].number)
    assert whole.rate > 0
    assert 0 < whole.eta_seconds < math.inf
    fixture.model.background.open()
    for run in (first, idle, batch):
        run.wait()
    assert fixture.engine.tasks_info() == []


def test_E4_a_listed_task_can_be_cancelled(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    first, second = fixture.forecast(WHOLE), fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    running, queued = fixture.engine.tasks_info()
    assert running.task is not None
    assert queued.task is not None
    fixture.engine.cancel(queued.task)
    fixture.engine.cancel(running.task)
    assert ("BATCH", "ending") in [state[1:] for state in told(fixture)]
    fixture.model.background.open()
    assert first.wait_for_end(10)
    assert second.wait_for_end(10)
    assert (first.cancelled, second.cancelled) == (True, True)
    assert fixture.call_numbers(second).max() == 0
    assert fixture.engine.tasks_info() == []


def test_E4_interactive_requests_are_listed_first(fixture: EngineFixture) -> None:
    fixture.model.background.close()
    fixture.model.interactive.close()
    run = fixture.forecast(WHOLE)
    fixture.model.background.wait_for_arrival()
    asked = fixture.request(run, -11)
    fixture.model.interactive.wait_for_arrival()
    answer, background = fixture.engine.tasks_info()
    assert (answer.priority, answer.state, answer.available, answer.task) == (Priority.INTERACTIVE, "running", 1, None)
    assert background.state == "running"
    also = fixture.request(run, -10)
    wait_for(lambda: len(fixture.engine.tasks_info()) == 3)
    assert [w.state for w in fixture.engine.tasks_info()] == ["running", "queued", "running"]
    fixture.model.interactive.open()
    asked.result(10)
    also.result(10)
    wait_for(lambda: states(fixture.engine.tasks_info()) == ["running"])
    fixture.model.background.open()
    run.wait()


def states(work: list[TaskInfo]) -> list[str]:
    return [w.state for w in work]


def test_E5_a_run_of_calculations_alone_has_nothing_left_to_infer(fixture: EngineFixture) -> None:
    run = fixture.forecast(WHOLE).wait()
    run.entry_slice.entry.discard(np.array([3]), Status.INFERRED)
    fixture.model.background.close()
    busy = fixture.forecast(OTHER)
    fixture.model.background.wait_for_arrival()
    again = fixture.run(WHOLE)
    again.start(Priority.BATCH, infer=False)
    waiting = fixture.engine.tasks_info()[-1]
    assert (waiting.state, waiting.eta_seconds) == ("calculating", 0.0)
    fixture.model.background.open()
    assert again.wait().inferred == 0
    assert again.progress == 1
    busy.wait()
