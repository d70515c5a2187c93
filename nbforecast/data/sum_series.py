"""The series of groups: weighted sums over the series of a panel, on the times that all of them have (J3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nbforecast.data.covariates import Covariates
from nbforecast.data.dataset import Dataset, DataWarning
from nbforecast.errors import InputError
from nbforecast.text import plural, timestamp

if TYPE_CHECKING:
    from nbforecast.data.groups import Groups

_CHUNK = 512  # series that are laid out at once
_NAMED = 5  # series that a message names


class CommonTimes(NamedTuple):
    """The times at which some series of a panel are observed together.

    Attributes:
        first: (S,) the first grid step of each series.
        start: The first grid step of any series.
        end: The last grid step at which all series have a value.
        sums: (G, T) the groups' values at the steps from `start` to `end`, NaN where a part has none.
    """

    first: Int64[np.ndarray, " S"]
    start: int
    end: int
    sums: Float64[np.ndarray, "G T"]


def add_up(data: Dataset, groups: Groups) -> CommonTimes:
    """Add the values of the series of each group, at the times up to the last one that all series have.

    Args:
        data: A panel.
        groups: The groups.

    Raises:
        InputError: If there is no time at which all series have a value.
    """
    starts, ends = data.offsets[groups.series], data.offsets[groups.series + 1]
    bounds = data.frequency.to_step(data.time[np.concatenate([starts, ends - 1])])
    first, last = bounds[: len(starts)], bounds[len(starts) :]
    start, end = int(first.min()), int(last.min())
    if end < first.max():
        raise InputError(_describe_no_common_time(data, groups, first, last))
    sums = np.zeros((len(groups), end - start + 1))
    missing = np.zeros_like(sums)
    count = np.zeros(end - start + 1)
    for begin in range(0, len(starts), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        values = np.full((len(starts[part]), end - start + 1), np.nan)
        for row, (offset, step) in enumerate(zip(starts[part], first[part], strict=True)):
            values[row, step - start :] = data.values[offset : offset + end - step + 1]
        is_missing = np.isnan(values)
        weights = groups.weights[:, part]
        sums += weights @ np.where(is_missing, 0.0, values)
        missing += (weights != 0).astype(float) @ is_missing.astype(float)
        count += is_missing.sum(0)
    complete = np.flatnonzero(count == 0)
    if not len(complete):
        raise InputError(
            f"There is no time at which all {len(starts):,} series have a value: each total would be unknown. State "
            "with fill= what an absent row means, or name the series that count in a table of weights."
        )
    sums[missing > 0] = np.nan
    return CommonTimes(first, start, start + int(complete[-1]), sums[:, : complete[-1] + 1])


def sum_series(data: Dataset, groups: Groups, common: CommonTimes) -> Dataset:
    """Make a dataset of the groups' values: one series for each group.

    Args:
        data: A panel.
        groups: The groups.
        common: What `add_up` returns for them.

    Returns:
        The dataset. All its series end at the last time at which all series of the panel have a value. A time at which
        a part of a group has no value is a missing one. Covariates are kept as far as they belong to the date: public
        holidays.

    Raises:
        InputError: If a group has fewer than two values.
    """
    order = np.argsort(groups.ids)  # the series of a dataset are sorted by their names
    first_known = np.argmax(np.isfinite(common.sums), 1)[order]
    counts = np.isfinite(common.sums).sum(1)
    if counts.min() < 2:
        raise InputError(
            f"The series of group {groups.ids[int(counts.argmin())]!r} have fewer than two times in common. State with "
            "fill= what an absent row means, or name the series that count in a table of weights."
        )
    length = common.sums.shape[1]
    offsets = np.append(0, np.cumsum(length - first_known))
    steps = np.concatenate([np.arange(first, length) for first in first_known]) + common.start
    return replace(
        data,
        ids=tuple(groups.ids[group] for group in order),
        offsets=offsets,
        time=data.frequency.to_time(steps),
        values=np.concatenate([common.sums[g, first:] for g, first in zip(order, first_known, strict=True)]),
        names=replace(data.names, id="group"),
        warnings=tuple(_warnings(data, groups, common)),
        covariates=_holidays(data, offsets),
        static=None,
        issued=None,
    )


def _holidays(data: Dataset, offsets: Int64[np.ndarray, " G1"]) -> Covariates | None:
    """The covariates that belong to the date and not to a series."""
    if data.covariates is None or data.covariates.country is None:
        return None
    none = np.zeros((0, int(offsets[-1])))
    return Covariates((), np.zeros(0, bool), offsets, none, data.covariates.country)


def _warnings(data: Dataset, groups: Groups, common: CommonTimes) -> list[DataWarning]:
    """Name the series that set the end of all, and count the times at which a part is missing."""
    warnings = []
    ends = data.frequency.to_step(data.time[data.offsets[groups.series + 1] - 1])
    early = groups.series[np.flatnonzero(ends < ends.max())]
    common_end = timestamp(data.frequency.to_time(np.array([common.end]))[0])
    if len(early):
        early = early[np.argsort(ends[ends < ends.max()], kind="stable")]
        last = data.time[data.offsets[early + 1] - 1]
        items = [f"{data.ids[n]!r} at {timestamp(t)}" for n, t in zip(early[:_NAMED], last, strict=False)]
        rest = f" and {len(early) - _NAMED:,} more" if len(early) > _NAMED else ""
        sentence = (
            f"Index 0 is {common_end}, the last time at which all {len(groups.series):,} series have a value. "
            f"{len(early):,} of them end before the others: {', '.join(items)}{rest}. A table of weights leaves series "
            "out."
        )
        warnings.append(DataWarning("ends_earlier", len(early), sentence))
    first_known = np.argmax(np.isfinite(common.sums), 1)
    is_inside = np.arange(common.sums.shape[1]) >= first_known[:, None]
    gaps = int((np.isnan(common.sums) & is_inside).sum())
    if gaps:
        values = plural(gaps, "value of a group is", "values of groups are")
        sentence = f"{values} unknown, since a series has none at that time."
        warnings.append(DataWarning("missing_part", gaps, sentence))
    return warnings


def _describe_no_common_time(
    data: Dataset, groups: Groups, first: Int64[np.ndarray, " S"], last: Int64[np.ndarray, " S"]
) -> str:
    early, late = int(last.argmin()), int(first.argmax())
    end, start = data.frequency.to_time(np.array([last[early], first[late]]))
    return (
        f"The series have no time in common: {data.ids[groups.series[early]]!r} ends at {timestamp(end)}, before "
        f"{data.ids[groups.series[late]]!r} begins at {timestamp(start)}. Name the series that count in a table of "
        "weights."
    )
