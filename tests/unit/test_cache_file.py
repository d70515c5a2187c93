"""C13, E10: what is remembered of files is bounded, and belongs to the file that has the name now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.result_cache import directory_reader
from nbforecast.result_cache.cache_file import FileMemory
from nbforecast.result_cache.directory import CacheDirectory
from tests.support.cache_files import LastValueModel

if TYPE_CHECKING:
    import pytest

    from nbforecast.result_cache.cache import Cache


def test_C13_a_memory_of_files_has_the_values_used_last_within_its_limit() -> None:
    memory: FileMemory[str] = FileMemory(10, len)
    for name in "abc":
        memory.put(Path(name), name * 4)
    assert [memory.get(Path(name)) for name in "abc"] == [None, ("bbbb",), ("cccc",)]
    memory.get(Path("b"))
    memory.put(Path("d"), "dddd")
    assert [memory.get(Path(name)) for name in "bcd"] == [("bbbb",), None, ("dddd",)]
    for _ in range(5):  # versions of one file count once
        memory.put(Path("b"), "bbbb")
    assert memory.get(Path("d")) == ("dddd",)


def test_C13_a_value_belongs_to_one_version_of_a_file() -> None:
    memory: FileMemory[str] = FileMemory(10, len)
    memory.put(Path("a"), "old", (1, 2, 3))
    assert memory.get(Path("a"), (1, 2, 4)) is None
    memory.put(Path("a"), "new", (1, 2, 4))
    assert memory.get(Path("a"), (1, 2, 4)) == ("new",)


def test_E10_C13_headers_of_every_saved_version_do_not_stay_in_memory(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_reader, "_MAX_IDS", 30)
    assert cache.directory is not None
    monkeypatch.setattr(cache, "directory", CacheDirectory(cache.directory.path))
    model = LastValueModel()
    for day in range(6):
        ids = [f"s{i}" for i in range(5) for _ in range(10)]
        frame = pl.DataFrame({"unique_id": ids, "ds": list(range(10)) * 5, "y": np.arange(50.0) + day})
        for _ in range(2):
            nbf.forecast(frame, model, 2, freq=1, force=True, wait=True)
    assert len(cache.directory.files()) == 6
    memory = cache.directory._of_each_file
    assert memory._total <= 30
    assert len(memory._values) <= 2
