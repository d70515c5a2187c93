"""F3, F4, E8, L1: Gluformer equals its specification's numbers; dropout, features, mixtures, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from scipy.stats import norm

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.config_file import Config
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.gluformer.dropout_masks import drop_by_shared_masks, drop_by_window_masks
from nbforecast.forecasters.gluformer.forecaster import Gluformer, _features, infer_sizes
from nbforecast.forecasters.gluformer.network import Sizes, forward, mixture_quantiles, shapes
from nbforecast.forecasters.unavailable import UnavailableReason
from tests.support.examples import examples
from tests.support.gluformer_weights import position_table, seeded_weights, small_weights
from tests.support.networks import GLUFORMER, gluformer, golden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

TINY = Sizes(16, 3, 32, 2, 2, 24, 8, 6, 6, 1, 0.2, "gelu")


def tiny() -> tuple[Any, dict[str, np.ndarray], list[Any]]:
    """Numbers, weights and inputs of the small reference."""
    numbers = np.load(golden("gluformer_tiny.npz"))
    weights = {n.removeprefix("w/"): numbers[n] for n in numbers if n.startswith("w/")}
    positions = position_table(5000, TINY.width)
    weights |= {f"{side}_embedding.positional_embedding.pos_emb": positions for side in ("enc", "dec")}
    return numbers, weights, inputs(numbers)


def inputs(numbers: Mapping[str, np.ndarray]) -> list[Any]:
    target = numbers["in/past_target"][..., 0]
    return [target, *(numbers[f"in/{n}"] for n in ("past_covariates", "future_covariates", "static"))]


@partial(jax.jit, static_argnames=("sizes", "drop", "batch_norm"))
def compiled(weights: Any, sizes: Sizes, target: Any, past: Any, future: Any, static: Any, **options: Any) -> Any:
    return forward(weights, sizes, target, past, future, static, **options)


@pytest.mark.parametrize("mode", ["eval", "trainbn"])
@pytest.mark.parametrize("scale", ["", "small_"])
def test_F3_equals_the_reference(mode: str, scale: str) -> None:
    """With stored and with batch statistics; with weights so small that the norms' epsilons decide."""
    numbers, weights, given = tiny()
    weights = small_weights(weights) if scale else weights
    mean, log_variance = compiled(weights, TINY, *given, batch_norm=mode == "trainbn")
    np.testing.assert_allclose(mean, numbers[f"out/{scale}{mode}_pred"][..., 0], atol=1e-5)
    np.testing.assert_allclose(log_variance, numbers[f"out/{scale}{mode}_logvar"][:, 0, 0], atol=1e-5)


def test_F3_dropout_sits_where_the_reference_has_it() -> None:
    numbers, weights, given = tiny()
    masks = {n.removeprefix("drop/"): numbers[n] for n in numbers if n.startswith("drop/")}
    assert {site: m.shape[1:] for site, m in masks.items()} == TINY.sites()

    def drop(site: str, x: Any) -> Any:
        return x * masks[site][..., -x.shape[-2] :, :] / 0.8

    mean, log_variance = compiled(weights, TINY, *given, drop=drop)
    np.testing.assert_allclose(mean, numbers["out/drop_pred"][..., 0], atol=1e-5)
    np.testing.assert_allclose(log_variance, numbers["out/drop_logvar"][:, 0, 0], atol=1e-5)


def test_F3_equals_the_reference_at_the_published_size() -> None:
    numbers = np.load(golden("gluformer_default.npz"))
    listed = json.loads(golden("gluformer_state_dict.json").read_text())["default"]["tensors"]
    weights = seeded_weights({n: shape for n, (_, shape) in listed.items()}, int(numbers["recipe_seed"]))
    assert {n: w.shape for n, w in weights.items()} == shapes(Sizes())
    sums = np.array([np.abs(weights[n].astype(np.float64)).sum() for n in sorted(weights)])
    np.testing.assert_allclose(sums, numbers["w_abs_sums"], rtol=1e-6)
    mean, log_variance = compiled(weights, Sizes(), *inputs(numbers))
    np.testing.assert_allclose(mean, numbers["out/eval_pred"][..., 0], atol=1e-5)
    np.testing.assert_allclose(log_variance, numbers["out/eval_logvar"][:, 0, 0], atol=1e-5)
    learned = sum(
        w.size for n, w in weights.items() if not n.endswith(("pos_emb", "running_mean", "running_var", "tracked"))
    )
    assert learned == 11_294_272


