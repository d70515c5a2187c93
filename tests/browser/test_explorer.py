"""W1, W6, W7: the explorer in a real JupyterLab, as a person sees and moves it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.hard_series import hard_panel
from tests.support.lab import Notebook
from tests.support.shown_explorer import Shown, assert_shown, await_true, await_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.lab import Lab

HOSTILE = "<img src=x onerror=window.hacked=1>"
PERSON = "unique_id='hall_2133-036'"
SETUP = f"""
%load_ext nbforecast
import nbforecast as nbf, numpy as np, polars as pl, time
from nbforecast.forecasters.adapters.function import FunctionForecaster
df = nbf.sample('glucose').filter({PERSON})
def slow(contexts, horizon):
    time.sleep(0.1)
    return np.nanmean(contexts, 1)[:, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))
slow = FunctionForecaster(slow, 'slow', context=8, draws=10, batch=8)
hostile = pl.concat([df.with_columns(unique_id=pl.lit(n)) for n in ({HOSTILE!r}, 'plain')])
"""
CELLS = [
    SETUP,
    "ex = nbf.explore(df, model=['auto', 'naive'], name='Glucose'); ex",
    "ex.index",
    "time.sleep(5); 'slept'",
    "live = nbf.explore(hostile, slow); live",
    "panel = nbf.explore(pl.read_parquet('hard.parquet'), 'naive', horizon=6, wait=True); panel",
]


@pytest.fixture(scope="module")
def session(lab: Lab, page: Page) -> tuple[Lab, Page, list[str]]:
    hard_panel().write_parquet(lab.work / "hard.parquet")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    return lab, page, errors


@pytest.fixture(scope="module")
def open_notebook(session: tuple[Lab, Page, list[str]]) -> Callable[[str, list[str]], Notebook]:
    """Opens notebooks, one after the other, in one page and with one kernel."""
    lab, page, errors = session
    kernel: list[str | None] = [None]

    def open_one(name: str, cells: list[str]) -> Notebook:
        notebook = Notebook(page, lab, name, cells, kernel_id=kernel[0])
        kernel[0] = notebook.kernel_id
        errors.clear()  # JupyterLab has one of its own when a notebook is closed
        return notebook

    return open_one


def test_W1_a_person_looks_through_the_forecasts_of_real_glucose_data(
    session: tuple[Lab, Page, list[str]], open_notebook: Callable[[str, list[str]], Notebook]
) -> None:
    lab, page, errors = session
    notebook = open_notebook("explorer.ipynb", CELLS[:4])
    notebook.run(0)
    notebook.run(1)
    shown = Shown(notebook.outputs(1))
    shown.await_drawn(0)
    assert shown.inked() > 0.02
    assert shown.root.get_by_text("Glucose · hall_2133-036", exact=True).count() == 1
    assert notebook.outputs(1).locator("img").count() == 0, "the widget, not its picture"
    shown.root.get_by_text("origins done").wait_for(timeout=60_000)

    shown.press("ArrowLeft", "ArrowLeft", "ArrowLeft")
    shown.await_drawn(-3)
    await_value(notebook, "ex.index", "-3")
    notebook.run(2)
    assert notebook.outputs(2).inner_text() == "-3", "the next cell sees it"
    shown.press("Shift+ArrowLeft")
    await_value(notebook, "ex.index == -3 - ex.run.data.frequency.seasons[0]", "True")
    shown.click("Latest")
    await_value(notebook, "ex.index", "0")
    shown.click("Worst")
    notebook.evaluate("__import__('nbforecast.jupyter.widgets.explorer.encoding')")
    ranked = "nbf.jupyter.widgets.explorer.encoding.first_ranked_row(ex.run, 0)"
    worst = f"ex.run.scores('index').tail(-{ranked}).sort('crps', descending=True, nulls_last=True)['index'][0]"
    await_value(notebook, f"ex.index == {worst}", "True")
    shown.await_drawn()
    before = shown.index
    shown.drag(-160)
    await_true(lambda: shown.index < before - 3)
    await_value(notebook, "ex.index", str(shown.index))
    shown.await_drawn(shown.index)

    notebook.evaluate("setattr(ex, 'index', -50)")
    shown.await_drawn(-50)
    notebook.evaluate("setattr(ex, 'model', 'naive')")
    await_true(lambda: shown.root.get_by_label("Model", exact=True).input_value() == "1")
    shown.root.get_by_label("Compare with other models").select_option(label="auto")
    shown.await_drawn(-50)
    notebook.picture(1, "explorer-compare")
    shown.click("Density")
    await_value(notebook, "ex.style", "'density'")
    notebook.picture(1, "explorer-density")
    shown.click("Bands")

    # a cell runs: what the page has not got yet comes all the same
    notebook.run(3, wait=False)
    time.sleep(0.3)
    shown.root.get_by_role("textbox").first.fill("-1200")
    shown.root.get_by_role("textbox").first.press("Enter")
    shown.await_drawn(-1200, 3)
    shown.press("ArrowRight", "ArrowRight")
    shown.await_drawn(-1198, 2)
    assert notebook.outputs(3).count() == 0, "the cell still runs"
    notebook.outputs(3).get_by_text("slept").wait_for()
    await_value(notebook, "ex.index", "-1198")

    colour = "e => getComputedStyle(e).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    light = shown.root.evaluate(colour)
    notebook.picture(1, "explorer-light")
    change = "t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})"
    page.evaluate(change, "JupyterLab Dark")
    await_true(lambda: sum(shown.root.evaluate(colour)) < 200 < sum(light))
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    notebook.picture(1, "explorer-dark")
    page.evaluate(change, "JupyterLab Light")
    await_true(lambda: shown.root.evaluate(colour) == light)
    page.set_viewport_size({"width": 640, "height": 900})
    await_true(lambda: shown.root.evaluate("e => e.clientWidth < 400 && e.scrollWidth <= e.clientWidth + 1"))
    notebook.picture(1, "explorer-narrow")
    page.set_viewport_size({"width": 1200, "height": 900})

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.goto(page.url.split("?")[0] + f"?token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    again = Shown(page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)"))
    again.await_drawn(-1198, 30)
    again.press("ArrowLeft")
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel", polling=100
    )
    await_value(notebook, "ex.index", "-1199")

    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_timeout(3000)
    notebook.picture(1, "explorer-restarted")
    notebook.run(0)
    notebook.run(1)
    anew = Shown(notebook.outputs(1))
    anew.await_drawn(0)
    anew.press("ArrowLeft")
    await_value(notebook, "ex.index", "-1")
    assert errors == []


def test_W1_a_run_fills_in_live_and_can_be_cancelled_and_no_name_becomes_markup(
    session: tuple[Lab, Page, list[str]], open_notebook: Callable[[str, list[str]], Notebook]
) -> None:
    _, page, errors = session
    notebook = open_notebook("live.ipynb", [CELLS[0], CELLS[4]])
    notebook.run(0)
    notebook.run(1)
    shown = Shown(notebook.outputs(1))
    shown.await_drawn(0)
    bar = shown.root.get_by_role("progressbar")
    shares = []
    for _ in range(6):
        shares.append(int(bar.get_attribute("aria-valuenow") or "0"))
        time.sleep(0.5)
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 3
    assert shown.index == 0, "the view never jumps"
    notebook.picture(1, "explorer-live")
    shown.press("Home")
    for _ in range(12):
        shown.press("ArrowRight")
    shown.await_drawn(seconds=5)
    assert notebook.evaluate("live.run.done") == "False", "an origin far away is inferred at once"
    shown.click("Cancel")
    shown.root.get_by_text("Cancelled after").wait_for(timeout=10_000)
    assert notebook.evaluate("live.run.cancelled") == "True"
    assert shown.root.get_by_text(HOSTILE).count() >= 1
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("() => window.hacked ?? null") is None
    assert errors == []


def test_W7_keys_stay_in_the_chart_after_every_gesture(
    session: tuple[Lab, Page, list[str]], open_notebook: Callable[[str, list[str]], Notebook]
) -> None:
    _, page, errors = session
    notebook = open_notebook("keys.ipynb", [CELLS[0], CELLS[5]])
    notebook.run(0)
    notebook.run(1)
    shown = Shown(notebook.outputs(1))
    shown.await_drawn(0)
    shown.choose("glucose")
    shown.await_drawn()

    def press(*keys: str) -> None:
        """Presses keys wherever the focus is."""
        for key in keys:
            page.keyboard.press(key)

    before = shown.index
    shown.click("Worst")
    shown.await_moved(before)
    worst = shown.index
    press("ArrowLeft")
    await_true(lambda: shown.index == worst - 1)
    for part in (".nbf-overview", ".nbf-card", ".nbf-strip", ".nbf-legend", ".nbf-title"):
        shown.root.locator(part).first.scroll_into_view_if_needed()
        box = shown.root.locator(part).first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 9)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 9, steps=3)
        page.mouse.up()
        before = shown.index
        press("r", "y", "m", "d", "d", "a", "x")
        shown.await_moved(before)
        before = shown.index
        press("ArrowRight" if before < 0 else "ArrowLeft")
        shown.await_moved(before)
        assert abs(shown.index - before) == 1
    kinds = notebook.panel.locator(".jp-Cell").evaluate_all(
        "cells => cells.map((c) => c.classList.contains('jp-CodeCell'))"
    )
    assert kinds == [True, True], "no key made a cell Raw or Markdown, or deleted one"
    press("Escape")  # what the drag in the strip selected goes first
    await_true(lambda: shown.root.locator(".nbf-stretch").is_hidden())
    press("Escape", "r")
    await_true(lambda: notebook.panel.locator(".jp-RawCell").count() == 1)
    press("y")

    # What is read out follows the origin: it shows the numbers of the forecast that is drawn.
    shown = Shown(notebook.outputs(1))
    notebook.run(1)
    shown.await_drawn(0)
    shown.choose("exponential")
    notebook.evaluate("setattr(panel, 'index', -30)")
    shown.await_drawn(-30)
    box = shown.surface.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + shown.find_origin() + 25, box["y"] + 120)
    texts = set()
    for index in (-30, -31, -32):
        shown.await_drawn(index)
        await_true(lambda: len(shown.readout()) >= 3)
        time_text, observed, forecast = shown.readout()[:3]  # a surprise has more lines
        row = notebook.evaluate(
            "(lambda f, t: (f.actual[t], *f.quantile((0.5, 0.25, 0.75, 0.1, 0.9, 0.025, 0.975))[t]))"
            f"(panel.run.at({index}, 'exponential'),"
            f" [str(t)[11:16] for t in panel.run.at({index}, 'exponential').future].index('{time_text[-5:]}'))"
        )
        numbers = [float(x) for x in re.findall(r"float\d+\(([^)]+)\)", row)]
        read = re.findall(r"(?:observed|median|%|to) ([\d,.e+-]+)", f"{observed} {forecast}")
        assert len(read) == len(numbers) == 8, (row, observed, forecast)
        for text, number in zip(read, numbers, strict=True):
            assert_shown(text, number)
        texts.add(forecast)
        press("ArrowLeft")
    assert len(texts) == 3
    assert errors == []


def test_W6_no_name_stands_over_another_series_and_a_lost_kernel_is_told(
    session: tuple[Lab, Page, list[str]], open_notebook: Callable[[str, list[str]], Notebook]
) -> None:
    _, page, errors = session
    notebook = open_notebook("lost.ipynb", [CELLS[0], CELLS[5], CELLS[3]])
    notebook.run(0)
    notebook.run(1)
    shown = Shown(notebook.outputs(1))
    shown.await_drawn(0)
    shown.choose("counts")
    shown.await_drawn()
    assert shown.card("This origin")["MAE"] == "–"
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    shown.root.get_by_text("kernel gone").wait_for()
    shown.choose("offset")
    shown.root.locator(".nbf-chip", has_text="This series was not loaded before the kernel went").wait_for()
    assert shown.root.get_attribute("data-drawn") == "nothing"
    assert shown.surface.locator("canvas").first.is_hidden()
    for heading in ("This origin", "Over", "All"):
        assert set(shown.card(heading).values()) == {"–"}
    notebook.picture(1, "explorer-kernel-gone")
    shown.choose("counts")
    shown.await_drawn()
    assert shown.card("All")["MAE"] != "–", "what was loaded still works"
    assert errors == []
