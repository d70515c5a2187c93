"""H2, C5, L1: models that read covariates themselves, their fingerprints, and what they never see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from statsforecast.models import ARIMA

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.errors import OptionError, OriginUnavailable
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.registry import as_forecaster, resolve
from tests.support.externals import hushed, library
from tests.unit.test_covariates import DAYS, sales

if TYPE_CHECKING:
    from nbforecast.result_cache.cache import Cache

CONTEXT, HORIZON = 28, 7
NAMED = {"target": "y", "future_covariates": ["promotion"], "past_covariates": ["noise"]}


def uplift(contexts: np.ndarray, horizon: int, past: np.ndarray, future: np.ndarray) -> np.ndarray:
    """The mean of days without a promotion, more where one is planned, and the newest noise."""
    plain = np.nanmean(np.where(past[..., 0] > 0, np.nan, contexts), 1)
    return plain[:, None] + 8 * future[..., 0] + np.nan_to_num(past[:, -1:, 1])


def model() -> FunctionForecaster:
    return FunctionForecaster(uplift, context=CONTEXT)


def with_promotion(frame: pl.DataFrame, row: int) -> pl.DataFrame:
    """The frame with the promotion of one row moved."""
    is_row = pl.int_range(pl.len()) == row
    return frame.with_columns(promotion=pl.when(is_row).then(~pl.col("promotion")).otherwise("promotion"))


def test_H2_windows_of_covariates_are_cut_as_contexts_are() -> None:
    frame, seen = sales(60, 9), {}

    def watch(contexts: np.ndarray, horizon: int, past: np.ndarray, future: np.ndarray) -> np.ndarray:
        seen.update(past=past, future=future)
        return contexts[:, -1:].repeat(horizon, 1)

    data = prepare(frame, holidays="DE", **NAMED)
    FunctionForecaster(watch, context=20, least=3).forecast(data, np.array([9, 59]), HORIZON)
    promotion, noise = (frame[name].cast(pl.Float64).to_numpy() for name in ("promotion", "noise"))
    assert seen["past"].shape == (2, 20, 5), "promotion, three of holidays, noise"
    assert np.isnan(seen["past"][0, :10]).all()
    np.testing.assert_array_equal(seen["past"][0, 10:, 0], promotion[:10])
    np.testing.assert_array_equal(seen["past"][1, :, 4], noise[40:60])
    np.testing.assert_array_equal(seen["future"][:, :, 0], [promotion[10:17], promotion[60:67]])
    assert np.isnan(seen["future"][..., 4]).all(), "known up to the origin only"
    assert set(np.unique(seen["future"][..., 1:4])) <= {0.0, 1.0}


def test_H2_a_model_that_reads_covariates_is_not_corrected_unless_asked(cache: Cache) -> None:
    run = nbf.forecast(sales(120), model(), HORIZON, wait=True, **NAMED)
    assert (run.model, run.base) == ("uplift", run)
    others = {
        "uplift-learned": nbf.forecast(sales(120), model(), HORIZON, learn=True, **NAMED),
        "naive-learned": nbf.forecast(sales(120), "naive", HORIZON, **NAMED),
        "uplift": nbf.forecast(sales(120), [model(), as_forecaster(uplift, name="b", context=14)], HORIZON, **NAMED)[
            "uplift"
        ],
    }
    for name, other in others.items():
        other.cancel()
        assert other.model == name
    assert others["uplift-learned"].base.reused == run.inferred


@pytest.mark.parametrize("row", [200, DAYS - 2, DAYS + 3])
def test_C5_an_edited_promotion_infers_the_origins_that_saw_it_and_no_other(cache: Cache, row: int) -> None:
    first = nbf.forecast(sales(), model(), HORIZON, wait=True, **NAMED)
    second = nbf.forecast(with_promotion(sales(), row), model(), HORIZON, wait=True, **NAMED)
    saw = np.arange(max(row - HORIZON, 0), min(row + CONTEXT, DAYS))
    assert second.inferred == len(saw)
    assert second.reused == DAYS - len(saw) - int((second.reasons > 0).sum())
    others = np.setdiff1d(np.arange(DAYS), saw)
    np.testing.assert_array_equal(second.array[others], first.array[others])
    assert not np.array_equal(second.array[saw], first.array[saw])
    assert nbf.forecast(sales(), model(), HORIZON, wait=True, **NAMED).inferred == 0, "the first is still there"


def test_C5_edited_noise_infers_no_origin_before_it_and_other_covariates_none(cache: Cache) -> None:
    nbf.forecast(sales(), model(), HORIZON, wait=True, **NAMED)
    is_row = pl.int_range(pl.len()) == 300
    edited = sales().with_columns(noise=pl.when(is_row).then(5.0).otherwise("noise"))
    assert nbf.forecast(edited, model(), HORIZON, wait=True, **NAMED).inferred == CONTEXT
    only = FunctionForecaster(lambda c, h, future: c[:, -1:] + future[..., 0], "ahead", covariates=["promotion"])
    nbf.forecast(sales(), only, HORIZON, wait=True, **NAMED)
    assert nbf.forecast(edited, only, HORIZON, wait=True, **NAMED).inferred == 0


def test_C5_C9_results_of_other_covariates_are_other_entries_after_a_restart_too(cache: Cache) -> None:
    first = nbf.forecast(sales(), model(), HORIZON, wait=True, **NAMED)
    other = nbf.forecast(with_promotion(sales(), 200), model(), HORIZON, wait=True, **NAMED)
    assert first.handle != other.handle
    assert first.data.handle == other.data.handle
    cache.save_all()
    for entry in cache.entries():
        cache.evict(entry.key)
    again = nbf.forecast(sales(), model(), HORIZON, wait=True, **NAMED)
    assert (again.inferred, again.warnings) == (0, first.warnings)
    np.testing.assert_array_equal(again.array, first.array)
    third = nbf.forecast(with_promotion(sales(), 400), model(), HORIZON, wait=True, **NAMED)
    assert third.inferred == CONTEXT + HORIZON, "from files, by fingerprints"


def test_C5_appended_rows_infer_the_new_origins_alone(cache: Cache) -> None:
    def until(row: int) -> pl.DataFrame:
        is_future = pl.int_range(pl.len()) >= row
        return sales().with_columns(y=pl.when(is_future).then(None).otherwise("y")).head(row + HORIZON)

    first = nbf.forecast(until(600), model(), HORIZON, wait=True, **NAMED)
    second = nbf.forecast(until(620), model(), HORIZON, wait=True, **NAMED)
    assert (second.inferred, second.reused) == (20, first.inferred)
    assert nbf.forecast(until(600).tail(200), model(), HORIZON, wait=True, **NAMED).inferred == CONTEXT - 8, (
        "of a part of the history the origins whose context was cut short"
    )


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(30, 80), seed=st.integers(0, 99), ahead=st.integers(0, HORIZON - 1))
def test_L1_nothing_after_the_origin_but_what_is_known_ahead_reaches_a_model(cut: int, seed: int, ahead: int) -> None:
    random = np.random.default_rng(seed)
    frame = sales(100, 9, seed)
    late = pl.int_range(pl.len()) > cut
    other = pl.Series(random.normal(size=109) * 1e3)
    changed = frame.with_columns(
        y=pl.when(late & pl.col("y").is_not_null()).then(other).otherwise("y"),
        noise=pl.when(late).then(other).otherwise("noise"),
        promotion=pl.when(pl.int_range(pl.len()) > cut + HORIZON).then(~pl.col("promotion")).otherwise("promotion"),
    )
    rows = np.arange(10, cut + 1)
    draws = [model().forecast(prepare(f, **NAMED), rows, HORIZON) for f in (frame, changed)]
    np.testing.assert_array_equal(draws[0], draws[1])
    seen = model().forecast(prepare(with_promotion(frame, cut + 1 + ahead), **NAMED), rows, HORIZON)
    assert not np.array_equal(seen[-1], draws[0][-1]), "what is known ahead is read"


@pytest.mark.slow
def test_H2_models_that_declare_nothing_see_nothing(cache: Cache) -> None:
    handles = [resolve("naive").forecast(prepare(f, **NAMED), np.array([50]), 3) for f in (sales(), sales(seed=0))]
    np.testing.assert_array_equal(*handles)
    assert getattr(resolve("naive"), "covariate_use", None) is None
    assert FunctionForecaster(lambda contexts, horizon: contexts).covariate_use is None


def test_H2_missing_future_rows_are_named_and_the_other_origins_are_forecast(cache: Cache) -> None:
    run = nbf.forecast(sales(ahead=3), model(), HORIZON, wait=True, **NAMED)
    assert run.at(-4).median.shape == (HORIZON,)
    with pytest.raises(
        OriginUnavailable, match="promotion must be known ahead and is missing at 4 times, from 2024-12"
    ):
        run.at(0)


def regression(columns: list[str]) -> Any:
    y, promotion = sales()["y"].to_numpy()[:DAYS], sales()["promotion"].cast(float).to_numpy()[:DAYS]
    table = pd.DataFrame(
        {
            "lag_7": y[:-7],
            "promotion": promotion[7:],
            "promotion_lag_1": promotion[6:-1],
            "noise_lag_7": sales()["noise"].to_numpy()[: DAYS - 7],
            "noise": sales()["noise"].to_numpy()[7:DAYS],
        }
    )
    return LinearRegression().fit(table[columns], y[7:])


def test_H2_a_regressor_reads_covariates_by_the_names_of_its_features() -> None:
    fitted = regression(["lag_7", "promotion", "promotion_lag_1"])
    data, rows = prepare(sales(), **NAMED), np.array([300, 400])
    promotion = sales()["promotion"].cast(float).to_numpy()
    with hushed():
        expected = [
            fitted.predict(np.stack([data.values[rows + h - 7], promotion[rows + h], promotion[rows + h - 1]], 1))
            for h in range(1, 8)
        ]
    found = as_forecaster(fitted).forecast(data, rows, 7)
    np.testing.assert_allclose(found[..., 0], np.stack(expected, 1), rtol=1e-5)
    array = LinearRegression().fit(np.stack([data.values[:-7], promotion[7:DAYS]], 1), data.values[7:])
    by_option = as_forecaster(array, lags=[7], covariates=["promotion"])
    named = as_forecaster(regression(["lag_7", "promotion"]))
    np.testing.assert_allclose(by_option.forecast(data, rows, 7), named.forecast(data, rows, 7), rtol=1e-5)
    lagged = as_forecaster(regression(["lag_7", "noise_lag_7"]), covariates=["noise"])
    assert lagged.forecast(data, rows, 7).shape == (2, 7, 1)


@pytest.mark.parametrize(
    ("columns", "options", "text"),
    [
        (
            ["lag_7", "promotion"],
            {},
            "reads the covariate 'promotion', and the data have no covariate. Name the columns",
        ),
        (
            ["promotion"],
            {"past_covariates": "promotion"},
            "at the times that are forecast. Name columns that are known",
        ),
        (
            ["promotion"],
            {"future_covariates": "noise"},
            "only 'noise', not 'promotion'",
        ),
    ],
)
def test_H2_covariates_that_a_regressor_lacks_are_named(columns: list[str], options: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        nbf.forecast(sales(), as_forecaster(regression(columns)), HORIZON, target="y", wait=True, **options)


def test_H2_a_lag_of_a_past_covariate_reaches_as_far_ahead_as_it_is_long() -> None:
    late = as_forecaster(regression(["lag_7", "noise_lag_7"]), covariates=["noise"])
    with pytest.raises(OptionError, match="'noise' 7 steps before each of 8 steps, and it is known up to the origin"):
        late.forecast(prepare(sales(), **NAMED), np.array([300]), 8)
    with pytest.raises(OptionError, match=r"covariates= names 'wind', and the model is fitted on 'lag_7'"):
        as_forecaster(regression(["lag_7"]), covariates=["wind"])


def test_H2_statsforecast_models_take_those_known_ahead_as_regressors() -> None:
    arima = ARIMA(order=(1, 0, 0))
    data, promotion = prepare(sales(90, 9), **NAMED), sales(90, 9)["promotion"].cast(float).to_numpy()
    found = as_forecaster(arima, context=60).forecast(data, np.array([80, 89]), 3)
    for row, draws in zip((80, 89), found, strict=True):
        window = slice(row - 59, row + 1)
        expected = ARIMA(order=(1, 0, 0)).forecast(
            data.values[window], 3, X=promotion[window, None], X_future=promotion[row + 1 : row + 4, None], level=[50]
        )
        np.testing.assert_allclose(draws[:, [2, 7]], np.stack([expected["lo-50"], expected["hi-50"]], -1), rtol=1e-3)
    without = as_forecaster(arima, context=60).forecast(prepare(sales(90, 9), target="y"), np.array([80]), 3)
    assert not np.allclose(without[0], found[0])


def test_H2_darts_models_take_the_covariates_they_are_fitted_with() -> None:
    models = library("darts.models")
    from darts import TimeSeries

    frame = sales()
    values, promotion, noise = (frame[n].cast(pl.Float64).to_numpy() for n in ("y", "promotion", "noise"))
    ahead = TimeSeries.from_values(promotion[:, None], columns=["promotion"])
    past = TimeSeries.from_values(noise[:DAYS, None], columns=["noise"])
    lags = {"lags": 7, "lags_past_covariates": 3, "lags_future_covariates": [-1, 0], "output_chunk_length": HORIZON}
    fitted = models.LinearRegressionModel(**lags)
    with hushed():
        fitted.fit(TimeSeries.from_values(values[:400]), past_covariates=past, future_covariates=ahead)
        expected = [
            fitted.predict(
                HORIZON, TimeSeries.from_values(values[: row + 1]), past_covariates=past, future_covariates=ahead
            ).values()
            for row in (500, 600)
        ]
        forecaster = as_forecaster(fitted)
        found = forecaster.forecast(prepare(frame, **NAMED), np.array([500, 600]), HORIZON)
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-4)
    with pytest.raises(OptionError, match="forecasts 7 steps at once, and for 9 it needs past covariates"):
        forecaster.forecast(prepare(frame, **NAMED), np.array([500]), 9)
    late = prepare(frame, target="y", past_covariates=["promotion", "noise"])
    with pytest.raises(OptionError, match="up to the origin only"):
        forecaster.forecast(late, np.array([500]), HORIZON)
    local = as_forecaster(models.ARIMA(1, 0, 0), context=60, draws=1)
    with hushed():
        pair = [
            local.forecast(prepare(f, target="y", future_covariates="promotion"), np.array([500]), 3)
            for f in (frame, with_promotion(frame, 502))
        ]
    assert abs(pair[0] - pair[1]).max() > 3


def test_H2_a_function_without_defaults_needs_covariates_and_one_with_them_does_not(cache: Cache) -> None:
    with pytest.raises(OptionError, match=r"'uplift' reads covariates, and the data have none beside .* Name columns"):
        nbf.forecast(sales(60), model(), HORIZON, target="y")

    def ahead(contexts: np.ndarray, horizon: int, future: np.ndarray | None = None) -> np.ndarray:
        return contexts[:, -1:] + (np.zeros((1, horizon)) if future is None else future[..., 0])

    data = prepare(sales(60), target="y", past_covariates="noise")
    forecaster = FunctionForecaster(ahead, context=3)
    np.testing.assert_array_equal(
        forecaster.forecast(data, np.array([50]), 2)[0, :, 0], np.float32(data.values[[50, 50]])
    )
    strict = FunctionForecaster(lambda contexts, horizon, future: contexts, "strict")
    with pytest.raises(OptionError, match="the data have none that are known ahead"):
        strict.forecast(data, np.array([50]), 2)


def test_C5_results_from_a_file_are_not_completed_without_the_covariates_that_they_depend_on(cache: Cache) -> None:
    def newest(contexts: np.ndarray, horizon: int, past: np.ndarray | None = None) -> np.ndarray:
        assert past is not None, "the cache must not infer without them"
        return (contexts[:, -1:] + past[:, -1:, 0]).repeat(horizon, 1)

    nbf.register("newest", newest, context=CONTEXT)
    frame = sales(60, 0).with_columns(promotion=pl.col("promotion").cast(pl.Float64))
    options: dict[str, Any] = {"target": "y", "past_covariates": ["promotion"], "wait": True}
    nbf.forecast(frame, "newest", HORIZON, origins="latest", **options)
    handle = nbf.cache.entries()["handle"].item()
    cache.save_all()
    cache.clear()
    run = nbf.cache.run(handle)
    assert np.isfinite(run.at(0).draws).all()
    for infer in (lambda: run.at(-3), lambda: nbf.cache.recompute(handle).wait()):
        with pytest.raises(OptionError, match=r"depend on covariates.*Forecast anew with the frame"):
            infer()
    assert nbf.forecast(frame, "newest", HORIZON, **options).inferred > 0
