"""Charts and tables as HTML that every front end shows, also where sanitising removes style sheets and scripts."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from nbforecast.charts.text_layout import clean
from nbforecast.charts.theme import LIGHT
from nbforecast.safe_text import escape_controls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

# Styles of tables, inline: Jupyter removes style sheets from the output of notebooks that are not trusted.
TABLE = "border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:2px 0 8px"
HEAD = "font-weight:600;opacity:.72;border-bottom:1px solid rgba(128,128,128,.35)"
CELL = "text-align:left;padding:3px 14px 3px 0;white-space:nowrap"
NUMBER = "text-align:right;padding:3px 14px 3px 0;white-space:nowrap"
CODE = "font-family:ui-monospace,monospace;font-size:12px"
MUTED = "opacity:.72"
BAR = f"height:100%;background:{LIGHT.fan}"  # of progress, in both themes

# An image of SVG answers `prefers-color-scheme` by the `color-scheme` of the element that embeds it. So this follows
# the theme of JupyterLab, Notebook, nbconvert and VS Code; where it is stripped (untrusted output), the image falls
# back on the preference of the operating system, on a background of its own.
_THEMES = (
    "<style>.nbf-chart img{max-width:100%;height:auto;display:block}"
    'body[data-jp-theme-light="true"] .nbf-chart img,body.vscode-light .nbf-chart img{color-scheme:light}'
    'body[data-jp-theme-light="false"] .nbf-chart img,body.vscode-dark .nbf-chart img,'
    "body.vscode-high-contrast:not(.vscode-high-contrast-light) .nbf-chart img{color-scheme:dark}</style>"
)


def escape(text: str) -> str:
    """Write text as HTML, control characters and marks of the direction of text as escapes."""
    return html.escape(escape_controls(text, keep_lines=True))


class Markup(str):
    """A cell that is HTML already: it is not escaped again."""

    __slots__ = ()


def svg_image(svg: str, alt: str) -> str:
    """Embed an SVG document as an `<img>`, which sanitising leaves alone.

    Args:
        svg: The document.
        alt: What it shows, in a sentence, for readers who do not see it.
    """
    data = base64.b64encode(svg.encode()).decode("ascii")
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(clean(alt))}">'
    return f'<div class="nbf-chart">{_THEMES}{image}</div>'


def html_table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), right: Collection[int] = (), first: str = ""
) -> str:
    """Write rows of cells as an HTML table with inline styles.

    Args:
        rows: Rows of equally many cells. Text is escaped, `Markup` is not.
        head: Titles of the columns; without any the table has no head.
        right: Numbers of the columns that are aligned to the right, from 0.
        first: CSS that the cells of the first column have in addition, such as `CODE` or `MUTED`.
    """

    def line(tag: str, cells: Sequence[str], style: str, first: str) -> str:
        out = []
        for column, cell in enumerate(cells):
            styles = (NUMBER if column in right else CELL, style, "" if column else first)
            text = cell if isinstance(cell, Markup) else escape(cell)
            out.append(f'<{tag} style="{";".join(filter(None, styles))}">{text}</{tag}>')
        return f"<tr>{''.join(out)}</tr>"

    header = f"<thead>{line('th', head, HEAD, '')}</thead>" if head else ""
    body = "".join(line("td", row, "", first) for row in rows)
    return f'<table style="{TABLE}">{header}<tbody>{body}</tbody></table>'
