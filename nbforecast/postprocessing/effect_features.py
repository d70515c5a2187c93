"""What may explain the errors of a forecaster, with names that people read (H3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.holidays import NAMES
from nbforecast.time_units import DAY, YEAR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbforecast.data import Dataset

PAST_GROUP = "past values and errors"
OTHERS_GROUP = "other models"
HOLIDAYS_GROUP = "holidays"
_TYPICAL = (0.1, 0.5, 0.9)  # quantiles of a number between which it typically changes
_KNOTS = (0.25, 0.5, 0.75)  # quantiles at which the effect of a number may bend
_LEAST_WITHIN = 0.5  # of the variance of a number, below which it differs more between series
_CHANGES = (1, 4)  # steps over which the change of a covariate known up to the origin is measured
_HARMONICS = 2
_MEANS = (1, 4, 16)  # shortest seasons over which a forecast may have averaged what a covariate did to the past


class FeatureName(NamedTuple):
    """What a covariate is called, and the column or the set of columns it belongs to."""

    feature: str
    group: str


@dataclass(frozen=True)
class FeatureNames:
    """The names of everything that explains errors.

    Attributes:
        ahead: The covariates known ahead, K of them.
        known: The covariates known up to the origin, J of them.
        others: The other models, M of them.
        model: The model whose errors are explained.
        seasons: How each season is written, such as `7 days`.
    """

    ahead: tuple[FeatureName, ...] = ()
    known: tuple[FeatureName, ...] = ()
    others: tuple[str, ...] = ()
    model: str = "the forecast"
    seasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Dataset, model: str, others: Sequence[str], seasons: Sequence[int]) -> FeatureNames:
        """The names of what is known at an origin of some data.

        Args:
            data: The dataset.
            model: The model whose errors are explained.
            others: The other models.
            seasons: Season lengths in steps.
        """
        ahead: list[FeatureName] = []
        known: list[FeatureName] = []
        covariates = data.covariates
        if covariates is not None:
            for name, column, is_ahead in zip(covariates.names, covariates.columns, covariates.is_future, strict=True):
                (ahead if is_ahead else known).append(FeatureName(name, column))
            if covariates.country is not None:
                ahead += [FeatureName(name, HOLIDAYS_GROUP) for name in NAMES]
        if data.issued is not None:
            ahead += map(FeatureName, data.issued.names, data.issued.columns)
        spans = tuple(_describe_season(data, season) for season in seasons)
        return cls(tuple(ahead), tuple(known), tuple(others), model, spans)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of covariates, and that of other models, in the order of their first appearance."""
        names = [name.group for name in (*self.ahead, *self.known)]
        return tuple(dict.fromkeys([*names, *([OTHERS_GROUP] if self.others else [])]))


@dataclass(frozen=True)
class Contrast:
    """A change of a feature whose effect is estimated.

    Attributes:
        name: Of the feature.
        reference: Its value before the change; 0 for a change that is a standard deviation.
        value: Its value after it; NaN for a standard deviation.
        weights: (C,) the change of each explaining column.
        count: How many rows have the value, for a feature of two values; else None.
    """

    name: FeatureName
    reference: float
    value: float
    weights: Float64[np.ndarray, " C"]
    count: int | None

    @property
    def is_in_unit(self) -> bool:
        """Whether the feature is measured in the unit of the values."""
        return self.name.group in (PAST_GROUP, OTHERS_GROUP)


@dataclass(frozen=True)
class PastErrors:
    """One series and the errors of a forecaster from each of its rows, in the unit in which effects are estimated.

    Attributes:
        values: (N,) observations, NaN where there is none.
        steps: (N,) absolute grid steps, ascending by 1.
        medians: (N, H) the forecasts' medians.
        errors: (N, H) what was observed less the median, NaN where it is not known.
        others: (M, N, H) the medians of other models.
        ahead: (K, N, H) covariates at the times that are forecast.
        now: (K, N) the same covariates at the origins.
        known: (J, N) covariates that are known up to the origins only.
    """

    values: Float64[np.ndarray, " N"]
    steps: Int64[np.ndarray, " N"]
    medians: Float64[np.ndarray, "N H"]
    errors: Float64[np.ndarray, "N H"]
    others: Float64[np.ndarray, "M N H"]
    ahead: Float64[np.ndarray, "K N H"]
    now: Float64[np.ndarray, "K N"]
    known: Float64[np.ndarray, "J N"]


