"""What one explorer's front ends have been told, what they have asked for, and so what to tell them next."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from nbforecast.errors import NbForecastError
from nbforecast.jupyter.sender import hub
from nbforecast.jupyter.widgets.explorer import messages as messages
from nbforecast.jupyter.widgets.explorer.requests import Cancel, Hello, Infer, Open, Want

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nbforecast.jupyter.widgets.explorer.messages import Message
    from nbforecast.jupyter.widgets.explorer.requests import Request
    from nbforecast.run import Run

    Pair = tuple[int, int]  # series, model

_log = logging.getLogger("nbforecast.jupyter")
LIVE = 0.05  # seconds between two reports on a run that goes on
SCORES = 2.0  # and between two summaries of its scores
SHARE = 0.05  # of the time, at most, is spent on these
WAITING = 8  # requests for rows that may wait; older ones are of no use any more
AT_FIRST = 1024  # rows that a new view is sent unasked


class Feed:
    """Turns requests and the progress of runs into messages; `ask` in any thread, the rest in the hub's alone.

    shown: says which series, model and row are in view. wake: called when an inference asked for has ended.
    """

    def __init__(
        self, runs: Sequence[Run], shown: Callable[[], tuple[int, int, int]], wake: Callable[[], None]
    ) -> None:
        self._runs = tuple(runs)
        self._shown = shown
        self._wake = wake
        self._lock = threading.Lock()
        self._requests: deque[Hello | Open | Cancel | Infer] = deque()
        self._wanted: deque[Want] = deque(maxlen=WAITING)
        self._asked: Infer | None = None
        self._ended: deque[Infer | str] = deque()
        self._histories: set[int] = set()
        self._stands: dict[Pair, UInt8[np.ndarray, " N"]] = {}
        self._states: dict[Pair, tuple[str, int]] = {}
        self._scored: dict[Pair, tuple[float, tuple[str, int]]] = {}
        self._answered: dict[Pair, Want] = {}
        self._progress: dict[int, dict[str, Any]] = {}
        self._reported = 0.0
        self._open = False
        self._going = [False] * len(self._runs)

    def ask(self, request: Request) -> None:
        """Leave word of a request."""
        with self._lock:
            if isinstance(request, Want):
                self._wanted.append(request)
            else:
                self._requests.append(request)

    def messages(self) -> Iterator[Message]:
        """Everything to be told now: answers first, the newest request for rows before older ones."""
        with self._lock:
            asked, self._requests = self._requests, deque()
            wanted = list(reversed(self._wanted))
            self._wanted.clear()
        for request in asked:
            yield from self._answer(request)
        for want in wanted:
            yield from self._rows(want)
        while self._ended:
            ended = self._ended.popleft()
            if isinstance(ended, str):
                yield messages.fault(ended)
            else:
                yield from self._changes((ended.series, ended.model))
                yield from self._rows(Want(ended.series, ended.model, ended.row, 1, None))
        now = time.monotonic()
        if self._open and now - self._reported >= LIVE:
            self._reported = now
            yield from self._report(now)

    @property
    def expecting(self) -> bool:
        """Whether there will be more to tell soon."""
        return self._open and (any(self._going) or self._behind())

    def _answer(self, request: Hello | Open | Cancel | Infer) -> Iterator[Message]:
        match request:
            case Hello():
                series, model, row = self._shown()
                self._open = True
                self._histories.clear()
                yield messages.meta(self._runs)
                yield from self._opened(series, model)
                length = len(self._stands[series, model])
                first = min(max(row - AT_FIRST // 2, 0), max(length - AT_FIRST, 0))
                yield from self._rows(Want(series, model, first, min(AT_FIRST, length), None))
                self._progress.clear()
                yield from self._progressed()
            case Open(series, model):
                yield from self._opened(series, model)
            case Cancel(model):
                self._runs[model].cancel()
            case Infer():
                self._infer(request)

    def _opened(self, series: int, model: int) -> Iterator[Message]:
        run = self._runs[model]
        if series not in self._histories:
            self._histories.add(series)
            yield messages.history(run.data, series)
        self._states[series, model] = run.revision
        stands = self._stands[series, model] = messages.standing(run, series)
        yield messages.status(run, series, model, 0, stands)
        yield self._scores((series, model), time.monotonic())

    def _rows(self, want: Want) -> Iterator[Message]:
        run = self._runs[want.model]
        if want.count > 1:
            self._answered[want.series, want.model] = want
        yield from messages.rows(run, want.series, want.model, want.first, want.count, want.request)

    def _report(self, now: float) -> Iterator[Message]:
        """What has changed in all that was opened, since it was last told."""
        going = [not run.done for run in self._runs]
        ended = [was and not goes for was, goes in zip(self._going, going, strict=True)]
        self._going = going
        for pair in list(self._stands):
            yield from self._changes(pair)
            due, state = self._scored[pair]
            # scores of a run that has just ended are told at once
            if state != self._states[pair] and (now >= due or not going[pair[1]]):
                yield self._scores(pair, now)
            if ended[pair[1]] and self._runs[pair[1]].calibrate and pair in self._answered:
                yield from self._rows(self._answered[pair])  # more past errors are known than when they were sent
        yield from self._progressed()

    def _changes(self, pair: Pair) -> Iterator[Message]:
        series, model = pair
        run, before = self._runs[model], self._stands.get(pair)
        state = run.revision
        if before is None or self._states[pair] == state:
            return
        self._states[pair] = state
        stands = self._stands[pair] = messages.standing(run, series)
        for first, count in messages.ranges(stands != before):
            yield messages.status(run, series, model, first, stands[first : first + count])

    def _progressed(self) -> Iterator[Message]:
        for model, run in enumerate(self._runs):
            message = messages.progress(run, model)
            if self._progress.get(model) != message.content:
                self._progress[model] = message.content
                yield message

    def _scores(self, pair: Pair, now: float) -> Message:
        began, state = time.monotonic(), self._states[pair]
        message = messages.scores(self._runs[pair[1]], *pair)
        self._scored[pair] = now + max(SCORES, (time.monotonic() - began) / SHARE), state
        return message

    def _behind(self) -> bool:
        return any(self._scored[pair][1] != state for pair, state in self._states.items())

    def _infer(self, request: Infer) -> None:
        """Have a row inferred beside everything else; of several asked for meanwhile only the last."""
        with self._lock:
            busy, self._asked = self._asked is not None, request
        if not busy:
            hub.lane.submit(self._inferred)

    def _inferred(self) -> None:
        with self._lock:
            request, self._asked = self._asked, None
        if request is None:
            return
        run = self._runs[request.model]
        index = request.row + 1 - int(run.data.lengths[request.series])
        try:
            run.at(index, run.data.ids[request.series])
        except NbForecastError as error:
            self._ended.append(str(error))
        except Exception as error:
            _log.warning("The forecast at index %d could not be inferred.", index, exc_info=True)
            self._ended.append(f"{type(error).__name__}: {error}")
        else:
            self._ended.append(request)
        self._wake()
