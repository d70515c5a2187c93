"""The explorer: a widget that shows the forecast as of any origin of a run."""

from __future__ import annotations

import logging
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from nbforecast.errors import NbForecastError, OptionError
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.interactivity import WITH_STILL
from nbforecast.jupyter.sender import hub, waker
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.base import WidgetBase
from nbforecast.jupyter.widgets.explorer.explore import comparable
from nbforecast.jupyter.widgets.explorer.feed import Feed
from nbforecast.jupyter.widgets.explorer.messages import names_of
from nbforecast.jupyter.widgets.explorer.page import PAGE, make_page, write_page
from nbforecast.jupyter.widgets.explorer.requests import read
from nbforecast.origin_forecast import fan_mimebundle
from nbforecast.session import wait_or_cancel
from nbforecast.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.options import Style
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
_STYLES = ("bands", "density")
_MOVED = ("index", "series", "model", "drawing")


class _Position(traitlets.Int[int, Any]):
    """A position in a list, or what is there by its name."""

    def validate(self, obj: Any, value: Any) -> int:
        number = obj._position(self.name, value) if isinstance(value, str) else value
        position: int = super().validate(obj, number)
        return position


class Explorer(WidgetBase):
    """Shows the forecasts of one or more runs of the same data; made by `nbforecast.explore`.

    index, series, model: the origin (<= 0) and the positions of the series and the run in view; a series and a model
    can be set by name, too. They follow what is done on the page, and move it when they are set. style: "bands" or
    "density".
    """

    _esm = bundle("explorer")
    # the page holds what it has sent; an echo of it would fight with a hand that goes on dragging
    index = traitlets.Int(0).tag(sync=True, echo_update=False)
    series = _Position(0).tag(sync=True, echo_update=False)
    model = _Position(0).tag(sync=True, echo_update=False)
    # not called style: Jupyter takes that for another widget, and fails to show it
    drawing = traitlets.Enum(_STYLES, "bands").tag(sync=True, echo_update=False)

    def __init__(
        self, runs: Sequence[Run], *, index: int | None = None, series: str | None = None, style: Style = "bands"
    ) -> None:
        self._runs = comparable(runs)
        self._data = self._runs[0].data
        if style not in _STYLES:
            raise OptionError(f"style= takes 'bands' or 'density', not {style!r}.")
        at = self._data.position(series)
        if index is None:
            index = self._newest(at)
        self._data.row(index, self._data.ids[at])
        super().__init__(index=index, series=at, drawing=style)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs that can be shown."""
        return self._runs

    @property
    def run(self) -> Run:
        """The run shown."""
        return self._runs[self.model]

    @property
    def style(self) -> Style:
        """How forecasts are drawn: as "bands" or as "density"."""
        return "density" if self.drawing == "density" else "bands"

    @style.setter
    def style(self, style: Style) -> None:
        if style not in _STYLES:
            raise OptionError(f"style= takes 'bands' or 'density', not {style!r}.")
        self.drawing = style

    @property
    def forecast(self) -> Forecast:
        """The forecast shown, inferred now if the background has not come to it.

        Raises `OriginUnavailable` with the reason.
        """
        return self.run.at(self.index, self._data.ids[self.series])

    def to_html(self, path: str | Path) -> Path:
        """Write a page with everything that needs no kernel, which works by itself and offline; returns its path.

        Waits for runs that go on. Of large runs only every so many origins are kept, with a notice.
        """
        for run in self._runs:
            run.wait()
        return write_page(Path(path), self._runs, self._start(), self._picture().get("text/html", ""))

    def serve(self) -> bool:
        """Send what there is to say; called by the hub's thread."""
        for message in self._feed.messages():
            self.send(message.content, list(message.buffers))
        return self._feed.expecting

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page has set, as far as it makes sense."""
        super().set_state({k: v for k, v in sync_data.items() if k not in _MOVED or self._sensible(k, v, sync_data)})

    @cached_property
    def _feed(self) -> Feed:
        me = weakref.ref(self)

        def shown() -> tuple[int, int, int]:
            explorer = me()
            if explorer is None:
                return 0, 0, 0
            length = int(explorer._data.lengths[explorer.series])
            return explorer.series, explorer.model, max(length - 1 + explorer.index, 0)

        return Feed(self._runs, shown, waker(self))

    def _heard(self, content: Any) -> None:
        try:
            request = read(content, self._data.lengths.tolist(), len(self._runs))
        except InvalidMessage as why:
            _log.warning("A message of the explorer's page is ignored, since %s: %.200r", why, content)
            return
        self._feed.ask(request)
        hub.attach(self)

    def _sensible(self, name: str, value: Any, state: dict[str, Any]) -> bool:
        if name == "drawing":
            good = value in _STYLES if isinstance(value, str) else False
        elif isinstance(value, bool) or not isinstance(value, int):
            good = False
        elif name == "index":
            at = state.get("series", self.series)
            known = isinstance(at, int) and 0 <= at < len(self._data.ids)
            good = known and -int(self._data.lengths[at]) < value <= 0
        else:
            good = 0 <= value < len(self._data.ids if name == "series" else self._runs)
        if not good:
            _log.warning("The explorer's page has set %s to %.200r, which is ignored.", name, value)
        return good

    @traitlets.validate("index")
    def _checked_index(self, proposal: Any) -> int:
        self._data.row(proposal["value"], self._data.ids[self.series])
        return int(proposal["value"])

    @traitlets.validate("series", "model")
    def _checked_position(self, proposal: Any) -> int:
        value, name = proposal["value"], proposal["trait"].name
        there = len(self._data.ids if name == "series" else self._runs)
        if not 0 <= value < there:
            raise OptionError(f"{name} is a position from 0 to {there - 1} or a name, not {value!r}.")
        return int(value)

    @traitlets.observe("series")
    def _keep_index(self, _: Any) -> None:
        least = 1 - int(self._data.lengths[self.series])
        if self.index < least:
            self.index = least

    def _position(self, name: str, value: str) -> int:
        if name == "series":
            return self._data.position(value)
        names = names_of(self._runs)
        if value not in names:
            raise OptionError(f"No model here is called {value!r}; there are: {', '.join(names)}.")
        return names.index(value)

    def _newest(self, series: int) -> int:
        """The newest index of a series that can be forecast."""
        start, end = int(self._data.offsets[series]), int(self._data.offsets[series + 1])
        there = np.flatnonzero(self._runs[0].reasons[start:end] == 0)
        return int(there[-1]) - (end - start - 1) if len(there) else 0

    def _start(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _MOVED}

    def _picture(self) -> dict[str, str]:
        """What is shown without a kernel: a picture and a sentence."""
        try:
            return fan_mimebundle(self.forecast.fan(density=self.style == "density"), self.style)
        except NbForecastError as error:
            return {"text/plain": f"{self!r}: {error}"}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        live = self.comm is not None
        if not live:
            for run in self._runs:
                wait_or_cancel(run)
        still = {k: v for k, v in self._picture().items() if k != "image/svg+xml"}
        budget = settings().explorer
        if not live and budget is not None:
            still[PAGE] = make_page(self._runs, self._start(), still.get("text/html", ""), budget)
        views = super()._repr_mimebundle_(**kwargs) if live else None
        data, metadata = views if views is not None else ({}, {})
        return {**data, **still}, {**metadata, **(WITH_STILL if data else {})}

    def __repr__(self) -> str:
        series = f", series {self._data.ids[self.series]!r}" if len(self._data.ids) > 1 else ""
        return f"Explorer({', '.join(names_of(self._runs))}, index {self.index}{series})"
