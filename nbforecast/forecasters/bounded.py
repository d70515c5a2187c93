"""A forecaster whose draws stay within bounds that the user names (S12)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from nbforecast.forecasters.base import uses_seed
from nbforecast.forecasters.covariate_use import declared_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.forecasters.covariate_use import CovariateUse

_WITHIN = re.compile(r"(.*) within \[([^\[\], ]+), ([^\[\], ]+)\]", re.DOTALL)


@dataclass(frozen=True)
class Bounds:
    """The smallest and the largest value that a forecast may have."""

    minimum: float = -np.inf
    maximum: float = np.inf


@dataclass(frozen=True)
class BoundedForecaster:
    """Forecasts as another forecaster does, with draws moved to the nearest bound.

    The bounds are part of the key: results of other bounds are other results, and scores are those of bounded draws.

    Attributes:
        model: The other forecaster.
        bounds: The bounds.
    """

    model: Forecaster
    bounds: Bounds

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.name

    @property
    def context(self) -> int:
        """The context of the model, in steps."""
        return self.model.context

    @property
    def levels(self) -> tuple[float, ...] | None:
        """The probability levels of the model."""
        return self.model.levels

    @property
    def draws(self) -> int:
        """The number of draws of the model."""
        return self.model.draws

    @property
    def key(self) -> str:
        """The key of the model, and the bounds."""
        return f"{self.model.key} within [{self.bounds.minimum:.17g}, {self.bounds.maximum:.17g}]"

    @property
    def batch_sizes(self) -> tuple[int, ...] | None:
        """The batch sizes of the model, if it has its own."""
        return getattr(self.model, "batch_sizes", None)

    @property
    def windows_per_core(self) -> int | None:
        """How many windows a core infers at once, if the model says so."""
        return getattr(self.model, "windows_per_core", None)

    @property
    def seconds_to_compile(self) -> Callable[[int, int], float | None] | None:
        """How long the model's functions took to compile, by horizon and batch, if it compiles any."""
        return getattr(self.model, "seconds_to_compile", None)

    @property
    def covariate_use(self) -> CovariateUse | None:
        """Which covariates the model reads."""
        return declared_use(self.model)

    @property
    def uses_seed(self) -> bool:
        """Whether forecasts of the model depend on the seed."""
        return uses_seed(self.model)

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """See `Forecaster.availability`."""
        return self.model.availability(data)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """See `Forecaster.forecast`; every draw lies within the bounds."""
        draws = self.model.forecast(data, rows, horizon, seed)
        return np.clip(draws, np.float32(self.bounds.minimum), np.float32(self.bounds.maximum))


def with_bounds(forecaster: Forecaster, bounds: Bounds) -> Forecaster:
    """Return a forecaster within other bounds than its own; the model itself where there are none."""
    model = forecaster.model if isinstance(forecaster, BoundedForecaster) else forecaster
    return model if bounds == Bounds() else BoundedForecaster(model, bounds)


def split_key(key: str) -> tuple[str, Bounds | None]:
    """Return the key of a bounded forecaster's model and its bounds; another key and None.

    Example:
        >>> split_key("naive v1 context=512 within [0, inf]")
        ('naive v1 context=512', Bounds(minimum=0.0, maximum=inf))
    """
    match = _WITHIN.fullmatch(key)
    try:
        return (key, None) if match is None else (match[1], Bounds(float(match[2]), float(match[3])))
    except ValueError:
        return key, None
