"""W3, C11, E5: what views of the cache are told, how often, what it costs, and what they may have done."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters.function import FunctionForecaster
from nbforecast.notebook import cache_feed
from nbforecast.notebook.cache_feed import Feed
from nbforecast.notebook.routing import hub
from nbforecast.results import inventory as inventories
from nbforecast.results.entry import Entry
from nbforecast.results.inventory import Inventory
from nbforecast.results.store import Store
from nbforecast.results.view import View
from nbforecast.series import prepare
from tests.unit.explorers import DRIFT, HOSTILE, drift, hub_threads, series, wait_for
from tests.unit.stops import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.results.cache import Cache

HELLO = {"kind": "hello", "v": 1, "client": "a"}
KEY = "0" * 32 + "-" + "1" * 16


class Clock:
    """Moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cache_feed, "time", clock)
    return clock


@pytest.fixture
def feed(cache: Cache, clock: Clock) -> Iterator[Feed]:
    yield Feed(lambda: None)
    hub.close()


@pytest.fixture
def look(feed: Feed, clock: Clock) -> Callable[..., list[dict[str, Any]]]:
    """Has the feed hear something, and gives what it tells a second later."""

    def look(*heard: Any) -> list[dict[str, Any]]:
        clock.now += 1
        for content in heard:
            feed.hear(content)
        return list(feed.messages())

    return look


@pytest.fixture
def answer(feed: Feed) -> Callable[..., dict[str, Any]]:
    """What comes of an action."""

    def answer(action: str, **more: Any) -> dict[str, Any]:
        feed.hear({"kind": "act", "id": "a-1", "action": action, **more})
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            found.extend(m for m in feed.messages() if m.get("id") == "a-1")
            return bool(found) and found[-1]["kind"] != "queued"

        wait_for(answered)
        return found[-1]

    return answer


def kinds(told: list[dict[str, Any]]) -> list[str]:
    return [m["kind"] for m in told]


