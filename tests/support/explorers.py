"""Runs to explore, and the messages that an explorer sends to its page."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.validation import buffers_of
from nbforecast.jupyter.widgets.explorer.feed import ExplorerFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.jupyter.validation import Message
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


def make_feed(*runs: Run, row: int = 89, series: int = 0) -> ExplorerFeed:
    return ExplorerFeed(runs, lambda: (series, 0, row), lambda: None)


def answers(feed: ExplorerFeed, *requests: Any) -> list[Message]:
    """The messages that a feed sends next."""
    for request in requests:
        feed.add_request(request)
    return list(feed.messages())


def arrays(message: Message) -> list[np.ndarray]:
    """The arrays of a message, as they arrive at its page."""
    dtypes = buffers_of(type(message)).values()
    return [np.frombuffer(buffer, dtype) for buffer, dtype in zip(message.buffers, dtypes, strict=True)]


def kinds(messages: Sequence[Message]) -> list[str]:
    return [message.content["kind"] for message in messages]


def part(run: Run, position: int) -> pl.DataFrame:
    return run.series(run.data.ids[position]).frame


def wait_for(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def sender_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nbforecast-page")]
