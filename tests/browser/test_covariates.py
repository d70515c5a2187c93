"""H2, W4, W6: covariates under the chart of a page: their values, categories and colours, future rows included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from tests.support.shown_explorer import Shown, assert_shown
from tests.unit.test_covariates import sales

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

# how much colour a pixel of the strips has: their ground has none
COLOUR = """([x, y]) => { const c = document.querySelector('canvas.nbf-covariate-strips'), s = devicePixelRatio;
    const [r, g, b] = c.getContext('2d').getImageData(Math.round(x * s), Math.round(y * s), 1, 1).data;
    return Math.max(r, g, b) - Math.min(r, g, b); }"""
MIDDLE = {"promotion": 21, "event": 56}  # pixels from the top to the strip


def last(contexts: np.ndarray, horizon: int, past: np.ndarray, future: np.ndarray) -> np.ndarray:
    return np.repeat(contexts[:, -1:], horizon, 1)


def test_H2_a_page_shows_covariates_aligned_with_time(browser: Browser, tmp_path: Path) -> None:
    frame = sales(90, 7).with_columns(
        event=pl.when(pl.int_range(pl.len()) == 92).then(pl.lit("Easter")).otherwise("event")
    )
    run = nbf.forecast(
        frame, last, 7, target="y", future_covariates=["promotion", "event"], past_covariates="noise", wait=True
    )
    path = nbf.explore(run).to_html(tmp_path / "page.html")
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
    page.goto(path.as_uri())
    shown = Shown(page)
    shown.await_drawn(0)
    strips = page.locator(".nbf-covariates")
    label = strips.get_attribute("aria-label") or ""
    assert label.startswith("Covariates: promotion; event: Easter, fair; noise")
    low, high = re.findall(r"noise, known up to the origin ([−\d.]+) to ([−\d.]+)", label)[0]
    assert_shown(low, frame["noise"][:90].min())
    assert_shown(high, frame["noise"][:90].max())

    box: Any = strips.bounding_box()
    numbers = {time: row for row, time in enumerate(frame["ds"].dt.strftime("%a %-d %b %Y"))}

    def point_at(x: float) -> tuple[int, list[str]]:
        page.mouse.move(box["x"] + x, box["y"] + 20)
        time, *texts = shown.readout()
        return numbers[time], texts

    probes = {point_at(x)[0]: x for x in np.linspace(80, box["width"] - 80, 5).tolist()}
    slope, start = np.polyfit(list(probes), list(probes.values()), 1)
    marked = frame.with_row_index().filter(pl.col("promotion") | pl.col("event").is_not_null())["index"].to_list()
    places = {row: start + slope * row for row in [60, 77, 90, 95, *marked[-7:]] if row > min(probes)}
    for expected, x in places.items():
        row, texts = point_at(x)
        assert row == expected, "the strips are aligned with the chart"
        promotion, event, noise = frame.row(row)[2:]
        assert {f"promotion {'yes' if promotion else 'no'}", f"event {event or 'none'}"} <= set(texts)
        shown_noise = [text.removeprefix("noise ") for text in texts if text.startswith("noise ")]
        assert len(shown_noise) == (row < 90), "it is known up to the origin only"
        for text in shown_noise:
            assert_shown(text, noise)
    places.pop(89, None)  # the origin's line
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(200)
        for name, y in MIDDLE.items():
            coloured = {row for row, x in places.items() if page.evaluate(COLOUR, [x, y]) > 20}
            assert coloured == {row for row in places if frame[name][row]}, (scheme, name)
    page.close()
