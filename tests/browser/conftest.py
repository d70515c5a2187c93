"""One browser for all tests, and one JupyterLab for most; a module has a page and results of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.lab import VIEWPORT, Lab, launch_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """What pages share: the scripts of JupyterLab are loaded once."""
    return browser.new_context(viewport=VIEWPORT)


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


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    yield page
    page.close()
