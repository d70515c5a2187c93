"""Small networks with random weights, and the reference numbers of larger ones where they are here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

from nbforecast.forecasters.chronos2 import network as chronos2_network
from nbforecast.forecasters.chronos2.forecaster import Chronos2
from nbforecast.forecasters.chronos_bolt import network as bolt_network
from nbforecast.forecasters.chronos_bolt.forecaster import ChronosBolt
from nbforecast.forecasters.gluformer import network as gluformer_network
from nbforecast.forecasters.gluformer.forecaster import Gluformer
from tests.support.requirements import shared_model

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMITTED = Path(__file__).parents[1] / "golden" / "models"
BOLT = bolt_network.Sizes(
    width=16, head=4, heads=4, feed_forward=32, layers=2, decoder_layers=1, context=64, patch=8, steps=16,
    levels=(0.1, 0.25, 0.5, 0.75, 0.9), register=True,
)  # fmt: skip

CHRONOS2_LEVELS = (0.01, *(i / 20 for i in range(1, 20)), 0.99)
CHRONOS2 = chronos2_network.Sizes(
    width=32, head=8, heads=4, feed_forward=48, layers=2, context=128, patch=16, patches=4, levels=CHRONOS2_LEVELS,
    time_scale=96, rope_base=500.0, epsilon=1e-5,
)  # fmt: skip

GLUFORMER = gluformer_network.Sizes(
    width=16, heads=2, feed_forward=24, encoder_layers=2, decoder_layers=1, input=24, label=8, horizon=6,
)  # fmt: skip


def golden(name: str) -> Path:
    """The path of a file of reference numbers: a committed one, or one of ../shared, without which the test skips."""
    path = COMMITTED / name
    return path if path.exists() else shared_model(name)


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Of the size that keeps activations of the order of one."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes.items():
        noise = random.standard_normal(shape)
        if "norm" in name and name.endswith("weight"):
            found[name] = 1 + 0.1 * noise
        else:
            found[name] = noise / np.sqrt(max(float(np.prod(shape[1:])), 1.0)) * (0.3 if name.endswith("bias") else 1)
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


@cache
def bolt() -> ChronosBolt:
    """A Chronos-Bolt of a few thousand parameters."""
    return ChronosBolt(random_weights(bolt_network.shapes(BOLT)), "bolt", sizes=BOLT)


@cache
def chronos2() -> Chronos2:
    """A Chronos-2 of some ten thousand parameters."""
    return Chronos2(chronos2_weights(CHRONOS2), "chronos-2", sizes=CHRONOS2)


def chronos2_weights(sizes: chronos2_network.Sizes) -> dict[str, np.ndarray]:
    """Random weights whose attention is not all on one token and whose quantiles stay within some deviations."""
    weights = random_weights(chronos2_network.shapes(sizes))
    smaller = {"q.weight": sizes.head**-0.5, "output_layer.weight": 0.5, "residual_layer.weight": 0.5}
    for name, value in weights.items():
        factor = next((f for ending, f in smaller.items() if name.endswith(ending)), 1.0)
        weights[name] = value * np.float32(factor)
    return weights


@cache
def gluformer() -> Gluformer:
    """A Gluformer of a few thousand parameters, which looks back two hours."""
    weights = random_weights(gluformer_network.shapes(GLUFORMER, 32), 1)
    for name, value in weights.items():
        if name.endswith("running_var"):
            weights[name] = np.abs(value) + np.float32(0.5)
    return Gluformer(weights, sizes=GLUFORMER)


def bolt_config(sizes: bolt_network.Sizes = BOLT) -> dict[str, object]:
    """As the published `config.json` has it."""
    return {
        "d_model": sizes.width, "d_kv": sizes.head, "num_heads": sizes.heads, "d_ff": sizes.feed_forward,
        "num_layers": sizes.layers, "num_decoder_layers": sizes.decoder_layers, "dense_act_fn": sizes.activation,
        "architectures": ["ChronosBoltModelForForecasting"], "chronos_pipeline_class": "ChronosBoltPipeline",
        "model_type": "t5", "is_encoder_decoder": True, "feed_forward_proj": sizes.activation, "vocab_size": 2,
        "pad_token_id": 0, "decoder_start_token_id": 0, "reg_token_id": 1, "eos_token_id": 1,
        "layer_norm_epsilon": sizes.epsilon, "relative_attention_num_buckets": sizes.buckets,
        "relative_attention_max_distance": sizes.distance,
        "chronos_config": {
            "context_length": sizes.context, "input_patch_size": sizes.patch, "input_patch_stride": sizes.patch,
            "prediction_length": sizes.steps, "quantiles": list(sizes.levels), "use_reg_token": sizes.register,
        },
    }  # fmt: skip


def chronos2_config(sizes: chronos2_network.Sizes = CHRONOS2) -> dict[str, object]:
    """As the published `config.json` has it."""
    return {
        "d_model": sizes.width, "d_kv": sizes.head, "num_heads": sizes.heads, "d_ff": sizes.feed_forward,
        "num_layers": sizes.layers, "dense_act_fn": sizes.activation, "feed_forward_proj": sizes.activation,
        "architectures": ["Chronos2Model"], "chronos_pipeline_class": "Chronos2Pipeline", "model_type": "t5",
        "vocab_size": 2, "pad_token_id": 0, "reg_token_id": 1, "layer_norm_epsilon": sizes.epsilon,
        "rope_theta": sizes.rope_base,
        "chronos_config": {
            "context_length": sizes.context, "input_patch_size": sizes.patch, "input_patch_stride": sizes.patch,
            "output_patch_size": sizes.patch, "max_output_patches": sizes.patches, "quantiles": list(sizes.levels),
            "use_reg_token": True, "use_arcsinh": sizes.arcsinh, "time_encoding_scale": sizes.time_scale,
        },
    }  # fmt: skip


def save_chronos2(folder: Path, model: Chronos2) -> Path:
    """A folder as the Hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(chronos2_config(model.sizes)))
    save_file(dict(model.weights), folder / "model.safetensors")
    return folder


def save_bolt(folder: Path, model: ChronosBolt) -> Path:
    """A folder as the Hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(bolt_config(model.sizes)))
    save_file(dict(model.weights), folder / "model.safetensors")
    return folder
