"""Gluformer: a network for glucose at steps of five minutes, whose dropout stays on to measure uncertainty."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Int64, Shaped, UInt8

from nbforecast.device import devices, replicate
from nbforecast.errors import OptionError, WeightsError
from nbforecast.forecasters.checkpoint import check, load
from nbforecast.forecasters.config_file import Config, read_config
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.gluformer.dropout_masks import (
    check_masks,
    draw_shared_masks,
    drop_by_shared_masks,
    drop_by_window_masks,
)
from nbforecast.forecasters.gluformer.network import Sizes, forward, mixture_quantiles, shapes
from nbforecast.forecasters.network_forecaster import NetworkForecaster
from nbforecast.forecasters.windows import full_context_availability
from nbforecast.safe_text import brief_repr
from nbforecast.text import option, quoted
from nbforecast.user_path import path_exists, user_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbforecast.data import Dataset
    from nbforecast.forecasters.gluformer.dropout_masks import Masks
    from nbforecast.forecasters.windows import Windows

STEP = 300_000_000  # microseconds
TOKENS = 1600  # of all windows and samples at once, on a CPU
MAX_SAMPLES = 1_000
FEATURES = ("day", "month", "year", "hour", "minute", "second")


@dataclass(frozen=True)
class Scaler:
    """What is mapped to 0 and 1; equal ends map to 0.

    The values that the published weights were trained with are not known. These are plausible, and unverified.

    Attributes:
        target: The ends of glucose, in the data's unit.
        lows: The low ends of `FEATURES`.
        highs: The high ends of `FEATURES`.
    """

    target: tuple[float, float] = (40.0, 400.0)
    lows: tuple[float, ...] = (1, 1, 0, 0, 0, 0)
    highs: tuple[float, ...] = (31, 12, 0, 23, 59, 0)

    @property
    def settings(self) -> dict[str, Any]:
        """The scaler as part of a forecaster's key."""
        return {"scaler_target": self.target, "scaler_lows": self.lows, "scaler_highs": self.highs}


