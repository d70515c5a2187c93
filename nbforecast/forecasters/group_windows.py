"""Windows of groups: the values of several series as of one time, from which each of them is forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.siblings import cut_series, group_members

if TYPE_CHECKING:
    from nbforecast.data import Dataset


class GroupWindows(NamedTuple):
    """W windows of V series each.

    Attributes:
        rows: A row of the first series of each window, which the window ends at.
        values: Observed values less `location`, NaN where there is none. A series without any is none of the window's.
        location: The last observed value of each series, as float32 has it; 0 where there is none.
        window, place: The window and the place in it of each requested row's series.
    """

    rows: Int64[np.ndarray, " W"]
    values: Float64[np.ndarray, "W L V"]
    location: Float64[np.ndarray, "W V"]
    window: Int64[np.ndarray, " R"]
    place: Int64[np.ndarray, " R"]


def cut_group_windows(data: Dataset, rows: Int64[np.ndarray, " R"], context: int, *, is_shared: bool) -> GroupWindows:
    """Cut the contexts of some rows with those of the other series of their groups, all of which end at one time (L1).

    Args:
        data: The dataset.
        rows: The R rows; each has an observation in its context.
        context: L, the length of a window in steps.
        is_shared: Whether rows of one group and time share a window. Otherwise each row has its own, whose first series
            is the row's.

    Returns:
        The windows. V is one of few numbers, the smallest that holds the series that have an observation.
    """
    series = np.searchsorted(data.offsets, rows, side="right") - 1
    steps = data.frequency.to_step(data.time[rows])
    first, window = np.arange(len(rows)), np.arange(len(rows))
    if is_shared and data.groups is not None:
        together = np.stack([data.groups[series], steps])
        _, first, window = np.unique(together, axis=1, return_index=True, return_inverse=True)
    siblings = group_members(data)[series[first]]
    members = np.column_stack([series[first], siblings])
    values = cut_series(data, members, steps[first], context)
    is_observed = ~np.isnan(values)
    is_member = is_observed.any(1)
    order = np.argsort(~is_member, axis=1, kind="stable")[:, : _width(members.shape[1], int(is_member.sum(1).max()))]
    members = np.take_along_axis(members, order, 1)
    values, is_observed = (np.take_along_axis(a, order[:, None], 2) for a in (values, is_observed))
    last = context - 1 - np.argmax(is_observed[:, ::-1], 1)
    location = np.take_along_axis(values, last[:, None], 1)[:, 0]
    location = np.where(np.isnan(location), 0.0, location).astype(np.float32).astype(np.float64)
    place = np.argmax(members[window.ravel()] == series[:, None], 1)
    return GroupWindows(rows[first], values - location[:, None], location, window.ravel(), place)


def _width(largest: int, needed: int) -> int:
    """The smallest of a number, its half, its quarter and so on that is large enough: few shapes are compiled."""
    while -(-largest // 2) >= needed:
        if largest == 1:
            break
        largest = -(-largest // 2)
    return largest
