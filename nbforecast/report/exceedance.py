"""Probabilities of values below and above limits, and whether they come true."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.section import Beside, Picture, Section, Table
from nbforecast.report.stats import newest
from nbforecast.report.words import change, listed, percent, steps, when
from nbforecast.scoring.pit import cumulative_probability
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.run import Run

_BINS = 10
_LEAST = 50  # steps in a bin, for its share to be drawn


class _Event(NamedTuple):
    """What was forecast of an event, its probability, and whether it came, each (N, H); NaN where not known."""

    name: str
    said: Float64[np.ndarray, "N H"]
    came: Float64[np.ndarray, "N H"]

    @property
    def known(self) -> np.ndarray:
        return np.isfinite(self.said) & np.isfinite(self.came)

    def share(self, values: Float64[np.ndarray, "N H"]) -> float:
        """The mean where both are known."""
        return float(values[self.known].mean())


def limits(run: Run, below: float | None = None, above: float | None = None) -> Section:
    """How probable values below one limit and above another are now, and how often such forecasts came true."""
    events = [_event(run, f"below {v:g}", v, 1) for v in [below] if v is not None]
    events += [_event(run, f"above {v:g}", v, -1) for v in [above] if v is not None]
    scored = [e for e in events if e.known.any()]
    if not scored:
        return Section("No actual value is known after any origin yet.")
    said = listed([f"{percent(e.share(e.said))} {e.name}" for e in scored])
    came = listed([f"{percent(e.share(e.came))} {e.name}" for e in scored])
    more = f"Over all origins {run.model} expected {said}; what came was {came}."
    return Section(_now(run, events), (more,), (_table(scored), Beside(tuple(_reliability(run, e) for e in scored))))


def _event(run: Run, name: str, limit: float, side: int) -> _Event:
    """Values below a limit (`side` 1), or above it (-1)."""
    forecast = run.frame["forecast"].to_numpy()
    found = cumulative_probability(forecast, run.quantile_levels, np.full(forecast.shape[:2], limit))
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    came = np.where(np.isnan(actual), np.nan, side * actual < side * limit)
    return _Event(name, found.below if side > 0 else 1 - found.up_to, came)


def _now(run: Run, events: list[_Event]) -> str:
    """The share of the time ahead that is expected there, as of the newest origin of the first series."""
    at = newest(run)
    if at is None:
        return ""
    row = run.data.row(at)
    told = listed([f"{percent(float(e.said[row].mean()))} {e.name}" for e in events])
    return f"As of {when(run.data, row)}, {run.model} expects the next {steps(run).removeprefix('1 ')} to be {told}."


def _table(events: list[_Event]) -> Table:
    rows = []
    for event in events:
        said, came = event.said[event.known], event.came[event.known]
        brier, usual = float(((said - came) ** 2).mean()), float(came.var())
        beside = change(brier / usual - 1) if usual else "–"
        rows.append(
            (event.name, percent(event.share(event.said)), percent(event.share(event.came)), number(brier), beside)
        )
    return Table(("", "expected", "observed", "Brier score", "beside the usual frequency"), tuple(rows))


def _reliability(run: Run, event: _Event) -> Picture:
    """How often the event came, where it was said to be so probable."""
    said, came = event.said[event.known], event.came[event.known]
    where = np.minimum((said * _BINS).astype(int), _BINS - 1)
    count = np.bincount(where, minlength=_BINS)
    shown = np.flatnonzero(count >= _LEAST)
    at = 100 * np.bincount(where, said, _BINS)[shown] / count[shown]
    share = 100 * np.bincount(where, came, _BINS)[shown] / count[shown]
    ends = np.array([0, 100])
    marks = (
        charts.Line(ends, ends.astype(float), "as said", "other"),
        charts.Line(at.round().astype(np.int64), share),
        charts.Dots(at.round().astype(np.int64), share, kind="model"),
    )
    told = "; ".join(f"{b:.0f} % where {a:.0f} % were forecast" for a, b in zip(at, share, strict=True))
    alt = f"How often values came {event.name}: {told}."
    name, unit, under = f"Values {event.name}", f"% of them observed, {run.model}", "probability forecast, %"
    graph = charts.LineChart(name, marks, alt, unit, under, 0.0, width=424, height=280)
    return Picture(charts.draw_line_chart(graph), alt)
