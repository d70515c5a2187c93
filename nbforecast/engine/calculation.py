"""Calculations of the background: a batch of origins computed without a lock and written under one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast.scoring.calculations import calculate, densities
from nbforecast.settings import settings

if TYPE_CHECKING:
    from nbforecast.engine.statistics import Statistics
    from nbforecast.result_cache.entry import Entry

DENSITY_ORIGINS = 256


def calculate_rows(
    entry: Entry,
    rows: Int64[np.ndarray, " R"],
    draws: Float32[np.ndarray, "R H Q"],
    version: str,
    statistics: Statistics,
) -> None:
    """Quantiles and scores of some rows, batch by batch; dropped once `version` is not the entry's (C8a)."""
    batch = settings().batch
    actual = entry.data.actuals(rows, entry.spec.horizon)
    for at in range(0, len(rows), batch):
        part = slice(at, at + batch)
        made = calculate(draws[part], actual[part], entry.spec.levels, batch)
        entry.write_calculations(rows[part], made, version)
        statistics.add(batches=1, calculated=len(rows[part]), locks=1)


def density_of_newest(entry: Entry, version: str, statistics: Statistics) -> None:
    """Densities of the newest origins of the first series, those a person draws first."""
    end = int(entry.data.offsets[1])
    rows = np.arange(max(end - DENSITY_ORIGINS, 0), end)
    batch = settings().batch
    draws = entry.take("forecast", rows)
    known = np.isfinite(draws[:, 0, 0])
    rows, draws = rows[known], draws[known]
    for at in range(0, len(rows), batch):
        entry.write_densities(rows[at : at + batch], densities(draws[at : at + batch], batch), version)
        statistics.add(batches=1, locks=1)
