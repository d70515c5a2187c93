"""Q3, M2, M3, E5: what a person sees in a real JupyterLab."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support.lab import Lab, Notebook

CELLS = [
    "%load_ext nbforecast\nimport nbforecast as nbf\ndf = nbf.sample('glucose').filter(unique_id='hall_2133-036')",
    "%quickdraw df -i -24",
    "run = %forecast df",
    "%quickdraw df -i -200 --density",
    "%quickdraw df -i 24",
    "run",
]


@pytest.fixture(autouse=True)
def light_again(page: Page) -> Iterator[None]:
    yield
    set_theme(page, "light")


def set_theme(page: Page, theme: str) -> None:
    command = "t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})"
    page.evaluate(command, f"JupyterLab {theme.title()}")
    page.locator(f"body[data-jp-theme-light={'true' if theme == 'light' else 'false'}]").wait_for(state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_Q3_M2_M3_a_session_in_jupyterlab(lab: Lab, page: Page, theme: str) -> None:
    notebook = Notebook(page, lab, f"session-{theme}.ipynb", CELLS)
    set_theme(page, theme)
    notebook.run(0)
    notebook.run(1)
    chart = notebook.outputs(1).locator("img")
    chart.wait_for()
    assert "index -24" in (chart.get_attribute("alt") or "")
    size = chart.evaluate("e => [e.naturalWidth, e.clientWidth, e.clientHeight]")
    assert min(size) > 200
    notebook.picture(1, f"quickdraw-{theme}")

    started = time.monotonic()
    notebook.run(2)
    notebook.outputs(2).get_by_text("forecasts 12 steps").wait_for()
    assert notebook.evaluate("1 + 1") == "2"
    notebook.run(3)
    assert notebook.outputs(3).locator("img").count() == 1
    notebook.outputs(2).get_by_text("Done:").wait_for(timeout=120_000)
    assert time.monotonic() - started < 120
    assert notebook.evaluate("run.progress") == "1.0"
    assert notebook.outputs(2).count() == 1
    notebook.picture(2, f"forecast-{theme}")
    notebook.picture(3, f"density-{theme}")

    notebook.run(4)
    said = notebook.outputs(4).inner_text()
    assert "valid indices run from" in said
    assert "Did you mean -24?" in said
    assert "Traceback" not in said

    notebook.run(5)
    notebook.outputs(5).locator(".nbf-explorer[data-drawn=forecast]").wait_for()
