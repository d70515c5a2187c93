"""Which model is most accurate, and whether that may be chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool

from nbforecast import charts
from nbforecast.report.labels import compared_with, in_unit, model_name
from nbforecast.report.section import Bullets, Picture, Section, Table
from nbforecast.report.stats import (
    SIGNIFICANCE,
    Loss,
    common_loss,
    comparable_rows,
    compare_losses,
    is_panel,
    loss_unit,
    losses,
    relative,
    scores_of,
)
from nbforecast.scoring.diebold_mariano import MeanEstimate, holm
from nbforecast.text import NEGLIGIBLE, listing, number, p_value, percent, plural, relative_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run

_MOST_ORIGINS = 0.5  # of the run's, below which another model is compared by itself
_SCOPES = {
    "times": "The series at one time count as one observation, so nothing is inferred about other series.",
    "series": "There are too few times to infer anything about other times than these.",
}


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
        details: What the comparison does not say: of models without bands, and of those left out.
        rivals: The other models, the most accurate first.
        rows: The origins on which every number rests, those at which all models have an error (N,).
        apart: Comparisons with single models that have few of the run's origins, which would leave few for all.
        loss: The score by which the models are compared.
    """

    finding: str
    details: tuple[str, ...] = ()
    rivals: tuple[Rival, ...] = ()
    rows: Bool[np.ndarray, " N"] = field(default_factory=lambda: np.zeros(0, bool))
    apart: tuple[Comparison, ...] = ()
    loss: Loss = "crps"

    @property
    def findings(self) -> str:
        """The finding, and those of the comparisons with single models."""
        return " ".join((self.finding, *(comparison.finding for comparison in self.apart)))


def find_comparison(run: Run, others: Sequence[Run]) -> Comparison:
    """Compare the CRPS or WIS of other models with the run's, over origins that all have forecast."""
    others = [other for other in others if other.model != run.model]
    if not others:
        return Comparison("There is no other model to compare with.")
    if not np.isfinite(losses(run)).any():
        return Comparison("No error is known yet.")
    scored = [other for other in others if comparable_rows([run, other]).any()]
    left_out = tuple(
        f"{model_name(other.model)} has no origin in common with {run.model} and is left out."
        for other in others
        if other not in scored
    )
    total = int(comparable_rows([run]).sum())
    counts = [int(comparable_rows([run, other]).sum()) for other in scored]
    together = [other for other, count in zip(scored, counts, strict=True) if count >= _MOST_ORIGINS * total] or scored
    rows = comparable_rows([run, *together]) if together else np.zeros(len(run.data), bool)
    if not rows.any():
        return Comparison("There is no origin that all models have forecast, so they are not compared.", left_out)
    loss = common_loss(run, *together)
    changes = [compare_losses(run, other, rows, loss) for other in together]
    p_values = holm([change.p_value for change in changes])
    rivals = [Rival(*rival) for rival in zip(together, changes, p_values, strict=True)]
    finding = " ".join(filter(None, (verdict(run.model, rivals, loss), describe_points(run, together, rows))))
    few = [(other, count) for other, count in zip(scored, counts, strict=True) if other not in together]
    left_out += tuple(
        f"{model_name(other.model)} has forecasts from {count:,} of the {total:,} origins, and is compared by itself."
        for other, count in few
    )
    ranked = tuple(sorted(rivals, key=lambda rival: rival.change.value))
    apart = tuple(find_comparison(run, [other]) for other, _ in few)
    return Comparison(finding, left_out, ranked, rows, apart, loss)


def comparison(run: Run, others: Sequence[Run]) -> Section:
    """Show the errors of other models beside the run's, over origins that all have forecast, and test the differences.

    Args:
        run: A completed run.
        others: Runs of other models over the same data.

    Example:
        >>> report.comparison(run, [nbf.forecast(df, "ridge", wait=True)])
    """
    return _show(run, find_comparison(run, others))


def _show(run: Run, findings: Comparison) -> Section:
    if not findings.rivals:
        return Section(findings.finding, findings.details)
    method = Bullets((_describe_method(run, findings),), secondary=True)
    apart = tuple(_show(run, comparison) for comparison in findings.apart)
    main = (_draw(run, findings), _tabulate(run, findings), method)
    return Section(findings.finding, findings.details, (*main, *apart))


def verdict(model: str, rivals: Sequence[Rival], loss: Loss = "crps") -> str:
    """State which model is most accurate, and no more than the tests support."""
    best = min(rivals, key=lambda rival: rival.change.value)
    name, change, chance = model_name(best.run.model), relative_change(best.change.value), p_value(best.p)
    if not np.isfinite(best.change.value):
        return f"{model} has no error at the origins that all models have forecast."
    if abs(best.change.value) < NEGLIGIBLE:
        return f"No model has a lower {loss.upper()} than {model}; that of {name} is equal."
    if best.change.value < 0:
        comparison = compared_with(best.change.value, model)
        if best.p < SIGNIFICANCE:
            return f"{name} is more accurate than {model}: its {loss.upper()} is {comparison} ({chance})."
        reason = f"which may be chance ({chance})" if np.isfinite(best.p) else f"with {chance}"
        return f"The {loss.upper()} of {name} is {comparison}, {reason}."
    worse = [model_name(rival.run.model) for rival in rivals if rival.p < SIGNIFICANCE]
    untested = [model_name(rival.run.model) for rival in rivals if not np.isfinite(rival.p)]
    following = f"the next, {name}, is {change} ({chance})"
    if len(untested) == len(rivals):
        return f"{model} has the lowest {loss.upper()}, and nothing is known of chance; {following}."
    rest = f" There are too few origins for a test against {listing(untested)}." if untested else ""
    if not worse:
        return f"{model} has the lowest {loss.upper()}, but not by more than chance; {following}.{rest}"
    if len(worse) < len(rivals):
        worse_names = f"{listing(worse)} only"
    else:
        worse_names = f"all {len(rivals)} others" if len(rivals) > 1 else name
    return f"{model} has the lowest {loss.upper()}, by more than chance against {worse_names}; {following}.{rest}"


