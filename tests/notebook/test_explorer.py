"""W1, W4, M7, E9: the explorer in a real kernel, with the requests of its page, while cells run and unwatched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import papermill
import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel, subshell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = """
%load_ext nbforecast
import nbforecast as nbf, numpy as np, polars as pl, threading, time
from nbforecast.forecasters.adapters.function import FunctionForecaster
taxi = nbf.sample('taxi')
big = pl.concat([taxi.with_columns(unique_id=pl.lit(str(i))) for i in range(20)])
def slow(contexts, horizon):
    time.sleep(0.03)
    return np.nanmean(contexts, 1)[:, None, None] + np.zeros((1, horizon, 10))
slow = FunctionForecaster(slow, 'slow', context=8, draws=10, batch=64)
nbf.forecast(taxi.tail(100), slow, wait=True)
def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith('nbforecast-page'))
"""


class Page:
    """A front end with one explorer: sends and receives the messages of its script."""

    def __init__(self, client: Any, comm: str, subshell: str | None) -> None:
        self._client, self._comm, self._subshell = client, comm, subshell
        self.messages: list[tuple[dict[str, Any], list[Any]]] = []
        self.state: dict[str, Any] = {}

    def send(self, content: dict[str, Any], method: str = "custom") -> None:
        key = "content" if method == "custom" else "state"
        data = {"method": method, key: content, **({} if method == "custom" else {"buffer_paths": []})}
        message = self._client.session.msg("comm_msg", {"comm_id": self._comm, "data": data})
        message["header"]["subshell_id"] = self._subshell
        self._client.shell_channel.send(message)

    def receive(self, seconds: float, until: str = "") -> list[str]:
        """The kinds of the messages in the next seconds, or up to one of a kind."""
        end, count = time.monotonic() + seconds, len(self.messages)
        while (left := end - time.monotonic()) > 0:
            try:
                message = self._client.get_iopub_msg(timeout=left)
            except Exception:
                break
            if message["msg_type"] != "comm_msg" or message["content"]["comm_id"] != self._comm:
                continue
            data = message["content"]["data"]
            if data["method"] == "custom":
                self.messages.append((data["content"], message["buffers"]))
                if data["content"]["kind"] == until:
                    break
            elif data["method"] == "update":
                self.state |= data["state"]
        return [content["kind"] for content, _ in self.messages[count:]]

    def last(self, kind: str) -> tuple[dict[str, Any], list[Any]]:
        return next(m for m in reversed(self.messages) if m[0]["kind"] == kind)


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[Kernel, Any]]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(client)
        assert kernel.run(SETUP) == ([], "")
        yield kernel, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_W1_a_page_is_served_while_a_cell_runs_and_the_run_goes_on(started: tuple[Kernel, Any]) -> None:
    kernel, client = started
    (output,), error = kernel.run("ex = nbf.explore(big, slow, series='3'); ex")
    assert not error
    assert {VIEW, "text/html", "text/plain"} == set(output)
    assert "index 0" in output["text/plain"]
    page = Page(client, output[VIEW]["model_id"], subshell(client))
    assert kernel.value("threads()") == []
    cell = kernel.start("time.sleep(4); 'slept'")
    time.sleep(0.2)
    began = time.monotonic()
    page.send({"kind": "connect", "v": 4})
    kinds = page.receive(3, "progress")
    assert kinds[:5] == ["meta", "history", "status", "scores", "rows"], "the forecast in view before those of a sweep"
    assert set(kinds[5:-1]) <= {"sketch"}
    assert time.monotonic() - began < 1.5, "the cell is not waited for"
    meta = page.last("meta")[0]
    series = [s["id"] for s in meta["series"]].index("3")
    rows = meta["series"][series]["rows"]
    history = page.last("history")
    assert history[0]["series"] == series
    assert [len(b) for b in history[1]] == [8 * (rows + meta["horizon"]), 8 * rows, 0]

    page.send({"index": -500}, "update")
    request = {"kind": "rows_request", "series": series, "model": 0, "first": rows - 600, "count": 200, "request": 77}
    page.send(request)
    page.send({"kind": "infer_origin", "series": 7, "model": 0, "row": 3000})
    kinds = page.receive(2.5)
    assert "rows" in kinds
    answers = {m.get("request"): (m, b) for m, b in page.messages if m["kind"] == "rows"}
    assert (answers[77][0]["first"], answers[77][0]["count"]) == (rows - 600, 200)
    assert len(answers[77][1][0]) == 200 * 12 * 10 * 4
    inferred = next((m, b) for m, b in page.messages if m["kind"] == "rows" and m["series"] == 7)
    assert (inferred[0]["first"], inferred[0]["count"]) == (3000, 1)
    assert np.isfinite(np.frombuffer(inferred[1][0], "<f4")).all()
    inferred_counts = [m["inferred"] for m, _ in page.messages if m["kind"] == "progress"]
    assert 5 <= len(inferred_counts) <= 60, "live, but not more often than eyes can see"
    assert inferred_counts == sorted(inferred_counts)
    assert inferred_counts[-1] > inferred_counts[0]
    kernel.await_end(cell)
    assert kernel.value("[ex.index, ex.series, threads()]") == [
        -500,
        series,
        ["nbforecast-page", "nbforecast-page-inference_0"],
    ]
    assert kernel.value("ex.forecast.index") == -500

    kernel.run("ex.index = -24")
    page.send({"kind": "cancel_run", "model": 0})
    until = time.monotonic() + 20
    while not page.last("progress")[0]["done"]:
        page.receive(1, "progress")
        assert time.monotonic() < until
    assert page.last("progress")[0]["cancelled"] is True
    kernel.run("ex.index = -25")
    page.receive(0.5)
    frame = kernel.value("[int((ex.run.frame['status'].cast(str) == 'scored').sum()), ex.run.calculated]")
    assert frame[0] == frame[1] == page.last("progress")[0]["calculated"]
    page.receive(2.5)
    scored = "int(ex.run.series('3').frame['crps'].arr.get(0).is_not_nan().sum())"
    assert page.last("scores")[0]["overall"]["n"] == kernel.value(scored) > 0, "told once more when all was done"


def test_E9_unloading_and_closing_end_the_thread_and_a_page_that_connects_again_is_answered(
    started: tuple[Kernel, Any],
) -> None:
    kernel, client = started
    (output,), _ = kernel.run("ex2 = nbf.explore(taxi.tail(400), 'naive'); ex2")
    page = Page(client, output[VIEW]["model_id"], None)
    page.send({"kind": "connect", "v": 4})
    page.receive(10, "progress")
    assert "nbforecast-page" in kernel.value("threads()")
    assert kernel.run("%unload_ext nbforecast")[1] == ""
    assert kernel.value("threads()") == []
    page.send({"kind": "connect", "v": 4})
    assert page.receive(10, "progress")[0] == "meta"
    closed = "ipywidgets.Widget.close_all(); until = time.monotonic() + 20"  # a search in a run ends before its thread
    wait = "while threads() and time.monotonic() < until:\n    time.sleep(0.01)"
    kernel.run(f"%load_ext nbforecast\nimport ipywidgets\n{closed}\n{wait}")
    assert kernel.value("threads()") == []


def test_M7_papermill_waits_and_keeps_a_picture_but_no_widget(tmp_path: Path) -> None:
    cells = ["import nbforecast as nbf", "nbf.explore(nbf.sample('taxi').tail(400), 'naive', index=-24)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False, log_output=False)
    out = nbformat.read(tmp_path / "out.ipynb", 4)
    (output,) = out.cells[1].outputs
    assert set(output.data) == {"text/html", "text/plain"}
    assert "index -24" in output.data["text/plain"]
    assert "data:image/svg+xml;base64," in output.data["text/html"]
    assert "widgets" not in out.metadata
