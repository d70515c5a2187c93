"""One more row, and a new kernel, through the public functions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.forecasters.registry import DEFAULT
from tests.benchmarks.entries import HORIZON, scratch
from tests.benchmarks.peers import peers
from tests.benchmarks.series import hourly
from tests.benchmarks.spans import Spans
from tests.benchmarks.table import Table, milliseconds, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


RESTARTED = """
import json, sys, time

def ask(start):
    run = nbf.forecast(pl.read_parquet(sys.argv[1]), sys.argv[2], int(sys.argv[3]), wait=True)
    return time.perf_counter() - start, run.inferred, run.reused

start = time.perf_counter()
import polars as pl
import nbforecast as nbf
first = ask(start)
time.sleep(1)  # what is left to the background
later = sorted(ask(time.perf_counter()) for _ in range(7))
print(json.dumps({"first": first, "later": later[3]}))
"""
STEPS = {
    "nbforecast.session:prepare": "prepare",
    "nbforecast.session:Session.find": "find and take over",
    "nbforecast.engine.engine:run_inference": "inference",
    "nbforecast.engine.engine:calculate_rows": "calculations",
    "nbforecast.engine.engine:calculate_newest_densities": "densities",
    "nbforecast.result_cache.cache:Cache.complete": "finish",
    "nbforecast.result_cache.cache:Cache.save": "save",
}


def tables(quick: bool) -> Iterator[Table]:
    """One more row, and a restart, through the public functions."""
    points, turns, models = (1500, 2, ("naive",)) if quick else (None, 7, ("naive", DEFAULT))
    name, frame = hourly(points)
    peer = next(peers(frame, HORIZON, quick), None)
    rows, parts = [], {}
    for model in models:
        with scratch() as folder:
            path = folder / "frame.parquet"
            frame.write_parquet(path)
            made = _fresh(folder, "-m", "tests.benchmarks.restart", path, model, turns)
            kernels: dict[str, list[list[float]]] = {"saved": [], "later": [], "bare": []}
            for _ in range(1 if quick else 3):
                found = _fresh(folder, "-c", RESTARTED, path, model, HORIZON)
                kernels["saved"].append(found["first"])
                kernels["later"].append(found["later"])
                shutil.rmtree(folder / "results")
                kernels["bare"].append(_fresh(folder, "-c", RESTARTED, path, model, HORIZON)["first"])
        cold, *warm = made["asked"]
        saved, later, bare = (sorted(k)[len(k) // 2] for k in kernels.values())
        parts[model] = made["parts"]
        begun = "a new kernel, from `import nbforecast`"
        for what, (taken, *counts), (base, *_) in (
            ("nothing is there", cold, cold),
            ("one row appended", sorted(warm)[len(warm) // 2], cold),
            (f"{begun}: nothing is there", bare, bare),
            (f"{begun}: all is saved", saved, bare),
            ("asked again in that kernel", later, cold),
        ):
            rows.append((f"{model}: {what}", milliseconds(taken), ratio(base / taken), *(f"{n:,}" for n in counts)))
    if peer is not None:
        rows.append((f"{peer.name}, all again", milliseconds(len(frame) / peer.rate), "", f"{len(frame):,}", "0"))
    note = (
        "`nbf.forecast(frame, model, wait=True)`: preparing, finding, inferring, calculating, saving; compiled before. "
        "x 10: with nothing there it takes ten times as long, in a warm kernel or a new one as the case may be."
    )
    theirs = (f"The peer, its time worked out from its rate: {peer.computes}.",) if peer else ()
    columns = ("", "ms", "to nothing there", "inferred", "reused")
    yield Table(f"One more row, and a restart: {name}, horizon {HORIZON}", columns, rows, (note, *theirs))
    cells = [(label, *(milliseconds(found[label]) for found in parts.values())) for label in parts[models[0]]]
    note = "Each part without the parts in it; medians, so they do not add up exactly."
    yield Table("One row appended, part by part", ("", *(f"{m}, ms" for m in parts)), cells, (note,))


def appended(path: str, model: str, turns: int) -> dict[str, Any]:
    """(seconds, inferred, reused) of a run with nothing there and of runs with a row more each; what the latter do."""
    import nbforecast as nbf

    frame = pl.read_parquet(path)
    other = frame.with_columns(pl.col("y") + 1)
    for part in (other.head(-1), other):  # compiles
        nbf.forecast(part, model, HORIZON, wait=True)
    nbf.cache.flush()
    asked, parts = [], []
    for less in range(turns, -1, -1):
        part = frame.head(len(frame) - less)
        with Spans().watch(STEPS) as spans:
            start = time.perf_counter()
            run = nbf.forecast(part, model, HORIZON, wait=True)
            taken = time.perf_counter() - start
        asked.append((taken, run.inferred, run.reused))
        known = {label: spans.seconds[label] for label in STEPS.values()}
        parts.append({**known, "threads, waiting, the rest": max(taken - sum(known.values()), 0.0), "**all**": taken})
    return {"asked": asked, "parts": {label: median(found[label] for found in parts[1:]) for label in parts[0]}}


def _fresh(directory: Path, *command: object) -> Any:
    """What a fresh interpreter prints that keeps its files in `directory`."""
    environment = {k: v for k, v in os.environ.items() if k not in ("JAX_COMPILATION_CACHE_DIR", "NBFORECAST_CACHE")}
    environment["NBFORECAST_CACHE_DIR"] = str(directory)
    words = [sys.executable, *map(str, command)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    path, model, turns = sys.argv[1:]
    print(json.dumps(appended(path, model, int(turns))))
