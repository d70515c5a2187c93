"""Makes links between the documents work in the repository as well as on the site.

In the repository a page links to files: to other pages, to notebooks, to the model card, to CONTRIBUTING.md. On the site
notebooks are tutorials, and files beside `docs/` that are pages are included under `project/`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from executed_notebooks import FOLDER, TUTORIALS

import nbforecast

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(nbforecast.__file__).parents[1]
# files of the repository that are pages of the site
PAGES = {
    "CHANGELOG.md": "project/changelog",
    "CONTRIBUTING.md": "project/contributing",
    "SECURITY.md": "project/security",
    "README.md": "index",
    "nbforecast/forecasters/pretrained/MODEL_CARD.md": "project/pretrained_model_card",
    "nbforecast/data/samples/SOURCES.md": "project/samples",
    **{f"notebooks/{name}.ipynb": f"{FOLDER}/{name}" for name in TUTORIALS},
    **{f"notebooks/{name}.ipynb": "reference/generated/command_line" for name in ("backtest_report",)},
}
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def page_of(target: str, folder: str) -> str | None:
    """The page of the site that a link leads to.

    Args:
        target: A link of a page, relative to its folder.
        folder: The folder of the page in the repository.

    Returns:
        The name of the page, without a suffix; None for a link that is right as it is.
    """
    if "://" in target or target.startswith(("#", "mailto:", "/")):
        return None
    path, _, anchor = target.partition("#")
    file = os.path.normpath(PurePosixPath(folder, path))
    if file in PAGES:
        page = f"/{PAGES[file]}{'.ipynb' if PAGES[file].startswith(FOLDER) else '.md'}"
    elif file.startswith("docs/") and not folder.startswith("docs"):
        page = "/" + file.removeprefix("docs/")
    else:
        return None
    return f"{page}#{anchor}" if anchor else page


def rewrite_links(text: str, folder: str) -> str:
    """The text of a page with links to pages of the site."""

    def replace(match: re.Match[str]) -> str:
        page = page_of(match[2], folder)
        return match[0] if page is None else f"{match[1]}{page}{match[3]}"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(replace, part) for part in parts[::2]]
    return "".join(parts)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    file = Path(app.env.doc2path(name))
    if file.suffix == ".md":
        included = {page: file for file, page in PAGES.items()}.get(name)
        if name.startswith("project/") and included:
            source[0] = rewrite_links(
                (ROOT / included).read_text(encoding="utf-8"), str(PurePosixPath(included).parent)
            )
        else:
            source[0] = rewrite_links(source[0], str(PurePosixPath("docs", name).parent))


def _write_pages(app: Sphinx) -> None:
    for page in PAGES.values():
        if page.startswith("project/"):
            target = Path(app.srcdir, f"{page}.md")
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                target.write_text("", encoding="utf-8")


def _add_dependencies(app: Sphinx, name: str, _: list[str]) -> None:
    for file, page in PAGES.items():
        if page == name and name.startswith("project/"):
            app.env.note_dependency(str(ROOT / file))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the reading of pages."""
    app.connect("builder-inited", _write_pages)
    app.connect("source-read", _read)
    app.connect("source-read", _add_dependencies)
    return {"parallel_read_safe": True}
