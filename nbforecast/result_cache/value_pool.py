"""Values of rows in memory that several columns may share: each is written once, wherever there is room (E10, V2)."""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt32


class ValuePool:
    """Values at places that are given out one after the other; each is written once. Several columns may share it."""

    def __init__(self, values: Float32[np.ndarray, "P *T"], count: int) -> None:
        """Use some values.

        Args:
            values: The memory, possibly with room for more.
            count: How many places are given out.
        """
        self.values = values
        self.count = count
        self._lock = threading.Lock()  # columns that share it have different entries

    def write(self, values: Float32[np.ndarray, "R *T"]) -> int:
        """Write values; returns the first of their places."""
        with self._lock:
            start, end = self.count, self.count + len(values)
            if end > len(self.values):
                larger = np.empty((max(end, 2 * start), *self.values.shape[1:]), np.float32)
                larger[:start] = self.values[:start]
                self.values = larger
            self.values[start:end] = values
            self.count = end
            return start

    def replace(self, places: Int64[np.ndarray, " R"], values: Float32[np.ndarray, "R *T"]) -> None:
        """Write values in places that were reserved."""
        with self._lock:
            self.values[places] = values


class PooledRows:
    """The written rows of a column: each row has a place in a pool, and rows that are not written have none."""

    def __init__(
        self,
        rows: int,
        shape: tuple[int, ...],
        pool: ValuePool | None = None,
        slots: UInt32[np.ndarray, " N"] | None = None,
    ) -> None:
        self.pool = pool or ValuePool(np.empty((0, *shape), np.float32), 0)
        # of each row its place in the pool, from 1 on; 0 for none
        self.slots = np.zeros(rows, np.uint32) if slots is None else slots
        self.count = 0 if slots is None else int(np.count_nonzero(slots))
        self._reserved, self._first_place = np.zeros(0, np.int64), 0

    def reserve(self, rows: Int64[np.ndarray, " K"], never: Bool[np.ndarray, " K"]) -> None:
        """Give places to rows in their order, so that neighbours stay neighbours; those never written are NaN."""
        self._reserved = rows
        self._first_place = self.pool.write(np.full((len(rows), *self.pool.values.shape[1:]), np.nan, np.float32))
        self.slots[rows[never]] = np.flatnonzero(never) + self._first_place + 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        size = int(np.prod(self.pool.values.shape[1:])) * 4
        return self.pool.count * size + self.slots.nbytes

    def write(self, rows: Int64[np.ndarray, " R"], values: Float32[np.ndarray, "R *T"]) -> None:
        """Write rows that have not been written before."""
        is_reserved = np.isin(rows, self._reserved) if len(self._reserved) else np.zeros(len(rows), bool)
        if is_reserved.any():
            places = np.searchsorted(self._reserved, rows[is_reserved]) + self._first_place
            self.pool.replace(places, values[is_reserved])
            self.slots[rows[is_reserved]] = places + 1
        others = rows[~is_reserved]
        if len(others):
            start = self.pool.write(values if len(others) == len(rows) else values[~is_reserved])
            self.slots[others] = np.arange(start + 1, start + len(others) + 1)
        self.count += len(rows)

    def take(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows, NaN where nothing has been written."""
        slots = self.slots[rows].astype(np.int64)
        if slots.all():
            return self.pool.values[slots - 1]
        values = np.full((len(rows), *self.pool.values.shape[1:]), np.nan, np.float32)
        values[slots > 0] = self.pool.values[slots[slots > 0] - 1]
        return values

    def peek(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """As `take`, without a copy where the places of the rows are neighbours."""
        places = self.slots[rows].astype(np.int64) - 1
        index = as_slice(places)
        return self.pool.values[index] if isinstance(index, slice) and places[0] >= 0 else self.take(rows)

    def view(self) -> ColumnView:
        """The rows that have been written so far, without a copy: what comes later does not change their places."""
        return ColumnView(self.pool.values, self.slots)

    def read(self) -> tuple[Int64[np.ndarray, " M"], Float32[np.ndarray, "M *T"]]:
        """The rows that have been written, and their values."""
        rows = np.flatnonzero(self.slots)
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
            places = as_slice(rows) if self._slots is None else self._slots[rows].astype(np.int64) - 1
            values = self._values[places]
            values.flags.writeable = False
            return values
        values = np.full((len(rows), *self._values.shape[1:]), np.nan, np.float32)
        written = rows[is_written]
        values[is_written] = self._values[written if self._slots is None else self._slots[written].astype(np.int64) - 1]
        return values


def as_slice(rows: Int64[np.ndarray, " R"]) -> slice | Int64[np.ndarray, " R"]:
    """Neighbouring ascending rows as a slice, which copies many times faster."""
    if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
