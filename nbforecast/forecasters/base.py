"""What a forecaster is, and the names under which forecasters are found."""

from __future__ import annotations

import contextlib
import difflib
import json
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from weakref import WeakValueDictionary

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from nbforecast.errors import OptionError, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.data import Dataset


@runtime_checkable
class Forecaster(Protocol):
    """Forecasts for origins of a dataset.

    name: how people call it, and its column in exported tables.
    context: L, the most grid steps a forecast depends on, the origin's own included.
    levels: Q ascending quantile levels the draws stand for; None where draws are equally likely samples.
    draws: Q, forecasts per horizon step.
    key: everything but the data that decides a forecast (the algorithm and its version, settings, a digest of weights);
        part of the cache's key. Equal keys mean equal forecasts.
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
        """For every row 0 where a forecast can be made, else a `UnavailableReason`."""
        ...

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """Forecasts as of some rows, each from nothing but its own context; draws ascend where they are quantiles."""
        ...


def model_key(algorithm: str, version: int, /, **settings: Any) -> str:
    """Returns the key of a built-in forecaster: `theta v1 context=512`.

    Args:
        algorithm: What computes the forecasts. It is not the forecaster's name, which users choose.
        version: The version of the algorithm. It is raised whenever the same settings give other numbers.
        settings: What the user or a file of weights decides. They are written in alphabetical order, as compact JSON.
    """
    parts = (f"{name}={json.dumps(settings[name], separators=(',', ':'))}" for name in sorted(settings))
    return " ".join([algorithm, f"v{version}", *parts])


@dataclass(frozen=True)
class Model:
    """A line of the models' table.

    load: `module:attribute` of a forecaster, of a class of one, or of a function that loads one from `source`, the
    Hugging Face id of its weights.
    """

    name: str
    load: str
    kind: str
    summary: str
    parameters: int = 0
    context: int = 512
    horizons: str = "any"
    draws: str = "10 quantiles"
    licence: str = "Apache-2.0"
    source: str = ""


def _bolt(size: str, parameters: int) -> Model:
    return Model(f"chronos-bolt-{size}", "nbforecast.forecasters.chronos_bolt.forecaster:ChronosBolt.load",
                 "pretrained network", "patches through a transformer, zero-shot", parameters, 2048,
                 draws="9 quantiles",
                 source=f"amazon/chronos-bolt-{size}")  # fmt: skip


_BUILT_IN = (
    Model("pretrained", "nbforecast.forecasters.pretrained.forecaster:Pretrained.load", "pretrained network",
          "weighs and corrects simple forecasts, trained on synthetic series, zero-shot", 2_186_058),
    Model("auto", "nbforecast.forecasters.statistical.auto:Auto", "combination",
          "the three below, weighted by their past errors in the context"),
    Model("naive", "nbforecast.forecasters.statistical.naive:SeasonalNaive", "statistical",
          "seasonal naive; the season is found in the context"),
    Model("theta", "nbforecast.forecasters.statistical.theta:Smoothing", "statistical",
          "exponential smoothing and Theta on the seasonally adjusted context"),
    Model("ridge", "nbforecast.forecasters.statistical.ridge:RidgeAutoregression", "statistical",
          "ridge autoregression, direct for every horizon step"),
    _bolt("tiny", 8_652_672),
    _bolt("mini", 21_236_096),
    _bolt("small", 47_718_016),
    _bolt("base", 205_292_928),
)  # fmt: skip

# what loads a model of a family from a folder or a Hub id, as in `chronos-bolt:my/folder`
_FAMILIES = {
    "chronos-bolt": "nbforecast.forecasters.chronos_bolt.forecaster:ChronosBolt.load",
    "gluformer": "nbforecast.forecasters.gluformer.forecaster:Gluformer.load",
    "pretrained": "nbforecast.forecasters.pretrained.forecaster:Pretrained.load",
}

DEFAULT = "pretrained"
_models: dict[str, Model] = {m.name: m for m in _BUILT_IN}
_forecasters: dict[str, Forecaster] = {}
_handed_over: WeakValueDictionary[tuple[str, str], Forecaster] = WeakValueDictionary()


def register(
    name: str, forecaster: Forecaster | Callable[..., Any], *, summary: str = "", licence: str = "", **options: Any
) -> None:
    """Make a model known under a name, for `model=` and `-m`; an earlier one of that name is replaced.

    forecaster: a `Forecaster`, or a function of contexts (B, L) and the horizon, which returns points (B, H) or draws
    (B, H, Q), or a model of scikit-learn, statsforecast, Darts or neuralforecast (see `forecasters.external`).
    options: for a function: `context`, `levels` or `draws`, `least`, `key` (see `FunctionForecaster`); for a model of
    a library: those of its adapter.
    """
    found = _wrapped(forecaster, name=name, **options)
    _forecasters[name] = found
    kind = "samples" if found.levels is None else "quantiles"
    draws = "points" if found.draws == 1 else f"{found.draws} {kind}"
    _models[name] = Model(name, "", "registered", summary, 0, found.context, draws=draws, licence=licence)


def _wrapped(model: object, **options: Any) -> Forecaster:
    """A forecaster as it is, a library's model or a function as one."""
    if isinstance(model, Forecaster) and not isinstance(model, type):
        if set(options) - {"name"}:
            raise OptionError(f"{', '.join(sorted(set(options) - {'name'}))}: only for functions, not for forecasters.")
        return model
    from nbforecast.forecasters.adapters import adapt

    adapted = adapt(model, **options)
    if adapted is not None:
        return adapted
    if callable(model) and not isinstance(model, type):
        from nbforecast.forecasters.adapters.function import FunctionForecaster

        return FunctionForecaster(model, **options)
    raise OptionError(
        f"{model!r} is neither a name, nor a function, nor a forecaster: it lacks one of name, context, levels, draws, "
        "key, availability() or forecast(). Nor is it a model of scikit-learn, statsforecast, Darts or neuralforecast."
    )


