"""Results for new data, begun with what other entries hold for the same contexts (C5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt64

from nbforecast.data.calendar_text import agree_until
from nbforecast.forecasters.base import WHOLE_HISTORY
from nbforecast.result_cache.covariate_prints import context_fingerprints
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import align_rows, are_newest_parts, are_parts, is_beginning
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nbforecast.data import Dataset, Frequency
    from nbforecast.result_cache.cache_file import CacheFile
    from nbforecast.result_cache.directory import CacheDirectory
    from nbforecast.result_cache.fingerprints import Fingerprints
    from nbforecast.result_cache.key import ForecastSpec
    from nbforecast.result_cache.metadata import Metadata
    from nbforecast.result_cache.parquet import FileOutline

PIECE = 1 << 16  # rows that are adopted at once
NO_FORECAST = -1.0  # instead of a time at which a forecast was forced


class Outline(Protocol):
    """What decides which forecasts of an entry can be reused."""

    @property
    def fingerprints(self) -> Fingerprints:
        """Those of its data."""
        ...

    @property
    def contexts(self) -> UInt64[np.ndarray, " N"]:
        """(N,) the fingerprints of the contexts that its forecasts are made from."""
        ...

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """(N,) a `Status` each."""
        ...

    @property
    def forced_times(self) -> Float64[np.ndarray, " N"]:
        """(N,) when each origin was last requested with `force`, in seconds since the epoch; 0 if never."""
        ...

    @property
    def has_grown(self) -> bool:
        """Whether rows were appended to an earlier entry, which it has replaced (V2)."""
        ...


class ReuseCandidate(Protocol):
    """An entry of the same spec on the same grid, whose forecasts may be reused; each step reads more of it."""

    @property
    def spans(self) -> Mapping[str, tuple[int, int]]:
        """The first and last grid step of each series."""
        ...

    @property
    def forced(self) -> float:
        """When an origin was last requested with `force`, in seconds since the epoch; 0 if none was."""
        ...

    def outline(self) -> Outline | None:
        """What decides which forecasts can be reused; None if it cannot be read."""
        ...

    def load(self) -> Entry | None:
        """The entry; None if it cannot be read."""
        ...


@dataclass(frozen=True)
class MemoryCandidate:
    """A `ReuseCandidate` in memory.

    Attributes:
        entry: The entry.
    """

    entry: Entry

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """The first and last grid step of each series."""
        prints = self.entry.fingerprints
        ends = zip(prints.first.tolist(), prints.last.tolist(), strict=True)
        return dict(zip(prints.ids, ends, strict=True))

    @property
    def forced(self) -> float:
        """When an origin was last requested with `force`."""
        return self.entry.forced

    def outline(self) -> Entry:
        """The entry itself."""
        return self.entry

    def load(self) -> Entry:
        """The entry itself."""
        return self.entry


@dataclass(frozen=True)
class FileCandidate:
    """A `ReuseCandidate` on disk.

    Attributes:
        directory: Where the file is.
        file: The file.
        metadata: Its metadata.
        read: Reads the entry of a file; None if it cannot be read.
    """

    directory: CacheDirectory
    file: CacheFile
    metadata: Metadata
    read: Callable[[CacheFile], Entry | None]

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """The first and last grid step of each series."""
        return self.metadata.spans

    @property
    def forced(self) -> float:
        """When an origin was last requested with `force`."""
        return float(self.metadata.facts["forced"])

    def outline(self) -> FileOutline | None:
        """The file's data, contexts and status; None if they cannot be read."""
        return self.directory.outline(self.file)

    def load(self) -> Entry | None:
        """The file's entry; None if it cannot be read, or not all of it."""
        entry = self.read(self.file)
        return entry if entry is not None and entry.key == self.metadata.key else None


