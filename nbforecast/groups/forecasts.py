"""Forecasts of the groups of a panel, joint over its series: what `Run.aggregate` returns (J3)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from nbforecast.checks import check_coverages
from nbforecast.data.origins import Index, find_row
from nbforecast.data.sum_series import add_up, sum_series
from nbforecast.errors import OptionError, OriginUnavailable
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.groups.panel_paths import PanelPaths
from nbforecast.groups.paths import GroupPaths, shared_bounds
from nbforecast.groups.scores import score_groups
from nbforecast.origin_forecast import Forecast
from nbforecast.scoring.origin_scores import draw_levels
from nbforecast.text import did_you_mean, plural, quoted, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbforecast.data import Dataset, DataWarning
    from nbforecast.data.groups import Groups
    from nbforecast.forecasters.bounded import Bounds
    from nbforecast.joint.forecasts import JointForecasts
    from nbforecast.origin_forecast import Steps
    from nbforecast.postprocessing.path_statistics import Name, Statistic

Method = Literal["bottom_up", "direct", "reconciled"]


class PanelRun(Protocol):
    """What the forecasts of groups are made from: a run of a panel."""

    data: Dataset
    calibrate: bool

    @property
    def horizon(self) -> int:
        """H, the number of steps forecast."""
        ...

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def reasons(self) -> UInt8[np.ndarray, " N"]:
        """For every origin 0, or why it cannot be forecast."""
        ...

    def wait(self, timeout: float | None = None) -> Any:
        """Wait until the run is done."""
        ...

    def joint_forecasts(self, rows: Int64[np.ndarray, " R"] | None = None) -> JointForecasts:
        """The joint forecasts of the run's origins."""
        ...

    @property
    def available(self) -> int:
        """Number of origins that can be forecast."""
        ...

    def with_data(self, data: Dataset, bounds: Bounds) -> PanelRun:
        """A run of the same model over other data."""
        ...


