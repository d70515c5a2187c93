"""C2, C4, C9, X1: a file is what was saved, bit for bit, and a plain table to others."""

import json
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbforecast.result_cache import format_1, parquet
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.metadata import FORMAT
from nbforecast.result_cache.status import Status
from tests.support.cache_files import GRIDS, assert_same, packed_metadata, random_snapshot, rewrite_metadata


@pytest.mark.parametrize("grid", GRIDS)
def test_C2_C9_a_file_is_read_back_bit_for_bit(grid: str, tmp_path: Path) -> None:
    path = tmp_path / "entry.parquet"
    for seed in range(6):
        snapshot = random_snapshot(seed, grid)
        with path.open("wb") as file:
            parquet.write(snapshot, file)
        read = parquet.read(path)
        assert_same(read, snapshot)
        assert read.data.times(read.data.time).equals(snapshot.data.times(snapshot.data.time))
        outline = parquet.read_outline(path)
        assert outline.data.handle == snapshot.data.handle
        np.testing.assert_array_equal(outline.contexts, snapshot.contexts)
        np.testing.assert_array_equal(outline.status, snapshot.status)
        found = parquet.read_metadata(path)
        first = snapshot.data.frequency.to_step(snapshot.data.time[snapshot.data.offsets[:-1]])
        ends = zip(first.tolist(), (first + snapshot.data.lengths - 1).tolist(), strict=True)
        assert found.spans == dict(zip(snapshot.data.ids, ends, strict=True))


def test_C9_an_entry_read_from_a_file_is_the_one_that_was_saved(tmp_path: Path) -> None:
    snapshot = random_snapshot(3, "15 minutes in a zone")
    directory = CacheDirectory(tmp_path)
    again = directory.read(directory.write(snapshot))
    assert again is not None
    assert_same(Entry.from_snapshot(again).snapshot()[0], snapshot)
    frames = [EntrySlice.whole(Entry.from_snapshot(s)).frame() for s in (snapshot, again)]
    assert frames[0].equals(frames[1])


def test_C9_a_file_of_format_1_is_read_with_its_former_status_names(tmp_path: Path) -> None:
    snapshot = random_snapshot(2)
    path = CacheDirectory(tmp_path).write(snapshot).path
    model = snapshot.spec.model
    text = format_1.model_text(model.name, model.key, model.seed, model.max_gap)
    rewrite_metadata(path, lambda facts: facts | {"format": 1, "model": text})
    table, former = pq.read_table(path), {"pending": "waiting", "scored": "calculated"}
    column = table["status"].combine_chunks()
    names = pa.array([former.get(name, name) for name in column.dictionary.to_pylist()])
    former_column = pa.DictionaryArray.from_arrays(column.indices, names)
    pq.write_table(table.set_column(table.schema.get_field_index("status"), "status", former_column), path)
    assert set(pl.read_parquet(path)["status"].cast(pl.String)) >= {"waiting", "calculated"}
    assert_same(parquet.read(path), snapshot)


@pytest.mark.parametrize("grid", GRIDS)
def test_C9_X1_polars_reads_a_file_as_the_plain_table_it_is(grid: str, tmp_path: Path) -> None:
    snapshot = random_snapshot(1, grid)
    found = CacheDirectory(tmp_path).write(snapshot)
    frame = pl.read_parquet(found.path)
    horizon, draws = snapshot.spec.horizon, snapshot.spec.draws
    assert frame.schema["forecast"] == pl.Array(pl.Float32, (horizon, draws))
    assert frame.schema["ds"] == snapshot.data.time_type
    for name, column in snapshot.columns.items():
        assert frame.schema[name] == pl.Array(pl.Float32, column.shape[1:])
        np.testing.assert_array_equal(frame[name].to_numpy().view("u4"), column.view("u4"))
    mine = (
        EntrySlice.whole(Entry.from_snapshot(snapshot))
        .frame()
        .select("unique_id", "ds", pl.Series("step", snapshot.data.steps()), "y", "status", "reason")
    )
    plain = frame.select(mine.columns).with_columns(pl.col("unique_id", "status", "reason").cast(pl.String))
    assert plain.equals(mine.with_columns(pl.col("unique_id", "status", "reason").cast(pl.String)))
    np.testing.assert_array_equal(frame["context"].to_numpy(), snapshot.contexts)