def only(told: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [m for m in told if m["kind"] == kind]
    return found


def test_W3_a_view_that_opens_is_told_everything(look: Callable[..., list[dict[str, Any]]]) -> None:
    run = nbf.forecast(series(60), DRIFT, 6, wait=True, name=HOSTILE)
    told = look(HELLO)
    assert kinds(told) == ["totals", "device", "work", "entries"]
    totals, device, work, entries = told
    assert (totals["entries"], totals["inferred"]) == (1, run.available)
    assert totals["directory"] == str(nbf.cache.directory)
    assert device["platform"] == "cpu"
    assert device["text"].startswith("CPU, ")
    assert (device["memory_bytes"], work["tasks"]) == (None, [])
    (entry,) = entries["put"]
    assert (entries["all"], entries["gone"]) == (True, [])
    row = nbf.cache.entries().row(0, named=True)
    for name in ("handle", "name", "model", "horizon", "series", "origins", "available", "inferred", "calculated",
                 "start", "end", "memory_bytes", "disk_bytes", "hits", "reused", "view_of"):  # fmt: skip
        assert entry[name] == row[name]
    assert entry["key"] == next(nbf.cache.directory.glob("*.parquet")).stem  # type: ignore[union-attr]
    assert (entry["recomputable"], entry["reason"]) == (True, "")
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_W3_after_that_only_what_has_changed_is_told(look: Callable[..., list[dict[str, Any]]]) -> None:
    first = nbf.forecast(series(60), DRIFT, wait=True)
    look(HELLO)
    look()
    assert look() == []
    second = nbf.forecast(series(60, 5), DRIFT, wait=True)
    told = look()
    assert kinds(told) == ["totals", "entries"]
    assert [e["handle"] for e in told[1]["put"]] == [second.handle]
    assert (told[1]["gone"], told[1]["all"]) == ([], False)
    assert look() == []
    key = told[1]["put"][0]["key"]
    nbf.cache.drop(second.handle)
    assert only(look(), "entries") == {"kind": "entries", "put": [], "gone": [key], "all": False}
    nbf.cache.flush(disk=False)
    (entry,) = only(look(), "entries")["put"]
    assert (entry["handle"], entry["memory_bytes"], entry["disk_bytes"] > 0) == (first.handle, 0, True)
    assert look() == []


def test_W3_what_another_kernel_saves_and_removes_is_told(
    cache: Cache, look: Callable[..., list[dict[str, Any]]]
) -> None:
    other = Store(cache.store.directory)  # type: ignore[union-attr]
    look(HELLO)
    entry = made_up(1)[0]
    found = other.write(entry.snapshot()[0])
    assert [e["key"] for e in only(look(), "entries")["put"]] == [str(entry.key)]
    other.remove(found)
    assert only(look(), "entries")["gone"] == [str(entry.key)]


def test_W3_nobody_is_told_anything_before_a_hello_or_after_the_last_bye(
    look: Callable[..., list[dict[str, Any]]], feed: Feed
) -> None:
    nbf.forecast(series(60), DRIFT, wait=True)
    assert look() == []
    assert not feed.open
    assert only(look(HELLO, {**HELLO, "client": "b"}), "entries")["all"]
    nbf.cache.flush()
    assert len(only(look({"kind": "bye", "client": "a"}), "entries")["gone"]) == 1
    nbf.forecast(series(60), DRIFT, wait=True)
    assert "entries" in kinds(look()), "another view is still open"
    assert look({"kind": "bye", "client": "b"}) == []
    assert not feed.open
    nbf.cache.flush()
    assert look() == []
    assert only(look(HELLO), "entries") == {"kind": "entries", "put": [], "gone": [], "all": True}


def test_W3_a_view_that_comes_again_is_told_everything_again_and_only_so_many_are_kept(
    look: Callable[..., list[dict[str, Any]]], feed: Feed
) -> None:
    look(HELLO)
    assert kinds(look(HELLO)) == ["totals", "device", "work", "entries"]
    look(*({**HELLO, "client": f"c{n}"} for n in range(100)))
    assert list(feed._views) == [f"c{n}" for n in range(100 - cache_feed.VIEWS, 100)]


def test_E9_a_view_that_is_gone_keeps_no_results_in_memory(
    cache: Cache, look: Callable[..., list[dict[str, Any]]]
) -> None:
    look(HELLO)
    for entry in made_up(3):
        cache.offer(View.whole(entry))
    look()
    cache.clear()
    look({"kind": "bye", "client": "a"})
    del entry
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Entry) and one.recipe.name == "made up"]


def test_E5_a_run_is_told_a_few_times_a_second_and_not_more(
    look: Callable[..., list[dict[str, Any]]], feed: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "4")
    gate = Turnstile()
    gate.close()
    run = nbf.forecast(series(200), held_up(gate))
    gate.wait_for_one()
    (task,) = only(look(HELLO), "work")["tasks"]
    assert (task["state"], task["priority"], task["left"], task["model"]) == ("running", "batch", None, "held up")
    assert task["key"] == look(HELLO)[-1]["put"][0]["key"]
    told = []
    for _ in range(200):  # two seconds of a hub that is in a hurry
        clock.now += 0.01
        gate.let_one()
        gate.wait_for_one()
        told += list(feed.messages())
        if task["available"] - run.inferred <= 8:
            break
    assert feed.expecting
    seconds = clock.now - 1000 - 2
    for kind in ("totals", "device", "work", "entries"):
        assert kinds(told).count(kind) <= 5 * seconds + 1
    assert kinds(told).count("work") >= 2
    gate.open()
    run.wait()
    assert only(look(), "work")["tasks"] == []
    assert not feed.expecting


def held_up(gate: Turnstile) -> FunctionForecaster:
    def function(contexts: np.ndarray, horizon: int) -> np.ndarray:
        gate.pass_through()
        return drift(contexts, horizon)

    return FunctionForecaster(function, "held up", context=8, least=4, draws=10, batch=4, key="held up")


