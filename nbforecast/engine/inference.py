"""From origins to one array of forecasts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast import device
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.errors import ForecasterError, NbForecastError

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
    pace: BatchSizer | None = None,
) -> Float32[np.ndarray, "R H Q"]:
    """Forecasts as of some rows of a dataset, draws sorted in ascending order.

    They are inferred in batches as `pace` has found them to be best, smaller ones where the device has not enough
    memory (E7); what is learnt of it is noted there.

    Raises `ForecasterError` if the forecaster fails, or returns another shape or values that are not finite.
    """
    import jax

    pace = pace or BatchSizer.of(forecaster)
    out = np.empty((len(rows), horizon, forecaster.draws), np.float32)
    at = 0
    with jax.default_device(device.devices()[0]):
        while at < len(rows):
            pace.adapt(len(rows) - at)
            part = rows[at : at + pace.size]
            began = time.perf_counter()
            try:
                out[at : at + len(part)] = _forecast(forecaster, data, part, horizon, seed)
            except ForecasterError as error:
                if not device.out_of_memory(error.__cause__ or error):
                    raise
                if not pace.shrink():
                    raise ForecasterError(
                        f"The model {forecaster.name!r} does not fit into the device's memory, not even with "
                        f"{pace.size} origins at once. Free some (other kernels?), or set NBFORECAST_DEVICE=cpu."
                    ) from error.__cause__
                _log.info("Out of memory with %d origins at once; going on with %d.", len(part), pace.size)
                continue
            pace.note(len(part), time.perf_counter() - began)
            at += len(part)
    return out


def _forecast(
    forecaster: Forecaster, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int
) -> Float32[np.ndarray, "R H Q"]:
    """One batch, checked and sorted."""
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
    bad = ~np.isfinite(draws).all((1, 2))
    if bad.any():
        series, index = data.locate(int(rows[np.argmax(bad)]))
        raise ForecasterError(
            f"The model {forecaster.name!r} returned values that are not finite for {int(bad.sum())} of {len(rows)} "
            f"origins, the first at index {index} of series {data.ids[series]!r}."
        )
    return np.sort(draws, axis=-1)