def describe_points(run: Run, others: Sequence[Run], rows: Bool[np.ndarray, " N"]) -> str:
    """Say which models have no bands, and compare them by the MAE; nothing where all have bands, or none has."""
    points = [r for r in (run, *others) if len(r.quantile_levels) == 1]
    if not points or len(points) == len(others) + 1:
        return ""
    own = float(scores_of(run, rows)["mae"].item())
    rivals = points if run not in points else [other for other in others if other not in points]
    errors = [(r, relative(float(scores_of(r, rows)["mae"].item()), own)) for r in rivals]
    by_mae = [f"The MAE of {model_name(r.model)} is {compared_with(change, run.model)}." for r, change in errors]
    names, is_one = listing([model_name(r.model) for r in points]), len(points) == 1
    has = "forecasts points without bands: its" if is_one else "forecast points without bands: their"
    loss = common_loss(run, *others).upper()
    return f"{names} {has} {loss} is the whole absolute error, of which bands take a part. {' '.join(by_mae)}"


def _draw(run: Run, findings: Comparison) -> Picture:
    rows, loss = [], findings.loss.upper()
    for rival in findings.rivals:
        low, high = rival.change.interval()
        text = f"{relative_change(rival.change.value)}, {p_value(rival.p)}"
        rows.append(charts.DotRow(model_name(rival.run.model), 100 * rival.change.value, text, 100 * low, 100 * high))
    alt = "; ".join(f"{r.label} {r.text}" for r in rows)
    unit = f"{loss}, % above or below that of {run.model}, with 95 % confidence intervals"
    alt = f"{loss} beside {run.model}: {alt}."
    return Picture.of(charts.DotChart("Models compared", tuple(rows), alt, unit, (0.0, run.model)))


def _tabulate(run: Run, findings: Comparison) -> Table:
    rows = [_table_row(run, findings, "", "")]
    rows += [_table_row(r.run, findings, relative_change(r.change.value), p_value(r.p)) for r in findings.rivals]
    loss = findings.loss.upper()
    scaled = (f"scaled {loss}",) if is_panel(run.data) else ()
    mase = ("MASE",) if _has_mase(run, findings) else ()
    unit = in_unit(run.data)
    beside = f"beside {run.model}"  # of the loss before it, scaled in a panel
    return Table(
        ("", f"MAE{unit}", f"{loss}{unit}", *mase, "in its 80 % band", *scaled, beside, "chance"),
        tuple(rows),
    )


def _has_mase(run: Run, findings: Comparison) -> bool:
    """Whether every compared step has a MASE; otherwise that column would rest on other steps."""
    scored = scores_of(run, findings.rows, "index")
    return bool(scored["mase"].is_not_null().all())


def _table_row(run: Run, findings: Comparison, change: str, p: str) -> tuple[str, ...]:
    scores = scores_of(run, findings.rows).row(0, named=True)
    scaled = (number(float(losses(run, findings.loss)[findings.rows].mean())),) if is_panel(run.data) else ()
    mase = (number(scores["mase"]),) if _has_mase(run, findings) else ()
    coverage = percent(scores["coverage_80"]) if len(run.quantile_levels) > 1 else "no bands"
    return (
        model_name(run.model),
        number(scores["mae"]),
        number(scores[findings.loss]),
        *mase,
        coverage,
        *scaled,
        change,
        p,
    )


def _describe_method(run: Run, findings: Comparison) -> str:
    """What the numbers rest on and how the differences are tested."""
    estimates = [rival.change for rival in findings.rivals]
    count = plural(int(findings.rows.sum()), "origin")
    if is_panel(run.data):
        series = np.repeat(np.arange(len(run.data.ids)), run.data.lengths)[findings.rows]
        count += f" of {len(np.unique(series))} of {plural(len(run.data.ids), 'series', 'series')}"
    mase = " and a MASE" if _has_mase(run, findings) else ""
    rest = f"All numbers rest on the {count} at which every model has an error{mase}."
    if is_panel(run.data):
        rest += f" The scaled {findings.loss.upper()} is {loss_unit(run.data)}."
    if findings.loss == "wis":
        rest += (
            " The models' quantiles have different levels, so they are compared by the WIS: twice the mean quantile "
            "loss at the same seven levels."
        )
    if not any(change.degrees_of_freedom for change in estimates):
        return f"{rest} There are too few origins to test the differences."
    freedom = listing([str(f) for f in sorted({c.degrees_of_freedom for c in estimates if c.degrees_of_freedom})])
    scope = next(c.scope for c in estimates if c.degrees_of_freedom)
    if scope == "times":
        test = (
            "The test is that of Diebold and Mariano with a long-run variance (equally weighted cosines, t with "
            f"{freedom} degrees of freedom), since the horizons of neighbouring origins overlap."
        )
    else:
        test = (
            f"The test of the mean difference clusters by {scope} (Chiang, Hansen and Sasaki 2024; t with {freedom} "
            "degrees of freedom), since errors of one series, and of neighbouring times, depend on each other."
        )
    panel = f" {_SCOPES[scope]}" if is_panel(run.data) and scope in _SCOPES else ""
    several = f" p-values are corrected for {len(estimates)} comparisons (Holm)." if len(estimates) > 1 else ""
    return f"{rest} {test}{panel}{several}"
