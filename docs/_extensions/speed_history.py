"""Draws `tests/benchmarks/history.json` with the directive `speed-history`, in both themes."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import Directive

from tests.benchmarks.history import describe, draw, read

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class SpeedHistory(Directive):
    """Shows the figures of all commits that were measured."""

    def run(self) -> list[nodes.Node]:
        """The picture in both themes; that of the page's theme is shown."""
        entries = read()
        label = html.escape(describe(entries))
        return [
            nodes.raw(
                "",
                f'<div class="only-{theme} picture" role="img" aria-label="{label}">{draw(entries, theme)}</div>',
                format="html",
            )
            for theme in ("light", "dark")
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("speed-history", SpeedHistory)
    return {"parallel_read_safe": True}
