"""Paths of groups by each method, and their statistics, calibrated by past ones (J3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.errors import OriginUnavailable
from nbforecast.forecasters.bounded import Bounds, split_key
from nbforecast.joint.forecasts import Dependence
from nbforecast.postprocessing import conformal
from nbforecast.postprocessing.rank_templates import MIN_TEMPLATES, PATHS, Templates, choose_templates
from nbforecast.postprocessing.reconciliation import MIN_ERRORS, WINDOW, fit_counts, reconcile, reconciliation_gain
from nbforecast.scoring.origin_scores import draw_levels, quantiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.data import Dataset
    from nbforecast.data.groups import Groups
    from nbforecast.groups.panel_paths import PanelPaths
    from nbforecast.postprocessing.path_statistics import Statistic

_MOST_RECENT = 4  # requests whose paths are kept
_MOST_PAST = 80  # past origins that calibrate a statistic, none of whose outcomes overlap
_VALUES = 1 << 24  # path values of all groups in memory at a time


class GroupPaths:
    """The joint forecasts of groups, by rows of the groups' own data as `JointForecasts` has them of a run's.

    Attributes:
        groups: The groups.
        data: Their values, one series each.
        series: The joint forecasts of the series.
        method: "bottom_up", "direct" or "reconciled".
    """

    def __init__(
        self, groups: Groups, data: Dataset, series: PanelPaths, direct: Callable[[], PanelPaths], method: str
    ) -> None:
        self.groups, self.data, self.series, self.method = groups, data, series, method
        self._make_direct = direct
        self._direct: PanelPaths | None = None
        self._numbers = np.array([groups.ids.index(name) for name in data.ids])  # of the groups, by series of the data
        self._limits = group_limits(groups, series.joint.part.spec.model.key)
        self._steps = data.frequency.to_step(data.time)
        self._recent: dict[tuple[bytes, int], Float32[np.ndarray, "G R n H"]] = {}
        self._past: tuple[Any, Float64[np.ndarray, "G T K"]] | None = None
        self._gains: dict[int, list[Float64[np.ndarray, "G G"]]] = {}

    @property
    def horizon(self) -> int:
        """H, the number of steps forecast."""
        return self.series.joint.part.spec.horizon

    @property
    def calibrate(self) -> bool:
        """Whether the run calibrates."""
        return self.series.joint.calibrate

    @property
    def direct(self) -> PanelPaths:
        """The joint forecasts of the groups' own values."""
        if self._direct is None:
            self._direct = self._make_direct()
        return self._direct

    def with_method(self, method: str) -> GroupPaths:
        """The same groups by another method."""
        other = GroupPaths(self.groups, self.data, self.series, lambda: self.direct, method)
        other._gains = self._gains
        return other

    def templates(self, steps: Int64[np.ndarray, " R"], count: int = PATHS) -> Templates:
        """The past origins that all series, and all groups if the method needs them, have in common.

        Args:
            steps: (R,) absolute steps of the origins.
            count: n, the number of paths.
        """
        return choose_templates(self._usable, steps, self.horizon, self.data.frequency.seasons, count)

    def at_steps(self, steps: Int64[np.ndarray, " R"], count: int = PATHS) -> Float32[np.ndarray, "G R n H"]:
        """Paths of all groups.

        Args:
            steps: (R,) absolute steps of the origins.
            count: n, the number of paths of each.

        Raises:
            OriginUnavailable: The groups are to be reconciled, and too few past errors are known at an origin.
        """
        templates = self.templates(steps, count)
        if self.method == "bottom_up":
            return self.series.sums(self.groups.weights, steps, templates)
        direct = np.clip(self.direct.sums(np.eye(len(self.groups)), steps, templates), *self._limits)
        if self.method == "direct":
            return direct
        fits = fit_counts(templates.available)
        if not fits.all():
            raise OriginUnavailable(
                f"Groups are reconciled by their past errors, of which {MIN_ERRORS} are needed and "
                f"{int(templates.available.min())} are known at this origin. Take a later index, or another method."
            )
        sums = self.series.sums(self.groups.weights, steps, templates)
        for fit in np.unique(fits).tolist():
            own = np.flatnonzero(fits == fit)
            one, other = direct[:, own], sums[:, own]
            for h, gain in enumerate(self._gains_of(fit)):
                other[..., h] = reconcile(one[..., h], other[..., h], gain)
            sums[:, own] = other
        return np.clip(sums, *self._limits)

    def paths(
        self, rows: Int64[np.ndarray, " R"], count: int = PATHS, draws: Any = None, bands: Any = None
    ) -> Float32[np.ndarray, "R n H"]:
        """The paths of some rows of the groups' data; see `JointForecasts.paths`. Draws and bands are not needed."""
        steps, places = np.unique(self._steps[rows], return_inverse=True)
        key = (steps.tobytes(), count)
        if key not in self._recent:
            if len(self._recent) >= _MOST_RECENT:
                self._recent.pop(next(iter(self._recent)))
            self._recent[key] = self.at_steps(steps, count)
        return self._recent[key][self._group_of(rows), places]

    def order(self, rows: Int64[np.ndarray, " R"], count: int = PATHS) -> tuple[None, list[Dependence]]:
        """What the dependence of some rows rests on; see `JointForecasts.order`. The order is each series' own."""
        templates = self.templates(self._steps[rows], count)
        dependences = []
        for available, season in zip(templates.available.tolist(), templates.season.tolist(), strict=True):
            is_few = available < MIN_TEMPLATES
            own = (0, 0, available) if is_few else (min(available, count), season, 0)
            dependences.append(Dependence(available, *own))
        return None, dependences

    def actual(self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
        """What a statistic was; see `JointForecasts.actual`."""
        actual = self.data.actuals(rows, steps.stop)[:, steps]
        return np.where(np.isnan(actual).any(-1), np.nan, of(actual).astype(np.float64))

    def values(
        self, of: Statistic, part: slice, steps: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> Float64[np.ndarray, "G R n"]:
        """A statistic of the paths of all groups.

        Args:
            of: A function of paths (..., H) that returns a number for each, (...).
            part: The part of the horizon.
            steps: (R,) absolute steps of the origins.
            count: n, the number of paths of each.

        Returns:
            (G, R, n) ascending.
        """
        values = np.empty((len(self.groups), len(steps), count))
        size = max(1, _VALUES // (len(self.groups) * count * self.horizon))
        for begin in range(0, len(steps), size):
            own = slice(begin, begin + size)
            values[:, own] = np.sort(of(self.at_steps(steps[own], count)[..., part]), -1)
        return values

    def calibrated_values(
        self, of: Statistic, steps: slice, rows: Int64[np.ndarray, " R"], count: int = PATHS
    ) -> Float64[np.ndarray, "R M"]:
        """Calibrated quantiles of a statistic; see `JointForecasts.calibrated_values`.

        Past origins are those whose outcomes do not overlap, counted back from each row.
        """
        return np.concatenate([self._calibrated(of, steps, row, count) for row in rows.tolist()])

    def _calibrated(self, of: Statistic, part: slice, row: int, count: int) -> Float64[np.ndarray, "1 M"]:
        past = self._steps[row] - part.stop * np.arange(_MOST_PAST, -1, -1)
        past = past[np.isin(past, self.forecast_steps())]
        rows = row + past - self._steps[row]
        key = (of, part.start, part.stop, past.tobytes(), count)
        if self._past is None or self._past[0] != key:  # all groups at once, of one statistic and origin
            self._past = (
                key,
                quantiles(
                    self.values(of, part, past, count), draw_levels(None, count), (*conformal.CALIBRATED_LEVELS, 0.5)
                ),
            )
        ends = self._past[1][self._group_of(np.array([row]))[0]]
        return calibrate_series(ends, self.actual(of, part, rows))[-1:]

    def forecast_steps(self) -> Int64[np.ndarray, " M"]:
        """The ascending steps at which all series, and all groups if the method needs them, have a forecast.

        Groups are reconciled from the first step on at which enough errors are known.
        """
        steps = self.series.forecast_steps()
        if self.method != "bottom_up":
            steps = np.intersect1d(steps, self.direct.forecast_steps())
        if self.method == "reconciled":
            known = np.searchsorted(self._usable, steps - self.horizon, side="right")
            steps = steps[known >= MIN_ERRORS]
        return steps

    @property
    def _usable(self) -> Int64[np.ndarray, " M"]:
        usable = self.series.usable_steps()
        return usable if self.method == "bottom_up" else np.intersect1d(usable, self.direct.usable_steps())

    def _gains_of(self, fit: int) -> list[Float64[np.ndarray, "G G"]]:
        """How each step of the groups follows their disagreement, by the newest of so many first errors."""
        if fit not in self._gains:
            past = self._usable[max(fit - WINDOW, 0) : fit]
            errors = np.concatenate([self.direct.mean_errors(past), self.series.mean_errors(past)], 1)
            weights = self.groups.weights
            self._gains[fit] = [weights @ reconciliation_gain(errors[..., h], weights) for h in range(self.horizon)]
        return self._gains[fit]

    def _group_of(self, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
        return self._numbers[np.searchsorted(self.data.offsets, rows, side="right") - 1]


def group_limits(
    groups: Groups, model_key: str
) -> tuple[Float32[np.ndarray, "G 1 1 1"], Float32[np.ndarray, "G 1 1 1"]]:
    """The least and the largest value that the sums of each group may have, by the bounds of the model (S12)."""
    _, bounds = split_key(model_key)
    bounds = bounds or Bounds()
    ends = np.array([bounds.minimum, bounds.maximum])
    with np.errstate(invalid="ignore"):
        products = np.where(groups.weights[..., None] == 0, 0.0, groups.weights[..., None] * ends)
    low, high = (np.sort(products, -1)[..., end].sum(1).astype(np.float32)[:, None, None, None] for end in (0, 1))
    return low, high


def shared_bounds(groups: Groups, model_key: str) -> Bounds:
    """The bounds that the sums of all groups have: a sum of what is never negative is never negative."""
    low, high = group_limits(groups, model_key)
    return Bounds(0.0 if low.min() >= 0 else -np.inf, 0.0 if high.max() <= 0 else np.inf)


def calibrate_series(ends: Float64[np.ndarray, "T K"], actual: Float64[np.ndarray, " T"]) -> Float64[np.ndarray, "T M"]:
    """Calibrate a statistic at successive origins, at each of which the outcome of the one before is known.

    Args:
        ends: (T, 9) its quantiles at `conformal.CALIBRATED_LEVELS`, and its median.
        actual: (T,) what it was, NaN where it is not known.

    Returns:
        (T, 9) quantiles at `MARGINAL_LEVELS`; NaN where fewer than `conformal.MIN_ERRORS` past errors were known.
    """
    median = ends[:, -1]
    calibrated = conformal.calibrate_values(ends[:, :-1], median, actual, np.array([len(ends)]), 1)
    known_median = np.where(np.isnan(calibrated[:, 0]), np.nan, median)
    return np.insert(calibrated, calibrated.shape[1] // 2, known_median, 1)
