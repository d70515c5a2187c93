"""The densities of a bounded number of origins: too large to keep for all."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nbforecast.scoring.calculations import DENSITY_POINTS

MOST = 1024
_NAMES = {"density_limits": 2, "density": DENSITY_POINTS}


class DensityWindow:
    """Densities by row, at most `MOST` of them.

    Arrays are replaced, never changed, so series handed out stay as they are. Not thread-safe: the entry holds the
    lock.
    """

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self.clear()

    def clear(self) -> None:
        self.rows = np.zeros(0, np.int64)
        self._values = {name: np.zeros((0, self._horizon, size), np.float32) for name, size in _NAMES.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return sum(v.nbytes for v in self._values.values())

    def write(
        self,
        rows: Int64[np.ndarray, " R"],
        limits: Float32[np.ndarray, "R H 2"],
        density: Float32[np.ndarray, "R H G"],
    ) -> None:
        """Store densities, each once; where there would be too many, those there were make room."""
        new = ~np.isin(rows, self.rows)
        if len(self.rows) + int(new.sum()) > MOST:
            self.clear()
            new[:] = True
        every = np.concatenate([self.rows, rows[new]])
        order = np.argsort(every)
        self.rows = every[order]
        for name, values in (("density_limits", limits), ("density", density)):
            self._values[name] = np.concatenate([self._values[name], values[new]])[order]

    def forget(self, rows: Int64[np.ndarray, " R"]) -> int:
        """Take some rows' densities away; returns how many had one."""
        kept = ~np.isin(self.rows, rows)
        self.rows = self.rows[kept]
        self._values = {name: values[kept] for name, values in self._values.items()}
        return int((~kept).sum())

    def series(self, count: int) -> list[pl.Series]:
        """Both columns for `count` rows: NaN, in one shared piece of memory, where there is no density."""
        breaks = np.flatnonzero(np.diff(self.rows) != 1) + 1
        starts, ends = np.append(0, breaks), np.append(breaks, len(self.rows))
        out = []
        for name, values in self._values.items():
            nothing = pl.Series(name, np.full((min(MOST, count), *values.shape[1:]), np.nan, np.float32))
            parts, at = [], 0
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True) if len(self.rows) else ():
                parts += _stretch(nothing, int(self.rows[start]) - at)
                parts.append(pl.Series(name, values[start:end]))
                at = int(self.rows[end - 1]) + 1
            out.append(pl.concat([*parts, *_stretch(nothing, count - at)], rechunk=False))
        return out


def _stretch(nothing: pl.Series, count: int) -> list[pl.Series]:
    """`count` rows of nothing."""
    whole, rest = divmod(count, len(nothing))
    return [nothing] * whole + ([nothing[:rest]] if rest else [])
