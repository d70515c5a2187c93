"""Joint paths of several series of a panel, which share the times of their templates, and their weighted sums (J3).

Path k of every series takes its rank at each step from one past origin, the same for all series. What rose and fell
together then does so in path k, and the paths of a group, which are the weighted sums of those of its series, have the
spread that the group's past had. They add up by construction, on all levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.joint.forecasts import series_key
from nbforecast.postprocessing.rank_correlation import correlated_order, rank_autocorrelation
from nbforecast.postprocessing.rank_templates import (
    MIN_TEMPLATES,
    Templates,
    origin_keys,
    positions,
)
from nbforecast.result_cache.snapshot import has_forecast

if TYPE_CHECKING:
    from nbforecast.joint.forecasts import JointForecasts

DEFAULT_SHARED = 0.5  # correlation of series at one step where nothing is known of it
_KNOWN_SHARE = 0.9  # of the series, whose outcomes are known at the past origins that templates are taken from
_POOL = 100  # series that correlations are learned from where there are few templates
_VALUES = 1 << 21  # path values that are in work at once


class PanelPaths:
    """The joint forecasts of some series of a panel, by absolute steps instead of rows.

    Attributes:
        joint: The joint forecasts of all series.
        series: (S,) the numbers of the series.
        start: The first step that all of the series have.
        end: The last one.
    """

    def __init__(self, joint: JointForecasts, series: Int64[np.ndarray, " S"]) -> None:
        data = joint.part.data
        self.joint, self.series = joint, series
        self._begins, self._ends = data.offsets[series], data.offsets[series + 1]
        self._first = data.frequency.to_step(data.time[self._begins])
        self.start, self.end = int(self._first.max()), int((self._first + self._ends - self._begins).min()) - 1
        self._usable: tuple[object, Int64[np.ndarray, " M"]] | None = None
        self._keys = [series_key(data.ids[number]) for number in series.tolist()]

    def rows(self, steps: Int64[np.ndarray, " R"], part: slice = slice(None)) -> Int64[np.ndarray, "S R"]:
        """The rows of the data, of each series at each step."""
        return (self._begins - self._first)[part, None] + steps

    def forecast_steps(self) -> Int64[np.ndarray, " M"]:
        """The ascending steps at which every series has a forecast."""
        has_one = has_forecast(self.joint.part.status)
        in_all = np.ones(self.end - self.start + 1, bool)
        for row in self.rows(np.array([self.start])).ravel().tolist():
            in_all &= has_one[row : row + len(in_all)]
        return self.start + np.flatnonzero(in_all)

    def usable_steps(self) -> Int64[np.ndarray, " M"]:
        """The ascending steps at which every series has a forecast, and nine of ten also the whole of its outcome."""
        state = self.joint.part.entry.state
        if self._usable is None or self._usable[0] != state:
            data, horizon, steps = self.joint.part.data, self.joint.part.spec.horizon, self.forecast_steps()
            observed = np.append(0, np.cumsum(np.isfinite(data.values)))
            known = np.zeros(len(steps), np.int64)
            for begin, first, end in zip(self._begins, self._first, self._ends, strict=True):
                rows = begin - first + steps
                known += observed[np.minimum(rows + 1 + horizon, end)] - observed[rows + 1] == horizon
            self._usable = state, steps[known >= _KNOWN_SHARE * len(self.series)]
        return self._usable[1]

    def sums(
        self, weights: Float64[np.ndarray, "G S"], origins: Int64[np.ndarray, " R"], templates: Templates
    ) -> Float32[np.ndarray, "G R n H"]:
        """Paths of the weighted sums of the series, joint over steps, series and groups.

        Args:
            weights: (G, S) what each series counts in each group.
            origins: (R,) absolute steps of the origins.
            templates: Those of the origins.

        Returns:
            (G, R, n, H) paths of each group, in the data's unit. NaN where a series has no forecast.
        """
        count, horizon = templates.steps.shape[1], self.joint.part.spec.horizon
        past, places = np.unique(templates.steps, return_inverse=True)
        places = places.reshape(templates.steps.shape)
        few = np.flatnonzero(templates.available < MIN_TEMPLATES).tolist()
        correlations = {place: self._correlation(templates, place) for place in few}
        sums = np.zeros((len(weights), len(origins) * count * horizon), np.float32)
        size = max(1, _VALUES // (max(len(origins) * count, len(past)) * horizon))
        for begin in range(0, len(self.series), size):
            part = slice(begin, min(begin + size, len(self.series)))
            order = self._positions(past, part)[:, places]  # (s, R, n, H)
            for place, (shared, correlation) in correlations.items():
                common = np.sqrt(shared) * correlated_order(correlation, count, 0)
                for number, key in enumerate(self._keys[part]):
                    own = np.sqrt(1 - shared) * correlated_order(correlation, count, key)
                    order[number, place] = common + own
            rows = self.rows(origins, part).ravel()
            draws = self.joint.part.take("forecast", rows)
            paths = self.joint.arrange(draws, None, order.reshape(-1, count, horizon))
            sums += weights[:, part].astype(np.float32) @ paths.reshape(part.stop - part.start, -1)
        return sums.reshape(len(weights), len(origins), count, horizon)

    def mean_errors(self, steps: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T S H"]:
        """The errors of the means of past forecasts; the mean of the others where an outcome is not known."""
        part, errors = self.joint.part, np.empty((len(steps), len(self.series), self.joint.part.spec.horizon))
        size = max(1, _VALUES // (len(steps) * errors.shape[2] * len(part.spec.levels)))
        for begin in range(0, len(self.series), size):
            rows = self.rows(steps, slice(begin, begin + size))
            mean = part.take("forecast", rows.ravel()).mean(-1, dtype=np.float64)
            actual = part.data.actuals(rows.ravel(), errors.shape[2])
            errors[:, begin : begin + size] = (actual - mean).reshape(*rows.shape, -1).transpose(1, 0, 2)
        is_unknown = np.isnan(errors)
        if is_unknown.any():
            known = np.where(is_unknown, 0.0, errors).sum(0) / np.maximum((~is_unknown).sum(0), 1)
            errors = np.where(is_unknown, known, errors)
        return errors

    def _positions(self, steps: Int64[np.ndarray, " T"], part: slice) -> Float32[np.ndarray, "s T H"]:
        """Where the outcomes of past origins lie within their forecasts; by chance where one is not known."""
        results, rows = self.joint.part, self.rows(steps, part)
        keys = np.concatenate([origin_keys(key, steps) for key in self._keys[part]])
        actual = results.data.actuals(rows.ravel(), results.spec.horizon)
        order = positions(results.take("forecast", rows.ravel()), results.spec.levels, actual, keys)
        is_unknown = np.isnan(order)
        if is_unknown.any():
            seed = part.start
            order[is_unknown] = np.random.default_rng(seed).random(int(is_unknown.sum()), np.float32)
        return order.reshape(*rows.shape, -1)

    def _correlation(self, templates: Templates, place: int) -> tuple[float, tuple[float, ...]]:
        """The correlation of the series at one step, and that between steps, where there are few templates."""
        part, known = self.joint.part, np.unique(templates.steps[place])[: int(templates.available[place])]
        horizon, every = part.spec.horizon, max(1, len(self.series) // _POOL)
        if len(part.spec.levels) == 1 or len(known) * len(self.series[::every]) < MIN_TEMPLATES:
            return DEFAULT_SHARED, rank_autocorrelation(np.empty((0, horizon), np.float32))
        from scipy.special import ndtri

        order = np.concatenate([self._positions(known, slice(n, n + 1)) for n in range(0, len(self.series), every)])
        scores = ndtri(np.clip(order, 0.005, 0.995))
        members, variance = len(order), float((scores**2).mean())
        shared = ((scores.mean(0) ** 2).mean() / variance - 1 / members) / (1 - 1 / members) if members > 1 else 1.0
        return float(np.clip(shared, 0, 1)), rank_autocorrelation(order.reshape(-1, horizon))
