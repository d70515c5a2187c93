"""One forecast: what a model said as of one origin, and its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast import charts
from nbforecast.deprecation import RenamedAttribute
from nbforecast.errors import OptionError
from nbforecast.postprocessing.conformal import MIN_ERRORS
from nbforecast.scoring.calculations import CALIBRATED_COVERAGES, COVERAGES, densities, quantiles
from nbforecast.scoring.pit import cumulative_probability

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.options import Style
    from nbforecast.run import Run

PICTURE_FORMATS = (".svg", ".png", ".pdf")


class Forecast:
    """The forecast of one origin.

    index: the origin's index (<= 0). time: its time, as the user's data give it. series: the series' id.
    draws: float32 (H, Q), ascending; quantile_levels: the Q probability levels they stand for.
    actual: float64 (H,), what was observed afterwards, NaN where that is not known.
    calibrated: float32 (H, 8), the ends of the calibrated bands, at `CALIBRATED_LEVELS`; NaN where too few past
        errors are known, None where they were not asked for.
    """

    def __init__(
        self,
        data: Dataset,
        row: int,
        draws: Float32[np.ndarray, "H Q"],
        quantile_levels: tuple[float, ...],
        model: str,
        calibrated: Float32[np.ndarray, "H K"] | None = None,
    ) -> None:
        series, self.index = data.locate(row)
        self.series = data.ids[series]
        self.draws = draws
        self.quantile_levels = quantile_levels
        self.model = model
        self.calibrated = calibrated
        self.actual: Float64[np.ndarray, " H"] = data.actuals(np.array([row]), len(draws))[0]
        self._data = data
        self._row = row

    @property
    def time(self) -> dt.datetime | dt.date | int:
        """The origin's time."""
        at: dt.datetime | dt.date | int = self._data.times(self._data.time[[self._row]]).item()
        return at

    @property
    def future(self) -> pl.Series:
        """(H,): the times forecast."""
        return self._data.times(self._data.future_times(np.array([self._row]), len(self.draws))[0])

    @property
    def median(self) -> Float32[np.ndarray, " H"]:
        """(H,): the point forecast."""
        return np.asarray(self.quantile(0.5))

    def quantile(self, q: float | Sequence[float]) -> Float32[np.ndarray, "H *K"]:
        """(H,) for one probability, (H, K) for several; each in (0, 1)."""
        wanted = tuple(float(p) for p in np.atleast_1d(q))
        if not all(0 < p < 1 for p in wanted):
            raise OptionError(f"A quantile's probability lies between 0 and 1, not {q!r}.")
        values = quantiles(self.draws, self.quantile_levels, wanted)
        return values[:, 0] if np.isscalar(q) else values

    def interval(self, coverage: float) -> Float32[np.ndarray, "H 2"]:
        """The central interval of so many per cent: for 50, 80, 90 and 95 % the calibrated one, where there is one."""
        if not 0 < coverage < 100:
            raise OptionError(f"A central interval has a coverage between 0 and 100 %, not {coverage!r}.")
        if self.calibrated is not None and coverage in CALIBRATED_COVERAGES and np.isfinite(self.calibrated).all():
            at = CALIBRATED_COVERAGES.index(int(coverage))
            return self.calibrated[:, [len(CALIBRATED_COVERAGES) - 1 - at, len(CALIBRATED_COVERAGES) + at]]
        tail = (100 - coverage) / 200
        return self.quantile((tail, 1 - tail))

    def below(self, value: float) -> Float64[np.ndarray, " H"]:
        """(H,): the probability of less than a value at every step, as far as draws tell it."""
        return cumulative_probability(self.draws, self.quantile_levels, np.full(len(self.draws), value)).below

    def above(self, value: float) -> Float64[np.ndarray, " H"]:
        """(H,): the probability of more than a value at every step."""
        return 1 - cumulative_probability(self.draws, self.quantile_levels, np.full(len(self.draws), value)).up_to

    def density(self) -> tuple[Float64[np.ndarray, "H G"], Float32[np.ndarray, "H G"]]:
        """Values and the predictive density at them, for every horizon step."""
        found = densities(self.draws[None], 1)
        limits = found.limits[0].astype(np.float64)
        return np.linspace(limits[:, 0], limits[:, 1], found.density.shape[-1], axis=1), found.density[0]

    def plot(self, ax: Any = None, style: Style = "bands") -> Any:
        """Draw with matplotlib, on `ax` or a new figure; returns the axes."""
        return charts.draw_fan_on_axes(self.fan(density=style == "density"), ax, style)

    def fan(self, *, density: bool = False) -> charts.FanData:
        """What a picture of this forecast shows."""
        data, horizon = self._data, len(self.draws)
        first = int(data.offsets[data.position(self.series)])
        shown = slice(max(first, self._row + 1 - charts.history_steps(horizon)), self._row + 1)
        grid = None
        if density:
            values, heights = self.density()
            grid = charts.Density(values[:, 0], values[:, -1], heights)
        zone = getattr(data.time_type, "time_zone", None)
        known = self.series if data.names.id or len(data.ids) > 1 else None
        names = [n for n in (data.names.frame, known) if n]
        return charts.FanData(
            title=" · ".join(names) or data.names.target,
            target="" if data.names.target == "y" else data.names.target,
            model=self.model,
            index=self.index,
            time=data.time[shown],
            values=data.values[shown],
            future=data.future_times(np.array([self._row]), horizon)[0],
            actual=self.actual,
            median=self.median,
            bands=tuple(self._band(c) for c in reversed(COVERAGES)),
            density=grid,
            notes=self._notes(),
            zone=None if data.frequency.wall_clock else zone,
        )

    def _notes(self) -> tuple[str, ...]:
        data = self._data
        notes = [w.label for w in data.warnings if w.series == self.series or len(data.ids) == 1]
        if self.calibrated is not None:
            known = np.isfinite(self.calibrated).all()
            why = f"not calibrated: fewer than {MIN_ERRORS} past errors are known yet"
            notes.insert(0, "bands are calibrated by past errors" if known else f"bands are {why}")
        return tuple(notes)

    def _band(self, coverage: int) -> charts.Band:
        ends = self.interval(coverage)
        return charts.Band(coverage, ends[:, 0], ends[:, 1])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return picture(self.fan(), "bands")

    def __repr__(self) -> str:
        return charts.describe(self.fan())

    levels = RenamedAttribute("quantile_levels")


