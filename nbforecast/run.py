"""What the user holds: the results of one request, as far as they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from nbforecast.engine.executor import FOR_EVER
from nbforecast.engine.progress import Level, watch
from nbforecast.engine.tasks import Priority
from nbforecast.engine.work import time_left
from nbforecast.errors import OptionError, OriginUnavailable, RunCancelled
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.origin_forecast import Forecast, Style
from nbforecast.postprocessing.conformal import inside
from nbforecast.result_cache.calibrated import calibrated, calibrated_at
from nbforecast.result_cache.export import to_long
from nbforecast.scoring.scores import By, Scored, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data import DataWarning
    from nbforecast.engine.engine import Engine
    from nbforecast.engine.tasks import Task
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.entry_slice import EntrySlice


class Run:
    """Forecasts from every origin of a dataset, filled in by the background.

    Everything can be read at any time and shows what is there; `wait()` waits for the rest. `reused` origins were in
    the cache when the run began. `data` is the prepared data. `calibrate`: bands are calibrated by past errors, as far
    as these are known when one looks; draws never are.
    """

    def __init__(
        self, view: EntrySlice, forecaster: Forecaster, engine: Engine, seed: int, *, calibrate: bool = False
    ) -> None:
        self.calibrate = calibrate
        self.data = view.data
        self.reused = view.inferred
        self._view = view
        self._forecaster = forecaster
        self._engine = engine
        self._seed = seed
        self._task: Task | None = None
        self._cancelled = False
        self._calibrated: tuple[tuple[str, int], Float32[np.ndarray, "N H K"]] | None = None
        self._scores: tuple[tuple[str, int], dict[str, pl.DataFrame]] | None = None

    def start(self, priority: Priority, near: int | None = None, *, infer: bool = True) -> None:
        """Have what is missing inferred in the background, the origins around row `near` first.

        infer: or else only calculated, for the forecasts that are there. Work that goes on for the same view is joined.
        Densities, which no file keeps, are nothing to wait for: they follow when nothing else is to be done.
        """
        if not self._view.complete:
            forecaster = self._forecaster if infer else None
            self._task = self._engine.submit(self._view, forecaster, self._seed, priority, near)
        elif not self._view.entry.densities:
            self._engine.submit(self._view, None, self._seed, Priority.IDLE)

    @property
    def handle(self) -> str:
        """The content hash of the data."""
        return self.data.handle

    @property
    def model(self) -> str:
        return self._forecaster.name

    @property
    def horizon(self) -> int:
        return self._view.recipe.horizon

    @property
    def levels(self) -> tuple[float, ...]:
        """The probability levels that the Q draws of a forecast stand for, ascending."""
        return self._view.recipe.levels

    @property
    def seed(self) -> int:
        """For models that draw at random."""
        return self._seed

    @property
    def warnings(self) -> tuple[DataWarning, ...]:
        """What was repaired or found odd in the data."""
        return self.data.warnings

    @property
    def inferred(self) -> int:
        """Origins computed since the run began."""
        return max(self._view.inferred - self.reused, 0)

    @property
    def done(self) -> bool:
        """Nothing goes on any more: finished, failed or cancelled."""
        return self._task is None or self._task.finished.is_set()

    @property
    def begun(self) -> bool:
        """The background has come to it."""
        return self._task is None or self._task.begun

    @property
    def cancelled(self) -> bool:
        return self._task is not None and self._task.cancelled

    @property
    def error(self) -> BaseException | None:
        """What ended the run, if it failed."""
        return self._task.error if self._task else None

    @property
    def progress(self) -> float:
        """Share of the available origins that are calculated, 0 to 1."""
        return self.calculated / self.available if self.available else 1.0

    @property
    def level(self) -> Level:
        """How far the run is, as a bar shows it."""
        return Level(self.model, self.calculated, self.available, self.reused, " origins")

    @property
    def available(self) -> int:
        """Origins that can be forecast."""
        return self._view.available

    @property
    def calculated(self) -> int:
        """Origins whose forecast, quantiles and scores stand."""
        return self._view.calculated

    @property
    def reasons(self) -> UInt8[np.ndarray, " N"]:
        """For every origin 0, or the `UnavailableReason` why it is not forecast."""
        return self._view.reasons

    @property
    def seconds(self) -> float:
        """Time since the run began, or that it took."""
        return self._task.seconds if self._task else 0.0

    @property
    def rate(self) -> float:
        """Origins inferred per second: of late while it goes on, over all when it is done."""
        return self._task.rate if self._task else 0.0

    @property
    def left(self) -> float:
        """Seconds until everything is inferred, at the present rate; NaN while that is not known."""
        return time_left(self.available - self._view.inferred, self.rate)

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the background, in a terminal with a bar; interrupting the wait does not stop the work.

        Raises the background's error; `TimeoutError` after `timeout` seconds; `RunCancelled` if somebody else has
        cancelled the work.
        """
        if self._task is not None:
            if not (self.done or watch(self, timeout)):
                raise TimeoutError(f"The forecast is {self.progress:.0%} done after {timeout:g} s; it goes on.")
            if self._task.error is not None:
                raise self._task.error
            if self._task.cancelled and not self._cancelled:
                raise RunCancelled(
                    f"The forecast was cancelled when it was {self.progress:.0%} done; ask for it again to go on."
                )
        return self

    def settle(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the end, whatever it is, and say whether it has come."""
        return self._task is None or self._task.finished.wait(FOR_EVER if timeout is None else timeout)

    def cancel(self) -> None:
        """Stop after the chunk in work; what is finished stays and can be used.

        Equal requests are one piece of work, which ends for all of them.
        """
        if self._task is not None and not self.done:
            self._cancelled = True
            self._engine.cancel(self._task)

    @property
    def frame(self) -> pl.DataFrame:
        """The Result DataFrame, a row an origin, as it stands: a snapshot.

        unique_id, ds, index, y; status (`pending`, `inferred`, `unscored`, `scored`, `unavailable`) and the reason for
        the last; forecast (H, Q); median (H); quantiles (H, 7) at 2.5, 10, 25, 50, 75, 90 and 97.5 %; abs_error, crps
        and pinball (H); covered (H, 3) by the central 50, 80 and 95 %; for the newest origins density (H, 64) on points
        evenly spaced between density_limits (H, 2). NaN is a result that is not there yet, or a score whose actual
        value is not known. With `calibrate` also calibrated (H, 8), at 2.5, 5, 10, 25, 75, 90, 95 and 97.5 %, NaN where
        fewer than 40 past errors of the series are known.
        """
        frame = self._view.frame()
        return frame.with_columns(pl.Series("calibrated", self._bands())) if self.calibrate else frame

    @property
    def array(self) -> Float32[np.ndarray, "N H Q"]:
        """Every forecast, read-only; no copy once the run is complete. Panels: `run.series("A").array`."""
        if len(self.data.ids) > 1:
            raise OptionError(
                f"The data hold {len(self.data.ids)} series: ask for one, as in run.series({self.data.ids[0]!r}).array."
            )
        return self._view.array()

    def series(self, series: str) -> SeriesResults:
        """The results of one series of a panel."""
        return SeriesResults(self, series)

    def at(self, index: int, series: str | None = None) -> Forecast:
        """The forecast as of one origin (index <= 0), inferred now if the background has not come to it.

        Raises `IndexOutOfRange` with the valid range, or `OriginUnavailable` with the reason.
        """
        row = self.data.row(index, series)
        reason = UnavailableReason(self.reasons[row])
        if reason:
            raise OriginUnavailable(
                f"There is no forecast at index {index} ({self.data.times(self.data.time[[row]]).item()}): "
                f"{reason.sentence}. {self._nearest(row)}"
            )
        rows, view = np.array([row]), self._view
        while True:
            view = self._engine.answer(view, self._forecaster, rows, self._seed)
            draws = view.take("forecast", rows)[0]
            if np.isfinite(draws).all():  # or else it has been taken away since it was there
                break
        if self._task is None:  # a run at work stays with the entry that it fills
            self._view = view
        bands = calibrated_at(view, row) if self.calibrate else None
        return Forecast(self.data, row, draws, view.recipe.levels, self.model, bands)

    def known(self, index: int, series: str | None = None) -> bool:
        """Whether `at` has an answer without an inference: a forecast, or the reason why there is none."""
        row = self.data.row(index, series)
        return not self._view.entry.waiting(self._view.rows(np.array([row]))).any()

    def scores(self, by: By | None = None) -> pl.DataFrame:
        """Mean scores over what is calculated: overall, or by "horizon", "series" or "index".

        n (steps with a known actual value), mae, rmse, mase (scaled by the seasonal naive errors of the history up to
        each origin), crps, pinball and wis (over the seven quantiles), coverage_50, coverage_80, coverage_95 (shares);
        with `calibrate` also calibrated_50, calibrated_80, calibrated_90 and calibrated_95, of the origins that have
        calibrated bands.
        """
        state = self._view.entry.state
        if self._scores is None or self._scores[0] != state:
            self._scores = state, {}
        kept, name = self._scores[1], repr(by)
        if name not in kept:
            kept[name] = summarise(self.data, self._scored(), by)
        return kept[name]

    def to_long(self, levels: float | Sequence[float] = (80, 95)) -> pl.DataFrame:
        """unique_id, ds, cutoff, y, MODEL, MODEL-lo-80, MODEL-hi-80 ...: a row for each origin and horizon step.

        y is null where it is not known; `.drop_nulls("y")` leaves what can be scored. With `calibrate` the ends at 50,
        80, 90 and 95 % are calibrated where enough past errors are known.
        """
        wanted = (levels,) if isinstance(levels, int | float) else levels
        return to_long(self._view, wanted, self._bands() if self.calibrate else None)

    def plot(self, index: int = 0, series: str | None = None, ax: Any = None, style: Style = "bands") -> Any:
        """Draw one forecast with matplotlib; returns the axes."""
        return self.at(index, series).plot(ax, style)

    def _scored(self) -> Scored:
        scored = Scored(*(self._view.array(n) for n in ("abs_error", "crps", "pinball", "covered")))
        if not self.calibrate:
            return scored
        actual = self.data.actuals(np.arange(len(self.data)), self.horizon)
        return scored._replace(calibrated=inside(self._bands(), actual))

    def _bands(self) -> Float32[np.ndarray, "N H K"]:
        """The calibrated bands of what stands now, kept until more does."""
        state = self._view.entry.state
        if self._calibrated is None or self._calibrated[0] != state:
            self._calibrated = state, calibrated(self._view)
        return self._calibrated[1]

    def _nearest(self, row: int) -> str:
        series, _ = self.data.locate(row)
        first, end = self.data.offsets[series], self.data.offsets[series + 1]
        there = np.flatnonzero(self._view.reasons[first:end] == UnavailableReason.AVAILABLE) + first
        if not len(there):
            return "No origin of this series can be forecast: it has too little history or too many gaps."
        return f"The nearest index with one is {there[np.argmin(np.abs(there - row))] - end + 1}."

    def __repr__(self) -> str:
        n, origins = len(self.data.ids), self._view.available
        what = f"{origins:,} origins" + (f" of {n} series" if n > 1 else "")
        state = (
            f"failed: {self.error}"
            if self.error
            else "cancelled"
            if self.cancelled
            else f"done ({self.inferred:,} inferred, {self.reused:,} reused)"
            if self.done
            else f"{self.progress:.0%}"
        )
        return f"Run({self.model}, horizon {self.horizon}, {what}, {state})"


class SeriesResults:
    """One series of a run."""

    def __init__(self, run: Run, series: str) -> None:
        position = run.data.position(series)
        self._run = run
        self.id = run.data.ids[position]
        self._rows = slice(int(run.data.offsets[position]), int(run.data.offsets[position + 1]))

    @property
    def frame(self) -> pl.DataFrame:
        """The series' rows of the Result DataFrame."""
        return self._run.frame[self._rows]

    @property
    def array(self) -> Float32[np.ndarray, "N H Q"]:
        """The series' forecasts, read-only."""
        return self._run._view.array()[self._rows]

    def at(self, index: int) -> Forecast:
        """The forecast as of one origin."""
        return self._run.at(index, self.id)

    def __repr__(self) -> str:
        return f"SeriesResults({self.id!r}, {self._rows.stop - self._rows.start:,} origins, {self._run!r})"
