"""Rows that are appended to a saved entry: taken out of it for a file of their own, and joined again (V2, C9).

A file of appended rows is small and has the columns of the entry's first file. A score that later observations may
still change is in none of them: where the horizon of a row ends after the last observation that a file knows, the row
is stored as `unscored`, and its scores are calculated after loading. So no file is written again when a row becomes
complete.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped, UInt8, UInt64

from nbforecast.result_cache.metadata import Damaged, Metadata
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import FIRST_STATUS, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data import Dataset
    from nbforecast.result_cache.parquet import FileOutline
    from nbforecast.result_cache.snapshot import Snapshot


class Outline(Protocol):
    """An entry, a snapshot of one or what a file says of it."""

    @property
    def data(self) -> Dataset:
        """The dataset."""
        ...

    @property
    def contexts(self) -> UInt64[np.ndarray, " N"]:
        """(N,) the fingerprints of the contexts that the forecasts are made from."""
        ...

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """(N,) a `Status` each."""
        ...

    @property
    def forced_times(self) -> Float64[np.ndarray, " N"]:
        """(N,) when each origin was last forced, in seconds since the epoch; 0 if never (C6)."""
        ...


def rows_beyond(data: Dataset, lengths: Int64[np.ndarray, " S"]) -> Int64[np.ndarray, " R"]:
    """The rows that a dataset has and its beginning has not.

    Args:
        data: The dataset of S series.
        lengths: (S,) how many rows of each series the beginning has.

    Returns:
        (R,) rows, ascending.
    """
    counts = data.lengths - lengths
    starts = data.offsets[:-1] + lengths
    is_first = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - is_first, counts)


def is_first(data: Dataset, lengths: Int64[np.ndarray, " S"]) -> Bool[np.ndarray, " N"]:
    """Which rows of a dataset its beginning has.

    Args:
        data: The dataset of N rows and S series.
        lengths: (S,) how many rows of each series the beginning has.

    Returns:
        (N,) whether it has each.
    """
    mask = np.ones(len(data), bool)
    mask[rows_beyond(data, lengths)] = False
    return mask


def appended_rows(entry: Snapshot, lengths: Int64[np.ndarray, " S"]) -> Snapshot:
    """What a file of appended rows holds.

    Args:
        entry: The entry with these rows.
        lengths: (S,) how many rows of each series other files hold.

    Returns:
        A snapshot of the other rows, without scores that later observations may change.
    """
    data, rows = entry.data, rows_beyond(entry.data, lengths)
    counts = data.lengths - lengths
    numbers = np.flatnonzero(counts)
    part = replace(
        data,
        ids=tuple(data.ids[number] for number in numbers.tolist()),
        offsets=np.append(0, np.cumsum(counts[numbers])),
        time=data.time[rows],
        values=data.values[rows],
        warnings=(),
        covariates=None,
        static=None,
        issued=None,
        groups=None,
    )
    taken = entry.take(rows)
    is_partial = (taken.status == Status.SCORED) & (data.index()[rows] > -entry.spec.horizon)
    columns = {name: np.array(taken.columns[name]) for name in FIRST_STATUS}
    for name, first in FIRST_STATUS.items():
        if first == Status.SCORED:
            columns[name][is_partial] = np.nan
    status = np.where(is_partial, Status.UNSCORED, taken.status).astype(np.uint8)
    taken = replace(taken, data=part, status=status, columns=columns, former=())
    done = np.flatnonzero(has_forecast(taken.status))
    return taken if len(done) == len(rows) else taken.with_rows(done)


def joined(first: Snapshot, parts: Sequence[Snapshot], metadata: Metadata) -> Snapshot:
    """An entry from its files.

    Args:
        first: What its first file holds.
        parts: What each of the others holds, in their order.
        metadata: Of all rows.

    Returns:
        The entry; rows whose scores were not complete when they were saved are `unscored`.

    Raises:
        Damaged: The files do not belong together.
    """
    layout = _Layout(metadata, first.data, [part.data for part in parts])
    snapshots = [first, *parts]
    status = layout.status([s.status for s in snapshots])
    rows, columns = None, {}
    if any(s.rows is not None for s in snapshots):
        rows = np.flatnonzero(has_forecast(status))
    for name in FIRST_STATUS:
        if rows is None:
            columns[name] = layout.place([s.columns[name] for s in snapshots])
        else:
            owners, own_rows = layout.owners()
            values = np.empty((len(rows), *first.columns[name].shape[1:]), np.float32)
            for number, snapshot in enumerate(snapshots):
                is_own = owners[rows] == number
                values[is_own] = snapshot.results(name, own_rows[rows[is_own]])
            columns[name] = values
        if FIRST_STATUS[name] == Status.SCORED:
            of_rows = status if rows is None else status[rows]
            columns[name][of_rows == Status.UNSCORED] = np.nan
    facts = metadata.facts
    entry = replace(
        first,
        data=layout.data,
        status=status,
        reasons=layout.place([s.reasons for s in snapshots]),
        contexts=layout.place([s.contexts for s in snapshots]),
        columns=columns,
        rows=rows,
        version=facts["version"],
        created=facts["created"],
        forced_times=metadata.forced_times,
        cleared=facts["cleared"],
        is_exact=facts["is_exact"],
        former=tuple(facts["former"]),
        covariates=facts.get("covariate_digest", ""),
    )
    if entry.key.handle != facts["handle"]:
        raise Damaged("its rows do not follow those of the other files")
    return entry


def joined_outline(first: FileOutline, parts: Sequence[FileOutline], metadata: Metadata) -> FileOutline:
    """The outline of an entry from those of its files; see `joined`."""
    layout = _Layout(metadata, first.data, [part.data for part in parts])
    outlines = [first, *parts]
    return replace(
        first,
        data=layout.data,
        contexts=layout.place([o.contexts for o in outlines]),
        status=layout.status([o.status for o in outlines]),
        forced_times=metadata.forced_times,
        has_grown=True,
    )


class _Layout:
    """Where the rows of an entry's files are among all of its rows."""

    def __init__(self, metadata: Metadata, first: Dataset, parts: Sequence[Dataset]) -> None:
        """Lay out the rows of `first` and of what was appended to it.

        Raises:
            Damaged: They are not all rows that the metadata name, each once.
        """
        horizon, self._count = metadata.spec.horizon, metadata.rows
        lengths = np.array(metadata.facts["index_len"], np.int64)
        offsets = np.append(0, np.cumsum(lengths))
        numbers = {name: number for number, name in enumerate(first.ids)}
        ends = np.zeros(len(first.ids), np.int64)  # how many rows of each series are placed
        self._places: list[Int64[np.ndarray, " n"]] = []
        for part in (first, *parts):
            own = np.array([numbers.get(name, -1) for name in part.ids], np.int64)
            if (own < 0).any() or len(lengths) != len(ends):
                raise Damaged("it has series that the first file has not")
            starts = offsets[own] + ends[own]
            ends[own] += part.lengths
            self._places.append(np.arange(len(part)) + np.repeat(starts - part.offsets[:-1], part.lengths))
        if (ends != lengths).any():
            raise Damaged("its rows do not follow those of the other files")
        self.data = metadata.dataset(self.place([part.values for part in (first, *parts)]))
        if any((self.data.time[p] != d.time).any() for p, d in zip(self._places, (first, *parts), strict=True)):
            raise Damaged("its times do not follow those of the other files")
        has_grown = np.repeat(lengths > first.lengths, first.lengths)
        self._is_partial = np.zeros(self._count, bool)  # of the first file's rows; the others hold no such scores
        self._is_partial[self._places[0]] = has_grown & (first.index() > -horizon)

    def place(self, arrays: Sequence[Shaped[np.ndarray, "n ..."]]) -> Shaped[np.ndarray, "N ..."]:
        """The rows of all files in one array."""
        values = np.empty((self._count, *arrays[0].shape[1:]), arrays[0].dtype)
        for places, array in zip(self._places, arrays, strict=True):
            is_block = len(places) > 0 and places[-1] - places[0] == len(places) - 1
            values[slice(places[0], places[-1] + 1) if is_block else places] = array
        return values

    def status(self, arrays: Sequence[UInt8[np.ndarray, " n"]]) -> UInt8[np.ndarray, " N"]:
        """The status of all rows; what the first file has scored in part is not scored any more."""
        status = self.place(arrays)
        status[self._is_partial & (status == Status.SCORED)] = Status.UNSCORED
        return status

    def owners(self) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
        """The number of each row's file, and the row's number in it."""
        numbers = [np.full(len(places), number) for number, places in enumerate(self._places)]
        return self.place(numbers), self.place([np.arange(len(places)) for places in self._places])


