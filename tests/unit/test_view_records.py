"""C5, C7a, C16: a handle whose results are a longer history's opens after a restart, until they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from tests.support.cache_files import LastValueModel, reopen

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache
    from nbforecast.run import Run

ROWS, PART = 60, 40


def frame(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"ds": np.arange(ROWS), "y": np.arange(float(ROWS))}).tail(rows)


def forecast(rows: int, model: LastValueModel) -> Run:
    return nbf.forecast(frame(rows), model, 3, freq=1, wait=True)


@pytest.fixture
def model(cache: Cache) -> LastValueModel:
    model = LastValueModel()
    nbf.register(model.name, model)
    return model


@pytest.fixture(params=["its entry became a view", "it was served as a view"])
def part(request: pytest.FixtureRequest, model: LastValueModel, cache: Cache) -> Run:
    """A run whose results are a view of a longer history's, in a cache that begins anew after a restart."""
    lengths = (PART, ROWS) if "became" in request.param else (ROWS, PART)
    runs = {rows: forecast(rows, model) for rows in lengths}
    nbf.cache.save()
    assert cache.directory is not None
    sizes = sorted(file.size for file in cache.directory.files())
    assert len(sizes) == 2
    return runs[PART]


def test_C5_C7a_a_view_opens_after_a_restart(part: Run, cache: Cache, model: LastValueModel) -> None:
    listed = nbf.cache.entries().sort("rows")
    reopen(cache)
    again = nbf.cache.entries().sort("rows")
    columns = ["handle", "view_of", "rows", "available", "inferred", "calculated"]
    assert again.select(columns).equals(listed.select(columns))
    assert again["view_of"].null_count() == 1
    run = nbf.cache.run(part.handle)
    np.testing.assert_array_equal(run.array, part.array)
    assert run.data.handle == part.handle
    assert forecast(PART, model).inferred == 0
    assert nbf.cache.entries()["view_of"].null_count() == 1


def test_C16_a_dropped_view_stays_gone_and_the_longer_history_stays(part: Run, cache: Cache) -> None:
    reopen(cache)
    nbf.cache.drop(part.handle)
    assert part.handle not in nbf.cache.entries()["handle"]
    reopen(cache)
    nbf.cache.save()
    entries = nbf.cache.entries()
    assert entries["rows"].to_list() == [ROWS]
    assert entries["inferred"].item() == entries["available"].item()


def test_C16_a_view_goes_with_the_longer_history(part: Run, cache: Cache, model: LastValueModel) -> None:
    reopen(cache)
    (whole,) = set(nbf.cache.entries()["handle"]) - {part.handle}
    nbf.cache.drop(whole)
    assert nbf.cache.entries().is_empty()
    with pytest.raises(nbf.NbForecastError, match="no entry"):
        nbf.cache.run(part.handle)
    assert forecast(PART, model).inferred == part.available
    reopen(cache)
    assert nbf.cache.run(part.handle).inferred == 0
    assert forecast(PART, model).inferred == 0


def test_C11_indices_of_a_view_on_disk_are_dropped_and_views_are_not_copied(
    part: Run, cache: Cache, model: LastValueModel, tmp_path: Path
) -> None:
    reopen(cache)
    assert nbf.cache.save(tmp_path / "copy").entries == 1
    reopen(cache)
    assert nbf.cache.drop(part.handle, index="-3:-2").origins == 2
    assert forecast(PART, model).inferred == 2


def test_C13_the_record_of_a_view_is_a_table_without_results(part: Run, cache: Cache) -> None:
    assert cache.directory is not None
    (path,) = (f.path for f in cache.directory.files() if f.handle == part.handle)
    table = pl.read_parquet(path)
    assert table["y"].to_list() == frame(PART)["y"].to_list()
    assert table["forecast"].null_count() == PART
