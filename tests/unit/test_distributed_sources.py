"""Panels in shards: what they are made from, what is refused at once, and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.distributed.source import open_panel, source_includes
from tests.support.cache_files import LastValueModel
from tests.support.panels import assert_as_forecast, forecast, panel


def write_hive(frame: pl.DataFrame, folder: Path) -> Any:
    for (name,), part in frame.partition_by("unique_id", as_dict=True).items():
        (folder / f"unique_id={name}").mkdir(parents=True)
        part.drop("unique_id").write_parquet(folder / f"unique_id={name}" / "part.parquet")
    return folder


def write_types(frame: pl.DataFrame, folder: Path) -> Any:
    folder.mkdir()
    parts = frame.with_row_index().with_columns(pl.col("index") % 3).partition_by("index", as_dict=True)
    a, b, c = (parts[(i,)].drop("index") for i in range(3))
    a.write_parquet(folder / "a.parquet")
    b.with_columns(pl.col("ds").cast(pl.Datetime("ns")), pl.col("unique_id").cast(pl.Categorical)).write_parquet(
        folder / "b.parquet"
    )
    c.with_columns(
        pl.col("y").fill_nan(None).cast(pl.String), pl.col("ds").dt.strftime("%Y-%m-%d %H:%M:%S")
    ).write_parquet(folder / "c.parquet")
    return f"{folder}/*.parquet"


def write_memory(frame: pl.DataFrame, folder: Path) -> Any:
    import fsspec

    with fsspec.open(f"memory:/{folder}/a.parquet", "wb") as file:
        frame[:300].write_parquet(file)
    with fsspec.open(f"memory:/{folder}/b.parquet", "wb") as file:
        frame[300:].with_columns(pl.col("y").cast(pl.Float32).cast(pl.Float64)).write_parquet(file)
    return f"memory:/{folder}"


@pytest.mark.parametrize("write", [write_hive, write_types, write_memory])
def test_sources_of_many_forms_are_the_same_panel(write: Callable[..., Any], tmp_path: Path) -> None:
    frame = panel(4).with_columns(pl.col("y").cast(pl.Float32).cast(pl.Float64))
    run = forecast(write(frame, tmp_path / "source"), tmp_path / "to")
    assert run.failures.is_empty()
    assert_as_forecast(run, frame, LastValueModel())


def test_S5_a_single_series_needs_no_id(tmp_path: Path) -> None:
    frame = panel(1).drop("unique_id").rename({"ds": "when", "y": "what"})
    frame.write_parquet(tmp_path / "one.parquet")
    run = forecast(tmp_path / "one.parquet", tmp_path / "to")
    alone = nbf.forecast(frame, LastValueModel(), 3, wait=True)
    np.testing.assert_array_equal(run.open("series").array, alone.array)
    assert run.open("series").handle == alone.handle


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nothing.parquet", {}, "There is no Parquet file at"),
        (".", {}, "There is no Parquet file in"),
        (pl.DataFrame({"y": [1.0]}), {}, "nbf.forecast"),
        ("nowhere://x/y.parquet", {}, "nowhere"),
        ("{}", {"target": "z"}, "No column is called 'z'"),
        ("{}", {"engine": "spark"}, "engine="),
        ("{}", {"workers": 2}, "engine='ray'"),
        ("{}", {"workers": 0}, "positive number"),
        ("{}", {"freq": "x"}, "frequency"),
        ("{}", {"max_duration": "x"}, "length of time"),
        ("{}", {"model": "oracle"}, "No model is called"),
        ("{}", {"horizon": 0}, "horizon="),
        ("{}", {"seed": True}, "seed="),
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    source: Any, options: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "panel.parquet"
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    panel(2).write_parquet(file)
    with pytest.raises(nbf.NbForecastError, match=message):
        nbf.forecast_dataset(source.format(file) if isinstance(source, str) else source, tmp_path / "to", **options)
    for destination in (file, "s3://bucket/there"):
        with pytest.raises(nbf.NbForecastError, match="folder"):
            nbf.forecast_dataset(file, destination)


def test_M6_the_command_line_has_it(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["forecast", str(source), "-o", str(tmp_path / "to"), "-m", "naive", "--engine", "local"]
    assert main(words) == 0
    output = capsys.readouterr()
    assert "12 of 12 series" in output.out
    assert not output.err
    assert main([*words, "-c"]) == 2
    assert "not for panels in shards" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["_temporary/0", ".staging-1/bucket=3", "_delta_log"])
def test_what_tools_leave_beside_data_is_no_data(below: str, tmp_path: Path) -> None:
    for destination, values in (("data/y=2024", 4), (f"data/{below}", 8)):
        (tmp_path / destination).mkdir(parents=True)
        panel(values).write_parquet(tmp_path / destination / "a.parquet")
    for source in (tmp_path / "data", f"{tmp_path}/data/**/*.parquet", f"file://{tmp_path}/data"):
        assert forecast(source, tmp_path / "to").series == 4


def test_shards_are_not_put_where_they_would_be_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    panel(2).write_parquet(tmp_path / "data" / "a.parquet")
    inside = tmp_path / "data" / "out"
    for taken in ("{}/data", "{}/data/**/*.parquet", "file://{}/data", "{}/*/**/*.parquet"):
        with pytest.raises(nbf.NbForecastError, match="is inside the source"):
            forecast(taken.format(tmp_path), inside)
    assert forecast(f"{tmp_path}/data/*.parquet", inside).done


@pytest.mark.parametrize("given", ["part[1]", "part[1]/*.parquet", "part[1]/q*.parquet", "part[1]/q?.parquet"])
def test_S8_what_exists_is_no_pattern(given: str, tmp_path: Path) -> None:
    frame = panel(2)
    for folder, file, value in (("part[1]", "q*", 7.0), ("part1", "q1", 1.0), ("part1", "q*", 2.0)):
        (tmp_path / folder).mkdir(exist_ok=True)
        frame.with_columns(y=pl.lit(value)).write_parquet(tmp_path / folder / f"{file}.parquet")
    rows = open_panel(tmp_path / given, None, None, None).rows.collect()
    assert set(rows["y"]) == {7.0}
    assert source_includes(tmp_path / given, tmp_path / "part[1]" / "q*.parquet")
    assert not source_includes(tmp_path / given, tmp_path / "part1" / "q1.parquet")


def test_S8_a_pattern_that_names_no_file_is_one(tmp_path: Path) -> None:
    for number in (1, 2):
        panel(1).with_columns(y=pl.lit(float(number))).write_parquet(tmp_path / f"q{number}.parquet")
    assert set(open_panel(tmp_path / "q[12].parquet", None, None, None).rows.collect()["y"]) == {1.0, 2.0}
    with pytest.raises(nbf.NbForecastError, match="no Parquet file"):
        open_panel(tmp_path / ("q" * 5_000 + "*"), None, None, None)
