"""Densities as columns of tints: one column per step, darker where denser, alike in SVG and matplotlib."""

import numpy as np
from jaxtyping import Float, Int

from nbforecast.charts.fan_data import Density

LEVELS = (0.03, 0.08, 0.16, 0.26, 0.38, 0.51, 0.65, 0.79, 0.92)  # shares of the strongest density where tints begin


def intensity(density: Density) -> Float[np.ndarray, "H G"]:
    """Compute how strongly each point of a density is shown, in 0 .. 1; zero where nothing is calculated.

    The power of the peaks is a compromise: with equal ink late steps fade away, with equal peaks narrow and wide
    densities look alike.
    """
    values = np.where(np.isfinite(density.values), density.values, 0.0)
    values[~(np.isfinite(density.low) & np.isfinite(density.high))] = 0.0
    peak = values.max(axis=1, initial=0.0, keepdims=True)
    top = float(peak.max(initial=0.0))
    if not top > 0:
        return np.zeros(values.shape)
    share = np.divide(values, peak, out=np.zeros(values.shape), where=peak > 0)
    return np.asarray(share * (peak / top) ** 0.4)


def visible_range(density: Density) -> Float[np.ndarray, " two_or_none"]:
    """Return the lowest and the highest value with a visible density, shape (2,), or (0,) where there is none."""
    step, point = np.nonzero(intensity(density) > LEVELS[0])
    if not len(step):
        return np.empty(0)
    values = _grid_value(density, step, point)
    return np.array([values.min(), values.max()])


def level_intervals(
    density: Density,
) -> list[tuple[Int[np.ndarray, " R"], Float[np.ndarray, " R"], Float[np.ndarray, " R"]]]:
    """Find the intervals in which a density exceeds each of `LEVELS`.

    Returns:
        For each level (step, low, high): the step of each interval, and its ends in units of the values.
    """
    padded = np.pad(intensity(density), ((0, 0), (1, 1)))
    intervals = []
    for level in LEVELS:
        inside = padded > level
        step, point = np.nonzero(inside[:, 1:] != inside[:, :-1])
        # The density crosses the level between two points of its grid.
        before, after = padded[step, point], padded[step, point + 1]
        values = _grid_value(density, step, point - 1 + (level - before) / (after - before))
        intervals.append((step[::2], values[::2], values[1::2]))
    return intervals


def _grid_value(density: Density, step: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The value at a fractional position on a step's grid, clipped to the grid."""
    last = density.values.shape[1] - 1
    share = np.clip(point, 0, last) / max(last, 1)
    return np.asarray(density.low[step] + share * (density.high[step] - density.low[step]))
