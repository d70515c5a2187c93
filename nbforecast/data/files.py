"""Reading tables from CSV, Parquet and Arrow files: other separators, line ends, decimal signs and encodings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbforecast.data.values import MISSING_TEXTS
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import narwhals as nw
    import polars as pl

_HEAD_BYTES = 1 << 16
_HEAD_LINES = 20
_PARQUET = (".parquet", ".pq", ".parq")
_ARROW = (".arrow", ".feather", ".ipc")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".json")
_COMPRESSED = (".gz", ".zst")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # first bytes


def suffix_of(path: Path) -> str:
    """Return the suffix that states a file's kind, in lower case: `.csv` for `a.csv.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in _COMPRESSED:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


def is_text_file(path: Path) -> bool:
    """Tell by its suffix whether a file is text."""
    return suffix_of(path) in _TEXT


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


@contextmanager
def input_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system, of Polars and of encodings into `InputError` while a file is read."""
    import polars as pl

    if not path.is_file():
        reason = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise InputError(f"The file {str(path)!r} {reason}.")
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise InputError(f"The file {str(path)!r} cannot be read as {suffix_of(path)[1:]}: {error}") from error


def read_file(path: Path) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """Read a table from a file; of a Parquet file no more than the footer.

    Raises:
        InputError: If the file is empty or of an unknown kind.
        OSError: If it cannot be read, or `PolarsError` or `UnicodeError`; see `input_errors`.
    """
    import narwhals as nw
    import polars as pl

    suffix = suffix_of(path)
    if suffix in _PARQUET:
        scan = pl.scan_parquet(path)
        scan.collect_schema()  # reports a file that is not Parquet now, while its name is at hand
        return nw.from_native(scan)
    if suffix in _ARROW:
        return nw.from_native(pl.read_ipc(path))
    if suffix not in _TEXT:
        raise InputError(f"The file {str(path)!r} is of an unknown kind: use a .csv, .parquet or .arrow file.")
    head = read_head(path)
    if not head.strip():
        raise InputError(f"The file {str(path)!r} is empty.")
    if suffix == ".json":
        raise InputError(f"The file {str(path)!r} holds no sensor readings, and other JSON is not read. Use CSV.")
    return nw.from_native(_read_csv(path, head))


def _read_csv(path: Path, head: bytes) -> pl.DataFrame:
    """Read a CSV whose separator, line ends, decimal sign and encoding are guessed from its first bytes."""
    import polars as pl

    compressed = head.startswith((_GZIP, _ZSTD))
    separator, line_end, decimal_comma = (",", "\n", False) if compressed else _dialect(head)
    options: dict[str, Any] = {
        "separator": separator,
        "eol_char": line_end,
        "decimal_comma": decimal_comma,
        "encoding": "utf8" if compressed or _is_utf8(head) else "cp1252",
        "try_parse_dates": True,
        "null_values": list(MISSING_TEXTS),
    }
    try:
        return pl.read_csv(path, infer_schema_length=10_000, **options)
    except pl.exceptions.ComputeError:
        return pl.read_csv(path, infer_schema_length=None, **options)


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # the last character is cut
    return True


def _dialect(head: bytes) -> tuple[str, str, bool]:
    """Guess the separator, the line end, and whether commas are decimal signs."""
    line_end = "\n" if b"\n" in head else "\r"
    lines = [line for line in head.decode("utf-8", errors="replace").split(line_end) if line.strip()][:_HEAD_LINES]
    counts = {mark: lines[0].count(mark) for mark in (",", ";", "\t", "|")}
    separator = max(counts, key=lambda mark: counts[mark])
    points = any("." in field for line in lines[1:] for field in line.split(";")[1:])
    decimal_comma = separator == ";" and not points and any("," in line for line in lines[1:])
    return separator, line_end, decimal_comma
