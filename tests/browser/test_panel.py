"""W3, C11, E5: the panel in a real JupyterLab, with real kernels, as a person works with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.lab import SCREENSHOTS, Notebook, write_notebook
from tests.support.requirements import Requirement, skip_without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Error, Locator, Page

    from tests.support.lab import Lab

LOAD = "%load_ext nbforecast"
SETUP = """
import time
import numpy as np, polars as pl, nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
taxi = nbf.sample('taxi').tail(300)
def last(contexts, horizon):
    return contexts[:, -1, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))
def slow(contexts, horizon):
    time.sleep(0.2)
    return last(contexts, horizon)
quick = FunctionForecaster(last, 'quick', context=8, draws=10, key='quick')
slow = FunctionForecaster(slow, 'slow', context=8, draws=10, batch=2, key='slow')
nbf.register('quick', quick)
"""
FILL = """
run = %forecast taxi -m quick --wait
other = taxi.with_columns(pl.col(taxi.columns[-1]) + 1)
%forecast other -m quick --wait
"""
CELLS = [LOAD, SETUP, FILL, "time.sleep(4); 'slept'", "run = nbf.forecast(taxi, slow)"]
OLD = "ipykernel==6.31.0"


class Panel:
    """The panel in the side bar."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator("#nbforecast-cache")

    def reveal(self) -> None:
        command = "nbforecast:show-panel"
        self.page.wait_for_function("c => window.jupyterapp?.commands.hasCommand(c)", arg=command, polling=100)
        self.page.evaluate("c => window.jupyterapp.restored.then(() => window.jupyterapp.commands.execute(c))", command)
        self.root.wait_for()

    def await_standing(self, standing: str) -> None:
        self.page.locator(f"#nbforecast-cache[data-standing={standing}]").wait_for(state="attached", timeout=20_000)

    @property
    def rows(self) -> Locator:
        return self.root.locator(".nbf-row:visible")

    def row(self, name: str) -> Locator:
        return self.root.get_by_role("row", name=name, exact=True)

    def await_rows(self, count: int) -> None:
        await_true(lambda: self.rows.count() == count)

    def choose(self, name: str, confirm: str | None = None) -> None:
        """An item of the panel's own menu."""
        self.root.get_by_role("button", name="More actions").click()
        self.root.get_by_role("menuitem", name=name, exact=not confirm).click()
        if confirm is not None:
            self.root.get_by_role("button", name=confirm, exact=True).click()

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


def await_true(true: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture(scope="module")
def old_kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ipykernel6")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    done = subprocess.run([*pip, "--target", str(folder), OLD], capture_output=True, text=True)
    if done.returncode:
        skip_without(Requirement.PACKAGE_INDEX, f"{OLD}: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module")
def session(lab: Lab, page: Page, old_kernel: Path) -> tuple[Lab, Page]:
    paths = [str(old_kernel), *filter(None, [os.environ.get("PYTHONPATH")])]
    lab.add_kernel("six", PYTHONPATH=os.pathsep.join(paths))
    return lab, page


@pytest.fixture(autouse=True)
def errors(session: tuple[Lab, Page]) -> Iterator[None]:
    """No test leaves an error of ours in the page; JupyterLab has one of its own when a notebook is closed."""
    found: list[str] = []

    def hear(error: Error) -> None:
        if "/extensions/@nbforecast/" in (error.stack or ""):
            found.append(str(error.stack))

    session[1].on("pageerror", hear)
    yield
    session[1].remove_listener("pageerror", hear)
    assert found == []


def opened(session: tuple[Lab, Page], name: str, kernel: str = "python3", cells: list[str] = CELLS) -> Notebook:
    """A notebook whose kernel has a cache of its own, with the panel beside it."""
    lab, page = session
    own = f"%env NBFORECAST_CACHE_DIR={lab.work / name}.cache"
    notebook = Notebook(page, lab, f"{name}.ipynb", [*cells, own], kernel)
    notebook.run(len(cells))
    panel = Panel(page)
    panel.reveal()
    return notebook


def test_W3_the_panel_follows_kernels_as_they_come_and_go(session: tuple[Lab, Page]) -> None:
    lab, page = session
    write_notebook(lab.work / "second.ipynb", CELLS)
    notebook, panel = opened(session, "first"), Panel(page)
    panel.await_standing("absent")
    notebook.run(0)
    panel.await_standing("live")
    panel.root.get_by_text("Nothing is kept yet").wait_for()
    assert notebook.evaluate("'nbf' in globals()") == "False", "nothing is written to the namespace"
    notebook.run(1)
    notebook.run(2)
    panel.await_rows(2)
    assert f"{notebook.evaluate('run.inferred')} origins" in panel.row("taxi, quick").inner_text()
    panel.picture("panel-light")

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'second.ipynb'})")
    panel.root.get_by_text("second.ipynb").wait_for()
    panel.await_standing("absent")
    panel.root.get_by_role("button", name="Load nbforecast").click()
    panel.await_standing("live")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'first.ipynb'})")
    panel.root.get_by_text("first.ipynb").wait_for()
    panel.await_rows(2)

    page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }")
    panel.await_standing("restarting")
    panel.await_standing("absent")
    panel.root.get_by_role("button", name="Load nbforecast").click()
    panel.await_standing("live")

    page.goto(page.url.split("?")[0] + f"?token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    panel.reveal()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'first.ipynb'})")
    panel.await_standing("live")
    panel.root.locator("footer").get_by_text("Memory").wait_for()

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save-all')")
    page.evaluate("() => window.jupyterapp.commands.execute('application:close-all')")
    panel.await_standing("no-notebook")
    panel.root.get_by_text("Open a notebook").wait_for()


