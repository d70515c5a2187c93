"""A cache and an engine that a test drives by hand, and several parts whose steps are taken in every order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

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
from nbforecast.scoring.calculations import COVERAGES, DENSITY_POINTS, LEVELS, Calculations, Densities, draw_levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.result_cache.entry import Entry

ROWS, PART, CHUNK, HORIZON, DRAWS, CONTEXT = 6, 3, 2, 2, 2, 2
SPEC = ForecastSpec(ModelSpec("tell", "key"), HORIZON, draw_levels(None, DRAWS), CONTEXT)
SPAN = np.arange(1, 4)  # the rows that are dropped


def history(first: int, values: np.ndarray) -> Dataset:
    return prepare(pl.DataFrame({"ds": np.arange(first, first + len(values)), "y": values}), freq=1)


WHOLE = history(1, np.arange(ROWS) + 0.5)
NEWEST = history(1 + ROWS - PART, WHOLE.values[-PART:])
OTHER = history(1, np.arange(ROWS) + 100.5)
THIRD = history(1 + ROWS - PART, np.arange(PART) + 200.5)


class Hand:
    """A lane whose jobs a test does one by one."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], object]] = deque()

    @property
    def backlog(self) -> int:
        return len(self.jobs)

    def submit(self, job: Callable[[], object]) -> None:
        self.jobs.append(job)

    def close(self) -> None:
        self.jobs.clear()


class AtOnce(Hand):
    """A lane whose jobs are done as they are given."""

    def submit(self, job: Callable[[], object]) -> None:
        job()


class Nobody(Hand):
    """A lane that has no thread: what it is given is done by who gives it."""

    def submit(self, job: Callable[[], object]) -> None:
        raise RuntimeError("no thread here")


class Tell:
    """A forecaster whose values tell the number of the call and the value observed at the origin."""

    name = "tell"
    key = "key"
    context = CONTEXT
    levels = None
    draws = DRAWS

    def __init__(self) -> None:
        self.calls: list[np.ndarray] = []
        self.inside: Callable[[], None] | None = None
        self.at_work = 0

    def availability(self, data: Dataset) -> np.ndarray:
        return np.zeros(len(data), np.uint8)

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.calls.append(rows)
        value = 1000 * len(self.calls) + data.values[rows]
        hook, self.inside = self.inside, None
        if hook is not None:
            self.at_work = len(self.calls)
            hook()
            self.at_work = 0
        return np.broadcast_to(value[:, None, None], (len(rows), horizon, DRAWS)).astype(np.float32)


