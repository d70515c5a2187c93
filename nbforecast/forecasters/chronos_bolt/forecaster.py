"""Chronos-Bolt (Amazon, Apache-2.0): published weights, from a folder or the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from nbforecast.errors import OptionError, WeightsError
from nbforecast.forecasters.checkpoint import check, load
from nbforecast.forecasters.chronos_bolt.network import Sizes, extend, shapes
from nbforecast.forecasters.config_file import read_config
from nbforecast.forecasters.hub import FILES, find_folder
from nbforecast.forecasters.network_forecaster import NetworkForecaster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbforecast.forecasters.windows import Windows

CONFIG, WEIGHTS = FILES
MAX_LAYERS = 256  # on each side
MAX_CONTEXT = 1 << 16  # steps; the published networks take 2,048


@dataclass(frozen=True, eq=False)
class ChronosBolt(NetworkForecaster):
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
    uses_seed: ClassVar[bool] = False
    name: str = "chronos-bolt"
    sizes: Sizes = field(kw_only=True)
    longest: int | None = field(default=None, kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the base class, the sizes of the network and the longest context."""
        return super().settings | self.sizes.settings | {"longest": self.longest}

    @property
    def context(self) -> int:
        """The length of a window in steps."""
        return min(self.longest or self.sizes.context, self.sizes.context)

    @property
    def levels(self) -> tuple[float, ...]:
        """The probability levels that the network has learned."""
        return self.sizes.levels

    @property
    def draws(self) -> int:
        """The number of quantiles."""
        return len(self.sizes.levels)

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
        folder = find_folder(place, FILES)
        sizes = read_sizes(folder / CONFIG)
        weights, expected = load(folder / WEIGHTS), shapes(sizes)
        copies = {f"{side}.embed_tokens.weight" for side in ("encoder", "decoder")}  # copies of `shared`, in some files
        weights = {n: w for n, w in weights.items() if n in expected or n not in copies}
        try:
            check(weights, expected)
        except WeightsError as error:
            raise WeightsError(f"{folder / WEIGHTS}: {error}") from None
        if context is not None and (isinstance(context, bool) or not isinstance(context, int) or context < 1):
            raise OptionError(f"context= takes a positive number of points, not {context!r}.")
        weights = {n: np.asarray(w, np.float32) for n, w in weights.items()}
        return cls(weights, name or PurePath(place).name, sizes=sizes, longest=context)

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
    levels = tuple(float(level) for level in bolt_config.numbers("quantiles"))
    if list(levels) != sorted(set(levels)) or not all(0 < q < 1 for q in levels):
        raise bolt_config.error("quantiles", "ascending numbers between 0 and 1")
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
