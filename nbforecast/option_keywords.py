"""Options as keyword arguments: for type checkers, for help, and for errors that name the nearest one."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from nbforecast.options import ForecastOptions
from nbforecast.text import did_you_mean

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


class PanelKeywords(TypedDict, total=False):
    """The options that requests of any size take as keyword arguments; see `ForecastOptions`."""

    time: str | Sequence[str] | None
    target: str | None
    id: str | Sequence[str] | None
    freq: Any
    calendar: Any
    fill: Any
    minimum: float | None
    maximum: float | None
    max_duration: Any
    date_order: str | None
    decimal: str | None
    unit: str | None
    convert_to: str | None
    seed: int
    force: bool
    exact: bool
    learn: bool


class ForecastKeywords(PanelKeywords, total=False):
    """The options that requests for one dataset take as keyword arguments; see `ForecastOptions`."""

    static: str | Sequence[str] | None
    future_covariates: str | Sequence[str] | None
    past_covariates: str | Sequence[str] | None
    issued_covariates: Any
    holidays: str | None
    groups: str | Sequence[str] | None
    origins: Any
    every: Any
    at: str | dt.time | None
    calibrate: bool
    name: str | None


class ExploreKeywords(ForecastKeywords, total=False):
    """The options that `nbforecast.explore` takes as keyword arguments; see `ForecastOptions`."""

    horizon: int | str | dt.timedelta


def takes_options(keywords: type) -> Callable[[F], F]:
    """Show the options in the signature of a function with `**options: Unpack[keywords]`.

    Help and tab completion list the options, and a name that is no parameter is an error that names the nearest one.

    Args:
        keywords: `ForecastKeywords` or another TypedDict of options.

    Returns:
        A decorator.
    """
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(ForecastOptions)
        if f.name in keywords.__annotations__
    ]

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = [p.name for p in (*own, *options)]

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for name in keywords:
                if name not in names:
                    hint = did_you_mean(name, names)
                    raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}.{hint}")
            return function(*arguments, **keywords)

        checked.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return cast("F", checked)

    return decorate