@pytest.mark.parametrize("grid", GRIDS)
def test_C9_X1_duckdb_and_pyarrow_read_a_file(grid: str, tmp_path: Path) -> None:
    snapshot = random_snapshot(2, grid)
    data = snapshot.data
    path = str(CacheDirectory(tmp_path).write(snapshot).path)
    frame = EntrySlice.whole(Entry.from_snapshot(snapshot)).frame()
    with duckdb.connect() as base:
        base.execute("SET TimeZone = 'UTC'")

        def ask(query: str) -> Any:
            return base.sql(query, params=[path])

        counted = ask("SELECT count(*), count(*) FILTER (status = 'scored') FROM read_parquet(?)").fetchall()
        rows = ask("SELECT unique_id, step, ds, y, status, forecast FROM read_parquet(?)").pl()
        note = ask("SELECT decode(value) FROM parquet_kv_metadata(?) WHERE key = 'nbforecast'").fetchall()
    assert counted == [(len(data), (snapshot.status == Status.SCORED).sum())]
    for name in ("unique_id", "status"):
        assert rows[name].cast(pl.String).to_list() == frame[name].cast(pl.String).to_list()
    assert rows["step"].to_list() == data.steps().tolist()
    assert rows["y"].to_list() == frame["y"].to_list()
    assert rows["ds"].to_physical().to_list() == frame["ds"].to_physical().to_list()
    np.testing.assert_array_equal(np.array(rows["forecast"].to_list(), "f4"), snapshot.columns["forecast"])
    assert json.loads(note[0][0])["handle"] == data.handle
    table = pq.read_table(path)
    assert table.num_rows == len(data)
    assert table["step"].to_pylist() == data.steps().tolist()
    assert table["y"].to_pylist() == frame["y"].to_list()
    assert table["status"].to_pylist() == frame["status"].to_list()


def test_C4_C9_the_metadata_are_in_the_files_own_key_value_metadata(tmp_path: Path) -> None:
    snapshot = random_snapshot(5, "month ends", series=2)
    data = snapshot.data
    before = time.time()
    path = CacheDirectory(tmp_path).write(snapshot).path
    facts = json.loads(packed_metadata(path))
    assert json.loads(pl.read_parquet_metadata(path)["nbforecast"]) == facts
    assert facts["format"] == FORMAT
    assert (facts["model_name"], facts["model_key"], facts["seed"]) == ("m", "m|5", 5)
    assert (facts["max_gap"], facts["horizon"]) == (data.max_gap, snapshot.spec.horizon)
    assert (facts["levels"], facts["context"]) == (list(snapshot.spec.levels), snapshot.spec.context)
    assert facts["frequency"] == {"kind": "month", "every": 1, "anchor": 0, "phase": 0, "nominal": ""}
    assert facts["start_time"] == str(data.time.min())
    assert facts["end_time"] == str(data.time.max())
    assert facts["content_signature"] == facts["handle"] == data.handle
    assert facts["index_len"] == data.lengths.tolist()
    assert facts["ids"] == list(data.ids)
    assert (facts["version"], facts["created"], facts["forced"]) == (
        snapshot.version,
        snapshot.created,
        snapshot.forced,
    )
    assert before <= facts["saved"] <= time.time()
    assert facts["inferred"] == np.isin(snapshot.status, [1, 2, 3]).sum()
    assert facts["calculated"] == (snapshot.status == Status.SCORED).sum()
    assert facts["available"] == (snapshot.reasons == 0).sum()
    assert facts["name"] == data.names.frame
