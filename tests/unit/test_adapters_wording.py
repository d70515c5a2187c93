"""E5, C4: what of other libraries' models cannot be used is told, and models are told apart."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsforecast import StatsForecast
from statsforecast.models import ARIMA, ZeroModel

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters import registry
from nbforecast.forecasters.adapters import adapt
from nbforecast.forecasters.adapters.quiet import quiet
from nbforecast.forecasters.registry import as_forecaster, resolve
from tests.support.externals import AHEAD, LAGS, ROWS, TRAINING, VALUES, autoregression, darts, neural, regression


@pytest.fixture(autouse=True)
def models_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_models", dict(registry._models))
    monkeypatch.setattr(registry, "_forecasters", dict(registry._forecasters))


def test_E5_several_neural_models_or_one_by_itself_are_told() -> None:
    model = copy.copy(neural("points"))
    with pytest.raises(nbf.NbForecastError, match="hand over the fitted NeuralForecast"):
        resolve(model.models[0])
    model.models = model.models * 2
    with pytest.raises(nbf.NbForecastError, match="exactly one model; this one has MLP, MLP"):
        resolve(model)
    model.models, model._fitted = model.models[:1], False
    with pytest.raises(nbf.NbForecastError, match="of MLP is not fitted"):
        resolve(model)


def test_E5_darts_models_that_cannot_be_used_are_told() -> None:
    untrained = darts("linear").untrained_model()
    from darts import TimeSeries

    with pytest.raises(nbf.NbForecastError, match="LinearRegressionModel is not fitted"):
        resolve(untrained)
    with pytest.raises(nbf.NbForecastError, match="context= and least= follow from its input"):
        nbf.register("it", darts("linear"), context=30)
    series = TimeSeries.from_values(TRAINING[:, 0])
    lagged = type(untrained)(lags=3, lags_past_covariates=3).fit(series, past_covariates=series)
    with pytest.raises(nbf.NbForecastError, match="fitted with covariates"):
        resolve(lagged)


NAMED = LinearRegression().fit(pd.DataFrame({"price": [1.0, 2.0], "rain": [2.0, 3.0]}), [1, 2])


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (LinearRegression(), "LinearRegression is not fitted"),
        (make_pipeline(StandardScaler(), LinearRegression()), "Pipeline is not fitted"),
        (LogisticRegression().fit([[1], [2]], [0, 1]), "is a classifier, and forecasts need a regressor"),
        (KMeans(1).fit([[1], [2]]), "is a clusterer"),
        (NAMED, "reads the covariates 'price' and 'rain', and the data have no covariate. Name the columns"),
        (StatsForecast([ZeroModel()], freq="h"), "no single model"),
    ],
)
def test_E5_what_is_not_ready_is_told(model: Any, said: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=said):
        nbf.forecast(VALUES, model, 3, wait=True)


def test_E5_unknown_options_and_failures_are_told() -> None:
    with pytest.raises(
        nbf.NbForecastError, match=r"levels: no option for a LinearRegression\. There are: covariates, key, lags, name"
    ):
        nbf.register("it", regression(), levels=[0.5])
    with pytest.raises(nbf.NbForecastError, match="context= takes a positive number"):
        nbf.register("it", ZeroModel(), context=0)
    broken = regression(AHEAD)
    broken.intercept_ = np.full(AHEAD, np.nan)
    with pytest.raises(nbf.NbForecastError, match="returned values that are not finite"):
        nbf.forecast(VALUES, as_forecaster(broken, lags=LAGS), 3, wait=True)
    broken.coef_ = broken.coef_[:, :5]
    with pytest.raises(nbf.NbForecastError, match="'LinearRegression' failed: ValueError"):
        nbf.forecast(VALUES, as_forecaster(broken, lags=LAGS), 3, wait=True)


def test_C4_a_model_is_told_apart_by_what_it_was_fitted_to() -> None:
    assert resolve(autoregression()).key == resolve(autoregression()).key != resolve(autoregression(seed=1)).key
    assert resolve(ARIMA(order=(1, 0, 0))).key != resolve(ARIMA(order=(2, 0, 0))).key
    model = regression()
    data, forecaster = prepare(VALUES), as_forecaster(model, lags=LAGS)
    before = forecaster.forecast(data, ROWS, 3)
    model.coef_ *= 2
    np.testing.assert_array_equal(forecaster.forecast(data, ROWS, 3), before)
    assert as_forecaster(model, lags=LAGS).key != forecaster.key


@pytest.mark.parametrize("kind", ["linear", "nlinear"])
def test_C4_a_darts_model_is_told_apart_by_its_weights(kind: str) -> None:
    model = darts(kind)
    forecaster = resolve(model)
    forecaster.forecast(prepare(VALUES), ROWS, 3)
    assert resolve(model).key == forecaster.key
    other = copy.copy(model)
    other.model = copy.deepcopy(model.model)
    if kind == "linear":
        other.model.coef_ *= 2
    else:
        next(other.model.parameters()).data.mul_(2)
    assert resolve(other).key != forecaster.key


def test_C4_a_neural_model_is_told_apart_by_its_weights() -> None:
    model = copy.copy(neural("points"))
    key = resolve(model).key
    model.models = [copy.copy(model.models[0])]
    model.models[0].mlp = copy.deepcopy(model.models[0].mlp)
    assert resolve(model).key == key
    next(model.models[0].mlp.parameters()).data.mul_(2)
    assert resolve(model).key != key


def test_F1_no_library_is_imported_for_other_models() -> None:
    for other in (lambda contexts, horizon: contexts, LinearRegression, 3, None, "theta"):
        assert adapt(other) is None
    code = """
import sys
from nbforecast.forecasters.registry import resolve
class Fitted:
    n_features_in_ = 3
    feature_names_in_ = ["lag_3", "lag_2", "lag_1"]
    def predict(self, features): return features[:, -1]
print(resolve(Fitted()), *{"sklearn", "statsforecast", "darts", "neuralforecast", "torch", "pandas"} & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "FunctionForecaster('Fitted', context=3, draws=1)"


def test_E5_only_the_warnings_of_a_quiet_thread_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []

    def show(message: Any, *args: Any, **kwargs: Any) -> None:
        shown.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        with quiet():
            warnings.warn("hidden", stacklevel=1)
            other = threading.Thread(target=warnings.warn, args=("another's",))
            other.start()
            other.join()
        warnings.warn("later", stacklevel=1)
    assert shown == ["another's", "later"]
