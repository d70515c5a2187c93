"""Dates in several columns: a year, and a month or a quarter, and a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.data.date_formats import MONTH_NUMBERS
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

# In English, German, French, Spanish, Italian and Dutch.
_YEAR_NAMES = ("year", "yr", "yyyy", "jahr", "année", "annee", "an", "año", "ano", "anno", "jaar")
_PART_NAMES = {
    "month": ("month", "mon", "mo", "mth", "mm", "monat", "mois", "mes", "mese", "maand"),
    "quarter": ("quarter", "qtr", "q", "quartal", "trimestre", "kwartaal"),
    "day": ("day", "dd", "dom", "mday", "day_of_month", "dayofmonth", "tag", "jour", "día", "dia", "giorno", "dag"),
}
_LARGEST = {"month": 12, "quarter": 4, "day": 31}
_FIRST_YEAR, _LAST_YEAR = 1000, 2999


def is_year_name(name: str) -> bool:
    """Tell whether a column is called as one of years is."""
    return name.strip().casefold() in _YEAR_NAMES


def part_of_date(name: str) -> str | None:
    """Return "month", "quarter" or "day" if a column is called so, else None."""
    folded = name.strip().casefold()
    return next((part for part, names in _PART_NAMES.items() if folded in names), None)


def find_parts(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that complete a year: one of months, and of days if there is one, or one of quarters."""
    columns: dict[str, list[str]] = {}
    for name in names:
        if (part := part_of_date(name)) is not None:
            columns.setdefault(part, []).append(name)
    first = {part: found[0] for part, found in columns.items()}
    if "month" in first:
        return (first["month"], *((first["day"],) if "day" in first else ()))
    return (first["quarter"],) if "quarter" in first else ()


def join_dates(years: pl.Series, parts: Sequence[pl.Series]) -> pl.Series:
    """Return the dates of years and months, quarters and days, under the name of the years.

    Args:
        years: A column of whole numbers.
        parts: Columns that `part_of_date` knows, of numbers or of names of months.

    Raises:
        InputError: If a row is no date; the message names it.
    """
    import polars as pl

    numbers = {"month": pl.repeat(1, len(years), eager=True), "day": pl.repeat(1, len(years), eager=True)}
    _check_range(years, years.cast(pl.Int64, strict=False), "year", _FIRST_YEAR, _LAST_YEAR)
    for column in parts:
        part = part_of_date(column.name) or "day"
        number = _numbers(column, part)
        _check_range(column, number, part, 1, _LARGEST[part])
        if part == "quarter":
            part, number = "month", 3 * number - 2
        numbers[part] = number
    frame = pl.DataFrame([years.cast(pl.Int64).alias("year"), *(n.alias(part) for part, n in numbers.items())])
    text = pl.format("{}-{}-{}", *(pl.col(part).cast(pl.String).str.zfill(2) for part in ("year", "month", "day")))
    dates = frame.select(text.str.to_date("%Y-%m-%d", strict=False)).to_series()
    is_given = frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    is_wrong = is_given & dates.is_null()
    if is_wrong.any():
        row = int(is_wrong.arg_max() or 0)
        written = "-".join(str(frame[part][row]) for part in ("year", "month", "day"))
        raise InputError(f"Row {row} has the date {written}, which does not exist. Correct or drop it.")
    return dates.alias(years.name)


def _numbers(column: pl.Series, part: str) -> pl.Series:
    import polars as pl

    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return column.cast(pl.Int64, strict=False)
    text = column.str.strip_chars().str.to_lowercase().str.strip_chars_end(".")
    if part == "quarter":
        text = text.str.strip_chars_start("qtk ")
    numbers = text.cast(pl.Int64, strict=False)
    if part == "month":
        numbers = numbers.fill_null(text.replace_strict(MONTH_NUMBERS, default=None, return_dtype=pl.Int64))
    return numbers


def _check_range(column: pl.Series, numbers: pl.Series, part: str, low: int, high: int) -> None:
    is_wrong = column.is_not_null() & ~numbers.is_between(low, high).fill_null(False)
    if is_wrong.any():
        row = int(is_wrong.arg_max() or 0)
        raise InputError(f"Row {row} of {column.name!r} is {column[row]!r}, which is no {part}. Correct or drop it.")
