"""F1, L1, E5, C4: other libraries' models, handed over as they are, against the same models called by hand."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsforecast.models import ARIMA, RandomWalkWithDrift, SimpleExponentialSmoothing, ZeroModel
from statsforecast.utils import ConformalIntervals

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters import registry
from nbforecast.forecasters.adapters import adapt
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.registry import as_forecaster, resolve
from nbforecast.forecasters.unavailable import UnavailableReason
from tests.support.externals import (
    AHEAD,
    LAGS,
    ROWS,
    TRAINING,
    VALUES,
    autoregression,
    contexts,
    darts,
    hushed,
    neural,
    regression,
)

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache


@pytest.fixture(autouse=True)
def models_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_models", dict(registry._models))
    monkeypatch.setattr(registry, "_forecasters", dict(registry._forecasters))


EVERY = {
    "scikit-learn, a step": autoregression,
    "scikit-learn, several": lambda: autoregression(AHEAD),
    "statsforecast": RandomWalkWithDrift,
    "statsforecast, points": lambda: SimpleExponentialSmoothing(0.3),
    **{f"darts, {kind}": functools.partial(darts, kind) for kind in ("linear", "quantile", "nlinear", "sampled")},
    **{f"neuralforecast, {kind}": functools.partial(neural, kind) for kind in ("points", "quantiles")},
}
every_model = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


@every_model
def test_L1_nothing_after_an_origin_and_nothing_but_its_context_matters(make: Any) -> None:
    forecaster, other = resolve(make()), VALUES.copy()
    rows = np.array([55, 60])
    other[61:] = other[61:] * -7 + 1000
    expected = forecaster.forecast(prepare(VALUES), rows, AHEAD)
    np.testing.assert_allclose(forecaster.forecast(prepare(other), rows, AHEAD), expected, rtol=1e-5)
    other[60] += 50
    changed = forecaster.forecast(prepare(other), rows, AHEAD)
    np.testing.assert_allclose(changed[0], expected[0], rtol=1e-5)
    assert not np.allclose(changed[1], expected[1])


@every_model
def test_F1_every_origin_is_forecast_and_kept(make: Any, cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    model = make()
    with hushed():
        resolve(model)
    capfd.readouterr()
    values = VALUES[:36]
    run = nbf.forecast(values, model, 3, wait=True)
    assert run.progress == 1
    assert run.inferred > 10
    assert nbf.forecast(values, model, 3, wait=True).inferred == 0
    now = nbf.quickdraw(values, -2, model=model, horizon=3)
    np.testing.assert_allclose(now.forecast.draws, run.at(-2).draws, rtol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_F1_a_one_step_regressor_is_applied_to_its_own_forecasts() -> None:
    model, path = regression(), contexts(VALUES, LAGS)
    for _ in range(AHEAD):
        path = np.column_stack([path, model.predict(path[:, -LAGS:])])
    found = as_forecaster(model, lags=LAGS).forecast(prepare(VALUES), ROWS, AHEAD)
    np.testing.assert_allclose(found[..., 0], path[:, LAGS:], rtol=1e-5)
    column = LinearRegression().fit(TRAINING[:, :LAGS], TRAINING[:, LAGS : LAGS + 1])
    np.testing.assert_allclose(
        as_forecaster(column, lags=LAGS).forecast(prepare(VALUES), ROWS, AHEAD), found, rtol=1e-5
    )


def test_F1_a_regressor_of_several_steps_forecasts_them_at_once() -> None:
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(TRAINING[:, :LAGS], TRAINING[:, LAGS:])
    nbf.register("mine", model, summary="a test", lags=LAGS)
    found = resolve("mine").forecast(prepare(VALUES), ROWS, 4)
    np.testing.assert_allclose(found[..., 0], model.predict(contexts(VALUES, LAGS))[:, :4], rtol=1e-5)
    assert nbf.models().filter(name="mine")["context"].item() == LAGS
    with pytest.raises(nbf.NbForecastError, match="'mine' forecasts up to 6 steps, not 7"):
        nbf.forecast(VALUES, "mine", 7, wait=True)


@pytest.mark.parametrize("named", [True, False], ids=["by names", "by lags="])
def test_S8_lags_in_any_order_and_with_gaps_are_those_the_regressor_was_fitted_on(named: bool) -> None:
    lags = [1, 12, 3]
    features, target = TRAINING[:, [LAGS - lag for lag in lags]], TRAINING[:, LAGS]
    table = pd.DataFrame(features, columns=["lag_1", "lag_12", "t-3"]) if named else features
    model = LinearRegression().fit(table, target)
    forecaster = as_forecaster(model) if named else as_forecaster(model, lags=lags)
    assert forecaster.context == 12
    path = contexts(VALUES, LAGS)
    with hushed():
        for _ in range(3):
            path = np.column_stack([path, model.predict(path[:, [-lag for lag in lags]])])
        found = forecaster.forecast(prepare(VALUES), ROWS, 3)
    np.testing.assert_allclose(found[..., 0], path[:, LAGS:], rtol=1e-5)
    other = as_forecaster(LinearRegression().fit(features, target), lags=[12, 1, 3])
    assert other.key != as_forecaster(LinearRegression().fit(features, target), lags=lags).key


@pytest.mark.parametrize(
    ("columns", "options", "text"),
    [
        (None, {}, r"array of 5 features, and nothing says that they are past values.*lags=5\)"),
        (["Column_0", "Column_1", "Column_2", "Column_3", "Column_4"], {}, "array of 5 features"),
        (
            ["lag_1", "lag_2", "lag_3", "hour", "weekday"],
            {},
            "reads the covariates 'hour' and 'weekday'.* register it",
        ),
        (None, {"lags": 4}, "fitted on 5 features, and lags=4 names 4"),
        (None, {"lags": [1, 2, 3]}, "names 3"),
        (None, {"lags": [0, 1, 2, 3, 4]}, "distinct lags from 1"),
        (None, {"lags": [1, 1, 2, 3, 4]}, "distinct lags from 1"),
        (None, {"lags": True}, "distinct lags|takes a number of lags"),
        (["lag_0", "lag_1", "lag_2", "lag_3", "lag_4"], {}, "distinct lags from 1"),
    ],
)
def test_S8_features_are_taken_for_lags_only_where_that_is_said(
    columns: list[str] | None, options: dict[str, Any], text: str
) -> None:
    features = TRAINING[:, :5]
    table = features if columns is None else pd.DataFrame(features, columns=columns)
    model = LinearRegression().fit(table, TRAINING[:, 5])
    with pytest.raises(nbf.NbForecastError, match=text):
        nbf.forecast(VALUES, as_forecaster(model, **options), AHEAD)


def test_S3_contexts_are_whole_once_short_gaps_are_bridged() -> None:
    values = VALUES.copy()
    values[[30, 31]] = np.nan
    values[50:65] = np.nan
    codes = resolve(autoregression()).availability(prepare(values))
    assert set(codes[: LAGS - 1]) == {UnavailableReason.TOO_SHORT}
    assert set(codes[LAGS - 1 : 30]) == set(codes[32:40]) == {UnavailableReason.AVAILABLE}
    assert set(codes[50 : 65 + LAGS - 1]) == {UnavailableReason.INCOMPLETE}
    assert set(codes[65 + LAGS - 1 :]) == {UnavailableReason.AVAILABLE}


def test_F1_statsforecast_is_fitted_to_each_context_and_asked_for_intervals() -> None:
    model = ARIMA(order=(1, 0, 0))
    nbf.register("ar", model, context=30)
    forecaster = resolve("ar")
    assert (forecaster.levels, forecaster.context) == (DRAW_LEVELS, 30)
    found = forecaster.forecast(prepare(VALUES), ROWS, AHEAD)
    for values, draws in zip(contexts(VALUES, 30), found, strict=True):
        direct = model.forecast(y=values, h=AHEAD, level=[90, 50])
        np.testing.assert_allclose(draws[:, [0, 9]], np.stack([direct["lo-90"], direct["hi-90"]], 1), rtol=1e-4)
        np.testing.assert_allclose(draws[:, [2, 7]], np.stack([direct["lo-50"], direct["hi-50"]], 1), rtol=1e-4)
        np.testing.assert_allclose(draws.mean(1), direct["mean"], rtol=1e-4)


def test_F1_statsforecast_gives_points_without_intervals_and_takes_short_contexts() -> None:
    model = SimpleExponentialSmoothing(0.3)
    forecaster = resolve(model)
    assert (forecaster.levels, forecaster.draws, forecaster.context) == (None, 1, 512)
    found = forecaster.forecast(prepare(VALUES), np.array([20]), AHEAD)
    np.testing.assert_allclose(found[0, :, 0], model.forecast(y=VALUES[:21], h=AHEAD)["mean"], rtol=1e-5)
    assert np.flatnonzero(forecaster.availability(prepare(VALUES)) == 0)[0] == 7
    assert resolve(ZeroModel()).draws == len(DRAW_LEVELS)
    assert adapt(RandomWalkWithDrift(), least=20).availability(prepare(VALUES))[18] == UnavailableReason.TOO_SHORT


def test_E5_conformal_intervals_are_of_one_horizon() -> None:
    model = SimpleExponentialSmoothing(0.3, prediction_intervals=ConformalIntervals(n_windows=2, h=4))
    found = resolve(model).forecast(prepare(VALUES), ROWS, 4)
    direct = model.forecast(y=VALUES[: ROWS[0] + 1], h=4, level=[90])
    np.testing.assert_allclose(found[0][:, 0], direct["lo-90"], rtol=1e-4)
    with pytest.raises(nbf.NbForecastError, match="made for 4 steps, not 5; set their h"):
        nbf.forecast(VALUES, model, 5, wait=True)


@pytest.mark.parametrize("kind", ["linear", "nlinear"])
def test_F1_a_global_darts_model_is_used_as_it_is_fitted(kind: str) -> None:
    model, horizon = darts(kind), AHEAD + 3
    from darts import TimeSeries

    with hushed():
        dtype = np.float32 if kind == "nlinear" else np.float64
        series = [TimeSeries.from_values(values.astype(dtype)) for values in contexts(VALUES, LAGS)]
        direct = np.stack([part.values()[:, 0] for part in model.predict(horizon, series=series, verbose=False)])
    found = resolve(model).forecast(prepare(VALUES), ROWS, horizon)
    np.testing.assert_allclose(found[..., 0], direct, rtol=1e-4)


def test_F1_quantiles_of_a_darts_likelihood_are_its_own() -> None:
    model = darts("quantile")
    from darts import TimeSeries

    forecaster = resolve(model)
    assert forecaster.levels == (0.1, 0.5, 0.9)
    series = TimeSeries.from_values(contexts(VALUES, LAGS)[1])
    direct = model.predict(AHEAD, series=series, predict_likelihood_parameters=True).values()
    together = forecaster.forecast(prepare(VALUES), ROWS, AHEAD)
    np.testing.assert_allclose(together[1], direct, rtol=1e-5)
    np.testing.assert_allclose(forecaster.forecast(prepare(VALUES), ROWS[1:2], AHEAD, 7)[0], direct, rtol=1e-5)
    farther = forecaster.forecast(prepare(VALUES), ROWS, AHEAD + 2)
    assert farther.shape == (3, AHEAD + 2, 3)
    assert (np.diff(farther, axis=-1) >= 0).all()


def test_F1_a_local_darts_model_is_fitted_to_each_context() -> None:
    model = darts("drift")
    found = resolve(model).forecast(prepare(VALUES), ROWS, AHEAD)[..., 0]
    steps = np.arange(1, AHEAD + 1)
    expected = [VALUES[row] + steps * (VALUES[row] - VALUES[0]) / row for row in ROWS]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    short = adapt(model, context=10).forecast(prepare(VALUES), ROWS, AHEAD)[0, :, 0]
    np.testing.assert_allclose(short, VALUES[40] + steps * (VALUES[40] - VALUES[31]) / 9, rtol=1e-5)


def test_F1_darts_samples_follow_from_the_seed_and_leave_numpy_as_it_was() -> None:
    data, draw = prepare(VALUES), adapt(darts("sampled"), draws=7, context=30).forecast
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1]  # noqa: NPY002
    together = draw(data, ROWS, AHEAD, 5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert together.shape == (3, AHEAD, 7)
    np.testing.assert_array_equal(draw(data, ROWS[1:], AHEAD, 5), together[1:])
    assert not np.allclose(draw(data, ROWS, AHEAD, 6), together)
    at_once = adapt(darts("poisson"), draws=9)
    found = at_once.forecast(data, ROWS, AHEAD, 5)
    assert found.std(-1).min() > 0
    np.testing.assert_array_equal(at_once.forecast(data, ROWS, AHEAD, 5), found)


@pytest.mark.parametrize("kind", ["points", "quantiles"])
def test_F1_neuralforecast_is_called_with_a_series_for_each_context(kind: str) -> None:
    model = neural(kind)
    rows = [
        pd.DataFrame({"unique_id": i, "ds": pd.date_range("2024", periods=LAGS, freq="h"), "y": values})
        for i, values in enumerate(contexts(VALUES, LAGS))
    ]
    forecaster = resolve(model)
    with hushed():
        direct = model.predict(df=pd.concat(rows))
        assert resolve(model).key == forecaster.key  # what the user predicts is none of our concern
    columns = ["MLP"] if kind == "points" else ["MLP-lo-80", "MLP-median", "MLP-hi-80"]
    assert forecaster.levels == (None if kind == "points" else (0.1, 0.5, 0.9))
    found = forecaster.forecast(prepare(VALUES), ROWS, 4)
    expected = direct[columns].to_numpy().reshape(len(ROWS), AHEAD, -1)[:, :4]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    with pytest.raises(nbf.NbForecastError, match="'MLP' forecasts up to 6 steps, not 7"):
        nbf.forecast(VALUES, model, 7, wait=True)


def test_F1_a_neuralforecast_distribution_is_asked_for_our_levels() -> None:
    model = neural("distribution")
    import torch

    forecaster, key = resolve(model), resolve(model).key
    assert forecaster.levels == DRAW_LEVELS
    state = torch.get_rng_state()
    found = forecaster.forecast(prepare(VALUES), ROWS, AHEAD, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.diff(found, axis=-1) > 0).all()
    np.testing.assert_array_equal(forecaster.forecast(prepare(VALUES), ROWS, AHEAD, 1), found)
    assert not np.array_equal(forecaster.forecast(prepare(VALUES), ROWS, AHEAD, 2), found)
    assert model.models[0].loss.quantiles.tolist() == pytest.approx([0.5, 0.05, 0.1, 0.9, 0.95])
    for asked in ([60], None):
        with hushed():
            model.predict(level=asked)
        assert resolve(model).key == key
        np.testing.assert_array_equal(resolve(model).forecast(prepare(VALUES), ROWS, AHEAD, 1), found)
