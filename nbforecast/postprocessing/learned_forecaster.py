"""A forecaster whose forecasts are another's, corrected by what that one's past errors teach (H1)."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from nbforecast.errors import ForecasterError
from nbforecast.forecasters.base import WHOLE_HISTORY, model_key, uses_seed
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.postprocessing.residual_model import Learner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.postprocessing.panel_fit import PanelFit
    from nbforecast.postprocessing.residual_model import BaseForecasts

_VERSION = 3  # of the algorithm; raised whenever equal base forecasts give other numbers
COVARIATES_OF_LEARNING = CovariateUse()
_HELD_LEARNERS = 4


def _covariates_of_learning(data: Dataset) -> CovariateUse | None:
    """What a correction reads beside a series' own values; None if nothing. The model it corrects may read groups."""
    if data.covariates is None and data.groups is None:
        return None
    return replace(COVARIATES_OF_LEARNING, siblings=data.groups is not None)


class Learners:
    """The learners of a process by what they learn from; those used last are held, and go on where data grow."""

    def __init__(self, panel: PanelFit | None = None) -> None:
        """Begin without learners.

        Args:
            panel: The regression of a panel of which the learners see a part; None where they see all.
        """
        self._panel = panel
        self._lock = threading.Lock()
        self._learners: OrderedDict[tuple[str, int, tuple[str, ...]], Learner] = OrderedDict()

    def get(self, key: str, horizon: int, ids: tuple[str, ...]) -> Learner:
        """The learner of some forecasts, which begins if there is none.

        Args:
            key: Of the models and covariates.
            horizon: H.
            ids: The series.
        """
        with self._lock:
            learner = self._learners.pop((key, horizon, ids), None) or Learner(self._panel)
            self._learners[key, horizon, ids] = learner
            if len(self._learners) > _HELD_LEARNERS:
                self._learners.popitem(last=False)
            return learner


class LearnedForecaster:
    """Corrects the forecasts of a base model, from every origin of one dataset.

    Attributes:
        name: The name of the base with the suffix `-learned`.
        context: All of a series' past.
        levels: The probability levels of the base's draws.
        draws: Q, their number.
        key: The keys of the base and of the other models, the series of a panel, since each learns from all, and the
            digest of covariates that were issued over time.
        covariate_use: What it reads beside a series' own values; None if nothing.
    """

    def __init__(
        self,
        models: Sequence[Forecaster],
        data: Dataset,
        reasons: UInt8[np.ndarray, " N"],
        read: Callable[[], BaseForecasts | None],
        learners: Learners,
        panel: str | None = None,
    ) -> None:
        """Describe the correction; nothing is computed yet.

        Args:
            models: The forecaster that is corrected, then those whose medians are features.
            data: The dataset.
            reasons: (N,) for each row why the first one cannot forecast it, 0 where it can.
            read: Returns the forecasts of all of them from every origin, or None while some are missing.
            learners: Hold what was learned from earlier rows.
            panel: The name in the key of a panel of which the data are a part; None where they are all of it.
        """
        base = models[0]
        self._reasons = reasons
        self._read = read
        self._learners = learners
        self._lock = threading.Lock()
        self._parts: dict[int, _Part] = {}
        self.name = f"{base.name}-learned"
        self.context = WHOLE_HISTORY
        self.levels = base.levels
        self.draws = base.draws
        self.uses_seed = any(uses_seed(model) for model in models)
        series = panel or (_digest(data.ids) if len(data.ids) > 1 else "")
        issued = {} if data.issued is None else {"issued": data.issued.digest}
        models_digest = _digest([model.key for model in models])
        self.key = model_key("learned", _VERSION, models=models_digest, series=series, **issued)
        self.covariate_use = _covariates_of_learning(data)

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """That of the base."""
        return self._reasons

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """The corrected draws of some rows.

        The first request for a series computes all of its rows, or those that are newer than the learner knows; they
        are held until they have been handed out.

        Raises:
            ForecasterError: Forecasts of the base or of another model are missing.
        """
        series = np.searchsorted(data.offsets, rows, side="right") - 1
        with self._lock:
            present = np.unique(series)
            lowest = {int(s): int(rows[series == s].min()) for s in present}
            missing = [s for s, row in lowest.items() if s not in self._parts or row < self._parts[s].first]
            if missing:
                self._learn(data, horizon, {s: lowest[s] for s in missing})
            draws = np.empty((len(rows), *next(iter(self._parts.values())).draws.shape[1:]), np.float32)
            for s in lowest:
                is_own, part = series == s, self._parts[s]
                draws[is_own] = part.draws[rows[is_own] - part.first]
                part.is_wanted[rows[is_own] - part.first] = False
                if not part.is_wanted.any():
                    del self._parts[s]
        return draws

    def _learn(self, data: Dataset, horizon: int, lowest: dict[int, int]) -> None:
        """Hold the draws of some series from at least the given rows on (`_lock` is held)."""
        base = self._read()
        if base is None:
            raise ForecasterError(
                f"{self.name!r} learns from the forecasts of all origins, and some are missing: their run was "
                "cancelled or failed. Request it again."
            )
        learner = self._learners.get(self.key, horizon, data.ids)
        first = data.offsets[1:].copy()
        for s, row in lowest.items():
            learned = int(data.offsets[s]) + learner.learned(s)
            first[s] = learned if learned <= row else data.offsets[s]
        draws, start = learner.learn(base, first), 0
        is_available = self.availability(data) == UnavailableReason.AVAILABLE
        for s in sorted(lowest):
            rows = slice(int(first[s]), int(data.offsets[s + 1]))
            count = rows.stop - rows.start
            self._parts[s] = _Part(rows.start, draws[start : start + count], is_available[rows])
            start += count


@dataclass(frozen=True)
class _Part:
    """Draws of a series that are to be handed out.

    Attributes:
        first: The first row.
        draws: (n, H, Q) from this row on.
        is_wanted: (n,) the rows that are available and have not been handed out.
    """

    first: int
    draws: Float32[np.ndarray, "n H Q"]
    is_wanted: Bool[np.ndarray, " n"]


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(repr([*texts]).encode()).hexdigest()[:16]