@dataclass(frozen=True, eq=False)
class Gluformer(NetworkForecaster):
    """Monte-Carlo dropout: each forecast is made by several thinned networks, each with a mean and a variance.

    The statistics of batch normalisation are the stored ones, so a forecast does not depend on its batch.

    Attributes:
        name: The forecaster's name.
        sizes: The network's sizes.
        scaler: The ends that values and features are scaled by.
        samples: The number of thinned networks.
        output: "mixture" gives quantiles of the equal-weight mixture of the samples' normal distributions. "samples"
            gives the samples' means, as the original does, which leaves out the noise that the network expects.
        masks: "shared" thins the same networks for every window, which costs nothing per window and makes neighbours
            agree. "window" draws them anew for each, as the original does. Each forecast by itself has the same
            distribution.

    Source:
        Sergazinov et al. (2023), Gluformer: Transformer-based personalized glucose forecasting with uncertainty
        quantification; Gal & Ghahramani (2016) on dropout.
    """

    algorithm: ClassVar[str] = "gluformer"
    algorithm_version: ClassVar[int] = 1
    name: str = "gluformer"
    sizes: Sizes = field(default=Sizes(), kw_only=True)
    scaler: Scaler = field(default=Scaler(), kw_only=True)
    samples: int = field(default=10, kw_only=True)
    output: Literal["mixture", "samples"] = field(default="mixture", kw_only=True)
    masks: Literal["shared", "window"] = field(default="shared", kw_only=True)
    batch_sizes: ClassVar[tuple[int, ...]] = (1, 4, 16, 64)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the base class, of sampling, of the network and of the scaling."""
        options = {"samples": self.samples, "output": self.output, "masks": self.masks}
        return super().settings | self.sizes.settings | self.scaler.settings | options

    @property
    def context(self) -> int:
        """The length of a window in steps."""
        return self.sizes.input

    @property
    def levels(self) -> tuple[float, ...] | None:
        """The probability levels of a mixture's quantiles; None for samples."""
        return DRAW_LEVELS if self.output == "mixture" else None

    @property
    def draws(self) -> int:
        """The number of quantiles or samples."""
        return len(DRAW_LEVELS) if self.output == "mixture" else self.samples

    @classmethod
    def load(cls, place: str | Path, name: str | None = None, **options: Any) -> Gluformer:
        """Returns the forecaster of some weights.

        Args:
            place: A `.safetensors` or `.pth` file, or a folder with one. A `config.json` beside it may hold what the
                weights do not show: n_heads, label_len, len_pred, r_drop, activ, and `scaler`: {"target": [low, high],
                "lows": [6], "highs": [6]}.
            name: The forecaster's name; by default the stem of `place`.
            **options: `samples`, `output` and `masks`.

        Raises:
            WeightsError: If the file or a tensor does not fit; the message names it.
        """
        file = _file(user_path(place, WeightsError))
        config = file.parent / "config.json"
        fields = read_config(config) if config.is_file() else Config({}, config)
        weights = load(file)
        try:
            sizes = infer_sizes(weights, fields)
            check(weights, shapes(sizes, _positions(weights)))
        except WeightsError as error:
            raise WeightsError(f"{file}: {error}") from None
        model = cls(weights, name or PurePath(place).stem, sizes=sizes, scaler=read_scaler(fields), **options)
        check_options(model)
        return model

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """A context must be complete once short gaps are bridged."""
        if data.frequency.kind != "fixed" or data.frequency.every != STEP:
            raise OptionError(
                f"{self.name!r} is made for steps of 5 min; the data have steps of {data.frequency.describe()}. Give "
                f"{option('freq', '5min')} if they are finer."
            )
        return full_context_availability(data, self.context)

    def covariates(self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int) -> Float32[np.ndarray, "R L+H C"]:
        """See `WindowForecaster.covariates`: features of the calendar, each between 0 and 1."""
        if horizon > self.sizes.horizon:
            raise OptionError(f"{self.name!r} forecasts up to {self.sizes.horizon} steps, not {horizon}.")
        past = _calendar(data)[rows[:, None] + np.arange(1 - self.context, 1)]
        future = _features(data.future_times(rows, self.sizes.horizon))
        low, high = np.array(self.scaler.lows), np.array(self.scaler.highs)
        scaled = (np.concatenate([past, future], 1) - low) / np.where(high > low, high - low, np.inf)
        return scaled.astype(np.float32)

    def shared(self, seed: int) -> Masks | None:
        """See `NetworkForecaster.shared`: the masks of dropout, if all windows share them."""
        return replicate(draw_shared_masks(self.sizes, self.samples, seed)) if self.masks == "shared" else None

    def apply(
        self, weights: Mapping[str, Any], windows: Windows, shared: Masks | None, horizon: int
    ) -> Float32[Array, "B H Q"]:
        """See `NetworkForecaster.apply`."""
        low, high = self.scaler.target
        target = (windows.values + windows.location[:, None] - low) / (high - low)
        covariates = jnp.asarray(windows.covariates)
        past, future = covariates[:, : self.context], covariates[:, self.context :]
        inputs = target, past, future, jnp.zeros((len(target), self.sizes.static), jnp.float32)
        samples_per_pass = self._samples_per_pass(len(target))

        def forward_pass(group: tuple[Int32[Array, " S"], Masks | None]) -> tuple[Array, Array]:
            """Means and log-variances of some samples."""
            numbers, masks = group
            # the rows of one sample are neighbours
            values, past_covariates, future_covariates, static = (
                jnp.tile(a, (samples_per_pass, *(1,) * (a.ndim - 1))) for a in inputs
            )
            drop = (
                drop_by_window_masks(self.sizes, windows.key, numbers)
                if masks is None
                else drop_by_shared_masks(self.sizes, masks)
            )
            mean, log_variance = forward(weights, self.sizes, values, past_covariates, future_covariates, static, drop)
            return mean.reshape(samples_per_pass, len(target), -1), log_variance.reshape(samples_per_pass, -1)

        by_sample = jnp.arange(self.samples), shared
        groups = jax.tree.map(lambda a: a.reshape(-1, samples_per_pass, *a.shape[1:]), by_sample)
        mean, log_variance = jax.lax.map(forward_pass, groups)
        mean = mean.reshape(self.samples, len(target), -1)[..., :horizon].transpose(1, 2, 0)
        if self.output == "mixture":
            spread = jnp.exp(log_variance / 2).reshape(self.samples, -1).T[:, None, :]
            mean = mixture_quantiles(mean, jnp.broadcast_to(spread, mean.shape), DRAW_LEVELS)
        return jnp.sort(mean, -1) * (high - low) + (low - windows.location)[:, None, None]

    def _samples_per_pass(self, count: int) -> int:
        """How many samples of so many windows go through the network at once.

        All on a GPU; on a CPU so many that the activations stay in its cache, which makes 16 windows twice as fast.
        """
        limit = TOKENS // (count * (self.sizes.input + 1)) if devices()[0].platform == "cpu" else self.samples
        return next(n for n in range(min(max(limit, 1), self.samples), 0, -1) if self.samples % n == 0)