class GroupForecasts:
    """The forecasts of groups of a panel's series as of one origin; `Run.aggregate` returns it.

    `groups["north"]` is a forecast like any other, of the sum of the group's series.

    Attributes:
        groups: The groups: `ids`, `levels`, and the weights of the series.
        data: The values of the groups, one series each, up to the last time that all series have.
        index: Index of the origin in `data`.
        method: How the groups are forecast: "bottom_up" adds the joint paths of their series, "direct" forecasts their
            own values by the same model, "reconciled" moves both until they add up.

    Example:
        >>> groups = panel.aggregate("region")  # `panel` was made with static="region"
        >>> groups["total"].total(7).interval(80)  # how much in all in the next 7 steps, with a band
    """

    def __init__(self, run: PanelRun, groups: Groups, index: Index = 0, method: Method = "bottom_up") -> None:
        check_method(method)
        self.groups = groups
        self.method = method
        self.data = sum_series(run.data, groups, add_up(run.data, groups))
        self._run = run
        shortest = self.data.ids[int(self.data.lengths.argmin())]
        row = find_row(self.data, index, shortest)
        self.index = self.data.locate(row)[1]
        self._step = int(self.data.frequency.to_step(self.data.time[row : row + 1])[0])
        run.wait()
        self._series = PanelPaths(run.joint_forecasts(), groups.series)
        rows = self._series.rows(np.array([self._step])).ravel()
        self._check_available(rows)
        self._series.joint = run.joint_forecasts(rows)
        if method != "bottom_up" and not self.direct.available:
            raise OriginUnavailable(
                f"{run.model} has no forecast of the groups themselves: method='bottom_up' adds those of their series."
            )

    @property
    def time(self) -> Any:
        """Time of the origin, of the type that the times of the data have."""
        row = self.data.row(self.index)
        return self.data.times(self.data.time[[row]]).item()

    @property
    def warnings(self) -> tuple[DataWarning, ...]:
        """What there is to know of the groups' values: series that end earlier, values that a series lacks."""
        return self.data.warnings

    @cached_property
    def direct(self) -> PanelRun:
        """The run of the groups' own values by the same model; its results are cached like any others.

        Holidays are its covariates as they are the series'; covariates of single series are not.
        """
        key = self._run.joint_forecasts().part.spec.model.key
        run = self._run.with_data(self.data, shared_bounds(self.groups, key))
        run.wait()
        return run

    def __getitem__(self, group: str) -> Forecast:
        """The forecast of one group.

        Args:
            group: Name of the group, such as "total", "north" or "north/tea".

        Returns:
            A forecast like any other, of the weighted sum of the group's series.

        Raises:
            OptionError: No group has this name.
        """
        self.groups.position(group)
        row = self.data.row(self.index, group)
        paths = self._paths.paths(np.array([row]))[0]
        levels = draw_levels(None, len(paths))
        return Forecast(self.data, row, np.sort(paths, 0).T, levels, self._run.model, joint=self._paths)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the groups, the most general ones first."""
        return iter(self.groups.ids)

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.groups)

    def totals(self, steps: Steps = None, levels: float | Sequence[float] = (80, 95)) -> pl.DataFrame:
        """The sums over the horizon or a part of it, one row per group.

        Args:
            steps: The part of the horizon, as for `Forecast.total`; None is all of it.
            levels: Coverages of the central prediction intervals in per cent.

        Returns:
            A DataFrame with level, group, series (their number), MODEL (the median), MODEL-lo-80, MODEL-hi-80 and so
            on. They are calibrated if the run calibrates and enough past errors are known.

        Raises:
            OptionError: `steps` is no part of the horizon, or a coverage is none.

        Example:
            >>> groups.totals(7, levels=80)  # a row per group: how much in the next 7 steps
        """
        coverages = _coverages(levels)
        rows, sizes = [], self.groups.sizes.tolist()
        for level, group, size in zip(self.groups.levels, self.groups.ids, sizes, strict=True):
            total = self[group].total(steps)
            row = {"level": level, "group": group, "series": size, self._run.model: total.median}
            for coverage in coverages:
                row |= self._ends(coverage, total.interval(coverage).tolist())
            rows.append(row)
        return pl.DataFrame(rows)

    def to_long(self, levels: float | Sequence[float] = (80, 95)) -> pl.DataFrame:
        """The forecasts of all groups, one row per group and step.

        Args:
            levels: Coverages of the central prediction intervals in per cent.

        Returns:
            A DataFrame with level, group, cutoff, ds, step, MODEL (the median), MODEL-lo-80, MODEL-hi-80 and so on.

        Example:
            >>> groups.to_long(levels=80)  # a row per group and step
        """
        coverages = _coverages(levels)
        parts = []
        for level, group in zip(self.groups.levels, self.groups.ids, strict=True):
            forecast = self[group]
            columns = {"step": np.arange(1, self._run.horizon + 1), self._run.model: forecast.median}
            for coverage in coverages:
                columns |= self._ends(coverage, forecast.interval(coverage).T)
            names = [pl.lit(level).alias("level"), pl.lit(group).alias("group"), pl.lit(self.time).alias("cutoff")]
            parts.append(pl.DataFrame({"ds": forecast.future, **columns}).select(*names, pl.all()))
        return pl.concat(parts)

    def _ends(self, coverage: float, ends: Any) -> dict[str, Any]:
        """The lower and the upper ends of intervals, as columns."""
        return {f"{self._run.model}-{side}-{coverage:g}": end for side, end in zip(("lo", "hi"), ends, strict=True)}

    def scores(
        self, of: Name | Statistic = "total", steps: Steps = None, *, by: str = "level", every: int | None = None
    ) -> pl.DataFrame:
        """How well each method forecast the groups at past origins; all of them at the same ones.

        Args:
            of: What is scored: "total", "mean", "maximum" or "minimum" over the steps, or a function of paths (..., H)
                that returns a number for each, (...).
            steps: The part of the horizon, as for `Forecast.total`; None is all of it.
            by: "level" for a row per level and method, "group" for one per group and method.
            every: The distance of two origins in steps; None is the length of the horizon's part, so that no two
                outcomes overlap.

        Returns:
            A DataFrame with the level (and the group), method, n (outcomes), mae, rmse, crps and the coverages
            coverage_50, coverage_80 and coverage_95 (shares). If the run calibrates also calibrated_50, calibrated_80,
            calibrated_90 and calibrated_95, over the origins with enough past errors. A model that cannot forecast the
            groups themselves, such as forecasts made elsewhere, has the sums of its series only.

        Raises:
            OptionError: An argument is impossible, or no past origin has enough others before it.

        Example:
            >>> groups.scores().select("level", "method", "n", "mae", "crps", "coverage_80")
        """
        if by not in ("level", "group"):
            raise OptionError(f"by= takes 'level' or 'group', not {by!r}.")
        methods = get_args(Method) if self.direct.available else ("bottom_up",)
        return score_groups(self._paths, methods, of, steps, by, every)

    @cached_property
    def _paths(self) -> GroupPaths:
        return GroupPaths(self.groups, self.data, self._series, self._direct_paths, self.method)

    def _direct_paths(self) -> PanelPaths:
        numbers = np.array([self.data.position(name) for name in self.groups.ids])
        return PanelPaths(self.direct.joint_forecasts(), numbers)

    def _check_available(self, rows: Int64[np.ndarray, " S"]) -> None:
        reasons = self._run.reasons[rows]
        barred = np.flatnonzero(reasons)
        if not len(barred):
            return
        names = [self._run.data.ids[number] for number in self.groups.series[barred]]
        one = UnavailableReason(int(reasons[barred[0]])).sentence
        raise OriginUnavailable(
            f"{plural(len(barred), 'series', 'series')} of {len(rows):,} cannot be forecast at index {self.index} "
            f"({timestamp(self.time)}): {quoted(names, 3)}. Of {names[0]!r}: {one}. Take another index, or name the "
            "series that count in a table of weights."
        )

    def __repr__(self) -> str:
        series = plural(len(self.groups.series), "series", "series")
        return (
            f"GroupForecasts({self._run.model}, horizon {self._run.horizon}, {plural(len(self), 'group')} of {series}, "
            f"index {self.index}, {self.method})"
        )


def _coverages(levels: float | Sequence[float]) -> Sequence[float]:
    coverages = cast("Sequence[float]", (levels,) if np.ndim(levels) == 0 else levels)
    check_coverages(coverages, "levels=")
    return coverages


def check_method(method: str) -> None:
    """Raise `OptionError` unless a method is one of `Method`."""
    methods = get_args(Method)
    if method not in methods:
        raise OptionError(
            f"method= takes one of {quoted(methods)}, not {method!r}.{did_you_mean(str(method), methods)}"
        )
