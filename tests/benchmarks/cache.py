"""Finding, reading, saving and loading results, beside keeping an object an origin.

What results take in memory is measured by `memory`.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nbforecast.data import prepare
from nbforecast.forecasters.registry import DEFAULT
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from tests.benchmarks.entries import DRAWS, HORIZON, real_entry, scratch
from tests.benchmarks.series import walk
from tests.benchmarks.spans import Spans
from tests.benchmarks.table import Table, milliseconds, number, ratio
from tests.benchmarks.timing import compare, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


SLICE = 256
PLENTY = 1 << 40
TAKE = "`View.take`"
SAVING = {
    "nbforecast.result_cache.entry:Entry.snapshot": "snapshot",
    "nbforecast.result_cache.parquet:_digest": "digests (SHA-256)",
    "nbforecast.result_cache.parquet:_nested_array": "Arrow arrays",
    "nbforecast.result_cache.parquet:_dictionary": "labels",
    "nbforecast.data.dataset:Dataset.times": "times",
    "nbforecast.result_cache.parquet:pack": "metadata",
    "nbforecast.result_cache.parquet:pq.write_table": "Parquet: encoding, compressing, writing",
    "nbforecast.result_cache.directory:os.fsync": "fsync, file and folder",
    "nbforecast.result_cache.directory:CacheDirectory.write": "the rest: lock, indices, table, renaming",
}
LOADING = {
    "nbforecast.result_cache.parquet:pq.ParquetFile.read": "Parquet: reading, decompressing, decoding",
    "nbforecast.result_cache.parquet:pq.ParquetFile": "opening: footer",
    "nbforecast.result_cache.parquet:_unpack_metadata": "checking the metadata",
    "nbforecast.result_cache.parquet:_to_numpy": "NumPy arrays",
    "nbforecast.result_cache.parquet:_digest": "digests (SHA-256)",
    "nbforecast.result_cache.metadata:Metadata.dataset": "the data's grid",
    "nbforecast.result_cache.parquet:is_consistent": "status against results",
    "nbforecast.result_cache.entry:Entry.from_snapshot": "an entry of it",
    "nbforecast.result_cache.directory:CacheDirectory.read": "the rest: the data's handle",
}


def tables(quick: bool) -> Iterator[Table]:
    count, repeats = (800, 1) if quick else (10_000, 7)
    with scratch() as folder:
        entry = real_entry(prepare(walk(count)), "naive" if quick else DEFAULT)
        yield _finding(entry, folder, 20 if quick else 300, repeats)
        yield _reading(entry, folder, 20 if quick else 300, repeats)
        yield _disk(entry, folder, repeats)
        yield _parts(entry, folder, repeats)


def _finding(entry: Entry, folder: Path, calls: int, repeats: int) -> Table:
    store = CacheDirectory(folder / "ours")
    kept, bare = Cache(store, PLENTY, PLENTY), Cache(None, PLENTY, PLENTY)
    for cache in (kept, bare):
        cache.publish(EntrySlice.whole(entry))
    kept.save(entry, overwrite=True)

    def find(cache: Cache) -> EntrySlice:
        return cache.find(entry.data, entry.spec, lambda: entry.reasons)

    taken = compare(
        {
            "memory": lambda: [find(bare) for _ in range(calls)],
            "noted": lambda: [find(kept) for _ in range(calls)],
            "saved": lambda: find(Cache(store, PLENTY, PLENTY)),
        },
        repeats,
    )
    rows = [
        ("in memory, no directory (`NBFORECAST_CACHE=memory`)", number(1e6 * taken["memory"] / calls)),
        ("in memory, its use noted in the file's time", number(1e6 * taken["noted"] / calls)),
        ("on disk: a new kernel's first request", number(1e6 * taken["saved"])),
    ]
    note = f"An entry of {len(entry):,} origins, all columns; the data are prepared and their handle is known."
    return Table("`Cache.find` of an entry that is there", ("", "µs"), rows, (note,))


def _reading(entry: Entry, folder: Path, calls: int, repeats: int) -> Table:
    view, draws = EntrySlice.whole(entry), np.nan_to_num(entry.array("forecast"))
    frame, objects = view.frame(), {i: d.copy() for i, d in enumerate(draws)}
    base = _sqlite(folder / "reading.sqlite")
    base.executemany("INSERT INTO results VALUES (?, ?)", ((i, pickle.dumps(d)) for i, d in objects.items()))
    base.commit()
    one, many = (f"SELECT value FROM results WHERE origin {where}" for where in ("= ?", "BETWEEN ? AND ?"))

    def several(i: int) -> np.ndarray:
        return np.stack([pickle.loads(v) for (v,) in base.execute(many, (i, i + SLICE - 1))])

    ways: dict[str, tuple[Callable[[int], Any] | None, Callable[[int], Any]]] = {
        TAKE: (
            lambda i: view.take("forecast", np.array([i])),
            lambda i: view.take("forecast", np.arange(i, i + SLICE)),
        ),
        "`View.array`, a view of the buffer": (lambda i: view.array()[i], lambda i: view.array()[i : i + SLICE]),
        "Polars, `frame[a:b]` of a frame held": (lambda i: frame[i : i + 1], lambda i: frame[i : i + SLICE]),
        "Polars, `run.frame[a:b]`: snapshot and slice": (None, lambda i: view.frame()[i : i + SLICE]),
        "a dict of NumPy arrays": (
            lambda i: objects[i],
            lambda i: np.stack([objects[j] for j in range(i, i + SLICE)]),
        ),
        "SQLite, a pickle an origin": (lambda i: pickle.loads(base.execute(one, (i,)).fetchone()[0]), several),
    }
    if find_spec("diskcache"):
        kept = _diskcache(folder / "reading", objects)
        ways["diskcache, a pickle an origin"] = (
            lambda i: kept[i],
            lambda i: np.stack([kept[j] for j in range(i, i + SLICE)]),
        )
    at = np.random.default_rng(1).integers(0, len(entry) - SLICE, calls).tolist()
    few = at[: max(calls // 10, 1)]
    taken = {
        "one": compare({n: lambda f=f: [f(i) for i in at] for n, (f, _) in ways.items() if f}, repeats),
        "many": compare({n: lambda f=f: [f(i) for i in few] for n, (_, f) in ways.items()}, repeats),
    }
    rows = []
    for name in ways:
        row = [name]
        for kind, times in (("one", len(at)), ("many", len(few))):
            found = taken[kind].get(name)
            row += ["", ""] if found is None else [number(1e6 * found / times), ratio(found / taken[kind][TAKE])]
        rows.append(tuple(row))
    note = (
        f"Forecasts of {HORIZON} steps, {DRAWS} draws, of random origins among {len(entry):,}. A Polars slice has "
        f"every column, and shares memory; the others have the forecasts alone. {_without()}"
    )
    columns = ("", "one origin, µs", f"to {TAKE}", f"{SLICE} origins, µs", f"to {TAKE}")
    return Table("Reading results", columns, rows, (note.strip(),))


def _disk(entry: Entry, folder: Path, repeats: int) -> Table:
    ours, columns = CacheDirectory(folder / "ours"), entry.snapshot()[0].columns
    frame = (
        EntrySlice.whole(entry).frame().drop("density", "density_limits", strict=False)
    )  # no file of ours keeps them
    objects = {i: {name: values[i].copy() for name, values in columns.items()} for i in range(len(entry))}
    whole, parquet, base = folder / "whole.pickle", folder / "frame.parquet", folder / "saving.sqlite"

    def save_whole() -> None:
        with whole.open("wb") as file:
            pickle.dump(objects, file, pickle.HIGHEST_PROTOCOL)
            os.fsync(file.fileno())

    def save_frame() -> None:
        with parquet.open("wb") as file:
            frame.write_parquet(file)
            os.fsync(file.fileno())

    def save_rows() -> None:
        base.unlink(missing_ok=True)
        connection = _sqlite(base)
        connection.executemany(
            "INSERT INTO results VALUES (?, ?)",
            ((i, pickle.dumps(o, pickle.HIGHEST_PROTOCOL)) for i, o in objects.items()),
        )
        connection.commit()
        connection.close()

    def load_rows() -> dict[int, Any]:
        connection = sqlite3.connect(base)
        found = {i: pickle.loads(v) for i, v in connection.execute("SELECT origin, value FROM results")}
        connection.close()
        return found

    def load_ours() -> Entry:
        return Entry.from_snapshot(ours.read(ours.find(entry.key)))

    ways: dict[str, tuple[Callable[[], Any], Callable[[], Any], Path]] = {
        "ours": (lambda: ours.write(entry.snapshot()[0], overwrite=True), load_ours, ours.path(entry.key)),
        "`pl.write_parquet`, `pl.read_parquet`": (save_frame, lambda: pl.read_parquet(parquet), parquet),
        "the whole dict pickled": (save_whole, lambda: pickle.loads(whole.read_bytes()), whole),
        "SQLite, a pickle an origin": (save_rows, load_rows, base),
    }
    if find_spec("diskcache"):
        ways["diskcache, a pickle an origin"] = (
            lambda: _diskcache(folder / "saving", objects).close(),
            lambda: _read_diskcache(folder / "saving"),
            folder / "saving",
        )
    twice = "ours, where it is saved already: read, joined, written"
    saved = compare({n: w[0] for n, w in ways.items()} | {twice: lambda: ours.write(entry.snapshot()[0])}, repeats)
    loaded = compare({n: w[1] for n, w in ways.items()}, repeats)
    rows = []
    for name, taken in saved.items():
        first, size = saved["ours"], _size(ways[name][2]) if name in ways else None
        read = loaded.get(name)
        rows.append(
            (
                name,
                milliseconds(taken),
                ratio(taken / first),
                milliseconds(read) if read else "",
                ratio(read / loaded["ours"]) if read else "",
                number(size / 1e6) if size else "",
            )
        )
    note = (
        f"{len(entry):,} origins of {HORIZON} steps and {DRAWS} draws, every column, forecast by "
        f"{entry.spec.model.name}. Ours: snapshot, digests, writing beside, fsync, renaming; loading checks digests. "
        "All but diskcache call fsync; it and SQLite write in one transaction. Everything is read into memory, from "
        f"files in the page cache. {_without()}"
    )
    columns = ("", "save, ms", "to ours", "load, ms", "to ours", "MB")
    return Table(f"Saving and loading {len(entry):,} origins", columns, rows, (note.strip(),))


def _parts(entry: Entry, folder: Path, repeats: int) -> Table:
    store = CacheDirectory(folder / "ours")

    def write() -> None:
        store.write(entry.snapshot()[0], overwrite=True)

    def read() -> None:
        Entry.from_snapshot(store.read(store.find(entry.key)))

    rows = []
    for what, work, labels in (("save", write, SAVING), ("load", read, LOADING)):
        found = []
        for _ in range(repeats):
            with Spans().watch(labels) as spans:
                total = seconds(work)
            found.append((spans, total))
        middle = median(total for _, total in found)
        for label in dict.fromkeys(labels.values()):
            taken = median(spans.seconds[label] for spans, _ in found)
            rows.append((f"{what}: {label}", milliseconds(taken), f"{taken / middle:.1%}"))
        rows.append((f"**{what}: all**", milliseconds(middle), ""))
    note = "Each part without the parts in it; medians, so they do not add up exactly."
    return Table("Saving and loading, part by part", ("", "ms", "share"), rows, (note,))


def _sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE results (origin INTEGER PRIMARY KEY, value BLOB)")
    return connection


def _diskcache(path: Path, objects: Mapping[int, Any]) -> Any:
    import diskcache

    shutil.rmtree(path, ignore_errors=True)
    kept = diskcache.Cache(str(path), eviction_policy="none")
    with kept.transact():
        for i, value in objects.items():
            kept[i] = value
    return kept


def _read_diskcache(path: Path) -> dict[int, Any]:
    import diskcache

    with diskcache.Cache(str(path)) as kept:
        return {i: kept[i] for i in kept}


def _without() -> str:
    return "" if find_spec("diskcache") else "Not installed, so not measured: diskcache."


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)
