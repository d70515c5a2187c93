"""V4: `nbforecast watch` writes a line a reading until it is interrupted."""

import _thread
import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.data import Dataset
from nbforecast.forecasters import registry
from nbforecast.live import lifetime
from nbforecast.live.actions import FunctionAction
from nbforecast.live.conditions import Condition
from nbforecast.live.monitor import Monitor
from nbforecast.live.terminal import Terminal, fan_bars
from nbforecast.origin_forecast import Forecast
from tests.support.cache_files import LastValueModel
from tests.support.examples import examples
from tests.support.live_sources import GrowingFile, readings, time_of, value, watch


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NBFORECAST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "_models", dict(registry._models))
    yield
    for live in lifetime.running():
        live.stop()


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    return nbf.forecast(readings(range(40)), LastValueModel(), 4, wait=True).at(0)


class TerminalStream(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_V4_an_hour_of_readings_is_written_line_by_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Twelve readings, one every five minutes of their own time; an interrupt ends the command with status 0."""
    nbf.register("last", LastValueModel())
    file = GrowingFile(tmp_path / "glucose.csv", 34)
    out = tmp_path / "events"

    def feed() -> None:
        def wait_for_rows(count: int) -> bool:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if any(live.rows >= count for live in lifetime.running()):
                    return True
                time.sleep(0.01)
            return False

        try:
            for count in range(13):
                if not wait_for_rows(count):
                    return
                if count < 12:
                    file.append()
            time.sleep(0.3)
        finally:
            _thread.interrupt_main()

    feeder = threading.Thread(target=feed)
    feeder.start()
    command = f"""echo "$NBF_STATE $NBF_TIME" >> '{out}'"""
    options = ["--above", "165", "--within", "10min", "--probability", ".5", "--run", command, "--poll", "50ms"]
    status = main(["watch", str(file.path), "-m", "last", "-H", "4", *options])
    feeder.join()
    written = capfd.readouterr()
    assert (status, written.err) == (0, "")
    lines = [line for line in written.out.splitlines() if line.startswith("2024-03-01")]
    assert [line.split("  ")[0] for line in lines] == [f"{time_of(i):%Y-%m-%d %H:%M}" for i in range(33, 46)]
    assert [float(line.split("  ")[1]) for line in lines] == [value(i) for i in range(33, 46)]
    assert all("stays near" in line and "% above 165" in line for line in lines)
    marked = [(line[:16], mark) for line in lines for mark in ("begins", "ends") if f"{mark}: above 165" in line]
    told = [(at.replace("T", " ")[:16], f"{state}s") for state, at in map(str.split, out.read_text().splitlines())]
    assert marked == told
    assert [mark for _, mark in marked] == ["begins", "ends"]
    assert "\x1b" not in written.out
    assert "glucose.csv: last, 4 steps of 5 minutes; Ctrl-C ends" in written.out


def test_V4_a_terminal_has_the_forecast_as_bars_which_each_reading_redraws(tmp_path: Path) -> None:
    file, stream = GrowingFile(tmp_path / "glucose.csv", 34), TerminalStream()
    condition = Condition("above", 165.0, "10min", 0.5)
    with watch(file.path) as live:
        terminal = Terminal(live, [condition], stream, width=60)
        live.add_monitor(Monitor(condition, 0, FunctionAction(terminal.mark), live.name))
        file.append(3)
        terminal.follow(lambda: live.rows >= 3 and "03:00" in stream.getvalue())
    text = stream.getvalue()
    assert "▲ begins: above 165 within 10min" in text
    *_, before, last = text.split("\x1b[5F\x1b[J")
    assert before.count("█") == last.count("█") == 4
    assert all(len(line) <= 60 for line in last.splitlines() if "█" in line)


@given(st.integers(1, 200), st.lists(st.floats(-1e6, 1e6), max_size=2))
@examples(20)
def test_V4_bars_fit_the_terminal(forecast: Forecast, width: int, limits: list[float]) -> None:
    lines = fan_bars(forecast, width, limits, "-=#|:")
    assert all((len(line) <= width and line.isascii()) or "−" in line for line in lines)
    if not lines:
        assert width < 40
        return
    assert len(lines) == 5
    for line in lines[:-1]:
        assert line.count("|") == 1
        assert re.fullmatch(r"\d\d:\d\d  .* +[\d.]+", line)


def test_V4_a_limit_stands_where_its_value_is(forecast: Forecast) -> None:
    median = float(forecast.median[0])
    lines = fan_bars(forecast, 80, [median + 1.0])
    columns = {line.index("│") for line in lines[:-1]}
    assert len(columns) == 1
    (column,) = columns
    assert all(line.index("█") < column for line in lines[:-1])
    assert abs(lines[-1].index(f"{median + 1:.0f}") - column) <= 4


def test_V4_rows_without_a_forecast_and_late_sources_are_told(tmp_path: Path) -> None:
    file, stream = GrowingFile(tmp_path / "glucose.csv", 34), io.StringIO()

    class Never(LastValueModel):
        key = "never"

        def availability(self, data: Dataset) -> np.ndarray:
            return np.ones(len(data), np.uint8)

    with watch(file.path, Never()) as live:
        terminal = Terminal(live, [], stream)
        terminal._write_problem()
        assert stream.getvalue().startswith("Late: a row after 2024-03-01 02:45 is overdue")
        file.append()
        terminal.follow(lambda: live.rows >= 1 and "02:50" in stream.getvalue())
        terminal._write_problem()
    text = stream.getvalue()
    assert f"2024-03-01 02:50  {value(34)}  no forecast: There is no forecast at index 0" in text
    assert text.splitlines()[-1] == "Rows come again."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--run", "ls"], "--run needs --above, --below or --surprise"),
        (["--within", "1h"], "--within needs --above or --below"),
        (["--above", "3", "--probability", "30"], "--probability takes a share"),
        (["--above", "3", "--hold", "soon"], "--hold"),
        (["--above", "3", "--within", "9h"], "no part of the horizon"),
        (["--poll", "often"], "--poll"),
        (["-m", "oracle"], "oracle"),
        (["--target", "nothing"], "nothing"),
    ],
)
def test_V4_bad_input_is_an_error_in_the_callers_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    nbf.register("last", LastValueModel())
    file = GrowingFile(tmp_path / "glucose.csv", 20)
    assert main(["watch", str(file.path), "-m", "last", "-H", "4", *options]) == 2
    assert message in capsys.readouterr().err
