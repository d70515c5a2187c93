"""Geometry of charts: from values to path data, in whole tenths of a pixel.

Integers and relative commands make images small. Differences are taken after rounding, so rounding
errors do not add up.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nbforecast.charts.density import visible_range
from nbforecast.charts.fan_data import Density, FanData
from nbforecast.charts.text_layout import decimal

_FAR = 1e6
_TINY, _HUGE = 1e-150, 1e150  # beyond these, differences and quotients leave the range of a double
_CONSTANT = 1e-9  # of a value: narrower ranges are none
_NOISE = 1e-6  # of a value: narrower ranges may be the rounding of single precision
_SMOOTH = 40  # tenths of a pixel between steps, under which a curve looks like its chords


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot: its edges in pixels, and the ranges of time and value between them.

    Times are microseconds since 1970, or counts; of a calendar the positions of its slots.
    """

    left: float
    top: float
    right: float
    bottom: float
    start: int
    stop: int
    low: float
    high: float

    def x(self, clock: np.ndarray) -> np.ndarray:
        """Convert times of any shape to tenths of a pixel (float)."""
        # Subtracted as integers: microseconds since 1970 do not fit a double's precision once scaled.
        across = (self.right - self.left) * 10 / max(self.stop - self.start, 1)
        return np.asarray(self.left * 10 + (clock - self.start) * across, dtype=np.float64)

    def y(self, values: np.ndarray) -> np.ndarray:
        """Convert values of any shape to tenths of a pixel (float)."""
        up = (self.bottom - self.top) * 10 / (self.high - self.low)
        finite = np.clip(np.asarray(values, dtype=np.float64), -_HUGE, _HUGE)
        # Points outside of the chart stay outside, but within the range of an integer.
        return np.asarray(np.clip(self.bottom * 10 - (finite - self.low) * up, -_FAR, _FAR))


def value_range(data: FanData, density: Density | None = None, *, paths: bool = False) -> tuple[float, float]:
    """Return the range of values of a chart with a margin: never empty, and not below zero for data that never are.

    Args:
        data: The forecast and its surroundings.
        density: Included where it is drawn.
        paths: Whether the joint paths are drawn.
    """
    arrays = [data.values, data.actual, data.median, *(side for band in data.bands for side in (band.low, band.high))]
    if paths and data.paths is not None:
        arrays.append(data.paths.ravel())
    values = np.concatenate(arrays if density is None else [*arrays, visible_range(density)], dtype=np.float64)
    values = values[np.abs(values) < _HUGE]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if high - low < _NOISE * max(abs(low), abs(high)):
        written = [decimal(value) for array in arrays for value in array if np.isfinite(value)]
        if max(written) - min(written) <= _CONSTANT * max(abs(low), abs(high)):
            low, high = min(written), max(written)
    return padded_range(low, high)


