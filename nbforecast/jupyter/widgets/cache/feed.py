"""What the views of one connection are told of the cache, and what they have done to it.

What needs Polars is imported when the first view asks.
"""

from __future__ import annotations

import logging
import reprlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from nbforecast.errors import NbForecastError
from nbforecast.jupyter.sender import hub
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.cache.requests import Act, Bye, Cancel, Closed, Hello, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.jupyter.sender import Served
    from nbforecast.jupyter.widgets.cache.messages import Content
    from nbforecast.jupyter.widgets.cache.requests import Request
    from nbforecast.jupyter.widgets.cache.state import State
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
BUSY, IDLE = 0.2, 0.5  # seconds between two looks while something goes on, and while nothing does
VIEWS = 16  # open at once; beyond that the one that has said so first is taken for gone
WAITING = 64  # actions that may wait


class Feed:
    """`hear` in any thread, `messages` in the hub's alone; actions are done in the hub's lane for them.

    wake: called when there is something to say. Nothing is looked at unless a view is open.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._requests: deque[Request] = deque()
        self._answers: deque[Content] = deque()
        self._views: dict[str, None] = {}
        self._state: State | None = None
        self._behind = self._greeted = False
        self._looked = 0.0
        self._runs: list[Run] = []
        self._explorers: dict[str, Explorer] = {}

    @property
    def open(self) -> bool:
        """Whether a view is open, or something is still to be told."""
        return bool(self._views or self._requests or self._answers)

    @property
    def expecting(self) -> bool:
        """Whether there will be more to tell soon."""
        state = self._state
        return state is not None and (state.busy or self._behind)

    def hear(self, content: Any) -> None:
        """Leave word of a message; what makes no sense is logged."""
        try:
            request = read(content)
        except InvalidMessage as why:
            _log.warning("A message of a view of the cache is ignored, since %s: %s", why, reprlib.repr(content))
            return
        self._requests.append(request)
        self._wake()

    def messages(self) -> Iterator[Content]:
        """Everything to be told now: answers first, then what has changed, if it is time to look."""
        while self._requests:
            self._take(self._requests.popleft())
        while self._answers:
            yield self._answers.popleft()
        yield from self._failures()
        now, state = time.monotonic(), self._state
        if state is None or now - self._looked < (BUSY if self.expecting else IDLE):
            return
        self._looked, greeted = now, self._greeted
        self._greeted = self._behind = False
        yield from state.everything() if greeted else state.changes()

    def serve(self, owner: Served, send: Callable[[Content], object]) -> bool:
        """Send everything to be told now for the owner of the connection; the hub lets go of it with its last view."""
        for message in self.messages():
            send(message)
        if not self.open:
            hub.detach(owner)
            if self.open:  # a view has come meanwhile
                hub.attach(owner)
        return self.expecting

    def close(self) -> None:
        """Nobody is there any more: forget what was looked at."""
        self._views.clear()
        self._state = None

    def _take(self, request: Request) -> None:
        match request:
            case Hello(client):
                self._views.pop(client, None)
                self._views[client] = None
                while len(self._views) > VIEWS:
                    del self._views[next(iter(self._views))]
                self._greet()
            case Bye(client):
                self._views.pop(client, None)
                if not self._views:
                    self.close()
            case Closed(model_id):
                explorer = self._explorers.pop(model_id, None)
                if explorer is not None:
                    explorer.close()
            case Act(_, Cancel()):
                self._do(request)  # what is to be cancelled may be what the lane is busy with
            case Act() if hub.actions.backlog >= WAITING:
                self._tell(request, {"kind": "fault", "text": "Too much waits to be done already; ask again later."})
            case Act():
                self._answers.append({"kind": "queued", "id": request.id})
                try:
                    hub.actions.submit(lambda: self._do(request))
                except RuntimeError:
                    self._tell(request, {"kind": "fault", "text": "The kernel is about to end."})

    def _greet(self) -> None:
        from nbforecast.jupyter.widgets.cache.state import State

        self._state = self._state or State()
        self._greeted = self._behind = True

    def _do(self, act: Act) -> None:
        from nbforecast.jupyter.widgets.cache.actions import perform

        try:
            answer, run, explorer = perform(act.action)
        except NbForecastError as error:
            return self._tell(act, {"kind": "fault", "text": str(error)})
        except Exception as error:
            _log.warning("%s has failed.", act.action, exc_info=True)
            return self._tell(act, {"kind": "fault", "text": f"{type(error).__name__}: {error}"})
        if run is not None:
            self._runs.append(run)
        if explorer is not None:
            self._explorers[explorer.model_id] = explorer
        return self._tell(act, answer)

    def _tell(self, act: Act, answer: Content) -> None:
        self._answers.append({**answer, "id": act.id})
        self._behind = True
        self._wake()

    def _failures(self) -> Iterator[Content]:
        """What has been begun from here and has failed: nobody else may look at it."""
        for run in [run for run in self._runs if run.done]:
            self._runs.remove(run)
            if run.error is not None:
                yield {"kind": "fault", "id": None, "text": f"{run.model}: {run.error}"}
