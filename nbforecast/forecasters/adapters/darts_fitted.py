"""Fitted models of Darts: copies that a later fit does not change, and the state that identifies a model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

_SERIES = ("training_series", "past_covariate_series", "future_covariate_series", "static_covariates")


def copy_model(model: Any) -> Any:
    """Returns a copy without the training series; an ensemble itself, since its members would lose their networks.

    Args:
        model: The fitted model.
    """
    if hasattr(model, "forecasting_models"):
        return model
    network = getattr(model, "model", None)
    copy_ = copy.copy(model)
    vars(copy_).update(dict.fromkeys(_SERIES))
    if not hasattr(network, "state_dict"):
        return copy.deepcopy(copy_)
    copy_.model = copy.deepcopy(network)  # what Darts' own copying leaves out
    return copy_


def model_state(model: Any) -> Any:
    """Returns what decides the forecasts of a fitted model: its class, parameters and weights, for a digest.

    Args:
        model: The fitted model.
    """
    if hasattr(model, "forecasting_models"):
        members = [*model.forecasting_models, *filter(None, [getattr(model, "ensemble_model", None)])]
        return type(model), [model_state(member) for member in members]
    network: Any = getattr(model, "model", None)
    if hasattr(network, "state_dict"):
        weights = {name: np.asarray(tensor.float().cpu()) for name, tensor in network.state_dict().items()}
        return type(model), dict(model.model_params), weights
    return type(model), {n: v for n, v in vars(model).items() if n not in (*_SERIES, "_random_instance")}