def padded_range(low: float, high: float) -> tuple[float, float]:
    """Return the range of an axis that shows all values from `low` to `high`, finite and below 1e150."""
    largest = max(abs(low), abs(high))
    if high - low <= max(largest * _CONSTANT, _TINY):
        margin = largest * 0.1 if largest > _TINY else 1.0
        return low - margin, high + margin
    margin = (high - low) * 0.06
    return (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin


def _numbers(integers: np.ndarray) -> str:
    return " ".join(map(str, integers.ravel().tolist())).replace(" -", "-")


def history_path(x: np.ndarray, values: np.ndarray, frame: Frame) -> tuple[str, str]:
    """Write path data of a line that is open at gaps.

    Where there are more points than pixels, each column of pixels retains its first, last, lowest and highest point,
    so the picture is the same.

    Args:
        x: Positions in tenths of a pixel, shape (n,).
        values: Shape (n,), NaN where missing.
        frame: The plot.

    Returns:
        The line, and the points without neighbours.
    """
    rows = np.flatnonzero(np.isfinite(values))
    if not len(rows):
        return "", ""
    x, y = x[rows], frame.y(values[rows])
    cut = (np.diff(rows) > 1) & (np.diff(x) > 10)
    if len(x) > (frame.right - frame.left) * 2:
        group = np.concatenate([[0], np.cumsum(cut)])
        column = x // 10
        order = np.lexsort((y, column))
        edge = np.flatnonzero(np.diff(column)) + 1
        first, last = np.concatenate([[0], edge]), np.concatenate([edge - 1, [len(x) - 1]])
        is_retained = np.zeros(len(x), dtype=bool)
        is_retained[np.concatenate([first, last, order[first], order[last]])] = True
        retained = np.flatnonzero(is_retained)
        x, y, cut = x[retained], y[retained], np.diff(group[retained]) > 0
    points = np.rint(np.column_stack([x, y])).astype(np.int64)
    steps = np.diff(points, axis=0)
    pieces = list(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), len(points)]))
    line = [f"M{points[a, 0]} {points[a, 1]}l{_numbers(steps[a : b - 1])}" for a, b in pieces if b - a > 1]
    single = [f"M{points[a, 0]} {points[a, 1]}h0" for a, b in pieces if b - a == 1]
    return "".join(line), "".join(single)


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes (K, m) at the points of K curves that make the cubics between them monotone.

    Source: Fritsch & Butland 1984, "A method for constructing local monotone piecewise cubic interpolants".
    """
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
    """Curves over the same positions, which never overshoot their points, as path data.

    Args:
        x: Positions in tenths of a pixel, shape (m,).
        y: Heights of K curves in tenths of a pixel, shape (K, m).
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        points = np.empty((*y.shape, 2), dtype=np.int64)
        points[..., 0], points[..., 1] = np.rint(x), np.rint(y)
        self.points = points
        self.cubic = len(x) > 2 and float(x[-1] - x[0]) / (len(x) - 1) > _SMOOTH
        if self.cubic:
            third, slopes = np.diff(x) / 3, _slopes(x, y)
            controls = np.empty((len(y), len(x) - 1, 2, 2))
            controls[:, :, 0, 0], controls[:, :, 0, 1] = x[:-1] + third, y[:, :-1] + third * slopes[:, :-1]
            controls[:, :, 1, 0], controls[:, :, 1, 1] = x[1:] - third, y[:, 1:] - third * slopes[:, 1:]
            self.controls = np.rint(controls).astype(np.int64)

    def _segments(self, k: int, *, backwards: bool) -> str:
        points = self.points[k, ::-1] if backwards else self.points[k]
        if not self.cubic:
            return "l" + _numbers(np.diff(points, axis=0))
        controls = self.controls[k, ::-1, ::-1] if backwards else self.controls[k]
        pieces = np.concatenate([controls, points[1:, None]], axis=1) - points[:-1, None]
        return "c" + _numbers(pieces)

    def line(self, k: int) -> str:
        """Write curve `k`."""
        x, y = self.points[k, 0]
        return f"M{x} {y}{self._segments(k, backwards=False)}"

    def area(self, upper: int, lower: int) -> str:
        """Write the area between two curves."""
        x, y = self.points[lower, -1]
        return f"{self.line(upper)}L{x} {y}{self._segments(lower, backwards=True)}z"


def fan_points(data: FanData, frame: Frame) -> tuple[np.ndarray, np.ndarray] | None:
    """Locate the curves of a fan.

    The fan opens at the last observation, unless that is too far back for a straight line to be fair.

    Returns:
        x, shape (m,), and y, shape (1 + 2 bands, m): the median, then low and high of each band, in tenths of a pixel.
        None without a forecast.
    """
    past, ahead = data.positions
    rows = np.array([data.median, *(side for band in data.bands for side in (band.low, band.high))], dtype=np.float64)
    steps = np.flatnonzero(np.isfinite(rows).all(axis=0))
    if not len(steps):
        return None
    every = max(1, int(len(steps) / max((frame.x(ahead[-1:])[0] - frame.x(past[-1:])[0]) / 7, 1)))
    steps = steps[(len(steps) - 1) % every :: every]
    x, y = frame.x(ahead[steps]), frame.y(rows[:, steps])
    observed = np.flatnonzero(np.isfinite(data.values))
    last = observed[-1:]
    if len(last) and len(past) - 1 - last[0] <= 3 and past[last[0]] < ahead[steps[0]]:
        x = np.concatenate([frame.x(past[last]), x])
        y = np.concatenate([np.broadcast_to(frame.y(data.values[last]), (len(y), 1)), y], axis=1)
    if len(x) == 1:
        x, y = np.array([x[0] - 90, x[0]]), np.repeat(y, 2, axis=1)
    return x, y
