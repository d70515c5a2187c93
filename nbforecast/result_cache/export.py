"""Results in the field's long format (X1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32

from nbforecast.levels import check_coverages
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.scoring.origin_scores import quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.result_cache.entry_slice import EntrySlice


def to_long(
    entry_slice: EntrySlice, coverages: Sequence[float], calibrated: Float32[np.ndarray, "N H K"] | None = None
) -> pl.DataFrame:
    """One row per origin and horizon step, in Nixtla's convention.

    Args:
        entry_slice: The results; origins without a forecast are left out.
        coverages: Coverages of central intervals, in per cent.
        calibrated: (N, H, 8) quantiles at `CALIBRATED_LEVELS`, which replace the forecast's own where they are finite.

    Returns:
        unique_id, ds, cutoff (the origin's time), y (null where it is not known), MODEL (the median), and for each
        coverage the ends of the interval: MODEL-lo-80, MODEL-hi-80.

    Raises:
        OptionError: A coverage is not between 1 and 100.
    """
    check_coverages(coverages, "levels=")
    data, spec = entry_slice.data, entry_slice.spec
    forecast, horizon, model = entry_slice.array("forecast"), spec.horizon, spec.model.name
    rows = np.flatnonzero(np.isfinite(forecast[:, 0, 0]))
    tails = [(100 - c) / 200 for c in coverages]
    probabilities = (0.5, *(p for tail in tails for p in (tail, 1 - tail)))
    values = quantiles(forecast[rows], spec.levels, probabilities)
    for number, probability in enumerate(probabilities):
        if calibrated is not None and probability in CALIBRATED_LEVELS:
            ends = calibrated[rows, :, CALIBRATED_LEVELS.index(probability)]
            values[..., number] = np.where(np.isfinite(ends), ends, values[..., number])
    names = [model, *(f"{model}-{end}-{coverage:g}" for coverage in coverages for end in ("lo", "hi"))]
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    return pl.DataFrame(
        [
            pl.Series("unique_id", data.ids).gather(np.repeat(series, horizon)),
            data.times(data.future_times(rows, horizon)),
            data.times(np.repeat(data.time[rows], horizon)).alias("cutoff"),
            pl.Series("y", data.actuals(rows, horizon).ravel(), nan_to_null=True),
            *(pl.Series(name, values[..., i].ravel()) for i, name in enumerate(names)),
        ]
    )
