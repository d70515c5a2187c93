"""The chart as HTML that every front end shows: an image, which sanitising leaves alone."""

import base64
from html import escape

from nbforecast.charts.labels import clean

# An image of SVG answers `prefers-color-scheme` by the `color-scheme` of the element that embeds it. So this follows
# the theme of JupyterLab, Notebook, nbconvert and VS Code; where it is stripped (untrusted output), the image falls
# back on the preference of the operating system, on a background of its own.
_STYLE = (
    "<style>.nbf-chart img{max-width:100%;height:auto;display:block}"
    'body[data-jp-theme-light="true"] .nbf-chart img,body.vscode-light .nbf-chart img{color-scheme:light}'
    'body[data-jp-theme-light="false"] .nbf-chart img,body.vscode-dark .nbf-chart img,'
    "body.vscode-high-contrast:not(.vscode-high-contrast-light) .nbf-chart img{color-scheme:dark}</style>"
)


def to_html(svg: str, alt: str) -> str:
    """The SVG as a self-contained `<img>` with `alt` as its alternative text."""
    data = base64.b64encode(svg.encode()).decode("ascii")
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(clean(alt))}">'
    return f'<div class="nbf-chart">{_STYLE}{image}</div>'
