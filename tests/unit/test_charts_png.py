"""Q3: a chart as PNG is a rendering of its SVG, labels included."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from nbforecast.charts import draw_fan, png
from nbforecast.errors import MissingFont
from tests.unit.test_charts_svg import make


def pixels(image: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(image))


def test_q3_the_image_has_twice_the_size_and_the_labels_of_the_svg() -> None:
    svg = draw_fan(make(), theme="light")
    image = pixels(png.render_png(svg))
    assert image.shape[:2] == (680, 1720)
    without_words = pixels(png.render_png(svg.replace("<text", "<desc").replace("</text>", "</desc>")))
    title = np.abs(image - without_words)[:80, :600]
    assert title.max() > 0.5, "the title is drawn"


def test_q3_a_system_without_fonts_is_an_error_and_no_picture_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_has_font", lambda: False)
    with pytest.raises(MissingFont, match=r"save the chart as \.svg"):
        png.render_png(draw_fan(make(), theme="light"))
