"""Charts of forecasts and their scores: from arrays to SVG, HTML, matplotlib and words."""

from typing import TYPE_CHECKING, Any

from nbforecast.charts.description import describe
from nbforecast.charts.dot_chart import DotChart, DotRow, draw_dot_chart
from nbforecast.charts.fan_data import Band, Density, FanData, Strip, history_steps
from nbforecast.charts.fan_svg import draw_fan, fan_mimebundle
from nbforecast.charts.html import svg_image
from nbforecast.charts.line_chart import Area, Bars, Dots, Line, LineChart, ReferenceLine, draw_line_chart
from nbforecast.charts.odd_points import OddPoint
from nbforecast.charts.png import render_png

if TYPE_CHECKING:
    from nbforecast.charts.distribution_matplotlib import draw_distribution_on_axes
    from nbforecast.charts.fan_matplotlib import draw_fan_on_axes, fan_figure

__all__ = [
    "Area",
    "Band",
    "Bars",
    "Density",
    "DotChart",
    "DotRow",
    "Dots",
    "FanData",
    "Line",
    "LineChart",
    "OddPoint",
    "ReferenceLine",
    "Strip",
    "describe",
    "draw_distribution_on_axes",
    "draw_dot_chart",
    "draw_fan",
    "draw_fan_on_axes",
    "draw_line_chart",
    "fan_figure",
    "fan_mimebundle",
    "history_steps",
    "render_png",
    "svg_image",
]


def __getattr__(name: str) -> Any:
    # matplotlib is imported only where it draws
    if name in ("draw_fan_on_axes", "fan_figure"):
        from nbforecast.charts import fan_matplotlib

        return getattr(fan_matplotlib, name)
    if name == "draw_distribution_on_axes":
        from nbforecast.charts import distribution_matplotlib

        return distribution_matplotlib.draw_distribution_on_axes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
