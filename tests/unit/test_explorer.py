"""W1, W2, W4: what the explorer tells its page, what it takes from it, and the page that needs no kernel."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import logging
import re
import subprocess
import sys
import threading
import time
import weakref
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters.function import FunctionForecaster
from nbforecast.notebook import explorer_messages as messages
from nbforecast.notebook import explorer_page as pages
from nbforecast.notebook.explorer_feed import Feed
from nbforecast.notebook.explorer_requests import Cancel, Hello, Infer, Open, Refused, Want, read
from nbforecast.notebook.routing import hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbforecast.engine.run import Run
    from nbforecast.notebook.explorer import Explorer
    from nbforecast.notebook.explorer_messages import Message

HOSTILE = "<img src=x onerror=window.hacked=1></script><!--<script>"
CODES = {name: code for code, name in enumerate(["waiting", "inferred", "unscored", "calculated", "unavailable"])}


def drift(contexts: np.ndarray, horizon: int) -> np.ndarray:
    steps, spread = np.arange(1, horizon + 1)[None, :, None], np.linspace(-1, 1, 10)
    return np.nanmean(contexts, 1)[:, None, None] + steps * 0.1 + spread * np.sqrt(steps)


DRIFT = FunctionForecaster(drift, "drift", context=8, least=4, draws=10)


def series(rows: int = 300, seed: int = 0, name: str = "a") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    wave = 50 + 10 * np.sin(np.arange(rows) * 2 * np.pi / 24) + rng.normal(0, 1, rows)
    start = pl.datetime(2024, 3, 1)
    times = pl.select(pl.datetime_range(start, start + pl.duration(hours=rows - 1), "1h", eager=False)).to_series()
    return pl.DataFrame({"unique_id": [name] * rows, "ds": times, "y": wave})


def panel() -> pl.DataFrame:
    gap = series(260, 1, "b").with_row_index().filter(~pl.col("index").is_between(100, 180)).drop("index")
    return pl.concat([series(), gap, series(90, 2, HOSTILE)])


@pytest.fixture(scope="module")
def done() -> Run:
    return nbf.forecast(panel(), "naive", wait=True)


@pytest.fixture(scope="module")
def other() -> Run:
    return nbf.forecast(panel(), DRIFT, wait=True)


@pytest.fixture
def explorer(done: Run, other: Run) -> Iterator[Explorer]:
    made = nbf.explore([done, other])
    yield made
    made.close()


def feed(*runs: Run, row: int = 89, shown: int = 0) -> Feed:
    return Feed(runs, lambda: (shown, 0, row), lambda: None)


def told(feed: Feed, *requests: Any) -> list[Message]:
    for request in requests:
        feed.ask(request)
    return list(feed.messages())


def arrays(message: Message) -> list[np.ndarray]:
    kinds = {"history": ("<f8", "<f8"), "status": ("u1", "u1", "<f4"), "rows": ("<f4", "<f4")}
    found = zip(message.buffers, kinds.get(message.content["kind"], ()), strict=True)
    return [np.frombuffer(b, k) for b, k in found]


def kinds(found: list[Message]) -> list[str]:
    return [m.content["kind"] for m in found]


def part(run: Run, position: int) -> pl.DataFrame:
    return run.series(run.data.ids[position]).frame


# ---- messages


def test_W1_a_new_view_is_told_everything_in_order_and_as_the_frame_has_it(done: Run) -> None:
    found = told(feed(done), Hello())
    assert kinds(found) == ["meta", "history", "status", "scores", "rows", "progress"]
    meta, past, standing, scores, rows, progress = found
    assert json.loads(json.dumps([m.content for m in found], allow_nan=False)) == [m.content for m in found]
    assert meta.content["series"] == [
        {"id": i, "rows": int(n)} for i, n in zip(done.data.ids, done.data.lengths, strict=True)
    ]
    assert meta.content["clock"] == "wall"
    assert meta.content["step"] == 3600
    assert meta.content["seasons"] == [24, 168]
    assert meta.content["models"] == [{"name": "naive", "draws": 10, "levels": list(done._view.recipe.levels)}]
    frame = part(done, 0)
    assert frame["unique_id"][0] == done.data.ids[0]
    at, values = arrays(past)
    assert np.array_equal(at, frame["ds"].dt.epoch("ms").to_numpy())
    assert np.array_equal(values, frame["y"].fill_null(np.nan).to_numpy(), equal_nan=True)
    status, reason, score = arrays(standing)
    assert status.tolist() == [CODES[s] for s in frame["status"].cast(str)]
    assert [meta.content["reasons"].get(str(r), "") != "" for r in reason] == frame["reason"].is_not_null().to_list()
    crps = frame["crps"].to_numpy()
    known = np.isfinite(crps).any(1)
    assert np.allclose(score[known], np.nanmean(crps[known], 1))
    assert np.isnan(score[~known]).all()
    draws, ends = arrays(rows)
    assert rows.content["count"] == len(frame)
    assert np.array_equal(draws, frame["forecast"].to_numpy().ravel(), equal_nan=True)
    assert np.array_equal(ends, frame["quantiles"].to_numpy().ravel(), equal_nan=True)
    overall = done.scores("series").row(0, named=True)
    names = ("mae", "crps", "mase", "coverage_50", "coverage_80", "coverage_95")
    assert {n: scores.content["overall"][n] for n in names} == pytest.approx({n: overall[n] for n in names})
    assert scores.content["overall"]["n"] == known.sum()
    assert len(scores.content["horizon"]["mae"]) == 12
    assert np.average(scores.content["horizon"]["mae"]) == pytest.approx(overall["mae"], rel=0.05)
    assert progress.content["done"] is True
    assert progress.content["left"] == 0
    assert progress.content["calculated"] == done.calculated


def test_W2_rows_of_a_gap_are_nan_and_its_status_says_why(done: Run) -> None:
    found = told(feed(done), Hello(), Open(2, 0), Want(2, 0, 95, 100, "x"))
    rows = next(m for m in found if m.content.get("request") == "x")
    frame = part(done, 2)[95:195]
    draws, ends = arrays(rows)
    assert rows.content == {
        "kind": "rows", "series": 2, "model": 0, "first": 95, "count": 100, "request": "x"
    }  # fmt: skip
    assert np.array_equal(draws, frame["forecast"].to_numpy().ravel(), equal_nan=True)
    assert np.array_equal(ends, frame["quantiles"].to_numpy().ravel(), equal_nan=True)
    gone = (frame["status"].cast(str) == "unavailable").to_numpy()
    assert gone.any()
    assert np.array_equal(np.isnan(draws.reshape(100, -1)).all(1), gone)
    status = [m for m in found if m.content["kind"] == "status" and m.content["series"] == 2]
    assert [m.content["first"] for m in status] == [0]


def test_W2_rows_come_in_slices_and_are_bounded(done: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 12 * 17 * 4
    monkeypatch.setattr(messages, "_SLICE", 40 * size)
    found = list(messages.rows(done, 0, 0, 10, 100, 7))
    assert [(m.content["first"], m.content["count"], m.content["request"]) for m in found] == [
        (10, 40, 7), (50, 40, 7), (90, 20, 7)
    ]  # fmt: skip
    monkeypatch.setattr(messages, "_ANSWER", 50 * size)
    assert [m.content["first"] for m in messages.rows(done, 0, 0, 10, 100, 7)] == [35, 75]


def test_W1_only_what_has_changed_is_told_again(cache: Any) -> None:
    run = nbf.forecast(series(), "naive", wait=True)
    view = feed(run)
    told(view, Hello())
    assert not told(view)
    time.sleep(0.06)
    assert not told(view), "nothing has changed"
    assert nbf.cache.drop(run.handle, index="-120:-101")
    time.sleep(0.06)
    found = told(view)
    assert [(m.content["first"], m.content["count"]) for m in found if m.content["kind"] == "status"] == [(179, 20)]
    assert set(arrays(found[0])[0].tolist()) == {0}
    assert np.isnan(arrays(next(iter(messages.rows(run, 0, 0, 185, 3, None))))[0]).all()
    view.ask(Infer(0, 0, 190))
    until = time.monotonic() + 20
    found = []
    while "rows" not in kinds(found):
        assert time.monotonic() < until
        found = told(view)
        time.sleep(0.01)
    rows = next(m for m in found if m.content["kind"] == "rows")
    assert (rows.content["first"], rows.content["count"]) == (190, 1)
    assert np.array_equal(arrays(rows)[0].reshape(12, -1), run.at(190 - 299).draws)
    hub.close()
    assert not hub_threads()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], []), ([3], [(3, 1)]), ([3, 4, 60], [(3, 58)]), ([0, 1, 300, 999], [(0, 2), (300, 1), (999, 1)]),
     (list(range(0, 1000, 2)), [(0, 999)])],
)  # fmt: skip
def test_W1_ranges_cover_what_has_changed(rows: list[int], expected: list[tuple[int, int]]) -> None:
    changed = np.zeros(1000, bool)
    changed[rows] = True
    assert messages.ranges(changed) == expected


def test_W1_very_scattered_changes_are_one_range() -> None:
    changed = np.zeros(100_000, bool)
    changed[::100] = True
    assert messages.ranges(changed) == [(0, 99_901)]


def test_W1_calibrated_bands_are_those_of_the_run() -> None:
    run = nbf.forecast(series(900), "naive", calibrate=True, wait=True)
    (rows,) = messages.rows(run, 0, 0, 500, 300, None)
    ends = arrays(rows)[1].reshape(300, 12, 7)
    frame = run.frame[500:800]
    bands = frame["calibrated"].to_numpy()
    assert np.isfinite(bands).all()
    assert np.allclose(ends[..., [0, 1, 2]], bands[..., [0, 2, 3]], rtol=1e-6)
    assert np.allclose(ends[..., [4, 5, 6]], bands[..., [4, 5, 7]], rtol=1e-6)
    assert np.array_equal(ends[..., 3], frame["median"].to_numpy())
    assert messages.meta([run]).content["calibrated"] is True


@pytest.mark.parametrize(
    ("frame", "clock", "zone", "step"),
    [
        (series().with_columns(pl.col("ds").dt.replace_time_zone("Europe/Berlin")), "utc", "Europe/Berlin", 3600),
        (nbf.sample("retail").filter(pl.col("unique_id") == pl.col("unique_id").first()), "wall", None, None),
        (np.sin(np.arange(200.0)), "number", None, 1),
    ],
)
def test_W1_times_are_told_with_their_clock(frame: Any, clock: str, zone: str | None, step: float | None) -> None:
    run = nbf.forecast(frame, "naive", freq=1 if clock == "number" else None, wait=True)
    content = messages.meta([run]).content
    assert (content["clock"], content["zone"], content["step"]) == (clock, zone, step)
    at = arrays(messages.history(run.data, 0))[0]
    assert len(at) == len(run.data)
    assert (np.diff(at) > 0).all()
    assert at[0] == (0 if clock == "number" else run.data.time[0].astype("datetime64[ms]").astype(int))


def test_W1_several_models_are_told_side_by_side(done: Run, other: Run) -> None:
    view = feed(done, other)
    found = told(view, Hello(), Open(1, 1), Want(1, 1, 200, 10, 1), Want(1, 0, 200, 10, 2))
    assert [m["name"] for m in found[0].content["models"]] == ["naive", "drift"]
    rows = {m.content["request"]: arrays(m)[0] for m in found if m.content["kind"] == "rows"}
    assert np.array_equal(rows[1], part(other, 1)[200:210]["forecast"].to_numpy().ravel())
    assert np.array_equal(rows[2], part(done, 1)[200:210]["forecast"].to_numpy().ravel())
    assert [m.content["model"] for m in found if m.content["kind"] == "progress"] == [0, 1]


# ---- what the page asks for


@pytest.mark.parametrize(
    ("content", "request_"),
    [
        ({"kind": "hello", "v": 1}, Hello()),
        ({"kind": "open", "series": 1, "model": 0}, Open(1, 0)),
        ({"kind": "want", "series": 1, "model": 0, "first": 5, "count": 4096, "request": "r"}, Want(1, 0, 5, 25, "r")),
        ({"kind": "want", "series": 0, "model": 1, "first": 2.0, "count": 3, "request": 9}, Want(0, 1, 2, 3, 9)),
        ({"kind": "cancel", "model": 1}, Cancel(1)),
        ({"kind": "infer", "series": 0, "model": 0, "row": 9}, Infer(0, 0, 9)),
    ],
)
def test_W2_requests_are_read(content: dict[str, Any], request_: Any) -> None:
    assert read(content, [10, 30], 2) == request_


@pytest.mark.parametrize(
    "content",
    [
        None, [], "hello", 3, {}, {"kind": "eval", "code": "1"}, {"kind": ["hello"]}, {"kind": "hello", "v": 2},
        {"kind": "hello"}, {"kind": "open", "series": "0", "model": 0}, {"kind": "open", "series": 0, "model": 2},
        {"kind": "open", "series": True, "model": 0}, {"kind": "open", "series": -1, "model": 0},
        {"kind": "want", "series": 0, "model": 0, "first": 0, "count": 4097, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": 10, "count": 1, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": -1, "count": 1, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": 0, "count": 0, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": 0, "count": 1e300, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": float("nan"), "count": 1, "request": 1},
        {"kind": "want", "series": 0, "model": 0, "first": 0, "count": 1, "request": {"a": 1}},
        {"kind": "want", "series": 0, "model": 0, "first": 0, "count": 1, "request": "x" * 65},
        {"kind": "cancel"}, {"kind": "infer", "series": 0, "model": 0, "row": 10},
    ],
)  # fmt: skip
def test_W2_what_is_no_request_is_refused_and_logged(
    content: Any, explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Refused):
        read(content, [10, 30], 2)
    if isinstance(content, dict) and content.get("first") == 10:
        return  # there are more rows in the explorer's series
    with caplog.at_level(logging.WARNING, "nbforecast"):
        explorer._heard(content if not isinstance(content, dict) or "row" not in content else {**content, "row": 999})
    assert "is ignored" in caplog.text
    assert len(caplog.text) < 1000
    assert hub._thread is None


@pytest.mark.parametrize(
    "state",
    [{"index": 5}, {"index": -90}, {"index": "0"}, {"index": -1.5}, {"index": True}, {"series": 9}, {"series": "b"},
     {"series": None}, {"model": 2}, {"model": -1}, {"drawing": "<b>"}, {"drawing": ["bands"]},
     {"index": -200, "series": 0}],
)  # fmt: skip
def test_W1_senseless_positions_from_the_page_are_ignored(
    state: dict[str, Any], explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    before = explorer.index
    with caplog.at_level(logging.WARNING, "nbforecast"):
        explorer.set_state(state)
    assert "is ignored" in caplog.text
    assert (explorer.index, explorer.model, explorer.style) == (before, 0, "bands")


def test_W1_the_page_moves_what_python_sees(explorer: Explorer, done: Run, other: Run) -> None:
    explorer.set_state({"index": -17, "series": 2, "model": 1, "drawing": "density"})
    assert (explorer.index, explorer.series, explorer.model, explorer.style) == (-17, 2, 1, "density")
    assert explorer.run is other
    assert explorer.runs == (done, other)
    assert (explorer.forecast.index, explorer.forecast.series, explorer.forecast.model) == (-17, "b", "drift")


def test_W1_python_moves_the_view_and_is_told_where_it_cannot(explorer: Explorer) -> None:
    explorer.series = "b"
    explorer.index = -259
    assert explorer.series == 2
    explorer.series = HOSTILE
    assert (explorer.series, explorer.index) == (0, -89), "the index stays within the shorter series"
    explorer.model = "drift"
    assert explorer.model == 1
    with pytest.raises(IndexError, match="valid indices run from -89 to 0"):
        explorer.index = -90
    with pytest.raises(nbf.NbForecastError, match="No series is called 'c'"):
        explorer.series = "c"
    with pytest.raises(nbf.NbForecastError, match="there are: naive, drift"):
        explorer.model = "oracle"
    with pytest.raises(nbf.NbForecastError, match="from 0 to 2"):
        explorer.series = 3
    with pytest.raises(nbf.NbForecastError, match="style= takes"):
        explorer.style = "pie"
    explorer.style = "density"
    assert (explorer.series, explorer.index, explorer.model, explorer.drawing) == (0, -89, 1, "density")


def idle(run: Run, horizon: int) -> Run:
    """A run of the same data that has not begun."""
    view = session._find(run.data, run._forecaster, horizon, 0, force=False)
    return type(run)(view, run._forecaster, session.engine(), 0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda run: [run, 3], "holds runs only, not int"),
        (lambda run: [run, nbf.forecast(series(), "naive", wait=True)], "different handles"),
        (lambda run: [run, idle(run, 2)], "same horizon, not 12 and 2"),
    ],
)
def test_W1_only_runs_that_can_be_compared_are_explored_together(
    make: Callable[[Run], list[Any]], said: str, done: Run
) -> None:
    runs = make(done)
    with pytest.raises(nbf.NbForecastError, match=said):
        nbf.explore(runs)


def test_W1_a_frame_is_forecast_by_each_model_and_a_run_takes_no_options(done: Run) -> None:
    made = nbf.explore(panel(), model=["naive", DRIFT], series="b", index=-3, style="density", name="load")
    try:
        assert [run.model for run in made.runs] == ["naive", "drift"]
        assert (made.series, made.index, made.style) == (2, -3, "density")
        assert messages.meta(made.runs).content["title"] == "load"
        assert "Explorer(naive, drift, index -3, series 'b')" in repr(made)
    finally:
        made.close()
    with pytest.raises(nbf.NbForecastError, match="horizon= cannot be changed in a run"):
        nbf.explore(done, horizon=3)
    with pytest.raises(IndexError, match="valid indices run from -259 to 0"):
        nbf.explore(done, series="b", index=-260)
    with pytest.raises(nbf.NbForecastError, match="style= takes"):
        nbf.explore(done, style="pie")


def test_M7_where_nobody_watches_there_is_a_picture_and_no_widget(explorer: Explorer) -> None:
    assert explorer.comm is None
    data, _ = explorer._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert "index 0" in data["text/plain"]


def test_M1_importing_nbforecast_imports_no_widgets_and_says_what_is_missing() -> None:
    code = """
