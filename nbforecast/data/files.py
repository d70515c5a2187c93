"""Reading CSV, Parquet and Arrow files as they come: other separators, line ends, decimal commas, sensor exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbforecast.data.source import Source
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

_SNIFFED = 1 << 16
_PARQUET = (".parquet", ".pq", ".parq")
_ARROW = (".arrow", ".feather", ".ipc")
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".json")


def open_file(path: Path, plain: bool = False) -> Source:
    """Open a table by its path; `plain`: columns were named, so a CSV is not taken for a sensor export.

    Raises `InputError` where the file is missing, of an unknown kind or unreadable.
    """
    import narwhals as nw
    import polars as pl

    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise InputError(f"The file {str(path)!r} {what}.")
    suffixes = [s.lower() for s in path.suffixes]
    suffix = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in (".gz", ".zst") else suffixes[-1] if suffixes else ""
    name = path.name.split(".")[0]
    try:
        if suffix in _PARQUET:
            scan = pl.scan_parquet(path)
            scan.collect_schema()  # a file that is none is told by its name
            return Source(nw.from_native(scan), name)
        if suffix in _ARROW:
            return Source(nw.from_native(pl.read_ipc(path)), name)
        if suffix in _TEXT:
            return _open_text(path, name, plain)
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise InputError(f"The file {str(path)!r} cannot be read as {suffix[1:]}: {error}") from error
    raise InputError(f"The file {str(path)!r} is of an unknown kind: use a .csv, .parquet or .arrow file.")


def _open_text(path: Path, name: str, plain: bool) -> Source:
    import narwhals as nw

    from nbforecast.data import cgm

    with path.open("rb") as file:
        head = file.read(_SNIFFED)
    if not head.strip():
        raise InputError(f"The file {str(path)!r} is empty.")
    if not plain and cgm.looks_like_export(head):
        return cgm.read_export(path)
    if path.suffix.lower() == ".json":
        raise InputError(f"The file {str(path)!r} holds no sensor readings, and other JSON is not read. Use CSV.")
    return Source(nw.from_native(read_csv(path, head)), name)


def read_csv(path: Path, head: bytes) -> pl.DataFrame:
    """Read a CSV whose separator, line ends, decimal sign and encoding are guessed from its first bytes."""
    import polars as pl

    compressed = head[:2] == b"\x1f\x8b" or head[:4] == b"\x28\xb5\x2f\xfd"
    separator, end, comma = (",", "\n", False) if compressed else _dialect(head)
    encoding = "utf8" if compressed or _is_utf8(head) else "cp1252"
    kept: dict[str, Any] = {"separator": separator, "eol_char": end, "decimal_comma": comma, "encoding": encoding,
                            "try_parse_dates": True, "null_values": list(MISSING_WORDS)}  # fmt: skip
    try:
        return pl.read_csv(path, infer_schema_length=10_000, **kept)
    except pl.exceptions.ComputeError:
        return pl.read_csv(path, infer_schema_length=None, **kept)


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # the last sign is cut
    return True


def _dialect(head: bytes) -> tuple[str, str, bool]:
    end = "\n" if b"\n" in head else "\r"
    lines = [line for line in head.decode("utf-8", errors="replace").split(end) if line.strip()][:20]
    counts = {mark: lines[0].count(mark) for mark in (",", ";", "\t", "|")}
    separator = max(counts, key=lambda mark: counts[mark])
    comma = separator == ";" and not any("." in f for line in lines[1:] for f in line.split(";")[1:])
    return separator, end, comma and any("," in line for line in lines[1:])
