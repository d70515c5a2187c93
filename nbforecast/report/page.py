"""An executed notebook as one page that works offline, in both themes and on paper, with working explorers."""

from __future__ import annotations

import base64
import copy
import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.jupyter.widgets.explorer.page import PAGE

if TYPE_CHECKING:
    from nbformat import NotebookNode

_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


def to_page(notebook: NotebookNode, name: str) -> str:
    """Convert an executed notebook to a page of its texts and outputs, without its code.

    Args:
        notebook: With explorers' pages among its outputs.
        name: Title of the page where there is no heading.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="page_template", extra_template_basedirs=[str(Path(__file__).parent)], exclude_anchor_links=True
    )
    exporter.register_filter("text_base64", lambda text: base64.b64encode(text.encode()).decode("ascii"))
    exporter.environment.globals["page_mime"] = PAGE
    html, _ = exporter.from_notebook_node(notebook, {"title": _title(notebook) or name})
    return str(html)


def without_pages(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of the notebook with pictures in place of the explorers' pages."""
    smaller = copy.deepcopy(notebook)
    for cell in smaller.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(PAGE, None)
    return smaller


def _title(notebook: NotebookNode) -> str:
    """The first heading of level 1, in a cell or an output."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^# (.+)$", cell.source, re.MULTILINE)):
            return str(match[1])
        for output in cell.get("outputs", []):
            if heading := _HEADING.search(output.get("data", {}).get("text/html", "")):
                return unescape(re.sub(r"<[^>]+>", "", heading[1]))
    return ""
