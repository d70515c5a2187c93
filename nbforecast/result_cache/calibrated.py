"""Calibrated bands of cached forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from nbforecast.postprocessing.conformal import calibrate, rows_needed

if TYPE_CHECKING:
    from nbforecast.result_cache.entry_slice import EntrySlice


def calibrated(view: EntrySlice) -> Float32[np.ndarray, "N H K"]:
    """Of every origin, from the forecasts that stand now; NaN where too few past errors are known."""
    data, horizon = view.data, view.spec.horizon
    actual = data.actuals(np.arange(len(data)), horizon)
    return calibrate(view.array("forecast"), actual, data.lengths, view.spec.levels)


def calibrated_at(view: EntrySlice, row: int) -> Float32[np.ndarray, "H K"]:
    """As `calibrated`, of one origin; only the rows that it depends on are read."""
    return calibrated_between(view, row, row + 1)[0]


def calibrated_between(view: EntrySlice, start: int, end: int) -> Float32[np.ndarray, "R H K"]:
    """As `calibrated`, of the rows from `start` up to `end`, all of one series; no more is read than they depend on."""
    data, horizon = view.data, view.spec.horizon
    series, _ = data.locate(start)
    rows = np.arange(max(int(data.offsets[series]), start + 1 - rows_needed(horizon)), end)
    actual = data.actuals(rows, horizon)
    return calibrate(view.take("forecast", rows), actual, np.array([len(rows)]), view.spec.levels)[start - end :]
