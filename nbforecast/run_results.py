"""The results of a run: read at any time, scored and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, UInt8

from nbforecast.data.covariate_grid import missing_covariates
from nbforecast.data.span import horizon_part
from nbforecast.data.warnings import longer_history
from nbforecast.engine.background_run import BackgroundRun
from nbforecast.errors import OptionError
from nbforecast.forecasters.unavailable import rows_without_covariates
from nbforecast.joint.forecasts import JointForecasts
from nbforecast.joint.scores import joint_reliability, joint_scores
from nbforecast.postprocessing.conformal import is_covered, rows_that_calibrate
from nbforecast.result_cache.export import long_parts, to_long
from nbforecast.result_cache.status import Status
from nbforecast.scoring.mean_scores import OriginScores, summarise, with_unscored_origins
from nbforecast.scoring.score_groups import group_keys, spread_keys
from nbforecast.table_files import write_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbforecast.data import DataWarning
    from nbforecast.engine.engine import Engine
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.joint.scores import Of
    from nbforecast.origin_forecast import Steps
    from nbforecast.postprocessing.path_statistics import Statistic
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.scoring.score_groups import By, Where


class RunResults(BackgroundRun):
    """What a run has computed so far; `Run` adds the answers that may need an inference.

    Attributes:
        data: The prepared data.
        calibrate: Whether prediction intervals are calibrated.
    """

    def __init__(
        self,
        entry_slice: EntrySlice,
        forecaster: Forecaster,
        engine: Engine,
        seed: int,
        *,
        calibrate: bool = False,
        rows: Int64[np.ndarray, " R"] | None = None,
    ) -> None:
        needed = rows
        if rows is not None and calibrate:
            needed = rows_that_calibrate(rows, entry_slice.data.offsets, entry_slice.spec.horizon)
        super().__init__(entry_slice.with_requested(needed), forecaster, engine, seed)
        self.calibrate = calibrate
        self._rows = rows
        self.data = entry_slice.data
        self._bands: tuple[tuple[str, int], Float32[np.ndarray, "N H K"]] | None = None
        self._scores: tuple[tuple[str, int], dict[str, pl.DataFrame]] | None = None
        self._longer: tuple[object, Bool[np.ndarray, " N"]] | None = None
        self._joint: JointForecasts | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The data and the results so far; what is derived from them is derived anew."""
        return {**super().__getstate__(), "_bands": None, "_scores": None, "_longer": None, "_joint": None}

    @property
    def handle(self) -> str:
        """Content hash of the data, 32 hexadecimal digits; of values and covariates if the model reads covariates."""
        return self._slice.key.handle

    @property
    def rows(self) -> Int64[np.ndarray, " R"]:
        """The rows of the data that the run is of, ascending: all, or those of the origins that were named."""
        return np.arange(len(self.data)) if self._rows is None else self._rows

    @property
    def is_partial(self) -> bool:
        """Whether the run is of some origins only."""
        return self._rows is not None

    @property
    def supporting(self) -> int:
        """Number of past origins that are forecast only because calibration learns from their errors."""
        return 0 if self._rows is None else self.available - int((self.reasons[self._rows] == 0).sum())

    @property
    def horizon(self) -> int:
        """Number of steps forecast from each origin, H."""
        return self.spec.horizon

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """The Q probability levels of a forecast's draws, ascending."""
        return self.spec.levels

    @property
    def warnings(self) -> tuple[DataWarning, ...]:
        """Repairs and oddities of the data, covariates that are missing, and what a longer history served (C5)."""
        warnings = list(self.data.warnings)
        late = rows_without_covariates(self.rows, self.data.offsets, self.reasons)
        if len(late):
            warnings.append(missing_covariates(self.data, late, self.horizon))
        count = int(self._from_longer(self._slice)[self.rows].sum())
        if count:
            warnings.append(longer_history(count))
        return tuple(warnings)

    @property
    def frame(self) -> pl.DataFrame:
        """The Result DataFrame: one row per origin, a snapshot of the results so far.

        Columns: unique_id, ds, index, y; status (`pending`, `inferred`, `unscored`, `scored`, `unavailable`) and
        the reason of an unavailable origin; forecast (H, Q); median (H); quantiles (H, 7) at 2.5, 10, 25, 50, 75, 90
        and 97.5 %; abs_error, crps and pinball (H); covered (H, 3) by the central 50, 80 and 95 % intervals; for the
        newest origins density (H, 64) on points evenly spaced between density_limits (H, 2). A run with `calibrate`
        also has calibrated (H, 8) at 2.5, 5, 10, 25, 75, 90, 95 and 97.5 %, NaN where fewer than 40 past errors of the
        series are known. NaN elsewhere is a result that is not calculated yet, or a score whose actual value is
        unknown; y is null where nothing was observed. The mean of a column with a NaN is NaN: `scores(by=)` takes means
        over the known ones, and `.explode(...).fill_nan(None)` turns them into nulls, which Polars leaves out.
        """
        frame = self._slice.frame(self._rows)
        return frame.with_columns(pl.Series("calibrated", self.calibrated_bands())) if self.calibrate else frame

    def frame_part(self, positions: slice) -> pl.DataFrame:
        """Some neighbouring rows of `frame`, without what it takes to make the others.

        Args:
            positions: Which rows of `frame`, all of one series.
        """
        rows = self.rows[positions]
        is_whole = not self.is_partial and self._slice.entry.complete
        frame = self._slice.frame()[positions] if is_whole else self._slice.frame(rows)
        return frame.with_columns(pl.Series("calibrated", self._bands_of(rows))) if self.calibrate else frame

    @property
    def array(self) -> Float32[np.ndarray, "N H Q"]:
        """Forecasts of all N origins, ascending in time, read-only; no copy once the run is complete.

        For a panel the array of each series is `run.series("A").array`.

        Raises:
            OptionError: The data hold several series.
        """
        if len(self.data.ids) > 1:
            raise OptionError(
                f"The data hold {len(self.data.ids)} series. Choose one: run.series({self.data.ids[0]!r}).array."
            )
        return self.column("forecast")

    def scores(
        self,
        by: By | None = None,
        where: Where | None = None,
        *,
        of: Of | Statistic | None = None,
        steps: Steps = None,
        value: float | None = None,
    ) -> pl.DataFrame:
        """Mean scores over the origins that are calculated, of all steps or by group.

        Means of `frame` by hand become NaN wherever an actual value is not known; these leave such steps out, and `n`
        says how many steps they rest on.

        Args:
            by: None for one overall row; "horizon" (steps ahead), "series" or "index" (origin) for one row each;
                "hour", "weekday" or "month" of the time that is forecast; a column or an expression of `unique_id`,
                `ds`, `index` and `y` of the origin, the columns that `static` names, and `horizon`, `time` and `actual`
                of the step; a Series with a value for each row of `frame`; or a list of these.
            where: Which steps count: an expression of the same columns that is true or false, or a Series or array with
                a truth value for each row of `frame`. Groups without a step are left out.
            of: None for the values of single steps. "total", "mean", "maximum" or "minimum" of the horizon or a part;
                "any_above" or "any_below" for the event; "paths" for whole paths; or a function that takes paths
                (..., H) and returns a number or truth value for each, (...).
            steps: The part of the horizon that `of` refers to, as `Forecast.total` takes it.
            value: The limit of "any_above" and "any_below".

        Returns:
            A DataFrame with the groups, n (steps with a known actual value), mae, rmse, mase (scaled by the seasonal
            naive errors of the history up to each origin), crps, pinball and wis (over the seven quantiles), and the
            coverages coverage_50, coverage_80 and coverage_95 (shares). A run with `calibrate` also has calibrated_50,
            calibrated_80, calibrated_90 and calibrated_95, over the origins with calibrated intervals. With `of`, n
            counts origins, and the scores are crps, mae, rmse and coverages of a number; brier, probability and
            frequency of an event; energy and variogram of paths.

        Raises:
            OptionError: `by`, `where`, `of` or `steps` is impossible.

        Example:
            >>> run.scores("horizon").select("horizon", "mae", "coverage_80")
            >>> run.scores("weekday", where=pl.col("time").dt.hour().is_between(8, 18))
            >>> run.scores(of="total", steps="12h")
            >>> run.scores(of=lambda paths: paths[..., -1] > paths[..., 0])  # a rise
        """
        if of is not None:
            return self._score_joint(of, steps, value, by, where)
        if steps is not None or value is not None:
            raise OptionError('steps= and value= go with of=, such as of="total".')
        if where is not None or not all(isinstance(key, str) for key in group_keys(by)):
            return self._summarise(by, where)
        revision = self.revision
        if self._scores is None or self._scores[0] != revision:
            self._scores = revision, {}
        cached, name = self._scores[1], repr(by)
        if name not in cached:
            cached[name] = self._summarise(by, where)
        return cached[name]

    def reliability(
        self, of: Of | Statistic, *, steps: Steps = None, value: float | None = None, bins: int = 10
    ) -> pl.DataFrame:
        """How often an event came, by the probability that was given to it: equal for reliable forecasts.

        Args:
            of: "any_above" or "any_below" with `value`, or a function that takes paths (..., H) and returns a truth
                value for each, (...).
            steps: The part of the horizon, as `Forecast.total` takes it.
            value: The limit.
            bins: Number of equal parts of [0, 1].

        Returns:
            A DataFrame with a row for each part in which there are forecasts: low and high (its bounds), n (origins),
            probability (mean) and frequency (share of origins at which the event came).

        Raises:
            OptionError: `of` is no event, or `steps` is impossible.

        Example:
            >>> run.reliability("any_above", value=20_000, steps="6h")
        """
        part = horizon_part(steps, self.horizon, self.data.frequency)
        return joint_reliability(self._joint_forecasts(self._slice), self.rows, of, part, value, bins)

    def to_long(
        self, levels: float | Sequence[float] = (80, 95), *, index: bool = False, step: bool = False
    ) -> pl.DataFrame:
        """The forecasts in the long format of the field: one row per origin and horizon step.

        Args:
            levels: Coverages of the central prediction intervals in per cent.
            index: Whether to add a column with the origin's index.
            step: Whether to add a column with the step, 1 to H.

        Returns:
            A DataFrame with unique_id, ds, cutoff (the origin's time), y, MODEL (the median), MODEL-lo-80, MODEL-hi-80
            and so on. y is null where it is unknown; `.drop_nulls("y")` leaves the rows that can be scored. A run with
            `calibrate` has calibrated intervals at 50, 80, 90 and 95 % where enough past errors are known. y is float64
            and forecasts are float32: who compares them by hand does it in float32, as `scores` does, with
            `pl.col("y").cast(pl.Float32)`.
        """
        bands = self.calibrated_bands() if self.calibrate else None
        return to_long(self._slice, self.rows, levels, bands, index=index, step=step)

    def long_parts(
        self, levels: float | Sequence[float] = (80, 95), *, index: bool = False, step: bool = False
    ) -> Iterator[pl.DataFrame]:
        """As `to_long`, part by part, for results that are too many for memory.

        Args:
            levels: Coverages of the central prediction intervals in per cent.
            index: Whether to add a column with the origin's index.
            step: Whether to add a column with the step, 1 to H.

        Yields:
            DataFrames of some hundred thousand rows, which make that of `to_long` when they are put together.

        Example:
            >>> sum(len(part) for part in run.long_parts())
        """
        return long_parts(self._slice, self.rows, levels, calibrate=self.calibrate, index=index, step=step)

    def sink_long(
        self, path: str | Path, levels: float | Sequence[float] = (80, 95), *, index: bool = False, step: bool = False
    ) -> int:
        """Write the forecasts in the long format to a file, part by part.

        Args:
            path: A .parquet, .csv or .arrow file.
            levels: Coverages of the central prediction intervals in per cent.
            index: Whether to add a column with the origin's index.
            step: Whether to add a column with the step, 1 to H.

        Returns:
            The number of rows written.

        Raises:
            OptionError: The path has another suffix, or its folder does not exist.
        """
        return write_parts(self.long_parts(levels, index=index, step=step), path)

    @property
    def revision(self) -> tuple[str, int]:
        """A value that differs after every change of the results."""
        return self._slice.entry.state

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """For every origin its `Status`: how far its results have come."""
        return self._slice.status

    @property
    def reasons(self) -> UInt8[np.ndarray, " N"]:
        """For every origin 0, or the `UnavailableReason` why it cannot be forecast."""
        return self._slice.reasons

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of a column of results, NaN where there is no result yet.

        Args:
            column: Name of the column, as in `frame`.
            rows: Rows of the data, int64 (R,).
        """
        return self._slice.take(column, rows)

    def calibrated_bands(self, rows: slice | None = None) -> Float32[np.ndarray, "R H K"]:
        """Ends of the calibrated intervals at `CALIBRATED_LEVELS`, NaN where too few past errors are known.

        Args:
            rows: Rows of one series of the data; None returns those of the run, and the array is kept until the results
                change.
        """
        if rows is not None:
            has_all = self._rows is None and self._bands is not None and self._bands[0] == self.revision
            if has_all or (self._rows is None and rows.stop - rows.start == len(self.data)):
                return self.calibrated_bands()[rows]
            return self._slice.calibrate_rows(rows.start, rows.stop)
        revision = self.revision
        if self._bands is None or self._bands[0] != revision:
            bands = self._slice.calibrate() if self._rows is None else self._slice.calibrate_sparse(self._rows)
            self._bands = revision, bands
        return self._bands[1]

    def _bands_of(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R H K"]:
        """As `calibrated_bands`, of some of the run's rows; where these are few, for them alone (E10)."""
        has_all = self._bands is not None and self._bands[0] == self.revision
        if has_all or 2 * len(rows) >= len(self.rows):
            return self.calibrated_bands()[np.searchsorted(self.rows, rows)]
        return self._slice.calibrate_sparse(rows)

    def _summarise(self, by: By | None, where: Where | None) -> pl.DataFrame:
        rows, names, keys = self.rows, OriginScores._fields[:4], group_keys(by)
        scored = rows[self.status[rows] == Status.SCORED]
        is_by_index = [isinstance(key, str) and key == "index" for key in keys]
        is_few = len(scored) < len(rows) // 2 and (is_by_index == [True] or not any(is_by_index))
        if is_few:
            rows = scored  # so that the memory follows what is calculated (E10)
            scores = OriginScores(*(self._slice.take(name, rows) for name in names))
        else:
            scores = OriginScores(*(self.column(name) for name in names))
        if self.calibrate:
            bands = self._bands_of(rows)
            scores = scores._replace(calibrated=is_covered(bands, self.data.actuals(rows, self.horizon)))
        keys, where = spread_keys(keys, where, self._rows, len(self.data))
        means = summarise(self.data, scores, keys or None, where, rows)
        is_cut = is_few and is_by_index == [True] and where is None
        return with_unscored_origins(self.data, means, self.rows, rows) if is_cut else means

    def _score_joint(
        self, of: Of | Statistic, steps: Steps, value: float | None, by: By | None, where: Where | None
    ) -> pl.DataFrame:
        keys = group_keys(by)
        if any(isinstance(key, str) and key == "horizon" for key in keys):
            raise OptionError("by='horizon' is not for of=: one number belongs to all steps.")
        part = horizon_part(steps, self.horizon, self.data.frequency)
        keys, where = spread_keys(keys, where, self._rows, len(self.data))
        return joint_scores(self._joint_forecasts(self._slice), self.rows, of, part, value, keys or None, where)

    def column(self, name: str, positions: slice | None = None) -> Float32[np.ndarray, "R *T"]:
        """A column of results of the run's rows, read-only; NaN where there is no result yet.

        Args:
            name: Name of the column, as in `frame`.
            positions: Which of the run's rows; None for all.
        """
        if self._rows is None and (positions is None or self._slice.entry.complete):
            return self._slice.array(name)[positions or slice(None)]
        values = self._slice.take(name, self.rows if positions is None else self.rows[positions])
        values.flags.writeable = False
        return values

    def _joint_forecasts(self, part: EntrySlice) -> JointForecasts:
        """The joint forecasts of some results; those of before, and what they hold, while the entry is the same."""
        if self._joint is None or self._joint.part.entry is not part.entry:
            self._joint = JointForecasts(part, calibrate=self.calibrate)
        return self._joint

    def _from_longer(self, part: EntrySlice) -> Bool[np.ndarray, " N"]:
        """Which rows are forecast from a longer history than that of the data."""
        contexts = part.entry.contexts  # another array after every change
        if self._longer is None or self._longer[0] is not contexts:
            self._longer = contexts, part.longer_contexts()
        return self._longer[1]
