"""What the pages of live data hold, and the rows that they lack: increments, never the whole history again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.feed import ExplorerFeed
from nbforecast.jupyter.widgets.explorer.live_messages import ExtendMessage, LiveMessage
from nbforecast.jupyter.widgets.explorer.messages import VERSION, Connect
from nbforecast.jupyter.widgets.explorer.surprises import SurpriseSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from nbforecast.data import Dataset
    from nbforecast.jupyter.widgets.explorer.feed import Pair
    from nbforecast.jupyter.widgets.explorer.messages import Messages, Requests, ScoresMessage
    from nbforecast.live.live import Live
    from nbforecast.live.status import LiveStatus
    from nbforecast.run import Run

_MOST_ROWS = 64  # new forecasts that are sent unasked
_SEARCH_INTERVAL = 2.0  # seconds between two searches for surprises, at least
_SEARCHED_ROWS = 20_000  # a second, on average
_NEW = 255  # the status of a row that no page has


class LiveFeed(ExplorerFeed):
    """Turns the growth of live data into messages, beside those of any explorer.

    Args:
        live: The live data.
        run: Their run when the explorer was opened.
        view: As for `ExplorerFeed`.
        wake: As for `ExplorerFeed`.
    """

    def __init__(
        self, live: Live, run: Run, view: Callable[[], tuple[int, int, int]], wake: Callable[[], None]
    ) -> None:
        super().__init__([run], view, wake)
        self._live = live
        self._opened: set[int] = set()  # series that any page has
        self._told: LiveStatus | None = None
        self._summary: Future[tuple[Pair, tuple[str, int], float, ScoresMessage]] | None = None
        self._search_due = 0.0

    def advance(self, run: Run) -> list[Messages]:
        """Take a newer run of the live data.

        Args:
            run: The run.

        Returns:
            What pages lack of it, the newest forecast before all else.
        """
        before, self._runs = self._runs[0], (run,)
        if run is before:
            return []
        self._surprises = SurpriseSearch(self._runs, self._wake)
        if not self._is_open:
            return []
        if not extends(before.data, run.data):
            self._statuses, self._versions, self._scores, self._last_rows = {}, {}, {}, {}
            return list(self._answer(Connect(v=VERSION)))
        return list(self._grow(before, run))

    def messages(self) -> Iterator[Messages]:
        """Yields every message that is due; see `ExplorerFeed.messages`."""
        yield from super().messages()
        status = self._live.status
        if self._is_open and (self._told is None or _is_news(self._told, status)):
            self._told = status
            since = None if status.since is None else 1000 * status.since
            yield LiveMessage(state=status.state, since=since, text=status.text)

    def _answer(self, request: Requests) -> Iterator[Messages]:
        if isinstance(request, Connect):
            self._told = None
        yield from super()._answer(request)

    def _open(self, series: int, model: int, row: int | None = None) -> Iterator[Messages]:
        self._opened.add(series)
        yield from super()._open(series, model, row)

    def _grow(self, before: Run, run: Run) -> Iterator[Messages]:
        for series in range(len(run.data.ids)):
            start, first, rows = _first_change(before.data, run.data, series)
            if series not in self._opened:
                if first < rows:
                    yield _count_message(series, rows)
                continue
            if first < rows:
                yield encode_extension(run, series, first)
                count = min(rows - first, _MOST_ROWS)
                yield from encoding.encode_rows(run, series, 0, rows - count, count, None)
            if (series, 0) in self._statuses:
                yield from self._grown_statuses(run, series, start, first)

    def _grown_statuses(self, run: Run, series: int, start: int, first: int) -> Iterator[Messages]:
        """The statuses of rows that are new or that later values score; of a series from row `start` on."""
        status, before = encoding.series_status(run, series), self._statuses[series, 0]
        padded: UInt8[np.ndarray, " N"] = np.full(len(status), _NEW, np.uint8)
        padded[: len(before)] = before
        padded[max(first - run.horizon - 1, 0) :] = _NEW
        self._statuses[series, 0] = status
        self._versions[series, 0] = run.revision
        yield from encoding.encode_status_changes(run, series, 0, status, status != padded)

    def _score_changes(self, pair: Pair, now: float, is_running: bool) -> Iterator[Messages]:
        """Yields mean scores at most now and then: each new row changes them."""
        if not is_running or pair in self._summaries:
            yield from super()._score_changes(pair, now, is_running=True)

    def _surprise_changes(self) -> Iterator[Messages]:
        now = time.monotonic()
        if now >= self._search_due:
            self._search_due = now + max(_SEARCH_INTERVAL, len(self._runs[0].data) / _SEARCHED_ROWS)
            yield from super()._surprise_changes()


def extends(before: Dataset, data: Dataset) -> bool:
    """Whether data are those before with more rows at the ends of their series, or with other values."""
    if before.ids != data.ids or before.frequency.key != data.frequency.key:
        return False
    is_longer = bool((data.lengths >= before.lengths).all())
    return is_longer and np.array_equal(before.time[before.offsets[:-1]], data.time[data.offsets[:-1]])


def encode_extension(run: Run, series: int, first: int) -> ExtendMessage:
    """Encodes the rows of a series from one on.

    Args:
        run: The run.
        series: The position of the series.
        first: The first row.
    """
    history = encoding.encode_history(run.data, series, run.horizon, first)
    rows = int(run.data.lengths[series])
    return ExtendMessage(
        series=series, rows=rows, first=first, time=history.time, value=history.value, covariates=history.covariates
    )


def _count_message(series: int, rows: int) -> ExtendMessage:
    none = np.zeros(0)
    return ExtendMessage(series=series, rows=rows, first=rows, time=none, value=none, covariates=none)


def _first_change(before: Dataset, data: Dataset, series: int) -> tuple[int, int, int]:
    """The first row of a series that is new or different, and how many rows it had and has."""
    old = before.values[before.offsets[series] : before.offsets[series + 1]]
    new = data.values[data.offsets[series] : data.offsets[series + 1]]
    part = new[: len(old)]
    is_other = (old != part) & ~(np.isnan(old) & np.isnan(part))
    first = int(np.argmax(is_other)) if is_other.any() else len(old)
    return len(old), first, len(new)


def _is_news(told: LiveStatus, status: LiveStatus) -> bool:
    """Whether a status differs from what a page has by more than the time that has passed."""
    return (told.state, told.since) != (status.state, status.since)
