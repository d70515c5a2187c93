"""What the widgets have in common: the connection to their page, and the thread that sends to it."""

from __future__ import annotations

import weakref
from typing import Any

import anywidget
from IPython.core.getipython import get_ipython

from nbforecast.jupyter.interactivity import is_interactive
from nbforecast.jupyter.sender import answer_beside_cells, hub


class WidgetBase(anywidget.AnyWidget):
    """A widget that is told things while cells run; the hub serves it once its page has sent something."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(_hear(weakref.ref(self)))

    def open(self) -> None:
        """Open the connection to the page, if there is one: where nobody watches, the still says it all."""
        shell = get_ipython()
        if shell is not None and is_interactive(shell):
            self.connect()

    def connect(self) -> None:
        """Open the connection in any case: a page has asked for it."""
        super().open()
        answer_beside_cells(self.comm)

    def close(self) -> None:
        """Take the widget off the page, and let go of the thread that served it."""
        hub.detach(self)
        super().close()

    def view(self) -> dict[str, Any]:
        """The mime bundle of the widget, without a still; empty where nobody watches."""
        bundle = super()._repr_mimebundle_() if self.comm is not None else None
        return {} if bundle is None else {k: v for k, v in bundle[0].items() if "widget-view" in k}

    def _heard(self, content: Any) -> None:
        """A message of the page has come, in any thread."""
        raise NotImplementedError


def _hear(widget: weakref.ref[WidgetBase]) -> Any:
    def heard(_: Any, content: Any, __: Any) -> None:
        there = widget()
        if there is not None:
            there._heard(content)

    return heard
