"""Fitted regressors of scikit-learn, and of libraries with its interface (LightGBM, XGBoost, pipelines)."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_LAG = 1 << 16
# names that say which past value a column holds: lag1, lag_1, y_lag_1, t-1, y(t-1)
_LAG_NAME = re.compile(r"(?:\w+?[ _-])?lag[ _-]?(\d{1,5})|(?:y ?\()?t ?- ?(\d{1,5})\)?", re.IGNORECASE)
_UNNAMED = re.compile(r"Column_\d+")  # LightGBM's own names of the columns of an array


def build(
    model: Any, name: str | None = None, *, lags: int | Sequence[int] | None = None, key: str | None = None
) -> FunctionForecaster:
    """Returns a forecaster of points whose features are past values.

    A model that predicts (B,) or (B, 1) forecasts one step, and further steps from its own forecasts. A model that
    predicts (B, K) forecasts K steps at once, and no further.

    Args:
        model: The fitted regressor.
        name: The forecaster's name; by default the model's class.
        lags: Which past value each column of features holds: a list with the lag of each column, where 1 is the value
            at the origin; or a number n for the last n values, the oldest first. It may be left out where every column
            has a name such as `lag_1` or `t-1`.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If the model is not fitted or is no regressor, or if neither `lags` nor names say what its features
            are.
    """
    kind = type(model).__name__
    purpose = _purpose(model)
    if purpose not in ("regressor", None):
        raise OptionError(f"{kind} is a {purpose}, and forecasts need a regressor.")
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise OptionError(
            f"{kind} is not fitted, or does not tell `n_features_in_`: call fit(X, y) first, where a row of X holds "
            "past values of y."
        )
    name = name or kind
    lag_of_column = np.array(_lags(kind, int(count), lags, [str(c) for c in getattr(model, "feature_names_in_", ())]))
    context = int(lag_of_column.max())
    model_copy = copy.deepcopy(model)

    def predict(contexts: np.ndarray, horizon: int) -> np.ndarray:
        with quiet():
            forecasts = np.asarray(model_copy.predict(contexts[:, -lag_of_column]), np.float64)
            if forecasts.ndim > 1 and forecasts.shape[1] > 1:
                if horizon > forecasts.shape[1]:
                    raise OptionError(f"{name!r} forecasts up to {forecasts.shape[1]} steps, not {horizon}.")
                return forecasts[:, :horizon]
            steps = [forecasts.reshape(len(contexts), 1)]
            while len(steps) < horizon:
                contexts = np.concatenate([contexts[:, 1:], steps[-1]], 1)
                steps.append(np.reshape(model_copy.predict(contexts[:, -lag_of_column]), (-1, 1)))
            return np.concatenate(steps, 1)

    version = key or code_digest(model)
    if lag_of_column.tolist() != list(range(context, 0, -1)):
        version += f" lags={','.join(map(str, lag_of_column))}"
    return FunctionForecaster(predict, name, context=context, least=context, whole=True, key=version)


def _lags(kind: str, count: int, lags: int | Sequence[int] | None, columns: list[str]) -> list[int]:
    """The lag that each column of features holds."""
    names = [] if all(map(_UNNAMED.fullmatch, columns)) else columns
    if lags is None:
        if not names:
            raise OptionError(
                f"{kind} is fitted on an array of {count} features, and nothing says that they are past values. If "
                f"they are the last {count} values, the oldest first, call nbf.register('mine', model, lags={count}); "
                "in another order, give the lag of each column: lags=[1, 2, 24]. Otherwise register a function of "
                "contexts that computes the features and calls the model."
            )
        matches = [_LAG_NAME.fullmatch(column) for column in names]
        if not all(matches):
            more = ", ..." * (len(names) > 3)
            raise OptionError(
                f"{kind} is fitted on columns named {', '.join(names[:3])}{more}, which do not say which past values "
                "they are, as lag_1 and lag_24 would. Give the lag of each column: nbf.register('mine', model, "
                "lags=[1, 2, 24]); or register a function of contexts that computes the features and calls the model."
            )
        lags = [int(match[1] or match[2]) for match in matches if match]
    wanted = list(range(min(int(lags), _MAX_LAG + 1), 0, -1)) if _is_integer(lags) else np.ravel(lags).tolist()  # type: ignore[arg-type]
    if not all(_is_integer(lag) and 1 <= lag <= _MAX_LAG for lag in wanted) or len(set(wanted)) < len(wanted):
        raise OptionError(
            f"lags= takes a number of lags, or distinct lags from 1 (the value at the origin) to {_MAX_LAG:,}, not "
            f"{lags!r}."
        )
    if len(wanted) != count:
        raise OptionError(f"{kind} is fitted on {count} features, and lags={lags!r} names {len(wanted)}.")
    return [int(lag) for lag in wanted]


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _purpose(model: Any) -> str | None:
    """The estimator's type, as scikit-learn 1.6 and later give it, or as earlier versions do."""
    tags = getattr(model, "__sklearn_tags__", None)
    return tags().estimator_type if callable(tags) else getattr(model, "_estimator_type", None)
