"""Chronos-Bolt (Amazon, Apache-2.0): published weights, from a folder or the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float32

from nbforecast.errors import WeightsError
from nbforecast.forecasters.chronos import MAX_CONTEXT, MAX_LAYERS, ChronosForecaster
from nbforecast.forecasters.chronos_bolt.network import Sizes, extend, shapes
from nbforecast.forecasters.config_file import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbforecast.forecasters.windows import Windows


@dataclass(frozen=True, eq=False)
class ChronosBolt(ChronosForecaster):
    """Nine quantiles from a pretrained encoder-decoder over patches; any horizon, in rounds beyond one pass.

    Contexts may have gaps: missing values are masked, and no gap is bridged, as in the reference. The network's
    quantiles may cross.

    Attributes:
        name: The forecaster's name.
        sizes: The network's sizes.
        longest: The most points of a context that are used; None uses as many as the network can take.

    Source:
        Ansari et al. (2024), Chronos: Learning the Language of Time Series; chronos-forecasting.
    """

    algorithm: ClassVar[str] = "chronos-bolt"
    algorithm_version: ClassVar[int] = 1
    name: str = "chronos-bolt"
    sizes: Sizes = field(kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the base class, the sizes of the network and the longest context."""
        return super().settings | self.sizes.settings | {"longest": self.longest}

    @classmethod
    def load(cls, place: str | Path, name: str | None = None, *, context: int | None = None) -> ChronosBolt:
        """Returns the forecaster of some published or fine-tuned weights.

        Args:
            place: A folder with `config.json` and `model.safetensors`, or a Hub id such as `amazon/chronos-bolt-small`.
            name: The forecaster's name; by default the last part of `place`.
            context: The most points of a context that are used; fewer cost less.

        Raises:
            WeightsError: If a file, a field or a tensor does not fit; the message names it.
            MissingExtra: If `place` is a Hub id and huggingface_hub is not installed.
        """
        copies = [f"{side}.embed_tokens.weight" for side in ("encoder", "decoder")]  # copies of `shared`, in some files
        return cls.read_folder(place, name, context, read_sizes, shapes, copies)

    def apply(self, weights: Mapping[str, Any], windows: Windows, shared: Any, horizon: int) -> Float32[Array, "B H Q"]:
        """See `NetworkForecaster.apply`."""
        context = jnp.where(windows.observed, windows.values, jnp.nan)
        return extend(weights, self.sizes, context, horizon).transpose(0, 2, 1)


def read_sizes(path: Path) -> Sizes:
    """Returns the sizes in a published `config.json`.

    Args:
        path: The file.

    Raises:
        WeightsError: If a field is missing or its value is not supported; the message names it.
    """
    config = read_config(path)
    bolt_config = config.section("chronos_config")
    if bolt_config is None:
        raise WeightsError(f"{path}: there is no 'chronos_config'; this is not a Chronos-Bolt model.")
    patch = bolt_config.integer("input_patch_size", high=MAX_CONTEXT)
    if bolt_config.integer("input_patch_stride") != patch:
        raise WeightsError(f"{path}: 'input_patch_stride' differs from 'input_patch_size', which is not supported.")
    activation = config.choice("dense_act_fn", ("relu", "gelu"))
    if config.flag("is_gated_act"):
        raise config.error("is_gated_act", "false: gated activations are not supported")
    levels = bolt_config.levels("quantiles")
    buckets = config.integer("relative_attention_num_buckets", low=4)
    return Sizes(
        width=config.integer("d_model"),
        head=config.integer("d_kv"),
        heads=config.integer("num_heads"),
        feed_forward=config.integer("d_ff"),
        layers=config.integer("num_layers", high=MAX_LAYERS),
        decoder_layers=config.integer("num_decoder_layers", high=MAX_LAYERS),
        context=bolt_config.integer("context_length", patch, MAX_CONTEXT),
        patch=patch,
        steps=bolt_config.integer("prediction_length"),
        levels=levels,
        register=bolt_config.flag("use_reg_token"),
        buckets=buckets,
        distance=config.integer("relative_attention_max_distance", buckets // 4 + 1),
        epsilon=config.number("layer_norm_epsilon", 1e-12, 1.0),
        activation=activation,
    )
