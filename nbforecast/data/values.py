"""Reading a column of values, of whatever type, as floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast.data.dataset import DataWarning
from nbforecast.data.missing_texts import MISSING_MARKS, MISSING_TEXTS
from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

DECIMALS = (".", ",")
_GROUPED = {".": r"^[+-]?(?:\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d*)?(?:[eE][+-]?\d+)?$",
            ",": r"^[+-]?(?:\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d*)?(?:[eE][+-]?\d+)?$"}  # fmt: skip
_SPACED = r"(\d)[ '’\x{a0}\x{202f}](\d{3})"  # thousands
_LONG = r"^[+-]?\d{4,}$"  # four digits in a row, without thousands between them
_SAMPLE, _MOSTLY = 1_000, 0.6  # texts that tell whether a covariate is numbers, and the share that are
_TELLING = 8  # numbers such as 1,234 beside plain ones below 1000 from which on the comma groups thousands


def read_values(
    column: pl.Series, decimal: str | None = None
) -> tuple[Float64[np.ndarray, " rows"], list[DataWarning]]:
    """Convert a column of numbers, booleans or text.

    Args:
        column: The column under the user's name, which messages repeat.
        decimal: The decimal sign of text, `"."` or `","`, or None to decide by the whole column.

    Returns:
        The values, NaN where one is missing or infinite, and warnings of the flags `missing_marks` (text such as `-`)
        and `non_finite`.

    Raises:
        InputError: If a row is no number, if text such as `1,234` has two meanings, or if the column has another type.
    """
    import polars as pl

    dtype = column.dtype
    warnings: list[DataWarning] = []
    if dtype in (pl.Categorical, pl.Enum):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        column, warnings = _parse_numbers(column, decimal)
    elif not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        raise InputError(
            f"The column {column.name!r} holds {dtype}, not numbers. Name another one with {option('target')}."
        )
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    is_infinite = np.isinf(values)
    if not is_infinite.any():
        return values, warnings
    count, row = int(is_infinite.sum()), int(np.argmax(is_infinite))
    sentence = f"{plural(count, 'value is', 'values are')} infinite and count as missing (first: row {row})."
    return np.where(is_infinite, np.nan, values), [*warnings, DataWarning("non_finite", count, sentence)]


def read_covariate(column: pl.Series, decimal: str | None = None) -> tuple[pl.Series, list[DataWarning]]:
    """Convert a covariate whose text is mostly numbers, as values are; other text is categories and stays as it is.

    Args:
        column: The column under the user's name.
        decimal: The decimal sign of text, or None to decide by the whole column.

    Returns:
        The column, and warnings as of `read_values`.

    Raises:
        InputError: If some of the text is no number, or if all values are missing.
    """
    import polars as pl

    warnings: list[DataWarning] = []
    known = column.drop_nulls()
    if column.dtype == pl.String:
        texts = known.head(_SAMPLE).to_list()
        if texts and count_numbers(texts)[0] >= _MOSTLY * len(texts):
            values, warnings = read_values(column, decimal)
            column = pl.Series(column.name, values, nan_to_null=True)
    elif column.dtype.is_float():
        values, warnings = read_values(column)
        column = pl.Series(column.name, values, nan_to_null=True)
    if not column.drop_nulls().len():
        raise InputError(f"Every value of the covariate {column.name!r} is missing. Is it the right column?")
    return column, warnings


def count_numbers(texts: list[str]) -> tuple[int, int]:
    """Count the texts that are numbers or limits such as `<0.1`, and those that are whole, without a decimal sign."""
    import polars as pl

    text, _ = _without_missing(pl.Series("", texts, dtype=pl.String))
    text = _without_spaces(text.drop_nulls().str.replace(r"^[<>≤≥]\s*", ""))
    is_number = text.str.contains(_GROUPED["."]) | text.str.contains(_GROUPED[","])
    return int((is_number & text.str.contains(r"\d")).sum()), int(text.str.contains(r"^[-+]?\d+$").sum())


def number_text(text: pl.Expr) -> pl.Expr:
    """Return text of numbers without blanks around and between digits, null where a value is missing."""
    import polars as pl

    text = text.str.strip_chars()
    text = pl.when(~text.is_in([*MISSING_TEXTS, *MISSING_MARKS])).then(text).str.replace(r"^[−–]", "-")
    return text.str.replace_all(_SPACED, "${1}${2}").str.replace_all(_SPACED, "${1}${2}")


def count_signs(text: pl.Expr) -> dict[str, pl.Expr]:
    """Return aggregations of what `number_text` returns, for `choose_decimal`; sums over parts of a column add up."""
    has_comma = text.str.contains(",", literal=True)
    return {
        "point": text.str.contains(_GROUPED["."]).sum(),
        "comma": text.str.contains(_GROUPED[","]).sum(),
        "with_comma": has_comma.sum(),
        "without": (~has_comma).sum(),
        "long": text.str.contains(_LONG).sum(),
    }


def choose_decimal(counts: Mapping[str, int], name: str) -> str:
    """Return the decimal sign with which most text of a column is numbers.

    Args:
        counts: What the aggregations of `count_signs` return.
        name: The user's name of the column.

    Raises:
        InputError: If all of it is numbers with both signs, which differ.
    """
    if counts["point"] != counts["comma"] or not counts["with_comma"]:
        return "." if counts["point"] >= counts["comma"] else ","
    if counts["long"]:
        return ","  # thousands would be grouped there too
    if counts["with_comma"] >= _TELLING and counts["without"]:
        return "."
    raise InputError(
        f"The commas in {name!r} can stand before decimals ({option('decimal', ',')}) or between thousands "
        f"({option('decimal', '.')}). Say which with {option('decimal')}."
    )


def numbers_with(text: pl.Expr, sign: str) -> pl.Expr:
    """Return what `number_text` returns as floats, null where it is no number with a decimal sign."""
    import polars as pl

    group = "," if sign == "." else "."
    plain = text.str.replace_all(group, "", literal=True).str.replace(",", ".", literal=True)
    numbers = pl.when(text.str.contains(_GROUPED[sign])).then(plain).cast(pl.Float64, strict=False)
    return numbers if sign == "," else text.cast(pl.Float64, strict=False).fill_null(numbers)


def to_numbers(text: pl.Series, decimal: str | None = None) -> pl.Series | None:
    """Convert text that is numbers throughout and has one meaning.

    Args:
        text: Text without blanks around it, null where a value is missing.
        decimal: The decimal sign, or None to decide by all rows.

    Returns:
        Floats, or None if a row is no number in the way of writing of the others, or if two ways fit.
    """
    import polars as pl

    if decimal != ",":
        numbers = text.cast(pl.Float64, strict=False)
        if numbers.null_count() == text.null_count():
            return numbers
    text = _without_spaces(text)
    signs = [sign for sign in DECIMALS if decimal in (None, sign) and _fits(text, sign)]
    if len(signs) == 2:
        signs = _decide(text)
    if len(signs) != 1:
        return None
    group = "," if signs[0] == "." else "."
    plain = text.str.replace_all(group, "", literal=True).str.replace(",", ".", literal=True)
    numbers = plain.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == text.null_count() else None


def _parse_numbers(column: pl.Series, decimal: str | None) -> tuple[pl.Series, list[DataWarning]]:
    import polars as pl

    text, warnings = _without_missing(column)
    numbers = to_numbers(text, decimal)
    if numbers is not None:
        return numbers, warnings
    spaceless = _without_spaces(text)
    fitting = [sign for sign in DECIMALS if decimal in (None, sign) and _fits(spaceless, sign)]
    if len(fitting) == 2:
        row = int(spaceless.str.contains(",", literal=True).fill_null(False).arg_max() or 0)
        example = spaceless[row]
        meanings = ((example.replace(",", ""), "."), (example.replace(",", "."), ","))
        readings = " or ".join(f"{number} ({option('decimal', sign)})" for number, sign in meanings)
        raise InputError(
            f"Row {row} of {column.name!r} is {column[row]!r}, which can be {readings}. Say which with "
            f"{option('decimal')}."
        )
    is_wrong = text.is_not_null() & text.cast(pl.Float64, strict=False).is_null()
    wrong_by_sign = [text.is_not_null() & ~spaceless.str.contains(_GROUPED[sign]) & is_wrong for sign in DECIMALS]
    is_wrong = min((each for each in wrong_by_sign if each.any()), key=lambda each: each.sum(), default=is_wrong)
    row, count = int(is_wrong.arg_max() or 0), int(is_wrong.sum())
    examples = quoted(text.filter(is_wrong).unique(maintain_order=True).to_list(), most=3)
    others = f" ({count:,} such values in all: {examples})" if count > 1 else ""
    raise InputError(
        f"Row {row} of {column.name!r} is {column[row]!r}, which is no number{others}. Replace it by a number or "
        f"null, or name another column with {option('target')}."
    )


def _without_missing(column: pl.Series) -> tuple[pl.Series, list[DataWarning]]:
    """Return text without blanks around it, null where a value is missing, and a warning if a mark says so."""
    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING_TEXTS), None)
    is_mark = text.is_in(MISSING_MARKS).fill_null(False)
    count = int(is_mark.sum())
    if not count:
        return text, []
    marks = quoted(text.filter(is_mark).unique(maintain_order=True).to_list())
    row = int(is_mark.arg_max() or 0)
    verbs = ("is", "counts") if count == 1 else ("are", "count")
    sentence = (
        f"{plural(count, 'value')} of {column.name!r} {verbs[0]} {marks} and {verbs[1]} as missing (first: row {row})."
    )
    return text.set(is_mark, None), [DataWarning("missing_marks", count, sentence)]


def _without_spaces(text: pl.Series) -> pl.Series:
    """Return text with a plain minus sign and without spaces or apostrophes between thousands."""
    text = text.str.replace(r"^[−–]", "-")
    if not text.str.contains(_SPACED).any():
        return text
    return text.str.replace_all(_SPACED, "${1}${2}").str.replace_all(_SPACED, "${1}${2}")


def _fits(text: pl.Series, sign: str) -> bool:
    """Tell whether all text is numbers with this decimal sign, the other one between thousands."""
    return bool(text.drop_nulls().str.contains(_GROUPED[sign]).all())


def _decide(text: pl.Series) -> list[str]:
    """Return the decimal signs that numbers such as `1,234` leave open."""
    present = text.drop_nulls()
    has_comma = present.str.contains(",", literal=True)
    plain = present.filter(~has_comma)
    if plain.str.contains(_LONG).any():
        return [","]  # thousands would be grouped there too
    return ["."] if has_comma.sum() >= _TELLING and len(plain) else list(DECIMALS)