def test_C11_E5_what_the_panel_does_is_seen_from_python_while_a_cell_runs(session: tuple[Lab, Page]) -> None:
    _, page = session
    notebook, panel = opened(session, "busy"), Panel(page)
    for cell in range(3):
        notebook.run(cell)
    panel.await_rows(2)
    notebook.run(4)
    panel.root.get_by_text("Working on 1 run").wait_for()
    notebook.run(3, wait=False)
    panel.picture("panel-work")
    panel.root.get_by_role("button", name="Cancel ").click()
    panel.row("other, quick").focus()
    page.keyboard.press("Delete")
    panel.root.get_by_role("alertdialog").get_by_text("forecasts").wait_for()
    panel.picture("panel-drop")
    page.keyboard.press("Enter")
    panel.row("other, quick").wait_for(state="detached", timeout=3000)
    await_true(lambda: panel.root.locator(".nbf-task").count() == 0, 3)
    assert notebook.outputs(3).count() == 0, "the cell still runs"
    assert panel.root.get_by_text("queued").count() == 0
    notebook.outputs(3).get_by_text("slept").wait_for()
    assert notebook.evaluate("run.cancelled") == "True"
    assert notebook.evaluate("nbf.cache.entries()['name'].to_list().count('other')") == "0"

    panel.choose("Save")
    panel.root.get_by_role("status").get_by_text("Saved").wait_for()
    panel.choose("Flush", "Cancel")
    assert notebook.evaluate("nbf.cache.info().memory_bytes > 0") == "True"
    panel.choose("Flush", "Flush")
    panel.root.get_by_role("status").get_by_text("Removed").wait_for()
    assert notebook.evaluate("nbf.cache.info().memory_bytes, nbf.cache.info().disk_bytes > 0") == "(0, True)"
    panel.choose("Load")
    panel.root.get_by_role("status").get_by_text("Loaded").wait_for()
    assert notebook.evaluate("nbf.cache.info().memory_bytes > 0") == "True"
    panel.root.get_by_role("button", name="More actions").click()
    panel.root.get_by_role("menuitem", name="Flush").click()
    panel.root.get_by_label("From").select_option("both")
    panel.root.get_by_text("All of it, for good").wait_for()
    panel.root.get_by_role("button", name="Flush", exact=True).click()
    panel.await_rows(0)
    assert notebook.evaluate("len(nbf.cache.entries())") == "0"


def test_C11_E5_on_ipykernel_6_actions_are_queued_until_the_cell_has_ended(session: tuple[Lab, Page]) -> None:
    _, page = session
    notebook, panel = opened(session, "old", "six"), Panel(page)
    for cell in range(3):
        notebook.run(cell)
    assert notebook.evaluate("__import__('ipykernel').__version__") == "'6.31.0'"
    panel.await_rows(2)
    notebook.run(3, wait=False)
    panel.row("other, quick").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    panel.row("other, quick").get_by_text("drop: queued").wait_for()
    panel.root.get_by_text("kernel busy").wait_for()
    panel.picture("panel-queued")
    notebook.outputs(3).get_by_text("slept").wait_for()
    panel.row("other, quick").wait_for(state="detached")
    panel.root.get_by_text("kernel busy").wait_for(state="detached")
    assert notebook.evaluate("len(nbf.cache.entries())") == "1"


