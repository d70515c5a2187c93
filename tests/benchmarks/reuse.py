"""Telling what can be reused, and finding it among many saved entries."""

from __future__ import annotations

import os
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from nbforecast.result_cache.leads import MemoryCandidate

from nbforecast.cache_manager.tables import Listing
from nbforecast.data import prepare
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.inventory import inventory
from nbforecast.result_cache.reuse import _reusable_rows, begin_results
from tests.benchmarks.entries import SPEC, daily, made_up_entry, saved, scratch
from tests.benchmarks.series import walk
from tests.benchmarks.spans import Spans
from tests.benchmarks.table import Table, milliseconds, number, ratio
from tests.benchmarks.timing import compare, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.result_cache.snapshot import Snapshot

PLENTY = 1 << 40


def tables(quick: bool) -> Iterator[Table]:
    yield _deciding(20_000 if quick else 1_000_000, 1 if quick else 5)
    yield _crowds(12 if quick else 1000, 1 if quick else 3)


def _deciding(count: int, repeats: int) -> Table:
    frame = walk(count + 1)
    new, old = prepare(frame), prepare(frame.head(count))
    entry = made_up_entry(old, SPEC)
    outline, context = MemoryCandidate(entry).outline(), SPEC.context
    prints, known = Fingerprints(new), entry.contexts
    contexts, everything = prints.contexts(context), np.ones(len(new), bool)
    reasons = np.zeros(len(new), np.uint8)
    left = pl.DataFrame({"ds": new.time, "context": contexts})
    right = pl.DataFrame({"ds": old.time, "context": known, "row": np.arange(len(old))})
    few = min(count // 4, 5000)
    kept = {(old.time[i], old.values[i - context + 1 : i + 1].tobytes()): i for i in range(context, context + few)}

    def decide() -> None:
        prints = Fingerprints(new)
        _reusable_rows(prints, prints.contexts(context), outline, everything)

    def take_over(data: Dataset) -> None:
        begin_results(data, SPEC, reasons[: len(data)], Fingerprints(data), [MemoryCandidate(entry)])

    def look_up() -> None:
        for i in range(context, context + few):
            kept.get((new.time[i], new.values[i - context + 1 : i + 1].tobytes()))

    shorter = prepare(frame[1:count])
    once = "the decision: all of the above"
    work: dict[str, tuple[Callable[[], Any], float]] = {
        "fingerprints of the new data": (lambda: Fingerprints(new), 1),
        "fingerprints of their contexts": (lambda: prints.contexts(context), 1),
        "rows aligned, contexts compared": (lambda: _reusable_rows(prints, contexts, outline, everything), 1),
        once: (decide, 1),
        "the decision, and taking the results over": (lambda: take_over(new), 1),
        "the newest part of what is there: a view of it": (lambda: take_over(shorter), 1),
        "Polars join on time and fingerprint (ours, given)": (
            lambda: left.join(right, ["ds", "context"], "left", maintain_order="left"),
            1,
        ),
        f"a dict keyed by time and bytes of the context (from {few:,} rows)": (look_up, len(new) / few),
    }
    taken = {name: t * work[name][1] for name, t in compare({n: f for n, (f, _) in work.items()}, repeats).items()}
    rows = [(name, milliseconds(t), number(1e9 * t / len(new)), ratio(t / taken[once])) for name, t in taken.items()]
    note = (
        f"One point appended to {count:,}; contexts of {context} points; the old entry in memory, its fingerprints "
        f"known, as the dict and Polars know theirs. Taking over copies {entry.nbytes // len(entry):,} bytes an origin."
    )
    columns = ("", "ms", "ns a row", "to the decision")
    return Table(f"Which of {len(new):,} origins can be reused", columns, rows, (note,))


def _crowds(count: int, repeats: int) -> Table:
    """A miss where many entries are saved."""
    longest = 199 + count
    days = daily(longest + 2)
    first = saved(days.head(200))

    def edited(by: float) -> Dataset:
        values = days["y"].to_numpy()[:longest].copy()
        values[-60] += by
        return prepare(days.head(longest).with_columns(y=values))

    others, longer = ([prepare(daily(200, s)) for s in (-1, -2)], [prepare(days.head(longest + i)) for i in (1, 2)])
    same, grown = "the same model, ", "the same series, a day appended each time; "
    crowds: tuple[tuple[Iterable[Snapshot], dict[str, list[Dataset]]], ...] = (
        ((), {"no entry": others}),
        ((replace(first, spec=replace(SPEC, model=f"model {i}")) for i in range(count)), {"other models": others}),
        (
            (saved(daily(200, i).with_columns(unique_id=pl.lit(f"series {i}"))) for i in range(count)),
            {f"{same}series of other names": others},
        ),
        ((saved(daily(200, i)) for i in range(count)), {f"{same}names and times, other values": others}),
        (
            (saved(days.head(200 + i)) for i in range(count)),
            {f"{grown}a day more": longer, f"{grown}the 60th value from the end edited": [edited(1), edited(2)]},
        ),
    )
    rows = []
    for snapshots, asked in crowds:
        with scratch() as folder:
            store = CacheDirectory(folder)
            for at, snapshot in enumerate(snapshots):
                os.utime(store.write(snapshot).path, (1e9 + at, 1e9 + at))
            rows += [(name, *_misses(folder, data, repeats)) for name, data in asked.items()]
    note = (
        f"{count:,} files of 200 daily points, or of 200 to {longest:,} where days are appended. The first miss is a "
        "new kernel's: listing, reading footers, and outlines (values, contexts, status) of what may serve. The later "
        "one is of other data in the same kernel. `entries()` likewise. The files are in the page cache; their "
        "forecasts are constants, to save room."
    )
    columns = (
        "on disk", "first miss, ms", "footers", "outlines", "reused", "later miss, ms", "outlines", "`entries()`, ms",
        "again, ms",
    )  # fmt: skip
    return Table(f"A miss beside {count:,} saved entries", columns, rows, (note,))


def _misses(directory: Path, asked: list[Dataset], repeats: int) -> tuple[str, ...]:
    reads = {
        "nbforecast.result_cache.parquet:read_metadata": "header",
        "nbforecast.result_cache.parquet:read_outline": "outline",
    }
    taken: list[list[float]] = []

    def find(cache: Cache, data: Dataset) -> EntrySlice:
        return cache.find(data, SPEC, lambda: np.zeros(len(data), np.uint8))

    for _ in range(repeats):
        cache, listed = (Cache(CacheDirectory(directory), PLENTY, PLENTY) for _ in range(2))
        misses = [seconds(lambda data=data, cache=cache: find(cache, data)) for data in asked]
        taken.append(misses + [seconds(lambda cache=listed: Listing(inventory(cache)).frame()) for _ in range(2)])
    cache = Cache(CacheDirectory(directory), PLENTY, PLENTY)
    counts = []
    for data in asked:
        with Spans().watch(reads) as spans:
            view = find(cache, data)
        counts.append((spans.calls["header"], spans.calls["outline"], view.inferred))
    first, later, listing, again = (milliseconds(median(column)) for column in zip(*taken, strict=True))
    (headers, outlines, reused), (_, more, _) = counts
    return first, f"{headers:,}", f"{outlines:,}", f"{reused:,}", later, f"{more:,}", listing, again
