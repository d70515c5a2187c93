"""The densities of a bounded number of origins (E3)."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nbforecast.scoring.origin_scores import DENSITY_POINTS

MAX_DENSITIES = 1024
_DENSITY_COLUMNS = {"density_limits": 2, "density": DENSITY_POINTS}


class DensityColumns:
    """The densities of at most `MAX_DENSITIES` origins; they are too large to store for all (E3).

    Arrays are replaced and never changed, so series that were handed out do not change. Not thread-safe: `Entry` holds
    its lock.
    """

    def __init__(self, horizon: int) -> None:
        """Create columns without values.

        Args:
            horizon: H, the number of steps forecast.
        """
        self._horizon = horizon
        self._clear()

    def _clear(self) -> None:
        self.rows = np.zeros(0, np.int64)
        shapes = {name: (0, self._horizon, size) for name, size in _DENSITY_COLUMNS.items()}
        self._values = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return sum(values.nbytes for values in self._values.values())

    def write(
        self,
        rows: Int64[np.ndarray, " R"],
        limits: Float32[np.ndarray, "R H 2"],
        density: Float32[np.ndarray, "R H G"],
    ) -> None:
        """Store densities; all earlier ones are discarded if there would be too many.

        Args:
            rows: (R,) distinct rows; those that have a density keep it.
            limits: (R, H, 2) first and last value, as in `Densities`.
            density: (R, H, G) densities, as in `Densities`.
        """
        is_new = ~np.isin(rows, self.rows)
        if len(self.rows) + int(is_new.sum()) > MAX_DENSITIES:
            self._clear()
            is_new[:] = True
        all_rows = np.concatenate([self.rows, rows[is_new]])
        order = np.argsort(all_rows)
        self.rows = all_rows[order]
        for name, values in (("density_limits", limits), ("density", density)):
            self._values[name] = np.concatenate([self._values[name], values[is_new]])[order]

    def discard(self, rows: Int64[np.ndarray, " R"]) -> int:
        """Remove the densities of some rows.

        Args:
            rows: (R,) rows.

        Returns:
            How many of them had a density.
        """
        is_kept = ~np.isin(self.rows, rows)
        self.rows = self.rows[is_kept]
        self._values = {name: values[is_kept] for name, values in self._values.items()}
        return int((~is_kept).sum())

    def moved(self, places: slice | Int64[np.ndarray, " N"]) -> DensityColumns:
        """The same densities where the rows of an entry have other numbers.

        Args:
            places: (N,) the new number of each row.

        Returns:
            Densities that share these ones' memory.
        """
        part = DensityColumns(self._horizon)
        part.rows = self.rows if isinstance(places, slice) else places[self.rows]
        part._values = dict(self._values)
        return part

    def take(self, rows: Int64[np.ndarray, " R"]) -> DensityColumns:
        """The densities of some rows.

        Args:
            rows: (R,) distinct rows, ascending.

        Returns:
            Densities of rows that are numbered from 0.
        """
        part = DensityColumns(self._horizon)
        _, own, part.rows = np.intersect1d(self.rows, rows, assume_unique=True, return_indices=True)
        part._values = {name: values[own] for name, values in self._values.items()}
        return part

    def series(self, count: int) -> list[pl.Series]:
        """Both columns as Polars series; rows without a density share one NaN block.

        Args:
            count: N, the number of rows.

        Returns:
            `density_limits` (N, H, 2) and `density` (N, H, G).
        """
        breaks = np.flatnonzero(np.diff(self.rows) != 1) + 1
        starts, ends = np.append(0, breaks), np.append(breaks, len(self.rows))
        runs = list(zip(starts.tolist(), ends.tolist(), strict=True)) if len(self.rows) else []
        columns = []
        for name, values in self._values.items():
            nan_block = pl.Series(name, np.full((min(MAX_DENSITIES, count), *values.shape[1:]), np.nan, np.float32))
            parts, position = [], 0
            for start, end in runs:
                parts += _nan_rows(nan_block, int(self.rows[start]) - position)
                parts.append(pl.Series(name, values[start:end]))
                position = int(self.rows[end - 1]) + 1
            columns.append(pl.concat([*parts, *_nan_rows(nan_block, count - position)], rechunk=False))
        return columns


def _nan_rows(nan_block: pl.Series, count: int) -> list[pl.Series]:
    """`count` NaN rows as copies of one block."""
    whole, rest = divmod(count, len(nan_block))
    return [nan_block] * whole + ([nan_block[:rest]] if rest else [])
