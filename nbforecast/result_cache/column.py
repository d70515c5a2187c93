"""One result column: a write-once float32 buffer behind, immutable Polars series in front."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

BLOCK = 4096


class Column:
    """A float32 column of `rows` arrays of shape `tail`, NaN where nothing has been written.

    The buffer is contiguous and each row is written at most once, so a finished column is its own NumPy array and a
    finished block is handed to Polars without a copy: nothing can change under a reader. Blocks being filled
    are copied into a snapshot; blocks nobody has touched share one NaN block and take no memory. Not thread-safe: the
    entry holds the lock.
    """

    def __init__(
        self, name: str, rows: int, tail: tuple[int, ...], never: Bool[np.ndarray, " N"], block: int = BLOCK
    ) -> None:
        """`never` marks the rows that will not be written (origins that are unavailable)."""
        self.name = name
        self._buffer = np.empty((rows, *tail), np.float32)
        self._block = block
        starts = np.arange(0, rows, block)
        self._sizes = np.minimum(block, rows - starts)
        self._left = self._sizes - np.add.reduceat(never.astype(np.int64), starts)
        self._touched = np.zeros(len(starts), bool)

    @classmethod
    def of(
        cls,
        name: str,
        values: Float32[np.ndarray, "N *T"],
        written: Bool[np.ndarray, " N"],
        never: Bool[np.ndarray, " N"],
    ) -> Column:
        """A column that holds `written` rows of `values`: the array itself, if that is all there will ever be."""
        column = cls(name, len(values), values.shape[1:], never)
        if (written | never).all():
            column._buffer = values
            column._touched[:] = True
            column._left[:] = 0
        elif written.any():
            rows = np.flatnonzero(written)
            column.write(rows, values[rows])
        return column

    def keeping(self, rows: Int64[np.ndarray, " R"], never: Bool[np.ndarray, " N"]) -> Column:
        """A new column with some of the rows written; this one stays as it is."""
        kept = Column(self.name, len(self._buffer), self._buffer.shape[1:], never, self._block)
        if len(rows):
            kept.write(rows, self.take(rows))
        return kept

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return int(self._sizes[self._touched].sum()) * int(np.prod(self._buffer.shape[1:])) * 4

    def write(self, rows: Int64[np.ndarray, " R"], values: Float32[np.ndarray, "R *T"]) -> None:
        """Write rows that have not been written before."""
        if not len(rows):
            return
        counts = np.bincount(rows // self._block, minlength=len(self._left))
        for block in np.flatnonzero((counts > 0) & (counts < self._sizes) & ~self._touched).tolist():
            self._touch(block)
        self._touched |= counts > 0
        self._buffer[_compact(rows)] = values
        self._left -= counts

    def take(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows."""
        touched = self._touched[rows // self._block]
        if touched.all():
            return self._buffer[rows]
        out = np.full((len(rows), *self._buffer.shape[1:]), np.nan, np.float32)
        out[touched] = self._buffer[rows[touched]]
        return out

    def peek(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """As `take`, but without a copy where rows are neighbours: for rows that are known to be written."""
        place = _compact(rows)
        if isinstance(place, slice) and self._touched[rows[0] // self._block : rows[-1] // self._block + 1].all():
            return self._buffer[place]
        return self.take(rows)

    def array(self) -> Float32[np.ndarray, "N *T"]:
        """Every row, read-only: the buffer itself once nothing is left to write, a copy before."""
        done = not self._left.any()
        if done:
            for block in np.flatnonzero(~self._touched).tolist():
                self._touch(block)
            out = self._buffer.view()
        else:
            out = self.take(np.arange(len(self._buffer)))
        out.flags.writeable = False
        return out

    def series(self) -> pl.Series:
        """A snapshot: later writes do not change it."""
        if not self._left.any():
            return pl.Series(self.name, self.array())
        nothing = pl.Series(
            self.name, np.full((min(self._block, len(self._buffer)), *self._buffer.shape[1:]), np.nan, "f4")
        )
        parts = []
        for block, (touched, left) in enumerate(zip(self._touched, self._left, strict=True)):
            rows = self._buffer[block * self._block : (block + 1) * self._block]
            if not touched:
                parts.append(nothing[: len(rows)])
            else:
                parts.append(pl.Series(self.name, rows.copy() if left else rows))
        return pl.concat(parts, rechunk=False)

    def _touch(self, block: int) -> None:
        self._buffer[block * self._block : (block + 1) * self._block] = np.nan
        self._touched[block] = True


def _compact(rows: Int64[np.ndarray, " R"]) -> slice | Int64[np.ndarray, " R"]:
    """Neighbouring ascending rows as a slice, which copies many times faster."""
    if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
