"""A forecaster and a calculation that a test stops and lets go: real threads, in an order that the test decides."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.scoring.calculations import calculate, draw_levels

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nbforecast.data import Dataset

PATIENCE = 30.0  # seconds until a test that waits for nothing fails
HORIZON, DRAWS = 2, 2
MAX_GAP = 12  # of data on a grid of integers


class Turnstile:
    """Who comes to it stops until let through, one at a time; while it is open it stops nobody."""

    def __init__(self) -> None:
        self.closed = False
        self._came = threading.Semaphore(0)
        self._go = threading.Semaphore(0)

    def pass_through(self) -> None:
        if self.closed:
            self._came.release()
            assert self._go.acquire(timeout=PATIENCE), "nobody let it through"

    def close(self) -> None:
        self.closed = True

    def wait_for_one(self) -> None:
        """Until somebody stands at it."""
        assert self._came.acquire(timeout=PATIENCE), "nobody came"

    def let_one(self) -> None:
        self._go.release()

    def open(self) -> None:
        """Let everybody through, now and later."""
        self.closed = False
        self._go.release(1000)


class Stopped:
    """Forecasts tell the number of their call and the value observed; calls stop at the turnstile of their thread."""

    name = "stopped"
    context = 1
    levels = None
    draws = DRAWS

    def __init__(self) -> None:
        self.key = secrets.token_hex(4)
        self.background, self.interactive = Turnstile(), Turnstile()
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
            value = 1000 * len(self.calls) + data.values[rows]
        asked = threading.current_thread().name.startswith("nbforecast-interactive")
        if not asked:
            self.histories.append(float(data.values[0]))
        (self.interactive if asked else self.background).pass_through()
        return np.broadcast_to(value[:, None, None], (len(rows), horizon, DRAWS)).astype(np.float32)


def stopping(turnstile: Turnstile) -> Callable[..., Any]:
    """The real calculation, behind a turnstile for the background's."""

    def stopped(*given: Any) -> Any:
        if threading.current_thread().name.startswith("nbforecast-calculation"):
            turnstile.pass_through()
        return calculate(*given)

    return stopped
