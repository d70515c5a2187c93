"""Errors by horizon step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.labels import compared_with, horizon_text, model_name, target_name
from nbforecast.report.section import Picture, Section, Table
from nbforecast.report.stats import overall_score, point_score, relative, score_column
from nbforecast.text import number, percent, relative_change

if TYPE_CHECKING:
    from nbforecast.run import Run

_MOST_ROWS = 8


@dataclass(frozen=True)
class HorizonErrors:
    """Mean errors of a run and a baseline by horizon step.

    Attributes:
        finding: The mean error in a sentence.
        details: The errors of the first and the last step, and where the run is more accurate.
        score: `MAE` or `MASE`.
        errors: Of the run, shape (H,); empty where none is known.
        baseline_errors: Of the baseline, shape (H,); None where the run is the baseline.
        coverage: Share of actual values inside the 80 % band, shape (H,); None for forecasts without bands.
    """

    finding: str
    details: tuple[str, ...] = ()
    score: str = ""
    errors: Float64[np.ndarray, " H"] = field(default_factory=lambda: np.empty(0))
    baseline_errors: Float64[np.ndarray, " H"] | None = None
    coverage: Float64[np.ndarray, " H"] | None = None


def find_horizon_errors(run: Run, baseline: Run) -> HorizonErrors:
    """Compute the mean errors of a run and a baseline by horizon step."""
    name = point_score(run)
    scores = run.scores(by="horizon")
    errors = score_column(scores, name)
    if not np.isfinite(errors).any():
        return HorizonErrors("No error is known: there is no actual value after any origin that can be forecast.")
    has_bands = run.calibrate or len(run.quantile_levels) > 1
    coverage = score_column(scores, "calibrated_80" if run.calibrate else "coverage_80") if has_bands else None
    score, average = name.upper(), overall_score(run, name)
    finding = f"The {score} of {run.model} is {number(average)}"
    ends = f"{number(errors[0])} at the first step and {number(errors[-1])} at the last, {horizon_text(run)} ahead"
    if run.model == baseline.model:
        return HorizonErrors(f"{finding}: {ends}.", (), score, errors, None, coverage)
    others = score_column(baseline.scores(by="horizon"), name)
    comparison = compared_with(relative(average, overall_score(baseline, name)), baseline.model)
    details = _describe_gains(run, np.array([relative(*pair) for pair in zip(errors, others, strict=True)]), ends)
    return HorizonErrors(f"{finding}, {comparison}.", details, score, errors, others, coverage)


def horizons(run: Run, baseline: Run) -> Section:
    """Show mean absolute errors by horizon step beside those of a baseline; of a panel, scaled ones (MASE).

    Args:
        run: A completed run.
        baseline: A run of another model over the same data, or the same run.
    """
    findings = find_horizon_errors(run, baseline)
    if not len(findings.errors):
        return Section(findings.finding)
    return Section(
        findings.finding, findings.details, (_draw(run, baseline, findings), _tabulate(run, baseline, findings))
    )


def _describe_gains(run: Run, changes: Float64[np.ndarray, " H"], ends: str) -> tuple[str, ...]:
    better, count = int((changes < 0).sum()), len(changes)
    if count == 1:
        return ()
    steps = {0: "no step", count: "every step"}.get(better, f"{better} of {count} steps")
    sentence = f"The error is {ends}; {run.model} is more accurate at {steps}"
    if not better:
        return (f"{sentence}.",)
    best = int(np.nanargmin(changes))
    gain = f"{horizon_text(run, best + 1)} ahead ({relative_change(changes[best])})"
    return (f"{sentence}, and its gain is largest {gain}.",)


def _draw(run: Run, baseline: Run, findings: HorizonErrors) -> Picture:
    errors, others, score = findings.errors, findings.baseline_errors, findings.score
    steps = np.arange(1, len(errors) + 1)
    lines = [charts.Line(steps, errors, run.model)]
    alt = f"{score} by step ahead: {run.model} from {number(errors[0])} to {number(errors[-1])}"
    if others is not None:
        name = model_name(baseline.model)
        lines.insert(0, charts.Line(steps, others, name, "other"))
        alt += f", {name} from {number(others[0])} to {number(others[-1])}"
    target = target_name(run.data)
    unit = f", {target}" if target else ""
    if score == "MASE":
        unit = ", in units of the mean change from season to season"
    x_label = f"steps ahead, of {run.data.frequency.describe()} each"
    return Picture.of(
        charts.LineChart("Error by step ahead", tuple(lines), f"{alt}.", f"{score}{unit}", x_label, floor=0.0)
    )


def _tabulate(run: Run, baseline: Run, findings: HorizonErrors) -> Table:
    errors, others = findings.errors, findings.baseline_errors
    head, columns = [findings.score], [[number(e) for e in errors]]
    if others is not None:
        head = [f"{findings.score} of {run.model}", f"of {model_name(baseline.model)}", "change"]
        changes = [relative_change(relative(a, b)) for a, b in zip(errors, others, strict=True)]
        columns += [[number(e) for e in others], changes]
    if findings.coverage is not None:
        head.append("in the 80 % band")
        columns.append([percent(c) for c in findings.coverage])
    steps = np.unique(np.linspace(0, len(errors) - 1, _MOST_ROWS).round().astype(int)).tolist()
    rows = [(f"{horizon_text(run, n + 1)} ahead", *(column[n] for column in columns)) for n in steps]
    return Table(("", *head), tuple(rows))
