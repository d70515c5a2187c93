"""Runs to explore, and what an explorer tells its page."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.widgets.explorer.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.jupyter.widgets.explorer.messages import Message
    from nbforecast.run import Run

HOSTILE = "<img src=x onerror=window.hacked=1></script><!--<script>"
CODES = {name: code for code, name in enumerate(["pending", "inferred", "unscored", "scored", "unavailable"])}


def drift(contexts: np.ndarray, horizon: int) -> np.ndarray:
    steps, spread = np.arange(1, horizon + 1)[None, :, None], np.linspace(-1, 1, 10)
    return np.nanmean(contexts, 1)[:, None, None] + steps * 0.1 + spread * np.sqrt(steps)


DRIFT = FunctionForecaster(drift, "drift", context=8, least=4, draws=10)


def series(rows: int = 300, seed: int = 0, name: str = "a") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    wave = 50 + 10 * np.sin(np.arange(rows) * 2 * np.pi / 24) + rng.normal(0, 1, rows)
    start = pl.datetime(2024, 3, 1)
    times = pl.select(pl.datetime_range(start, start + pl.duration(hours=rows - 1), "1h", eager=False)).to_series()
    return pl.DataFrame({"unique_id": [name] * rows, "ds": times, "y": wave})


def panel() -> pl.DataFrame:
    gap = series(260, 1, "b").with_row_index().filter(~pl.col("index").is_between(100, 180)).drop("index")
    return pl.concat([series(), gap, series(90, 2, HOSTILE)])


def feed(*runs: Run, row: int = 89, shown: int = 0) -> Feed:
    return Feed(runs, lambda: (shown, 0, row), lambda: None)


def told(feed: Feed, *requests: Any) -> list[Message]:
    for request in requests:
        feed.ask(request)
    return list(feed.messages())


def arrays(message: Message) -> list[np.ndarray]:
    kinds = {"history": ("<f8", "<f8"), "status": ("u1", "u1", "<f4"), "rows": ("<f4", "<f4")}
    found = zip(message.buffers, kinds.get(message.content["kind"], ()), strict=True)
    return [np.frombuffer(b, k) for b, k in found]


def kinds(found: list[Message]) -> list[str]:
    return [m.content["kind"] for m in found]


def part(run: Run, position: int) -> pl.DataFrame:
    return run.series(run.data.ids[position]).frame


def wait_for(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def hub_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nbforecast-page")]