def known() -> tuple[Model, ...]:
    """Every model that can be asked for by name, the default first."""
    return tuple(_models.values())


def resolve(model: str | Forecaster | Callable[..., Any] | None) -> Forecaster:
    """The forecaster of that name (None: the default), or of that family and place, loaded on first use.

    Raises `UnknownModel` with the names there are, or `OptionError` for an object that is no model.
    """
    name = DEFAULT if model is None else model
    if not isinstance(name, str):
        found = _wrapped(name)
        with contextlib.suppress(TypeError):  # not every class can be referred to weakly
            _handed_over[found.name, found.key] = found
        return found
    if name not in _forecasters:
        _forecasters[name] = _load(name)
    return _forecasters[name]


def find_registered(name: str, key: str) -> Forecaster | None:
    """The forecaster of exactly that name and key: known by name, loaded now if need be, or handed over and in use."""
    found = _handed_over.get((name, key))
    if found is None and name in _models:
        resolve(name)
    return found or next((f for f in _forecasters.values() if (f.name, f.key) == (name, key)), None)


def registered_keys() -> frozenset[tuple[str, str | None]]:
    """Names and keys that `find_registered` finds; without a key the names not loaded yet. Any thread may ask."""
    there: set[tuple[str, str | None]] = {(name, None) for name in tuple(_models) if name not in _forecasters}
    for found in tuple(_forecasters.values()):
        with contextlib.suppress(Exception):  # somebody else's property
            there.add((found.name, found.key))
    return frozenset(there.union(ref.key for ref in _handed_over.valuerefs() if ref() is not None))


def portable(model: str | Forecaster | Callable[..., Any] | None) -> str | Forecaster:
    """What resolves to the same forecaster in another process: a name that is known everywhere, or the forecaster."""
    name = DEFAULT if model is None else model
    found = resolve(name)
    return name if isinstance(name, str) and (name not in _models or _models[name].load) else found


def _load(name: str) -> Forecaster:
    family, _, place = name.partition(":")
    if name in _models:
        model = _models[name]
        return pkgutil.resolve_name(model.load)(*([model.source] if model.source else []))
    if place and family in _FAMILIES:
        return pkgutil.resolve_name(_FAMILIES[family])(place)
    near = difflib.get_close_matches(name, _models, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    families = ", ".join(f"{f}:{'FOLDER' if f == 'chronos-bolt' else 'FILE'}" for f in _FAMILIES)
    raise UnknownModel(f"No model is called {name!r}.{hint} There are: {', '.join(_models)}, {families}.")