def list_candidates(
    entries: Iterable[Entry],
    directory: CacheDirectory | None,
    read: Callable[[CacheFile], Entry | None],
    data: Dataset,
    spec: ForecastSpec,
    oldest: float,
) -> Iterator[ReuseCandidate]:
    """Entries whose forecasts may be reused: in memory, the largest first, then on disk, the last used first.

    Args:
        entries: Those in memory.
        directory: Where others are saved, or None.
        read: Reads the entry of a file; None if it cannot be read.
        data: The data to forecast.
        spec: How the forecasts are made.
        oldest: Entries that were not created after this time do not count, in seconds since the epoch.

    Yields:
        Entries of the spec on the grid.
    """
    alike = [e for e in entries if e.spec == spec and e.created > oldest]
    alike = [e for e in alike if _share_grid(data, e.data.frequency, e.data.time.max())]
    yield from (MemoryCandidate(entry) for entry in sorted(alike, key=len, reverse=True))
    in_memory = {entry.key for entry in alike}
    for file in [] if directory is None else directory.files(spec.groups):
        metadata = None if directory is None else directory.metadata(file)
        if (
            metadata is None
            or metadata.view is not None
            or metadata.key in in_memory
            or metadata.facts["created"] <= oldest
        ):
            continue
        if directory is not None and _share_grid(data, metadata.frequency, metadata.facts["end_time"]):
            yield FileCandidate(directory, file, metadata, read)


def _share_grid(data: Dataset, frequency: Frequency, end: np.datetime64 | str) -> bool:
    """Whether rows of equal times have the same numbers in some data and on a grid.

    Calendars may differ in dates that are closed after both histories, such as the holidays of another year.

    Args:
        data: The data.
        frequency: The grid of other data.
        end: The last time of these.
    """
    own = data.frequency
    if own == frequency or "calendar" not in (own.kind, frequency.kind):
        return own == frequency
    is_alike = (own.kind, own.every, own.anchor) == (frequency.kind, frequency.every, frequency.anchor)
    newest = np.array([data.time.max(), end], dtype="datetime64[us]").max()
    return is_alike and agree_until(own.calendar, frequency.calendar, newest)


def begin_results(
    data: Dataset,
    spec: ForecastSpec,
    reasons: UInt8[np.ndarray, " N"],
    fingerprints: Fingerprints,
    candidates: Iterable[ReuseCandidate],
    requested: Int64[np.ndarray, " R"] | None = None,
    *,
    exact: bool = False,
) -> EntrySlice:
    """Results for new data, with every forecast that candidates hold for the same context (C5).

    A forecast is reused where its context is equal, or where the new series is the newest part of the candidate's; its
    scores are reused where the same was observed afterwards. Of several forecasts the one that was forced last counts
    (C6). Candidates are read until every origin has a forecast.

    Args:
        data: The new data.
        spec: How the forecasts are made.
        reasons: (N,) for every row why it cannot be forecast from `data` alone, 0 where it can.
        fingerprints: Those of `data`.
        candidates: Entries of the same spec on the same grid, the most promising first.
        exact: Whether only forecasts of equal contexts are reused, and none that was made from a longer history.
        requested: (R,) rows of `data` whose forecasts are looked for; None for all.

    Returns:
        A slice of a candidate's entry if `data` are the newest part of its history, else a new entry.
    """
    contexts = context_fingerprints(fingerprints, data, spec)
    exact = exact or spec.covariates is not None  # covariates of a longer history may differ
    best = np.full(len(data), NO_FORECAST)  # when the best forecast so far was forced
    is_wanted = reasons == 0
    if not is_wanted.any():  # what is too short by itself may be served by a longer history
        is_wanted = np.ones(len(data), bool)
    is_requested = np.ones(len(data), bool)
    if requested is not None:
        is_requested = np.isin(np.arange(len(data)), requested)
        is_wanted &= is_requested
    matches: list[tuple[Entry, Int64[np.ndarray, " R"], Int64[np.ndarray, " R"]]] = []
    part: EntrySlice | None = None
    for candidate in candidates:
        is_open = best < candidate.forced if part is None else (best < candidate.forced) & (candidate.forced > 0)
        is_sought = is_open & is_wanted
        if not (is_sought.any() and overlap(fingerprints, is_sought, candidate.spans)):
            continue
        outline = candidate.outline()
        if outline is None:
            continue
        rows, old_rows = _reusable_rows(fingerprints, contexts, outline, is_open & is_requested, exact=exact)
        if spec.context >= WHOLE_HISTORY and len(rows):
            is_older = _rows_before_edits(fingerprints, contexts, outline)[rows]
            rows, old_rows = rows[is_older], old_rows[is_older]
        is_better = outline.forced_times[old_rows] > best[rows]
        rows, old_rows = rows[is_better], old_rows[is_better]
        entry = candidate.load() if len(rows) else None
        if entry is None:
            continue
        new_part = EntrySlice.newest_part(entry, data, fingerprints, reasons)
        if exact and new_part is not None and new_part.longer_contexts().any():
            new_part = None
        best[rows] = outline.forced_times[old_rows]
        matches.append((entry, rows, old_rows))
        is_newest = new_part is not None and (new_part.forced_times >= best).all()
        part = new_part if is_newest else None
    if part is not None:
        return part
    is_open = best == NO_FORECAST
    open_reasons = np.where(is_open, reasons, 0).astype(np.uint8)
    new = Entry(data, spec, open_reasons, fingerprints=fingerprints)
    new.unsearched = None if requested is None else ~is_requested
    for entry, _, _ in matches:
        if is_beginning(entry.fingerprints, fingerprints) and entry.data.frequency == data.frequency:
            new.former = entry.next_former
    is_adopted = np.zeros(len(data), bool)
    for entry, rows, old_rows in reversed(matches):  # later ones were forced later
        is_left = ~is_adopted[rows]
        is_adopted[rows] = True
        _adopt_rows(new, entry, rows[is_left], old_rows[is_left])
    return EntrySlice.whole(new)


