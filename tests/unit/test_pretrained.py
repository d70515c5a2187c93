"""F2: the pretrained network, its views, and its weights in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import nbforecast as nbf
from nbforecast.errors import WeightsError
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.pretrained.candidates import CANDIDATES, ERROR_STEPS, STEPS
from nbforecast.forecasters.pretrained.features import FEATURES, KNOTS, Features, extract_features
from nbforecast.forecasters.pretrained.forecaster import WEIGHTS, Pretrained
from nbforecast.forecasters.pretrained.long_context import long_context
from nbforecast.forecasters.pretrained.network import QUANTILES, GatedNetwork, interpolation_weights
from nbforecast.forecasters.pretrained.passes import build, forward, restore_network, weights_by_name
from nbforecast.forecasters.pretrained.seasons import find_seasons
from nbforecast.forecasters.registry import resolve
from tests.benchmarks import accuracy
from tests.benchmarks.cases import SETS
from tests.support.requirements import shared
from tests.support.windows import context, forecast, windows

if TYPE_CHECKING:
    from pathlib import Path

    from jax import Array

    from nbforecast.forecasters.seasonality import Seasons
    from nbforecast.forecasters.windows import Windows

pytestmark = pytest.mark.slow


def _series(seed: int, length: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return -90 + np.cumsum(rng.normal(size=length)) * 0.3 + 6 * np.sin(2 * np.pi * np.arange(length) / 24)


@jax.jit
def _seen(cut: Windows) -> tuple[Features, Array, Seasons]:
    past, seen = extract_features(cut)
    return seen, past.scale, find_seasons(past, long_context(cut, past), cut.seasons)[0]


def _viewed(first: np.ndarray, second: np.ndarray | None = None) -> tuple[Features, float, tuple[int, int]]:
    """Views of two series (always as many, to compile once), the unit and the seasons of the first."""
    seen, scale, seasons = _seen(windows(context(first, first if second is None else second), (24,)))
    return seen, float(scale[0]), (int(seasons.short[0]), int(seasons.long[0]))


@jax.jit
def _applied(network: GatedNetwork, seen: Features) -> Array:
    return jax.vmap(network)(seen.inputs, seen.candidates, seen.errors)


def test_views_hold_what_they_say() -> None:
    seen, _, _ = _viewed(_series(0), _series(1, 30))
    assert seen.inputs.shape == (2, FEATURES)
    assert seen.candidates.shape == (2, CANDIDATES, STEPS)
    assert seen.errors.shape == (2, 2, CANDIDATES, len(ERROR_STEPS))


def test_candidates_are_the_forecasts_that_they_are_named_for() -> None:
    """Against plain NumPy: the season before, its usual change, a mean shape, the calendar's season, the last value."""
    y = _series(2)
    seen, scale, seasons = _viewed(y)
    assert seasons == (24, 0)
    found = np.asarray(seen.candidates[0]) * scale + y[-1]
    before = y[-24:][np.arange(STEPS) % 24]
    change = np.zeros(2)
    for difference in y[24:] - y[:-24]:
        change += np.array([0.1, 0.4]) * (difference - change)
    cycles = [y[len(y) - 24 * (j + 1) : len(y) - 24 * j] for j in range(6)]
    weights = 0.95 ** np.arange(6)
    shape = sum(w * (c - c.mean()) for w, c in zip(weights, cycles, strict=True)) / weights.sum()
    expected = [
        before, before, before + change[0], before + change[1], cycles[0].mean() + shape[np.arange(STEPS) % 24],
        before, before, before + cycles[0].mean() - cycles[1].mean(), np.full(STEPS, y[-1]),
    ]  # fmt: skip
    np.testing.assert_allclose(found[-9:], expected, atol=2e-3)


def test_past_errors_are_those_of_forecasts_that_could_have_been_made() -> None:
    """The mean absolute error of the last value, from 24 origins, each against what followed it; late ones weighed."""
    y = _series(3, 512)
    seen, scale, _ = _viewed(y)
    last = CANDIDATES - 1
    start = 2 * 24
    at = 510 - np.floor(np.arange(24) * (511 - start) / 24).astype(int)
    walk = np.abs(np.diff(y)).mean()
    for number, step in enumerate(ERROR_STEPS):
        errors = np.array([abs(y[t + step] - y[t]) for t in at if t + step < 512])
        recency = np.array([0.8**age for age, t in enumerate(at) if t + step < 512])
        for kind, weights in enumerate((np.ones(len(errors)), recency)):
            expected = (weights @ errors + walk * np.sqrt(step)) / (weights.sum() + 1)
            found = np.exp(seen.errors[0, kind, last, number]) * abs(scale)
            np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_untrained_the_network_weighs_by_inverse_past_errors() -> None:
    """Bates & Granger (1969), with the learned power in place of 2; and its bands are those errors'."""
    network = build(16, 1, jax.random.key(0))
    silent = (jnp.zeros_like(network.leave.weight), jnp.zeros_like(network.leave.bias))
    network = eqx.tree_at(lambda n: (n.leave.weight, n.leave.bias), network, silent)
    seen, _, _ = _viewed(_series(4))
    found = _applied(network, seen)[0]
    past = np.asarray(seen.errors[0, 0]) @ interpolation_weights(ERROR_STEPS, STEPS)
    weights = np.exp(-5.0 * past)
    weights /= weights.sum(0)
    middle = (weights * np.asarray(seen.candidates[0])).sum(0)
    np.testing.assert_allclose(found[:, 4:6].mean(-1), middle, rtol=1e-4, atol=1e-4)
    size = np.exp((weights * past).sum(0))
    np.testing.assert_allclose(found[:, 9] - middle, 1.644854 / 0.7978846 * size, rtol=1e-3)


