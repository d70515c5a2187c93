"""Models of Darts: global models as they are fitted, local models fitted to every context."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.darts_fitted import copy_model, model_state
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
    """Returns a forecaster of points, of samples of a probabilistic model, or of a quantile likelihood's quantiles.

    Draws follow from the seed. Those of a local model depend on nothing but its context. A global model draws for a
    batch of origins at once, so its samples at an origin depend on the other origins of the batch. Quantiles of a
    quantile likelihood do not, up to the model's `output_chunk_length`; further ones are estimated from 200 samples.

    Args:
        model: A global model, fitted without covariates, or a local model, which is fitted to each context.
        name: The forecaster's name; by default the model's class.
        context: The most steps that a local model is fitted to; by default 512. A global model's is its input length.
        least: The fewest steps that a local model is fitted to; by default the model's own minimum, at least 8.
        draws: The number of samples of a probabilistic model.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If a global model is not fitted or needs covariates, or an option does not apply to it.
    """
    from darts.models.forecasting.forecasting_model import ForecastingModel, GlobalForecastingModel

    kind = type(model).__name__
    if not isinstance(model, ForecastingModel):
        raise OptionError(f"{kind} is no forecasting model of Darts: hand over one of darts.models.")
    if not getattr(model, "is_global_ensemble", isinstance(model, GlobalForecastingModel)):
        count = draws if model.supports_probabilistic_prediction else 1
        min_length = max(8, int(model.min_train_series_length)) if least is None else least
        return FunctionForecaster(
            _local(model.untrained_model(), count),
            name or kind,
            context=max(512, min_length) if context is None else context,
            draws=count,
            least=min_length,
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
        _global(copy_model(model), levels, count),
        name or kind,
        context=-int(first),
        levels=levels,
        draws=count,
        least=-int(first),
        whole=True,
        seeded=True,
        batch=256,
        key=key or code_digest(model_state(model)),
    )


def _local(model: Any, draws: int) -> Any:
    from darts import TimeSeries

    def forecast_context(values: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        values = values[np.argmax(~np.isnan(values)) :]
        context_seed = int.from_bytes(hashlib.sha256(values.tobytes() + str(seed).encode()).digest()[:4], "little")
        with numpy_seed(context_seed):
            fitted = model.untrained_model().fit(TimeSeries.from_values(values))
            sample_options = {"num_samples": draws, "random_state": context_seed} if draws > 1 else {}
            return fitted.predict(horizon, verbose=False, show_warnings=False, **sample_options).all_values()[:, 0]

    def forecast(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        with quiet():
            return np.stack([forecast_context(values, horizon, seed) for values in contexts])

    return forecast


def _global(model: Any, levels: Any, draws: int) -> Any:
    from darts import TimeSeries

    lock = threading.Lock()  # a model keeps a trainer and a random state
    precision = str(getattr(getattr(model, "model", None), "dtype", "float64")).replace("torch.", "")
    dtype = np.dtype("float64" if precision == "float64" else "float32")

    def forecast(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        series = [TimeSeries.from_values(values) for values in contexts.astype(dtype)]
        predicts_quantiles = levels is not None and horizon <= model.output_chunk_length
        options = (
            {"predict_likelihood_parameters": True} if predicts_quantiles else {"num_samples": 200 if levels else draws}
        )
        with lock, quiet(), numpy_seed(seed):
            forecasts = model.predict(
                horizon, series=series, verbose=False, show_warnings=False, random_state=seed % 2**32, **options
            )
        values = np.stack([part.all_values(copy=False) for part in forecasts])
        if predicts_quantiles:
            return values[..., 0]
        return np.moveaxis(np.quantile(values[:, :, 0], levels, axis=-1), 0, -1) if levels else values[:, :, 0]

    return forecast
