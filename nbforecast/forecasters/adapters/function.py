"""A user's own model as a forecaster: a plain function of contexts, of any library."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from nbforecast.checks import check_probabilities
from nbforecast.data.covariate_grid import cut_covariates
from nbforecast.errors import ForecasterError, OptionError
from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.code_digest import code_digest
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.forecasters.windows import cut_windows, full_context_availability, partial_context_availability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset


class FunctionForecaster:
    """A forecaster that calls `function(contexts, horizon)`.

    The contexts are float64 (B, L), the newest value last; NaN to the left of a short history and where nothing was
    observed, but for gaps of up to `max_gap` steps, which are bridged. The function returns (B, H) point forecasts, or
    (B, H, Q): quantiles at `levels`, or else `draws` equally likely samples.

    A function with a parameter `past` or `future` reads covariates, float64 with one column for each of K: `past`
    (B, L, K) beside the contexts, `future` (B, H, K) at the times that are forecast. The columns are those of
    `covariates`, by default all: known ahead, holidays, known up to the origin, each in the order named, a text of a
    category as one column. In `future` a covariate that is known up to the origin only is NaN. An origin whose horizon
    lacks one known ahead is unavailable. Where the data have no such covariate, the parameters keep their defaults; a
    function without defaults needs one.

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
        covariates: The names of the covariates that the function reads, in its order; by default all.
        complete: Whether a context must lack no covariate; by default NaN stands for one that is missing.
        only_ahead: Whether covariates that are known up to the origin only are left out.

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
        covariates: Sequence[str] | None = None,
        complete: bool = False,
        only_ahead: bool = False,
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
        self.covariate_use = _covariate_use(function, covariates, complete=complete, only_ahead=only_ahead)
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
        self.uses_seed = seeded

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
        options = {} if self.covariate_use is None else self._cut_covariates(data, rows, horizon, self.covariate_use)
        draws = np.asarray(
            self._function(contexts, horizon, *([seed] if self.uses_seed else []), **options), np.float64
        )
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

    def _cut_covariates(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, use: CovariateUse
    ) -> dict[str, Float64[np.ndarray, "R _ K"]]:
        columns = use.columns(data, horizon, self.name)
        if not len(columns) and not use.required:
            return {}
        past, future = cut_covariates(data, rows, self.context, horizon)
        return ({"past": past[..., columns]} if use.past else {}) | (
            {"future": future[..., columns]} if use.future else {}
        )

    def __repr__(self) -> str:
        return f"FunctionForecaster({self.name!r}, context={self.context}, draws={self.draws})"


def _covariate_use(
    function: Callable[..., Any], names: Sequence[str] | None, *, complete: bool, only_ahead: bool
) -> CovariateUse | None:
    """What a function reads, by the names of its parameters; None if no covariate."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of a library in C
        parameters = {}  # type: ignore[assignment]
    past, future = "past" in parameters, "future" in parameters
    required = any(p.default is p.empty for n, p in parameters.items() if n in ("past", "future"))
    if not (past or future):
        if names is not None:
            raise OptionError(
                "covariates= names what a function reads, and this one has neither a parameter past nor future: define "
                "it as f(contexts, horizon, past, future)."
            )
        return None
    if isinstance(names, str):
        raise OptionError(f"covariates= takes a list of names, not the text {names!r}.")
    return CovariateUse(past, future, None if names is None else tuple(map(str, names)), complete, only_ahead, required)