@pytest.mark.parametrize("masks", ["shared", "window"])
def test_F3_both_kinds_of_masks_give_the_references_distribution(masks: str) -> None:
    """Means and spreads of means and log-variances over many thinned networks, in standard errors."""
    numbers, weights, given = tiny()
    many, rows = 600, 2
    given = [array[:rows] for array in given]
    model = Gluformer(weights, sizes=TINY, samples=many, masks=masks)
    target, past, future, static = (jnp.tile(a, (many, *(1,) * (a.ndim - 1))) for a in given)
    keys = jnp.array(np.random.default_rng(1).integers(0, 2**32, (len(given[0]), 2), np.uint32))

    @jax.jit
    def thinned(weights: Any, numbers: Any, *given: Any) -> Any:
        drop = (
            drop_by_shared_masks(model.sizes, numbers)
            if masks == "shared"
            else drop_by_window_masks(model.sizes, numbers, jnp.arange(many))
        )
        return forward(weights, TINY, *given, drop=drop)

    # masks that are constants of the function are computed while it compiles, a hundred times as slowly
    masks_or_keys = model.shared(1) if masks == "shared" else keys
    mean, log_variance = thinned(weights, masks_or_keys, target, past, future, static)
    mean = np.asarray(mean).reshape(many, rows, -1)
    log_variance = np.asarray(log_variance).reshape(many, rows)
    for found, name in ((mean, "pred"), (log_variance, "logvar")):
        center, spread = (
            numbers[f"mc/{name}_mean"][:rows].reshape(found.shape[1:]),
            numbers[f"mc/{name}_std"][:rows].reshape(found.shape[1:]),
        )
        away = (found.mean(0) - center) / (spread / np.sqrt(many))
        assert np.abs(away).max() < 4.5
        np.testing.assert_allclose(found.std(0), spread, rtol=0.08)


@examples(15)
@given(seed=st.integers(0, 2**16), count=st.sampled_from([1, 2, 10]), wide=st.floats(0.01, 30))
def test_F3_mixture_quantiles_are_those_of_the_mixture(seed: int, count: int, wide: float) -> None:
    random = np.random.default_rng(seed)
    mean = random.normal(0, wide, (3, count)).astype(np.float32)
    spread = random.uniform(0.05, 3, (3, count)).astype(np.float32)
    found = np.asarray(jax.jit(mixture_quantiles, static_argnums=2)(mean, spread, DRAW_LEVELS))
    for row in range(3):
        for at, level in enumerate(DRAW_LEVELS):
            assert norm.cdf(found[row, at], mean[row], spread[row]).mean() == pytest.approx(level, abs=1e-3)


def glucose(steps: int = 200) -> pl.DataFrame:
    times = np.datetime64("2023-12-31T20:00", "us") + np.arange(steps) * np.timedelta64(300, "s")
    values = 140 + 40 * np.sin(np.arange(steps) / 12) + np.random.default_rng(3).normal(0, 4, steps)
    return pl.DataFrame({"ds": times, "y": values})


def test_F3_features_are_those_of_the_calendar() -> None:
    times = np.array(["2023-12-31T23:55:00", "2024-01-01T00:00:07"], "M8[us]").astype(np.int64)
    assert _features(times[None]).tolist() == [[[31, 12, 2023, 23, 55, 0], [1, 1, 2024, 0, 0, 7]]]
    data = prepare(glucose())
    model = gluformer()
    rows = np.array([GLUFORMER.input - 1, 100])
    scaled = model.covariates(data, rows, 4)
    assert scaled.shape == (2, GLUFORMER.input + GLUFORMER.horizon, 6)
    hours = (np.arange(100 - GLUFORMER.input + 1, 101 + GLUFORMER.horizon) * 5 + 20 * 60) // 60 % 24
    np.testing.assert_allclose(scaled[1, :, 3], hours / 23, rtol=1e-6)
    assert (scaled[..., [2, 5]] == 0).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1


