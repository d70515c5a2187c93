"""Panels in shards: the same forecasts as nbf.forecast, made once, whatever happens meanwhile (the local engine)."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nbforecast as nbf
from nbforecast.data.samples import sample_path
from nbforecast.distributed.destination import newest_shards, partition_of, shards_in
from nbforecast.distributed.source import assign_partitions, count_series, open_panel, write_staging
from nbforecast.distributed.worker import Job, Worker
from nbforecast.options import ForecastOptions
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from tests.support.cache_files import LastValueModel, truncate
from tests.support.panels import ROWS, SHARD, Odd, Slow, assert_as_forecast, forecast, panel, states

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sample", ["glucose", "made up"])
def test_E8_shards_hold_what_forecast_says_of_every_series_alone(sample: str, tmp_path: Path, source: Path) -> None:
    frame = pl.read_parquet(source)
    if sample == "glucose":
        frame = pl.read_parquet(sample_path(sample)).group_by("unique_id").tail(250)
        frame.write_parquet(source)
    run = nbf.forecast_dataset(source, tmp_path / "to", model="naive", series_per_shard=2, wait=True)
    assert run.done
    assert run.progress == 1.0
    assert run.failures.is_empty()
    assert run.series_done == frame["unique_id"].n_unique()
    assert len(run.paths) > 1
    assert_as_forecast(run, frame, "naive", 12)


def test_H1_shards_learn_what_the_whole_panel_teaches(tmp_path: Path) -> None:
    steps, random = np.arange(150), np.random.default_rng(0)
    series = [20 + 5 * (steps % 7 == 3) + random.normal(size=150) for _ in range(4)]
    parts = [pl.DataFrame({"unique_id": f"s{k}", "ds": steps[k:], "y": y[k:]}) for k, y in enumerate(series)]
    frame = pl.concat(parts)
    frame.write_parquet(tmp_path / "panel.parquet")

    def shards() -> nbf.DatasetRun:
        options: dict[str, Any] = {"model": "naive", "horizon": 2, "series_per_shard": 2, "learn": True}
        return nbf.forecast_dataset(tmp_path / "panel.parquet", tmp_path / "to", wait=True, **options)

    run = shards()
    assert len(run.paths) > 1
    assert run.model == "naive-learned"
    whole = nbf.forecast(frame, "naive", 2, learn=True, wait=True)
    for name in whole.data.ids:
        one = run.open(name)
        assert one.model == "naive-learned"
        np.testing.assert_allclose(one.series(name).array, whole.series(name).array, rtol=1e-5)
    assert run.scores()["crps"].item() == pytest.approx(whole.scores()["crps"].item(), rel=1e-4)
    before = states(run)
    assert states(shards()) == before
    longer = pl.concat([frame, pl.DataFrame({"unique_id": ["s1"], "ds": [150], "y": [21.0]})])
    longer.write_parquet(tmp_path / "panel.parquet")
    grown = shards()
    for name in whole.data.ids:
        array = grown.open(name).series(name).array
        np.testing.assert_allclose(array[: len(whole.series(name).array)], whole.series(name).array, rtol=1e-5)
        assert len(array) == len(whole.series(name).array) + (name == "s1")


def test_a_rerun_keeps_what_is_whole_and_infers_nothing(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    before = states(first)
    model = LastValueModel()
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
    model = LastValueModel()
    again = forecast(source, tmp_path / "to", model)
    assert (again.inferred, model.rows, again.reused) == (1, 1, first.inferred)
    assert len(set(states(again).items()) - set(before.items())) == 1
    assert len(states(again)) == len(before)
    assert_as_forecast(again, more, LastValueModel())


def test_C5_a_shorter_source_infers_nothing_and_stands_by_itself(source: Path, tmp_path: Path) -> None:
    forecast(source, tmp_path / "to")
    frame = pl.read_parquet(source).sort("ds").group_by("unique_id").tail(30).filter(pl.col("unique_id") > "s01")
    frame.write_parquet(source)
    model = LastValueModel()
    again = forecast(source, tmp_path / "to", model)
    assert model.rows == again.inferred == 0
    assert again.frame.select(pl.len()).collect().item() == 300
    assert_as_forecast(again, frame, LastValueModel())


def test_a_series_stays_in_its_partition_whatever_else_there_is(source: Path, tmp_path: Path) -> None:
    assert [partition_of(name, 100) for name in ("a", "Zürich", "")] == [28, 68, 56]
    first = forecast(source, tmp_path / "to")
    of = {s.partition_count for s in shards_in(first.folder)}
    others = panel(28, seed=3).with_columns(unique_id="other " + pl.col("unique_id"))
    pl.concat([panel(), others]).write_parquet(source)
    again = forecast(source, tmp_path / "to")
    assert {s.partition_count for s in shards_in(first.folder)} == of == {3}
    assert again.reused == first.inferred


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
    messages = dict(run.failures.select("unique_id", "message").iter_rows())
    assert "no data point" in messages["s02"]
    assert "unlucky number" in messages["s05"]
    assert "'high'" in messages["s07"]
    assert "only one data point" in messages["s99"]
    assert pl.read_parquet(run.folder / "_failures.parquet").equals(run.failures)
    well = frame.filter(~pl.col("unique_id").is_in(["s02", "s05", "s07"]))
    assert_as_forecast(run, well, LastValueModel())
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
    assert_as_forecast(mended, frame, LastValueModel())


def test_a_model_that_fails_on_everything_is_an_error_and_removes_nothing(source: Path, tmp_path: Path) -> None:
    class Broken(LastValueModel):
        def forecast(self, *_: Any, **__: Any) -> np.ndarray:
            raise RuntimeError("no luck at all")

    with pytest.raises(nbf.NbForecastError, match=r"None of the 12 series can be forecast.*no luck at all"):
        forecast(source, tmp_path / "to", Broken())
    run = forecast(source, tmp_path / "to")
    assert_as_forecast(run, pl.read_parquet(source), LastValueModel())
    before = states(run)
    pl.read_parquet(source).with_columns(y=pl.lit(None, pl.Float64)).write_parquet(source)
    forecast(source, tmp_path / "to")
    assert before.items() <= states(run).items()


def test_E5_a_model_that_wants_to_exit_is_an_error(source: Path, tmp_path: Path) -> None:
    class Leaving(LastValueModel):
        def availability(self, data: Any) -> Any:
            raise SystemExit(3)

    with pytest.raises(nbf.NbForecastError, match="SystemExit"):
        forecast(source, tmp_path / "to", Leaving())


def test_C12_shards_that_are_opened_are_read_once_and_keep_to_the_budget(
    source: Path, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = forecast(source, tmp_path / "to")
    read: list[Path] = []
    monkeypatch.setattr(parquet, "read", lambda path, before=parquet.read: read.append(path) or before(path))
    names = pl.read_parquet(source)["unique_id"].unique()
    arrays = {name: run.open(name).series(name).array for name in names}
    assert sorted(read) == sorted(run.paths)
    assert all(np.isfinite(array).any() for array in arrays.values())
    monkeypatch.setattr(cache, "memory", 1)
    run.open(names[0])
    assert len(cache.entries()) == len(run.paths)
    cache.clear()
    for name in names:
        run.open(name)
    assert len(cache.entries()) == 1


def test_C13_after_a_crash_between_two_names_the_newest_shard_counts(source: Path, tmp_path: Path) -> None:
    first = forecast(source, tmp_path / "to")
    content = first.paths[0].read_bytes()
    panel(seed=5).write_parquet(source)
    again = forecast(source, tmp_path / "to")
    left = first.folder / first.paths[0].name.replace(again.paths[0].name[-40:], "0" * 32 + ".parquet")
    left.write_bytes(content)
    os.utime(left, (1, 1))
    (first.folder / ".shard=0000-of-0003-x.0123.part").write_bytes(b"half")
    (first.folder / ".staging-dead").mkdir()
    assert newest_shards(shards_in(first.folder))[0].path == again.paths[0]
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
    assert_as_forecast(again, pl.read_parquet(source), LastValueModel())


def test_a_partition_whose_workers_die_is_given_up(source: Path, tmp_path: Path) -> None:
    folder, staging = tmp_path / "to", tmp_path / "staging"
    folder.mkdir()
    rows = open_panel(source, None, None, None)
    write_staging(rows, assign_partitions(count_series(rows), 1), 1, staging)
    job = Job(staging, folder, 1, ForecastOptions(model=LastValueModel(), horizon=3))
    (staging / "attempts-0").write_bytes(b"...")  # as workers leave it that are killed
    worker = Worker(job)
    report = worker.forecast(0)
    assert {(f.kind, f.message[:14]) for f in report.failures} == {("worker", "3 workers died")}
    assert len(report.failures) == 12
    (staging / "attempts-0").write_bytes(b"..")
    assert worker.forecast(0).inferred == 698
    worker.close()


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
    finished = states(run)
    assert 1 <= len(finished) < (run.shards or 0)
    again = forecast(source, tmp_path / "to")
    assert again.reused == run.inferred + run.reused > 0
    assert finished.items() <= states(again).items()
    assert_as_forecast(again, pl.read_parquet(source), LastValueModel())


def test_C13_E9_a_killed_process_leaves_whole_shards(source: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, os, nbforecast as nbf\n"
        "from tests.support.panels import Slow\n"
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
    assert_as_forecast(again, pl.read_parquet(source), LastValueModel())


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
    assert "calibrated" in run.open("s03", calibrate=True).frame.columns
    explorer = nbf.explore(one, series="s03")
    assert np.isfinite(explorer.forecast.draws).all()
    explorer.close()
    with pytest.raises(nbf.NbForecastError, match="has a series 'nobody'"):
        run.open("nobody")
    cache.clear()
    assert nbf.cache.load(tmp_path / "to").entries == len(run.paths)
    again = nbf.forecast(pl.read_parquet(source).filter(unique_id="s05"), "naive", 3, wait=True)
    assert again.inferred == 0
    assert again.reused > 40


@pytest.mark.parametrize("by", [None, "horizon", "series"])
def test_X2_scores_of_all_shards_are_those_of_one_run(by: Any, source: Path, tmp_path: Path) -> None:
    run = forecast(source, tmp_path / "to")
    whole = nbf.forecast(pl.read_parquet(source), LastValueModel(), 3, wait=True, force=True).scores(by)
    mine = run.scores(by)
    assert mine.columns == whole.columns
    assert_frame_equal(mine, whole, rel_tol=1e-9)


def test_forecasts_made_in_another_way_are_not_mixed(source: Path, tmp_path: Path) -> None:
    run = forecast(source, tmp_path / "to")
    with pytest.raises(nbf.NbForecastError, match="of a model of that name with another seed"):
        forecast(source, tmp_path / "to", seed=1)
    changed = LastValueModel()
    changed.key = "last, but otherwise"
    with pytest.raises(nbf.NbForecastError, match="of a model of that name with other settings or weights"):
        forecast(source, tmp_path / "to", changed)
    other = nbf.forecast_dataset(source, tmp_path / "to", model=LastValueModel(), horizon=4, wait=True)
    assert other.folder != run.folder
    assert forecast(source, tmp_path / "to", force=True).inferred == run.inferred


def test_S10_shards_share_a_calendar_what_absent_rows_mean_and_bounds(tmp_path: Path) -> None:
    days = pl.date_range(pl.date(2023, 1, 2), pl.date(2023, 6, 30), eager=True)
    is_sold = np.random.default_rng(0).random((6, len(days))) > 0.5
    parts = [
        pl.DataFrame({"unique_id": f"s{n}", "ds": days}).filter(pl.Series(is_sold[n]) & (pl.col("ds").dt.weekday() < 7))
        for n in range(6)
    ]
    source = tmp_path / "sales.parquet"
    pl.concat(parts).with_columns(y=pl.int_range(1, pl.len() + 1) % 5 + 1.0).write_parquet(source)
    options: dict[str, Any] = {"model": "naive", "horizon": 3, "series_per_shard": 2, "wait": True}
    found = nbf.forecast_dataset(source, tmp_path / "found", **options)
    assert {found.open(f"s{n}").data.frequency.alias for n in range(6)} == {"mon-sat"}
    for calendar in ("business", "mon-sat", ("mon-sat", ["2023-07-01"])):
        to = tmp_path / str(len(calendar))
        named = nbf.forecast_dataset(source, to, calendar=calendar, fill=0, maximum=2, **options).open("s1")
        assert not np.isnan(named.data.values).any()
        assert ((named.data.time.astype("datetime64[D]").astype(int) + 3) % 7).max() < 6
        assert np.nanmax(named.series("s1").array) == 2
    assert named.at(0, "s1").future.to_list()[0].isoformat() == "2023-07-03"  # the first is closed, a Sunday follows
