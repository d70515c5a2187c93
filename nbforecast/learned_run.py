"""Runs whose forecasts are corrected by what the errors of past ones teach (H1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.postprocessing.learned_forecaster import LearnedForecaster
from nbforecast.postprocessing.residual_model import BaseForecasts
from nbforecast.run import Run
from nbforecast.scoring.origin_scores import quantiles
from nbforecast.time_units import WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data import Dataset
    from nbforecast.engine.engine import Engine
    from nbforecast.engine.tasks import Priority
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.origin_forecast import Forecast
    from nbforecast.result_cache.entry_slice import EntrySlice


class LearnedRun(Run):
    """A run that corrects the forecasts of another one, its `base`.

    It begins when the base and the other models have forecast from every origin. Until then `at` gives the forecast of
    the base, under the base's name.

    Attributes:
        others: Runs of other models whose medians are features of the correction.
    """

    def __init__(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster,
        engine: Engine,
        seed: int,
        base: Run,
        others: Sequence[Run],
        **options: Any,
    ) -> None:
        super().__init__(entry_slice, forecaster, engine, seed, **options)
        self._base = base
        self.others = tuple(others)

    @property
    def base(self) -> Run:
        """The run of the model whose forecasts are corrected."""
        return self._base

    @property
    def progress(self) -> float:
        """Share of the work that is done, that of the models included, 0 to 1."""
        parts = [*(run.progress for run in (self.base, *self.others)), super().progress]
        return sum(parts) / len(parts)

    @property
    def is_waiting(self) -> bool:
        """Whether forecasts that the correction learns from are missing."""
        return any(len(run.entry_slice.pending_rows()) for run in (self.base, *self.others))

    def start(self, priority: Priority, near: int | None = None, *, infer: bool = True) -> None:
        """Submit what is missing to the background: the forecasts of the models first, then the correction.

        The queue takes tasks of one priority in the order of their submission, so the correction comes last.
        """
        for run in (self.base, *self.others):
            run.start(priority, near, infer=infer)
        super().start(priority, near, infer=infer)

    def forecast_at(self, row: int) -> Forecast:
        """The corrected forecast as of the origin in one row; that of the base while the correction waits."""
        is_pending = self.entry_slice.entry.is_pending(self.entry_slice.entry_rows(np.array([row]))).any()
        return self.base.forecast_at(row) if is_pending and self.is_waiting else super().forecast_at(row)

    def cancel(self) -> None:
        """Stop the run, and those of the models that it waits for; results so far stay in the cache."""
        super().cancel()
        for run in (self.base, *self.others):
            run.cancel()


def learned_forecaster(base: Run, others: Sequence[Run]) -> LearnedForecaster:
    """The forecaster that corrects a run by what its past errors and other models' forecasts teach.

    Args:
        base: A run from every origin of some data.
        others: Runs of other models on the same data.
    """
    data, horizon = base.data, base.horizon

    def read() -> BaseForecasts | None:
        if any(len(run.entry_slice.pending_rows()) for run in (base, *others)):
            return None
        medians = [quantiles(run.entry_slice.array(), run.quantile_levels, (0.5,))[..., 0] for run in others]
        return BaseForecasts(
            draws=base.entry_slice.array(),
            levels=base.quantile_levels,
            values=data.values,
            actual=data.actuals(np.arange(len(data)), horizon),
            steps=_absolute_steps(data),
            offsets=data.offsets,
            seasons=learning_seasons(data),
            others=np.stack(medians).astype(np.float64) if medians else np.zeros((0, len(data), horizon)),
        )

    return LearnedForecaster(base.forecaster, [run.forecaster for run in others], data, horizon, read)


def learning_seasons(data: Dataset) -> tuple[int, ...]:
    """The seasons of the grid, and the week even where it is longer than the context of any model."""
    frequency, seasons = data.frequency, set(data.frequency.seasons)
    if frequency.kind == "fixed" and WEEK % frequency.every == 0 and frequency.every < WEEK:
        seasons.add(WEEK // frequency.every)
    return tuple(sorted(seasons))


def _absolute_steps(data: Dataset) -> np.ndarray:
    first = data.frequency.to_step(data.time[data.offsets[:-1]])
    return np.arange(len(data)) + np.repeat(first - data.offsets[:-1], data.lengths)
