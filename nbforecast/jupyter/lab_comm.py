"""The connection to JupyterLab's side bar, and whoever else follows this kernel's cache.

The kernel opens it, under an id that is always the same: a page that comes later, or is loaded again, finds it there.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from nbforecast.jupyter.sender import answer_beside_cells, hub, waker
from nbforecast.jupyter.widgets.cache.feed import Feed
from nbforecast.jupyter.widgets.cache.requests import VERSION

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_log = logging.getLogger("nbforecast.jupyter")
TARGET, COMM = "nbforecast.hub", "nbforecast-hub"


class Panel:
    """Tells all pages what one of them has asked for; they know their own requests by their ids."""

    def __init__(self) -> None:
        import comm

        self._feed = Feed(waker(self))
        loaded = {"kind": "loaded", "v": VERSION, "version": version("nbforecast")}
        self._comm: Any = comm.create_comm(target_name=TARGET, comm_id=COMM, data=loaded)
        answer_beside_cells(self._comm)
        self._comm.on_msg(lambda message: self._feed.hear(message["content"].get("data")))
        self._comm.on_close(lambda _: self._stay())

    def serve(self) -> bool:
        """Send what there is to say; called by the hub's thread."""
        return self._feed.serve(self, self._comm.send)

    def close(self) -> None:
        """Say that the extension is not loaded any more."""
        hub.detach(self)
        self._feed.close()
        self._comm.on_close(None)
        self._comm.close()

    def _stay(self) -> None:
        """One page has closed the connection, which is there for others, too."""
        import comm

        comm.get_comm_manager().register_comm(self._comm)
        self._comm._closed = False


_panels: list[Panel] = []


def connect(shell: InteractiveShell) -> None:
    """Tell pages that the extension is there, if there can be any: outside of a kernel nothing happens."""
    if getattr(shell, "kernel", None) is None or _panels:
        return
    try:
        _panels.append(Panel())
    except Exception:
        _log.warning("JupyterLab's panel is not told of this kernel.", exc_info=True)


def disconnect() -> None:
    """Undo `connect`."""
    while _panels:
        _panels.pop().close()
