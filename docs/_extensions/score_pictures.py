"""Draws the pictures of the glossary with the charts of nbforecast, from one small run, in both themes.

A page shows one with the directive `score-picture`, whose argument is a name of `PICTURES`.
"""

from __future__ import annotations

import html
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from docutils import nodes
from docutils.parsers.rst import Directive
from scipy.stats import norm

import nbforecast as nbf
from nbforecast.charts import (
    Area,
    Bars,
    DotChart,
    DotRow,
    Dots,
    FanData,
    Line,
    LineChart,
    ReferenceLine,
    draw_dot_chart,
    draw_fan,
    draw_line_chart,
)
from nbforecast.scoring.path_scores import energy_scores, variogram_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx

_WIDTH, _HEIGHT = 640, 240
_HOME_WIDTH = 832  # of the picture on the first page
_PATHS = 12  # that a picture of a hundred shows
_INDEX = -30  # of the origin that most pictures show
_NAME = "taxi passengers, thousands"
_THEMES = ("light", "dark")


class Example:
    """Runs of `naive` on a month of taxi passengers, in thousands, horizon 12."""

    def __init__(self) -> None:
        self._taxi = nbf.sample("taxi").tail(800).with_columns(pl.col("y") / 1000)

    def _forecast(self, **options: Any) -> nbf.Run:
        return nbf.forecast(self._taxi, "naive", 12, name=_NAME, minimum=0, wait=True, **options)

    @cached_property
    def run(self) -> nbf.Run:
        """The run, as forecast."""
        return self._forecast()

    @cached_property
    def calibrated(self) -> nbf.Run:
        """The run with calibrated bands."""
        return self._forecast(calibrate=True)

    @cached_property
    def day(self) -> nbf.Forecast:
        """The network's forecast of a day from the same origin, learned and calibrated."""
        taxi = nbf.sample("taxi").with_columns(pl.col("y") / 1000)
        run = nbf.forecast(taxi, horizon=24, name=_NAME, minimum=0, learn=True, calibrate=True, wait=True)
        return run.at(_INDEX)

    @cached_property
    def forecast(self) -> nbf.Forecast:
        """The forecast that most pictures show."""
        return self.run.at(_INDEX)

    def fan(self, **changes: Any) -> FanData:
        """The forecast as a chart, with some parts changed."""
        return replace(self.forecast.fan(), notes=(), **changes)


def _lines(title: str, marks: tuple[Any, ...], alt: str, **more: Any) -> LineChart:
    return LineChart(title, marks, alt, width=more.pop("width", _WIDTH), height=more.pop("height", _HEIGHT), **more)


def _origin(example: Example) -> Any:
    return example.fan(bands=(), median=np.full(12, np.nan))


def _context(example: Example) -> Any:
    fan = example.fan()
    steps = np.arange(-len(fan.time) + 1, 1)
    ahead = np.arange(1, 13)
    marks = (
        Area(steps, np.full(len(steps), np.nanmax(fan.values) * 1.02), np.zeros(len(steps)), 0),
        Line(steps, fan.values, "", "history"),
        Line(ahead, fan.median, "forecast"),
        Dots(ahead, fan.actual, kind="ring"),
        Dots(np.array([0]), fan.values[-1:], ("origin",)),
    )
    alt = "The shaded context ends at the origin; twelve steps of horizon follow it."
    return _lines("Context and horizon", marks, alt, x_label="steps from the origin; shaded: the context", floor=0.0)


def _quantile(example: Example) -> Any:
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    steps = np.arange(1, 13)
    marks = tuple(
        Line(steps, example.forecast.quantile(level), f"{level:.0%}", "model" if level == 0.5 else "other")
        for level in levels
    )
    alt = "Five quantiles of a forecast over twelve steps, which widen with the distance."
    return _lines("Quantiles of one forecast", marks, alt, x_label="steps ahead", unit="thousand passengers")


def _day(example: Example) -> Any:
    return replace(example.day.fan(), notes=())


def _band(example: Example) -> Any:
    return example.fan()


def _density(example: Example) -> Any:
    return example.forecast.fan("density"), "density"


def _paths(example: Example) -> Any:
    return example.forecast.fan("paths"), "paths"


