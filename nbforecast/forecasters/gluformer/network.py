"""The network of Gluformer: an encoder that distils, a decoder that sees every step at once, a head for the variance.

Written from a description of the published one (Sergazinov et al. 2023, "Gluformer: Transformer-based personalized
glucose forecasting with uncertainty quantification"; GlucoBench). The network is functions over the checkpoint's own
tensor names, because the published names are the interface, and checks against files then need no translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from nbforecast.forecasters.layers import join_heads, product, split_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Weights = Mapping[str, Array]
    Drop = Callable[[str, Array], Array]

EPS = 1e-5
_HALVINGS = 40


@dataclass(frozen=True)
class Sizes:
    """The sizes of a Gluformer.

    Attributes:
        width: D, the width of a token. The inner width of attention is h * (D // h), which need not be D.
        heads: h, the number of heads.
        feed_forward: F, the width of hidden layers.
        encoder_layers: The encoder's layers; each but the last halves the number of tokens.
        decoder_layers: The decoder's layers.
        input: L, the steps of a context.
        label: The last steps of the context that the decoder sees.
        horizon: H, the steps it forecasts.
        dynamic: C, the number of features per step.
        static: S, the number of features per subject.
        dropout: The share that dropout sets to 0.
        activation: "gelu" or "relu".
    """

    width: int = 512
    heads: int = 10
    feed_forward: int = 1024
    encoder_layers: int = 2
    decoder_layers: int = 2
    input: int = 96
    label: int = 32
    horizon: int = 12
    dynamic: int = 6
    static: int = 1
    dropout: float = 0.2
    activation: str = "gelu"

    @property
    def settings(self) -> dict[str, Any]:
        """The sizes as part of a forecaster's key: their names there stay when fields are renamed."""
        return {
            "width": self.width,
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "encoder_layers": self.encoder_layers,
            "decoder_layers": self.decoder_layers,
            "input": self.input,
            "label": self.label,
            "horizon": self.horizon,
            "dynamic": self.dynamic,
            "static": self.static,
            "dropout": self.dropout,
            "activation": self.activation,
        }

    @property
    def inner(self) -> int:
        """The width of all attention heads together."""
        return self.heads * (self.width // self.heads)

    def tokens(self) -> list[int]:
        """Returns the number of tokens of each encoder layer; it halves from one to the next."""
        counts = [self.input + 1]
        for _ in range(self.encoder_layers - 1):
            counts.append((counts[-1] - 1) // 2 + 1)
        return counts

    def sites(self) -> dict[str, tuple[int, ...]]:
        """Returns the names of the tensors that dropout acts on, and their shapes in one window."""
        d, f, h, q = self.width, self.feed_forward, self.heads, self.label + self.horizon + 1
        memory = self.tokens()[-1]
        sites: dict[str, tuple[int, ...]] = {
            "enc_embedding": (self.input + 1, d), "dec_embedding": (q, d), "var": (self.input + 1, 1),
        }  # fmt: skip
        for i, m in enumerate(self.tokens()):
            layer = f"encoder.enc_layers.{i}"
            sites |= {f"{layer}.att": (h, m, m), f"{layer}.attn_out": (m, d)}
            sites |= {f"{layer}.ff_hidden": (m, f), f"{layer}.ff_out": (m, d)}
        for i in range(self.decoder_layers):
            layer = f"decoder.layers.{i}"
            sites |= {f"{layer}.self_att": (h, q, q), f"{layer}.cross_att": (h, q, memory)}
            sites |= {f"{layer}.ff_hidden": (q, f), f"{layer}.ff_out": (q, d)}
        return sites


def shapes(sizes: Sizes, positions: int = 5000) -> dict[str, tuple[int, ...]]:
    """Returns the names and shapes of the tensors of a state dictionary.

    Args:
        sizes: The network's sizes.
        positions: The number of rows of the positional embedding.
    """
    d, f, i, c, s = sizes.width, sizes.feed_forward, sizes.inner, sizes.dynamic, sizes.static
    tensors: dict[str, tuple[int, ...]] = {}

    def add(name: str, *shape: int, bias: bool = True) -> None:
        tensors[f"{name}.weight"] = shape
        if bias:
            tensors[f"{name}.bias"] = shape[:1]

    def attention(name: str) -> None:
        for part in "qkv":
            add(f"{name}.proj_{part}", i, d)
        add(f"{name}.proj_out", d, i)

    def block(name: str, norms: int) -> None:
        add(f"{name}.conv1", f, d, 1)
        add(f"{name}.conv2", d, f, 1)
        for number in range(1, norms + 1):
            add(f"{name}.norm{number}", d)

    for side in ("enc", "dec"):
        add(f"{side}_embedding.value_embedding.conv", d, 1, 3)
        add(f"{side}_embedding.time_embedding.embed", d, c)
        tensors[f"{side}_embedding.positional_embedding.pos_emb"] = (1, positions, d)
        add(f"{side}_embedding.subject_embedding.id_embedding", d, s)
    for layer in range(sizes.encoder_layers):
        attention(f"encoder.enc_layers.{layer}.att")
        block(f"encoder.enc_layers.{layer}", 2)
    for layer in range(sizes.encoder_layers - 1):
        add(f"encoder.conv_layers.{layer}.downConv", d, d, 3)
        add(f"encoder.conv_layers.{layer}.norm", d)
        tensors[f"encoder.conv_layers.{layer}.norm.running_mean"] = (d,)
        tensors[f"encoder.conv_layers.{layer}.norm.running_var"] = (d,)
        tensors[f"encoder.conv_layers.{layer}.norm.num_batches_tracked"] = ()
    add("encoder.norm", d)
    for layer in range(sizes.decoder_layers):
        for part in ("self_att", "cross_att"):
            attention(f"decoder.layers.{layer}.{part}")
        block(f"decoder.layers.{layer}", 3)
    add("decoder.norm", d)
    add("projection", 1, d)
    add("var.proj1", 1, d)
    add("var.proj2", 1, sizes.input + 1)
    return tensors


def no_dropout(_: str, x: Array) -> Array:
    """Returns the tensor as it is."""
    return x


def forward(
    weights: Weights,
    sizes: Sizes,
    target: Float32[Array, "N L"],
    past: Float32[Array, "N L C"],
    future: Float32[Array, "N H C"],
    static: Float32[Array, "N S"],
    drop: Drop = no_dropout,
    *,
    batch_norm: bool = False,
) -> tuple[Float32[Array, "N H"], Float32[Array, " N"]]:
    """Returns the means of the scaled values of the next H steps, and their log-variance.

    Args:
        weights: The weights.
        sizes: The network's sizes.
        target: The scaled values of the context.
        past: The scaled covariates of the context.
        future: The scaled covariates of the horizon.
        static: The features of each subject.
        drop: Applies dropout at a named site to (N, ..., T, D), or to its last tokens alone.
        batch_norm: Whether to normalise by the batch's own statistics, as the original does at prediction. A forecast
            then depends on the other windows of its batch.

    Returns:
        The means, and one log-variance per window.
    """
    decoder_values = jnp.concatenate(
        [target[:, -sizes.label :], jnp.zeros((len(target), sizes.horizon), target.dtype)], 1
    )
    decoder_covariates = jnp.concatenate([past[:, -sizes.label :], future], 1)
    encoder_tokens = drop("enc_embedding", _embed(weights, "enc_embedding", target, past, static))
    decoder_tokens = drop("dec_embedding", _embed(weights, "dec_embedding", decoder_values, decoder_covariates, static))
    memory = _encode(weights, sizes, encoder_tokens, drop, batch_norm=batch_norm)
    return _decode(weights, sizes, decoder_tokens, memory, drop), _variance(weights, encoder_tokens, drop)


def _linear(weights: Weights, name: str, x: Array) -> Array:
    weight = weights[f"{name}.weight"]
    return product(x, weight.reshape(weight.shape[:2])) + weights[f"{name}.bias"]


def _circular_convolution(weights: Weights, name: str, x: Float32[Array, "N T I"]) -> Float32[Array, "N T O"]:
    """A convolution over three neighbouring tokens; the first and the last token are neighbours, too."""
    weight = weights[f"{name}.weight"]
    neighbours = jnp.concatenate([jnp.roll(x, 1, 1), x, jnp.roll(x, -1, 1)], -1)
    return product(neighbours, weight.transpose(0, 2, 1).reshape(len(weight), -1)) + weights[f"{name}.bias"]


def _normalize(weights: Weights, name: str, x: Array) -> Array:
    return _layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)


def _embed(weights: Weights, side: str, values: Array, times: Array, static: Array) -> Float32[Array, "N T+1 D"]:
    tokens = _circular_convolution(weights, f"{side}.value_embedding.conv", values[..., None])
    tokens = tokens + weights[f"{side}.positional_embedding.pos_emb"][0, : values.shape[1]]
    tokens = tokens + _linear(weights, f"{side}.time_embedding.embed", times)
    subject = _linear(weights, f"{side}.subject_embedding.id_embedding", static)
    return jnp.concatenate([subject[:, None], tokens], 1)


def _attend(
    weights: Weights,
    name: str,
    sizes: Sizes,
    x: Array,
    memory: Array,
    drop: Drop,
    site: str,
    *,
    is_causal: bool = False,
) -> Array:
    q, k, v = (
        split_heads(_linear(weights, f"{name}.proj_{part}", source), sizes.heads)
        for part, source in zip("qkv", (x, memory, memory), strict=True)
    )
    scores = jnp.einsum("nhqk,nhmk->nhqm", q, k) * (sizes.width // sizes.heads) ** -0.5
    if is_causal:
        scores = jnp.where(_causal(*scores.shape[-2:]), scores, -jnp.inf)
    mean_values = jnp.einsum("nhqm,nhmk->nhqk", drop(site, jax.nn.softmax(scores, -1)), v)
    return _linear(weights, f"{name}.proj_out", join_heads(mean_values))


def _feed_forward(weights: Weights, name: str, sizes: Sizes, x: Array, drop: Drop) -> Array:
    hidden = _linear(weights, f"{name}.conv1", x)
    hidden = jax.nn.relu(hidden) if sizes.activation == "relu" else jax.nn.gelu(hidden, approximate=False)
    hidden = drop(f"{name}.ff_hidden", hidden)
    return drop(f"{name}.ff_out", _linear(weights, f"{name}.conv2", hidden))


def _encode(weights: Weights, sizes: Sizes, x: Array, drop: Drop, *, batch_norm: bool) -> Array:
    for i in range(sizes.encoder_layers):
        name = f"encoder.enc_layers.{i}"
        attention = _attend(weights, f"{name}.att", sizes, x, x, drop, f"{name}.att")
        x = _normalize(weights, f"{name}.norm1", x + drop(f"{name}.attn_out", attention))
        x = _normalize(weights, f"{name}.norm2", x + _feed_forward(weights, name, sizes, x, drop))
        if i < sizes.encoder_layers - 1:
            x = _downsample(weights, f"encoder.conv_layers.{i}", x, batch_norm=batch_norm)
    return _normalize(weights, "encoder.norm", x)


def _downsample(weights: Weights, name: str, x: Array, *, batch_norm: bool) -> Array:
    """Convolves, normalises and pools to half as many tokens."""
    x = _circular_convolution(weights, f"{name}.downConv", x)
    mean, variance = weights[f"{name}.norm.running_mean"], weights[f"{name}.norm.running_var"]
    if batch_norm:
        mean, variance = x.mean((0, 1)), x.var((0, 1))
    scale = weights[f"{name}.norm.weight"] * jax.lax.rsqrt(variance + EPS)
    x = jax.nn.elu((x - mean) * scale + weights[f"{name}.norm.bias"])
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 1), (1, 2, 1), [(0, 0), (1, 1), (0, 0)])


def _decode(weights: Weights, sizes: Sizes, x: Array, memory: Array, drop: Drop) -> Float32[Array, "N H"]:
    for i in range(sizes.decoder_layers):
        name = f"decoder.layers.{i}"
        # of the last layer only the horizon's tokens are needed
        queries = x if i < sizes.decoder_layers - 1 else x[:, -sizes.horizon :]
        attention = _attend(weights, f"{name}.self_att", sizes, queries, x, drop, f"{name}.self_att", is_causal=True)
        x = _normalize(weights, f"{name}.norm1", queries + attention)
        attention = _attend(weights, f"{name}.cross_att", sizes, x, memory, drop, f"{name}.cross_att")
        x = _normalize(weights, f"{name}.norm2", x + attention)
        x = _normalize(weights, f"{name}.norm3", x + _feed_forward(weights, name, sizes, x, drop))
    return _linear(weights, "projection", _normalize(weights, "decoder.norm", x))[..., 0]


def _variance(weights: Weights, x: Array, drop: Drop) -> Float32[Array, " N"]:
    """One log-variance for all steps, in (-10, 10)."""
    token_values = drop("var", jax.nn.relu(_linear(weights, "var.proj1", x)))
    return 10.0 * jnp.tanh(_linear(weights, "var.proj2", token_values[..., 0]))[:, 0]


def mixture_quantiles(
    mean: Float32[Array, "*N S"], spread: Float32[Array, "*N S"], levels: tuple[float, ...]
) -> Float32[Array, "*N K"]:
    """Returns where the equal-weight mixture of S normal distributions reaches each level.

    It is found by bisection between the outermost components.

    Args:
        mean: The means.
        spread: The standard deviations.
        levels: K probability levels.
    """
    targets = jnp.array(levels, jnp.float32)
    shape = (*mean.shape[:-1], len(levels))
    low = jnp.broadcast_to((mean - 6 * spread).min(-1, keepdims=True), shape)
    high = jnp.broadcast_to((mean + 6 * spread).max(-1, keepdims=True), shape)

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        centre = (low + high) / 2
        probability = jax.scipy.special.ndtr((centre[..., None] - mean[..., None, :]) / spread[..., None, :]).mean(-1)
        return jnp.where(probability < targets, centre, low), jnp.where(probability < targets, high, centre)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))
    return (low + high) / 2


def _layer_norm(
    x: Float32[Array, "... D"], scale: Float32[Array, " D"], shift: Float32[Array, " D"], eps: float
) -> Float32[Array, "... D"]:
    """Normalises to mean 0 and variance 1 over the last axis, then scales and shifts (Ba et al. 2016)."""
    deviation = x - x.mean(-1, keepdims=True)
    return deviation * jax.lax.rsqrt((deviation**2).mean(-1, keepdims=True) + eps) * scale + shift


def _causal(queries: int, keys: int) -> Bool[Array, "q m"]:
    """The keys that each query attends to; the last query is at the last key."""
    return jnp.arange(keys)[None, :] <= jnp.arange(keys - queries, keys)[:, None]
