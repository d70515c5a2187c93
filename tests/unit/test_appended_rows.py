"""V2, C9: a row that is appended costs a small file beside the entry's, and readers see one entry."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.result_cache import directory as directory_module
from nbforecast.result_cache.directory import ASIDE, CacheDirectory
from nbforecast.result_cache.result_column import Column
from tests.support.cache_files import DAMAGES, LastValueModel, reopen, rewrite_metadata, warnings_of
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache

HORIZON = 3
RESULTS = ("forecast", "median", "quantiles", "abs_error", "crps", "pinball", "covered")


def panel(rows: int, *more: int) -> pl.DataFrame:
    """Series `a` of so many rows, `b` and so on of as many as follow; each value is that of its series and step."""
    tables = []
    for name, count in zip("abc", (rows, *more), strict=False):
        values = np.random.default_rng(ord(name)).normal(size=400).cumsum()[:count]
        tables.append(pl.DataFrame({"unique_id": name, "ds": np.arange(count), "y": values}))
    return pl.concat(tables)


def forecast(frame: pl.DataFrame, model: LastValueModel | None = None, **options: Any) -> nbf.Run:
    return nbf.forecast(frame, model or LastValueModel(), HORIZON, freq=1, wait=True, **options)


def paths(cache: Cache) -> list[Path]:
    assert cache.directory is not None
    return sorted(cache.directory.path.glob("*.parquet"))


def assert_calculated_anew(run: nbf.Run, frame: pl.DataFrame) -> None:
    """A run has what a process without a cache would have calculated."""
    columns = ("unique_id", "ds", "index", "y", "status", *RESULTS)
    anew = forecast(frame, LastValueModel(), force=True).frame.select(columns)
    for name in columns:
        found, expected = run.frame[name], anew[name]
        if name in RESULTS:
            np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
        else:
            assert found.to_list() == expected.to_list(), name


def test_V2_C9_appended_rows_are_small_files_that_plain_readers_take_as_one_table(cache: Cache) -> None:
    model = LastValueModel()
    forecast(panel(30, 25), model)
    (first,) = paths(cache)
    before = first.read_bytes(), first.stat().st_mtime_ns
    for rows in ((31, 25), (32, 26), (33, 26), (33, 30)):
        run = forecast(panel(*rows), model)
    assert model.rows == 63
    assert first.read_bytes() == before[0]
    assert [path.name for path in paths(cache)] == [first.name, f"{first.stem}.rows-0001.parquet"]
    assert paths(cache)[1].stat().st_size < 40_000
    (entry,) = nbf.cache.entries().iter_rows(named=True)
    assert (entry["handle"], entry["rows"], entry["inferred"]) == (run.handle, 63, 63)
    assert entry["disk_bytes"] == sum(path.stat().st_size for path in paths(cache))

    pattern = str(first.with_name(f"{first.stem}*.parquet"))
    tables = {
        "polars": pl.scan_parquet(pattern).collect(),
        "pyarrow": pl.from_arrow(ds.dataset([str(path) for path in paths(cache)]).to_table()),
        "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{pattern}')").pl(),
    }
    expected = run.frame.with_columns(pl.col("unique_id").cast(pl.String)).sort("unique_id", "ds")
    for reader, table in tables.items():
        assert isinstance(table, pl.DataFrame)
        table = table.with_columns(pl.col("unique_id", "status").cast(pl.String)).sort("unique_id", "ds")
        assert table.select("unique_id", "ds").equals(expected.select("unique_id", "ds")), reader
        assert table["step"].to_list() == expected["ds"].to_list(), reader
        assert table["y"].to_list() == expected["y"].to_list(), reader
        np.testing.assert_array_equal(table["forecast"].to_list(), expected["forecast"].to_list(), err_msg=reader)
        stored, crps = np.array(table["crps"].to_list()), expected["crps"].to_numpy()
        assert np.isfinite(stored).sum() > 0.8 * np.isfinite(crps).sum()
        np.testing.assert_array_equal(stored[np.isfinite(stored)], crps[np.isfinite(stored)], err_msg=reader)
    rows = pl.read_parquet(paths(cache)[1])
    assert "index" not in rows.columns
    is_partial = rows["status"].cast(pl.String) == "unscored"
    assert is_partial.any()
    assert np.isnan(np.array(rows.filter(is_partial)["crps"].to_list())).all()


def test_V2_C9_C10_a_restart_reads_the_rows_and_completes_their_scores(cache: Cache) -> None:
    model = LastValueModel()
    for rows in ((20, 9), (21, 9), (22, 12)):
        forecast(panel(*rows), model)
    files = {path: path.read_bytes() for path in paths(cache)}
    reopen(cache)
    run = forecast(panel(22, 12), model)
    assert (run.inferred, run.reused, model.rows) == (0, 34, 34)
    assert {path: path.read_bytes() for path in paths(cache)} == files  # nothing new is known
    assert_calculated_anew(run, panel(22, 12))


class CovariateModel(LastValueModel):
    """The last value, for a model that declares to read covariates."""

    key = "last, with covariates"
    covariate_use = CovariateUse()


def test_V2_C9_H2_rows_are_appended_to_results_that_depend_on_covariates(cache: Cache) -> None:
    model, frame = CovariateModel(), panel(24, 12).with_columns(temp=pl.col("ds").cos())
    for last in (20, 21, 23):
        forecast(frame.filter(pl.col("ds") < last), model, past_covariates="temp")
    assert len(paths(cache)) == 2
    reopen(cache)
    run = forecast(frame.filter(pl.col("ds") < 23), model, past_covariates="temp")
    assert (run.inferred, model.rows) == (0, 35)


def test_V2_rows_go_on_after_a_restart_and_become_one_file_now_and_then(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "LEAST_ROWS", 6)
    monkeypatch.setattr(directory_module, "FULL_DELTA", 1)  # a file for every row
    model, counts = LastValueModel(), []
    forecast(panel(20), model)
    for rows in range(21, 36):
        if rows % 4 == 0:
            reopen(cache)
        run = forecast(panel(rows), model)
        counts.append(len(paths(cache)))
    assert model.rows == 35
    assert counts == [2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1, 2]
    assert nbf.cache.entries()["handle"].to_list() == [run.handle]
    assert_calculated_anew(run, panel(35))


def test_V2_a_corrected_value_makes_one_file_and_infers_its_origins_only(cache: Cache) -> None:
    model = LastValueModel()
    for rows in (20, 21, 22):
        forecast(panel(rows), model)
    frame = panel(23).with_columns(y=pl.when(pl.col("ds") == 21).then(9.0).otherwise("y"))
    run = forecast(frame, model)
    assert model.rows == 24
    assert_calculated_anew(run, frame)


def test_C13_V2_several_kernels_append_to_one_entry(cache: Cache) -> None:
    """Two caches on one directory are two kernels; each has what it has seen in its memory."""
    assert cache.directory is not None
    path, model = cache.directory.path, LastValueModel()
    forecast(panel(20), model)
    kernels = [(cache.directory, dict(cache._slices)), (CacheDirectory(path), {})]
    for rows in range(21, 29):
        number = (rows // 2) % 2
        cache.directory, cache._slices = kernels[number]
        run = forecast(panel(rows), model)
        kernels[number] = cache.directory, dict(cache._slices)
    cache.directory, cache._slices = CacheDirectory(path), {}
    assert len(cache.directory.files()) == 1
    again = forecast(panel(28), model)
    assert (again.handle, again.inferred) == (run.handle, 0)
    assert_calculated_anew(again, panel(28))


@pytest.mark.parametrize("damage", DAMAGES[:5], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_C13_V2_damaged_rows_cost_only_themselves(
    cache: Cache, number: int, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(directory_module, "FULL_DELTA", 1)
    model = LastValueModel()
    for rows in (20, 21, 22):
        forecast(panel(rows), model)
    directory = reopen(cache)
    damage(paths(cache)[number])
    model.rows = 0
    with caplog.at_level(logging.WARNING):
        run = forecast(panel(22), model)
    assert model.rows == (20 if number == 0 else 1)
    assert_calculated_anew(run, panel(22))
    assert len(list((directory.path / ASIDE).iterdir())) == 1
    assert len(warnings_of(caplog)) == 1
    assert len(paths(cache)) == 1  # nothing is left of what the entry was before


def test_C13_V2_a_missing_file_of_rows_costs_only_itself(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "FULL_DELTA", 1)
    model = LastValueModel()
    for rows in range(20, 25):
        forecast(panel(rows), model)
    reopen(cache)
    paths(cache)[2].unlink()
    model.rows = 0
    run = forecast(panel(25), model)
    assert model.rows == 2  # the row of that file, and the new one
    assert_calculated_anew(run, panel(25))


def test_C16_V2_what_is_dropped_stays_gone_also_for_a_kernel_that_has_it_from_before(cache: Cache) -> None:
    model = LastValueModel()
    forecast(panel(20), model)
    before = dict(cache._slices)  # of another kernel, which does not follow the data
    run = forecast(panel(21), model)
    assert len(paths(cache)) == 2
    nbf.cache.drop(run.handle)
    assert paths(cache) == []
    cache._slices = before
    model.rows = 0
    again = forecast(panel(22), model)
    assert model.rows == again.inferred == 22
    nbf.cache.flush()
    assert paths(cache) == []
    assert len(nbf.cache.entries()) == 0


def test_C11_C16_V2_dropped_origins_of_an_entry_with_rows_beside_it_stay_gone(cache: Cache) -> None:
    model = LastValueModel()
    for rows in (20, 21, 22):
        run = forecast(panel(rows), model)
    nbf.cache.drop(run.handle, index=(-1, 0))
    reopen(cache)
    model.rows = 0
    again = forecast(panel(22), model)
    assert model.rows == again.inferred == 2
    assert_calculated_anew(again, panel(22))


def test_C6_V2_a_forced_request_replaces_the_rows_before_it(cache: Cache) -> None:
    model = LastValueModel()
    for rows in (20, 21):
        forecast(panel(rows), model)
    assert forecast(panel(22), model, force=True).inferred == 22
    assert len(paths(cache)) == 1
    reopen(cache)
    model.rows = 0
    forecast(panel(23), model)
    assert model.rows == 1
    assert len(paths(cache)) == 2
    assert len(nbf.cache.entries()) == 1


def test_C5_V2_the_data_from_before_are_served_and_harm_nothing(cache: Cache) -> None:
    model = LastValueModel()
    for rows in (20, 21, 22):
        forecast(panel(rows), model)
    run = forecast(panel(20), model)
    assert (run.reused, model.rows) == (20, 22)
    assert_calculated_anew(run, panel(20))
    reopen(cache)
    assert forecast(panel(22), model).reused == 22
    assert model.rows == 22


def test_C11_C12_V2_an_entry_moves_and_leaves_with_its_rows(cache: Cache, tmp_path: Path) -> None:
    model = LastValueModel()
    for rows in (20, 21, 22):
        run = forecast(panel(rows), model)
    assert cache.directory is not None
    copy = shutil.copytree(cache.directory.path, tmp_path / "copy")
    for source in (copy, copy / paths(cache)[0].name):
        nbf.cache.flush()
        nbf.cache.load(source)
        assert nbf.cache.entries().select("handle", "inferred").rows() == [(run.handle, 22)]
        nbf.cache.save()
    assert len(cache.directory.trim(0)) == 1
    assert paths(cache) == []


def test_C9_V2_a_file_of_an_earlier_version_becomes_one_of_this_version_when_rows_are_appended(cache: Cache) -> None:
    model = LastValueModel()
    forecast(panel(20), model)
    (path,) = paths(cache)
    rewrite_metadata(path, lambda facts: {name: v for name, v in facts.items() if name != "former"} | {"format": 2})
    reopen(cache)
    run = forecast(panel(21), model)
    assert model.rows == 21
    assert [p.stem[:32] for p in paths(cache)] == [run.handle]


def test_V2_C3_the_entry_before_and_the_one_after_share_memory_and_change_nothing_of_each_other(cache: Cache) -> None:
    model = LastValueModel()
    before = forecast(panel(30), model)
    array, frame = before.array, before.frame
    copies = array.copy(), frame.clone().with_columns(pl.col("crps").reshape((30, HORIZON)))
    after = forecast(panel(33), model)
    assert np.shares_memory(after.array, array)
    assert after.array.shape == (33, HORIZON, 10)
    other = forecast(pl.concat([panel(30), panel(35)[30:].with_columns(pl.col("y") + 1)]), model)
    assert model.rows == 30 + 3 + 5
    np.testing.assert_array_equal(array, copies[0])
    np.testing.assert_array_equal(before.frame["crps"].to_numpy(), copies[1]["crps"].to_numpy())
    np.testing.assert_array_equal(frame["crps"].to_numpy(), copies[1]["crps"].to_numpy())
    assert cache.peek(before.entry_slice.key) is None  # what it was before is in no list
    for run, rows in ((after, panel(33)), (other, None)):
        assert_calculated_anew(run, rows if rows is not None else run_frame(other))


@pytest.mark.parametrize("rows", [20, 5000])
def test_V2_C3_two_continuations_of_one_column_write_over_nothing(rows: int) -> None:
    def values(start: int, end: int, first: float) -> np.ndarray:
        return np.arange(start, end, dtype=np.float32)[:, None] + first

    never = np.zeros(rows + 40, bool)
    never[rows + 3] = True
    column = Column("y", rows, (1,), never[:rows])
    column.write(np.arange(rows), values(0, rows, 0))
    before = column.array()
    kept = np.arange(rows) < rows - 2
    grown = [column.grown(slice(0, rows), np.arange(rows, rows + 5), kept, never[: rows + 5]) for _ in range(2)]
    for number, one in enumerate(grown):
        new = np.array([rows - 2, rows - 1, rows, rows + 1, rows + 2, rows + 4])
        one.write(new[2:], values(0, 4, 100 + number))
        one.write(new[:2], values(0, 2, 200 + number))
    further = grown[0].grown(slice(0, rows + 5), np.arange(rows + 5, rows + 40), ~never[: rows + 5], never)
    further.write(np.arange(rows + 5, rows + 40), values(0, 35, 300))
    np.testing.assert_array_equal(before, values(0, rows, 0))
    for number, one in enumerate((*grown, further)):
        found = one.array()[:, 0]
        mark = number % 2
        np.testing.assert_array_equal(found[: rows - 2], np.arange(rows - 2))
        np.testing.assert_array_equal(
            found[rows - 2 : rows + 5], [200 + mark, 201 + mark, 100 + mark, 101 + mark, 102 + mark, np.nan, 103 + mark]
        )
        np.testing.assert_array_equal(one.series().to_numpy()[:, 0], found)
    np.testing.assert_array_equal(further.array()[rows + 5 :, 0], 300 + np.arange(35))
    assert not np.shares_memory(further.array(), before)  # two rows were written anew


def run_frame(run: nbf.Run) -> pl.DataFrame:
    return run.frame.select(pl.col("unique_id").cast(pl.String), "ds", "y").drop_nulls()


@examples(8)
@given(st.data())
def test_V2_C5_data_that_grow_in_any_steps_have_what_is_calculated_at_once(data: st.DataObject) -> None:
    """Panels with gaps and series of different ends; now and then a restart, a flush of memory or a correction."""
    nbf.cache.flush()
    model, rng = LastValueModel(), np.random.default_rng(data.draw(st.integers(0, 1 << 20)))
    values = {name: rng.normal(size=60).cumsum() for name in "ab"}
    for column in values.values():
        column[rng.random(60) < 0.15] = np.nan
        column[0] = 0.0
    lengths = {"a": 8, "b": 5}
    runs = []
    for _ in range(data.draw(st.integers(2, 6))):
        event = data.draw(st.sampled_from(["nothing", "nothing", "restart", "correct"]))
        if event == "restart":
            nbf.cache.flush(disk=False)
        elif event == "correct":
            values["a"][data.draw(st.integers(1, lengths["a"] - 1))] += 1
        for name in lengths:
            lengths[name] = min(lengths[name] + data.draw(st.integers(0, 7)), 60)
        parts = [
            pl.DataFrame({"unique_id": name, "ds": np.arange(count), "y": values[name][:count]}, nan_to_null=True)
            for name, count in lengths.items()
        ]
        frame = pl.concat(parts).drop_nulls()
        run = forecast(frame, model)
        runs.append((run, frame, *(run.frame[name].to_numpy().copy() for name in RESULTS)))
    for run, _, *results in runs:
        for name, values in zip(RESULTS, results, strict=True):
            np.testing.assert_array_equal(run.frame[name].to_numpy(), values)
    assert_calculated_anew(*runs[-1][:2])
