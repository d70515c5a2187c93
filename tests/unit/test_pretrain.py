"""F2: the synthetic series that the pretrained network learns from, and its training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nbforecast.forecasters.pretrained.features import extract_features
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.scaled_context import to_data_unit
from nbforecast.pretrain import __main__ as command
from nbforecast.pretrain import generators, prior, train
from nbforecast.pretrain.augmentations import MIN_LENGTH, augment, change_regime, draw_observation_mask, mix_series
from nbforecast.pretrain.examples import MAX_GAP, prepare_examples, to_windows
from nbforecast.pretrain.loss import loss
from nbforecast.pretrain.primitives import coloured, decay, innovations, matern, season
from nbforecast.pretrain.prior import HORIZON, LONG, SHORT, WINDOWS, Series, draw_kind, draw_seasons, draw_series
from tests.support.windows import windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

KEYS = jax.random.split(jax.random.key(1), 64)
STEPS = SHORT + HORIZON


def many(function: Callable[..., jax.Array], *arguments: object, **static: int) -> np.ndarray:
    """Of every key."""
    each = jax.vmap(lambda *a: function(*a, **static), (0, *(None,) * len(arguments)))
    return np.asarray(jax.jit(each)(KEYS, *arguments))


@pytest.mark.parametrize("period", [2, 24, 168])
def test_seasons_repeat(period: int) -> None:
    values = many(season, jnp.array(period), steps=STEPS)
    np.testing.assert_allclose(values[:, period:], values[:, :-period], atol=1e-4)
    np.testing.assert_allclose(values.std(1), 1.0, atol=1e-3)


def test_no_season_is_nothing() -> None:
    assert not many(season, jnp.array(0), steps=STEPS).any()


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_the_power_of_coloured_noise_falls_as_it_should(slope: float) -> None:
    values = many(coloured, slope, steps=STEPS) * np.hanning(STEPS)
    power = (np.abs(np.fft.rfft(values)) ** 2).mean(0)
    found = np.polyfit(np.log(np.arange(8, 200)), np.log(power[8:200]), 1)[0]
    assert found == pytest.approx(-slope, abs=0.15)


def test_a_matern_process_of_order_one_half_forgets_exponentially() -> None:
    """Rasmussen & Williams 2006, equation 4.18."""
    values = many(matern, 10.0, 0.5, steps=STEPS)
    found = [np.mean(values[:, lag:] * values[:, : STEPS - lag]) for lag in (0, 5, 10)]
    np.testing.assert_allclose(found, np.exp(-np.array([0, 5, 10]) / 10), atol=0.12)


def test_decay_is_a_plain_recursion() -> None:
    values = np.random.default_rng(0).normal(size=50)
    expected, state = [], 0.0
    for value in values:
        state = 0.9 * state + value
        expected.append(state)
    np.testing.assert_allclose(decay(jnp.array(values), 0.9), expected, rtol=1e-5)


def test_innovations_are_independent_of_unit_size() -> None:
    values = many(innovations, steps=STEPS)
    np.testing.assert_allclose(values.std(1), 1.0, atol=1e-3)
    assert abs(np.mean(values[:, 1:] * values[:, :-1])) < 0.02


@pytest.mark.parametrize(
    "family", [generators.counts, generators.growth, generators.walks, generators.demand], ids=lambda f: f.__name__
)
def test_series_are_finite_and_differ(family: generators.Family) -> None:
    values = many(family, jnp.array([24, 168]), steps=STEPS)
    assert np.isfinite(values).all()
    assert len(np.unique(values.round(6), axis=0)) == len(KEYS)
    if family is generators.counts:
        np.testing.assert_array_equal(values, values.round())
        assert (values >= 0).all()


@pytest.mark.parametrize("calendar", [(24, 168), (12,), ()])
def test_series_mostly_have_the_seasons_of_their_calendar(calendar: tuple[int, ...]) -> None:
    padded = jnp.array([*calendar, *(0,) * (4 - len(calendar))], jnp.int32)
    found = many(draw_seasons, padded)
    own = np.isin(found[:, 0], calendar).mean() if calendar else 1.0
    assert own > 0.4
    assert 0.05 < (found[:, 0] == 0).mean() < 0.4


def test_blemishes_keep_the_zero_of_what_is_never_negative() -> None:
    values = jnp.abs(jax.random.normal(jax.random.key(0), (64, STEPS))) * (jnp.arange(STEPS) % 3 > 0)
    found = np.asarray(jax.jit(jax.vmap(augment))(KEYS, values))
    np.testing.assert_allclose(found.std(1), 1.0, rtol=1e-3)
    assert (found.min(1) > -1e-6).mean() > 0.6


def test_mixed_series_lie_between_two() -> None:
    values = jnp.repeat(jnp.arange(64.0)[:, None], STEPS, 1)
    found = np.asarray(jax.jit(mix_series)(jax.random.key(0), values))[:, 0]
    mixed = found != np.arange(64)
    assert 0 < mixed.mean() < 0.3
    assert (found >= 0).all()
    assert (found <= 63).all()


def test_the_last_value_is_always_seen_and_some_before_it() -> None:
    observed = many(draw_observation_mask, jnp.array([4, 0]), context=SHORT)
    assert observed[:, -1].all()
    assert (observed.sum(1) >= MIN_LENGTH // 2).all()
    assert (observed.sum(1) < 160).mean() > 0.4, "short seasons come with short histories"


def _series() -> Series:
    random = np.random.default_rng(0)
    values = 50 + np.cumsum(random.normal(size=(8, STEPS)), axis=1)
    observed = random.random((8, SHORT)) < 0.7
    observed[:, 100:130], observed[:2, :300], observed[:, -1] = False, False, True
    return Series(jnp.array(values, jnp.float32), jnp.array(observed), jnp.array([24, 168, 0, 0], jnp.int32))


def test_contexts_are_cut_as_forecasters_get_them() -> None:
    series = _series()
    context = np.where(series.observed, series.values[:, :SHORT], np.nan)
    expected, found = windows(context, (24, 168), MAX_GAP), jax.jit(to_windows)(series)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
    np.testing.assert_array_equal(found.observed, expected.observed)
    np.testing.assert_allclose(found.location, expected.location, rtol=1e-6)


def test_targets_are_what_followed() -> None:
    """In the unit of the candidates, upside down where these are: brought back, they are the data."""
    series = _series()

    def bring_back(series: Series) -> tuple[jax.Array, jax.Array]:
        windows = to_windows(series)
        past, _ = extract_features(windows)
        return to_data_unit(past, prepare_examples(series).target.T).T + windows.location[:, None], past.scale

    found, scale = jax.jit(bring_back)(series)
    assert {*np.sign(scale)} == {-1.0, 1.0}
    np.testing.assert_allclose(found, series.values[:, SHORT:], rtol=1e-3)


def test_the_loss_is_least_at_the_true_quantiles() -> None:
    """Of a normal distribution; and it weighs errors by each series' own size."""
    random = np.random.default_rng(0)
    target = jnp.array(random.normal(size=(4000, 8)), jnp.float32)
    true = jnp.array([-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645])
    size = jnp.ones(4000)

    def at(quantiles: jax.Array) -> float:
        return float(loss(jnp.broadcast_to(quantiles, (4000, 8, 10)), target, size))

    best = at(true)
    assert best < min(at(true * 1.3), at(true * 0.7), at(true + 0.2))
    scaled = loss(jnp.broadcast_to(5 * true, (4000, 8, 10)), 5 * target, 5 * size)
    np.testing.assert_allclose(scaled, best, rtol=1e-5)


