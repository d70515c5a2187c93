"""The explorer's widget: the forecast from any origin of a run, or of several."""

from __future__ import annotations

import logging
import reprlib
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from nbforecast.charts import fan_mimebundle
from nbforecast.data.origins import Index, find_row
from nbforecast.errors import NbForecastError, OptionError
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.interactivity import WITH_STILL
from nbforecast.jupyter.sender import comm_sender, wake_callback
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.base import WidgetBase
from nbforecast.jupyter.widgets.explorer.encoding import model_names
from nbforecast.jupyter.widgets.explorer.feed import ExplorerFeed
from nbforecast.jupyter.widgets.explorer.messages import read_request
from nbforecast.jupyter.widgets.explorer.page import PAGE, make_page, write_page
from nbforecast.options import EXPLORER_STYLES, check_style
from nbforecast.safe_text import escape_controls
from nbforecast.session import wait_or_cancel
from nbforecast.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from nbforecast.options import ExplorerStyle, Style
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
_PAGE_TRAITS = ("index", "series", "model", "compare", "window", "selected", "drawing")
MAX_COMPARED = 5  # models that are drawn over the one in view


class _Position(traitlets.Int[int, Any]):
    """A position in a list; names are taken, too."""

    def validate(self, obj: Any, value: Any) -> int:
        number = obj._position(self.name, value) if isinstance(value, str) else value
        position: int = super().validate(obj, number)
        return position


class _Index(traitlets.Int[int, Any]):
    """An index; a time is taken, too."""

    def validate(self, obj: Any, value: Any) -> int:
        index: int = super().validate(obj, obj._find_index(value) if not isinstance(value, int) else value)
        return index


if TYPE_CHECKING:
    _IntList = traitlets.TraitType[list[int], Any]  # reads integers, takes names and times, too


class _Models(traitlets.List[int]):
    """Positions of models; names are taken, too."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        names = [] if value is None else [value] if isinstance(value, (str, int)) else list(value)
        return super().validate(obj, [obj._position("model", v) if isinstance(v, str) else v for v in names]) or []


class _Span(traitlets.List[int]):
    """The first and the last index of a stretch, or nothing; times are taken, too."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        ends = [] if value is None else list(value)
        if len(ends) not in (0, 2):
            raise OptionError(f"{self.name} has a first and a last index or time, not {reprlib.repr(value)}.")
        ends = [end if isinstance(end, int) else obj._find_index(end) for end in ends]
        return super().validate(obj, sorted(ends)) or []


