"""Chronos-Bolt (Amazon, Apache-2.0): published weights, from a folder or the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from nbforecast.errors import OptionError, WeightsError
from nbforecast.forecasters.checkpoint import check, load, read_json
from nbforecast.forecasters.chronos_bolt.network import Sizes, extend, shapes
from nbforecast.forecasters.hub import FILES, find_folder
from nbforecast.forecasters.network_forecaster import NetworkForecaster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbforecast.forecasters.windows import Windows

CONFIG, WEIGHTS = FILES


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
    name: str = "chronos-bolt"
    sizes: Sizes = field(kw_only=True)
    longest: int | None = field(default=None, kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        return super().settings | self.sizes.settings | {"longest": self.longest}

    @property
    def context(self) -> int:
        return min(self.longest or self.sizes.context, self.sizes.context)

    @property
    def levels(self) -> tuple[float, ...]:
        return self.sizes.levels

    @property
    def draws(self) -> int:
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
        weights = {n: np.asarray(w, np.float32) for n, w in load(folder / WEIGHTS).items()}
        expected = shapes(sizes)
        copies = {f"{side}.embed_tokens.weight" for side in ("encoder", "decoder")}  # copies of `shared`, in some files
        weights = {n: w for n, w in weights.items() if n in expected or n not in copies}
        try:
            check(weights, expected)
        except WeightsError as error:
            raise WeightsError(f"{folder / WEIGHTS}: {error}") from None
        if context is not None and (isinstance(context, bool) or not isinstance(context, int) or context < 1):
            raise OptionError(f"context= takes a positive number of points, not {context!r}.")
        return cls(weights, name or PurePath(place).name, sizes=sizes, longest=context)

    def apply(self, weights: Mapping[str, Any], windows: Windows, shared: Any, horizon: int) -> Float32[Array, "B H Q"]:
        context = jnp.where(windows.observed, windows.values, jnp.nan)
        return extend(weights, self.sizes, context, horizon).transpose(0, 2, 1)


def read_sizes(path: Path) -> Sizes:
    """Returns the sizes in a published `config.json`.

    Args:
        path: The file.

    Raises:
        WeightsError: If a field is missing or its value is not supported; the message names it.
    """
    config = read_json(path)
    bolt_config = config.get("chronos_config")
    if not isinstance(bolt_config, dict):
        raise WeightsError(f"{path}: there is no 'chronos_config'; this is not a Chronos-Bolt model.")

    def get(values: dict[str, Any], name: str, kind: type = int) -> Any:
        value = values.get(name)
        if not isinstance(value, kind) or (isinstance(value, int) and (isinstance(value, bool) or value < 1)):
            raise WeightsError(f"{path}: {name!r} is {value!r}, not a {'positive ' * (kind is int)}{kind.__name__}.")
        return value

    if get(bolt_config, "input_patch_stride") != get(bolt_config, "input_patch_size"):
        raise WeightsError(f"{path}: 'input_patch_stride' differs from 'input_patch_size', which is not supported.")
    activation = get(config, "dense_act_fn", str)
    if activation not in ("relu", "gelu") or config.get("is_gated_act"):
        raise WeightsError(f"{path}: 'dense_act_fn' is {activation!r}; supported are 'relu' and 'gelu', not gated.")
    levels = tuple(float(q) for q in get(bolt_config, "quantiles", list))
    if list(levels) != sorted(set(levels)) or not all(0 < q < 1 for q in levels):
        raise WeightsError(f"{path}: 'quantiles' are {levels}, not ascending numbers between 0 and 1.")
    return Sizes(
        width=get(config, "d_model"),
        head=get(config, "d_kv"),
        heads=get(config, "num_heads"),
        feed_forward=get(config, "d_ff"),
        layers=get(config, "num_layers"),
        decoder_layers=get(config, "num_decoder_layers"),
        context=get(bolt_config, "context_length"),
        patch=get(bolt_config, "input_patch_size"),
        steps=get(bolt_config, "prediction_length"),
        levels=levels,
        register=bool(bolt_config.get("use_reg_token", False)),
        buckets=get(config, "relative_attention_num_buckets"),
        distance=get(config, "relative_attention_max_distance"),
        epsilon=get(config, "layer_norm_epsilon", float),
        activation=activation,
    )
