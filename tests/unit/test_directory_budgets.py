"""C9, C10, C12: what goes first, and what a loaded entry lacks."""

import os
from pathlib import Path

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.status import Status
from tests.support.cache_files import LastValueModel, complete_snapshot, only_file, random_walk, reopen, wait_until


def test_C12_entries_used_longest_ago_are_evicted_to_disk_and_found_again(cache: Cache) -> None:
    model = LastValueModel()
    first = nbf.forecast(random_walk(1), model, wait=True)
    cache.memory = int(2.5 * nbf.cache.info().memory_bytes)
    second = nbf.forecast(random_walk(2), model, wait=True)
    nbf.forecast(random_walk(1), model, wait=True)
    nbf.forecast(random_walk(3), model, wait=True)
    held = {v.key.handle for v in cache.slices()}
    assert first.handle in held
    assert second.handle not in held
    assert nbf.cache.info().memory_bytes <= cache.memory
    before = model.rows
    again = nbf.forecast(random_walk(2), model, wait=True)
    assert model.rows == before == 600
    assert (again.inferred, again.reused) == (0, 200)
    np.testing.assert_array_equal(again.array, second.array)
    assert set(nbf.cache.entries()["handle"]) == {first.handle, second.handle, *held}


def test_C12_unsaved_entries_are_saved_before_they_are_evicted(cache: Cache) -> None:
    model = LastValueModel()
    run = nbf.forecast(random_walk(1), model, wait=True)
    assert cache.directory is not None
    cache.directory.clear()
    assert [e.key.handle for e in cache.trim(0)] == [run.handle]
    assert not cache.entries()
    assert nbf.forecast(random_walk(1), model, wait=True).reused == 200
    assert model.rows == 200


def test_C12_pinned_entries_and_the_one_used_last_stay_in_memory(cache: Cache) -> None:
    model = LastValueModel()
    runs = [nbf.forecast(random_walk(seed), model, wait=True) for seed in range(3)]
    entries = {e.key.handle: e for e in cache.entries()}
    pinned = entries[runs[0].handle]
    cache.pin(pinned)
    cache.memory = 0
    cache.trim()
    assert {e.key.handle for e in cache.entries()} == {runs[0].handle, runs[2].handle}
    cache.trim(0)
    assert cache.entries() == [pinned]
    cache.pin(pinned, -1)
    cache.trim(0)
    assert not cache.entries()


def test_C12_files_used_longest_ago_are_deleted_first(tmp_path: Path) -> None:
    directory = CacheDirectory(tmp_path)
    found = [directory.write(complete_snapshot(seed)) for seed in range(6)]
    for age, file in enumerate(found):
        os.utime(file.path, (0, 1e9 - 1000 * age))
    directory.touch(found[4])  # used just now, though it was made long ago
    sizes = {f.path: f.size for f in directory.files()}
    newest = [found[4].path, found[0].path, found[1].path]
    assert [f.path for f in directory.files()][:3] == newest
    gone = directory.trim(sum(sizes[p] for p in newest))
    assert [f.path for f in gone] == [found[n].path for n in (5, 3, 2)]
    assert [f.path for f in directory.files()] == newest
    gone = directory.trim(0, keep=found[1].path)
    assert [f.path for f in gone] == [found[0].path, found[4].path]
    assert [f.path for f in directory.files()] == [found[1].path]
    assert directory.trim(sizes[found[1].path]) == []


def test_C12_saving_keeps_the_directory_within_its_budget(cache: Cache) -> None:
    model = LastValueModel()
    runs = [nbf.forecast(random_walk(0), model, wait=True)]
    assert cache.directory is not None
    cache.disk = int(2.5 * only_file(cache.directory).size)
    for seed in range(1, 4):
        runs.append(nbf.forecast(random_walk(seed), model, wait=True))
        assert sum(f.size for f in cache.directory.files()) <= cache.disk
    assert {f.handle for f in cache.directory.files()} == {r.handle for r in runs[-2:]}
    cache.disk = 0
    last = nbf.forecast(random_walk(9), model, wait=True)
    assert only_file(cache.directory).handle == last.handle


def test_C9_C12_an_entry_removed_from_disk_alone_can_be_saved_again(cache: Cache) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    nbf.cache.flush(memory=False)
    assert not cache.directory.files()  # type: ignore[union-attr]
    assert nbf.cache.save().entries == 1
    assert only_file(cache.directory).handle == run.handle  # type: ignore[arg-type]


def test_C12_at_shutdown_the_directory_keeps_the_entries_used_last(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cache.directory
    assert directory is not None
    cache.directory = None
    runs = [nbf.forecast(random_walk(seed), LastValueModel(), wait=True) for seed in range(4)]
    cache.disk = int(2.5 * directory.write(cache.entries()[0].snapshot()[0]).size)
    directory.clear()
    cache.directory = directory
    cache.save_all()
    assert {f.handle for f in directory.files()} == {r.handle for r in runs[-2:]}


@pytest.mark.parametrize("waiting", [0, 10])
@pytest.mark.parametrize("status", [Status.INFERRED, Status.UNSCORED])
def test_C10_loading_calculates_what_is_missing_and_infers_nothing(status: Status, waiting: int, cache: Cache) -> None:
    model = LastValueModel()
    run = nbf.forecast(random_walk(1), model, wait=True)
    frame = run.frame
    directory = reopen(cache)
    entry = Entry.from_snapshot(parquet.read(only_file(directory).path))
    entry.discard(np.arange(50, 120), status)
    entry.discard(np.arange(120, 120 + waiting), Status.PENDING)
    directory.write(entry.snapshot()[0], overwrite=True)
    before = only_file(directory)
    assert nbf.cache.entries()["calculated"].item() == 130 - waiting
    change = nbf.cache.load()
    assert (change.entries, change.origins) == (1, 200 - waiting)
    (held,) = cache.entries()
    wait_until(lambda: not session.engine()._tasks)
    expected = np.full(200, Status.SCORED)
    expected[120 : 120 + waiting] = Status.PENDING
    np.testing.assert_array_equal(held.status, expected)
    assert model.rows == 200
    done = EntrySlice.whole(held).frame().select(frame.columns[:13])
    rows = np.flatnonzero(expected)
    np.testing.assert_array_equal(done["forecast"].to_numpy()[rows], frame["forecast"].to_numpy()[rows])
    for name in ("quantiles", "crps", "covered"):
        np.testing.assert_allclose(done[name].to_numpy()[rows], frame[name].to_numpy()[rows], rtol=1e-6)
    assert only_file(directory).stamp != before.stamp
    assert (parquet.read(only_file(directory).path).status == expected).all()


def test_C10_complete_entries_are_loaded_without_work(cache: Cache) -> None:
    runs = [nbf.forecast(random_walk(seed), LastValueModel(), wait=True) for seed in range(3)]
    reopen(cache)
    assert nbf.cache.load().entries == 3
    assert not session.engine()._tasks
    assert {e.key.handle for e in cache.entries()} == {r.handle for r in runs}
