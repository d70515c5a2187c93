"""A user's own model as a forecaster: a plain function of contexts, of any library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from nbforecast.checks import check_probabilities
from nbforecast.errors import ForecasterError, OptionError
from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.forecasters.windows import cut_windows, full_context_availability, partial_context_availability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset


class FunctionForecaster:
    """A forecaster that calls `function(contexts, horizon)`.

    The contexts are float64 (B, L), the newest value last; NaN to the left of a short history and where nothing was
    observed, but for gaps of up to `max_gap` steps, which are bridged. The function returns (B, H) point forecasts, or
    (B, H, Q): quantiles at `levels`, or else `draws` equally likely samples.

    Args:
        function: The function.
        name: The forecaster's name; by default the function's.
        context: L, the most steps that the function receives.
        levels: The ascending probability levels of the quantiles it returns.
        draws: The number of samples it returns, if they are not quantiles.
        least: The fewest observations of a context.
        key: The version of the model in the cache; by default a digest of the function's code and of what it refers to,
            such as a fitted model (see `code_digest`).
        whole: Whether a context must have no gap that is not bridged, from its first observation on, and `least` steps.
        seeded: Whether the function also receives the seed: `function(contexts, horizon, seed)`.
        batch: The origins of one call, for functions of which every call is slow; by default as few as is quick.

    Raises:
        OptionError: If an option is impossible.
    """

    algorithm_version: ClassVar[int] = 1

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
        whole: bool = False,
        seeded: bool = False,
        batch: int | None = None,
    ) -> None:
        if levels is not None:
            check_probabilities(levels, "levels=")
            levels = tuple(float(q) for q in levels)
            if list(levels) != sorted(set(levels)) or not levels:
                raise OptionError(f"levels= takes ascending probabilities between 0 and 1, not {levels}.")
            if draws not in (None, len(levels)):
                raise OptionError(f"draws={draws} does not fit {len(levels)} levels; leave it out.")
        count = len(levels) if levels else 1 if draws is None else draws
        for option, value in (
            ("context", context),
            ("draws", count),
            ("least", least),
            ("batch", 1 if batch is None else batch),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{option}= takes a positive number, not {value!r}.")
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.context = context
        self.levels = levels
        self.draws = count
        self.key = model_key(
            "function",
            self.algorithm_version,
            context=context,
            levels=levels,
            draws=count,
            least=least,
            whole=whole,
            seeded=seeded,
            code=key or code_digest(function),
        )
        self.batch_sizes = None if batch is None else (batch,)
        self._function = function
        self._least = min(least, context)
        self._whole = whole
        self._seeded = seeded

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """See `Forecaster.availability`."""
        if self._whole:
            return full_context_availability(data, self.context, self._least)
        return partial_context_availability(data, self.context, self._least)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """See `Forecaster.forecast`; what the function returns is checked."""
        windows, location = cut_windows(data, rows, self.context, seed)
        contexts = np.asarray(windows.values, np.float64) + location[:, None]
        draws = np.asarray(self._function(contexts, horizon, *([seed] if self._seeded else [])), np.float64)
        shape = (len(rows), horizon, self.draws)
        if draws.shape == shape[:2] and self.draws == 1:
            draws = draws[..., None]
        if draws.shape != shape:
            hint = "levels= or draws= say how many" if draws.ndim == 3 else "point forecasts are (origins, horizon)"
            raise ForecasterError(
                f"The model {self.name!r} returned an array of shape {draws.shape}; expected (origins, horizon, draws) "
                f"= {shape}; {hint}."
            )
        return draws.astype(np.float32)

    def __repr__(self) -> str:
        return f"FunctionForecaster({self.name!r}, context={self.context}, draws={self.draws})"
