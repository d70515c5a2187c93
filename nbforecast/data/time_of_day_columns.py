"""Times of day in a column of their own, which complete the dates of another one."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.data.missing_texts import drop_missing
from nbforecast.errors import InputError
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    import polars as pl

_CLOCK = r"^(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}(?:[.,]\d+)?))?\s*(?:([AaPp])\.?[Mm]\.?|[Uu]hr)?$"
_HOUR_NAMES = ("hour", "hours", "hr", "hour_of_day", "hourofday", "hour of day", "hour_ending", "hour ending", "he",
               "stunde", "heure", "hora", "ora", "uur")  # fmt: skip
_LAST_HOUR = 24


def are_clock_times(values: list[Any]) -> bool:
    """Tell whether the first values of a column of text or objects are times of day."""
    present = drop_missing(values)
    return bool(present) and all(
        isinstance(value, dt.time) or (isinstance(value, str) and re.match(_CLOCK, value.strip()) is not None)
        for value in present
    )


def is_hour_name(name: str) -> bool:
    """Tell whether a column of integers is called as one of hours is."""
    return name.strip().casefold() in _HOUR_NAMES


def read_clock(column: pl.Series) -> tuple[Int64[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Convert a column of times of day, text such as 13:45 or 1:45 PM, or hours as numbers.

    Hours from 1 to 24 count as the hours that begin at 0:00 to 23:00; 24:00 as text is the next midnight.

    Args:
        column: The column under the user's name, which messages repeat.

    Returns:
        Microseconds since midnight, and where there is no time.

    Raises:
        InputError: If a row is no time of day.
    """
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Time:
        micros = column.cast(pl.Int64) // 1_000
    elif dtype.is_numeric():
        micros = _read_hours(column)
    else:
        micros = _read_text(column.cast(pl.String))
    is_given = column.is_not_null()
    if dtype == pl.String:
        is_given &= column.str.strip_chars() != ""
    is_wrong = is_given & micros.is_null()
    if is_wrong.any():
        row = int(is_wrong.arg_max() or 0)
        raise InputError(
            f"Row {row} of {column.name!r} is {column[row]!r}, which is no time of day such as 13:45. Correct "
            "or drop it."
        )
    return micros.fill_null(0).to_numpy(), micros.is_null().to_numpy()


def _read_hours(column: pl.Series) -> pl.Series:
    import polars as pl

    hours = column.cast(pl.Float64)
    hours = hours.set(~hours.is_between(0, _LAST_HOUR), None)
    if hours.min() == 1 and hours.max() == _LAST_HOUR:
        hours = hours - 1
    return (hours * HOUR).round().cast(pl.Int64)


def _read_text(column: pl.Series) -> pl.Series:
    import polars as pl

    parts = column.str.strip_chars().str.extract_groups(_CLOCK).struct.unnest()
    hour, minute = parts["1"].cast(pl.Int64), parts["2"].cast(pl.Int64)
    second = parts["3"].str.replace(",", ".").cast(pl.Float64).fill_null(0.0)
    half = parts["4"].str.to_lowercase()
    hour = pl.select(
        pl.when(half == "p").then(hour % 12 + 12).when(half == "a").then(hour % 12).otherwise(hour)
    ).to_series()
    micros = hour * HOUR + minute * MINUTE + (second * SECOND).round().cast(pl.Int64)
    return micros.set((minute >= 60) | (second >= 60) | (micros > DAY), None)