def _absolute_error(example: Example) -> Any:
    steps, median, actual = np.arange(1, 13), example.forecast.median, example.forecast.actual
    marks = (
        Area(steps, np.maximum(median, actual), np.minimum(median, actual), 0),
        Line(steps, median, "median"),
        Line(steps, actual, "actual", "history"),
    )
    error = np.abs(median - actual).mean()
    alt = f"The mean distance of the median from the actual value is {error:.2f} thousand passengers."
    return _lines(f"MAE: {error:.2f} thousand passengers", marks, alt, x_label="steps ahead")


def _rmse(_: Example) -> Any:
    errors = np.arange(-3, 4)
    marks = (
        Line(errors, np.abs(errors).astype(float), "absolute"),
        Line(errors, errors.astype(float) ** 2, "squared", "other"),
    )
    alt = "The absolute error grows in a straight line, the squared error faster."
    return _lines("What an error costs", marks, alt, x_label="error")


def _mase(example: Example) -> Any:
    fan = example.forecast.fan()
    steps = np.arange(-len(fan.time) + 1, 1)
    day = 24
    marks = (
        Line(steps[day:], fan.values[:-day], "a day before", "other"),
        Line(steps, fan.values, "values", "history"),
    )
    alt = "A series and the same series one day later; their mean distance is the unit of the MASE."
    return _lines("The unit of the MASE: the mean change over a season", marks, alt, x_label="steps to the origin")


def _pinball(_: Example) -> Any:
    errors = np.arange(-100, 101)
    marks = tuple(
        Line(errors, np.maximum(q * errors, (q - 1) * errors) / 100, f"{q:.0%}", "model" if q == 0.9 else "other")
        for q in (0.1, 0.5, 0.9)
    )
    alt = "The loss of three quantiles by the actual value less the quantile: the 90 % quantile pays nine times as much below."
    return _lines("Pinball loss of three quantiles", marks, alt, x_label="actual value less quantile, %")


def _crps(example: Example) -> Any:
    step = 5
    quantiles = example.forecast.quantile(tuple(np.linspace(0.02, 0.98, 49)))[step]
    actual = example.forecast.actual[step]
    grid = np.linspace(min(quantiles.min(), actual) - 1, max(quantiles.max(), actual) + 1, 240)
    forecast = np.interp(grid, quantiles, np.linspace(0.02, 0.98, 49), left=0, right=1)
    outcome = (grid >= actual).astype(float)
    x = (100 * grid).round().astype(np.int64)
    marks = (
        Area(x, np.maximum(forecast, outcome), np.minimum(forecast, outcome), 1),
        Line(x, forecast, "forecast"),
        Line(x, outcome, "actual", "history"),
    )
    alt = "The probability of lower values by the forecast, and the step at the actual value; the CRPS is the area of their squared distance."
    ticks = tuple((int(v * 100), f"{v:g}") for v in np.arange(np.ceil(grid[0] / 4) * 4, grid[-1], 4))
    return _lines(
        "CRPS: the distance of a distribution from the actual value",
        marks,
        alt,
        x_label="thousand passengers",
        unit="probability of lower values",
        floor=0.0,
        x_ticks=ticks,
    )


def _wis(example: Example) -> Any:
    step = 5
    rows = []
    actual = float(example.forecast.actual[step])
    for coverage in (50, 80, 95):
        low, high = example.forecast.interval(coverage)[step]
        penalty = 2 / (1 - coverage / 100) * (max(low - actual, 0) + max(actual - high, 0))
        rows.append(
            DotRow(
                f"{coverage} %",
                float("nan"),
                f"width {high - low:.1f} + penalty {penalty:.1f}",
                float(low),
                float(high),
            )
        )
    alt = "Three intervals of one forecast beside the actual value, each with its width and the penalty for missing it."
    return DotChart(
        "WIS: widths and penalties of intervals", tuple(rows), alt, "thousand passengers", (actual, "actual"), _WIDTH
    )


