"""Values at the edge of a series that occur again and again, such as the zero of sales and of solar power."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64

_LEAST_COUNT = 5  # of equal values
_LEAST_SHARE = 0.05  # of the values so far


class EdgeMass(NamedTuple):
    """The smallest value so far, as of each row, where it is one that occurs again and again.

    Attributes:
        edge: (n,) this value.
        middle: (n,) halfway from it to the next one that was observed.
        is_mass: (n,) whether it occurs often enough, and others do, too.
    """

    edge: Float64[np.ndarray, " n"]
    middle: Float64[np.ndarray, " n"]
    is_mass: Bool[np.ndarray, " n"]

    @classmethod
    def of(cls, values: Float64[np.ndarray, " N"], first: int = 0) -> EdgeMass:
        """As of each row of a series from one on.

        Args:
            values: (N,) observations, NaN where there is none.
            first: The first of the n rows.
        """
        past, new = values[:first], values[first:]
        edge_before = np.fmin.reduce(past, initial=np.inf)
        count_before = (past == edge_before).sum()
        nearest_before = np.fmin.reduce(past, initial=np.inf, where=past > edge_before)
        edges = np.fmin.accumulate(np.append(edge_before, new))
        before, edge = edges[:-1], edges[1:]
        is_new, is_edge = new < before, new == edge
        # a new edge is below all values so far, so the old one is the next to it
        candidates = np.where(is_new, before, np.where(is_edge, np.inf, new))
        nearest = np.fmin.accumulate(np.append(nearest_before, candidates))[1:]
        counts = np.cumsum(is_edge)
        start = np.maximum.accumulate(np.where(is_new, np.arange(len(new)), -1))
        count = np.where(start < 0, count_before + counts, counts - counts[start] + 1)
        number = np.isfinite(past).sum() + np.cumsum(np.isfinite(new))
        is_mass = (count >= np.maximum(_LEAST_COUNT, _LEAST_SHARE * number)) & np.isfinite(edge) & np.isfinite(nearest)
        return cls(edge, np.where(is_mass, edge, np.nan) / 2 + np.where(is_mass, nearest, np.nan) / 2, is_mass)


def keep_masses(
    draws: Float32[np.ndarray, "n S Q"],
    base: Float32[np.ndarray, "n S Q"],
    values: Float64[np.ndarray, " N"],
    rows: slice,
) -> Float32[np.ndarray, "n S Q"]:
    """Leave draws of a forecast at the smallest and the largest value, where these occur again and again.

    A correction moves all draws. A forecast that gives zero a probability of its own would lose it to any small shift:
    draws at an edge stay there unless they come nearer to another value, and others do not pass it.

    Args:
        draws: Corrected draws, ascending.
        base: The draws before, ascending.
        values: (N,) the series.
        rows: The n rows of the draws.
    """
    for sign in (1, -1):
        mass = EdgeMass.of(sign * values[: rows.stop], rows.start)
        is_mass = mass.is_mass
        if not is_mass.any():
            continue
        edge, middle = (part[is_mass][:, None, None].astype(np.float32) for part in (mass.edge, mass.middle))
        before, after = sign * base[is_mass], sign * draws[is_mass]
        at_edge = np.where(after < middle, edge, after)
        beyond = np.where(after < middle, np.minimum(after, edge), after)
        within = np.maximum(after, edge)
        draws = draws.copy()
        draws[is_mass] = sign * np.where(before > edge, within, np.where(before < edge, beyond, at_edge))
    return draws
