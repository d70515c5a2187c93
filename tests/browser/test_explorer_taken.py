"""W9, W10 on a page without a kernel: links, what is copied and saved, earlier forecasts, the pin and the selection."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from tests.support.explorers import series
from tests.support.lab import SCREENSHOTS
from tests.support.shown_explorer import Shown, assert_shown, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from nbforecast.run import Run

HORIZON = 6
NAMES = ("naive", "auto", "theta")


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    frame = pl.concat([series(300, 1, "a"), series(240, 2, "market, north & south")])
    return [nbf.forecast(frame, model, horizon=HORIZON, name="load", wait=True) for model in NAMES]


@pytest.fixture(scope="module")
def path(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    explorer = nbf.explore(runs, index=-30)
    explorer.compare = "auto"
    return explorer.to_html(tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture(scope="module")
def page(browser: Browser, path: Path) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    # What is copied is read here instead of from the clipboard, which belongs to all windows.
    page.add_init_script("navigator.clipboard.writeText = async (text) => { window.copied = text; };")
    page.goto(path.as_uri())
    Shown(page).await_drawn(-30)
    yield page
    context.close()


def copied(page: Page, item: str) -> str:
    page.get_by_role("button", name=re.compile("^(Copy|Copied|Saved)$")).click()
    page.evaluate("window.copied = ''")
    page.get_by_role("menuitem", name=item).click()
    await_true(lambda: page.evaluate("window.copied"))
    return str(page.evaluate("window.copied"))


def saved(page: Page, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("^(Copy|Copied|Saved)$")).click()
        page.get_by_role("menuitem", name=f"Save as {kind}").click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_W10_a_link_opens_the_page_at_its_series_model_and_time(page: Page, path: Path, runs: list[Run]) -> None:
    shown = Shown(page)
    name = "market, north & south"
    time = str(runs[2].series(name).frame["ds"][-51])
    page.evaluate("(hash) => { location.hash = hash; }", f"series={name.replace('&', '%26')}&model=theta&time={time}")
    shown.await_drawn(-50)
    assert shown.root.locator(".nbf-picked").inner_text() == name
    assert shown.root.get_by_label("Model", exact=True).input_value() == "2"
    link = copied(page, "Copy a link")
    assert link.startswith(path.as_uri() + "#")
    page.evaluate("location.hash = '#time=2031-01-01'")
    shown.await_drawn(0)  # the last one before it
    page.evaluate("location.hash = '#series=none'")
    page.get_by_text("The link names a series that is not here: none").wait_for()
    page.evaluate("(link) => { location.href = link; }", link)
    shown.await_drawn(-50)


def test_W10_copied_code_draws_the_forecast_in_view(page: Page, runs: list[Run]) -> None:
    Shown(page).await_drawn(-50)
    code = copied(page, "Copy as Python")
    assert code.endswith(").plot()")
    forecast = eval(code.removesuffix(".plot()"), {"runs": runs})
    assert (forecast.series, forecast.index) == ("market, north & south", -50)
    values = copied(page, "Copy the values").splitlines()
    assert_shown(values[1].split()[0], float(forecast.median[-1]))


def test_W10_csv_png_and_svg_have_what_is_shown(page: Page, runs: list[Run]) -> None:
    forecast = runs[2].at(-50, "market, north & south")
    name, content = saved(page, "CSV")
    assert re.fullmatch(r"load-market-north-south-2024-03-0\d-\d\d-00\.csv", name)
    table = pl.read_csv(io.BytesIO(content), try_parse_dates=True)
    ahead = table.drop_nulls("theta")
    assert ahead.height == HORIZON
    np.testing.assert_array_equal(ahead["theta"].to_numpy().astype("f4"), forecast.median)
    np.testing.assert_array_equal(ahead["y"].to_numpy(), forecast.actual)
    interval = forecast.interval(80)
    np.testing.assert_array_equal(ahead.select("theta-lo-80", "theta-hi-80").to_numpy().astype("f4"), interval)
    assert set(table["unique_id"]) == {"market, north & south"}

    _, svg = saved(page, "SVG")
    assert svg.startswith(b"<svg ")
    assert b"As of " in svg
    assert b"market, north &#38; south" in svg
    _, png = saved(page, "PNG")
    assert png.startswith(b"\x89PNG")
    width = int.from_bytes(png[16:20], "big")
    assert width == 2 * page.locator("canvas.nbf-fan").evaluate("c => Math.round(c.getBoundingClientRect().width)")


def test_W9_models_toggle_in_the_legend_and_are_ranked_beside_it(page: Page, runs: list[Run]) -> None:
    shown = Shown(page)
    page.evaluate("location.hash = '#series=a&model=naive&time=2024-03-11'")
    await_true(lambda: shown.root.locator(".nbf-picked").inner_text() == "a")
    page.get_by_label("Compare with other models").select_option(label="all others")
    legend = page.locator(".nbf-dock button")
    assert legend.all_inner_texts() == ["auto", "theta"]
    ranked = sorted(runs, key=lambda run: float(run.scores(by="unique_id")["crps"][0]))
    await_true(lambda: list(shown.card("CRPS by model")) == [run.model for run in ranked])
    board = {name: values.split("\t")[-1] for name, values in shown.card("CRPS by model").items()}
    for run in runs:
        assert_shown(board[run.model], float(run.scores(by="unique_id")["crps"][0]))
    legend.first.click()
    await_true(lambda: legend.first.get_attribute("aria-pressed") == "false")
    colour = "e => getComputedStyle(e).color"
    card = page.locator(".nbf-second-head").first.evaluate(colour)
    assert card == legend.last.evaluate(colour) != legend.first.evaluate(colour), "a model has one colour"
    legend.first.click()

    # Earlier forecasts and a pin add ink; both have a place in the legend.
    before = shown.inked()
    shown.press("p", "f", "ArrowRight", "ArrowRight")
    page.locator(".nbf-legend", has_text="earlier forecasts").wait_for()
    page.locator(".nbf-pinned").wait_for()
    await_true(lambda: shown.inked() > before)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "explorer-compared.png", full_page=True)
    shown.press("p", "f")
    await_true(lambda: not page.locator(".nbf-pinned").count())


def test_W10_a_drag_in_the_strip_selects_origins_and_says_their_mean_score(page: Page, runs: list[Run]) -> None:
    shown = Shown(page)
    shown.press("End", "[", *["ArrowLeft"] * 3, "[")
    line = page.locator(".nbf-stretch")
    line.wait_for()
    assert "4 origins" in line.inner_text()
    shown.press("Escape")
    await_true(lambda: line.is_hidden())

    page.evaluate("location.hash = '#time=2024-03-11 12:00'")
    await_true(lambda: shown.index < -20)
    box: Any = page.locator(".nbf-strip").bounding_box()
    x = shown.find_origin()
    page.mouse.move(box["x"] + x + 20, box["y"] + 18)
    page.mouse.down()
    page.mouse.move(box["x"] + x + 150, box["y"] + 18, steps=4)
    page.mouse.up()
    line.wait_for()
    ends = re.search(
        r"Selected: (.*) to (.*) · (\d+) origins · CRPS naive ([\d.]+)", line.inner_text().replace("\n", " ")
    )
    assert ends is not None, line.inner_text()
    frame = runs[0].series("a").frame
    times = [pl.Series([text]).str.to_datetime("%a %d %b %Y, %H:%M").item() for text in ends.groups()[:2]]
    selected = frame.filter(pl.col("ds").is_between(*times))
    assert selected.height == int(ends[3])
    assert_shown(ends[4], float(np.mean([np.mean(row) for row in selected["crps"].to_list()])))
    shown.press("Escape")
