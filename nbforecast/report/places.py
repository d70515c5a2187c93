"""Where a model does well and where it does not: by series of a panel, by stretches of time of a single series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast import chart
from nbforecast.report.evidence import by_series, column, losses, newest, panel, worst
from nbforecast.report.outlook import drawn, said_of
from nbforecast.report.section import Beside, Picture, Section, Table
from nbforecast.report.words import change, counted, named, number, percent, when

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64

    from nbforecast.engine.run import Run

_ROWS = 24  # more series than this are drawn as a histogram
_FEW = 5
_STRETCHES = (4, 16)
_UNITS = (("Y", 1), ("M", 3), ("M", 1), ("W", 1), ("D", 1), ("h", 6), ("h", 1))


def places(run: Run, baseline: Run) -> Section:
    """The CRPS beside that of a baseline, series by series, or stretch by stretch of a single one."""
    if run.model == baseline.model:
        return Section(f"{run.model} is the baseline itself: there is nothing to compare it with.")
    gain = by_series(run, baseline) if panel(run.data) else None
    if gain is None:
        return _by_time(run, baseline)
    known = np.flatnonzero(np.isfinite(gain))
    if not len(known):
        return Section("No error is known yet.")
    order = known[np.argsort(gain[known], kind="stable")]
    better, name = int((gain[known] < 0).sum()), named(baseline.model)
    finding = f"{run.model} has a lower CRPS than {name} in {better} of {counted(len(known), 'series', 'series')}"
    finding += f"; in the middle one it is {change(float(np.median(gain[known])))}."
    ids = run.data.ids
    more = f"Best is {ids[order[0]]} ({change(gain[order[0]])}), worst {ids[order[-1]]} ({change(gain[order[-1]])})."
    if len(order) <= _ROWS:
        return Section(finding, (more,), (_rows(run, baseline, [(ids[s], float(gain[s])) for s in order]),))
    return Section(finding, (more,), (_spread(run, baseline, gain[known]), _ranking(run, baseline, gain, order)))


def portraits(run: Run, baseline: Run, worst_few: int = 3, random_few: int = 3, seed: int = 0) -> Section:
    """Of a panel: the series where the model does worst beside the baseline, and some at random, each with its newest and
    its worst forecast. Of a single series, nothing."""
    if not panel(run.data):
        return Section()
    gain = by_series(run, baseline)
    known = np.flatnonzero(np.isfinite(gain))
    last = known[np.argsort(-gain[known], kind="stable")][:worst_few]
    rest = np.setdiff1d(known, last)
    picked = np.random.default_rng(seed).choice(rest, min(random_few, len(rest)), replace=False)
    shown = [_portrait(run, baseline, int(s), gain[s], "among the worst") for s in last]
    return Section(
        "", (), (*shown, *(_portrait(run, baseline, int(s), gain[s], "picked at random") for s in sorted(picked)))
    )


def _portrait(run: Run, baseline: Run, at: int, gain: float, why: str) -> Section:
    series = run.data.ids[at]
    beside = f"CRPS {change(gain)} than {named(baseline.model)}; " if run.model != baseline.model else ""
    said, pictures = [], []
    now = newest(run, series)
    if now is not None:
        found = run.at(now, series)
        said.append(said_of(run, found))
        pictures.append(drawn(found, 424, 300))
    for row in worst(run, 1, series):
        found = run.at(run.data.locate(int(row))[1], series)
        said.append(f"It was furthest off as of {when(run.data, int(row))}.")
        pictures.append(drawn(found, 424, 300))
    held = column(run, "coverage_80")[run.data.offsets[at] : run.data.offsets[at + 1]]
    finding = f"{beside}80 % bands held {percent(float(np.nanmean(held)))} of the actual values."
    return Section(finding, tuple(said), (Beside(tuple(pictures)),), f"{series} · {why}")


def _by_time(run: Run, baseline: Run) -> Section:
    ours, theirs = losses(run), losses(baseline)
    both = np.flatnonzero(np.isfinite(ours) & np.isfinite(theirs))
    if not len(both):
        return Section("No error is known yet.")
    where, names = _stretches(run, both)
    sums = [np.bincount(where, loss[both], minlength=len(names)) for loss in (ours, theirs)]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = sums[0] / sums[1] - 1
    known = np.flatnonzero(np.isfinite(gain))
    better = int((gain[known] < 0).sum())
    finding = f"{run.model} has a lower CRPS than {named(baseline.model)} in {better} of {counted(len(known), 'stretch', 'stretches')}."
    best, least = known[gain[known].argmin()], known[gain[known].argmax()]
    more = f"It did best in {names[best]} ({change(gain[best])}), least well in {names[least]} ({change(gain[least])})."
    hardest = known[(sums[0] / np.bincount(where, minlength=len(names)))[known].argmax()]
    hard = f"Its own CRPS was largest in {names[hardest]}."
    return Section(finding, (more, hard), (_rows(run, baseline, [(names[s], float(gain[s])) for s in known]),))


def _stretches(run: Run, rows: Int64[np.ndarray, " R"]) -> tuple[Int64[np.ndarray, " R"], list[str]]:
    """For each row the number of its stretch, and what these are called."""
    time: Any = run.data.time[rows]
    if time.dtype.kind == "M":
        for unit, every in _UNITS:
            step = time.astype(f"datetime64[{unit}]").astype(np.int64) // every
            starts = np.unique(step)
            if _STRETCHES[0] <= len(starts) <= _STRETCHES[1]:
                return np.searchsorted(starts, step), [_called(int(s) * every, unit, every) for s in starts]
    parts = np.array_split(np.arange(len(rows)), min(8, len(rows)))
    where = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return where, [f"{when(run.data, int(rows[p[0]]))} to {when(run.data, int(rows[p[-1]]))}" for p in parts]


def _called(start: int, unit: str, every: int) -> str:
    at = np.datetime64(start, unit).astype("datetime64[us]").astype(object)
    if unit == "Y":
        return f"{at:%Y}"
    if unit == "M":
        return f"{at:%b %Y}" if every == 1 else f"quarter {(at.month + 2) // 3} of {at:%Y}"
    day = f"{at.day} {at:%b %Y}"
    return {"W": f"the week of {day}", "D": f"{at:%a} {day}"}.get(unit, f"{day}, {at:%H:%M}")


def _rows(run: Run, baseline: Run, gains: list[tuple[str, float]]) -> Picture:
    name = named(baseline.model)
    rows = tuple(chart.Row(label, 100 * gain, change(gain)) for label, gain in gains)
    alt = f"CRPS of {run.model} beside {name}: {'; '.join(f'{r.label} {r.words}' for r in rows)}."
    drawn_ = chart.Rows(f"{run.model} beside {name}", rows, alt, "CRPS, % more or less", (0.0, name))
    return Picture(chart.draw_rows(drawn_), alt)


def _spread(run: Run, baseline: Run, gain: Float64[np.ndarray, " S"]) -> Picture:
    """How many series have which gain."""
    shown = np.clip(100 * gain, -100, 100)
    edges = np.arange(10 * np.floor(shown.min() / 10), 10 * np.ceil(shown.max() / 10 + 1e-9) + 1, 10).astype(np.int64)
    counts = np.histogram(shown, edges)[0].astype(np.float64)
    alt = f"Number of series by their CRPS beside {named(baseline.model)}, from {edges[0]} % to {edges[-1]} %."
    graph = chart.Graph(
        f"{run.model} beside {named(baseline.model)}", (chart.Bars(edges, counts),), alt, "number of series",
        "CRPS, % more or less", 0.0, height=220,
    )  # fmt: skip
    return Picture(chart.draw_graph(graph), alt)


def _ranking(run: Run, baseline: Run, gain: Float64[np.ndarray, " S"], order: Int64[np.ndarray, " S"]) -> Table:
    held, n = column(run, "coverage_80"), column(run, "n")
    rows = []
    for rank, s in [*enumerate(order, 1)][:_FEW] + [*enumerate(order, 1)][-_FEW:]:
        own = slice(int(run.data.offsets[s]), int(run.data.offsets[s + 1]))
        rows.append(
            (
                f"{rank}. {run.data.ids[s]}",
                change(gain[s]),
                percent(float(np.nanmean(held[own]))),
                number(np.count_nonzero(n[own])),
            )
        )
    return Table(("series", f"CRPS beside {named(baseline.model)}", "in the 80 % band", "origins scored"), tuple(rows))
