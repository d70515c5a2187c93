"""C13, S8: full, read-only and vanished disks, files that expand, memory limits, processes that were forked."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import free_memory as memory
from nbforecast.distributed import shard_contents
from nbforecast.result_cache import parquet
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.metadata import Unreadable
from tests.support.cache_files import LastValueModel, random_walk

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache


def full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_C9_saving_to_a_full_disk_is_an_error_that_names_the_place(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "write", full)
    nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    with pytest.raises(nbf.StorageError, match="No space left") as caught:
        nbf.cache.save()
    assert str(cache.directory.path) in str(caught.value)


def test_C9_a_panel_on_a_full_disk_is_an_error_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame({"unique_id": ["a"] * 60, "ds": np.arange(60), "y": np.arange(60.0)})
    rows.write_parquet(tmp_path / "panel.parquet")
    monkeypatch.setattr(shard_contents.parquet, "write", full)
    with pytest.raises(nbf.StorageError, match="No space left") as caught:
        nbf.forecast_dataset(tmp_path / "panel.parquet", tmp_path / "out", model="naive", horizon=2, wait=True)
    assert "out" in str(caught.value)


@pytest.mark.slow
def test_C13_a_small_file_that_expands_is_refused_before_memory_is_allocated(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = nbf.forecast(np.zeros(20_000), LastValueModel(), wait=True)
    directory = CacheDirectory(tmp_path)
    file = directory.write(run.entry_slice.entry.snapshot()[0])
    assert file is not None
    assert parquet.read(file.path).inferred == run.available
    monkeypatch.setenv("NBFORECAST_MEMORY", "10MB")
    small = os.stat_result((0, 0, 0, 0, 0, 0, file.size // 100, 0, 0, 0))
    monkeypatch.setattr(type(file.path), "stat", lambda *_, **__: small)
    with pytest.raises(Unreadable, match="NBFORECAST_MEMORY"):
        parquet.read(file.path)


def test_C13_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < memory.free_memory() < 1 << 60
    monkeypatch.setattr(memory, "_containers", lambda: [1000])
    assert memory.free_memory() == 1000


FORKED = """
import os, numpy as np, nbforecast as nbf
nbf.forecast(np.arange(90.0), "naive", 3, wait=True)
child = os.fork()
if not child:
    try:
        nbf.forecast(np.arange(80.0), "naive", 3, wait=True)
    except nbf.NbForecastError as error:
        os._exit(7 if "spawn" in str(error) else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
def test_E5_a_forked_process_is_told_to_spawn(tmp_path: Path) -> None:
    environment = os.environ | {"NBFORECAST_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FORKED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "7", done.stderr[-2000:]