import sys, nbforecast as nbf
nbf.forecast, nbf.quickdraw, nbf.explore
heavy = {"anywidget", "ipywidgets", "traitlets", "IPython"} & set(sys.modules)
assert not heavy, heavy
sys.modules["anywidget"] = None
try:
    nbf.explore([1.0, 2.0])
except nbf.NbForecastError as error:
    assert "pip install 'nbforecast[notebook]'" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the thread that sends


def wait_for(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def hub_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nbforecast-explorer")]


def test_E9_one_thread_sends_for_all_and_ends_with_the_last(done: Run, other: Run) -> None:
    sent: dict[str, list[Any]] = {"one": [], "two": []}
    senders = set()
    both = {"one": nbf.explore(done), "two": nbf.explore(other)}
    assert not hub_threads(), "nobody has asked for anything"
    for name, made in both.items():

        def send(content: Any, buffers: Any, name: str = name) -> None:
            senders.add(threading.get_ident())
            sent[name].append(content["kind"])

        made.send = send
        made._heard({"kind": "hello", "v": 1})
    wait_for(lambda: all(len(s) == 6 for s in sent.values()))
    assert hub_threads() == ["nbforecast-explorer"]
    assert len(senders) == 1
    both["one"].close()
    both["two"]._heard({"kind": "open", "series": 0, "model": 0})
    wait_for(lambda: len(sent["two"]) == 8)
    assert len(sent["one"]) == 6
    both["two"].close()
    wait_for(lambda: not hub_threads())


def test_E9_a_closed_explorer_keeps_nothing_alive() -> None:
    run = nbf.forecast(series(120, 7), "naive", wait=True)
    made = nbf.explore(run)
    made._heard({"kind": "hello", "v": 1})
    wait_for(lambda: made._feed._open)
    made.close()
    kept = weakref.ref(run), weakref.ref(made)
    del run, made
    wait_for(lambda: gc.collect() is None or all(ref() is None for ref in kept))
    wait_for(lambda: not hub_threads())


def test_E9_the_interpreter_exits_while_an_explorer_is_served_and_its_run_goes_on() -> None:
    code = """
import time, numpy as np, nbforecast as nbf
from nbforecast.forecasters.function import FunctionForecaster
def slow(contexts, horizon):
    time.sleep(0.05)
    return contexts[:, -1:] + np.zeros((1, horizon))
made = nbf.explore(np.arange(3000.0), FunctionForecaster(slow, "slow", context=8, batch=8), freq=1)
told = []
made.send = lambda content, buffers: told.append(content["kind"])
made._heard({"kind": "hello", "v": 1})
made._heard({"kind": "infer", "series": 0, "model": 0, "row": 100})
while told.count("progress") < 2 or told.count("rows") < 2:
    time.sleep(0.01)
assert not made.run.done
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 30


def test_E5_one_that_fails_is_logged_once_and_disturbs_no_other(
    done: Run, explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[str] = []
    broken = nbf.explore(done)

    def fails(content: Any, buffers: Any) -> None:
        raise OSError("the connection is gone")

    broken.send, explorer.send = fails, lambda content, buffers: sent.append(content["kind"])
    with caplog.at_level(logging.WARNING, "nbforecast"):
        broken._heard({"kind": "hello", "v": 1})
        explorer._heard({"kind": "hello", "v": 1})
        wait_for(lambda: "progress" in sent)
        time.sleep(0.3)
    assert caplog.text.count("is told nothing more") == 1
    broken.close()


def test_E5_what_cannot_be_inferred_is_told_in_a_sentence(done: Run) -> None:
    view = feed(done, shown=2)
    gap = int(np.flatnonzero(messages.standing(done, 2) == CODES["unavailable"])[0])
    view.ask(Infer(2, 0, gap))
    found: list[Message] = []
    wait_for(lambda: found.extend(view.messages()) or found)
    assert kinds(found) == ["fault"]
    assert "There is no forecast at index" in found[0].content["text"]
    hub.close()


# ---- the page


class Page(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data

    @property
    def held(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def unpack(buffer: dict[str, Any], kind: str) -> np.ndarray:
    raw = gzip.decompress(base64.b64decode(buffer["gzip"]))
    if buffer.get("as") == "sums":
        return np.cumsum(np.frombuffer(raw, "<f8"))
    if buffer.get("as") != "codes":
        return np.frombuffer(raw, kind)
    planes = np.frombuffer(raw, np.uint8).reshape(2, -1).astype(np.uint16)
    codes = (planes[0] | planes[1] << 8).reshape(buffer["rows"], -1)
    codes = np.cumsum(codes, 0, dtype=np.uint16)
    return np.where(codes == 65535, np.nan, buffer["low"] + buffer["step"] * codes)


def of_kind(page: Page, kind: str, position: int, model: int = 0) -> list[dict[str, Any]]:
    """Messages about a series."""
    return [
        m
        for m in page.held["messages"]
        if m["content"]["kind"] == kind
        and m["content"]["series"] == position
        and m["content"].get("model", model) == model
    ]


def test_W4_the_page_holds_everything_that_the_run_has(
    done: Run, explorer: Explorer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    explorer.series, explorer.index, explorer.style = 1, -30, "density"
    with caplog.at_level(logging.INFO, "nbforecast"):
        path = explorer.to_html(tmp_path / "page.html")
    assert path == tmp_path / "page.html"
    assert re.search(r"page\.html: [\d.]+ MB, every origin", caplog.text)
    page = Page(path.read_text())
    assert page.held["start"] == {"index": -30, "series": 1, "model": 0, "drawing": "density"}
    meta = page.held["messages"][0]["content"]
    assert meta == messages.meta(explorer.runs, live=False).content
    assert meta["live"] is False
    for position, model in ((0, 0), (1, 1), (2, 0)):
        run = explorer.runs[model]
        frame = part(run, position)
        (history,) = of_kind(page, "history", position)
        assert np.array_equal(unpack(history["buffers"][0], "<f8"), frame["ds"].dt.epoch("ms").to_numpy())
        assert np.array_equal(
            unpack(history["buffers"][1], "<f8"), frame["y"].fill_null(np.nan).to_numpy(), equal_nan=True
        )
        (status,) = of_kind(page, "status", position, model)
        assert unpack(status["buffers"][0], "u1").tolist() == [CODES[s] for s in frame["status"].cast(str)]
        (rows,) = of_kind(page, "rows", position, model)
        assert (rows["content"]["first"], rows["content"]["count"], rows["content"]["every"]) == (0, len(frame), 1)
        for buffer, column in zip(rows["buffers"], ("forecast", "quantiles"), strict=True):
            there = frame[column].to_numpy().reshape(len(frame), -1)
            values = unpack(buffer, "")
            assert np.array_equal(np.isnan(values), np.isnan(there))
            assert np.nanmax(np.abs(values - there)) <= np.ptp(there[np.isfinite(there)]) / 8190 / 2 * 1.01
    assert [m["content"]["model"] for m in page.held["messages"] if m["content"]["kind"] == "progress"] == [0, 1]


def test_W4_no_name_becomes_markup(explorer: Explorer, tmp_path: Path) -> None:
    text = explorer.to_html(tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.held["messages"][0]["content"]["series"][0]["id"] == HOSTILE
    assert HOSTILE not in text
    tags = [t for t, _ in page.tags]
    assert tags.count("script") == 2
    assert tags.count("img") == 1
    assert all("onerror" not in attrs for _, attrs in page.tags)
    places = [v or "" for _, attrs in page.tags for n, v in attrs.items() if n in ("src", "href")]
    assert all(place.startswith("data:") for place in places), "it needs nothing else"
    assert "default-src 'none'" in text


def test_W4_a_large_run_is_thinned_and_says_so(explorer: Explorer, tmp_path: Path, monkeypatch: Any) -> None:
    whole = explorer.to_html(tmp_path / "whole.html").stat().st_size
    fixed = len(pages.bundle()) * 4 // 3 + 60_000
    monkeypatch.setattr(pages, "LEAST", 40_000)
    monkeypatch.setattr(pages, "BUDGET", fixed + 100_000)
    path = explorer.to_html(tmp_path / "thin.html")
    assert path.stat().st_size < min(whole - 80_000, pages.BUDGET)
    page = Page(path.read_text())
    meta = page.held["messages"][0]["content"]
    (rows,) = of_kind(page, "rows", 1)
    every = rows["content"]["every"]
    assert every > 1
    assert (
        meta["notes"][0]
        == f"To keep this page small, it holds the forecasts of one origin in {every}; scores are over all of them."
    )
    frame = part(explorer.runs[0], 1)
    kept = np.arange(len(frame))[::-1] % every == 0
    assert rows["content"]["first"] == np.flatnonzero(kept)[0]
    there = frame["forecast"].to_numpy()[kept].reshape(kept.sum(), -1)
    assert np.nanmax(np.abs(unpack(rows["buffers"][0], "") - there)) < 0.01
    status, reason, score = (
        unpack(b, k) for b, k in zip(of_kind(page, "status", 1)[0]["buffers"], ("u1", "u1", "<f4"), strict=True)
    )
    lost = ~kept & (frame["status"].cast(str) != "unavailable").to_numpy()
    assert (status[lost] == CODES["unavailable"]).all()
    assert {meta["reasons"][str(r)] for r in reason[lost]} == {"left out of this page to keep it small"}
    assert np.isnan(score[lost]).all()
    assert (status[kept] == CODES["calculated"]).sum() > 10


def test_W4_a_page_waits_for_its_run_and_needs_a_folder(tmp_path: Path) -> None:
    made = nbf.explore(series(400, 9), "naive")
    page = Page(made.to_html(str(tmp_path / "page.html")).read_text())
    made.close()
    assert made.run.done
    progress = next(m["content"] for m in page.held["messages"] if m["content"]["kind"] == "progress")
    assert progress["calculated"] == progress["available"] == made.run.available
    with pytest.raises(nbf.NbForecastError, match="There is no folder"):
        made.to_html(tmp_path / "nowhere" / "page.html")


def test_W4_without_the_front_end_it_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pages.bundle.cache_clear()
    monkeypatch.setattr(pages, "_HERE", tmp_path)
    with pytest.raises(nbf.NbForecastError, match="npm run build"):
        pages.bundle()