class Chart:
    """A drawn forecast: shows itself in a notebook, as text elsewhere, and saves itself as SVG, PNG or PDF.

    run: the forecasts of the other origins, which follow in the background.
    """

    def __init__(self, forecast: Forecast, run: Run, style: Style = "bands", notice: str | None = None) -> None:
        fan = forecast.fan(density=style == "density")
        self.forecast = forecast
        self.run = run
        self._fan = replace(fan, notes=(notice, *fan.notes)) if notice else fan
        self._style: Style = style

    def save(self, path: str | Path) -> Path:
        """Write the picture; the format follows the suffix (.svg, .png, .pdf). Returns the path written."""
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in PICTURE_FORMATS:
            known = ", ".join(PICTURE_FORMATS)
            raise OptionError(f"A chart is saved as {known}, not as {target.suffix or target.name!r}.")
        if not target.parent.is_dir():
            raise OptionError(f"There is no folder {str(target.parent)!r} to save {target.name!r} in.")
        if suffix == ".svg":
            target.write_text(charts.draw_fan(self._fan, theme="light", style=self._style), encoding="utf-8")
        else:
            charts.fan_figure(self._fan, self._style).savefig(target, dpi=160, bbox_inches="tight")
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return picture(self._fan, self._style)

    def __repr__(self) -> str:
        return charts.describe(self._fan)


def picture(fan: charts.FanData, style: Style) -> dict[str, str]:
    """A forecast's mime bundle: HTML that survives sanitising, the SVG itself, and a sentence."""
    svg = charts.draw_fan(fan, style=style)
    said = charts.describe(fan)
    return {"text/html": charts.svg_image(svg, said), "image/svg+xml": svg, "text/plain": said}
