"""Which model is most accurate, and whether that may be chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbforecast import charts
from nbforecast.report.labels import compared_with, model_name
from nbforecast.report.section import Bullets, Picture, Section, Table
from nbforecast.report.stats import SIGNIFICANCE, compare_losses, is_panel, loss_unit, losses, overall_score
from nbforecast.scoring.diebold_mariano import MeanEstimate, holm
from nbforecast.text import listing, number, p_value, percent, relative_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run


class Rival(NamedTuple):
    """Another model: how much larger its losses are, relative to the run's, and the corrected p-value."""

    run: Run
    change: MeanEstimate
    p: float


@dataclass(frozen=True)
class Comparison:
    """Other models beside a run.

    Attributes:
        finding: Which model is most accurate, in a sentence.
        rivals: The other models, the most accurate first.
    """

    finding: str
    rivals: tuple[Rival, ...] = ()


def find_comparison(run: Run, others: Sequence[Run]) -> Comparison:
    """Compare the CRPS of other models with the run's, over origins that both have forecast."""
    changes = [(other, compare_losses(run, other)) for other in others if other.model != run.model]
    if not changes:
        return Comparison("There is no other model to compare with.")
    if not np.isfinite(losses(run)).any():
        return Comparison("No error is known yet.")
    p_values = holm([change.p_value for _, change in changes])
    rivals = [Rival(other, change, p) for (other, change), p in zip(changes, p_values, strict=True)]
    return Comparison(verdict(run.model, rivals), tuple(sorted(rivals, key=lambda rival: rival.change.value)))


def comparison(run: Run, others: Sequence[Run]) -> Section:
    """Show the CRPS of other models beside the run's, over origins that both have forecast, and test the differences.

    Args:
        run: A completed run.
        others: Runs of other models over the same data.
    """
    findings = find_comparison(run, others)
    if not findings.rivals:
        return Section(findings.finding)
    method = Bullets((_describe_method(run, findings.rivals),), secondary=True)
    return Section(findings.finding, (), (_draw(run, findings.rivals), _tabulate(run, findings.rivals), method))


def verdict(model: str, rivals: Sequence[Rival]) -> str:
    """State which model is most accurate, and no more than the tests support."""
    best = min(rivals, key=lambda rival: rival.change.value)
    name, change, chance = model_name(best.run.model), relative_change(best.change.value), p_value(best.p)
    if best.change.value < 0:
        comparison = compared_with(best.change.value, model)
        if best.p < SIGNIFICANCE:
            return f"{name} is more accurate than {model}: its CRPS is {comparison} ({chance})."
        reason = f"which may be chance ({chance})" if np.isfinite(best.p) else f"with {chance}"
        return f"The CRPS of {name} is {comparison}, {reason}."
    worse = [model_name(rival.run.model) for rival in rivals if rival.p < SIGNIFICANCE]
    following = f"the next, {name}, is {change} ({chance})"
    if not worse:
        return f"{model} has the lowest CRPS, but not by more than chance; {following}."
    if len(worse) < len(rivals):
        worse_names = f"{listing(worse)} only"
    else:
        worse_names = f"all {len(rivals)} others" if len(rivals) > 1 else name
    return f"{model} has the lowest CRPS, by more than chance against {worse_names}; {following}."


def _draw(run: Run, rivals: Sequence[Rival]) -> Picture:
    rows = []
    for rival in rivals:
        low, high = rival.change.interval()
        text = f"{relative_change(rival.change.value)}, {p_value(rival.p)}"
        rows.append(charts.DotRow(model_name(rival.run.model), 100 * rival.change.value, text, 100 * low, 100 * high))
    alt = "; ".join(f"{r.label} {r.text}" for r in rows)
    unit = f"CRPS, % above or below that of {run.model}, with 95 % confidence intervals"
    alt = f"CRPS beside {run.model}: {alt}."
    return Picture.of(charts.DotChart("Models compared", tuple(rows), alt, unit, (0.0, run.model)))


def _tabulate(run: Run, rivals: Sequence[Rival]) -> Table:
    rows = [_table_row(run, "", "")]
    rows += [_table_row(r.run, relative_change(r.change.value), p_value(r.p)) for r in rivals]
    mae = () if is_panel(run.data) else ("MAE",)
    head = ("", *mae, "MASE", "CRPS", "in the 80 % band", f"CRPS beside {run.model}", "chance")
    return Table(head, tuple(rows))


def _table_row(run: Run, change: str, p: str) -> tuple[str, ...]:
    loss = losses(run)
    crps = float(loss[np.isfinite(loss)].mean()) if np.isfinite(loss).any() else float("nan")
    mae = () if is_panel(run.data) else (number(overall_score(run, "mae")),)
    coverage = percent(overall_score(run, "coverage_80")) if len(run.quantile_levels) > 1 else "no bands"
    return model_name(run.model), *mae, number(overall_score(run, "mase")), number(crps), coverage, change, p


def _describe_method(run: Run, rivals: Sequence[Rival]) -> str:
    """How the differences are tested."""
    freedom = listing([str(f) for f in sorted({rival.change.degrees_of_freedom for rival in rivals})])
    unit = f" {loss_unit(run.data)}" if is_panel(run.data) else ""
    panel = " The series at one time count as one observation, so nothing is inferred about other series."
    several = f" p-values are corrected for {len(rivals)} comparisons (Holm)."
    return (
        f"Mean CRPS of an origin{unit}, over origins that both models have forecast. The test is that of Diebold and "
        f"Mariano with a long-run variance (equally weighted cosines, t with {freedom} degrees of freedom), since "
        f"the horizons of neighbouring origins overlap.{panel if is_panel(run.data) else ''}"
        f"{several if len(rivals) > 1 else ''}"
    )
