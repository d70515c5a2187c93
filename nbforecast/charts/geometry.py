"""Geometry of a chart: from values to path data, in whole tenths of a pixel.

Integers and relative commands keep an image small, and no rounding error adds up: differences are taken after rounding.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nbforecast.charts.density import extent
from nbforecast.charts.fan_data import Density, FanData

_FAR = 1e6
_TINY, _HUGE = 1e-150, 1e150  # beyond these, differences and quotients leave the range of a double
_SMOOTH = 40  # tenths of a pixel between steps, under which a curve looks like its chords


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the plot is: pixel edges, and the ranges of time and value that they stand for."""

    left: float
    top: float
    right: float
    bottom: float
    start: int
    stop: int
    low: float
    high: float

    def x(self, clock: np.ndarray) -> np.ndarray:
        """Times, any shape, to tenths of a pixel (float)."""
        # Subtracted as integers: microseconds since 1970 do not fit a double's precision once scaled.
        across = (self.right - self.left) * 10 / max(self.stop - self.start, 1)
        return np.asarray(self.left * 10 + (clock - self.start) * across, dtype=np.float64)

    def y(self, values: np.ndarray) -> np.ndarray:
        """Values, any shape, to tenths of a pixel (float)."""
        up = (self.bottom - self.top) * 10 / (self.high - self.low)
        known = np.clip(np.asarray(values, dtype=np.float64), -_HUGE, _HUGE)
        # Whatever lies off the chart lies there all the same, but within what an integer holds.
        return np.asarray(np.clip(self.bottom * 10 - (known - self.low) * up, -_FAR, _FAR))


def value_range(data: FanData, density: Density | None = None) -> tuple[float, float]:
    """What values the chart spans, a density's included, with some air.

    Never empty, and not below zero for what never is.
    """
    arrays = [data.values, data.actual, data.median, *(side for band in data.bands for side in (band.low, band.high))]
    everything = np.concatenate(arrays if density is None else [*arrays, extent(density)], dtype=np.float64)
    everything = everything[np.abs(everything) < _HUGE]
    if not len(everything):
        return 0.0, 1.0
    low, high = float(everything.min()), float(everything.max())
    largest = max(abs(low), abs(high))
    if high - low <= max(largest * 1e-9, _TINY):
        air = largest * 0.1 if largest > _TINY else 1.0
        return low - air, high + air
    air = (high - low) * 0.06
    return (max(low - air, 0.0) if low >= 0 else low - air), high + air


def _numbers(integers: np.ndarray) -> str:
    return " ".join(map(str, integers.ravel().tolist())).replace(" -", "-")


def history_path(x: np.ndarray, values: np.ndarray, frame: Frame) -> tuple[str, str]:
    """A line through (n,) values at x (tenths of a pixel), open at gaps, and apart from it the lone points.

    Beyond the pixels there are, a column keeps its first, last, lowest and highest point: what is seen is the same.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return "", ""
    x, y = x[known], frame.y(values[known])
    cut = (np.diff(known) > 1) & (np.diff(x) > 10)
    if len(x) > (frame.right - frame.left) * 2:
        group = np.concatenate([[0], np.cumsum(cut)])
        column = x // 10
        order = np.lexsort((y, column))
        edge = np.flatnonzero(np.diff(column)) + 1
        first, last = np.concatenate([[0], edge]), np.concatenate([edge - 1, [len(x) - 1]])
        keep = np.zeros(len(x), dtype=bool)
        keep[np.concatenate([first, last, order[first], order[last]])] = True
        kept = np.flatnonzero(keep)
        x, y, cut = x[kept], y[kept], np.diff(group[kept]) > 0
    points = np.rint(np.column_stack([x, y])).astype(np.int64)
    steps = np.diff(points, axis=0)
    pieces = list(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), len(points)]))
    line = [f"M{points[a, 0]} {points[a, 1]}l{_numbers(steps[a : b - 1])}" for a, b in pieces if b - a > 1]
    lone = [f"M{points[a, 0]} {points[a, 1]}h0" for a, b in pieces if b - a == 1]
    return "".join(line), "".join(lone)


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes (K, m) at the points of K curves that make cubics between them monotone (Fritsch and Butland)."""
    h = np.maximum(np.diff(x), 1e-6)
    s = np.diff(y) / h
    out = np.empty_like(y)
    out[:, 0], out[:, -1] = s[:, 0], s[:, -1]
    before, after = s[:, :-1], s[:, 1:]
    wa, wb = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:, 1:-1] = np.where(same, (wa + wb) / (wa / before + wb / after), 0.0)
    return out


class Curves:
    """K curves (K, m) over the same x (m,), which never overshoot their points, as path data forth and back."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        points = np.empty((*y.shape, 2), dtype=np.int64)
        points[..., 0], points[..., 1] = np.rint(x), np.rint(y)
        self.points = points
        self.cubic = len(x) > 2 and float(x[-1] - x[0]) / (len(x) - 1) > _SMOOTH
        if self.cubic:
            third, slopes = np.diff(x) / 3, _slopes(x, y)
            bows = np.empty((len(y), len(x) - 1, 2, 2))
            bows[:, :, 0, 0], bows[:, :, 0, 1] = x[:-1] + third, y[:, :-1] + third * slopes[:, :-1]
            bows[:, :, 1, 0], bows[:, :, 1, 1] = x[1:] - third, y[:, 1:] - third * slopes[:, 1:]
            self.bows = np.rint(bows).astype(np.int64)

    def _run(self, k: int, *, back: bool) -> str:
        points = self.points[k, ::-1] if back else self.points[k]
        if not self.cubic:
            return "l" + _numbers(np.diff(points, axis=0))
        bows = self.bows[k, ::-1, ::-1] if back else self.bows[k]
        pieces = np.concatenate([bows, points[1:, None]], axis=1) - points[:-1, None]
        return "c" + _numbers(pieces)

    def line(self, k: int) -> str:
        x, y = self.points[k, 0]
        return f"M{x} {y}{self._run(k, back=False)}"

    def area(self, upper: int, lower: int) -> str:
        x, y = self.points[lower, -1]
        return f"{self.line(upper)}L{x} {y}{self._run(lower, back=True)}z"


def fan_points(data: FanData, frame: Frame) -> tuple[np.ndarray, np.ndarray] | None:
    """X (m,) and y (1 + 2 bands, m) of median, lows and highs in turn, in tenths of a pixel; None without a forecast.

    The fan opens at the last observation, unless that lies too far back for a straight line to be fair.
    """
    past, ahead = data.clock
    rows = np.array([data.median, *(side for band in data.bands for side in (band.low, band.high))], dtype=np.float64)
    done = np.flatnonzero(np.isfinite(rows).all(axis=0))
    if not len(done):
        return None
    dense = max(1, int(len(done) / max((frame.x(ahead[-1:])[0] - frame.x(past[-1:])[0]) / 7, 1)))
    done = done[(len(done) - 1) % dense :: dense]
    x, y = frame.x(ahead[done]), frame.y(rows[:, done])
    seen = np.flatnonzero(np.isfinite(data.values))
    if len(seen) and len(past) - 1 - seen[-1] <= 3 and past[seen[-1]] < ahead[done[0]]:
        x = np.concatenate([frame.x(past[seen[-1:]]), x])
        y = np.concatenate([np.broadcast_to(frame.y(data.values[seen[-1:]]), (len(y), 1)), y], axis=1)
    if len(x) == 1:
        x, y = np.array([x[0] - 90, x[0]]), np.repeat(y, 2, axis=1)
    return x, y
