"""What a forecaster is, and the names under which forecasters are found."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nbforecast.errors import OptionError, UnknownModel

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32, Int64, UInt8

    from nbforecast.series import Dataset


@runtime_checkable
class Forecaster(Protocol):
    """Forecasts for origins of a dataset.

    name: how people call it, and its column in exported tables.
    context: L, the most grid steps a forecast depends on, the origin's own included.
    levels: Q ascending quantile levels the draws stand for; None where draws are equally likely samples.
    draws: Q, forecasts per horizon step.
    key: everything but the data that decides a forecast (weights digest, settings); part of the cache's key.
    """

    @property
    def name(self) -> str: ...
    @property
    def context(self) -> int: ...
    @property
    def levels(self) -> tuple[float, ...] | None: ...
    @property
    def draws(self) -> int: ...
    @property
    def key(self) -> str: ...

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """For every row 0 where a forecast can be made, else a `Reason`."""
        ...

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """Forecasts as of some rows, each from nothing but its own context; draws ascend where they are quantiles."""
        ...


@dataclass(frozen=True)
class Model:
    """A line of the models' table. `load` is `module:attribute` of a `Forecaster` or of a class of one."""

    name: str
    load: str
    kind: str
    summary: str
    parameters: int = 0
    context: int = 512
    licence: str = "Apache-2.0"
    weights: str = "none needed"


_BUILT_IN = (
    Model("auto", "nbforecast.forecasters.auto:Auto", "combination",
          "the three below, weighted by their past errors in the context"),
    Model("naive", "nbforecast.forecasters.naive:SeasonalNaive", "statistical",
          "seasonal naive; the season is found in the context"),
    Model("theta", "nbforecast.forecasters.smoothing:Smoothing", "statistical",
          "exponential smoothing and Theta on the seasonally adjusted context"),
    Model("ridge", "nbforecast.forecasters.ridge:RidgeAutoregression", "statistical",
          "ridge autoregression, direct for every horizon step"),
)  # fmt: skip

DEFAULT = "auto"
_models: dict[str, Model] = {m.name: m for m in _BUILT_IN}
_forecasters: dict[str, Forecaster] = {}


def register(name: str, forecaster: Forecaster, *, summary: str = "", licence: str = "") -> None:
    """Make a forecaster known under a name, for `model=` and `-m`; an earlier one of that name is replaced."""
    if not isinstance(forecaster, Forecaster):
        raise OptionError(
            f"{forecaster!r} is not a forecaster: it lacks one of name, context, levels, draws, key, "
            "availability() or forecast()."
        )
    _forecasters[name] = forecaster
    _models[name] = Model(name, "", "registered", summary, context=forecaster.context, licence=licence)


def known() -> tuple[Model, ...]:
    """Every model that can be asked for by name, the default first."""
    return tuple(_models.values())


def resolve(model: str | Forecaster | None) -> Forecaster:
    """The forecaster of that name (None: the default), loaded on first use.

    Raises `UnknownModel` with the names there are, or `OptionError` for an object that is no forecaster.
    """
    name = DEFAULT if model is None else model
    if not isinstance(name, str):
        if not isinstance(name, type) and isinstance(name, Forecaster):
            return name
        raise OptionError(f"model= takes a name or a forecaster, not {name!r}.")
    if name not in _models:
        near = difflib.get_close_matches(name, _models, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownModel(f"No model is called {name!r}.{hint} There are: {', '.join(_models)}.")
    if name not in _forecasters:
        module, _, attribute = _models[name].load.partition(":")
        _forecasters[name] = getattr(importlib.import_module(module), attribute)()
    return _forecasters[name]
