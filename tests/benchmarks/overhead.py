"""What an origin costs beside inference, in µs of a core: a whole run, and one without the model's function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters.window_forecaster import WindowForecaster
from tests.benchmarks.series import hourly
from tests.benchmarks.table import Table, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import polars as pl

    from nbforecast import Run
    from nbforecast.forecasters.windows import Windows

HORIZON = 12
REPEATS = 5


def tables(quick: bool) -> Iterator[Table]:
    name, frame = hourly(600 if quick else None)
    rows = []
    for model in ("naive",) if quick else ("naive", "pretrained"):
        whole, inference, beside = measure(frame, model, 1 if quick else REPEATS)
        rows.append((f"`{model}`", number(whole), number(inference), number(beside)))
    note = f"Every origin of {name}, saving included: processor time of all threads, the least of some turns."
    yield Table("What an origin costs, µs of a core", ("", "all", "of it inference", "beside"), rows, (note,))


def measure(frame: pl.DataFrame, model: str, repeats: int = REPEATS) -> tuple[float, float, float]:
    """Microseconds of processor time per origin: of a whole run, of the model's function, and of all the rest.

    They are the least of the repeats, since other work on the machine only adds to them. The rest is that of a whole
    run whose function returns what it returned for another batch of the same shape.
    """
    infer, results = WindowForecaster._run, {}

    def return_former(own: WindowForecaster, windows: Windows, horizon: int, seed: int) -> np.ndarray:
        shape = (*windows.values.shape, horizon)
        if shape not in results:
            results[shape] = infer(own, windows, horizon, seed)
        return results[shape].copy()

    def forecast() -> Run:
        return nbf.forecast(frame, model, HORIZON, force=True, wait=True)

    origins = forecast().available
    whole, beside = [], []
    for _ in range(repeats + 1):  # the first has functions compiled
        whole.append(_processor_seconds(forecast))
        with patch.object(WindowForecaster, "_run", return_former):
            beside.append(_processor_seconds(forecast))
    session.results().clear()
    both, rest = (1e6 * min(seconds[1:]) / origins for seconds in (whole, beside))
    return both, both - rest, rest


def _processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start