class _Shape:
    """How the effect of a covariate may depend on its value: two levels, or a line with bends.

    A number that differs more between series than within them, such as a price, is measured from its median in each.
    """

    def __init__(self, of_series: Sequence[Float64[np.ndarray, " _"]]) -> None:
        finite = np.concatenate([values[np.isfinite(values)] for values in of_series])
        within = np.concatenate([_above_median(values, values) for values in of_series])
        within = within[np.isfinite(within)]
        is_number = len(np.unique(finite)) > 2
        self.is_centred = bool(is_number and (within**2).mean() < _LEAST_WITHIN * finite.var())
        finite = within if self.is_centred else finite
        levels = np.unique(finite)
        self.is_constant = len(levels) < 2
        self.count: int | None = None
        if self.is_constant:
            return
        low, middle, high = (float(v) for v in np.quantile(finite, _TYPICAL))
        self.origin, self.scale, self.knots = middle, (high - low) or float(finite.std()), np.zeros(0)
        if len(levels) == 2:
            self.count = int((finite == levels[1]).sum())
            self.origin, self.scale = float(levels[0]), float(levels[1] - levels[0])
            self.changes = [(float(levels[0]), float(levels[1]))]
            return
        inner = np.unique(np.quantile(finite, _KNOTS))
        self.knots = inner[(inner > levels[0]) & (inner < levels[-1])]
        if high == middle:
            high = float(finite[finite > middle].mean()) if (finite > middle).any() else middle
        if low == middle:
            low = float(finite[finite < middle].mean()) if (finite < middle).any() else middle
        self.changes = [(middle, end) for end in (high, low) if end != middle]

    def of(self, values: Float64[np.ndarray, " N"], own: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, "N C"]:
        """The columns of a regression for values of a series, whose values at the origins are `own`."""
        return self.columns(_above_median(values, own) if self.is_centred else values)

    def columns(self, values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n C"]:
        """The columns of a regression for values on the scale of `changes`."""
        line = (values - self.origin) / self.scale
        bends = [np.maximum(values - knot, 0.0) / self.scale for knot in self.knots]
        return np.column_stack([line, *bends])


class _Term(NamedTuple):
    name: FeatureName
    shape: _Shape | None  # None for a column whose typical change is a standard deviation


class ExplainingColumns:
    """The columns of the regression of errors: those whose effects are estimated, and those that are held constant.

    Held constant are the calendar, and the covariates known ahead as they were at the origin, one season before and on
    the mean of shorter and longer pasts: a forecast repeats what they did to the values that it saw. Without the longer
    means a forecast that lags behind a slow drift of a price would make the effect of the price too large.
    """

    def __init__(self, series: Sequence[PastErrors], names: FeatureNames, seasons: tuple[int, ...]) -> None:
        """Choose the columns by the values of all series.

        Args:
            series: The series.
            names: What explains them.
            seasons: Season lengths in steps, ascending.
        """
        self._seasons = seasons
        self._ahead = [_Shape([one.now[k] for one in series]) for k in range(len(names.ahead))]
        self._known = [_Shape([one.known[j] for one in series]) for j in range(len(names.known))]
        self._terms = [
            _Term(name._replace(feature=f"{name.feature} above its median") if shape.is_centred else name, shape)
            for name, shape in zip((*names.ahead, *names.known), (*self._ahead, *self._known), strict=True)
            if not shape.is_constant
        ]
        self._terms += [
            _Term(FeatureName(f"change of {name.feature} over {_steps(steps)}", name.group), None)
            for name, shape in zip(names.known, self._known, strict=True)
            if not shape.is_constant
            for steps in _CHANGES
        ]
        self._terms += [
            _Term(FeatureName(f"{other} above {names.model}", OTHERS_GROUP), None) for other in names.others
        ]
        of_past = ["newest value above the forecast", "last known error"]
        for season in names.seasons:
            of_past += [f"value {season} before, above the forecast", f"error {season} before"]
        self._terms += [_Term(FeatureName(name, PAST_GROUP), None) for name in of_past]

    @property
    def contrasts(self) -> list[Contrast]:
        """The changes whose effects are estimated."""
        widths = [1 if term.shape is None else 1 + len(term.shape.knots) for term in self._terms]
        first, contrasts = np.cumsum([0, *widths]), []
        for term, start, end in zip(self._terms, first, first[1:], strict=False):
            changes = [(0.0, np.nan)] if term.shape is None else term.shape.changes
            for reference, value in changes:
                weights = np.zeros(first[-1])
                if term.shape is None:
                    weights[start] = 1.0
                else:
                    before, after = term.shape.columns(np.array([reference, value]))
                    weights[start:end] = after - before
                count = None if term.shape is None else term.shape.count
                contrasts.append(Contrast(term.name, reference, value, weights, count))
        return contrasts

    def of(self, one: PastErrors, h: int) -> tuple[Float64[np.ndarray, "N C"], Float64[np.ndarray, "N D"]]:
        """The columns of one series and one step.

        Args:
            one: The series.
            h: The horizon step, from 0.

        Returns:
            explaining: (N, C) columns whose effects are estimated, NaN where one is not known.
            constant: (N, D) columns that are held constant, 0 where one is not known.
        """
        explaining = [
            shape.of(one.ahead[k][:, h], one.now[k]) for k, shape in enumerate(self._ahead) if not shape.is_constant
        ]
        known = [(one.known[j], shape) for j, shape in enumerate(self._known) if not shape.is_constant]
        explaining += [shape.of(values, values) for values, shape in known]
        explaining += [(values - delayed(values, steps))[:, None] for values, _ in known for steps in _CHANGES]
        explaining += [column[:, None] for column in self._past_columns(one, h)]
        constant = list(self._constant_columns(one, h)) or [np.zeros(len(one.values))]
        return np.hstack(explaining), np.nan_to_num(np.column_stack(constant))

    def _past_columns(self, one: PastErrors, h: int) -> Iterator[Float64[np.ndarray, " N"]]:
        median, ahead = one.medians[:, h], h + 1
        for other in one.others:
            yield other[:, h] - median
        yield one.values - median
        yield delayed(one.errors[:, h], ahead)
        for season in self._seasons:
            cycle = -(-ahead // season) * season  # the fewest whole seasons before the target that are known
            yield delayed(one.values, cycle - ahead) - median
            yield delayed(one.errors[:, h], cycle)

    def _constant_columns(self, one: PastErrors, h: int) -> Iterator[Float64[np.ndarray, " N"]]:
        ahead = h + 1
        for k, shape in enumerate(self._ahead):
            if shape.is_constant:
                continue
            for delay in dict.fromkeys((0, *(-ahead % season for season in self._seasons))):
                yield from shape.of(delayed(one.now[k], delay), one.now[k]).T
            for multiple in _MEANS:
                yield _mean_of_last(one.now[k], multiple * (self._seasons[0] if self._seasons else 2 * ahead))
        for season in self._seasons:
            angle = 2 * np.pi * ((one.steps + ahead) % season) / season
            for k in range(1, _HARMONICS + 1):
                yield np.sin(k * angle)
                yield np.cos(k * angle)


def delayed(values: Float64[np.ndarray, " N"], steps: int) -> Float64[np.ndarray, " N"]:
    """The value `steps` rows before each row, NaN where there is none.

    Args:
        values: Of each row.
        steps: How many rows before.
    """
    if steps == 0:
        return values
    return np.concatenate([np.full(min(steps, len(values)), np.nan), values[:-steps]])


def _above_median(values: Float64[np.ndarray, " N"], own: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    known = own[np.isfinite(own)]
    return values - (np.median(known) if len(known) else 0.0)


def _mean_of_last(values: Float64[np.ndarray, " N"], count: int) -> Float64[np.ndarray, " N"]:
    """The mean of the newest `count` values as of each row, of those that are known."""
    is_known = np.isfinite(values)
    sums = np.append(0, np.cumsum(np.where(is_known, values, 0.0)))
    counts = np.append(0, np.cumsum(is_known))
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - count, 0)
    return (sums[end] - sums[start]) / np.maximum(counts[end] - counts[start], 1)


def _describe_season(data: Dataset, season: int) -> str:
    length = season * data.frequency.microseconds if data.frequency.kind == "fixed" else 0
    return "1 year" if abs(length - YEAR) < DAY else data.frequency.describe_steps(season)


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