def has_all(entry: Snapshot | Metadata, other: Metadata | Snapshot) -> bool:
    """Whether an entry has at least the forecasts of another one of the same rows, or of its own first rows (C6, C7).

    Args:
        entry: The entry, or the metadata of its file.
        other: The other one, or the metadata of its file.

    Returns:
        Whether it has.
    """
    own, others = _count(entry, other), _count(other, other)
    return own is not None and others is not None and own[0] >= others[0] and bool((own[1] >= others[1]).all())


def has_equal(entry: Snapshot, other: Metadata) -> bool:
    """Whether an entry has exactly the forecasts of another one of the same rows, or of its own first rows.

    Args:
        entry: The entry.
        other: The metadata of the other one's files.

    Returns:
        Whether it has.
    """
    own, others = _count(entry, other), _count(other, other)
    return own is not None and others is not None and own[0] == others[0] and np.array_equal(own[1], others[1])


def holds(entry: Outline, outline: Outline) -> bool:
    """Whether an entry has what was observed in some other rows, and their forecasts from the same contexts.

    Args:
        entry: The entry.
        outline: The other rows.

    Returns:
        Whether it has each of them.
    """
    data, other = entry.data, outline.data
    if not set(other.ids) <= set(data.ids) or other.frequency != data.frequency:
        return False
    own_first, first = (d.frequency.to_step(d.time[d.offsets[:-1]]) for d in (data, other))
    own = np.array([data.ids.index(name) for name in other.ids])
    before = first - own_first[own]
    if (before < 0).any() or (before + other.lengths > data.lengths[own]).any():
        return False
    rows = np.arange(len(other)) + np.repeat(data.offsets[own] + before - other.offsets[:-1], other.lengths)
    if not np.array_equal(data.values[rows], other.values, equal_nan=True):
        return False
    is_older = outline.forced_times <= entry.forced_times[rows]
    has_it = has_forecast(entry.status[rows]) & (entry.contexts[rows] == outline.contexts) & is_older
    return bool((has_it | ~has_forecast(outline.status)).all())


def _count(entry: Snapshot | Metadata, first: Snapshot | Metadata) -> tuple[int, Float64[np.ndarray, " n"]] | None:
    """How many forecasts an entry has in the rows of another one, which are its first, and when these were forced."""
    (ids, starts, own), (first_ids, first_starts, lengths) = _extent(entry), _extent(first)
    if ids != first_ids or starts != first_starts or (lengths > own).any():
        return None
    if not isinstance(entry, Metadata):
        mask = is_first(entry.data, lengths)
        return int(has_forecast(entry.status[mask]).sum()), entry.forced_times[mask]
    return (entry.facts["inferred"], entry.forced_times) if (lengths == own).all() else None


def _extent(entry: Snapshot | Metadata) -> tuple[list[str], list[int], Int64[np.ndarray, " S"]]:
    """The series, the first step of each, and its length."""
    if isinstance(entry, Metadata):
        return entry.facts["ids"], entry.facts["first_step"], np.array(entry.facts["index_len"], np.int64)
    data = entry.data
    return list(data.ids), data.frequency.to_step(data.time[data.offsets[:-1]]).tolist(), data.lengths
