"""C7, C8, C11, E4, E8, E9: mixed requests from 8 threads, after which everything is as if asked for alone."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.errors import OptionError, RunCancelled
from nbforecast.forecasters.registry import resolve

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache
    from nbforecast.run import Run

pytestmark = pytest.mark.slow

THREADS, MODEL, HORIZON = 8, "naive", 6


def _frames() -> dict[str, pl.DataFrame]:
    """Five data sets: a history, its newest part, the same with a row more, with an edited point, and another one."""
    whole = nbf.sample("taxi").tail(360).head(359)
    edited = whole.with_columns(pl.when(pl.int_range(pl.len()) == 250).then(1.0).otherwise("y").alias("y"))
    return {
        "whole": whole,
        "newest": whole.tail(200),
        "longer": nbf.sample("taxi").tail(360),
        "edited": edited,
        "other": nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(240),
    }


class Soak:
    """Requests at random; every answer is compared with one that was computed without cache and background."""

    def __init__(self) -> None:
        self.frames = _frames()
        self.cold: dict[str, list[np.ndarray]] = {}
        for name, frame in self.frames.items():
            data = prepare(frame)
            array = np.full((len(data), HORIZON, 10), np.nan, np.float32)
            rows = np.flatnonzero(resolve(MODEL).availability(data) == 0)
            array[rows] = run_inference(resolve(MODEL), data, rows, HORIZON)
            self.cold[name] = [array]
        # a part is served from the whole, which knows more of the same history (C5)
        self.cold["newest"].append(self.cold["whole"][0][-len(self.frames["newest"]) :])
        self.done: Counter[str] = Counter()
        self.compared = 0

    def request(self, seed: int) -> None:
        pick = random.Random(seed)
        name = pick.choice(list(self.frames))
        kinds = {
            self.draw: 30, self.forecast: 20, self.wait: 20, self.cancel: 12, self.look: 10,
            self.flush: 2, self.drop: 4, self.save: 2,
        }  # fmt: skip
        kind = pick.choices(list(kinds), list(kinds.values()))[0]
        kind(name, pick)
        self.done[kind.__name__] += 1

    def begin(self, name: str, pick: random.Random) -> Run:
        return nbf.forecast(self.frames[name], MODEL, HORIZON, force=pick.random() < 0.1)

    def index(self, name: str, pick: random.Random) -> int:
        known = np.flatnonzero(np.isfinite(self.cold[name][0][:, 0, 0]))
        return int(pick.choice(known.tolist())) - len(self.cold[name][0]) + 1

    def draw(self, name: str, pick: random.Random) -> None:
        index = self.index(name, pick)
        force = pick.random() < 0.1
        chart = nbf.quickdraw(self.frames[name], index, model=MODEL, horizon=HORIZON, force=force)
        self.compare(name, chart.forecast.draws[None], np.array([index - 1]))

    def forecast(self, name: str, pick: random.Random) -> None:
        run = self.begin(name, pick)
        index = self.index(name, pick)
        self.compare(name, run.at(index).draws[None], np.array([index - 1]))
        self.check(run, name)

    def wait(self, name: str, pick: random.Random) -> None:
        run = self.begin(name, pick)
        try:
            self.check(run.wait(60), name)
        except RunCancelled:
            self.done["cancelled by others"] += 1

    def cancel(self, name: str, pick: random.Random) -> None:
        run = self.begin(name, pick)
        run.cancel()
        assert run.wait_for_end(60)
        self.check(run, name)

    def look(self, name: str, pick: random.Random) -> None:
        assert nbf.cache.info() is not None
        for entry in nbf.cache.entries().iter_rows(named=True):
            assert 0 <= entry["calculated"] <= entry["inferred"] <= entry["available"]

    def flush(self, name: str, pick: random.Random) -> None:
        nbf.cache.flush(memory=True, disk=pick.random() < 0.5)

    def drop(self, name: str, pick: random.Random) -> None:
        first = -pick.randrange(1, 150)
        only = pick.choice([None, "scores"])
        with suppress(OptionError):  # there may be no entry
            nbf.cache.drop(prepare(self.frames[name]).handle, index=(first, 0), only=only)

    def save(self, name: str, pick: random.Random) -> None:
        nbf.cache.save()

    def check(self, run: Run, name: str) -> None:
        """What a run has is what it has computed alone; what it has not is NaN, and said to be waiting."""
        frame = run.frame
        array = frame["forecast"].to_numpy()
        there = frame["status"].is_in(["inferred", "unscored", "scored"]).to_numpy()
        assert (np.isfinite(array[:, 0, 0]) == there).all()
        self.compare(name, array[there], np.flatnonzero(there))
        quantiles = frame["status"].is_in(["unscored", "scored"]).to_numpy()
        assert (np.isfinite(frame["median"].to_numpy()[:, 0]) == quantiles).all()

    def compare(self, name: str, found: np.ndarray, rows: np.ndarray) -> None:
        """To rounding, which is relative to the values of an origin's context."""
        agree = np.zeros(len(rows), bool)
        for cold in self.cold[name]:
            scale = np.abs(cold[rows]).max((1, 2), keepdims=True)
            agree |= (np.abs(found - cold[rows]) <= 1e-5 * scale).all((1, 2))
        assert agree.all(), (name, rows[~agree], found[~agree] - self.cold[name][0][rows][~agree])
        self.compared += len(rows)


@pytest.mark.usefixtures("idle_sender")
@pytest.mark.parametrize("requests", [100, pytest.param(2_000, marks=pytest.mark.long)])
def test_C7_C8_E4_E8_E9_soak(requests: int, cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    engine = session.engine()
    soak = Soak()
    seeds = range(requests)
    with ThreadPoolExecutor(THREADS, "person") as people:
        for future in [people.submit(soak.request, seed) for seed in seeds]:
            future.result(300)
    assert sum(soak.done.values()) - soak.done["cancelled by others"] == requests
    assert soak.compared > 20 * requests
    assert len(soak.done) >= 8

    assert not [record for record in caplog.records if record.name != "nbforecast.data"]  # repairs of the frames

    for name, frame in soak.frames.items():
        run = nbf.forecast(frame, MODEL, HORIZON, wait=True)
        assert run.progress == 1
        soak.check(run, name)
    until = time.monotonic() + 60
    while engine._tasks:
        assert time.monotonic() < until, "work is left"
        time.sleep(0.01)

    engine.shutdown()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("nbforecast-")]
    locks = [engine._lock, cache._lock, cache._build_lock, *(e._lock for e in cache.entries())]
    assert all(_free(lock) for lock in locks)
    assert not cache._pins
    assert not engine._interactive._requests


def _free(lock: threading.Lock) -> bool:
    """Whether nobody holds a lock, as another thread sees it."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(_take, lock).result()


def _take(lock: threading.Lock) -> bool:
    taken = lock.acquire(blocking=False)
    if taken:
        lock.release()
    return taken
