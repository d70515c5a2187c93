"""Where a model does well and where it does not: in which series of a panel, in which stretches of a single one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast import charts
from nbforecast.report.section import Picture, Section, Table
from nbforecast.report.stats import by_series, column, losses, panel
from nbforecast.report.time_buckets import stretches
from nbforecast.report.words import change, counted, named, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run

_ROWS = 24  # more series than this are drawn as a histogram
_FEW = 5  # best and worst ones in the table
_WIDTHS, _BARS = (1, 2, 5, 10, 20), 12  # per cent, of a bar; and how many bars there may be


def places(run: Run, baseline: Run) -> Section:
    """The CRPS beside that of a baseline, series by series, or stretch by stretch of a single one."""
    if run.model == baseline.model:
        return Section(f"{run.model} is the baseline itself: there is nothing to compare it with.")
    both = np.flatnonzero(np.isfinite(losses(run)) & np.isfinite(losses(baseline)))
    if not len(both):
        return Section("No error is known yet.")
    return _by_series(run, baseline) if panel(run.data) else _by_time(run, baseline, both)


def _by_series(run: Run, baseline: Run) -> Section:
    gain, ids = by_series(run, baseline), run.data.ids
    known = np.flatnonzero(np.isfinite(gain))
    order = known[np.argsort(gain[known], kind="stable")]
    better, of = int((gain[known] < 0).sum()), counted(len(known), "series", "series")
    middle = change(float(np.median(gain[known])))
    finding = f"{run.model} has a lower CRPS than {named(baseline.model)} in {better} of {of}"
    finding += f"; in the median series it is {middle}."
    best, worst = order[0], order[-1]
    more = f"Best is {ids[best]} ({change(gain[best])}), worst {ids[worst]} ({change(gain[worst])})."
    if len(order) <= _ROWS:
        return Section(finding, (more,), (_rows(run, baseline, [(ids[s], float(gain[s])) for s in order]),))
    return Section(finding, (more,), (_histogram(run, baseline, gain[known]), _ranking(run, baseline, gain, order)))


def _by_time(run: Run, baseline: Run, rows: Int64[np.ndarray, " R"]) -> Section:
    where, names = stretches(run.data, rows)
    ours, theirs = (np.bincount(where, losses(r)[rows], len(names)) for r in (run, baseline))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = ours / theirs - 1
    known = np.flatnonzero(np.isfinite(gain))
    if not len(known):
        return Section("Both models are always right.")
    better, of = int((gain[known] < 0).sum()), counted(len(known), "stretch", "stretches")
    finding = f"{run.model} has a lower CRPS than {named(baseline.model)} in {better} of {of} of time."
    best, least = known[gain[known].argmin()], known[gain[known].argmax()]
    more = f"Best was {names[best]} ({change(gain[best])}), worst {names[least]} ({change(gain[least])})."
    hardest = names[known[(ours / np.bincount(where, minlength=len(names)))[known].argmax()]]
    own = f"The hardest, where its own CRPS was largest, was {hardest}."
    return Section(finding, (more, own), (_rows(run, baseline, [(names[s], float(gain[s])) for s in known]),))


def _rows(run: Run, baseline: Run, gains: Sequence[tuple[str, float]]) -> Picture:
    name = named(baseline.model)
    rows = tuple(charts.DotRow(label, 100 * gain, change(gain)) for label, gain in gains)
    alt = f"CRPS of {run.model} beside {name}: {'; '.join(f'{r.label} {r.text}' for r in rows)}."
    drawn = charts.DotChart(f"{run.model} beside {name}", rows, alt, "CRPS, % above or below", (0.0, name))
    return Picture(charts.draw_dot_chart(drawn), alt)


def _histogram(run: Run, baseline: Run, gain: Float64[np.ndarray, " S"]) -> Picture:
    """How many series have which gain; those beyond a hundred per cent are in the outermost bar."""
    shown, name = np.clip(100 * gain, -100, 100), named(baseline.model)
    wide = next(w for w in _WIDTHS if np.ptp(shown) <= (_BARS - 2) * w or w == _WIDTHS[-1])
    edges = wide * np.arange(np.floor(shown.min() / wide), np.floor(shown.max() / wide) + 2).astype(np.int64)
    counts = np.histogram(shown, edges)[0].astype(np.float64)
    told = ", ".join(f"{n:.0f} from {a} to {b} %" for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True))
    alt = f"Series by their CRPS beside {name}: {told}."
    graph = charts.LineChart(
        f"{run.model} beside {name}", (charts.Bars(edges, counts),), alt, "number of series",
        f"CRPS, % above or below that of {name}", 0.0, height=230,
    )  # fmt: skip
    return Picture(charts.draw_line_chart(graph), alt)


def _ranking(run: Run, baseline: Run, gain: Float64[np.ndarray, " S"], order: Int64[np.ndarray, " S"]) -> Table:
    held, places_ = column(run, "coverage_80"), list(enumerate(order, 1))
    rows = []
    for rank, s in [*places_[:_FEW], *places_[-_FEW:]]:
        own = held[run.data.offsets[s] : run.data.offsets[s + 1]]
        known = own[np.isfinite(own)]
        rows.append((f"{rank}. {run.data.ids[s]}", change(gain[s]), percent(float(known.mean())), f"{len(known):,}"))
    return Table(("", f"CRPS beside {named(baseline.model)}", "in the 80 % band", "origins scored"), tuple(rows))
