"""Tables as files: the suffix of the path decides the format (X3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbforecast.atomic_write import atomic_write
from nbforecast.errors import MissingExtra, OptionError
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    import polars as pl

WORKBOOK = ".xlsx"
TABLE_SUFFIXES = (".csv", ".parquet", ".arrow", WORKBOOK)
_MOST_ROWS = 1_048_575  # of a sheet of Excel, below its head
_SHEET_NAME = 31  # letters of a name, at most
_FIVE_DIGITS = 1e5
_EXCEL_FORMATS = {"Float64": "General", "Int64": "0", "Datetime": "yyyy-mm-dd hh:mm", "Date": "yyyy-mm-dd"}


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook.

    Attributes:
        name: What it is called, in at most 31 letters.
        table: Its rows, under the heads that people read.
    """

    name: str
    table: pl.DataFrame


def is_table_path(text: str) -> bool:
    """Whether a text ends in a suffix of `TABLE_SUFFIXES`."""
    return Path(text).suffix.lower() in TABLE_SUFFIXES


def table_path(path: str | Path) -> Path:
    """Check the path of a table that will be written.

    Raises:
        OptionError: The suffix names no format, or the folder does not exist.
    """
    target = Path(path).expanduser()
    if not is_table_path(target.name):
        formats = ", ".join(TABLE_SUFFIXES)
        raise OptionError(f"A table is written as {formats}, not as {target.suffix or target.name!r}.")
    if not target.parent.is_dir():
        raise OptionError(f"There is no folder {str(target.parent)!r} to write {target.name!r} in.")
    return target


def write_parts(parts: Iterable[pl.DataFrame], path: str | Path) -> int:
    """Write a table that comes in parts; no more than a part is held in memory.

    Args:
        parts: Tables of one schema, one at least.
        path: A .csv, .parquet or .arrow file.

    Returns:
        The number of rows.

    Raises:
        OptionError: The path has another suffix, or its folder does not exist.
    """
    target = table_path(path)
    write = {".csv": _write_csv, ".parquet": _write_parquet, ".arrow": _write_arrow}.get(target.suffix.lower())
    if write is None:
        raise OptionError(f"A table in parts is written as .csv, .parquet or .arrow, not as {target.suffix}.")
    rows = 0

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for part in parts:
            rows += len(part)
            yield part

    with atomic_write(target) as file:
        write(counted(), file)
    return rows


def write_workbook(sheets: Sequence[Sheet], path: str | Path) -> None:
    """Write an Excel workbook. Times are those of their zone's clock, since Excel knows no zones.

    Args:
        sheets: The sheets, in their order.
        path: An .xlsx file.

    Raises:
        MissingExtra: The library xlsxwriter is not installed.
        OptionError: A table has more rows than a sheet.
    """
    try:
        from xlsxwriter import Workbook
    except ImportError:
        raise MissingExtra(
            'Excel files are written by the library xlsxwriter. Install it: pip install "nbforecast[excel]", or write '
            "a .csv file."
        ) from None
    for sheet in sheets:
        if len(sheet.table) > _MOST_ROWS:
            raise OptionError(
                f"The sheet {sheet.name!r} would have {plural(len(sheet.table), 'row')}, more than Excel's "
                f"{_MOST_ROWS:,}. Write a .parquet or .csv file, or ask for fewer origins."
            )
    target = table_path(path)
    # text that begins with = or http stays text; the memory of rows that are written is freed
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with atomic_write(target) as file, Workbook(file, options) as workbook:
        for sheet in sheets:
            _write_sheet(sheet, workbook)


def round_for_people(table: pl.DataFrame) -> pl.DataFrame:
    """Round numbers to five significant digits; digits before the decimal sign are never cut."""
    import polars as pl
    import polars.selectors as cs

    number = cs.float().cast(pl.Float64)
    return table.with_columns(
        pl.when(number.abs() >= _FIVE_DIGITS).then(number.round(0)).otherwise(number.round_sig_figs(5)).name.keep()
    )


def _write_csv(parts: Iterator[pl.DataFrame], file: BinaryIO) -> None:
    import polars as pl

    for number, part in enumerate(parts):
        times = part.select(pl.col(pl.Datetime))
        has_fractions = any((times[name].dt.microsecond() != 0).any() for name in times.columns)
        zone = "%:z" if any(getattr(dtype, "time_zone", None) for dtype in times.dtypes) else ""
        form = None if has_fractions else f"%Y-%m-%d %H:%M:%S{zone}"
        part.write_csv(file, include_header=number == 0, datetime_format=form)


def _write_parquet(parts: Iterator[pl.DataFrame], file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    writer: Any = None
    for part in parts:
        table = _to_arrow(part)
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema, compression="zstd", compression_level=1)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _write_arrow(parts: Iterator[pl.DataFrame], file: BinaryIO) -> None:
    import pyarrow as pa

    writer: Any = None
    for part in parts:
        table = _to_arrow(part)
        if writer is None:
            writer = pa.ipc.new_file(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _to_arrow(part: pl.DataFrame) -> Any:
    import polars as pl

    return part.to_arrow(compat_level=pl.CompatLevel.oldest())


def _write_sheet(sheet: Sheet, workbook: Any) -> None:
    import polars as pl

    table = round_for_people(sheet.table)
    local = [
        pl.col(name).dt.replace_time_zone(None)
        for name, dtype in table.schema.items()
        if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    ]
    table = table.with_columns(local)
    kinds: dict[Any, Any] = {
        name: _EXCEL_FORMATS.get(str(dtype.base_type()), "General") for name, dtype in table.schema.items()
    }
    table.write_excel(
        workbook,
        sheet.name[:_SHEET_NAME],
        column_formats=kinds,
        autofit=True,
        freeze_panes=(1, 0),
        table_style="Table Style Light 1",
    )
