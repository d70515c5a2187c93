"""`nbforecast.explore`: from a frame, or runs, to the widget that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbforecast.api import forecast
from nbforecast.errors import OptionError
from nbforecast.jupyter.assets import need_widgets
from nbforecast.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.options import Style


def explore(
    data: Any,
    model: Any = None,
    *,
    index: int | None = None,
    series: str | None = None,
    style: Style = "bands",
    **options: Any,
) -> Explorer:
    """Look at the forecasts from every origin: a widget with the whole history and an origin to drag.

    data: a frame, as for `forecast`, whose forecasts follow in the background; or a run, or several of the same data,
    which are compared. model: as for `forecast`, or a list of models to be compared. index: the origin shown first (the
    newest that can be forecast, if not said). series: which one of a panel (the first, if not said). style: "bands" or
    "density". The options are those of `forecast`.

    `.index`, `.series` and `.model` follow the page, and move it when they are set; `.to_html(path)` writes a page that
    works by itself.

    Raises `OptionError` where runs are of different data or horizons, `MissingExtra` without the notebook extra.
    """
    need_widgets("The explorer")
    from nbforecast.jupyter.widgets.explorer.widget import Explorer

    given = _runs(data)
    if given is None:
        models = model if isinstance(model, (list, tuple)) else [model]
        if not models:
            raise OptionError("model= names at least one model.")
        given = [forecast(data, m, **options) for m in models]
    elif options or model is not None:
        said = ", ".join([*(["model"] if model is not None else []), *options])
        raise OptionError(f"{said}= cannot be changed in a run: give them to nbf.forecast, or explore the frame.")
    return Explorer(given, index=index, series=series, style=style)


def _runs(data: Any) -> Sequence[Run] | None:
    """The runs in `data`, or None where it is a frame."""
    if isinstance(data, Run):
        return [data]
    if not isinstance(data, (list, tuple)) or not any(isinstance(one, Run) for one in data):
        return None
    odd = [one for one in data if not isinstance(one, Run)]
    if odd:
        raise OptionError(f"A list to explore holds runs only, not {type(odd[0]).__name__}.")
    return data


def comparable(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs, if they can be shown beside each other."""
    if not runs:
        raise OptionError("There is no run to explore.")
    first = runs[0]
    for run in runs[1:]:
        if run.handle != first.handle:
            raise OptionError("Runs that are explored together are of the same data; these have different handles.")
        if run.horizon != first.horizon:
            raise OptionError(
                f"Runs that are explored together have the same horizon, not {first.horizon} and {run.horizon}."
            )
    return tuple(runs)
