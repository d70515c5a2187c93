"""A cache, an engine and callers in threads that meet in the order of the test: whoever works stops at a gate."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.data import prepare
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority
from nbforecast.result_cache.cache import Cache
from nbforecast.run import Run
from tests.support.blocking_model import PATIENCE, BlockingModel

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nbforecast.data import Dataset
    from nbforecast.origin_forecast import Forecast

CHUNK = 4


def history(first: int, values: np.ndarray) -> Dataset:
    return prepare(pl.DataFrame({"ds": np.arange(first, first + len(values)), "y": values}), freq=1)


WHOLE = history(0, np.arange(12) + 0.5)
NEWEST = history(8, WHOLE.values[8:])
OTHER = history(0, np.arange(12) + 100.5)


class EngineFixture:
    """A cache and an engine of their own, a model that stops at gates, and callers in threads."""

    def __init__(self) -> None:
        self.cache = Cache(None, 1 << 30, 1 << 30)
        self.engine = Engine(self.cache)
        self.model = BlockingModel()
        self.callers = ThreadPoolExecutor(8, "caller")
        self._other_threads = set(threading.enumerate())

    def run(self, data: Dataset = WHOLE, *, force: bool = False, model: BlockingModel | None = None) -> Run:
        model = model or self.model
        entry_slice = self.cache.find(data, model.spec, lambda: model.availability(data), force=force)
        return Run(entry_slice, model, self.engine, 0)

    def forecast(self, data: Dataset = WHOLE, *, force: bool = False) -> Run:
        """`%forecast`."""
        run = self.run(data, force=force)
        run.start(Priority.BATCH)
        return run

    def request(self, run: Run, index: int) -> Future[Forecast]:
        """`run.at` in another thread."""
        return self.callers.submit(run.at, index)

    def current_entry(self, data: Dataset = WHOLE) -> object:
        entry_slice = self.cache.peek(self.model.spec.key(data.handle))
        return None if entry_slice is None else entry_slice.entry

    def call_numbers(self, run: Run) -> np.ndarray:
        """For every origin the number of the call that forecast it; 0 where none has."""
        return (np.nan_to_num(run.take("forecast", np.arange(len(run.data)))[:, 0, 0]) // 1000).astype(int)

    def threads(self) -> list[str]:
        """The names of the engine's threads."""
        return [t.name for t in set(threading.enumerate()) - self._other_threads if t.name.startswith("nbforecast-")]

    def close(self) -> None:
        self.model.background.open()
        self.model.interactive.open()
        self.callers.shutdown()
        ending = threading.Thread(target=self.engine.shutdown, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        assert not ending.is_alive(), "the engine does not come to an end"
        assert not self.cache._pins
        assert not self.engine._interactive._requests
