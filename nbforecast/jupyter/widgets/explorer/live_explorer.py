"""The explorer of live data, which follows their newest origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.jupyter.sender import comm_sender, wake_callback
from nbforecast.jupyter.widgets.explorer.live_feed import LiveFeed
from nbforecast.jupyter.widgets.explorer.widget import Explorer

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.live.live import Live
    from nbforecast.options import ExplorerStyle
    from nbforecast.run import Run


class LiveExplorer(Explorer):
    """Shows live data: a page that is at the newest origin follows it, and one that is elsewhere stays there.

    Args:
        live: The live data, of which rows have come.
        style: How forecasts are drawn, as for `Explorer`.
    """

    def __init__(self, live: Live, *, style: ExplorerStyle = "bands") -> None:
        self._live = live
        self._has_page = False
        super().__init__([live.run], style=style)
        live.listen(self)

    def notify(self) -> None:
        """Have new rows sent at once; called in the thread that looks at the source."""
        if self._has_page:
            comm_sender.attach(self)
        else:
            self._take_run()

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        self._has_page = True
        for message in self._live_feed.advance(self._take_run()):
            self.send(message.content, list(message.buffers))
        return super().send_messages()

    def _take_run(self) -> Run:
        """The newest run, which is the explorer's from now on; its index stays with its origin, 0 with the newest."""
        run, before = self._live.run, self._data
        if run.data is before:
            return run
        self._runs, self._data = (run,), run.data
        if not self._has_page and self.index and before.ids == run.data.ids:  # a page moves it by itself
            length = int(run.data.lengths[self.series])
            self.index = max(1 - length, min(0, self.index - length + int(before.lengths[self.series])))
        return run

    @property
    def _live_feed(self) -> LiveFeed:
        feed = self._feed
        assert isinstance(feed, LiveFeed)
        return feed

    def _new_feed(self, view: Callable[[], tuple[int, int, int]]) -> LiveFeed:
        return LiveFeed(self._live, self.run, view, wake_callback(self))
