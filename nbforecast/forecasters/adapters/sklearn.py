"""Fitted regressors of scikit-learn, and of libraries with its interface (LightGBM, XGBoost, pipelines)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest


def build(model: Any, name: str | None = None, *, key: str | None = None) -> FunctionForecaster:
    """Returns a forecaster of points. Its features are the last `n_features_in_` values of a context, oldest first.

    A model that predicts (B,) or (B, 1) forecasts one step, and further steps from its own forecasts. A model that
    predicts (B, K) forecasts K steps at once, and no further.

    Args:
        model: The fitted regressor.
        name: The forecaster's name; by default the model's class.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If the model is not fitted, is no regressor, or is fitted on named columns, which need not be lags.
    """
    kind = type(model).__name__
    purpose = _purpose(model)
    if purpose not in ("regressor", None):
        raise OptionError(f"{kind} is a {purpose}, and forecasts need a regressor.")
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise OptionError(
            f"{kind} is not fitted, or does not tell `n_features_in_`: call fit(X, y) first, where a row of X holds "
            "the last values before y, the oldest first."
        )
    column_names = [str(column) for column in getattr(model, "feature_names_in_", ())]
    # LightGBM's own names for unnamed columns are Column_0, Column_1 ...
    if any(not column.startswith("Column_") for column in column_names):
        raise OptionError(
            f"{kind} is fitted on columns named {', '.join(column_names[:3])}{', ...' * (len(column_names) > 3)}, "
            "which need not be the last values, the oldest first. Fit it on an array of those, or hand over a function "
            "that calls it."
        )
    name = name or kind
    model_copy = copy.deepcopy(model)

    def predict(contexts: np.ndarray, horizon: int) -> np.ndarray:
        with quiet():
            forecasts = np.asarray(model_copy.predict(contexts), np.float64)
            if forecasts.ndim > 1 and forecasts.shape[1] > 1:
                if horizon > forecasts.shape[1]:
                    raise OptionError(f"{name!r} forecasts up to {forecasts.shape[1]} steps, not {horizon}.")
                return forecasts[:, :horizon]
            steps = [forecasts.reshape(len(contexts), 1)]
            while len(steps) < horizon:
                contexts = np.concatenate([contexts[:, 1:], steps[-1]], 1)
                steps.append(np.reshape(model_copy.predict(contexts), (-1, 1)))
            return np.concatenate(steps, 1)

    return FunctionForecaster(
        predict, name, context=int(count), least=int(count), whole=True, key=key or code_digest(model)
    )


def _purpose(model: Any) -> str | None:
    """The estimator's type, as scikit-learn 1.6 and later give it, or as earlier versions do."""
    tags = getattr(model, "__sklearn_tags__", None)
    return tags().estimator_type if callable(tags) else getattr(model, "_estimator_type", None)
