"""A model of a forecaster's own errors, fitted along the series to the errors known so far (H1).

The error of each horizon step, in units of the forecast's spread, is regressed on what is known at the origin. The
regression is a ridge whose prior is no correction; it is fitted anew every `BLOCK` grid steps from the errors known
by then. Several shrinkages run side by side, each with several widths of the bands; they are weighted by their past
pinball losses, no correction among them, so that a series without anything to learn keeps its forecasts. In a panel
the regression of all series is the prior of each one.

Source:
    Ridge regression: Hoerl & Kennard (1970). Weights: exponentially weighted average forecaster, Cesa-Bianchi & Lugosi
    (2006), "Prediction, learning, and games", chapter 2, with discounted losses.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nbforecast.device import cores
from nbforecast.postprocessing.residual_features import PastForecasts, features
from nbforecast.scoring.origin_scores import quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 64  # grid steps between two fits; blocks begin at multiples of it, so that appended data move none
SHRINKAGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)  # of the ridge, in errors
WIDTHS = (0.6, 0.8, 1.0, 1.25, 1.6)  # of the bands, times the ratio of the corrected errors to the forecast's own
_PANEL_SHRINKAGE = 100.0
_UNIT = (0.15, 0.85)  # the interval whose width is the unit
_TYPICAL_SHARE = 0.3  # of the typical error, below which the unit does not fall: points have no width
_LEAST_UNIT = 1e-6  # times the largest value so far
_LARGEST_ERROR, _LARGEST_CORRECTION = 1.5, 1.5  # units; errors beyond count as much as this
_HALF_LIFE = 1000  # origins, of errors and losses that are averaged
_RATIO_LIMITS = (0.4, 1.2)
_PRIOR_COUNT, _PRIOR_ERROR = 20.0, 0.3  # of the ratio of errors
_PRIOR_LOSSES, _PRIOR_LOSS, _PRIOR_EXCESS = 50.0, 0.1, 1.02  # every correction begins 2 % worse than none
_LARGEST_LOSS = 3.0
_RATE = 100.0  # how much a relative difference of mean losses counts


@dataclass(frozen=True)
class BaseForecasts:
    """The forecasts of a model from every origin of some series, and what was observed.

    Attributes:
        draws: (N, H, Q) ascending draws, NaN where there is no forecast.
        levels: The Q probability levels of the draws.
        values: (N,) observations, NaN where there is none.
        actual: (N, H) what was observed after each row, NaN where it is not known.
        steps: (N,) absolute grid steps.
        offsets: (S + 1,) the bounds of the series.
        seasons: Season lengths in steps, ascending.
        others: (M, N, H) the medians of other models.
        ahead: (K, N, H) covariates at the times that are forecast, known at the origin; NaN where one is missing.
        now: (K, N) the same covariates at the origins.
        known: (J, N) covariates that are known up to the origins only.
    """

    draws: Float32[np.ndarray, "N H Q"]
    levels: tuple[float, ...]
    values: Float64[np.ndarray, " N"]
    actual: Float64[np.ndarray, "N H"]
    steps: Int64[np.ndarray, " N"]
    offsets: Int64[np.ndarray, " S1"]
    seasons: tuple[int, ...]
    others: Float64[np.ndarray, "M N H"]
    ahead: Float64[np.ndarray, "K N H"]
    now: Float64[np.ndarray, "K N"]
    known: Float64[np.ndarray, "J N"]


def learn(base: BaseForecasts) -> Float32[np.ndarray, "N H Q"]:
    """Move and rescale the draws of every origin by what its past errors teach, as of that origin (L1).

    Args:
        base: The forecasts, of one series or several.

    Returns:
        (N, H, Q) ascending draws; NaN where the base has none.
    """
    learned = base.draws.astype(np.float32, copy=True)
    series = [_series(base, int(start), int(end)) for start, end in zip(base.offsets, base.offsets[1:], strict=False)]

    def learn_step(h: int) -> None:
        panel = _panel_fit(series, h) if len(series) > 1 else None
        for one in series:
            learned[one.rows, h] = _corrected(one, _Regression.of(one.past, h), h, panel)

    with ThreadPoolExecutor(cores(), thread_name_prefix="nbforecast-learn") as pool:
        list(pool.map(learn_step, range(base.draws.shape[1])))
    return learned


class _SeriesForecasts(NamedTuple):
    """One series of the base: its rows, its past, and its draws."""

    rows: slice
    past: PastForecasts
    draws: Float32[np.ndarray, "N H Q"]
    levels: tuple[float, ...]


def _series(base: BaseForecasts, start: int, end: int) -> _SeriesForecasts:
    rows = slice(start, end)
    draws, values, actual = base.draws[rows], base.values[rows], base.actual[rows]
    low, median, high = np.moveaxis(quantiles(draws.astype(np.float64), base.levels, (_UNIT[0], 0.5, _UNIT[1])), -1, 0)
    largest = np.fmax.accumulate(np.abs(np.nan_to_num(values)))
    least = np.maximum(_LEAST_UNIT * largest, np.finfo(float).tiny)[:, None]
    typical = np.stack([_mean_of_known(np.abs(actual[:, h] - median[:, h]), h + 1) for h in range(draws.shape[1])], 1)
    past = PastForecasts(
        values=values,
        steps=base.steps[rows],
        medians=median,
        units=np.maximum(np.maximum(high - low, _TYPICAL_SHARE * typical), least),
        actual=actual,
        seasons=base.seasons,
        others=base.others[:, rows],
        ahead=base.ahead[:, rows],
        now=base.now[:, rows],
        known=base.known[:, rows],
    )
    return _SeriesForecasts(rows, past, draws, base.levels)


# --- the regression --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Regression:
    """The regression of one step's errors in one series, block by block.

    Attributes:
        first_block: The number of the first block, counted from grid step 0.
        padding: Rows of the first block before the series begins.
        columns: (N, P) the features, those of covariates last.
        plain_columns: How many features are of no covariate.
        error: (N,) the errors in units of the spread, limited; NaN where they are not known.
        squares: (B, P, P) for each block the products of the features of the errors that become known in it.
        products: (B, P) the products of these features and errors.
    """

    first_block: int
    padding: int
    columns: Float64[np.ndarray, "N P"]
    plain_columns: int
    error: Float64[np.ndarray, " N"]
    squares: Float64[np.ndarray, "B P P"]
    products: Float64[np.ndarray, "B P"]

    @classmethod
    def of(cls, past: PastForecasts, h: int) -> _Regression:
        first_block, padding = divmod(int(past.steps[0]), BLOCK)
        columns, plain_columns = features(past, h)
        error = np.clip(past.errors(h), -_LARGEST_ERROR, _LARGEST_ERROR)
        is_known = np.isfinite(error)
        # the error of row n is known from row n + h + 1 on: the fit of a block rests on the blocks before it
        known_columns = _moved(np.where(is_known[:, None], columns, 0.0), h)
        known_error = _moved(np.where(is_known, error, 0.0), h)
        in_blocks = _in_blocks(known_columns, padding)
        squares = in_blocks.transpose(0, 2, 1) @ in_blocks
        products = (in_blocks * _in_blocks(known_error, padding)[..., None]).sum(1)
        return cls(first_block, padding, columns, plain_columns, error, squares, products)

    def corrections(self, panel: _PanelFit | None) -> Float64[np.ndarray, "K N"]:
        """The corrections by no fit and by the fit of each shrinkage, in units of the spread.

        With covariates there are fits without them, too: a covariate that teaches nothing then costs little.
        """
        squares, products = _before(self.squares), _before(self.products)
        prior = np.zeros_like(products) if panel is None else panel.at(self.first_block, len(products))
        in_blocks = _in_blocks(self.columns, self.padding)
        corrections = [np.zeros(len(self.error))]
        for count in sorted({self.plain_columns, self.columns.shape[1]}, reverse=True):
            identity = np.eye(count)
            for shrinkage in SHRINKAGES:
                pulled = products[:, :count] + shrinkage * prior[:, :count]
                weights = np.linalg.solve(squares[:, :count, :count] + shrinkage * identity, pulled[..., None])
                correction = (in_blocks[..., :count] @ weights).reshape(-1)
                corrections.append(correction[self.padding : self.padding + len(self.error)])
        return np.clip(np.array(corrections), -_LARGEST_CORRECTION, _LARGEST_CORRECTION)


class _PanelFit(NamedTuple):
    """The regression of all series together: its weights (B, P), of the blocks from `first_block` on."""

    first_block: int
    weights: Float64[np.ndarray, "B P"]

    def at(self, first_block: int, count: int) -> Float64[np.ndarray, "C P"]:
        """The weights of some neighbouring blocks."""
        start = first_block - self.first_block
        return self.weights[start : start + count]


def _panel_fit(series: Sequence[_SeriesForecasts], h: int) -> _PanelFit:
    firsts = [int(one.past.steps[0]) // BLOCK for one in series]
    lasts = [int(one.past.steps[-1]) // BLOCK for one in series]
    first, blocks = min(firsts), max(lasts) - min(firsts) + 1
    squares, products = np.zeros((blocks, 0, 0)), np.zeros((blocks, 0))
    for one in series:
        own = _Regression.of(one.past, h)
        if not products.size:
            count = own.products.shape[1]
            squares, products = np.zeros((blocks, count, count)), np.zeros((blocks, count))
        place = slice(own.first_block - first, own.first_block - first + len(own.products))
        squares[place] += own.squares
        products[place] += own.products
    shrunk = _before(squares) + _PANEL_SHRINKAGE * np.eye(products.shape[1])
    return _PanelFit(first, np.linalg.solve(shrunk, _before(products)[..., None])[..., 0])


def _in_blocks(values: Float64[np.ndarray, "N *P"], padding: int) -> Float64[np.ndarray, "B block *P"]:
    """Rows in blocks, with zeros before the first and after the last row."""
    count = -(-(len(values) + padding) // BLOCK)
    padded = np.zeros((count * BLOCK, *values.shape[1:]))
    padded[padding : padding + len(values)] = values
    return padded.reshape(count, BLOCK, *values.shape[1:])


def _moved(values: Float64[np.ndarray, "N *P"], rows: int) -> Float64[np.ndarray, "N *P"]:
    """The values some rows later, zero before them."""
    moved = np.zeros_like(values)
    moved[rows:] = values[: len(values) - rows]
    return moved


def _before(blocks: Float64[np.ndarray, "B *P"]) -> Float64[np.ndarray, "B *P"]:
    """For each block the sum of all blocks before it."""
    return np.concatenate([np.zeros_like(blocks[:1]), np.cumsum(blocks[:-1], axis=0)])


# --- from corrections to draws ---------------------------------------------------------------------------------------


def _corrected(
    series: _SeriesForecasts, regression: _Regression, h: int, panel: _PanelFit | None
) -> Float32[np.ndarray, "N Q"]:
    """The draws of one step, moved and rescaled by each candidate and averaged by their weights."""
    past, ahead = series.past, h + 1
    median, unit, actual = past.medians[:, h], past.units[:, h], past.actual[:, h]
    draws = series.draws[:, h].astype(np.float64)
    corrections = regression.corrections(panel)  # (K, N)
    ratios = _error_ratios(corrections, regression.error, ahead)
    is_known = np.isfinite(regression.error)
    centred = draws - median[:, None]
    levels = np.array(series.levels)
    losses, candidates = [], []
    for correction, ratio in zip(corrections, ratios, strict=True):
        moved = median + correction * unit
        for width in WIDTHS:
            scale = width * ratio
            loss = _pinball((actual - moved)[:, None] - centred * scale[:, None], levels) / unit
            losses.append(np.where(is_known, np.minimum(np.nan_to_num(loss), _LARGEST_LOSS), 0.0))
            candidates.append((correction, scale))
    weights = _weights(np.array(losses), is_known, ahead)
    correction = sum(w * c for w, (c, _) in zip(weights, candidates, strict=True))
    scale = sum(w * s for w, (_, s) in zip(weights, candidates, strict=True))
    # candidates differ by shifts and scales only, so the average of their draws is the draws of their averages
    return ((median + correction * unit)[:, None] + centred * scale[:, None]).astype(np.float32)


def _error_ratios(
    corrections: Float64[np.ndarray, "K N"], error: Float64[np.ndarray, " N"], ahead: int
) -> Float64[np.ndarray, "K N"]:
    """How large the corrected errors have been of late, as a share of the forecast's own."""
    count = _PRIOR_COUNT * _PRIOR_ERROR
    own = _discounted(np.nan_to_num(np.abs(error)), ahead) + count
    return np.clip((_discounted(np.nan_to_num(np.abs(error - corrections)), ahead) + count) / own, *_RATIO_LIMITS)


