"""Whether prediction intervals contain as many actual values as they should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64

from nbforecast import charts
from nbforecast.report.section import Picture, PictureRow, Section
from nbforecast.report.stats import (
    MOST_CALIBRATED,
    SIGNIFICANCE,
    calibrated_rows,
    estimate,
    origin_scores,
    overall_score,
    scored_rows,
    scores_of,
    spread_rows,
)
from nbforecast.scoring.pit import cumulative_probability, pit_histogram
from nbforecast.text import listing, number, percent

if TYPE_CHECKING:
    from nbforecast.run import Run
    from nbforecast.scoring.diebold_mariano import MeanEstimate
    from nbforecast.scoring.pit import CumulativeProbability

_COVERAGES = (50, 80, 95)
_BINS = 10
_LEAST_DEVIATION = 0.005  # of a coverage that is worth a word
_LEAST_BIAS = 0.01  # of the share of values above the median


@dataclass(frozen=True)
class Calibration:
    """Coverage of the bands and bias of the medians.

    Attributes:
        finding: Coverage of the 80 % band in a sentence.
        forecast: Coverage of the bands as forecast, by nominal coverage in per cent.
        calibrated: Coverage of the calibrated bands; empty where there are none.
        pit: Probabilities that forecasts give to less than the actual values, (N, H).
        above_median: Share of actual values above the median, less one half.
        calibrated_share: Of the scored origins, those with calibrated bands.
    """

    finding: str
    forecast: dict[int, MeanEstimate]
    calibrated: dict[int, MeanEstimate]
    pit: CumulativeProbability
    above_median: MeanEstimate
    calibrated_share: float


def describe_coverage(run: Run) -> str:
    """Describe how many actual values the 80 % bands contain, in a sentence."""
    if not run.scores()["n"].item():
        return "Nothing is known of calibration: there is no actual value after any origin."
    rows, has_bands = calibrated_rows(run), len(run.quantile_levels) > 1
    if not rows.any() and not has_bands:
        return f"{run.model} forecasts points without bands."
    if not rows.any():
        return f"The 80 % bands contain {percent(overall_score(run, 'coverage_80'))} of the actual values as forecast."
    scores, share = scores_of(run, rows).row(0, named=True), _calibrated_share(run)
    part = "" if share >= MOST_CALIBRATED else f", at the {percent(share, 0)} of the origins that have calibrated bands"
    if not has_bands:
        after = percent(scores["calibrated_80"])
        return (
            f"{run.model} forecasts points; the 80 % bands that calibration adds contain {after} of the values{part}."
        )
    return (
        f"The 80 % bands contain {percent(scores['coverage_80'])} of the actual values as forecast and "
        f"{percent(scores['calibrated_80'])} after calibration{part}."
    )


def find_calibration(run: Run) -> Calibration | None:
    """Compute coverage and bias of a run's forecasts; None where no actual value is known.

    Bands as forecast and calibrated ones are compared at the same origins, those that have calibrated bands.
    """
    if not run.scores()["n"].item():
        return None
    rows = calibrated_rows(run)
    coverage = {c: _coverage(run, f"coverage_{c}", c, rows if rows.any() else scored_rows([run])) for c in _COVERAGES}
    calibrated = {c: _coverage(run, f"calibrated_{c}", c, rows) for c in _COVERAGES} if rows.any() else {}
    share = _calibrated_share(run) if rows.any() else float("nan")
    actual = run.data.actuals(np.arange(len(run.data)), run.horizon)
    pit = cumulative_probability(spread_rows(run, run.column("forecast")), run.quantile_levels, actual)
    return Calibration(describe_coverage(run), coverage, calibrated, pit, _above_median(run, pit), share)


def _calibrated_share(run: Run) -> float:
    """The share of the scored origins that have calibrated bands."""
    return float(calibrated_rows(run).sum() / scored_rows([run]).sum())


def calibration(run: Run) -> Section:
    """Show how many actual values are inside the bands, as forecast and calibrated, and where in the forecast they are.

    Args:
        run: A completed run.

    Example:
        >>> report.calibration(run)
    """
    findings = find_calibration(run)
    if findings is None:
        return Section(describe_coverage(run))
    bands, name = (findings.calibrated, "calibrated bands") if findings.calibrated else (findings.forecast, "bands")
    details = [_describe_deviations(bands, name)]
    if run.calibrate and not findings.calibrated:
        details.append("There are too few past errors to calibrate them.")
    elif findings.calibrated_share < MOST_CALIBRATED:
        share = percent(findings.calibrated_share, 0)
        details.append(f"Calibrated bands exist for {share} of the origins, the later ones; coverage is theirs alone.")
    details.append(_describe_bias(findings.above_median))
    return Section(
        findings.finding, tuple(details), (PictureRow((_draw_deviations(findings), _draw_pit(findings.pit))),)
    )


def _coverage(run: Run, name: str, coverage: int, rows: Bool[np.ndarray, " N"]) -> MeanEstimate:
    """The share of actual values inside a band, with the error and p-value of its deviation from the nominal one."""
    deviation = estimate(run, np.where(rows, origin_scores(run, name) - coverage / 100, np.nan))
    return deviation._replace(value=float(scores_of(run, rows)[name].item()))


def _above_median(run: Run, pit: CumulativeProbability) -> MeanEstimate:
    above = np.where(pit.below >= 0.5, 1.0, np.where(pit.up_to <= 0.5, 0.0, 0.5))
    above[~np.isfinite(pit.below)] = np.nan
    return estimate(run, _row_means(above) - 0.5)


def _row_means(array: Float64[np.ndarray, "N H"]) -> Float64[np.ndarray, " N"]:
    finite = np.isfinite(array)
    return np.where(finite.any(1), np.where(finite, array, 0).sum(1) / np.maximum(finite.sum(1), 1), np.nan)


def _describe_deviations(bands: dict[int, MeanEstimate], name: str) -> str:
    """Which bands deviate by more than chance."""
    if not all(m.degrees_of_freedom for m in bands.values()):
        return f"There are too few origins to test whether the {name} deviate by more than chance."
    deviation = {c: m.value - c / 100 for c, m in bands.items()}
    significant = [c for c, m in bands.items() if m.p_value < SIGNIFICANCE and abs(deviation[c]) >= _LEAST_DEVIATION]
    if not significant:
        largest = 100 * max(map(abs, deviation.values()))
        reason = "which may be chance or is negligible"
        return f"The coverage of the {name} deviates by at most {largest:.1f} points, {reason}."
    sentences = [f"the {c} % band contains {percent(bands[c].value)}" for c in significant]
    too_wide = {deviation[c] > 0 for c in significant}
    fault = "too wide or too narrow" if len(too_wide) > 1 else "too wide" if too_wide == {True} else "too narrow"
    return f"The {name} are {fault} by more than chance: {listing(sentences)}."


def _describe_bias(above_median: MeanEstimate) -> str:
    """Whether medians are too high or too low on average."""
    bias = above_median.value
    sentence = f"{percent(bias + 0.5)} of the actual values are above the median forecast"
    if not above_median.degrees_of_freedom:
        return f"{sentence}; there are too few origins to test whether that is chance."
    if above_median.p_value >= SIGNIFICANCE or abs(bias) < _LEAST_BIAS:
        return f"{sentence}: forecasts are not biased by more than chance."
    return f"{sentence}: forecasts are too {'low' if bias > 0 else 'high'}, by more than chance."


def _draw_deviations(findings: Calibration) -> Picture:
    """Coverage less its nominal value, in points."""
    rows = []
    for coverage in _COVERAGES:
        before = findings.forecast[coverage]
        after = findings.calibrated.get(coverage, before)
        deviation = 100 * after.value - coverage
        low, high = after._replace(value=deviation / 100).interval()
        ring, text = float("nan"), percent(after.value)
        if findings.calibrated:
            ring, text = 100 * before.value - coverage, f"{percent(before.value)} → {percent(after.value)}"
        rows.append(charts.DotRow(f"{coverage} %", deviation, text, 100 * low, 100 * high, ring))
    alt = "; ".join(f"the {c} % band contains {r.text}" for c, r in zip(_COVERAGES, rows, strict=True))
    unit = "points of deviation; ring: as forecast, dot: calibrated" if findings.calibrated else "points of deviation"
    title = "Coverage of the bands"
    return Picture.of(charts.DotChart(title, tuple(rows), f"Coverage: {alt}.", unit, (0.0, "nominal"), 424))


def _draw_pit(pit: CumulativeProbability) -> Picture:
    shares = 100 * pit_histogram(pit, _BINS)
    edges = np.linspace(0, 100, _BINS + 1).round().astype(np.int64)
    percentages = ", ".join(map(number, shares))
    alt = f"Actual values by the forecast probability of lower values, in tenths: {percentages} %."
    marks = (charts.Bars(edges, shares), charts.ReferenceLine(100 / _BINS))
    unit, x_label = "% of the values; line: calibrated", "forecast probability of lower values, %"
    chart = charts.LineChart("Where actual values are", marks, alt, unit, x_label, 0.0, width=424, height=250)
    return Picture.of(chart)
