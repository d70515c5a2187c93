"""Corrections of a forecast, and widths of its bands, averaged by how well each has done so far."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from nbforecast.postprocessing.past_forecasts import discounted
from nbforecast.postprocessing.residual_features import LIMIT

WIDTHS = (0.6, 0.8, 1.0, 1.25, 1.6)  # of the bands, times the ratio of the corrected errors to the forecast's own
_RATIO_LIMITS = (0.4, 1.2)
_PRIOR_SUM = 6.0  # of absolute errors, in the ratio: twenty of typical size
_PRIOR_LOSSES, _PRIOR_LOSS, _PRIOR_EXCESS = 50.0, 0.1, 1.02  # every correction begins 2 % worse than none
_LARGEST_LOSS = 3.0
_RATE = 100.0  # how much a relative difference of mean losses counts

Rows = Float64[np.ndarray, "S n"]
CandidateRows = Float64[np.ndarray, "*K S n"]


class CandidateAverage:
    """The weights of K corrections, the first of which is none, and of `WIDTHS`, by their past pinball losses.

    The state is as of the newest row: what was issued for errors that are not known yet, and discounted sums.
    """

    def __init__(self, horizon: int, candidates: int) -> None:
        """Begin before the first row.

        Args:
            horizon: H.
            candidates: K.
        """
        self._corrections = np.zeros((candidates, horizon, horizon))  # of the newest H rows, and so are the next three
        self._ratios = np.zeros((candidates, horizon, horizon))
        self._average = np.zeros((horizon, horizon))
        self._average_ratio = np.zeros((horizon, horizon))
        self._number = np.zeros(horizon)  # of known errors, and below sums of them and of losses
        self._own_errors = np.zeros(horizon)
        self._errors = np.zeros((candidates, horizon))
        self._average_errors = np.zeros(horizon)
        self._losses = np.zeros((candidates, horizon))
        self._width_losses = np.zeros((len(WIDTHS), horizon))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the state takes."""
        return sum(array.nbytes for array in vars(self).values())

    def advance(
        self,
        steps: range,
        corrections: Float64[np.ndarray, "K S n"],
        error: Rows,
        spread: Float64[np.ndarray, "Q S n"],
        levels: tuple[float, ...],
    ) -> tuple[Rows, Rows]:
        """Average over the candidates at the next rows.

        Args:
            steps: The S horizon steps.
            corrections: In units of the spread, the first 0.
            error: The error of each step that becomes known at each row, in units; NaN where none does.
            spread: The distances of the draws from their median, in units, of the forecasts that these errors are of.
            levels: The Q probability levels of the draws.

        Returns:
            The correction of the median in units, and the scale of the draws around it.
        """
        part = slice(steps.start, steps.stop)
        is_known, error = np.isfinite(error), np.nan_to_num(error)
        number = _sum_up(self._number, part, is_known.astype(np.float64))
        own_errors = _sum_up(self._own_errors, part, np.abs(np.clip(error, -LIMIT, LIMIT))) + _PRIOR_SUM
        known = _KnownErrors(is_known, error, spread, np.array(levels))

        issued = _arrive(self._corrections, steps, corrections)
        ratios = _ratio(_sum_up(self._errors, part, known.sizes(issued)), own_errors)
        candidates = zip(issued, _arrive(self._ratios, steps, ratios), strict=True)
        losses = np.stack([known.loss(*candidate) for candidate in candidates])
        loss_sums = _sum_up(self._losses, part, losses)
        average = (_shares(loss_sums, number, best=0) * corrections).sum(0)

        issued = _arrive(self._average, steps, average)
        ratio = _ratio(_sum_up(self._average_errors, part, known.sizes(issued)), own_errors)
        issued_ratio = _arrive(self._average_ratio, steps, ratio)
        losses = np.stack([known.loss(issued, width * issued_ratio) for width in WIDTHS])
        shares = _shares(_sum_up(self._width_losses, part, losses), number, best=WIDTHS.index(1.0))
        return average, ratio * np.tensordot(WIDTHS, shares, axes=1)


class _KnownErrors:
    """The errors that become known, and the forecasts that they are of."""

    def __init__(
        self,
        is_known: Bool[np.ndarray, "S n"],
        error: Rows,
        spread: Float64[np.ndarray, "Q S n"],
        levels: Float64[np.ndarray, " Q"],
    ) -> None:
        self._is_known, self._error, self._spread = is_known, error, spread
        self._limited = np.clip(error, -LIMIT, LIMIT)
        self._mean_level, self._mean_spread = levels.mean(), np.tensordot(levels, spread, axes=1) / len(levels)

    def sizes(self, correction: CandidateRows) -> CandidateRows:
        """How large the errors are after a correction."""
        return np.where(self._is_known, np.abs(self._limited - correction), 0.0)

    def loss(self, correction: Rows, scale: Rows) -> Rows:
        """The pinball loss after a correction of the median and a scaling of the draws, in units of the spread.

        The loss is linear but for the draws above the value, so only these are summed one by one.
        """
        rest = self._error - correction
        above = np.maximum(self._spread * scale - rest, 0.0).mean(0)
        loss = self._mean_level * rest - scale * self._mean_spread + above
        return np.where(self._is_known, np.minimum(loss, _LARGEST_LOSS), 0.0)


def _sum_up(
    sums: Float64[np.ndarray, "*K H"], part: slice, values: Float64[np.ndarray, "*K S n"]
) -> Float64[np.ndarray, "*K S n"]:
    """Discounted sums at each row, which the state follows."""
    running = discounted(values, sums[..., part])
    sums[..., part] = running[..., -1]
    return running


def _arrive(
    newest: Float64[np.ndarray, "*K H H"], steps: range, issued: Float64[np.ndarray, "*K S n"]
) -> Float64[np.ndarray, "*K S n"]:
    """What was issued for the errors that become known at each row; the state takes what is issued now."""
    part, horizon = slice(steps.start, steps.stop), newest.shape[-1]
    rows = np.concatenate([newest[..., part, :], issued], axis=-1)
    newest[..., part, :] = rows[..., -horizon:]
    return np.stack([rows[..., i, horizon - h - 1 : rows.shape[-1] - h - 1] for i, h in enumerate(steps)], axis=-2)


def _ratio(sums: CandidateRows, own: Rows) -> CandidateRows:
    """How large the corrected errors have been of late, as a share of the forecast's own."""
    return np.clip((sums + _PRIOR_SUM) / own, *_RATIO_LIMITS)


def _shares(sums: Float64[np.ndarray, "C S n"], number: Rows, best: int) -> Float64[np.ndarray, "C S n"]:
    """The weight of each candidate by the mean of its known losses; one begins a little better than the others."""
    prior = np.full((len(sums), 1, 1), _PRIOR_LOSS * _PRIOR_EXCESS)
    prior[best] = _PRIOR_LOSS
    mean = (sums + _PRIOR_LOSSES * prior) / (number + _PRIOR_LOSSES)
    weights = np.exp(-_RATE * (mean / mean.min(0) - 1))
    return weights / weights.sum(0)
