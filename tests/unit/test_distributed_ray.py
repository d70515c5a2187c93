"""Panels in shards on a real cluster of Ray: workers and drivers that die, interrupts, data that change."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import ray

import nbforecast as nbf
from nbforecast.distributed import ray as engine
from nbforecast.distributed.worker import Job
from nbforecast.options import ForecastOptions
from tests.support.cache_files import LastValueModel, wait_until
from tests.support.panels import ROWS, SHARD, Odd, assert_as_forecast, panel, states

PATIENCE = 240  # seconds


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    """One for all tests; every run finds it and has actors of its own. Its address."""
    engine.connect()
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def forecast(source: Any, to: Path, model: Any, **options: Any) -> nbf.DatasetRun:
    run = nbf.forecast_dataset(
        source, to, model=model, horizon=3, engine="ray", series_per_shard=SHARD, **{"workers": 2, **options}
    )
    return run.wait(PATIENCE)


def test_E4_a_run_that_waits_for_workers_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TIMEOUT_SECONDS", 0.5)
    job, never = Job(tmp_path, tmp_path, 1, ForecastOptions(model="naive", horizon=3)), threading.Event()

    def rows() -> Iterator[dict[str, Any]]:
        yield {"partition": 0}
        never.wait()

    reports = engine._until_cancelled(rows(), job)
    assert next(reports) == {"partition": 0}
    job.cancel()
    assert list(reports) == [None]
    never.set()
    with pytest.raises(ZeroDivisionError):
        list(engine._until_cancelled((1 // 0 for _ in "a"), job))


class Deadly(LastValueModel):
    """Takes its process with it, once, when it has come to a second bucket."""

    def __init__(self, grave: Path) -> None:
        super().__init__()
        self.grave = grave
        self.first: Any = None

    def forecast(self, data: Any, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.first = self.first or data
        if data is not self.first and not self.grave.exists():
            self.grave.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forecast(data, rows, horizon, seed)


def test_C13_E8_a_killed_worker_loses_no_shard_and_doubles_none(source: Path, tmp_path: Path) -> None:
    run = forecast(source, tmp_path / "to", Deadly(tmp_path / "grave"), workers=1)
    assert int((tmp_path / "grave").read_text()) != os.getpid()
    assert run.failures.is_empty()
    assert len(run.paths) == len(states(run)) == run.shards > 1
    assert run.series_done == 12
    assert run.inferred == run.origins
    assert_as_forecast(run, pl.read_parquet(source), LastValueModel())
    assert not list(run.folder.glob(".staging*"))


def test_C5_E8_poisoned_and_appended_sources_on_two_workers(source: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(source)
    bad = pl.when((pl.col("unique_id") == "s05") & (pl.col("ds").dt.hour() == 3)).then(666.0).otherwise("y")
    frame.with_columns(y=pl.when(unique_id="s02").then(None).otherwise(bad)).write_parquet(source)
    run = forecast(source, tmp_path / "to", Odd())
    assert dict(run.failures.select("unique_id", "kind").iter_rows()) == {"s02": "data", "s05": "model"}
    assert_as_forecast(run, frame.filter(~pl.col("unique_id").is_in(["s02", "s05"])), LastValueModel())
    assert run.peak_memory > 50 << 20
    last = frame.filter(unique_id="s03").sort("ds").tail(1)
    more = pl.concat([frame, last.with_columns(pl.col("ds").dt.offset_by("1h"), y=pl.lit(51.0))])
    more.write_parquet(source)
    again = forecast(source, tmp_path / "to", Odd(), workers=1)
    assert again.failures.is_empty()
    assert again.reused == run.inferred
    assert again.inferred <= 1 + 2 * ROWS
    assert_as_forecast(again, more, LastValueModel())


@pytest.mark.long
def test_E4_E9_an_interrupted_command_is_gone_on_with(source: Path, tmp_path: Path, cluster: str) -> None:
    """As a run is cancelled in `test_E4_a_run_that_waits_for_workers_can_be_cancelled`, and a command in `test_cli`."""
    pl.concat([panel(8, 2000), panel(8, 2000, 1).with_columns(unique_id="other " + pl.col("unique_id"))]).write_parquet(
        source
    )
    code = "import sys; from nbforecast.cli import main; sys.exit(main())"
    words = ["forecast", source, "-o", tmp_path / "to", "-m", "naive", "--engine", "ray", "--workers", "1",
             "--address", cluster, "--series-per-shard", "2"]  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "to" / "model=naive" / "horizon=12"
    try:
        wait_until(lambda: bool(list(folder.glob("shard=*"))) or process.poll() is not None, PATIENCE)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130, message
    assert "the same command continues them" in message
    assert "Traceback" not in message
    assert not list(folder.glob(".staging*"))
    finished = {p.name for p in folder.glob("shard=*")}
    assert finished
    again = nbf.forecast_dataset(source, tmp_path / "to", model="naive", engine="ray", wait=True)
    assert again.inferred > 0
    assert again.reused > 0
    assert finished <= {p.name for p in again.paths}


def test_a_cluster_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(nbf.NbForecastError, match="There is no Ray cluster at"):
        engine.connect(address)


def test_a_worker_that_cannot_go_on_says_why(source: Path, tmp_path: Path) -> None:
    place = tmp_path / "to"

    def last(contexts: np.ndarray, horizon: int) -> np.ndarray:
        shutil.rmtree(place, ignore_errors=True)
        return np.repeat(contexts[:, -1:], horizon, 1)

    with pytest.raises(nbf.NbForecastError, match="FileNotFoundError"):
        forecast(source, place, last, workers=1)


def test_a_model_that_cannot_be_sent_is_told(source: Path, tmp_path: Path) -> None:
    import threading

    lock = threading.Lock()

    def held(contexts: np.ndarray, horizon: int) -> np.ndarray:
        with lock:
            return np.repeat(contexts[:, -1:], horizon, 1)

    with pytest.raises(nbf.NbForecastError, match="cannot be sent to Ray's workers"):
        forecast(source, tmp_path / "to", held)
