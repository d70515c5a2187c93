"""Joint forecasts of the steps of a horizon, from the past forecasts that an entry holds (J1, J2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nbforecast.forecasters.bounded import Bounds, split_key
from nbforecast.postprocessing import conformal
from nbforecast.postprocessing.path_statistics import statistic_limits
from nbforecast.postprocessing.rank_correlation import DEFAULT_CORRELATION, correlated_order, rank_autocorrelation
from nbforecast.postprocessing.rank_templates import (
    MIN_TEMPLATES,
    PATHS,
    arrange,
    choose_templates,
    origin_keys,
    positions,
)
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.scoring.origin_scores import draw_levels, quantiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.postprocessing.path_statistics import Statistic
    from nbforecast.result_cache.entry_slice import EntrySlice

MARGINAL_LEVELS = tuple(sorted((*conformal.CALIBRATED_LEVELS, 0.5)))  # of calibrated values and their median
_CHUNK = 1 << 24  # path values in memory at a time
_MOST_STATISTICS = 8  # whose past values are cached
_CACHED_LEVELS = (*conformal.CALIBRATED_LEVELS, 0.5)
_POOL = 1000  # past origins of all series that a correlation is learned from


@dataclass(frozen=True)
class Dependence:
    """What the dependence between the steps of a forecast rests on.

    Attributes:
        origins: Past origins of the series whose horizon had ended.
        templates: Those used as templates; 0 where the dependence is parametric.
        season: Half of the templates are multiples of this many steps before the origin; 0 if none are.
        pooled: Past origins of all series that the parametric dependence was learned from; 0 for the default.
    """

    origins: int
    templates: int = 0
    season: int = 0
    pooled: int = 0

    def __str__(self) -> str:
        if self.templates:
            alike = f", half of them multiples of {self.season} steps before" if self.season else ""
            return f"dependence between steps from {self.templates:,} past origins{alike}"
        few = f"fewer than {MIN_TEMPLATES} past origins of this series have ended ({self.origins})"
        if self.pooled:
            return f"dependence between steps from the mean correlation over all series: {few}"
        return f"dependence between steps assumed, a correlation of {DEFAULT_CORRELATION} between neighbours: {few}"


class JointPaths(Protocol):
    """What the totals, extremes and events of a forecast are read from, by rows of its data."""

    @property
    def calibrate(self) -> bool:
        """Whether past errors of totals and extremes move their quantiles, unless a request says otherwise."""
        ...

    def paths(
        self,
        rows: Int64[np.ndarray, " R"],
        count: int = PATHS,
        draws: Float32[np.ndarray, "R H Q"] | None = None,
        bands: Float32[np.ndarray, "R H K"] | None = None,
    ) -> Float32[np.ndarray, "R n H"]:
        """See `JointForecasts.paths`."""
        ...

    def order(self, rows: Int64[np.ndarray, " R"], count: int = PATHS) -> tuple[Any, list[Dependence]]:
        """See `JointForecasts.order`."""
        ...

    def actual(self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
        """See `JointForecasts.actual`."""
        ...

    def calibrated_values(
        self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> Float64[np.ndarray, "R M"]:
        """See `JointForecasts.calibrated_values`."""
        ...


class JointForecasts:
    """Paths and their statistics for the origins of an entry.

    Everything is as of each origin a function of what was known then (L1), and the same in any batch (E8).

    Attributes:
        part: The results.
        calibrate: Whether past errors of sums and extremes move their quantiles, unless a request says otherwise.
    """

    def __init__(self, part: EntrySlice, *, calibrate: bool = False) -> None:
        self.part = part
        self.calibrate = calibrate
        self._bounds = split_key(part.spec.model.key)[1] or Bounds()
        self._usable: tuple[object, list[Int64[np.ndarray, " M"]]] | None = None
        self._past: tuple[object, dict[Any, tuple[Float64[np.ndarray, "N K"], Bool[np.ndarray, " N"]]]] = None, {}

    def __getstate__(self) -> dict[str, Any]:
        """The results; what is derived from them, by any function of a user's, is derived anew."""
        return {**self.__dict__, "_usable": None, "_past": (None, {})}

    @cached_property
    def _steps(self) -> Int64[np.ndarray, " N"]:
        """The absolute step of each row."""
        return self.part.data.frequency.to_step(self.part.data.time)

    def usable_steps(self, series: int) -> Int64[np.ndarray, " M"]:
        """The absolute steps of the origins of a series that have a forecast and all of whose outcomes are known.

        Series share templates where `choose_templates` gets the steps that all of them have.

        Args:
            series: Number of the series.

        Returns:
            (M,) ascending.
        """
        state = self.part.entry.state
        if self._usable is None or self._usable[0] != state:
            data, horizon = self.part.data, self.part.spec.horizon
            missing = np.append(0, np.cumsum(np.isnan(data.values)))
            rows = np.flatnonzero(has_forecast(self.part.status))
            ends = data.offsets[np.searchsorted(data.offsets, rows, side="right")]
            rows = rows[rows + horizon < ends]
            rows = rows[missing[rows + horizon + 1] == missing[rows + 1]]
            bounds = np.searchsorted(rows, data.offsets[1:-1])
            self._usable = state, [self._steps[part] for part in np.split(rows, bounds)]
        return self._usable[1][series]

    def order(
        self, rows: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> tuple[Float32[np.ndarray, "R n H"], list[Dependence]]:
        """The order of the paths of some origins at each step, and what it rests on.

        Args:
            rows: (R,) rows of the data.
            count: n, the number of paths.

        Returns:
            (R, n, H) numbers whose ranks are those of the paths' values, and R dependences.
        """
        data, horizon = self.part.data, self.part.spec.horizon
        order = np.empty((len(rows), count, horizon), np.float32)
        dependences: list[Dependence] = [Dependence(0)] * len(rows)
        correlations: dict[int, tuple[tuple[float, ...], int]] = {}
        series = np.searchsorted(data.offsets, rows, side="right") - 1
        for number in np.unique(series).tolist():
            own = np.flatnonzero(series == number)
            usable, origins = self.usable_steps(number), self._steps[rows[own]]
            templates = choose_templates(usable, origins, horizon, data.frequency.seasons, count)
            is_enough = templates.available >= MIN_TEMPLATES
            if is_enough.any():
                order[own[is_enough]] = self.positions(number, templates.steps[is_enough])
            for place, available, season, enough in zip(
                own.tolist(), templates.available.tolist(), templates.season.tolist(), is_enough.tolist(), strict=True
            ):
                if enough:
                    dependences[place] = Dependence(available, min(available, count), season)
                else:
                    step = int(self._steps[rows[place]])
                    if step not in correlations:
                        correlations[step] = self._correlation(step)
                    correlation, pooled = correlations[step]
                    order[place] = correlated_order(correlation, count, series_key(data.ids[number]))
                    dependences[place] = Dependence(available, pooled=pooled)
        return order, dependences

    def positions(self, series: int, steps: Int64[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N H"]:
        """Where the outcomes of past origins lie within their forecasts.

        Args:
            series: Number of the series.
            steps: Absolute steps of origins among `usable_steps`.

        Returns:
            The `rank_templates.positions` of each.
        """
        distinct, places = np.unique(steps, return_inverse=True)
        first = int(self.part.data.offsets[series])
        rows = distinct - self._steps[first] + first
        return self._positions(rows, series)[places.reshape(steps.shape)]

    def paths(
        self,
        rows: Int64[np.ndarray, " R"],
        count: int = PATHS,
        draws: Float32[np.ndarray, "R H Q"] | None = None,
        bands: Float32[np.ndarray, "R H K"] | None = None,
    ) -> Float32[np.ndarray, "R n H"]:
        """The paths of some origins.

        Args:
            rows: (R,) ascending rows of the data.
            count: n, the number of paths of each.
            draws: (R, H, Q) their forecasts; None reads them.
            bands: (R, H, 8) calibrated intervals whose values the paths take; None takes those of the forecasts.

        Returns:
            (R, n, H) in the data's unit; NaN where there is no forecast.
        """
        draws = self.part.take("forecast", rows) if draws is None else draws
        return self.arrange(draws, bands, self.order(rows, count)[0])

    def values(
        self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> Float64[np.ndarray, "R n"]:
        """A statistic of the paths of some origins, not calibrated.

        Args:
            of: A function of paths (..., H) that returns a number for each, (...).
            steps: The part of the horizon.
            rows: (R,) ascending rows of the data.
            count: n, the number of paths of each origin.

        Returns:
            (R, n) ascending; NaN where there is no forecast.
        """
        values = np.empty((len(rows), count))
        for part in self.pieces(len(rows), count):
            paths = self.paths(rows[part], count)[..., steps]
            values[part] = np.sort(np.where(np.isnan(paths).any(-1), np.nan, of(paths)), -1)
        if self.calibrate:
            cached, is_cached = self._cached_quantiles(of, steps, count)
            cached[rows], is_cached[rows] = _quantiles_of(values), True
        return values

    def pieces(self, rows: int, count: int = PATHS) -> Iterator[slice]:
        """Parts of many rows whose paths fit into memory."""
        size = max(1, _CHUNK // (count * self.part.spec.horizon))
        for start in range(0, rows, size):
            yield slice(start, min(start + size, rows))

    def has_forecast(self, rows: Int64[np.ndarray, " R"]) -> Bool[np.ndarray, " R"]:
        """Which rows have a forecast, (R,)."""
        return has_forecast(self.part.status[rows])

    def actual(self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
        """What a statistic was.

        Args:
            of: A function of values (..., H) that returns a number for each, (...).
            steps: The part of the horizon.
            rows: (R,) rows of the data.

        Returns:
            (R,) NaN where a value is not known.
        """
        actual = self.part.data.actuals(rows, steps.stop)[:, steps]
        return np.where(np.isnan(actual).any(-1), np.nan, np.asarray(of(actual)).astype(np.float64))

    def calibrated_values(
        self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> Float64[np.ndarray, "R M"]:
        """Calibrated quantiles of a statistic: moved by the errors that it had at past origins.

        Args:
            of: A function of paths (..., H) that returns a number for each, (...).
            steps: The part of the horizon.
            rows: (R,) ascending rows of the data.
            count: n, the number of paths of each origin.

        Returns:
            (R, 9) quantiles at `MARGINAL_LEVELS`; NaN where fewer than `conformal.MIN_ERRORS` past errors were known.
        """
        data = self.part.data
        needed = conformal.rows_that_calibrate(rows, data.offsets, steps.stop)
        starts = np.flatnonzero(np.append(True, np.diff(needed) != 1) | np.isin(needed, data.offsets))
        lengths = np.diff(np.append(starts, len(needed)))
        ends = self._quantiles(of, steps, needed, count)
        median = ends[:, -1]
        calibrated = conformal.calibrate_values(
            ends[:, :-1], median, self.actual(of, steps, needed), lengths, steps.stop
        )
        limits = statistic_limits(of, self._bounds.minimum, self._bounds.maximum, steps.stop - steps.start)
        calibrated = np.clip(calibrated, *limits)
        middle = calibrated.shape[1] // 2
        combined = np.insert(calibrated, middle, np.where(np.isnan(calibrated[:, 0]), np.nan, median), 1)
        return combined[np.searchsorted(needed, rows)]

    def _quantiles(
        self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"], count: int
    ) -> Float64[np.ndarray, "R K"]:
        """Quantiles of a statistic at `_CACHED_LEVELS`, from those that are cached where there are some."""
        cached, is_cached = self._cached_quantiles(of, steps, count)
        missing = rows[~is_cached[rows]]
        if len(missing):
            cached[missing] = _quantiles_of(self.values(of, steps, missing, count))
            is_cached[missing] = True
        return cached[rows]

    def _cached_quantiles(
        self, of: Statistic, steps: slice, count: int
    ) -> tuple[Float64[np.ndarray, "N K"], Bool[np.ndarray, " N"]]:
        """The quantiles of rows, cached until the results change, and which rows have them."""
        if self._past[0] != self.part.entry.state:
            self._past = self.part.entry.state, {}
        key, statistics = (of, steps.start, steps.stop, count), self._past[1]
        if key not in statistics:
            if len(statistics) == _MOST_STATISTICS:
                statistics.pop(next(iter(statistics)))
            length = len(self.part)
            statistics[key] = np.full((length, len(_CACHED_LEVELS)), np.nan), np.zeros(length, bool)
        return statistics[key]

    def arrange(
        self,
        draws: Float32[np.ndarray, "R H Q"],
        bands: Float32[np.ndarray, "R H K"] | None,
        order: Float32[np.ndarray, "R n H"],
    ) -> Float32[np.ndarray, "R n H"]:
        """The paths of some forecasts in a given order.

        Args:
            draws: (R, H, Q) the forecasts.
            bands: (R, H, 8) their calibrated intervals, NaN where there are none; None takes the forecasts themselves.
            order: (R, n, H) as `order` returns it.

        Returns:
            (R, n, H) in the data's unit, within the bounds of the forecasts (S12).
        """
        levels = self.part.spec.levels
        if bands is None:
            return self._within_bounds(arrange(draws, levels, order))
        is_calibrated = np.isfinite(bands).all((1, 2))
        paths = np.empty_like(order)
        paths[~is_calibrated] = arrange(draws[~is_calibrated], levels, order[~is_calibrated])
        median = quantiles(draws[is_calibrated], levels, (0.5,))[..., 0]
        marginals = np.insert(bands[is_calibrated], bands.shape[-1] // 2, median, axis=-1)
        paths[is_calibrated] = arrange(marginals, MARGINAL_LEVELS, order[is_calibrated])
        return self._within_bounds(paths)

    def _within_bounds(self, paths: Float32[np.ndarray, "R n H"]) -> Float32[np.ndarray, "R n H"]:
        if self._bounds == Bounds():
            return paths
        return np.clip(paths, np.float32(self._bounds.minimum), np.float32(self._bounds.maximum))

    def _positions(self, rows: Int64[np.ndarray, " M"], series: int) -> Float32[np.ndarray, "M H"]:
        """The positions of rows of one series; their draws are read part by part."""
        data, spec = self.part.data, self.part.spec
        keys = origin_keys(series_key(data.ids[series]), self._steps[rows])
        values = np.empty((len(rows), spec.horizon), np.float32)
        piece = max(1, _CHUNK // (spec.horizon * len(spec.levels)))
        for start in range(0, len(rows), piece):
            part = slice(start, start + piece)
            actual = data.actuals(rows[part], spec.horizon)
            values[part] = positions(self.part.take("forecast", rows[part]), spec.levels, actual, keys[part])
        return values

    def _correlation(self, step: int) -> tuple[tuple[float, ...], int]:
        """The correlation between steps over all series, from origins that had ended by a step; and their number."""
        horizon, parts, count = self.part.spec.horizon, [], 0
        known = [self.usable_steps(number) for number in range(len(self.part.data.ids))]
        known = [steps[: np.searchsorted(steps, step - horizon, side="right")] for steps in known]
        total = sum(map(len, known))
        if total >= MIN_TEMPLATES:
            most = max(1, -(-_POOL // max(1, sum(len(steps) > 0 for steps in known))))
            for number, steps in enumerate(known):
                if len(steps) and count < _POOL:
                    parts.append(self.positions(number, steps[-most:]))
                    count += len(parts[-1])
        order = np.concatenate(parts) if parts else np.empty((0, horizon), np.float32)
        return rank_autocorrelation(order), count


def series_key(series: str) -> int:
    """A number for a series, from its id, by which its random numbers are drawn."""
    return int.from_bytes(hashlib.blake2b(series.encode(), digest_size=8).digest(), "little")


def _quantiles_of(values: Float64[np.ndarray, "R n"]) -> Float64[np.ndarray, "R K"]:
    return quantiles(values, draw_levels(None, values.shape[1]), _CACHED_LEVELS)
