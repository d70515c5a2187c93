"""The explorer in a real JupyterLab beside a run that goes on: what a person waits for, and frames of a sweep."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.explorer import DRAG_COLUMNS, drag, metrics
from tests.benchmarks.table import Table, number
from tests.support.lab import VIEWPORT, Lab, Notebook, launch_browser
from tests.support.requirements import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SETUP = """
import time, numpy as np, polars as pl, nbforecast as nbf
def run_of(points, model=None, wait=False):
    random = np.random.default_rng(0)
    times = np.datetime64("2010-01-01", "us") + np.arange(points) * np.timedelta64(300, "s")
    y = 140 + 30 * np.sin(np.arange(points) * 2 * np.pi / 288) + random.normal(0, 8, points)
    return nbf.forecast(pl.DataFrame({"ds": times, "y": y}), model, wait=wait)
run_of(3_000, wait=True)
"""
MOST_DENSITIES = 100_000
# bytes that arrive over all sockets of the page
COUNT = """() => {
  const Socket = window.WebSocket;
  window.received = 0;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({data}) => { window.received += data.byteLength ?? data.size ?? data.length; });
    }
  };
}"""
# runs the cell below, and waits for the first forecast and then for a second without a message
FIRST = """async () => {
  const begin = performance.now(), before = window.received;
  window.jupyterapp.commands.execute("notebook:run-cell");
  const seen = () => document.querySelector(".nbf-explorer")?.dataset.drawn === "forecast";
  while (!seen()) await new Promise(requestAnimationFrame);
  const first = performance.now() - begin, sent = window.received - before;
  for (let last = -1; last !== window.received && performance.now() - begin < 20000;) {
    last = window.received;
    await new Promise((done) => setTimeout(done, 1000));
  }
  return {first, sent, settled: window.received - before};
}"""


def tables(quick: bool) -> Iterator[Table]:
    if chromium() is None:
        return
    sizes = [20_000] if quick else [100_000, 1_000_000]
    first, drags = [], []
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, launch_browser() as browser:
        for points in sizes:
            page = browser.new_page(viewport=VIEWPORT)
            page.add_init_script(f"({COUNT})()")
            opened, dragged = _measure(lab, page, points, 60 if quick else 200)
            first.append((f"{points:,}", *opened))
            drags += [(f"{points:,}", *row) for row in dragged]
            page.close()
            lab.shut_down_kernels()
    yield Table(
        "An explorer of a run that has begun",
        ("points", "first forecast on screen, s", "MB until then", "MB until at rest", "JavaScript heap, MB"),
        first,
        ("From running the cell of `nbf.explore(run)`; the default model, compiled before. The heap is JupyterLab's.",),
    )
    note = (
        "Sweeps go on while the run does; densities are of a run that is done. Headless Chromium without a GPU, "
        "JupyterLab and the kernel on the same cores. CPU: of the page's main thread. Without: "
        "frames that show no forecast of their origin."
    )
    yield Table("Frames beside a kernel", ("points", "what", *DRAG_COLUMNS), drags, (note,))


def _measure(lab: Lab, page: Page, points: int, frames: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    cells = [
        SETUP,
        f"run = run_of({points})\nwhile run.inferred < 2_000: time.sleep(0.05)",
        "explorer = nbf.explore(run); explorer",
        f"done = run_of({points}, 'naive', wait=True)",
        "explorer = nbf.explore(done, style='density'); explorer",
    ]
    notebook = Notebook(page, lab, f"{points}.ipynb", cells)
    notebook.run(0)
    notebook.run(1)
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2; }")
    found: Any = page.evaluate(FIRST)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    heap = metrics(session)["JSHeapUsedSize"]
    session.detach()
    opened = (number(found["first"] / 1000), *(number(n / 1e6) for n in (found["sent"], found["settled"], heap)))
    page.locator(".nbf-overview").scroll_into_view_if_needed()
    rows = [("sweep over the overview", *drag(page, ".nbf-overview", frames, 300))]
    is_running = notebook.evaluate("run.done") == "False"
    notebook.evaluate("run.cancel()")
    if points <= MOST_DENSITIES:
        page.locator(".nbf-explorer").evaluate("e => e.remove()")
        notebook.run(3)
        notebook.run(4)
        page.wait_for_selector(".nbf-explorer[data-drawn=forecast]")
        page.wait_for_timeout(2000)
        for part, selector, width in (("the overview", ".nbf-overview", 300), ("the origin", ".nbf-focus", 150)):
            rows.append((f"density, {part}, done", *drag(page, selector, frames, width)))
    return opened, rows if is_running else [("the run was done: " + row[0], *row[1:]) for row in rows]
