"""A bar in a terminal, for those who wait for a run there."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple, Protocol

REFRESH = 0.1
PATIENCE = 0.5  # seconds; what is quicker than this needs no bar


class Level(NamedTuple):
    """How far something is: `done` of `total` (None: not known yet); `initial` of it was there at the beginning."""

    title: str
    done: int
    total: int | None
    initial: int
    unit: str


class Watched(Protocol):
    """What somebody waits for."""

    @property
    def level(self) -> Level: ...

    def settle(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the end, and say whether it has come."""
        ...


def watch(run: Watched, timeout: float | None = None) -> bool:
    """Wait for a run's end, whatever it is, and say whether it has come; on a terminal a bar shows how far it is."""
    if sys.stderr is None or not sys.stderr.isatty():
        return run.settle(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    if run.settle(PATIENCE if timeout is None else min(timeout, PATIENCE)):
        return True
    from tqdm import tqdm

    now = run.level
    with tqdm(total=now.total, initial=now.initial, unit=now.unit, desc=now.title, dynamic_ncols=True) as bar:
        while True:
            ended = run.settle(REFRESH)
            now = run.level
            bar.n, bar.total = now.done, now.total
            bar.set_description_str(now.title, refresh=False)
            bar.refresh()
            if ended or (end is not None and time.monotonic() >= end):
                return ended
