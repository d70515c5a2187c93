"""The network of Chronos-2: patches of scaled variates, attention over time and within groups, all quantiles at once.

After Ansari et al. (2025), "Chronos-2: From Univariate to Universal Forecasting", and chronos-forecasting (Apache-2.0).
A group is a target and what is known beside it: its covariates, other targets or other series. Its variates are rows of
their own: they exchange information at equal times only. Rotary positions are those of Su et al. (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from nbforecast.forecasters.layers import join_heads, product, split_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    Weights = Mapping[str, Array]

SCALE_FLOOR = 1e-5


@dataclass(frozen=True)
class Sizes:
    """The sizes of a Chronos-2 network.

    Attributes:
        width: D, the width of a token.
        head: k, the width of an attention head.
        heads: h, the number of heads.
        feed_forward: F, the width of hidden layers.
        layers: The number of layers.
        context: The most time steps that it can take.
        patch: The time steps of a patch.
        patches: The most patches that are forecast in one pass.
        levels: The probability levels of its quantiles.
        time_scale: The steps that a time index of one stands for.
        arcsinh: Whether scaled values go through the inverse hyperbolic sine.
        rope_base: The base of the rotary positions' wavelengths.
        epsilon: The epsilon of the norms.
        activation: "relu" or "gelu".
    """

    width: int
    head: int
    heads: int
    feed_forward: int
    layers: int
    context: int
    patch: int
    patches: int
    levels: tuple[float, ...]
    time_scale: int
    arcsinh: bool = True
    rope_base: float = 10_000.0
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
            "context": self.context,
            "patch": self.patch,
            "patches": self.patches,
            "levels": self.levels,
            "time_scale": self.time_scale,
            "arcsinh": self.arcsinh,
            "rope_base": self.rope_base,
            "epsilon": self.epsilon,
            "activation": self.activation,
        }


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Returns the names and shapes of the tensors of a published file."""
    d, f, inner = sizes.width, sizes.feed_forward, sizes.heads * sizes.head
    tensors: dict[str, tuple[int, ...]] = {"shared.weight": (2, d), "encoder.final_layer_norm.weight": (d,)}
    for i in range(sizes.layers):
        block = f"encoder.block.{i}.layer"
        for part in (0, 1):
            attention = f"{block}.{part}.self_attention"
            tensors.update(
                {f"{attention}.{p}.weight": (inner, d) for p in "qkv"} | {f"{attention}.o.weight": (d, inner)}
            )
        tensors.update({f"{block}.2.mlp.wi.weight": (f, d), f"{block}.2.mlp.wo.weight": (d, f)})
        tensors.update({f"{block}.{part}.layer_norm.weight": (d,) for part in range(3)})
    for name, into, out in (
        ("input_patch_embedding", 3 * sizes.patch, d),
        ("output_patch_embedding", d, len(sizes.levels) * sizes.patch),
    ):
        for layer, shape in (("hidden", (f, into)), ("output", (out, f)), ("residual", (out, into))):
            tensors.update({f"{name}.{layer}_layer.weight": shape, f"{name}.{layer}_layer.bias": shape[:1]})
    return tensors


def fuse(weights: Mapping[str, np.ndarray], sizes: Sizes) -> dict[str, np.ndarray]:
    """Returns the weights as `forward` multiplies by them: fewer and larger matrices.

    Norms' weights are columns of the matrix that follows; queries, keys and values are one product, but for the last
    layer, which needs few queries over time. The attention of a lone series to itself is a product with one matrix: its
    weight is one, whatever query and key are.

    Args:
        weights: The tensors of a published file.
        sizes: The network's sizes.
    """
    fused = {name: weights[name] for name in weights if not name.startswith("encoder.")}
    fused["norm"] = weights["encoder.final_layer_norm.weight"]
    for i in range(sizes.layers):
        block = f"encoder.block.{i}.layer"
        norms = [weights[f"{block}.{part}.layer_norm.weight"] for part in range(3)]
        for part, name in enumerate(("time", "group")):
            attention = f"{block}.{part}.self_attention"
            inputs = [weights[f"{attention}.{p}.weight"] * norms[part] for p in "qkv"]
            fused[f"{i}.{name}.in"] = np.concatenate(inputs)
            fused[f"{i}.{name}.out"] = weights[f"{attention}.o.weight"]
        if i == sizes.layers - 1:
            inner = sizes.heads * sizes.head
            fused[f"{i}.time.query"], fused[f"{i}.time.key_value"] = np.split(fused.pop(f"{i}.time.in"), [inner])
        fused[f"{i}.alone"] = (weights[f"{attention}.o.weight"].astype(np.float64) @ inputs[2]).astype(np.float32)
        fused[f"{i}.wide"] = weights[f"{block}.2.mlp.wi.weight"] * norms[2]
        fused[f"{i}.narrow"] = weights[f"{block}.2.mlp.wo.weight"]
    return fused


