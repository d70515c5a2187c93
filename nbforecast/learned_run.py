"""Runs whose forecasts are corrected by what the errors of past ones teach (H1)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import UInt64

from nbforecast.data.covariate_grid import covariate_grid, issued_values
from nbforecast.data.units import stated_unit
from nbforecast.engine.tasks import Priority
from nbforecast.errors import OptionError
from nbforecast.forecasters.base import WHOLE_HISTORY
from nbforecast.forecasters.bounded import with_bounds
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.postprocessing.effect_features import FeatureNames
from nbforecast.postprocessing.effect_table import tabulate_effects
from nbforecast.postprocessing.learned_forecaster import COVARIATES_OF_LEARNING, LearnedForecaster, Learners
from nbforecast.postprocessing.residual_model import BaseForecasts
from nbforecast.result_cache.covariate_prints import context_fingerprints
from nbforecast.result_cache.fingerprints import Fingerprints, mix_bits
from nbforecast.run import Run
from nbforecast.scoring.score_groups import series_labels
from nbforecast.time_units import WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from nbforecast.data import Dataset
    from nbforecast.engine.engine import Engine
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.forecasters.bounded import Bounds
    from nbforecast.origin_forecast import Forecast
    from nbforecast.result_cache.entry_slice import EntrySlice

_learners = Learners()  # of this process


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
        self._effects: tuple[tuple[str, int], dict[tuple[str | None, bool | None], pl.DataFrame]] | None = None

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

    def start(
        self, priority: Priority, near: int | None = None, *, infer: bool = True, limit: int | None = None
    ) -> None:
        """Submit what is missing to the background: the forecasts of the models first, then the correction.

        The queue takes tasks of one priority in the order of their submission, so the correction comes last.
        """
        for run in (self.base, *self.others):
            run.start(priority, near, infer=infer)
        super().start(priority, near, infer=infer)

    def forecast_at(self, row: int) -> Forecast:
        """The corrected forecast as of the origin in one row; that of the base while the correction waits.

        Raises:
            OriginUnavailable: The origin cannot be forecast, or a covariate is missing within its horizon.
        """
        is_pending = self.entry_slice.entry.is_pending(self.entry_slice.entry_rows(np.array([row]))).any()
        return self.base.forecast_at(row) if is_pending and self.is_waiting else super().forecast_at(row)

    def effects(self, by: str | None = None, *, percent: bool | None = None) -> pl.DataFrame:
        """What each feature does to what is forecast, and what its group gains; see `Run.effects`."""
        self.wait()
        if self._effects is None or self._effects[0] != self.revision:
            self._effects = self.revision, {}
        cached = self._effects[1]
        if (by, percent) not in cached:
            cached[by, percent] = self._estimate_effects(by, percent)
        return cached[by, percent]

    def _estimate_effects(self, by: str | None, percent: bool | None) -> pl.DataFrame:
        base = read_base_forecasts(self.base, self.others)
        if base is None:
            raise OptionError("Effects rest on the forecasts of all origins, and some are missing: request them again.")
        models = [run.model for run in self.others]
        names = FeatureNames.of(self.data, self.base.model, models, learning_seasons(self.data))
        groups: pl.Series | Literal["horizon"] | None = None
        if by is not None:
            groups = "horizon" if by == "horizon" else series_labels(self.data, by)
        target = self.data.names.target
        unit = stated_unit(target) or target
        is_whole = not self.is_partial and isinstance(self.forecaster, LearnedForecaster)  # and has no bounds
        learned = self.column("forecast") if is_whole else None
        return tabulate_effects(base, names, unit=unit, by=groups, percent=percent, learned=learned)

    def with_data(self, data: Dataset, bounds: Bounds) -> LearnedRun:
        """A run over other data that learns from the same models' forecasts of these; see `Run.with_data`."""
        base, *others = [run.with_data(data, bounds) for run in (self.base, *self.others)]
        forecaster = with_bounds(learned_forecaster(base, others), bounds)
        part, engine = self._find_results(forecaster, data)
        run = LearnedRun(part, forecaster, engine, self.seed, base, others, calibrate=self.calibrate)
        run.start(Priority.BATCH)
        return run

    def cancel(self) -> None:
        """Stop the run, and those of the models that it waits for; results so far stay in the cache."""
        super().cancel()
        for run in (self.base, *self.others):
            run.cancel()


