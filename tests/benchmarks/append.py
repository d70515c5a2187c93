"""What a row costs that is appended to data whose forecasts are in the cache: bytes written and time."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.data import prepare
from tests.benchmarks.entries import HORIZON
from tests.benchmarks.table import Table, milliseconds, number

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMER = "Before, every row wrote the whole entry again, and the former entry stayed until the budget was full."


def tables(quick: bool) -> Iterator[Table]:
    """Rows of five minutes, appended one by one."""
    rows = [
        _append(count, 3 if quick else 15) for count in ((300, 1000) if quick else (1000, 10_000, 100_000, 1_000_000))
    ]
    columns = (
        "points",
        "KB written for a row",
        "largest file of rows, KB",
        "ms until it is saved",
        "CPU ms",
        "whole entry, KB",
        "ms of preparing the frame",
    )
    notes = (
        f"Model `naive`, horizon {HORIZON}, one series of five minutes, `wait=True`: prepared, inferred, scored and "
        f"saved. Medians of rows appended one by one. {FORMER}",
    )
    yield Table("One row appended", columns, rows, notes)


def _append(points: int, turns: int) -> tuple[str, ...]:
    frame = _frame(points + turns)
    first = frame.head(points)
    nbf.forecast(first, "naive", HORIZON, wait=True)
    assert nbf.cache.directory is not None
    whole = max(path.stat().st_size for path in nbf.cache.directory.glob("*.parquet"))
    seconds, cpu, written, deltas, preparing = [], [], [], [], []
    for count in range(points + 1, points + turns + 1):
        grown = frame.head(count)
        before, began, used = _written(), time.perf_counter(), time.process_time()
        nbf.forecast(grown, "naive", HORIZON, wait=True)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
        written.append(_written() - before)
        deltas.append(max(path.stat().st_size for path in nbf.cache.directory.glob("*.rows-*.parquet")))
        began = time.perf_counter()
        prepare(grown)
        preparing.append(time.perf_counter() - began)
    nbf.cache.flush()
    kilobytes = (number(median(each) / 1000) for each in (written, deltas))
    return (
        f"{points:,}",
        *kilobytes,
        milliseconds(median(seconds)),
        milliseconds(median(cpu)),
        number(whole / 1000),
        milliseconds(median(preparing)),
    )


def _frame(points: int) -> pl.DataFrame:
    steps = np.arange(points)
    values = 100 + 10 * np.sin(steps / 288 * 2 * np.pi) + np.random.default_rng(0).normal(size=points)
    return pl.DataFrame({"ds": np.datetime64("2010-01-01", "us") + steps * np.timedelta64(5, "m"), "y": values})


def _written() -> int:
    """Bytes that this process has written so far, to files, pipes and terminals."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])
