"""The cache's widget: what the cache holds and which tasks run, live, with the actions on them."""

from __future__ import annotations

from typing import Any

from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.sender import wake_callback
from nbforecast.jupyter.widgets.base import WidgetBase
from nbforecast.jupyter.widgets.cache.feed import CacheFeed


class CacheView(WidgetBase):
    """Shows `nbf.cache`, in any number of cells."""

    _esm = bundle("cache")

    def __init__(self) -> None:
        self._feed = CacheFeed(wake_callback(self))
        super().__init__()

    def close(self) -> None:
        """Takes the widget off the page."""
        self._feed.close()
        super().close()

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        return self._feed.send_messages(self, self.send)

    def _receive(self, content: Any) -> None:
        self._feed.receive(content)


_views: list[CacheView] = []


def cache_view() -> CacheView:
    """Returns this kernel's view, a new one if there is none or it has been closed."""
    _views[:] = [view for view in _views if view.comm is not None] or [CacheView()]
    return _views[0]
