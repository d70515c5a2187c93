"""The forecast as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast import chart
from nbforecast.report.evidence import newest, panel
from nbforecast.report.section import Beside, Picture, Section
from nbforecast.report.words import counted, listed, number, steps, when

if TYPE_CHECKING:
    from nbforecast.engine.forecast import Forecast
    from nbforecast.engine.run import Run

_SHOWN = 4  # series of a panel


def outlook(run: Run, series: str | None = None) -> Section:
    """The newest forecast; of a panel those of the first few series, or of the one that is named."""
    ids = [series] if series is not None else list(run.data.ids[:_SHOWN])
    there = [(s, at) for s in ids if (at := newest(run, s)) is not None]
    if not there:
        return Section("No origin can be forecast: there is too little history, or too many gaps.")
    found = [run.at(at, s) for s, at in there]
    said = [said_of(run, f, named=panel(run.data)) for f in found]
    if not panel(run.data) or series is not None:
        return Section(said[0], _late(run, found[0]), (drawn(found[0]),))
    shown = f"The newest forecasts of {listed([f.series for f in found])}"
    rest = len(run.data.ids) - len(found)
    finding = (
        f"{shown}; the other {counted(rest, 'series', 'series')} are in run.at(0, series)." if rest else f"{shown}."
    )
    return Section(finding, tuple(said), (Beside(tuple(drawn(f, 424, 300) for f in found)),))


def said_of(run: Run, found: Forecast, *, named: bool = False) -> str:
    """A forecast in a sentence."""
    row = run.data.row(found.index, found.series)
    low, high = found.interval(80)[-1]
    which = f"{found.series}: as" if named else "As"
    observed = run.data.values[row]
    after = f" after {number(observed)}" if np.isfinite(observed) else ""
    kind = "calibrated " if found.calibrated is not None and np.isfinite(found.calibrated).all() else ""
    return (
        f"{which} of {when(run.data, row)}, {found.model} expects {number(found.median[-1])} in {steps(run)}{after}; "
        f"the {kind}80 % band reaches from {number(low)} to {number(high)}."
    )


def drawn(found: Forecast, width: int = 860, height: int = 340) -> Picture:
    """A forecast's fan chart."""
    fan = found.fan()
    return Picture(chart.render(fan, width=width, height=height), chart.describe(fan))


def _late(run: Run, found: Forecast) -> tuple[str, ...]:
    if not found.index:
        return ()
    return (f"The last {counted(-found.index, 'step')} have no forecast: nothing was observed shortly before them.",)
