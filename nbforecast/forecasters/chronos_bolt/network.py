"""The network of Chronos-Bolt: patches of a scaled context, a T5 encoder, one decoder token, all quantiles at once.

After Ansari et al. (2024), "Chronos: Learning the Language of Time Series", and chronos-forecasting (Apache-2.0). The
transformer is that of T5 (Raffel et al. 2020): no biases, root-mean-square norms, relative positions in the first
block. The network is functions over the checkpoint's own tensor names, because the published names are the interface,
and checks against files then need no translation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int64

from nbforecast.forecasters.layers import join_heads, product, split_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    Weights = Mapping[str, Array]

SCALE_FLOOR = 1e-5


@dataclass(frozen=True)
class Sizes:
    """The sizes of a Chronos-Bolt network.

    Attributes:
        width: D, the width of a token.
        head: k, the width of an attention head.
        heads: h, the number of heads.
        feed_forward: F, the width of hidden layers.
        layers: The encoder's layers.
        decoder_layers: The decoder's layers.
        context: The most time steps it can take.
        patch: The time steps of a patch.
        steps: The time steps forecast in one pass.
        levels: The probability levels of its quantiles.
        register: Whether a register token follows the patches.
        buckets: The number of buckets of relative positions.
        distance: The distance from which all positions share a bucket.
        epsilon: The epsilon of the norms.
        activation: "relu" or "gelu".
    """

    width: int
    head: int
    heads: int
    feed_forward: int
    layers: int
    decoder_layers: int
    context: int
    patch: int
    steps: int
    levels: tuple[float, ...]
    register: bool
    buckets: int = 32
    distance: int = 128
    epsilon: float = 1e-6
    activation: str = "relu"

    @property
    def settings(self) -> dict[str, Any]:
        """The sizes as part of a forecaster's key: their names there stay when fields are renamed."""
        return {
            "width": self.width,
            "head": self.head,
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "layers": self.layers,
            "decoder_layers": self.decoder_layers,
            "context": self.context,
            "patch": self.patch,
            "steps": self.steps,
            "levels": self.levels,
            "register": self.register,
            "buckets": self.buckets,
            "distance": self.distance,
            "epsilon": self.epsilon,
            "activation": self.activation,
        }


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Returns the names and shapes of the tensors of a published file."""
    d, f, inner = sizes.width, sizes.feed_forward, sizes.heads * sizes.head
    tensors: dict[str, tuple[int, ...]] = {}

    def attention(name: str) -> None:
        tensors.update({f"{name}.{p}.weight": (inner, d) for p in "qkv"} | {f"{name}.o.weight": (d, inner)})

    def residual(name: str, into: int, out: int) -> None:
        for part, shape in (("hidden", (f, into)), ("output", (out, f)), ("residual", (out, into))):
            tensors.update({f"{name}.{part}_layer.weight": shape, f"{name}.{part}_layer.bias": shape[:1]})

    for side, count, parts in (
        ("encoder", sizes.layers, ("SelfAttention",)),
        ("decoder", sizes.decoder_layers, ("SelfAttention", "EncDecAttention")),
    ):
        for i in range(count):
            block = f"{side}.block.{i}"
            for index, part in enumerate(parts):
                attention(f"{block}.layer.{index}.{part}")
                tensors[f"{block}.layer.{index}.layer_norm.weight"] = (d,)
            last = f"{block}.layer.{len(parts)}"
            tensors[f"{last}.DenseReluDense.wi.weight"] = (f, d)
            tensors[f"{last}.DenseReluDense.wo.weight"] = (d, f)
            tensors[f"{last}.layer_norm.weight"] = (d,)
        tensors[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = (sizes.buckets, sizes.heads)
        tensors[f"{side}.final_layer_norm.weight"] = (d,)
    residual("input_patch_embedding", 2 * sizes.patch, d)
    residual("output_patch_embedding", d, len(sizes.levels) * sizes.steps)
    tensors["shared.weight"] = (2, d)
    return tensors


def relative_buckets(tokens: int, sizes: Sizes) -> Int64[np.ndarray, "m m"]:
    """Returns the bucket of the distance between each query and key, both ways: exact if near, logarithmic if far.

    Args:
        tokens: m, the number of tokens.
        sizes: The network's sizes.
    """
    distance = np.arange(tokens)[None, :] - np.arange(tokens)[:, None]
    half = sizes.buckets // 2
    exact = half // 2
    positive_distance = np.maximum(np.abs(distance), 1)
    scale = np.float32(math.log(sizes.distance / exact))
    steps = np.log(positive_distance.astype(np.float32) / exact) / scale * np.float32(half - exact)
    bucket = np.where(np.abs(distance) < exact, np.abs(distance), np.minimum(exact + steps.astype(np.int64), half - 1))
    return bucket + half * (distance > 0)


def forward(weights: Weights, sizes: Sizes, context: Float32[Array, "N L"]) -> Float32[Array, "N Q H"]:
    """Returns the quantiles of one pass; they may cross.

    Args:
        weights: The weights.
        sizes: The network's sizes.
        context: Values, NaN where nothing was observed.
    """
    context = context[:, -sizes.context :]
    is_observed = ~jnp.isnan(context)
    count = jnp.maximum(is_observed.sum(-1, keepdims=True), 1)
    mean = jnp.where(is_observed, context, 0.0).sum(-1, keepdims=True) / count
    deviation = jnp.sqrt(jnp.where(is_observed, (context - mean) ** 2, 0.0).sum(-1, keepdims=True) / count)
    deviation = jnp.where(is_observed.any(-1, keepdims=True), jnp.where(deviation == 0, SCALE_FLOOR, deviation), 1.0)
    memory, has_observation = encode(
        weights, sizes, jnp.where(is_observed, (context - mean) / deviation, 0.0), is_observed
    )
    state = _decode(weights, sizes, memory, has_observation)
    outputs = _residual(weights, sizes, "output_patch_embedding", state)
    return outputs.reshape(len(outputs), len(sizes.levels), sizes.steps) * deviation[..., None] + mean[..., None]


def encode(
    weights: Weights, sizes: Sizes, values: Float32[Array, "N L"], is_observed: Bool[Array, "N L"]
) -> tuple[Float32[Array, "N m D"], Bool[Array, "N m"]]:
    """Returns the encoder's output for each patch (and the register), and which of them hold an observation.

    Args:
        weights: The weights.
        sizes: The network's sizes.
        values: Scaled values, 0 where nothing was observed.
        is_observed: Which values were observed.
    """
    padding = -values.shape[1] % sizes.patch
    parts = [jnp.pad(a.astype(values.dtype), ((0, 0), (padding, 0))) for a in (values, is_observed)]
    patches, masks = (a.reshape(len(a), -1, sizes.patch) for a in parts)
    x = _residual(weights, sizes, "input_patch_embedding", jnp.concatenate([patches, masks], -1))
    has_observation = masks.sum(-1) > 0
    if sizes.register:
        x = jnp.concatenate([x, jnp.broadcast_to(weights["shared.weight"][1], (len(x), 1, sizes.width))], 1)
        has_observation = jnp.concatenate([has_observation, jnp.ones((len(x), 1), bool)], 1)
    bias = weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bias = bias[relative_buckets(x.shape[1], sizes)].transpose(2, 0, 1)[None]
    bias = jnp.where(has_observation[:, None, None, :], bias, jnp.finfo(x.dtype).min)
    for i in range(sizes.layers):
        block = f"encoder.block.{i}.layer"
        inputs = _normalize(weights, sizes, f"{block}.0.layer_norm", x)
        x = x + _attend(weights, sizes, f"{block}.0.SelfAttention", inputs, inputs, bias)
        x = x + _feed_forward(weights, sizes, f"{block}.1", x)
    return _normalize(weights, sizes, "encoder.final_layer_norm", x), has_observation


def _decode(weights: Weights, sizes: Sizes, memory: Array, has_observation: Array) -> Float32[Array, "N D"]:
    """The state of the one decoder token, which attends to itself alone: its own value."""
    x = jnp.broadcast_to(weights["shared.weight"][0], (len(memory), 1, sizes.width))
    bias = jnp.where(has_observation[:, None, None, :], 0.0, jnp.finfo(memory.dtype).min)
    for i in range(sizes.decoder_layers):
        block = f"decoder.block.{i}.layer"
        inputs = _normalize(weights, sizes, f"{block}.0.layer_norm", x)
        attention = f"{block}.0.SelfAttention"
        x = x + product(product(inputs, weights[f"{attention}.v.weight"]), weights[f"{attention}.o.weight"])
        inputs = _normalize(weights, sizes, f"{block}.1.layer_norm", x)
        x = x + _attend(weights, sizes, f"{block}.1.EncDecAttention", inputs, memory, bias)
        x = x + _feed_forward(weights, sizes, f"{block}.2", x)
    return _normalize(weights, sizes, "decoder.final_layer_norm", x)[:, 0]


def _normalize(weights: Weights, sizes: Sizes, name: str, x: Array) -> Array:
    return x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + sizes.epsilon) * weights[f"{name}.weight"]


def _attend(weights: Weights, sizes: Sizes, name: str, x: Array, memory: Array, bias: Array) -> Array:
    q, k, v = (
        split_heads(product(source, weights[f"{name}.{part}.weight"]), sizes.heads)
        for part, source in zip("qkv", (x, memory, memory), strict=True)
    )
    attention = jax.nn.softmax(jnp.einsum("nhqk,nhmk->nhqm", q, k) + bias, -1)
    return product(join_heads(jnp.einsum("nhqm,nhmk->nhqk", attention, v)), weights[f"{name}.o.weight"])


def _feed_forward(weights: Weights, sizes: Sizes, name: str, x: Array) -> Array:
    inputs = _normalize(weights, sizes, f"{name}.layer_norm", x)
    hidden = _activate(sizes, product(inputs, weights[f"{name}.DenseReluDense.wi.weight"]))
    return product(hidden, weights[f"{name}.DenseReluDense.wo.weight"])


def _residual(weights: Weights, sizes: Sizes, name: str, x: Array) -> Array:
    def linear(part: str, value: Array) -> Array:
        return product(value, weights[f"{name}.{part}_layer.weight"]) + weights[f"{name}.{part}_layer.bias"]

    return linear("output", _activate(sizes, linear("hidden", x))) + linear("residual", x)


def _activate(sizes: Sizes, x: Array) -> Array:
    return jax.nn.relu(x) if sizes.activation == "relu" else jax.nn.gelu(x, approximate=False)


def extend(weights: Weights, sizes: Sizes, context: Float32[Array, "N L"], horizon: int) -> Float32[Array, "N Q H"]:
    """Returns quantiles for any horizon.

    Beyond one pass each quantile path is appended to the context and forecast again. The Q x Q paths of each further
    pass are reduced to Q by linear quantiles, as the reference does.

    Args:
        weights: The weights.
        sizes: The network's sizes.
        context: Values, NaN where nothing was observed.
        horizon: H.
    """
    quantiles = forward(weights, sizes, context)
    levels = jnp.array(sizes.levels, jnp.float32)
    count = len(sizes.levels)
    contexts = jnp.repeat(context[:, None], count, 1)
    parts = [quantiles]
    for _ in range(1, -(-horizon // sizes.steps)):
        contexts = jnp.concatenate([contexts, quantiles], -1)[..., -sizes.context :]
        paths = forward(weights, sizes, contexts.reshape(-1, contexts.shape[-1]))
        paths = paths.reshape(len(context), count * count, sizes.steps)
        quantiles = jnp.quantile(paths, levels, axis=1).transpose(1, 0, 2)
        parts.append(quantiles)
    return jnp.concatenate(parts, -1)[..., :horizon]
