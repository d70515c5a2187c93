"""C1, C5, C6, C7, C8: results that meet others, and work whose entry changes meanwhile, in every order of events.

`tests/support/schedules.py` explains how the orders are tried.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from nbforecast.engine.tasks import Priority, StaleAction, Task, action_for_stale
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache.collisions import should_replace
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    NewEngine = Callable[[], "EngineUnderTest"]

from tests.support.deterministic_engine import (
    CHUNK,
    DISCARDED_ROWS,
    DRAWS,
    HORIZON,
    NEWEST,
    OTHER,
    PART,
    ROWS,
    SPEC,
    THIRD,
    WHOLE,
    EngineUnderTest,
    decode,
    history,
)
from tests.support.schedules import (
    Actor,
    DelayedEvent,
    EngineSteps,
    Event,
    LongRequest,
    Schedule,
    ShortRequest,
    explore,
)

pytestmark = pytest.mark.slow


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


def engine_jobs(few: int, many: int) -> pytest.MarkDecorator:
    """How many jobs the engine may have done between the other steps: `make test` tries the orders of a few."""
    return pytest.mark.parametrize("jobs", [few, pytest.param(many, marks=pytest.mark.long)])


@FORCES
def test_C6_C7a_C7b_a_long_and_a_short_request_in_every_order(new_engine: NewEngine, long: bool, short: bool) -> None:
    outcomes: Counter[str] = Counter()
    for schedule, (a, b, _) in explore(
        new_engine, lambda: (LongRequest(force=long), ShortRequest(force=short), EngineSteps(4))
    ):
        assert isinstance(a, LongRequest)
        assert isinstance(b, ShortRequest)
        replaced = short and b.is_after_long_request
        assert schedule.expected is (b.entry if replaced else a.entry)
        assert schedule.expected.complete
        numbers, _ = decode(a.run.array)
        inferred = Counter(np.concatenate(schedule.engine.model.calls).tolist())
        if long:
            assert (numbers > a.first_call).all()
        if not long and not short:
            assert set(inferred.values()) == {1}, "nothing is inferred twice"
        outcomes["short" if replaced else "long"] += 1
    assert set(outcomes) == ({"short", "long"} if short else {"long"})


@engine_jobs(2, 4)
@FORCES
def test_C8_a_flush_at_any_moment(new_engine: NewEngine, long: bool, short: bool, jobs: int) -> None:
    left = Counter(
        schedule.expected is None
        for schedule, _ in explore(
            new_engine,
            lambda: (LongRequest(force=long), ShortRequest(force=short), EngineSteps(jobs), Event(Schedule.flush)),
        )
    )
    assert left[False]
    assert left[True], "a flush after everything"


def test_C8b_C11_idle_work_ends_with_a_flush_and_nothing_comes_back(new_engine: NewEngine) -> None:
    ended = calls = 0
    at_work: list[Task] = []

    def flush(schedule: Schedule) -> None:
        nonlocal calls
        at_work[:] = [task for task in schedule.engine.engine._tasks.values() if not task.finished.is_set()]
        calls = len(schedule.engine.model.calls)
        schedule.flush()

    for schedule, _ in explore(new_engine, lambda: (ShortRequest(), EngineSteps(4), Event(flush))):
        assert len(schedule.engine.cache.slices()) == (schedule.expected is not None)
        if at_work:
            assert schedule.expected is None
            assert at_work[0].cancelled
            assert len(schedule.engine.model.calls) == calls
        ended += len(at_work)
    assert ended


@engine_jobs(1, 2)
@pytest.mark.parametrize("keep", [Status.PENDING, Status.INFERRED])
@FORCES
def test_C8a_rows_discarded_at_any_moment(
    new_engine: NewEngine, keep: Status, long: bool, short: bool, jobs: int
) -> None:
    gone: Counter[bool] = Counter()
    for _ in explore(
        new_engine,
        lambda: (
            LongRequest(force=long),
            ShortRequest(force=short),
            EngineSteps(jobs),
            Event(lambda p: gone.update([p.engine.discard(keep) > 0])),
        ),
    ):
        pass
    assert gone[True] > 10 * jobs


@engine_jobs(1, 2)
@pytest.mark.parametrize("what", ["flush", "discard", "scores"])
@pytest.mark.parametrize("where", ["inference", "calculation"])
@FORCES
def test_C8a_C8c_in_the_middle_of_an_inference_or_a_calculation(
    new_engine: NewEngine, what: str, where: Literal["inference", "calculation"], long: bool, short: bool, jobs: int
) -> None:
    """At the next inference or calculation after any moment, entries are flushed or rows discarded."""
    done = 0

    def act(schedule: Schedule) -> None:
        nonlocal done
        done += 1
        if what == "flush":
            schedule.flush()
        else:
            schedule.engine.discard(Status.PENDING if what == "discard" else Status.INFERRED)

    for _ in explore(
        new_engine,
        lambda: (LongRequest(force=long), ShortRequest(1, force=short), EngineSteps(jobs), DelayedEvent(act, where)),
    ):
        pass
    assert done > 10 * jobs


def test_C8b_idle_work_ends_where_rows_are_discarded(new_engine: NewEngine) -> None:
    ended = calls = 0
    at_work = False

    def discard(schedule: Schedule) -> None:
        nonlocal at_work, calls
        at_work = bool(schedule.engine.discard() and schedule.engine.engine._tasks)
        calls = len(schedule.engine.model.calls)

    for schedule, (b, _, _) in explore(new_engine, lambda: (ShortRequest(), EngineSteps(4), Event(discard))):
        assert isinstance(b, ShortRequest)
        assert b.task is not None
        assert b.task.cancelled == at_work
        assert schedule.expected is b.entry
        if at_work:
            assert len(schedule.engine.model.calls) == calls
            assert set(DISCARDED_ROWS) & set(b.run.entry_slice.pending_rows())
        ended += at_work
        at_work = False
    assert ended


def test_C7_C8_two_short_requests_and_a_flush_in_every_order(new_engine: NewEngine) -> None:
    for _ in explore(
        new_engine, lambda: (ShortRequest(3, force=True), ShortRequest(4), EngineSteps(1), Event(Schedule.flush))
    ):
        pass


@FORCES
def test_C5_C7a_a_history_and_its_newest_part_in_every_order(new_engine: NewEngine, long: bool, short: bool) -> None:
    """The part ends in the whole history's entry, unless it was forced later (C6)."""
    outcomes: Counter[bool] = Counter()

    def new_actors() -> tuple[Actor, ...]:
        return LongRequest(force=long), LongRequest(NEWEST, force=short), EngineSteps(8)

    for schedule, (a, b, _) in explore(new_engine, new_actors):
        assert isinstance(a, LongRequest)
        assert isinstance(b, LongRequest)
        held = schedule.engine.current_entry(NEWEST)
        outcomes[held is a.entry] += 1
        assert held is a.entry or (short and held is b.entry)
        _, observed = decode(b.run.array)
        np.testing.assert_array_equal(observed, NEWEST.values)
    assert outcomes[True] or (short and not long)


