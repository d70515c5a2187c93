"""Result columns: write-once float32 buffers behind, immutable Polars series in front (C1, C3)."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, UInt32

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
        self._sparse = _SparseRows(rows, shape) if rows > block else None
        self._buffer = np.empty(self._shape if self._sparse is None else (0, *shape), np.float32)
        self._block = block
        starts = np.arange(0, rows, block)
        self._sizes = np.minimum(block, rows - starts)
        self._unwritten = self._sizes - np.add.reduceat(never.astype(np.int64), starts)
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
            column._buffer, column._sparse = values, None
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
            if (self._sparse.count + len(rows)) * _SPARSE_SHARE < self._shape[0]:
                self._sparse.write(rows, values)
                return
            sparse_rows, sparse_values = self._sparse.read()
            self._sparse, self._buffer = None, np.empty(self._shape, np.float32)
            self.write(sparse_rows, sparse_values)
        counts = np.bincount(rows // self._block, minlength=len(self._unwritten))
        for block in np.flatnonzero((counts > 0) & (counts < self._sizes) & ~self._is_touched).tolist():
            self._fill_with_nan(block)
        self._is_touched |= counts > 0
        self._buffer[_as_slice(rows)] = values
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
        index = _as_slice(rows)
        if (
            self._sparse is None
            and isinstance(index, slice)
            and self._is_touched[rows[0] // self._block : rows[-1] // self._block + 1].all()
        ):
            return self._buffer[index]
        return self.take(rows)

    def array(self) -> Float32[np.ndarray, "N *T"]:
        """Every row, read-only: the buffer itself once nothing is left to write, a copy before."""
        if self._sparse is not None or self._unwritten.any():
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


class _SparseRows:
    """The written rows of a long column of which few are written."""

    def __init__(self, rows: int, shape: tuple[int, ...]) -> None:
        self.count = 0
        self._slots = np.zeros(rows, np.uint32)  # of each row its place in `_values`, from 1 on; 0 for none
        self._values = np.empty((0, *shape), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return self._values.nbytes + self._slots.nbytes

    def write(self, rows: Int64[np.ndarray, " R"], values: Float32[np.ndarray, "R *T"]) -> None:
        """Write rows that have not been written before."""
        end = self.count + len(rows)
        if end > len(self._values):
            grown = np.empty((max(end, 2 * self.count), *self._values.shape[1:]), np.float32)
            grown[: self.count] = self._values[: self.count]
            self._values = grown
        self._values[self.count : end] = values
        self._slots[rows] = np.arange(self.count + 1, end + 1)
        self.count = end

    def take(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows, NaN where nothing has been written."""
        slots = self._slots[rows].astype(np.int64)
        if slots.all():
            return self._values[slots - 1]
        values = np.full((len(rows), *self._values.shape[1:]), np.nan, np.float32)
        values[slots > 0] = self._values[slots[slots > 0] - 1]
        return values

    def view(self) -> ColumnView:
        """The rows that have been written so far, without a copy: what comes later does not change their places."""
        return ColumnView(self._values, self._slots)

    def read(self) -> tuple[Int64[np.ndarray, " M"], Float32[np.ndarray, "M *T"]]:
        """The rows that have been written, and their values."""
        rows = np.flatnonzero(self._slots)
        return rows, self.take(rows)


class ColumnView:
    """A column at one moment, read piece by piece: a row that was written then is never written again."""

    def __init__(
        self,
        values: Float32[np.ndarray, "M *T"],
        slots: UInt32[np.ndarray, " N"] | None = None,
    ) -> None:
        """Read a column's own memory.

        Args:
            values: Its buffer.
            slots: (N,) of each row its place in `values`, from 1 on; None where rows are in their places.
        """
        self._values = values
        self._slots = slots

    def take(self, rows: Int64[np.ndarray, " R"], is_written: Bool[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """Some rows, without a copy where they are neighbours and all written.

        Args:
            rows: (R,) rows.
            is_written: (R,) those that were written when the view was made.

        Returns:
            (R, ...) their values, NaN where none was written.
        """
        if is_written.all():
            places = _as_slice(rows) if self._slots is None else self._slots[rows].astype(np.int64) - 1
            values = self._values[places]
            values.flags.writeable = False
            return values
        values = np.full((len(rows), *self._values.shape[1:]), np.nan, np.float32)
        written = rows[is_written]
        values[is_written] = self._values[written if self._slots is None else self._slots[written].astype(np.int64) - 1]
        return values


def _as_slice(rows: Int64[np.ndarray, " R"]) -> slice | Int64[np.ndarray, " R"]:
    """Neighbouring ascending rows as a slice, which copies many times faster."""
    if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
