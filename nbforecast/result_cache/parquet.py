"""An entry as a Parquet file, with its metadata in the file's own key-value metadata.

A file is a plain table, a row an origin, that Polars, PyArrow and DuckDB read. Each column's content has a digest in
the metadata, and the metadata one of their own, so that what is read is what was written, or is refused.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nbforecast.result_cache.metadata import Damaged, Metadata, Unreadable, pack, unpack
from nbforecast.result_cache.snapshot import Snapshot, consistent
from nbforecast.result_cache.status import FILLED, FORMER_NAMES, REASON, STATUS, shapes

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from nbforecast.data import Dataset

ROW_GROUP = 16_384
_FIELD = b"nbforecast"
_CODES = {"status": STATUS.categories.to_list(), "reason": REASON.categories.to_list()}
_FAILURES = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError,
             RecursionError, pa.ArrowException)  # fmt: skip
_KINDS = {
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.float64): pa.float64(),
    np.dtype(np.uint64): pa.uint64(),
    np.dtype(np.float32): pa.float32(),
}


def write(snapshot: Snapshot, file: BinaryIO) -> None:
    """Write an entry."""
    data, columns = snapshot.data, snapshot.columns
    observed = np.where(np.isnan(data.values), np.nan, data.values)  # one bit pattern for every NaN, as nulls have
    kept = {"y": observed, "status": snapshot.status, "reason": snapshot.reasons, "context": snapshot.contexts}
    digests = {name: _digest(values) for name, values in {**kept, **columns}.items()}
    table = pa.table(
        {
            "unique_id": _labels(np.repeat(np.arange(len(data.ids)), data.lengths), data.ids),
            "ds": data.times(data.time).to_arrow(),
            "index": _flat(data.index()),
            "y": _flat(observed, ~np.isnan(observed)),
            "status": _labels(snapshot.status, _CODES["status"]),
            "reason": _labels(snapshot.reasons.astype(np.int64) - 1, _CODES["reason"]),
            "context": _flat(snapshot.contexts),
            **{name: _nested(values) for name, values in columns.items()},
        }
    )
    pq.write_table(
        table.replace_schema_metadata({_FIELD: pack(snapshot, digests)}),
        file,
        compression="zstd",
        compression_level=1,
        use_dictionary=["unique_id", "status", "reason"],
        use_byte_stream_split=[name + ".list.element" * (values.ndim - 1) for name, values in columns.items()],
        row_group_size=ROW_GROUP,
        write_page_checksum=True,
        write_statistics=["unique_id", "ds", "index"],
    )


def read_header(path: Path) -> Metadata:
    """What a file's footer says. Raises `Unreadable`."""
    try:
        with pq.ParquetFile(path) as file:
            return _header(file)
    except _FAILURES as error:
        raise _unreadable(error) from error


def read_outline(path: Path) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """A file's data, the fingerprints of its contexts and its status, without results. Raises `Unreadable`."""
    data, columns = read_columns(path, ("context", "status"))
    return data, columns["context"], columns["status"]


def read_columns(path: Path, names: tuple[str, ...]) -> tuple[Dataset, dict[str, np.ndarray]]:
    """A file's data, and some result columns. Raises `Unreadable`."""
    header, columns = _read(path, ("y", *names))
    return _data(header, columns.pop("y")), columns


def read(path: Path) -> Snapshot:
    """The entry in a file. Raises `Unreadable` for anything that is not what was written."""
    header, columns = _read(path, ("y", "status", "reason", "context", *FILLED))
    facts = header.facts
    data = _data(header, columns["y"])
    snapshot = Snapshot(
        data=data,
        spec=header.spec,
        status=columns["status"],
        reasons=columns["reason"],
        contexts=columns["context"],
        columns={name: columns[name] for name in FILLED},
        version=facts["version"],
        created=facts["created"],
        forced=facts["forced"],
    )
    if data.handle != header.key.handle:
        raise Damaged("its data are not those it names")
    if not consistent(snapshot):
        raise Damaged("its results are not where its status says")
    return snapshot


def _read(path: Path, names: tuple[str, ...]) -> tuple[Metadata, dict[str, np.ndarray]]:
    """Some columns, each proven to be what was written."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            header = _header(file)
            tails = shapes(header.spec.horizon, header.spec.draws)
            size = sum(int(np.prod(tail)) * 4 for tail in tails.values()) + 32
            if header.rows != file.metadata.num_rows:
                raise Damaged("it has lost rows")
            if header.rows * size > _memory():
                raise Unreadable("it does not fit into this machine's memory")
            table = file.read(columns=list(names))
        columns = {name: _array(table.column(name), name, tails.get(name, ()), header.rows) for name in names}
    except _FAILURES as error:
        raise _unreadable(error) from error
    for name, values in columns.items():
        if _digest(values) != header.facts["digests"].get(name):
            raise Damaged(f"its column {name!r} is damaged")
    return header, columns


def _data(header: Metadata, values: np.ndarray) -> Dataset:
    try:
        return header.dataset(values)
    except _FAILURES as error:
        raise _unreadable(error) from error


def _header(file: pq.ParquetFile) -> Metadata:
    text = (file.metadata.metadata or {}).get(_FIELD)
    if text is None:
        raise Damaged("it is not one of nbforecast's")
    return unpack(text)


def _memory() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 40


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def _labels(codes: np.ndarray, names: tuple[str, ...] | list[str]) -> pa.DictionaryArray:
    """Names by number; none where the number is negative."""
    numbers = _flat(np.maximum(codes, 0).astype(np.int32), codes >= 0)
    texts = pl.Series(names, dtype=pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.DictionaryArray.from_arrays(numbers, texts)


def _nested(values: np.ndarray) -> pa.Array:
    array = _flat(np.ascontiguousarray(values).reshape(-1))
    for size in values.shape[:0:-1]:
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _flat(values: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """An array over NumPy's memory; null where it is not `there`. `pa.array` would import pandas for this."""
    mask = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(_KINDS[values.dtype], len(values), [mask, pa.py_buffer(values)])


def _array(column: pa.ChunkedArray, name: str, tail: tuple[int, ...], rows: int) -> np.ndarray:
    array = column.combine_chunks()
    if name in _CODES:
        known = {text: code for code, text in enumerate(_CODES[name], name == "reason")}
        known |= FORMER_NAMES if name == "status" else {}
        table = np.array([known[text] for text in array.dictionary.to_pylist()] or [0])
        codes = _numbers(array.indices, np.dtype(np.int32))
        return np.where(_there(array.indices), table[codes], 0).astype(np.uint8)
    for _ in tail:
        array = array.flatten()
    kind = np.dtype({"y": np.float64, "context": np.uint64}.get(name, np.float32))
    if array.type != _KINDS[kind] or (array.null_count and name != "y"):
        raise Damaged(f"its column {name!r} is of another type")
    values = _numbers(array, kind).reshape(rows, *tail)
    return np.where(_there(array), values, np.nan) if array.null_count else values


def _numbers(array: pa.Array, kind: np.dtype) -> np.ndarray:
    """NumPy's view of an array's memory; whatever was there where it is null."""
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)


def _there(array: pa.Array) -> np.ndarray:
    """Where an array is not null."""
    mask = array.buffers()[0]
    if mask is None:
        return np.ones(len(array), bool)
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def _unreadable(error: BaseException) -> Unreadable:
    """What an error says of the file: that it is damaged, unless the machine was at fault."""
    if isinstance(error, Unreadable):
        return error
    said = str(error).split("\n", 1)[0][:200] or type(error).__name__
    machine = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return (Unreadable if machine else Damaged)(f"it cannot be read: {said}")
