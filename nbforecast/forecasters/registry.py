"""The names under which forecasters are found."""

from __future__ import annotations

import contextlib
import pkgutil
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from nbforecast.errors import OptionError, UnknownModel
from nbforecast.forecasters.base import Forecaster
from nbforecast.forecasters.bounded import BoundedForecaster, Bounds, split_key
from nbforecast.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Model:
    """A row of the table of models.

    Attributes:
        name: The name for `model=`.
        load: `module:attribute` of a forecaster, of its class, or of a function that loads one from `source`; empty
            for a registered model.
        kind: What sort of model it is.
        summary: What it does, in a few words.
        parameters: The number of learned weights.
        context: The most steps that a forecast depends on.
        horizons: The horizons that it can forecast.
        draws: The number of draws per step and what they are.
        licence: The licence of its weights.
        source: The Hugging Face id of its weights.
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


def _chronos_2(name: str, parameters: int, levels: int, source: str) -> Model:
    return Model(name, "nbforecast.forecasters.chronos2.forecaster:Chronos2.load",
                 "pretrained network", "patches of a series and its covariates through a transformer, zero-shot",
                 parameters, 2048, draws=f"{levels} quantiles", source=source)  # fmt: skip


_BUILT_IN = (
    Model("pretrained", "nbforecast.forecasters.pretrained.forecaster:Pretrained.load", "pretrained network",
          "weighs and corrects simple forecasts, trained on synthetic series, zero-shot", 1_381_788),
    Model("auto", "nbforecast.forecasters.statistical.auto:Auto", "combination",
          "the three below, weighted by their past errors in the context"),
    Model("naive", "nbforecast.forecasters.statistical.naive:SeasonalNaive", "statistical",
          "seasonal naive; the season is found in the context"),
    Model("theta", "nbforecast.forecasters.statistical.smoothing_theta:Theta", "statistical",
          "exponential smoothing and Theta on the seasonally adjusted context"),
    Model("ridge", "nbforecast.forecasters.statistical.ridge:RidgeAutoregression", "statistical",
          "ridge autoregression, direct for every horizon step"),
    _bolt("tiny", 8_652_672),
    _bolt("mini", 21_236_096),
    _bolt("small", 47_718_016),
    _bolt("base", 205_292_928),
    _chronos_2("chronos-2-small", 27_934_624, 13, "autogluon/chronos-2-small"),
    _chronos_2("chronos-2", 119_477_664, 21, "amazon/chronos-2"),
)  # fmt: skip

# what loads a model of a family from a folder, a file or a Hub id, as in `chronos-bolt:my/folder`
_FAMILIES = {
    "chronos-2": "nbforecast.forecasters.chronos2.forecaster:Chronos2.load",
    "chronos-bolt": "nbforecast.forecasters.chronos_bolt.forecaster:ChronosBolt.load",
    "gluformer": "nbforecast.forecasters.gluformer.forecaster:Gluformer.load",
    "pretrained": "nbforecast.forecasters.pretrained.forecaster:Pretrained.load",
}

DEFAULT = "pretrained"
_models: dict[str, Model] = {m.name: m for m in _BUILT_IN}
_forecasters: dict[str, Forecaster] = {}
_in_use: WeakValueDictionary[tuple[str, str], Forecaster] = WeakValueDictionary()


def register(
    name: str, forecaster: Forecaster | Callable[..., Any], *, summary: str = "", licence: str = "", **options: Any
) -> None:
    """Register a model under a name, for `model=` and `-m`. It replaces an earlier model of that name.

    Args:
        name: The name.
        forecaster: A `Forecaster`; or a function of contexts (B, L) and the horizon H that returns points (B, H) or
            draws (B, H, Q); or a model of scikit-learn, statsforecast, Darts or neuralforecast (see
            `forecasters.adapters`).
        summary: What the model does, for the table of models.
        licence: Its licence, for the table of models.
        **options: For a function `context`, `levels` or `draws`, `least` and `key` (see `FunctionForecaster`); for a
            library's model the options of its adapter.

    Raises:
        OptionError: If `forecaster` is none of these, or an option does not belong to it.

    Example:
        >>> nbf.register("last", lambda contexts, horizon: contexts[:, -1:].repeat(horizon, 1), context=1)
    """
    resolved = as_forecaster(forecaster, name=name, **options)
    _forecasters[name] = resolved
    kind = "samples" if resolved.levels is None else "quantiles"
    draws = "points" if resolved.draws == 1 else f"{resolved.draws} {kind}"
    _models[name] = Model(name, "", "registered", summary, 0, resolved.context, draws=draws, licence=licence)


def as_forecaster(model: object, **options: Any) -> Forecaster:
    """Returns a forecaster as it is, and a library's model or a function wrapped as a forecaster.

    Args:
        model: The forecaster, model or function.
        **options: The options of `register`.

    Raises:
        OptionError: If it is none of these, or an option does not belong to it.
    """
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


def registered_models() -> tuple[Model, ...]:
    """Returns every model that has a name, the default first."""
    return tuple(_models.values())


def resolve(
    model: str | Forecaster | Callable[..., Any] | None, minimum: float | None = None, maximum: float | None = None
) -> Forecaster:
    """Returns the forecaster that a request's `model=` means; one with weights is loaded on first use.

    Args:
        model: A name, `family:place` such as `chronos-bolt:my/folder`, a forecaster, a library's model or a function;
            None means the default model.
        minimum: The smallest value that forecasts may have; None for no bound.
        maximum: The largest value that forecasts may have; None for no bound.

    Raises:
        UnknownModel: If no model has that name; the message lists the names.
        OptionError: If an object is no model.
    """
    if minimum is not None or maximum is not None:
        lower, upper = -inf if minimum is None else float(minimum), inf if maximum is None else float(maximum)
        return BoundedForecaster(resolve(model), Bounds(lower, upper))
    name = DEFAULT if model is None else model
    if not isinstance(name, str):
        forecaster = as_forecaster(name)
        with contextlib.suppress(TypeError):  # not every class can be referred to weakly
            _in_use[forecaster.name, forecaster.key] = forecaster
        return forecaster
    if name not in _forecasters:
        _forecasters[name] = _load(name)
    return _forecasters[name]


def is_bundled(model: object) -> bool:
    """Returns whether a request's `model=` means a model of the package that needs no download.

    Args:
        model: As for `resolve`.
    """
    name = DEFAULT if model is None else model
    return isinstance(name, str) and any(m.name == name and m.load and not m.source for m in _models.values())


def find_registered(name: str, key: str) -> Forecaster | None:
    """Returns the forecaster of exactly that name and key; None if this process has none.

    A registered name is loaded first. An object that some request was made with is found as long as it exists.
    """
    model_key, bounds = split_key(key)
    if bounds is not None:
        model = find_registered(name, model_key)
        return None if model is None else BoundedForecaster(model, bounds)
    forecaster = _in_use.get((name, key))
    if forecaster is None and name in _models:
        resolve(name)
    return forecaster or next((f for f in _forecasters.values() if (f.name, f.key) == (name, key)), None)


def registered_keys() -> frozenset[tuple[str, str | None]]:
    """Returns the names and keys that `find_registered` finds. Any thread may call this.

    Returns:
        Pairs of a name and a key. The key is None for a name that is not loaded yet.
    """
    keys: set[tuple[str, str | None]] = {(name, None) for name in tuple(_models) if name not in _forecasters}
    for forecaster in tuple(_forecasters.values()):
        with contextlib.suppress(Exception):  # the properties are a user's code
            keys.add((forecaster.name, forecaster.key))
    return frozenset(keys.union(ref.key for ref in _in_use.valuerefs() if ref() is not None))


def to_portable(model: str | Forecaster | Callable[..., Any] | None) -> str | Forecaster:
    """Returns what resolves to the same forecaster in another process: a built-in model's name, or the forecaster."""
    name = DEFAULT if model is None else model
    forecaster = resolve(name)
    return name if isinstance(name, str) and (name not in _models or _models[name].load) else forecaster


def _load(name: str) -> Forecaster:
    family, _, place = name.partition(":")
    if name in _models:
        model = _models[name]
        return pkgutil.resolve_name(model.load)(*([model.source] if model.source else []))
    if place and family in _FAMILIES:
        return pkgutil.resolve_name(_FAMILIES[family])(place)
    hint = did_you_mean(name, _models)
    families = ", ".join(f"{f}:{'FOLDER' if f.startswith('chronos') else 'FILE'}" for f in _FAMILIES)
    raise UnknownModel(f"No model is called {name!r}.{hint} There are: {', '.join(_models)}, {families}.")
