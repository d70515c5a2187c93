"""Calculations of inferred origins: a batch is computed without a lock and written under one (E3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast.scoring.origin_scores import calculate, densities
from nbforecast.settings import settings

if TYPE_CHECKING:
    from nbforecast.engine.tasks import Statistics
    from nbforecast.result_cache.entry import Entry

DENSITY_ORIGINS = 256
_FEW = 32  # origins that are not padded to a whole batch: those of a request that somebody waits for
_MAX_DRAWS = 1 << 22  # numbers in a batch, for long horizons and many samples


def batch_size(draws: Float32[np.ndarray, "R H Q"]) -> int:
    """The number of origins that are calculated at once, one of few, since each is compiled.

    Args:
        draws: (R, H, Q) forecasts.
    """
    most = settings().batch
    if len(draws) <= _FEW:
        return min(_FEW, most)
    while most > _FEW and most * draws[0].size > _MAX_DRAWS:
        most //= 2
    return most


def calculate_rows(
    entry: Entry,
    rows: Int64[np.ndarray, " R"],
    draws: Float32[np.ndarray, "R H Q"],
    version: str,
    statistics: Statistics,
) -> None:
    """Calculate quantiles and scores, those of a chunk in one batch where it is not larger, and write them to an entry.

    Args:
        entry: The entry that holds the forecasts.
        rows: (R,) rows of the entry.
        draws: (R, H, Q) their forecasts.
        version: The entry's version that the forecasts belong to; results for another version are dropped (C8a).
        statistics: Where batches, origins and locks are counted.
    """
    batch = batch_size(draws)
    actual = entry.data.actuals(rows, entry.spec.horizon)
    for start in range(0, len(rows), batch):
        part = slice(start, start + batch)
        calculations = calculate(draws[part], actual[part], entry.spec.levels, batch)
        entry.write_calculations(rows[part], calculations, version)
        statistics.add(batches=1, calculated=len(rows[part]), locks=1)


def calculate_newest_densities(entry: Entry, version: str, statistics: Statistics) -> None:
    """Calculate densities of the newest origins of the first series, those that a person draws first.

    Args:
        entry: The entry that holds the forecasts.
        version: The entry's version; results for another version are dropped (C8a).
        statistics: Where batches and locks are counted.
    """
    end = int(entry.data.offsets[1])
    rows = np.arange(max(end - DENSITY_ORIGINS, 0), end)
    rows = np.setdiff1d(rows, entry.density_columns().rows)
    draws = entry.take("forecast", rows)
    is_inferred = np.isfinite(draws[:, 0, 0])
    rows, draws = rows[is_inferred], draws[is_inferred]
    batch = min(_FEW, batch_size(draws))
    for start in range(0, len(rows), batch):
        part = slice(start, start + batch)
        entry.write_densities(rows[part], densities(draws[part], batch), version)
        statistics.add(batches=1, locks=1)
