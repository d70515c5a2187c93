"""A drawn forecast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbforecast import charts
from nbforecast.errors import OptionError

if TYPE_CHECKING:
    from nbforecast.options import Style
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

PICTURE_FORMATS = (".svg", ".png", ".pdf")


class Chart:
    """A drawn forecast; `nbforecast.quickdraw` returns it. It shows itself in a notebook, and as text elsewhere.

    Attributes:
        forecast: The forecast.
        run: The run with the forecasts from the other origins, which follow in the background.

    Example:
        >>> chart = nbf.quickdraw(df, -24, model="naive")
        >>> chart.forecast.index, chart.run.horizon
        (-24, 12)
    """

    def __init__(self, forecast: Forecast, run: Run, style: Style = "bands", notice: str | None = None) -> None:
        fan = forecast.fan(style)
        self.forecast = forecast
        self.run = run
        self._fan = replace(fan, notes=(notice, *fan.notes)) if notice else fan
        self._style: Style = style

    def save(self, path: str | Path) -> Path:
        """Write the chart to a file.

        Args:
            path: The file; its suffix is the format: .svg, .png or .pdf.

        Returns:
            The path of the file.

        Raises:
            OptionError: The suffix is none of these, or the folder does not exist.
            MissingFont: A PNG is asked for, and the system has no font.
            MissingExtra: A PDF is asked for, and matplotlib is not installed.

        Example:
            >>> nbf.quickdraw(df, -24, model="naive").save(folder / "taxi.png").name
            'taxi.png'
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in PICTURE_FORMATS:
            formats = ", ".join(PICTURE_FORMATS)
            raise OptionError(f"A chart is saved as {formats}, not as {target.suffix or target.name!r}.")
        if not target.parent.is_dir():
            raise OptionError(f"There is no folder {str(target.parent)!r} to save {target.name!r} in.")
        if suffix == ".pdf":
            charts.fan_figure(self._fan, self._style).savefig(target, bbox_inches="tight")
            return target
        svg = charts.draw_fan(self._fan, theme="light", style=self._style)
        target.write_bytes(svg.encode() if suffix == ".svg" else charts.render_png(svg))
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return charts.fan_mimebundle(self._fan, self._style)

    def _mime_(self) -> tuple[str, str]:  # for marimo, which would show all kinds of the bundle in tabs
        return "text/html", self._repr_mimebundle_()["text/html"]

    def __repr__(self) -> str:
        return charts.describe(self._fan)
