"""What one explorer's pages hold, what they have requested, and so which messages come next."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nbforecast.errors import NbForecastError
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.widgets.explorer import encoding, overview
from nbforecast.jupyter.widgets.explorer.messages import (
    CancelRun,
    Connect,
    FaultMessage,
    InferOrigin,
    JointRequest,
    OpenSeries,
    ProgressMessage,
    RowsRequest,
)
from nbforecast.jupyter.widgets.explorer.overview_messages import LONG_SERIES, WindowRequest
from nbforecast.jupyter.widgets.explorer.panel import encode_panel
from nbforecast.jupyter.widgets.explorer.panel_messages import PanelRequest
from nbforecast.jupyter.widgets.explorer.score_summary import encode_scores
from nbforecast.jupyter.widgets.explorer.surprises import SurpriseSearch, encode_surprises
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from jaxtyping import Int64

    from nbforecast.jupyter.widgets.explorer.messages import Messages, Requests, ScoresMessage
    from nbforecast.jupyter.widgets.explorer.panel_messages import PanelMessage
    from nbforecast.run import Run

    Pair = tuple[int, int]  # series, model
    Summary = tuple[tuple[str, int], float, ScoresMessage]  # the run's revision, seconds that it took, the message

_log = logging.getLogger("nbforecast.jupyter")
REPORT_INTERVAL = 0.05  # seconds between two reports on a run that goes on
REPORT_SHARE = 0.1  # of the time is spent on reports: one on a million origins takes 50 ms
SCORES_INTERVAL = 2.0  # seconds between two summaries of its scores
MAX_SHARE = 0.05  # of the time is spent on these
MAX_ROWS_REQUESTS = 4  # that may wait; older ones are of no use any more
MAX_JOINT_REQUESTS = 2  # as above; each takes longer
MAX_WINDOW_REQUESTS = 4  # as above
MAX_FAULTS = 8  # that may wait
FIRST_ROWS, FIRST_BYTES = 1024, 512 << 10  # that a new view receives without a request, at most
SUMMARISED_AT_ONCE = 1 << 14  # rows; the scores of longer series are summarised beside the messages


class ExplorerFeed:
    """Turns requests and the progress of runs into messages.

    `add_request` runs in any thread, the rest in the sender's alone.

    Args:
        runs: The runs that are explored, all of the same data.
        view: Returns the positions of the series and the model, and the row, that are in view.
        wake: Is called when an inference that a page requested, or a search for surprises, has ended.
    """

    def __init__(self, runs: Sequence[Run], view: Callable[[], tuple[int, int, int]], wake: Callable[[], None]) -> None:
        self._runs = tuple(runs)
        self._view = view
        self._wake = wake
        self._lock = threading.Lock()
        self._requests: deque[Connect | OpenSeries | PanelRequest | CancelRun | InferOrigin] = deque()
        self._rows_requests: deque[RowsRequest] = deque(maxlen=MAX_ROWS_REQUESTS)
        self._joint_requests: deque[JointRequest] = deque(maxlen=MAX_JOINT_REQUESTS)
        self._window_requests: deque[WindowRequest] = deque(maxlen=MAX_WINDOW_REQUESTS)
        self._next_inference: InferOrigin | None = None
        self._inferences: deque[InferOrigin | FaultMessage] = deque()
        self._panels: deque[PanelMessage] = deque()
        # What the pages hold.
        self._histories: set[int] = set()
        self._statuses: dict[Pair, UInt8[np.ndarray, " N"]] = {}
        self._versions: dict[Pair, tuple[str, int]] = {}
        self._scores: dict[Pair, tuple[float, tuple[str, int]]] = {}
        self._summaries: dict[Pair, Future[Summary]] = {}
        self._last_rows: dict[Pair, RowsRequest] = {}
        self._unsketched: dict[Pair, Int64[np.ndarray, " R"]] = {}  # rows of a sketch that pages have not got yet
        self._progress: dict[int, ProgressMessage] = {}
        self._report_due = 0.0
        self._surprises = SurpriseSearch(runs, wake)
        self._surprise_versions: dict[Pair, tuple[str, int]] = {}
        self._is_open = False
        self._is_running = [False] * len(self._runs)

    def add_request(self, request: Requests) -> None:
        """Queues a request for the sender's thread."""
        with self._lock:
            if isinstance(request, RowsRequest):
                self._rows_requests.append(request)
            elif isinstance(request, JointRequest):
                self._joint_requests.append(request)
            elif isinstance(request, WindowRequest):
                self._window_requests.append(request)
            else:
                self._requests.append(request)

    def refuse(self, reason: str) -> None:
        """Queues the answer to a message that is no request; of many that come at once only the first few."""
        if len(self._inferences) < MAX_FAULTS:
            self._inferences.append(FaultMessage(text=reason))

    def messages(self) -> Iterator[Messages]:
        """Yields every message that is due: answers first, the newest request for rows before older ones."""
        with self._lock:
            requests, self._requests = self._requests, deque()
            rows_requests = list(reversed(self._rows_requests))
            self._rows_requests.clear()
            joint_requests = list(reversed(self._joint_requests))
            self._joint_requests.clear()
            window_requests = list(reversed(self._window_requests))
            self._window_requests.clear()
        for request in requests:
            yield from self._answer(request)
        for rows_request in rows_requests:
            yield from self._rows(rows_request)
        for window_request in window_requests:
            yield self._window(window_request)
        for joint_request in joint_requests:
            yield self._joint(joint_request)
        while self._inferences:
            inference = self._inferences.popleft()
            if isinstance(inference, FaultMessage):
                yield inference
            else:
                series, model, row = inference.series, inference.model, inference.row
                yield from self._status_changes((series, model))
                yield from self._rows(RowsRequest(series, model, row, 1))
        while self._panels:
            yield self._panels.popleft()
        now = time.monotonic()
        if self._is_open and now >= self._report_due:
            yield from self._report(now)
            end = time.monotonic()
            self._report_due = end + max(REPORT_INTERVAL, (end - now) / REPORT_SHARE)

    @property
    def expects_more(self) -> bool:
        """Whether more messages are due soon."""
        return self._is_open and (any(self._is_running) or self._lacks_scores() or self._lacks_surprises())

    def _answer(self, request: Requests) -> Iterator[Messages]:
        match request:
            case Connect():
                series, model, row = self._view()
                self._is_open = True
                self._histories.clear()
                yield encoding.encode_meta(self._runs)
                yield from self._open(series, model, row)
                self._progress.clear()
                yield from self._progress_changes()
            case OpenSeries(series, model):
                yield from self._open(series, model)
            case PanelRequest(model):
                comm_sender.analysis.submit(lambda: self._summarise_panel(model))
            case CancelRun(model):
                self._runs[model].cancel()
            case InferOrigin():
                self._request_inference(request)

    def _open(self, series: int, model: int, row: int | None = None) -> Iterator[Messages]:
        """Yields history, statuses and scores of a series, and the forecasts around a row: first what is seen first."""
        run, pair = self._runs[model], (series, model)
        length = int(run.data.lengths[series])
        if series not in self._histories:
            self._histories.add(series)
            encode = encoding.encode_history if length <= LONG_SERIES else overview.encode_long_history
            yield encode(run.data, series, run.horizon)
        self._surprise_versions.pop(pair, None)
        self._versions[pair] = run.revision
        status = self._statuses[pair] = encoding.series_status(run, series)
        rows: Iterable[Messages] = () if row is None else self._rows(self._around(row, series, model, length))
        if length > LONG_SERIES:
            yield from rows
            yield overview.encode_long_status(run, series, model, status)
        else:
            yield encoding.encode_status(run, series, model, 0, status)
        self._scores.pop(pair, None)
        yield from self._score_changes(pair, time.monotonic(), is_running=False)
        if length <= LONG_SERIES:
            yield from rows
        yield from self._begin_sketch(pair)

    def _around(self, row: int, series: int, model: int, length: int) -> RowsRequest:
        """The rows around one that a new view receives without a request."""
        run = self._runs[model]
        row_bytes = run.horizon * (run.spec.draws + len(QUANTILE_LEVELS)) * 4
        count = min(FIRST_ROWS, max(FIRST_BYTES // row_bytes, 16), length)
        return RowsRequest(series, model, min(max(row - count // 2, 0), length - count), count)

    def _begin_sketch(self, pair: Pair) -> Iterator[Messages]:
        """Has a run infer the sketched origins of a series first, and yields those that it has."""
        series, model = pair
        run = self._runs[model]
        rows = self._unsketched[pair] = overview.sketch_rows(run, series)
        if len(rows):
            run.prefer(encoding.series_span(run.data, series)[0] + overview.coarse_first(rows))
            yield from self._sketch_changes(pair)

    def _sketch_changes(self, pair: Pair) -> Iterator[Messages]:
        rows = self._unsketched.get(pair)
        if rows is None or not len(rows):
            return
        is_known = has_forecast(self._statuses[pair][rows])
        if is_known.any():
            self._unsketched[pair] = rows[~is_known]
            yield overview.encode_sketch(self._runs[pair[1]], *pair, rows[is_known])

    def _window(self, request: WindowRequest) -> Messages:
        series, model, first = request.series, request.model, request.first
        run = self._runs[model]
        count = min(request.count, int(run.data.lengths[series]) + run.horizon - first)
        return overview.encode_window(run, series, model, first, count)

    def _rows(self, request: RowsRequest) -> Iterator[Messages]:
        series, model = request.series, request.model
        if request.count > 1:
            self._last_rows[series, model] = request
        yield from encoding.encode_rows(self._runs[model], series, model, request.first, request.count, request.request)

    def _joint(self, request: JointRequest) -> Messages:
        series, model, first = request.series, request.model, request.first
        return encoding.encode_joint(self._runs[model], series, model, first, request.count, request.request)

    def _report(self, now: float) -> Iterator[Messages]:
        """Yields what has changed, since it was last sent, in all that pages have opened."""
        is_running = [not run.done for run in self._runs]
        has_ended = [before and not after for before, after in zip(self._is_running, is_running, strict=True)]
        self._is_running = is_running
        for pair in list(self._statuses):
            yield from self._status_changes(pair)
            yield from self._sketch_changes(pair)
            yield from self._score_changes(pair, now, is_running[pair[1]])
            if has_ended[pair[1]] and self._runs[pair[1]].calibrate and pair in self._last_rows:
                yield from self._rows(self._last_rows[pair])  # more past errors are known than when they were sent
        yield from self._progress_changes()
        yield from self._surprise_changes()

    def _score_changes(self, pair: Pair, now: float, is_running: bool) -> Iterator[Messages]:
        """Yields the mean scores now and then; those of a run that has just ended come at once."""
        summary = self._summaries.get(pair)
        if summary is not None and summary.done():
            del self._summaries[pair]
            if summary.exception() is None:
                yield self._take_summary(pair, summary.result())
        due, version = self._scores.get(pair, (now, None))
        if pair in self._summaries or version == self._versions[pair] or (now < due and is_running):
            return
        if self._runs[pair[1]].data.lengths[pair[0]] <= SUMMARISED_AT_ONCE:
            yield self._take_summary(pair, self._summarise(pair, self._versions[pair]))
        else:
            self._summaries[pair] = comm_sender.analysis.submit(self._summarise_beside(pair))

    def _summarise(self, pair: Pair, version: tuple[str, int]) -> Summary:
        start = time.monotonic()
        message = encode_scores(self._runs[pair[1]], *pair)
        return version, time.monotonic() - start, message

    def _summarise_beside(self, pair: Pair) -> Callable[[], Summary]:
        version = self._versions[pair]

        def summarise() -> Summary:
            try:
                return self._summarise(pair, version)
            finally:
                self._wake()

        return summarise

    def _take_summary(self, pair: Pair, summary: Summary) -> ScoresMessage:
        version, seconds, message = summary
        self._scores[pair] = time.monotonic() + max(SCORES_INTERVAL, seconds / MAX_SHARE), version
        return message

    def _status_changes(self, pair: Pair) -> Iterator[Messages]:
        series, model = pair
        run, before = self._runs[model], self._statuses.get(pair)
        version = run.revision
        if before is None or self._versions[pair] == version:
            return
        self._versions[pair] = version
        status = self._statuses[pair] = encoding.series_status(run, series)
        yield from encoding.encode_status_changes(run, series, model, status, status != before)

    def _surprise_changes(self) -> Iterator[Messages]:
        """Yields the odd observations of all that pages have opened, once they have been found in the background."""
        for pair in self._statuses:
            found = self._surprises.tables(pair[1])
            if found is not None and self._surprise_versions.get(pair) != found[0]:
                self._surprise_versions[pair] = found[0]
                yield encode_surprises(self._runs[pair[1]], *pair, found[1])

    def _progress_changes(self) -> Iterator[Messages]:
        for model, run in enumerate(self._runs):
            message = encoding.encode_progress(run, model)
            if self._progress.get(model) != message:
                self._progress[model] = message
                yield message

    def _summarise_panel(self, model: int) -> None:
        found = self._surprises.tables(model)
        try:
            self._panels.append(encode_panel(self._runs[model], model, found[1].surprises if found else None))
        except Exception:
            _log.warning("The series of %s could not be summarised.", self._runs[model].model, exc_info=True)
        self._wake()

    def _lacks_scores(self) -> bool:
        return any(self._scores.get(pair, (0, None))[1] != version for pair, version in self._versions.items())

    def _lacks_surprises(self) -> bool:
        runs = self._runs
        return any(runs[pair[1]].done and self._surprise_versions.get(pair) is None for pair in self._statuses)

    def _request_inference(self, request: InferOrigin) -> None:
        """Has an origin inferred beside everything else; of several that come meanwhile only the last."""
        with self._lock:
            is_busy, self._next_inference = self._next_inference is not None, request
        if not is_busy:
            comm_sender.inference.submit(self._infer)

    def _infer(self) -> None:
        with self._lock:
            request, self._next_inference = self._next_inference, None
        if request is None:
            return
        run = self._runs[request.model]
        row = int(run.data.offsets[request.series]) + request.row
        try:
            run.forecast_at(row)
        except NbForecastError as error:
            self._inferences.append(FaultMessage(text=str(error)))
        except Exception as error:
            _log.warning(
                "The forecast at row %d of series %d could not be inferred.", request.row, request.series, exc_info=True
            )
            self._inferences.append(FaultMessage(text=f"{type(error).__name__}: {error}"))
        else:
            self._inferences.append(request)
        self._wake()
