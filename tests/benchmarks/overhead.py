"""What an origin costs beside inference, in microseconds of a core: a whole run less the model's function alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

import nbforecast as nbf
from nbforecast import session
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.window_forecaster import WindowForecaster
from tests.benchmarks.series import hourly
from tests.benchmarks.table import Table, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

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
    """Microseconds of processor time per origin: of a whole run, of the model's function, and the difference.

    They are the least of the repeats, since other work on the machine only adds to them.

    The function is called with the batches of the run, taken in turns with it.
    """
    run = nbf.forecast(frame, model, HORIZON, force=True, wait=True)
    forecaster, rows = resolve(model), np.flatnonzero(run.entry_slice.reasons == 0)
    data, infer = run.entry_slice.data, WindowForecaster._run
    batches: list[tuple[WindowForecaster, Windows, int, int]] = []

    def record(own: WindowForecaster, windows: Windows, horizon: int, seed: int) -> np.ndarray:
        batches.append((own, windows, horizon, seed))
        return infer(own, windows, horizon, seed)

    with patch.object(WindowForecaster, "_run", record):
        run_inference(forecaster, data, rows, HORIZON)
    alone, whole = [], []
    for _ in range(repeats):
        alone.append(_processor_seconds(lambda: [infer(*batch) for batch in batches]))
        whole.append(_processor_seconds(lambda: nbf.forecast(frame, model, HORIZON, force=True, wait=True)))
    session.results().clear()
    both, inference = (1e6 * min(seconds) / len(rows) for seconds in (whole, alone))
    return both, inference, both - inference


def _processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start
