"""Reading a column of values, of whatever type, as floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast.data.dataset import DataWarning
from nbforecast.errors import InputError
from nbforecast.text import plural

if TYPE_CHECKING:
    import polars as pl

MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")


def read_values(column: pl.Series) -> tuple[Float64[np.ndarray, " rows"], list[DataWarning]]:
    """Convert a column of numbers, booleans or text.

    Args:
        column: The column under the user's name, which messages repeat.

    Returns:
        The values, NaN where one is missing or infinite, and a warning of flag `non_finite` if any is infinite.

    Raises:
        InputError: If a row is no number, or if the column has another type.
    """
    import polars as pl

    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        column = _parse_numbers(column)
    elif not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        raise InputError(f"The column {column.name!r} holds {dtype}, not numbers. Name another one with target=.")
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    is_infinite = np.isinf(values)
    if not is_infinite.any():
        return values, []
    count, row = int(is_infinite.sum()), int(np.argmax(is_infinite))
    sentence = f"{plural(count, 'value is', 'values are')} infinite and count as missing (first: row {row})."
    return np.where(is_infinite, np.nan, values), [DataWarning("non_finite", count, sentence)]


def _parse_numbers(column: pl.Series) -> pl.Series:
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING_TEXTS), None)
    numbers = text.cast(pl.Float64, strict=False)
    is_wrong = text.is_not_null() & numbers.is_null()
    if is_wrong.any():
        row, count = int(is_wrong.arg_max() or 0), int(is_wrong.sum())
        others = f" ({count:,} such values in all)" if count > 1 else ""
        raise InputError(
            f"Row {row} of {column.name!r} is {column[row]!r}, which is no number{others}. Replace it by a number or "
            "null, or name another column with target=."
        )
    return numbers


def count_numbers(texts: list[str]) -> tuple[int, int]:
    """Count the texts that are numbers or limits such as `<0.1`, and those that are whole, without a decimal sign."""
    import polars as pl

    text = pl.Series(texts, dtype=pl.String).str.strip_chars()
    text = text.filter(~text.is_in(MISSING_TEXTS))
    is_number = text.str.contains(r"^[<>≤≥]?\s*[-+]?\d[\d.,']*([eE][-+]?\d+)?$")
    return int(is_number.sum()), int(text.str.contains(r"^[-+]?\d+$").sum())