def _coverage(example: Example) -> Any:
    rows = np.arange(-120, 0)
    forecasts = [example.run.at(int(index) - 1) for index in rows]
    low, high = np.array([forecast.interval(80)[0] for forecast in forecasts]).T
    actual = np.array([forecast.actual[0] for forecast in forecasts])
    inside = (actual >= low) & (actual <= high)
    marks = (
        Area(rows, high, low, 0),
        Line(rows, actual, "", "history"),
        Dots(rows[~inside], actual[~inside]),
    )
    share = inside.mean()
    alt = f"Of 120 values {inside.sum()} lie in their 80 % interval; the others are marked."
    return _lines(
        f"Coverage of the 80 % interval: {share:.0%}",
        marks,
        alt,
        x_label="index; dots: outside",
        unit="one step ahead, thousand passengers",
    )


def _pit_bars(shares: np.ndarray, title: str, alt: str) -> LineChart:
    edges = np.linspace(0, 100, 11).round().astype(np.int64)
    marks = (Bars(edges, 100 * shares), ReferenceLine(10.0, "calibrated"))
    return _lines(
        title, marks, alt, x_label="forecast probability of lower values, %", unit="% of the values", floor=0.0
    )


def _pit(example: Example) -> Any:
    values = []
    for index in range(-400, -12, 3):
        forecast = example.run.at(index)
        values += [forecast.below(float(actual))[step] for step, actual in enumerate(forecast.actual) if step % 4 == 0]
    shares = np.histogram(values, np.linspace(0, 1, 11))[0] / len(values)
    return _pit_bars(
        shares,
        "PIT histogram of past forecasts",
        "Actual values by the forecast probability of lower values, in tenths.",
    )


def _calibration(_: Example) -> Any:
    tenths = np.linspace(0, 1, 11)
    with np.errstate(divide="ignore"):
        shares = np.diff(norm.cdf(norm.ppf(tenths) * 0.6))
    return _pit_bars(
        shares,
        "PIT histogram of bands that are too narrow",
        "Too many values lie in the lowest and in the highest tenth.",
    )


def _reliability(example: Example) -> Any:
    limit = float(example.run.frame["y"].quantile(0.8))
    table = example.run.reliability("any_above", value=limit, steps=6, bins=5)
    x = (100 * table["probability"].to_numpy()).round().astype(np.int64)
    marks = (
        Line(np.array([0, 100]), np.array([0.0, 100.0]), "reliable", "other"),
        Line(x, 100 * table["frequency"].to_numpy(), "forecasts"),
        Dots(x, 100 * table["frequency"].to_numpy()),
    )
    alt = "How often an event came, by the probability that was given to it, beside the diagonal of reliable forecasts."
    return _lines(
        "Reliability of an event",
        marks,
        alt,
        x_label="given probability, %",
        unit="% of the cases in which it came",
        floor=0.0,
    )


def _brier(_: Example) -> Any:
    p = np.arange(0, 101)
    marks = (Line(p, (p / 100 - 1) ** 2, "it came"), Line(p, (p / 100) ** 2, "it did not", "other"))
    alt = "The Brier score of one forecast by its probability: near 0 where the forecast was right and sure."
    return _lines("Brier score of one forecast", marks, alt, x_label="given probability, %", floor=0.0)


def _total(example: Example) -> Any:
    paths = example.forecast.paths(100).cumsum(axis=1)
    steps = np.arange(1, 13)
    low, median, high = np.quantile(paths, [0.1, 0.5, 0.9], axis=0)
    marks = (
        Area(steps, high, low, 0),
        Line(steps, median, "median"),
        Line(steps, example.forecast.actual.cumsum(), "actual", "history"),
    )
    alt = "The sum since the origin with its 80 % band, and the actual sum."
    return _lines("The total so far and its 80 % band", marks, alt, x_label="steps ahead", unit="thousand passengers")


def _energy(example: Example) -> Any:
    paths, actual, steps = example.forecast.paths(100), example.forecast.actual, np.arange(1, 13)
    (score,) = energy_scores(paths[None], actual[None])
    distance = np.linalg.norm(paths - actual, axis=1).mean()
    spread = 2 * (distance - score)
    marks = (
        *(Line(steps, path) for path in paths[:_PATHS]),
        Dots(steps, actual, kind="ring"),
    )
    alt = (
        f"A hundred paths, of which {_PATHS} are drawn, are {distance:.1f} thousand passengers from the actual values on average, and "
        f"{spread:.1f} from each other; the energy score is {score:.1f}."
    )
    title = f"Energy score: {distance:.1f} − {spread:.1f} / 2 = {score:.1f}"
    return _lines(
        title,
        marks,
        alt,
        x_label="steps ahead",
        unit=f"thousand passengers; {_PATHS} of 100 paths, rings: actual",
        floor=0.0,
    )


