"""C9, C11, C13: the directory is its owner's, and holds what either of several kernels has saved."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbforecast as nbf
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.snapshot import Snapshot
from nbforecast.result_cache.status import Status
from tests.support.cache_files import (
    LastValueModel,
    assert_same,
    complete_snapshot,
    keep_rows,
    only_file,
    packed_metadata,
    random_walk,
    reopen,
    tree,
    warnings_of,
)
from tests.support.isolation import unshared_environment

pytestmark = pytest.mark.slow


def test_C9_only_the_owner_can_read_and_no_unfinished_file_remains(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        directory = CacheDirectory(tmp_path / "new" / "results")
        directory.write(complete_snapshot())
        directory.write(complete_snapshot(), overwrite=True)
    finally:
        os.umask(before)
    for folder in (directory.path, directory.path.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in directory.path.iterdir()}
    assert modes == {directory.file_path(complete_snapshot().key).name: 0o600, ".lock": 0o600}


def test_C9_a_failed_write_leaves_the_former_file_and_no_unfinished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = CacheDirectory(tmp_path)
    before = keep_rows(complete_snapshot(), np.arange(10))
    directory.write(before)

    def full(snapshot: Snapshot, file: Any) -> None:
        file.write(b"PAR1" + b"x" * 5000)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write", full)
    with pytest.raises(OSError, match="No space left"):
        directory.write(complete_snapshot())
    assert set(tree(tmp_path)) == {directory.file_path(before.key).name}
    read = directory.read(only_file(directory))
    assert read is not None
    assert_same(read, before)


RUN = """
import os, numpy as np, nbforecast as nbf
os.umask(0)
def last(contexts, horizon):
    return np.repeat(contexts[:, -1:], horizon, 1)