def _weights(
    losses: Float64[np.ndarray, "C N"], is_known: Bool[np.ndarray, " N"], ahead: int
) -> Float64[np.ndarray, "C N"]:
    """The weight of each candidate at each origin, by the mean of its losses that are known there."""
    prior = np.full((len(losses), 1), _PRIOR_LOSS * _PRIOR_EXCESS)
    prior[WIDTHS.index(1.0)] = _PRIOR_LOSS  # the first correction is none
    count = _discounted(is_known.astype(float), ahead) + _PRIOR_LOSSES
    mean = (_discounted(losses, ahead) + _PRIOR_LOSSES * prior) / count
    exponent = -_RATE * (mean / mean.min(0) - 1)
    weights = np.exp(exponent)
    return weights / weights.sum(0)


def _pinball(error: Float64[np.ndarray, "N Q"], levels: Float64[np.ndarray, " Q"]) -> Float64[np.ndarray, " N"]:
    return np.maximum(levels * error, (levels - 1) * error).mean(1)


def _discounted(values: Float64[np.ndarray, "*K N"], ahead: int) -> Float64[np.ndarray, "*K N"]:
    """Sums over the rows whose step `ahead` is known, of which older ones count less."""
    from scipy.signal import lfilter  # scipy takes long to import

    sums = lfilter([1.0], [1.0, -(0.5 ** (1 / _HALF_LIFE))], values, axis=-1)
    out = np.zeros_like(values)
    out[..., ahead:] = sums[..., : values.shape[-1] - ahead]
    return out


def _mean_of_known(values: Float64[np.ndarray, " N"], ahead: int) -> Float64[np.ndarray, " N"]:
    """The discounted mean of the values that are known at each row, 0 where none is."""
    count = _discounted(np.isfinite(values).astype(float), ahead)
    return _discounted(np.nan_to_num(values), ahead) / np.maximum(count, 1.0)
