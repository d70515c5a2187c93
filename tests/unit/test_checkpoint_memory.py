"""E10, C3: a snapshot of an entry that is being filled copies no results, and later writes do not show in it."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.engine.calculation import calculate_rows
from nbforecast.engine.tasks import Statistics
from nbforecast.result_cache import parquet
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.snapshot import is_consistent, union
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import draw_levels

if TYPE_CHECKING:
    from pathlib import Path

HORIZON, DRAWS = 4, 10
SPEC = ForecastSpec(ModelSpec("m", "m"), HORIZON, draw_levels(None, DRAWS), 5)
SHARES = [0.05, 0.3, 0.6, 1.0]


def new_entry(rows: int) -> Entry:
    data = prepare(pl.DataFrame({"ds": np.arange(rows), "y": np.arange(float(rows))}), freq=1)
    return Entry(data, SPEC, np.zeros(rows, np.uint8))


def fill(entry: Entry, rows: np.ndarray) -> None:
    draws = (entry.data.values[rows, None, None] + np.arange(DRAWS) + np.zeros((1, HORIZON, 1))).astype(np.float32)
    entry.write_forecasts(rows, draws)
    calculate_rows(entry, rows, draws, entry.version, Statistics())


@pytest.mark.parametrize("share", SHARES)
def test_C3_C9_a_snapshot_is_saved_as_it_was_while_the_entry_is_filled(share: float, tmp_path: Path) -> None:
    entry, rows = new_entry(9000), np.random.default_rng(0).permutation(9000)
    count = int(share * len(rows))
    fill(entry, rows[:count])
    snapshot, _ = entry.snapshot()
    copied = {name: np.array(values) for name, values in snapshot.columns.items()}
    for start in range(count, len(rows), 3000):
        fill(entry, rows[start : start + 3000])
    entry.discard(rows[:50], Status.PENDING)
    assert is_consistent(snapshot)
    path = tmp_path / "entry.parquet"
    with path.open("wb") as file:
        parquet.write(snapshot, file)
    saved = parquet.read(path)
    assert saved.inferred == count
    for name, values in copied.items():
        np.testing.assert_array_equal(snapshot.columns[name], values)
        np.testing.assert_array_equal(saved.columns[name], values)


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES[:3])
def test_E10_a_checkpoint_takes_a_small_part_of_the_memory_of_results(share: float) -> None:
    entry = new_entry(60_000)
    fill(entry, np.arange(int(share * len(entry)))[::-1])
    size = entry.nbytes
    tracemalloc.start()
    try:
        snapshot, _ = entry.snapshot()
        taken = tracemalloc.get_traced_memory()[1]
        parquet.write(snapshot, io.BytesIO())
        written = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 3e6, "a few bytes a row, and no results"
    assert written < max(size, 30e6) - 5e6


@pytest.mark.parametrize("count", [110, 200, 400])
def test_C13_a_snapshot_is_united_with_a_part_that_was_saved(count: int, tmp_path: Path) -> None:
    entry, saved = new_entry(400), new_entry(400)
    entry.write_forecasts(np.arange(count), np.zeros((count, HORIZON, DRAWS), np.float32))
    fill(saved, np.arange(100, 130))
    with (tmp_path / "part.parquet").open("wb") as file:
        parquet.write(saved.snapshot()[0], file)
    part, rows = parquet.read(tmp_path / "part.parquet"), np.arange(max(count, 130))
    expected = np.where((rows >= 100) & (rows < 130), entry.data.values[rows], 0)
    for united in (union(entry.snapshot()[0], part), union(part, entry.snapshot()[0])):
        assert is_consistent(united)
        np.testing.assert_array_equal(united.results("forecast", rows)[:, 0, 0], expected)
    assert not entry.snapshot()[0].results("forecast", rows[:count]).any(), "the entry itself is as it was"
