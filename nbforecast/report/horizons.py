"""How large errors are at each distance ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast import charts
from nbforecast.report.section import Picture, Section, Table
from nbforecast.report.stats import measure, values
from nbforecast.report.words import beside, change, named, percent, relative, steps, target
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.run import Run

_ROWS = 8


def horizons(run: Run, baseline: Run) -> Section:
    """Mean absolute errors by step ahead beside those of a baseline; of a panel, scaled ones (MASE)."""
    kind = measure(run)
    by = run.scores(by="horizon")
    ours, theirs = values(by, kind), values(baseline.scores(by="horizon"), kind)
    if not np.isfinite(ours).any():
        return Section("No error is known yet: there is no actual value after any origin that can be forecast.")
    bands = run.calibrate or len(run.quantile_levels) > 1
    held = [(percent(c),) * bands for c in values(by, "calibrated_80" if run.calibrate else "coverage_80")]
    last = ("in the 80 % band",) * bands
    here, there = (float(values(r.scores(), kind)[0]) for r in (run, baseline))
    reach = f"from {number(ours[0])} at the first step to {number(ours[-1])} at the last, {steps(run)} ahead"
    rows: list[tuple[str, ...]]
    more: tuple[str, ...] = ()
    if run.model == baseline.model:
        head: tuple[str, ...] = (kind.upper(), *last)
        rows = [(number(a), *c) for a, c in zip(ours, held, strict=True)]
        finding, other = f"{run.model} is off by {number(here)} on average ({kind.upper()}), {reach}.", None
    else:
        head = (f"{kind.upper()} of {run.model}", f"of {named(baseline.model)}", "change", *last)
        lines = zip(ours, theirs, held, strict=True)
        rows = [(number(a), number(b), change(relative(a, b)), *c) for a, b, c in lines]
        told = beside(relative(here, there), named(baseline.model))
        finding = f"{run.model} is off by {number(here)} on average: its {kind.upper()} {told}."
        more, other = _beside(run, np.array([relative(*p) for p in zip(ours, theirs, strict=True)]), reach), baseline
    return Section(finding, more, (_drawn(run, other, kind, ours, theirs), _table(run, head, rows)))


def _beside(run: Run, gains: Float64[np.ndarray, " H"], reach: str) -> tuple[str, ...]:
    better, count = int((gains < 0).sum()), len(gains)
    if count == 1:
        return ()
    where = {0: "no step", count: "every step"}.get(better, f"{better} of {count} steps")
    said = f"The error goes {reach}; {run.model} is more accurate at {where}"
    if not better:
        return (f"{said}.",)
    best = int(np.nanargmin(gains))
    return (f"{said}, and its gain is largest {steps(run, best + 1)} ahead ({change(gains[best])}).",)


def _drawn(
    run: Run, baseline: Run | None, kind: str, ours: Float64[np.ndarray, " H"], theirs: Float64[np.ndarray, " H"]
) -> Picture:
    at = np.arange(1, len(ours) + 1)
    lines = [charts.Line(at, ours, run.model)]
    alt = f"{kind.upper()} by step ahead: {run.model} from {number(ours[0])} to {number(ours[-1])}"
    if baseline is not None:
        name = named(baseline.model)
        lines.insert(0, charts.Line(at, theirs, name, "other"))
        alt += f", {name} from {number(theirs[0])} to {number(theirs[-1])}"
    what = (
        ", in units of the mean change from season to season"
        if kind == "mase"
        else f", {target(run.data)}".rstrip(", ")
    )
    under = f"steps ahead, of {run.data.frequency.describe()} each"
    graph = charts.LineChart("Error by step ahead", tuple(lines), f"{alt}.", f"{kind.upper()}{what}", under, floor=0.0)
    return Picture(charts.draw_line_chart(graph), graph.alt)


def _table(run: Run, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    shown = np.unique(np.linspace(0, len(rows) - 1, _ROWS).round().astype(int)).tolist()
    return Table(("", *head), tuple((f"{steps(run, n + 1)} ahead", *rows[n]) for n in shown))
