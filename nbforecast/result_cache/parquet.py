"""An entry as a Parquet file, with its metadata in the file's own key-value metadata (C9).

A file is a plain table, one row per origin, that Polars, PyArrow and DuckDB read. The metadata hold a digest of each
column and one of their own, so that a file is read exactly as it was written, or refused (C13). Nothing in a file is
executed (C14).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Integer, Shaped, UInt8, UInt64

from nbforecast.free_memory import free_memory
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.metadata import Damaged, Metadata, Unreadable, pack, unpack
from nbforecast.result_cache.snapshot import Snapshot, has_forecast, is_consistent
from nbforecast.result_cache.status import FIRST_STATUS, FORMER_NAMES, REASON, STATUS, Status, column_shapes
from nbforecast.settings import settings
from nbforecast.text import byte_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from nbforecast.data import Dataset
    from nbforecast.result_cache.snapshot import DeltaRecord

ROW_GROUP = 16_384
_FIELD = b"nbforecast"
_LABELS = {"status": STATUS.categories.to_list(), "reason": REASON.categories.to_list()}
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError,
                RecursionError, pa.ArrowException)  # fmt: skip
_ARROW_TYPES = {
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.int64): pa.int64(),
    np.dtype(np.float64): pa.float64(),
    np.dtype(np.uint64): pa.uint64(),
    np.dtype(np.float32): pa.float32(),
}


@dataclass(frozen=True)
class FileOutline:
    """What decides which forecasts of a file can be reused, without its results.

    Attributes:
        data: The dataset.
        contexts: (N,) the fingerprints of the contexts that the forecasts are made from.
        status: (N,) a `Status` each.
        forced_times: (N,) when each origin was last forced, in seconds since the epoch; 0 if never (C6).
        has_grown: Whether rows were appended to an earlier entry, which it has replaced (V2).
    """

    data: Dataset
    contexts: UInt64[np.ndarray, " N"]
    status: UInt8[np.ndarray, " N"]
    forced_times: Float64[np.ndarray, " N"]
    has_grown: bool

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Those of the data."""
        return Fingerprints(self.data)


def write(
    snapshot: Snapshot, file: BinaryIO, delta: DeltaRecord | None = None, *, with_index: bool = False
) -> Metadata:
    """Write an entry, or rows that were appended to one.

    Args:
        snapshot: The entry.
        file: An open file.
        delta: What the rows were appended to; None for a whole entry.
        with_index: Whether to write the index of each row, too. Where rows may be appended, it changes.

    Returns:
        The metadata that the file has.

    Raises:
        OSError: The file cannot be written.
    """
    data = snapshot.data
    observed = np.where(np.isnan(data.values), np.nan, data.values)  # one bit pattern for every NaN, as nulls have
    origins = {"y": observed, "status": snapshot.status, "reason": snapshot.reasons, "context": snapshot.contexts}
    digests = {name: _digest([values]) for name, values in origins.items()}
    places = range(0, snapshot.size, ROW_GROUP)
    for name in snapshot.columns:
        digests[name] = _digest(snapshot.piece(name, p, min(p + ROW_GROUP, snapshot.size)) for p in places)
    origin_table = pa.table(
        {
            "unique_id": _dictionary(np.repeat(np.arange(len(data.ids)), data.lengths), data.ids),
            "ds": data.times(data.time).to_arrow(),
            "step": _flat_array(data.steps()),
            "y": _flat_array(observed, ~np.isnan(observed)),
            "status": _dictionary(snapshot.status, _LABELS["status"]),
            "reason": _dictionary(snapshot.reasons.astype(np.int64) - 1, _LABELS["reason"]),
            "context": _flat_array(snapshot.contexts),
        }
    )
    if with_index:
        origin_table = origin_table.add_column(3, "index", _flat_array(data.index()))
    schema, packed = origin_table.schema, pack(snapshot, digests, delta)
    no_rows = {name: snapshot.piece(name, 0, 0) for name in snapshot.columns}
    for name, values in no_rows.items():
        schema = schema.append(pa.field(name, _nested_array(values).type))
    with pq.ParquetWriter(
        file,
        schema.with_metadata({_FIELD: packed}),
        compression="zstd",
        compression_level=1,
        use_dictionary=["unique_id", "status", "reason"],
        use_byte_stream_split=[name + ".list.element" * (values.ndim - 1) for name, values in no_rows.items()],
        write_page_checksum=True,
        write_statistics=["unique_id", "ds", "step"],
    ) as writer:
        for start in range(0, len(data), ROW_GROUP):
            table = origin_table.slice(start, ROW_GROUP)
            for name in snapshot.columns:
                table = table.append_column(name, _result_array(snapshot, name, start, start + len(table)))
            writer.write_table(table.replace_schema_metadata(writer.schema.metadata), ROW_GROUP)
    return unpack(packed)


