"""Some series of a panel, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.report.current_forecast import drawn, said_of
from nbforecast.report.section import Beside, Section
from nbforecast.report.stats import by_series, column, newest, panel, worst
from nbforecast.report.words import beside, named, percent, when

if TYPE_CHECKING:
    from nbforecast.run import Run


def portraits(run: Run, baseline: Run, worst_few: int = 3, random_few: int = 3, seed: int = 0) -> Section:
    """The series of a panel where the model does worst beside the baseline, and some at random.

    Each has its newest forecast and its worst. Of a single series, nothing is shown.
    """
    if not panel(run.data):
        return Section()
    gain = by_series(run, baseline)
    known = np.flatnonzero(np.isfinite(gain))
    last = known[np.argsort(-gain[known], kind="stable")][:worst_few]
    rest = np.setdiff1d(known, last)
    picked = np.sort(np.random.default_rng(seed).choice(rest, min(random_few, len(rest)), replace=False))
    why = ["among the worst"] * len(last) + ["picked at random"] * len(picked)
    shown = zip((*last, *picked), why, strict=True)
    return Section("", (), tuple(_portrait(run, baseline, int(s), float(gain[s]), said) for s, said in shown))


def _portrait(run: Run, baseline: Run, at: int, gain: float, why: str) -> Section:
    series = run.data.ids[at]
    held = column(run, "coverage_80")[run.data.offsets[at] : run.data.offsets[at + 1]]
    told = f"The CRPS {beside(gain, named(baseline.model))}; the" if gain else "The"
    finding = f"{told} 80 % bands held {percent(float(np.nanmean(held)))} of the actual values as forecast."
    said, pictures = [], []
    now = newest(run, series)
    if now is not None:
        found = run.at(now, series)
        said.append(said_of(run, found))
        pictures.append(drawn(found, 424, 300))
    for row in worst(run, 1, series).tolist():
        said.append(f"It was furthest off as of {when(run.data, row)}.")
        pictures.append(drawn(run.at(run.data.locate(row)[1], series), 424, 300))
    return Section(finding, tuple(said), (Beside(tuple(pictures)),), f"{series}: {why}")
