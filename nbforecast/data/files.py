"""Reading tables from text, spreadsheet, Parquet and Arrow files."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbforecast.data.delimited import read_delimited, to_utf8, unnamed
from nbforecast.errors import InputError, MissingExtra
from nbforecast.user_path import path_exists

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import narwhals as nw
    import polars as pl

_URL = re.compile(r"[a-z][a-z0-9+]+:/", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")  # in a cell
_HEAD_ROWS = 30  # of a spreadsheet, among which is the header
_PARQUET = (".parquet", ".pq", ".parq")
_ARROW = (".arrow", ".feather", ".ipc")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".json")
_EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
# suffix -> (first bytes, PyArrow's name)
_COMPRESSED = {".gz": (b"\x1f\x8b", "gzip"), ".zst": (b"\x28\xb5\x2f\xfd", "zstd"), ".bz2": (b"BZh", "bz2")}


def suffix_of(path: Path) -> str:
    """Return the suffix that states a file's kind, in lower case: `.csv` for `a.csv.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in _COMPRESSED:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


def is_text_file(path: Path) -> bool:
    """Tell by its suffix whether a file is text."""
    return suffix_of(path) in _TEXT


def is_data_file(path: Path) -> bool:
    """Tell by its name whether a file holds a table; hidden ones, which may be written at present, do not."""
    return suffix_of(path) in (*_TEXT, *_PARQUET, *_ARROW) and not path.name.startswith((".", "~"))


def read_text(path: Path) -> bytes:
    """Return the content of a text file, decompressed and in UTF-8."""
    return to_utf8(_decompress(path.read_bytes()))


@contextmanager
def input_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system, of Polars and of encodings into `InputError` while a file is read."""
    import polars as pl

    if not path_exists(path) or not path.is_file():
        reason = "is a folder, not a file" if path_exists(path) else "does not exist"
        if _URL.match(str(path)):
            reason = "is a URL, which is not read: download the file, or read it yourself and give the frame"
        raise InputError(f"The file {str(path)!r} {reason}.")
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise InputError(f"The file {str(path)!r} cannot be read as {suffix_of(path)[1:]}: {error}") from error


def read_file(
    path: Path, content: bytes | None = None, text_columns: Collection[str] = ()
) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """Read a table from a file; of a Parquet file no more than the footer.

    Args:
        path: The file.
        content: What `read_text` returns, if it is a text file.
        text_columns: Columns whose text stays as it is, such as ids: `007` is not 7.

    Raises:
        InputError: If the file is empty or of an unknown kind.
        MissingExtra: If it is a spreadsheet and the library that reads them is not installed.
        OSError: If it cannot be read, or `PolarsError` or `UnicodeError`; see `input_errors`.
    """
    import narwhals as nw
    import polars as pl

    suffix = suffix_of(path)
    if suffix in _PARQUET:
        scan = pl.scan_parquet(path, glob=False)
        scan.collect_schema()  # reports a file that is not Parquet now, while its name is at hand
        return nw.from_native(scan)
    if suffix in _ARROW:
        return nw.from_native(pl.scan_ipc(path, glob=False).collect())
    if suffix in _EXCEL:
        return nw.from_native(_read_excel(path))
    if suffix not in _TEXT:
        raise InputError(f"The file {str(path)!r} is of an unknown kind: use a .csv, .xlsx, .parquet or .arrow file.")
    if not content or not content.strip():
        raise InputError(f"The file {str(path)!r} is empty.")
    if suffix == ".json":
        raise InputError(f"The file {str(path)!r} holds no sensor readings, and other JSON is not read. Use CSV.")
    return nw.from_native(read_delimited(content, str(path), text_columns))


def _decompress(raw: bytes) -> bytes:
    import pyarrow as pa

    for first, name in _COMPRESSED.values():
        if raw.startswith(first):
            return pa.CompressedInputStream(pa.BufferReader(raw), name).read()
    return raw


def _read_excel(path: Path) -> pl.DataFrame:
    """Read the first sheet of a spreadsheet, whose numbers are floats: whole ones become integers, as in text."""
    try:
        import fastexcel
    except ImportError as error:
        raise MissingExtra(
            'Reading spreadsheets needs the library fastexcel: pip install "nbforecast[excel]".'
        ) from error
    try:
        book = fastexcel.read_excel(path)
        rows = book.load_sheet(0, header_row=None, n_rows=_HEAD_ROWS, dtypes="string").to_polars().rows()
        header = _header_row(rows)
        frame = book.load_sheet(0, header_row=header).to_polars()
    except fastexcel.FastExcelError as error:
        raise InputError(f"The file {str(path)!r} cannot be read as a spreadsheet: {error}") from error
    if rows and _is_empty(rows[header][0]):
        frame = frame.rename({frame.columns[0]: unnamed(frame.columns)})
    return _with_integers(frame)


def _header_row(rows: list[tuple[str | None, ...]]) -> int:
    """Return the number of the header: the first row that is as full as the fullest.

    The header of an index that was written with the table has no name above it.
    """
    filled = [sum(not _is_empty(cell) for cell in row) for row in rows]
    first = next((number for number, count in enumerate(filled) if count == max(filled)), 0)
    above = rows[first - 1] if first else ()
    if first and filled[first - 1] == filled[first] - 1 > 0 and _is_empty(above[0]):
        is_named = all(not _NUMBER.fullmatch(cell) for cell in above if cell)
        if is_named and any(_NUMBER.fullmatch(cell) for cell in rows[first] if cell):
            return first - 1
    return first


def _is_empty(cell: str | None) -> bool:
    return cell is None or not cell.strip()


def _with_integers(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert the columns of floats that are all whole."""
    import polars as pl

    floats = [column for column in frame.iter_columns() if column.dtype == pl.Float64]
    whole = [x.name for x in floats if (x.is_null() | (x == x.floor()) & (x.abs() < 1 << 53)).all()]
    return frame.with_columns(pl.col(whole).cast(pl.Int64)) if whole else frame
