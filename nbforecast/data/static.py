"""Static columns: one value for each series, such as the region of a shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.errors import InputError
from nbforecast.text import option, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    import polars as pl
    from jaxtyping import Int64

# names that `scores(by=)` and the tables of results give a meaning of their own
_OF_RESULTS = {"unique_id", "ds", "cutoff", "y", "index", "horizon", "time", "actual"}
_OF_GROUPS = {"series", "hour", "weekday", "month"}


def read_static(
    columns: Sequence[pl.Series],
    series: Int64[np.ndarray, " R"],
    ids: Sequence[str],
    groups: Collection[str] | None = None,
) -> pl.DataFrame:
    """Read columns that hold one value a series (H2).

    Args:
        columns: Columns of the user's table, a value for each of R rows. Rows without a value count for nothing.
        series: (R,) the number of each row's series.
        ids: The names of the S series.
        groups: The columns that `groups=` names, for errors.

    Returns:
        S rows in the order of `ids`: unique_id and the columns, null where a series has no value.

    Raises:
        InputError: If a series has several values in a column, or a column is called as one of the results.

    Example:
        >>> read_static([pl.Series("region", ["north", "north", "south"])], np.array([0, 0, 1]), ["a", "b"])["region"]
        ['north', 'south']
    """
    import polars as pl

    static = {"unique_id": pl.Series("unique_id", ids, pl.String)}
    for column in columns:
        argument = "groups" if groups is not None and column.name in groups else "static"
        if column.name in _OF_RESULTS | _OF_GROUPS:
            raise InputError(
                f"{option(argument, column.name)}: {column.name!r} has a meaning of its own in results. Rename it."
            )
        values = column.fill_nan(None) if column.dtype.is_float() else column
        rows = pl.DataFrame({"series": series, "value": values}).drop_nulls().unique(maintain_order=True)
        several = rows.filter(pl.col("series").is_duplicated())
        if len(several):
            first = several["series"][0]
            examples = quoted(several.filter(series=first)["value"].to_list(), 3)
            raise InputError(
                f"The column {column.name!r} changes within {several['series'].n_unique():,} of {len(ids):,} series: "
                f"{ids[first]!r} has {examples}. {option(argument)} takes columns of one value a series."
            )
        numbers = pl.DataFrame({"series": range(len(ids))}, schema_overrides={"series": rows.schema["series"]})
        static[column.name] = numbers.join(rows, on="series", how="left", maintain_order="left")["value"]
    return pl.DataFrame(static)
