"""An entry at one moment: plain arrays that nothing changes, ready for a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt8, UInt64

from nbforecast.result_cache.status import FIRST_STATUS, Status

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey, ForecastSpec
    from nbforecast.result_cache.value_pool import ColumnView

MAX_FORMER = 64  # handles of an entry before rows were appended that are remembered


class ColumnViews(Mapping[str, Any]):
    """The columns of an entry at one moment, read from its memory piece by piece, so that a snapshot copies none.

    A column that is asked for as a whole is copied.
    """

    def __init__(
        self, views: dict[str, ColumnView], status: UInt8[np.ndarray, " N"], rows: Int64[np.ndarray, " M"] | None
    ) -> None:
        """Read some columns.

        Args:
            views: The columns by name.
            status: (N,) a `Status` each, which says what was written.
            rows: (M,) the rows that the columns have; None for all.
        """
        self._views = views
        self._status = status
        self._rows = rows

    def take(self, name: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """Some rows of a column, NaN where there is no result."""
        return self._views[name].take(rows, has_result(name, self._status[rows]))

    def __getitem__(self, name: str) -> Float32[np.ndarray, "C *T"]:
        return self.take(name, np.arange(len(self._status)) if self._rows is None else self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


class ViewRecord(NamedTuple):
    """That the results of a history are those of a longer one's entry.

    Attributes:
        of: The longer one's key as text.
        inferred, calculated: How many origins of the shorter one had a forecast and all calculations.
    """

    of: str
    inferred: int
    calculated: int


class DeltaRecord(NamedTuple):
    """That a file holds rows which were appended to an entry.

    Attributes:
        of: The stem of the entry's first file.
        number: Which of the files beside that one it is, from 1 on.
        entry: The entry with these rows.
    """

    of: str
    number: int
    entry: Snapshot


class RowResults(NamedTuple):
    """Results of some rows, to store elsewhere.

    Attributes:
        status: (R,) a `Status` each: which of the values count.
        contexts: (R,) the fingerprints of the contexts that the forecasts were made from.
        forced_times: (R,) when each was last requested with `force`, in seconds since the epoch; 0 if never.
        values: (R, ...) of each name of `FIRST_STATUS`, possibly a view of an entry's memory.
    """

    status: UInt8[np.ndarray, " R"]
    contexts: UInt64[np.ndarray, " R"]
    forced_times: Float64[np.ndarray, " R"]
    values: dict[str, Float32[np.ndarray, "R ..."]]

    def where(self, mask: Bool[np.ndarray, " R"]) -> RowResults:
        """The results of the rows under a mask."""
        values = {name: column[mask] for name, column in self.values.items()}
        return RowResults(self.status[mask], self.contexts[mask], self.forced_times[mask], values)


@dataclass(frozen=True)
class Snapshot:
    """An entry at one moment.

    Attributes:
        data: The dataset.
        spec: How the forecasts are made.
        status: (N,) a `Status` each.
        reasons: (N,) an `UnavailableReason` each, 0 where the origin can be forecast.
        contexts: (N,) fingerprints of the contexts that the forecasts are made from.
        columns: (C, ...) of each name of `FIRST_STATUS`, where C is M if there are `rows`, else N.
        version: The entry's version (C4).
        created: When the entry was created, in seconds since the epoch.
        forced_times: (N,) when each origin was last forced, in seconds since the epoch; 0 if never (C6).
        cleared: Removals up to this time are applied, in seconds since the epoch (C16).
        is_exact: Somebody has asked for forecasts that no longer history has a part in (C5).
        rows: (M,) the rows that `columns` have, which are those with a forecast; None for all (E10).
        view: Where the results are, if they are a longer history's; the snapshot itself then has none.
        covariates: The digest of the covariates that the forecasts depend on; empty if on none.
        former: The handles that the entry had before rows were appended, the newest last; not more than `MAX_FORMER`.
    """

    data: Dataset
    spec: ForecastSpec
    status: UInt8[np.ndarray, " N"]
    reasons: UInt8[np.ndarray, " N"]
    contexts: UInt64[np.ndarray, " N"]
    columns: dict[str, Float32[np.ndarray, "C ..."]] | ColumnViews
    version: str
    created: float
    forced_times: Float64[np.ndarray, " N"]
    cleared: float = 0.0
    is_exact: bool = False
    rows: Int64[np.ndarray, " M"] | None = None
    view: ViewRecord | None = None
    covariates: str = ""
    former: tuple[str, ...] = ()

    def results(self, name: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """Some rows of a column, NaN where there is no result.

        Args:
            name: A name of `FIRST_STATUS`.
            rows: (R,) rows.

        Returns:
            (R, ...) the values.
        """
        if isinstance(self.columns, ColumnViews):
            return self.columns.take(name, rows)
        values = self.columns[name]
        if self.rows is None:
            return values[rows]
        results = np.full((len(rows), *values.shape[1:]), np.nan, np.float32)
        position = np.searchsorted(self.rows, rows)
        has_one = np.isin(rows, self.rows)
        results[has_one] = values[position[has_one]]
        return results

    def piece(self, name: str, start: int, end: int) -> Float32[np.ndarray, "C *T"]:
        """A part of a column.

        Args:
            name: A name of `FIRST_STATUS`.
            start: The first place, among `rows` if there are any.
            end: One more than the last place.

        Returns:
            The values, possibly a view of an entry's memory.
        """
        if isinstance(self.columns, ColumnViews):
            return self.columns.take(name, np.arange(start, end) if self.rows is None else self.rows[start:end])
        return self.columns[name][start:end]

    @property
    def size(self) -> int:
        """C, how many rows the columns have."""
        return len(self.status if self.rows is None else self.rows)

    def take(self, rows: Int64[np.ndarray, " R"]) -> Snapshot:
        """The results of some rows.

        Args:
            rows: (R,) rows.

        Returns:
            A snapshot whose arrays have these rows; its data are not changed.
        """
        return replace(
            self,
            status=self.status[rows],
            reasons=self.reasons[rows],
            contexts=self.contexts[rows],
            forced_times=self.forced_times[rows],
            columns={name: self.results(name, rows) for name in self.columns},
            rows=None,
        )

    def lower(self, rows: Int64[np.ndarray, " R"], keep: Status, moment: float) -> Snapshot:
        """The entry without some results.

        Args:
            rows: (R,) rows.
            keep: The highest status that they have afterwards.
            moment: When their results were removed, in seconds since the epoch.

        Returns:
            A snapshot; this one does not change.
        """
        affected = rows[has_forecast(self.status[rows]) & (self.status[rows] > keep)]
        status, columns = self.status.copy(), dict(self.columns)
        status[affected] = keep
        for name, values in self.columns.items() if len(affected) else ():
            if FIRST_STATUS[name] > keep:
                columns[name] = values.copy()
                columns[name][affected if self.rows is None else np.searchsorted(self.rows, affected)] = np.nan
        lower = replace(self, status=status, columns=columns, cleared=moment)
        return lower if self.rows is None else lower.with_rows(self.rows[has_forecast(status[self.rows])])

    def with_rows(self, rows: Int64[np.ndarray, " M"]) -> Snapshot:
        """The same, with columns of the rows that have a forecast only (E10).

        Args:
            rows: (M,) these rows.

        Returns:
            A snapshot.
        """
        return replace(self, rows=rows, columns={name: self.results(name, rows) for name in self.columns})

    @property
    def key(self) -> CacheKey:
        """The entry's key."""
        return self.spec.key(self.data.handle, self.covariates)

    @property
    def forced(self) -> float:
        """When an origin was last requested with `force`, in seconds since the epoch; 0 if none was."""
        return float(self.forced_times.max())

    @property
    def inferred(self) -> int:
        """How many origins have a forecast."""
        return int(has_forecast(self.status).sum())


