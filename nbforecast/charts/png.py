"""Charts as PNG images, rendered from their SVG."""

from __future__ import annotations

from functools import cache

from nbforecast.errors import MissingFont

_SCALE = 2.0  # pixels of the image for each pixel of the chart, as screens of high resolution have
_FAMILY = "DejaVu Sans"  # where a system names no sans-serif font


def render_png(svg: str) -> bytes:
    """Render an SVG document as a PNG image of twice its size.

    Args:
        svg: The document; its colours are those of one theme, not `auto`.

    Raises:
        MissingFont: The system has no font, without which the chart would have no labels.
    """
    import resvg_py

    if not _has_font():
        raise MissingFont(
            "This system has no fonts, and a PNG without labels would say nothing. Install one (Debian: apt install "
            "fonts-dejavu-core), or save the chart as .svg."
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=_SCALE, sans_serif_family=_FAMILY))


@cache
def _has_font() -> bool:
    """Whether a letter leaves a mark."""
    import resvg_py

    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    letter = '<text x="2" y="16" font-family="sans-serif" font-size="16">H</text>'
    images = [
        bytes(resvg_py.svg_to_bytes(svg_string=frame.format(text), sans_serif_family=_FAMILY)) for text in (letter, "")
    ]
    return images[0] != images[1]
