"""Probabilities of values below and above limits, and how often such values are observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.labels import next_horizon_text, time_text
from nbforecast.report.section import Picture, PictureRow, Section, Table
from nbforecast.report.stats import newest_index, spread_rows
from nbforecast.scoring.origin_scores import as_forecast
from nbforecast.scoring.pit import cumulative_probability
from nbforecast.text import UNKNOWN, listing, number, percent, relative_change

if TYPE_CHECKING:
    from nbforecast.run import Run

_BINS = 10
_LEAST_COUNT = 50  # steps in a bin, for its share to be drawn


@dataclass(frozen=True)
class Event:
    """Values beyond a limit.

    Attributes:
        name: `below 70`, `above 180`.
        probability: Forecast at each origin and step, shape (N, H), NaN where there is no forecast.
        observed: 1 where the value is beyond the limit, 0 where it is not, NaN where it is unknown, shape (N, H).
    """

    name: str
    probability: Float64[np.ndarray, "N H"]
    observed: Float64[np.ndarray, "N H"]

    @property
    def scored(self) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " K"]]:
        """Probabilities and outcomes where both are known."""
        both = np.isfinite(self.probability) & np.isfinite(self.observed)
        return self.probability[both], self.observed[both]


def find_events(run: Run, below: float | None = None, above: float | None = None) -> list[Event]:
    """Compute the probabilities of values below one limit and above another, and which values are beyond them."""
    events = []
    forecast = spread_rows(run, run.column("forecast"))
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    if below is not None:
        probability = cumulative_probability(forecast, run.quantile_levels, np.full_like(actual, below))
        observed = np.where(np.isnan(actual), np.nan, as_forecast(actual) < np.float32(below))
        events.append(Event(f"below {below:g}", probability.below, observed))
    if above is not None:
        probability = cumulative_probability(forecast, run.quantile_levels, np.full_like(actual, above))
        observed = np.where(np.isnan(actual), np.nan, as_forecast(actual) > np.float32(above))
        events.append(Event(f"above {above:g}", 1 - probability.up_to, observed))
    return events


def exceedance(run: Run, below: float | None = None, above: float | None = None) -> Section:
    """Show how probable values below one limit and above another are, and how often such forecasts come true.

    Args:
        run: A completed run.
        below: Lower limit, in units of the values; None for none.
        above: Upper limit, in units of the values; None for none.

    Example:
        >>> report.exceedance(run, above=20_000)
    """
    events = find_events(run, below, above)
    scored = [e for e in events if len(e.scored[0])]
    if not scored:
        return Section("No actual value is known after any origin yet.")
    expected = listing([f"{percent(float(e.scored[0].mean()))} {e.name}" for e in scored])
    observed = listing([f"{percent(float(e.scored[1].mean()))} {e.name}" for e in scored])
    details = f"Over all origins {run.model} expects {expected}; observed are {observed}."
    pictures = PictureRow(tuple(_draw_reliability(run, e) for e in scored))
    return Section(_describe_newest(run, events), (details,), (_tabulate(scored), pictures))


def _describe_newest(run: Run, events: list[Event]) -> str:
    """The expected shares of the time ahead, as of the newest origin of the first series."""
    index = newest_index(run)
    if index is None:
        return ""
    row = run.data.row(index)
    shares = listing([f"{percent(float(e.probability[row].mean()))} {e.name}" for e in events])
    return f"As of {time_text(run.data, row)}, {run.model} expects {next_horizon_text(run)} to be {shares}."


def _tabulate(events: list[Event]) -> Table:
    rows = []
    for event in events:
        probability, observed = event.scored
        brier, variance = float(((probability - observed) ** 2).mean()), float(observed.var())
        change = relative_change(brier / variance - 1) if variance else UNKNOWN
        shares = percent(float(probability.mean())), percent(float(observed.mean()))
        rows.append((event.name, *shares, number(brier), change))
    return Table(("", "expected", "observed", "Brier score", "beside the mean frequency"), tuple(rows))


def _draw_reliability(run: Run, event: Event) -> Picture:
    """How often the event is observed where it is forecast with a certain probability."""
    probability, observed = event.scored
    part = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    count = np.bincount(part, minlength=_BINS)
    drawn = np.flatnonzero(count >= _LEAST_COUNT)
    expected = 100 * np.bincount(part, probability, _BINS)[drawn] / count[drawn]
    share = 100 * np.bincount(part, observed, _BINS)[drawn] / count[drawn]
    diagonal, x = np.array([0, 100]), expected.round().astype(np.int64)
    marks = (
        charts.Line(diagonal, diagonal.astype(float), "calibrated", "other"),
        charts.Line(x, share),
        charts.Dots(x, share, kind="model"),
    )
    pairs = "; ".join(f"{b:.0f} % where {a:.0f} % are forecast" for a, b in zip(expected, share, strict=True))
    alt = f"How often values are {event.name}: {pairs}."
    name, unit, x_label = f"Values {event.name}", f"% of them observed, {run.model}", "forecast probability, %"
    return Picture.of(charts.LineChart(name, marks, alt, unit, x_label, 0.0, width=424, height=280))
