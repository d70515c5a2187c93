"""Fitted regressors of scikit-learn, and of what follows its manners (LightGBM, XGBoost, pipelines)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest


def build(model: Any, name: str | None = None, *, key: str | None = None) -> FunctionForecaster:
    """Point forecasts. The features are the last `n_features_in_` values of a context, the oldest first.

    A model that predicts (B,) or (B, 1) looks one step ahead, and is applied to its own forecasts for further ones;
    one that predicts (B, K) forecasts K steps at once, and no further.

    Raises `OptionError` for what is not fitted, no regressor, or fitted on named columns: those need not be lags.
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
    named = [str(column) for column in getattr(model, "feature_names_in_", ())]
    if any(not column.startswith("Column_") for column in named):  # LightGBM's own names for columns without any
        raise OptionError(
            f"{kind} is fitted on columns named {', '.join(named[:3])}{', ...' * (len(named) > 3)}, which need not be "
            "the last values, the oldest first. Fit it on an array of those, or hand over a function that calls it."
        )
    name = name or kind
    fitted = copy.deepcopy(model)

    def predict(contexts: np.ndarray, horizon: int) -> np.ndarray:
        with quiet():
            first = np.asarray(fitted.predict(contexts), np.float64)
            if first.ndim > 1 and first.shape[1] > 1:
                if horizon > first.shape[1]:
                    raise OptionError(f"{name!r} forecasts up to {first.shape[1]} steps, not {horizon}.")
                return first[:, :horizon]
            steps = [first.reshape(len(contexts), 1)]
            while len(steps) < horizon:
                contexts = np.concatenate([contexts[:, 1:], steps[-1]], 1)
                steps.append(np.reshape(fitted.predict(contexts), (-1, 1)))
            return np.concatenate(steps, 1)

    return FunctionForecaster(
        predict, name, context=int(count), least=int(count), whole=True, key=key or code_digest(model)
    )


def _purpose(model: Any) -> str | None:
    """What a model says it is for, in the manner of scikit-learn 1.6 and later, or of those before."""
    tags = getattr(model, "__sklearn_tags__", None)
    return tags().estimator_type if callable(tags) else getattr(model, "_estimator_type", None)
