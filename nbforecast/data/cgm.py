"""Raw exports of glucose sensors: Dexcom, Libre, Medtronic and others, through the library cgm-format."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from nbforecast.data.dataset import DataWarning
from nbforecast.data.missing_texts import MISSING_TEXTS
from nbforecast.data.time_of_day_columns import are_clock_times, read_clock
from nbforecast.data.timestamps import are_times, read_times
from nbforecast.errors import InputError, MissingExtra
from nbforecast.text import plural, quoted

if TYPE_CHECKING:
    import polars as pl

TIME = "time"
_VENDOR_MARKS = (
    "Glucose Value (mmol/L)", "Glucose Value (mg/dL)", "Timestamp (YYYY-MM-DDThh:mm:ss)", "Historic Glucose m",
    "Glucose Data,Generated", "FreeStyle Libre", "Serial Number,Device Timestamp", "Sensor Glucose (mg/dL)",
    "# CGM ENTRIES", "Date,Time,Glucose (mg/dL)",
)  # fmt: skip
_UNIFIED_MARKS = ("sequence_id", "event_type", "quality", "glucose")
# Names of columns in English, German, French, Spanish, Italian and Dutch.
_GLUCOSE_NAME = re.compile(r"(glu[ck]o|glyc[ée]m|gluc[ée]m|glicem)[^,;\t]*(mg/dl|mmol/l)", re.IGNORECASE)
_TIME_NAME = re.compile(r"time|date|zeit|datum|horodat|heure|fecha|hora|sello|marca|data|ora\b|tijd", re.IGNORECASE)
_OTHER_METER = re.compile(  # readings from a finger, not of the sensor
    r"strip|meter|streifen|tira|striscia|bandelette|[ée]lectrode|calibra|kalibr|\bbg\b", re.IGNORECASE
)
_SENSOR_EVENT = "EGV"  # how Clarity marks the sensor's own readings in all languages
_HEAD_BYTES, _HEAD_LINES = 1 << 16, 30  # a preamble is shorter
_FEWEST_SEPARATORS = 4  # of an export's head that is the first line
_MG_PER_MMOL = 18.0182
_LOW, _HIGH, _HIGHEST = 39.0, 401.0, 501.0  # mg/dL, just outside what Dexcom and Libre can measure
_LIMITS = {"hi": _HIGHEST, **dict.fromkeys(("low", "lo", "niedrig", "bas", "bajo", "basso", "laag"), _LOW),
           **dict.fromkeys(("high", "hoch", "haut", "élevé", "alto", "hoog"), _HIGH)}  # fmt: skip
_OUT_OF_RANGE = 1  # cgm-format's quality bit


def is_export(head: bytes) -> bool:
    """Tell by the first bytes of a text file whether it is the export of a sensor."""
    lines = _head_lines(head[:_HEAD_BYTES])
    if _is_known_vendor(lines):
        return True
    number = _find_header(lines)
    if number is None:
        return False
    return number > 0 or max(lines[number].count(mark) for mark in ",;\t") >= _FEWEST_SEPARATORS


def read_export(raw: bytes, name: str, date_order: str | None = None) -> tuple[pl.DataFrame, str, list[DataWarning]]:
    """Read the sensor's own readings from an export.

    Args:
        raw: The content of a file for which `is_export` is true.
        name: What messages call the file.
        date_order: How dates such as `1/2/24` are ordered, or None.

    Returns:
        A frame with the column `TIME` and one of readings in the unit of the file, and the name of the latter. Warnings
        of the flags `out_of_range` if any reading is "Low" or "High", and `unread_values` if any is another word.

    Raises:
        MissingExtra: If cgm-format is needed and not installed.
        InputError: If the file has no readings.
    """
    lines = _head_lines(raw[:_HEAD_BYTES])
    number = _find_header(lines)
    unit = "mmol/L" if number is not None and "mmol" in lines[number].lower() else "mg/dL"
    target = f"glucose ({unit})"
    readings: pl.DataFrame | None = None
    failure: Exception | None = None
    if _is_known_vendor(lines) and unit == "mg/dL":
        try:
            readings = _parse_by_library(raw, target)
            if _lacks_clock(readings):
                readings = None  # the times of day are in a column of their own
        except ValueError as error:  # the base of every error of cgm-format
            failure = error
    warnings: list[DataWarning] = []
    if readings is None and number is not None:
        try:
            readings, warnings = _parse_table(raw, lines, number, target, date_order)
        except InputError as error:
            failure = error
    if readings is None or readings.is_empty():
        reason = f": {failure}" if failure else ""
        raise InputError(f"The sensor export {name!r} has no glucose readings that can be read{reason}.")
    return readings.select(TIME, target), target, [*_range_warnings(readings, target, unit), *warnings]


def _parse_by_library(raw: bytes, target: str) -> pl.DataFrame:
    """Return times, readings and the column `is_limit` of an export that cgm-format knows."""
    import polars as pl

    unified: pl.DataFrame = _format_parser().parse_from_bytes(raw)
    readings = unified.filter((pl.col("event_type") == "EGV_READ") & pl.col("glucose").is_not_null())
    return readings.select(
        pl.col("datetime").dt.cast_time_unit("us").alias(TIME),
        pl.col("glucose").alias(target),
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


def _parse_table(
    raw: bytes, lines: list[str], number: int, target: str, date_order: str | None
) -> tuple[pl.DataFrame | None, list[DataWarning]]:
    """Return the same columns of a table below a preamble, in an export that cgm-format does not know.

    Exports in other languages, older ones of LibreView, and those of pumps with their repeated headers are such.
    """
    import polars as pl

    text = "\n".join(raw.decode("utf-8-sig", errors="replace").splitlines()[number:])
    separator = max(",;\t", key=lines[number].count)
    table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False, truncate_ragged_lines=True)
    names = [name for name in table.columns if _GLUCOSE_NAME.search(name) and not _OTHER_METER.search(name)]
    if not names:
        return None, []
    for name in table.columns:
        if (table[name].str.strip_chars() == _SENSOR_EVENT).any():
            table = table.filter(pl.col(name).str.strip_chars() == _SENSOR_EVENT)
    reading = pl.coalesce(pl.col(name).str.strip_chars().replace([*MISSING_TEXTS, "-", name], None) for name in names)
    table = table.with_columns(reading.str.to_lowercase().alias("")).filter(pl.col("").is_not_null())
    candidates = [name for name in table.columns if _TIME_NAME.search(name)]
    times = [name for name in candidates if are_times(table[name].head(_HEAD_LINES).to_list())]
    if not times:
        return None, []
    column = _add_clock(_local_times(table[times[0]], date_order), table.select(candidates))
    limits = table[""].replace_strict(_LIMITS, default=None, return_dtype=pl.Float64)
    if "mmol" in target:
        limits = (limits / _MG_PER_MMOL).round(1)
    numbers = table[""].str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    is_word = numbers.is_null() & limits.is_null()
    warnings = []
    if is_word.any():
        words = quoted(table[""].filter(is_word).unique(maintain_order=True).to_list(), most=3)
        sentence = f"{plural(int(is_word.sum()), 'reading is', 'readings are')} left out: {words}."
        warnings.append(DataWarning("unread_values", int(is_word.sum()), sentence))
    readings = pl.DataFrame([column.alias(TIME), numbers.fill_null(limits).alias(target)])
    return readings.with_columns(limits.is_not_null().alias("is_limit")).drop_nulls(), warnings


def _local_times(column: pl.Series, date_order: str | None) -> pl.Series:
    """Return dates or datetimes of the local clock."""
    import polars as pl

    parsed = read_times(column, date_order)
    numbers = parsed.times if parsed.local_times is None else parsed.local_times
    times = pl.Series(numbers.astype("datetime64[us]")).set(pl.Series(parsed.is_missing), None)
    return times.cast(pl.Date) if parsed.time_type == pl.Date else times


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


def _range_warnings(readings: pl.DataFrame, target: str, unit: str) -> list[DataWarning]:
    limits = readings.filter("is_limit")[target]
    if limits.is_empty():
        return []
    values = " and ".join(f"{value:g}" for value in limits.unique().sort())
    count = plural(len(limits), "reading is", "readings are")
    sentence = f"{count} beyond the sensor's range ('Low' or 'High') and stored as {values} {unit}."
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
