"""Fitted regressors of scikit-learn, and of libraries with its interface (LightGBM, XGBoost, pipelines)."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MAX_LAG = 1 << 16
# names that say which past value a column holds: lag1, lag_1, y_lag_1, t-1, y(t-1)
_LAG_NAME = re.compile(r"(?:\w+?[ _-])?lag[ _-]?(\d{1,5})|(?:y ?\()?t ?- ?(\d{1,5})\)?", re.IGNORECASE)
_COVARIATE_LAG = re.compile(r"(.+?)[ _-]lag[ _-]?(\d{1,5})", re.IGNORECASE)  # temp_lag_24
_UNNAMED = re.compile(r"Column_\d+")  # LightGBM's own names of the columns of an array


class _Feature(NamedTuple):
    """What one column of features holds: the value of the target or of a covariate, `lag` steps before the target."""

    covariate: str | None
    lag: int


def build(
    model: Any,
    name: str | None = None,
    *,
    lags: int | Sequence[int] | None = None,
    covariates: Sequence[str] | None = None,
    key: str | None = None,
) -> FunctionForecaster:
    """Returns a forecaster of points whose features are past values, and covariates by name.

    A model that predicts (B,) or (B, 1) forecasts one step, and further steps from its own forecasts. A model that
    predicts (B, K) forecasts K steps at once, and no further.

    Args:
        model: The fitted regressor.
        name: The forecaster's name; by default the model's class.
        lags: Which past value each column of features holds: a list with the lag of each column, where 1 is the value
            at the origin; or a number n for the last n values, the oldest first. It may be left out where every column
            has a name: `lag_1` or `t-1` is a past value, `temp` a covariate at the time that is forecast, and
            `temp_lag_24` the same 24 steps before, if `temp` is a column or one of `covariates`.
        covariates: The covariates whose values at the time that is forecast are the columns after the lags; by default
            the columns whose names are no lags.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If the model is not fitted or is no regressor, if neither `lags` nor names say what its features
            are, or if a model of several steps at once reads covariates.
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
    columns = [str(c) for c in getattr(model, "feature_names_in_", ())]
    features = _features(kind, int(count), lags, covariates, columns)
    context = max([1, *(feature.lag for feature in features)])
    model_copy = copy.deepcopy(model)
    predict = _autoregression(model_copy, name, features)
    version = key or code_digest(model)
    lag_of_column = [feature.lag for feature in features if feature.covariate is None]
    if lag_of_column != list(range(len(features), 0, -1)):
        version += f" lags={','.join(map(str, lag_of_column))}"
    names = list(dict.fromkeys(f.covariate for f in features if f.covariate is not None))
    if not names:
        return FunctionForecaster(predict, name, context=context, least=context, whole=True, key=version)
    version += "".join(f" {f.covariate}-{f.lag}" for f in features if f.covariate is not None)
    is_lagged = any(f.lag for f in features if f.covariate is not None)

    def predict_ahead(contexts: np.ndarray, horizon: int, future: np.ndarray) -> np.ndarray:
        return predict(contexts, horizon, future)

    def predict_beside(contexts: np.ndarray, horizon: int, past: np.ndarray, future: np.ndarray) -> np.ndarray:
        for feature in features:
            covariate = feature.covariate
            if covariate is None or feature.lag >= horizon:
                continue
            if np.isnan(future[..., names.index(covariate)]).all():
                raise OptionError(
                    f"{name!r} needs the covariate {covariate!r} {feature.lag} steps before each of {horizon} "
                    f"steps, and it is known up to the origin only. Fit the model on lags of {horizon} steps or more, "
                    "or name a column that is known ahead."
                )
        return predict(contexts, horizon, np.concatenate([past, future], 1))

    function = predict_beside if is_lagged else predict_ahead
    return FunctionForecaster(function, name, context=context, least=context, whole=True, key=version, covariates=names)


