"""What both widgets have in common: the connection to their page, and the thread that sends to it."""

from __future__ import annotations

import weakref
from typing import Any

import anywidget
from IPython.core.getipython import get_ipython

from nbforecast.jupyter.interactivity import is_interactive
from nbforecast.jupyter.sender import comm_sender, receive_during_cells


class WidgetBase(anywidget.AnyWidget):
    """A widget that receives and sends messages while cells run.

    The sender serves it once its page has sent a message.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(_receiver(weakref.ref(self)))

    def open(self) -> None:
        """Opens the connection to the page where a person watches; elsewhere the still picture has it all."""
        shell = get_ipython()
        if shell is not None and is_interactive(shell):
            self.connect()

    def connect(self) -> None:
        """Opens the connection in any case: a page has asked for the widget."""
        super().open()
        receive_during_cells(self.comm)

    def close(self) -> None:
        """Takes the widget off the page, and frees the thread that served it."""
        comm_sender.detach(self)
        super().close()

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        raise NotImplementedError

    def view(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the mime bundle of the widget without a still picture, and its metadata; empty where nobody watches.

        Colab finds in the metadata where its widget manager is.
        """
        bundle = super()._repr_mimebundle_() if self.comm is not None else None
        data, metadata = bundle or ({}, {})
        return {kind: view for kind, view in data.items() if "widget-view" in kind}, metadata

    def _receive(self, content: Any) -> None:
        """Takes a message of the page, in any thread."""
        raise NotImplementedError


def _receiver(ref: weakref.ref[WidgetBase]) -> Any:
    """A callback for messages that does not keep its widget alive."""

    def receive(_: Any, content: Any, __: Any) -> None:
        if (widget := ref()) is not None:
            widget._receive(content)

    return receive
