"""Models of statsforecast, fitted to every context."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS

_INTERVALS = tuple(
    round(100 - 200 * q) for q in DRAW_LEVELS if q < 0.5
)  # 90, 70 ... 10 per cent, as the library counts
_COLUMNS = (*(f"lo-{i}" for i in _INTERVALS), *(f"hi-{i}" for i in reversed(_INTERVALS)))


def build(
    model: Any, name: str | None = None, *, context: int | None = None, least: int | None = None, key: str | None = None
) -> FunctionForecaster:
    """Returns a forecaster of quantiles at `DRAW_LEVELS`, the ends of the model's prediction intervals, or of points.

    A model that takes regressors (ARIMA, MFLES, AutoRegressive, SklearnModel ...) is fitted to the covariates of each
    context, too, and forecasts with those known ahead. Those known up to the origin only are left out. An origin
    whose context or horizon lacks a covariate is unavailable.

    The steps before a context's first observation are not fitted. A gap that is too long to be bridged makes an origin
    unavailable.

    Args:
        model: A model of `statsforecast.models`.
        name: The forecaster's name; by default the model's alias.
        context: The most steps that the model is fitted to; by default the larger of 512 and 3 seasons.
        least: The fewest steps that it is fitted to; by default 2 seasons, one step and those that conformal intervals
            hold out, at least 8.
        key: The model's version in the cache; by default a digest of the model.

    Raises:
        OptionError: If it is no single model.
    """
    if not callable(getattr(model, "forecast", None)) or hasattr(model, "models"):
        raise OptionError(f"A {type(model).__name__} is no single model: hand over one of statsforecast.models.")
    season = int(np.max(getattr(model, "season_length", None) or 1))
    conformal = getattr(model, "prediction_intervals", None)
    conformal_steps = conformal.n_windows * conformal.h if conformal is not None else 0
    name = name or str(getattr(model, "alias", type(model).__name__))
    model_copy = copy.deepcopy(model)
    intervals = _gives_intervals(model_copy, season)

    def forecast_context(values: np.ndarray, horizon: int, **regressors: np.ndarray) -> np.ndarray:
        # one copy per context: a model may store something of the last series
        options: dict[str, Any] = {"level": list(_INTERVALS)} if intervals else {}
        first = np.argmax(~np.isnan(values))
        if regressors:
            options |= {"X": regressors["past"][first:], "X_future": regressors["future"]}
        columns = copy.copy(model_copy).forecast(y=values[first:], h=horizon, **options)
        return np.stack([columns[column] for column in (_COLUMNS if intervals else ("mean",))], -1)

    def forecast(contexts: np.ndarray, horizon: int, **covariates: np.ndarray) -> np.ndarray:
        if conformal is not None and horizon != conformal.h:
            raise OptionError(
                f"The prediction_intervals of {name!r} are made for {conformal.h} steps, not {horizon}; set their h."
            )
        regressors = _regressors(contexts, **covariates) if covariates else [{}] * len(contexts)
        with quiet():
            return np.stack([forecast_context(v, horizon, **r) for v, r in zip(contexts, regressors, strict=True)])

    def forecast_with_regressors(
        contexts: np.ndarray, horizon: int, past: np.ndarray | None = None, future: np.ndarray | None = None
    ) -> np.ndarray:
        if past is None or future is None:
            return forecast(contexts, horizon)
        return forecast(contexts, horizon, past=past, future=future)

    return FunctionForecaster(
        forecast_with_regressors if getattr(model, "uses_exog", False) else forecast,
        name,
        context=max(512, 3 * season) if context is None else context,
        levels=DRAW_LEVELS if intervals else None,
        least=max(8, 2 * season + 1 + conformal_steps) if least is None else least,
        whole=True,
        key=key or code_digest(model),
        complete=True,
        only_ahead=True,
    )


def _regressors(contexts: np.ndarray, past: np.ndarray, future: np.ndarray) -> list[dict[str, np.ndarray]]:
    """The regressors of each context: one that is constant in it would not be told from the mean, and is left out."""
    regressors = []
    for values, before, ahead in zip(contexts, past, future, strict=True):
        varies = np.ptp(before[np.argmax(~np.isnan(values)) :], axis=0) > 0
        regressors.append({"past": before[:, varies], "future": ahead[:, varies]} if varies.any() else {})
    return regressors


def _gives_intervals(model: Any, season: int) -> bool:
    """Whether a model gives intervals. No model declares it, so it forecasts a constant, which is quick."""
    if not hasattr(model, "prediction_intervals"):
        return True
    try:
        with quiet():
            copy.copy(model).forecast(y=np.ones(2 * season + 8), h=1, level=[90])
    except Exception as error:
        return model.prediction_intervals is not None or "prediction_intervals" not in str(error)
    return True
