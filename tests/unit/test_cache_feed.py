"""W3, C11, E5: the messages that views of the cache receive, how often, from which thread, and what they cost."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.widgets.cache import feed as feed_module
from nbforecast.jupyter.widgets.cache.feed import CacheFeed
from nbforecast.result_cache import inventory as inventories
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.inventory import Inventory
from tests.support.blocking_model import Gate
from tests.support.cache_feed import CONNECT, action_request, filled, held_up, kinds, made_up, only
from tests.support.explorers import DRIFT, HOSTILE, drift, sender_threads, series, wait_for

if TYPE_CHECKING:
    import pytest

    from nbforecast.result_cache.cache import Cache
    from tests.support.cache_feed import Clock, Look


def test_W3_a_view_that_connects_receives_everything(look: Look) -> None:
    run = nbf.forecast(series(60), DRIFT, 6, wait=True, name=HOSTILE)
    messages = look(CONNECT)
    assert kinds(messages) == ["totals", "device", "work", "entries"]
    totals, device, work, entries = messages
    assert (totals["entries"], totals["inferred"]) == (1, run.available)
    assert totals["directory"] == str(nbf.cache.directory)
    assert device["platform"] == "cpu"
    assert device["text"].startswith("CPU, ")
    assert (device["memory_bytes"], work["tasks"]) == (None, [])
    (entry,) = entries["put"]
    assert (entries["all"], entries["gone"]) == (True, [])
    row = nbf.cache.entries().row(0, named=True)
    for name in ("handle", "name", "model", "horizon", "series", "available", "inferred", "calculated",
                 "start", "end", "memory_bytes", "disk_bytes", "hits", "reused", "view_of"):  # fmt: skip
        assert entry[name] == row[name]
    assert entry["key"] == next(nbf.cache.directory.glob("*.parquet")).stem  # type: ignore[union-attr]
    assert (entry["recomputable"], entry["reason"]) == (True, "")
    assert json.loads(json.dumps(messages, allow_nan=False)) == messages


def test_W3_after_that_only_changes_are_sent(look: Look) -> None:
    first = nbf.forecast(series(60), DRIFT, wait=True)
    look(CONNECT)
    look()
    assert look() == []
    second = nbf.forecast(series(60, 5), DRIFT, wait=True)
    messages = look()
    assert kinds(messages) == ["totals", "entries"]
    assert [e["handle"] for e in messages[1]["put"]] == [second.handle]
    assert (messages[1]["gone"], messages[1]["all"]) == ([], False)
    assert look() == []
    key = messages[1]["put"][0]["key"]
    nbf.cache.drop(second.handle)
    assert only(look(), "entries") == {"kind": "entries", "put": [], "gone": [key], "all": False}
    nbf.cache.flush(disk=False)
    (entry,) = only(look(), "entries")["put"]
    assert (entry["handle"], entry["memory_bytes"], entry["disk_bytes"] > 0) == (first.handle, 0, True)
    assert look() == []


def test_W3_what_another_kernel_saves_and_removes_is_sent(cache: Cache, look: Look) -> None:
    other = CacheDirectory(cache.directory.path)  # type: ignore[union-attr]
    look(CONNECT)
    entry = made_up(1)[0]
    path = other.write(entry.snapshot()[0])
    assert [e["key"] for e in only(look(), "entries")["put"]] == [str(entry.key)]
    other.remove(path)
    assert only(look(), "entries")["gone"] == [str(entry.key)]


def test_W3_nothing_is_sent_before_a_view_connects_or_after_the_last_disconnects(look: Look, feed: CacheFeed) -> None:
    nbf.forecast(series(60), DRIFT, wait=True)
    assert look() == []
    assert not feed.is_open
    assert only(look(CONNECT, {**CONNECT, "client": "b"}), "entries")["all"]
    nbf.cache.flush()
    assert len(only(look({"kind": "disconnect", "client": "a"}), "entries")["gone"]) == 1
    nbf.forecast(series(60), DRIFT, wait=True)
    assert "entries" in kinds(look()), "another view is still open"
    assert look({"kind": "disconnect", "client": "b"}) == []
    assert not feed.is_open
    nbf.cache.flush()
    assert look() == []
    assert only(look(CONNECT), "entries") == {"kind": "entries", "put": [], "gone": [], "all": True}


def test_W3_a_view_that_connects_again_receives_everything_and_only_so_many_stay_open(
    look: Look, feed: CacheFeed
) -> None:
    look(CONNECT)
    assert kinds(look(CONNECT)) == ["totals", "device", "work", "entries"]
    look(*({**CONNECT, "client": f"c{n}"} for n in range(100)))
    assert list(feed._views) == [f"c{n}" for n in range(100 - feed_module.MAX_VIEWS, 100)]


def test_E9_a_view_that_is_gone_keeps_no_results_in_memory(cache: Cache, look: Look) -> None:
    look(CONNECT)
    for entry in made_up(3):
        cache.publish(EntrySlice.whole(entry))
    look()
    cache.clear()
    look({"kind": "disconnect", "client": "a"})
    del entry
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Entry) and one.spec.model.name == "made up"]


def test_E5_the_progress_of_a_run_is_sent_a_few_times_a_second_and_not_more(
    look: Look, feed: CacheFeed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFORECAST_CHUNK", "4")
    gate = Gate()
    gate.close()
    run = nbf.forecast(series(200), held_up(gate))
    gate.wait_for_arrival()
    (task,) = only(look(CONNECT), "work")["tasks"]
    assert (task["state"], task["priority"], task["model"]) == ("running", "batch", "held up")
    assert task["eta_seconds"] is None
    assert task["key"] == look(CONNECT)[-1]["put"][0]["key"]
    messages = []
    for _ in range(200):  # two seconds of a sender in a hurry
        clock.now += 0.01
        gate.let_one_pass()
        gate.wait_for_arrival()
        messages += [message.content for message in feed.messages()]
        if task["available"] - run.inferred <= 8:
            break
    assert feed.expects_more
    seconds = clock.now - 1000 - 2
    for kind in ("totals", "device", "work", "entries"):
        assert kinds(messages).count(kind) <= 5 * seconds + 1
    assert kinds(messages).count("work") >= 2
    gate.open()
    run.wait()
    assert only(look(), "work")["tasks"] == []
    assert not feed.expects_more


def test_C11_whether_an_entry_can_be_recomputed_follows_what_the_kernel_knows(look: Look) -> None:
    model = FunctionForecaster(drift, "short-lived", context=8, draws=10)
    nbf.forecast(series(60), model, wait=True)
    (entry,) = only(look(CONNECT), "entries")["put"]
    assert entry["recomputable"]
    del model
    gc.collect()
    (entry,) = only(look(), "entries")["put"]
    assert (entry["recomputable"], "'short-lived'" in entry["reason"]) == (False, True)


def test_W3_a_thousand_entries_cost_nothing_while_they_do_not_change(
    cache: Cache, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = made_up(1000)
    for entry in entries:
        cache.publish(EntrySlice.whole(entry))
    for entry in made_up(1003)[1000:]:
        cache.directory.write(filled(entry).snapshot()[0])  # type: ignore[union-attr]
    calls: list[str] = []

    def counted(where: Any, name: str) -> None:
        function = getattr(where, name)

        def call(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return function(*args, **more)

        monkeypatch.setattr(where, name, call)

    for where, name in (
        (inventories, "_item_in_memory"),
        (inventories, "_item_on_disk"),
        (CacheDirectory, "files"),
        (CacheDirectory, "metadata"),
    ):
        counted(where, name)
    wait_for(lambda: not calls.clear() and not Inventory(cache)._list_files() and calls == ["files"])
    calls.clear()
    messages = only(look(CONNECT), "entries")
    assert len(messages["put"]) == 1003
    assert [calls.count(n) for n in ("_item_in_memory", "_item_on_disk")] == [1000, 3]
    settle(look, calls)
    calls.clear()
    assert look() == []
    assert calls == []
    filled(entries[500])
    (changed,) = only(look(), "entries")["put"]
    assert (changed["key"], changed["inferred"]) == (str(entries[500].key), 20)
    assert calls == ["_item_in_memory"]


def settle(look: Look, calls: list[str]) -> None:
    """Until the directory has been the same for a while."""

    def settled() -> bool:
        calls.clear()
        look()
        return not calls

    wait_for(settled)


class Owner:
    """A connection that keeps the messages it sends."""

    def __init__(self) -> None:
        self.feed = CacheFeed(lambda: comm_sender.attach(self))
        self.messages: list[dict[str, Any]] = []
        self.senders: set[str] = set()

    def send_messages(self) -> bool:
        def send(content: dict[str, Any]) -> None:
            self.messages.append(content)
            self.senders.add(threading.current_thread().name)

        return self.feed.send_messages(self, send)


def test_E9_one_thread_sends_to_all_and_ends_with_the_last_view(cache: Cache) -> None:
    owners = [Owner(), Owner()]
    assert not sender_threads()
    for owner in owners:
        owner.feed.receive(CONNECT)
    wait_for(lambda: all(len(owner.messages) == 4 for owner in owners))
    owners[0].feed.receive(action_request(7, "save"))
    wait_for(lambda: kinds(owners[0].messages)[-1] == "done")
    assert [m["id"] for m in owners[0].messages[-2:]] == [7, 7]
    assert len(owners[1].messages) == 4
    assert owners[0].senders == owners[1].senders == {"nbforecast-page"}
    for owner in owners:
        owner.feed.receive({"kind": "disconnect", "client": "a"})
    wait_for(lambda: not sender_threads())
    owners[1].feed.receive(CONNECT)
    wait_for(lambda: kinds(owners[1].messages).count("entries") == 2)
    owners[1].feed.receive({"kind": "disconnect", "client": "a"})
    wait_for(lambda: not sender_threads())


def test_M1_the_connection_imports_nothing_before_a_view_opens_and_starts_no_jax_then() -> None:
    code = """
import sys, types
from nbforecast.jupyter import lab_comm
lab_comm.connect(types.SimpleNamespace(kernel=None))
assert not lab_comm._comms, "there is no kernel"
assert not {"polars", "jax", "numpy", "anywidget", "comm"} & set(sys.modules)
feed = lab_comm.CacheFeed(lambda: None)
feed.receive({"kind": "connect", "v": 2, "client": "a"})
device = next(m for m in feed.messages() if m.content["kind"] == "device")
assert (device.platform, device.text) == (None, "JAX has not been started in this kernel")
assert "jax" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
