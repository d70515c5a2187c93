"""Executes the notebooks of the repository, whose pages are tutorials of the site.

A notebook is executed again when it or the package has changed. Its explorers are pages of their own, in frames. What a cell
writes on the standard error is a warning of the build.
"""

from __future__ import annotations

import hashlib
import html
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from sphinx.util import logging

import nbforecast
from nbforecast.jupyter.widgets.explorer.page import PAGE
from nbforecast.report.runner import execute

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from sphinx.application import Sphinx

ROOT = Path(nbforecast.__file__).parents[1]
FOLDER = "tutorials/notebooks"
_TEMPLATES = {"backtest_report"}  # of reports, which are no pages
TUTORIALS = sorted({file.stem for file in (ROOT / "notebooks").glob("*.ipynb")} - _TEMPLATES)
EXPLORERS = "_static/explorers"
_BUDGET = "1000000"  # bytes of an explorer's page
_log = logging.getLogger(__name__)


def _write_notebooks(app: Sphinx) -> None:
    source = Path(app.srcdir)
    (source / FOLDER).mkdir(parents=True, exist_ok=True)
    (source / EXPLORERS).mkdir(parents=True, exist_ok=True)
    package = _package_digest() if _executes(app) else b"not executed"
    for name in TUTORIALS:
        notebook = ROOT / "notebooks" / f"{name}.ipynb"
        target, stamp = source / FOLDER / notebook.name, source / FOLDER / f".{name}.digest"
        digest = hashlib.sha256(package + notebook.read_bytes() + Path(__file__).read_bytes()).hexdigest()
        if target.exists() and stamp.exists() and stamp.read_text() == digest:
            continue
        if _executes(app):
            _log.info("executing %s", notebook.name)
            executed = execute(notebook, target, {})
            _warn_of_errors(executed, name)
        else:
            executed = nbformat.read(notebook, 4)
        nbformat.write(_as_page(executed, name, source), target)
        stamp.write_text(digest)


def _warn_of_errors(notebook: NotebookNode, name: str) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                _log.warning("%s.ipynb writes on the standard error: %s", name, output["text"].strip())


def _executes(app: Sphinx) -> bool:
    return str(app.config.execute_notebooks) not in ("0", "False")


def _package_digest() -> bytes:
    digest = hashlib.sha256()
    folder = Path(nbforecast.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def _as_page(notebook: NotebookNode, name: str, source: Path) -> NotebookNode:
    """The notebook with explorers in frames."""
    explorers = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data: dict[str, Any] = output.get("data", {})
            page = data.pop(PAGE, None)
            if page is not None:
                explorers += 1
                file = f"{name}-{explorers}.html"
                (source / EXPLORERS / file).write_text(page, encoding="utf-8")
                output["data"] = {"text/html": _frame(f"../../{EXPLORERS}/{file}")}
            elif "text/html" in data:
                data.pop("image/svg+xml", None)
    return notebook


def _frame(address: str) -> str:
    address = html.escape(address)
    return (
        f'<iframe class="explorer" title="The explorer of forecasts" src="{address}" loading="lazy"></iframe>'
        f'<p class="explorer-link"><a href="{address}">The explorer as a page of its own</a></p>'
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Execute the notebooks before pages are read, unless `execute_notebooks` is 0."""
    app.add_config_value("execute_notebooks", default=True, rebuild="", types=[bool, str, int])
    os.environ.setdefault("NBFORECAST_EXPLORER", _BUDGET)
    app.connect("builder-inited", _write_notebooks, priority=100)
    return {"parallel_read_safe": True}
