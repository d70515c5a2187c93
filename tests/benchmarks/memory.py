"""What forecasts take in memory, and what it costs to write them and to look at them while they are written."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.data import prepare
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.result_column import Column
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS, Calculations, draw_levels
from tests.benchmarks.series import walk
from tests.benchmarks.table import Table, milliseconds, number, ratio
from tests.benchmarks.timing import compare, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset

HORIZON, DRAWS = 12, 10
BATCHES = (1, 32, 512)


def tables(quick: bool) -> Iterator[Table]:
    count, repeats = (2000, 1) if quick else (20_000, 5)
    data = prepare(walk(count))
    draws = np.sort(np.random.default_rng(1).normal(100, 5, (count, HORIZON, DRAWS)).astype(np.float32), -1)
    results = _calculations(draws)
    yield _memory(data, draws, results)
    yield _costs(data, draws, results, repeats)


def _calculations(draws: np.ndarray) -> Calculations:
    step = draws[..., 0]
    return Calculations(step, draws[..., : len(QUANTILE_LEVELS)], step, step, step, draws[..., :3])


def _fill(data: Dataset, draws: np.ndarray, results: Calculations, batch: int, upto: int | None = None) -> Entry:
    spec = ForecastSpec(ModelSpec("benchmark", "benchmark", 0, data.max_gap), HORIZON, draw_levels(None, DRAWS), 512)
    entry = Entry(data, spec, np.zeros(len(data), np.uint8))
    for at in range(0, upto or len(data), batch):
        rows = np.arange(at, min(at + batch, len(data)))
        entry.write_forecasts(rows, draws[rows])
        entry.write_calculations(rows, Calculations(*(r[at : at + batch] for r in results)))
    return entry


def _memory(data: Dataset, draws: np.ndarray, results: Calculations) -> Table:
    def texts() -> dict[int, str]:
        return {i: json.dumps([[round(float(v), 4) for v in step] for step in d]) for i, d in enumerate(draws)}

    kept: dict[str, tuple[Callable[[], Any], str]] = {
        "an entry's column of forecasts": (lambda: _column(draws), "float32, one array"),
        "a dict of arrays": (lambda: {i: d.copy() for i, d in enumerate(draws)}, "float32, an array an origin"),
        "a dict of pickled arrays": (lambda: {i: pickle.dumps(d) for i, d in enumerate(draws)}, "bytes an origin"),
        "a dict of JSON texts": (texts, "4 decimals"),
        "a dict of lists": (lambda: {i: d.tolist() for i, d in enumerate(draws)}, "as a pydantic model holds them"),
    }
    size = {name: _bytes(make) / len(data) for name, (make, _) in kept.items()}
    whole = _bytes(lambda: _fill(data, draws, results, 32)) / len(data)
    first = size["an entry's column of forecasts"]
    rows = [(name, what, number(size[name]), ratio(size[name] / first)) for name, (_, what) in kept.items()]
    rows.append(("an entry with all its columns", "and quantiles, scores", number(whole), ratio(whole / first)))
    note = (
        f"{len(data):,} origins, {HORIZON} steps, {DRAWS} draws; as tracemalloc counts them. The numbers "
        f"themselves are {4 * HORIZON * DRAWS} bytes."
    )
    return Table("Memory: bytes an origin", ("", "how", "bytes", "to the entry"), rows, (note,))


def _column(draws: np.ndarray) -> Column:
    column = Column("forecast", len(draws), draws.shape[1:], np.zeros(len(draws), bool))
    column.write(np.arange(len(draws)), draws)
    return column


def _costs(data: Dataset, draws: np.ndarray, results: Calculations, repeats: int) -> Table:
    full, half = (EntrySlice.whole(_fill(data, draws, results, 512, n)) for n in (len(data), len(data) // 2))
    looked = compare({"full": full.frame, "half": half.frame}, repeats)
    tasks = {str(b): lambda b=b: _fill(data, draws, results, b) for b in BATCHES}
    written = {b: float(np.median([seconds(tasks[b]) for _ in range(repeats)])) / len(data) for b in tasks}
    rows = [
        ("a snapshot (`run.frame`) of a complete entry, ms", milliseconds(looked["full"])),
        ("a snapshot of one that is half full, ms", milliseconds(looked["half"])),
        *((f"writing forecasts and calculations in batches of {b}, µs an origin", number(1e6 * written[b]))
          for b in written),
    ]  # fmt: skip
    return Table("Writing and looking", ("", ""), rows, (f"{len(data):,} origins.",))


def _bytes(make: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        kept = make()
        used, _ = tracemalloc.get_traced_memory()
        del kept
        return used
    finally:
        tracemalloc.stop()