@pytest.mark.parametrize("what", [{"memory": True, "disk": True}, "drop"])
def test_C11_the_cache_is_emptied_while_a_run_goes_on(
    what: Any, look: Callable[..., list[dict[str, Any]]], answer: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("NBFORECAST_CHUNK", "4")
    gate = Turnstile()
    gate.close()
    run = nbf.forecast(series(60), held_up(gate))
    gate.wait_for_one()
    key = only(look(HELLO), "entries")["put"][0]["key"]
    done = answer("drop", key=key) if what == "drop" else answer("flush", **what)
    assert (done["kind"], done["text"][:16]) == ("done", "Removed 1 entry ")
    told = look()
    assert only(told, "entries")["gone"] == [key]
    assert [t["key"] for t in session_tasks()] == [key], "the run goes on"
    gate.open()
    assert run.wait().progress == 1
    assert [e["key"] for e in only(look(), "entries")["put"]] == [key], "who holds the run has its results kept"


def session_tasks() -> list[dict[str, str]]:
    return [{"key": str(w.view.key)} for w in session.engine().work()]


def test_C11_work_is_cancelled_from_a_view(
    look: Callable[..., list[dict[str, Any]]], answer: Callable[..., dict[str, Any]]
) -> None:
    gate = Turnstile()
    gate.close()
    run = nbf.forecast(series(60), held_up(gate))
    gate.wait_for_one()
    (task,) = only(look(HELLO), "work")["tasks"]
    assert answer("cancel", task=task["id"])["text"].startswith("Cancelled; 0 of ")
    (task,) = only(look(), "work")["tasks"]
    assert (task["state"], task["cancellable"]) == ("ending", False)
    gate.open()
    assert run.settle(10)
    assert run.cancelled
    with pytest.raises(nbf.NbForecastError, match="was cancelled when it was"):
        run.wait()
    assert answer("cancel", task=task["id"])["text"] == "It has ended already."


def test_C11_actions_do_what_the_magics_do_and_say_what_they_say(
    look: Callable[..., list[dict[str, Any]]], answer: Callable[..., dict[str, Any]]
) -> None:
    run = nbf.forecast(series(60), "naive", wait=True, name="load")
    key = only(look(HELLO), "entries")["put"][0]["key"]
    assert answer("save")["text"] == repr(nbf.cache.save())
    assert answer("flush", memory=True, disk=False)["text"].startswith("Removed 1 entry with ")
    assert answer("load")["text"].startswith(f"Loaded 1 entry with {run.available} inferred origins: ")
    assert answer("prune", max_size="1GB", max_age="30d")["text"].startswith("Removed 0 entries")
    wrong = answer("prune", max_age="soon")
    assert wrong["kind"] == "fault"
    assert "max_age" in wrong["text"]
    again = answer("recompute", key=key)
    said = f"load: naive forecasts 12 steps of 1 hour ahead from {run.available} origins, all anew."
    assert again["text"] == said
    opened = answer("open", key=key, widget=False)
    assert (opened["kind"], opened["title"], opened["model_id"]) == ("opened", "load · naive", None)
    names: dict[str, Any] = {}
    exec(opened["code"].replace("nbf.explore(", "made = nbf.explore("), names)
    assert names["made"].run.handle == run.handle
    names["made"].close()
    assert answer("drop", key=key)["text"].startswith("Removed 1 entry with ")
    assert answer("drop", key=key)["kind"] == "fault"
    assert nbf.cache.entries().is_empty()


def test_C14_a_model_may_be_called_what_it_likes_and_the_code_that_names_it_does_no_more(
    look: Callable[..., list[dict[str, Any]]], answer: Callable[..., dict[str, Any]]
) -> None:
    name = 'x"))\nraise SystemExit("\\'
    for model in (DRIFT, FunctionForecaster(drift, name, context=8, draws=10)):
        nbf.forecast(series(60), model, wait=True)
    key = next(e["key"] for e in only(look(HELLO), "entries")["put"] if e["model"] == name)
    code = answer("open", key=key, widget=False)["code"]
    names: dict[str, Any] = {}
    exec(code.replace("nbf.explore(", "made = nbf.explore("), names)
    assert names["made"].run.model == name
    names["made"].close()


def test_E5_actions_that_come_too_fast_are_told_so(look: Callable[..., list[dict[str, Any]]]) -> None:
    gate = Turnstile()
    gate.close()
    hub.actions.submit(gate.pass_through)
    gate.wait_for_one()
    look(*({"kind": "act", "id": n, "action": "save"} for n in range(cache_feed.WAITING)))
    told = look({"kind": "act", "id": "late", "action": "save"})
    assert [(m["kind"], m["id"]) for m in told if m["kind"] == "fault"] == [("fault", "late")]
    gate.open()
    wait_for(lambda: not hub.actions.backlog)


def test_E5_what_was_begun_from_a_view_and_fails_is_told(
    look: Callable[..., list[dict[str, Any]]],
) -> None:
    well = [True]

    def fails(contexts: np.ndarray, horizon: int) -> np.ndarray:
        if not well[0]:
            raise ZeroDivisionError("of all things")
        return drift(contexts, horizon)

    model = FunctionForecaster(fails, "brittle", context=8, draws=10, key="brittle")
    nbf.forecast(series(60), model, wait=True)
    key = only(look(HELLO), "entries")["put"][0]["key"]
    well[0] = False
    found = look({"kind": "act", "id": 1, "action": "recompute", "key": key})
    wait_for(lambda: found.extend(look()) or "fault" in kinds(found))
    assert only(found, "done")["id"] == 1
    fault = only(found, "fault")
    assert fault["id"] is None
    assert "brittle" in fault["text"]
    assert "of all things" in fault["text"]


def test_C11_whether_an_entry_can_be_recomputed_follows_what_the_kernel_knows(
    look: Callable[..., list[dict[str, Any]]],
) -> None:
    model = FunctionForecaster(drift, "short-lived", context=8, draws=10)
    nbf.forecast(series(60), model, wait=True)
    (entry,) = only(look(HELLO), "entries")["put"]
    assert entry["recomputable"]
    del model
    gc.collect()
    (entry,) = only(look(), "entries")["put"]
    assert (entry["recomputable"], "'short-lived'" in entry["reason"]) == (False, True)


@pytest.mark.parametrize(
    "content",
    [None, 3, [], "hello", {}, {"kind": "hi"}, {"kind": ["hello"]}, {"kind": "hello"}, {**HELLO, "v": 2},
     {**HELLO, "client": ""}, {**HELLO, "client": "x" * 10_000_000}, {**HELLO, "client": 3}, {"kind": "bye"},
     {"kind": "closed"}, {"kind": "closed", "model_id": "../x"},
     *({"kind": "act", "id": 1, **more} for more in (
         {}, {"action": "burn"}, {"action": {}}, {"action": "drop"}, {"action": "drop", "key": KEY[:8]},
         {"action": "drop", "key": "../../etc/passwd"}, {"action": "drop", "key": KEY + "\n"},
         {"action": "drop", "key": KEY.replace("0", "A")}, {"action": "drop", "key": [KEY]},
         {"action": "open", "key": KEY,
         "widget": "yes"}, {"action": "flush"}, {"action": "flush", "memory": 1, "disk": 0},
         {"action": "cancel", "task": "1"}, {"action": "cancel", "task": True}, {"action": "cancel", "task": -1},
         {"action": "cancel", "task": 10**30}, {"action": "prune", "max_size": 3},
         {"action": "prune", "max_size": "9" * 100_000})),
     {"kind": "act", "action": "save"}, {"kind": "act", "action": "save", "id": None},
     {"kind": "act", "action": "save", "id": "x" * 65}, {"kind": "act", "action": "save", "id": 1.5}],
)  # fmt: skip
def test_W3_whatever_was_not_agreed_on_is_refused_and_logged_briefly(
    content: Any, feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "nbforecast"):
        feed.hear(content)
    assert "is ignored, since" in caplog.text
    assert len(caplog.text) < 1000
    assert list(feed.messages()) == []
    assert not feed.open


def made_up(count: int) -> list[Entry]:
    """Small entries of different data."""
    base = prepare(series(20))
    model = FunctionForecaster(drift, "made up", context=8, draws=10, key="made up")
    recipe = session._find(base, model, 2, 0, True).recipe
    return [Entry(replace(base, values=base.values + n), recipe, np.zeros(20, np.uint8)) for n in range(count)]


def test_W3_a_thousand_entries_cost_nothing_while_they_do_not_change(
    cache: Cache, look: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = made_up(1000)
    for entry in entries:
        cache.offer(View.whole(entry))
    for entry in made_up(1003)[1000:]:
        cache.store.write(filled(entry).snapshot()[0])  # type: ignore[union-attr]
    calls: list[str] = []

    def counted(where: Any, name: str) -> None:
        function = getattr(where, name)

        def call(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return function(*args, **more)

        monkeypatch.setattr(where, name, call)

    for where, name in ((inventories, "_held"), (inventories, "_saved"), (Store, "files"), (Store, "header")):
        counted(where, name)
    wait_for(lambda: not calls.clear() and not Inventory(cache)._list_files() and calls == ["files"])
    calls.clear()
    told = only(look(HELLO), "entries")
    assert len(told["put"]) == 1003
    assert [calls.count(n) for n in ("_held", "_saved")] == [1000, 3]
    settle(look, calls)
    calls.clear()
    assert look() == []
    assert calls == []
    filled(entries[500])
    (changed,) = only(look(), "entries")["put"]
    assert (changed["key"], changed["inferred"]) == (str(entries[500].key), 20)
    assert calls == ["_held"]


def settle(look: Callable[..., list[dict[str, Any]]], calls: list[str]) -> None:
    """Until the directory has been the same for a while."""

    def settled() -> bool:
        calls.clear()
        look()
        return not calls

    wait_for(settled)


def filled(entry: Entry) -> Entry:
    entry.write_forecasts(np.arange(len(entry)), np.zeros((len(entry), 2, 10), np.float32))
    return entry


class Owner:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.feed = Feed(lambda: hub.attach(self))
        self.told: list[dict[str, Any]] = []
        self.senders: set[str] = set()

    def serve(self) -> bool:
        def send(content: dict[str, Any]) -> None:
            self.told.append(content)
            self.senders.add(threading.current_thread().name)

        return self.feed.serve(self, send)


def test_E9_one_thread_tells_everybody_and_ends_with_the_last_view(cache: Cache) -> None:
    owners = [Owner(), Owner()]
    assert not hub_threads()
    for owner in owners:
        owner.feed.hear(HELLO)
    wait_for(lambda: all(len(owner.told) == 4 for owner in owners))
    owners[0].feed.hear({"kind": "act", "id": 7, "action": "save"})
    wait_for(lambda: kinds(owners[0].told)[-1] == "done")
    assert [m["id"] for m in owners[0].told[-2:]] == [7, 7]
    assert len(owners[1].told) == 4
    assert owners[0].senders == owners[1].senders == {"nbforecast-page"}
    for owner in owners:
        owner.feed.hear({"kind": "bye", "client": "a"})
    wait_for(lambda: not hub_threads())
    owners[1].feed.hear(HELLO)
    wait_for(lambda: kinds(owners[1].told).count("entries") == 2)
    owners[1].feed.hear({"kind": "bye", "client": "a"})
    wait_for(lambda: not hub_threads())


def test_M1_the_connection_imports_nothing_before_a_view_opens_and_starts_no_jax_then() -> None:
    code = """
import sys, types
from nbforecast.notebook import panel
panel.connect(types.SimpleNamespace(kernel=None))
assert not panel._panels, "there is no kernel"
assert not {"polars", "jax", "numpy", "anywidget", "comm"} & set(sys.modules)
feed = panel.Feed(lambda: None)
feed.hear({"kind": "hello", "v": 1, "client": "a"})
device = next(m for m in feed.messages() if m["kind"] == "device")
assert (device["platform"], device["text"]) == (None, "JAX has not been started in this kernel")
assert "jax" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
