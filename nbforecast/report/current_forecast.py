"""The forecast as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast import charts
from nbforecast.report.section import Beside, Picture, Points, Section
from nbforecast.report.stats import newest, panel
from nbforecast.report.words import counted, steps, when
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

_SHOWN = 4  # series of a panel


def outlook(run: Run, series: str | None = None) -> Section:
    """The newest forecast; of a panel how many series are expected to rise, and the forecasts of the first few.

    series: the one of a panel to be shown.
    """
    ids = [series] if series is not None else list(run.data.ids[:_SHOWN])
    found = [run.at(at, s) for s in ids if (at := newest(run, s)) is not None]
    if not found:
        return Section("No origin can be forecast: there is too little history, or too many gaps.")
    if not panel(run.data) or series is not None:
        return Section(said_of(run, found[0]), _late(found[0]), (drawn(found[0]),))
    rest = len(run.data.ids) - len(found)
    said = [" ".join((f"{f.series}: {said_of(run, f).replace('As', 'as', 1)}", *_late(f))) for f in found]
    others = (f"{counted(rest, 'more series is', 'more series are')} not drawn here.",) if rest > 0 else ()
    pictures = Beside(tuple(drawn(f, 424, 300) for f in found))
    return Section(_rising(run), (), (Points((*said, *others)), pictures))


def _late(found: Forecast) -> tuple[str, ...]:
    told = f"The last {counted(-found.index, 'step')} have no forecast: too little was observed before them."
    return (told,) if found.index else ()


def said_of(run: Run, found: Forecast) -> str:
    """A forecast in a sentence."""
    row = run.data.row(found.index, found.series)
    low, high = found.interval(80)[-1]
    observed = run.data.values[row]
    after = f" after {number(observed)}" if np.isfinite(observed) else ""
    kind = "calibrated " if found.calibrated is not None and np.isfinite(found.calibrated).all() else ""
    return (
        f"As of {when(run.data, row)}, {found.model} expects {number(found.median[-1])} in {steps(run)}{after}; "
        f"the {kind}80 % band reaches from {number(low)} to {number(high)}."
    )


def drawn(found: Forecast, width: int = 860, height: int = 340) -> Picture:
    """A forecast's fan charts."""
    fan = found.fan()
    return Picture(charts.draw_fan(fan, width=width, height=height), charts.describe(fan))


def _rising(run: Run) -> str:
    """In how many series the newest forecast ends above the last value."""
    last = run.data.offsets[1:] - 1
    there = last[run.reasons[last] == 0]
    ends = run.frame["median"].gather(there).to_numpy()[:, -1]
    rising = int((ends > run.data.values[there]).sum())
    more = f"{run.model} expects more in {steps(run)} than was last observed"
    if len(there) < len(run.data.ids):
        return f"In {rising} of the {len(there)} series that can be forecast as of their last value, {more}."
    return f"In {rising} of {counted(len(there), 'series', 'series')}, {more}."