@engine_jobs(3, 5)
@FORCES
def test_C7c_other_values_for_the_same_times_are_never_merged(
    new_engine: NewEngine, long: bool, short: bool, jobs: int
) -> None:
    """Neither as long a history nor a shorter one, with the same end."""

    def new_actors() -> tuple[Actor, ...]:
        return LongRequest(force=long), LongRequest(OTHER, force=short), LongRequest(THIRD), EngineSteps(jobs)

    for schedule, (*parts, _) in explore(new_engine, new_actors):
        for part in parts:
            assert isinstance(part, LongRequest)
            assert schedule.engine.current_entry(part.data) is part.entry
            assert part.entry.data is part.data
            assert part.run.reused == 0
            assert (decode(part.run.array)[1] == part.data.values).all()


# --- single moments ------------------------------------------------------------------------------------------------


def test_C8c_what_is_discarded_while_it_is_inferred_is_inferred_again(new_engine: NewEngine) -> None:
    engine = new_engine()
    run = engine.run(engine.find())
    run.start(Priority.BATCH)
    engine.executor.run_next()
    waiting = run.entry_slice.pending_rows()[-1]

    def discard() -> None:
        assert run.entry_slice.entry.discard(np.arange(ROWS), Status.PENDING) == CHUNK

    engine.model.during_next_call = discard
    number, _ = decode(run.at(int(waiting) - ROWS + 1).draws[None])
    assert number.tolist() == [3] == [len(engine.model.calls)]
    assert run.inferred == 1


