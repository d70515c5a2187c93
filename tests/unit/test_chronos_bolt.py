"""F3, F4, E8: Chronos-Bolt equals the reference on its weights, and says what is wrong with other weights."""

from __future__ import annotations

import json
import re
import types
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import nbforecast as nbf
from nbforecast import device
from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters import network_forecaster
from nbforecast.forecasters.chronos_bolt.forecaster import ChronosBolt
from nbforecast.forecasters.chronos_bolt.network import encode, extend, relative_buckets
from nbforecast.forecasters.windows import cut_windows
from tests.support.networks import BOLT, bolt, bolt_config, golden, save_bolt
from tests.support.windows import windows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

GROUPS = ("full", "short", "one_point", "exact_patches", "long")
SIZES = ("chronos_bolt_tiny", "chronos_bolt_ctx2048")


def reference(size: str) -> tuple[ChronosBolt, Any]:
    model = ChronosBolt.load(golden(size))
    return model, np.load(golden(f"{size}.npz"))


@partial(jax.jit, static_argnums=(1, 3))
def compiled(weights: Any, sizes: Any, context: Any, horizon: int) -> Any:
    return extend(weights, sizes, context, horizon)


def tolerance(context: np.ndarray, model: ChronosBolt) -> np.ndarray:
    """1e-5 of a row's spread and 1e-6 of its largest value, as the reference itself keeps to."""
    seen = context[:, -model.context :]
    there = ~np.isnan(seen)
    most = np.where(there, np.abs(seen), 0).max(1)
    mean = np.where(there, seen, 0).sum(1) / np.maximum(there.sum(1), 1)
    spread = np.sqrt(np.where(there, (seen - mean[:, None]) ** 2, 0).sum(1) / np.maximum(there.sum(1), 1))
    return (1e-5 * np.maximum(spread, 1e-5 * there.any(1) + 1.0 * ~there.any(1)) + 1.2e-6 * most)[:, None, None]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("size", SIZES)
def test_F3_equals_the_reference(size: str, group: str) -> None:
    """NaN inside, to the left, everywhere; constants, counts, huge and tiny scales; contexts of any length."""
    model, numbers = reference(size)
    context = numbers[f"in/{group}"]
    limit = tolerance(context, model)
    horizons = numbers["horizons"].tolist()
    if group != "full" and min(horizons) <= model.sizes.steps:  # to go on from a first pass is the same for all
        horizons = [horizon for horizon in horizons if horizon <= model.sizes.steps]
    forecasts = np.asarray(compiled(model.weights, model.sizes, jnp.array(context), max(horizons)))
    for horizon in horizons:
        expected = numbers[f"out/{group}/predict_h{horizon}"]
        within = np.where(np.arange(horizon) < model.sizes.steps, limit, 4 * limit)
        assert (np.abs(forecasts[..., :horizon] - expected) <= within).all()


@pytest.mark.parametrize("size", SIZES)
def test_F3_the_encoder_and_its_buckets_are_the_references(size: str) -> None:
    model, numbers = reference(size)
    if "act/full/encoder.final_layer_norm" in numbers:
        context = numbers["in/full"]
        seen = ~np.isnan(context)
        scaled = np.where(seen, (context - numbers["act/full/loc"]) / numbers["act/full/scale"], 0).astype(np.float32)
        found, mask = jax.jit(encode, static_argnums=1)(model.weights, model.sizes, scaled, seen)
        np.testing.assert_array_equal(np.asarray(mask), numbers["act/full/token_mask"] > 0)
        expected = numbers["act/full/encoder.final_layer_norm"]
        attended = np.asarray(mask)
        np.testing.assert_allclose(np.asarray(found)[attended], expected[attended], atol=1e-4)
    place, bucket = numbers["aux/rel_pos"], numbers["aux/rel_bucket"]
    mine = relative_buckets(int(np.abs(place).max()) + 1, model.sizes)
    assert [mine[max(-p, 0), max(p, 0)] for p in place.ravel().tolist()] == bucket.ravel().tolist()


