"""Groups of a panel's series, by columns of one value a series or by a table of weights (J3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.errors import InputError, OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import did_you_mean, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from nbforecast.data.dataset import Dataset

TOTAL = "total"
SEPARATOR = "/"
_BY = "by= takes a column that static= names, a list of them, or a table with the columns unique_id and weight"


@dataclass(frozen=True, eq=False)
class Groups:
    """Weighted sums over the series of a panel.

    Attributes:
        ids: The names of the G groups, the most general ones first.
        levels: For each group the level that it belongs to: `total`, `region`, `region/item`.
        series: (S,) the numbers of the series that the groups consist of, ascending.
        weights: (G, S) what each series counts in each group, 0 where it is no part of it.
    """

    ids: tuple[str, ...]
    levels: tuple[str, ...]
    series: Int64[np.ndarray, " S"]
    weights: Float64[np.ndarray, "G S"]

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.ids)

    @property
    def sizes(self) -> Int64[np.ndarray, " G"]:
        """How many series each group has."""
        return (self.weights != 0).sum(1)

    def position(self, name: str) -> int:
        """Find the number of a group.

        Raises:
            OptionError: If no group has that name.
        """
        if name in self.ids:
            return self.ids.index(name)
        raise OptionError(
            f"No group is called {name!r}.{did_you_mean(str(name), self.ids)} There are {len(self):,}: "
            f"{quoted(self.ids, 8)}."
        )


def read_groups(data: Dataset, by: Any = None) -> Groups:
    """Find the groups that `by` names, on all levels up to the total.

    Args:
        data: A panel.
        by: None for the total alone; a column of `data.static`, or a list of columns, which are levels of a hierarchy:
            `["region", "item"]` makes the total, each region, and each item of each region. Or a table with the columns
            `unique_id` and `weight`, and `group` where it makes several: the series that it lacks count for nothing.

    Returns:
        The groups.

    Raises:
        OptionError: If `by` is none of these, or names a column that is not there.
        InputError: If a series has no value in a column, or the table names a series that is not there.
    """
    if by is None:
        return Groups((TOTAL,), (TOTAL,), np.arange(len(data.ids)), np.ones((1, len(data.ids))))
    if isinstance(by, str):
        return _group_by_columns(data, [by])
    if isinstance(by, list | tuple) and by and all(isinstance(column, str) for column in by):
        return _group_by_columns(data, by)
    table = nw.from_dict(by, backend="polars") if isinstance(by, dict) else nw.from_native(by, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if not isinstance(table, nw.DataFrame):
        raise OptionError(f"{_BY}, not {brief_repr(by)}.")
    import polars as pl

    return _group_by_weights(data, pl.from_arrow(table.to_arrow()))  # type: ignore[arg-type]


def _group_by_columns(data: Dataset, columns: Sequence[str]) -> Groups:
    import polars as pl

    table = data.static
    known = [] if table is None else table.columns[1:]
    missing = [column for column in columns if column not in known]
    if table is None or missing:
        names = columns if table is None else missing
        there = f" Named are {quoted(known)}." if known else ""
        raise OptionError(
            f"No column {quoted(names)} of one value a series is known: forecast with static={list(columns)!r}, which "
            f"names columns of the same table.{there}"
        )
    if len(set(columns)) < len(columns):
        raise OptionError(f"by= names a column twice: {list(columns)!r}.")
    texts = table.select(pl.col(column).cast(pl.String) for column in columns)
    for column in columns:
        lacking = np.flatnonzero(texts[column].is_null().to_numpy())
        if len(lacking):
            raise InputError(
                f"{plural(len(lacking), 'series has', 'series have')} no {column}: "
                f"{quoted([data.ids[n] for n in lacking], 5)}. Fill it in, or name the series that count in a table of "
                "weights."
            )
    levels, labels, weights = [TOTAL], [(TOTAL,)], [np.ones((1, len(data.ids)))]
    for depth in range(1, len(columns) + 1):
        numbers = texts[:, :depth].with_row_index("series").group_by(columns[:depth], maintain_order=True).agg("series")
        rows = numbers.sort(columns[:depth])
        levels += [SEPARATOR.join(columns[:depth])] * len(rows)
        labels += rows.drop("series").rows()
        members = np.zeros((len(rows), len(data.ids)))
        for group, numbers_of_group in enumerate(rows["series"].to_list()):
            members[group, numbers_of_group] = 1
        weights.append(members)
    return Groups(_name(levels, labels), tuple(levels), np.arange(len(data.ids)), np.concatenate(weights))


def _name(levels: Sequence[str], labels: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The names of groups: `north`, `north/tea`; `region=north` where two groups would have one name."""
    names = [SEPARATOR.join(label) for label in labels]
    if len(set(names)) == len(names):
        return tuple(names)
    columns = [() if level == TOTAL else level.split(SEPARATOR) for level in levels]
    return tuple(
        SEPARATOR.join(f"{column}={part}" for column, part in zip(own, label, strict=True)) if own else TOTAL
        for own, label in zip(columns, labels, strict=True)
    )


def _group_by_weights(data: Dataset, table: pl.DataFrame) -> Groups:
    import polars as pl

    lacking = [name for name in ("unique_id", "weight") if name not in table.columns]
    extra = [name for name in table.columns if name not in ("unique_id", "weight", "group")]
    if lacking or extra:
        raise OptionError(f"{_BY}, and with group where it makes several; this one has {quoted(table.columns)}.")
    if not table["weight"].dtype.is_numeric():
        raise InputError(f"The weights are of type {table['weight'].dtype}; they must be numbers.")
    group = pl.col("group").cast(pl.String) if "group" in table.columns else pl.lit(TOTAL)
    rows = table.select(pl.col("unique_id").cast(pl.String), group.alias("group"), pl.col("weight").cast(pl.Float64))
    if not len(rows):
        raise InputError("The table of weights has no row.")
    has_gap = rows.select(pl.any_horizontal(pl.all().is_null()) | ~pl.col("weight").is_finite()).to_series()
    if has_gap.any():
        raise InputError(f"Row {int(has_gap.arg_max() or 0) + 1} of the weights lacks a name or a finite number.")
    unknown = rows.filter(~pl.col("unique_id").is_in(list(data.ids)))["unique_id"].unique(maintain_order=True)
    if len(unknown):
        raise InputError(
            f"The weights name {plural(len(unknown), 'series that is', 'series that are')} not in the data: "
            f"{quoted(unknown.to_list(), 5)}. There are {len(data.ids):,}: {quoted(data.ids, 5)}."
        )
    twice = rows.filter(pl.struct("unique_id", "group").is_duplicated())
    if len(twice):
        raise InputError(f"The weights name series {twice['unique_id'][0]!r} twice in group {twice['group'][0]!r}.")
    rows = rows.filter(pl.col("weight") != 0)
    names = rows["group"].unique(maintain_order=True).to_list()
    numbers = {name: number for number, name in enumerate(data.ids)}
    series = np.array([numbers[name] for name in rows["unique_id"]], np.int64)
    asked, columns = np.unique(series, return_inverse=True)
    if not len(asked):
        raise InputError("Every weight is 0: nothing is left to add.")
    weights = np.zeros((len(names), len(asked)))
    weights[[names.index(name) for name in rows["group"]], columns] = rows["weight"].to_numpy()
    levels = (TOTAL,) if "group" not in table.columns else ("group",) * len(names)
    return Groups(tuple(names), levels, asked, weights)