def learned_forecaster(base: Run, others: Sequence[Run]) -> LearnedForecaster:
    """The forecaster that corrects a run by what its past errors, covariates and other models' forecasts teach.

    Args:
        base: A run from every origin of some data.
        others: Runs of other models on the same data.
    """
    read = partial(read_base_forecasts, base, others)
    models = [run.forecaster for run in (base, *others)]
    reasons, issued = base.reasons, issued_values(base.data, base.horizon)
    if issued is not None:
        is_missing = (reasons == UnavailableReason.AVAILABLE) & ~np.isfinite(issued[..., 1:]).all((0, 2))
        reasons = np.where(is_missing, UnavailableReason.NO_COVARIATES, reasons).astype(np.uint8)
    return LearnedForecaster(models, base.data, reasons, read, _learners)


def read_base_forecasts(base: Run, others: Sequence[Run]) -> BaseForecasts | None:
    """The forecasts from every origin that a correction learns from; None while some are missing.

    Args:
        base: The run that is corrected.
        others: Runs of other models on the same data.
    """
    slices = [run.entry_slice.with_requested(None) for run in (base, *others)]
    return None if any(len(part.pending_rows()) for part in slices) else tabulate_forecasts(slices)


def tabulate_forecasts(slices: Sequence[EntrySlice]) -> BaseForecasts:
    """Cached forecasts of some models as a correction reads them.

    Args:
        slices: Complete results for the same data: of the model that is corrected, then of others.
    """
    base, data = slices[0], slices[0].data
    grid = covariate_grid(data, base.spec.horizon)
    return BaseForecasts(
        draws=base.array(),
        levels=base.spec.levels,
        values=data.values,
        first_steps=data.frequency.to_step(data.time[data.offsets[:-1]]),
        offsets=data.offsets,
        seasons=learning_seasons(data),
        others=tuple((part.array(), part.spec.levels) for part in slices[1:]),
        covariates=grid.values,
        is_future=grid.is_future,
        issued=issued_values(data, base.spec.horizon),
        prints=_fingerprints(slices),
    )


def _fingerprints(slices: Sequence[EntrySlice]) -> UInt64[np.ndarray, " N"]:
    """A fingerprint of all that learning rests on up to each row of its series: values, covariates and forecasts."""
    data = slices[0].data
    spec = replace(slices[0].spec, context=WHOLE_HISTORY, covariates=COVARIATES_OF_LEARNING)
    forecasts = np.zeros(len(data), np.uint64)
    for number, part in enumerate(slices):
        salt = np.uint64(int(part.spec.group, 16)) + np.uint64(number)
        rows = part.entry_rows(np.arange(len(data)))
        forecasts += mix_bits(part.entry.contexts[rows] + salt)
        forecasts += mix_bits(part.entry.forced_times[rows].view(np.uint64) + salt)
    sums = np.append(np.uint64(0), np.cumsum(forecasts, dtype=np.uint64))
    of_series = sums[1:] - np.repeat(sums[data.offsets[:-1]], data.lengths)
    return of_series + context_fingerprints(Fingerprints(data), data, spec)


def learning_seasons(data: Dataset) -> tuple[int, ...]:
    """The seasons of the grid, and the week even where it is longer than the context of any model."""
    frequency, seasons = data.frequency, set(data.frequency.seasons)
    if frequency.kind == "fixed" and WEEK % frequency.every == 0 and frequency.every < WEEK:
        seasons.add(WEEK // frequency.every)
    return tuple(sorted(seasons))
