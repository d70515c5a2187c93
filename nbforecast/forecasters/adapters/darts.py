"""Models of Darts: global models as they are fitted, local models fitted to every context."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.darts_fitted import copy_model, model_state
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import numpy_seed, quiet
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence


def build(
    model: Any,
    name: str | None = None,
    *,
    context: int | None = None,
    least: int | None = None,
    draws: int = 50,
    past_covariates: Sequence[str] | None = None,
    future_covariates: Sequence[str] | None = None,
    key: str | None = None,
) -> FunctionForecaster:
    """Returns a forecaster of points, of samples of a probabilistic model, or of a quantile likelihood's quantiles.

    Draws follow from the seed. Those of a local model depend on nothing but its context. A global model draws for a
    batch of origins at once, so its samples at an origin depend on the other origins of the batch. Quantiles of a
    quantile likelihood do not, up to the model's `output_chunk_length`; further ones are estimated from 200 samples.

    A global model that is fitted with past or future covariates receives those of the same names. A local model that
    takes future covariates (ARIMA, AutoARIMA, Prophet ...) is fitted to the covariates known ahead of each context.

    Args:
        model: A fitted global model, or a local model, which is fitted to each context.
        name: The forecaster's name; by default the model's class.
        context: The most steps that a local model is fitted to; by default 512. A global model's is its input length.
        least: The fewest steps that a local model is fitted to; by default the model's own minimum, at least 8.
        draws: The number of samples of a probabilistic model.
        past_covariates: The names of the past covariates that a global model is fitted with; by default those of the
            series, which a model that is fitted to several series does not hold.
        future_covariates: The names of its future covariates.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If a global model is not fitted or needs static covariates, if nothing names its covariates, or an
            option does not apply to it.
    """
    from darts.models.forecasting.forecasting_model import ForecastingModel, GlobalForecastingModel

    kind = type(model).__name__
    if not isinstance(model, ForecastingModel):
        raise OptionError(f"{kind} is no forecasting model of Darts: hand over one of darts.models.")
    if not getattr(model, "is_global_ensemble", isinstance(model, GlobalForecastingModel)):
        count = draws if model.supports_probabilistic_prediction else 1
        min_length = max(8, int(model.min_train_series_length)) if least is None else least
        local = _local(model.untrained_model(), count)
        return FunctionForecaster(
            _with_future(local) if model.supports_future_covariates else local,
            name or kind,
            context=max(512, min_length) if context is None else context,
            draws=count,
            least=min_length,
            whole=True,
            seeded=True,
            complete=True,
            only_ahead=True,
            key=key or code_digest((type(model), dict(model.model_params))),
        )
    if not getattr(model, "_fit_called", False):
        raise OptionError(f"{kind} is not fitted: call fit(series) first.")
    if model.uses_static_covariates:
        raise OptionError(f"{kind} is fitted with static covariates, and only values and covariates are handed over.")
    past = _names(model, "past_covariates", past_covariates)
    ahead = _names(model, "future_covariates", future_covariates)
    first = model.extreme_lags[0]
    if first is None or context is not None or least is not None:
        reason = "it has no lags of the target" if first is None else "context= and least= follow from its input"
        raise OptionError(f"{kind} cannot be used so: {reason}.")
    levels = getattr(getattr(model, "likelihood", None), "quantiles", None)
    count = len(levels) if levels else draws if model.supports_probabilistic_prediction else 1
    length = -min(int(lag) for lag in model.extreme_lags[0:6:2] if lag is not None)
    names = list(dict.fromkeys([*past, *ahead]))
    global_ = _global(copy_model(model), levels, count, [names.index(n) for n in past], [names.index(n) for n in ahead])
    return FunctionForecaster(
        _with_covariates(global_) if names else global_,
        name or kind,
        context=length,
        levels=levels,
        draws=count,
        least=length,
        whole=True,
        seeded=True,
        batch=256,
        key=(key or code_digest(model_state(model))) + (f" covariates={past}{ahead}" if names else ""),
        covariates=names or None,
        complete=True,
    )


def _names(model: Any, kind: str, given: Sequence[str] | None) -> list[str]:
    """The names of a fitted model's past or future covariates."""
    if not getattr(model, f"uses_{kind}"):
        return []
    if given is not None:
        return [str(name) for name in given]
    series = getattr(model, kind.replace("covariates", "covariate_series"), None)
    if series is None:
        raise OptionError(
            f"{type(model).__name__} is fitted with {kind.replace('_', ' ')} of several series, and does not hold "
            f"their names. Give them in the order of the components: nbf.register('mine', model, {kind}=['temp'])."
        )
    return [str(name) for name in series.components]


