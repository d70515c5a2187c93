"""W1, E9, M7: the explorer as Python has it: what moves it, what it refuses, and the one thread that serves it."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast import session
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.messages import InferOrigin
from nbforecast.options import ForecastOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.jupyter.validation import Message
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run

from tests.support.explorers import CODES, DRIFT, HOSTILE, kinds, make_feed, panel, sender_threads, series, wait_for


@pytest.mark.slow
@pytest.mark.parametrize(
    "state",
    [{"index": 5}, {"index": -90}, {"index": "0"}, {"index": -1.5}, {"index": True}, {"series": 9}, {"series": "b"},
     {"series": None}, {"model": 2}, {"model": -1}, {"drawing": "<b>"}, {"drawing": ["bands"]},
     {"index": -200, "series": 0}, {"index": 5, "series": False}, {"index": -200, "series": False},
     {"index": -95, "series": True}, {"index": 10**400}, {"index": {"a": 1}, "model": [0], "drawing": 3}],
)  # fmt: skip
def test_W1_senseless_positions_from_the_page_are_ignored(
    state: dict[str, Any], explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    before = explorer.index
    with caplog.at_level(logging.WARNING, "nbforecast"):
        explorer.set_state(state)
    assert "is ignored" in caplog.text
    assert (explorer.index, explorer.model, explorer.style) == (before, 0, "bands")


def test_W1_what_is_refused_is_answered_with_the_present_value(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[str]] = []
    monkeypatch.setattr(explorer, "send_state", answers.append)
    explorer.set_state({"index": -3, "series": False})
    assert (explorer.index, explorer.series) == (-3, 0)
    explorer.set_state({"series": 1, "model": "x", "index": -2_500})
    assert answers == [["series"], ["model", "index"]]
    assert explorer.series == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)
POSITIONS = st.sampled_from([0, 1, 2, -1, -3, -95, -300, False, True, 0.0, "a"]) | JSON


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    state=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("index", "series", "model", "compare", "window", "selected", "drawing"), POSITIONS)
    )
)
def test_W1_no_state_of_a_page_raises(state: dict[str, Any], explorer: Explorer) -> None:
    explorer.set_state(state)
    length = int(explorer.runs[0].data.lengths[explorer.series])
    assert -length < explorer.index <= 0
    assert type(explorer.series) is type(explorer.model) is int


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
    now = session.current_session()
    return now.build_run(now.find(run.data, run.forecaster, ForecastOptions(horizon=horizon)), run.forecaster)


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


def test_W1_the_title_names_a_series_that_is_alone_and_has_a_name() -> None:
    only = panel().filter(unique_id="b")
    for name, title in (("load", "load · b"), (None, "b")):
        run = nbf.forecast(only, "naive", 12, name=name, wait=True)
        assert encoding.encode_meta([run]).content["title"] == title


def test_W1_a_frame_is_forecast_by_each_model_and_a_run_takes_no_options(done: Run) -> None:
    made = nbf.explore(panel(), model=["naive", DRIFT], series="b", index=-3, style="density", name="load")
    try:
        assert [run.model for run in made.runs] == ["naive", "drift"]
        assert (made.series, made.index, made.style) == (2, -3, "density")
        assert encoding.encode_meta(made.runs).content["title"] == "load"
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


@pytest.mark.usefixtures("idle_sender")
def test_E9_one_thread_sends_for_all_and_ends_with_the_last(done: Run, other: Run) -> None:
    sent: dict[str, list[Any]] = {"one": [], "two": []}
    senders = set()
    both = {"one": nbf.explore(done), "two": nbf.explore(other)}
    assert not sender_threads(), "nobody has asked for anything"
    for name, made in both.items():

        def send(content: Any, buffers: Any, name: str = name) -> None:
            senders.add(threading.get_ident())
            sent[name].append(content["kind"])

        made.send = send
        made._receive({"kind": "connect", "v": 4})
    # Those that were connected to, and the surprises that are found meanwhile.
    wait_for(lambda: all(len(s) == 7 for s in sent.values()))
    assert sorted(sender_threads()) == ["nbforecast-page", "nbforecast-page-analysis_0"]
    assert len(senders) == 1
    both["one"].close()
    both["two"]._receive({"kind": "open_series", "series": 0, "model": 0})
    wait_for(lambda: len(sent["two"]) == 10)
    assert len(sent["one"]) == 7
    both["two"].close()
    wait_for(lambda: not sender_threads())


@pytest.mark.usefixtures("idle_sender")
def test_E9_a_closed_explorer_keeps_nothing_alive() -> None:
    run = nbf.forecast(series(120, 7), "naive", wait=True)
    made = nbf.explore(run)
    made._receive({"kind": "connect", "v": 4})
    wait_for(lambda: made._feed._is_open)
    made.close()
    kept = weakref.ref(run), weakref.ref(made)
    del run, made
    wait_for(lambda: gc.collect() is None or all(ref() is None for ref in kept))
    wait_for(lambda: not sender_threads())


@pytest.mark.slow
def test_E9_the_interpreter_exits_while_an_explorer_is_served_and_its_run_goes_on() -> None:
    code = """
