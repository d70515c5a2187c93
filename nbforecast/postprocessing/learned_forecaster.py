"""A forecaster whose forecasts are another's, corrected by what that one's past errors teach (H1)."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from nbforecast.errors import ForecasterError
from nbforecast.forecasters.base import model_key, uses_seed
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.postprocessing.residual_model import learn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.postprocessing.residual_model import BaseForecasts

_VERSION = 1  # of the algorithm; raised whenever equal base forecasts give other numbers


class LearnedForecaster:
    """Corrects the forecasts of a base model, from every origin of one dataset at once.

    Attributes:
        name: The name of the base with the suffix `-learned`.
        context: That of the base.
        levels: The probability levels of the base's draws.
        draws: Q, their number.
        key: The keys of the base and of the other models, the handle of the data and the digest of its covariates: a
            correction depends on all of a series' past, and in a panel on the other series.
    """

    def __init__(
        self,
        base: Forecaster,
        others: Sequence[Forecaster],
        data: Dataset,
        read: Callable[[], BaseForecasts | None],
        has_covariates: Bool[np.ndarray, " N"],
    ) -> None:
        """Describe the correction; nothing is computed yet.

        Args:
            base: The forecaster that is corrected.
            others: Forecasters whose medians are features.
            data: The dataset.
            read: Returns the forecasts of all of them from every origin, or None while some are missing.
            has_covariates: (N,) the origins from which all covariates are known ahead.
        """
        self._base = base
        self._read = read
        self._has_covariates = has_covariates
        self._lock = threading.Lock()
        self._learned: Float32[np.ndarray, "N H Q"] | None = None
        self.name = f"{base.name}-learned"
        self.context = base.context
        self.levels = base.levels
        self.draws = base.draws
        self.uses_seed = any(uses_seed(forecaster) for forecaster in (base, *others))
        models = hashlib.sha256(repr([base.key, *(other.key for other in others)]).encode()).hexdigest()[:16]
        covariates = "" if data.covariates is None else data.covariates.digest
        self.key = model_key("learned", _VERSION, covariates=covariates, data=data.handle, models=models)

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """That of the base; an origin without its covariates ahead is `NO_COVARIATES`."""
        reasons = self._base.availability(data)
        is_missing = (reasons == UnavailableReason.AVAILABLE) & ~self._has_covariates
        return np.where(is_missing, UnavailableReason.NO_COVARIATES, reasons).astype(np.uint8)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """The corrected draws of some rows; the first request computes those of all.

        Raises:
            ForecasterError: Forecasts of the base or of another model are missing.
        """
        with self._lock:
            if self._learned is None:
                base = self._read()
                if base is None:
                    raise ForecasterError(
                        f"{self.name!r} learns from the forecasts of all origins, and some are missing: their run was "
                        "cancelled or failed. Request it again."
                    )
                self._learned = learn(base)
        return self._learned[rows]
