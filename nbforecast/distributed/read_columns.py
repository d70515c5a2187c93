"""Times and values of the files of a panel as columns of one type, read as `nbforecast.data.prepare` reads them.

Text is decided by all files together, before any of them is split into partitions: a partition alone could decide
otherwise. Only the different texts of times are in memory.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from nbforecast.data.missing_texts import MISSING_TEXTS
from nbforecast.data.text_times import find_readable
from nbforecast.data.timestamps import read_times
from nbforecast.data.values import choose_decimal, count_signs, number_text, numbers_with
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data.timestamps import TimeColumn

_log = logging.getLogger("nbforecast.distributed")
_TEXT = (pl.String, pl.Categorical, pl.Enum)
_WRITTEN, _MEANING = "_text_of_time", "_time_of_text"  # columns
_MISSING = [*MISSING_TEXTS, "NaT"]


class Reading(NamedTuple):
    """A column of a file as numbers or times.

    Attributes:
        values: The expression of the values, null where one is missing or cannot be read.
        unreadable: The expression of the text of those that cannot be read, null elsewhere.
    """

    values: pl.Expr
    unreadable: pl.Expr


def read_times_of(
    scans: Sequence[pl.LazyFrame], column: str, date_order: str | None
) -> tuple[list[pl.LazyFrame], list[Reading]]:
    """Return how the times of each scan are read; they have one type.

    Args:
        scans: The files of each schema.
        column: The column of times.
        date_order: How text such as `1/2/24` is ordered, or None to decide by all files.

    Returns:
        The scans, with what their text means as a further column, and the readings.

    Raises:
        InputError: If the files have times of different kinds, or text that can be read in several ways.
    """
    kinds = [scan.collect_schema()[column] for scan in scans]
    others = [kind for kind in dict.fromkeys(kinds) if kind not in (*_TEXT, pl.Null)]
    is_text = [kind in _TEXT for kind in kinds]
    if any(is_text) and others and not any(kind.is_temporal() for kind in others):
        is_text, others = [kind != pl.Null for kind in kinds], []  # numbers among text are text, too
    with_text = [
        scan.with_columns(pl.col(column).cast(pl.String).alias(_WRITTEN)) if text else scan
        for scan, text in zip(scans, is_text, strict=True)
    ]
    parts = [scan.select(_WRITTEN) for scan, text in zip(with_text, is_text, strict=True) if text]
    texts = pl.concat(parts).unique().collect(engine="streaming").to_series().drop_nulls() if parts else pl.Series()
    if texts.is_empty():
        common = _common_type(others)
        return list(scans), [_typed_reading(column, kind, common) for kind in kinds]
    read = _read_texts(texts.alias(column), date_order)
    common = _common_type([*others, read.dtype])
    meanings = pl.LazyFrame([texts.alias(_WRITTEN), _to_common(read, common).alias(_MEANING)])
    joined = [
        scan.join(meanings, on=_WRITTEN, how="left", maintain_order="none") if text else scan
        for scan, text in zip(with_text, is_text, strict=True)
    ]
    readings = [
        _text_reading() if text else _typed_reading(column, kind, common)
        for text, kind in zip(is_text, kinds, strict=True)
    ]
    return joined, readings


def _read_texts(texts: pl.Series, date_order: str | None) -> pl.Series:
    """Read different texts as dates, datetimes or integers; those with an offset from UTC as text in ISO format."""
    try:
        column = read_times(texts, date_order)
    except InputError as error:
        is_readable = find_readable(texts, date_order)
        if is_readable is None or 2 * int(is_readable.sum()) < len(texts):
            raise InputError(f"Of the different times in the files: {error}") from error
        column = read_times(texts.set(~is_readable, None), date_order)
    for warning in column.warnings:
        _log.warning("%s", warning)
    return _as_series(column)


def _as_series(column: TimeColumn) -> pl.Series:
    times = pl.Series(column.times if column.local_times is None else column.local_times)
    if not column.has_calendar:
        return times.set(pl.Series(column.is_missing), None)
    moments = times.cast(pl.Datetime("us")).set(pl.Series(column.is_missing), None)
    if column.local_times is None:
        return moments.cast(column.time_type)
    offset = pl.Series(column.local_times - column.times) // 60_000_000
    sign = pl.select(pl.when(offset < 0).then(pl.lit("-")).otherwise(pl.lit("+"))).to_series()
    hours, minutes = (part.cast(pl.String).str.zfill(2) for part in (offset.abs() // 60, offset.abs() % 60))
    return moments.dt.to_string("%Y-%m-%d %H:%M:%S%.6f") + sign + hours + ":" + minutes


def _common_type(kinds: list[pl.DataType]) -> pl.DataType:
    """Return the common type of times of several types; text among them has offsets from UTC."""
    types = list(dict.fromkeys(kinds)) or [pl.Null()]
    if len(types) == 1:
        return types[0]
    if all(kind.is_numeric() for kind in types):
        return pl.Int64()
    has_offset, moments = pl.String() in types, [kind for kind in types if kind.is_temporal()]
    zones = {kind.time_zone if isinstance(kind, pl.Datetime) else None for kind in moments}
    if len(zones) != 1 or (has_offset and zones == {None}) or len(moments) + has_offset < len(types):
        raise InputError(
            f"The files of the source have times of different kinds: {', '.join(map(str, types))}. Write them with "
            "one time zone, or without any."
        )
    return pl.Datetime("us", zones.pop())


def _to_common(read: pl.Series, common: pl.DataType) -> pl.Series:
    """Convert times that were text to the type that those of other files have."""
    if read.dtype == common:
        return read
    if isinstance(common, pl.Datetime) and common.time_zone is not None:
        if read.dtype == pl.String:
            moments = read.str.to_datetime("%Y-%m-%d %H:%M:%S%.6f%:z", time_unit="us")
            return moments.dt.convert_time_zone(common.time_zone)
        moments = read.cast(pl.Datetime("us"))
        return moments.dt.replace_time_zone(common.time_zone, ambiguous="earliest", non_existent="null")
    return read.cast(common)


def _text_reading() -> Reading:
    text, times = pl.col(_WRITTEN), pl.col(_MEANING)
    is_missing = text.is_null() | text.str.strip_chars().is_in(_MISSING)
    return Reading(times, pl.when(~is_missing & times.is_null()).then(text))


def _typed_reading(column: str, kind: pl.DataType, common: pl.DataType) -> Reading:
    times = pl.col(column)
    if kind == common:
        return Reading(times, pl.lit(None, pl.String))
    converted = times.cast(common, strict=False)
    return Reading(converted, pl.when(times.is_not_null() & converted.is_null()).then(times.cast(pl.String)))


def read_values_of(scans: Sequence[pl.LazyFrame], column: str, decimal: str | None) -> list[Reading]:
    """Return how the values of each scan are read.

    Args:
        scans: The files of each schema.
        column: The column of values.
        decimal: The decimal sign of text, or None to decide by all files.

    Raises:
        InputError: If text such as `1,234` has two meanings.
    """
    kinds = [scan.collect_schema()[column] for scan in scans]
    texts = [scan for scan, kind in zip(scans, kinds, strict=True) if kind in _TEXT]
    sign = decimal or "."
    if texts and decimal is None:
        text = number_text(pl.col(column).cast(pl.String))
        counts = pl.concat([scan.select(**count_signs(text)) for scan in texts]).sum().collect(engine="streaming")
        sign = choose_decimal(counts.row(0, named=True), column)
    return [_value_reading(column, kind, sign) for kind in kinds]


def _value_reading(column: str, kind: pl.DataType, sign: str) -> Reading:
    values = pl.col(column)
    if kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        return Reading(values.cast(pl.Float64), pl.lit(None, pl.String))
    if kind in _TEXT:
        text = number_text(values.cast(pl.String))
        numbers = numbers_with(text, sign)
        return Reading(numbers, pl.when(numbers.is_null()).then(text))
    return Reading(pl.lit(None, pl.Float64), pl.when(values.is_not_null()).then(pl.lit(f"of type {kind}")))
