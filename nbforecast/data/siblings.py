"""Siblings: the other series of a group, whose values a model reads beside a series' own."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.errors import InputError
from nbforecast.text import option, plural, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from nbforecast.data.dataset import Dataset

NONE = -1  # no series

_members: weakref.WeakKeyDictionary[Dataset, Int64[np.ndarray, "S G"]] = weakref.WeakKeyDictionary()


def number_groups(static: pl.DataFrame, columns: Sequence[str]) -> Int64[np.ndarray, " S"]:
    """Number the groups of series that have equal values in some columns.

    Args:
        static: A row for each of S series: unique_id and columns of one value a series.
        columns: The columns; none for one group of all series.

    Returns:
        (S,) the number of each series' group, by first appearance: what groups are called does not count.

    Raises:
        InputError: If a series has no value in a column.

    Example:
        >>> static = pl.DataFrame({"unique_id": ["a", "b", "c"], "region": ["north", "south", "north"]})
        >>> number_groups(static, ["region"])
        array([0, 1, 0])
    """
    for column in columns:
        lacking = static.filter(static[column].is_null())["unique_id"].to_list()
        if lacking:
            raise InputError(
                f"{plural(len(lacking), 'series has', 'series have')} no {column}: {quoted(lacking, 5)}. Fill it in: "
                f"{option('groups', column)} takes columns of one value for each series."
            )
    numbers: dict[tuple[object, ...], int] = {}
    labels = static.select(columns).rows() if columns else [()] * len(static)
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64)


def group_members(data: Dataset) -> Int64[np.ndarray, "S G"]:
    """The other series of each series' group.

    Args:
        data: A dataset of S series.

    Returns:
        (S, G) the numbers of series, ascending; `NONE` where a group has less than the largest one.
    """
    if data not in _members:
        groups = np.arange(len(data.ids)) if data.groups is None else data.groups
        by_group = np.argsort(groups, kind="stable")
        ends = np.cumsum(np.bincount(groups))
        starts = np.append(0, ends[:-1])
        members = np.full((len(groups), int((ends - starts).max()) - 1), NONE)
        for series, group in enumerate(groups.tolist()):
            of_group = by_group[starts[group] : ends[group]]
            members[series, : len(of_group) - 1] = of_group[of_group != series]
        _members[data] = members
    return _members[data]


def cut_series(
    data: Dataset, series: Int64[np.ndarray, "W V"], steps: Int64[np.ndarray, " W"], context: int
) -> Float64[np.ndarray, "W L V"]:
    """Cut the values of some series at the same times (L1).

    Args:
        data: The dataset.
        series: (W, V) the numbers of the series, `NONE` for none.
        steps: (W,) the grid steps at which the contexts end.
        context: L, the length of a context in steps.

    Returns:
        (W, L, V) values up to the steps, NaN where nothing was observed, and before and after a series.
    """
    first = data.frequency.to_step(data.time[data.offsets[:-1]])
    places = (steps[:, None] - first[series])[:, None] + np.arange(1 - context, 1)[:, None]
    is_inside = (series != NONE)[:, None] & (places >= 0) & (places < data.lengths[series][:, None])
    return np.where(is_inside, data.values[np.where(is_inside, places + data.offsets[series][:, None], 0)], np.nan)
