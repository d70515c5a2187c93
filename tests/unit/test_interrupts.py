"""E11: an interrupt belongs to the main thread; background work, saving and loading go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.engine import calculation
from nbforecast.interrupts import done_before_interrupts, uninterrupted
from nbforecast.result_cache import parquet
from tests.support.blocking_model import PATIENCE
from tests.support.cache_files import LastValueModel, random_walk, reopen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache
    from tests.support.engine_fixture import EngineFixture


def interrupted(function: Callable[..., Any], times: int = 3) -> Callable[..., Any]:
    """A function whose first calls in a background thread are interrupted, as Polars' queries are."""
    left = [None] * times

    def call(*arguments: Any, **keywords: Any) -> Any:
        if left and threading.current_thread() is not threading.main_thread():
            left.pop()
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    return call


@pytest.mark.parametrize("where", ["forecast", "calculate", "densities", "complete"])
def test_E11_an_interrupt_in_a_thread_of_the_engine_ends_nothing(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    owner: Any = {"forecast": fixture.model, "complete": fixture.cache}.get(where, calculation)
    monkeypatch.setattr(owner, where, interrupted(getattr(owner, where)))
    run = fixture.forecast().wait(PATIENCE)
    assert run.progress == 1
    assert run.entry_slice.entry.densities
    assert fixture.current_entry() is run.entry_slice.entry


def test_E11_an_interrupt_in_the_thread_of_single_origins_ends_nothing(
    fixture: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixture.model, "forecast", interrupted(fixture.model.forecast))
    monkeypatch.setattr(calculation, "calculate", interrupted(calculation.calculate))
    assert np.isfinite(fixture.run().at(-3).draws).all()


def test_E11_results_are_saved_whatever_interrupts_come(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "write", interrupted(parquet.write, 5))
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    (file,) = cache.directory.files()
    assert parquet.read(file.path).inferred == run.available


@pytest.mark.parametrize("act", ["save", "load"])
def test_E11_saving_and_loading_in_the_main_thread_end_before_an_interrupt_is_raised(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    model = LastValueModel()
    for seed in range(3):
        nbf.forecast(random_walk(seed), model, wait=True)
    nbf.cache.save(tmp_path / "a")
    name = "write" if act == "save" else "read"
    plain, is_first = getattr(parquet, name), [True]

    def interrupting(*arguments: Any) -> Any:
        if is_first:
            is_first.clear()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        return plain(*arguments)

    monkeypatch.setattr(parquet, name, interrupting)
    if act == "load":
        nbf.cache.flush()
    with pytest.raises(KeyboardInterrupt):
        getattr(nbf.cache, act)(tmp_path / ("b" if act == "save" else "a"))
    if act == "save":
        reopen(cache)
        nbf.cache.load(tmp_path / "b")
    assert len(cache.entries()) == 3


def test_E11_who_raises_the_error_by_itself_is_believed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbforecast.interrupts._MAX_ATTEMPTS", 3)

    def fail() -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        pool.submit(uninterrupted, fail).result()
    with pytest.raises(KeyboardInterrupt):
        uninterrupted(fail)
    assert done_before_interrupts(lambda: 3) == 3


POLARS_MODEL = """
import os, signal, sys, threading, time
import numpy as np, polars as pl
import nbforecast as nbf

def model(contexts, horizon):
    table = pl.DataFrame({"a": np.arange(30_000) % 97, "b": np.arange(30_000) % 13.0})
    sums = table.lazy().group_by("a").agg(pl.col("b").sort().cum_sum().last()).sort("a").collect()
    return np.repeat(contexts[:, -1:], horizon, 1) + 0 * sums["b"][0]

nbf.register("polars", model, context=4)
run = nbf.forecast(np.arange(600.0), "polars", 3)
interrupts = 0
while interrupts < 30:
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
    except KeyboardInterrupt:
        interrupts += 1
run.wait()
assert run.progress == 1
assert nbf.cache.info().disk_bytes > 0
print("done", interrupts)
"""


@pytest.mark.slow
def test_E11_a_model_that_uses_polars_outlives_real_interrupts(tmp_path: Path) -> None:
    environment = os.environ | {"NBFORECAST_CACHE_DIR": str(tmp_path), "NBFORECAST_CHUNK": "8"}
    process = subprocess.run(
        [sys.executable, "-c", POLARS_MODEL], env=environment, capture_output=True, text=True, timeout=120
    )
    assert process.stdout.startswith("done"), process.stderr[-2000:]
