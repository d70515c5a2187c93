"""C13: what is not, or no longer, an entry costs nothing but itself."""

import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import ASIDE, CacheDirectory
from nbforecast.result_cache.metadata import Damaged, Unreadable
from tests.support.cache_files import (
    DAMAGES,
    LastValueModel,
    assert_same,
    complete_snapshot,
    empty,
    foreign,
    keep_rows,
    newer,
    older,
    only_file,
    random_walk,
    reopen,
    tree,
    truncate,
    warnings_of,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_C13_a_damaged_or_foreign_file_is_set_aside_and_costs_only_itself(
    damage: Callable[[Path], None], cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (nbf.forecast(random_walk(seed), LastValueModel(), wait=True) for seed in (1, 2))
    directory = reopen(cache)
    (path,) = (f.path for f in directory.files() if f.handle == bad.handle)
    damage(path)
    content = path.read_bytes()
    reopen(cache)
    listed = set(nbf.cache.entries()["handle"])
    assert good.handle in listed
    model = LastValueModel()
    assert nbf.forecast(random_walk(2), model, wait=True).reused == 200
    assert model.rows == 0
    again = nbf.forecast(random_walk(1), model, wait=True)
    assert model.rows == 200
    np.testing.assert_array_equal(again.array, bad.array)
    (said,) = warnings_of(caplog)
    assert "is set aside" in said
    assert str(path) in said
    assert parquet.read(path).inferred == 200
    (kept,) = (directory.path / ASIDE).iterdir()
    assert kept.read_bytes() == content
    assert stat.S_IMODE((directory.path / ASIDE).stat().st_mode) == 0o700
    nbf.cache.flush()
    assert not tree(directory.path)


@pytest.mark.parametrize("first", ["metadata", "outline", "read"])
@pytest.mark.parametrize("damage", [truncate, empty, foreign, older])
def test_C13_a_damaged_file_is_warned_of_once_however_it_is_read(
    first: str, damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = CacheDirectory(tmp_path)
    found = directory.write(complete_snapshot())
    damage(found.path)
    found = only_file(directory)
    for way in (first, "read", "outline", "metadata", "read"):
        assert getattr(directory, way)(found) is None
    assert len(warnings_of(caplog)) == 1
    assert not directory.files()


@pytest.mark.parametrize("way", ["metadata", "read"])
def test_C13_an_entrys_file_under_another_name_is_refused(
    way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = CacheDirectory(tmp_path)
    found = directory.write(complete_snapshot(1))
    found.path.rename(directory.file_path(complete_snapshot(2).key))
    assert getattr(directory, way)(only_file(directory)) is None
    (said,) = warnings_of(caplog)
    assert "another entry's file under a false name" in said


def test_C13_saving_sets_a_damaged_file_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = CacheDirectory(tmp_path)
    truncate(directory.write(keep_rows(complete_snapshot(), np.arange(5))).path)
    directory.write(keep_rows(complete_snapshot(), np.arange(7, 9)))
    assert_same(parquet.read(only_file(directory).path), keep_rows(complete_snapshot(), np.arange(7, 9)))
    assert len(list((tmp_path / ASIDE).iterdir())) == 1
    assert len(warnings_of(caplog)) == 1


def test_C13_a_late_save_removes_nothing_that_was_saved_meanwhile(tmp_path: Path) -> None:
    """Two threads of a kernel may save one entry, and the one that has looked first be the second to write."""
    directory, whole = CacheDirectory(tmp_path), complete_snapshot()
    early, late = keep_rows(whole, np.arange(10)), keep_rows(whole, np.arange(30))
    directory.write(late)
    directory.write(early)
    assert_same(parquet.read(only_file(directory).path), late)


def test_C13_threads_of_one_kernel_take_turns_too(tmp_path: Path) -> None:
    directory, whole = CacheDirectory(tmp_path), complete_snapshot(0, 400)

    def save(number: int) -> None:
        for part in range(5):
            directory.write(keep_rows(whole, np.arange(number + 4 * part, 400, 20), version=f"{number} {part}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(4)))
    read = parquet.read(only_file(directory).path)
    assert_same(replace(read, version="v"), whole)


def test_C13_a_file_of_a_newer_nbforecast_is_left_where_it_is(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    directory = reopen(cache)
    path = only_file(directory).path
    newer(path)
    content = path.read_bytes()
    with pytest.raises(Unreadable) as caught:
        parquet.read(path)
    assert not isinstance(caught.value, Damaged)
    reopen(cache)
    assert nbf.cache.entries().is_empty()
    assert nbf.cache.load().entries == 0
    (said,) = warnings_of(caplog)
    assert "is passed over: a newer nbforecast has written it (format 99)" in said
    model = LastValueModel()
    again = nbf.forecast(random_walk(1), model, wait=True)
    np.testing.assert_array_equal(again.array, run.array)
    nbf.cache.drop(run.handle, index="-5:0")
    with pytest.raises(nbf.StorageError, match="stay in memory"):
        nbf.cache.save()
    assert path.read_bytes() == content
    assert not (directory.path / ASIDE).exists()


def test_C13_a_link_under_our_name_is_not_followed(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    directory = reopen(cache)
    path = only_file(directory).path
    outside = tmp_path / "outside.parquet"
    path.rename(outside)
    path.symlink_to(outside)
    content = outside.read_bytes()
    assert nbf.cache.entries().is_empty()
    assert directory.find(run.entry_slice.key) is None
    model = LastValueModel()
    nbf.forecast(random_walk(1), model, wait=True)
    assert model.rows == 200
    assert not path.is_symlink()
    assert nbf.cache.flush().entries == 1
    assert outside.read_bytes() == content
    assert not warnings_of(caplog)


def test_C13_a_directory_under_our_name_costs_a_warning(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    directory = reopen(cache)
    path = only_file(directory).path
    path.unlink()
    path.mkdir()
    (path / "kept").write_text("kept")
    assert nbf.cache.entries().is_empty()
    model = LastValueModel()
    assert nbf.forecast(random_walk(1), model, wait=True).progress == 1
    assert model.rows == 200
    (said,) = warnings_of(caplog)
    assert said.startswith("Results stay in memory")
    nbf.forecast(random_walk(2), model, wait=True)
    assert nbf.cache.entries().height == 2
    nbf.cache.drop(run.handle)
    nbf.cache.flush()
    assert set(tree(directory.path)) == {path.name, f"{path.name}/kept"}


def test_C13_aside_is_no_way_out_of_the_directory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = CacheDirectory(tmp_path / "results")
    found = directory.write(complete_snapshot())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (directory.path / ASIDE).symlink_to(outside)
    truncate(found.path)
    assert directory.read(only_file(directory)) is None
    (said,) = warnings_of(caplog)
    assert "cannot be moved" in said
    directory.clear()
    assert tree(outside) == {"precious": b"precious"}


def test_C13_files_that_are_not_ours_stay(tmp_path: Path) -> None:
    directory = CacheDirectory(tmp_path)
    directory.write(complete_snapshot())
    name = directory.file_path(complete_snapshot().key).name
    others = ["notes.txt", f"{name}.bak", f"x{name}", name.upper(), f".{name}", "aside.parquet", f".{name}.part"]
    for other in others:
        (tmp_path / other).write_text("precious")
    (tmp_path / "folder").mkdir()
    directory.trim(0)
    directory.clear()
    assert set(tree(tmp_path)) == {*others, "folder"}


def test_C13_what_a_killed_kernel_left_is_cleared_once_it_is_old(tmp_path: Path) -> None:
    directory = CacheDirectory(tmp_path)
    name = directory.file_path(complete_snapshot().key).stem
    parts = [tmp_path / f".{name}.{n:016x}.part" for n in range(3)]
    for part in parts:
        part.write_bytes(b"PAR1")
    os.utime(parts[0], (0, time.time() - 2 * 3600))
    directory.trim(1 << 40)
    assert [p.exists() for p in parts] == [False, True, True]
    directory.clear()
    assert not tree(tmp_path)