def forward(
    weights: Weights,
    sizes: Sizes,
    context: Float32[Array, "B V L"],
    future: Float32[Array, "B V S"] | None,
    patches: int,
    targets: int,
    is_member: Bool[Array, "B V"] | None = None,
) -> Float32[Array, "B R Q H"]:
    """Returns the quantiles of one pass; they may cross.

    Args:
        weights: What `fuse` returned.
        sizes: The network's sizes.
        context: The V variates of B groups, targets first, NaN where nothing was observed.
        future: What is known of the steps ahead, NaN elsewhere; None if nothing.
        patches: The number of patches that are forecast.
        targets: R, the number of variates that are forecast.
        is_member: Which variates the others attend to; None for all.
    """
    batch, variates = context.shape[:2]
    rows = context[..., -sizes.context :].reshape(batch * variates, -1)
    mean, deviation = _moments(rows)
    rows = _scale(sizes, rows, mean, deviation)
    steps = patches * sizes.patch
    known = jnp.full((len(rows), steps), jnp.nan) if future is None else fit_steps(future, steps).reshape(-1, steps)
    padding = jnp.full((len(rows), -rows.shape[1] % sizes.patch), jnp.nan)  # the newest patch is complete
    series = jnp.concatenate([padding, rows, _scale(sizes, known, mean, deviation)], 1)
    x, is_observed = _embed(weights, sizes, series, steps)
    register = jnp.broadcast_to(weights["shared.weight"][1], (len(rows), 1, sizes.width))
    x = jnp.concatenate([x[:, :-patches], register, x[:, -patches:]], 1)
    is_observed = jnp.pad(is_observed[:, :-patches], ((0, 0), (0, 1 + patches)), constant_values=True)
    is_key = is_observed if is_member is None else is_observed & is_member.reshape(-1, 1)
    turn = _rotations(sizes, x.shape[1])
    for i in range(sizes.layers):
        is_last = i == sizes.layers - 1
        x = _attend_over_time(weights, sizes, i, x, is_observed, turn, patches if is_last else x.shape[1])
        x = _attend_within_group(weights, sizes, i, x, is_key[:, -x.shape[1] :], variates)
        if is_last:  # nothing else is read
            x = x.reshape(batch, variates, patches, -1)[:, :targets].reshape(batch * targets, patches, -1)
        hidden = _activate(sizes, product(_normalize(sizes, x), weights[f"{i}.wide"]))
        x = x + product(hidden, weights[f"{i}.narrow"])
    outputs = _residual(weights, sizes, "output_patch_embedding", _normalize(sizes, x) * weights["norm"])
    outputs = outputs.reshape(batch, targets, patches, len(sizes.levels), sizes.patch)
    outputs = outputs.transpose(0, 1, 3, 2, 4).reshape(batch, targets, len(sizes.levels), -1)
    outputs = jnp.sinh(outputs) if sizes.arcsinh else outputs
    mean, deviation = (m.reshape(batch, variates, 1, 1)[:, :targets] for m in (mean, deviation))
    return outputs * deviation + mean


def fit_steps(future: Float32[Array, "B V S"], steps: int) -> Float32[Array, "B V H"]:
    """Returns what is known of so many steps ahead, NaN beyond what is given.

    Args:
        future: What is known of S steps ahead.
        steps: H.
    """
    beyond = ((0, 0), (0, 0), (0, max(steps - future.shape[-1], 0)))
    return jnp.pad(future[..., :steps], beyond, constant_values=jnp.nan)


def _moments(rows: Float32[Array, "N L"]) -> tuple[Float32[Array, "N 1"], Float32[Array, "N 1"]]:
    """The mean and standard deviation of what was observed; 0 and 1 where nothing was."""
    is_observed = ~jnp.isnan(rows)
    count = jnp.maximum(is_observed.sum(-1, keepdims=True), 1)
    mean = jnp.where(is_observed, rows, 0.0).sum(-1, keepdims=True) / count
    deviation = jnp.sqrt(jnp.where(is_observed, (rows - mean) ** 2, 0.0).sum(-1, keepdims=True) / count)
    deviation = jnp.where(deviation == 0, SCALE_FLOOR, deviation)
    return mean, jnp.where(is_observed.any(-1, keepdims=True), deviation, 1.0)


def _scale(sizes: Sizes, rows: Array, mean: Array, deviation: Array) -> Array:
    scaled = (rows - mean) / deviation
    return jnp.arcsinh(scaled) if sizes.arcsinh else scaled


