"""A panel in local or remote Parquet files: read as one stream of rows and sorted into partitions in bounded memory."""

from __future__ import annotations

import fnmatch
import glob
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data.columns import choose_columns
from nbforecast.data.ids import id_expression
from nbforecast.data.observations import SINGLE_SERIES
from nbforecast.data.source import Source, escape_names
from nbforecast.distributed.destination import partition_of
from nbforecast.distributed.read_columns import Reading, read_times_of, read_values_of
from nbforecast.errors import InputError, MissingExtra
from nbforecast.user_path import path_exists, user_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REMOTE_ROWS = 65_536  # read at once from a URL
SORT_BUFFER = 256 << 20  # bytes of rows in memory while they are sorted
_ROW_BYTES = 32  # of a row in memory, about
_PARQUET = (".parquet", ".pq", ".parq")


@dataclass(frozen=True)
class Panel:
    """The rows of a source.

    Attributes:
        rows: unique_id (text, null where there is none), ds, y, and unreadable: the text of a value that is not a
            number, or of a time that is not one, null elsewhere; y is then null.
        name: Name of the source.
        target: The user's name of the column of values.
    """

    rows: pl.LazyFrame
    name: str
    target: str


def open_panel(
    source: Any, time: Any, target: str | None, id: Any, date_order: str | None = None, decimal: str | None = None
) -> Panel:
    """Open Parquet files, whose columns may differ in type; only footers are read, and times and values that are text.

    Args:
        source: A file, folder, glob or URL.
        time: Column of times; None for the one that is recognised.
        target: Column of values.
        id: Column or columns of series ids.
        date_order: How text such as `1/2/24` is ordered, or None to decide by all files.
        decimal: The decimal sign of text, or None to decide by all files.

    Raises:
        InputError: The source cannot be read as a panel.
    """
    import narwhals as nw

    opened = [escape_names(nw.from_native(scan)) for scan in _scans(source)]
    scans = [frame.to_native() for frame, _ in opened]
    columns = choose_columns(Source(opened[0][0], labels=opened[0][1]), time, target, id)
    schemas = [scan.collect_schema() for scan in scans]
    required = columns.names
    for schema in schemas:
        missing = [name for name in required if name not in schema]
        if missing:
            raise InputError(f"Some files of {str(source)!r} have no column {missing[0]!r}; others have.")
    scans, times = read_times_of(scans, columns.time, date_order)
    values = read_values_of(scans, columns.target, decimal)
    parts = [
        scan.select(_id(columns.ids, schema), *_columns(times[number], values[number]))
        for number, (scan, schema) in enumerate(zip(scans, schemas, strict=True))
    ]
    name = Path(str(source).rstrip("/*")).name.split(".")[0]
    return Panel(pl.concat(parts) if len(parts) > 1 else parts[0], name, columns.target)


def source_includes(source: Any, file: Path) -> bool:
    """Return whether a file on this machine would be read as part of a source."""
    text = os.fspath(source)
    if "://" in text and not text.startswith("file://"):
        return False
    base, pattern = _split_pattern(user_path(text.removeprefix("file://"), InputError).absolute())
    if pattern:
        return _matches(file.parts, [*(glob.escape(part) for part in base.parts), *pattern])
    return file.is_relative_to(base.resolve())


def count_series(panel: Panel) -> pl.DataFrame:
    """Count the rows of each series.

    Returns:
        unique_id and rows, in order of ids; rows without an id are counted under null.

    Raises:
        InputError: The source cannot be read, or has no rows.
    """
    try:
        counts = panel.rows.group_by("unique_id").agg(rows=pl.len()).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise InputError(f"The source cannot be read: {error}") from error
    if not len(counts):
        raise InputError("The source has no rows.")
    return counts.sort("unique_id")


def assign_partitions(series: pl.DataFrame, partition_count: int) -> pl.DataFrame:
    """Return unique_id and partition of every series that has an id.

    Args:
        series: Result of `count_series`.
        partition_count: Number of partitions.
    """
    ids = series["unique_id"].drop_nulls()
    return pl.DataFrame([ids, pl.Series("partition", [partition_of(name, partition_count) for name in ids], pl.Int64)])


def write_staging(panel: Panel, partitions: pl.DataFrame, partition_count: int, folder: Path) -> None:
    """Sort the rows of a panel into partitions, one folder each, in one pass.

    Memory does not grow with the length of the panel: rows of a partition are buffered until they fill a row group.

    Args:
        panel: The rows.
        partitions: Result of `assign_partitions`.
        partition_count: Number of partitions.
        folder: Where the folders are written.

    Raises:
        InputError: The source cannot be read.
    """
    group_rows = max(1024, SORT_BUFFER // (_ROW_BYTES * partition_count))
    rows = panel.rows.join(partitions.lazy(), on="unique_id", how="inner", maintain_order="none")
    for former in folder.glob("partition=*"):  # of an attempt that was interrupted
        shutil.rmtree(former)
    by = pl.PartitionBy(folder, key="partition", include_key=False)
    try:
        rows.sink_parquet(
            by, row_group_size=group_rows, compression_level=1, statistics=False, maintain_order=False, mkdir=True
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"The source cannot be read: {error}") from error


def read_partition(folder: Path, partition: int) -> pl.DataFrame:
    """Read the staged rows of a partition."""
    files = sorted((folder / f"partition={partition}").glob("*.parquet"))
    return pl.read_parquet(files, hive_partitioning=False, glob=False)


def _scans(source: Any) -> list[pl.LazyFrame]:
    """A lazy frame for the files of each schema."""
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"The source is a Parquet file, folder, glob or URL, not an object of type {type(source).__name__}. "
            "Pass data in memory to nbf.forecast."
        )
    text = os.fspath(source)
    if "://" in text and not text.startswith("file://"):
        return _scan_remote(text)
    return _scan_local(user_path(text.removeprefix("file://"), InputError))


