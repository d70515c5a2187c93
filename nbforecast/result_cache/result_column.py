"""Result columns: write-once float32 buffers behind, immutable Polars series in front (C1, C3)."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from nbforecast.result_cache.value_pool import ColumnView, PooledRows, ValuePool, as_slice

BLOCK = 4096
_SPARSE_SHARE = 8  # a column is sparse while fewer than one in so many rows are written


class Column:
    """A float32 column of N arrays of one shape, NaN where nothing has been written.

    The buffer is contiguous and each row is written at most once, so a finished column is its own NumPy array, and a
    finished block is handed to Polars without a copy: nothing changes under a reader (C3). Blocks that are being filled
    are copied into a snapshot. Blocks without a written row share one NaN block and take no memory (E10). While few
    rows of a long column are written, it holds these alone. Not thread-safe: `Entry` holds its lock.
    """

    def __init__(
        self, name: str, rows: int, shape: tuple[int, ...], never: Bool[np.ndarray, " N"], block: int = BLOCK
    ) -> None:
        """Create a column without values.

        Args:
            name: The column's name.
            rows: N, the number of rows.
            shape: The shape of one row's array.
            never: (N,) the rows that will not be written: origins that are unavailable.
            block: Rows of a block.
        """
        self.name = name
        self._shape = (rows, *shape)
        self._sparse = PooledRows(rows, shape) if rows > block else None
        self._is_shared = False
        self._pool: ValuePool | None = None  # of a buffer that other columns share
        self._memory = _allocate(rows if self._sparse is None else 0, shape)
        self._buffer = self._memory[:rows]
        self._block = block
        starts = np.arange(0, rows, block)
        self._sizes = np.minimum(block, rows - starts)
        self._unwritten = self._sizes - np.add.reduceat(never, starts, dtype=np.int64)
        self._is_touched = np.zeros(len(starts), bool)

    @classmethod
    def from_array(
        cls,
        name: str,
        values: Float32[np.ndarray, "N *T"],
        written: Bool[np.ndarray, " N"],
        never: Bool[np.ndarray, " N"],
    ) -> Column:
        """A column with the values of an array, which becomes its buffer if nothing else will be written.

        Args:
            name: The column's name.
            values: (N, ...) the array.
            written: (N,) the rows whose values count.
            never: (N,) the rows that will not be written.

        Returns:
            The column.
        """
        column = cls(name, len(values), values.shape[1:], never)
        if (written | never).all():
            column._memory = column._buffer = values
            column._sparse = None
            column._is_touched[:] = True
            column._unwritten[:] = 0
        elif written.any():
            rows = np.flatnonzero(written)
            column.write(rows, values[rows])
        return column

    def with_rows(self, rows: Int64[np.ndarray, " R"], never: Bool[np.ndarray, " N"]) -> Column:
        """A copy with only some of the written rows.

        Args:
            rows: (R,) the rows to copy.
            never: (N,) the rows that will not be written.

        Returns:
            A new column; this one does not change.
        """
        column = Column(self.name, self._shape[0], self._shape[1:], never, self._block)
        if len(rows):
            column.write(rows, self.take(rows))
        return column

    def grown(
        self,
        places: slice | Int64[np.ndarray, " N"],
        new: Int64[np.ndarray, " K"],
        kept: Bool[np.ndarray, " N"],
        never: Bool[np.ndarray, " M"],
    ) -> Column:
        """The column with more rows, which shares the memory of those that both have (V2).

        Args:
            places: (N,) where each row is among all rows.
            new: (K,) the other rows, ascending.
            kept: (N,) the rows that have their value, or will never have one; the others are written anew, which this
                column does not see.
            never: (M,) the rows of all M = N + K that will not be written.

        Returns:
            A new column; this one does not change.
        """
        column = Column(self.name, len(never), self._shape[1:], never, self._block)
        column._is_shared = self._is_shared or self._sparse is None
        if self._sparse is None:
            for block in np.flatnonzero(~self._is_touched).tolist():
                self._fill_with_nan(block)
            self._pool = pool = self._pool or ValuePool(self._memory, len(self._buffer))
            own = np.arange(1, len(self._buffer) + 1, dtype=np.uint32)
        else:
            pool, own = self._sparse.pool, self._sparse.slots
        slots = np.zeros(len(never), np.uint32)
        slots[places] = own
        lost = np.flatnonzero(~kept)
        if len(lost):
            slots[lost if isinstance(places, slice) else places[lost]] = 0
        if pool.count > 2 * len(never) + self._block:  # most of it is of rows that were written anew
            used = np.flatnonzero(slots)
            pool = ValuePool(pool.values[slots[used].astype(np.int64) - 1], len(used))
            slots[used] = np.arange(1, len(used) + 1)
        column._memory = column._buffer = np.empty((0, *self._shape[1:]), np.float32)
        column._sparse = PooledRows(len(never), self._shape[1:], pool, slots)
        column._sparse.reserve(new, never[new])
        return column

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        if self._sparse is not None:
            return self._sparse.nbytes
        return int(self._sizes[self._is_touched].sum()) * int(np.prod(self._shape[1:])) * 4

    def write(self, rows: Int64[np.ndarray, " R"], values: Float32[np.ndarray, "R *T"]) -> None:
        """Write rows that have not been written before.

        Args:
            rows: (R,) distinct rows.
            values: (R, ...) their values.
        """
        if not len(rows):
            return
        if self._sparse is not None:
            if self._is_shared or (self._sparse.count + len(rows)) * _SPARSE_SHARE < self._shape[0]:
                self._sparse.write(rows, values)
                return
            sparse_rows, sparse_values = self._sparse.read()
            self._sparse, self._memory = None, _allocate(self._shape[0], self._shape[1:])
            self._buffer = self._memory[: self._shape[0]]
            self.write(sparse_rows, sparse_values)
        counts = np.bincount(rows // self._block, minlength=len(self._unwritten))
        for block in np.flatnonzero((counts > 0) & (counts < self._sizes) & ~self._is_touched).tolist():
            self._fill_with_nan(block)
        self._is_touched |= counts > 0
        self._buffer[as_slice(rows)] = values
        self._unwritten -= counts

    def take(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows, NaN where nothing has been written.

        Args:
            rows: (R,) rows.

        Returns:
            (R, ...) their values.
        """
        if self._sparse is not None:
            return self._sparse.take(rows)
        is_touched = self._is_touched[rows // self._block]
        if is_touched.all():
            return self._buffer[rows]
        values = np.full((len(rows), *self._shape[1:]), np.nan, np.float32)
        values[is_touched] = self._buffer[rows[is_touched]]
        return values

    def peek(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """As `take`, without a copy where the rows are neighbours.

        Args:
            rows: (R,) rows; only what has been written is defined.

        Returns:
            (R, ...) their values, or a view of the buffer.
        """
        index = as_slice(rows)
        if self._sparse is not None and self._is_shared:
            return self._sparse.peek(rows)
        if (
            self._sparse is None
            and isinstance(index, slice)
            and self._is_touched[rows[0] // self._block : rows[-1] // self._block + 1].all()
        ):
            return self._buffer[index]
        return self.take(rows)

    def array(self) -> Float32[np.ndarray, "N *T"]:
        """Every row, read-only: the buffer itself once nothing is left to write, a copy before."""
        if self._sparse is not None:
            values = self._sparse.peek(np.arange(self._shape[0])).view()
        elif self._unwritten.any():
            values = self.take(np.arange(self._shape[0]))
        else:
            for block in np.flatnonzero(~self._is_touched).tolist():
                self._fill_with_nan(block)
            values = self._buffer.view()
        values.flags.writeable = False
        return values

    def view(self) -> ColumnView:
        """The column at this moment, without a copy; `Entry` says which of its rows are written."""
        if self._sparse is not None:
            return self._sparse.view()
        return ColumnView(self._buffer)

    def series(self) -> pl.Series:
        """A snapshot as a Polars series, which later writes do not change."""
        if self._sparse is None and not self._unwritten.any():
            return pl.Series(self.name, self.array())
        if self._sparse is not None and self._is_shared:
            blocks = (np.arange(start, min(start + self._block, self._shape[0]))
                      for start in range(0, self._shape[0], self._block))  # fmt: skip
            return pl.concat([pl.Series(self.name, self._sparse.peek(rows)) for rows in blocks], rechunk=False)
        shape = (min(self._block, self._shape[0]), *self._shape[1:])
        nan_block = pl.Series(self.name, np.full(shape, np.nan, np.float32))
        parts = []
        is_touched_block = self._is_touched
        if self._sparse is not None:
            is_touched_block = np.isin(np.arange(len(self._sizes)), self._sparse.read()[0] // self._block)
        for block, (is_touched, unwritten) in enumerate(zip(is_touched_block, self._unwritten, strict=True)):
            first, last = block * self._block, block * self._block + int(self._sizes[block])
            rows = self._buffer[first:last] if self._sparse is None else self._buffer
            if is_touched and self._sparse is not None:
                parts.append(pl.Series(self.name, self._sparse.take(np.arange(first, last))))
            elif not is_touched:
                parts.append(nan_block[: last - first])
            else:
                parts.append(pl.Series(self.name, rows.copy() if unwritten else rows))
        return pl.concat(parts, rechunk=False)

    def _fill_with_nan(self, block: int) -> None:
        self._buffer[block * self._block : (block + 1) * self._block] = np.nan
        self._is_touched[block] = True


def _allocate(rows: int, shape: tuple[int, ...]) -> Float32[np.ndarray, "N *T"]:
    """Memory for some rows, and behind them for rows that may be appended; the system gives what is written only."""
    return np.empty((rows + rows // 8 + 16 if rows else 0, *shape), np.float32)