run = nbf.forecast(np.sin(np.arange(100) / 3), last, wait=True)
nbf.quickdraw(np.sin(np.arange(90) / 3), -5, model=last)
assert run.progress == 1
"""


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_C9_files_are_written_to_the_cache_directory_alone(kind: str, tmp_path: Path) -> None:
    places = {n: str(tmp_path / n) for n in ("HOME", "XDG_CACHE_HOME", "NBFORECAST_CACHE_DIR", "TMPDIR", "work")}
    for place in places.values():
        Path(place).mkdir()
    env = unshared_environment() | places | {"NBFORECAST_CACHE": kind, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", RUN], check=True, env=env, cwd=places["work"], timeout=120)
    written = tree(tmp_path).keys() - places.keys()
    if kind == "memory":
        assert not written
    else:
        results = tmp_path / "NBFORECAST_CACHE_DIR" / "results"
        assert {str(Path(p).parts[0]) for p in written} == {"NBFORECAST_CACHE_DIR"}
        assert len(CacheDirectory(results).files()) >= 1
        assert {stat.S_IMODE(p.stat().st_mode) for p in results.iterdir()} == {0o600}
        assert stat.S_IMODE(results.stat().st_mode) == 0o700


def make_file(place: Path) -> None:
    place.write_text("I am a file")


def make_file_below(place: Path) -> None:
    place.symlink_to(place.parent / "outside" / "results")
    (place.parent / "outside").write_text("I am a file")


def make_lock_a_link(place: Path) -> None:
    place.mkdir()
    (place.parent / "outside").write_text("I am a file")
    (place / ".lock").symlink_to(place.parent / "outside")


@pytest.mark.parametrize("make", [make_file, make_file_below, make_lock_a_link])
def test_C9_C13_a_directory_that_cannot_be_written_to_costs_a_warning(
    make: Callable[[Path], None], cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path / "results")
    before = tree(tmp_path)
    model = LastValueModel()
    run = nbf.forecast(random_walk(1), model, wait=True)
    assert run.progress == 1
    (said,) = warnings_of(caplog)
    assert said.startswith("Results stay in memory, since they cannot be saved")
    assert nbf.forecast(random_walk(1), model, wait=True).reused == 200
    assert tree(tmp_path) == before
    assert nbf.cache.info().disk_bytes == 0
    nbf.cache.flush()


def test_C13_a_directory_that_cannot_be_listed_costs_no_run(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    reopen(cache)

    def refused(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    model = LastValueModel()
    assert nbf.forecast(random_walk(2), model, wait=True).progress == 1
    assert model.rows == 200
    assert nbf.cache.info().entries == 1


def test_C13_a_file_holds_the_results_of_both_kernels(tmp_path: Path) -> None:
    whole = complete_snapshot()
    kernels = [CacheDirectory(tmp_path), CacheDirectory(tmp_path)]
    kernels[0].write(keep_rows(whole, np.arange(15), created=5.0))
    kernels[1].write(keep_rows(whole, np.arange(10, 25), created=3.0))
    kernels[0].write(keep_rows(whole, np.arange(30, 32), created=9.0))
    read = parquet.read(only_file(CacheDirectory(tmp_path)).path)
    rows = [*range(25), 30, 31]
    assert_same(read, keep_rows(whole, rows, created=3.0))


def test_C13_results_with_more_calculations_count_in_either_order(tmp_path: Path) -> None:
    whole = complete_snapshot()
    early = Entry.from_snapshot(whole)
    early.discard(np.arange(40), Status.INFERRED)
    for number, order in enumerate([(whole, early.snapshot()[0]), (early.snapshot()[0], whole)]):
        directory = CacheDirectory(tmp_path / str(number))
        for snapshot in order:
            directory.write(snapshot)
        read = parquet.read(only_file(directory).path)
        assert (read.status == Status.SCORED).all()
        np.testing.assert_array_equal(read.columns["crps"], whole.columns["crps"])


def test_C6_C13_results_forced_later_count_in_either_order(tmp_path: Path) -> None:
    old = complete_snapshot()
    columns = {n: c + 1 for n, c in old.columns.items()}
    new = keep_rows(replace(old, columns=columns), np.arange(20, 40), forced_times=np.full(40, 7.0), version="w")
    for number, order in enumerate([(old, new), (new, old)]):
        directory = CacheDirectory(tmp_path / str(number))
        for snapshot in order:
            directory.write(snapshot)
        read = parquet.read(only_file(directory).path)
        assert read.forced_times.tolist() == [0.0] * 20 + [7.0] * 20
        np.testing.assert_array_equal(read.columns["forecast"][:20], old.columns["forecast"][:20])
        np.testing.assert_array_equal(read.columns["forecast"][20:], columns["forecast"][20:])


def test_C11_C13_overwrite_replaces_the_saved_results(tmp_path: Path) -> None:
    whole, directory = complete_snapshot(), CacheDirectory(tmp_path)
    directory.write(whole)
    less = keep_rows(whole, np.arange(3))
    directory.write(less, overwrite=True)
    assert_same(parquet.read(only_file(directory).path), less)


def test_C13_a_finished_run_saves_what_another_kernel_lacks(cache: Cache) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    directory = reopen(cache)
    whole = directory.read(only_file(directory))
    assert whole is not None
    directory.write(keep_rows(whole, np.arange(50)), overwrite=True)
    model = LastValueModel()
    theirs = nbf.forecast(random_walk(1), model)  # begins with 50 rows, while another kernel saves others
    CacheDirectory(directory.path).write(keep_rows(whole, np.arange(150, 200)))
    theirs.wait()
    assert model.rows == 150
    assert parquet.read(only_file(directory).path).inferred == 200
    np.testing.assert_array_equal(theirs.array, run.array)


def test_C13_another_kernels_file_of_the_same_size_and_number_is_recognised(tmp_path: Path) -> None:
    """File systems use the number of a file that is gone for the next one, so that this is alike as well."""
    whole = complete_snapshot()
    directory, path = (
        CacheDirectory(tmp_path / "ours"),
        CacheDirectory(tmp_path / "theirs").write(keep_rows(whole, np.arange(30, 40))).path,
    )
    found = directory.write(keep_rows(whole, np.arange(25)))
    padded = pad(path, found.size)
    with found.path.open("r+b") as file:
        file.write(padded)
    os.utime(found.path, (0, found.used + 1))
    again = only_file(directory)
    assert (again.size, again.stamp[0]) == (found.size, found.stamp[0])
    directory.touch(again)
    directory.write(keep_rows(whole, np.arange(26)))
    np.testing.assert_array_equal(np.flatnonzero(parquet.read(found.path).status), [*range(26), *range(30, 40)])


def pad(path: Path, size: int) -> bytes:
    """The same entry in a file of just that size."""
    table, note = pq.read_table(path).replace_schema_metadata(None), packed_metadata(path)

    def padded(spaces: int) -> bytes:
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, table.schema, compression="none") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({b"nbforecast": note + b" " * spaces})
        return sink.getvalue().to_pybytes()

    missing = size - len(padded(0))  # a space takes a byte, and the number of spaces a few more
    return next(content for n in range(missing, -1, -1) if len(content := padded(n)) == size)


def test_C12_what_cannot_be_saved_stays_in_memory(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_file(tmp_path / "results")
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    with pytest.raises(nbf.NbForecastError, match="they cannot be saved"):
        nbf.cache.flush(disk=False)
    monkeypatch.setattr(cache, "memory", 1)
    nbf.forecast(random_walk(2), LastValueModel(), wait=True)
    assert nbf.forecast(random_walk(1), LastValueModel(), wait=True).inferred == 0
    assert len(cache.entries()) == 2
    (tmp_path / "results").unlink()
    nbf.forecast(random_walk(3), LastValueModel(), wait=True)
    assert len(cache.entries()) == 1
    caplog.clear()
