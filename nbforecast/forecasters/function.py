"""Anybody's own model: a plain function of contexts, of any library, as a forecaster."""

from __future__ import annotations

import functools
import hashlib
import secrets
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import ForecasterError, OptionError
from nbforecast.forecasters.windows import cut, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jaxtyping import Float32, Int64, UInt8

    from nbforecast.series import Dataset


class FunctionForecaster:
    """Wraps `function(contexts, horizon)`.

    contexts: float64 (B, L), the newest value last; NaN to the left of a short history and where nothing was observed,
        but for gaps of up to `max_gap` steps, which are bridged.
    It returns (B, H) point forecasts, or (B, H, Q): quantiles at `levels`, or else `draws` equally likely samples.

    least: observations that a context must have. key: tells versions of the model apart in the cache; by default a
    digest of the function's code and of the plain values it refers to. A function that refers to something else (a
    fitted model, say) has a new key in every kernel, unless one is given.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        context: int = 512,
        levels: Sequence[float] | None = None,
        draws: int | None = None,
        least: int = 8,
        key: str | None = None,
    ) -> None:
        if levels is not None:
            levels = tuple(float(q) for q in levels)
            if list(levels) != sorted(set(levels)) or not levels or not all(0 < q < 1 for q in levels):
                raise OptionError(f"levels= takes ascending probabilities between 0 and 1, not {levels}.")
            if draws not in (None, len(levels)):
                raise OptionError(f"draws={draws} does not fit {len(levels)} levels; leave it out.")
        count = len(levels) if levels else 1 if draws is None else draws
        for option, value in (("context", context), ("draws", count), ("least", least)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{option}= takes a positive number, not {value!r}.")
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.context = context
        self.levels = levels
        self.draws = count
        self.key = f"{self.name} {context} {levels} {count} {least} {key or code_digest(function)}"
        self._function = function
        self._least = min(least, context)

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        return usable(data, self.context, self._least)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        windows, location = cut(data, rows, self.context, seed)
        contexts = np.asarray(windows.values, np.float64) + location[:, None]
        found = np.asarray(self._function(contexts, horizon), np.float64)
        wanted = (len(rows), horizon, self.draws)
        if found.shape == wanted[:2] and self.draws == 1:
            found = found[..., None]
        if found.shape != wanted:
            told = "levels= or draws= say how many" if found.ndim == 3 else "point forecasts are (origins, horizon)"
            raise ForecasterError(
                f"The model {self.name!r} returned an array of shape {found.shape}; expected (origins, horizon, draws) "
                f"= {wanted}; {told}."
            )
        return found.astype(np.float32)

    def __repr__(self) -> str:
        return f"FunctionForecaster({self.name!r}, context={self.context}, draws={self.draws})"


def code_digest(function: object) -> str:
    """A digest of a function's code, defaults and the plain values it refers to; another one each time for others."""
    digest = hashlib.sha256()
    try:
        for part in _parts(function, set()):
            digest.update(part)
    except TypeError:
        return f"kernel {secrets.token_hex(8)}"
    return digest.hexdigest()[:16]


def _released(value: object) -> str:
    """The version of the library that a function or class comes from; empty for what is a user's own."""
    package = (getattr(value, "__module__", None) or "builtins").partition(".")[0]
    return sys.version if package == "builtins" else str(getattr(sys.modules.get(package), "__version__", ""))


def _parts(value: object, seen: set[int]) -> Iterator[bytes]:
    """What identifies a value, in bytes; raises `TypeError` where nothing does."""
    if id(value) in seen:
        return
    yield f"{type(value).__name__}:".encode()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        yield repr(value).encode()
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _parts(item, seen)
    elif isinstance(value, dict):
        for item in value.items():
            yield from _parts(item, seen)
    elif isinstance(value, types.ModuleType):
        yield f"{value.__name__} {getattr(value, '__version__', '')}".encode()
    elif isinstance(value, functools.partial):
        yield from _parts((value.func, value.args, sorted(value.keywords.items())), seen)
    elif isinstance(value, types.CodeType):
        yield value.co_code + repr((value.co_names, value.co_varnames)).encode()
        yield from _parts(value.co_consts, seen)
    elif isinstance(value, types.FunctionType) and not _released(value):
        seen.add(id(value))
        names = [n for n in value.__code__.co_names if n in value.__globals__]
        cells = [c.cell_contents for c in value.__closure__ or ()]
        yield from _parts((value.__code__, value.__defaults__, value.__kwdefaults__, cells), seen)
        yield from _parts([value.__globals__[n] for n in names], seen)
    elif isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)) and _released(value):
        yield f"{_released(value)} {getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}".encode()
    else:
        raise TypeError(f"{value!r} does not say what it is")