def read_metadata(path: Path) -> Metadata:
    """The metadata of a file.

    Args:
        path: The file.

    Returns:
        The metadata, checked.

    Raises:
        Unreadable: The file cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            return _unpack_metadata(file)
    except _READ_ERRORS as error:
        raise _unreadable(error) from error


def read_outline(path: Path) -> FileOutline:
    """A file's data, contexts and status, without results.

    Args:
        path: The file.

    Returns:
        The outline.

    Raises:
        Unreadable: The file cannot be read.
    """
    metadata, columns = _read_checked(path, ("y", "context", "status"))
    data = _dataset(metadata, columns["y"])
    return FileOutline(
        data, columns["context"], columns["status"], metadata.forced_times, bool(metadata.facts["former"])
    )


def read_columns(path: Path, names: tuple[str, ...]) -> tuple[Dataset, dict[str, Shaped[np.ndarray, "N ..."]]]:
    """A file's data and some columns.

    Args:
        path: The file.
        names: Names of `FIRST_STATUS`, or "status", "reason", "context".

    Returns:
        data: The dataset.
        columns: (N, ...) of each name.

    Raises:
        Unreadable: The file cannot be read.
    """
    metadata, columns = _read_checked(path, ("y", *dict.fromkeys((*names, "status"))))
    if metadata.is_sparse:
        is_there = has_forecast(columns["status"])
        for name in set(names) & FIRST_STATUS.keys():
            values = np.full((len(is_there), *columns[name].shape[1:]), np.nan, np.float32)
            values[is_there] = columns[name]
            columns[name] = values
    return _dataset(metadata, columns["y"]), {name: columns[name] for name in names}


def read(path: Path) -> Snapshot:
    """The entry in a file.

    Args:
        path: The file.

    Returns:
        A snapshot, exactly as it was written.

    Raises:
        Unreadable: The file cannot be read, or is not what was written.
    """
    metadata, columns = _read_checked(path, ("y", "status", "reason", "context", *FIRST_STATUS))
    facts = metadata.facts
    data = _dataset(metadata, columns["y"])
    snapshot = Snapshot(
        data=data,
        spec=metadata.spec,
        status=columns["status"],
        reasons=columns["reason"],
        contexts=columns["context"],
        columns={name: columns[name] for name in FIRST_STATUS},
        version=facts["version"],
        created=facts["created"],
        forced_times=metadata.forced_times,
        cleared=facts["cleared"],
        is_exact=facts["is_exact"],
        former=tuple(facts["former"]),
        rows=np.flatnonzero(has_forecast(columns["status"])) if metadata.is_sparse else None,
        view=metadata.view,
        covariates=facts.get("covariate_digest", ""),
    )
    if snapshot.key != metadata.key:
        raise Damaged("its data are not those it names")
    if not is_consistent(snapshot):
        raise Damaged("its results are not where its status says")
    return snapshot


def _read_checked(path: Path, names: tuple[str, ...]) -> tuple[Metadata, dict[str, Shaped[np.ndarray, "N ..."]]]:
    """Some columns, each compared with its digest."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            metadata = _unpack_metadata(file)
            shapes = column_shapes(metadata.spec.horizon, metadata.spec.draws)
            row_bytes = sum(int(np.prod(shapes[name])) * 4 for name in names if name in shapes)
            count = metadata.facts["inferred"] if metadata.is_sparse else metadata.rows
            if metadata.rows != file.metadata.num_rows:
                raise Damaged("it has lost rows")
            _check_size(path, count * row_bytes + metadata.rows * 32)
            results = [name for name in names if name in shapes] if metadata.is_sparse else []
            table = file.read(columns=[name for name in names if name not in results])
            columns = {
                name: _to_numpy(table.column(name), name, shapes.get(name, ()), metadata.rows)
                for name in names
                if name not in results
            }
            columns |= _read_sparse(file, results, shapes, count)
    except _READ_ERRORS as error:
        raise _unreadable(error) from error
    for name, values in columns.items():
        if _digest([values]) != metadata.facts["digests"].get(name):
            raise Damaged(f"its column {name!r} is damaged")
    if "status" in columns and not metadata.has_current_scores:
        columns["status"][columns["status"] == Status.SCORED] = Status.UNSCORED
    return metadata, columns


