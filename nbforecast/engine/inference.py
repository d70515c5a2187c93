"""From origins to one array of forecasts (E1)."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast import device
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.errors import ForecasterError, NbForecastError
from nbforecast.interrupts import uninterrupted

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster

_log = logging.getLogger("nbforecast.engine")


def run_inference(
    forecaster: Forecaster,
    data: Dataset,
    rows: Int64[np.ndarray, " R"],
    horizon: int,
    seed: int = 0,
    sizer: BatchSizer | None = None,
) -> Float32[np.ndarray, "R H Q"]:
    """Forecast from some origins, batch by batch, in smaller batches where the device's memory is short (E7).

    Args:
        forecaster: The model.
        data: The dataset.
        rows: (R,) the origins, as rows of the dataset.
        horizon: H, the number of steps to forecast.
        seed: For models that draw at random.
        sizer: Chooses the batch sizes, and observes how long batches take; None for a new one.

    Returns:
        (R, H, Q) finite draws, ascending along the last axis, in the data's unit.

    Raises:
        ForecasterError: The forecaster fails, returns another shape or values that are not finite, or does not fit the
            device's memory.
    """
    import jax

    sizer = sizer or BatchSizer.for_forecaster(forecaster, horizon)
    forecasts = np.empty((len(rows), horizon, forecaster.draws), np.float32)
    start = 0
    with jax.default_device(device.devices()[0]):
        while start < len(rows):
            batch = rows[start : start + sizer.choose(len(rows) - start)]
            began = time.perf_counter()
            try:
                work = partial(_forecast_batch, forecaster, data, batch, horizon, seed)
                forecasts[start : start + len(batch)] = uninterrupted(work)
            except ForecasterError as error:
                if not device.out_of_memory(error.__cause__ or error):
                    raise
                if not sizer.shrink():
                    raise ForecasterError(
                        f"The model {forecaster.name!r} does not fit into the device's memory, not even with "
                        f"{sizer.size} origins at once. Free some (other kernels?), or set NBFORECAST_DEVICE=cpu."
                    ) from error.__cause__
                _log.info("Out of memory with %d origins at once; continuing with %d.", len(batch), sizer.size)
                continue
            sizer.observe(len(batch), time.perf_counter() - began)
            start += len(batch)
    return forecasts


def _forecast_batch(
    forecaster: Forecaster, data: Dataset, rows: Int64[np.ndarray, " B"], horizon: int, seed: int
) -> Float32[np.ndarray, "B H Q"]:
    """The forecasts of one batch, checked and sorted."""
    try:
        draws = np.asarray(forecaster.forecast(data, rows, horizon, seed), np.float32)
    except NbForecastError:
        raise
    except Exception as error:
        raise ForecasterError(f"The model {forecaster.name!r} failed: {type(error).__name__}: {error}") from error
    expected = (len(rows), horizon, forecaster.draws)
    if draws.shape != expected:
        raise ForecasterError(
            f"The model {forecaster.name!r} returned an array of shape {draws.shape}; expected (origins, horizon, "
            f"draws) = {expected}."
        )
    is_bad = ~np.isfinite(draws).all((1, 2))
    if is_bad.any():
        series, index = data.locate(int(rows[np.argmax(is_bad)]))
        raise ForecasterError(
            f"The model {forecaster.name!r} returned values that are not finite for {int(is_bad.sum())} of "
            f"{len(rows)} origins, the first at index {index} of series {data.ids[series]!r}."
        )
    return np.sort(draws, axis=-1)
