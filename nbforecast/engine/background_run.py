"""The background work of a run: starting it, its progress, waiting for it and cancelling it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Int64

from nbforecast.deprecation import RenamedAttribute
from nbforecast.engine.executor import wait_in_slices
from nbforecast.engine.progress_bar import ProgressState, wait_with_bar
from nbforecast.engine.tasks import Priority, choose_rows, eta_seconds
from nbforecast.errors import ForecasterError, NbForecastError, RunCancelled

if TYPE_CHECKING:
    from nbforecast.engine.engine import Engine
    from nbforecast.engine.tasks import Task
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.key import ForecastSpec

R = TypeVar("R", bound="BackgroundRun")  # typing.Self is not checked at run time


@dataclass(frozen=True)
class ModelCopy:
    """What a copied run knows of its model; it forecasts nothing. The attributes are those of `Forecaster`."""

    name: str
    key: str
    context: int
    levels: tuple[float, ...] | None
    draws: int


@dataclass(frozen=True)
class _End:
    """How a run stood when it was copied."""

    error: NbForecastError | None
    cancelled: bool
    seconds: float


class BackgroundRun:
    """What a run does in the background; `Run` adds the results.

    Attributes:
        reused: Number of origins whose forecasts were in the cache when the run began.
    """

    def __init__(self, entry_slice: EntrySlice, forecaster: Forecaster, engine: Engine, seed: int) -> None:
        self.reused = entry_slice.inferred
        self._slice = entry_slice
        self._forecaster = forecaster
        self._engine: Engine | None = engine
        self._seed = seed
        self._task: Task | None = None
        self._cancelled_here = self._is_limited = False
        self._end: _End | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The results so far, without the background: a copied or unpickled run is data, and nothing fills it in."""
        state = {**self.__dict__, "_engine": None, "_task": None}
        model, error = self._forecaster, self.error
        state["_forecaster"] = ModelCopy(model.name, model.key, model.context, model.levels, model.draws)
        if error is not None and not isinstance(error, NbForecastError):
            error = ForecasterError(f"{type(error).__name__}: {error}")
        state["_end"] = _End(error, self.cancelled, self.seconds)
        return state

    def start(
        self, priority: Priority, near: int | None = None, *, infer: bool = True, limit: int | None = None
    ) -> None:
        """Submit what is missing to the background.

        A request for the same results that is already in the queue is joined. A copied run has no background and stays
        as it is. Densities are in no file and nobody waits for them: where only they are missing, they follow at idle
        priority.

        Args:
            priority: Priority in the queue.
            near: Row whose neighbourhood is forecast first.
            infer: Whether missing forecasts are inferred; otherwise only the calculations for existing ones are made.
            limit: Bytes of results that nobody has asked for (E10): of a run that takes more, the origins near `near`
                and the newest ones are inferred, and the others when somebody waits for the run.
        """
        if self._engine is None:
            return
        if not self._slice.complete:
            forecaster = self._forecaster if infer else None
            part, self._is_limited = self._slice, False
            if limit is not None and near is not None:
                rows = choose_rows(part, near, limit)
                if rows is not None:
                    part, self._is_limited = part.with_requested(rows), True
            self._task = self._engine.submit(part, forecaster, self._seed, priority, near)
        elif not self._slice.entry.densities:
            self._engine.submit(self._slice, None, self._seed, Priority.IDLE)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._forecaster.name

    @property
    def forecaster(self) -> Forecaster:
        """The model."""
        return self._forecaster

    @property
    def seed(self) -> int:
        """Seed of models that draw random numbers."""
        return self._seed

    @property
    def spec(self) -> ForecastSpec:
        """How the forecasts are made: model, settings, horizon, quantile levels."""
        return self._slice.spec

    @property
    def entry_slice(self) -> EntrySlice:
        """The rows of the cache's entry that hold the results; for reading only."""
        return self._slice

    @property
    def task(self) -> Task | None:
        """The task that fills the run; None if nothing was missing when it began."""
        return self._task

    @property
    def inferred(self) -> int:
        """Number of origins inferred since the run began."""
        return max(self._slice.inferred - self.reused, 0)

    @property
    def available(self) -> int:
        """Number of origins that can be forecast."""
        return self._slice.available

    @property
    def calculated(self) -> int:
        """Number of origins with a forecast, quantiles and scores."""
        return self._slice.calculated

    @property
    def done(self) -> bool:
        """Whether no work is going on: the run is finished, failed or cancelled."""
        return self._task is None or self._task.finished.is_set()

    @property
    def started(self) -> bool:
        """Whether the background has begun to work on the run."""
        return self._task is None or self._task.is_started

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled, here or by an equal request."""
        if self._end is not None:
            return self._end.cancelled
        return self._task is not None and self._task.cancelled

    @property
    def error(self) -> BaseException | None:
        """The error that ended the run, if it failed."""
        if self._end is not None:
            return self._end.error
        return self._task.error if self._task else None

    @property
    def progress(self) -> float:
        """Share of the available origins that are calculated, 0 to 1."""
        return self.calculated / self.available if self.available else 1.0

    @property
    def progress_state(self) -> ProgressState:
        """What a progress bar shows."""
        return ProgressState(self.model, self.calculated, self.available, self.reused, " origins")

    @property
    def seconds(self) -> float:
        """Seconds since the run began, or that it took."""
        if self._end is not None:
            return self._end.seconds
        return self._task.seconds if self._task else 0.0

    @property
    def rate(self) -> float:
        """Origins inferred per second: lately while the run goes on, on average when it is done."""
        return self._task.rate if self._task else 0.0

    @property
    def eta_seconds(self) -> float:
        """Seconds until all origins are inferred at the present rate; NaN while the rate is unknown."""
        return eta_seconds(self.available - self._slice.inferred, self.rate)

    def wait(self: R, timeout: float | None = None) -> R:
        """Wait until the run is done; a terminal shows a progress bar.

        An interrupt (Ctrl-C) ends the wait, not the work.

        Args:
            timeout: Seconds to wait at most; None waits until the end.

        Returns:
            The run itself.

        Raises:
            TimeoutError: The run is not done after `timeout` seconds.
            RunCancelled: An equal request was cancelled, and this run with it.
            NbForecastError: The run failed; the error says why.

        Example:
            >>> nbf.forecast(df, "naive").wait(timeout=60).done
            True
        """
        if self._end is not None and self._end.error is not None:
            raise self._end.error
        if self._is_limited:
            self.start(Priority.BATCH)
        if self._task is not None:
            if not (self.done or wait_with_bar(self, timeout)):
                raise TimeoutError(f"The forecast is {self.progress:.0%} done after {timeout:g} s; it goes on.")
            if self._task.error is not None:
                raise self._task.error
            if self._task.cancelled and not self._cancelled_here:
                raise RunCancelled(
                    f"The forecast was cancelled when it was {self.progress:.0%} done; request it again to continue."
                )
        return self

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait until the run is done, whether it finished, failed or was cancelled.

        Args:
            timeout: Seconds to wait at most; None waits until the end.

        Returns:
            Whether the run is done.

        Example:
            >>> run.wait_for_end(timeout=0.1)
            True
        """
        return self._task is None or wait_in_slices(self._task.finished.wait, timeout)

    def prefer(self, rows: Int64[np.ndarray, " R"]) -> None:
        """Have the background infer some origins before all others, as far as the run has not come to them.

        Args:
            rows: (R,) rows of the data.

        Example:
            >>> run = nbf.forecast(df, "naive")
            >>> run.prefer(np.arange(0, len(run.data), 100))  # one origin in a hundred before those between
        """
        if self._task is not None and not self.done:
            self._task.prefer(rows)

    def ease(self) -> None:
        """Have the background rest between chunks for a moment, for the page of somebody who drags.

        Example:
            >>> run.ease()
        """
        if self._engine is not None and not self.done:
            self._engine.ease()

    def cancel(self) -> None:
        """Stop the run after the current chunk; results so far stay in the cache.

        Equal requests share one task, so they end as well.

        Example:
            >>> run = nbf.forecast(df, "naive")
            >>> run.cancel()  # what is finished stays, and the same request continues from there
        """
        if self._engine is not None and self._task is not None and not self.done:
            self._cancelled_here = True
            self._engine.cancel(self._task)

    level = RenamedAttribute("progress_state")
    begun = RenamedAttribute("started")
    left = RenamedAttribute("eta_seconds")
    settle = RenamedAttribute("wait_for_end")
