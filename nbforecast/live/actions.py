"""What happens at an event: a function is called, or a command is run."""

from __future__ import annotations

import logging
import os
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

from nbforecast.errors import OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.live.events import Event

_log = logging.getLogger("nbforecast.live")


class Action(Protocol):
    """What is done at an event; `identity` is the same text for the same action in every process."""

    identity: str

    def __call__(self, event: Event) -> None:
        """Do it; an exception is told, and stops nothing."""
        ...

    def check(self) -> None:
        """Tell of what has failed since."""
        ...


def open_action(call: Callable[[Event], Any] | None, run: str | list[str] | None) -> Action:
    """The action that options describe.

    Raises:
        OptionError: They describe none, both, or an impossible one.
    """
    if (call is None) == (run is None):
        raise OptionError(f"An event takes {option('call')} with a function or {option('run')} with a command.")
    if call is not None:
        if not callable(call):
            raise OptionError(f"{option('call')} takes a function of an event, not {brief_repr(call)}.")
        return FunctionAction(call)
    if not run or not isinstance(run, (str, list, tuple)):
        raise OptionError(f"{option('run')} takes a command, not {brief_repr(run)}.")
    return CommandAction(run)


class FunctionAction:
    """Calls a function with the event, in the monitor's own thread."""

    def __init__(self, function: Callable[[Event], Any]) -> None:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        self.identity = f"call {getattr(function, '__module__', '')}.{name}"
        self._function = function

    def __call__(self, event: Event) -> None:
        """Call the function."""
        try:
            self._function(event)
        except Exception:
            _log.warning("The function that was called at an event failed: %s", event, exc_info=True)

    def check(self) -> None:
        """Do nothing: a failure was told at once."""


class CommandAction:
    """Runs a command, and waits for it no longer than it takes to start.

    The command gets the event in the environment: NBF_STATE (begin or end), NBF_CONDITION, NBF_KIND (above, below or
    surprise), NBF_LIMIT, NBF_SERIES, NBF_TIME, NBF_VALUE, NBF_SINCE, NBF_PROBABILITY, NBF_SOURCE and NBF_TEXT, a
    sentence with all of it. A text is run by the shell; a list of words is run as it is.
    """

    def __init__(self, command: str | list[str] | tuple[str, ...]) -> None:
        self.identity = f"run {command!r}"
        self._command = command
        self._processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, event: Event) -> None:
        """Start the command."""
        environment = {**os.environ, **event_environment(event)}
        try:
            # the user's own command, in the user's own shell; what the data hold is in the environment only
            process = subprocess.Popen(  # noqa: S603
                self._command, shell=isinstance(self._command, str), env=environment, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            _log.warning("The command %s could not be run: %s", brief_repr(self._command), error)
        else:
            self._processes.append(process)

    def check(self) -> None:
        """Tell of commands that have ended with an error."""
        for process in self._processes:
            if process.poll():
                _log.warning("The command %s ended with status %d.", brief_repr(self._command), process.returncode)
        self._processes = [process for process in self._processes if process.returncode is None]


def event_environment(event: Event) -> dict[str, str]:
    """The variables that tell a command of an event."""
    condition = event.condition
    values = {
        "STATE": event.state,
        "CONDITION": condition,
        "KIND": condition.kind,
        "LIMIT": f"{condition.limit:g}",
        "SERIES": event.series or "",
        "TIME": _iso(event.time),
        "VALUE": f"{event.value:g}",
        "SINCE": _iso(event.since),
        "PROBABILITY": f"{event.probability:.4g}",
        "SOURCE": event.source,
        "TEXT": event,
    }
    return {f"NBF_{name}": str(value).replace("\0", "") for name, value in values.items()}


def _iso(time: Any) -> str:
    return time.isoformat() if hasattr(time, "isoformat") else str(time)
