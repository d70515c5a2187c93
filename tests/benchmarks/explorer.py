"""The explorer: what its kernel side takes, how large its page is, and its frame times in a real browser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.score_summary import encode_scores
from tests.benchmarks.table import Table, milliseconds, number
from tests.benchmarks.timing import compare, seconds
from tests.support.lab import browser_page
from tests.support.requirements import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import CDPSession, Page

# one pointer move a frame, as a hand makes them; the times between frames, and the script's own in each, in ms
DRAG = """async ([selector, frames, width]) => {
  const root = document.querySelector('.nbf-explorer'), part = root.querySelector(selector);
  const box = part.getBoundingClientRect(), y = box.top + 30;
  const frame = () => new Promise(requestAnimationFrame);
  const tell = (type, clientX) => part.dispatchEvent(new PointerEvent(type,
    {clientX, clientY: y, pointerId: 1, bubbles: true, buttons: 1, button: 0, pointerType: 'mouse'}));
  let from = box.left + box.width / 2;
  for (let x = box.left; x < box.right; x += 4) {
    tell('pointermove', x);
    if (part.classList.contains('nbf-near')) { from = x + 8; break; }
  }
  tell('pointerdown', from);
  const between = [], script = [], seen = new Set();
  let last = await frame();
  const drawn = {};
  for (let i = 0; i < frames; i++) {
    tell('pointermove', from + width * Math.sin(i / 25));
    const now = await frame();
    between.push(now - last); last = now;
    script.push(Number(root.dataset.ms)); seen.add(root.dataset.index);
    drawn[root.dataset.drawn] = (drawn[root.dataset.drawn] ?? 0) + 1;
  }
  tell('pointerup', from);
  return {between: between.slice(5), script, seen: seen.size, drawn};
}"""

DRAG_COLUMNS = ("frame, ms", "95 %", "frames a second", "script, ms", "CPU, ms", "origins", "without")


def flat(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.nanmean(contexts, 1)[:, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))


def tables(quick: bool) -> Iterator[Table]:
    points = 3_000 if quick else 100_000
    random = np.random.default_rng(0)
    day = np.sin(np.arange(points) * 2 * np.pi / 288)
    times = np.datetime64("2024-01-01", "us") + np.arange(points) * np.timedelta64(300, "s")
    frame = pl.DataFrame({"ds": times, "y": 140 + 30 * day + random.normal(0, 8, points)})
    run = nbf.forecast(frame, FunctionForecaster(flat, "flat", context=8, draws=10), wait=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        written = seconds(lambda: nbf.explore(run, index=-points // 2).to_html(page))
        yield _kernel(run, written, page.stat().st_size, 1 if quick else 5)
        if chromium() is not None:
            yield _frames(page, points, 60 if quick else 240)


def _kernel(run: Any, written: float, size: int, repeats: int) -> Table:
    some = min(512, len(run.data))
    taken = compare(
        {
            "history": lambda: encoding.encode_history(run.data, 0, run.horizon),
            "status": lambda: encoding.encode_status(run, 0, 0, 0, encoding.series_status(run, 0)),
            "scores": lambda: encode_scores(run, 0, 0),
            "rows": lambda: list(encoding.encode_rows(run, 0, 0, len(run.data) - some, some, 1)),
        },
        repeats,
    )
    rows = [
        ("the whole history, once", milliseconds(taken["history"])),
        ("status and score of every origin", milliseconds(taken["status"])),
        ("scores over all origins", milliseconds(taken["scores"])),
        (f"draws and quantiles of {some} origins", milliseconds(taken["rows"])),
        (f"`to_html`: {number(size / 1e6)} MB", milliseconds(written)),
        (f"the bundle: {len(bundle('explorer').encode()) / 1e3:.1f} KB", ""),
    ]
    return Table(f"The explorer's kernel side, {len(run.data):,} origins", ("message", "ms"), rows)


def _frames(path: Path, points: int, frames: int) -> Table:
    rows = []
    with browser_page(1200, 800) as page:
        for style in ("Bands", "Density"):
            for part, selector, width in (("the origin", ".nbf-focus", 150), ("the overview", ".nbf-overview", 30)):
                rows.append((style, part, *_drag(page, path, style, selector, frames, width)))
    columns = ("drawn as", "dragged", *DRAG_COLUMNS)
    note = (
        "A pointer moved once a frame, in headless Chromium without a GPU. CPU: of the page's main thread, "
        "painting included. Origins: how many different ones were passed. Without: frames in which the forecast of the "
        "origin was not there."
    )
    return Table(f"Scrubbing over {points:,} points", columns, rows, (note,))


def _drag(page: Page, path: Path, style: str, selector: str, frames: int, width: int) -> tuple[str, ...]:
    page.goto(path.as_uri())
    page.wait_for_selector(".nbf-explorer[data-drawn]")
    page.get_by_role("button", name=style, exact=True).click()
    page.wait_for_timeout(300)
    return drag(page, selector, frames, width)


def drag(page: Page, selector: str, frames: int, width: int) -> tuple[str, ...]:
    """Drags something on a page; the cells of a table on it, as `DRAG_COLUMNS` names them."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = metrics(session)["TaskDuration"]
    result = page.evaluate(DRAG, [selector, frames, width])
    busy = 1000 * (metrics(session)["TaskDuration"] - before) / frames
    session.detach()
    between, script, drawn = sorted(result["between"]), result["script"], result["drawn"]
    late = between[int(0.95 * len(between))]
    rate = 1000 * len(between) / sum(between)
    own = drawn.get("forecast", 0) + drawn.get("sketch", 0)
    times = (number(median(between)), number(late), number(rate), number(median(script)), number(busy))
    return (*times, str(result["seen"]), f"{sum(drawn.values()) - own} of {sum(drawn.values())}")


def metrics(session: CDPSession) -> dict[str, float]:
    """Chromium's own figures on a page, seconds and bytes."""
    return {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
