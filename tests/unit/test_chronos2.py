"""F3, F4, H2, L1, E8: Chronos-2 equals the reference on its weights, and reads covariates as the reference does."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.forecasters.chronos2.forecaster import Chronos2
from nbforecast.forecasters.chronos2.unroll import extend
from nbforecast.forecasters.registry import resolve
from tests.support.networks import CHRONOS2, chronos2, chronos2_config, golden, save_chronos2

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.cache import Cache

SEEDED = "chronos2_seeded.npz"
COVARIATES = {"target": "y", "future_covariates": ["temp", "weather"], "past_covariates": ["traffic"]}
FAR = 67  # steps, one pass and a bit


@partial(jax.jit, static_argnums=(1, 4, 5))
def compiled(weights: Any, sizes: Any, context: Any, future: Any, horizon: int, targets: int) -> Any:
    return extend(weights, sizes, context, future, horizon, targets)


def pad(values: np.ndarray, length: int = CHRONOS2.context) -> np.ndarray:
    newest = np.atleast_2d(values)[:, -length:]
    return np.pad(newest, ((0, 0), (length - newest.shape[1], 0)), constant_values=np.nan)


def assert_near(found: np.ndarray, expected: np.ndarray, context: np.ndarray, steps: int = 64) -> None:
    """Within 1e-5 of the context's deviation and 1e-6 of its largest value; four times as much after the first pass."""
    context = pad(context)
    is_observed = ~np.isnan(context)
    count = np.maximum(is_observed.sum(1), 1)
    mean = np.where(is_observed, context, 0).sum(1) / count
    deviation = np.sqrt(np.where(is_observed, (context - mean[:, None]) ** 2, 0).sum(1) / count)
    deviation = np.where(is_observed.any(1), np.maximum(deviation, 1e-5), 1.0)
    limit = 1e-5 * deviation + 1e-6 * np.where(is_observed, np.abs(context), 0).max(1)
    limit = limit[: len(expected), None, None] * np.where(np.arange(expected.shape[-1]) < steps, 1, 4)
    assert (np.abs(found - expected) <= limit).all(), (np.abs(found - expected) / limit).max()


def test_F3_lone_series_equal_the_reference() -> None:
    """NaN inside, left, right and everywhere; constants, counts, offsets; any length; one pass and unrolled ones."""
    numbers, model = np.load(golden(SEEDED)), chronos2()
    meta = json.loads(str(numbers["meta"]))
    assert model.digest == meta["weights"], "random weights are no longer those of the reference's numbers"
    series = [numbers[f"in/uni/{name}"] for name in meta["names"]]
    contexts = np.concatenate([pad(values) for values in series])[:, None]
    for horizon, stride in ((12, 1), (133, 5)):
        found = np.asarray(compiled(model.placed, CHRONOS2, contexts, None, horizon, 1))
        for number, values in enumerate(series):
            expected = numbers[f"out/uni/h{horizon}/{number}"]
            assert_near(found[number][:, ::stride], expected, values)


def test_F3_variates_of_a_group_equal_the_reference() -> None:
    numbers, model = np.load(golden(SEEDED)), chronos2()
    contexts = numbers["in/multi/0"]
    found = np.asarray(compiled(model.placed, CHRONOS2, contexts[None], None, 12, 3))[0]
    assert_near(found, numbers["out/multi/h12/0"], contexts)


@pytest.mark.slow
def test_F3_the_shared_reference_numbers_are_met() -> None:
    numbers, model = np.load(golden("chronos2_tiny.npz")), Chronos2.load(golden("chronos2_tiny"))
    names = json.loads(str(numbers["meta"]))["cases"]["uni"]
    contexts = np.concatenate([pad(numbers[f"in/uni/{name}"]) for name in names])[:, None]
    for horizon in (17, 96):
        found = np.asarray(compiled(model.placed, model.sizes, contexts, None, horizon, 1))
        for number, context in enumerate(contexts):
            assert_near(found[number], numbers[f"out/uni/h{horizon}/{number}"], context)
    for number in range(2):
        part = f"in/cov/h67/{number}"
        parts = [numbers[f"{part}/{name}"] for name in ("target", "past/past_only", "past/temp")]
        future = np.full((1, 3, 67), np.nan, np.float32)
        future[0, 2] = numbers[f"{part}/future/temp"]
        context = np.concatenate([pad(values) for values in parts])[None]
        found = np.asarray(compiled(model.placed, model.sizes, context, future, 67, 1))
        assert_near(found[0], numbers[f"out/cov/h67/{number}"], parts[0])