def test_W3_an_entry_opens_beside_the_notebook_in_a_new_cell_and_under_the_list(session: tuple[Lab, Page]) -> None:
    _, page = session
    notebook, panel = opened(session, "open", cells=[LOAD, SETUP, FILL, "nbf.cache"]), Panel(page)
    for cell in range(4):
        notebook.run(cell)
    panel.await_rows(2)
    panel.row("taxi, quick").focus()
    page.keyboard.press("Enter")
    tab = page.locator(".jp-MainAreaWidget:not(.jp-NotebookPanel) .nbf-explorer[data-drawn=forecast]")
    tab.wait_for()
    panel.picture("panel-opened")
    alive = "sum(type(o).__name__ == 'Explorer' and o.comm is not None for o in __import__('gc').get_objects())"
    assert notebook.evaluate(alive) == "1"
    page.locator(".lm-TabBar-tab").filter(has_text="taxi").locator(".lm-TabBar-tabCloseIcon").click()
    tab.wait_for(state="detached")
    await_true(lambda: notebook.evaluate(alive) == "0")

    view = notebook.outputs(3)
    view.get_by_role("row", name="taxi, quick").dblclick()
    view.locator(".nbf-explorer[data-drawn=forecast]").wait_for()
    notebook.picture(3, "cache-view")
    view.get_by_role("button", name="Close taxi").click()
    await_true(lambda: notebook.evaluate(alive) == "0")

    panel.row("taxi, quick").click(button="right")
    panel.root.get_by_role("menuitem", name="Open in a new cell").click()
    notebook.panel.locator(".nbf-explorer[data-drawn=forecast]").wait_for()
    assert notebook.evaluate(alive) == "1"


def test_W4_a_trusted_notebook_shows_pictures_of_widgets_that_are_gone(session: tuple[Lab, Page]) -> None:
    lab, page = session
    theirs = "import ipywidgets; ipywidgets.IntSlider(7)"
    cells = [LOAD, SETUP, "run = nbf.forecast(taxi, quick, wait=True); nbf.explore(run)", "nbf.cache", theirs]
    notebook = opened(session, "kept", cells=cells)
    for cell in range(5):
        notebook.run(cell)
    notebook.outputs(2).locator(".nbf-explorer[data-drawn=forecast]").wait_for()
    assert notebook.outputs(2).locator("img").count() == 0, "the widget, not its picture"
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto(page.url.split("?")[0] + f"?token={lab.token}&reset")
    again = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    outputs = again.locator(".jp-OutputArea-output")
    picture = outputs.locator("img[alt*='index 0']")
    picture.wait_for(timeout=60_000)
    assert picture.evaluate("e => e.naturalWidth") > 200
    again.get_by_text("entries").first.wait_for()
    Panel(page).picture("panel-reopened")
    again.get_by_text("Error displaying widget").wait_for()
    assert again.get_by_text("Error displaying widget").count() == 1, "nothing changes for the widgets of others"


MANY = """
from dataclasses import replace
from nbforecast import session
from nbforecast.options import ForecastOptions
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.data import prepare
data = prepare(taxi.head(30))
spec = session.current_session().find(data, quick, ForecastOptions(horizon=2, force=True)).spec
made = [Entry(replace(data, values=data.values + n), spec, np.zeros(30, np.uint8)) for n in range(1000)]
for entry in made:
    session.results().publish(EntrySlice.whole(entry))
"""
# what of the list is written anew while something is done
WATCH = """() => { window.touched = new Set();
const rows = document.querySelector('#nbforecast-cache .nbf-rows');
new MutationObserver(found => { for (const one of found) for (const node of [one.target, ...one.addedNodes]) {
  const row = (node.closest ? node : node.parentElement).closest('.nbf-row'); if (row) window.touched.add(row); } })
  .observe(rows, {childList: true, subtree: true, characterData: true}); }"""


def test_W3_a_thousand_entries_in_both_themes(session: tuple[Lab, Page]) -> None:
    _, page = session
    notebook, panel = opened(session, "many", cells=[LOAD, SETUP, MANY]), Panel(page)
    for cell in range(3):
        notebook.run(cell)
    rows = panel.root.locator(".nbf-row")
    await_true(lambda: rows.count() == 1000)
    rows.first.focus()
    page.keyboard.press("End")
    last = rows.last
    assert last.evaluate("e => e === document.activeElement")
    box, place = last.bounding_box(), panel.root.locator(".nbf-scroll").bounding_box()
    assert box is not None
    assert place is not None
    assert place["y"] <= box["y"] <= place["y"] + place["height"]

    page.evaluate(WATCH)
    notebook.evaluate("nbf.cache.drop(made[500].key.handle)")
    await_true(lambda: rows.count() == 999)
    assert page.evaluate("() => window.touched.size") < 5, "the others are left as they are"

    handle = notebook.evaluate("made[7].key.handle").strip("'")
    panel.root.get_by_label("Filter entries").fill(f"quick {handle[:8]}")
    panel.await_rows(1)
    page.keyboard.press("Escape")
    await_true(lambda: rows.count() == 999)

    colour = "e => getComputedStyle(e).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    side = panel.root.locator(".nbf-side")
    light = side.evaluate(colour)
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    await_true(lambda: sum(side.evaluate(colour)) < 200 < sum(light))
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    panel.root.get_by_role("button", name="More actions").click()
    panel.root.get_by_role("menuitem", name="Prune").click()
    panel.picture("panel-dark")
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    await_true(lambda: side.evaluate(colour) == light)
