"""C11, C14, E5, W3: the actions that views of the cache request, their answers, and the messages that are refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.validation import is_label
from nbforecast.jupyter.widgets.cache import feed
from tests.support.blocking_model import Gate
from tests.support.cache_feed import CONNECT, action_request, held_up, kinds, only
from tests.support.explorers import DRIFT, drift, series, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from nbforecast.jupyter.widgets.cache.feed import CacheFeed
    from tests.support.cache_feed import Answer, Look

KEY = "0" * 32 + "-" + "1" * 16


@pytest.mark.parametrize("what", [{"memory": True, "disk": True}, "drop"])
def test_C11_the_cache_is_emptied_while_a_run_goes_on(
    what: Any, look: Look, answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("NBFORECAST_CHUNK", "4")
    gate = Gate()
    gate.close()
    run = nbf.forecast(series(60), held_up(gate))
    gate.wait_for_arrival()
    key = only(look(CONNECT), "entries")["put"][0]["key"]
    reply = answer("drop", key=key) if what == "drop" else answer("flush", **what)
    assert (reply["kind"], reply["text"][:16]) == ("done", "Removed 1 entry ")
    messages = look()
    assert only(messages, "entries")["gone"] == [key]
    assert [t["key"] for t in session_tasks()] == [key], "the run goes on"
    gate.open()
    assert run.wait().progress == 1
    assert not [message for message in look() if message["kind"] == "entries"], "C16: it does not come back"


def session_tasks() -> list[dict[str, str]]:
    return [{"key": str(w.entry_slice.key)} for w in session.engine().tasks_info()]


def test_C11_work_is_cancelled_from_a_view(look: Look, answer: Answer) -> None:
    gate = Gate()
    gate.close()
    run = nbf.forecast(series(60), held_up(gate))
    gate.wait_for_arrival()
    (task,) = only(look(CONNECT), "work")["tasks"]
    assert answer("cancel", task=task["id"])["text"].startswith("Cancelled; 0 of ")
    (task,) = only(look(), "work")["tasks"]
    assert (task["state"], task["cancellable"]) == ("ending", False)
    gate.open()
    assert run.wait_for_end(10)
    assert run.cancelled
    with pytest.raises(nbf.NbForecastError, match="was cancelled when it was"):
        run.wait()
    assert answer("cancel", task=task["id"])["text"] == "It has ended already."


def test_C11_actions_do_what_the_magics_do_and_report_it_in_the_same_words(look: Look, answer: Answer) -> None:
    run = nbf.forecast(series(60), DRIFT, wait=True, name="load")
    key = only(look(CONNECT), "entries")["put"][0]["key"]
    assert answer("save")["text"] == repr(nbf.cache.save())
    assert answer("flush", memory=True, disk=False)["text"].startswith("Removed 1 entry with ")
    assert answer("load")["text"].startswith(f"Loaded 1 entry with {run.available} inferred origins: ")
    assert answer("prune", max_size="1GB", max_age="30d")["text"].startswith("Removed 0 entries")
    wrong = answer("prune", max_age="soon")
    assert wrong["kind"] == "fault"
    assert "max_age" in wrong["text"]
    again = answer("recompute", key=key)
    text = f"load: drift forecasts 12 steps of 1 hour ahead from {run.available} origins, all anew."
    assert again["text"] == text
    opened = answer("open", key=key, widget=False)
    assert (opened["kind"], opened["title"], opened["model_id"]) == ("opened", "load · drift", None)
    names: dict[str, Any] = {}
    exec(opened["code"].replace("nbf.explore(", "made = nbf.explore("), names)
    assert names["made"].run.handle == run.handle
    names["made"].close()
    assert answer("drop", key=key)["text"].startswith("Removed 1 entry with ")
    assert answer("drop", key=key)["kind"] == "fault"
    assert nbf.cache.entries().is_empty()


def test_C11_a_range_and_one_calculation_are_dropped_and_folders_saved_and_loaded_from_a_view(
    look: Look, answer: Answer, tmp_path: Path
) -> None:
    run = nbf.forecast(series(60), DRIFT, wait=True, name="load")
    key = only(look(CONNECT), "entries")["put"][0]["key"]
    assert answer("drop", key=key, index="-4:-1", only="scores")["text"].startswith("Removed scores of 4 origins")
    assert (run.status[-5:] == [2, 2, 2, 2, 3]).all()
    assert answer("drop", key=key, index="-2")["text"].startswith("Removed forecast of 1 origin")
    assert answer("drop", key=key, only="density")["kind"] == "done"
    assert "only=" in answer("drop", key=key, only="colours")["text"]
    assert "index=" in answer("drop", key=key, index="yesterday")["text"]
    saved = answer("save", path=str(tmp_path / "copy"))
    assert saved["text"].startswith("Saved 1 entry")
    assert answer("flush", memory=True, disk=True)["kind"] == "done"
    assert answer("load", path=str(tmp_path / "copy"))["text"].startswith("Loaded 1 entry")
    assert answer("load", path=str(tmp_path / "nowhere"))["kind"] == "fault"


def test_C14_a_model_may_be_called_what_it_likes_and_the_code_that_names_it_does_no_more(
    look: Look, answer: Answer
) -> None:
    name = 'x"))\nraise SystemExit("\\'
    for model in (DRIFT, FunctionForecaster(drift, name, context=8, draws=10)):
        nbf.forecast(series(60), model, wait=True)
    key = next(e["key"] for e in only(look(CONNECT), "entries")["put"] if e["model"] == name)
    code = answer("open", key=key, widget=False)["code"]
    names: dict[str, Any] = {}
    exec(code.replace("nbf.explore(", "made = nbf.explore("), names)
    assert names["made"].run.model == name
    names["made"].close()


def test_E5_actions_that_come_too_fast_are_refused(look: Look) -> None:
    gate = Gate()
    gate.close()
    comm_sender.actions.submit(gate.pass_through)
    gate.wait_for_arrival()
    look(*(action_request(n, "save") for n in range(feed.MAX_ACTIONS)))
    messages = look(action_request("late", "save"))
    assert [(m["kind"], m["id"]) for m in messages if m["kind"] == "fault"] == [("fault", "late")]
    gate.open()
    wait_for(lambda: not comm_sender.actions.backlog)


def test_E5_a_run_that_was_started_from_a_view_and_fails_is_reported(look: Look) -> None:
    well = [True]

    def fails(contexts: np.ndarray, horizon: int) -> np.ndarray:
        if not well[0]:
            raise ZeroDivisionError("of all things")
        return drift(contexts, horizon)

    model = FunctionForecaster(fails, "brittle", context=8, draws=10, key="brittle")
    nbf.forecast(series(60), model, wait=True)
    key = only(look(CONNECT), "entries")["put"][0]["key"]
    well[0] = False
    messages = look(action_request(1, "recompute", key=key))
    wait_for(lambda: messages.extend(look()) or "fault" in kinds(messages))
    assert only(messages, "done")["id"] == 1
    fault = only(messages, "fault")
    assert fault["id"] is None
    assert "brittle" in fault["text"]
    assert "of all things" in fault["text"]


@pytest.mark.parametrize(
    "content",
    [None, 3, [], "hello", {}, {"kind": "hi"}, {"kind": ["connect"]}, {"kind": "connect"}, {**CONNECT, "v": 1},
     {**CONNECT, "client": ""}, {**CONNECT, "client": "x" * 10_000_000}, {**CONNECT, "client": 3},
     {"kind": "disconnect"}, {"kind": "close_explorer"}, {"kind": "close_explorer", "model_id": "../x"},
     {"kind": "action_request", "id": 1},
     *({"kind": "action_request", "id": 1, "action": action} for action in (
         None, "save", {}, {"name": "burn"}, {"name": {}}, {"name": "drop"}, {"name": "drop", "key": KEY[:8]},
         {"name": "drop", "key": "../../etc/passwd"}, {"name": "drop", "key": KEY + "\n"},
         {"name": "drop", "key": KEY.replace("0", "A")}, {"name": "drop", "key": [KEY]},
         {"name": "open", "key": KEY, "widget": "yes"}, {"name": "flush"}, {"name": "flush", "memory": 1, "disk": 0},
         {"name": "cancel", "task": "1"}, {"name": "cancel", "task": True}, {"name": "cancel", "task": -1},
         {"name": "cancel", "task": 10**30}, {"name": "prune", "max_size": 3},
         {"name": "prune", "max_size": "9" * 100_000})),
     {"kind": "action_request", "action": {"name": "save"}}, action_request(None, "save"),
     action_request("x" * 65, "save"), action_request(1.5, "save")],
)  # fmt: skip
def test_W3_whatever_is_not_in_the_schema_is_refused_and_logged_briefly(
    content: Any, feed: CacheFeed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "nbforecast"):
        feed.receive(content)
    assert "is ignored: " in caplog.text
    assert len(caplog.text) < 1000
    answers = [message.content for message in feed.messages()]
    assert {(answer["kind"], answer["text"][:23]) for answer in answers} <= {("fault", "The request is refused:")}
    label = content.get("id") if isinstance(content, dict) else None
    assert [answer["id"] for answer in answers] == ([label] if is_label(label) else [])
    assert not feed.is_open
