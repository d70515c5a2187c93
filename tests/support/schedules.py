"""Every order in which requests, the engine and a flush can meet, tried one after the other in a single thread.

The rules of collisions (C6, C7, C8 in docs/reference/specification.md) must hold in whatever order things happen. Real
threads show only the orders that a machine happens to take, so these tests have none: see `deterministic_engine`.

- An actor is one participant with a fixed number of steps: `LongRequest` (`%forecast`, one step), `ShortRequest`
  (quickdraw: look up, infer one origin, have the others follow: three steps), `Event` (a flush, say: one step) and
  `EngineSteps` (n jobs of the inference thread: n steps).
- `explore` tries every interleaving of the actors' steps: for counts (1, 3, 4) these are 8! / (1! 3! 4!) = 280. After
  every step it calls `Schedule.check`, after the last one it lets the engine work until nothing is left, and then the
  test makes its own assertions. A failure is reported with the interleaving.

What is checked: a `Schedule` knows, from the rules alone, which entry the cache must hold for the whole history
(`expected`): the entry found by whoever comes first, the one of a forced quickdraw (C6, C7b), that of a long request
which ends with more origins (C7a), none after a flush, and nothing flushed ever after (C16). `EngineUnderTest.check`
looks at every entry that ever was.

To have something happen in the middle of an inference or a calculation, a test uses a `DelayedEvent`, or sets
`CountingModel.during_next_call` or `EngineUnderTest.during_next_calculation` itself.

Why not a hypothesis state machine: the interleavings are few enough to try all of them, in seconds, which proves more
than a sample does, and each failing one is minimal already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from nbforecast.engine.tasks import Priority, Task
from nbforecast.result_cache.snapshot import has_forecast
from tests.support.deterministic_engine import ROWS, WHOLE, EngineUnderTest, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry import Entry
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.run import Run


class Schedule:
    """One interleaving while it is played.

    `expected` is the entry that the cache must hold for the whole history; it follows from C6, C7 and C8 alone.
    """

    def __init__(self, engine: EngineUnderTest) -> None:
        self.engine = engine
        self.expected: Entry | None = None
        self.long_requests: list[LongRequest] = []
        self.flushed: list[Entry] = []  # nothing of them comes back (C16)

    def find(self, data: Dataset, force: bool) -> EntrySlice:
        entry_slice = self.engine.find(data, force)
        if data is WHOLE and force:
            assert entry_slice.entry is not self.expected, "C6"
        elif data is WHOLE:
            assert self.expected in (None, entry_slice.entry)
            self.expected = entry_slice.entry
        return entry_slice

    def is_flushed(self, entry: Entry) -> bool:
        return any(entry is flushed for flushed in self.flushed)

    def expect_answer_in(self, entry: Entry) -> None:
        """An inferred answer without force is in the current entry, or its entry is the current one from now on.

        Unless the entry was flushed when it had the answer already.
        """
        self.engine.watch(entry)
        if not self.is_flushed(entry):
            assert self.expected in (None, entry), "C8b: the answer is in an entry that is not the current one"
            self.expected = entry

    def flush(self) -> None:
        self.flushed += self.engine.entries.values()
        self.engine.flush()
        self.expected = None

    def check(self) -> None:
        self.follow()
        self.engine.check()

    def follow(self) -> None:
        """Assert that the entry for the whole history is the expected one, after a step."""
        for request in self.long_requests:
            is_held = self.engine.current_entry() is request.entry is not self.expected
            # what it took over from a forced request may still lack its scores
            is_inferred = is_held and has_forecast(request.entry.status).all()
            if not request.is_done and (request.run.done or is_inferred):
                request.is_done = request.run.done
                assert request.run.progress == 1 or is_inferred, "C8b: a person holds this run"
                inferred = 0 if self.expected is None else has_forecast(self.expected.status).sum()
                is_bigger = self.expected is None or inferred < len(request.entry)
                if request.data is WHOLE and (is_bigger or request.force) and not self.is_flushed(request.entry):
                    self.expected = request.entry
        assert self.engine.current_entry() is self.expected


class EngineSteps:
    """The inference thread runs so many jobs."""

    def __init__(self, count: int) -> None:
        self.count = count

    def steps(self, schedule: Schedule) -> Iterator[None]:
        while True:
            schedule.engine.executor.run_next()
            yield


class Event:
    """Something that happens at once."""

    count = 1

    def __init__(self, action: Callable[[Schedule], object]) -> None:
        self.action = action

    def steps(self, schedule: Schedule) -> Iterator[None]:
        self.action(schedule)
        yield


class DelayedEvent(Event):
    """Something that happens in the middle of the next inference or the next calculation."""

    def __init__(self, action: Callable[[Schedule], None], where: Literal["inference", "calculation"]) -> None:
        super().__init__(self._arm)
        self._delayed, self._is_inference = action, where == "inference"

    def _arm(self, schedule: Schedule) -> None:
        if self._is_inference:
            schedule.engine.model.during_next_call = lambda: self._delayed(schedule)
        else:
            schedule.engine.during_next_calculation = lambda: self._delayed(schedule)

    def is_pending(self, schedule: Schedule) -> bool:
        """Whether it is to happen and has not happened yet."""
        engine = schedule.engine
        return (engine.model.during_next_call if self._is_inference else engine.during_next_calculation) is not None


class LongRequest:
    """`%forecast`: every origin, in the background."""

    count = 1
    run: Run

    def __init__(self, data: Dataset = WHOLE, force: bool = False) -> None:
        self.data = data
        self.force = force
        self.first_call = 0  # calls of the model before the request
        self.is_done = False

    @property
    def entry(self) -> Entry:
        return self.run.entry_slice.entry

    def steps(self, schedule: Schedule) -> Iterator[None]:
        self.first_call = len(schedule.engine.model.calls)
        self.run = schedule.engine.run(schedule.find(self.data, self.force))
        self.run.start(Priority.BATCH)
        schedule.long_requests.append(self)
        yield


class ShortRequest:
    """`quickdraw`: looks up what is there, has one origin inferred, and has the others follow."""

    count = 3
    run: Run
    task: Task | None = None

    def __init__(self, row: int = 3, force: bool = False) -> None:
        self.row = row
        self.index = row - ROWS + 1
        self.force = force
        self.is_after_long_request = False

    @property
    def entry(self) -> Entry:
        return self.run.entry_slice.entry

    def steps(self, schedule: Schedule) -> Iterator[None]:
        calls = schedule.engine.model.calls
        calls_before = len(calls)
        self.run = schedule.engine.run(schedule.find(WHOLE, self.force))
        yield
        is_pending, calls_then = self.entry.is_pending(np.array([self.row])).item(), len(calls)
        number, observed = decode(self.run.at(self.index).draws[None])
        assert observed[0] == WHOLE.values[self.row]
        if self.force:
            assert number[0] > calls_before, "C6: a forced request reads nothing from the cache"
        elif is_pending:
            schedule.expect_answer_in(self.entry)
        else:
            assert len(calls) == calls_then
        yield
        if self.force:
            schedule.engine.cache.publish(self.run.entry_slice, force=True)
            schedule.expected = schedule.expected if schedule.is_flushed(self.entry) else self.entry
            self.is_after_long_request = any(request.is_done for request in schedule.long_requests)
        self.run.start(Priority.IDLE, near=self.index)
        self.task = self.run.task
        yield


Actor = EngineSteps | Event | LongRequest | ShortRequest


def is_delayed(actors: tuple[Actor, ...], schedule: Schedule) -> bool:
    """Whether a delayed event is to happen and has not happened yet."""
    return any(isinstance(actor, DelayedEvent) and actor.is_pending(schedule) for actor in actors)


def interleavings(counts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every order in which actors can take so many steps each, as the actors' numbers."""
    if not any(counts):
        yield ()
    for actor, count in enumerate(counts):
        if count:
            fewer = (*counts[:actor], count - 1, *counts[actor + 1 :])
            yield from ((actor, *rest) for rest in interleavings(fewer))