def test_what_is_bounded_by_nothing_is_forecast_alike_upside_down() -> None:
    values = _series(9) + 90 - 6 * np.sin(np.arange(400) * np.pi / 12)
    network = build(16, 1, jax.random.key(3))
    cut = windows(context(values, -values), (24,))
    found = np.asarray(jax.jit(forward)(network, cut)[0])
    np.testing.assert_allclose(found[0], -found[1][:, ::-1], atol=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_quantiles_never_cross_whatever_the_weights(seed: int) -> None:
    key = jax.random.key(seed)
    network = jax.tree.map(lambda w: w + 3.0 * jax.random.normal(key, w.shape), build(16, 2, key))
    seen, _, _ = _viewed(_series(seed), _series(seed + 5, 40))
    found = _applied(network, seen)
    assert found.shape == (2, STEPS, QUANTILES)
    assert (jnp.diff(found, axis=-1) >= 0).all()
    assert jnp.isfinite(found).all()


def test_between_knots_values_are_interpolated() -> None:
    values = np.random.default_rng(0).normal(size=len(KNOTS))
    np.testing.assert_allclose(
        values @ interpolation_weights(KNOTS, STEPS), np.interp(np.arange(1, STEPS + 1), KNOTS, values), rtol=1e-5
    )


def test_F4_the_weights_in_the_package_are_small_and_listed() -> None:
    row = nbf.models().filter(name="pretrained")
    model = resolve("pretrained")
    assert WEIGHTS.stat().st_size <= 10_000_000
    assert row["parameters"].item() == model.parameters
    assert row["weights"].item() == "in the package"
    assert row["licence"].item() == "Apache-2.0"
    assert WEIGHTS.with_name("MODEL_CARD.md").exists()


def test_F4_weights_go_to_a_file_and_back(tmp_path: Path) -> None:
    network = build(24, 2, jax.random.key(0))
    file = tmp_path / "mine.safetensors"
    save_file({n: np.asarray(w) for n, w in weights_by_name(network).items()}, file)
    loaded = resolve(f"pretrained:{file}")
    assert isinstance(loaded, Pretrained)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, restore_network(loaded.weights), network))
    assert loaded.key != resolve("pretrained").key


def test_F4_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    weights = {n: np.asarray(w) for n, w in weights_by_name(build(24, 2, jax.random.key(0))).items()}
    file = tmp_path / "other.safetensors"
    save_file({n: w for n, w in weights.items() if n != "leave.bias"} | {"power": np.ones(3, np.float32)}, file)
    with pytest.raises(WeightsError, match=r"other.safetensors.*missing: leave.bias.*power has shape \(3,\)"):
        Pretrained.load(file)


def test_longer_horizons_go_on_from_the_first_pass_and_never_narrow() -> None:
    x = context(_series(7), _series(8, 120))
    short, long = forecast("pretrained", x, 12, (24,)), forecast("pretrained", x, 150, (24,))
    np.testing.assert_allclose(long[:, :12], short, atol=2e-3)
    away = long - long[..., 4:6].mean(-1, keepdims=True)
    assert (np.abs(away[:, STEPS:128]) >= np.abs(away[:, [STEPS - 1]]) - 1e-3).all()
    assert (np.abs(away[:, 128:]) >= np.abs(away[:, [127]]) - 1e-3).all()


def test_counts_and_what_grows_keep_above_zero() -> None:
    rng = np.random.default_rng(0)
    draws = forecast("pretrained", context(rng.poisson(0.4, 400), 100 * np.exp(0.01 * np.arange(300))), 150)
    assert (draws >= 0).all()


def test_F2_it_beats_the_seasonal_naive_and_its_bands_hold() -> None:
    """Official test windows of M3, seasons found from the data."""
    shared("m3_quarterly_shared.parquet")
    cases = list(SETS["m3_quarterly_shared"]())
    naive = accuracy.score(accuracy.ours("naive", cases, (32,))[0], cases, 0.0)
    ours = accuracy.score(accuracy.ours("pretrained", cases, (32,))[0], cases, 0.0)
    assert ours.mase < 0.98 * naive.mase
    assert ours.wql < 0.95 * naive.wql
    assert 0.7 < ours.coverage < 0.9
    assert resolve("pretrained").levels == DRAW_LEVELS
