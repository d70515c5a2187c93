"""The cache view: a widget that shows what is kept and what goes on, live, and takes orders."""

from __future__ import annotations

from typing import Any

from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.sender import waker
from nbforecast.jupyter.widgets.base import WidgetBase
from nbforecast.jupyter.widgets.cache.feed import Feed


class CacheView(WidgetBase):
    """Shows `nbf.cache`, in as many cells as one likes."""

    _esm = bundle("cache")

    def __init__(self) -> None:
        self._feed = Feed(waker(self))
        super().__init__()

    def close(self) -> None:
        """Take the widget off the page."""
        self._feed.close()
        super().close()

    def serve(self) -> bool:
        """Send what there is to say; called by the hub's thread."""
        return self._feed.serve(self, self.send)

    def _heard(self, content: Any) -> None:
        self._feed.hear(content)


_views: list[CacheView] = []


def the_view() -> CacheView:
    """This kernel's view, a new one if there is none or it has been closed."""
    _views[:] = [view for view in _views if view.comm is not None] or [CacheView()]
    return _views[0]