def _variogram(example: Example) -> Any:
    paths, actual = example.forecast.paths(100), example.forecast.actual
    independent = np.random.default_rng(0).permuted(paths, axis=0)
    lags = np.arange(1, 12)

    def parts(values: np.ndarray) -> np.ndarray:
        """What the pairs of each distance add to the score."""
        errors = [
            np.sqrt(np.abs(values[:, k:] - values[:, :-k])).mean(0) - np.sqrt(np.abs(actual[k:] - actual[:-k]))
            for k in lags
        ]
        return np.array([(error**2).sum() / k for k, error in zip(lags, errors, strict=True)])

    score, without = (float(variogram_scores(each[None], actual[None])[0]) for each in (paths, independent))
    assert np.allclose([parts(paths).sum(), parts(independent).sum()], [score, without], rtol=1e-4)
    marks = (
        Line(lags, parts(paths), "paths"),
        Line(lags, parts(independent), "independent steps", "other"),
    )
    alt = (
        f"The variogram score by the distance of two steps: it is {score:.1f} in all for paths, and {without:.1f} for independent "
        "steps, whose neighbours differ too much."
    )
    title = f"Variogram score: {score:.1f} for paths, {without:.1f} for independent steps"
    return _lines(title, marks, alt, x_label="distance of two steps", unit="part of the score", floor=0.0)


def _bands_before_and_after(example: Example) -> Any:
    scores = example.calibrated.scores()
    rows = tuple(
        DotRow(
            f"{c} %",
            100 * scores[f"calibrated_{c}"].item(),
            f"{scores[f'coverage_{c}'].item():.1%} → {scores[f'calibrated_{c}'].item():.1%}",
            before=100 * scores[f"coverage_{c}"].item(),
        )
        for c in (50, 80, 95)
    )
    return DotChart(
        "Coverage before and after calibration",
        rows,
        "The coverage of three bands, as forecast and calibrated.",
        "% of the values; ring: as forecast, dot: calibrated",
        width=_WIDTH,
    )


PICTURES: dict[str, Callable[[Example], Any]] = {
    "day": _day,
    "origin": _origin,
    "context": _context,
    "quantile": _quantile,
    "band": _band,
    "density": _density,
    "paths": _paths,
    "total": _total,
    "energy": _energy,
    "variogram": _variogram,
    "mae": _absolute_error,
    "rmse": _rmse,
    "mase": _mase,
    "pinball": _pinball,
    "crps": _crps,
    "wis": _wis,
    "coverage": _coverage,
    "pit": _pit,
    "too_narrow": _calibration,
    "calibration": _bands_before_and_after,
    "reliability": _reliability,
    "brier": _brier,
}


@cache
def draw(name: str, example: Example) -> tuple[dict[str, str], str]:
    """A picture in each theme, and what it shows in a sentence."""
    chart = PICTURES[name](example)
    chart, style = chart if isinstance(chart, tuple) else (chart, "bands")
    if isinstance(chart, FanData):
        from nbforecast.charts import describe

        width = _HOME_WIDTH if name == "day" else _WIDTH
        return {t: draw_fan(chart, theme=t, style=style, width=width, height=300) for t in _THEMES}, describe(chart)
    function = draw_line_chart if isinstance(chart, LineChart) else draw_dot_chart
    return {t: function(chart, t) for t in _THEMES}, chart.alt


class ScorePicture(Directive):
    """Shows a picture of `PICTURES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The picture in both themes; that of the page's theme is shown."""
        (name,) = self.arguments
        images, text = draw(name, _example)
        label = html.escape(text)
        return [
            nodes.raw(
                "", f'<div class="only-{theme} picture" role="img" aria-label="{label}">{svg}</div>', format="html"
            )
            for theme, svg in images.items()
        ]


_example = Example()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("score-picture", ScorePicture)
    return {"parallel_read_safe": False}
