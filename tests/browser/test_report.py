"""R2, W4: a report as a person opens it: alone in a browser, on paper, and its notebook in an untrusted JupyterLab."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import nbforecast as nbf
from nbforecast.report.runner import make_report
from tests.support.lab import SCREENSHOTS, VIEWPORT, open_document

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.lab import Lab


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on the taxis, its notebook beside it."""
    folder = tmp_path_factory.mktemp("report")
    nbf.sample("taxi").tail(600).write_csv(folder / "taxi.csv")
    parameters = [("model", "theta"), ("compare", "naive"), ("worst", "1")]
    page = folder / "taxi.html"
    return make_report(str(folder / "taxi.csv"), page, parameters, notebook=folder / "taxi.ipynb").page


def all_drawn(page: Page) -> bool:
    return bool(page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 100)"))


def test_R2_W4_the_page_works_offline_in_both_themes_on_any_width_and_on_paper(report: Path, browser: Browser) -> None:
    with browser.new_page(viewport=VIEWPORT) as page:
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("data:") else None)
        page.context.set_offline(True)
        page.goto(report.as_uri())
        explorer = page.frame_locator("iframe.nbf-live").locator(".nbf-explorer")
        explorer.and_(page.frame_locator("iframe.nbf-live").locator("[data-drawn=forecast]")).wait_for()
        assert asked == [report.as_uri()]
        assert all_drawn(page)
        assert page.locator(".nbf-still").is_hidden()
        frame = page.locator("iframe.nbf-live").bounding_box()
        assert frame is not None
        inside = explorer.bounding_box()
        assert inside is not None
        assert frame["height"] > inside["height"], "a frame is as high as what it holds"
        surface = explorer.locator(".nbf-focus[role=slider]")
        surface.focus()
        surface.press("ArrowLeft")
        page.frame_locator("iframe.nbf-live").locator("[data-index='-1']").wait_for()

        widths = page.evaluate("[...document.querySelectorAll('table')].map(t => [t.scrollWidth, t.clientWidth])")
        assert all(content <= shown for content, shown in widths), "no column of a table is cut off"
        paper = "() => getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(paper) == "rgb(17, 17, 17)"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "report-dark.png")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        assert page.locator("iframe.nbf-live").is_hidden()
        assert page.get_by_role("heading", name="Every origin").is_hidden()
        assert page.get_by_role("heading", name="Models compared").is_visible()
        page.emulate_media(media="screen", color_scheme="light")
        for width in (390, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_R2_W4_the_kept_notebook_shows_all_its_pictures_where_nobody_trusts_it(
    report: Path, lab: Lab, page: Page
) -> None:
    notebook = report.with_suffix(".ipynb")
    shutil.copy(notebook, lab.work)
    open_document(page, lab, notebook.name)
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.get_by_role("heading", name="Provenance").wait_for(timeout=60_000)
    pictures = panel.locator(".nbf-chart img")
    pictures.last.wait_for()
    assert pictures.count() >= 8
    assert all_drawn(page)
    assert panel.get_by_text("Error displaying widget").count() == 0
    panel.get_by_role("heading", name="Error by horizon").scroll_into_view_if_needed()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "report-notebook.png")
