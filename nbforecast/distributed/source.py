"""A panel in Parquet files, near or far, read as one stream of rows and sorted into buckets (bounded memory)."""

from __future__ import annotations

import fnmatch
import glob
import os
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data.columns import choose_columns
from nbforecast.data.observations import SINGLE_SERIES
from nbforecast.data.source import Source
from nbforecast.data.values import MISSING_TEXTS
from nbforecast.distributed.layout import bucket_of
from nbforecast.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROWS = 65_536  # read at once from afar
HELD = 256 << 20  # bytes of rows that wait to be written while they are sorted
_ROW = 32  # bytes of a row in memory, about
_PARQUET = (".parquet", ".pq", ".parq")


@dataclass(frozen=True)
class Panel:
    """Rows of a source as a lazy frame: unique_id (text, null where there is none), ds, y, and `wrong`.

    `wrong` is the value of a row that is no number, or no time, as text; y is then null.
    """

    rows: pl.LazyFrame
    name: str


def open_panel(source: Any, time: str | None, target: str | None, id: str | None) -> Panel:
    """Open a Parquet file, folder, glob or URL. Nothing but footers is read.

    Files may differ in the types of their columns. Raises `InputError` for what cannot be read as a panel.
    """
    scans = _scans(source)
    first = scans[0]
    import narwhals as nw

    chosen = choose_columns(Source(nw.from_native(first)), time, target, id)
    schemas = [scan.collect_schema() for scan in scans]
    wanted = [c for c in (chosen.time, chosen.target, chosen.id) if c is not None]
    for schema in schemas:
        lacking = [name for name in wanted if name not in schema]
        if lacking:
            raise InputError(f"Some files of {str(source)!r} have no column {lacking[0]!r}; others have.")
    kind = _common_time([schema[chosen.time] for schema in schemas])
    parts = [
        scan.select(
            _id(chosen.id, schema),
            *_split(_time(chosen.time, schema, kind), _number(chosen.target, schema)),
        )
        for scan, schema in zip(scans, schemas, strict=True)
    ]
    name = Path(str(source).rstrip("/*")).name.split(".")[0]
    return Panel(pl.concat(parts) if len(parts) > 1 else parts[0], name)


def takes(source: Any, file: Path) -> bool:
    """Whether a file on this machine would be taken for one of a source's."""
    text = os.fspath(source)
    if "://" in text and not text.startswith("file://"):
        return False
    place = Path(text.removeprefix("file://")).expanduser().absolute()
    if glob.has_magic(text):
        return _matches(file.parts, place.parts)
    return file.is_relative_to(place.resolve())


def census(panel: Panel) -> pl.DataFrame:
    """unique_id and the number of its rows, in order of ids; without an id there may be a row with null."""
    try:
        found = panel.rows.group_by("unique_id").agg(rows=pl.len()).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise InputError(f"The source cannot be read: {error}") from error
    if not len(found):
        raise InputError("The source has no rows.")
    return found.sort("unique_id")


def allot(series: pl.DataFrame, of: int) -> pl.DataFrame:
    """unique_id and bucket of every series that has an id."""
    ids = series["unique_id"].drop_nulls()
    return pl.DataFrame([ids, pl.Series("bucket", [bucket_of(name, of) for name in ids], pl.Int64)])


def stage(panel: Panel, allotted: pl.DataFrame, of: int, folder: Path) -> None:
    """Sort a panel's rows into buckets, a folder each, in one pass.

    Memory does not grow with the panel's length: rows of a bucket wait until there are enough of them for a file.
    """
    piece = max(1024, HELD // (_ROW * of))
    rows = panel.rows.join(allotted.lazy(), on="unique_id", how="inner", maintain_order="none")
    by = pl.PartitionBy(folder, key="bucket", include_key=False)
    try:
        rows.sink_parquet(
            by, row_group_size=piece, compression_level=1, statistics=False, maintain_order=False, mkdir=True
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"The source cannot be read: {error}") from error


def read_bucket(folder: Path, bucket: int) -> pl.DataFrame:
    """The staged rows of a bucket."""
    pieces = sorted((folder / f"bucket={bucket}").glob("*.parquet"))
    return pl.read_parquet(pieces, hive_partitioning=False, glob=False)


def _scans(source: Any) -> list[pl.LazyFrame]:
    """A lazy frame for the files of each schema."""
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"source= takes a Parquet file, folder, glob or URL, not {type(source).__name__}. "
            "What is in memory goes to nbf.forecast."
        )
    text = os.fspath(source)
    if "://" in text and not text.startswith("file://"):
        return _far(text)
    return _near(Path(text.removeprefix("file://")).expanduser())


def _near(path: Path) -> list[pl.LazyFrame]:
    if path.is_file():
        found = [path]
    elif path.is_dir():
        found = sorted(path.rglob("*"))
    else:
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    root = _root(path.parts)
    files = [p for p in found if p.is_file() and p.suffix.lower() in _PARQUET and not _hidden(p.parts[root:])]
    if not files:
        what = "There is no Parquet file in" if path.is_dir() else "There is no Parquet file at"
        raise InputError(f"{what} {str(path)!r}.")
    keyed = any("=" in part for file in files for part in file.parent.parts)
    groups: dict[tuple[Any, ...], list[Path]] = {}
    for file in files:
        try:
            schema = pl.read_parquet_schema(file)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"The file {str(file)!r} cannot be read as Parquet: {error}") from error
        groups.setdefault(tuple(schema.items()), []).append(file)
    return [
        pl.scan_parquet(group, hive_partitioning=keyed, try_parse_hive_dates=False, glob=False)
        for group in groups.values()
    ]


