"""Static charts of forecasts and their scores: from arrays to SVG, HTML and words."""

from typing import TYPE_CHECKING, Any

from nbforecast.chart.data import Band, Density, FanData, history_steps
from nbforecast.chart.graph import Bars, Dots, Graph, Level, Line, draw_graph
from nbforecast.chart.html import to_html
from nbforecast.chart.rows import Row, Rows, draw_rows
from nbforecast.chart.svg import render
from nbforecast.chart.words import describe

if TYPE_CHECKING:
    from nbforecast.chart.plot import draw, figure

__all__ = [
    "Band",
    "Bars",
    "Density",
    "Dots",
    "FanData",
    "Graph",
    "Level",
    "Line",
    "Row",
    "Rows",
    "describe",
    "draw",
    "draw_graph",
    "draw_rows",
    "figure",
    "history_steps",
    "render",
    "to_html",
]


def __getattr__(name: str) -> Any:
    if name in ("draw", "figure"):
        from nbforecast.chart import plot

        return getattr(plot, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