def _autoregression(model: Any, name: str, features: list[_Feature]) -> Callable[..., np.ndarray]:
    """The model as a function of contexts (B, L), the horizon and covariates (B, T, K), which end with the horizon."""
    numbers = {c: k for k, c in enumerate(dict.fromkeys(f.covariate for f in features if f.covariate is not None))}

    def inputs(contexts: np.ndarray, covariates: np.ndarray | None, place: int) -> np.ndarray:
        """The features of one step: covariates are counted from its place among these."""
        if covariates is None:
            return contexts[:, [-feature.lag for feature in features]]
        columns = [
            contexts[:, -f.lag] if f.covariate is None else covariates[:, place - f.lag, numbers[f.covariate]]
            for f in features
        ]
        return np.stack(columns, 1)

    def predict(contexts: np.ndarray, horizon: int, covariates: np.ndarray | None = None) -> np.ndarray:
        first = 0 if covariates is None else covariates.shape[1] - horizon
        with quiet():
            forecasts = np.asarray(model.predict(inputs(contexts, covariates, first)), np.float64)
            if forecasts.ndim > 1 and forecasts.shape[1] > 1:
                if numbers:
                    raise OptionError(
                        f"{name!r} forecasts {forecasts.shape[1]} steps at once, and nothing says of which step its "
                        "covariates are. Fit a model of one step, or register a function f(contexts, horizon, past, "
                        "future) that calls the model."
                    )
                if horizon > forecasts.shape[1]:
                    raise OptionError(f"{name!r} forecasts up to {forecasts.shape[1]} steps, not {horizon}.")
                return forecasts[:, :horizon]
            steps = [forecasts.reshape(len(contexts), 1)]
            while len(steps) < horizon:
                contexts = np.concatenate([contexts[:, 1:], steps[-1]], 1)
                forecasts = model.predict(inputs(contexts, covariates, first + len(steps)))
                steps.append(np.reshape(forecasts, (-1, 1)))
            return np.concatenate(steps, 1)

    return predict


def _features(
    kind: str, count: int, lags: int | Sequence[int] | None, covariates: Sequence[str] | None, columns: list[str]
) -> list[_Feature]:
    """What each column of features holds."""
    if isinstance(covariates, str):
        raise OptionError(f"covariates= takes a list of names, not the text {covariates!r}.")
    names = [] if all(map(_UNNAMED.fullmatch, columns)) else columns
    given = [str(name) for name in covariates or ()]
    if lags is None and names:
        return _features_by_name(names, given)
    if lags is None and not given:
        raise OptionError(
            f"{kind} is fitted on an array of {count} features, and nothing says that they are past values. If "
            f"they are the last {count} values, the oldest first, call nbf.register('mine', model, lags={count}); "
            "in another order, give the lag of each column: lags=[1, 2, 24]; for covariates after them, "
            "covariates=['temp']. Otherwise register a function of contexts that computes the features and calls the "
            "model."
        )
    past = _lags(lags) if lags is not None else []
    if len(past) + len(given) != count:
        more = f" and covariates={given!r} {len(given)}" if given else ""
        raise OptionError(f"{kind} is fitted on {count} features, and lags={lags!r} names {len(past)}{more}.")
    return [*(_Feature(None, lag) for lag in past), *(_Feature(name, 0) for name in given)]


def _features_by_name(names: list[str], given: list[str]) -> list[_Feature]:
    """What each column holds by its name: a past value, or a covariate."""
    covariates = {*given, *(name for name in names if not _LAG_NAME.fullmatch(name))}
    unused = [name for name in given if not any(re.match(re.escape(name) + r"($|[ _-]lag)", c) for c in names)]
    if unused:
        raise OptionError(f"covariates= names {quoted(unused)}, and the model is fitted on {quoted(names)}.")
    features = []
    for name in names:
        match, of_covariate = _LAG_NAME.fullmatch(name), _COVARIATE_LAG.fullmatch(name)
        if name in covariates:
            features.append(_Feature(name, 0))
        elif of_covariate and of_covariate[1] in covariates:
            features.append(_Feature(of_covariate[1], int(of_covariate[2])))
        elif match:
            features.append(_Feature(None, int(match[1] or match[2])))
    lags = [feature.lag for feature in features if feature.covariate is None]
    if lags:
        _lags(lags)
    return features


def _lags(lags: int | Sequence[int]) -> list[int]:
    """The lag of each column, the oldest first for a number of lags."""
    wanted = list(range(min(int(lags), _MAX_LAG + 1), 0, -1)) if _is_integer(lags) else np.ravel(lags).tolist()  # type: ignore[arg-type]
    if not all(_is_integer(lag) and 1 <= lag <= _MAX_LAG for lag in wanted) or len(set(wanted)) < len(wanted):
        raise OptionError(
            f"lags= takes a number of lags, or distinct lags from 1 (the value at the origin) to {_MAX_LAG:,}, not "
            f"{lags!r}."
        )
    return [int(lag) for lag in wanted]


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _purpose(model: Any) -> str | None:
    """The estimator's type, as scikit-learn 1.6 and later give it, or as earlier versions do."""
    tags = getattr(model, "__sklearn_tags__", None)
    return tags().estimator_type if callable(tags) else getattr(model, "_estimator_type", None)
