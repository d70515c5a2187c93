"""C9, C13: several processes on one directory, killed at any instant."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pytest

from nbforecast.result_cache import directory as directory_module
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache_file import CacheFile
from nbforecast.result_cache.directory import ASIDE, CacheDirectory
from nbforecast.result_cache.snapshot import Snapshot, has_forecast
from tests.support.cache_files import bits, complete_snapshot, keep_rows
from tests.support.requirements import Requirement, requires

# processes are forked, so that they start at once
pytestmark = [requires(Requirement.FORK), pytest.mark.slow]

SIZES = (20, 300, 3000)
ENTRIES = 6
SHARED, ROUNDS, PROCESSES = 99, 8, 4
PARTS = ".*.part"
FIRST_ROWS, GROWING = 30, 101  # the second is large: see `whole`


@cache
def whole(number: int) -> Snapshot:
    """The same entry in every process."""
    return complete_snapshot(number, SIZES[number % len(SIZES)])


def chosen(number: int, seed: int) -> np.ndarray:
    """Some of an entry's rows, the same in every process."""
    rng = np.random.default_rng(seed)
    return np.flatnonzero(rng.random(len(whole(number).data)) < 0.02 * rng.integers(1, 4))


def say(*words: object) -> None:
    """One line, in one piece, at once: `print` may keep it back, and a killed process loses it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def fork(work: Any, *arguments: Any) -> int:
    """The id of a new process that does some work and ends."""
    process = os.fork()
    if process:
        return process
    try:
        work(*arguments)
    except BaseException as error:
        say("failed", repr(error))
        os._exit(1)
    os._exit(0)


def write_for_ever(folder: str, seed: int) -> None:
    directory, rng = CacheDirectory(Path(folder)), random.Random(seed)
    say("began", os.getpid())
    while True:
        number, part = rng.randrange(ENTRIES), rng.randrange(1 << 30)
        directory.write(keep_rows(whole(number), chosen(number, part), version=str(part)))
        say("saved", number, part)


def serve(folder: str, count: int) -> None:
    """Fork one writer after another; each is to be killed."""
    for number in range(ENTRIES):  # what is imported and kept here is there in every writer
        parquet.write(whole(number), io.BytesIO())
    for seed in range(count):
        os.waitpid(fork(write_for_ever, folder, seed), 0)
        say("ended")


def join_in(folder: str, number: int, killed: int | None) -> None:
    """Save a share of an entry that all have, and an entry of one's own, more of both in every round."""
    directory = CacheDirectory(Path(folder))
    if number == killed:
        hold(directory)
    share = np.arange(number, len(whole(SHARED).data), PROCESSES)
    for part in range(1, ROUNDS + 1):
        directory.write(keep_rows(whole(SHARED), share[: len(share) * part // ROUNDS], version=f"kernel {number}"))
        directory.write(keep_rows(whole(number), np.arange(len(whole(number).data) * part // ROUNDS)))
        directory.trim(1 << 40)


def hold(directory: CacheDirectory) -> None:
    """Stop in the middle of writing, as long as one is let."""

    def write(snapshot: Snapshot, file: BinaryIO) -> None:
        file.write(b"PAR1")
        file.flush()
        say("holds", os.getpid())
        time.sleep(600)

    parquet.write = write  # type: ignore[assignment]
    directory.write(whole(SHARED))


def crowd(folder: str, killed: int | None = None) -> None:
    """Several processes at once."""
    there = {}
    for number in [n for n in range(PROCESSES) if n == killed] + [n for n in range(PROCESSES) if n != killed]:
        there[fork(join_in, folder, number, killed)] = number
        if number == killed:
            time.sleep(0.5)
    while there:
        process, status = os.wait()
        say("done", there.pop(process), status)


@contextmanager
def script(call: str, folder: Path, *arguments: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that imports everything once and then forks others."""
    given = ", ".join(map(repr, (str(folder), *arguments)))
    code = f"from tests.unit.test_directory_processes import {call}; {call}({given})"
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, start_new_session=True
    )
    try:
        yield process
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, b"")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def lines(process: "subprocess.Popen[bytes]") -> Iterator[list[str]]:
    assert process.stdout is not None
    for line in process.stdout:
        words = line.decode().split()
        assert words[0] != "failed", line
        yield words


def check_whole(folder: Path) -> dict[int, np.ndarray]:
    """Read every file; for each entry the rows whose forecast is there, all of them as they were written."""
    held = {}
    known = {whole(n).key.handle: n for n in (*range(ENTRIES), SHARED)}
    for found in CacheDirectory(folder).files():
        read, number = parquet.read(found.path), known[found.handle]
        rows = has_forecast(read.status)
        for name, column in bits(read).items():
            np.testing.assert_array_equal(column[rows], bits(whole(number))[name][rows])
        held[number] = rows
    assert not (folder / ASIDE).exists()
    return held


@pytest.mark.parametrize("kills", [30, pytest.param(200, marks=pytest.mark.long)])
def test_C13_a_process_killed_at_any_instant_leaves_whole_entries_and_loses_nothing_saved(
    kills: int, tmp_path: Path
) -> None:
    rng = random.Random(0)
    saved = {n: np.zeros(len(whole(n).data), bool) for n in range(ENTRIES)}
    saves = unfinished = 0
    with script("serve", tmp_path, kills) as server:
        said = lines(server)
        for _ in range(kills):
            word, process = next(said)
            assert word == "began"
            for _ in range(rng.randrange(3)):
                mark(saved, next(said))
                saves += 1
            time.sleep(rng.uniform(0, 0.03))
            os.kill(int(process), signal.SIGKILL)
            for words in said:
                if words == ["ended"]:
                    break
                mark(saved, words)
                saves += 1
            held = check_whole(tmp_path)
            for number, rows in saved.items():
                if rows.any():
                    assert held[number][rows].all()
        unfinished = len(list(tmp_path.glob(PARTS)))
    assert saves > kills / 2
    assert unfinished > kills / 40, "hardly any was killed while it wrote"
    directory = CacheDirectory(tmp_path)
    before = directory.files()
    directory.trim(1 << 40)
    assert len(list(tmp_path.glob(PARTS))) == unfinished  # another kernel may be about to finish them
    for part in tmp_path.glob(PARTS):
        os.utime(part, (0, time.time() - 7200))
    began = time.monotonic()
    directory.write(whole(0))
    assert time.monotonic() - began < 10
    assert directory.trim(1 << 40) == []
    assert not list(tmp_path.glob(PARTS))
    assert {f.path for f in directory.files()} == {f.path for f in before}
    check_whole(tmp_path)


@cache
def grown_handle(rows: int) -> str:
    return grown(rows).key.handle


def grown(rows: int) -> Snapshot:
    """The first rows of an entry that grows, the same in every process."""
    entry = whole(GROWING)
    data = replace(
        entry.data, offsets=np.array([0, rows]), time=entry.data.time[:rows], values=entry.data.values[:rows]
    )
    return replace(entry.take(np.arange(rows)), data=data)


def append_for_ever(folder: str, seed: int) -> None:
    """Append one row after the other to what others have left, as soon as one is let."""
    say("began", os.getpid())
    while not (Path(folder).parent / f"go {os.getpid()}").exists():
        time.sleep(0.001)
    directory_module.LEAST_ROWS, directory_module.LARGEST_SHARE = 12, 1 << 30
    directory_module.FULL_DELTA = (1, 1 << 20)[seed % 2]  # a file for each row, or one for all
    directory = CacheDirectory(Path(folder))
    rows = max((len(read.data) for file in directory.files() if (read := directory.read(file))), default=FIRST_ROWS)
    for count in range(rows, len(whole(GROWING).data)):
        directory.write(replace(grown(count), former=tuple(map(grown_handle, range(max(count - 5, 1), count)))))
        say("saved", count)


def append(folder: str, count: int) -> None:
    """Fork one process that appends after another; each is to be killed."""
    parquet.write(whole(GROWING), io.BytesIO())  # what is imported and kept here is there in every process
    for seed in range(count):
        os.waitpid(fork(append_for_ever, folder, seed), 0)
        say("ended")


def check_grown(folder: Path, saved: int) -> CacheFile:
    """The entry has every row that was saved, each once, also for whoever knows nothing of the cache."""
    directory = CacheDirectory(folder)
    read, file = max(((directory.read(f), f) for f in directory.files()), key=lambda one: len(one[0].data))
    count = len(read.data)
    assert saved <= count <= saved + 1
    assert read.key.handle == grown_handle(count)
    for name in ("forecast", "quantiles"):
        np.testing.assert_array_equal(read.columns[name], grown(count).columns[name])
    assert pl.read_parquet(file.paths)["step"].sort().to_list() == list(range(count))
    assert not (folder / ASIDE).exists()
    return file


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.long)])
def test_V2_C13_rows_that_were_appended_survive_a_kill_at_any_instant(kills: int, tmp_path: Path) -> None:
    rng, saved, deltas, folder = random.Random(0), 0, [], tmp_path / "results"
    with script("append", folder, kills) as server:
        said = lines(server)
        for number in range(kills):
            word, process = next(said)
            assert word == "began"
            if number:
                deltas.append(len(check_grown(folder, saved).deltas))
            (tmp_path / f"go {process}").touch()
            for _ in range(rng.randrange(1, 6)):
                saved = int(next(said)[1])
            time.sleep(rng.uniform(0, 0.02))
            os.kill(int(process), signal.SIGKILL)
            for words in said:
                if words == ["ended"]:
                    break
                saved = int(words[1])
    check_grown(folder, saved)
    assert min(deltas) < max(deltas)
    directory = CacheDirectory(folder)
    directory.write(replace(grown(saved + 2), former=(grown_handle(saved), grown_handle(saved + 1))))
    assert len(directory.files()) == 1, "what was left from before rows were appended is gone"


@pytest.mark.parametrize("unlinked", range(4))
def test_C13_V2_files_that_a_kill_left_beside_what_replaces_them_go_with_the_next_row(
    unlinked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first file and three of rows became one, and so many of the four were deleted before the kill."""
    monkeypatch.setattr(directory_module, "LEAST_ROWS", 3)
    monkeypatch.setattr(directory_module, "LARGEST_SHARE", 1 << 30)
    monkeypatch.setattr(directory_module, "FULL_DELTA", 1)  # a file for each row
    killed, last = CacheDirectory(tmp_path), FIRST_ROWS + 4

    def stop(file: CacheFile) -> int:
        for path in file.paths[:unlinked]:
            path.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(killed, "remove", stop)
    for count in range(FIRST_ROWS, last):
        killed.write(replace(grown(count), former=(grown_handle(count - 1),)))
    with pytest.raises(KeyboardInterrupt):
        killed.write(replace(grown(last), former=(grown_handle(last - 1),)))
    assert len(list(tmp_path.glob("*.parquet"))) == 5 - unlinked
    assert check_grown(tmp_path, last).deltas == ()

    shorter = keep_rows(grown(last - 6), np.arange(10))  # has less, but what it has was forced later
    forced = CacheDirectory(tmp_path).write(replace(shorter, forced_times=np.full(last - 6, 9e9)))
    directory = CacheDirectory(tmp_path)
    written = directory.write(replace(grown(last + 1), former=(grown_handle(last),)))
    assert written is not None
    assert forced is not None
    assert {file.path for file in directory.files()} == {written.path, forced.path}
    assert check_grown(tmp_path, last + 1).path == written.path


def mark(saved: dict[int, np.ndarray], words: list[str]) -> None:
    assert words[0] == "saved"
    number, part = map(int, words[1:])
    saved[number][chosen(number, part)] = True


def test_C13_four_processes_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    reads = 0
    with script("crowd", tmp_path) as processes:
        done = lines(processes)
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("*.parquet"))) < 1 + PROCESSES:
            check_whole(tmp_path)
            reads += 1
            assert time.monotonic() < until
        assert sorted(done) == [["done", str(n), "0"] for n in range(PROCESSES)]
    held = check_whole(tmp_path)
    assert set(held) == {SHARED, *range(PROCESSES)}
    assert {n: int(rows.sum()) for n, rows in held.items()} == {n: len(whole(n).data) for n in held}
    assert not list(tmp_path.glob(PARTS))


def test_C13_a_process_killed_while_it_holds_the_lock_stops_nobody(tmp_path: Path) -> None:
    with script("crowd", tmp_path, 0) as processes:
        said = lines(processes)
        word, holder = next(said)
        assert word == "holds"
        time.sleep(1.5)
        assert not list(tmp_path.glob("*.parquet"))  # the others wait for their turn
        os.kill(int(holder), signal.SIGKILL)
        assert next(said) == ["done", "0", str(int(signal.SIGKILL))]
        assert sorted(said) == [["done", str(n), "0"] for n in range(1, PROCESSES)]
    held = check_whole(tmp_path)
    assert set(held) == {SHARED, *range(1, PROCESSES)}
    assert all(held[n].all() for n in range(1, PROCESSES))
    np.testing.assert_array_equal(held[SHARED], np.arange(len(held[SHARED])) % PROCESSES != 0)
    assert len(list(tmp_path.glob(PARTS))) == 1


def test_E9_what_is_finished_is_saved_before_an_exit_waits_for_the_chunk_in_work(tmp_path: Path) -> None:
    """A kernel that takes long to end is killed by its manager."""
    code = """
import time, numpy as np, nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
calls = []
def slow(contexts, horizon):
    calls.append(1)
    if len(calls) > 20:
        time.sleep(60)
    return np.nanmean(contexts, 1)[:, None] + np.zeros((1, horizon))
run = nbf.forecast(nbf.sample('taxi'), FunctionForecaster(slow, 'slow', key='slow', context=8))
while not (len(calls) > 20 and run.calculated):
    time.sleep(0.01)
print(run.calculated, flush=True)
"""
    env = {**os.environ, "NBFORECAST_CACHE_DIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        calculated = int(process.stdout.readline())
        until = time.monotonic() + 30
        while not (found := list((tmp_path / "results").glob("*.parquet"))):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert process.poll() is None, "it still waits"
        process.kill()
    assert len(pl.read_parquet(found[0])) >= calculated > 0
