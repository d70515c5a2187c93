"""One browser, one JupyterLab and one page of it for all tests; a module has kernels and results of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.lab import VIEWPORT, Lab, close_documents, launch_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(server: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The server; kernels that are started in this module share results, and end with it."""
    server.add_kernel("python3", NBFORECAST_CACHE_DIR=str(server.work / f"{request.module.__name__}.cache"))
    yield server
    server.shut_down_kernels()


@pytest.fixture(scope="session")
def loaded_page(browser: Browser) -> Page:
    return browser.new_page(viewport=VIEWPORT)


@pytest.fixture(scope="module")
def page(loaded_page: Page, lab: Lab) -> Iterator[Page]:
    """The page of JupyterLab, whose documents are closed before their kernels end."""
    yield loaded_page
    if loaded_page.url.startswith(lab.url):
        close_documents(loaded_page)
