"""Chronos-2 (Amazon, Apache-2.0): published weights, from a folder or the Hugging Face Hub, with covariates."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int64

from nbforecast.device import devices, replicate
from nbforecast.errors import WeightsError
from nbforecast.forecasters.chronos import MAX_CONTEXT, MAX_LAYERS, ChronosForecaster
from nbforecast.forecasters.chronos2.network import Sizes, fuse, shapes
from nbforecast.forecasters.chronos2.unroll import PATH_LEVELS, extend
from nbforecast.forecasters.chronos2.variates import lay_out_variates
from nbforecast.forecasters.config_file import read_config
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.forecasters.group_windows import cut_group_windows
from nbforecast.forecasters.windows import blank_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.forecasters.windows import Windows

DEFAULT_CONTEXT = 2048  # steps: an origin of 8,192 costs several times as much
TOKENS = 640  # of a pass on a CPU, whose cache then holds the activations: a batch of 32 takes 10 % less
_WINDOWS = (
    128,
    512,
    2048,
    8192,
)  # lengths that functions are compiled for, where a history is shorter than the context


@dataclass(frozen=True, eq=False)
class Chronos2(ChronosForecaster):
    """Quantiles from a pretrained encoder over patches of a series and what is beside it; any horizon.

    It reads every covariate: those known ahead in context and horizon, the others up to the origin, as numbers or
    categories. Where series are grouped, it reads the values of the group's other series up to the origin, too.
    Contexts may have gaps: missing values are masked, and no gap is bridged. The network's quantiles may cross.

    Attributes:
        name: The forecaster's name.
        sizes: The network's sizes.
        longest: The most points of a context that are used.

    Source:
        Ansari et al. (2025), Chronos-2: From Univariate to Universal Forecasting; chronos-forecasting.
    """

    algorithm: ClassVar[str] = "chronos-2"
    algorithm_version: ClassVar[int] = 1
    batch_sizes: ClassVar[tuple[int, ...]] = (1, 8, 32, 128)
    covariate_use: ClassVar[CovariateUse] = CovariateUse(siblings=True)
    name: str = "chronos-2"
    sizes: Sizes = field(kw_only=True)
    longest: int | None = field(default=DEFAULT_CONTEXT, kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the base class, the sizes of the network and the longest context."""
        return super().settings | self.sizes.settings | {"longest": self.context}

    @cached_property
    def placed(self) -> Any:
        """See `NetworkForecaster.placed`: fewer and larger matrices."""
        return replicate(fuse(self.weights, self.sizes))

    @classmethod
    def load(cls, place: str | Path, name: str | None = None, *, context: int = DEFAULT_CONTEXT) -> Chronos2:
        """Returns the forecaster of some published or fine-tuned weights.

        Args:
            place: A folder with `config.json` and `model.safetensors`, or a Hub id such as `amazon/chronos-2`.
            name: The forecaster's name; by default the last part of `place`.
            context: The most points of a context that are used, up to those that the network can take. Fewer cost less.

        Raises:
            WeightsError: If a file, a field or a tensor does not fit; the message names it.
            MissingExtra: If `place` is a Hub id and huggingface_hub is not installed.
        """
        return cls.read_folder(place, name, context, read_sizes, shapes)

    def window_length(self, data: Dataset, rows: Int64[np.ndarray, " R"]) -> int:
        """See `WindowForecaster.window_length`: few lengths, of which the smallest that holds all histories."""
        series = np.searchsorted(data.offsets, rows, side="right") - 1
        start = data.frequency.to_step(data.time[data.offsets[:-1]])
        if data.groups is not None:
            earliest = np.full(data.groups.max() + 1, np.iinfo(np.int64).max)
            np.minimum.at(earliest, data.groups, start)
            start = earliest[data.groups]
        longest = int((data.frequency.to_step(data.time[rows]) - start[series]).max()) + 1
        return next((length for length in _WINDOWS if longest <= length < self.context), self.context)

    def covariates(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int
    ) -> Float32[np.ndarray, "R L+H V"] | None:
        """See `WindowForecaster.covariates`: variates beside the series, NaN beyond the horizon."""
        if data.covariates is None:
            return None
        columns = self.covariate_use.columns(data, horizon, self.name)
        if not len(columns):
            return None
        variates = lay_out_variates(data, rows, self.window_length(data, rows), horizon, columns)
        beyond = self.compiled_steps(horizon) - horizon
        return np.pad(variates, ((0, 0), (0, beyond), (0, 0)), constant_values=np.nan)

    def infer(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int
    ) -> Float32[np.ndarray, "R H Q"]:
        """See `WindowForecaster.infer`: one window forecasts all series of a group, unless each has its covariates."""
        if data.groups is None:
            return super().infer(data, rows, horizon, seed)
        groups = cut_group_windows(data, rows, self.window_length(data, rows), is_shared=data.covariates is None)
        count = len(groups.rows)
        padding = np.minimum(np.arange(1 << (count - 1).bit_length()), count - 1)
        values = groups.values[padding].astype(np.float32)
        windows = blank_windows(
            *values.shape[:2]
        )._replace(
            values=values[..., 0],  # type: ignore[arg-type]
            observed=~np.isnan(values[..., 0]),  # type: ignore[arg-type]
            covariates=self.covariates(data, groups.rows[padding], horizon),  # type: ignore[arg-type]
            siblings=values[..., 1:] if values.shape[2] > 1 else None,  # type: ignore[arg-type]
        )
        draws = self.run(windows, horizon, seed)
        draws = draws[:, None] if draws.ndim == 3 else draws
        location = groups.location[groups.window, groups.place, None, None]
        return (draws[groups.window, groups.place] + location).astype(np.float32)

    def compiled(self, horizon: int, seed: int, *, effort: int | None = None) -> Callable[[Windows], Any]:
        """One function for all horizons of as many patches, always the fastest: all optimisations take no longer."""
        forecast_patches = super().compiled(self.compiled_steps(horizon), seed)
        return lambda windows: forecast_patches(windows)[..., :horizon, :]

    def compiled_steps(self, horizon: int) -> int:
        """See `WindowForecaster.compiled_steps`: whole patches."""
        return -(-horizon // self.sizes.patch) * self.sizes.patch

    def apply(
        self, weights: Mapping[str, Any], windows: Windows, shared: Any, horizon: int
    ) -> Float32[Array, "B *V H Q"]:
        """See `NetworkForecaster.apply`; siblings are forecast, too, where no covariates are the target's own."""
        context = jnp.where(windows.observed, windows.values, jnp.nan)[:, None]
        future = is_member = None
        targets = 1
        if windows.siblings is not None:
            siblings = jnp.asarray(windows.siblings).transpose(0, 2, 1)
            context = jnp.concatenate([context, siblings], 1)
            is_member = ~jnp.isnan(context).all(-1)
            targets = context.shape[1] if windows.covariates is None else 1
        if windows.covariates is not None:
            beside = jnp.asarray(windows.covariates).transpose(0, 2, 1)
            past, ahead = jnp.split(beside, (context.shape[-1],), -1)
            if is_member is not None:
                is_member = jnp.concatenate([is_member, jnp.ones(past.shape[:2], bool)], 1)
            unknown = ((0, 0), (context.shape[1], 0), (0, 0))
            context = jnp.concatenate([context, past], 1)
            future = jnp.pad(ahead, unknown, constant_values=jnp.nan)
        batch, variates, length = context.shape
        count = self._windows_per_pass(batch, variates, length, horizon)

        def forecast_pass(inputs: tuple[Array, Array | None, Array | None]) -> Array:
            context, future, is_member = inputs
            draws = extend(weights, self.sizes, context, future, horizon, targets, is_member).swapaxes(2, 3)
            return draws[:, 0] if windows.siblings is None else draws

        inputs = context, future, is_member
        if count == batch:
            return forecast_pass(inputs)
        parts = jax.tree.map(lambda a: a.reshape(-1, count, *a.shape[1:]), inputs)
        return jnp.concatenate(list(jax.lax.map(forecast_pass, parts)))

    def _windows_per_pass(self, count: int, variates: int, length: int, horizon: int) -> int:
        """How many windows go through the network at once: all on a GPU, about `TOKENS` of their tokens on a CPU."""
        ahead = min(-(-horizon // self.sizes.patch), self.sizes.patches)
        tokens = variates * (-(-length // self.sizes.patch) + 1 + ahead)
        limit = max(TOKENS // tokens, 1) if devices()[0].platform == "cpu" else count
        return next(n for n in range(min(limit, count), 0, -1) if count % n == 0)


def read_sizes(path: Path) -> Sizes:
    """Returns the sizes in a published `config.json`.

    Args:
        path: The file.

    Raises:
        WeightsError: If a field is missing or its value is not supported; the message names it.
    """
    config = read_config(path)
    inner = config.section("chronos_config")
    if inner is None or "max_output_patches" not in inner:
        raise WeightsError(
            f"{path}: there is no 'chronos_config' with 'max_output_patches'; this is no Chronos-2 model."
        )
    patch = inner.integer("input_patch_size", high=MAX_CONTEXT)
    for name in ("input_patch_stride", "output_patch_size"):
        if inner.integer(name) != patch:
            raise WeightsError(f"{path}: {name!r} differs from 'input_patch_size', which is not supported.")
    if not inner.flag("use_reg_token"):
        raise inner.error("use_reg_token", "true: networks without the register token are not supported")
    levels = inner.levels("quantiles")
    if not set(PATH_LEVELS) <= set(levels):
        raise inner.error("quantiles", "a list with 0.1, 0.2 … 0.9, from which horizons beyond one pass go on")
    head = config.integer("d_kv", low=2)
    if head % 2:
        raise config.error("d_kv", "an even number: positions turn pairs of numbers")
    projection = config.choice("feed_forward_proj", ("relu", "gelu"), default="relu")
    context = inner.integer("context_length", patch, MAX_CONTEXT)
    return Sizes(
        width=config.integer("d_model"),
        head=head,
        heads=config.integer("num_heads"),
        feed_forward=config.integer("d_ff"),
        layers=config.integer("num_layers", high=MAX_LAYERS),
        context=context,
        patch=patch,
        patches=inner.integer("max_output_patches", high=MAX_CONTEXT // patch),
        levels=levels,
        time_scale=inner.integer("time_encoding_scale", default=context),
        arcsinh=inner.flag("use_arcsinh"),
        rope_base=config.number("rope_theta", 1.0, 1e9, default=10_000.0),
        epsilon=config.number("layer_norm_epsilon", 1e-12, 1.0, default=1e-6),
        activation=config.choice("dense_act_fn", ("relu", "gelu"), default=projection),
    )
