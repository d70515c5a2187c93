"""How odd observations are to the forecasts made 1 to H steps before (A1).

The lead of a forecast is the number of steps from its origin to the observation. The score of an observation at a lead
is the error of the median without its sign, divided by the sum of

- half the width of the forecast's 80 % interval, on the side of the error: what the forecast knows of its uncertainty;
- the mean error of the lead in the last thousand steps or so: what the forecast does not know of it;
- the mean error of the lead at the same phase of the last four seasons: rush hours are harder to forecast than nights.

The score of an observation is the largest over the leads: what looks ordinary to the forecast of a minute before may
have been odd to that of an hour before.

The mean over recent steps is one over blocks of `BLOCK` steps that begin at multiples of it in absolute steps. A score
therefore depends on the newest `score_rows` rows alone, to the bit, and a part of a series gives the scores of the
whole (L1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nbforecast.device import map_on_cores
from nbforecast.scoring.origin_scores import as_forecast

SIDES = (0.1, 0.5, 0.9)  # the median, and the interval whose half widths are part of the unit
BLOCK = 64  # steps
MIN_ERRORS = 20  # known errors of a lead, below which it gives no score
_BLOCKS = 16  # complete blocks before that of an observation, over which errors are averaged
_SEASONS = 4  # whose errors at the same phase, and one step before and after, are averaged
_LEAST_UNIT = np.float32(1e-6)  # times the forecast's size
_TINY = np.float32(1e-30)
_LARGE = 1 << 20  # scores from which on all cores are busy


@dataclass(frozen=True)
class LeadScores:
    """Scores of N observations at H leads; NaN where there is no forecast, no observation, or too few past errors.

    Attributes:
        scores: (H, N) by lead.
        units: (H, N) what the errors are divided by, in the data's unit.
        highest: (N,) the largest score of each observation.
        one_step: (N,) the score at lead 1, negative where the observation is below the forecast.
    """

    scores: Float32[np.ndarray, "H N"]
    units: Float32[np.ndarray, "H N"]
    highest: Float32[np.ndarray, " N"]
    one_step: Float32[np.ndarray, " N"]


def score_rows(season: int) -> int:
    """How many rows before an observation, beside the horizon, its score depends on.

    Args:
        season: The length of a season in steps, 0 if there is none.
    """
    return max((_BLOCKS + 1) * BLOCK, _SEASONS * season + 1)


def lead_scores(
    sides: Float32[np.ndarray, "3 H N"],
    values: Float64[np.ndarray, " N"],
    offsets: Int64[np.ndarray, " bounds"],
    steps: Int64[np.ndarray, " N"],
    season: int,
) -> LeadScores:
    """Score every observation at every lead, as of its own time.

    Args:
        sides: (3, H, N) of the forecast from each row the quantiles at `SIDES`, NaN where there is none.
        values: (N,) observations, NaN where there is none.
        offsets: (S + 1,) the bounds of the series.
        steps: (N,) the absolute grid step of each row.
        season: The length of a season in steps, 0 if there is none.
    """
    _, horizon, count = sides.shape
    layout = _Layout.of(offsets, steps, season)
    rounded = as_forecast(values)
    scores = np.full((horizon, count), np.nan, np.float32)
    units = np.full((horizon, count), np.nan, np.float32)
    one_step = np.full(count, np.nan, np.float32)

    def score_lead(lead: int) -> None:
        observed, origin = slice(lead, None), slice(count - lead)
        low, median, high = sides[:, lead - 1, origin]
        error = (values[observed] - median).astype(np.float32)
        error[median == rounded[observed]] = 0.0
        error[layout.series[observed] != layout.series[origin]] = np.nan
        sizes = np.zeros(count, np.float32)
        np.abs(error, out=sizes[observed])
        is_known = np.zeros(count, bool)
        is_known[observed] = np.isfinite(error)
        sizes[~is_known] = 0.0
        unit = units[lead - 1]
        unit[observed] = np.where(error > 0, high - median, median - low) + _LEAST_UNIT * np.abs(median) + _TINY
        unit += layout.recent_mean(sizes, is_known)
        unit += layout.phase_mean(sizes, is_known)
        np.divide(sizes, unit, out=scores[lead - 1], where=is_known)
        if lead == 1:
            np.copysign(scores[0, observed], error, out=one_step[observed])

    with np.errstate(over="ignore", invalid="ignore"):
        leads = range(1, min(horizon, count - 1) + 1)
        if scores.size >= _LARGE:
            map_on_cores(score_lead, leads)
        else:
            for lead in leads:
                score_lead(lead)
        highest = np.fmax.reduce(scores, axis=0)
    return LeadScores(scores, units, highest, one_step)


@dataclass(frozen=True)
class _Layout:
    """Where rows lie: in series, in blocks of `BLOCK` steps of which each belongs to one series, and in seasons.

    Attributes:
        series: (N,) the series of each row.
        places: (N,) the place of each row, block after block.
        series_of_block: (B,) the series of each block.
        season: The length of a season in steps, 0 if there is none.
    """

    series: Int64[np.ndarray, " N"]
    places: Int64[np.ndarray, " N"]
    series_of_block: Int64[np.ndarray, " B"]
    season: int

    @classmethod
    def of(cls, offsets: Int64[np.ndarray, " bounds"], steps: Int64[np.ndarray, " N"], season: int) -> _Layout:
        series = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        number = steps // BLOCK
        is_new = np.append(True, (np.diff(number) != 0) | (np.diff(series) != 0))[: len(steps)]
        return cls(series, (np.cumsum(is_new) - 1) * BLOCK + steps % BLOCK, series[is_new], season)

    def recent_mean(
        self, sizes: Float32[np.ndarray, " N"], is_known: Bool[np.ndarray, " N"]
    ) -> Float32[np.ndarray, " N"]:
        """The mean of the known sizes in the blocks before each row and in its own block before it.

        Args:
            sizes: (N,) sizes of errors, 0 where they are not known.
            is_known: (N,) whether each is known.

        Returns:
            (N,) NaN where fewer than `MIN_ERRORS` are known.
        """
        blocks = np.zeros((2, len(self.series_of_block) * BLOCK), np.float32)
        blocks[0, self.places], blocks[1, self.places] = sizes, is_known
        by_block = blocks.reshape(2, -1, BLOCK)
        within = np.cumsum(by_block, axis=-1)
        whole = within[..., -1].copy()
        before = np.zeros_like(whole)
        for back in range(1, min(_BLOCKS, whole.shape[1] - 1) + 1):
            before[:, back:] += whole[:, :-back] * (self.series_of_block[back:] == self.series_of_block[:-back])
        within -= by_block
        within += before[..., None]
        total, known = within.reshape(2, -1)
        mean = np.full(total.shape, np.nan, np.float32)
        np.divide(total, known, out=mean, where=known >= MIN_ERRORS)
        return mean[self.places]

    def phase_mean(
        self, sizes: Float32[np.ndarray, " N"], is_known: Bool[np.ndarray, " N"]
    ) -> Float32[np.ndarray, " N"]:
        """The mean of the known sizes around the same phase of the last seasons, 0 where none is known.

        Args:
            sizes: (N,) sizes of errors, 0 where they are not known.
            is_known: (N,) whether each is known.
        """
        mean = np.zeros(len(sizes), np.float32)
        if self.season < 2 or self.season >= len(sizes):
            return mean
        around = np.stack([sizes, is_known.astype(np.float32)])
        is_same = self.series[1:] == self.series[:-1]
        neighbours = around.copy()
        neighbours[:, 1:] += around[:, :-1] * is_same
        neighbours[:, :-1] += around[:, 1:] * is_same
        total = np.zeros_like(neighbours)
        for lag in range(self.season, min(_SEASONS * self.season, len(sizes) - 1) + 1, self.season):
            total[:, lag:] += neighbours[:, :-lag] * (self.series[lag:] == self.series[:-lag])
        return np.divide(total[0], total[1], out=mean, where=total[1] > 0)
