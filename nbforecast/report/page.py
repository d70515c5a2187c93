"""An executed notebook as one page that works offline, in both themes, on paper, with its explorers alive."""

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


def as_page(notebook: NotebookNode, name: str) -> str:
    """HTML of a notebook's texts and outputs, without its code. name: the page's title, if there is no heading."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="page_template", extra_template_basedirs=[str(Path(__file__).parent)], exclude_anchor_links=True
    )
    exporter.register_filter("text_base64", lambda text: base64.b64encode(text.encode()).decode("ascii"))
    exporter.environment.globals["page_mime"] = PAGE
    html, _ = exporter.from_notebook_node(notebook, {"title": _title(notebook) or name})
    return str(html)


def without_pages(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the explorers' pictures alone, as it is kept."""
    kept = copy.deepcopy(notebook)
    for cell in kept.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(PAGE, None)
    return kept


def _title(notebook: NotebookNode) -> str:
    """The first heading of the first rank, in a cell or an output."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# (.+)$", cell.source, re.MULTILINE)):
            return str(found[1])
        for output in cell.get("outputs", []):
            if heading := _HEADING.search(output.get("data", {}).get("text/html", "")):
                return unescape(re.sub(r"<[^>]+>", "", heading[1]))
    return ""
