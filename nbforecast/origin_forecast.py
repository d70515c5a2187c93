"""The forecast as of one origin."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast import charts
from nbforecast.checks import check_coverages, check_limit, check_probabilities, is_integer
from nbforecast.data.covariate_strips import covariate_strips
from nbforecast.data.span import horizon_part
from nbforecast.deprecation import RenamedAttribute
from nbforecast.errors import OptionError, OriginUnavailable
from nbforecast.forecasters.bounded import Bounds
from nbforecast.joint.distributions import distribution_of, distribution_of_steps
from nbforecast.postprocessing.conformal import MIN_ERRORS
from nbforecast.postprocessing.path_statistics import first_above, time_above
from nbforecast.postprocessing.rank_templates import PATHS
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, COVERAGES, densities, quantiles
from nbforecast.scoring.pit import CumulativeProbability, cumulative_probability
from nbforecast.text import number

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.joint.forecasts import Dependence, JointPaths
    from nbforecast.joint.path_distribution import PathDistribution
    from nbforecast.options import Style
    from nbforecast.postprocessing.path_statistics import Name, Statistic

    Steps = int | str | dt.timedelta | slice | None

MAX_PATHS = 100_000


class Forecast:
    """The forecast as of one origin; `Run.at` returns it. It shows itself as a chart in a notebook.

    Attributes:
        index: Index of the origin, 0 for the last data point, negative before it.
        series: Id of the series.
        model: Name of the model.
        draws: float32 (H, Q), ascending for every step. They are the model's quantiles, or its samples in order: in
            both cases draw q is the quantile at `quantile_levels[q]`. Calibration does not change them.
        quantile_levels: The Q probability levels of the draws, ascending.
        actual: float64 (H,), the values observed after the origin; NaN where they are unknown.
        calibrated: float32 (H, 8), the ends of the calibrated intervals at 2.5, 5, 10, 25, 75, 90, 95 and 97.5 %; NaN
            where too few past errors are known. None if the run does not calibrate.
        is_from_longer_history: Whether the cache made the forecast from a longer history than the run's.

    Example:
        >>> forecast = nbf.quickdraw(df, -24, model="naive").forecast
        >>> forecast.interval(80).shape, forecast.above(20_000).shape
        ((12, 2), (12,))
        >>> forecast.maximum().interval(80), forecast.mean("6h").median, forecast.minimum().quantile(0.1)  # joint
        >>> forecast.any_above(25_000, "6h"), forecast.any_below(5_000), forecast.time_above(20_000).median
        >>> values, density = forecast.density()
        >>> forecast.below(10_000)  # by step
        >>> axes = forecast.plot(style="paths")
    """

    def __init__(
        self,
        data: Dataset,
        row: int,
        draws: Float32[np.ndarray, "H Q"],
        quantile_levels: tuple[float, ...],
        model: str,
        calibrated: Float32[np.ndarray, "H K"] | None = None,
        is_from_longer_history: bool = False,
        joint: JointPaths | None = None,
        bounds: Bounds | None = None,
        odd: Callable[[slice], tuple[charts.OddPoint, ...]] | None = None,
    ) -> None:
        self._series_position, self.index = data.locate(row)
        self.series = data.ids[self._series_position]
        self.draws = draws
        self.quantile_levels = quantile_levels
        self.model = model
        self.calibrated = calibrated
        self.is_from_longer_history = is_from_longer_history
        self.actual: Float64[np.ndarray, " H"] = data.actuals(np.array([row]), len(draws))[0]
        self._data = data
        self._row = row
        self._joint = joint
        self._bounds = bounds or Bounds()
        self._odd = odd

    @property
    def time(self) -> dt.datetime | dt.date | int:
        """Time of the origin, of the type that the times of the data have."""
        time: dt.datetime | dt.date | int = self._data.times(self._data.time[[self._row]]).item()
        return time

    @property
    def future(self) -> pl.Series:
        """The H times that are forecast."""
        return self._data.times(self._data.future_times(np.array([self._row]), len(self.draws))[0])

    @property
    def median(self) -> Float32[np.ndarray, " H"]:
        """The point forecast, (H,)."""
        return np.asarray(self.quantile(0.5))

    def quantile(self, q: float | Sequence[float]) -> Float32[np.ndarray, "H *K"]:
        """Quantiles of the forecast.

        Args:
            q: One probability, or K of them, each between 0 and 1: 0.95 for the 95 % quantile.

        Returns:
            float32 (H,) for one probability, (H, K) for several, in the unit of the data.

        Raises:
            OptionError: A probability is not between 0 and 1.

        Example:
            >>> forecast.quantile([0.1, 0.9]).shape
            (12, 2)
        """
        is_one = np.ndim(q) == 0
        probabilities = [q] if is_one else list(q)  # type: ignore[arg-type]
        check_probabilities(probabilities, "quantile()")
        values = quantiles(self.draws, self.quantile_levels, tuple(map(float, probabilities)))  # type: ignore[arg-type]
        values = np.clip(values, np.float32(self._bounds.minimum), np.float32(self._bounds.maximum))
        return values[:, 0] if is_one else values

    def interval(self, coverage: float) -> Float32[np.ndarray, "H 2"]:
        """A central prediction interval.

        Args:
            coverage: Coverage in per cent, above 1 and below 100: 80 for the 80 % interval.

        Returns:
            float32 (H, 2), lower and upper ends in the unit of the data. At 50, 80, 90 and 95 % they are calibrated if
            the run calibrates and enough past errors are known.

        Raises:
            OptionError: The coverage is not between 1 and 100: a share such as 0.8 is not taken for 0.8 %.
        """
        check_coverages([coverage], "interval()")
        if self.calibrated is not None and coverage in CALIBRATED_COVERAGES and np.isfinite(self.calibrated).all():
            rank = CALIBRATED_COVERAGES.index(int(coverage))
            return self.calibrated[:, [len(CALIBRATED_COVERAGES) - 1 - rank, len(CALIBRATED_COVERAGES) + rank]]
        tail = (100 - coverage) / 200
        return self.quantile((tail, 1 - tail))

    def below(self, value: float) -> Float64[np.ndarray, " H"]:
        """The probability of a value below a limit, for every step.

        Args:
            value: The limit, in the unit of the data.

        Returns:
            float64 (H,), between 0 and 1.
        """
        return self._cumulative(check_limit(value, "below()")).below

    def above(self, value: float) -> Float64[np.ndarray, " H"]:
        """The probability of a value above a limit, for every step.

        Args:
            value: The limit, in the unit of the data.

        Returns:
            float64 (H,), between 0 and 1.
        """
        return 1 - self._cumulative(check_limit(value, "above()")).up_to

    def paths(self, n: int = PATHS, *, calibrate: bool = False) -> Float32[np.ndarray, "n H"]:
        """Joint paths of all steps: sums, extremes and events of them have the distribution of those to come.

        At each step the values are n quantiles of the forecast. Their order is that of past outcomes within their
        forecasts, so that a path is high or low for as long as past errors were. The same forecast has the same paths.

        Args:
            n: The number of paths.
            calibrate: Whether the values are quantiles of the calibrated intervals of each step, where there are some.
                Intervals of sums and extremes are better calibrated as such, with `total(calibrate=True)` and so on:
                bands of steps that are widened one by one make too wide sums and too high peaks.

        Returns:
            float32 (n, H), in the unit of the data.

        Raises:
            OptionError: `n` is no number from 1 to 100,000.

        Example:
            >>> (forecast.paths().max(axis=1) > 20_000).mean()  # the probability of a peak above 20,000
        """
        if not is_integer(n) or not 1 <= n <= MAX_PATHS:
            raise OptionError(f"paths() takes a number of paths from 1 to {MAX_PATHS:,}, not {n!r}.")
        bands = self.calibrated[None] if calibrate and self.calibrated is not None else None
        return self._joint_forecasts.paths(np.array([self._row]), n, self.draws[None], bands)[0]

    @property
    def dependence(self) -> Dependence:
        """What the dependence between the steps of `paths` rests on."""
        return self._joint_forecasts.order(np.array([self._row]))[1][0]

    def total(self, steps: Steps = None, *, calibrate: bool | None = None) -> PathDistribution:
        """The sum over the horizon or a part of it.

        Args:
            steps: The first steps, as a number or a span such as "7d"; a slice for a later part: `slice(12, 24)` and
                `slice("12h", "24h")` are the steps 13 to 24. None is the whole horizon.
            calibrate: Whether past errors of the same number move its quantiles, where at least 40 are known; None does
                as the run does.

        Returns:
            The distribution.

        Raises:
            OptionError: `steps` is no part of the horizon.

        Example:
            >>> forecast.total("12h").interval(80)
        """
        return self._distribution("total", steps, calibrate)

    def mean(self, steps: Steps = None, *, calibrate: bool | None = None) -> PathDistribution:
        """The mean over the horizon or a part of it; `total` describes the arguments."""
        return self._distribution("mean", steps, calibrate)

    def maximum(self, steps: Steps = None, *, calibrate: bool | None = None) -> PathDistribution:
        """The largest value in the horizon or a part of it; `total` describes the arguments."""
        return self._distribution("maximum", steps, calibrate)

    def minimum(self, steps: Steps = None, *, calibrate: bool | None = None) -> PathDistribution:
        """The smallest value in the horizon or a part of it; `total` describes the arguments."""
        return self._distribution("minimum", steps, calibrate)

    def any_above(self, value: float, steps: Steps = None, *, calibrate: bool | None = None) -> float:
        """The probability of a value above a limit at any of the steps.

        Args:
            value: The limit, in the unit of the data.
            steps: See `total`.
            calibrate: See `total`.

        Returns:
            A probability from 0 to 1. `above` has it for each step by itself.
        """
        limit = check_limit(value, "any_above()")
        return self.maximum(steps, calibrate=calibrate).probability(above=limit)

    def any_below(self, value: float, steps: Steps = None, *, calibrate: bool | None = None) -> float:
        """The probability of a value below a limit at any of the steps; `any_above` describes the arguments."""
        limit = check_limit(value, "any_below()")
        return self.minimum(steps, calibrate=calibrate).probability(below=limit)

    def first_above(self, value: float, steps: Steps = None) -> PathDistribution:
        """The first step at which a value is above a limit, counted from 1 at the origin; infinite if there is none.

        Args:
            value: The limit, in the unit of the data.
            steps: See `total`; the steps are counted from the first of them.

        Example:
            >>> forecast.first_above(20_000).probability(up_to=6)
        """
        limit = check_limit(value, "first_above()")
        return self._count_distribution("first step", partial(first_above, limit=limit), limit, steps)

    def time_above(self, value: float, steps: Steps = None) -> PathDistribution:
        """The number of steps at which the value is above a limit.

        Args:
            value: The limit, in the unit of the data.
            steps: See `total`.
        """
        limit = check_limit(value, "time_above()")
        return self._count_distribution("number of steps", partial(time_above, limit=limit), limit, steps)

    def density(self) -> tuple[Float64[np.ndarray, "H G"], Float32[np.ndarray, "H G"]]:
        """The predictive density, a Gaussian kernel estimate from the draws.

        Returns:
            G values for every step, float64 (H, G), in the unit of the data, and the densities at them, float32 (H, G).
        """
        estimate = densities(self.draws[None], 1)
        limits = estimate.limits[0].astype(np.float64)
        return np.linspace(limits[:, 0], limits[:, 1], estimate.density.shape[-1], axis=1), estimate.density[0]

    def plot(self, ax: Any = None, style: Style = "bands") -> Any:
        """Draw the forecast with matplotlib.

        Args:
            ax: Axes to draw on; None makes a figure.
            style: "bands" for prediction intervals, "density" for densities, "paths" for some joint paths.

        Returns:
            The matplotlib axes.
        """
        return charts.draw_fan_on_axes(self.fan(style), ax, style)

    def fan(self, style: Style = "bands") -> charts.FanData:
        """What a fan chart of the forecast shows in a style."""
        data, horizon = self._data, len(self.draws)
        first = int(data.offsets[self._series_position])
        history = slice(max(first, self._row + 1 - charts.history_steps(horizon)), self._row + 1)
        curves = None
        if style == "density":
            values, heights = self.density()
            curves = charts.Density(values[:, 0], values[:, -1], heights)
        zone = getattr(data.time_type, "time_zone", None)
        series = self.series if data.names.id or len(data.ids) > 1 else None
        names = [n for n in (data.names.frame, series) if n]
        return charts.FanData(
            title=" · ".join(names) or data.names.target,
            target="" if data.names.target == "y" else data.names.target,
            model=self.model,
            index=self.index,
            time=data.time[history],
            values=data.values[history],
            future=data.future_times(np.array([self._row]), horizon)[0],
            actual=self.actual,
            median=self.median,
            bands=tuple(self._band(c) for c in reversed(COVERAGES)),
            density=curves,
            paths=self.paths() if style == "paths" else None,
            notes=self._notes(str(self.dependence) if style == "paths" else ""),
            zone=None if data.frequency.wall_clock else zone,
            slot=data.frequency.slot,
            strips=self._strips(history, horizon),
            odd=self._odd(history) if self._odd else (),
        )

    def _strips(self, history: slice, horizon: int) -> tuple[charts.Strip, ...]:
        """The covariates beside the history and the forecast; after the origin those known ahead only."""
        data = self._data
        first = int(data.offsets[self._series_position])
        rows = slice(history.start - first, history.stop - first + horizon)
        strips = []
        for strip in covariate_strips(data, self._series_position, horizon):
            values = strip.values[rows].copy()
            if not strip.is_ahead:
                values[-horizon:] = np.nan
            strips.append(charts.Strip(strip.name, strip.labels, strip.is_ahead, values, strip.low, strip.high))
        return tuple(strips)

    @property
    def _joint_forecasts(self) -> JointPaths:
        if self._joint is None:
            raise OriginUnavailable("This forecast has no past ones to make joint paths from: ask a run for it.")
        return self._joint

    def _distribution(self, name: Name, steps: Steps, calibrate: bool | None) -> PathDistribution:
        part = horizon_part(steps, len(self.draws), self._data.frequency)
        return distribution_of(self._joint_forecasts, self._row, self.paths(), name, part, self._bounds, calibrate)

    def _count_distribution(self, name: str, of: Statistic, value: float, steps: Steps) -> PathDistribution:
        part = horizon_part(steps, len(self.draws), self._data.frequency)
        title = f"{name} above {number(value)}"
        return distribution_of_steps(self._joint_forecasts, self._row, self.paths(), title, of, part)

    def _cumulative(self, value: float) -> CumulativeProbability:
        below, up_to = cumulative_probability(self.draws, self.quantile_levels, np.full(len(self.draws), float(value)))
        is_unknown = np.isnan(below)
        below = np.where(is_unknown | (value > self._bounds.minimum), below, 0.0)
        return CumulativeProbability(below, np.where(is_unknown | (value < self._bounds.maximum), up_to, 1.0))

    def _notes(self, dependence: str) -> tuple[str, ...]:
        data = self._data
        notes = [w.label for w in data.warnings if w.series == self.series or len(data.ids) == 1]
        if self.calibrated is not None:
            notes.insert(
                0,
                "bands are calibrated by past errors"
                if np.isfinite(self.calibrated).all()
                else f"bands are not calibrated: fewer than {MIN_ERRORS} past errors are known yet",
            )
        if self.is_from_longer_history:
            notes.insert(0, "from a longer history")
        return tuple([dependence, *notes] if dependence else notes)

    def _band(self, coverage: int) -> charts.Band:
        ends = self.interval(coverage)
        return charts.Band(coverage, ends[:, 0], ends[:, 1])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return charts.fan_mimebundle(self.fan(), "bands")

    def _mime_(self) -> tuple[str, str]:  # for marimo, which would show all kinds of the bundle in tabs
        return "text/html", self._repr_mimebundle_()["text/html"]

    def __repr__(self) -> str:
        return charts.describe(self.fan())

    levels = RenamedAttribute("quantile_levels")
