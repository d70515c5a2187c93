"""Panels in shards: how fast, in how much memory, with one process and with workers on Ray; and as panels grow.

Each run is a process of its own; what is measured of it are the public function's own figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from tests.benchmarks.table import Table, number

if TYPE_CHECKING:
    from collections.abc import Iterator

POINTS = 1_000
WHOLE = 10_000
GROWTH = (1, 4, 16)
MODEL = "naive"
HORIZON = 12


def tables(quick: bool) -> Iterator[Table]:
    points, whole = (120, 48) if quick else (POINTS, WHOLE)
    patience = 300 if quick else 7200
    sizes = [whole * g // GROWTH[-1] for g in (GROWTH[1:] if quick else GROWTH)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sources = {series: folder / f"{series}.parquet" for series in sizes}
        for series, path in sources.items():
            panel(series, points, path)

        def run(series: int, engine: str, workers: int) -> dict[str, Any]:
            to = folder / f"{series}-{engine}-{workers}"
            return measure(sources[series], to, engine, workers, patience)

        grown = {series: run(series, "local", 1) for series in sizes}
        ways = [("local, one process", grown[whole], "")]
        for workers in () if quick else (1, 2):
            found = run(whole, "ray", workers)
            ways.append((f"Ray, {workers} worker{'s' if workers > 1 else ''}", found, ""))
        again = measure(sources[whole], folder / f"{whole}-local-1", "local", 1, patience)
        yield _ways(whole, points, ways, again)
        yield _growth(grown, points)


def panel(series: int, points: int, path: Path) -> None:
    """Hourly series in Parquet: windows of the bundled taxi series, each scaled and disturbed by its own seed.

    Rows are ordered by time, as data arrive: those of one series lie scattered over the file.
    """
    base = nbf.sample("taxi")["y"].to_numpy()
    rng = np.random.default_rng(7)
    start = rng.integers(0, len(base) - points + 1, series)
    y = base[start[:, None] + np.arange(points)]
    y = y * rng.lognormal(0, 0.5, (series, 1)) * rng.normal(1, 0.05, y.shape)
    hours = np.datetime64("2024-01-01T00", "us") + np.arange(points) * np.timedelta64(1, "h")
    pl.DataFrame(
        {
            "unique_id": np.tile([f"s{i:06}" for i in range(series)], points),
            "ds": np.repeat(hours, series),
            "y": np.round(y.T.ravel(), 2),
        }
    ).write_parquet(path, row_group_size=250_000)


def measure(source: Path, to: Path, engine: str, workers: int, patience: float) -> dict[str, Any]:
    """One run in a fresh process; what it compiles is kept where this process keeps it."""
    command = [sys.executable, "-m", __name__, str(source), str(to), engine, str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main(source: str, to: str, engine: Any, workers: str) -> None:
    from nbforecast.distributed.worker import peak_memory

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    run = nbf.forecast_dataset(
        source, to, model=MODEL, horizon=HORIZON, engine=engine, workers=int(workers) if engine == "ray" else None
    ).wait()
    peak, began = peak_memory(), time.perf_counter()
    scored = run.scores()
    found = {
        "series": run.series,
        "inferred": run.inferred,
        "origins": run.origins,
        "rate": run.rate,
        "sorting": run.seconds - run.inference_seconds,
        "seconds": run.seconds,
        "driver": peak,
        "worker": run.peak_memory,
        "bytes": sum(p.stat().st_size for p in run.paths) / run.frame.select(pl.len()).collect().item(),
        "scoring": time.perf_counter() - began,
        "mae": scored["mae"].item(),
    }
    print(json.dumps(found))


def _ways(series: int, points: int, ways: list[tuple[str, dict[str, Any], str]], again: dict[str, Any]) -> Table:
    mib = 2**20
    rows = [
        (name, number(f["rate"]), number(f["seconds"]), number(f["sorting"]), number(f["driver"] / mib),
         number(f["worker"] / mib), number(f["bytes"]))
        for name, f, _ in ways
    ]  # fmt: skip
    notes = (
        f"{series:,} series of {points:,} points, model `{MODEL}`, horizon {HORIZON}: every origin, with quantiles and "
        "scores. Seconds from the call to the end; sorting is reading the source once and sorting its rows into "
        "buckets. Memory: the most that a process has had, the libraries included; the local worker is the driver.",
        f"Asked again: {number(again['seconds'])} s, {again['inferred']:,} origins inferred. Scores over all shards: "
        f"{number(again['scoring'])} s.",
    )
    columns = ("", "origins/s", "seconds", "of them sorting", "driver, MiB", "a worker, MiB", "bytes a row on disk")
    return Table("A panel in shards", columns, rows, notes)


def _growth(grown: dict[int, dict[str, Any]], points: int) -> Table:
    sizes = list(grown)
    figures = ("seconds", "sorting", "driver", "bytes")
    rows = []
    for series, found in grown.items():
        rows.append((f"{series:,} series", *(number(found[f] / (2**20 if f == "driver" else 1)) for f in figures)))
    growth = np.log(np.array(sizes, float))
    slopes = [np.polyfit(growth, np.log([grown[s][f] for s in sizes]), 1)[0] for f in figures]
    rows.append(("exponent", *(f"{s:.2f}" for s in slopes)))
    columns = ("", "seconds", "of them sorting", "memory, MiB", "bytes a row on disk")
    return Table("As a panel grows", columns, rows, (f"The local engine; {points:,} points a series.",))


if __name__ == "__main__":
    main(*sys.argv[1:])
