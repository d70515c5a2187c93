"""Entries to save, files to damage, and what the tests of both ask."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbforecast.data import Dataset, Frequency
from nbforecast.data.dataset import Names
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache import metadata, parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.cache_file import CacheFile
from nbforecast.result_cache.directory import REMOVALS, CacheDirectory
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.metadata import FORMAT
from nbforecast.result_cache.snapshot import Snapshot
from nbforecast.result_cache.status import FIRST_STATUS, Status, column_shapes
from nbforecast.time_units import DAY, MINUTE, WEEK

ODD_NAMES = ("", "a", "A", "Zürich", "温度", "🌡️", "it's", 'say "hi"', "two\nlines", "tab\t", "../../evil",
             "/etc/passwd", "null", "%s {0}", "'; DROP TABLE x; --")  # fmt: skip
GRIDS: dict[str, tuple[Frequency, pl.DataType]] = {
    "5 minutes": (Frequency("fixed", 5 * MINUTE, 2 * MINUTE), pl.Datetime("us")),
    "15 minutes in a zone": (Frequency("fixed", 15 * MINUTE), pl.Datetime("us", "Europe/Berlin")),
    "1 microsecond": (Frequency("fixed", 1), pl.Datetime("us")),
    "days": (Frequency("fixed", DAY), pl.Date()),
    # the clocks of this place have jumped over midnight, so some of its days begin at one o'clock
    "days in a zone": (Frequency("fixed", DAY), pl.Datetime("us", "America/Sao_Paulo")),
    "weeks": (Frequency("fixed", WEEK, 3 * DAY), pl.Date()),
    "month ends": (Frequency("month", 1, 0), pl.Date()),
    "quarters": (Frequency("month", 3, 1, 2), pl.Datetime("us")),
    "business days": (Frequency("business", 1), pl.Date()),
    "integers": (Frequency("integer", 7, 3, nominal="h"), pl.Int64()),
}


def random_snapshot(seed: int, grid: str = "5 minutes", rows: int = 40, series: int | None = None) -> Snapshot:
    """An entry that holds everything a file must keep: gaps, odd names, rows that have come to any status."""
    rng = np.random.default_rng(seed)
    frequency, kind = GRIDS[grid]
    count = int(rng.integers(1, 5)) if series is None else series
    lengths = rng.integers(1, rows + 1, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    first = rng.integers(-300, 300, count)
    time = np.concatenate([frequency.to_time(f + np.arange(n)) for f, n in zip(first, lengths, strict=True)])
    n = int(offsets[-1])
    values = rng.choice([-0.0, 5e-324, 1e300, np.pi, 7.0], n) * rng.standard_normal(n).round(rng.integers(1, 15))
    values[rng.random(n) < 0.2] = np.nan
    values[[*offsets[:-1], *(offsets[1:] - 1)]] = -0.0
    names = tuple(sorted(rng.choice(ODD_NAMES, count, replace=False).tolist()))
    data = Dataset(names, offsets, time, values, frequency, int(rng.integers(0, 13)), kind, Names("Größe '\"\n"))
    horizon, draws = int(rng.integers(1, 15)), int(rng.integers(1, 12))
    levels = tuple((np.arange(draws) + 0.5) / draws)
    spec = ForecastSpec(ModelSpec("m", f"m|{seed}", seed, data.max_gap), horizon, levels, int(rng.integers(1, 9)))
    status = rng.integers(0, len(Status), n).astype(np.uint8)
    never = status == Status.UNAVAILABLE
    columns = {}
    for name, tail in column_shapes(horizon, draws).items():
        column = np.full((n, *tail), np.nan, np.float32)
        done = (status >= FIRST_STATUS[name]) & ~never
        column[done] = rng.standard_normal((int(done.sum()), *tail)) * rng.choice([1e-40, 1.0, 1e37])
        if FIRST_STATUS[name] == Status.SCORED:
            column[rng.random(column.shape) < 0.3] = np.nan
        columns[name] = column
    return Snapshot(
        data=data,
        spec=spec,
        status=status,
        reasons=np.where(never, rng.integers(1, len(UnavailableReason), n), 0).astype(np.uint8),
        contexts=rng.integers(0, 1 << 64, n, np.uint64),
        columns=columns,
        version="0123456789abcdef",
        created=1.7e9 + rng.random(),
        forced_times=rng.choice([0.0, 1.7e9], n),
    )


def assert_same(one: Snapshot, other: Snapshot) -> None:
    """Bit by bit."""
    assert (one.data.ids, one.data.frequency, one.data.max_gap) == (
        other.data.ids,
        other.data.frequency,
        other.data.max_gap,
    )
    assert (one.data.time_type, one.data.names.frame) == (other.data.time_type, other.data.names.frame)
    assert one.data.time.dtype == other.data.time.dtype
    arrays = [(s.data.offsets, s.data.time, s.status, s.reasons, s.contexts, *bits(s).values()) for s in (one, other)]
    for mine, theirs in zip(*arrays, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert one.spec == other.spec
    assert (one.version, one.created) == (other.version, other.created)
    np.testing.assert_array_equal(one.forced_times, other.forced_times)
    assert one.data.handle == other.data.handle


def bits(snapshot: Snapshot) -> dict[str, np.ndarray]:
    observed = np.where(np.isnan(snapshot.data.values), np.nan, snapshot.data.values)
    return {"y": observed.view("u8"), **{n: c.view("u4") for n, c in snapshot.columns.items()}}


def keep_rows(snapshot: Snapshot, rows: Any, **changes: Any) -> Snapshot:
    """The same entry with only some of its forecasts."""
    gone = np.ones(len(snapshot.data), bool)
    gone[rows] = False
    status = np.where(gone, Status.PENDING, snapshot.status).astype(np.uint8)
    columns = {
        n: np.where(gone.reshape(-1, *[1] * (c.ndim - 1)), np.float32("nan"), c) for n, c in snapshot.columns.items()
    }
    return replace(snapshot, status=status, columns=columns, **changes)


def complete_snapshot(seed: int = 0, rows: int = 40) -> Snapshot:
    """An entry of one series, complete."""
    rng = np.random.default_rng(seed)
    frequency = Frequency("integer", 1)
    data = Dataset(("a",), np.array([0, rows]), np.arange(rows), rng.standard_normal(rows), frequency, 3, pl.Int64())
    tails = column_shapes(3, 4)
    return Snapshot(
        data=data,
        spec=ForecastSpec(ModelSpec("m", "m", 0, data.max_gap), 3, (0.2, 0.4, 0.6, 0.8), 5),
        status=np.full(rows, Status.SCORED, np.uint8),
        reasons=np.zeros(rows, np.uint8),
        contexts=rng.integers(0, 1 << 64, rows, np.uint64),
        forced_times=np.zeros(rows),
        columns={n: rng.standard_normal((rows, *t)).astype(np.float32) for n, t in tails.items()},
        version="v",
        created=1.0,
    )


class LastValueModel:
    """A forecaster that repeats the last value and counts what it is asked for."""

    name = "last"
    context = 1
    levels = None
    draws = 10
    key = "last"

    def __init__(self) -> None:
        self.rows = 0

    def availability(self, data: Dataset) -> np.ndarray:
        return np.isnan(data.values).astype(np.uint8)

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.rows += len(rows)
        spread = np.linspace(-1, 1, 10, dtype=np.float32)
        return np.broadcast_to(data.values[rows, None, None], (len(rows), horizon, 10)).astype(np.float32) + spread


def random_walk(seed: int, rows: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(rows)


def only_file(directory: CacheDirectory) -> CacheFile:
    (found,) = directory.files()
    return found


def reopen(cache: Cache) -> CacheDirectory:
    """As a new kernel finds it: nothing in memory, nothing known of the directory."""
    assert cache.directory is not None
    cache.clear()
    cache.directory = CacheDirectory(cache.directory.path)
    return cache.directory


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        r.getMessage() for r in caplog.records if r.name == "nbforecast.result_cache" and r.levelno >= logging.WARNING
    ]


def tree(directory: Path) -> dict[str, bytes | str]:
    """Everything below a directory, but the lock and the list of what was removed."""
    return {
        str(p.relative_to(directory)): str(p.readlink()) if p.is_symlink() else p.read_bytes() if p.is_file() else "/"
        for p in sorted(directory.rglob("*"))
        if p.name not in (".lock", REMOVALS)
    }


def wait_until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    pl.DataFrame({"unique_id": ["a"], "y": [1.0]}).write_parquet(path)


def text(path: Path) -> None:
    path.write_text("not a table at all")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(bytes(content))


def older(path: Path) -> None:
    rewrite_metadata(path, lambda facts: facts | {"format": 0})


def newer(path: Path) -> None:
    rewrite_metadata(path, lambda facts: {"format": 99, "something": "else"})


def anothers(path: Path) -> None:
    """Another entry's file under this name."""
    with path.open("wb") as file:
        parquet.write(complete_snapshot(77), file)


