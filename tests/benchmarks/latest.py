"""The next 28 days of 500 shops, origins by time, and long tables of ten million rows."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.table import Table, number

if TYPE_CHECKING:
    from collections.abc import Iterator

HORIZON, SEASON = 28, 7
PATIENCE = 900.0


def tables(quick: bool) -> Iterator[Table]:
    with tempfile.TemporaryDirectory(prefix="nbforecast-") as name:
        folder = Path(name)
        source = folder / "shops.csv"
        write_shops(source, *((6, 120) if quick else (500, 962)))
        yield _latest(folder, source, quick)
        yield _lookups(source)
        yield _long_tables(folder, 20_000 if quick else 10_000_000)


def _latest(folder: Path, source: Path, quick: bool) -> Table:
    model = ("-m", "naive") if quick else ()
    base = ["forecast", str(source), "-H", f"{HORIZON}d", "--latest", *model]
    kinds: dict[str, list[str]] = {
        "first time (nothing compiled), CSV": ["command", *base, "-o", str(folder / "first.csv")],
        "again, from the cache, CSV": ["command", *base, "-o", str(folder / "again.csv")],
        "other data, CSV": ["command", *base, "--max-duration", "900d", "-o", str(folder / "next.csv")],
    }
    if find_spec("xlsxwriter"):
        kinds["other data, Excel"] = ["command", *base, "--max-duration", "800d", "-o", str(folder / "next.xlsx")]
    rows = [("nbforecast", what, *_measure(words, folder)) for what, words in kinds.items()]
    if find_spec("statsforecast"):
        few = folder / "few.csv"  # AutoETS takes many minutes for all
        write_shops(few, *((2, 120) if quick else (50, 962)))
        for name, shops, count in (("SeasonalNaive", source, "all"), ("AutoETS", few, "50")):
            words = ["statsforecast", str(shops), name, str(folder / f"{name}.csv")]
            rows.append((f"statsforecast {name}", f"{count} series, two processes, CSV", *_measure(words, folder)))
    note = "Each in a process of its own, from the command to its end; CPU and memory with that of child processes."
    head = ("", "what", "s", "s of CPU", "peak MB")
    return Table(f"The newest {HORIZON} days of every series of a CSV file", head, rows, (note,))


def _lookups(source: Path) -> Table:
    import nbforecast as nbf
    from nbforecast.data import prepare
    from nbforecast.data.origins import find_row

    hours = np.datetime64("2020-01-01T00", "us") + np.arange(50_000) * np.timedelta64(1, "h")
    import polars as pl

    zoned = pl.Series(hours).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
    kinds = {
        "daily, text": (prepare(str(source)), "2023-03-01"),
        "hourly in Europe/Berlin, text": (
            prepare(pl.DataFrame({"ds": zoned, "y": np.arange(50_000.0)})),
            "2022-07-01 18:05",
        ),
        "hourly in Europe/Berlin, index": (prepare(pl.DataFrame({"ds": zoned, "y": np.arange(50_000.0)})), -24_000),
    }
    rows: list[tuple[str, str]] = []
    for name, (data, index) in kinds.items():
        start = time.perf_counter()
        for _ in range(1000):
            find_row(data, index)
        rows.append((f"the row of an origin: {name}", number((time.perf_counter() - start) * 1e3)))
    run = nbf.forecast(pl.DataFrame({"ds": zoned[-500:], "y": np.arange(500.0)}), "naive", wait=True)
    moment = run.at(-24).time.strftime("%Y-%m-%d %H:%M")  # type: ignore[union-attr]
    for name, index in (("index", -24), ("time", moment)):
        start = time.perf_counter()
        for _ in range(200):
            run.at(index)
        rows.append((f"`run.at` of a cached origin by {name}", number((time.perf_counter() - start) * 5e3)))
    return Table("Origins by time", ("", "µs"), rows)


def _long_tables(folder: Path, rows: int) -> Table:
    kinds = {"`run.sink_long`, Parquet": "sink", "`run.to_long().write_parquet`": "whole"}
    lines = []
    for name, how in kinds.items():
        measured = _run(["long", how, str(rows), str(folder / f"{how}.parquet")], folder)
        lines.append((name, number(measured["seconds"]), number(measured["before"]), number(measured["peak"])))
    return Table(f"A long table of {rows:,} rows", ("", "s", "MB before", "peak MB"), lines)


def write_shops(target: Path, series: int, days: int) -> None:
    """Daily sales with a weekly and a yearly season, as a CSV file."""
    rng = np.random.default_rng(0)
    day = np.arange(days)
    level = rng.lognormal(3, 1, (series, 1))
    sales = rng.poisson(level * (1 + 0.3 * np.sin(2 * np.pi * day / 7)) * (1 + 0.2 * np.sin(2 * np.pi * day / 365)))
    dates = [str(dt.date(2023, 1, 1) + dt.timedelta(n)) for n in range(days)]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for n in range(series):
            writer.writerows(
                (f"shop {n:03}", date, value) for date, value in zip(dates, sales[n].tolist(), strict=True)
            )


def _measure(words: list[str], folder: Path) -> tuple[str, str, str]:
    measured = _run(words, folder)
    return number(measured["seconds"]), number(measured["cpu"]), number(measured["peak"])


def _run(words: list[str], folder: Path) -> dict[str, float]:
    """Run a function of this file in a fresh interpreter, with a cache of its own that the next one has, too."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment["NBFORECAST_CACHE_DIR"] = str(folder / "cache")
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", __name__, *words], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{words} failed:\n{done.stderr}")
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


def run_command(words: list[str]) -> dict[str, float]:
    from nbforecast.cli import main
    from nbforecast.session import shutdown

    if main(words):
        raise SystemExit(1)
    shutdown()
    return {}


def run_statsforecast(words: list[str]) -> dict[str, float]:
    source, name, target = words
    import polars as pl
    from statsforecast import StatsForecast, models

    frame = pl.read_csv(source, try_parse_dates=True)
    forecaster = StatsForecast([getattr(models, name)(season_length=SEASON)], freq="1d", n_jobs=2)
    forecaster.forecast(df=frame, h=HORIZON, level=[80, 95]).write_csv(target)
    return {}


def run_long(words: list[str]) -> dict[str, float]:
    how, rows, target = words
    import nbforecast as nbf

    horizon = 100
    values = np.random.default_rng(0).normal(size=int(rows) // horizon + 60).cumsum() + 100

    def last(contexts: np.ndarray, steps: int) -> np.ndarray:
        return np.repeat(contexts[:, -1:], steps, axis=1)

    nbf.register("last", last, context=2)
    run = nbf.forecast(values, "last", horizon, wait=True)
    before = _peak()
    start = time.perf_counter()
    if how == "sink":
        run.sink_long(target)
    else:
        run.to_long().write_parquet(target)
    return {"seconds": time.perf_counter() - start, "before": before}


def _peak() -> float:
    """Megabytes that this process, or a child of it, has taken at most."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e3


def main(arguments: list[str]) -> None:
    jobs: dict[str, Any] = {"command": run_command, "statsforecast": run_statsforecast, "long": run_long}
    facts = jobs[arguments[0]](arguments[1:])
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(json.dumps({"cpu": cpu, "peak": _peak(), **facts}))


if __name__ == "__main__":
    main(sys.argv[1:])
