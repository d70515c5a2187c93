"""V2: one row after the other, for long, costs the same each time in bytes, memory, threads and time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from tests.support.cache_files import LastValueModel
from tests.support.requirements import Requirement, requires

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache

FIRST, HORIZON, ROW_BYTES = 1000, 3, 3 * (10 + 1 + 7 + 3 + 3) * 4
pytestmark = [requires(Requirement.FORK), pytest.mark.slow]


def process_bytes(name: str, file: str) -> int:
    """A count of the system: bytes written so far, or held in memory."""
    words = dict(line.split(":", 1) for line in Path(f"/proc/self/{file}").read_text().splitlines())
    number = words[name].split()
    return int(number[0]) * (1024 if number[1:] else 1)


@pytest.mark.parametrize("rows", [150, pytest.param(20_000, marks=pytest.mark.long)])
def test_V2_E10_a_row_costs_as_much_after_thousands_of_others(rows: int, cache: Cache) -> None:
    assert cache.directory is not None
    values = np.random.default_rng(0).normal(size=FIRST + rows).cumsum()
    frame = pl.DataFrame({"ds": np.arange(FIRST + rows), "y": values})
    model, seconds, written, memory, threads, disk = LastValueModel(), [], [], [], [], []
    nbf.forecast(frame.head(FIRST), model, HORIZON, freq=1, wait=True)
    for count in range(FIRST + 1, FIRST + rows + 1):
        before, began = process_bytes("wchar", "io"), time.thread_time()
        run = nbf.forecast(frame.head(count), model, HORIZON, freq=1, wait=True)
        seconds.append(time.thread_time() - began)
        written.append(process_bytes("wchar", "io") - before)
        memory.append(process_bytes("VmRSS", "status"))
        threads.append(threading.active_count())
        disk.append(sum(path.stat().st_size for path in cache.directory.path.glob("*.parquet")) / count)
    assert model.rows == FIRST + rows
    assert run.available == FIRST + rows
    assert len(cache.entries()) == len(cache.directory.files()) == 1
    third = rows // 3
    assert max(threads[third:]) <= max(threads[:third])
    assert np.median(written) <= 64_000
    assert np.quantile(written, 0.98) <= 64_000  # the others make one file of all rows, which gets rarer
    assert sum(written) / rows < 64_000 + 8 * 2 * ROW_BYTES
    assert max(disk[third:]) < 4 * ROW_BYTES  # a row, and what the file of a few rows says of itself
    grown = memory[-1] - memory[third]
    assert grown < 4 * rows * ROW_BYTES + 100e6
    assert np.median(seconds[-third:]) < 2 * np.median(seconds[:third]) + rows * 1e-6
