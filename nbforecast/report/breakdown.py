"""Accuracy beside a baseline: by series of a panel, or by period of a single series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast import charts
from nbforecast.report.labels import model_name, with_unit
from nbforecast.report.section import Picture, Section, Table
from nbforecast.report.stats import (
    common_loss,
    is_panel,
    loss_change_by_series,
    losses,
    origin_scores,
    scored_rows,
)
from nbforecast.report.time_buckets import time_buckets
from nbforecast.text import percent, plural, relative_change

if TYPE_CHECKING:
    from nbforecast.run import Run

_MOST_ROWS = 24  # more series than this are drawn as a histogram
_RANKED = 5  # best and worst series in the table
_BAR_WIDTHS, _MOST_BARS = (1, 2, 5, 10, 20), 12  # per cent


@dataclass(frozen=True)
class Breakdown:
    """How much the CRPS of a run differs from that of a baseline, by series or by period.

    Attributes:
        finding: In how many parts the run is more accurate, in a sentence.
        details: The best and the worst part.
        names: Of series or periods.
        changes: Relative difference of the CRPS in each, shape (P,); NaN where it is unknown.
        is_ranked: Whether the parts are series, which are shown in order of the change.
    """

    finding: str
    details: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    changes: Float64[np.ndarray, " P"] | None = None
    is_ranked: bool = False


def find_breakdown(run: Run, baseline: Run) -> Breakdown:
    """Compare the CRPS with that of a baseline by series of a panel, or by period of a single series."""
    if run.model == baseline.model:
        return Breakdown(f"{run.model} is the baseline itself: there is nothing to compare it with.")
    rows = np.flatnonzero(np.isfinite(losses(run)) & np.isfinite(losses(baseline)))
    if not len(rows):
        return Breakdown("No error is known yet.")
    return _by_series(run, baseline) if is_panel(run.data) else _by_period(run, baseline, rows)


def breakdown(run: Run, baseline: Run) -> Section:
    """Show the CRPS beside that of a baseline by series of a panel, or by period of a single series.

    Args:
        run: A completed run.
        baseline: A run of another model over the same data.

    Example:
        >>> report.breakdown(run, baseline)
    """
    findings = find_breakdown(run, baseline)
    if findings.changes is None:
        return Section(findings.finding)
    parts = np.flatnonzero(np.isfinite(findings.changes))
    if findings.is_ranked:
        parts = parts[np.argsort(findings.changes[parts], kind="stable")]
    if findings.is_ranked and len(parts) > _MOST_ROWS:
        table = _tabulate_ranks(run, baseline, findings.changes, parts)
        return Section(
            findings.finding, findings.details, (_draw_histogram(run, baseline, findings.changes[parts]), table)
        )
    rows = [(findings.names[p], float(findings.changes[p])) for p in parts]
    return Section(findings.finding, findings.details, (_draw_rows(run, baseline, rows),))


def _by_series(run: Run, baseline: Run) -> Breakdown:
    changes, ids = loss_change_by_series(run, baseline), run.data.ids
    finite = changes[np.isfinite(changes)]
    count, middle = plural(len(finite), "series", "series"), relative_change(float(np.median(finite)))
    best, worst = int(np.nanargmin(changes)), int(np.nanargmax(changes))
    finding = (
        f"{run.model} has a lower {common_loss(run, baseline).upper()} than {model_name(baseline.model)} in "
        f"{int((finite < 0).sum())} of {count}; "
        f"in the median series it is {middle}."
    )
    extremes = (
        f"Best is {ids[best]} ({relative_change(changes[best])}), worst {ids[worst]} "
        f"({relative_change(changes[worst])})."
    )
    return Breakdown(finding, (extremes,), tuple(ids), changes, is_ranked=True)


def _by_period(run: Run, baseline: Run, rows: Int64[np.ndarray, " R"]) -> Breakdown:
    bucket, names = time_buckets(run.data, rows)
    loss = common_loss(run, baseline)
    own, others = (np.bincount(bucket, losses(r, loss)[rows], len(names)) for r in (run, baseline))
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = own / others - 1
    changes[~np.isfinite(changes)] = np.nan
    finite = np.flatnonzero(np.isfinite(changes))
    if not len(finite):
        return Breakdown("Neither model has an error.")
    better, count = int((changes[finite] < 0).sum()), plural(len(finite), "period")
    best, worst = int(np.nanargmin(changes)), int(np.nanargmax(changes))
    mean = own / np.bincount(bucket, minlength=len(names))
    hardest = finite[mean[finite].argmax()]
    finding = f"{run.model} has a lower {loss.upper()} than {model_name(baseline.model)} in {better} of {count}."
    extremes = (
        f"Best is {names[best]} ({relative_change(changes[best])}), worst {names[worst]} "
        f"({relative_change(changes[worst])})."
    )
    own_largest = (
        f"The {loss.upper()} of {run.model} itself is largest in {names[hardest]}: "
        f"{with_unit(run.data, float(mean[hardest]))} on average, {with_unit(run.data, float(own.sum() / len(rows)))} "
        "over all periods."
    )
    return Breakdown(finding, (extremes, own_largest), tuple(names), changes)


def _draw_rows(run: Run, baseline: Run, changes: list[tuple[str, float]]) -> Picture:
    name = model_name(baseline.model)
    rows = tuple(charts.DotRow(label, 100 * change, relative_change(change)) for label, change in changes)
    loss = common_loss(run, baseline).upper()
    title, unit = f"{run.model} beside {name}", f"{loss}, % above or below"
    alt = f"{loss} of {title}: {'; '.join(f'{r.label} {r.text}' for r in rows)}."
    return Picture.of(charts.DotChart(title, rows, alt, unit, (0.0, name)))


def _draw_histogram(run: Run, baseline: Run, changes: Float64[np.ndarray, " S"]) -> Picture:
    """How many series have which change; those beyond a hundred per cent are in the outermost bars."""
    clipped, name = np.clip(100 * changes, -100, 100), model_name(baseline.model)
    width = next(w for w in _BAR_WIDTHS if np.ptp(clipped) <= (_MOST_BARS - 2) * w or w == _BAR_WIDTHS[-1])
    first, last = np.floor(clipped.min() / width), np.floor(clipped.max() / width)
    edges = width * np.arange(first, last + 2).astype(np.int64)
    counts = np.histogram(clipped, edges)[0].astype(np.float64)
    bars = zip(edges[:-1], edges[1:], counts, strict=True)
    loss = common_loss(run, baseline).upper()
    alt = f"Series by their {loss} beside {name}: {', '.join(f'{n:.0f} from {a} to {b} %' for a, b, n in bars)}."
    title, x_label = f"{run.model} beside {name}", f"{loss}, % above or below that of {name}"
    marks = (charts.Bars(edges, counts),)
    return Picture.of(charts.LineChart(title, marks, alt, "number of series", x_label, 0.0, height=230))


def _tabulate_ranks(
    run: Run, baseline: Run, changes: Float64[np.ndarray, " S"], order: Int64[np.ndarray, " K"]
) -> Table:
    is_common = scored_rows([run, baseline])
    coverage = np.where(is_common, origin_scores(run, "coverage_80"), np.nan)
    ranks = list(enumerate(order, 1))
    rows = []
    for rank, s in [*ranks[:_RANKED], *ranks[-_RANKED:]]:
        scored = coverage[run.data.offsets[s] : run.data.offsets[s + 1]]
        scored = scored[np.isfinite(scored)]
        name, change = f"{rank}. {run.data.ids[s]}", relative_change(changes[s])
        rows.append((name, change, percent(float(scored.mean())), f"{len(scored):,}"))
    return Table(
        (
            "",
            f"{common_loss(run, baseline).upper()} beside {model_name(baseline.model)}",
            "in the 80 % band",
            "origins of both",
        ),
        tuple(rows),
    )