def panel() -> pl.DataFrame:
    """A series with numbers and categories beside it, some of them missing, and its horizon."""
    numbers = np.load(golden(SEEDED))
    temp, weather = numbers["in/cov/temp"], numbers["in/cov/weather"]
    beyond = np.full(len(temp) - len(numbers["in/cov/y"]), np.nan, np.float32)
    return pl.DataFrame(
        {
            "ds": np.datetime64("2025-01-06", "us") + np.arange(len(temp)) * np.timedelta64(1, "h"),
            "y": np.append(numbers["in/cov/y"], beyond),
            "temp": temp,
            "weather": pl.Series(weather.tolist()).replace("", None),
            "traffic": np.append(numbers["in/cov/traffic"], beyond),
        }
    ).with_columns(pl.col("y", "temp", "traffic").fill_nan(None))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(panel(), freq="1h", **COVARIATES)


def test_H2_F3_covariates_and_categories_equal_the_reference(data: Dataset) -> None:
    """Known ahead, known up to the origin, categories (one new in the horizon), missing values, a short history."""
    numbers = np.load(golden(SEEDED))
    rows = numbers["in/cov/rows"]
    found = chronos2().forecast(data, rows, FAR)
    for number, row in enumerate(rows.tolist()):
        context = numbers["in/cov/y"][max(row - 127, 0) : row + 1]
        assert_near(found[number].T[None, ::5], numbers[f"out/cov/h{FAR}/{number}"], context)