class Explorer(WidgetBase):
    """Shows the forecasts of one or more runs of the same data; `nbforecast.explore` makes it.

    The traits follow the page, and move it when they are set.

    Args:
        runs: The runs, of the same data and horizon.
        index: The origin that is shown first, an index or a time; by default the newest that can be forecast.
        series: The name of the series that is shown first; by default the first one.
        style: How forecasts are drawn: as "bands", as "density", as "paths", or as the "total" so far.

    Attributes:
        index: The origin in view (<= 0; the newest is 0); a time can be set, too.
        series: The position of the series in view; a name can be set, too.
        model: The position of the run in view; the name of its model can be set, too.
        compare: The positions of the runs that are drawn over the one in view, at most 5; names of models, or one name,
            can be set, too.
        window: The first and the last index in view, which may lie beyond the newest; empty for as much as at first.
            Times can be set, too.
        selected: The first and the last index of the origins that are selected on the page; empty for none. Times can
            be set, too.
        drawing: The style, as the page has it.

    Example:
        >>> explorer = nbf.explore(run)
        >>> explorer.index = -24  # the page follows, and moves it
        >>> explorer.forecast.index
        -24
    """

    _esm = bundle("explorer")
    # Without an echo, which would pull back an origin that is being dragged.
    index = _Index(0).tag(sync=True, echo_update=False)
    series = _Position(0).tag(sync=True, echo_update=False)
    model = _Position(0).tag(sync=True, echo_update=False)
    compare: _IntList = _Models(traitlets.Int()).tag(sync=True, echo_update=False)
    window: _IntList = _Span(traitlets.Int()).tag(sync=True, echo_update=False)
    selected: _IntList = _Span(traitlets.Int()).tag(sync=True, echo_update=False)
    # Not called style: Jupyter takes that for another widget, and fails to show it.
    drawing = traitlets.Enum(EXPLORER_STYLES, "bands").tag(sync=True, echo_update=False)

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        index: Index | None = None,
        series: str | None = None,
        style: ExplorerStyle = "bands",
    ) -> None:
        self._runs = _comparable(runs)
        self._data = self._runs[0].data
        check_style(style, EXPLORER_STYLES)
        position = self._data.position(series)
        if index is None:
            index = self._newest_index(position)
        index = self._data.locate(find_row(self._data, index, self._data.ids[position]))[1]
        super().__init__(index=index, series=position, drawing=style)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that can be shown."""
        return self._runs

    @property
    def run(self) -> Run:
        """The run in view."""
        return self._runs[self.model]

    @property
    def style(self) -> ExplorerStyle:
        """How forecasts are drawn: as "bands", as "density", as "paths", or as the "total" so far."""
        style: ExplorerStyle = self.drawing
        return style

    @style.setter
    def style(self, style: ExplorerStyle) -> None:
        check_style(style, EXPLORER_STYLES)
        self.drawing = style

    @property
    def forecast(self) -> Forecast:
        """The forecast in view; it is inferred now if its run has not come to it.

        Raises:
            OriginUnavailable: If the origin has no forecast; the text has the reason.
        """
        return self.run.at(self.index, self._data.ids[self.series])

    @property
    def selection(self) -> pl.DataFrame:
        """The results of the run in view from the origins that are selected, as rows of its Result DataFrame.

        A drag in the strip of scores selects origins, and so does a pair of indices or times that is set. The frame is
        empty where none are selected.

        Example:
            >>> explorer.selection = (-30, -1)  # or ("2025-01-30", "2025-01-31 18:00")
            >>> explorer.selection.height
            30
        """
        first, end = int(self._data.offsets[self.series]), int(self._data.offsets[self.series + 1])
        rows = [max(first, end - 1 + index) for index in self.selected] or [end, first]
        ends = np.searchsorted(self.run.rows, [rows[0], rows[1] + 1])
        return self.run.frame_part(slice(int(ends[0]), max(int(ends[1]), int(ends[0]))))

    @selection.setter
    def selection(self, ends: Sequence[Index] | None) -> None:
        self.selected = ends

    def to_html(self, path: str | Path) -> Path:
        """Writes one page that needs no kernel and works offline.

        The runs are waited for. A large run is thinned to one origin in so many, and the page says so.

        Args:
            path: The file to write.

        Returns:
            The path.

        Raises:
            OptionError: If the folder does not exist.

        Example:
            >>> explorer.to_html(folder / "look.html").name
            'look.html'
        """
        for run in self._runs:
            run.wait()
        return write_page(Path(path), self._runs, self._page_traits(), self._picture().get("text/html", ""))

    def send_messages(self) -> bool:
        """Sends the messages that are due; returns whether more are due soon."""
        for message in self._feed.messages():
            self.send(message.content, list(message.buffers))
        return self._feed.expects_more

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Takes the traits that a page has set, as far as they are valid; of others the page gets the present value."""
        series = sync_data.get("series")
        series = series if self._is_position(series, len(self._data.ids)) else self.series
        refused = [
            name
            for name, value in sync_data.items()
            if name in _PAGE_TRAITS and not self._is_valid(name, value, int(self._data.lengths[series]))
        ]
        if "index" in sync_data:
            self.run.ease()
        super().set_state({name: value for name, value in sync_data.items() if name not in refused})
        for name in refused:
            _log.warning("A page has set %s to %s, which is ignored.", name, reprlib.repr(sync_data[name]))
        if refused:
            self.send_state(refused)

    @cached_property
    def _feed(self) -> ExplorerFeed:
        ref = weakref.ref(self)

        def view() -> tuple[int, int, int]:
            explorer = ref()
            if explorer is None:
                return 0, 0, 0
            length = int(explorer._data.lengths[explorer.series])
            return explorer.series, explorer.model, max(length - 1 + explorer.index, 0)

        return self._new_feed(view)

    def _new_feed(self, view: Callable[[], tuple[int, int, int]]) -> ExplorerFeed:
        """What turns runs into messages; `view` returns the positions of series and model, and the row, in view."""
        return ExplorerFeed(self._runs, view, wake_callback(self))

    def _receive(self, content: Any) -> None:
        try:
            request = read_request(content, self._data.lengths.tolist(), len(self._runs))
        except InvalidMessage as error:
            _log.warning("A message of the explorer's page is ignored: %s: %s", error, reprlib.repr(content))
            self._feed.refuse(f"A message of the page is refused: {error}")
            return
        self._feed.add_request(request)
        comm_sender.attach(self)

    def _is_valid(self, name: str, value: Any, length: int) -> bool:
        """Whether a trait may have a value; `length` is that of the series that will be in view."""
        if name == "drawing":
            return isinstance(value, str) and value in EXPLORER_STYLES
        if name == "compare":
            return isinstance(value, list) and all(self._is_position(v, len(self._runs)) for v in value)
        if name in ("window", "selected"):
            return isinstance(value, list) and len(value) in (0, 2) and all(type(v) is int for v in value)
        if name == "index":
            return isinstance(value, int) and not isinstance(value, bool) and -length < value <= 0
        return self._is_position(value, len(self._data.ids if name == "series" else self._runs))

    def _is_position(self, value: Any, count: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count

    @traitlets.validate("index")
    def _validate_index(self, proposal: Any) -> int:
        self._data.row(proposal["value"], self._data.ids[self.series])
        return int(proposal["value"])

    @traitlets.validate("series", "model")
    def _validate_position(self, proposal: Any) -> int:
        value, name = proposal["value"], proposal["trait"].name
        count = len(self._data.ids if name == "series" else self._runs)
        if not 0 <= value < count:
            raise OptionError(f"{name} is a position from 0 to {count - 1} or a name, not {value!r}.")
        return int(value)

    @traitlets.validate("compare")
    def _validate_compare(self, proposal: Any) -> list[int]:
        value = list(dict.fromkeys(proposal["value"]))
        if not all(0 <= position < len(self._runs) for position in value):
            raise OptionError(f"compare has positions from 0 to {len(self._runs) - 1} or names, not {value!r}.")
        if len(value) > MAX_COMPARED:
            raise OptionError(f"compare has at most {MAX_COMPARED} models, not {len(value)}.")
        return value

    @traitlets.observe("series")
    def _limit_index(self, _: Any) -> None:
        least = 1 - int(self._data.lengths[self.series])
        if self.index < least:
            self.index = least

    def _position(self, name: str, value: str) -> int:
        if name == "series":
            return self._data.position(value)
        names = model_names(self._runs)
        if value not in names:
            raise OptionError(f"No model here is called {value!r}; there are: {', '.join(names)}.")
        return names.index(value)

    def _find_index(self, time: Any) -> int:
        """The index of an origin of the series in view that is named by its time."""
        return self._data.locate(find_row(self._data, time, self._data.ids[self.series]))[1]

    def _newest_index(self, series: int) -> int:
        """The newest index of a series that can be forecast."""
        start, end = int(self._data.offsets[series]), int(self._data.offsets[series + 1])
        rows = self._runs[0].rows
        rows = rows[(rows >= start) & (rows < end)]
        rows = rows[self._runs[0].reasons[rows] == 0]
        return int(rows[-1]) - (end - 1) if len(rows) else 0

    def _page_traits(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PAGE_TRAITS}

    def _picture(self) -> dict[str, str]:
        """A picture and a sentence, for where there is no kernel."""
        try:
            style: Style = "bands" if self.style == "total" else self.style
            return fan_mimebundle(self.forecast.fan(style), style)
        except NbForecastError as error:
            return {"text/plain": f"{self!r}: {error}"}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        is_live = self.comm is not None
        if not is_live:
            for run in self._runs:
                wait_or_cancel(run)
        still = {k: v for k, v in self._picture().items() if k != "image/svg+xml"}
        budget = settings().explorer
        if not is_live and budget is not None:
            still[PAGE] = make_page(self._runs, self._page_traits(), still.get("text/html", ""), budget)
        views = super()._repr_mimebundle_(**kwargs) if is_live else None
        data, metadata = views if views is not None else ({}, {})
        return {**data, **still}, {**metadata, **(WITH_STILL if data else {})}

    def __repr__(self) -> str:
        series = f", series {self._data.ids[self.series]!r}" if len(self._data.ids) > 1 else ""
        return f"Explorer({escape_controls(', '.join(model_names(self._runs)))}, index {self.index}{series})"


def _comparable(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs, if they can be shown beside each other."""
    if not runs:
        raise OptionError("There is no run to explore.")
    first = runs[0]
    for run in runs[1:]:
        if run.data.handle != first.data.handle:
            raise OptionError("Runs that are explored together are of the same data; these have different handles.")
        if run.horizon != first.horizon:
            raise OptionError(
                f"Runs that are explored together have the same horizon, not {first.horizon} and {run.horizon}."
            )
    return tuple(runs)
