"""C9, C11, C14: handles and paths, as people write them."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import CacheDirectory
from tests.support.cache_files import LastValueModel, foreign, random_walk, reopen, tree, truncate, warnings_of


@pytest.mark.parametrize("handle", ["../x", "/etc", "", "a*", "ABCDEF", "a" * 33, "\0", "aside", None, 3, b"a"])
def test_C14_a_handle_is_hexadecimal_digits(handle: Any, cache: Cache, tmp_path: Path) -> None:
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    before = tree(tmp_path)
    for act in (nbf.cache.drop, nbf.cache.show):
        with pytest.raises(nbf.NbForecastError, match="A handle is up to 32 digits"):
            act(handle)
    assert tree(tmp_path) == before


def test_C11_entries_are_saved_to_and_loaded_from_any_folder(cache: Cache, tmp_path: Path) -> None:
    runs = [nbf.forecast(random_walk(seed), LastValueModel(), wait=True) for seed in range(3)]
    cache.evict(runs[0].entry_slice.key)
    away = tmp_path / "a" / "b c"
    change = nbf.cache.save(away)
    assert (change.entries, change.where) == (3, away)
    assert nbf.cache.save(str(away)).entries == 3
    nbf.cache.flush()
    assert nbf.cache.entries().is_empty()
    assert nbf.cache.load(str(away)).entries == 3
    model = LastValueModel()
    again = [nbf.forecast(random_walk(seed), model, wait=True) for seed in range(3)]
    assert model.rows == 0
    for one, other in zip(runs, again, strict=True):
        np.testing.assert_array_equal(one.array, other.array)
    nbf.cache.flush()
    assert len(CacheDirectory(away).files()) == 3
    assert nbf.cache.load(CacheDirectory(away).files()[0].path).entries == 1


@pytest.mark.parametrize("act", ["drop", "flush", "prune"])
def test_C11_an_entry_removed_while_it_is_saved_does_not_come_back(
    act: str, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, go = threading.Event(), threading.Event()
    write = parquet.write

    def slowly(*arguments: Any) -> None:
        saving.set()
        assert go.wait(30)
        write(*arguments)

    monkeypatch.setattr(parquet, "write", slowly)
    run = nbf.forecast(random_walk(1), LastValueModel())
    assert saving.wait(30)
    remove = {
        "drop": lambda: nbf.cache.drop(run.handle),
        "flush": nbf.cache.flush,
        "prune": lambda: nbf.cache.prune(max_size=0),
    }[act]
    with ThreadPoolExecutor(1) as person:
        removing = person.submit(remove)
        go.set()
        removing.result(30)
    run.wait(30)
    assert nbf.cache.entries().is_empty()
    model = LastValueModel()
    assert nbf.forecast(random_walk(1), model, wait=True).reused == 0


def test_C11_a_tilde_means_the_same_to_save_and_to_load(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    assert nbf.cache.save("~/away").where == tmp_path / "away"
    assert nbf.cache.load("~/away").entries == 1


@pytest.mark.parametrize("act", [nbf.cache.save, nbf.cache.load])
@pytest.mark.parametrize("path", ["file/below", "a\0b", "x" * 300, "~nobody-of-that-name/x", "/proc/nothing/x"])
def test_C11_an_impossible_path_is_an_error(
    act: Callable[[Any], Any], path: str, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(nbf.NbForecastError):
        act(path)
    assert (tmp_path / "file").read_text() == "I am a file"


def test_C11_a_file_is_no_folder_to_save_into(cache: Cache, tmp_path: Path) -> None:
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(nbf.NbForecastError, match="is a file; give a folder"):
        nbf.cache.save(tmp_path / "file")
    with pytest.raises(nbf.NbForecastError, match="is not loaded"):
        nbf.cache.load(tmp_path / "file")
    with pytest.raises(nbf.NbForecastError, match="There is no folder or file"):
        nbf.cache.load(tmp_path / "nothing")
    assert (tmp_path / "file").read_text() == "I am a file"


def test_C14_saving_into_a_folder_follows_no_link_in_it(cache: Cache, tmp_path: Path) -> None:
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    away, outside = tmp_path / "away", tmp_path / "outside"
    away.mkdir()
    outside.write_text("precious")
    target = CacheDirectory(away).file_path(run.entry_slice.key)
    target.symlink_to(outside)
    nbf.cache.save(away)
    assert outside.read_text() == "precious"
    assert not target.is_symlink()
    assert parquet.read(target).inferred == 200


def test_C11_C13_loading_a_folder_skips_foreign_files_and_leaves_them(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [nbf.forecast(random_walk(seed), LastValueModel(), wait=True) for seed in range(2)]
    away = tmp_path / "away"
    nbf.cache.save(away)
    bad = CacheDirectory(away).file_path(runs[0].entry_slice.key)
    truncate(bad)
    foreign(away / "foreign.parquet")
    foreign(away / f"{'0' * 32}-{'0' * 16}.parquet")
    (away / "notes.txt").write_text("precious")
    before = tree(away)
    nbf.cache.flush()
    assert nbf.cache.load(away).entries == 1
    assert {e.key.handle for e in cache.entries()} == {runs[1].handle}
    assert tree(away) == before
    messages = warnings_of(caplog)
    assert len(messages) == 2
    assert all("is passed over" in s for s in messages)


@pytest.mark.parametrize(
    "act",
    [
        lambda: nbf.cache.flush(),
        lambda: nbf.cache.drop(nbf.cache.entries()["handle"][0]),
        lambda: nbf.cache.prune(max_size=0),
    ],
)
def test_C11_files_that_cannot_be_removed_are_an_error(
    act: Callable[[], Any], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)

    def refused(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(nbf.NbForecastError, match="Permission denied"):
        act()


def test_C9_a_name_that_no_file_can_hold_costs_nothing(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    """Such as Python makes of a file name that is not UTF-8."""
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True, name="caf\udce9")
    nbf.cache.save()
    assert nbf.cache.entries()["handle"].to_list() == [run.handle]
    reopen(cache)
    assert nbf.forecast(random_walk(1), LastValueModel(), wait=True).reused == 200
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
