"""Results for new data that begin with everything other entries know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt64

from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import aligned_rows, tails
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbforecast.data import Dataset
    from nbforecast.result_cache.fingerprints import Fingerprints
    from nbforecast.result_cache.key import ForecastSpec

PIECE = 1 << 16


class Outline(Protocol):
    """What must be known of an entry to tell which of its forecasts serve."""

    @property
    def fingerprints(self) -> Fingerprints: ...
    @property
    def contexts(self) -> UInt64[np.ndarray, " N"]: ...
    @property
    def status(self) -> UInt8[np.ndarray, " N"]: ...


class ReuseCandidate(Protocol):
    """An entry that might serve: of the same spec, on the same grid. The further one asks, the more it costs."""

    @property
    def spans(self) -> Mapping[str, tuple[int, int]]:
        """First and last grid step of each series."""
        ...

    def outline(self) -> Outline | None: ...
    def load(self) -> Entry | None: ...


def begin(
    data: Dataset,
    spec: ForecastSpec,
    reasons: UInt8[np.ndarray, " N"],
    prints: Fingerprints,
    leads: Iterable[ReuseCandidate],
) -> EntrySlice:
    """Results for some data: the newest part of a longer history's entry, or a new entry with what leads can give.

    An origin's forecast is taken over where its context is equal, or where its series is the newest part of theirs,
    and its scores where the same was observed afterwards. Leads are followed as long as an origin lacks a forecast.
    `reasons` says for every row why it cannot be forecast from these data alone.
    """
    contexts = prints.contexts(spec.context)
    open_ = np.ones(len(data), bool)
    alone = (reasons == 0) if (reasons == 0).any() else open_.copy()  # a longer history may serve what is too short
    found: list[tuple[Entry, Int64[np.ndarray, " R"], Int64[np.ndarray, " R"]]] = []
    for lead in leads:
        wanted = open_ & alone
        if not wanted.any():
            break
        outline = lead.outline() if _touches(prints, wanted, lead.spans) else None
        rows, theirs = (None, None) if outline is None else _reusable(prints, contexts, outline, open_)
        entry = lead.load() if rows is not None and len(rows) else None
        if entry is None or rows is None or theirs is None:
            continue
        view = EntrySlice.tail(entry, data, prints, reasons)
        if view is not None:
            return view
        open_[rows] = False
        found.append((entry, rows, theirs))
    new = Entry(data, spec, np.where(open_, reasons, 0).astype(np.uint8), prints=prints)
    for entry, rows, theirs in found:
        _take_over(new, entry, rows, theirs)
    return EntrySlice.whole(new)


def _touches(prints: Fingerprints, wanted: Bool[np.ndarray, " N"], spans: Mapping[str, tuple[int, int]]) -> bool:
    """Whether some wanted row lies in a lead's span of its series."""
    rows = np.flatnonzero(wanted)
    series = np.searchsorted(prints.offsets, rows, side="right") - 1
    step = rows - prints.offsets[series] + prints.first[series]
    of, starts = np.unique(series, return_index=True)
    ends = np.append(starts[1:], len(rows)) - 1
    for number, least, most in zip(of.tolist(), step[starts].tolist(), step[ends].tolist(), strict=True):
        first, last = spans.get(prints.ids[number], (1, 0))
        if first <= most and least <= last and first <= last:
            return True
    return False


def _reusable(
    new: Fingerprints, contexts: UInt64[np.ndarray, " N"], outline: Outline, open_: Bool[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " R"], Int64[np.ndarray, " R"]]:
    """The open rows that an entry can serve, and its rows for them."""
    old = outline.fingerprints
    theirs = aligned_rows(new, old)
    rows = np.flatnonzero((theirs >= 0) & open_)
    theirs = theirs[rows]
    same = contexts[rows] == outline.contexts[theirs]
    newest = np.repeat(tails(new, old), np.diff(new.offsets))[rows]
    good = (same | newest) & has_forecast(outline.status)[theirs]
    return rows[good], theirs[good]


def _take_over(new: Entry, entry: Entry, rows: Int64[np.ndarray, " R"], theirs: Int64[np.ndarray, " R"]) -> None:
    horizon = new.spec.horizon
    after = new.fingerprints.futures(horizon)[rows] == entry.fingerprints.futures(horizon)[theirs]
    for at in range(0, len(rows), PIECE):
        part = slice(at, at + PIECE)
        status, values = entry.read(theirs[part])
        status[(status == Status.SCORED) & ~after[part]] = Status.UNSCORED
        new.adopt(rows[part], status, entry.contexts[theirs[part]], values)
    new.reused += len(rows)
