"""`nbforecast.explore`: from a frame, or from runs, to the widget that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from nbforecast.api import forecast
from nbforecast.errors import OptionError
from nbforecast.jupyter.assets import need_widgets
from nbforecast.live.live import Live
from nbforecast.option_keywords import ExploreKeywords, takes_options
from nbforecast.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data.origins import Index
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.options import Style


@takes_options(ExploreKeywords)
def explore(
    data: Any,
    model: Any = None,
    *,
    index: Index | None = None,
    series: str | None = None,
    style: Style = "bands",
    wait: bool = False,
    **options: Unpack[ExploreKeywords],
) -> Explorer:
    """Shows the forecasts from every origin in a widget: the whole history, and an origin to drag through it.

    The widget's `index`, `series` and `model` follow the page, and move it when they are set. Its `to_html(path)`
    writes a page that needs no kernel.

    Args:
        data: A frame, as for `forecast`, whose forecasts follow in the background; or a run, or a list or dict of
            runs of the same data, which are compared; or live data of `watch`, whose newest origin is followed.
        model: A model as for `forecast`, or a list of models to compare; for a frame only.
        index: The origin that is shown first, by its index (<= 0) or its time, such as "2025-01-31 18:00"; by default
            the newest that can be forecast.
        series: The series of a panel that is shown first; by default the first one.
        style: How forecasts are drawn: as "bands", as "density", as "paths", or as the "total" so far.
        wait: Whether to return only when the forecasts are done; for a frame only.
        **options: Other options of `forecast`, for a frame only: horizon, time, target, id, freq, max_duration,
            origins, every, at, seed, force, exact, calibrate, name.

    Returns:
        The widget.

    Raises:
        OptionError: If the runs are of different data or horizons, or an option is not allowed there.
        MissingExtra: If the notebook extra is not installed.

    Example:
        >>> explorer = nbf.explore(df, ["auto", "naive"], index=-24)
    """
    need_widgets("The explorer")
    from nbforecast.jupyter.widgets.explorer.live_explorer import LiveExplorer
    from nbforecast.jupyter.widgets.explorer.widget import Explorer

    runs = _runs(data)
    if isinstance(data, Live):
        if options or wait or model is not None or index is not None or series is not None:
            raise OptionError("Live data are shown at their newest origin, as nbf.watch forecasts them.")
        return LiveExplorer(data, style=style)
    if runs is None:
        models = model if isinstance(model, (list, tuple)) else [model]
        if not models:
            raise OptionError("model= names at least one model.")
        runs = [forecast(data, one, wait=wait, **options) for one in models]
    elif options or wait or model is not None:
        names = ", ".join([*(["model"] if model is not None else []), *(["wait"] if wait else []), *options])
        raise OptionError(f"{names}= cannot be changed in a run: pass them to nbf.forecast, or explore the frame.")
    return Explorer(runs, index=index, series=series, style=style)


def _runs(data: Any) -> Sequence[Run] | None:
    """The runs in `data`, or None where it is a frame."""
    if isinstance(data, Run):
        return [data]
    if isinstance(data, dict) and all(isinstance(run, Run) for run in data.values()):
        data = list(data.values())
    if not isinstance(data, (list, tuple)) or not any(isinstance(item, Run) for item in data):
        return None
    others = [item for item in data if not isinstance(item, Run)]
    if others:
        raise OptionError(f"A list to explore holds runs only, not {type(others[0]).__name__}.")
    return data
