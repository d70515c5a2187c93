"""The newest forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbforecast import charts
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.report.labels import horizon_text, time_text, with_unit
from nbforecast.report.section import Bullets, Picture, PictureRow, Section
from nbforecast.report.stats import is_panel, newest_index
from nbforecast.scoring.origin_scores import as_forecast
from nbforecast.text import number, plural

if TYPE_CHECKING:
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

_MOST_SERIES = 4  # of a panel that are drawn
_SMALL = (424, 300)  # pixels


@dataclass(frozen=True)
class CurrentForecast:
    """The newest forecasts of a run.

    Attributes:
        finding: The forecast in a sentence, or in how many series values are expected to rise.
        forecasts: Of the only series, or of the first few.
    """

    finding: str
    forecasts: tuple[Forecast, ...] = ()


def find_current_forecast(run: Run, series: str | None = None) -> CurrentForecast:
    """Find the newest forecast of a series, or of the first few series of a panel."""
    ids = [series] if series is not None else list(run.data.ids[:_MOST_SERIES])
    forecasts = tuple(run.at(index, s) for s in ids if (index := newest_index(run, s)) is not None)
    if not forecasts:
        return CurrentForecast("No origin can be forecast: there is too little history, or too many gaps.")
    single = not is_panel(run.data) or series is not None
    return CurrentForecast(describe_forecast(run, forecasts[0]) if single else _describe_rises(run), forecasts)


def current_forecast(run: Run, series: str | None = None) -> Section:
    """Show the newest forecast; of a panel, how many series are expected to rise, and the first few forecasts.

    Args:
        run: A completed run.
        series: The only series of a panel to show.

    Example:
        >>> report.current_forecast(run)
    """
    newest = find_current_forecast(run, series)
    if not newest.forecasts:
        return Section(newest.finding)
    if not is_panel(run.data) or series is not None:
        forecast = newest.forecasts[0]
        return Section(newest.finding, _describe_delay(run, forecast), (draw_forecast(forecast),))
    sentences = [_describe_in_panel(run, f) for f in newest.forecasts]
    rest = len(run.data.ids) - len(newest.forecasts)
    if rest > 0:
        sentences.append(f"{plural(rest, 'more series is', 'more series are')} not drawn here.")
    pictures = PictureRow(tuple(draw_forecast(f, *_SMALL) for f in newest.forecasts))
    return Section(newest.finding, (), (Bullets(tuple(sentences)), pictures))


def describe_forecast(run: Run, forecast: Forecast, start: str = "As") -> str:
    """Describe a forecast in one sentence, whose first word is `start` (`As`, `A: as`)."""
    row = run.data.row(forecast.index, forecast.series)
    low, high = forecast.interval(80)[-1]
    last = run.data.values[row]
    observed = f"; the last value is {with_unit(run.data, last)}" if np.isfinite(last) else ""
    calibrated = forecast.calibrated is not None and bool(np.isfinite(forecast.calibrated).all())
    expected = with_unit(run.data, float(forecast.median[-1]))
    return (
        f"{start} of {time_text(run.data, row)}, {forecast.model} expects {expected} in "
        f"{horizon_text(run)}, with a{' calibrated' if calibrated else 'n'} 80 % band from {number(low)} to "
        f"{number(high)}{observed}."
    )


def draw_forecast(forecast: Forecast, width: int = 860, height: int = 340) -> Picture:
    """Draw the fan chart of a forecast, in pixels."""
    fan = forecast.fan()
    return Picture(charts.draw_fan(fan, width=width, height=height), charts.describe(fan))


def _describe_in_panel(run: Run, forecast: Forecast) -> str:
    return " ".join((describe_forecast(run, forecast, f"{forecast.series}: as"), *_describe_delay(run, forecast)))


def _describe_delay(run: Run, forecast: Forecast) -> tuple[str, ...]:
    """That the last origins have no forecast, if so, and why."""
    if not forecast.index:
        return ()
    reason = UnavailableReason(run.reasons[run.data.row(0, forecast.series)]).sentence
    return (
        f"The last {plural(-forecast.index, 'step')} have no forecast: {reason or 'they are not among the origins'}.",
    )


def _describe_rises(run: Run) -> str:
    """In how many series the newest forecast ends above the last value."""
    last = np.intersect1d(run.data.offsets[1:] - 1, run.rows)
    available = last[run.reasons[last] == 0]
    medians = run.take("median", available)[:, -1]
    rising = int((medians > as_forecast(run.data.values[available])).sum())
    expectation = f"{run.model} expects a higher value in {horizon_text(run)} than the last one observed"
    if not len(available):
        return "No series has a forecast as of its last value; these are the newest."
    if len(available) < len(run.data.ids):
        return f"In {rising} of the {len(available)} series with a forecast as of their last value, {expectation}."
    return f"In {rising} of {plural(len(available), 'series', 'series')}, {expectation}."
