"""A progress bar in a terminal, for those who wait for a run there."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple, Protocol

from nbforecast.safe_text import escape_controls

REFRESH = 0.1
PATIENCE = 0.5  # seconds; shorter waits show no bar


class ProgressState(NamedTuple):
    """What a progress bar shows.

    Attributes:
        title: What is in progress.
        done: How many units are done.
        total: How many units there are; None while that is unknown.
        initial: How many units were done at the beginning.
        unit: What a unit is called.
    """

    title: str
    done: int
    total: int | None
    initial: int
    unit: str


class Waitable(Protocol):
    """Work whose end can be waited for."""

    @property
    def progress_state(self) -> ProgressState:
        """What the bar shows now."""
        ...

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the end; returns whether it has come."""
        ...


def wait_with_bar(run: Waitable, timeout: float | None = None) -> bool:
    """Wait for the end of a run; on a terminal a bar shows the progress.

    Args:
        run: The work.
        timeout: Seconds to wait at most; None waits until the end.

    Returns:
        Whether the run has ended, whether it finished, failed or was cancelled.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return run.wait_for_end(timeout)
    deadline = None if timeout is None else time.monotonic() + timeout
    if run.wait_for_end(PATIENCE if timeout is None else min(timeout, PATIENCE)):
        return True
    from tqdm import tqdm

    state = run.progress_state
    title = escape_controls(state.title)
    with tqdm(total=state.total, initial=state.initial, unit=state.unit, desc=title, dynamic_ncols=True) as bar:
        while True:
            ended = run.wait_for_end(REFRESH)
            state = run.progress_state
            bar.n, bar.total = state.done, state.total
            bar.set_description_str(escape_controls(state.title), refresh=False)
            bar.refresh()
            if ended or (deadline is not None and time.monotonic() >= deadline):
                return ended