def _with_covariates(forecast: Any) -> Any:
    def forecast_beside(
        contexts: np.ndarray, horizon: int, seed: int, past: np.ndarray, future: np.ndarray
    ) -> np.ndarray:
        return forecast(contexts, horizon, seed, past, future)

    return forecast_beside


def _with_future(forecast: Any) -> Any:
    def forecast_with(
        contexts: np.ndarray,
        horizon: int,
        seed: int,
        past: np.ndarray | None = None,
        future: np.ndarray | None = None,
    ) -> np.ndarray:
        return forecast(contexts, horizon, seed, past, future)

    return forecast_with


def _local(model: Any, draws: int) -> Any:
    from darts import TimeSeries

    def forecast_context(values: np.ndarray, horizon: int, seed: int, covariates: np.ndarray | None) -> np.ndarray:
        first = int(np.argmax(~np.isnan(values)))
        values, options = values[first:], {}
        if covariates is not None:
            options["future_covariates"] = TimeSeries.from_values(covariates[first:])
        context_seed = int.from_bytes(hashlib.sha256(values.tobytes() + str(seed).encode()).digest()[:4], "little")
        with numpy_seed(context_seed):
            fitted = model.untrained_model().fit(TimeSeries.from_values(values), **options)
            sample_options = {"num_samples": draws, "random_state": context_seed} if draws > 1 else {}
            sample_options |= options
            return fitted.predict(horizon, verbose=False, show_warnings=False, **sample_options).all_values()[:, 0]

    def forecast(
        contexts: np.ndarray,
        horizon: int,
        seed: int,
        past: np.ndarray | None = None,
        future: np.ndarray | None = None,
    ) -> np.ndarray:
        beside = [None] * len(contexts) if past is None or future is None else np.concatenate([past, future], 1)
        with quiet():
            return np.stack([forecast_context(v, horizon, seed, c) for v, c in zip(contexts, beside, strict=True)])

    return forecast


def _global(model: Any, levels: Any, draws: int, past_columns: list[int], future_columns: list[int]) -> Any:
    from darts import TimeSeries

    lock = threading.Lock()  # a model keeps a trainer and a random state
    precision = str(getattr(getattr(model, "model", None), "dtype", "float64")).replace("torch.", "")
    dtype = np.dtype("float64" if precision == "float64" else "float32")

    def series_of(values: np.ndarray) -> list[Any]:
        return [TimeSeries.from_values(part) for part in values.astype(dtype)]

    def covariates(horizon: int, past: np.ndarray, future: np.ndarray) -> dict[str, Any]:
        series, chunk = {}, int(model.output_chunk_length)
        is_late = np.isnan(future).all((0, 1))
        if is_late[future_columns].any():
            raise OptionError(
                f"{type(model).__name__} is fitted with future covariates, and the data have one of them up to the "
                "origin only. Name columns that are known ahead."
            )
        if past_columns:
            late = is_late[past_columns].any()
            if late and horizon > chunk:
                raise OptionError(
                    f"{type(model).__name__} forecasts {plural(chunk, 'step')} at once, and for {horizon} it needs "
                    "past covariates beyond the origin. Fit it with output_chunk_length of the horizon, or name "
                    "columns that are known ahead."
                )
            known = past if late else np.concatenate([past, future], 1)
            series["past_covariates"] = series_of(known[..., past_columns])
        if future_columns:
            series["future_covariates"] = series_of(np.concatenate([past, future], 1)[..., future_columns])
        return series

    def forecast(
        contexts: np.ndarray,
        horizon: int,
        seed: int,
        past: np.ndarray | None = None,
        future: np.ndarray | None = None,
    ) -> np.ndarray:
        series = series_of(contexts)
        predicts_quantiles = levels is not None and horizon <= model.output_chunk_length
        options: dict[str, Any] = (
            {"predict_likelihood_parameters": True} if predicts_quantiles else {"num_samples": 200 if levels else draws}
        )
        if past is not None and future is not None:
            options |= covariates(horizon, past, future)
        with lock, quiet(), numpy_seed(seed):
            forecasts = model.predict(
                horizon, series=series, verbose=False, show_warnings=False, random_state=seed % 2**32, **options
            )
        values = np.stack([part.all_values(copy=False) for part in forecasts])
        if predicts_quantiles:
            return values[..., 0]
        return np.moveaxis(np.quantile(values[:, :, 0], levels, axis=-1), 0, -1) if levels else values[:, :, 0]

    return forecast