def test_L1_forecasts_see_their_context_and_what_is_known_ahead_within_the_horizon(data: Dataset) -> None:
    row = 150

    def forecast(column: str, place: int, value: object) -> np.ndarray:
        is_place = pl.int_range(pl.len()) == place
        frame = panel().with_columns(pl.when(is_place).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
        return chronos2().forecast(prepare(frame, freq="1h", **COVARIATES), np.array([row] * 3), FAR)[0]

    expected = chronos2().forecast(data, np.array([row] * 3), FAR)[0]
    unseen = (("y", row + 1, 1e3), ("traffic", row + 1, 1e3), ("temp", row + FAR + 1, 1e3), ("y", row - 128, 1e3))
    for column, place, value in (*unseen, ("weather", row - 128, "fog"), ("temp", row - 128, 99.0)):
        np.testing.assert_array_equal(forecast(column, place, value), expected, f"{column} at {place}")
    seen = (("y", row - 127, 1e3), ("traffic", row, 1e4), ("temp", row + FAR, 99.0), ("weather", row + 1, "hail"))
    for column, place, value in seen:
        assert abs(forecast(column, place, value) - expected).max() > 1e-2, f"{column} at {place}"


def test_E8_forecasts_do_not_depend_on_their_batch(data: Dataset) -> None:
    rows = np.array([19, 40, 150])
    together = chronos2().forecast(data, rows, FAR)
    np.testing.assert_allclose(chronos2().forecast(data, rows[::-1], FAR)[::-1], together, rtol=1e-5, atol=1e-4)
    for number, row in enumerate(rows):
        alone = chronos2().forecast(data, np.array([row]), FAR)[0]
        np.testing.assert_allclose(alone, together[number], rtol=1e-5, atol=1e-4)


def test_a_window_is_no_longer_than_its_history_needs(data: Dataset) -> None:
    model = Chronos2({}, sizes=dataclasses.replace(CHRONOS2, context=4096))
    assert model.context == 2048
    assert [model.window_length(data, np.array([3, row])) for row in (20, 127, 128, 189)] == [128, 128, 512, 512]
    assert dataclasses.replace(model, longest=200).window_length(data, np.array([189])) == 200
    panel = prepare(pl.DataFrame({"unique_id": ["a"] * 700 + ["b"] * 9, "ds": [*range(700), *range(9)], "y": 1.0}))
    assert [model.window_length(panel, np.array([row])) for row in (699, 700)] == [2048, 128]


def test_C5_edited_covariates_infer_the_origins_that_saw_them_anew(cache: Cache) -> None:
    frame = panel().tail(FAR + 60)

    def forecast(frame: pl.DataFrame) -> nbf.Run:
        return nbf.forecast(frame, chronos2(), 12, freq="1h", wait=True, **COVARIATES)

    first = forecast(frame)
    assert first.array.shape == (60, 12, 21)
    assert forecast(frame).inferred == 0
    is_edited = pl.int_range(pl.len()) == 40
    edited = forecast(frame.with_columns(temp=pl.when(is_edited).then(25.0).otherwise("temp")))
    assert edited.inferred == 60 - (40 - 12), "those whose context or horizon has it"
    with pytest.raises(nbf.NbForecastError, match="must be known ahead"):
        forecast(frame.head(60)).at(0)


def test_X2_H1_H4_twenty_one_levels_are_scored_learned_from_and_calibrated(cache: Cache) -> None:
    """From 1 to 99 %: what lies between two levels is interpolated, what lies beyond them extrapolated."""
    steps = np.arange(150)
    values = 30 + 6 * np.sin(steps * np.pi / 12) + np.random.default_rng(3).standard_normal(150)
    run = nbf.forecast(values, chronos2(), 6, learn=True, calibrate=True, wait=True)
    assert run.base.quantile_levels == CHRONOS2.levels
    scores = run.scores()
    assert scores["crps"].item() < run.base.scores()["crps"].item()
    assert 0.85 < scores["calibrated_95"].item() <= 1
    forecast = run.base.at(-12)
    assert (np.diff(forecast.draws, axis=1) >= 0).all()
    np.testing.assert_array_equal(forecast.quantile([0.01, 0.5, 0.99]), forecast.draws[:, [0, 10, 20]])
    tails = forecast.quantile([0.001, 0.01, 0.025, 0.05, 0.95, 0.975, 0.99, 0.999])
    assert (np.diff(tails, axis=1) > 0).all()
    difference = forecast.actual[:, None] - forecast.draws
    losses = np.maximum(difference * np.array(CHRONOS2.levels), difference * (np.array(CHRONOS2.levels) - 1))
    crps = run.base.frame.filter(pl.col("index") == -12)["crps"].item().to_numpy()
    np.testing.assert_allclose(crps, 2 * losses.mean(1), rtol=1e-4)
    fan = forecast.fan("density")
    np.testing.assert_array_equal([fan.bands[0].low, fan.bands[0].high], tails[:, [2, 5]].T)
    assert (fan.density.low < tails[:, 1]).all(), "the density reaches beyond the outermost levels"
    assert (fan.density.high > tails[:, 6]).all()


def test_F3_a_folder_is_loaded_by_name_and_context(tmp_path: Path) -> None:
    folder = save_chronos2(tmp_path / "mine", chronos2())
    model = resolve(f"chronos-2:{folder}")
    assert (model.name, model.context, model.draws, model.levels) == ("mine", 128, 21, CHRONOS2.levels)
    assert model == chronos2()
    short = Chronos2.load(folder, context=48)
    assert short.context == 48
    assert short.key != model.key
    with pytest.raises(nbf.NbForecastError, match="context= takes a positive number of points, not 0"):
        Chronos2.load(folder, context=0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("d_model", None, "'d_model' is None, not a positive int"),
        ("d_kv", 7, "'d_kv' is 7, not an even number"),
        ("rope_theta", "long", "'rope_theta' is 'long', not a float"),
        ("dense_act_fn", "swish", "'dense_act_fn' is 'swish', not one of 'relu', 'gelu'"),
        ("chronos_config", None, "this is no Chronos-2 model"),
        ("chronos_config.quantiles", [0.9, 0.1], "'quantiles' is .*, not ascending"),
        ("chronos_config.quantiles", [0.1, 0.5, 0.9], "'quantiles' is .*, not a list with 0.1, 0.2"),
        ("chronos_config.output_patch_size", 8, "'output_patch_size' differs"),
        ("chronos_config.use_reg_token", False, "'use_reg_token' is False, not true"),
        ("chronos_config.max_output_patches", 0, "'max_output_patches' is 0"),
        ("d_ff", 64, r"model.safetensors: .*shape \(48, 32\), not \(64, 32\)"),
        ("num_layers", 3, "missing: encoder.block.2.layer.0.self_attention.q.weight"),
    ],
)
def test_F4_a_configuration_that_does_not_fit_is_named_by_field(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    folder, config = save_chronos2(tmp_path, chronos2()), chronos2_config()
    *above, last = field.split(".")
    section: Any = config
    for name in above:
        section = section[name]
    section[last] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(nbf.NbForecastError, match=message):
        Chronos2.load(folder)
