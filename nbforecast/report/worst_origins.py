"""The origins where a model was furthest off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nbforecast import charts
from nbforecast.report.current_forecast import drawn
from nbforecast.report.data import history
from nbforecast.report.section import Section
from nbforecast.report.stats import losses, panel, worst
from nbforecast.report.words import percent, steps, when
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.report.section import Picture
    from nbforecast.run import Run


def extremes(run: Run, count: int = 3) -> Section:
    """The worst origins by CRPS, each drawn, at least two horizons or a season apart; of a panel one a series."""
    rows = worst(run, count)
    if not len(rows):
        return Section("No error is known yet.")
    loss = losses(run)
    known = np.sort(loss[np.isfinite(loss)])[::-1]
    usual, top = float(known.mean()), max(len(known) // 100, 1)
    which = " in " + run.data.ids[run.data.locate(int(rows[0]))[0]] if panel(run.data) else ""
    finding = f"{run.model} was furthest off{which} as of {when(run.data, int(rows[0]))}"
    if not usual:
        return Section(f"{run.model} was always right.")
    finding += f": {number(float(loss[rows[0]]) / usual, 2)} times its usual CRPS."
    share = f"The worst 1 % of origins make up {percent(float(known[:top].sum() / known.sum()), 0)} of all losses."
    more = (share,) if len(known) >= 500 else ()
    marks = () if panel(run.data) else (_map(run, rows),)
    return Section(finding, more, (*marks, *(_one(run, n, int(row)) for n, row in enumerate(rows, 1))))


def _map(run: Run, rows: Int64[np.ndarray, " K"]) -> Picture:
    """Where they lie in the history."""
    at = np.array([r + np.flatnonzero(np.isfinite(run.data.values[r:]))[0] for r in rows])
    dots = charts.Dots(run.data.time[at], run.data.values[at], tuple(str(n + 1) for n in range(len(rows))))
    return history(run.data, dots)


def _one(run: Run, rank: int, row: int) -> Section:
    series, index = run.data.locate(row)
    found = run.at(index, run.data.ids[series])
    last = np.flatnonzero(np.isfinite(found.actual))[-1:]
    if not len(last):
        return Section("", (), (drawn(found, height=300),))
    step = int(last[0])
    low, high = found.interval(95).T
    known = np.isfinite(found.actual)
    inside = int(((low <= found.actual) & (found.actual <= high))[known].sum())
    which = f" of {found.series}" if panel(run.data) else ""
    off = "inside" if low[step] <= found.actual[step] <= high[step] else "outside"
    said = (
        f"{rank}. As of {when(run.data, row)}: {steps(run, step + 1)} ahead, {number(found.median[step])}{which} was "
        f"expected and {number(found.actual[step])} was observed, {off} the 95 % band of {number(low[step])} to "
        f"{number(high[step])}."
    )
    if (count := int(known.sum())) > 1:
        said += (
            f" Of the {count} values that followed, {inside or 'none'} lie{'s' if inside == 1 else ''} in such a band."
        )
    return Section("", (said,), (drawn(found, height=300),))