def _embed(
    weights: Weights, sizes: Sizes, rows: Float32[Array, "N T"], ahead: int
) -> tuple[Float32[Array, "N m D"], Bool[Array, "N m"]]:
    """A token for each patch, and whether any of its values is known.

    Args:
        weights: The weights.
        sizes: The network's sizes.
        rows: Scaled values of whole patches, NaN where they are not known.
        ahead: How many of the steps are ahead.
    """
    is_known = ~jnp.isnan(rows)
    index = (np.arange(rows.shape[1], dtype=np.float32) - (rows.shape[1] - ahead)) / np.float32(sizes.time_scale)
    parts = jnp.broadcast_to(index, rows.shape), jnp.where(is_known, rows, 0.0), is_known.astype(rows.dtype)
    patches = jnp.concatenate([part.reshape(len(rows), -1, sizes.patch) for part in parts], -1)
    tokens = _residual(weights, sizes, "input_patch_embedding", patches)
    return tokens, is_known.reshape(len(rows), -1, sizes.patch).any(-1)


def _rotations(sizes: Sizes, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (m, k / 2) of the angles of each position: computed in double precision from its end."""
    frequency = np.float32(sizes.rope_base) ** (-np.arange(0, sizes.head, 2, dtype=np.float32) / np.float32(sizes.head))
    angle = np.arange(-tokens, 0)[:, None] * frequency.astype(np.float64)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _attend_over_time(
    weights: Weights,
    sizes: Sizes,
    layer: int,
    x: Float32[Array, "N m D"],
    is_observed: Bool[Array, "N m"],
    turn: tuple[np.ndarray, np.ndarray],
    outputs: int,
) -> Float32[Array, "N o D"]:
    """The last tokens after attention to all tokens of their row, which is not scaled."""
    inputs, cosine, sine = _normalize(sizes, x), *turn
    if outputs == x.shape[1]:
        q, k, v = jnp.split(product(inputs, weights[f"{layer}.time.in"]), 3, -1)
    else:
        q = product(inputs[:, -outputs:], weights[f"{layer}.time.query"])
        k, v = jnp.split(product(inputs, weights[f"{layer}.time.key_value"]), 2, -1)
    q, k, v = (split_heads(part, sizes.heads) for part in (q, k, v))
    q, k = _rotate(q, cosine[-outputs:], sine[-outputs:]), _rotate(k, cosine, sine)
    scores = jnp.einsum("nhqk,nhmk->nhqm", q, k)
    scores = jnp.where(is_observed[:, None, None, :], scores, jnp.finfo(scores.dtype).min)
    attention = jnp.einsum("nhqm,nhmk->nhqk", jax.nn.softmax(scores, -1), v)
    return x[:, -outputs:] + product(join_heads(attention), weights[f"{layer}.time.out"])


def _rotate(x: Float32[Array, "N h m k"], cosine: np.ndarray, sine: np.ndarray) -> Float32[Array, "N h m k"]:
    first, second = jnp.split(x, 2, -1)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def _attend_within_group(
    weights: Weights,
    sizes: Sizes,
    layer: int,
    x: Float32[Array, "N m D"],
    is_key: Bool[Array, "N m"],
    variates: int,
) -> Float32[Array, "N m D"]:
    """Tokens after attention to those of their group at the same time; for a lone series a matrix product."""
    inputs = _normalize(sizes, x)
    if variates == 1:
        return x + product(inputs, weights[f"{layer}.alone"])
    qkv = product(inputs, weights[f"{layer}.group.in"])
    q, k, v = qkv.reshape(-1, variates, x.shape[1], 3, sizes.heads, sizes.head).transpose(3, 0, 2, 4, 1, 5)
    scores = jnp.einsum("bmhvk,bmhwk->bmhvw", q, k)
    is_key = is_key.reshape(-1, variates, x.shape[1]).transpose(0, 2, 1)
    scores = jnp.where(is_key[:, :, None, None, :], scores, jnp.finfo(scores.dtype).min)
    attention = jnp.einsum("bmhvw,bmhwk->bvmhk", jax.nn.softmax(scores, -1), v)
    return x + product(attention.reshape(*x.shape[:2], -1), weights[f"{layer}.group.out"])


def _normalize(sizes: Sizes, x: Array) -> Array:
    return x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + sizes.epsilon)


def _residual(weights: Weights, sizes: Sizes, name: str, x: Array) -> Array:
    def linear(part: str, value: Array) -> Array:
        return product(value, weights[f"{name}.{part}_layer.weight"]) + weights[f"{name}.{part}_layer.bias"]

    return linear("output", _activate(sizes, linear("hidden", x))) + linear("residual", x)


def _activate(sizes: Sizes, x: Array) -> Array:
    return jax.nn.relu(x) if sizes.activation == "relu" else jax.nn.gelu(x, approximate=False)
