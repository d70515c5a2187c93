"""A model and a calculation that stop at gates: real threads, in an order that the test decides."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.scoring.origin_scores import calculate, draw_levels

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nbforecast.data import Dataset

PATIENCE = 30.0  # seconds until a test that waits for nothing fails
HORIZON, DRAWS = 2, 2
MAX_GAP = 12  # of data on a grid of integers


class Gate:
    """While it is closed, threads that arrive wait until they are let through one at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._arrivals = threading.Semaphore(0)
        self._passes = threading.Semaphore(0)

    def pass_through(self) -> None:
        if self.closed:
            self._arrivals.release()
            assert self._passes.acquire(timeout=PATIENCE), "nobody let the thread through"

    def close(self) -> None:
        self.closed = True

    def wait_for_arrival(self) -> None:
        """Until a thread waits at the gate."""
        assert self._arrivals.acquire(timeout=PATIENCE), "no thread arrived"

    def let_one_pass(self) -> None:
        self._passes.release()

    def open(self) -> None:
        """Let every thread through, now and later."""
        self.closed = False
        self._passes.release(1000)


class BlockingModel:
    """Forecasts contain the number of their call and the value observed; calls stop at the gate of their thread."""

    name = "blocking"
    context = 1
    levels = None
    draws = DRAWS

    def __init__(self) -> None:
        self.key = secrets.token_hex(4)
        self.background, self.interactive = Gate(), Gate()
        self.calls: list[np.ndarray] = []
        self.histories: list[float] = []  # the first value of the data of every call of the background
        self._lock = threading.Lock()

    @property
    def spec(self) -> ForecastSpec:
        return ForecastSpec(ModelSpec(self.name, self.key, 0, MAX_GAP), HORIZON, draw_levels(None, DRAWS), self.context)

    def availability(self, data: Dataset) -> np.ndarray:
        return np.zeros(len(data), np.uint8)

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        with self._lock:
            self.calls.append(rows)
            values = 1000 * len(self.calls) + data.values[rows]
        is_interactive = threading.current_thread().name.startswith("nbforecast-interactive")
        if not is_interactive:
            self.histories.append(float(data.values[0]))
        (self.interactive if is_interactive else self.background).pass_through()
        return np.broadcast_to(values[:, None, None], (len(rows), horizon, DRAWS)).astype(np.float32)


class GatedModel:
    """Repeats the last value; its calls in the background's thread wait until the gate is open."""

    name = "gate"
    context = 1
    levels = None
    draws = 10

    def __init__(self) -> None:
        self.key = secrets.token_hex(4)
        self.open = threading.Event()
        self.entered = threading.Event()
        self.calls: list[np.ndarray] = []
        self.fail = False

    def availability(self, data: Dataset) -> np.ndarray:
        return np.isnan(data.values).astype(np.uint8)

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.calls.append(rows)
        if threading.current_thread().name.startswith("nbforecast-inference"):
            self.entered.set()
            assert self.open.wait(PATIENCE)
        if self.fail:
            raise ZeroDivisionError("no luck")
        return np.broadcast_to(data.values[rows, None, None], (len(rows), horizon, 10)).astype(np.float32)


def gated_calculation(gate: Gate) -> Callable[..., Any]:
    """The real calculation, behind a gate for the background's thread."""

    def calculate_behind_gate(*arguments: Any) -> Any:
        if threading.current_thread().name.startswith("nbforecast-calculation"):
            gate.pass_through()
        return calculate(*arguments)

    return calculate_behind_gate
