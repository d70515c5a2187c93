"""C1, C5, C6, C7, C8: results that meet others, and work whose entry changes meanwhile, in any order of events.

One thread plays all parts: the engine's jobs are taken from a hand-driven pool, and what is to happen in the middle of
an inference or a calculation is called from there. So every order of events can be tried, and tried again.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.engine.tasks import Priority, StaleAction, Task, action_for_stale
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache.cache import should_replace
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset

from tests.support.deterministic_engine import (
    CHUNK,
    DRAWS,
    HORIZON,
    NEWEST,
    OTHER,
    PART,
    ROWS,
    SPAN,
    SPEC,
    THIRD,
    WHOLE,
    Actor,
    Event,
    Long,
    Play,
    Short,
    Stage,
    Tell,
    Work,
    history,
    plays,
    told,
)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("agree", [False, True])
@pytest.mark.parametrize("held", [None, 0, 6])
@pytest.mark.parametrize("offered", [0, 1, 6, 7])
def test_C7_what_becomes_of_a_result_that_meets_another(
    held: int | None, offered: int, agree: bool, force: bool
) -> None:
    if held is None:
        expected = True
    elif not agree:
        expected = False
    else:
        expected = offered > held or force
    assert should_replace(held, offered, agree=agree, force=force) is expected


@pytest.mark.parametrize(
    ("priority", "same", "there", "expected"),
    [
        *((p, True, t, StaleAction.GO_ON) for p in Priority for t in (False, True)),
        *((Priority.IDLE, False, t, StaleAction.DROP) for t in (False, True)),
        *((Priority.BATCH, False, t, StaleAction.RESTART) for t in (False, True)),
        (Priority.INTERACTIVE, False, True, StaleAction.RESTART),
        (Priority.INTERACTIVE, False, False, StaleAction.INFER),
    ],
)
def test_C8_what_becomes_of_a_task_that_is_picked_up(
    priority: Priority, same: bool, there: bool, expected: StaleAction
) -> None:
    assert action_for_stale(priority, same=same, available=there) is expected


FORCES = pytest.mark.parametrize(
    ("long", "short"),
    [(False, False), (False, True), (True, False), (True, True)],
    ids=["no force", "short -f", "long -f", "both -f"],
)


@FORCES
def test_C6_C7a_C7b_a_long_and_a_short_request_in_every_order(
    stages: Callable[[], Stage], long: bool, short: bool
) -> None:
    outcomes: Counter[str] = Counter()
    for play, (a, b, _) in plays(stages, lambda: (Long(force=long), Short(force=short), Work(4))):
        assert isinstance(a, Long)
        assert isinstance(b, Short)
        replaced = short and b.late
        assert play.owner is (b.entry if replaced else a.entry)
        assert play.owner.complete
        numbers, _ = told(a.run.array)
        inferred = Counter(np.concatenate(play.stage.model.calls).tolist())
        if long:
            assert (numbers > a.began).all()
        if not long and not short:
            assert set(inferred.values()) == {1}, "nothing is inferred twice"
        outcomes["short" if replaced else "long"] += 1
    assert set(outcomes) == ({"short", "long"} if short else {"long"})


@FORCES
def test_C8_a_flush_at_any_moment(stages: Callable[[], Stage], long: bool, short: bool) -> None:
    left = Counter(
        play.owner is None
        for play, _ in plays(stages, lambda: (Long(force=long), Short(force=short), Work(4), Event(Play.flush)))
    )
    assert left[False]
    assert left[True], "a flush after everything"


def test_C8b_C11_idle_work_ends_with_a_flush_and_nothing_comes_back(stages: Callable[[], Stage]) -> None:
    ended = calls = 0
    at_work: list[Task] = []

    def flush(play: Play) -> None:
        nonlocal calls
        at_work[:] = [task for task in play.stage.engine._tasks.values() if not task.finished.is_set()]
        calls = len(play.stage.model.calls)
        play.flush()

    for play, _ in plays(stages, lambda: (Short(), Work(4), Event(flush))):
        assert len(play.stage.cache.slices()) == (play.owner is not None)
        if at_work:
            assert play.owner is None
            assert at_work[0].cancelled
            assert len(play.stage.model.calls) == calls
        ended += len(at_work)
    assert ended


@pytest.mark.parametrize("keep", [Status.PENDING, Status.INFERRED])
@FORCES
def test_C8a_rows_dropped_at_any_moment(stages: Callable[[], Stage], keep: Status, long: bool, short: bool) -> None:
    gone: Counter[bool] = Counter()
    for _ in plays(
        stages,
        lambda: (Long(force=long), Short(force=short), Work(2), Event(lambda p: gone.update([p.stage.drop(keep) > 0]))),
    ):
        pass
    assert gone[True] > 20


@pytest.mark.parametrize("what", ["flush", "drop", "scores"])
@pytest.mark.parametrize("where", ["inference", "calculation"])
@FORCES
def test_C8a_C8c_in_the_middle_of_an_inference_or_a_calculation(
    stages: Callable[[], Stage], what: str, where: str, long: bool, short: bool
) -> None:
    """At the next inference or calculation after any moment, entries are flushed or rows dropped."""
    done = 0

    def act(play: Play) -> None:
        nonlocal done
        done += 1
        if what == "flush":
            play.flush()
        else:
            play.stage.drop(Status.PENDING if what == "drop" else Status.INFERRED)

    def arm(play: Play) -> None:
        if where == "inference":
            play.stage.model.inside = lambda: act(play)
        else:
            play.stage.between = lambda: act(play)

    for _ in plays(stages, lambda: (Long(force=long), Short(1, force=short), Work(2), Event(arm))):
        pass
    assert done > 20


def test_C8b_idle_work_ends_where_rows_are_dropped(stages: Callable[[], Stage]) -> None:
    ended = calls = 0
    at_work = False

    def drop(play: Play) -> None:
        nonlocal at_work, calls
        at_work = bool(play.stage.drop() and play.stage.engine._tasks)
        calls = len(play.stage.model.calls)

    for play, (b, _, _) in plays(stages, lambda: (Short(), Work(4), Event(drop))):
        assert isinstance(b, Short)
        assert b.task is not None
        assert b.task.cancelled == at_work
        assert play.owner is b.entry
        if at_work:
            assert len(play.stage.model.calls) == calls
            assert set(SPAN) & set(b.run.entry_slice.pending_rows())
        ended += at_work
        at_work = False
    assert ended


def test_C7_C8_two_short_requests_and_a_flush_in_every_order(stages: Callable[[], Stage]) -> None:
    for _ in plays(stages, lambda: (Short(3, force=True), Short(4), Work(1), Event(Play.flush))):
        pass


@FORCES
def test_C5_C7a_a_history_and_its_newest_part_in_every_order(
    stages: Callable[[], Stage], long: bool, short: bool
) -> None:
    """The part ends in the whole history's entry, unless it was forced and came to its end later."""
    outcomes: Counter[bool] = Counter()

    def cast() -> tuple[Actor, ...]:
        return Long(force=long), Long(NEWEST, force=short), Work(8)

    for play, (a, b, _) in plays(stages, cast):
        assert isinstance(a, Long)
        assert isinstance(b, Long)
        held = play.stage.held(NEWEST)
        outcomes[held is a.entry] += 1
        assert held is a.entry or (short and held is b.entry)
        _, observed = told(b.run.array)
        np.testing.assert_array_equal(observed, NEWEST.values)
    assert outcomes[True]


