"""A run: the forecasts of one request from every origin, which the background fills in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nbforecast.data.covariate_grid import describe_missing
from nbforecast.data.groups import read_groups
from nbforecast.data.origins import Index, find_row, newest_rows
from nbforecast.deprecation import RenamedAttribute
from nbforecast.engine.tasks import Priority
from nbforecast.errors import OptionError, OriginUnavailable
from nbforecast.forecasters.bounded import split_key, with_bounds
from nbforecast.forecasters.covariate_use import availability
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.groups.forecasts import GroupForecasts
from nbforecast.origin_forecast import Forecast
from nbforecast.postprocessing.variants import VARIANT_LEVELS, Variant, compare_variants
from nbforecast.result_cache.export import to_long
from nbforecast.result_cache.key import ForecastSpec
from nbforecast.run_card import MUTED, run_card, text_line
from nbforecast.run_surprises import RunSurprises
from nbforecast.safe_text import escape_controls
from nbforecast.scoring.origin_scores import quantiles
from nbforecast.series_results import SeriesResults
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data import Dataset
    from nbforecast.engine.engine import Engine
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.forecasters.bounded import Bounds
    from nbforecast.groups.forecasts import Method
    from nbforecast.joint.forecasts import JointForecasts
    from nbforecast.options import Style
    from nbforecast.result_cache.entry_slice import EntrySlice


class Run(RunSurprises):
    """Forecasts from every origin of a dataset, which the background fills in.

    `nbforecast.forecast` returns a run. All its members can be read at any time and show the results so far; `wait`
    waits for the rest.

    Attributes:
        data: The prepared data.
        reused: Number of origins whose forecasts were in the cache when the run began.
        calibrate: Whether prediction intervals are calibrated with the past forecast errors of each series, as far as
            these are known when the intervals are read. `array` and `Forecast.draws` are never calibrated.

    Example:
        >>> run = nbf.forecast(df, "naive").wait()
        >>> run.at(-24).interval(80).shape
        (12, 2)
        >>> run.to_long(levels=80).columns
        ['unique_id', 'ds', 'cutoff', 'y', 'naive', 'naive-lo-80', 'naive-hi-80']
        >>> run.sink_long(folder / "forecasts.parquet")  # the same in parts, for tables that do not fit into memory
    """

    @property
    def base(self) -> Run:
        """The run without learning: the run itself, unless it learns."""
        return self

    def effects(self, by: str | None = None, *, percent: bool | None = None) -> pl.DataFrame:
        """What each covariate, holiday and other feature does to what is forecast, and what its group gains (H3).

        Effects are estimated by a regression of the base's errors, for each horizon step and within each series. They
        are of a change of one feature while the others stay as they are, beyond what the base itself makes of it.
        Standard errors allow for overlapping forecasts, and in panels for series that depend on each other. The call
        waits for the run, and computes the correction once more for each group.

        Args:
            by: None for means over horizon steps and series, "horizon" for each step, "series" for each series, or a
                column that `static` names for each group of series.
            percent: Whether effects are in per cent; by default where no value is below zero. They are changes of the
                value where those of every series stay well above zero (the smallest above a hundredth of the median),
                else in per cent of the mean of each series. Otherwise they are in the data's unit.

        Returns:
            A DataFrame with a row per feature, or two for a number (at its 90 % and 10 % quantile), those of the group
            that gains most first. A column of what `by` names; group; feature; reference and value (the
            change of the feature: a standard deviation from 0 where it is an error, a difference or a change); effect
            with std_error, the ends of its 95 % interval, lower and upper, and the p_value of there being none; unit
            ("%" or that of the data); count (in how many rows a feature of two values has the second). error_without is
            by how many per cent the error (CRPS) is higher without the group, with its standard error; share is the
            part of the whole improvement, in per cent, that is lost without it. For past values and errors, on which
            every correction rests, both compare a correction by them alone with none. Unknown is null: an effect that
            the data leave open, and a standard error where a feature changed too rarely.

        Raises:
            OptionError: The run does not learn, `by` is something else, or `percent` is True and values are below zero.

        Example:
            >>> run = nbf.forecast(sales, id="shop", target="sold", future_covariates="promotion", wait=True)
            >>> run.effects().select("feature", "effect", "std_error", "unit", "error_without")
        """
        raise OptionError(f"{self.model} does not learn, so no effects are estimated. Forecast with learn=True.")

    def compare(self) -> pl.DataFrame:
        """What calibration and learning gain: forecasts as the base makes them, calibrated, learned, and both (H4).

        Every row rests on the same origins and steps of the run, those at which all four are known; calibrated ones are
        null where no origin has enough past errors.

        Returns:
            A DataFrame with a row for each: model and calibrated (which forecasts these are), n (steps), mae, wis (the
            error of the whole forecast: twice the mean quantile loss at nine levels), the coverages of four intervals,
            the mean width of the 80 % interval. wis_change is the change of the error beside the base as it is, in per
            cent, of which in a panel every series counts alike, with the ends of its 95 % interval, lower and upper,
            and a p_value that is corrected for the comparisons of the table (Diebold and Mariano; Holm).

        Example:
            >>> run = nbf.forecast(df, "naive", learn=True, wait=True)
            >>> run.compare().select("model", "calibrated", "wis_change", "coverage_80")
        """
        data, rows, variants = self.data, self.rows, []
        for run in dict.fromkeys((self.base, self)):
            draws = run.entry_slice.take("forecast", rows)
            as_forecast = quantiles(draws, run.quantile_levels, VARIANT_LEVELS)
            bands = run.entry_slice.calibrate_sparse(rows)
            half = bands.shape[-1] // 2
            median = as_forecast[..., half : half + 1]
            calibrated = np.concatenate([bands[..., :half], median, bands[..., half:]], -1)
            variants += [Variant(run.model, False, as_forecast), Variant(run.model, True, calibrated)]
        series = np.repeat(np.arange(len(data.ids)), data.lengths)[rows]
        return compare_variants(variants, data.actuals(rows, self.horizon), data.time[rows], series, rows)

    def series(self, series: str) -> SeriesResults:
        """The results of one series of a panel.

        Args:
            series: Id of the series.

        Returns:
            The `frame`, the `array`, `at`, `surprises` and `changes` of this series.

        Raises:
            OptionError: No series has this id.

        Example:
            >>> panel.series("harbour").array.shape
            (80, 12, 10)
        """
        return SeriesResults(self, series)

    def at(self, index: Index, series: str | None = None) -> Forecast:
        """The forecast as of one origin, inferred at once where the background has not reached it yet.

        Args:
            index: Index of the origin, 0 for the last data point, -24 for 24 grid steps before it; or a time, such as
                "2025-01-05 18:00", for the last grid point at or before it. Times without an offset are of the data's
                own zone.
            series: Id of the series; None is the first one.

        Returns:
            The forecast.

        Raises:
            IndexOutOfRange: The series has no such origin; the error states the valid range.
            OriginUnavailable: The origin cannot be forecast; the error states the reason and the nearest one that can.
            OptionError: No series has this id, a text is no time, or the clock shows a time twice.

        Example:
            >>> run.at(-24).median  # the H point forecasts made 24 steps before the end
        """
        return self.forecast_at(find_row(self.data, index, series))

    def forecast_at(self, row: int) -> Forecast:
        """The forecast as of the origin in one row; `at` finds the row by index and series."""
        reason = UnavailableReason(self.reasons[row])
        if reason == UnavailableReason.NO_COVARIATES:
            raise OriginUnavailable(describe_missing(self.data, row, self.horizon))
        if reason:
            raise OriginUnavailable(
                f"There is no forecast at index {self.data.locate(row)[1]} "
                f"({self.data.times(self.data.time[[row]]).item()}): {reason.sentence}. {self._nearest_available(row)}"
            )
        rows, current = np.array([row]), self._slice
        while True:
            if self._engine is None:
                draws = self._copied_draws(rows)
                break
            current = self._engine.infer_now(current, self._forecaster, rows, self._seed)
            draws = current.take("forecast", rows)[0]
            if np.isfinite(draws).all():  # otherwise the result was dropped between the answer and the reading
                break
        if self._task is None:  # a run with a task stays with the entry that the task fills
            self._slice = current.with_requested(self._slice.requested)
        bands = current.calibrate_rows(row, row + 1)[0] if self.calibrate else None
        is_from_longer = bool(self._from_longer(current)[row])
        joint = self._joint_forecasts(current)
        _, bounds = split_key(self.spec.model.key)
        odd = self.odd_points if self.has_surprises else None
        levels = self.quantile_levels
        return Forecast(self.data, row, draws, levels, self.model, bands, is_from_longer, joint, bounds, odd)

    def _infer(self, rows: Int64[np.ndarray, " R"]) -> EntrySlice:
        """The results with the forecasts of some rows, which are inferred at once where they are missing."""
        if self._engine is None:
            return self._slice
        return self._engine.infer_now(self._slice, self._forecaster, rows, self._seed)

    def _copied_draws(self, rows: Int64[np.ndarray, " 1"]) -> Float32[np.ndarray, "H Q"]:
        """The forecast of an origin in a run that was copied, and that infers nothing."""
        draws = self._slice.take("forecast", rows)[0]
        if not np.isfinite(draws).all():
            raise OriginUnavailable(
                f"There is no forecast at index {self.data.locate(int(rows[0]))[1]}: this run is a copy that was made "
                "before it was forecast, and a copy infers nothing. Copy a run that is done, or request it again."
            )
        return draws

    def has_result(self, index: Index, series: str | None = None) -> bool:
        """Whether `at` answers without an inference, with a forecast or with the reason why there is none.

        Args:
            index: Index or time of the origin.
            series: Id of the series; None is the first one.

        Example:
            >>> run.has_result(-24)
            True
        """
        row = find_row(self.data, index, series)
        return not self._slice.entry.is_pending(self._slice.entry_rows(np.array([row]))).any()

    def latest(self, levels: float | Sequence[float] = (80, 95)) -> pl.DataFrame:
        """The newest forecast of each series; what has not been inferred yet is inferred at once.

        Args:
            levels: Coverages of the central prediction intervals in per cent.

        Returns:
            A DataFrame with a row per series and step: unique_id, cutoff (the time as of which the forecast is made; a
            series that ends earlier has an earlier one), ds, step, MODEL (the median), MODEL-lo-80, MODEL-hi-80 and so
            on. Series that cannot be forecast have no row.

        Example:
            >>> nbf.forecast(df, horizon="12h", origins="latest").latest()
        """
        is_chosen = np.isin(np.arange(len(self.data)), self.rows)
        rows = np.flatnonzero(newest_rows(self.data, is_chosen & (self.reasons == 0)))
        current = self._infer(rows)
        bands = current.calibrate_sparse(rows) if self.calibrate and len(rows) else None
        table = to_long(current, rows, levels, bands, step=True)
        first = ("unique_id", "cutoff", "ds", "step")
        return table.select(*first, pl.exclude(*first, "y"))

    def joint_forecasts(self, rows: Int64[np.ndarray, " R"] | None = None) -> JointForecasts:
        """The joint forecasts of the run's origins: paths, sums and extremes by row.

        Args:
            rows: (R,) rows whose forecasts are inferred at once where they are missing.
        """
        return self._joint_forecasts(self._slice if rows is None else self._infer(rows))

    def with_data(self, data: Dataset, bounds: Bounds) -> Run:
        """A run of the same model over other data, in the background; its results are cached like any others.

        Args:
            data: The data.
            bounds: Those of its forecasts, in place of the run's own.

        Raises:
            OptionError: The run is a copy, which infers nothing.
        """
        forecaster = with_bounds(self._forecaster, bounds)
        part, engine = self._find_results(forecaster, data)
        run = Run(part, forecaster, engine, self._seed, calibrate=self.calibrate)
        run.start(Priority.BATCH)
        return run

    def _find_results(self, forecaster: Forecaster, data: Dataset) -> tuple[EntrySlice, Engine]:
        """The cached results of a model for other data, and what completes them."""
        if self._engine is None:
            raise OptionError("This run is a copy, which infers nothing: request it again.")
        spec = ForecastSpec.from_forecaster(forecaster, data, self.horizon, self._seed)
        return self._engine.cache.find(data, spec, partial(availability, forecaster, data, self.horizon)), self._engine

    def aggregate(self, by: Any = None, index: Index = 0, *, method: Method = "bottom_up") -> GroupForecasts:
        """The forecasts of sums over the series of a panel, joint over the series.

        The paths of all series share the past origins that give their dependence, so the spread of a sum is that of
        series that rise and fall together as they did. What is not forecast yet is waited for.

        Args:
            by: None for the total of all series; a column that `static=` names, or a list of columns, which are levels
                of a hierarchy: `["region", "item"]` makes the total, each region, and each item of each region. Or a
                table with the columns unique_id and weight, and group where it makes several sums; series that it lacks
                count for nothing.
            index: Index or time of the origin, counted from the last time at which all series of the groups have a
                value.
            method: "bottom_up" adds the paths of the series. "direct" forecasts the groups' own values by the same
                model. "reconciled" moves both by their past errors until they add up.

        Returns:
            The forecasts by group: `run.aggregate()["total"].total(28).interval(80)`.

        Raises:
            InputError: The series have no time in common, or a table or column does not fit them.
            OptionError: `by` or `method` is impossible.
            IndexOutOfRange: The series have no such origin in common.
            OriginUnavailable: A series cannot be forecast from the origin; the error names it.

        Example:
            >>> groups = panel.aggregate("region")  # `panel` was made with static="region"
            >>> groups.totals(7)  # a row per group: how much in the next 7 steps, with bands
        """
        return GroupForecasts(self, read_groups(self.data, by), index, method)

    def plot(
        self,
        index: Index = 0,
        series: str | None = None,
        ax: Any = None,
        style: Style = "bands",
        *,
        surprises: bool = False,
    ) -> Any:
        """Draw the forecast of one origin with matplotlib.

        Args:
            index: Index or time of the origin.
            series: Id of the series; None is the first one.
            ax: Axes to draw on; None makes a figure.
            style: "bands", "density" or "paths".
            surprises: Whether odd observations are found, which waits for the run, and marked. Once `surprises` has
                been called they are marked in any case.

        Returns:
            The matplotlib axes.

        Example:
            >>> axes = run.plot(-24, style="density")
        """
        if surprises:
            self.surprises()
        return self.at(index, series).plot(ax, style)

    def _nearest_available(self, row: int) -> str:
        series, _ = self.data.locate(row)
        first, end = self.data.offsets[series], self.data.offsets[series + 1]
        rows = np.flatnonzero(self.reasons[first:end] == UnavailableReason.AVAILABLE) + first
        if not len(rows):
            return "No origin of this series has a forecast."
        return f"The nearest index with one is {rows[np.argmin(np.abs(rows - row))] - end + 1}."

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        is_drawn = self.done and self.error is None and self.has_result(0)
        return run_card(self, self._draw_newest() if is_drawn else "")

    def _mime_(self) -> tuple[str, str]:  # for marimo
        return "text/html", self._repr_mimebundle_()["text/html"]

    def _draw_newest(self) -> str:
        """The chart of the newest origin of the first series that was requested; nothing else is inferred for it."""
        end = self.data.offsets[1]
        rows = self.rows[self.rows < end] if self.rows[0] < end else self.rows
        available = rows[self.reasons[rows] == UnavailableReason.AVAILABLE] if self.is_partial else rows
        try:
            return self.forecast_at(int((available if len(available) else rows)[-1]))._mime_()[1]
        except OriginUnavailable as error:
            return text_line(MUTED, str(error))

    def __repr__(self) -> str:
        series_count = len(self.data.ids)
        origins = plural(self.available - self.supporting, "origin")
        origins += f" of {series_count} series" if series_count > 1 else ""
        origins += f" and {self.supporting:,} past ones for calibration" if self.supporting else ""
        state = (
            f"failed: {self.error}"
            if self.error
            else "cancelled"
            if self.cancelled
            else f"done ({self.inferred:,} inferred, {self.reused:,} reused)"
            if self.done
            else f"{self.progress:.0%}"
        )
        return f"Run({escape_controls(self.model)}, horizon {self.horizon}, {origins}, {state})"

    levels = RenamedAttribute("quantile_levels")
    known = RenamedAttribute("has_result")