def _read_sparse(
    file: pq.ParquetFile, names: list[str], shapes: dict[str, tuple[int, ...]], rows: int
) -> dict[str, Shaped[np.ndarray, "M ..."]]:
    """Result columns of the rows that are not null, so many in all, one row group at a time."""
    parts: dict[str, list[Shaped[np.ndarray, "m ..."]]] = {name: [] for name in names}
    for group in range(file.num_row_groups) if names else ():
        table = file.read_row_group(group, columns=names)
        for name in names:
            column = table.column(name).combine_chunks()
            count = len(column) - column.null_count
            if count + sum(map(len, parts[name])) > rows:
                raise Damaged("it has more results than it says")
            parts[name].append(_to_numpy(pa.chunked_array([column]), name, shapes[name], count).copy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _dataset(metadata: Metadata, values: Shaped[np.ndarray, " N"]) -> Dataset:
    try:
        return metadata.dataset(values)
    except _READ_ERRORS as error:
        raise _unreadable(error) from error


def _unpack_metadata(file: pq.ParquetFile) -> Metadata:
    packed = (file.metadata.metadata or {}).get(_FIELD)
    if packed is None:
        raise Damaged("it is not one of nbforecast's")
    return unpack(packed)


def _check_size(path: Path, needed: int) -> None:
    """Raise an error where a file takes more memory than there is, before any is allocated.

    A file that expands a hundredfold is more likely damage than results; the budget of memory is its limit.
    """
    limit = free_memory()
    if needed > 100 * path.stat().st_size:
        limit = min(limit, settings().memory)
    if needed > limit:
        sizes = f"it takes {byte_size(needed)} of memory and {byte_size(limit)} may be used"
        raise Unreadable(f"{sizes} (NBFORECAST_MEMORY is the budget)")


def _digest(pieces: Iterable[Shaped[np.ndarray, "..."]]) -> str:
    """The digest of an array that comes in pieces."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(np.ascontiguousarray(piece).data)
    return digest.hexdigest()


def _dictionary(codes: Integer[np.ndarray, " N"], labels: Sequence[str]) -> pa.DictionaryArray:
    """Labels by number; null where the number is negative."""
    numbers = _flat_array(np.maximum(codes, 0).astype(np.int32), codes >= 0)
    texts = pl.Series(labels, dtype=pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.DictionaryArray.from_arrays(numbers, texts)


def _result_array(snapshot: Snapshot, name: str, start: int, end: int) -> pa.Array:
    """A result column from one row to another, null where a sparse snapshot has no results."""
    rows = snapshot.rows
    if rows is None:
        return _nested_array(snapshot.piece(name, start, end))
    first, last = np.searchsorted(rows, (start, end)).tolist()
    is_valid = np.zeros(end - start, bool)
    is_valid[rows[first:last] - start] = True
    values = snapshot.piece(name, first, last)
    part = np.zeros((end - start, *values.shape[1:]), values.dtype)
    part[is_valid] = values
    array = _nested_array(part)
    mask = pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(array.type, len(array), [mask], children=[array.values])


def _nested_array(values: Shaped[np.ndarray, "N ..."]) -> pa.Array:
    array = _flat_array(np.ascontiguousarray(values).reshape(-1))
    for size in values.shape[:0:-1]:
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _flat_array(values: Shaped[np.ndarray, " N"], is_valid: Bool[np.ndarray, " N"] | None = None) -> pa.Array:
    """An array over NumPy's memory, null where not valid. `pa.array` would import pandas for this."""
    mask = None if is_valid is None else pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(_ARROW_TYPES[values.dtype], len(values), [mask, pa.py_buffer(values)])


def _to_numpy(column: pa.ChunkedArray, name: str, shape: tuple[int, ...], rows: int) -> Shaped[np.ndarray, "N ..."]:
    array = column.combine_chunks()
    if name in _LABELS:
        codes = {label: code for code, label in enumerate(_LABELS[name], name == "reason")}
        codes |= FORMER_NAMES if name == "status" else {}
        code_by_number = np.array([codes[label] for label in array.dictionary.to_pylist()] or [0])
        numbers = _memory_view(array.indices, np.dtype(np.int32))
        return np.where(_is_valid(array.indices), code_by_number[numbers], 0).astype(np.uint8)
    for _ in shape:
        array = array.flatten()
    kind = np.dtype({"y": np.float64, "context": np.uint64}.get(name, np.float32))
    if array.type != _ARROW_TYPES[kind] or (array.null_count and name != "y"):
        raise Damaged(f"its column {name!r} is of another type")
    values = _memory_view(array, kind).reshape(rows, *shape)
    return np.where(_is_valid(array), values, np.nan) if array.null_count else values


def _memory_view(array: pa.Array, kind: np.dtype) -> Shaped[np.ndarray, " N"]:
    """NumPy's view of an array's memory; undefined where the array is null."""
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)


def _is_valid(array: pa.Array) -> Bool[np.ndarray, " N"]:
    """Where an array is not null."""
    mask = array.buffers()[0]
    if mask is None:
        return np.ones(len(array), bool)
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def _unreadable(error: BaseException) -> Unreadable:
    """What an error means for the file: that it is damaged, unless the machine was at fault."""
    if isinstance(error, Unreadable):
        return error
    message = str(error).split("\n", 1)[0][:200] or type(error).__name__
    is_machine = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return (Unreadable if is_machine else Damaged)(f"it cannot be read: {message}")
