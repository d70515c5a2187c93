"""The connection to JupyterLab's panel, and to all other pages that follow this kernel's cache.

The kernel opens it, under an id that is always the same: a page that comes later, or is reloaded, finds it by that id.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from nbforecast.jupyter.interactivity import can_show_widgets
from nbforecast.jupyter.sender import comm_sender, receive_during_cells, wake_callback
from nbforecast.jupyter.widgets.cache.feed import CacheFeed
from nbforecast.jupyter.widgets.cache.messages import COMM_ID, TARGET, LoadedMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_log = logging.getLogger("nbforecast.jupyter")


class LabComm:
    """The connection to the panel of JupyterLab and to other pages.

    The answer to one page goes to all of them; pages know their own requests by the ids.
    """

    def __init__(self) -> None:
        import comm

        self._feed = CacheFeed(wake_callback(self))
        data = LoadedMessage(version=version("nbforecast")).content
        self._comm: Any = comm.create_comm(target_name=TARGET, comm_id=COMM_ID, data=data)
        receive_during_cells(self._comm)
        self._comm.on_msg(lambda message: self._feed.receive(message["content"].get("data")))
        self._comm.on_close(lambda _: self._reopen())

    def answer_open(self) -> None:
        """Tells a page that opens a connection under this id that there is one."""
        self._comm.send(LoadedMessage(version=version("nbforecast")).content)

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        return self._feed.send_messages(self, self._comm.send)

    def close(self) -> None:
        """Tells pages that the extension is not loaded any more."""
        comm_sender.detach(self)
        self._feed.close()
        self._comm.on_close(None)
        self._comm.close()

    def _reopen(self) -> None:
        """Keeps the connection, which one page has closed, for the others."""
        import comm

        comm.get_comm_manager().register_comm(self._comm)
        self._comm._closed = False


_comms: list[LabComm] = []


class _OpenGuard:
    """Handles a page's opening of connections, and refuses those under an id of ours, which would replace our own.

    Args:
        kernel: The kernel, whose handler this takes the place of.
    """

    def __init__(self, kernel: Any) -> None:
        self._handlers = kernel.shell_handlers
        self._handler = self._handlers["comm_open"]
        self._handlers["comm_open"] = self

    def __call__(self, stream: Any, identity: Any, message: Any) -> Any:
        """Handles a message as the kernel does, unless it reuses an id."""
        comm_id = message["content"].get("comm_id")
        if comm_id == COMM_ID and _comms:
            _log.warning("A page has opened the panel's connection again, which is ignored.")
            _comms[0].answer_open()
            return None
        return self._handler(stream, identity, message)

    def remove(self) -> None:
        """Gives the kernel its handler back."""
        if self._handlers.get("comm_open") is self:
            self._handlers["comm_open"] = self._handler


_guards: list[_OpenGuard] = []
_waiting: list[Callable[[], None]] = []  # what ends the wait for a person


def connect(shell: InteractiveShell) -> None:
    """Open the connection to pages before the first cell that a person runs, or now if this is one.

    Outside of a kernel there are no pages. Tools that run whole notebooks have none, either, and would warn of it.
    """

    def open_comm(*_: Any) -> None:
        if not can_show_widgets(shell):
            return
        stop_waiting()
        try:
            _comms.append(LabComm())
            _guards.append(_OpenGuard(shell.kernel))  # type: ignore[attr-defined]
        except Exception:
            _log.warning("JupyterLab's panel could not be connected to this kernel.", exc_info=True)

    def stop_waiting() -> None:
        if open_comm in shell.events.callbacks["pre_execute"]:
            shell.events.unregister("pre_execute", open_comm)

    if getattr(shell, "kernel", None) is None or _comms or _waiting:
        return
    open_comm()
    if not _comms:
        shell.events.register("pre_execute", open_comm)
        _waiting.append(stop_waiting)


def disconnect() -> None:
    """Undo `connect`."""
    while _waiting:
        _waiting.pop()()
    while _guards:
        _guards.pop().remove()
    while _comms:
        _comms.pop().close()