def _far(url: str) -> list[pl.LazyFrame]:
    import pyarrow.parquet as pq

    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtra(f"Reading {url!r} needs a library that is not here: {error}") from error
    except ValueError as error:
        raise InputError(f"{url!r} is no place to read from: {error}") from error
    groups: dict[Any, list[str]] = {}
    try:
        found = system.glob(path) if glob.has_magic(path) else system.find(path)
        parts, root = {n: n.split("/") for n in sorted(found)}, _root(path.rstrip("/").split("/"))
        names = [n for n, p in parts.items() if n.lower().endswith(_PARQUET) and not _hidden(p[root:])]
        for name in names:
            with system.open(name) as file, pq.ParquetFile(file) as table:
                schema: Any = pl.from_arrow(table.schema_arrow.empty_table())
            groups.setdefault(tuple(schema.schema.items()), []).append(name)
    except Exception as error:  # of any library behind a URL
        raise InputError(f"The files of {url!r} cannot be read: {error}") from error
    if not groups:
        raise InputError(f"There is no Parquet file at {url!r}.")
    return [_streamed(system, group, dict(schema)) for schema, group in groups.items()]


def _streamed(system: Any, names: list[str], schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Files of one schema on any file system that fsspec knows, a few rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from polars.io.plugins import register_io_source

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, most: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = most
        for name in names:
            with system.open(name) as file, pq.ParquetFile(file) as table:
                for batch in table.iter_batches(min(size or ROWS, ROWS), columns=columns):
                    frame = pl.DataFrame(pa.Table.from_batches([batch]))
                    frame = frame if predicate is None else frame.filter(predicate)
                    yield frame if left is None else frame.head(left)
                    left = None if left is None else max(left - len(frame), 0)
                    if left == 0:
                        return

    return register_io_source(batches, schema=schema)


def _root(parts: Sequence[str]) -> int:
    """How many parts a source has before the first that stands for several."""
    return next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))


def _hidden(parts: Sequence[str]) -> bool:
    """Whether a file, or a folder below the source that it is in, is one that tools take for no data."""
    return any(part.startswith((".", "_")) and "=" not in part for part in parts)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a glob's parts stand for those of a path."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _id(column: str | None, schema: pl.Schema) -> pl.Expr:
    if column is None:
        return pl.lit(SINGLE_SERIES).alias("unique_id")
    kind, ids = schema[column], pl.col(column)
    if kind.is_float():
        whole = ids.is_finite() & (ids == ids.floor())
        ids = pl.when(whole).then(ids.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(ids.cast(pl.String))
    return ids.cast(pl.String).alias("unique_id")


def _common_time(kinds: list[pl.DataType]) -> pl.DataType:
    """The type that times of several types are read as."""
    known = [k for k in dict.fromkeys(kinds) if k != pl.Null] or [pl.Null()]
    if len(known) == 1:
        return known[0]
    zones = {k.time_zone if isinstance(k, pl.Datetime) else None for k in known if k.is_temporal()}
    if len(zones) > 1:
        raise InputError(
            f"The files of the source have times of different kinds: {', '.join(map(str, known))}. Write them anew "
            "with one zone, or none."
        )
    if zones:
        return pl.Datetime("us", zones.pop())
    return pl.Int64() if all(k.is_numeric() for k in known) else pl.String()


def _time(column: str, schema: pl.Schema, kind: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """(times of that type, what is none)."""
    given, times = schema[column], pl.col(column)
    if given == kind:
        return times, pl.lit(None, pl.String)
    if given == pl.String and isinstance(kind, pl.Datetime):
        read = times.str.to_datetime(strict=False, time_unit="us", time_zone=kind.time_zone, ambiguous="earliest")
    else:
        read = times.cast(kind, strict=False)
    return read, pl.when(times.is_not_null() & read.is_null()).then(times.cast(pl.String))


def _number(column: str, schema: pl.Schema) -> tuple[pl.Expr, pl.Expr]:
    """(values, what is none)."""
    kind, values = schema[column], pl.col(column)
    if kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        return values.cast(pl.Float64), pl.lit(None, pl.String)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        text = values.cast(pl.String).str.strip_chars()
        text = pl.when(~text.is_in(MISSING_TEXTS)).then(text)
        numbers = text.cast(pl.Float64, strict=False)
        return numbers, pl.when(numbers.is_null()).then(text)
    return pl.lit(None, pl.Float64), pl.when(values.is_not_null()).then(pl.lit(f"of type {kind}"))


def _split(times: tuple[pl.Expr, pl.Expr], values: tuple[pl.Expr, pl.Expr]) -> list[pl.Expr]:
    wrong = reduce(lambda one, other: one.fill_null(other), (values[1], times[1]))
    return [times[0].alias("ds"), values[0].alias("y"), wrong.alias("wrong")]
