"""Ids of series as text: of one column or several, of any type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbforecast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

SEPARATOR = "/"  # between the parts of an id that several columns make


def id_expression(names: Sequence[str], schema: Mapping[str, pl.DataType]) -> pl.Expr:
    r"""Return the expression that makes the id of each row; null where a part is missing.

    Text stays as it is. Floats that are whole are written as integers, datetimes at midnight as dates, lists with
    commas. Several columns are joined by `/`. Commas in the parts of a list, a `/` in the parts of several columns, and
    every `\` get a `\` before them, so that different parts never make the same id.

    Args:
        names: The columns of ids, one or more.
        schema: The types of the columns.

    Raises:
        InputError: If the values of a column cannot be written as text.
    """
    import polars as pl

    parts = [_text(name, schema[name]) for name in names]
    if len(parts) > 1:
        parts = [part.str.replace_all(r"([/\\])", r"\${1}") for part in parts]
    return pl.concat_str(parts, separator=SEPARATOR, ignore_nulls=False)


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    import polars as pl

    ids = pl.col(name)
    if dtype.is_float():
        whole = ids.is_finite() & (ids == ids.floor()) & (ids.abs() < 2**63)
        other = pl.when(ids.is_not_nan()).then(ids.cast(pl.String))
        return pl.when(whole).then(ids.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(other)
    if isinstance(dtype, pl.Datetime):
        return ids.cast(pl.String).str.replace(r"\.0+(\D|$)", "${1}").str.replace(" 00:00:00$", "")
    if isinstance(dtype, (pl.List, pl.Array)):
        if not _has_text(dtype.inner):
            raise _no_id(name, dtype)
        listed = ids.arr.to_list() if isinstance(dtype, pl.Array) else ids
        parts = pl.element().cast(pl.String).str.replace_all(r"([,\\])", r"\${1}")
        return listed.list.eval(parts).list.join(", ", ignore_nulls=False)
    if not _has_text(dtype):
        raise _no_id(name, dtype)
    return ids.cast(pl.String)


def _has_text(dtype: Any) -> bool:
    """Tell whether values of a type can be written as text."""
    import polars as pl

    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object, pl.Duration)


def _no_id(name: str, dtype: pl.DataType) -> InputError:
    return InputError(f"The column of series ids {name!r} is of type {dtype}. Convert it to text or integers first.")