@FORCES
def test_C7c_other_values_for_the_same_times_are_never_merged(
    stages: Callable[[], Stage], long: bool, short: bool
) -> None:
    """Neither as long a history nor a shorter one, with the same end."""

    def cast() -> tuple[Actor, ...]:
        return Long(force=long), Long(OTHER, force=short), Long(THIRD), Work(5)

    for play, (*parts, _) in plays(stages, cast):
        for part in parts:
            assert isinstance(part, Long)
            assert play.stage.held(part.data) is part.entry
            assert part.entry.data is part.data
            assert part.run.reused == 0
            assert (told(part.run.array)[1] == part.data.values).all()


# --- single moments ------------------------------------------------------------------------------------------------


def test_C8c_what_is_dropped_while_it_is_inferred_is_inferred_again(stages: Callable[[], Stage]) -> None:
    stage = stages()
    run = stage.run(stage.find())
    run.start(Priority.BATCH)
    stage.work()
    waiting = run.entry_slice.pending_rows()[-1]

    def drop() -> None:
        assert run.entry_slice.entry.discard(np.arange(ROWS), Status.PENDING) == CHUNK

    stage.model.inside = drop
    number, _ = told(run.at(int(waiting) - ROWS + 1).draws[None])
    assert number.tolist() == [3] == [len(stage.model.calls)]
    assert run.inferred == 1


def test_C8c_what_is_flushed_while_it_is_inferred_is_inferred_again(stages: Callable[[], Stage]) -> None:
    stage = stages()
    run = stage.run(stage.find())
    stage.model.inside = stage.flush
    number, observed = told(run.at(-2).draws[None])
    assert (number.tolist(), observed.tolist()) == ([2], [WHOLE.values[-3]])
    entry = stage.held()
    assert entry is run.entry_slice.entry
    assert np.flatnonzero(has_forecast(entry.status)).tolist() == [ROWS - 3]


def test_C8b_what_is_replaced_while_it_is_inferred_is_answered_on_the_new_entry(stages: Callable[[], Stage]) -> None:
    stage = stages()
    run = stage.run(stage.find())
    forced = stage.run(stage.find(force=True))

    def replace() -> None:
        forced.at(0)
        stage.cache.publish(forced.entry_slice, force=True)

    stage.model.inside = replace
    number, _ = told(run.at(-2).draws[None])
    assert run.entry_slice.entry is forced.entry_slice.entry is stage.held()
    assert number.tolist() == [3]


