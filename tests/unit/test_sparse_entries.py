"""E10: entries of a few origins take what these take, in memory and on disk."""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

import nbforecast as nbf
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.status import column_shapes
from tests.support.cache_files import LastValueModel


def panel(*lengths: int) -> pl.DataFrame:
    """Daily series from 1 January 2024 with so many values."""
    first = dt.date(2024, 1, 1)
    days = [first + dt.timedelta(days=n) for n in range(max(lengths))]
    series = [{"unique_id": f"s{i}", "ds": days[:n], "y": np.arange(float(n))} for i, n in enumerate(lengths)]
    return pl.concat([pl.DataFrame(columns) for columns in series])


@pytest.fixture
def model() -> LastValueModel:
    nbf.cache.flush()
    return LastValueModel()


@pytest.mark.parametrize("library", ["polars", "pyarrow", "duckdb"])
def test_E10_C9_a_file_of_few_origins_is_a_plain_table_with_nulls(
    cache: Cache, model: LastValueModel, library: str
) -> None:
    run = nbf.forecast(panel(60, 50), model, 3, origins="latest", wait=True)
    assert cache.directory is not None
    (file,) = cache.directory.files()
    query = f"select count(forecast) as there, count(*) as rows from '{file.path}'"
    counts = {
        "polars": lambda: pl.read_parquet(file.path).select(pl.col("forecast").count().alias("n"), pl.len()).row(0),
        "pyarrow": lambda: (len(t := pq.read_table(file.path)) - t["forecast"].null_count, len(t)),
        "duckdb": lambda: duckdb.sql(query).fetchall()[0],
    }[library]()
    assert counts == (2, 110)
    cache.clear()
    again = nbf.forecast(panel(60, 50), model, 3, origins=[0, -1], wait=True)
    assert (again.inferred, again.reused) == (2, 2)
    np.testing.assert_array_equal(again.at(0).draws, run.at(0).draws)
    cache.clear()
    full = nbf.forecast(panel(60, 50), model, 3, wait=True)
    assert (full.inferred, full.reused) == (106, 4)
    cache.clear()
    saved = nbf.forecast(panel(60, 50), model, 3, wait=True)
    assert saved.frame.drop("density", "density_limits").equals(full.frame.drop("density", "density_limits"))


def test_E10_C5_only_the_origins_that_are_asked_for_are_taken_from_other_entries(
    cache: Cache, model: LastValueModel
) -> None:
    before = nbf.forecast(panel(60), model, 3, wait=True)
    grown = panel(62)[1:]  # not the same beginning, so that it does not replace the other entry
    run = nbf.forecast(grown, model, 3, origins=slice(-3, 0), wait=True)
    assert (run.inferred, run.reused) == (2, 2)
    assert run.entry_slice.with_requested(None).inferred == 4, "no other forecast is held"
    rest = nbf.forecast(grown, model, 3, wait=True)
    assert (rest.inferred, rest.reused) == (0, 61), "the rest was in the other entry"
    np.testing.assert_array_equal(rest.array[:59], before.array[1:])
    cache.clear()
    assert cache.directory is not None
    (file,) = [f for f in cache.directory.files() if f.handle == rest.handle]
    file.path.unlink()
    nbf.forecast(grown, model, 3, origins="latest", wait=True)
    cache.clear()
    again = nbf.forecast(grown, model, 3, origins=slice(-5, 0), wait=True)
    assert (again.inferred, again.reused) == (1, 5), "also after a restart"


def test_E10_C13_two_processes_save_different_origins_of_one_entry(cache: Cache, model: LastValueModel) -> None:
    nbf.forecast(panel(60), model, 3, origins="latest", wait=True)
    assert cache.directory is not None
    (first,) = cache.directory.files()
    theirs = first.path.read_bytes()
    cache.clear()
    first.path.unlink()
    nbf.forecast(panel(60), model, 3, origins=[-5, -2], wait=True)
    entry = cache.entries()[0]
    first.path.write_bytes(theirs)
    entry.saved = None
    cache.save_all()
    cache.clear()
    run = nbf.forecast(panel(60), model, 3, origins=slice(-5, 0), wait=True)
    assert (run.inferred, run.reused) == (3, 3)


def test_E10_memory_follows_the_origins_that_are_asked_for(cache: Cache, model: LastValueModel) -> None:
    data = panel(*[800] * 12)
    run = nbf.forecast(data, model, 3, origins="latest", wait=True)
    entry = run.entry_slice.entry
    row_bytes = 4 * sum(int(np.prod(shape)) for shape in column_shapes(3, model.draws).values())
    assert entry.nbytes - 18 * len(entry) < 7 * 4 * len(entry) + 100 * row_bytes + 1_000_000 / 8
    nbf.forecast(data, model, 3, wait=True)
    assert entry.complete
    assert entry.nbytes > len(entry) * row_bytes
    assert run.entry_slice.array().base is not None, "no copy once the entry is complete"


def test_E10_C13_a_sparse_file_counts_its_results_for_the_budget_of_memory(
    cache: Cache, model: LastValueModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = nbf.forecast(panel(*[300] * 8), model, 64, origins="latest", wait=True)
    assert cache.directory is not None
    assert len(cache.directory.files()) == 1
    cache.clear()
    monkeypatch.setattr(parquet, "free_memory", lambda: 500_000)  # for all rows it would be 13 MB
    again = nbf.forecast(panel(*[300] * 8), model, 64, origins="latest", wait=True)
    assert (again.inferred, again.reused) == (0, 8)
    assert again.frame.drop("density", "density_limits").equals(run.frame.drop("density", "density_limits"))
