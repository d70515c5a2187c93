"""From origins to one array of forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.compute import runtime
from nbforecast.errors import ForecasterError, NbForecastError

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.series import Dataset


def run_inference(
    forecaster: Forecaster, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
) -> Float32[np.ndarray, "R H Q"]:
    """Forecasts as of some rows of a dataset, draws sorted in ascending order (SPEC E1).

    Raises `ForecasterError` if the forecaster fails, or returns another shape or values that are not finite.
    """
    device = runtime.start()
    import jax

    try:
        with jax.default_device(device):
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
