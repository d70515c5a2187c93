"""Every order in which requests, the engine and a flush can meet, tried one after the other in a single thread.

The rules of collisions (C6, C7, C8 in docs/specification.md) must hold in whatever order things happen. Real threads
show only the orders that a machine happens to take, so these tests have none:

- An `EngineUnderTest` is a real `Cache` and a real `Engine`, whose threads are replaced. Its inference thread is a
  `ManualExecutor`, which queues jobs until the test runs the next one. Its calculation thread runs jobs as they are
  submitted. Its interactive thread does not start, as at interpreter exit, so that requests run in the caller.
- A `CountingModel` forecasts, for each origin, 1000 times the number of its call plus the value observed at the origin.
  From any stored forecast, `decode` therefore tells which call made it and for which data. Calculations are numbered
  alike: the median repeats the forecast, and the absolute error is the number of the calculation.
- An actor is one participant with a fixed number of steps: `LongRequest` (`%forecast`, one step), `ShortRequest`
  (quickdraw: look up, infer one origin, have the others follow: three steps), `Event` (a flush, say: one step) and
  `EngineSteps` (n jobs of the inference thread: n steps).
- `explore` tries every interleaving of the actors' steps: for counts (1, 3, 4) these are 8! / (1! 3! 4!) = 280. After
  every step it calls `Schedule.check`, after the last one it lets the engine work until nothing is left, and then the
  test makes its own assertions. A failure is reported with the interleaving.

What is checked: a `Schedule` knows, from the rules alone, which entry the cache must hold for the whole history
(`expected`): the entry found by whoever comes first, the one of a forced quickdraw (C6, C7b), that of a long request
which ends with more origins (C7a), none after a flush, and nothing flushed ever after (C16). `EngineUnderTest.check`
looks at every entry that ever was: forecasts are of the entry's own data, calculations are of the forecast beside them,
nothing that was discarded is back, and nothing is written that was being made while results were discarded (C8a).

To have something happen in the middle of an inference or a calculation, a test uses a `DelayedEvent`, or sets
`CountingModel.during_next_call` or `EngineUnderTest.during_next_calculation` itself.

Why not a hypothesis state machine: the interleavings are few enough to try all of them, in seconds, which proves more
than a sample does, and each failing one is minimal already.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from nbforecast.data import Dataset, prepare
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority, Task
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.snapshot import has_forecast, is_consistent
from nbforecast.result_cache.status import Status
from nbforecast.run import Run
from nbforecast.scoring.origin_scores import (
    COVERAGES,
    DENSITY_POINTS,
    QUANTILE_LEVELS,
    Calculations,
    Densities,
    draw_levels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.result_cache.entry import Entry

ROWS, PART, CHUNK, HORIZON, DRAWS, CONTEXT = 6, 3, 2, 2, 2, 2
SPEC = ForecastSpec(ModelSpec("counting", "key"), HORIZON, draw_levels(None, DRAWS), CONTEXT)
DISCARDED_ROWS = np.arange(1, 4)
MAX_JOBS = 60  # of the engine, until nothing is left


def history(first: int, values: np.ndarray) -> Dataset:
    return prepare(pl.DataFrame({"ds": np.arange(first, first + len(values)), "y": values}), freq=1)


WHOLE = history(1, np.arange(ROWS) + 0.5)
NEWEST = history(1 + ROWS - PART, WHOLE.values[-PART:])
OTHER = history(1, np.arange(ROWS) + 100.5)
THIRD = history(1 + ROWS - PART, np.arange(PART) + 200.5)


class ManualExecutor:
    """An executor whose jobs a test runs one by one."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], object]] = deque()

    @property
    def backlog(self) -> int:
        return len(self.jobs)

    def submit(self, job: Callable[[], object]) -> None:
        self.jobs.append(job)

    def run_next(self) -> None:
        """One job, if there is one."""
        if self.jobs:
            self.jobs.popleft()()

    def close(self) -> None:
        self.jobs.clear()


