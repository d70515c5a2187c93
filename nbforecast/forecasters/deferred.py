"""The forecaster of saved results, which is looked up only once it has to forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from nbforecast.errors import OptionError, UnknownModel
from nbforecast.forecasters.base import uses_seed
from nbforecast.forecasters.bounded import split_key
from nbforecast.forecasters.covariate_use import declared_use
from nbforecast.forecasters.registry import find_registered, registered_keys

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.forecasters.covariate_use import CovariateUse


@dataclass(frozen=True)
class DeferredForecaster:
    """Stands for the forecaster of a name and key, and finds it once one of its forecasts is requested.

    Attributes:
        name: The forecaster's name.
        key: Its key.
        context: L, as the results were made with.
        levels: The probability levels of their draws.
        use: What the results depend on beside the values of their series; None if on nothing.
    """

    name: str
    key: str
    context: int
    levels: tuple[float, ...]
    use: CovariateUse | None = None

    @property
    def draws(self) -> int:
        """The number of quantiles."""
        return len(self.levels)

    @property
    def batch_sizes(self) -> tuple[int, ...] | None:
        """The batch sizes of the model, if it has its own; loads it."""
        return getattr(self.model(), "batch_sizes", None)

    @property
    def windows_per_core(self) -> int | None:
        """How many windows a core infers at once, if the model says so; loads it."""
        return getattr(self.model(), "windows_per_core", None)

    @property
    def covariate_use(self) -> CovariateUse | None:
        """Which covariates the model reads; loads it."""
        return declared_use(self.model())

    @property
    def uses_seed(self) -> bool:
        """Whether forecasts depend on the seed; loads the model."""
        return uses_seed(self.model())

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """See `Forecaster.availability`; loads the model."""
        return self.model().availability(data)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """See `Forecaster.forecast`; loads the model.

        Raises:
            OptionError: See `check_inputs`.
        """
        self.check_inputs(data)
        return self.model().forecast(data, rows, horizon, seed)

    def check_inputs(self, data: Dataset) -> None:
        """Raise an error if forecasts of some data would lack what the results depend on.

        Args:
            data: The dataset, of a frame or of a file of the cache.

        Raises:
            OptionError: The results depend on covariates or groups, and the data have none: files of the cache hold
                neither.
        """
        if self.use is None or data.covariates is not None or data.groups is not None:
            return
        raise OptionError(
            f"These forecasts of {self.name!r} depend on covariates, or on other series of a group, which files of the "
            "cache do not hold. Forecast anew with the frame and the options that it was forecast with."
        )

    def model(self) -> Forecaster:
        """Returns the forecaster itself, which is loaded if need be.

        Raises:
            UnknownModel: If this process has no such forecaster; the message says what to do.
        """
        forecaster = find_registered(self.name, self.key)
        if forecaster is None:
            raise UnknownModel(describe_unknown_model(self.name, self.key, registered_keys()))
        return forecaster


def describe_unknown_model(name: str, key: str, keys: frozenset[tuple[str, str | None]]) -> str:
    """Returns why a model cannot be found and what to do; an empty text if it can be, or may be.

    Args:
        name: The model's name.
        key: Its key.
        keys: What `registered_keys` returned.
    """
    key, _ = split_key(key)
    if (name, key) in keys or (name, None) in keys:
        return ""
    if key.startswith("table "):
        return (
            f"The forecasts of {name!r} come from a table that this kernel has not read. Read it anew with "
            "nbf.from_long."
        )
    if any(name == other for other, _ in keys):
        return (
            f"What is called {name!r} in this kernel is not the model that these results were made by: its code, "
            f"settings or weights differ. Have the data forecast by it: nbf.forecast(frame, {name!r})."
        )
    return (
        f"The model {name!r} that these results were made by is not known to this kernel. Run the cells that define "
        f"it and nbf.register({name!r}, model), or forecast with it: nbf.forecast(frame, model)."
    )
