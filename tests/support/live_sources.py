"""Readings that come one after the other, and files that receive them."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import polars as pl

import nbforecast as nbf
from tests.support.cache_files import LastValueModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

START = dt.datetime(2024, 3, 1)
STEP = dt.timedelta(minutes=5)


def value(i: int) -> float:
    """The reading number i: a wave between 60 and 180 that has ten turns in a day or so."""
    return round(120 + 60 * math.sin(i / 5), 1)


def time_of(i: int) -> dt.datetime:
    return START + i * STEP


def line(i: int) -> str:
    return f"{time_of(i).isoformat()},{value(i)}\n"


def readings(rows: Iterable[int]) -> pl.DataFrame:
    numbers = list(rows)
    return pl.DataFrame({"time": [time_of(i) for i in numbers], "glucose": [value(i) for i in numbers]})


class GrowingFile:
    """A CSV file of readings."""

    def __init__(self, path: Path, rows: int) -> None:
        self.path = path
        self.rows = 0
        path.write_text("time,glucose\n")
        self.append(rows)

    def append(self, count: int = 1) -> None:
        self.write("".join(line(i) for i in range(self.rows, self.rows + count)))
        self.rows += count

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)


def watch(source: Any, model: Any = None, horizon: int = 4, **options: Any) -> nbf.Live:
    """Watches a source, and polls it every tenth of a second."""
    return nbf.watch(source, model or LastValueModel(), horizon, **{"poll": 0.1, **options})


def each(live: nbf.Live, file: GrowingFile, count: int) -> Iterator[nbf.Run]:
    """Appends readings one by one, and yields the run after each."""
    for _ in range(count):
        file.append()
        live.wait(rows=1, timeout=20)
        yield live.run