def test_F3_a_forecaster_gives_the_references_quantiles_sorted() -> None:
    model, numbers = reference("chronos_bolt_ctx2048")
    rows = [i for i, name in enumerate(numbers["row_names"]) if name not in ("all_nan", "trailing_nan")]
    context = numbers["in/full"][rows]
    batch = windows(context, max_gap=0)
    found = np.asarray(model.compiled(12, 0)(batch)) + np.asarray(batch.location)[:, None, None]
    expected = numbers["out/full/predict_h100"][rows, :, :12].transpose(0, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=5e-5 * np.nanstd(context))


def test_F3_E8_a_folder_is_loaded_run_and_reused(tmp_path: Path) -> None:
    folder = save_bolt(tmp_path / "mine", bolt())
    model = ChronosBolt.load(folder)
    assert (model.name, model.context, model.draws, model.levels) == ("mine", 64, 5, BOLT.levels)
    assert model.digest == bolt().digest
    assert model == bolt()
    assert model.parameters == sum(w.size for w in bolt().weights.values())
    taxi = nbf.sample("taxi").tail(150)
    run = nbf.forecast(taxi, model, 20, wait=True)
    assert run.progress == 1
    assert run.array.shape == (150, 20, 5)
    again = nbf.forecast(taxi, ChronosBolt.load(folder), 20, wait=True)
    assert again.inferred == 0
    other = ChronosBolt({n: 2 * w for n, w in model.weights.items()}, "mine", sizes=BOLT)
    assert nbf.forecast(taxi, other, 20).reused == 0


def test_F3_a_shorter_context_is_the_newest_part_of_a_longer_one(tmp_path: Path) -> None:
    folder = save_bolt(tmp_path / "mine", bolt())
    short = ChronosBolt.load(folder, context=24)
    assert short.context == 24
    assert short.key != bolt().key
    assert ChronosBolt.load(folder, context=5000).context == BOLT.context
    values = 10 + np.random.default_rng(1).standard_normal(60).cumsum()
    found = run_inference(short, prepare(values), np.array([59]), 6)
    np.testing.assert_allclose(found, run_inference(bolt(), prepare(values[-24:]), np.array([23]), 6), rtol=1e-4)
    with pytest.raises(nbf.NbForecastError, match="context= takes a positive number of points, not 0"):
        ChronosBolt.load(folder, context=0)


def test_F3_products_keep_single_precision_and_on_gpus_may_be_of_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    def precisions() -> set[str]:
        windows, _ = cut_windows(prepare(np.arange(80.0)), np.array([79]), 64, 0)
        lowered = network_forecaster._jitted.__wrapped__(bolt(), 6, effort=None).lower(bolt().placed, windows, ())
        dots = [line for line in lowered.as_text().splitlines() if "dot_general" in line]
        return {(re.findall("lhs_precision_type = bf16|HIGHEST", line) or [line])[0] for line in dots}

    exact = bolt().key
    assert precisions() == {"HIGHEST"}
    monkeypatch.setenv("NBFORECAST_PRECISION", "bfloat16")
    assert bolt().key == exact, "on a CPU it would be slower"
    assert precisions() == {"HIGHEST"}
    gpu = types.SimpleNamespace(platform="gpu")
    monkeypatch.setattr(device, "devices", lambda: (gpu,))
    assert bolt().key != exact
    monkeypatch.setattr(network_forecaster, "replicate", lambda tree: tree)
    assert precisions() == {"lhs_precision_type = bf16"}
    monkeypatch.setenv("NBFORECAST_PRECISION", "float16")
    with pytest.raises(nbf.NbForecastError, match="NBFORECAST_PRECISION must be 'float32' or 'bfloat16'"):
        bolt().key  # noqa: B018


