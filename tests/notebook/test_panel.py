"""W3, E5, E9, M1: the messages of a real kernel's cache to pages, and the actions of pages, while cells run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel, subshell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PANEL = "nbforecast-hub"
VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = """
import nbforecast as nbf, numpy as np, threading, time
from nbforecast.forecasters.adapters.function import FunctionForecaster
def slow(contexts, horizon):
    time.sleep(0.02)
    return np.nanmean(contexts, 1)[:, None, None] + np.zeros((1, horizon, 10))
slow = FunctionForecaster(slow, 'slow', context=8, draws=10, batch=32)
big, some = nbf.sample('taxi'), nbf.sample('taxi').tail(100)
def begin():
    nbf.cache.flush()
    nbf.forecast(some, slow, wait=True, name='some')
def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith('nbforecast-page'))
"""
NAMES = "[sorted(n for n in globals() if n[0] != '_'), len(In)]"


class Page:
    """A page with a view of the cache: sends and receives the messages of its script."""

    def __init__(self, client: Any, subshell: str | None = None, comm: str = PANEL, *, widget: bool = False) -> None:
        self._client, self._subshell, self._comm, self._widget = client, subshell, comm, widget

    def send(self, data: dict[str, Any], kind: str = "comm_msg") -> None:
        data = {"method": "custom", "content": data} if self._widget else data
        message = self._client.session.msg(kind, {"comm_id": self._comm, "data": data})
        message["header"]["subshell_id"] = self._subshell
        self._client.shell_channel.send(message)

    def connect(self, client: str = "one") -> dict[str, dict[str, Any]]:
        """The whole cache: messages by their kind."""
        self.send({"kind": "connect", "v": 2, "client": client})
        return {m["kind"]: m for m in self.until(lambda m: m["kind"] == "entries" and m["all"])}

    def act(self, name: str, **fields: Any) -> dict[str, Any]:
        """The answer to an action."""
        self.send({"kind": "action_request", "id": f"one-{name}", "action": {"name": name, **fields}})
        return self.until(lambda m: m.get("id") == f"one-{name}" and m["kind"] != "queued")[-1]

    def until(self, awaited: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The messages up to the first one that is awaited."""
        messages: list[dict[str, Any]] = []
        while not messages or not awaited(messages[-1]):
            content = await_message(self._client, "comm_msg", self._comm)["data"]
            if not self._widget or content["method"] == "custom":
                messages.append(content["content"] if self._widget else content)
        return messages


def await_message(client: Any, kind: str, comm: str) -> dict[str, Any]:
    """The content of the next message of a comm that all front ends are told."""
    while True:
        message = client.get_iopub_msg(timeout=30)
        if message["msg_type"] == kind and message["content"]["comm_id"] == comm:
            content: dict[str, Any] = message["content"]
            return content


def comms(client: Any) -> list[str]:
    """The panel's connections that a page finds in the kernel."""
    return list(client.comm_info("nbforecast.hub", reply=True, timeout=30)["content"]["comms"])


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[Kernel, Any, Any]]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(client)
        assert kernel.run(SETUP) == ([], "")
        yield kernel, client, manager
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def loaded(started: tuple[Kernel, Any, Any]) -> Iterator[tuple[Kernel, Any]]:
    kernel, client, _ = started
    assert kernel.run("%load_ext nbforecast\nbegin()")[1] == ""
    yield kernel, client
    assert kernel.run("%unload_ext nbforecast")[1] == ""


def test_W3_the_kernel_tells_that_the_extension_is_loaded_and_unloaded_and_nothing_before(
    started: tuple[Kernel, Any, Any],
) -> None:
    kernel, client, _ = started
    assert comms(client) == [], "nbforecast is imported, and that is all"
    cell = kernel.start("%load_ext nbforecast")
    opened = await_message(client, "comm_open", PANEL)
    kernel.await_end(cell)
    assert opened["target_name"] == "nbforecast.hub"
    assert opened["data"] == {"kind": "loaded", "v": 2, "version": kernel.value("nbf.__version__")}
    assert comms(client) == [PANEL]
    assert kernel.value("threads()") == []
    Page(client).connect()
    assert kernel.value("threads()") == ["nbforecast-page"]
    cell = kernel.start("%unload_ext nbforecast")
    await_message(client, "comm_close", PANEL)
    kernel.await_end(cell)
    assert (comms(client), kernel.value("threads()")) == ([], [])


