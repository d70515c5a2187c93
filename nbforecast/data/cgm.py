"""Raw exports of glucose sensors: Dexcom, Libre, Medtronic and others, through the library cgm-format."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from nbforecast.data.dataset import DataWarning
from nbforecast.data.source import Source
from nbforecast.data.timestamps import parse_text
from nbforecast.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

TIME, TARGET = "time", "glucose (mg/dL)"
_VENDOR_MARKS = (
    "Glucose Value (mmol/L)", "Glucose Value (mg/dL)", "Timestamp (YYYY-MM-DDThh:mm:ss)", "Historic Glucose m",
    "Glucose Data,Generated", "FreeStyle Libre", "Serial Number,Device Timestamp", "Sensor Glucose (mg/dL)",
    "# CGM ENTRIES", "Date,Time,Glucose (mg/dL)",
)  # fmt: skip
_UNIFIED_MARKS = ("sequence_id", "event_type", "quality", "glucose")
_HEADER = re.compile(r"glucose[^,;\t]*(mg/dl|mmol/l)", re.IGNORECASE)
_TIME_NAME = re.compile(r"time|date|zeit|fecha|heure", re.IGNORECASE)
_LOOKED_AT = 30  # lines of preamble
_MMOL_TO_MGDL = 18.0182
_BEYOND = {"low": 39.0, "lo": 39.0, "high": 401.0, "hi": 501.0}  # just outside what Dexcom and Libre can measure
_OUT_OF_RANGE = 1  # cgm-format's quality bit


def looks_like_export(head: bytes) -> bool:
    """Whether the first bytes of a text file are those of a sensor's export."""
    lines = _lines(head)
    if _vendor(lines):
        return True
    number = _header_line(lines)
    return number is not None and (number > 0 or lines[number].count(",") >= 4)


def read_export(path: Path) -> Source:
    """Read the sensor's own readings from an export, in mg/dL.

    Raises `MissingExtra` where cgm-format is needed and absent, `InputError` where the file is no export after all.
    """
    import narwhals as nw

    raw = path.read_bytes()
    lines = _lines(raw[: 1 << 16])
    frame: pl.DataFrame | None = None
    failure: Exception | None = None
    if _vendor(lines):
        try:
            frame = _through_library(raw)
        except ValueError as error:  # every error of cgm-format is one
            failure = error
    if frame is None:
        try:
            frame = _plain_table(raw, lines)
        except InputError as error:
            failure = failure or error
    if frame is None or frame.is_empty():
        why = f": {failure}" if failure else ""
        raise InputError(f"The sensor export {str(path)!r} has no glucose readings that can be read{why}.")
    warnings = _about_range(frame)
    return Source(nw.from_native(frame.select(TIME, TARGET)), path.name.split(".")[0], TIME, TARGET, warnings=warnings)


def _through_library(raw: bytes) -> pl.DataFrame:
    import polars as pl

    unified: pl.DataFrame = _parser().parse_from_bytes(raw)
    readings = unified.filter((pl.col("event_type") == "EGV_READ") & pl.col("glucose").is_not_null())
    beyond = (pl.col("quality") & _OUT_OF_RANGE) != 0
    return readings.select(
        pl.col("datetime").dt.cast_time_unit("us").alias(TIME), pl.col("glucose").alias(TARGET), beyond.alias("beyond")
    )


def _parser() -> Any:
    try:
        from cgm_format import FormatParser
    except ImportError as error:
        raise MissingExtra(
            'Reading the exports of glucose sensors needs the library cgm-format: pip install "nbforecast[cgm]".'
        ) from error
    return FormatParser


def _plain_table(raw: bytes, lines: list[str]) -> pl.DataFrame | None:
    """Exports that cgm-format does not know (older LibreView, de-identified copies): a table below a preamble."""
    import polars as pl

    number = _header_line(lines)
    if number is None:
        return None
    text = "\n".join(raw.decode("utf-8-sig", errors="replace").splitlines()[number:])
    separator = max(",;\t", key=lines[number].count)
    table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False, truncate_ragged_lines=True)
    times = [c for c in table.columns if _TIME_NAME.search(c)]
    glucose = [c for c in table.columns if _HEADER.search(c) and not re.search("strip|meter", c, re.IGNORECASE)]
    if not times or not glucose:
        return None
    scale = _MMOL_TO_MGDL if "mmol" in glucose[0].lower() else 1.0
    words = pl.coalesce(pl.col(c).str.strip_chars().replace("", None) for c in glucose)
    readings = table.select(parse_text(table[times[0]]).alias(TIME), words.str.to_lowercase().alias("words"))
    readings = readings.drop_nulls()
    numbers = pl.col("words").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False) * scale
    limits = pl.col("words").replace_strict(_BEYOND, default=None, return_dtype=pl.Float64)
    found = readings.select(TIME, pl.coalesce(numbers, limits).alias(TARGET), limits.is_not_null().alias("beyond"))
    return found.drop_nulls()


def _about_range(frame: pl.DataFrame) -> tuple[DataWarning, ...]:
    beyond = frame.filter("beyond")[TARGET]
    if beyond.is_empty():
        return ()
    kept = " and ".join(f"{v:g}" for v in beyond.unique().sort())
    are = "reading is" if len(beyond) == 1 else "readings are"
    sentence = f"{len(beyond):,} {are} beyond the sensor's range ('Low' or 'High'), kept as {kept} mg/dL."
    return (DataWarning("out_of_range", len(beyond), sentence),)


def _lines(head: bytes) -> list[str]:
    return head.decode("utf-8-sig", errors="replace").splitlines()[:_LOOKED_AT]


def _vendor(lines: list[str]) -> bool:
    if lines and all(mark in lines[0] for mark in _UNIFIED_MARKS):
        return True
    return any(mark in line for line in lines for mark in _VENDOR_MARKS)


def _header_line(lines: list[str]) -> int | None:
    for number, line in enumerate(lines):
        if _HEADER.search(line) and _TIME_NAME.search(line):
            return number
    return None