def test_C8c_an_entry_that_cannot_forecast_the_origin_is_no_answer(stages: Callable[[], Stage]) -> None:
    """A part that was served by a longer history is flushed, and has by itself too little before its first origin."""
    stage = stages()
    longer = stage.find()
    longer.entry.write_forecasts(
        np.array([ROWS - 1]), np.full((1, HORIZON, DRAWS), 1000 + WHOLE.values[-1], np.float32)
    )
    run = stage.run(stage.find(NEWEST))
    assert run.entry_slice.entry is longer.entry
    stage.flush()
    alone = np.zeros(PART, np.uint8)
    alone[0] = UnavailableReason.TOO_SHORT
    stage.cache.find(NEWEST, SPEC, lambda: alone)
    assert np.isfinite(run.at(1 - PART).draws).all()


def test_C8a_C10_scores_dropped_while_they_are_made_up_for_are_made_again(stages: Callable[[], Stage]) -> None:
    """A run that has nothing left to infer is planned anew too."""
    stage = stages()
    view = stage.find()
    stage.run(view).start(Priority.BATCH)
    stage.drain()
    stage.drop(Status.INFERRED)
    run = stage.run(view)
    run.start(Priority.BATCH)
    again: list[int] = []
    stage.between = lambda: again.append(stage.drop(Status.INFERRED, np.array([0])))
    stage.drain(stage.check)
    assert again == [1]
    assert run.done
    assert run.progress == 1


def test_C1_C7a_parts_of_a_part_read_the_whole_that_replaces_it(stages: Callable[[], Stage]) -> None:
    stage = stages()
    last = history(ROWS - 1, WHOLE.values[-2:])
    for data in (NEWEST, last, WHOLE):
        run = stage.run(stage.find(data))
        run.start(Priority.BATCH)
        stage.drain()
    assert stage.held(NEWEST) is stage.held(last) is stage.held() is run.entry_slice.entry
    assert len(stage.cache.entries()) == 1


def test_C1_C7b_after_a_forced_replacement_a_part_is_served_from_the_new_entry(stages: Callable[[], Stage]) -> None:
    stage = stages()
    part = stage.find(NEWEST)
    old = stage.run(stage.find())
    old.start(Priority.BATCH)
    stage.drain()
    assert stage.held(NEWEST) is old.entry_slice.entry is not part.entry
    forced = stage.run(stage.find(force=True))
    forced.start(Priority.BATCH)
    stage.drain()
    numbers, _ = told(stage.find(NEWEST).array())
    assert (numbers == told(forced.array)[0][-PART:]).all()


def test_C7_finishing_a_replaced_forced_entry_does_not_bring_it_back(stages: Callable[[], Stage]) -> None:
    """The idle task makes densities for an entry that is complete; a later forced quickdraw has replaced it."""
    stage = stages()
    first = stage.run(stage.find(force=True))
    first.start(Priority.BATCH)
    stage.drain()
    first.entry_slice.entry.discard_densities(np.arange(ROWS))
    first.start(Priority.IDLE)
    second = stage.run(stage.find(force=True))
    second.at(0)
    stage.cache.publish(second.entry_slice, force=True)
    stage.drain()
    assert stage.held() is second.entry_slice.entry


class Gate(Tell):
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
    for _ in range(2):
        session.engine().shutdown()
        nbf.cache.flush()
        yield np.arange(60) + 0.5
        return


def test_C6_C7b_Q1_quickdraw_with_force_replaces_a_full_run(values: np.ndarray) -> None:
    gate = Gate()
    gate.open.set()
    full = nbf.forecast(values, gate, HORIZON, wait=True)
    before = full.array.copy()
    calls = len(gate.calls)
    assert told(nbf.quickdraw(values, -7, model=gate, horizon=HORIZON).forecast.draws[None])[0] <= calls
    assert len(gate.calls) == calls, "without force nothing is inferred"

    gate.open.clear()
    drawn = nbf.quickdraw(values, -7, model=gate, horizon=HORIZON, force=True).forecast.draws
    assert told(drawn[None])[0] == calls + 1
    np.testing.assert_array_equal(nbf.quickdraw(values, -7, model=gate, horizon=HORIZON).forecast.draws, drawn)
    assert len(gate.calls) == calls + 1
    assert nbf.cache.entries()["inferred"].to_list() == [1]

    again = nbf.forecast(values, gate, HORIZON)
    assert again.reused == 1
    gate.open.set()
    again.wait()
    assert (told(again.array)[0] > calls).all()
    np.testing.assert_array_equal(again.array[-8], drawn)
    np.testing.assert_array_equal(full.array, before)
    session.engine().shutdown()
    nbf.cache.flush(disk=False)
    saved = nbf.forecast(values, gate, HORIZON, wait=True)
    assert saved.inferred == 0
    np.testing.assert_array_equal(saved.array, again.array)
