"""Where the time of a full run goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import jax

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters import window_forecaster
from tests.benchmarks.series import hourly
from tests.benchmarks.spans import Spans
from tests.benchmarks.table import Table, milliseconds, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

HORIZON = 12
MODEL = "the model (jitted)"
LABELS = {
    "nbforecast.session:prepare": "prepare",
    "nbforecast.forecasters.window_forecaster:WindowForecaster.availability": "which origins are available",
    "nbforecast.forecasters.window_forecaster:cut": "cutting windows",
    "nbforecast.forecasters.window_forecaster:WindowForecaster.forecast": "forecast: putting batches together",
    "nbforecast.engine.engine:run_inference": "checking and sorting draws",
    "nbforecast.result_cache.entry:Entry.write_forecasts": "writing forecasts",
    "nbforecast.engine.engine:Engine._infer": "engine: the rest",
    "nbforecast.result_cache.cache:Cache.complete": "saving",
}
BESIDE = {
    "nbforecast.data.dataset:Dataset.actuals": "actuals",
    "nbforecast.engine.calculation:calculate": "calculations",
    "nbforecast.result_cache.entry:Entry.write_calculations": "writing calculations",
    "nbforecast.engine.engine:calculate_newest_densities": "densities of the newest",
}
REST = "threads, waiting, the rest"


def tables(quick: bool) -> Iterator[Table]:
    name, frame = hourly(1500 if quick else None)
    models = ("naive",) if quick else ("naive", "auto")
    found = {model: _stages(frame, model) for model in models}
    rows: list[tuple[str, ...]] = []
    for label in (MODEL, *LABELS.values(), REST, *BESIDE.values()):
        cells: list[str] = []
        for spans, total in found.values():
            line = sum(taken for name, taken in spans.seconds.items() if name not in BESIDE.values())
            taken = total - line if label == REST else spans.seconds[label]
            cells += [milliseconds(taken), f"{taken / total:.1%}", f"{spans.calls[label] or ''}"]
        rows.append((label, *cells))
    rows.append(
        (
            "**all**, but for the last four, which go on beside",
            *(c for _, total in found.values() for c in (milliseconds(total), "100 %", "")),
        )
    )
    columns = ("", *(c for model in models for c in (f"{model}, ms", "share", "calls")))
    outside = {model: 1e6 * (total - spans.seconds[MODEL]) / len(frame) for model, (spans, total) in found.items()}
    per = ", ".join(f"{model} {number(value)}" for model, value in outside.items())
    note = f"One warm run each over {name}. Outside the model, µs an origin: {per}."
    yield Table("A full run, part by part", columns, rows, (note,))


def _stages(frame: pl.DataFrame, model: str) -> tuple[Spans, float]:
    """The parts of one warm run, and its seconds."""
    nbf.forecast(frame, model, HORIZON, force=True, wait=True)
    spans, compiled = Spans(), window_forecaster._compiled

    def timed(*key: Any) -> Any:
        return spans.timed(MODEL, lambda batch: jax.block_until_ready(compiled(*key)(batch)))

    with patch.object(window_forecaster, "_compiled", timed), spans.watch(LABELS | BESIDE):
        start = time.perf_counter()
        nbf.forecast(frame, model, HORIZON, force=True, wait=True)
        total = time.perf_counter() - start
    session.results().clear()
    return spans, total
