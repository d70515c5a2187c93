"""A fitted NeuralForecast with one model inside."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import polars as pl

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS

_BATCH = 256
_TRAINER_OPTIONS = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}


def build(model: Any, name: str | None = None, *, key: str | None = None) -> FunctionForecaster:
    """Returns a forecaster of quantiles for a multi-quantile or distribution loss, else of points.

    With a multi-quantile loss (MQLoss, HuberMQLoss) the quantiles are at its own levels; with a loss that gives any
    quantile (DistributionLoss, mixtures, IQLoss) at `DRAW_LEVELS`. A distribution's quantiles are estimated from
    samples: they follow from the seed, and depend on the other origins of the batch. Scalers (`local_scaler_type`) see
    the context alone.

    Args:
        model: A fitted `NeuralForecast` with one model. Its horizon `h` is the longest that can be forecast.
        name: The forecaster's name; by default the model's.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If the model is not fitted, holds several models, or needs covariates.
    """
    kind = type(model).__name__
    models = getattr(model, "models", None)
    if models is None:
        raise OptionError(f"A {kind} by itself cannot be used: hand over the fitted NeuralForecast that holds it.")
    if len(models) != 1:
        names = ", ".join(map(str, models)) or "none"
        raise OptionError(f"A NeuralForecast must hold exactly one model; this one has {names}. Fit one for each.")
    if not getattr(model, "_fitted", False):
        raise OptionError(f"The NeuralForecast of {models[0]} is not fitted: call fit(df) first.")
    network = models[0]
    if network.futr_exog_list or network.hist_exog_list or network.stat_exog_list:
        raise OptionError(f"{network} is fitted with covariates, and nothing but the past values is handed over.")
    if network.MULTIVARIATE:
        raise OptionError(f"{network} forecasts several series together, and contexts are forecast one by one.")
    is_any_level = callable(getattr(network.loss, "update_quantile", None))
    trained_levels = getattr(network.loss, "quantiles", None)
    order = np.argsort([] if trained_levels is None else trained_levels.tolist())
    levels = (
        DRAW_LEVELS
        if is_any_level
        else None
        if trained_levels is None
        else tuple(round(trained_levels[i].item(), 6) for i in order)
    )
    return FunctionForecaster(
        _forecast(_copy_model(model), is_any_level, order if levels and not is_any_level else None),
        name or str(network),
        context=int(network.input_size),
        levels=levels,
        least=int(network.input_size),
        whole=True,
        seeded=True,
        batch=_BATCH,
        key=key or code_digest(_state(model)),
    )


def _copy_model(model: Any) -> Any:
    """A copy, so that no request changes the user's model, with integers for times, which no forecast depends on."""
    import torch

    model_copy, network = copy.copy(model), copy.copy(model.models[0])
    vars(network).pop("_pred_trainer", None)  # of the last prediction, with all its data
    parts = (value for part in network.modules() for value in vars(part).values())
    # a loss keeps what it has computed last, which torch refuses to copy
    detached = {id(v): v.detach() for v in parts if isinstance(v, torch.Tensor) and not v.is_leaf}
    network = copy.deepcopy(network, detached)
    network.trainer_kwargs = {**network.trainer_kwargs, **_TRAINER_OPTIONS}
    model_copy.models, model_copy.freq = [network], 1
    return model_copy


def _forecast(model: Any, is_any_level: bool, order: np.ndarray | None) -> Any:
    import torch

    lock = threading.Lock()  # a model keeps a trainer and scalers
    network = model.models[0]

    def forecast(contexts: np.ndarray, horizon: int, seed: int) -> np.ndarray:
        if horizon > model.h:
            raise OptionError(f"{str(network)!r} forecasts up to {model.h} steps, not {horizon}.")
        count, length = contexts.shape
        frame = pl.DataFrame(
            {
                model.id_col: np.repeat(np.arange(count), length),
                model.time_col: np.tile(np.arange(length), count),
                model.target_col: contexts.ravel(),
            }
        )
        with lock, quiet(), torch.random.fork_rng(devices=[]):
            network.random_seed = seed
            forecasts = model.predict(df=frame, quantiles=list(DRAW_LEVELS) if is_any_level else None)
        columns = [c for c in forecasts.columns if c not in (model.id_col, model.time_col)]
        values = forecasts.select(columns).to_numpy().reshape(count, model.h, -1)[:, :horizon]
        if is_any_level:
            return values[..., [i for i, c in enumerate(columns) if "_ql" in c]]
        return values[..., :1] if order is None else values[..., order]

    return forecast


def _state(model: Any) -> Any:
    """What decides the forecasts: weights, settings, and neuralforecast's classes."""
    network = model.models[0]
    # but for the levels that a loss of any level was asked for last
    tensors = {n: tensor for n, tensor in network.state_dict().items() if not n.endswith("loss.quantiles")}
    weights = {n: np.asarray(tensor.float().cpu()) for n, tensor in tensors.items()}
    settings = sorted((name, repr(value)) for name, value in dict(network.hparams).items())
    loss = type(network.loss), getattr(network.loss, "distribution", "")
    return type(model), type(network), model.h, model.local_scaler_type, loss, settings, weights
