"""Which model does best, and whether that may be chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbforecast import charts
from nbforecast.report.section import Picture, Points, Section, Table
from nbforecast.report.stats import compare, losses, panel, scale_words, values
from nbforecast.report.words import SURE, chance, change, counted, listed, named, percent
from nbforecast.scoring.diebold_mariano import MeanEstimate, holm
from nbforecast.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run


class Rival(NamedTuple):
    """Another model: how much larger its losses are, relative to the run's, and the p-value among all of them."""

    run: Run
    more: MeanEstimate
    p: float


def comparison(run: Run, others: Sequence[Run]) -> Section:
    """The CRPS of other models beside the run's, over origins that both have forecast, and tests of the differences."""
    found = [(other, compare(run, other)) for other in others if other.model != run.model]
    if not found or not np.isfinite(losses(run)).any():
        return Section("There is no other model to compare with." if not found else "No error is known yet.")
    chances = holm([m.p_value for _, m in found])
    rivals = [Rival(other, m, p) for (other, m), p in zip(found, chances, strict=True)]
    finding = verdict(run.model, rivals)
    return Section(finding, (), (_drawn(run, rivals), _table(run, rivals), Points((_method(run, rivals),), aside=True)))


def verdict(model: str, rivals: Sequence[Rival]) -> str:
    """What the comparison says, and no more than that."""
    best = min(rivals, key=lambda o: o.more.value)
    name = named(best.run.model)
    if best.more.value < 0:
        if best.p < SURE:
            return f"{name} did better than {model}: its CRPS is {change(best.more.value)} ({chance(best.p)})."
        why = f"no more than chance would do ({chance(best.p)})" if np.isfinite(best.p) else chance(best.p)
        return f"{name} has a CRPS {change(best.more.value)} than {model}, {why}."
    beaten = [named(o.run.model) for o in rivals if o.p < SURE]
    next_ = f"the next, {name}, has {change(best.more.value)}"
    if len(beaten) == len(rivals):
        of = f"all {counted(len(rivals), 'other')}" if len(rivals) > 1 else name
        return f"{model} has the lowest CRPS, by more than chance against {of}; {next_} ({chance(best.p)})."
    sure = f"by more than chance against {listed(beaten)} only" if beaten else "but against none by more than chance"
    return f"{model} has the lowest CRPS, {sure}; {next_} ({chance(best.p)})."


def _drawn(run: Run, rivals: Sequence[Rival]) -> Picture:
    rows = []
    for other in sorted(rivals, key=lambda o: o.more.value):
        low, high = other.more.interval()
        words = f"{change(other.more.value)}, {chance(other.p)}"
        rows.append(charts.DotRow(named(other.run.model), 100 * other.more.value, words, 100 * low, 100 * high))
    alt = "; ".join(f"{r.label} {r.text}" for r in rows)
    unit = f"CRPS, % above or below that of {run.model}, with 95 % confidence intervals"
    drawn = charts.DotChart("Models compared", tuple(rows), f"CRPS beside {run.model}: {alt}.", unit, (0.0, run.model))
    return Picture(charts.draw_dot_chart(drawn), drawn.alt)


def _table(run: Run, rivals: Sequence[Rival]) -> Table:
    rows = [_row(run, "", "")]
    rows += [_row(o.run, change(o.more.value), chance(o.p)) for o in sorted(rivals, key=lambda o: o.more.value)]
    mae = () if panel(run.data) else ("MAE",)
    head = ("", *mae, "MASE", "CRPS", "in the 80 % band", f"CRPS beside {run.model}", "chance")
    return Table(head, tuple(rows))


def _row(run: Run, more: str, p: str) -> tuple[str, ...]:
    scores = run.scores()
    usual = losses(run)
    crps = float(usual[np.isfinite(usual)].mean()) if np.isfinite(usual).any() else float("nan")
    mae = () if panel(run.data) else (number(float(values(scores, "mae")[0])),)
    mase, held = (float(values(scores, n)[0]) for n in ("mase", "coverage_80"))
    bands = percent(held) if len(run.quantile_levels) > 1 else "no bands"
    return named(run.model), *mae, number(mase), number(crps), bands, more, p


def _method(run: Run, rivals: Sequence[Rival]) -> str:
    """How the differences were tested."""
    degrees = listed([str(f) for f in sorted({o.more.degrees_of_freedom for o in rivals})])
    scaled = f" {scale_words(run.data)}" if panel(run.data) else ""
    series = "; series of one time count together, and nothing is said of other series" if panel(run.data) else ""
    several = f" p-values are corrected for {len(rivals)} comparisons (Holm)." if len(rivals) > 1 else ""
    return (
        f"Mean CRPS of an origin{scaled}, over origins that both models have forecast. The test is Diebold and "
        f"Mariano's with a long-run variance (equally weighted cosines, t with {degrees} degrees of freedom), since "
        f"neighbouring forecasts overlap{series}.{several}"
    )
