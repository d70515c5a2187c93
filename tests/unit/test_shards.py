"""Panels in shards: the same forecasts as nbf.forecast, made once, whatever happens meanwhile (the local engine)."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.results.cache import Cache
from nbforecast.samples import path
from nbforecast.shards.contract import bucket_of, newest, shards_in
from nbforecast.shards.shard import Job, Worker
from nbforecast.shards.source import allot, census, open_panel, stage
from tests.unit.saved import Last, truncate

ROWS = 60
SHARD = 4


def panel(series: int = 12, rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """Hourly series with missing values, rows in no order."""
    rng = np.random.default_rng(seed)
    hours = np.datetime64("2024-01-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    y = rng.standard_normal((series, rows)).cumsum(1) + 50
    y[rng.random(y.shape) < 0.02] = np.nan
    y[:, [0, -1]] = 50
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat([f"s{i:02}" for i in range(series)], rows),
            "ds": np.tile(hours, series),
            "y": y.ravel(),
        }
    )
    return frame.sample(fraction=1.0, shuffle=True, seed=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    target = tmp_path / "panel.parquet"
    panel().write_parquet(target)
    return target


def forecast(source: Any, to: Path, model: Any = None, **options: Any) -> nbf.DatasetRun:
    return nbf.forecast_dataset(
        source, to, model=model or Last(), horizon=3, series_per_shard=SHARD, wait=True, **options
    )


def states(run: nbf.DatasetRun) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in run.folder.iterdir() if p.suffix == ".parquet"}


def assert_as_forecast(run: nbf.DatasetRun, frame: pl.DataFrame, model: Any, horizon: int = 3) -> None:
    """Series by series what nbf.forecast says of it alone."""
    found = run.frame.select("unique_id", "index", "forecast", "crps").collect()
    for name in frame["unique_id"].unique().sort():
        alone = nbf.forecast(frame.filter(unique_id=name), model, horizon, wait=True, force=True).frame
        mine = found.filter(pl.col("unique_id") == name).sort("index")
        assert mine["index"].equals(alone["index"])
        for column in ("forecast", "crps"):
            np.testing.assert_allclose(mine[column].to_numpy(), alone[column].to_numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sample", ["glucose", "made up"])
def test_E8_shards_hold_what_forecast_says_of_every_series_alone(sample: str, tmp_path: Path, source: Path) -> None:
    frame = pl.read_parquet(source)
    if sample == "glucose":
        frame = pl.read_parquet(path(sample)).group_by("unique_id").tail(250)
        frame.write_parquet(source)
    run = nbf.forecast_dataset(source, tmp_path / "to", model="naive", series_per_shard=2, wait=True)
    assert run.done
    assert run.progress == 1.0
    assert run.failures.is_empty()
    assert run.series_done == frame["unique_id"].n_unique()
    assert len(run.paths) > 1
    assert_as_forecast(run, frame, "naive", 12)


def test_a_rerun_keeps_what_is_whole_and_infers_nothing(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    before = states(first)
    model = Last()
    again = forecast(source, tmp_path / "to", model)
    assert (again.inferred, again.reused, model.rows) == (0, first.inferred, 0)
    assert states(again) == before
    assert {p.name[0] for p in first.folder.iterdir()} <= {"s", "."}
    assert not list(first.folder.glob(".staging*"))


def test_C5_an_appended_source_infers_only_new_origins(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    frame = pl.read_parquet(source)
    last = frame.filter(unique_id="s03").sort("ds").tail(1)
    more = pl.concat([frame, last.with_columns(pl.col("ds").dt.offset_by("1h"), y=pl.lit(51.0))])
    more.write_parquet(source)
    before = states(first)
    model = Last()
    again = forecast(source, tmp_path / "to", model)
    assert (again.inferred, model.rows, again.reused) == (1, 1, first.inferred)
    assert len(set(states(again).items()) - set(before.items())) == 1
    assert len(states(again)) == len(before)
    assert_as_forecast(again, more, Last())


def test_C5_a_shorter_source_infers_nothing_and_stands_by_itself(source: Path, tmp_path: Path) -> None:
    forecast(source, tmp_path / "to")
    frame = pl.read_parquet(source).sort("ds").group_by("unique_id").tail(30).filter(pl.col("unique_id") > "s01")
    frame.write_parquet(source)
    model = Last()
    again = forecast(source, tmp_path / "to", model)
    assert model.rows == again.inferred == 0
    assert again.frame.select(pl.len()).collect().item() == 300
    assert_as_forecast(again, frame, Last())


def test_a_series_stays_in_its_bucket_whatever_comes_beside_it(source: Path, tmp_path: Path) -> None:
    assert [bucket_of(name, 100) for name in ("a", "Zürich", "")] == [28, 68, 56]
    first = forecast(source, tmp_path / "to")
    of = {s.of for s in shards_in(first.folder)}
    others = panel(28, seed=3).with_columns(unique_id="other " + pl.col("unique_id"))
    pl.concat([panel(), others]).write_parquet(source)
    again = forecast(source, tmp_path / "to")
    assert {s.of for s in shards_in(first.folder)} == of == {3}
    assert again.reused == first.inferred


class Odd(Last):
    """Raises where a context holds a value that it does not like."""

    def forecast(self, data: Any, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        if (data.values[rows] == 666).any():
            raise ZeroDivisionError("an unlucky number")
        return super().forecast(data, rows, horizon, seed)


def test_poisoned_series_are_told_and_stop_nobody(source: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(source)
    empty = frame.with_columns(y=pl.when(unique_id="s02").then(None).otherwise("y"))
    bad = empty.with_columns(
        y=pl.when((pl.col("unique_id") == "s05") & (pl.col("ds").dt.hour() == 3)).then(666.0).otherwise("y")
    )
    folder = tmp_path / "source"
    folder.mkdir()
    bad.filter(~pl.col("unique_id").is_in(["s07", "s08"])).write_parquet(folder / "a.parquet")
    text = bad.filter(pl.col("unique_id").is_in(["s07", "s08"])).with_columns(
        pl.col("y").fill_nan(None).cast(pl.String)
    )
    text = text.with_columns(
        y=pl.when((pl.col("unique_id") == "s07") & pl.col("y").is_not_null()).then(pl.lit("high")).otherwise("y")
    )
    text.write_parquet(folder / "b.parquet")
    pl.DataFrame({"unique_id": [None, "s99"], "ds": text["ds"][:2], "y": [1.0, 2.0]}).write_parquet(
        folder / "c.parquet"
    )
    run = forecast(folder, tmp_path / "to", Odd())
    assert dict(run.failures.select("unique_id", "kind").iter_rows()) == {
        None: "id", "s02": "data", "s05": "model", "s07": "values", "s99": "data"}  # fmt: skip
    told = dict(run.failures.select("unique_id", "message").iter_rows())
    assert "no data point" in told["s02"]
    assert "unlucky number" in told["s05"]
    assert "'high'" in told["s07"]
    assert "only one data point" in told["s99"]
    assert pl.read_parquet(run.folder / "_failures.parquet").equals(run.failures)
    well = frame.filter(~pl.col("unique_id").is_in(["s02", "s05", "s07"]))
    assert_as_forecast(run, well, Last())
    assert run.series_done == run.series == 13

    again = forecast(folder, tmp_path / "to", Odd())
    assert again.failures.equals(run.failures)
    assert again.inferred <= ROWS, "no more than the series that is tried again"
    frame.write_parquet(folder / "a.parquet")
    for name in "bc":
        (folder / f"{name}.parquet").unlink()
    mended = forecast(folder, tmp_path / "to", Odd())
    assert mended.failures.is_empty()
    assert not (mended.folder / "_failures.parquet").exists()
    assert_as_forecast(mended, frame, Last())


def test_a_model_that_fails_on_everything_is_an_error_and_removes_nothing(source: Path, tmp_path: Path) -> None:
    class Broken(Last):
        def forecast(self, *_: Any, **__: Any) -> np.ndarray:
            raise RuntimeError("no luck at all")

    with pytest.raises(nbf.NbForecastError, match=r"None of the 12 series can be forecast.*no luck at all"):
        forecast(source, tmp_path / "to", Broken())
    run = forecast(source, tmp_path / "to")
    assert_as_forecast(run, pl.read_parquet(source), Last())
    before = states(run)
    pl.read_parquet(source).with_columns(y=pl.lit(None, pl.Float64)).write_parquet(source)
    forecast(source, tmp_path / "to")
    assert before.items() <= states(run).items()


def test_C13_after_a_crash_between_two_names_the_newest_shard_counts(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    kept = first.paths[0].read_bytes()
    panel(seed=5).write_parquet(source)
    again = forecast(source, tmp_path / "to")
    left = first.folder / first.paths[0].name.replace(again.paths[0].name[-40:], "0" * 32 + ".parquet")
    left.write_bytes(kept)
    os.utime(left, (1, 1))
    (first.folder / ".shard=0000-of-0003-x.0123.part").write_bytes(b"half")
    (first.folder / ".staging-dead").mkdir()
    assert newest(shards_in(first.folder))[0].path == again.paths[0]
    rows = 12 * ROWS
    assert again.frame.select(pl.len()).collect().item() == rows
    third = forecast(source, tmp_path / "to")
    assert third.inferred == 0
    assert not left.exists()
    assert sorted(p.name for p in third.folder.iterdir()) == sorted([".lock", *(p.name for p in third.paths)])


def test_C13_a_damaged_shard_is_made_anew(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    truncate(first.paths[1])
    again = forecast(source, tmp_path / "to")
    assert 0 < again.inferred < first.inferred
    assert_as_forecast(again, pl.read_parquet(source), Last())


def test_a_bucket_that_costs_worker_after_worker_is_given_up(source: Path, tmp_path: Path) -> None:
    folder, staged = tmp_path / "to", tmp_path / "staged"
    folder.mkdir()
    there = open_panel(source, None, None, None)
    stage(there, allot(census(there), 1), 1, staged)
    job = Job(staged, folder, 1, Last(), 3)
    (staged / "begun-0").write_bytes(b"...")  # as workers leave it that are killed
    worker = Worker(job)
    report = worker.work(0)
    assert {(f.kind, f.message[:14]) for f in report.failures} == {("worker", "3 workers died")}
    assert len(report.failures) == 12
    (staged / "begun-0").write_bytes(b"..")
    assert worker.work(0).inferred == 698
    worker.close()


class Slow(Last):
    """Stops in its second bucket until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Any = None
        self.there, self.go = threading.Event(), threading.Event()

    def forecast(self, data: Any, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.first = self.first or data
        if data is not self.first:
            self.there.set()
            assert self.go.wait(30)
        return super().forecast(data, rows, horizon, seed)


def test_E4_a_cancelled_run_keeps_whole_shards_and_is_gone_on_with(source: Path, tmp_path: Path) -> None:
    model = Slow()
    run = nbf.forecast_dataset(source, tmp_path / "to", model=model, horizon=3, series_per_shard=2)
    assert model.there.wait(30)
    with pytest.raises(nbf.NbForecastError, match="Another run is writing"):
        forecast(source, tmp_path / "to")
    assert run.series_done >= 1
    assert not run.done
    run.cancel()
    model.go.set()
    assert run.wait(30).cancelled
    assert "cancelled" in repr(run)
    there = states(run)
    assert 1 <= len(there) < (run.shards or 0)
    again = forecast(source, tmp_path / "to")
    assert again.reused == run.inferred + run.reused > 0
    assert there.items() <= states(again).items()
    assert_as_forecast(again, pl.read_parquet(source), Last())


def test_C13_E9_a_killed_process_leaves_whole_shards(source: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, os, nbforecast as nbf\n"
        "from tests.unit.test_shards import Slow\n"
        "run = nbf.forecast_dataset(sys.argv[1], sys.argv[2], model=Slow(), horizon=3, series_per_shard=4)\n"
        "while not run.shards_done: time.sleep(0.01)\n"
        "print('one', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, source, tmp_path / "to"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"one\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    again = forecast(source, tmp_path / "to")
    assert again.reused > 0
    assert again.reused + again.inferred == again.origins
    assert not list(again.folder.glob(".staging*"))
    assert_as_forecast(again, pl.read_parquet(source), Last())


def test_C9_shards_are_entries_that_polars_the_cache_and_the_explorer_open(
    source: Path, tmp_path: Path, cache: Cache
) -> None:
    run = nbf.forecast_dataset(source, tmp_path / "to", model="naive", horizon=3, series_per_shard=SHARD, wait=True)
    plain = pl.read_parquet(f"{tmp_path}/to/model=*/horizon=*/shard=*.parquet", hive_partitioning=True)
    assert plain.height == 12 * ROWS
    assert set(plain["model"].unique()) == {"naive"}
    one = run.open("s03")
    assert one.inferred == 0
    assert one.done
    explorer = nbf.explore(one, series="s03")
    assert np.isfinite(explorer.forecast.draws).all()
    explorer.close()
    with pytest.raises(nbf.NbForecastError, match="holds a series 'nobody'"):
        run.open("nobody")
    cache.clear()
    assert nbf.cache.load(tmp_path / "to").entries == len(run.paths)
    again = nbf.forecast(pl.read_parquet(source).filter(unique_id="s05"), "naive", 3, wait=True)
    assert again.inferred == 0
    assert again.reused > 40


@pytest.mark.parametrize("by", [None, "horizon", "series"])
def test_X2_scores_of_all_shards_are_those_of_one_run(by: Any, source: Path, tmp_path: Path) -> None:
    run = forecast(source, tmp_path / "to")
    whole = nbf.forecast(pl.read_parquet(source), Last(), 3, wait=True, force=True).scores(by)
    mine = run.scores(by)
    assert mine.columns == whole.columns
    assert_frame_equal(mine, whole, rel_tol=1e-9)


def test_forecasts_made_in_another_way_are_not_mixed(source: Path, tmp_path: Path) -> None:
    run = forecast(source, tmp_path / "to")
    with pytest.raises(nbf.NbForecastError, match="of a model of that name with another seed"):
        forecast(source, tmp_path / "to", seed=1)
    changed = Last()
    changed.key = "last, but otherwise"
    with pytest.raises(nbf.NbForecastError, match="of a model of that name with other settings or weights"):
        forecast(source, tmp_path / "to", changed)
    other = nbf.forecast_dataset(source, tmp_path / "to", model=Last(), horizon=4, wait=True)
    assert other.folder != run.folder
    assert forecast(source, tmp_path / "to", force=True).inferred == run.inferred


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
    assert_as_forecast(run, frame, Last())


def test_S5_a_single_series_needs_no_id(tmp_path: Path) -> None:
    frame = panel(1).drop("unique_id").rename({"ds": "when", "y": "what"})
    frame.write_parquet(tmp_path / "one.parquet")
    run = forecast(tmp_path / "one.parquet", tmp_path / "to")
    alone = nbf.forecast(frame, Last(), 3, wait=True)
    np.testing.assert_array_equal(run.open("series").array, alone.array)
    assert run.open("series").handle == alone.handle


@pytest.mark.parametrize(
    ("source", "options", "said"),
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
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    source: Any, options: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "panel.parquet"
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    panel(2).write_parquet(there)
    with pytest.raises(nbf.NbForecastError, match=said):
        nbf.forecast_dataset(source.format(there) if isinstance(source, str) else source, tmp_path / "to", **options)
    for place in (there, "s3://bucket/there"):
        with pytest.raises(nbf.NbForecastError, match="folder"):
            nbf.forecast_dataset(there, place)


def test_M6_the_command_line_has_it(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["forecast", str(source), "-o", str(tmp_path / "to"), "-m", "naive", "--engine", "local"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "12 of 12 series" in said.out
    assert not said.err
    assert main([*words, "-c"]) == 2
    assert "not for panels in shards" in capsys.readouterr().err
