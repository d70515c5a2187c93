"""Results in the field's long format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32

from nbforecast.errors import OptionError
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.scoring.calculations import quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.result_cache.entry_slice import EntrySlice


def to_long(
    view: EntrySlice, coverages: Sequence[float], bands: Float32[np.ndarray, "N H K"] | None = None
) -> pl.DataFrame:
    """A row for each origin and step: unique_id, ds, cutoff, y, MODEL, MODEL-lo-80, MODEL-hi-80 ...

    The convention is Nixtla's: `cutoff` is the origin's time, MODEL the point forecast (the median), `lo` and `hi` the
    ends of the central intervals, those of the calibrated `bands` where they stand; y is null where it is not known.
    Origins without a forecast are left out.
    """
    for coverage in coverages:
        if not 0 < coverage < 100:
            raise OptionError(f"levels= takes percentages between 0 and 100, not {coverage!r}.")
    data, horizon, model = view.data, view.spec.horizon, view.spec.model.name
    forecast = view.array("forecast")
    rows = np.flatnonzero(np.isfinite(forecast[:, 0, 0]))
    tails = [(100 - c) / 200 for c in coverages]
    wanted = (0.5, *(p for t in tails for p in (t, 1 - t)))
    values = quantiles(forecast[rows], view.spec.levels, wanted)
    for at, level in enumerate(wanted):
        if bands is not None and level in CALIBRATED_LEVELS:
            band = bands[rows, :, CALIBRATED_LEVELS.index(level)]
            values[..., at] = np.where(np.isfinite(band), band, values[..., at])
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
