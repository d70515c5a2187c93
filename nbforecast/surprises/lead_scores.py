"""How odd observations are to the forecasts made 1 to H steps before (A1).

The lead of a forecast is the number of steps from its origin to the observation. The score of an observation at a lead
is the error of the median without its sign, in a unit that is half the width of the forecast's 80 % interval on the
side of the error, plus the mean error that the lead has lately had. The first part follows what the forecast knows of
its own uncertainty, the second what it does not know. An observation's score is the largest over the leads: what looks
ordinary to the forecast of a minute before may have been odd to that of an hour before.

Means are over blocks of `BLOCK` steps that begin at multiples of it in absolute steps. A score therefore depends on the
newest `SCORE_ROWS` rows alone, to the bit, and a part of a series gives the scores of the whole (L1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.scoring.origin_scores import as_forecast

BLOCK = 64  # steps
_BLOCKS = 16  # complete blocks before that of an observation, over which errors are averaged
SCORE_ROWS = (_BLOCKS + 1) * BLOCK  # before an observation that its score depends on, beside the horizon
MIN_ERRORS = 20  # known errors of a lead, below which it gives no score
SIDES = (0.1, 0.5, 0.9)  # the median, and the interval whose half widths are part of the unit
_LEAST_UNIT = 1e-6  # times the forecast's size
_TINY = 1e-30


@dataclass(frozen=True)
class LeadScores:
    """Scores of N observations at H leads; NaN where there is no forecast, no observation, or too few past errors.

    Attributes:
        scores: (H, N) by lead.
        units: (H, N) what the errors are divided by, in the data's unit.
        highest: (N,) the largest score of each observation.
    """

    scores: Float32[np.ndarray, "H N"]
    units: Float32[np.ndarray, "H N"]
    highest: Float32[np.ndarray, " N"]


def lead_scores(
    sides: Float32[np.ndarray, "3 H N"],
    values: Float64[np.ndarray, " N"],
    offsets: Int64[np.ndarray, " bounds"],
    steps: Int64[np.ndarray, " N"],
) -> LeadScores:
    """Score every observation at every lead, as of its own time.

    Args:
        sides: (3, H, N) of the forecast from each row the quantiles at `SIDES`, NaN where there is none.
        values: (N,) observations, NaN where there is none.
        offsets: (S + 1,) the bounds of the series.
        steps: (N,) the absolute grid step of each row.
    """
    _, horizon, count = sides.shape
    series = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    layout = _BlockLayout.of(series, steps)
    rounded = as_forecast(values)
    scores = np.full((horizon, count), np.nan, np.float32)
    units = np.full((horizon, count), np.nan, np.float32)
    for h in range(min(horizon, count - 1)):
        low, median, high = sides[:, h, : count - h - 1].astype(np.float64)
        observed = slice(h + 1, None)
        error = np.where(median == rounded[observed], 0.0, values[observed] - median)
        error[series[observed] != series[: count - h - 1]] = np.nan
        sizes = np.concatenate([np.full(h + 1, np.nan), np.abs(error)])
        side = np.where(error > 0, high - median, median - low)
        unit = side + layout.mean_before(sizes)[observed] + _LEAST_UNIT * np.abs(median) + _TINY
        units[h, observed] = unit
        with np.errstate(over="ignore"):
            scores[h, observed] = sizes[observed] / unit
    highest = np.fmax.reduce(scores, axis=0) if horizon else np.full(count, np.nan, np.float32)
    return LeadScores(scores, units, highest)


@dataclass(frozen=True)
class _BlockLayout:
    """Where rows lie in blocks of `BLOCK` steps, of which each belongs to one series.

    Attributes:
        places: (N,) the place of each row, block after block.
        series: (B,) the series of each block.
    """

    places: Int64[np.ndarray, " N"]
    series: Int64[np.ndarray, " B"]

    @classmethod
    def of(cls, series: Int64[np.ndarray, " N"], steps: Int64[np.ndarray, " N"]) -> _BlockLayout:
        number = steps // BLOCK
        is_new = np.append(True, (np.diff(number) != 0) | (np.diff(series) != 0))[: len(steps)]
        block = np.cumsum(is_new) - 1
        return cls(block * BLOCK + steps % BLOCK, series[is_new])

    def mean_before(self, values: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        """The mean of the known values in the blocks before each row, and in its own block before it.

        Args:
            values: A value for each row, NaN where it is not known.

        Returns:
            (N,) NaN where fewer than `MIN_ERRORS` are known.
        """
        blocks = np.zeros((2, len(self.series) * BLOCK))
        is_known = np.isfinite(values)
        blocks[0, self.places] = np.where(is_known, values, 0.0)
        blocks[1, self.places] = is_known
        by_block = blocks.reshape(2, -1, BLOCK)
        within = np.cumsum(by_block, axis=-1)
        whole = within[..., -1]
        before = np.zeros_like(whole)
        for back in range(1, min(_BLOCKS, len(self.series) - 1) + 1):
            before[:, back:] += whole[:, :-back] * (self.series[back:] == self.series[:-back])
        total, known = (within - by_block + before[..., None]).reshape(2, -1)[:, self.places]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(known >= MIN_ERRORS, total / known, np.nan)
