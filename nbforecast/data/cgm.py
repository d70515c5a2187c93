"""Raw exports of glucose sensors: Dexcom, Libre, Medtronic and others, through the library cgm-format."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from nbforecast.data.clock import are_clock_times, read_clock
from nbforecast.data.dataset import DataWarning
from nbforecast.data.timestamps import read_times
from nbforecast.errors import InputError, MissingExtra
from nbforecast.text import plural

if TYPE_CHECKING:
    import polars as pl

TIME, TARGET = "time", "glucose (mg/dL)"
_VENDOR_MARKS = (
    "Glucose Value (mmol/L)", "Glucose Value (mg/dL)", "Timestamp (YYYY-MM-DDThh:mm:ss)", "Historic Glucose m",
    "Glucose Data,Generated", "FreeStyle Libre", "Serial Number,Device Timestamp", "Sensor Glucose (mg/dL)",
    "# CGM ENTRIES", "Date,Time,Glucose (mg/dL)",
)  # fmt: skip
_UNIFIED_MARKS = ("sequence_id", "event_type", "quality", "glucose")
_GLUCOSE_NAME = re.compile(r"glucose[^,;\t]*(mg/dl|mmol/l)", re.IGNORECASE)
_TIME_NAME = re.compile(r"time|date|zeit|fecha|heure", re.IGNORECASE)
_OTHER_METER = re.compile("strip|meter", re.IGNORECASE)  # readings from a finger, not of the sensor
_HEAD_BYTES, _HEAD_LINES = 1 << 16, 30  # a preamble is shorter
_FEWEST_COMMAS = 4  # of an export's head that is the first line
_MMOL_TO_MGDL = 18.0182
_LIMITS = {"low": 39.0, "lo": 39.0, "high": 401.0, "hi": 501.0}  # just outside what Dexcom and Libre can measure
_OUT_OF_RANGE = 1  # cgm-format's quality bit


def is_export(head: bytes) -> bool:
    """Tell by the first bytes of a text file whether it is the export of a sensor."""
    lines = _head_lines(head[:_HEAD_BYTES])
    if _is_known_vendor(lines):
        return True
    number = _find_header(lines)
    return number is not None and (number > 0 or lines[number].count(",") >= _FEWEST_COMMAS)


def read_export(raw: bytes, name: str) -> tuple[pl.DataFrame, list[DataWarning]]:
    """Read the sensor's own readings from an export.

    Args:
        raw: The content of a file for which `is_export` is true.
        name: What messages call the file.

    Returns:
        A frame with the columns `TIME` and `TARGET`, in mg/dL, and a warning of flag `out_of_range` if any reading is
        "Low" or "High".

    Raises:
        MissingExtra: If cgm-format is needed and not installed.
        InputError: If the file has no readings.
    """
    lines = _head_lines(raw[:_HEAD_BYTES])
    readings: pl.DataFrame | None = None
    failure: Exception | None = None
    if _is_known_vendor(lines):
        try:
            readings = _parse_by_library(raw)
            if _lacks_clock(readings):
                readings = None  # the times of day are in a column of their own
        except ValueError as error:  # the base of every error of cgm-format
            failure = error
    if readings is None:
        try:
            readings = _parse_table(raw, lines)
        except InputError as error:
            failure = failure or error
    if readings is None or readings.is_empty():
        reason = f": {failure}" if failure else ""
        raise InputError(f"The sensor export {name!r} has no glucose readings that can be read{reason}.")
    return readings.select(TIME, TARGET), _range_warnings(readings)


def _parse_by_library(raw: bytes) -> pl.DataFrame:
    """Return the columns `TIME`, `TARGET` and `is_limit` of an export that cgm-format knows."""
    import polars as pl

    unified: pl.DataFrame = _format_parser().parse_from_bytes(raw)
    readings = unified.filter((pl.col("event_type") == "EGV_READ") & pl.col("glucose").is_not_null())
    return readings.select(
        pl.col("datetime").dt.cast_time_unit("us").alias(TIME),
        pl.col("glucose").alias(TARGET),
        ((pl.col("quality") & _OUT_OF_RANGE) != 0).alias("is_limit"),
    )


def _format_parser() -> Any:
    try:
        from cgm_format import FormatParser
    except ImportError as error:
        raise MissingExtra(
            'Reading the exports of glucose sensors needs the library cgm-format: pip install "nbforecast[cgm]".'
        ) from error
    return FormatParser


def _parse_table(raw: bytes, lines: list[str]) -> pl.DataFrame | None:
    """Return the same columns of a table below a preamble, in an export that cgm-format does not know.

    Older exports of LibreView and de-identified copies are such.
    """
    import polars as pl

    number = _find_header(lines)
    if number is None:
        return None
    text = "\n".join(raw.decode("utf-8-sig", errors="replace").splitlines()[number:])
    separator = max(",;\t", key=lines[number].count)
    table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False, truncate_ragged_lines=True)
    time_columns = [name for name in table.columns if _TIME_NAME.search(name)]
    glucose_columns = [name for name in table.columns if _GLUCOSE_NAME.search(name) and not _OTHER_METER.search(name)]
    if not time_columns or not glucose_columns:
        return None
    scale = _MMOL_TO_MGDL if "mmol" in glucose_columns[0].lower() else 1.0
    readings = pl.coalesce(pl.col(name).str.strip_chars().replace("", None) for name in glucose_columns)
    column = read_times(table[time_columns[0]])
    local = column.times if column.local_times is None else column.local_times
    times = pl.Series(local.astype("datetime64[us]")).set(pl.Series(column.is_missing), None)
    times = times.cast(column.time_type if column.time_type == pl.Date else pl.Datetime("us"))
    times = _add_clock(times, table.select(time_columns[1:]))
    texts = table.select(times.alias(TIME), readings.str.to_lowercase().alias("reading")).drop_nulls()
    numbers = pl.col("reading").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False) * scale
    limits = pl.col("reading").replace_strict(_LIMITS, default=None, return_dtype=pl.Float64)
    return texts.select(
        TIME, pl.coalesce(numbers, limits).alias(TARGET), limits.is_not_null().alias("is_limit")
    ).drop_nulls()


def _lacks_clock(readings: pl.DataFrame) -> bool:
    """Tell whether several readings share each date and none has a time of day."""
    times = readings[TIME]
    return len(times) > times.n_unique() and bool((times.dt.truncate("1d") == times).all())


def _add_clock(times: pl.Series, others: pl.DataFrame) -> pl.Series:
    """Add the times of day of the first other column that holds such to dates without any."""
    import polars as pl

    clocks = [name for name in others.columns if are_clock_times(others[name].head(_HEAD_LINES).to_list())]
    if times.dtype != pl.Date or not clocks:
        return times
    clock, is_missing = read_clock(others[clocks[0]])
    joined = times.cast(pl.Datetime("us")) + pl.Series(clock).cast(pl.Duration("us"))
    return joined.set(pl.Series(is_missing), None)


def _range_warnings(readings: pl.DataFrame) -> list[DataWarning]:
    limits = readings.filter("is_limit")[TARGET]
    if limits.is_empty():
        return []
    values = " and ".join(f"{value:g}" for value in limits.unique().sort())
    count = plural(len(limits), "reading is", "readings are")
    sentence = f"{count} beyond the sensor's range ('Low' or 'High') and stored as {values} mg/dL."
    return [DataWarning("out_of_range", len(limits), sentence)]


def _head_lines(head: bytes) -> list[str]:
    return head.decode("utf-8-sig", errors="replace").splitlines()[:_HEAD_LINES]


def _is_known_vendor(lines: list[str]) -> bool:
    if lines and all(mark in lines[0] for mark in _UNIFIED_MARKS):
        return True
    return any(mark in line for line in lines for mark in _VENDOR_MARKS)


def _find_header(lines: list[str]) -> int | None:
    """Return the number of the line that names a column of times and one of glucose."""
    for number, line in enumerate(lines):
        if _GLUCOSE_NAME.search(line) and _TIME_NAME.search(line):
            return number
    return None
