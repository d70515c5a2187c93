"""Live data: a source is looked at again and again, and each new row is forecast, scored and told."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nbforecast.engine.executor import wait_in_slices
from nbforecast.errors import NbForecastError, OptionError, SourceError
from nbforecast.live.actions import open_action
from nbforecast.live.conditions import Condition
from nbforecast.live.growth import Preparation, new_rows, settled_options
from nbforecast.live.lifetime import forget, keep_alive, start_thread
from nbforecast.live.monitor import Monitor, hold_microseconds
from nbforecast.live.sources import open_live_source
from nbforecast.live.status import LiveStatus, status_now
from nbforecast.live.waiting import ChangeWaiter, poll_seconds
from nbforecast.run_card import TEXT, text_line
from nbforecast.safe_text import escape_controls
from nbforecast.session import current_session
from nbforecast.settings import settings
from nbforecast.text import option, plural

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from nbforecast.data import Dataset
    from nbforecast.data.source import Source
    from nbforecast.live.events import Event
    from nbforecast.options import ForecastOptions
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.live")
_LONGEST_PAUSE = 60.0  # seconds between two attempts to read a source that fails, unless it is polled less often
_ENDS_WITHIN = 5.0  # seconds


class Listener(Protocol):
    """Is told of every change of a live run."""

    def notify(self) -> None:
        """Take notice; called in the thread that looks at the source."""
        ...


class Live:
    """Live data and their forecasts; `nbforecast.watch` makes it.

    One thread looks at the source. It ends with `stop`, at the end of a `with` block or of the process, and when nobody
    holds the object any more, unless `when` has given it something to call.

    Attributes:
        rows: The number of new rows since the start.

    Example:
        >>> with nbf.watch("glucose.csv", horizon="1h") as live:
        ...     live.when(above=180, within="30min", probability=0.3, call=print)
        ...     live.wait()  # until what the source holds is forecast
    """

    def __init__(self, source: Any, options: ForecastOptions, poll: str | float | dt.timedelta = "30s") -> None:
        if isinstance(options.model, (list, tuple)) and not current_session().learns(options):
            raise OptionError(f"{option('model')} takes one model here; with {option('learn')} several.")
        self._source = open_live_source(source, options)
        self._options = options
        self._poll = poll_seconds(poll)
        self.rows = 0
        self._uncounted = 0  # new rows whose events are not told yet
        self._counted = 0  # rows that a wait has counted
        self._data: Dataset | None = None
        self._run: Run | None = None
        self._unread: Source | None = None  # rows that have been read and not been forecast yet
        self._preparation = Preparation(self._source.name)
        self._failure: tuple[float, Exception] | None = None
        self._attempts = 0
        self._arrival: float | None = None
        self._monitors: list[Monitor] = []
        self._listeners: weakref.WeakSet[Any] = weakref.WeakSet()
        self._changed = threading.Condition()  # protects what is read by other threads
        self._look_lock = threading.RLock()  # one look at a time; what it calls may state another condition
        self._wake = threading.Event()
        self._looks = self._looks_begun = 0
        self._is_stopped = False
        try:
            self._look()
        except (SourceError, OSError) as error:
            self._fail(error)
        waiter = ChangeWaiter(self._source.folders, self._wake)
        self._thread = start_thread(self, waiter, self._wake, self._pause())

    # ---- what there is

    @property
    def run(self) -> Run:
        """The run of all rows so far; each new row makes another one.

        Raises:
            SourceError: No rows have come yet.
        """
        run = self._run
        if run is None:
            reason = f": {self.error}" if self.error else ""
            raise SourceError(f"{self._source.name} has given no rows yet{reason}. live.wait() waits for them.")
        return run

    @property
    def has_run(self) -> bool:
        """Whether rows have come, so that there is a run."""
        return self._run is not None

    @property
    def error(self) -> Exception | None:
        """Why the source, or its newest rows, cannot be read or forecast at present; None if all is well."""
        failure = self._failure
        return None if failure is None else failure[1]

    @property
    def status(self) -> LiveStatus:
        """How the source stands: `status.state` is "waiting", "live", "late", "failed" or "stopped"."""
        arrival, failure, is_stopped = self._arrival, self._failure, self._is_stopped
        return status_now(self._data, poll=self._poll, arrival=arrival, failure=failure, is_stopped=is_stopped)

    @property
    def name(self) -> str:
        """What the source is called."""
        return self._source.name

    # ---- what somebody does

    def when(
        self,
        *,
        above: float | None = None,
        below: float | None = None,
        surprise: float | None = None,
        within: int | str | dt.timedelta | None = None,
        probability: float | None = None,
        hold: str | dt.timedelta | None = None,
        call: Callable[[Event], Any] | None = None,
        run: str | list[str] | None = None,
    ) -> Live:
        """Call a function or run a command once an event begins, and once it ends.

        It is called once for each event, also where the process is restarted: a small file beside the cache remembers
        what goes on. Rows that came while no process was there are looked at in their order. The first time, the newest
        row alone is. An exception of the function, or an error of the command, is logged and stops nothing.

        Args:
            above: The event is that a value within the horizon is above this limit, in the data's unit.
            below: The same below a limit.
            surprise: The event is an observation which its forecasts made so improbable, such as 0.001.
            within: The part of the horizon that counts: a span such as "30min", or a number of steps; all by default.
            probability: The probability of the event, by the forecast's joint paths, from which on it has begun; 0.5
                by default.
            hold: For how long, by the times of the rows, the condition must not have held before the event ends; by
                default it ends with the first row at which it does not.
            call: A function of an `Event`. It is called in the thread that looks at the source, which waits for it.
            run: A command. A text is run by the shell, a list of words as it is. The environment variables NBF_STATE
                (begin or end), NBF_CONDITION, NBF_KIND, NBF_LIMIT, NBF_SERIES, NBF_TIME, NBF_VALUE, NBF_SINCE,
                NBF_PROBABILITY, NBF_SOURCE and NBF_TEXT tell it of the event.

        Returns:
            The object itself.

        Raises:
            OptionError: The condition or the action is impossible.

        Example:
            >>> live.when(above=180, within="30min", probability=0.3, hold="10min", run='notify-send "$NBF_TEXT"')
        """
        condition = Condition.from_options(above, below, surprise, within, probability)
        length = hold_microseconds(hold)
        directory = settings().directory
        folder = None if directory is None else directory / "live"
        self.add_monitor(Monitor(condition, length, open_action(call, run), self._source.name), folder)
        keep_alive(self)
        return self

    def add_monitor(self, monitor: Monitor, folder: Path | None = None) -> None:
        """Have a monitor look at each new row; `when` describes it.

        Args:
            monitor: The monitor.
            folder: Where events are stored, so that a restart knows them; None if they are not.
        """
        key = f"{self._source.identity}\n{monitor.key}\n{sum(other.key == monitor.key for other in self._monitors)}"
        with self._look_lock:
            if self._run is not None:
                monitor.condition.check(self._run.data, self._run.horizon)
            monitor.remember(folder, key)
            if self._run is not None:
                monitor.begin(self._run.data)
            self._monitors.append(monitor)
        self._wake.set()

    def wait(self, rows: int | None = None, timeout: float | None = None) -> Live:
        """Wait until what the source holds now, or a number of new rows, is forecast, scored and saved.

        Args:
            rows: The number of new rows to wait for, beside those that earlier calls have waited for. None looks at the
                source now, and waits for what it holds.
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            The object itself.

        Raises:
            TimeoutError: That has not come after `timeout` seconds.
            NbForecastError: The source cannot be read, or its rows cannot be forecast; only without `rows`: with it,
                the wait goes on while the source is tried again.
            SourceError: The object was stopped.
        """
        if threading.current_thread() is self._thread:
            raise SourceError(
                "live.wait() waits for the thread that calls it here: what live.when() calls cannot wait."
            )
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            look = self._looks_begun + 1
        self._wake.set()

        def has_come() -> bool:
            if self._is_stopped:
                return True
            return self._looks >= look if rows is None else self.rows - self._counted >= rows

        def wait_for_change(seconds: float) -> bool:
            with self._changed:
                return self._changed.wait_for(has_come, seconds)

        if not wait_in_slices(wait_for_change, timeout):
            raise TimeoutError(f"{self._source.name}: {self.status.text} Nothing more has come after {timeout:g} s.")
        if rows is not None and self.rows - self._counted >= rows:
            self._counted += rows
        elif self._is_stopped:
            raise SourceError(f"{self._source.name} is no longer watched: live.stop() was called.")
        elif self.error is not None:
            raise self.error
        self._wait_for_run(end)
        return self

    @property
    def is_stopped(self) -> bool:
        """Whether the source is no longer looked at."""
        return self._is_stopped

    def stop(self) -> None:
        """Look at the source no more. What is forecast stays, in `run` and in the cache."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._wake.set()
        thread = self._thread
        if thread is not threading.current_thread():

            def has_ended(seconds: float) -> bool:
                thread.join(seconds)
                return not thread.is_alive()

            wait_in_slices(has_ended, _ENDS_WITHIN)
        for monitor in self._monitors:
            monitor.save()
        forget(self)
        self._notify()

    def listen(self, listener: Listener) -> None:
        """Have an object told of every change, for as long as somebody else holds it."""
        self._listeners.add(listener)

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        name, status = escape_controls(self._source.name), self.status.text
        run = self._run
        if run is None:
            return f"Live({name}: {status})"
        model = f"{escape_controls(run.model)}, horizon {run.horizon}"
        return f"Live({name}: {model}, {plural(len(run.data), 'row')}, {plural(self.rows, 'new one')}. {status})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self._run is None:
            return {"text/html": text_line("", repr(self)), "text/plain": repr(self)}
        status, card = self.status.text, self._run._repr_mimebundle_()
        text = f"{escape_controls(status)}\n{card['text/plain']}"
        return {"text/html": text_line(TEXT, status) + card["text/html"], "text/plain": text}

    def _mime_(self) -> tuple[str, str]:  # for marimo
        return "text/html", self._repr_mimebundle_()["text/html"]

    # ---- looking at the source, in one thread

    def step(self) -> float:
        """Look at the source; returns the seconds until it is looked at again."""
        with self._changed:
            self._looks_begun += 1
            begun = self._looks_begun
        try:
            self._look()
        except KeyboardInterrupt:  # Polars raises it here, too; it is meant for the main thread (E11)
            self._wake.set()
            return 0.0
        except Exception as error:
            self._fail(error)
        else:
            if self._failure is not None:
                _log.info("%s can be read again.", self._source.name)
            self._failure, self._attempts = None, 0
        with self._changed:
            self._looks = begun
            self._changed.notify_all()
        for monitor in self._monitors:
            monitor.action.check()
        return self._pause()

    def _look(self) -> None:
        with self._look_lock:
            source = self._source.read() or self._unread
            if source is not None:
                self._unread = source if self._unread is None else replace(source, has_grown=False)
                self._advance(self._preparation.prepare(self._unread, self._options))
                self._unread = None
            if self._run is None:
                raise SourceError(f"{self._source.name} holds no rows yet.")
            if self._monitors and self._run.base is not self._run:
                self._run.wait()  # events are about what is learned, which comes last
            for monitor in tuple(self._monitors):
                monitor.observe(self._run)
            with self._changed:  # whoever waits for rows finds that their events were told
                self.rows, self._uncounted = self.rows + self._uncounted, 0
                self._changed.notify_all()

    def _advance(self, data: Dataset) -> None:
        """Forecast the new rows of the data, the newest of each series first, and tell of them."""
        before = self._data
        has_more = self._options.has_covariates or self._options.issued_covariates is not None
        if before is not None and before.handle == data.handle and not has_more:
            return
        run = current_session().forecast_prepared(data, self._options)
        added = new_rows(before, data)
        newest = np.intersect1d(data.offsets[1:] - 1, added)
        run.base.joint_forecasts(newest[run.base.reasons[newest] == 0])  # inferred at once, before the others
        superseded = self._run
        with self._changed:
            self._data, self._run = data, run
            if before is not None and len(added):
                self._uncounted += len(added)
                self._arrival = time.time()
        if superseded is not None and not superseded.done:
            superseded.cancel()
        self._options = settled_options(self._options, data)
        self._notify()

    def _fail(self, error: Exception) -> None:
        self._attempts += 1
        if self._failure is None:
            self._failure = (time.time(), error)
            trace = None if isinstance(error, (NbForecastError, OSError)) else error
            _log.warning("%s; it is tried again.", str(error).rstrip("."), exc_info=trace)
        else:
            self._failure = (self._failure[0], error)
        self._notify()

    def _pause(self) -> float:
        if self._failure is None:
            return self._poll
        longest = max(self._poll, _LONGEST_PAUSE)
        return float(min(min(self._poll, 1.0) * 2 ** min(self._attempts - 1, 20), longest))

    def _notify(self) -> None:
        for listener in list(self._listeners):
            try:
                listener.notify()
            except Exception:
                _log.warning("A page could not be told of new rows.", exc_info=True)

    def _wait_for_run(self, end: float | None) -> None:
        while (run := self._run) is not None:
            left = None if end is None else max(end - time.monotonic(), 0)
            if not run.wait_for_end(left):
                raise TimeoutError(f"The newest forecasts are {run.progress:.0%} done; they go on.")
            if run is self._run:
                if run.error is not None:
                    raise run.error
                return