def test_W12_no_front_end_is_looked_for_until_a_person_runs_a_cell(started: tuple[Kernel, Any, Any]) -> None:
    kernel, client, _ = started
    kernel.run("%load_ext nbforecast\nnbf.quickdraw(some, model=slow)", watched=False)
    assert comms(client) == [], "papermill and nbconvert would warn that they have no handler"
    assert kernel.run("1") != ([], "")
    assert comms(client) == [PANEL]
    kernel.run("%unload_ext nbforecast")
    kernel.run("%load_ext nbforecast", watched=False)
    kernel.run("%unload_ext nbforecast", watched=False)
    kernel.run("1")
    assert comms(client) == []


def test_E5_pages_are_answered_and_obeyed_while_a_cell_runs(loaded: tuple[Kernel, Any]) -> None:
    kernel, client = loaded
    page, names = Page(client, subshell(client)), kernel.value(NAMES)
    cell = kernel.start("nbf.forecast(big, slow, name='big').wait_for_end(60); nbf.cache.entries()")
    messages = page.connect()
    by_name = {e["name"]: e for e in messages["entries"]["put"]}
    page.until(lambda m: m["kind"] == "work" and m["tasks"] and m["tasks"][0]["inferred"] > 200)
    assert page.act("drop", key=by_name["some"]["key"])["text"].startswith("Removed 1 entry with 9")
    work = page.until(lambda m: m["kind"] == "work")[-1]
    (task,) = work["tasks"]
    assert (task["name"], task["state"], task["cancellable"]) == ("big", "running", True)
    assert task["rate"] > 0
    assert page.act("cancel", task=task["id"])["kind"] == "done"
    kernel.await_end(cell)  # which waits for the run that was cancelled
    assert kernel.value("nbf.cache.entries()['name'].to_list()") == ["big"]
    cell = kernel.start("while len(nbf.cache.entries()):\n    time.sleep(0.01)")
    assert page.act("flush", memory=True, disk=True)["text"].startswith("Removed 1 entry ")
    kernel.await_end(cell)
    after = kernel.value(NAMES)
    assert (after[0], after[1] - names[1]) == (names[0], 2), "nothing was run or written there but the two cells"


def test_W3_two_pages_follow_and_one_that_closes_the_connection_does_not_end_it(loaded: tuple[Kernel, Any]) -> None:
    kernel, client = loaded
    page = Page(client)
    assert [e["name"] for e in page.connect("one")["entries"]["put"]] == ["some"]
    page.connect("two")
    page.send({"kind": "disconnect", "client": "one"})
    page.send({}, "comm_close")
    page.send({"kind": "nonsense"})
    cell = kernel.start("nbf.cache.flush()")
    gone = page.until(lambda m: m["kind"] == "entries" and not m["all"])[-1]
    kernel.await_end(cell)
    assert len(gone["gone"]) == 1
    assert comms(client) == [PANEL]
    page.send({"kind": "disconnect", "client": "two"})
    kernel.run("while threads():\n    time.sleep(0.01)")


@pytest.mark.parametrize("target", ["nbforecast.hub", "jupyter.widget", "nothing"])
def test_W3_a_page_that_reuses_the_panels_id_is_answered_and_ends_nothing(
    loaded: tuple[Kernel, Any], target: str
) -> None:
    kernel, client = loaded
    page = Page(client)
    page.connect("one")
    client.shell_channel.send(
        client.session.msg("comm_open", {"comm_id": PANEL, "target_name": target, "data": {"state": {}}})
    )
    assert page.until(lambda m: m["kind"] == "loaded")[-1]["v"] == 2
    assert page.act("save")["kind"] == "done"
    page.send({"kind": "action_request", "id": "odd", "action": {"name": "drop", "key": False}})
    assert page.until(lambda m: m.get("id") == "odd")[-1]["text"].startswith("The request is refused: ")
    assert comms(client) == [PANEL]
    page.send({"kind": "disconnect", "client": "one"})
    kernel.run("while threads():\n    time.sleep(0.01)")


def test_W3_an_entry_is_opened_in_an_explorer_and_closed(loaded: tuple[Kernel, Any]) -> None:
    kernel, client = loaded
    page = Page(client)
    (entry,) = page.connect()["entries"]["put"]
    kernel.run("'by an extension that nobody can answer'", watched=False)
    opened = page.act("open", key=entry["key"])
    assert opened["title"] == "some · slow"
    (output,), error = kernel.run(opened["code"])
    assert not error
    assert VIEW in output
    assert kernel.value(f"'{opened['model_id']}' in __import__('ipywidgets').widgets.widget._instances")
    page.send({"kind": "close_explorer", "model_id": opened["model_id"]})
    await_message(client, "comm_close", opened["model_id"])


