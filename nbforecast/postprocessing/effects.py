"""The effect of promotions, weather, holidays and past errors on what is forecast, with standard errors (H3).

The errors of a model's medians are regressed on what is known at the origin: by least squares, for each horizon step,
within each series. An effect is the change of the value, or of its logarithm, that goes with a change of one feature
while the others stay as they are. It is not shrunk, unlike the correction of `residual_model`. Past values and errors
are features of their own only: they carry earlier effects of the covariates, so holding them constant would take a part
of these effects away.

Forecasts of neighbouring origins share most of the values they are judged by. The influence of each target time on an
estimate, added up over the steps that reach it, is therefore treated as the losses of a comparison are: with a long-run
variance over time, or clustered by series and time in a panel.

Source:
    Influence of a row on a coefficient, with its leverage: MacKinnon & White (1985), the jackknife estimator HC3.
    Standard errors over time and series: `scoring.diebold_mariano`, `scoring.panel_mean`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.device import cores
from nbforecast.postprocessing.effect_features import Contrast, ExplainingColumns, FeatureNames, PastErrors
from nbforecast.scoring.diebold_mariano import MeanEstimate
from nbforecast.scoring.origin_scores import quantiles
from nbforecast.scoring.panel_mean import estimate_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.postprocessing.residual_model import BaseForecasts

_CONTROL_SHRINKAGE = 3.0  # of the controls, in rows: it steadies short series
_RANK_TOLERANCE = 1e-9  # of the largest eigenvalue, below which columns are sums of others
_LEAST_ROWS_PER_COLUMN = 2.0
_LEAST_SPELLS = 3.0  # of a feature's changes, effectively, below which an effect has no standard error
_LARGEST_LEVERAGE = 0.99
_LARGEST_INFLATION = 1e4  # of an effect's variance by columns that go with its own; beyond, its effect is left open
_OPEN_SHARE = 1e-3  # of a change that no row tells apart from others, above which its effect is left open
_LEAST_SHARE_OF_MEDIAN = 0.01  # of the smallest value, below which effects are not multiplicative


Unit = Literal["logarithm", "mean", "data"]


class Effect(NamedTuple):
    """The effect of a change of one feature.

    Attributes:
        contrast: The change.
        estimate: Of the effect, in the unit of the errors.
        value: The value of the feature after the change, that of a standard deviation filled in.
    """

    contrast: Contrast
    estimate: MeanEstimate
    value: float


@dataclass(frozen=True)
class ErrorTable:
    """The errors of a model, and the unit in which they are explained.

    Attributes:
        series: The series.
        offsets: (S + 1,) the bounds of the series.
        steps: (N,) the absolute grid step of each row.
        seasons: Season lengths in steps, ascending.
        names: Of the features.
        unit: Of values and errors: their logarithms, the mean of each series, or that of the data.
    """

    series: tuple[PastErrors, ...]
    offsets: Int64[np.ndarray, " S1"]
    steps: Int64[np.ndarray, " N"]
    seasons: tuple[int, ...]
    names: FeatureNames
    unit: Unit


def tabulate_errors(base: BaseForecasts, names: FeatureNames, percent: bool | None = None) -> ErrorTable:
    """The errors of a model's medians in the unit in which effects are estimated.

    Args:
        base: The forecasts from every origin, and what was observed.
        names: Of the features.
        percent: Whether effects are relative changes; None decides: where no value is below zero. They are changes of
            logarithms where the values of every series stay above a hundredth of its median, else shares of its mean.
    """
    bounds = list(zip(base.offsets.tolist(), base.offsets[1:].tolist(), strict=False))
    unit: Unit = "data"
    if percent is not False:
        of_series = [base.values[start:end] for start, end in bounds]
        if all(map(_is_well_above_zero, of_series)):
            unit = "logarithm"
        elif percent or all(np.nanmin(values) >= 0 for values in of_series):
            unit = "mean"
    medians = quantiles(base.draws.astype(np.float64), base.levels, (0.5,))[..., 0]
    steps, actual, others = base.steps, base.actual, base.other_medians
    ahead, now, known = base.ahead, base.now, base.known

    def in_unit(values: Float64[np.ndarray, "*N"]) -> Float64[np.ndarray, "*N"]:
        return np.log(np.where(values > 0, values, np.nan)) if unit == "logarithm" else values / mean

    series = []
    for start, end in bounds:
        rows = slice(start, end)
        mean = (float(np.nanmean(base.values[rows])) or 1.0) if unit == "mean" else 1.0
        median = in_unit(medians[rows])
        series.append(
            PastErrors(
                values=in_unit(base.values[rows]),
                steps=steps[rows],
                medians=median,
                errors=in_unit(actual[rows]) - median,
                others=in_unit(others[:, rows]),
                ahead=ahead[:, rows],
                now=now[:, rows],
                known=known[:, rows],
            )
        )
    return ErrorTable(tuple(series), base.offsets, steps, base.seasons, names, unit)


def estimate_effects(table: ErrorTable, steps: Sequence[int] | None = None) -> list[Effect]:
    """The effect of every feature, as a mean over horizon steps that is weighted by their precision.

    Args:
        table: The errors of some series.
        steps: Horizon steps from 0; None takes all.

    Returns:
        An effect for each change of a feature that occurs in the data, over the steps whose data tell it from others.
        Its estimate is NaN where there is no such step; its standard error is NaN where the feature changed too rarely.
    """
    columns = ExplainingColumns(table.series, table.names, table.seasons)
    contrasts = columns.contrasts
    count, rows = len(contrasts), int(table.offsets[-1])
    horizon = table.series[0].errors.shape[1]
    chosen = list(range(horizon) if steps is None else steps)
    with ThreadPoolExecutor(cores(), thread_name_prefix="nbforecast-effects") as pool:
        fits = [fit for fit in pool.map(lambda h: _fit_step(table, columns, h), chosen) if fit is not None]
    if not fits or not count:
        return []
    shares = _shares(fits)
    influence, weight = np.full((rows, count), np.nan), np.zeros((rows, count))
    for fit, share in zip(fits, shares, strict=True):
        influence[fit.targets] = np.nan_to_num(influence[fit.targets]) + fit.influence * share
        weight[fit.targets] += fit.weight * share**2
    series = np.repeat(np.arange(len(table.series)), np.diff(table.offsets))
    value = np.where(shares.any(0), np.nansum([fit.effects for fit in fits] * shares, 0), np.nan)
    typical = np.mean([fit.changes for fit in fits], 0)
    effects = []
    for k, contrast in enumerate(contrasts):
        if typical[k] == 0:
            continue  # the feature does not change
        estimate = _estimate(value[k], influence[:, k], weight[:, k], table.steps, series, max(chosen) + 1)
        after = typical[k] if np.isnan(contrast.value) else contrast.value
        effects.append(Effect(contrast, estimate, float(after)))
    return effects


def _shares(fits: Sequence[_StepFit]) -> Float64[np.ndarray, "F E"]:
    """The weight of each step in the mean of an effect: its precision, 0 where its data leave the effect open."""
    variances = np.array([(fit.influence**2).sum(0) for fit in fits])
    is_open = np.isnan([fit.effects for fit in fits])
    least = np.finfo(float).tiny + 1e-9 * np.where(is_open, 0.0, variances).max(0)  # for errors that are all zero
    precision = np.where(is_open, 0.0, least / np.maximum(variances, least))
    total = precision.sum(0)
    return precision / np.where(total > 0, total, 1.0)


def _is_well_above_zero(values: Float64[np.ndarray, " N"]) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite)) and float(finite.min()) > _LEAST_SHARE_OF_MEDIAN * float(np.median(np.abs(finite)))


class _StepFit(NamedTuple):
    """The regression of one step.

    Attributes:
        effects: (E,) the effect of each change; NaN where the data leave it open.
        changes: (E,) how much each feature changes; 0 for one that is constant.
        targets: (R,) the rows of the times that are forecast.
        influence: (R, E) how much each of them moves the effects.
        weight: (R, E) how much each of them says about the effects.
    """

    effects: Float64[np.ndarray, " E"]
    changes: Float64[np.ndarray, " E"]
    targets: Int64[np.ndarray, " R"]
    influence: Float64[np.ndarray, "R E"]
    weight: Float64[np.ndarray, "R E"]


def _fit_step(table: ErrorTable, columns: ExplainingColumns, h: int) -> _StepFit | None:
    """Regress the errors of one step; None where there are too few."""
    explaining, constant, errors, targets = [], [], [], []
    for start, one in zip(table.offsets.tolist(), table.series, strict=False):
        own, controls = columns.of(one, h)
        is_used = np.isfinite(one.errors[:, h])
        for k in range(len(table.names.ahead)):  # an origin without its future covariates is no forecast
            is_used &= np.isfinite(one.ahead[k][:, h])
        if is_used.sum() < 2:
            continue
        explaining.append(_centred(own[is_used]))
        constant.append(_centred(controls[is_used]))
        errors.append(_centred(one.errors[is_used, h]))
        targets.append(start + np.flatnonzero(is_used) + h + 1)
    if not errors:
        return None
    x, controls, y = np.vstack(explaining), np.vstack(constant), np.concatenate(errors)
    controls = controls / np.where(controls.std(0) > 0, controls.std(0), 1.0)
    rows = len(y) - len(errors)
    if rows < _LEAST_ROWS_PER_COLUMN * (x.shape[1] + controls.shape[1]):
        return None
    deviation = x.std(0)
    x = x / np.where(deviation > 0, deviation, 1.0)
    changes = np.array([c.weights * (deviation if np.isnan(c.value) else 1.0) for c in columns.contrasts])
    weights = np.where(deviation > 0, changes / np.where(deviation > 0, deviation, 1.0), 0.0)
    is_past = np.array([contrast.is_in_unit for contrast in columns.contrasts])
    is_past_column = (weights[is_past] != 0).any(0)
    of_covariates = _regress(x[:, ~is_past_column], controls, y, weights[np.ix_(~is_past, ~is_past_column)], rows)
    of_past = _regress(x, controls, y, weights[is_past], rows)
    effects, influence, weight = (np.concatenate(pair, -1) for pair in zip(of_covariates, of_past, strict=True))
    size = np.linalg.norm(weights, axis=1)
    return _StepFit(
        effects=effects,
        changes=np.where(size > 0, [_change(c, deviation) for c in columns.contrasts], 0.0),
        targets=np.concatenate(targets),
        influence=influence,
        weight=weight,
    )


def _regress(
    x: Float64[np.ndarray, "R C"],
    controls: Float64[np.ndarray, "R D"],
    y: Float64[np.ndarray, " R"],
    weights: Float64[np.ndarray, "E C"],
    rows: int,
) -> tuple[Float64[np.ndarray, " E"], Float64[np.ndarray, "R E"], Float64[np.ndarray, "R E"]]:
    """The effects of some changes of the columns x, and how much each row moves them and says about them."""
    width = x.shape[1]
    design = np.hstack([x, controls])
    penalty = np.diag(np.concatenate([np.zeros(width), np.full(controls.shape[1], _CONTROL_SHRINKAGE)]))
    squares = design.T @ design + penalty
    inverse = np.linalg.pinv(squares, rcond=_RANK_TOLERANCE, hermitian=True)
    coefficients = inverse @ (design.T @ y)
    leverage = np.minimum((design @ inverse * design).sum(1), _LARGEST_LEVERAGE)
    residuals = (y - design @ coefficients) / (1 - leverage)
    weights = np.hstack([weights, np.zeros((len(weights), controls.shape[1]))])
    directions = inverse @ weights.T
    size = np.linalg.norm(weights, axis=1)
    is_open = np.linalg.norm(squares @ directions - weights.T, axis=0) > _OPEN_SHARE * size
    is_open |= rows * (weights * directions.T).sum(1) > _LARGEST_INFLATION * size**2
    pull = design @ directions
    return np.where(is_open, np.nan, weights @ coefficients), pull * residuals[:, None], pull**2


def _change(contrast: Contrast, deviation: Float64[np.ndarray, " C"]) -> float:
    """How much a feature changes: by a standard deviation, or from one value to another."""
    if np.isnan(contrast.value):
        return float((contrast.weights * deviation).sum())
    return contrast.value - contrast.reference


def _centred(values: Float64[np.ndarray, "N *P"]) -> Float64[np.ndarray, "N *P"]:
    """The values less the mean of those that are known; those that are not known become 0."""
    is_known = np.isfinite(values)
    mean = np.where(is_known, values, 0.0).sum(0) / np.maximum(is_known.sum(0), 1)
    return np.where(is_known, values - mean, 0.0)


def _estimate(
    value: float,
    influence: Float64[np.ndarray, " N"],
    weight: Float64[np.ndarray, " N"],
    time: Int64[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    overlap: int,
) -> MeanEstimate:
    """An effect with a standard error, from the influence of each time."""
    count = int(np.isfinite(influence).sum())
    if not np.isfinite(value) or not count:
        return MeanEstimate(np.nan, np.nan, 0, np.nan)
    pseudo = count * influence  # their mean has the variance of the effect
    mean = estimate_over(pseudo, time, series, overlap)
    spells = _spells(weight, time, 2 * overlap)
    if not mean.degrees_of_freedom or spells < _LEAST_SPELLS:
        return MeanEstimate(value, np.nan, 0, np.nan)
    return _tested(value, mean.standard_error, min(mean.degrees_of_freedom, int(spells) - 1), mean.scope)


def _spells(weight: Float64[np.ndarray, " N"], time: Int64[np.ndarray, " N"], width: int) -> float:
    """How many stretches of time an effect rests on, if all counted alike: (sum w)² / sum w²."""
    sums = np.bincount((time - time.min()) // width, weight)
    return float(sums.sum() ** 2 / (sums**2).sum()) if sums.any() else 0.0


def _tested(value: float, error: float, degrees: int, scope: str) -> MeanEstimate:
    from scipy.special import stdtr

    p = float(2 * stdtr(degrees, -abs(value) / error)) if error > 0 else float(value == 0)
    return MeanEstimate(value, error, degrees, p, scope)