def has_forecast(status: UInt8[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Which rows have a forecast.

    Args:
        status: (N,) a `Status` each.

    Returns:
        (N,) whether each has one.
    """
    return (status >= Status.INFERRED) & (status <= Status.SCORED)


def has_result(column: str, status: UInt8[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Which rows have a result in a column.

    Args:
        column: A name of `FIRST_STATUS`.
        status: (N,) a `Status` each.

    Returns:
        (N,) whether each has one.
    """
    return (status >= FIRST_STATUS[column]) & (status <= Status.SCORED)


def union(one: Snapshot, other: Snapshot) -> Snapshot:
    """The results of two snapshots of one entry (C13).

    Args:
        one: A snapshot.
        other: A snapshot of the same key.

    Returns:
        A snapshot that has a forecast wherever either has one. Where both have one, the one that was forced later
        counts (C6), else the one with more calculations.
    """
    first, second = (one, other) if one.forced >= other.forced else (other, one)
    in_first, in_second = has_forecast(first.status), has_forecast(second.status)
    is_further = (second.status > first.status) & (first.forced_times == second.forced_times)
    use_second = in_second & (~in_first | is_further | (second.forced_times > first.forced_times))
    if not use_second.any():
        return first

    def merge(values: Shaped[np.ndarray, "N ..."], others: Shaped[np.ndarray, "N ..."]) -> np.ndarray:
        return np.where(use_second.reshape(-1, *[1] * (values.ndim - 1)), others, values)

    status = merge(first.status, second.status)
    rows: Int64[np.ndarray, " M"] | None = None
    if first.rows is None and second.rows is None:
        columns = {name: merge(values, second.columns[name]) for name, values in first.columns.items()}
    else:
        rows = np.flatnonzero(has_forecast(status))
        is_second, columns = use_second[rows], {}
        for name in first.columns:
            columns[name] = np.array(first.results(name, rows))  # a copy: the snapshot's own may be returned
            columns[name][is_second] = second.results(name, rows[is_second])
    return replace(
        first,
        status=status,
        reasons=merge(first.reasons, second.reasons),
        contexts=merge(first.contexts, second.contexts),
        forced_times=merge(first.forced_times, second.forced_times),
        columns=columns,
        rows=rows,
        created=min(first.created, second.created),
        cleared=min(first.cleared, second.cleared),
        is_exact=first.is_exact or second.is_exact,
        view=None,
    )


def is_consistent(snapshot: Snapshot) -> bool:
    """Whether forecasts and quantiles are finite exactly where the status says that there are some.

    Args:
        snapshot: A snapshot.

    Returns:
        Whether it is.
    """
    status = snapshot.status
    if ((status == Status.UNAVAILABLE) != (snapshot.reasons > 0)).any():
        return False
    if snapshot.rows is not None:
        if not np.array_equal(snapshot.rows, np.flatnonzero(has_forecast(status))):
            return False
        status = status[snapshot.rows]
    for name in ("forecast", "quantiles"):
        values = snapshot.columns[name]
        is_finite = np.isfinite(values).all(tuple(range(1, values.ndim)))
        if (is_finite != (has_forecast(status) & (status >= FIRST_STATUS[name]))).any():
            return False
    return True