def test_C8c_what_is_flushed_while_it_is_inferred_is_inferred_again(new_engine: NewEngine) -> None:
    engine = new_engine()
    run = engine.run(engine.find())
    engine.model.during_next_call = engine.flush
    number, observed = decode(run.at(-2).draws[None])
    assert (number.tolist(), observed.tolist()) == ([2], [WHOLE.values[-3]])
    entry = engine.current_entry()
    assert entry is run.entry_slice.entry
    assert np.flatnonzero(has_forecast(entry.status)).tolist() == [ROWS - 3]


def test_C8b_what_is_replaced_while_it_is_inferred_is_answered_on_the_new_entry(
    new_engine: NewEngine,
) -> None:
    engine = new_engine()
    run = engine.run(engine.find())
    forced = engine.run(engine.find(force=True))

    def replace() -> None:
        forced.at(0)
        engine.cache.publish(forced.entry_slice, force=True)

    engine.model.during_next_call = replace
    number, _ = decode(run.at(-2).draws[None])
    assert run.entry_slice.entry is forced.entry_slice.entry is engine.current_entry()
    assert number.tolist() == [3]


def test_C8c_an_entry_that_cannot_forecast_the_origin_is_no_answer(new_engine: NewEngine) -> None:
    """A part that was served by a longer history is flushed, and has by itself too little before its first origin."""
    engine = new_engine()
    longer = engine.find()
    longer.entry.write_forecasts(
        np.array([ROWS - 1]), np.full((1, HORIZON, DRAWS), 1000 + WHOLE.values[-1], np.float32)
    )
    run = engine.run(engine.find(NEWEST))
    assert run.entry_slice.entry is longer.entry
    engine.flush()
    alone = np.zeros(PART, np.uint8)
    alone[0] = UnavailableReason.TOO_SHORT
    engine.cache.find(NEWEST, SPEC, lambda: alone)
    assert np.isfinite(run.at(1 - PART).draws).all()


def test_C8a_C10_scores_discarded_while_they_are_recalculated_are_calculated_again(
    new_engine: NewEngine,
) -> None:
    """A run that has nothing left to infer is planned anew too."""
    engine = new_engine()
    view = engine.find()
    engine.run(view).start(Priority.BATCH)
    engine.drain()
    engine.discard(Status.INFERRED)
    run = engine.run(view)
    run.start(Priority.BATCH)
    again: list[int] = []
    engine.during_next_calculation = lambda: again.append(engine.discard(Status.INFERRED, np.array([0])))
    engine.drain(engine.check)
    assert again == [1]
    assert run.done
    assert run.progress == 1


def test_C1_C7a_parts_of_a_part_read_the_whole_that_replaces_it(new_engine: NewEngine) -> None:
    engine = new_engine()
    last = history(ROWS - 1, WHOLE.values[-2:])
    for data in (NEWEST, last, WHOLE):
        run = engine.run(engine.find(data))
        run.start(Priority.BATCH)
        engine.drain()
    assert engine.current_entry(NEWEST) is engine.current_entry(last) is engine.current_entry() is run.entry_slice.entry
    assert len(engine.cache.entries()) == 1


def test_C1_C7b_after_a_forced_replacement_a_part_is_served_from_the_new_entry(
    new_engine: NewEngine,
) -> None:
    engine = new_engine()
    part = engine.find(NEWEST)
    old = engine.run(engine.find())
    old.start(Priority.BATCH)
    engine.drain()
    assert engine.current_entry(NEWEST) is old.entry_slice.entry is not part.entry
    forced = engine.run(engine.find(force=True))
    forced.start(Priority.BATCH)
    engine.drain()
    numbers, _ = decode(engine.find(NEWEST).array())
    assert (numbers == decode(forced.array)[0][-PART:]).all()


def test_C7_finishing_a_replaced_forced_entry_does_not_bring_it_back(new_engine: NewEngine) -> None:
    """The idle task makes densities for an entry that is complete; a later forced quickdraw has replaced it."""
    engine = new_engine()
    first = engine.run(engine.find(force=True))
    first.start(Priority.BATCH)
    engine.drain()
    first.entry_slice.entry.discard_densities(np.arange(ROWS))
    first.start(Priority.IDLE)
    second = engine.run(engine.find(force=True))
    second.at(0)
    engine.cache.publish(second.entry_slice, force=True)
    engine.drain()
    assert engine.current_entry() is second.entry_slice.entry
