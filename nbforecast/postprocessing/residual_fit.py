"""The corrections of one series, learned row by row from the errors known so far (H1)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Float64

from nbforecast.postprocessing.block_sums import BLOCK, ERROR_LIMITS, padded_features, sum_blocks
from nbforecast.postprocessing.candidate_average import CandidateAverage
from nbforecast.postprocessing.past_forecasts import (
    Observation,
    PastForecasts,
    RecentForecasts,
    SeriesForecasts,
    observe,
)
from nbforecast.postprocessing.point_masses import keep_masses
from nbforecast.postprocessing.residual_features import LIMIT, Origins, features, lookback

SHRINKAGES = (30.0, 300.0, 3000.0)  # of the ridge, in errors
_CHUNK = 1 << 12  # origins times steps that are corrected at once: what they need fits into the processor's cache


class Prior(Protocol):
    """What the fits of a series are drawn to."""

    def weights(self, block: int, steps: range) -> Float64[np.ndarray, "S P L"] | None:
        """The weights of the features in one block of grid steps, by limit of the errors; None for no correction."""
        ...


class SeriesFit:
    """The regressions of one series' errors and the weights of their corrections, as of the newest row.

    `learn` goes on from there: the result is the same whether rows come one by one or all at once. The fits of a block
    rest on the errors that were known at its first row.
    """

    def __init__(self, series: SeriesForecasts) -> None:
        """Begin before the first row.

        Args:
            series: The series; rows may be appended later.
        """
        horizon = series.draws.shape[1]
        self._reach = lookback(series.seasons, horizon) + BLOCK + horizon
        self._recent = RecentForecasts.before(horizon, self._reach, len(series.others))
        _, counts = features(self.observe(series).past, Origins(0, 1, range(1)))
        most, limits = counts[-1], len(ERROR_LIMITS)
        fits = len(counts) * len(SHRINKAGES) * limits
        self._counts = counts
        self._blocks = np.full(horizon, -1)  # that the weights are of, counted from the series' first one
        self._squares = np.zeros((horizon, most, most))  # sums over the blocks before
        self._products = np.zeros((horizon, most, limits))
        self._weights = np.zeros((horizon, fits, most))
        self._average = CandidateAverage(horizon, 1 + fits)

    @property
    def row(self) -> int:
        """How many rows have been learned from."""
        return self._recent.row

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the state takes."""
        arrays = [*vars(self._recent).values(), self._squares, self._products, self._weights]
        return self._average.nbytes + sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))

    def observe(self, series: SeriesForecasts) -> Observation:
        """Read the rows that are new; the state stays.

        Args:
            series: The series with further rows.
        """
        return observe(series, self._recent)

    def learn(
        self, series: SeriesForecasts, past: PastForecasts, steps: range, prior: Prior | None
    ) -> Float32[np.ndarray, "n S Q"]:
        """Correct the forecasts of the new rows for some steps; `commit` follows.

        Args:
            series: The series.
            past: What was observed.
            steps: Horizon steps, from 0; calls for other steps may run beside this one.
            prior: What the fits are drawn to; None for no correction.

        Returns:
            Ascending draws; NaN where the base has none.
        """
        count = max(_CHUNK // len(steps) // BLOCK, 1) * BLOCK
        end, padding = len(series.values), series.step % BLOCK
        bounds = [self.row, *range(self.row + count - (self.row + padding) % BLOCK, end, count), end]
        parts = [
            self._learn_part(series, past, Origins(start, stop, steps), prior)
            for start, stop in pairwise(bounds)
            if stop > start
        ]
        rows = slice(self.row, end)
        base = series.draws[rows, steps.start : steps.stop]
        return keep_masses(np.concatenate(parts), base, series.values, rows)

    def commit(self, observation: Observation) -> None:
        """Take what was observed as learned, when all steps are."""
        self._recent = observation.recent

    def _learn_part(
        self, series: SeriesForecasts, past: PastForecasts, origins: Origins, prior: Prior | None
    ) -> Float32[np.ndarray, "n S Q"]:
        steps = slice(origins.steps.start, origins.steps.stop)
        window = slice(origins.start - past.first, origins.end - past.first)
        correction, scale = self._average.advance(
            origins.steps,
            self._corrections(past, origins, prior),
            past.errors[steps, window],
            _arrived_spread(series, past, origins),
            series.levels,
        )
        # candidates differ by shifts and scales only, so the average of their draws is the draws of their averages
        median, unit = past.medians[steps, window].T[..., None], past.units[steps, window].T[..., None]
        base = series.draws[origins.start : origins.end, steps]
        return (median + correction.T[..., None] * unit + (base - median) * scale.T[..., None]).astype(np.float32)

    def _corrections(self, past: PastForecasts, origins: Origins, prior: Prior | None) -> Float64[np.ndarray, "K S n"]:
        """The corrections by no fit and by each one, in units of the spread."""
        padding = past.step % BLOCK
        present, weights, (first, columns) = self._weights_until(past, origins, prior)
        corrections = np.zeros((1 + weights.shape[2], len(origins.steps), origins.end - origins.start))
        for index in range(weights.shape[1]):
            start = max((present + index) * BLOCK - padding, origins.start)
            end = min((present + index + 1) * BLOCK - padding, origins.end)
            if start < end:
                corrected = weights[:, index] @ columns[..., start - first : end - first]
                corrections[1:, :, start - origins.start : end - origins.start] = corrected.swapaxes(0, 1)
        return np.clip(corrections, -LIMIT, LIMIT, out=corrections)

    def _weights_until(
        self, past: PastForecasts, origins: Origins, prior: Prior | None
    ) -> tuple[int, Float64[np.ndarray, "S B F P"], tuple[int, Float64[np.ndarray, "S P n"]]]:
        """The weights in each block from that of the state on, which moves to the last one; features, and their row."""
        padding, steps = past.step % BLOCK, origins.steps
        of_steps = slice(steps.start, steps.stop)
        present, last = int(self._blocks[steps.start]), (origins.end - 1 + padding) // BLOCK
        present_weights = self._weights[of_steps, None]
        if last == present:
            return present, present_weights, (origins.start, padded_features(past, origins)[0])
        complete = range(max(present, 0), last)
        first = complete.start * BLOCK - padding - steps.stop + 1 if complete else origins.start
        columns = padded_features(past, replace(origins, start=min(first, origins.start)))[0]
        squares, products = self._squares[of_steps, None], self._products[of_steps, None]
        if complete:
            sums = sum_blocks(past, columns, min(first, origins.start), complete, steps)
            squares = np.cumsum(np.concatenate([squares, sums.squares], axis=1), axis=1)
            products = np.cumsum(np.concatenate([products, sums.products], axis=1), axis=1)
        new = range(present + 1, last + 1)
        priors = [None if prior is None else prior.weights(past.step // BLOCK + number, steps) for number in new]
        pulls = np.stack([np.zeros_like(products[:, 0]) if p is None else p for p in priors], axis=1)
        new_weights = _solve(self._counts, squares[:, -len(new) :], products[:, -len(new) :], pulls)
        weights = np.concatenate([present_weights, new_weights], axis=1)
        self._squares[of_steps], self._products[of_steps] = squares[:, -1], products[:, -1]
        self._weights[of_steps], self._blocks[of_steps] = weights[:, -1], last
        return present, weights, (min(first, origins.start), columns)


def _solve(
    counts: tuple[int, ...],
    squares: Float64[np.ndarray, "S B P P"],
    products: Float64[np.ndarray, "S B P L"],
    prior: Float64[np.ndarray, "S B P L"],
) -> Float64[np.ndarray, "S B F P"]:
    """The weights of the features in each fit, the largest first: all shrinkages, with both limits of the errors."""
    most, weights = counts[-1], []
    for count in reversed(counts):
        for shrinkage in SHRINKAGES:
            pulled = products[..., :count, :] + shrinkage * prior[..., :count, :]
            solved = np.linalg.solve(squares[..., :count, :count] + shrinkage * np.eye(count), pulled)
            missing = [(0, 0)] * (solved.ndim - 2) + [(0, most - count), (0, 0)]
            weights.append(np.pad(solved, missing).swapaxes(-1, -2))
    return np.concatenate(weights, axis=-2)


def _arrived_spread(series: SeriesForecasts, past: PastForecasts, origins: Origins) -> Float64[np.ndarray, "Q S n"]:
    """The distances of the draws from their median, in units, of the forecasts whose errors become known; else 0."""
    out = np.zeros((len(series.levels), len(origins.steps), origins.end - origins.start))
    for index, h in enumerate(origins.steps):
        start, end = max(origins.start - h - 1, 0), origins.end - h - 1
        if start < end:
            window = slice(start - past.first, end - past.first)
            distance = series.draws[start:end, h].T - past.medians[h, window]
            out[:, index, start + h + 1 - origins.start :] = np.nan_to_num(distance / past.units[h, window])
    return out
