"""Densities as columns of tints: one column a step, the darker the denser, drawn alike in SVG and on axes."""

import numpy as np

from nbforecast.charts.fan_data import Density

LEVELS = (0.03, 0.08, 0.16, 0.26, 0.38, 0.51, 0.65, 0.79, 0.92)  # of the strongest density: a tint from each on


def depth(density: Density) -> np.ndarray:
    """How strongly to show each point of a density, (H, G) in 0 .. 1; zero where it is not calculated.

    The root is taken between equal ink, where late steps would fade away, and equal peaks, which hide how sure each is.
    """
    values = np.where(np.isfinite(density.values), density.values, 0.0)
    values[~(np.isfinite(density.low) & np.isfinite(density.high))] = 0.0
    peak = values.max(axis=1, initial=0.0, keepdims=True)
    top = float(peak.max(initial=0.0))
    if not top > 0:
        return np.zeros(values.shape)
    share = np.divide(values, peak, out=np.zeros(values.shape), where=peak > 0)
    return np.asarray(share * (peak / top) ** 0.4)


def extent(density: Density) -> np.ndarray:
    """The lowest and the highest value a density visibly reaches, (2,), or nothing, (0,)."""
    row, at = np.nonzero(depth(density) > LEVELS[0])
    if not len(row):
        return np.empty(0)
    values = _value(density, row, at)
    return np.array([values.min(), values.max()])


def runs(density: Density) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each level the stretches (step, low, high) where the density lies above it, each array (R,)."""
    deep = np.pad(depth(density), ((0, 0), (1, 1)))
    out = []
    for level in LEVELS:
        inside = deep > level
        row, at = np.nonzero(inside[:, 1:] != inside[:, :-1])
        # Where the density crosses the level, between two points of its grid.
        before, after = deep[row, at], deep[row, at + 1]
        values = _value(density, row, at - 1 + (level - before) / (after - before))
        out.append((row[::2], values[::2], values[1::2]))
    return out


def _value(density: Density, row: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The value at a position on a step's grid, kept within the grid."""
    last = density.values.shape[1] - 1
    share = np.clip(at, 0, last) / max(last, 1)
    return np.asarray(density.low[row] + share * (density.high[row] - density.low[row]))
