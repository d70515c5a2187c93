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
    from tests.support.engine_fixture import Scene


def told(scene: Scene) -> list[tuple[str, str, str]]:
    return [(w.entry_slice.key.handle, w.priority.name, w.state) for w in scene.engine.tasks_info()]


def test_E4_work_is_told_in_the_order_in_which_it_is_taken(scene: Scene) -> None:
    assert scene.engine.tasks_info() == []
    scene.model.background.close()
    first = scene.long(WHOLE)
    scene.model.background.wait_for_one()
    idle = scene.run(OTHER)
    idle.start(Priority.IDLE)
    batch = scene.long(NEWEST)
    assert told(scene) == [
        (first.handle, "BATCH", "running"),
        (batch.handle, "BATCH", "queued"),
        (idle.handle, "IDLE", "queued"),
    ]
    whole = scene.engine.tasks_info()[0]
    assert (whole.available, whole.inferred, whole.calculated) == (12, 0, 0)
    assert math.isnan(whole.eta_seconds)
    assert whole.rate == 0
    assert len({w.number for w in scene.engine.tasks_info()}) == 3
    idle.start(Priority.BATCH)
    scene.model.background.let_one()
    scene.model.background.wait_for_one()
    wait_for(lambda: scene.engine.tasks_info()[0].calculated == CHUNK)
    whole = scene.engine.tasks_info()[0]
    assert (whole.inferred, whole.number) == (CHUNK, scene.engine.tasks_info()[0].number)
    assert whole.rate > 0
    assert 0 < whole.eta_seconds < math.inf
    scene.model.background.open()
    for run in (first, idle, batch):
        run.wait()
    assert scene.engine.tasks_info() == []


def test_E4_what_is_told_can_be_cancelled(scene: Scene) -> None:
    scene.model.background.close()
    first, second = scene.long(WHOLE), scene.long(OTHER)
    scene.model.background.wait_for_one()
    running, queued = scene.engine.tasks_info()
    assert running.task is not None
    assert queued.task is not None
    scene.engine.cancel(queued.task)
    scene.engine.cancel(running.task)
    assert ("BATCH", "ending") in [state[1:] for state in told(scene)]
    scene.model.background.open()
    assert first.wait_for_end(10)
    assert second.wait_for_end(10)
    assert (first.cancelled, second.cancelled) == (True, True)
    assert scene.numbers(second).max() == 0
    assert scene.engine.tasks_info() == []


def test_E4_somebody_who_waits_for_an_answer_is_told_first(scene: Scene) -> None:
    scene.model.background.close()
    scene.model.interactive.close()
    run = scene.long(WHOLE)
    scene.model.background.wait_for_one()
    asked = scene.ask(run, -11)
    scene.model.interactive.wait_for_one()
    answer, background = scene.engine.tasks_info()
    assert (answer.priority, answer.state, answer.available, answer.task) == (Priority.INTERACTIVE, "running", 1, None)
    assert background.state == "running"
    also = scene.ask(run, -10)
    wait_for(lambda: len(scene.engine.tasks_info()) == 3)
    assert [w.state for w in scene.engine.tasks_info()] == ["running", "queued", "running"]
    scene.model.interactive.open()
    asked.result(10)
    also.result(10)
    wait_for(lambda: states(scene.engine.tasks_info()) == ["running"])
    scene.model.background.open()
    run.wait()


def states(work: list[TaskInfo]) -> list[str]:
    return [w.state for w in work]


def test_E5_a_run_of_calculations_alone_has_nothing_left_to_infer(scene: Scene) -> None:
    run = scene.long(WHOLE).wait()
    run.entry_slice.entry.discard(np.array([3]), Status.INFERRED)
    scene.model.background.close()
    busy = scene.long(OTHER)
    scene.model.background.wait_for_one()
    again = scene.run(WHOLE)
    again.start(Priority.BATCH, infer=False)
    waiting = scene.engine.tasks_info()[-1]
    assert (waiting.state, waiting.eta_seconds) == ("calculating", 0.0)
    scene.model.background.open()
    assert again.wait().inferred == 0
    assert again.progress == 1
    busy.wait()