def unsigned(path: Path) -> None:
    rewrite_metadata(path, lambda facts: facts | {"forced": 1.0}, sign=False)


def another_digit(path: Path) -> None:
    """An accident to the number of the format; a newer nbforecast's file would be left where it is, for ever."""
    rewrite_metadata(path, lambda facts: facts | {"format": FORMAT + 2}, sign=False)


def rewrite_metadata(path: Path, change: Callable[[dict[str, Any]], Any], *, sign: bool = True) -> None:
    """Change what a file says of itself, and sign it as the package would."""
    table, facts = pq.read_table(path), json.loads(packed_metadata(path))
    signature = facts.pop("signature")
    facts = change(facts)
    facts["signature"] = metadata._signature(facts) if sign else signature
    write_packed(table, path, json.dumps(facts))


def packed_metadata(path: Path) -> bytes:
    """What a file says of itself."""
    return pq.read_metadata(path).metadata[b"nbforecast"]


def write_packed(table: pa.Table, path: Path, note: bytes | str) -> None:
    """A file of any table, that says of itself whatever one likes."""
    pq.write_table(table.replace_schema_metadata({b"nbforecast": note}), path)


DAMAGES = [truncate, cut_in_half, empty, foreign, text, flip, older, anothers, unsigned, another_digit]
