"""A model of a forecaster's own errors, fitted along the series to the errors known so far (H1).

The error of each horizon step, in units of the forecast's spread, is regressed on what is known at the origin. The
regression is a ridge whose prior is no correction; it is fitted anew every `BLOCK` grid steps from the errors known
by then. Several shrinkages run side by side, with errors limited more and less, and with and without the features of
covariates and of the days of the week; they are averaged by weights that follow from their past pinball losses, no
correction among them, so that a series without anything to learn keeps its forecasts. Several widths of the bands are
averaged in the same way.

In a panel the regression of all series is the prior of each one. The prior of a block rests on the errors that were
known before the block began; rows that are appended to any series move no prior of an earlier block.

Source:
    Ridge regression: Hoerl & Kennard (1970). Weights: exponentially weighted average forecaster, Cesa-Bianchi & Lugosi
    (2006), "Prediction, learning, and games", chapter 2, with discounted losses.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt64

from nbforecast.device import cores
from nbforecast.postprocessing.block_sums import BLOCK, BlockSums, iterate_blocks
from nbforecast.postprocessing.panel_fit import LEAD, PanelFit
from nbforecast.postprocessing.past_forecasts import SeriesForecasts
from nbforecast.postprocessing.residual_fit import SeriesFit
from nbforecast.scoring.origin_scores import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PANEL_BYTES = 1 << 28  # of sums at once
_STATE_BYTES = 1 << 28  # of the states that are held between two calls
_SHORT = 4 * BLOCK  # rows that one thread learns as fast as several


@dataclass(frozen=True)
class BaseForecasts:
    """The forecasts of a model from every origin of some series, and what was observed.

    Attributes:
        draws: (N, H, Q) ascending draws, NaN where there is no forecast.
        levels: The Q probability levels of the draws.
        values: (N,) observations, NaN where there is none.
        first_steps: (S,) the grid step of each series' first row.
        offsets: (S + 1,) the bounds of the series.
        seasons: Season lengths in steps, ascending.
        others: (N, H, ...) draws of other models from the same origins, with their levels.
        covariates: (K, N + S * H) covariates; each series has its rows, then one horizon of steps.
        is_future: (K,) whether each covariate is known ahead.
        issued: (I, N, H + 1) covariates as they were issued by each row: about the row itself, and the steps after it.
        prints: (N,) a fingerprint of all of the above up to each row of its series, by which a learner sees that data
            are those that it knows, with further rows; None if it need not look.
    """

    draws: Float32[np.ndarray, "N H Q"]
    levels: tuple[float, ...]
    values: Float64[np.ndarray, " N"]
    first_steps: Int64[np.ndarray, " S"]
    offsets: Int64[np.ndarray, " S1"]
    seasons: tuple[int, ...]
    others: tuple[tuple[Float32[np.ndarray, "N H _"], tuple[float, ...]], ...]
    covariates: Float64[np.ndarray, "K C"]
    is_future: Bool[np.ndarray, " K"]
    issued: Float64[np.ndarray, "I N H1"] | None = None
    prints: UInt64[np.ndarray, " N"] | None = None

    @property
    def steps(self) -> Int64[np.ndarray, " N"]:
        """The grid step of each row."""
        lengths = np.diff(self.offsets)
        return np.arange(self.offsets[-1]) + np.repeat(self.first_steps - self.offsets[:-1], lengths)

    @property
    def actual(self) -> Float64[np.ndarray, "N H"]:
        """What was observed after each row, NaN where it is not known."""
        horizon = self.draws.shape[1]
        rows = np.arange(len(self.values))[:, None] + np.arange(1, horizon + 1)
        ends = np.repeat(self.offsets[1:], np.diff(self.offsets))[:, None]
        return np.where(rows < ends, self.values[np.minimum(rows, len(self.values) - 1)], np.nan)

    @property
    def other_medians(self) -> Float64[np.ndarray, "M N H"]:
        """The medians of the other models."""
        medians = [quantiles(draws.astype(np.float64), levels, (0.5,))[..., 0] for draws, levels in self.others]
        return np.reshape(medians, (len(medians), *self.draws.shape[:2]))

    @property
    def ahead(self) -> Float64[np.ndarray, "K N H"]:
        """The covariates known ahead, at the times that are forecast; those that were issued last."""
        ahead = self.covariates[self.is_future][:, self._places()[:, None] + np.arange(1, self.draws.shape[1] + 1)]
        return ahead if self.issued is None else np.concatenate([ahead, self.issued[..., 1:]])

    @property
    def now(self) -> Float64[np.ndarray, "K N"]:
        """The covariates known ahead, at the origins; those that were issued last."""
        now = self.covariates[self.is_future][:, self._places()]
        return now if self.issued is None else np.concatenate([now, self.issued[..., 0]])

    @property
    def known(self) -> Float64[np.ndarray, "J N"]:
        """The covariates that are known up to the origins only."""
        return self.covariates[~self.is_future][:, self._places()]

    def _places(self) -> Int64[np.ndarray, " N"]:
        horizon = self.draws.shape[1]
        return np.arange(self.offsets[-1]) + np.repeat(
            np.arange(len(self.offsets) - 1) * horizon, np.diff(self.offsets)
        )

    def series(self, number: int) -> SeriesForecasts:
        """The forecasts of one series."""
        start, end = int(self.offsets[number]), int(self.offsets[number + 1])
        horizon = self.draws.shape[1]
        return SeriesForecasts(
            draws=self.draws[start:end],
            levels=self.levels,
            values=self.values[start:end],
            step=int(self.first_steps[number]),
            seasons=self.seasons,
            others=tuple((draws[start:end], levels) for draws, levels in self.others),
            covariates=self.covariates[:, start + number * horizon : end + (number + 1) * horizon],
            is_future=self.is_future,
            issued=np.zeros((0, end - start, horizon + 1)) if self.issued is None else self.issued[:, start:end],
        )


def learn(base: BaseForecasts) -> Float32[np.ndarray, "N H Q"]:
    """Move and rescale the draws of every origin by what its past errors teach, as of that origin (L1).

    Args:
        base: The forecasts, of one series or several.

    Returns:
        (N, H, Q) ascending draws; NaN where the base has none.
    """
    return Learner().learn(base, base.offsets[:-1])


class Learner:
    """Learns along the series of a dataset, and goes on where rows are appended.

    Threads take turns.
    """

    def __init__(self, panel: PanelFit | None = None) -> None:
        """Begin before the first row.

        Args:
            panel: The regression of all series of a panel, of which the learner has a part; None for that of its own.
        """
        self._lock = threading.Lock()
        self._given = panel
        self._begin()

    def _begin(self) -> None:
        self._fits: OrderedDict[int, SeriesFit] = OrderedDict()
        self._panel = PanelFit() if self._given is None else self._given
        self._summed: dict[int, int] = {}  # how many blocks of each series the panel has
        self._seen: dict[int, tuple[int, np.uint64 | None]] = {}  # how many rows of each series, and their fingerprint

    def learned(self, number: int) -> int:
        """How many rows of a series have been learned from, if their state is held; 0 if it is not.

        Args:
            number: The series.
        """
        fit = self._fits.get(number)
        return 0 if fit is None else fit.row

    def learn(self, base: BaseForecasts, first: Int64[np.ndarray, " S"]) -> Float32[np.ndarray, "M H Q"]:
        """Correct the forecasts of the newest rows of each series; rows learned before are only read where needed.

        Args:
            base: The forecasts. Where they are those of the last call with further rows, learning goes on; else it
                begins anew.
            first: (S,) the first row, of all N, of each series whose draws are wanted; its end for none.

        Returns:
            The draws of these rows, series after series.
        """
        with self._lock:
            if not self._continues(base):
                self._begin()
            is_panel = self._given is not None or len(first) > 1
            if is_panel and self._given is None and not self._add_sums(base):
                self._begin()
                self._add_sums(base)
            wanted = [s for s in range(len(first)) if first[s] < base.offsets[s + 1]]
            parts = [self._learn_series(base, s, int(first[s] - base.offsets[s]), is_panel=is_panel) for s in wanted]
            newest = enumerate((base.offsets[1:] - 1).tolist())
            lengths = np.diff(base.offsets).tolist()
            self._seen = {s: (lengths[s], None if base.prints is None else base.prints[row]) for s, row in newest}
            return np.concatenate(parts) if parts else np.zeros((0, *base.draws.shape[1:]), np.float32)

    def _continues(self, base: BaseForecasts) -> bool:
        """Whether the forecasts are those that were learned from, with further rows."""
        if base.prints is None or not self._seen:
            return True
        ends = np.array([base.offsets[s] + rows - 1 for s, (rows, _) in self._seen.items()])
        is_inside = ends < base.offsets[1:]
        return bool(is_inside.all() and (base.prints[ends] == [p for _, p in self._seen.values()]).all())

    def _learn_series(
        self, base: BaseForecasts, number: int, row: int, *, is_panel: bool
    ) -> Float32[np.ndarray, "M H Q"]:
        series = base.series(number)
        fit = self._fits.pop(number, None)
        if fit is None or fit.row > row:
            fit = SeriesFit(series)
        start, prior = fit.row, self._panel if is_panel else None
        observation = fit.observe(series)
        horizon = base.draws.shape[1]
        learned = np.empty((len(series.values) - start, *base.draws.shape[1:]), np.float32)

        def learn_steps(steps: range) -> None:
            learned[:, steps.start : steps.stop] = fit.learn(series, observation.past, steps, prior)

        groups = 1 if len(learned) <= _SHORT else -(-horizon // 4)
        _each([range(horizon * k // groups, horizon * (k + 1) // groups) for k in range(groups)], learn_steps)
        fit.commit(observation)
        self._hold(number, fit)
        return learned[row - start :]

    def _hold(self, number: int, fit: SeriesFit) -> None:
        """Hold a state; those that were used longest ago make room, and are learned anew when they are needed."""
        self._fits[number] = fit
        while len(self._fits) > 1 and sum(other.nbytes for other in self._fits.values()) > _STATE_BYTES:
            self._fits.popitem(last=False)

    def _add_sums(self, base: BaseForecasts) -> bool:
        """Add the blocks that are complete since the last call to the panel's fit; False if one comes too late."""
        first, padding = base.first_steps // BLOCK, base.first_steps % BLOCK
        complete = (np.diff(base.offsets) - 1 + padding + LEAD) // BLOCK
        present = ((s, range(self._summed.get(s, 0), end)) for s, end in enumerate(complete.tolist()))
        growing = {s: blocks for s, blocks in present if blocks}
        newest, known = int((base.first_steps + np.diff(base.offsets) - 1).max() // BLOCK), self._panel.newest
        if known is not None and any(first[s] + blocks.start < known for s, blocks in growing.items()):
            return False
        if not growing and known is not None and newest <= known:
            return True
        blocks = range(int(first.min()) if known is None else known, newest + 1)
        for steps in _step_groups(base, len(blocks)):
            self._panel.add(self._sum_blocks(base, steps, growing), steps, blocks, base.draws.shape[1])
        self._panel.close(newest)
        self._summed |= {s: blocks.stop for s, blocks in growing.items()}
        return True

    def _sum_blocks(self, base: BaseForecasts, steps: range, blocks: dict[int, range]) -> dict[int, BlockSums]:
        """The sums of some blocks of some series by block, over the series."""
        total: dict[int, BlockSums] = {}
        for number, of_series in blocks.items():
            series = base.series(number)
            fit = self._fits.get(number) or SeriesFit(series)
            for block, sums in iterate_blocks(fit.observe(series).past, of_series, steps, LEAD):
                if block in total:
                    total[block].add(sums)
                else:
                    total[block] = BlockSums(sums.squares.copy(), sums.products.copy())
        return total


def sum_panel(base: BaseForecasts) -> tuple[range, dict[int, BlockSums]]:
    """What a part of a panel adds to the regression of all of it; `PanelFit.add` takes the sum over the parts.

    Args:
        base: The forecasts of some series of a panel.

    Returns:
        The blocks from the first to the newest one of these series, and the sums of each.
    """
    complete = (base.first_steps % BLOCK + np.diff(base.offsets) - 1 + LEAD) // BLOCK
    growing = {s: range(end) for s, end in enumerate(complete.tolist()) if end}
    newest = (base.first_steps + np.diff(base.offsets) - 1).max() // BLOCK
    blocks = range(int(base.first_steps.min() // BLOCK), int(newest) + 1)
    return blocks, Learner()._sum_blocks(base, range(base.draws.shape[1]), growing)


def _step_groups(base: BaseForecasts, blocks: int) -> Iterator[range]:
    """The horizon steps in groups whose sums of so many blocks fit into memory."""
    horizon = base.draws.shape[1]
    issued = 0 if base.issued is None else len(base.issued)
    features = 24 + 12 * len(base.seasons) + 7 * (len(base.covariates) + issued)  # about
    size = max(_PANEL_BYTES // max(8 * features**2 * blocks, 1), 1)
    for start in range(0, horizon, size):
        yield range(start, min(start + size, horizon))


def _each(groups: Sequence[range], work: Callable[[range], None]) -> None:
    """Work on groups of steps side by side."""
    if len(groups) == 1:
        work(groups[0])
        return
    with ThreadPoolExecutor(cores(), thread_name_prefix="nbforecast-learn") as pool:
        list(pool.map(work, groups))