import time, numpy as np, nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
def slow(contexts, horizon):
    time.sleep(0.05)
    return contexts[:, -1:] + np.zeros((1, horizon))
made = nbf.explore(np.arange(3000.0), FunctionForecaster(slow, "slow", context=8, batch=8), freq=1)
told = []
made.send = lambda content, buffers: told.append(content["kind"])
made._receive({"kind": "connect", "v": 4})
made._receive({"kind": "infer_origin", "series": 0, "model": 0, "row": 100})
end = time.monotonic() + 60
while told.count("progress") < 2 or told.count("rows") < 2:
    assert time.monotonic() < end, told
    time.sleep(0.01)
assert not made.run.done
print(time.monotonic())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - float(done.stdout) < 15


def test_E5_one_that_fails_is_logged_once_and_disturbs_no_other(
    done: Run, explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[str] = []
    broken = nbf.explore(done)

    def fails(content: Any, buffers: Any) -> None:
        raise OSError("the connection is gone")

    broken.send, explorer.send = fails, lambda content, buffers: sent.append(content["kind"])
    with caplog.at_level(logging.WARNING, "nbforecast"):
        broken._receive({"kind": "connect", "v": 4})
        explorer._receive({"kind": "connect", "v": 4})
        wait_for(lambda: "progress" in sent)
        time.sleep(0.3)
    assert caplog.text.count("could not be sent") == 1
    broken.close()


def test_E5_what_cannot_be_inferred_is_told_in_a_sentence(done: Run) -> None:
    view = make_feed(done, series=2)
    gap = int(np.flatnonzero(encoding.series_status(done, 2) == CODES["unavailable"])[0])
    view.add_request(InferOrigin(2, 0, gap))
    messages: list[Message] = []
    wait_for(lambda: messages.extend(view.messages()) or messages)
    assert kinds(messages) == ["fault"]
    assert "There is no forecast at index" in messages[0].content["text"]
    comm_sender.close()


def test_Q4_an_origin_is_shown_by_its_time(done: Run, explorer: Explorer) -> None:
    time_of = {index: str(done.at(index).time) for index in (-30, -12)}
    made = nbf.explore(done, index=time_of[-30])
    assert made.index == -30
    made.close()
    explorer.index = time_of[-12]
    assert explorer.index == -12
    with pytest.raises(IndexError, match="valid times run from"):
        explorer.index = "1990-01-01"


def test_Q4_the_first_origin_shown_is_the_newest_that_was_asked_for() -> None:
    run = nbf.forecast(panel(), "naive", origins=[-30, -40], wait=True)
    made = nbf.explore(run)
    assert made.index == -30
    assert "index -30" in made._picture()["text/plain"]
    made.close()
