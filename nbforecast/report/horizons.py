"""Errors by horizon step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.labels import compared_with, horizon_text, in_unit, model_name, target_name, with_unit
from nbforecast.report.section import Picture, Section, Table
from nbforecast.report.stats import is_panel, relative, score_column, scored_rows, scores_of
from nbforecast.text import number, percent, plural, relative_change

if TYPE_CHECKING:
    from nbforecast.run import Run

_MOST_ROWS = 8


@dataclass(frozen=True)
class HorizonErrors:
    """Mean errors of a run and a baseline by horizon step.

    Attributes:
        finding: The mean error in a sentence.
        details: The errors of the first and the last step, and where the run is more accurate.
        errors: MAE of the run, shape (H,); empty where none is known.
        baseline_errors: MAE of the baseline, shape (H,); None where the run is the baseline.
        scaled: MASE of the run and of the baseline, for a panel that has one.
        coverage: Share of actual values inside the 80 % band, shape (H,); None for forecasts without bands.
    """

    finding: str
    details: tuple[str, ...] = ()
    errors: Float64[np.ndarray, " H"] = field(default_factory=lambda: np.empty(0))
    baseline_errors: Float64[np.ndarray, " H"] | None = None
    scaled: tuple[Float64[np.ndarray, " H"], ...] = ()
    coverage: Float64[np.ndarray, " H"] | None = None


def find_horizon_errors(run: Run, baseline: Run) -> HorizonErrors:
    """Compute the mean errors of a run and a baseline by horizon step, over origins that both have forecast."""
    is_alone = run.model == baseline.model
    rows = scored_rows([run] if is_alone else [run, baseline])
    if not rows.any():
        no_error = "No error is known: there is no actual value after any origin that can be forecast."
        is_known = not is_alone and scored_rows([run]).any()
        return HorizonErrors(f"{run.model} and {baseline.model} have no origin in common." if is_known else no_error)
    runs = [run] if is_alone else [run, baseline]
    steps = [scores_of(r, rows, "horizon") for r in runs]
    errors = score_column(steps[0], "mae")
    coverage = score_column(steps[0], "coverage_80") if len(run.quantile_levels) > 1 else None
    scaled = tuple(score_column(s, "mase") for s in steps) if is_panel(run.data) else ()
    scaled = scaled if all(np.isfinite(s).all() for s in scaled) else ()
    overall = [scores_of(r, rows).row(0, named=True) for r in runs]
    finding = f"The MAE of {run.model} is {with_unit(run.data, overall[0]['mae'])}"
    ends = f"{number(errors[0])} at the first step and {number(errors[-1])} at the last, {horizon_text(run)} ahead"
    mase = f"; its MASE is {number(overall[0]['mase'])}" if scaled else ""
    if is_alone:
        return HorizonErrors(f"{finding}: {ends}{mase}.", (), errors, None, scaled, coverage)
    others = score_column(steps[1], "mae")
    comparison = compared_with(relative(overall[0]["mae"], overall[1]["mae"]), baseline.model)
    if scaled:
        mase += f", {compared_with(relative(overall[0]['mase'], overall[1]['mase']), baseline.model)}"
    details = _describe_gains(run, np.array([relative(*pair) for pair in zip(errors, others, strict=True)]), ends)
    count, own = int(rows.sum()), int(scored_rows([run]).sum())
    if count < own:
        details = (*details, f"All this rests on the {plural(count, 'origin')} that both have forecast, of {own:,}.")
    return HorizonErrors(f"{finding}, {comparison}{mase}.", details, errors, others, scaled, coverage)


def horizons(run: Run, baseline: Run) -> Section:
    """Show mean absolute errors by horizon step beside those of a baseline; of a panel, scaled ones (MASE) as well.

    Args:
        run: A completed run.
        baseline: A run of another model over the same data, or the same run.

    Example:
        >>> report.horizons(run, baseline)
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
    errors, others = findings.errors, findings.baseline_errors
    steps = np.arange(1, len(errors) + 1)
    lines = [charts.Line(steps, errors, run.model)]
    alt = f"MAE by step ahead: {run.model} from {number(errors[0])} to {number(errors[-1])}"
    if others is not None:
        name = model_name(baseline.model)
        lines.insert(0, charts.Line(steps, others, name, "other"))
        alt += f", {name} from {number(others[0])} to {number(others[-1])}"
    target = target_name(run.data)
    unit = f"MAE, {target}" if target else "MAE"
    x_label = f"steps ahead, of {run.data.frequency.describe()} each"
    return Picture.of(charts.LineChart("Error by step ahead", tuple(lines), f"{alt}.", unit, x_label, floor=0.0))


def _tabulate(run: Run, baseline: Run, findings: HorizonErrors) -> Table:
    errors, others = findings.errors, findings.baseline_errors
    unit, other = in_unit(run.data), f"of {model_name(baseline.model)}"
    head, columns = [f"MAE{unit}"], [[number(e) for e in errors]]
    if others is not None:
        head = [f"MAE of {run.model}{unit}", other, "change"]
        changes = [relative_change(relative(a, b)) for a, b in zip(errors, others, strict=True)]
        columns += [[number(e) for e in others], changes]
    if findings.scaled:
        head.append("MASE" if others is None else f"MASE of {run.model}")  # the finding names that of the other
        columns.append([number(e) for e in findings.scaled[0]])
    if findings.coverage is not None:
        head.append("in its 80 % band")
        columns.append([percent(c) for c in findings.coverage])
    steps = np.unique(np.linspace(0, len(errors) - 1, _MOST_ROWS).round().astype(int)).tolist()
    rows = [(f"{horizon_text(run, n + 1)} ahead", *(column[n] for column in columns)) for n in steps]
    return Table(("", *head), tuple(rows))