def overlap(
    fingerprints: Fingerprints, is_sought: Bool[np.ndarray, " N"], spans: Mapping[str, tuple[int, int]]
) -> bool:
    """Whether the times of some rows that are sought lie in a candidate's span of the same series."""
    rows = np.flatnonzero(is_sought)
    series = np.searchsorted(fingerprints.offsets, rows, side="right") - 1
    steps = rows - fingerprints.offsets[series] + fingerprints.first[series]
    numbers, starts = np.unique(series, return_index=True)
    ends = np.append(starts[1:], len(rows)) - 1
    for number, low, high in zip(numbers.tolist(), steps[starts].tolist(), steps[ends].tolist(), strict=True):
        first, last = spans.get(fingerprints.ids[number], (1, 0))
        if first <= high and low <= last and first <= last:
            return True
    return False


def _reusable_rows(
    new: Fingerprints,
    contexts: UInt64[np.ndarray, " N"],
    outline: Outline,
    is_open: Bool[np.ndarray, " N"],
    *,
    exact: bool,
) -> tuple[Int64[np.ndarray, " R"], Int64[np.ndarray, " R"]]:
    """The open rows whose forecasts an entry holds, and the entry's rows for them."""
    old = outline.fingerprints
    old_rows = align_rows(new, old)
    rows = np.flatnonzero((old_rows >= 0) & is_open)
    old_rows = old_rows[rows]
    has_same_context = contexts[rows] == outline.contexts[old_rows]
    is_reusable = has_same_context & has_forecast(outline.status)[old_rows]
    if not exact:
        is_part = (are_parts if outline.has_grown else are_newest_parts)(new, old)  # rows were appended to its end
        is_reusable |= np.repeat(is_part, np.diff(new.offsets))[rows] & has_forecast(outline.status)[old_rows]
    return rows[is_reusable], old_rows[is_reusable]


def _rows_before_edits(
    new: Fingerprints, contexts: UInt64[np.ndarray, " N"], outline: Outline
) -> Bool[np.ndarray, " N"]:
    """The rows before the first one of any series that an entry has with another history.

    A forecast that learns from all series depends on what each of them had shown by then. Rows that were appended to
    one series, however late, are no edit: forecasts of the others stay as they were made (H).
    """
    old_rows = align_rows(new, outline.fingerprints)
    rows = np.flatnonzero(old_rows >= 0)
    edited = rows[contexts[rows] != outline.contexts[old_rows[rows]]]
    if not len(edited):
        return np.ones(len(contexts), bool)
    steps = np.arange(new.rows) + np.repeat(new.first - new.offsets[:-1], np.diff(new.offsets))
    return steps < steps[edited].min()


def _adopt_rows(new: Entry, old: Entry, rows: Int64[np.ndarray, " R"], old_rows: Int64[np.ndarray, " R"]) -> None:
    """Store the results of an old entry's rows in a new one; scores only where the same was observed afterwards."""
    horizon = new.spec.horizon
    has_same_future = new.fingerprints.futures(horizon)[rows] == old.fingerprints.futures(horizon)[old_rows]
    for start in range(0, len(rows), PIECE):
        piece = slice(start, start + PIECE)
        results = old.read(old_rows[piece])
        results.status[(results.status == Status.SCORED) & ~has_same_future[piece]] = Status.UNSCORED
        new.adopt(rows[piece], results)
    new.reused += len(rows)
