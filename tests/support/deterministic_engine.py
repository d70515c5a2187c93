"""An engine and a cache without threads of their own, whose work a test runs one job at a time.

- An `EngineUnderTest` is a real `Cache` and a real `Engine`, whose threads are replaced. Its inference thread is a
  `ManualExecutor`, which queues jobs until the test runs the next one. Its calculation thread runs jobs as they are
  submitted. Its interactive thread does not start, as at interpreter exit, so that requests run in the caller.
- A `CountingModel` forecasts, for each origin, 1000 times the number of its call plus the value observed at the origin.
  From any stored forecast, `decode` therefore tells which call made it and for which data. Calculations are numbered
  alike: the median repeats the forecast, and the absolute error is the number of the calculation.

`EngineUnderTest.check` looks at every entry that ever was: forecasts are of the entry's own data, calculations are of
the forecast beside them, nothing that was discarded is back, and nothing is written that was being made while results
were discarded (C8a). `schedules` tries all orders of events with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.data import Dataset, prepare
from nbforecast.engine.engine import Engine
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
    from collections.abc import Callable

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
