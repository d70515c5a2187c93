"""A bar in a terminal, for those who wait for a run there."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbforecast.engine.run import Run

REFRESH = 0.1
PATIENCE = 0.5  # seconds; what is quicker than this needs no bar


def watch(run: Run, timeout: float | None = None) -> bool:
    """Wait for a run's end, whatever it is, and say whether it has come; on a terminal a bar shows how far it is."""
    if sys.stderr is None or not sys.stderr.isatty():
        return run.settle(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    if run.settle(PATIENCE if timeout is None else min(timeout, PATIENCE)):
        return True
    from tqdm import tqdm

    with tqdm(total=run.available, initial=run.reused, unit=" origins", desc=run.model, dynamic_ncols=True) as bar:
        while True:
            ended = run.settle(REFRESH)
            bar.n = run.calculated
            bar.refresh()
            if ended or (end is not None and time.monotonic() >= end):
                return ended
