"""A cache, an engine and people who wait, stopped where two of them meet.

The orders of events are those of a test, without a clock: whoever has to work stops at a turnstile until let through.
"""

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
from tests.support.blocking_model import PATIENCE, Stopped

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


class Scene:
    """A cache and an engine of their own, a forecaster that can be stopped, and people who wait in threads."""

    def __init__(self) -> None:
        self.cache = Cache(None, 1 << 30, 1 << 30)
        self.engine = Engine(self.cache)
        self.model = Stopped()
        self.people = ThreadPoolExecutor(8, "person")
        self._before = set(threading.enumerate())

    def run(self, data: Dataset = WHOLE, *, force: bool = False, model: Stopped | None = None) -> Run:
        model = model or self.model
        view = self.cache.find(data, model.spec, lambda: model.availability(data), force=force)
        return Run(view, model, self.engine, 0)

    def long(self, data: Dataset = WHOLE, *, force: bool = False) -> Run:
        """`%forecast`."""
        run = self.run(data, force=force)
        run.start(Priority.BATCH)
        return run

    def ask(self, run: Run, index: int) -> Future[Forecast]:
        """`run.at`, by somebody in another thread."""
        return self.people.submit(run.at, index)

    def held(self, data: Dataset = WHOLE) -> object:
        view = self.cache.peek(self.model.spec.key(data.handle))
        return None if view is None else view.entry

    def numbers(self, run: Run) -> np.ndarray:
        """For every origin the number of the call that forecast it; 0 where none has."""
        return (np.nan_to_num(run.take("forecast", np.arange(len(run.data)))[:, 0, 0]) // 1000).astype(int)

    def threads(self) -> list[str]:
        """The engine's."""
        return [t.name for t in set(threading.enumerate()) - self._before if t.name.startswith("nbforecast-")]

    def leave(self) -> None:
        self.model.background.open()
        self.model.interactive.open()
        self.people.shutdown()
        ending = threading.Thread(target=self.engine.shutdown, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        assert not ending.is_alive(), "the engine does not come to an end"
        assert not self.cache._pins
        assert not self.engine._interactive._requests