def _scan_local(path: Path) -> list[pl.LazyFrame]:
    base, pattern = _split_pattern(path)
    if not path_exists(base):
        paths = []
    elif base.is_file():
        paths = [base]
    else:
        paths = sorted(base.glob(str(Path(*pattern)) if pattern else "**/*"))
    fixed = len(base.parts)
    files = [p for p in paths if p.is_file() and p.suffix.lower() in _PARQUET and not _is_hidden(p.parts[fixed:])]
    if not files:
        raise InputError(f"There is no Parquet file {'in' if path_exists(path) else 'at'} {str(path)!r}.")
    is_hive = any("=" in part for file in files for part in file.parent.parts)
    groups: dict[tuple[Any, ...], list[Path]] = {}
    for file in files:
        try:
            schema = pl.scan_parquet(file, glob=False).collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"The file {str(file)!r} cannot be read as Parquet: {error}") from error
        groups.setdefault(tuple(schema.items()), []).append(file)
    return [
        pl.scan_parquet(group, hive_partitioning=is_hive, try_parse_hive_dates=False, glob=False)
        for group in groups.values()
    ]


def _scan_remote(url: str) -> list[pl.LazyFrame]:
    import pyarrow.parquet as pq

    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtra(f"Reading {url!r} needs a library that is not installed: {error}") from error
    except ValueError as error:
        raise InputError(f"{url!r} cannot be read: {error}") from error
    groups: dict[Any, list[str]] = {}
    try:
        is_pattern = glob.has_magic(path) and not system.exists(path)
        paths = system.glob(path) if is_pattern else system.find(path)
        own = path.rstrip("/").split("/")
        parts, fixed = {n: n.split("/") for n in sorted(paths)}, _fixed_parts(own) if is_pattern else len(own)
        names = [n for n, p in parts.items() if n.lower().endswith(_PARQUET) and not _is_hidden(p[fixed:])]
        for name in names:
            with system.open(name) as file, pq.ParquetFile(file) as table:
                schema: Any = pl.from_arrow(table.schema_arrow.empty_table())
            groups.setdefault(tuple(schema.schema.items()), []).append(name)
    except Exception as error:  # of any library behind a URL
        raise InputError(f"The files of {url!r} cannot be read: {error}") from error
    if not groups:
        raise InputError(f"There is no Parquet file at {url!r}.")
    return [_scan_stream(system, group, dict(schema)) for schema, group in groups.items()]


def _scan_stream(system: Any, names: list[str], schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Lazy frame of files of one schema on any file system of fsspec, read a few rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from polars.io.plugins import register_io_source

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        remaining = n_rows
        for name in names:
            with system.open(name) as file, pq.ParquetFile(file) as table:
                for batch in table.iter_batches(min(size or REMOTE_ROWS, REMOTE_ROWS), columns=columns):
                    frame = pl.DataFrame(pa.Table.from_batches([batch]))
                    frame = frame if predicate is None else frame.filter(predicate)
                    yield frame if remaining is None else frame.head(remaining)
                    remaining = None if remaining is None else max(remaining - len(frame), 0)
                    if remaining == 0:
                        return

    return register_io_source(batches, schema=schema)


def _split_pattern(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Split a path into what exists, which is meant as it is written, and the parts with wildcards after it."""
    base = path
    while glob.has_magic(str(base)) and not path_exists(base) and base != base.parent:
        base = base.parent
    return base, path.parts[len(base.parts) :]


def _fixed_parts(parts: Sequence[str]) -> int:
    """How many parts of a path are before the first one with wildcards."""
    return next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))


def _is_hidden(parts: Sequence[str]) -> bool:
    """Whether a file, or a folder between it and the source, is one that tools ignore."""
    return any(part.startswith((".", "_")) and "=" not in part for part in parts)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a glob match those of a path."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _id(columns: Sequence[str], schema: pl.Schema) -> pl.Expr:
    ids = id_expression(columns, schema) if columns else pl.lit(SINGLE_SERIES)
    return ids.alias("unique_id")


def _columns(times: Reading, values: Reading) -> list[pl.Expr]:
    unreadable = values.unreadable.fill_null(times.unreadable)
    return [times.values.alias("ds"), values.values.alias("y"), unreadable.alias("unreadable")]
