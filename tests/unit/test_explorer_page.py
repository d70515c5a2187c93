"""W4: the page that needs no kernel."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.jupyter import assets
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer import page as pages

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run

from nbforecast.forecasters.adapters.function import FunctionForecaster
from tests.support.explorers import CODES, HOSTILE, part, series
from tests.support.hard_series import ROWS, hard_panel

POINT = FunctionForecaster(
    lambda contexts, horizon: np.repeat(contexts[:, -1:, None], horizon, 1), "point", context=8, least=4, draws=1
)


class Page(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.scripts[0])
        return data


def unpack(buffer: dict[str, Any], kind: str) -> np.ndarray:
    raw = gzip.decompress(base64.b64decode(buffer["gzip"]))
    if buffer.get("as") == "sums":
        return np.cumsum(np.frombuffer(raw, "<f8"))
    if buffer.get("as") not in ("floats", "codes"):
        return np.frombuffer(raw, kind)
    number = np.dtype("<u4" if buffer["as"] == "floats" else "<u2")
    planes = np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(number.itemsize, -1).T)
    rows = np.cumsum(planes.view(number).reshape(buffer["rows"], -1), 0, dtype=number)
    return rows.view("<f4") if buffer["as"] == "floats" else rows


def unpack_rows(message: dict[str, Any], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws (R, H, Q) and ends of bands (R, H, 7) of a message with forecasts."""
    outer, codes, ends = (unpack(buffer, "") for buffer in message["buffers"])
    shape = (len(outer), horizon, -1)
    outer = outer.reshape(shape).astype(float)
    codes = codes.reshape(*shape[:2], codes.size // (len(outer) * horizon))
    inner = outer[..., :1] + codes / 4095 * (outer[..., 1:] - outer[..., :1])
    return np.concatenate([outer[..., :1], inner, outer[..., 1:]], -1), ends.reshape(shape)


def of_kind(page: Page, kind: str, position: int, model: int = 0) -> list[dict[str, Any]]:
    """Messages about a series."""
    return [
        m
        for m in page.data["messages"]
        if m["content"]["kind"] == kind
        and m["content"]["series"] == position
        and m["content"].get("model", model) == model
    ]


def test_W4_the_page_holds_everything_that_the_run_has(
    done: Run, explorer: Explorer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    explorer.series, explorer.index, explorer.style = 1, -30, "density"
    with caplog.at_level(logging.INFO, "nbforecast"):
        path = explorer.to_html(tmp_path / "page.html")
    assert path == tmp_path / "page.html"
    assert re.search(r"A page of [\d.]+ MB, every origin", caplog.text)
    page = Page(path.read_text())
    shown = {"index": -30, "series": 1, "model": 0, "drawing": "density"}
    assert page.data["start"] == {**shown, "compare": [], "window": [], "selected": []}
    meta = page.data["messages"][0]["content"]
    assert meta == encoding.encode_meta(explorer.runs, live=False).content
    assert meta["live"] is False
    for position, model in ((0, 0), (1, 1), (2, 0)):
        run = explorer.runs[model]
        frame = part(run, position)
        (history,) = of_kind(page, "history", position)
        times = unpack(history["buffers"][0], "<f8")
        assert np.array_equal(times[: len(frame)], frame["ds"].dt.epoch("ms").to_numpy())
        assert len(times) == len(frame) + run.horizon
        assert np.array_equal(
            unpack(history["buffers"][1], "<f8"), frame["y"].fill_null(np.nan).to_numpy(), equal_nan=True
        )
        (status,) = of_kind(page, "status", position, model)
        assert unpack(status["buffers"][0], "u1").tolist() == [CODES[s] for s in frame["status"].cast(str)]
        (rows,) = of_kind(page, "rows", position, model)
        assert (rows["content"]["first"], rows["content"]["count"], rows["content"]["every"]) == (0, len(frame), 1)
        draws, ends = unpack_rows(rows, run.horizon)
        assert_draws(draws, frame["forecast"].to_numpy())
        assert np.array_equal(ends, frame["quantiles"].to_numpy(), equal_nan=True)
    assert [m["content"]["model"] for m in page.data["messages"] if m["content"]["kind"] == "progress"] == [0, 1]


def assert_draws(draws: np.ndarray, expected: np.ndarray) -> None:
    """Draws are off by less than a fiftieth of a pixel on a chart of their own step alone, the outermost not at all."""
    assert np.array_equal(draws[..., [0, -1]], expected[..., [0, -1]], equal_nan=True)
    spread = np.ptp(expected.astype(float), axis=-1, keepdims=True)
    rounding = np.spacing(np.abs(expected).max(-1, keepdims=True, initial=0))
    assert np.all((np.abs(draws - expected) <= spread / 8000 + rounding) | np.isnan(expected))


@given(st.integers(0, 999), st.floats(-25, 25), st.sampled_from([0.0, 1.0, 1e6]), st.integers(1, 12), st.booleans())
@hypothesis.settings(max_examples=30)
def test_W6_any_forecast_is_packed_without_loss(seed: int, power: float, offset: float, draws: int, gap: bool) -> None:
    rng = np.random.default_rng(seed)
    growth = 10.0 ** (power + rng.uniform(-3, 3, (7, 3, 1)))
    values = np.sort((growth * (offset + rng.normal(0, 1, (7, 3, draws)))).astype(np.float32))
    if gap:
        values[2:4] = np.nan
    ends = values[..., [0, 0, draws // 2, draws // 2, -1, -1, -1]]
    packed = {"buffers": [*pages._pack_draws(values), pages._pack_floats(ends)]}
    shown = unpack_rows(packed, 3)
    assert np.array_equal(shown[1], ends, equal_nan=True)
    assert_draws(shown[0][..., :draws], values)


@pytest.mark.parametrize("model", ["naive", POINT], ids=["naive", "point"])
@pytest.mark.slow
def test_W6_a_page_holds_the_forecasts_of_hard_series_without_loss(model: Any, tmp_path: Path) -> None:
    made = nbf.explore(hard_panel(), model, horizon=5, wait=True)
    page = Page(made.to_html(tmp_path / "page.html").read_text())
    made.close()
    for position, name in enumerate(made.run.data.ids):
        draws, ends = encoding.read_forecasts(made.run, position, 0, ROWS)
        (rows,) = of_kind(page, "rows", position)
        shown = unpack_rows(rows, 5)
        assert np.isfinite(ends).all((1, 2)).sum() > 100, name
        assert np.array_equal(shown[1], ends, equal_nan=True), name
        assert_draws(shown[0][..., : draws.shape[-1]], draws)


def test_W4_no_name_becomes_markup(explorer: Explorer, tmp_path: Path) -> None:
    text = explorer.to_html(tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.data["messages"][0]["content"]["series"][0]["id"] == HOSTILE
    assert HOSTILE not in text
    tags = [t for t, _ in page.tags]
    assert tags.count("script") == 2
    assert tags.count("img") == 1
    assert all("onerror" not in attrs for _, attrs in page.tags)
    places = [v or "" for _, attrs in page.tags for n, v in attrs.items() if n in ("src", "href")]
    assert all(place.startswith("data:") for place in places), "it needs nothing else"
    assert "default-src 'none'" in text


@pytest.mark.slow
def test_W4_a_large_run_is_thinned_and_says_so(explorer: Explorer, tmp_path: Path, monkeypatch: Any) -> None:
    whole = explorer.to_html(tmp_path / "whole.html").stat().st_size
    fixed = len(assets.bundle("explorer")) * 4 // 3 + 60_000
    monkeypatch.setattr(pages, "MIN_FORECASTS", 40_000)
    monkeypatch.setattr(pages, "BUDGET", fixed + 100_000)
    path = explorer.to_html(tmp_path / "thin.html")
    assert path.stat().st_size < min(whole - 80_000, pages.BUDGET)
    page = Page(path.read_text())
    meta = page.data["messages"][0]["content"]
    rows, *alone = of_kind(page, "rows", 1)
    every = rows["content"]["every"]
    assert every > 1
    assert meta["notes"][0] == (
        f"To keep this page small, it holds the forecasts of one origin in {every} and of the worst ones; "
        "scores are over all of them."
    )
    ends = [m["content"] for m in page.data["messages"] if m["content"]["kind"] == "progress"]
    assert {m["note"] for m in ends} == {f"; this page has one in {every}, and the worst"}
    frame = part(explorer.runs[0], 1)
    kept = np.arange(len(frame))[::-1] % every == 0
    assert rows["content"]["first"] == np.flatnonzero(kept)[0]
    assert_draws(unpack_rows(rows, explorer.runs[0].horizon)[0], frame["forecast"].to_numpy()[kept])
    status, reason, score = (
        unpack(b, k) for b, k in zip(of_kind(page, "status", 1)[0]["buffers"], ("u1", "u1", "<f4"), strict=True)
    )
    ranked = encoding.first_ranked_row(explorer.runs[0], 1)
    worst = ranked + int(np.nanargmax(frame["crps"].arr.mean().fill_null(np.nan).to_numpy()[ranked:]))
    kept_rows = {m["content"]["first"] for m in alone} | set(np.flatnonzero(kept))
    assert worst in kept_rows
    assert np.isfinite(score[worst])
    kept[[m["content"]["first"] for m in alone]] = True
    lost = ~kept & (frame["status"].cast(str) != "unavailable").to_numpy()
    assert (status[lost] == CODES["unavailable"]).all()
    assert {meta["reasons"][str(r)] for r in reason[lost]} == {"left out of this page to keep it small"}
    assert np.isnan(score[lost]).all()
    assert (status[kept] == CODES["scored"]).sum() > 10


def test_W4_a_page_waits_for_its_run_and_needs_a_folder(tmp_path: Path) -> None:
    made = nbf.explore(series(400, 9), "naive")
    page = Page(made.to_html(str(tmp_path / "page.html")).read_text())
    made.close()
    assert made.run.done
    progress = next(m["content"] for m in page.data["messages"] if m["content"]["kind"] == "progress")
    assert progress["calculated"] == progress["available"] == made.run.available
    with pytest.raises(nbf.NbForecastError, match="There is no folder"):
        made.to_html(tmp_path / "nowhere" / "page.html")


def test_W4_without_the_front_end_it_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assets.bundle.cache_clear()
    monkeypatch.setattr(assets, "_FOLDER", tmp_path)
    with pytest.raises(nbf.NbForecastError, match="npm run build"):
        assets.bundle("explorer")