def told(forecasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the calls that gave some forecasts, and the values observed at their origins; 0 for none."""
    first = np.nan_to_num(forecasts.reshape(len(forecasts), -1)[:, 0])
    return (first // 1000).astype(int), first % 1000


class Stage:
    """The cache, the engine, the forecaster, and what has been dropped from which entry so far.

    Calculations are made in no time: the median tells what they were made of, the error which calculation it was.
    """

    def __init__(self) -> None:
        self.cache = Cache(None, 1 << 30, 1 << 30)
        self.engine = Engine(self.cache)
        self.hand = Hand()
        self.engine._inference = self.hand  # type: ignore[assignment]
        self.engine._calculation = AtOnce()  # type: ignore[assignment]
        self.engine._interactive.executor = Nobody()  # type: ignore[assignment]
        self.model = Tell()
        self.calculations = self.at_work = 0
        self.between: Callable[[], None] | None = None
        self.entries: dict[int, Entry] = {}
        self.dropped: dict[int, np.ndarray] = {}
        self.outdated: set[tuple[int, str, int]] = set()
        self.checked: dict[int, tuple[str, int]] = {}

    def calculate(self, draws: np.ndarray, actual: np.ndarray, levels: tuple[float, ...], batch: int) -> Calculations:
        self.calculations += 1
        line = draws[..., 0]
        number = np.full_like(line, self.calculations)
        hook, self.between = self.between, None
        if hook is not None:
            self.at_work = self.calculations
            hook()
            self.at_work = 0
        wide = np.repeat(line[..., None], len(LEVELS), -1)
        return Calculations(line, wide, number, line, line, wide[..., : len(COVERAGES)])

    def densities(self, draws: np.ndarray, batch: int) -> Densities:
        return Densities(draws[..., [0, 0]], np.repeat(draws[..., :1], DENSITY_POINTS, -1))

    def find(self, data: Dataset = WHOLE, force: bool = False) -> EntrySlice:
        view = self.cache.find(data, SPEC, lambda: self.model.availability(data), force=force)
        self.entries[id(view.entry)] = view.entry
        self.dropped.setdefault(id(view.entry), np.zeros((2, len(view.entry)), int))
        return view

    def run(self, view: EntrySlice) -> Run:
        return Run(view, self.model, self.engine, 0)

    def held(self, data: Dataset = WHOLE) -> Entry | None:
        view = self.cache.peek(SPEC.key(data.handle))
        return None if view is None else view.entry

    def work(self) -> None:
        """One job of the engine, if there is one."""
        if self.hand.jobs:
            self.hand.jobs.popleft()()

    def drain(self, after: Callable[[], None] = lambda: None) -> None:
        for _ in range(60):
            if not self.hand.jobs:
                return
            self.work()
            after()
        raise AssertionError("the engine does not come to an end")

    def flush(self) -> None:
        self.cache.clear()

    def drop(self, keep: Status = Status.PENDING, rows: np.ndarray = SPAN) -> int:
        """Take some rows' results from the entry that is held.

        Nothing begun before may come back there, and nothing that is being made for the entry may be written to it.
        """
        entry = self.held()
        if entry is None:
            return 0
        status = entry.status[rows]
        gone = rows[has_forecast(status) & (status > keep)]
        count = entry.discard(rows, keep)
        forecasts, calculations = self.dropped[id(entry)]
        if keep == Status.PENDING:
            forecasts[gone] = len(self.model.calls)
        calculations[gone] = self.calculations
        if count:
            self.outdated |= {(id(entry), "forecast", self.model.at_work), (id(entry), "abs_error", self.at_work)}
        return count

    def check(self) -> None:
        """What must be so of every entry at every moment; those that have not changed since are passed over."""
        for name, entry in self.entries.items():
            if self.checked.get(name) == entry.state:
                continue
            self.checked[name] = entry.state
            rows, status = np.arange(len(entry)), entry.status
            forecasts, median = entry.take("forecast", rows), entry.take("median", rows)[:, 0]
            number, observed = told(forecasts)
            there, scored = has_forecast(status), status == Status.SCORED
            assert (observed == np.where(there, entry.data.values, 0)).all()
            assert (np.isfinite(median) == (status >= Status.UNSCORED)).all()
            assert (np.isnan(median) | (median == forecasts[:, 0, 0])).all(), "made of another forecast"
            old_forecasts, old_calculations = self.dropped[name]
            assert (number > old_forecasts)[there].all(), "C8a: a forecast that was dropped is back"
            calculation = np.nan_to_num(entry.take("abs_error", rows)[:, 0]).astype(int)
            assert (calculation > old_calculations)[scored].all(), "C8a: a score that was dropped is back"
            made = {"forecast": set(number[there].tolist()), "abs_error": set(calculation[scored].tolist())}
            for entry_name, kind, call in self.outdated:
                assert entry_name != name or call not in made[kind], "C8a: written after the entry had changed"

    def check_snapshots(self) -> None:
        """Every entry as files and frames have it."""
        for entry in self.entries.values():
            assert is_consistent(entry.snapshot()[0])
            frame = EntrySlice.whole(entry).frame()
            density, forecasts = (frame[n].to_numpy()[:, 0, 0] for n in ("density", "forecast"))
            assert (np.isnan(density) | (density == forecasts)).all()


class Play:
    """One order of events, held against the rules after every step.

    `owner` is the entry that the cache must hold for the whole history; who that is follows from C6, C7 and C8 alone.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.owner: Entry | None = None
        self.longs: list[Long] = []
        self.gone: set[tuple[Entry, int]] = set()

    def find(self, data: Dataset, force: bool) -> EntrySlice:
        view = self.stage.find(data, force)
        if data is WHOLE and force:
            assert view.entry is not self.owner, "C6"
        elif data is WHOLE:
            assert self.owner in (None, view.entry)
            self.owner = view.entry
        return view

    def answered(self, entry: Entry, row: int) -> None:
        """Somebody has been answered, with an inference and without force: on the current entry, or it is now.

        Unless the entry was flushed when it had the answer already.
        """
        if (entry, row) not in self.gone:
            assert self.owner in (None, entry), "C8b: the answer is on an entry that is not the current one"
            self.owner = entry

    def flush(self) -> None:
        if self.owner is not None:
            self.gone |= {(self.owner, row) for row in np.flatnonzero(has_forecast(self.owner.status)).tolist()}
        self.stage.flush()
        self.owner = None

    def look(self) -> None:
        for long in self.longs:
            if not long.ended and long.run.done:
                long.ended = True
                entry = long.entry
                assert long.run.progress == 1, "C8b: a person holds this run"
                bigger = self.owner is None or has_forecast(self.owner.status).sum() < len(entry)
                if long.data is WHOLE and (bigger or long.force):
                    self.owner = entry
        assert self.stage.held() is self.owner
        self.stage.check()


class Work:
    """The engine does so many jobs."""

    def __init__(self, count: int) -> None:
        self.count = count

    def steps(self, play: Play) -> Iterator[None]:
        while True:
            play.stage.work()
            yield


class Event:
    """Something that happens at once."""

    count = 1

    def __init__(self, action: Callable[[Play], object]) -> None:
        self.action = action

    def steps(self, play: Play) -> Iterator[None]:
        self.action(play)
        yield


class Long:
    """`forecast`: every origin, in the background."""

    count = 1
    run: Run

    def __init__(self, data: Dataset = WHOLE, force: bool = False) -> None:
        self.data = data
        self.force = force
        self.began = 0
        self.ended = False

    @property
    def entry(self) -> Entry:
        return self.run.entry_slice.entry

    def steps(self, play: Play) -> Iterator[None]:
        self.began = len(play.stage.model.calls)
        self.run = play.stage.run(play.find(self.data, self.force))
        self.run.start(Priority.BATCH)
        play.longs.append(self)
        yield


class Short:
    """`quickdraw`: it looks up what is there, has one origin answered, and has the others follow."""

    count = 3
    run: Run
    task: Task | None = None

    def __init__(self, row: int = 3, force: bool = False) -> None:
        self.row = row
        self.index = row - ROWS + 1
        self.force = force
        self.late = False

    @property
    def entry(self) -> Entry:
        return self.run.entry_slice.entry

    def steps(self, play: Play) -> Iterator[None]:
        calls = play.stage.model.calls
        began = len(calls)
        self.run = play.stage.run(play.find(WHOLE, self.force))
        yield
        waiting, before = self.entry.is_pending(np.array([self.row])).item(), len(calls)
        number, observed = told(self.run.at(self.index).draws[None])
        assert observed[0] == WHOLE.values[self.row]
        if self.force:
            assert number[0] > began, "C6: it was to be asked for anew"
        elif waiting:
            play.answered(self.entry, self.row)
        else:
            assert len(calls) == before
        yield
        if self.force:
            play.stage.cache.publish(self.run.entry_slice, force=True)
            play.owner = self.entry
            self.late = any(long.ended for long in play.longs)
        self.run.start(Priority.IDLE, near=self.index)
        self.task = self.run.task
        yield


Actor = Work | Event | Long | Short


def orders(counts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every order in which actors can take so many steps each."""
    if not any(counts):
        yield ()
    for actor, left in enumerate(counts):
        if left:
            fewer = (*counts[:actor], left - 1, *counts[actor + 1 :])
            yield from ((actor, *rest) for rest in orders(fewer))


def plays(
    stages: Callable[[], Stage], cast: Callable[[], tuple[Actor, ...]]
) -> Iterator[tuple[Play, tuple[Actor, ...]]]:
    """Every order of a cast's steps, played to the end of all work; the failing order is told.

    Orders in which the engine is to work and has nothing to do are left out: they are like others.
    """
    played = 0
    like: tuple[int, ...] = (-1,)
    for order in orders(tuple(actor.count for actor in cast())):
        if order[: len(like)] == like:
            continue
        actors = cast()
        play = Play(stages())
        steps = [actor.steps(play) for actor in actors]
        try:
            for at, actor in enumerate(order):
                if isinstance(actors[actor], Work) and not play.stage.hand.jobs:
                    like = order[: at + 1]
                    break
                next(steps[actor])
                play.look()
            else:
                play.stage.drain(play.look)
                play.stage.check_snapshots()
                played += 1
                yield play, actors
        except AssertionError as error:
            error.add_note(f"order {played}: " + ", ".join(f"{type(actors[a]).__name__} {a}" for a in order))
            raise
    assert played