class ImmediateExecutor(ManualExecutor):
    """An executor that runs jobs as they are submitted."""

    def submit(self, job: Callable[[], object]) -> None:
        job()


class NoThreadExecutor(ManualExecutor):
    """An executor that has no thread: whoever submits a job runs it."""

    def submit(self, job: Callable[[], object], *_: object) -> None:
        raise RuntimeError("no thread here")


class CountingModel:
    """A forecaster whose values contain the number of the call and the value observed at the origin."""

    name = "counting"
    key = "key"
    context = CONTEXT
    levels = None
    draws = DRAWS

    def __init__(self) -> None:
        self.calls: list[np.ndarray] = []
        self.during_next_call: Callable[[], None] | None = None
        self.interrupted_call = 0  # the number of the call in which `during_next_call` runs

    def availability(self, data: Dataset) -> np.ndarray:
        return np.zeros(len(data), np.uint8)

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.calls.append(rows)
        values = 1000 * len(self.calls) + data.values[rows]
        hook, self.during_next_call = self.during_next_call, None
        if hook is not None:
            self.interrupted_call = len(self.calls)
            hook()
            self.interrupted_call = 0
        return np.broadcast_to(values[:, None, None], (len(rows), horizon, DRAWS)).astype(np.float32)


def decode(forecasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the calls that made some forecasts, and the values observed at their origins; 0 for none."""
    first = np.nan_to_num(forecasts.reshape(len(forecasts), -1)[:, 0])
    return (first // 1000).astype(int), first % 1000


class EngineUnderTest:
    """A cache, an engine without threads, a counting model, and what was discarded from which entry so far."""

    def __init__(self) -> None:
        self.cache = Cache(None, 1 << 30, 1 << 30)
        self.engine = Engine(self.cache)
        self.executor = ManualExecutor()
        self.engine._inference = self.executor  # type: ignore[assignment]
        self.engine._calculation = ImmediateExecutor()  # type: ignore[assignment]
        self.engine._interactive.executor = NoThreadExecutor()  # type: ignore[assignment]
        self.model = CountingModel()
        self.calculations = self.interrupted_calculation = 0
        self.during_next_calculation: Callable[[], None] | None = None
        self.entries: dict[int, Entry] = {}
        self.discarded: dict[int, np.ndarray] = {}  # for each row the last call and calculation discarded
        self.outdated: set[tuple[int, str, int]] = set()
        self.checked: dict[int, tuple[str, int]] = {}

    def calculate(self, draws: np.ndarray, actual: np.ndarray, levels: tuple[float, ...], batch: int) -> Calculations:
        self.calculations += 1
        first = draws[..., 0]
        number = np.full_like(first, self.calculations)
        hook, self.during_next_calculation = self.during_next_calculation, None
        if hook is not None:
            self.interrupted_calculation = self.calculations
            hook()
            self.interrupted_calculation = 0
        wide = np.repeat(first[..., None], len(QUANTILE_LEVELS), -1)
        return Calculations(first, wide, number, first, first, wide[..., : len(COVERAGES)])

    def densities(self, draws: np.ndarray, batch: int) -> Densities:
        return Densities(draws[..., [0, 0]], np.repeat(draws[..., :1], DENSITY_POINTS, -1))

    def find(self, data: Dataset = WHOLE, force: bool = False) -> EntrySlice:
        entry_slice = self.cache.find(data, SPEC, lambda: self.model.availability(data), force=force)
        self.watch(entry_slice.entry)
        return entry_slice

    def watch(self, entry: Entry) -> None:
        """Have `check` look at an entry."""
        self.entries[id(entry)] = entry
        self.discarded.setdefault(id(entry), np.zeros((2, len(entry)), int))

    def run(self, entry_slice: EntrySlice) -> Run:
        return Run(entry_slice, self.model, self.engine, 0)

    def current_entry(self, data: Dataset = WHOLE) -> Entry | None:
        entry_slice = self.cache.peek(SPEC.key(data.handle))
        return None if entry_slice is None else entry_slice.entry

    def drain(self, after_each: Callable[[], None] = lambda: None) -> None:
        """Run the engine's jobs until none is left."""
        for _ in range(MAX_JOBS):
            if not self.executor.jobs:
                return
            self.executor.run_next()
            after_each()
        raise AssertionError("the engine does not come to an end")

    def flush(self) -> None:
        self.cache.remove_all()

    def discard(self, keep: Status = Status.PENDING, rows: np.ndarray = DISCARDED_ROWS) -> int:
        """Discard results of the current entry.

        Nothing made before may come back there, and nothing that is being made for it now may be written to it.
        """
        entry = self.current_entry()
        if entry is None:
            return 0
        status = entry.status[rows]
        affected = rows[has_forecast(status) & (status > keep)]
        part, span = EntrySlice.whole(entry), (int(rows.min()) - ROWS + 1, int(rows.max()) - ROWS + 1)
        count = self.cache.remove_rows(part, rows, keep, span)
        forecasts, calculations = self.discarded[id(entry)]
        if keep == Status.PENDING:
            forecasts[affected] = len(self.model.calls)
        calculations[affected] = self.calculations
        if count:
            self.outdated.add((id(entry), "forecast", self.model.interrupted_call))
            self.outdated.add((id(entry), "abs_error", self.interrupted_calculation))
        return count

    def check(self) -> None:
        """Assert what must be true of every entry at every moment; those that have not changed are passed over."""
        for name, entry in self.entries.items():
            if self.checked.get(name) == entry.state:
                continue
            self.checked[name] = entry.state
            rows, status = np.arange(len(entry)), entry.status
            forecasts, median = entry.take("forecast", rows), entry.take("median", rows)[:, 0]
            calls, observed = decode(forecasts)
            is_inferred, is_scored = has_forecast(status), status == Status.SCORED
            assert (observed == np.where(is_inferred, entry.data.values, 0)).all()
            assert (np.isfinite(median) == (status >= Status.UNSCORED)).all()
            assert (np.isnan(median) | (median == forecasts[:, 0, 0])).all(), "calculated from another forecast"
            discarded_calls, discarded_calculations = self.discarded[name]
            assert (calls > discarded_calls)[is_inferred].all(), "C8a: a discarded forecast is back"
            numbers = np.nan_to_num(entry.take("abs_error", rows)[:, 0]).astype(int)
            assert (numbers > discarded_calculations)[is_scored].all(), "C8a: a discarded score is back"
            is_own = entry.forced_times == entry.forced_times.min()  # the others are of a forced entry (C7a)
            stored = {
                "forecast": set(calls[is_inferred & is_own].tolist()),
                "abs_error": set(numbers[is_scored & is_own].tolist()),
            }
            for outdated_name, kind, number in self.outdated:
                is_written = outdated_name == name and number in stored[kind]
                assert not is_written, "C8a: written after the entry had changed"

    def check_snapshots(self) -> None:
        """Assert that every entry is consistent in what files and frames are made of."""
        for entry in self.entries.values():
            assert is_consistent(entry.snapshot()[0])
            columns = {column.name: column for column in entry.results()[1]}
            density, forecasts = (columns[name].to_numpy()[:, 0, 0] for name in ("density", "forecast"))
            assert (np.isnan(density) | (density == forecasts)).all()


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
        self.engine.check()


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
                schedule.check()
                if was_delayed and is_delayed(actors, schedule):
                    left_out = order[: number + 1]
                    break
            else:
                schedule.engine.drain(schedule.check)
                schedule.engine.check_snapshots()
                played += 1
                yield schedule, actors
        except AssertionError as error:
            error.add_note(f"order {played}: " + ", ".join(f"{type(actors[a]).__name__} {a}" for a in order))
            raise
    assert played