def explore(
    new_engine: Callable[[], EngineUnderTest], new_actors: Callable[[], tuple[Actor, ...]]
) -> Iterator[tuple[Schedule, tuple[Actor, ...]]]:
    """Play every interleaving of the actors' steps to the end of all work, and yield each one played.

    An interleaving in which the engine has no job for one of its steps is left out: it equals another one. So is one in
    which a delayed event does not happen during the step after it: it equals that in which the event is the later one.
    """
    played = 0
    checked: tuple[int, ...] = ()  # what has been played before, to its last step, leads to the same state again
    left_out: tuple[int, ...] = (-1,)  # every interleaving that begins like this
    for order in interleavings(tuple(actor.count for actor in new_actors())):
        if order[: len(left_out)] == left_out:
            continue
        actors = new_actors()
        schedule = Schedule(new_engine())
        steps = [actor.steps(schedule) for actor in actors]
        try:
            for number, actor in enumerate(order):
                if isinstance(actors[actor], EngineSteps) and not schedule.engine.executor.jobs:
                    left_out = order[: number + 1]
                    break
                was_delayed = is_delayed(actors, schedule)
                next(steps[actor])
                schedule.follow()
                if order[: number + 1] != checked[: number + 1]:
                    schedule.engine.check()
                if was_delayed and is_delayed(actors, schedule):
                    left_out = order[: number + 1]
                    break
            else:
                checked = order
                schedule.engine.drain(schedule.check)
                schedule.engine.check_snapshots()
                played += 1
                yield schedule, actors
        except AssertionError as error:
            error.add_note(f"order {played}: " + ", ".join(f"{type(actors[a]).__name__} {a}" for a in order))
            raise
    assert played
