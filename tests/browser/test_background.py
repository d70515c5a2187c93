"""E4, E5, E9: in a real JupyterLab a run of 100,000 origins leaves the notebook usable."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.lab import Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.lab import Lab

SETUP = """
%load_ext nbforecast
import time
import nbforecast as nbf, numpy as np, polars as pl
from nbforecast.forecasters.adapters.function import FunctionForecaster
def spread(contexts, horizon):
    time.sleep(0.02)
    return contexts[:, -1, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))
nbf.register('slow', FunctionForecaster(spread, 'slow', context=8, least=8, draws=10, batch=64, key='slow'))
taxi = nbf.sample('taxi')
big = pl.concat([taxi.with_columns(unique_id=pl.lit(f'zone {i:02d}')) for i in range(20)])
"""
CELLS = [
    SETUP,
    "%quickdraw taxi -i -24 -m slow",
    "run = %forecast big -m slow",
    "sum(range(1000))",
    "%quickdraw big -i -3000 -s 'zone 11' -m slow",
    "run.cancel()",
    "run",
    "import time; time.sleep(3); 'slept'",
]
COUNT = re.compile(r"([\d,]+) of 103,060 origins inferred")


def inferred(notebook: Notebook) -> int:
    """Origins, as the card of the run has it."""
    found = COUNT.search(notebook.outputs(2).first.inner_text())
    return int(found[1].replace(",", "")) if found else 0


def await_more(notebook: Notebook, than: int, seconds: float = 60) -> int:
    end = time.monotonic() + seconds
    while (now := inferred(notebook)) <= than:
        assert time.monotonic() < end, notebook.outputs(2).first.inner_text()
        time.sleep(0.02)
    return now


def timed(notebook: Notebook, cell: int) -> float:
    began = time.monotonic()
    notebook.run(cell)
    return time.monotonic() - began


@pytest.mark.long
def test_E4_E5_E9_a_long_run_leaves_the_notebook_usable(lab: Lab, page: Page) -> None:
    """As `tests/notebook/test_background.py` shows of a kernel, and `test_notebook` of what the page shows."""
    notebook = Notebook(page, lab, "long.ipynb", CELLS)
    notebook.run(0)
    notebook.run(1)

    assert timed(notebook, 2) < 5, "the magic returns at once"
    notebook.outputs(2).get_by_text("103,060 origins of 20 series").wait_for()
    first = await_more(notebook, 0)
    assert timed(notebook, 3) < 2
    assert notebook.outputs(3).inner_text() == "499500"
    drawn = timed(notebook, 4)
    chart = notebook.outputs(4).locator("img")
    chart.wait_for()
    assert "index -3000" in (chart.get_attribute("alt") or "")
    assert drawn < 2, "a quickdraw does not wait for the run"
    assert notebook.evaluate("run.done") == "False"

    first = await_more(notebook, max(first, 1000))  # the batches that it goes on with are compiled
    notebook.run(7, wait=False)
    second = await_more(notebook, first, 2.5)
    third = await_more(notebook, second, 2.5)
    assert notebook.outputs(7).count() == 0, "progress moves while a cell runs"
    notebook.picture(2, "long-run")
    notebook.outputs(7).get_by_text("slept").wait_for()
    assert third > second > first

    notebook.run(5)
    notebook.outputs(2).get_by_text("Cancelled:").wait_for(timeout=10_000)
    assert notebook.evaluate("run.wait_for_end(10)") == "True"
    kept = int(notebook.evaluate("run.inferred + run.reused"))
    assert kept >= third
    notebook.run(6)
    notebook.outputs(6).locator(".nbf-explorer").get_by_text("Cancelled after").wait_for()
    notebook.picture(6, "cancelled-run")

    notebook.run(2)  # it goes on from there, and the kernel is restarted while it does
    notebook.outputs(2).get_by_text("of them from the cache").wait_for()
    began = time.monotonic()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    notebook.run(0)
    assert time.monotonic() - began < 40
    notebook.run(2)
    notebook.outputs(2).get_by_text("of them from the cache").wait_for()
    reused = int(notebook.evaluate("run.reused"))
    assert reused >= kept
    assert notebook.evaluate("run.cancel(), run.wait_for_end(10)") == "(None, True)"
