"""H3: effects of covariates with honest standard errors, and what each group of features gains."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.errors import OptionError
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.postprocessing.effect_features import FeatureName, FeatureNames
from nbforecast.postprocessing.effects import Effect, estimate_effects, tabulate_errors
from nbforecast.postprocessing.residual_model import BaseForecasts

LEVELS = (0.1, 0.5, 0.9)
MEAN = FunctionForecaster(
    lambda contexts, horizon: np.repeat(np.nanmean(contexts, 1, keepdims=True), horizon, 1), "mean", context=8, least=4
)


def base_forecasts(
    values: np.ndarray, covariates: np.ndarray, horizon: int, known: np.ndarray | None = None, series: int = 1
) -> BaseForecasts:
    """Forecasts of seasonal naive with a season of 7; each covariate has `horizon` values more than the series."""
    values, length = values.reshape(series, -1), values.shape[-1]
    ends = np.arange(length)[:, None] + np.arange(1, horizon + 1)
    medians = np.where(ends >= 7, values[:, np.minimum(np.abs(ends - 7), length - 1)], np.nan)
    rows = series * length
    by_series = covariates.reshape(len(covariates), series, -1)
    late = np.zeros((0, series, length + horizon))
    if known is not None:
        late = np.pad(known.reshape(len(known), series, length), ((0, 0), (0, 0), (0, horizon)))
    return BaseForecasts(
        draws=(medians.reshape(rows, horizon, 1) * [0.9, 1.0, 1.1]).astype(np.float32),
        levels=LEVELS,
        values=values.ravel(),
        first_steps=np.zeros(series, np.int64),
        offsets=np.arange(series + 1) * length,
        seasons=(7,),
        others=(),
        covariates=np.concatenate([by_series, late]).reshape(-1, series * (length + horizon)),
        is_future=np.arange(len(covariates) + len(late)) < len(covariates),
    )


def shop(seed: int, size: float, length: int, horizon: int, is_relative: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values with a week, weeks of promotion of a known effect, and errors that depend on each other."""
    random = np.random.default_rng(seed)
    n = length + horizon
    promotion = np.repeat(random.random(n // 3 + 1) < 0.3, 3)[:n].astype(float)
    noise = np.convolve(random.normal(size=n + 2), [1.0, 0.7, 0.4])[2 : n + 2]
    level = 3 * np.sin(2 * np.pi * np.arange(n) / 7) + size * promotion * (1 if is_relative else 10) + 0.6 * noise
    values = np.exp(3 + level / 10) if is_relative else 20 + level
    return values[:length], promotion


NAMES = FeatureNames(ahead=(FeatureName("promotion", "promotion"),), seasons=("7 steps",))


def effect_of(effects: list[Effect], feature: str) -> Effect:
    (effect,) = (each for each in effects if each.contrast.name.feature == feature)
    return effect


@pytest.mark.parametrize(("is_relative", "size"), [(False, 0.8), (True, 2.7)])
def test_H3_the_interval_of_an_effect_contains_the_simulated_one_as_often_as_it_says(is_relative, size):
    inside, truth, estimates = 0, size / 10 if is_relative else 10 * size, []
    for seed in range(60):
        values, promotion = shop(seed, size, 200, 2, is_relative)
        table = tabulate_errors(base_forecasts(values, promotion[None], 2), NAMES, is_relative)
        estimate = effect_of(estimate_effects(table), "promotion").estimate
        estimates.append(estimate.value)
        inside += abs(estimate.value - truth) <= 2 * estimate.standard_error
    assert 0.85 * 60 <= inside <= 60
    assert abs(np.mean(estimates) - truth) < 4 * np.std(estimates) / np.sqrt(60)


def test_H3_a_forecast_that_lags_behind_a_drifting_price_does_not_enlarge_its_effect():
    length, horizon, slope = 700, 7, -5.0
    random = np.random.default_rng(3)
    promotion = np.repeat(random.random((length + horizon) // 7) < 0.2, 7).astype(float)
    price = np.sin(np.arange(length + horizon) / 60) - 0.3 * promotion
    values = 20 + slope * price[:length] + 2 * promotion[:length] + 0.3 * random.normal(size=length)
    base = base_forecasts(values, np.stack([price, promotion]), horizon)
    means = np.convolve(values, np.ones(28) / 28)[:length]
    means[:27] = np.nan
    draws = np.broadcast_to(means[:, None, None], base.draws.shape).astype(np.float32)
    names = FeatureNames(ahead=tuple(FeatureName(name, name) for name in ("price", "promotion")), seasons=("7 steps",))
    effects = estimate_effects(tabulate_errors(replace(base, draws=draws), names, percent=False))
    for feature, change in (("price", slope), ("promotion", 2.0)):
        for effect in (each for each in effects if each.contrast.name.feature == feature):
            truth = change * (effect.contrast.value - effect.contrast.reference)
            assert abs(effect.estimate.value - truth) < 0.15 * abs(truth)


def test_H3_effect_and_error_are_those_of_least_squares_with_a_long_run_variance_written_out():
    """One step, white noise as the base's error, a covariate without seasons: a regression on few columns."""
    random = np.random.default_rng(3)
    size, names = 400, FeatureNames(ahead=(FeatureName("x", "x"),))
    values = random.normal(size=size)
    x = (random.random(size + 1) < 0.4).astype(float)
    base = base_forecasts(values, x[None], 1)
    base = BaseForecasts(**{**base.__dict__, "draws": np.zeros_like(base.draws), "seasons": ()})
    effect = effect_of(estimate_effects(tabulate_errors(base, names, False)), "x")

    y, target = values[1:], x[1:size]
    past = [[x[max(0, end - count) : end].mean() for end in range(1, size)] for count in (2, 8, 32)]
    # the columns of the regression: x ahead; held constant: x now and its means
    held = np.column_stack([x[: size - 1], *past])
    held = (held - held.mean(0)) / held.std(0)
    design = np.column_stack([target - target.mean(), held])
    inverse = np.linalg.pinv(design.T @ design + np.diag([0, 3, 3, 3, 3]))
    coefficients = inverse @ design.T @ (y - y.mean())
    leverage = np.einsum("np,pq,nq->n", design, inverse, design)
    influence = (design @ inverse)[:, 0] * (y - y.mean() - design @ coefficients) / (1 - leverage)
    influence -= influence.mean()
    t, count = len(influence), int(0.4 * len(influence) ** (2 / 3))
    cosines = np.sqrt(2 / t) * np.cos(np.pi * np.outer(np.arange(1, count + 1), np.arange(t) + 0.5) / t)
    error = np.sqrt(t * ((cosines @ influence) ** 2).mean())
    assert effect.estimate.value == pytest.approx(coefficients[0], rel=1e-6)
    assert effect.estimate.standard_error == pytest.approx(error, rel=1e-6)
    assert (effect.contrast.reference, effect.contrast.value, effect.contrast.count) == (0, 1, int(x[:size].sum()))


@pytest.mark.slow
def test_H3_a_panel_is_pooled_and_read_by_series():
    frames = []
    for number, name in enumerate("abcdef"):
        values, promotion = shop(number, 2.0 + number / 2, 150, 0, True)
        days = [dt.date(2024, 1, 1) + dt.timedelta(days=k) for k in range(150)]
        frames.append(
            pl.DataFrame({"unique_id": name, "ds": days, "y": values, "promotion": promotion, "big": name > "c"})
        )
    options = {"future_covariates": "promotion", "static": "big"}
    run = nbf.forecast(pl.concat(frames), "naive", 2, target="y", wait=True, **options)
    pooled = run.effects().row(by_predicate=pl.col("feature") == "promotion", named=True)
    assert pooled["lower"] < 100 * (np.exp(0.325) - 1) < pooled["upper"]
    assert pooled["unit"] == "%"
    each = run.effects("series").filter(feature="promotion")
    assert each["unique_id"].to_list() == list("abcdef")
    truth = 100 * (np.exp(0.2 + np.arange(6) / 20) - 1)
    assert (abs(each["effect"].to_numpy() - truth) < 3 * each["std_error"].to_numpy()).all()
    assert (each["error_without"] > 0).all()
    groups = run.effects("big").filter(feature="promotion")
    assert groups["big"].to_list() == [False, True]
    for big, effect in zip(groups["big"], groups["effect"], strict=True):
        members = each.filter((pl.col("unique_id") > "c") == big)["effect"]
        assert members.min() < effect < members.max()


def test_H3_days_without_sales_leave_effects_in_per_cent_of_the_mean():
    values, promotion = shop(2, 0.8, 300, 2, False)
    values[[50, 150, 250]] = 0.0
    table = tabulate_errors(base_forecasts(values * 7, promotion[None], 2), NAMES)
    estimate = effect_of(estimate_effects(table), "promotion").estimate
    assert table.unit == "mean"
    assert abs(estimate.value - 8 / values.mean()) < 3 * estimate.standard_error < 0.5


@pytest.fixture(scope="module")
def sales() -> pl.DataFrame:
    values, promotion = shop(7, 1.0, 280, 10, False)
    random = np.random.default_rng(7)
    temperature = 10 * np.sin(np.arange(290) / 20) + random.normal(size=290)
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=k) for k in range(290)]
    y = values + np.maximum(temperature[:280] - 5, 0) - 2 * (np.arange(280) % 40 == 9)
    return pl.DataFrame(
        {
            "ds": days,
            "sold [kg]": [*y.tolist(), *[None] * 10],
            "promotion": promotion > 0,
            "temperature": temperature,
            "event": ["fair" if k % 40 == 9 else None for k in range(290)],
            "sky": random.normal(size=290),
            "once": [float(k == 200) for k in range(290)],
        }
    )


@pytest.fixture(scope="module")
def effects(sales) -> pl.DataFrame:
    options = {"future_covariates": ["promotion", "temperature", "event", "once"], "past_covariates": "sky"}
    run = nbf.forecast(sales, ["naive", MEAN], 3, target="sold [kg]", holidays="DE", wait=True, **options)
    return run.effects(percent=False)


@pytest.mark.slow
def test_H3_features_have_plain_names_and_a_change_in_their_own_unit(effects, sales):
    assert set(effects["group"]) == {
        "promotion", "temperature", "event", "once", "sky", "holidays", "other models", "past values and errors",
    }  # fmt: skip
    names = set(effects["feature"])
    assert {"event = fair", "holiday", "eve of a holiday", "change of sky over 4 steps", "mean above naive"} <= names
    assert {"last known error", "error 1 week before", "value 1 week before, above the forecast"} <= names
    warm, cold = (effects.filter(feature="temperature").row(k, named=True) for k in (0, 1))
    low, middle, high = np.quantile(sales["temperature"][:280], (0.1, 0.5, 0.9))
    assert (warm["reference"], warm["value"], cold["value"]) == pytest.approx((middle, high, low))
    assert abs(warm["effect"] - (high - 5)) < 3 * warm["std_error"], "the hinge is above the median"
    assert abs(cold["effect"]) < 3 * cold["std_error"]
    promotion = effects.row(by_predicate=pl.col("feature") == "promotion", named=True)
    assert promotion["effect"] == pytest.approx(10, abs=1)
    assert (promotion["unit"], promotion["count"]) == ("kg", sales["promotion"][:280].sum())


def test_H3_what_occurs_once_has_no_standard_error(effects):
    once = effects.row(by_predicate=pl.col("feature") == "once", named=True)
    assert once["count"] == 1
    assert once["std_error"] is None
    assert once["lower"] is None


@pytest.mark.slow
def test_H3_the_gain_of_a_group_is_the_error_of_a_run_without_it(sales):
    frame = sales.select("ds", "sold [kg]", "promotion", "temperature")
    both, one, none = (
        nbf.forecast(frame, "naive", 3, target="sold [kg]", future_covariates=columns, learn=True, wait=True)
        for columns in (["promotion", "temperature"], ["temperature"], None)
    )
    effects = both.effects()
    scores = [run.scores("index")["crps"] for run in (both, one, none, none.base)]
    mean = [score.filter(both.scores("index")["crps"].is_not_null()).mean() for score in scores]
    promotion = effects.row(by_predicate=pl.col("group") == "promotion", named=True)
    assert promotion["error_without"] == pytest.approx(100 * (mean[1] / mean[0] - 1), abs=0.1)
    assert promotion["share"] == pytest.approx(100 * (mean[1] - mean[0]) / (mean[3] - mean[0]), abs=0.1)
    assert promotion["error_without"] > 2 * promotion["error_without_std_error"] > 0
    past = effects.filter(group="past values and errors").row(0, named=True)
    assert past["error_without"] == pytest.approx(100 * (mean[3] / mean[2] - 1), abs=0.1)
    by_step = both.effects("horizon").filter(feature="promotion")
    assert by_step["horizon"].to_list() == [1, 2, 3]
    assert by_step["effect"].min() < both.effects().filter(feature="promotion")["effect"].item()


def test_H3_a_number_that_differs_between_series_is_measured_from_its_median_in_each():
    """Prices of 2 and of 50, each with its own reductions: the effect is that of a reduction."""
    random = np.random.default_rng(1)
    reduction = np.where(random.random((2, 162)) < 0.3, -random.random((2, 162)), 0.0)
    price = np.array([[2.0], [50.0]]) + reduction
    values = 20 - 5 * reduction[:, :160] + 0.3 * random.normal(size=(2, 160))
    names = FeatureNames(ahead=(FeatureName("price", "price"),), seasons=("7 steps",))
    base = base_forecasts(values, price.reshape(1, -1), 2, series=2)
    (effect,) = (e for e in estimate_effects(tabulate_errors(base, names, False)) if e.contrast.name.group == "price")
    assert effect.contrast.name.feature == "price above its median"
    assert effect.contrast.reference == pytest.approx(0, abs=1e-9)
    assert effect.contrast.value < -0.3
    assert abs(effect.estimate.value + 5 * effect.contrast.value) < 3 * effect.estimate.standard_error


def test_H3_columns_that_go_together_leave_an_effect_open():
    values, promotion = shop(0, 1.0, 200, 2, False)
    twin = promotion + 1e-4 * np.random.default_rng(0).normal(size=202)
    names = FeatureNames(
        ahead=(FeatureName("promotion", "promotion"), FeatureName("twin", "twin")), seasons=("7 steps",)
    )
    effects = estimate_effects(tabulate_errors(base_forecasts(values, np.stack([promotion, twin]), 2), names, False))
    assert np.isnan(effect_of(effects, "promotion").estimate.value)
    assert np.isfinite(effect_of(effects, "last known error").estimate.value)


@pytest.mark.filterwarnings("error")
def test_H3_a_feature_that_never_changes_has_no_effect_and_warns_of_nothing():
    """A season longer than the series, and a constant covariate."""
    values, promotion = shop(0, 1.0, 200, 7, False)
    ahead = (FeatureName("promotion", "promotion"), FeatureName("shop", "shop"))
    base = base_forecasts(values, np.stack([promotion, np.ones_like(promotion)]), 7)
    names = FeatureNames(ahead=ahead, seasons=("7 steps", "300 steps"))
    effects = estimate_effects(tabulate_errors(replace(base, seasons=(7, 300)), names, False))
    features = {e.contrast.name.feature for e in effects}
    assert "promotion" in features
    assert not any("shop" in feature or "300 steps" in feature for feature in features)


def test_H3_effects_are_refused_where_there_are_none(sales):
    run = nbf.forecast(sales.select("ds", "sold [kg]"), "naive", 3, wait=True)
    with pytest.raises(OptionError, match="naive does not learn"):
        run.effects()
    learned = nbf.forecast(np.sin(np.arange(60.0)), "naive", 3, learn=True, wait=True)
    with pytest.raises(OptionError, match="needs values of zero or more"):
        learned.effects(percent=True)
    with pytest.raises(OptionError, match="takes None, 'horizon', 'series', not 'step'"):
        learned.effects("step")
    short = nbf.forecast(np.sin(np.arange(9.0)), "naive", 3, learn=True, wait=True)
    assert short.effects().is_empty(), "too few rows for a regression"