@pytest.mark.parametrize(("masks", "output", "draws"), [("shared", "mixture", 10), ("window", "samples", 3)])
def test_E8_forecasts_depend_on_the_seed(masks: str, output: str, draws: int) -> None:
    model = replace(gluformer(), samples=3, masks=masks, output=output)
    data = prepare(glucose())
    rows = np.arange(60, 75)
    found = run_inference(model, data, rows, 6)
    assert found.shape == (15, 6, draws)
    assert (np.diff(found, axis=-1) >= 0).all()
    shorter = prepare(glucose().tail(170))
    np.testing.assert_allclose(run_inference(model, shorter, rows - 30, 6), found, rtol=1e-4, atol=1e-2)
    other = run_inference(model, data, rows, 6, seed=1)
    assert np.abs(other - found).mean() > 1e-3 * np.abs(found).mean()


def test_S3_a_context_is_complete_or_says_why_not() -> None:
    model, frame = gluformer(), glucose()
    length = GLUFORMER.input
    gappy = frame.filter(~pl.int_range(pl.len()).is_in([*range(100, 103), *range(150, 175)]))
    data = prepare(gappy, freq="5min")
    codes = model.availability(data)
    assert (codes[: length - 1] == UnavailableReason.TOO_SHORT).all()
    assert (codes[length - 1 : 100] == UnavailableReason.AVAILABLE).all()
    assert (codes[100:103] != UnavailableReason.AVAILABLE).all(), "the gap is open"
    assert (codes[103 : 103 + length - 4] == UnavailableReason.AVAILABLE).all(), "both ends of the gap are inside"
    assert (codes[150:175] != UnavailableReason.AVAILABLE).all()
    assert (codes[176 : 175 + length - 2] == UnavailableReason.INCOMPLETE).all()
    ok = np.flatnonzero(codes == 0)
    assert np.isfinite(run_inference(model, data, ok, 6)).all()


def test_F4_what_gluformer_cannot_do_is_said() -> None:
    model = gluformer()
    with pytest.raises(nbf.NbForecastError, match="made for steps of 5 min; the data have steps of 1 hour"):
        nbf.forecast(nbf.sample("taxi").tail(100), model)
    with pytest.raises(nbf.NbForecastError, match="forecasts up to 6 steps, not 7"):
        nbf.forecast(glucose(), model, 7, wait=True)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_F3_a_users_checkpoint_is_loaded_by_name(tmp_path: Path, kind: str) -> None:
    model = gluformer()
    save_file(dict(model.weights), tmp_path / "mine.safetensors")
    config = {"n_heads": 2, "label_len": 8, "len_pred": 6, "scaler": {"target": [50, 350]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    place = tmp_path if kind == "folder" else tmp_path / "mine.safetensors"
    run = nbf.forecast(glucose(120), f"gluformer:{place}", 6, wait=True)
    assert run.progress == 1
    assert run.array.shape == (120, 6, 10)
    loaded = Gluformer.load(place)
    assert loaded.digest == model.digest
    assert loaded.sizes == model.sizes
    assert loaded.scaler.target == (50, 350)
    assert loaded.key != model.key, "another scaler gives other forecasts"


def test_F3_the_reference_checkpoint_is_loaded_from_pytorchs_file() -> None:
    _, weights, _ = tiny()
    with pytest.raises(
        nbf.NbForecastError, match="'n_heads' is 10, which does not give the inner width 15 at width 16"
    ):
        Gluformer.load(golden("gluformer_tiny.pth"))
    assert infer_sizes(weights, Config({"n_heads": 3, "label_len": 8, "len_pred": 6}, "config.json")) == TINY


def test_F4_a_folder_holds_one_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(nbf.NbForecastError, match="must hold one file of weights"):
        Gluformer.load(tmp_path)
    save_file({"x": np.zeros(1, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(nbf.NbForecastError, match="these are not Gluformer's weights"):
        Gluformer.load(tmp_path)
