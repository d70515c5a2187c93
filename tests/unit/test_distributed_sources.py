"""Panels in shards: what they are made from, what is refused at once, and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.data import prepare
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


DAYS = pl.date_range(pl.date(2023, 12, 20), pl.date(2024, 2, 10), eager=True).cast(pl.Datetime("us"))
WRITINGS: dict[str, tuple[str, str]] = {  # how times and values are written
    "day first, decimal comma": ("%d/%m/%Y", ","),
    "two digits": ("%d.%m.%y", "."),
    "month names": ("%d %b %Y", "."),
    "am and pm": ("%m/%d/%Y %I:%M %p", "."),
    "offsets": ("%Y-%m-%dT%H:%M:%S+01:00", "."),
    "integers": ("%Y%m%d", "."),
}


def written(form: str, decimal: str) -> pl.DataFrame:
    """Two series, of which the first has no day above 12, so that it alone leaves day and month open."""
    parts = [
        pl.DataFrame({"ds": days, "unique_id": name, "y": [1000.5 + 7 * row for row in range(len(days))]})
        for name, days in (("a", DAYS.filter(DAYS.dt.day() <= 12)), ("b", DAYS))
    ]
    value = pl.col("y").map_elements(lambda number: f"{number:.2f}".replace(".", decimal), pl.String)
    return pl.concat(parts).with_columns(pl.col("ds").dt.strftime(form), value)


@pytest.mark.parametrize("one", [False, True], ids=["several files", "one file"])
@pytest.mark.parametrize("writing", WRITINGS)
def test_S8_text_in_shards_is_read_as_everywhere(writing: str, one: bool, tmp_path: Path) -> None:
    frame = written(*WRITINGS[writing])
    for (name,), part in ({("a",): frame} if one else frame.partition_by("unique_id", as_dict=True)).items():
        part.write_parquet(tmp_path / f"{name}.parquet")
    run = nbf.forecast_dataset(
        tmp_path / "*.parquet", tmp_path / "to", model=LastValueModel(), horizon=3, series_per_shard=1, wait=True
    )
    assert run.failures.is_empty()
    expected = prepare(frame)
    for name in expected.ids:
        data = run.open(name).data
        rows, own = (slice(*d.offsets[d.ids.index(name) : d.ids.index(name) + 2]) for d in (expected, data))
        np.testing.assert_array_equal(data.time[own], expected.time[rows])
        np.testing.assert_array_equal(data.values[own], expected.values[rows])


def test_S8_text_that_can_be_read_in_two_ways_is_refused_unless_an_option_says_how(tmp_path: Path) -> None:
    days = [f"0{day}/0{month}/2024" for month in (1, 2, 4) for day in (1, 3, 4, 7)]
    dates = pl.DataFrame({"ds": days, "unique_id": "a", "y": range(12)})
    dates.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(nbf.NbForecastError, match=r"date_order='dmy'.*Say which with date_order="):
        forecast(tmp_path / "a.parquet", tmp_path / "to")
    run = forecast(tmp_path / "a.parquet", tmp_path / "to", date_order="dmy")
    assert str(run.open("a").data.time[-1])[:10] == "2024-04-07"
    iso = "2024-" + pl.col("ds").str.slice(3, 2) + "-" + pl.col("ds").str.slice(0, 2)
    dates.with_columns(ds=iso, y=pl.lit("1,234")).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(nbf.NbForecastError, match=r"commas in 'y' can stand before decimals \(decimal=','\)"):
        forecast(tmp_path / "b.parquet", tmp_path / "to")
    assert forecast(tmp_path / "b.parquet", tmp_path / "to", decimal=",").open("a").data.values[0] == 1.234
    with pytest.raises(nbf.NbForecastError, match="date_order= takes one of"):
        forecast(tmp_path / "b.parquet", tmp_path / "to", date_order="us")


def test_S8_text_that_is_no_time_or_number_fails_its_own_series(tmp_path: Path) -> None:
    frame = written("%d/%m/%Y", ".")
    spoilt = frame.with_columns(
        ds=pl.when(pl.col("y") == "1000.50").then(pl.lit("soon")).otherwise("ds"), unique_id=pl.col("unique_id") + "x"
    ).filter(pl.col("unique_id") == "ax")
    words = frame.filter(pl.col("unique_id") == "a").with_columns(unique_id=pl.lit("ay"), y=pl.lit("many"))
    pl.concat([frame, spoilt, words]).write_parquet(tmp_path / "a.parquet")
    run = forecast(tmp_path / "a.parquet", tmp_path / "to")
    assert dict(run.failures.select("unique_id", "kind").iter_rows()) == {"ax": "values", "ay": "values"}
    assert "'soon'" in run.failures["message"][0]


def test_S12_shards_have_a_unit_and_convert_it(tmp_path: Path) -> None:
    frame = panel(1).rename({"y": "glucose (mg/dL)"})
    frame.write_parquet(tmp_path / "a.parquet")
    run = forecast(tmp_path / "a.parquet", tmp_path / "to", target="glucose (mg/dL)", convert_to="mmol/L")
    name = frame["unique_id"][0]
    expected = prepare(frame, target="glucose (mg/dL)", convert_to="mmol/L")
    np.testing.assert_allclose(run.open(name).data.values, expected.values)
    with pytest.raises(nbf.NbForecastError, match="needs the unit of the data: name it with unit="):
        forecast(write_hive(panel(1), tmp_path / "other"), tmp_path / "to", convert_to="mmol/L")
