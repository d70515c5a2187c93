"""Fitted models of Darts: a copy that another fit leaves as it is, and what tells two of them apart."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

_SERIES = ("training_series", "past_covariate_series", "future_covariate_series", "static_covariates")


def copied(model: Any) -> Any:
    """Without the series it was fitted to. An ensemble is taken as it is: its members would lose their networks."""
    if hasattr(model, "forecasting_models"):
        return model
    network = getattr(model, "model", None)
    own = copy.copy(model)
    vars(own).update(dict.fromkeys(_SERIES))
    if not hasattr(network, "state_dict"):
        return copy.deepcopy(own)
    own.model = copy.deepcopy(network)  # what Darts' own copying leaves out
    return own


def state(model: Any) -> Any:
    """What decides the forecasts of a fitted model."""
    if hasattr(model, "forecasting_models"):
        members = [*model.forecasting_models, *filter(None, [getattr(model, "ensemble_model", None)])]
        return type(model), [state(member) for member in members]
    network: Any = getattr(model, "model", None)
    if hasattr(network, "state_dict"):
        weights = {name: np.asarray(tensor.float().cpu()) for name, tensor in network.state_dict().items()}
        return type(model), dict(model.model_params), weights
    return type(model), {n: v for n, v in vars(model).items() if n not in (*_SERIES, "_random_instance")}