def _noise(key: jax.Array, seasons: jax.Array, steps: int) -> jax.Array:
    return jax.random.normal(key, (steps,)) + seasons[0]


def _walk(key: jax.Array, seasons: jax.Array, steps: int) -> jax.Array:
    return jnp.cumsum(_noise(key, seasons, steps))


@pytest.fixture
def plain_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time the true generators take is their compilation."""
    monkeypatch.setattr(prior, "_FAMILIES", {context: {_noise: 0.5, _walk: 0.5} for context in (SHORT, LONG)})


@pytest.mark.usefixtures("plain_families")
def test_several_windows_are_cut_from_each_series() -> None:
    calendar, none = jnp.array([24, 168, 0, 0]), jnp.zeros(4, jnp.int32)
    made = jax.jit(draw_series, static_argnums=(3, 4))(jax.random.key(0), calendar, none, 2, SHORT)
    assert made.values.shape == (2 * WINDOWS, STEPS)
    assert made.observed.shape == (2 * WINDOWS, SHORT)
    assert not made.calendar.any(), "they are read without their calendar"
    assert len(np.unique(made.values[:, 0])) == 2 * WINDOWS
    first, second = np.asarray(made.values[0]), np.asarray(made.values[2])
    is_shared = np.isin(first, second).mean()
    assert is_shared > 0.5, "both are of the first series"


def test_batches_are_of_either_length_with_a_calendar_or_without() -> None:
    random = np.random.default_rng(0)
    kinds = [draw_kind(random) for _ in range(200)]
    assert {k.context for k in kinds} == {SHORT, LONG}
    assert {tuple(k.calendar[k.calendar > 0].tolist()) for k in kinds} >= {(24, 168), (12,), (288,), ()}
    dated = [k for k in kinds if k.calendar[0]]
    assert 0.15 < np.mean([not k.known.any() for k in dated]) < 0.45
    assert all((k.known == k.calendar).all() for k in dated if k.known.any())


def test_an_old_regime_ends_before_the_last_steps() -> None:
    values = jnp.sin(jnp.arange(STEPS) / 5.0)
    found = many(change_regime, values)
    assert 0 < (found != values).any(1).mean() < 0.3
    np.testing.assert_array_equal(found[:, -64:], jnp.broadcast_to(values[-64:], (64, 64)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, plain_families: None) -> train.Recipe:
    """A recipe of few steps on two plain generators, of short contexts alone."""
    monkeypatch.setattr(prior, "_LONG_SHARE", 0.0)
    monkeypatch.setattr(train, "_LOG_STEPS", 4)
    monkeypatch.setattr(train, "_WARMUP_CHUNKS", 4)
    return train.Recipe(steps=12, batch=32, new_per_step=16, buffer_size=64, width=16, depth=1, average=0.5)


def test_a_stopped_training_goes_on_to_the_same_weights(quick: train.Recipe, tmp_path: Path) -> None:
    whole = train.train(quick, tmp_path / "whole")
    first = train.train(quick, tmp_path / "parts", minutes=0.0)
    assert first.step == 4
    second = train.train(quick, tmp_path / "parts")
    assert second.step == whole.step == 12
    assert len(second.losses) == 3
    assert second.losses == whole.losses
    assert jax.tree.all(jax.tree.map(np.array_equal, second.trained[1], whole.trained[1]))


def test_the_command_writes_weights_that_can_be_used(quick: train.Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    options = [
        f"--{name}={getattr(quick, name)}"
        for name in ("steps", "batch", "new_per_step", "buffer_size", "width", "depth", "average")
    ]
    command.main([str(folder), *options])
    assert (folder / "loss.png").stat().st_size > 1000
    assert json.loads((folder / "recipe.json").read_text())["width"] == 16
    model = resolve(f"pretrained:{folder / 'pretrained.safetensors'}")
    assert model.key != resolve("pretrained").key
    with pytest.raises(SystemExit, match="another recipe \\(seed\\)"):
        command.main([str(folder), "--seed=7"])
