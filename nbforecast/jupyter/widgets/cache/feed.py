"""What the views of one connection hold of the cache, and the actions that they request.

What needs Polars is imported when the first view connects.
"""

from __future__ import annotations

import logging
import reprlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from nbforecast.errors import NbForecastError
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.validation import InvalidMessage, is_label
from nbforecast.jupyter.widgets.cache.messages import (
    ActionRequest,
    Cancel,
    CloseExplorer,
    Connect,
    Disconnect,
    FaultMessage,
    QueuedMessage,
    read_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.jupyter.sender import MessageSource
    from nbforecast.jupyter.widgets.cache.messages import Messages, Requests
    from nbforecast.jupyter.widgets.cache.state import CacheState
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
BUSY, IDLE = 0.2, 0.5  # seconds between two looks at the cache while tasks run, and while none does
MAX_VIEWS = 16  # open at once; beyond that the one that connected first counts as gone
MAX_ACTIONS = 64  # that may wait


class CacheFeed:
    """Turns requests, and changes of the cache, into messages.

    `receive` runs in any thread, `messages` in the sender's alone, and actions in the sender's executor for them. The
    cache is looked at only while a view is open.

    Args:
        wake: Is called when there are messages to send.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._requests: deque[Requests] = deque()
        self._answers: deque[Messages] = deque()
        self._views: dict[str, None] = {}
        self._state: CacheState | None = None
        self._is_behind = self._sends_everything = False
        self._looked = 0.0
        self._runs: list[Run] = []
        self._explorers: dict[str, Explorer] = {}

    @property
    def is_open(self) -> bool:
        """Whether a view is open, or messages wait."""
        return bool(self._views or self._requests or self._answers)

    @property
    def expects_more(self) -> bool:
        """Whether more messages are due soon."""
        state = self._state
        return state is not None and (state.is_busy or self._is_behind)

    def receive(self, content: Any) -> None:
        """Queues a request for the sender's thread; what is no request is logged, and answered where it has an id."""
        try:
            request = read_request(content)
        except InvalidMessage as error:
            _log.warning("A message of a view of the cache is ignored: %s: %s", error, reprlib.repr(content))
            label = content.get("id") if isinstance(content, dict) else None
            if is_label(label) and len(self._answers) < MAX_ACTIONS:
                self._send(FaultMessage(id=label, text=f"The request is refused: {error}"))
            return
        self._requests.append(request)
        self._wake()

    def messages(self) -> Iterator[Messages]:
        """Yields every message that is due: answers first, then what has changed, if it is time to look."""
        while self._requests:
            self._answer(self._requests.popleft())
        while self._answers:
            yield self._answers.popleft()
        yield from self._failures()
        now, state = time.monotonic(), self._state
        if state is None or now - self._looked < (BUSY if self.expects_more else IDLE):
            return
        self._looked, sends_everything = now, self._sends_everything
        self._sends_everything = self._is_behind = False
        yield from state.everything() if sends_everything else state.changes()

    def send_messages(self, owner: MessageSource, send: Callable[[dict[str, Any]], object]) -> bool:
        """Sends the messages that are due; detaches the owner from the sender after the last view.

        Args:
            owner: The owner of the connection.
            send: Sends the content of one message.

        Returns:
            Whether more are due soon.
        """
        for message in self.messages():
            send(message.content)
        if not self.is_open:
            comm_sender.detach(owner)
            if self.is_open:  # a view has connected meanwhile
                comm_sender.attach(owner)
        return self.expects_more

    def close(self) -> None:
        """Forgets all views, and the state of the cache."""
        self._views.clear()
        self._state = None

    def _answer(self, request: Requests) -> None:
        match request:
            case Connect(client=client):
                self._views.pop(client, None)
                self._views[client] = None
                while len(self._views) > MAX_VIEWS:
                    del self._views[next(iter(self._views))]
                self._start()
            case Disconnect(client):
                self._views.pop(client, None)
                if not self._views:
                    self.close()
            case CloseExplorer(model_id):
                explorer = self._explorers.pop(model_id, None)
                if explorer is not None:
                    explorer.close()
            case ActionRequest(_, Cancel()):
                self._perform(request)  # the executor may be busy with what is to be cancelled
            case ActionRequest(id) if comm_sender.actions.backlog >= MAX_ACTIONS:
                self._send(FaultMessage(id=id, text="Too many actions wait already; try again later."))
            case ActionRequest(id):
                self._answers.append(QueuedMessage(id=id))
                try:
                    comm_sender.actions.submit(lambda: self._perform(request))
                except RuntimeError:
                    self._send(FaultMessage(id=id, text="The kernel is about to end."))

    def _start(self) -> None:
        from nbforecast.jupyter.widgets.cache.state import CacheState

        self._state = self._state or CacheState()
        self._sends_everything = self._is_behind = True

    def _perform(self, request: ActionRequest) -> None:
        from nbforecast.jupyter.widgets.cache.actions import perform

        try:
            answer, run, explorer = perform(request)
        except NbForecastError as error:
            return self._send(FaultMessage(id=request.id, text=str(error)))
        except Exception as error:
            _log.warning("%s has failed.", request.action, exc_info=True)
            return self._send(FaultMessage(id=request.id, text=f"{type(error).__name__}: {error}"))
        if run is not None:
            self._runs.append(run)
        if explorer is not None:
            self._explorers[explorer.model_id] = explorer
        return self._send(answer)

    def _send(self, answer: Messages) -> None:
        self._answers.append(answer)
        self._is_behind = True
        self._wake()

    def _failures(self) -> Iterator[Messages]:
        """Runs that were started from here and have failed: perhaps nobody else looks at them."""
        for run in [run for run in self._runs if run.done]:
            self._runs.remove(run)
            if run.error is not None:
                yield FaultMessage(id=None, text=f"{run.model}: {run.error}")
