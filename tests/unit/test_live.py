"""V1: sources that grow, fail, are corrected and come late; what `wait`, `stop` and the status say of them."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.live import lifetime
from nbforecast.live import status as status_module
from nbforecast.live.text_file import whole_lines
from nbforecast.live.waiting import poll_seconds
from tests.support.cache_files import LastValueModel
from tests.support.examples import examples
from tests.support.live_sources import GrowingFile, each, line, readings, time_of, value, watch

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def no_watch_is_left() -> Iterator[None]:
    yield
    for live in lifetime.running():
        live.stop()


@pytest.fixture
def file(tmp_path: Path) -> GrowingFile:
    return GrowingFile(tmp_path / "glucose.csv", 40)


def test_V1_each_new_row_infers_one_origin_and_a_look_back_agrees(file: GrowingFile) -> None:
    with watch(file.path) as live:
        live.wait()
        seen = []
        for run in each(live, file, 5):
            assert (run.inferred, run.reused) == (1, file.rows - 1)
            seen.append(run.at(0).draws)
        assert live.rows == 5
    back = nbf.forecast(file.path, LastValueModel(), 4, wait=True)
    assert live.run.data.handle == back.data.handle
    for index, draws in zip(range(-4, 1), seen, strict=True):
        np.testing.assert_array_equal(back.at(index).draws, draws)
    assert live.run.scores()["n"].item() == back.scores()["n"].item() > 0


def test_V1_a_half_written_line_is_no_row(file: GrowingFile) -> None:
    with watch(file.path) as live:
        file.write(line(40)[:-3])  # a value that has lost its last digits
        live.wait()
        assert (live.rows, len(live.run.data)) == (0, 40)
        file.write(line(40)[-3:])
        live.wait(rows=1, timeout=10)
        assert live.run.data.values[-1] == value(40)


@given(st.integers(0, 400), st.sampled_from(['a,b\n1,2\n3,"x\ny"\n', "a,b\n1,2\n3,4\n"]))
@examples(15)
def test_V1_whole_lines_are_those_that_no_more_text_can_change(cut: int, text: str) -> None:
    whole = text.encode()
    part = whole_lines(whole[:cut])
    assert whole.startswith(part)
    assert not part or part.endswith(b"\n")
    assert part.count(b'"') % 2 == 0


def test_V1_rows_that_are_corrected_or_come_late_infer_what_they_touch(file: GrowingFile) -> None:
    with watch(file.path) as live:
        live.wait()
        text = file.path.read_text().splitlines(keepends=True)
        text[20] = text[20].split(",")[0] + ",99.5\n"
        file.path.write_text("".join(text))
        live.wait()
        assert live.run.inferred == 1  # the model reads one value
        assert live.run.at(-20).median[0] == 99.5
        late = line(42)
        file.write(late)
        live.wait()
        file.write(line(41))
        live.wait()
        assert live.run.data.values[-2:].tolist() == [value(41), value(42)]
        assert live.rows == 1


def test_V1_a_source_that_fails_is_tried_again_told_once_and_loses_nothing(
    file: GrowingFile, caplog: pytest.LogCaptureFixture
) -> None:
    with watch(file.path) as live:
        run = live.run
        content = file.path.read_bytes()
        file.path.unlink()
        with pytest.raises(nbf.SourceError, match="does not exist"):
            live.wait()
        assert (live.status.state, live.run) == ("failed", run)
        assert str(live.error) in live.status.text
        with pytest.raises(nbf.SourceError):
            live.wait()
        file.path.write_bytes(content)
        file.append()
        live.wait(rows=1, timeout=10)
        live.wait()
        assert (live.error, len(live.run.data)) == (None, 41)
    warnings = [r.getMessage() for r in caplog.records if r.name == "nbforecast.live" and r.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "it is tried again" in warnings[0]


def test_V1_pauses_between_attempts_grow(file: GrowingFile) -> None:
    with watch(file.path, poll="30s") as live:
        pauses = []
        for live._attempts in (1, 2, 3, 20):
            live._failure = (time.time(), OSError("no"))
            pauses.append(live._pause())
        live._failure = None
        assert pauses == [1.0, 2.0, 4.0, 60.0]
        assert live._pause() == 30.0


def test_V1_a_source_that_begins_empty_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later.csv"
    with watch(path) as live:
        assert live.status.state == "failed"
        with pytest.raises(nbf.SourceError, match="given no rows yet"):
            _ = live.run
        file = GrowingFile(path, 1)
        with pytest.raises(nbf.SourceError, match="too few rows"):
            live.wait()
        file.append(9)
        live.wait()
        assert len(live.run.data) == 10


def test_V1_what_cannot_be_read_as_series_is_an_error_at_once(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("time,a,b\n" + "".join(f"{time_of(i)},{i},{i}\n" for i in range(5)))
    with pytest.raises(nbf.InputError, match="target="):
        watch(path)
    for options in ({"poll": "soon"}, {"poll": 0}, {"model": [LastValueModel(), "naive"]}):
        with pytest.raises(nbf.OptionError):
            watch(path, **options)
    with pytest.raises(nbf.OptionError, match=r"nbforecast\.watch takes"):
        watch(readings(range(5)))
    with pytest.raises(TypeError, match="horizon"):
        nbf.watch(path, horizn=3)


def test_V1_functions_return_all_rows_or_new_ones(caplog: pytest.LogCaptureFixture) -> None:
    frames: list[Callable[[], pl.DataFrame | None]] = [
        lambda: readings(range(30)),
        lambda: readings(range(31)),  # all
        lambda: readings([31]),  # new ones
        lambda: None,
        lambda: readings([30, 31, 32]).with_columns(glucose=pl.Series([1.0, 2.0, 3.0])),  # corrections
        lambda: 1 / 0,  # type: ignore[arg-type,return-value]
        lambda: readings([33]).to_pandas(),
    ]
    calls = iter(frames)
    with watch(lambda: next(calls, lambda: None)(), poll=1000) as live:
        lengths = [len(live.run.data)]
        for _ in frames[1:]:
            try:
                live.wait()
            except nbf.SourceError as error:
                assert "ZeroDivisionError" in str(error)  # noqa: PT017
            lengths.append(len(live.run.data))
        assert lengths == [30, 31, 32, 32, 33, 33, 34]
        assert live.run.data.values[30:].tolist() == [1.0, 2.0, 3.0, value(33)]


def test_V1_rows_of_a_panel_are_merged_by_id_and_time() -> None:
    def rows(numbers: range, name: str, shift: float = 0.0) -> pl.DataFrame:
        return readings(numbers).with_columns(patient=pl.lit(name), glucose=pl.col("glucose") + shift)

    frames = iter(
        [
            pl.concat([rows(range(20), "a"), rows(range(20), "b", 1)]),
            pl.concat([rows(range(20, 22), "a"), rows(range(19, 21), "b", 5)]),
        ]
    )
    with watch(lambda: next(frames, None), id="patient", poll=1000) as live:
        live.wait()
        assert live.run.data.lengths.tolist() == [22, 21]
        assert live.run.at(-1, "b").median[0] == pytest.approx(value(19) + 5)
        assert live.rows == 3


def test_V1_a_folder_grows_by_files_and_within_them(tmp_path: Path) -> None:
    first, second = GrowingFile(tmp_path / "1.csv", 20), tmp_path / "2.parquet"
    (tmp_path / ".3.csv.part").write_text("nonsense")
    with watch(tmp_path) as live:
        assert len(live.run.data) == 20
        first.append(2)
        live.wait(rows=2, timeout=10)
        readings(range(22, 25)).with_columns(time=pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S")).write_parquet(second)
        live.wait(rows=3, timeout=10)
        assert live.run.data.values[-1] == value(24)


def test_V1_a_query_is_asked_again(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "glucose.csv", 20)
    with watch(f"SELECT * FROM read_csv('{file.path}')", poll=1000) as live:
        file.append(3)
        live.wait()
        assert (len(live.run.data), live.rows) == (23, 3)
        file.path.unlink()
        with pytest.raises(nbf.SourceError, match="DuckDB"):
            live.wait()


def test_V1_files_are_polled_where_nothing_announces_changes(
    file: GrowingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "watchfiles", None)
    with watch(file.path, poll=0.02) as live:
        file.append()
        live.wait(rows=1, timeout=10)


def test_V1_changes_of_a_long_file_are_announced_and_its_new_lines_alone_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = GrowingFile(tmp_path / "glucose.csv", 3000)
    with watch(file.path, poll=1000, origins="latest") as live:
        before = live._source._file._text._frame  # type: ignore[attr-defined]
        file.append()
        live.wait(rows=1, timeout=10)
        after = live._source._file._text._frame  # type: ignore[attr-defined]
        assert after.n_chunks() == before.n_chunks() + 1
        assert after.equals(pl.read_csv(file.path))
        file.write(f"{time_of(3001).isoformat()},n/a\n{time_of(3002).isoformat()},7\n")
        live.wait(rows=1, timeout=10)
        assert np.isnan(live.run.data.values[-2])
        assert live.run.data.values[-1] == 7


def test_V1_wait_counts_rows_once_and_ends(file: GrowingFile) -> None:
    with watch(file.path) as live:
        file.append(3)
        live.wait(rows=2, timeout=10).wait(rows=1, timeout=10)
        with pytest.raises(TimeoutError, match="Nothing more has come"):
            live.wait(rows=1, timeout=0.05)
    with pytest.raises(nbf.SourceError, match="no longer watched"):
        live.wait(rows=1)
    assert live.status.state == "stopped"
    live.stop()


def test_E9_the_thread_ends_with_the_object(file: GrowingFile) -> None:
    def threads() -> int:
        return sum(thread.name == "nbforecast-live" for thread in threading.enumerate())

    live = watch(file.path, poll=1000)
    ref = weakref.ref(live)
    assert threads() == 1
    del live
    gc.collect()
    end = time.monotonic() + 5
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert (ref(), threads()) == (None, 0)


def test_V1_a_stream_is_late_when_a_row_is_overdue(file: GrowingFile, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time_of(40).timestamp()
    monkeypatch.setattr(status_module.time, "time", lambda: now)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with watch(file.path) as live:
        assert live.status.state == "live"
        now += 11 * 60
        assert live.status.state == "late"
        assert "2024-03-01 03:15" in live.status.text
        file.append()
        live.wait(rows=1, timeout=10)
        assert live.status.state == "live"


def test_V1_polls_are_times() -> None:
    assert [poll_seconds(x) for x in ("30s", "5min", 2, 0.5)] == [30, 300, 2, 0.5]


@pytest.mark.slow
def test_E9_a_script_that_ends_is_not_held(file: GrowingFile) -> None:
    code = f"""
from tests.support.live_sources import watch
live = watch({str(file.path)!r}, poll=1000)
print(live.run.horizon)"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "4\n", "")