def infer_sizes(weights: Mapping[str, np.ndarray], config: Config) -> Sizes:
    """Returns sizes from the weights' shapes, and from the configuration what they do not show.

    Args:
        weights: The weights.
        config: The configuration; the published values are the default.

    Raises:
        WeightsError: If the weights are not a Gluformer's, or contradict the configuration.
    """

    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in weights:
            raise WeightsError(f"there is no tensor {name!r}: these are not Gluformer's weights.")
        if weights[name].ndim != axes or not weights[name].size:
            raise WeightsError(f"{name} has shape {weights[name].shape}, which is not that of Gluformer's weights.")
        return weights[name].shape

    width = shape("enc_embedding.value_embedding.conv.weight", 3)[0]
    inner = shape("encoder.enc_layers.0.att.proj_q.weight", 2)[0]
    heads = config.integer("n_heads", default=Sizes.heads)
    if heads > width or heads * (width // heads) != inner:
        raise WeightsError(
            f"'n_heads' is {heads}, which does not give the inner width {inner} at width {width}; put the right one "
            "into a config.json beside the weights."
        )
    length, positions = shape("var.proj2.weight", 2)[1] - 1, _positions(weights)
    if not 1 <= length <= positions:
        raise WeightsError(f"var.proj2.weight is for {length:,} steps; its table of positions has {positions:,}.")

    def layers(prefix: str) -> int:
        return len({n.split(".")[2] for n in weights if n.startswith(prefix)})

    label = config.integer("label_len", high=length, default=max(length // 3, 1))
    sizes = Sizes(
        width=width,
        heads=heads,
        feed_forward=shape("encoder.enc_layers.0.conv1.weight", 3)[0],
        encoder_layers=layers("encoder.enc_layers."),
        decoder_layers=layers("decoder.layers."),
        input=length,
        label=label,
        horizon=config.integer("len_pred", high=max(positions - label, 1), default=Sizes.horizon),
        dynamic=shape("enc_embedding.time_embedding.embed.weight", 2)[1],
        static=shape("enc_embedding.subject_embedding.id_embedding.weight", 2)[1],
        dropout=config.number("r_drop", 0.0, 1.0, default=Sizes.dropout),
        activation=config.choice("activ", ("gelu", "relu"), default=Sizes.activation),
    )
    if sizes.dynamic != len(FEATURES):
        raise WeightsError(f"the network takes {sizes.dynamic} features of a time; supported are {len(FEATURES)}.")
    check_masks(sizes)
    return sizes


def read_scaler(config: Config) -> Scaler:
    """Returns the scaler of a configuration; the ends that it does not name are the usual ones.

    Raises:
        WeightsError: If the ends make no sense.
    """
    scaler = config.section("scaler")
    if scaler is None:
        if "scaler" in config:
            raise config.error("scaler", 'an object such as {"target": [40, 400]}')
        return Scaler()
    scaler.check_names(("target", "lows", "highs"))
    target = scaler.numbers("target", 2, Scaler.target)
    if not target[0] < target[1]:
        raise scaler.error("target", "a low end and a higher one")
    lows, highs = (scaler.numbers(n, len(FEATURES), getattr(Scaler, n)) for n in ("lows", "highs"))
    return Scaler((target[0], target[1]), lows, highs)


def check_options(model: Gluformer) -> None:
    """Check what users choose beside the weights.

    Raises:
        OptionError: If an option makes no sense.
    """
    if isinstance(model.samples, bool) or not isinstance(model.samples, int) or not 1 <= model.samples <= MAX_SAMPLES:
        raise OptionError(f"samples= takes a whole number from 1 to {MAX_SAMPLES:,}, not {brief_repr(model.samples)}.")
    for name, choices in (("output", ("mixture", "samples")), ("masks", ("shared", "window"))):
        if getattr(model, name) not in choices:
            raise OptionError(f"{name}= takes {quoted(choices)}, not {brief_repr(getattr(model, name))}.")


def _positions(weights: Mapping[str, np.ndarray]) -> int:
    table = weights.get("enc_embedding.positional_embedding.pos_emb")
    return int(table.shape[1]) if table is not None and table.ndim == 3 else 5000


def _file(place: Path) -> Path:
    if not path_exists(place) or not place.is_dir():
        return place
    files = sorted(p for p in place.iterdir() if p.suffix in (".safetensors", ".pth", ".pt", ".ckpt"))
    if len(files) != 1:
        names = ", ".join(p.name for p in files) or "none"
        raise WeightsError(
            f"The folder {str(place)!r} must hold one file of weights (.safetensors, .pth); it has {names}."
        )
    return files[0]


_calendars: weakref.WeakKeyDictionary[Dataset, np.ndarray] = weakref.WeakKeyDictionary()


def _calendar(data: Dataset) -> Float32[np.ndarray, "N C"]:
    if data not in _calendars:
        _calendars[data] = _features(data.time)
    return _calendars[data]


def _features(times: Shaped[np.ndarray, "..."]) -> Float32[np.ndarray, "... C"]:
    """`FEATURES` of grid times; where the user's have a zone, in UTC."""
    import polars as pl

    calendar = pl.Series(times.ravel()).cast(pl.Datetime("us")).dt
    fields = (getattr(calendar, name)().to_numpy() for name in FEATURES)
    return np.stack([p.astype(np.float32) for p in fields], -1).reshape(*times.shape, len(FEATURES))
