"""D1: the documentation site builds without a warning; its search and its pages work from files, in both themes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT
from tests.support.requirements import library

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.long
PAGES = ("index", "how_to/all_shops_to_excel", "explanation/glossary", "reference/generated/python/run")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; notebooks are shown as they are, since other tests execute them."""
    for name in ("sphinx", "myst_nb", "pydata_sphinx_theme", "sphinx_copybutton", "sphinx_design"):
        library(name)
    folder = tmp_path_factory.mktemp("site")
    source = folder / "docs"
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("generated", "notebooks", "explorers"))
    options = ["-b", "html", "-W", "--keep-going", "-q", "-D", "execute_notebooks=0", "-d", str(folder / "trees")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NBFORECAST_DEVICE": "cpu"}
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(folder / "html")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_D1_pages_fit_a_phone_and_load_nothing_from_elsewhere(site: Path, browser: Browser) -> None:
    requests: list[str] = []
    for theme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=theme)
        page.on("request", lambda request: requests.append(request.url))
        for name in PAGES:
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
            assert page.locator("html").get_attribute("data-theme") == theme
        page.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def test_D1_search_works_from_files(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + "?q=reliability")
    page.wait_for_selector("#search-results li a")
    titles = page.locator("#search-results li a").all_inner_texts()
    assert any("Glossary" in title for title in titles)
    page.close()


def test_D1_code_of_88_columns_fits_between_sidebars_that_fold(site: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "how_to/tomorrows_peak.html").as_uri())
    heights = page.evaluate(
        "[1, 88].map((n) => { const pre = document.querySelector('article .highlight pre');"
        "pre.textContent = 'x'.repeat(n); return pre.offsetHeight; })"
    )
    assert heights[0] == heights[1]
    sidebar = page.locator(".bd-sidebar-primary")
    width = sidebar.evaluate("(element) => element.offsetWidth")
    page.locator("#pst-collapse-sidebar-button").click()
    page.wait_for_function("document.querySelector('.bd-sidebar-primary').offsetWidth < 100")
    assert width > 200
    page.close()