def test_W3_the_cache_in_a_cell_is_a_live_view_beside_its_table(loaded: tuple[Kernel, Any], tmp_path: Path) -> None:
    kernel, client = loaded
    where = f"from nbforecast.jupyter import assets; from pathlib import Path; assets._FOLDER = Path({str(tmp_path)!r})"
    (output,), error = kernel.run(f"{where}; assets.bundle.cache_clear()\nnbf.cache")
    assert set(output) == {"text/html", "text/plain"}
    assert "The cache is shown as a table only" in error
    assert "npm run build" in error
    (tmp_path / "cache.js").write_text("export default { render() {} };")
    (output,), error = kernel.run("nbf.cache")
    assert set(output) == {VIEW, "text/html", "text/plain"}
    assert "some" in output["text/html"]
    again = kernel.run("nbf.cache")[0][0]
    assert again[VIEW]["model_id"] == output[VIEW]["model_id"], "one for all cells"
    page = Page(client, subshell(client), output[VIEW]["model_id"], widget=True)
    cell = kernel.start("while len(nbf.cache.entries()):\n    time.sleep(0.01)")
    (entry,) = page.connect()["entries"]["put"]
    assert page.act("drop", key=entry["key"])["kind"] == "done"
    kernel.await_end(cell)
    assert set(kernel.run("nbf.cache", watched=False)[0][0]) == {"text/html", "text/plain"}, "where nobody watches"
    kernel.run("import ipywidgets; ipywidgets.Widget.close_all()\nwhile threads():\n    time.sleep(0.01)")
    assert kernel.run("nbf.cache")[0][0][VIEW]["model_id"] != output[VIEW]["model_id"]


def test_W12_colab_is_told_where_its_widget_manager_is(loaded: tuple[Kernel, Any]) -> None:
    kernel, _ = loaded
    (output,), error = kernel.run("""
import sys, types
from IPython.display import display
from IPython.utils.capture import capture_output
manager = types.SimpleNamespace(_installed_url='https://colab.example/manager.js')
sys.modules['google.colab.output'] = types.SimpleNamespace(enable_custom_widget_manager=print, _widgets=manager)
with capture_output() as captured:
    display(nbf.forecast(some, slow, wait=True))
    display(nbf.cache)
del sys.modules['google.colab.output']
for shown in captured.outputs:
    print(shown.metadata)
""")
    assert error == ""
    lines = output["text"].splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "'colab': {'custom_widget_manager': {'url': 'https://colab.example/manager.js'}}" in line
        assert "'nbforecast': {'still': 'text/html'}" in line


def test_M4_the_cache_magic_runs_and_recomputes_entries(loaded: tuple[Kernel, Any]) -> None:
    kernel, _ = loaded
    handle = kernel.value("nbf.cache.entries()['handle'][0]")
    (output,), error = kernel.run(f"%forecast_cache run {handle[:8]}")
    assert not error
    assert VIEW in output
    outputs, error = kernel.run(f"anew = %forecast_cache recompute {handle[:8]} -m slow\nanew.wait()")
    assert not error
    assert "slow forecasts 12 steps of 1 hour ahead" in outputs[0]["text/plain"]
    assert kernel.value("[anew.inferred == anew.available, anew.reused]") == [True, 0]
    (output,), error = kernel.run(f"%forecast_cache recompute {handle[:8]}", watched=False)
    assert "Done:" in output["text/plain"], "where nobody watches it is waited for"


def test_M_magics_and_their_options_are_completed(loaded: tuple[Kernel, Any]) -> None:
    kernel, _ = loaded
    assert set(kernel.complete("%fore")) == {"%forecast", "%forecast_cache", "%forecast_models"}
    assert "%quickdraw" in kernel.complete("x = %qui")
    assert {"%forecast", "%forecast_cache"} <= set(kernel.complete("fore")), "without the sign, too"
    assert kernel.complete("%forecast_cache rec") == ["recompute"]
    assert "--model" in kernel.complete("%forecast_cache recompute abc --")


def test_E9_after_a_restart_a_page_finds_nothing_until_the_extension_is_loaded_again(
    started: tuple[Kernel, Any, Any],
) -> None:
    kernel, client, manager = started
    kernel.run("%load_ext nbforecast\nbegin()")
    page = Page(client)
    page.connect()
    manager.restart_kernel()
    client.wait_for_ready(timeout=60)
    assert comms(client) == []
    page.send({"kind": "connect", "v": 2, "client": "one"})
    assert kernel.run("import nbforecast as nbf\n%load_ext nbforecast") == ([], "")
    (entry,) = page.connect()["entries"]["put"]
    assert (entry["name"], entry["memory_bytes"], entry["recomputable"]) == ("some", 0, False)
    assert "'slow'" in entry["reason"]
    fault = page.act("recompute", key=entry["key"])
    assert (fault["kind"], fault["text"]) == ("fault", entry["reason"])
