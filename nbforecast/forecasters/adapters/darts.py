"""Models of Darts: global ones as they are fitted, local ones fitted anew to every context."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.darts_fitted import copied, state
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import numpy_seed, quiet
from nbforecast.forecasters.code_digest import code_digest


def build(
    model: Any,
    name: str | None = None,
    *,
    context: int | None = None,
    least: int | None = None,
    draws: int = 50,
    key: str | None = None,
) -> FunctionForecaster:
    """Points, or `draws` samples of a probabilistic model, or the quantiles of one with a quantile likelihood.

    A global model must be fitted, without covariates; `context` is then as long as its input. A local one is fitted
    anew: to at most `context` steps (512), and at least `least` (what the model says, and 8).

    Draws follow from the seed. Those of a local model depend on nothing but its context. A global model draws for a
    batch of origins at once, so its samples of an origin depend on which others are forecast along with it; quantiles
    of a quantile likelihood do not, up to the model's `output_chunk_length` (further ones are of 200 samples).

    Raises `OptionError` for a global model that is not fitted or needs covariates.
    """
    from darts.models.forecasting.forecasting_model import ForecastingModel, GlobalForecastingModel

    kind = type(model).__name__
    if not isinstance(model, ForecastingModel):
        raise OptionError(f"{kind} is no forecasting model of Darts: hand over one of darts.models.")
    if not getattr(model, "is_global_ensemble", isinstance(model, GlobalForecastingModel)):
        count = draws if model.supports_probabilistic_prediction else 1
        shortest = max(8, int(model.min_train_series_length)) if least is None else least
        return FunctionForecaster(
            _local(model.untrained_model(), count),
            name or kind,
            context=max(512, shortest) if context is None else context,
            draws=count,
            least=shortest,
            whole=True,
            seeded=True,
            key=key or code_digest((type(model), dict(model.model_params))),
        )
    if not getattr(model, "_fit_called", False):
        raise OptionError(f"{kind} is not fitted: call fit(series) first.")
    if model.uses_past_covariates or model.uses_future_covariates or model.uses_static_covariates:
        raise OptionError(f"{kind} is fitted with covariates, and nothing but the past values is handed over.")
    first = model.extreme_lags[0]
    if first is None or context is not None or least is not None:
        reason = "it has no lags of the target" if first is None else "context= and least= follow from its input"
        raise OptionError(f"{kind} cannot be used so: {reason}.")
    levels = getattr(getattr(model, "likelihood", None), "quantiles", None)
    count = len(levels) if levels else draws if model.supports_probabilistic_prediction else 1
    return FunctionForecaster(
        _global(copied(model), levels, count),
        name or kind,
        context=-int(first),
        levels=levels,
        draws=count,
        least=-int(first),
        whole=True,
        seeded=True,
        batch=256,
        key=key or code_digest(state(model)),
    )


def _local(model: Any, draws: int) -> Any:
    from darts import TimeSeries

    def one(values: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        values = values[np.argmax(~np.isnan(values)) :]
        own = int.from_bytes(hashlib.sha256(values.tobytes() + str(seed).encode()).digest()[:4], "little")
        with numpy_seed(own):
            fitted = model.untrained_model().fit(TimeSeries.from_values(values))
            sampled = {"num_samples": draws, "random_state": own} if draws > 1 else {}
            return fitted.predict(horizon, verbose=False, show_warnings=False, **sampled).all_values()[:, 0]

    def forecast(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        with quiet():
            return np.stack([one(values, horizon, seed) for values in contexts])

    return forecast


def _global(model: Any, levels: Any, draws: int) -> Any:
    from darts import TimeSeries

    lock = threading.Lock()  # a model keeps a trainer and a random state
    precision = str(getattr(getattr(model, "model", None), "dtype", "float64")).replace("torch.", "")
    dtype = np.dtype("float64" if precision == "float64" else "float32")

    def forecast(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        series = [TimeSeries.from_values(values) for values in contexts.astype(dtype)]
        exact = levels is not None and horizon <= model.output_chunk_length
        options = {"predict_likelihood_parameters": True} if exact else {"num_samples": 200 if levels else draws}
        with lock, quiet(), numpy_seed(seed):
            forecasts = model.predict(
                horizon, series=series, verbose=False, show_warnings=False, random_state=seed % 2**32, **options
            )
        values = np.stack([part.all_values(copy=False) for part in forecasts])
        if exact:
            return values[..., 0]
        return np.moveaxis(np.quantile(values[:, :, 0], levels, axis=-1), 0, -1) if levels else values[:, :, 0]

    return forecast