def test_F3_short_histories_are_windows_padded_to_the_left() -> None:
    random = np.random.default_rng(0)
    values = (10 + random.standard_normal((3, 24)).cumsum(1)).astype(np.float32)
    padded = np.concatenate([np.full((3, 40), np.nan, np.float32), values], 1)
    short, long = (np.asarray(compiled(bolt().weights, BOLT, given, BOLT.steps)) for given in (values, padded))
    np.testing.assert_allclose(long, short, rtol=5e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("d_model", None, "'d_model' is None, not a positive int"),
        ("num_heads", -1, "'num_heads' is -1"),
        ("num_layers", True, "'num_layers' is True"),
        ("dense_act_fn", "swish", "'dense_act_fn' is 'swish', not one of 'relu', 'gelu'"),
        ("layer_norm_epsilon", "small", "'layer_norm_epsilon' is 'small', not a float"),
        ("chronos_config", None, "there is no 'chronos_config'; this is not a Chronos-Bolt model"),
        ("chronos_config.quantiles", [0.9, 0.1], "'quantiles' is"),
        ("chronos_config.input_patch_stride", 4, "'input_patch_stride' differs"),
        (
            "d_ff",
            64,
            r"model.safetensors: the weights do not fit the configuration: .*shape \(32, 16\), not \(64, 16\)",
        ),
        ("num_layers", 3, "missing: encoder.block.2.layer.0.SelfAttention.q.weight"),
        ("num_layers", 1, "not known: encoder.block.1"),
    ],
)
def test_F4_a_configuration_that_does_not_fit_is_told_by_field(
    tmp_path: Path, field: str, value: object, said: str
) -> None:
    folder = save_bolt(tmp_path, bolt())
    config = bolt_config()
    place: Any = config
    *above, last = field.split(".")
    for name in above:
        place = place[name]
    place[last] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(nbf.NbForecastError, match=said):
        ChronosBolt.load(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "lacks config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read as a configuration"),
        (lambda f: (f / "config.json").write_text("[]"), "it holds a list, not an object"),
        (
            lambda f: (f / "model.safetensors").write_bytes(b"\x08" + b"\0" * 7 + b"nonsense"),
            "cannot be read as weights",
        ),
        (lambda f: save_file({"x": np.zeros(2, np.float32)}, f / "model.safetensors"), "not known: x"),
    ],
)
def test_F4_files_that_are_missing_or_damaged_are_named(tmp_path: Path, spoil: Any, said: str) -> None:
    folder = save_bolt(tmp_path / "it", bolt())
    spoil(folder)
    with pytest.raises(nbf.NbForecastError, match=said):
        ChronosBolt.load(folder)


def test_F4_what_is_no_folder_and_no_hub_id_is_told_so() -> None:
    with pytest.raises(nbf.NbForecastError, match=r"no folder './nowhere/at/all', nor is it a Hub id"):
        ChronosBolt.load("./nowhere/at/all")


def test_F4_a_hub_that_cannot_be_reached_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(nbf.NbForecastError, match=r"ConnectionError: no route\). Without a network, download config"):
        ChronosBolt.load("amazon/chronos-bolt-tiny")
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(nbf.NbForecastError, match=r"pip install 'nbforecast\[hub\]'"):
        ChronosBolt.load("amazon/chronos-bolt-tiny")


def test_F3_a_hub_id_is_loaded_from_the_hubs_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real huggingface_hub, offline, with files where a download would have put them."""
    from huggingface_hub import constants

    commit = "0" * 40
    root = tmp_path / "models--someone--bolt"
    save_bolt(root / "snapshots" / commit, bolt())
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    import huggingface_hub

    real = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda name, **k: real(name, cache_dir=tmp_path, local_files_only=True, **k),
    )
    model = ChronosBolt.load("someone/bolt")
    assert (model.name, model.digest) == ("bolt", bolt().digest)
