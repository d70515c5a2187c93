"""Static charts of forecasts and their scores: from arrays to SVG, HTML and words."""

from typing import TYPE_CHECKING, Any

from nbforecast.charts.description import describe
from nbforecast.charts.dot_chart import Row, Rows, draw_rows
from nbforecast.charts.fan_data import Band, Density, FanData, history_steps
from nbforecast.charts.fan_svg import render
from nbforecast.charts.html import svg_image
from nbforecast.charts.line_chart import Bars, Dots, Graph, Level, Line, draw_graph

if TYPE_CHECKING:
    from nbforecast.charts.fan_matplotlib import draw, figure

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
    "svg_image",
]


def __getattr__(name: str) -> Any:
    if name in ("draw", "figure"):
        from nbforecast.charts import fan_matplotlib

        return getattr(fan_matplotlib, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
