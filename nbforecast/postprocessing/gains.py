"""How much each group of features lowers the error of corrected forecasts (H3).

The correction is computed again without a group, as of each origin, and its losses are compared with those of the whole
correction over the same origins and steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nbforecast.postprocessing.effect_features import OTHERS_GROUP, PAST_GROUP, FeatureNames
from nbforecast.postprocessing.residual_model import BaseForecasts, learn
from nbforecast.scoring.diebold_mariano import MeanEstimate
from nbforecast.scoring.panel_mean import estimate_over

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class GroupLosses:
    """The losses of a base model, of its correction, and of corrections without a group of features.

    Attributes:
        base: (N, H) twice the mean quantile loss of the base, in units of the base's mean loss in each series.
        learned: (N, H) that of the correction.
        without: (N, H) for each group of covariates, and for other models, that of the correction without it.
        alone: (N, H) the losses of a correction by past values and errors alone.
        steps: (N,) absolute grid steps.
        series: (N,) the number of each row's series.
    """

    base: Float64[np.ndarray, "N H"]
    learned: Float64[np.ndarray, "N H"]
    without: dict[str, Float64[np.ndarray, "N H"]]
    alone: Float64[np.ndarray, "N H"]
    steps: Int64[np.ndarray, " N"]
    series: Int64[np.ndarray, " N"]

    def gain(self, group: str, rows: Bool[np.ndarray, " N"], steps: Sequence[int] | None = None) -> MeanEstimate:
        """How much larger the error is without a group: 0.12 is 12 % larger.

        Args:
            group: A group of features; past values and errors stand for a correction by nothing else beside none.
            rows: (N,) which rows count.
            steps: The horizon steps from 0 that count; None takes all.
        """
        beside, without = (self.alone, self.base) if group == PAST_GROUP else (self.learned, self.without[group])
        return self._relative(without, beside, rows, steps)

    def share(self, group: str, rows: Bool[np.ndarray, " N"], steps: Sequence[int] | None = None) -> float:
        """The part of the improvement over the base that a group adds; NaN where there is no improvement."""
        more, less = (self.base, self.alone) if group == PAST_GROUP else (self.without[group], self.learned)
        losses = np.array([_by_origin(each[rows], steps) for each in (self.base, self.learned, more, less)])
        base, learned, with_less, with_more = losses[:, np.isfinite(losses).all(0)].sum(1)
        return float((with_less - with_more) / (base - learned)) if base > learned else float("nan")

    def _relative(
        self,
        without: Float64[np.ndarray, "N H"],
        beside: Float64[np.ndarray, "N H"],
        rows: Bool[np.ndarray, " N"],
        steps: Sequence[int] | None,
    ) -> MeanEstimate:
        more, less = _by_origin(without[rows], steps), _by_origin(beside[rows], steps)
        is_known = np.isfinite(more) & np.isfinite(less)
        if not is_known.any() or not less[is_known].mean() > 0:
            return MeanEstimate(np.nan, np.nan, 0, np.nan)
        ratio = more[is_known].mean() / less[is_known].mean()
        # the ratio, and how much each origin moves it
        values = np.where(is_known, ratio - 1 + (more - ratio * less) / less[is_known].mean(), np.nan)
        overlap = 1 + (without.shape[1] - 1 if steps is None else max(steps))
        return estimate_over(values, self.steps[rows], self.series[rows], overlap)


def measure_groups(
    base: BaseForecasts, names: FeatureNames, learned: Float32[np.ndarray, "N H Q"] | None = None
) -> GroupLosses:
    """Correct a base without each group of features in turn, and score the corrections.

    Args:
        base: The forecasts from every origin, and what was observed.
        names: Of the features.
        learned: The correction by all features, if it is there already.
    """
    parts = {group: _without(base, names, group) for group in names.groups}
    corrections = {group: learn(part) for group, part in parts.items()}
    whole = learn(base) if learned is None else learned
    nothing_else = _leave(base, [False] * len(names.ahead), [False] * len(names.known), keeps_others=False)
    # a correction without its only group is one by nothing else
    alone = next(iter(corrections.values())) if len(parts) == 1 else learn(nothing_else) if parts else whole
    series, actual = np.repeat(np.arange(len(base.offsets) - 1), np.diff(base.offsets)), base.actual
    own = _quantile_losses(base.draws, base.levels, actual)
    scale = _mean_by_series(own, series)[series][:, None]

    def scaled(draws: Float32[np.ndarray, "N H Q"]) -> Float64[np.ndarray, "N H"]:
        return _quantile_losses(draws, base.levels, actual) / scale

    return GroupLosses(
        base=own / scale,
        learned=scaled(whole),
        without={group: scaled(draws) for group, draws in corrections.items()},
        alone=scaled(alone),
        steps=base.steps,
        series=series,
    )


def _without(base: BaseForecasts, names: FeatureNames, group: str) -> BaseForecasts:
    ahead = [name.group != group for name in names.ahead]
    known = [name.group != group for name in names.known]
    return _leave(base, ahead, known, keeps_others=group != OTHERS_GROUP)


def _leave(base: BaseForecasts, ahead: Sequence[bool], known: Sequence[bool], *, keeps_others: bool) -> BaseForecasts:
    """The base with some covariates, and with or without the other models."""
    is_used, count = np.empty(len(base.is_future), bool), int(base.is_future.sum())
    is_used[base.is_future], is_used[~base.is_future] = ahead[:count], known
    return replace(
        base,
        covariates=base.covariates[is_used],
        is_future=base.is_future[is_used],
        issued=None if base.issued is None else base.issued[np.array(ahead[count:], bool)],
        others=base.others if keeps_others else (),
    )


def _quantile_losses(
    draws: Float32[np.ndarray, "N H Q"], levels: tuple[float, ...], actual: Float64[np.ndarray, "N H"]
) -> Float64[np.ndarray, "N H"]:
    """Twice the mean quantile loss, the CRPS of `scoring.origin_scores`, level by level to save memory."""
    total = np.zeros(actual.shape)
    for k, level in enumerate(levels):
        error = actual - draws[..., k]
        total += np.maximum(level * error, (level - 1) * error)
    return 2 * total / len(levels)


def _mean_by_series(losses: Float64[np.ndarray, "N H"], series: Int64[np.ndarray, " N"]) -> Float64[np.ndarray, " S"]:
    """The mean loss of each series, 1 where it is zero or not known."""
    is_known = np.isfinite(losses)
    count = np.bincount(series, is_known.sum(1))
    mean = np.bincount(series, np.where(is_known, losses, 0.0).sum(1)) / np.maximum(count, 1)
    return np.where(mean > 0, mean, 1.0)


def _by_origin(losses: Float64[np.ndarray, "N H"], steps: Sequence[int] | None) -> Float64[np.ndarray, " N"]:
    """The mean loss of each origin over the steps whose actual value is known, NaN where none is."""
    chosen = losses if steps is None else losses[:, list(steps)]
    is_known = np.isfinite(chosen)
    count = is_known.sum(1)
    return np.where(count > 0, np.where(is_known, chosen, 0.0).sum(1) / np.maximum(count, 1), np.nan)
