"""Whether bands hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.section import Beside, Picture, Section
from nbforecast.report.stats import column, values
from nbforecast.report.words import SURE, listed, percent
from nbforecast.scoring.diebold_mariano import MeanEstimate, estimate_mean
from nbforecast.scoring.pit import cumulative_probability, pit_histogram
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.run import Run
    from nbforecast.scoring.pit import CumulativeProbability

_PROMISED = (50, 80, 95)
_BINS = 10


def calibration(run: Run) -> Section:
    """How many actual values lie in the bands, as forecast and calibrated, and where in the forecast they lie."""
    if not run.scores()["n"].item():
        return Section(held(run))
    forecast = {c: _held(run, f"coverage_{c}", c) for c in _PROMISED}
    calibrated = {c: _held(run, f"calibrated_{c}", c) for c in _PROMISED} if run.calibrate else {}
    known = {c: m for c, m in calibrated.items() if np.isfinite(m.value)}
    found = _probabilities(run)
    more = [_judged(known or forecast, "calibrated bands" if known else "bands")]
    if run.calibrate and not known:
        more.append("Too few past errors are known to calibrate them.")
    elif known:
        share = np.isfinite(column(run, "calibrated_80")).sum() / np.isfinite(column(run, "coverage_80")).sum()
        if share < 0.95:
            more.append(f"Calibrated bands are there for {percent(share, 0)} of the origins, the later ones.")
    more.append(_leaning(run, found))
    return Section(held(run), tuple(more), (Beside((_deviations(forecast, known), _histogram(found))),))


def held(run: Run) -> str:
    """What the 80 % bands held."""
    scores = run.scores()
    if not scores["n"].item():
        return "Nothing is known of calibration yet: there is no actual value after any origin."
    forecast = float(values(scores, "coverage_80")[0])
    calibrated = float(values(scores, "calibrated_80")[0]) if run.calibrate else np.nan
    after = f" and {percent(calibrated)} after calibration" if np.isfinite(calibrated) else ""
    return f"The 80 % bands held {percent(forecast)} of the actual values as forecast{after}."


def _held(run: Run, name: str, coverage: int) -> MeanEstimate:
    """The share of actual values in a band, and how far chance may move it from what was promised."""
    share = float(values(run.scores(), name)[0])
    off = estimate_mean(column(run, name) - coverage / 100, run.data.time, run.horizon)
    return off._replace(value=share)


def _judged(bands: dict[int, MeanEstimate], what: str) -> str:
    """Which bands are off by more than chance."""
    if not all(m.degrees_of_freedom for m in bands.values()):
        return f"There are too few origins to tell whether the {what} are off by more than chance."
    off = {c: m for c, m in bands.items() if m.p_value < SURE and abs(m.value - c / 100) >= 0.005}
    if not off:
        largest = max(abs(m.value - c / 100) for c, m in bands.items())
        why = "no more than chance or too little to matter"
        return f"The {what} are off by {100 * largest:.1f} points at most, which is {why}."
    told = [f"the {c} % band holds {percent(m.value)}" for c, m in off.items()]
    wide = {m.value > c / 100 for c, m in off.items()}
    kind = "too wide" if wide == {True} else "too narrow" if wide == {False} else "off"
    return f"The {what} are {kind} by more than chance: {listed(told)}."


def _probabilities(run: Run) -> CumulativeProbability:
    """What each forecast said of the actual value, (N, H)."""
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    return cumulative_probability(run.frame["forecast"].to_numpy(), run.quantile_levels, actual)


def _leaning(run: Run, found: CumulativeProbability) -> str:
    """Whether medians are too high or too low on the whole."""
    above = np.where(found.below >= 0.5, 1.0, np.where(found.up_to <= 0.5, 0.0, 0.5))
    above[~np.isfinite(found.below)] = np.nan
    off = estimate_mean(_row_means(above) - 0.5, run.data.time, run.horizon)
    told = f"{percent(off.value + 0.5)} of the actual values lie above the median forecast"
    if not off.degrees_of_freedom or off.p_value >= SURE or abs(off.value) < 0.01:
        return f"{told}, so forecasts lean to neither side."
    return f"{told}: forecasts are too {'low' if off.value > 0 else 'high'} more often than chance would have it."


def _row_means(array: Float64[np.ndarray, "N H"]) -> Float64[np.ndarray, " N"]:
    known = np.isfinite(array)
    return np.where(known.any(1), np.where(known, array, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)


def _deviations(forecast: dict[int, MeanEstimate], calibrated: dict[int, MeanEstimate]) -> Picture:
    """Coverage less what was promised, in points."""
    rows = []
    for coverage in _PROMISED:
        shown, other = calibrated.get(coverage, forecast[coverage]), forecast[coverage]
        off = 100 * shown.value - coverage
        low, high = shown._replace(value=off / 100).interval()
        before = 100 * other.value - coverage if calibrated else float("nan")
        words = f"{percent(other.value)} → {percent(shown.value)}" if calibrated else percent(shown.value)
        rows.append(charts.DotRow(f"{coverage} %", off, words, 100 * low, 100 * high, before))
    alt = "; ".join(f"the {c} % band holds {r.text}" for c, r in zip(_PROMISED, rows, strict=True))
    unit = "points off; ring: as forecast, dot: calibrated" if calibrated else "points off"
    drawn = charts.DotChart("Coverage of the bands", tuple(rows), f"Coverage: {alt}.", unit, (0.0, "as promised"), 424)
    return Picture(charts.draw_dot_chart(drawn), drawn.alt)


def _histogram(found: CumulativeProbability) -> Picture:
    shares = 100 * pit_histogram(found, _BINS)
    edges = np.linspace(0, 100, _BINS + 1).round().astype(np.int64)
    told = ", ".join(map(number, shares))
    alt = f"Actual values by the probability that the forecast gave to less, in tenths: {told} %."
    marks = (charts.Bars(edges, shares), charts.ReferenceLine(100 / _BINS))
    under = "probability forecast for less, %"
    graph = charts.LineChart(
        "Where the actual values fell", marks, alt, "% of them; level: calibrated", under, 0.0, width=424, height=250
    )
    return Picture(charts.draw_line_chart(graph), alt)
