"""Results in the field's long format (X1), whole or in parts (E10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nbforecast.checks import check_coverages
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.scoring.origin_scores import quantiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbforecast.result_cache.entry_slice import EntrySlice

PART_ROWS = 1 << 18  # of the long format, that are made at once


def to_long(
    entry_slice: EntrySlice,
    rows: Int64[np.ndarray, " R"],
    coverages: float | Sequence[float],
    calibrated: Float32[np.ndarray, "R H K"] | None = None,
    *,
    index: bool = False,
    step: bool = False,
) -> pl.DataFrame:
    """One row per origin and horizon step, in Nixtla's convention.

    Args:
        entry_slice: The results.
        rows: (R,) ascending rows of the slice; those without a forecast are left out.
        coverages: Coverage of a central interval in per cent, or those of several.
        calibrated: (R, H, 8) quantiles at `CALIBRATED_LEVELS`, which replace the forecast's own where they are finite.
        index: Whether to add a column with the origin's index.
        step: Whether to add a column with the step, 1 to H.

    Returns:
        unique_id, ds, cutoff (the origin's time), index and step if requested, y (null where it is not known), MODEL
        (the median), and for each coverage the ends of the interval: MODEL-lo-80, MODEL-hi-80.

    Raises:
        OptionError: A coverage is not between 1 and 100.
    """
    several = cast("Sequence[float]", (coverages,) if np.ndim(coverages) == 0 else coverages)
    check_coverages(several, "levels=")
    is_known = has_forecast(entry_slice.status[rows])
    if not is_known.all():
        rows, calibrated = rows[is_known], None if calibrated is None else calibrated[is_known]
    data, spec = entry_slice.data, entry_slice.spec
    horizon, model = spec.horizon, spec.model.name
    tails = [(100 - c) / 200 for c in several]
    probabilities = (0.5, *(p for tail in tails for p in (tail, 1 - tail)))
    values = quantiles(entry_slice.take("forecast", rows), spec.levels, probabilities)
    for number, probability in enumerate(probabilities):
        if calibrated is not None and probability in CALIBRATED_LEVELS:
            ends = calibrated[..., CALIBRATED_LEVELS.index(probability)]
            values[..., number] = np.where(np.isfinite(ends), ends, values[..., number])
    names = [model, *(f"{model}-{end}-{coverage:g}" for coverage in several for end in ("lo", "hi"))]
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    origins = rows - data.offsets[series + 1] + 1
    return pl.DataFrame(
        [
            pl.Series("unique_id", data.ids, pl.String).gather(np.repeat(series, horizon)),
            data.times(data.future_times(rows, horizon)),
            data.times(np.repeat(data.time[rows], horizon)).alias("cutoff"),
            *([pl.Series("index", np.repeat(origins, horizon), pl.Int32)] if index else []),
            *([pl.Series("step", np.tile(np.arange(1, horizon + 1), len(rows)), pl.Int32)] if step else []),
            pl.Series("y", data.actuals(rows, horizon).ravel(), nan_to_null=True),
            *(pl.Series(name, values[..., i].ravel()) for i, name in enumerate(names)),
        ]
    )


def long_parts(
    entry_slice: EntrySlice,
    rows: Int64[np.ndarray, " R"],
    coverages: float | Sequence[float],
    *,
    calibrate: bool = False,
    index: bool = False,
    step: bool = False,
) -> Iterator[pl.DataFrame]:
    """As `to_long`, part by part, of about `PART_ROWS` rows each.

    Args:
        entry_slice: The results.
        rows: (R,) ascending rows of the slice; those without a forecast are left out.
        coverages: Coverage of a central interval in per cent, or those of several.
        calibrate: Whether intervals are calibrated where enough past errors are known.
        index: Whether to add a column with the origin's index.
        step: Whether to add a column with the step, 1 to H.

    Yields:
        Tables that make the whole one when they are put together; one at least.

    Raises:
        OptionError: A coverage is not between 1 and 100.
    """
    rows = rows[has_forecast(entry_slice.status[rows])]
    size = max(PART_ROWS // entry_slice.spec.horizon, 1)
    for start in range(0, max(len(rows), 1), size):
        part = rows[start : start + size]
        bands = entry_slice.calibrate_sparse(part) if calibrate and len(part) else None
        yield to_long(entry_slice, part, coverages, bands, index=index, step=step)
