"""What has to be measured in processes of their own: imports, first charts, charts beside a busy background."""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HORIZON = 12


def measure(job: str, *arguments: object, directory: Path | None = None, patience: float = 180) -> dict[str, Any]:
    """Run a function of this file in a fresh interpreter; `directory` keeps what it compiles.

    Raises `subprocess.TimeoutExpired` after `patience` seconds.
    """
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    if directory is not None:
        environment["NBFORECAST_CACHE_DIR"] = str(directory)
    command = [sys.executable, "-m", __name__, job, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=patience)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def load(module: str) -> dict[str, float]:
    """Import a module."""
    start = time.perf_counter()
    importlib.import_module(module)
    return _used(start)


def load_ext() -> dict[str, float]:
    """`%load_ext nbforecast` in a shell that is up."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    start = time.perf_counter()
    shell.run_line_magic("load_ext", "nbforecast")
    return _used(start)


def first_chart(model: str) -> dict[str, float]:
    """From `import nbforecast` to the mime bundle of a first quickdraw, in parts."""
    from tests.benchmarks.spans import Spans

    start = time.perf_counter()
    import nbforecast as nbf
    from nbforecast.forecasters.registry import resolve

    draw = nbf.quickdraw
    resolve(model)
    imported = time.perf_counter() - start
    frame = nbf.sample("glucose")
    labels = {
        "nbforecast.session:prepare": "prepare",
        "nbforecast.engine.interactive:run_inference": "inference",
        "nbforecast.engine.interactive:calculate_rows": "calculations",
    }
    start = time.perf_counter()
    with Spans().watch(labels) as spans:
        draw(frame, -24, model=model, horizon=HORIZON)._repr_mimebundle_()
    drawn = time.perf_counter() - start
    parts = {label: spans.seconds[label] for label in labels.values()}
    return {"import": imported, **parts, "rest": drawn - sum(parts.values()), "total": imported + drawn}


def warm_charts(model: str, count: int) -> dict[str, Any]:
    """Seconds of quickdraws at random indices: of what is there, of what must be inferred, and beside a long run."""
    import polars as pl

    import nbforecast as nbf
    from nbforecast import session

    frame = nbf.sample("glucose")
    series = frame["unique_id"][0]
    length = frame.filter(pl.col("unique_id") == series).height
    indices = [-i for i in random.Random(1).sample(range(HORIZON, length // 2), count)]

    def draw(index: int, force: bool) -> float:
        start = time.perf_counter()
        nbf.quickdraw(frame, index, series, model, HORIZON, force=force)._repr_mimebundle_()
        return time.perf_counter() - start

    nbf.forecast(frame, model, HORIZON, wait=True)
    found = [draw(i, force=False) for i in [-1, *indices]][1:]
    inferred = []
    for index in [-1, *indices]:
        inferred.append(draw(index, force=True))
        session.engine().shutdown()  # the background that this one has begun: the next one finds it idle
    busy = pl.concat([frame.with_columns(pl.col("unique_id") + f" {i}") for i in range(max(2, count // 4))])
    run = nbf.forecast(busy, model, HORIZON, force=True)
    while not (run.inferred or run.done):
        time.sleep(0.01)
    before, begun = run.inferred, time.perf_counter()
    beside, alone = [], 0
    for index in indices:
        alone += run.done
        beside.append(draw(index, force=True))
    pace = (run.inferred - before) / (time.perf_counter() - begun)
    run.cancel()
    run.wait_for_end()
    return {"found": found, "inferred": inferred[1:], "beside": beside, "alone": alone, "pace": pace}


def beside_run(model: str, origins: int, draws: int) -> dict[str, Any]:
    """A kernel while a long run goes on: how late the ticks of its main thread are, and how long quickdraws take.

    Seconds each. `compiling`: ticks while a model is compiled and begins; `running`: later; `drawn`: quickdraws of
    origins of the run that it has not come to, with their pictures; `at`: the like of `run.at`; `pace`: origins a
    second meanwhile, `alone` when nothing else is asked.
    """
    import polars as pl

    import nbforecast as nbf
    from tests.benchmarks.series import walk

    other = walk(20_000).with_columns(pl.col("y") * 2)  # nothing of it can be reused
    nbf.forecast(other, model, HORIZON, wait=True)  # every batch that a long run uses is compiled
    for horizon in (HORIZON + 1, HORIZON):
        frame = walk(origins)
        idle = _ticks(0.5)
        run = nbf.forecast(frame, model, horizon)
        compiling = _ticks(4 if horizon != HORIZON else 0.1)
        if horizon != HORIZON:
            run.cancel()
            run.wait_for_end()
            first = compiling
    while not (run.inferred or run.done):
        time.sleep(0.01)
    before, begun = run.inferred, time.perf_counter()
    running = _ticks(4)
    alone = (run.inferred - before) / (time.perf_counter() - begun)
    picks = random.Random(1).sample(range(origins * 7 // 10, origins - 1000), 2 * draws)  # the run comes there last
    taken: dict[str, list[float]] = {"drawn": [], "at": []}
    before, begun = run.inferred, time.perf_counter()
    for turn, index in enumerate(picks):
        start = time.perf_counter()
        if turn % 2:
            nbf.quickdraw(frame, -index, None, model, HORIZON)._repr_mimebundle_()
        else:
            run.at(-index)
        taken["at" if turn % 2 == 0 else "drawn"].append(time.perf_counter() - start)
        time.sleep(0.02)
    pace = (run.inferred - before) / (time.perf_counter() - begun)
    over = int(run.done)
    run.cancel()
    run.wait_for_end()
    return {"idle": idle, "compiling": first, "running": running, **taken, "alone": alone, "pace": pace, "over": over}


def beside_peer(name: str) -> dict[str, Any]:
    """How late the ticks of the main thread are while a thread computes with another library."""
    import threading

    from tests.benchmarks.series import walk

    frame, ready, stop = walk(3_000), threading.Event(), threading.Event()

    def work() -> None:
        if name == "statsforecast":
            from statsforecast import StatsForecast, models

            forecaster = StatsForecast([models.AutoTheta(season_length=24)], freq="5m", n_jobs=1)

            def turn(windows: int) -> object:
                return forecaster.cross_validation(df=frame, h=HORIZON, n_windows=windows, step_size=1, input_size=512)
        else:
            from darts import TimeSeries
            from darts.models import LinearRegressionModel

            series = TimeSeries.from_values(frame["y"].to_numpy())
            fitted = LinearRegressionModel(lags=168, output_chunk_length=HORIZON)
            fitted.fit(series[:1000])

            def turn(windows: int) -> object:
                return fitted.historical_forecasts(
                    series[-1000 - windows :], forecast_horizon=HORIZON, retrain=False, last_points_only=False
                )

        turn(2)
        ready.set()
        while not stop.is_set():
            turn(20)

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    found = _ticks(4)
    stop.set()
    thread.join()
    return {"running": found}


def million(model: str, origins: int) -> dict[str, float]:
    """Every origin of a long series: seconds, and MiB of the process before, at its highest and of results."""
    import nbforecast as nbf
    from tests.benchmarks.series import walk

    frame = walk(origins)
    nbf.forecast(walk(3_000), model, HORIZON, wait=True)
    before = _used(0.0)["peak"]
    start = time.perf_counter()
    run = nbf.forecast(frame, model, HORIZON, wait=True)
    used = _used(start)
    return {
        **used,
        "before": before,
        "results": nbf.cache.entries()["memory_bytes"].max() / 2**20,
        "done": run.progress,
    }


def _ticks(seconds: float, every: float = 0.005) -> list[float]:
    """How much later than asked a thread wakes that sleeps for `every` seconds, again and again."""
    late, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        time.sleep(every)
        late.append(time.perf_counter() - start - every)
    return late


def _used(start: float) -> dict[str, float]:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return {"seconds": time.perf_counter() - start, "peak": peak}


if __name__ == "__main__":
    jobs: dict[str, Callable[..., dict[str, Any]]] = {
        "load": load, "load_ext": load_ext, "first_chart": first_chart, "warm_charts": warm_charts,
        "beside_run": beside_run, "beside_peer": beside_peer, "million": million,
    }  # fmt: skip
    name, *words = sys.argv[1:]
    print(json.dumps(jobs[name](*(int(w) if w.isdigit() else w for w in words))))
