"""A3, W4, W6, W7, W8: the explorer's page without a kernel: its numbers, odd observations, pointer and keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.widgets.explorer.encoding import first_ranked_row
from tests.support.explorers import series
from tests.support.hard_series import hard_panel
from tests.support.lab import SCREENSHOTS
from tests.support.shown_explorer import Shown, assert_shown, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from nbforecast.run import Run

AT = 320  # the row of a spike
HOSTILE = "<img src=x onerror=window.hacked=1>"

# VS Code gives JupyterLab's variables to widgets as well, with values that fit its notebook's code
VSCODE_THEME = """background => {
  const theme = {"--vscode-font-family": "Segoe WPC", "--vscode-editor-background": background,
    "--jp-ui-font-family": "monospace", "--jp-layout-color0": "#808080"};
  for (const [name, value] of Object.entries(theme)) document.documentElement.style.setProperty(name, value);
}"""


def flat(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.nanmean(contexts, 1)[:, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))


FLAT = FunctionForecaster(flat, "flat", context=8, least=4, draws=10)


@pytest.fixture(scope="module")
def odd_run() -> Run:
    spike = np.where(np.arange(400) == AT, 30.0, 0.0)
    frame = series(400, 5).with_columns(y=pl.col("y") + spike)
    return nbf.forecast(frame, "naive", horizon=4, wait=True)


@pytest.fixture(scope="module")
def page(browser: Browser, odd_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = nbf.explore(odd_run, index=-30).to_html(tmp_path_factory.mktemp("page") / "page.html")
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 950})
    page = context.new_page()
    page.goto(path.as_uri())
    Shown(page).await_drawn(-30)
    yield page
    context.close()


def test_A3_the_next_surprise_is_shown_as_of_when_it_was_odd_already(page: Page, odd_run: Run) -> None:
    shown, table = Shown(page), odd_run.surprises().sort("p")
    shown.click("Next surprise")
    shown.await_drawn(odd_run.data.locate(AT)[1] - table["lead"][0])
    expected: Any = table.row(0, named=True)
    assert expected["index"] == odd_run.data.locate(AT)[1]
    caption = page.locator("table.nbf-sr caption", has_text="Surprise: ")
    caption.wait_for(state="attached")
    assert f"{100 * expected['p']:.2g} % likely" in (caption.text_content() or "")
    assert shown.card("Surprises")["Observations"] == str(len(table))
    assert shown.card("Surprises")["Events"] == str(table["event"].n_unique())

    # The mark above the score strip and the observation itself are read out with Python's numbers.
    box: Any = shown.surface.bounding_box()
    x = shown.find_origin()
    page.mouse.move(box["x"] + x, box["y"] + 150)
    numbers: list[str] = []
    for pixel in range(int(x), int(box["width"]), 3):
        page.mouse.move(box["x"] + pixel, box["y"] + 150)
        lines = [line for line in shown.readout() if line.startswith("expected")]
        if lines:
            numbers = lines[0].replace("expected ", "").replace("· 99 % ", "").replace("to ", "").split()
            break
    assert len(numbers) == 3
    for text, name in zip(numbers, ("expected", "lo", "hi"), strict=True):
        assert_shown(text, expected[name])
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "explorer-surprises.png", full_page=True)
    before = shown.index
    shown.press("s")
    await_true(lambda: shown.index != before or table["event"].n_unique() == 1)


def test_W7_a_click_places_the_origin_a_drag_zooms_and_a_double_click_shows_as_much_as_at_first(page: Page) -> None:
    shown, mouse = Shown(page), page.mouse
    shown.press("End", "0")
    shown.await_drawn(0)
    box: Any = shown.surface.bounding_box()

    def times_at_edges() -> list[str]:
        """The times near both edges of the plot, as they are read out."""
        ends = []
        for share in (0.1, 0.9):
            mouse.move(box["x"] + share * box["width"], box["y"] + 120)
            ends.append(shown.readout()[0])
        return ends

    before = times_at_edges()
    mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 120)
    time = shown.readout()[0]
    mouse.down()
    mouse.up()
    await_true(lambda: time.split(", ")[1] in page.locator(".nbf-card .nbf-sub").first.inner_text())
    placed = shown.index
    assert placed < -5
    page.keyboard.press("ArrowRight")
    await_true(lambda: shown.index == placed + 1)
    placed = shown.index
    seen = times_at_edges()

    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 100)
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 130, steps=4)
    assert page.locator(".nbf-brush").is_visible()
    mouse.up()
    assert page.locator(".nbf-brush").is_hidden()
    await_true(lambda: times_at_edges() != seen)
    assert shown.index == placed, "zooming leaves the origin where it is"
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 100)
    mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 100)
    page.wait_for_timeout(300)
    shown.press("End")
    shown.await_drawn(0)
    page.keyboard.press("0")
    await_true(lambda: times_at_edges() == before)


def test_W11_the_card_opens_with_the_forecast_in_words(page: Page, odd_run: Run) -> None:
    shown = Shown(page)
    shown.press("End", "ArrowLeft")
    shown.await_drawn(-1)
    forecast = odd_run.at(-1)
    card = page.locator(".nbf-card section").first
    await_true(lambda: card.locator(".nbf-words").inner_text().endswith(" in 4 h"))
    assert_shown(card.locator(".nbf-words").inner_text().split()[0], float(forecast.median[-1]))
    words = card.locator(".nbf-sub").last.inner_text().split()
    assert words[:2] == ["80", "%:"]
    for text, number in zip((words[2], words[4]), forecast.interval(80)[-1], strict=True):
        assert_shown(text, float(number))
    assert len(words) == 5, "nothing is observed yet"


def test_W7_question_mark_lists_the_keys_and_escape_closes_the_list(page: Page) -> None:
    shown = Shown(page)
    shown.press("?")
    keys = page.get_by_role("dialog", name="Keys and gestures")
    keys.wait_for()
    assert "next surprise" in keys.inner_text()
    page.screenshot(path=SCREENSHOTS / "explorer-keys.png")
    page.keyboard.press("Escape")
    keys.wait_for(state="hidden")
    shown.press("ArrowLeft")
    shown.click("Keys and gestures")
    keys.wait_for()
    shown.click("Keys and gestures")
    keys.wait_for(state="hidden")


def test_W8_a_panel_is_ranked_in_its_list_and_one_key_leads_to_the_worst_of_all(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = [
        series(120, k, f"shop {k:02d}").with_columns(y=pl.col("y") + 40 * (pl.int_range(pl.len()) % (k + 31) == 0))
        for k in range(30)
    ]
    run = nbf.forecast(pl.concat(frames), "naive", horizon=4, wait=True)
    path = nbf.explore(run).to_html(tmp_path_factory.mktemp("panel") / "page.html")
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 950})
    page = context.new_page()
    page.goto(path.as_uri())
    shown = Shown(page)
    shown.await_drawn()
    page.locator(".nbf-picker > button[aria-haspopup='listbox']").click()
    page.get_by_role("button", name="MASE").click()
    scores = run.scores("series").sort("mase", descending=True)
    options = page.get_by_role("listbox", name="Series").get_by_role("option")
    await_true(lambda: options.first.locator("span").count() == 5)
    assert options.count() == 30
    names = [text.split("\n")[0] for text in options.all_inner_texts()]
    assert names == scores["unique_id"].to_list()
    cells = options.first.locator("span").all_inner_texts()
    assert_shown(cells[1], scores["mase"][0])
    assert_shown(cells[2].removesuffix(" %"), 100 * scores["coverage_80"][0])
    assert options.first.locator("svg path").get_attribute("d")
    page.screenshot(path=SCREENSHOTS / "explorer-panel.png")
    page.get_by_role("combobox", name="Find a series").fill("shop 07")
    await_true(lambda: options.count() == 1)
    page.keyboard.press("Enter")
    shown.await_drawn()
    assert page.locator(".nbf-picked").inner_text() == "shop 07"
    shown.press("Shift+W")
    await_true(lambda: page.locator(".nbf-picked").inner_text() == scores["unique_id"][0])
    crps = run.scores("index").filter(unique_id=scores["unique_id"][0])
    ranked = first_ranked_row(run, run.data.position(scores["unique_id"][0]))
    worst = crps.tail(-ranked).sort("crps", descending=True, nulls_last=True)["index"][0]
    shown.await_drawn(worst)
    context.close()


def test_W4_the_page_works_by_itself_offline(browser: Browser, tmp_path: Path) -> None:
    frame = nbf.sample("glucose").filter(unique_id="hall_2133-036")
    both = frame.with_columns(unique_id=frame["unique_id"].replace("hall_2133-036", HOSTILE)).extend(frame.tail(500))
    made = nbf.explore(both, model=["naive", FLAT], series=HOSTILE, index=-30)
    path = made.to_html(tmp_path / "page.html")
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(path.as_uri())
    shown = Shown(page)
    shown.await_drawn(-30)
    assert shown.inked() > 0.02
    assert not page.locator("#still").is_visible()
    shown.press("ArrowLeft", "ArrowLeft")
    shown.await_drawn(-32)
    told = page.locator("table.nbf-sr caption")
    await_true(lambda: re.search("index [-−]32", told.text_content() or ""))
    found: Any = made.runs[0].at(-32, HOSTILE)
    cells = page.locator("table.nbf-sr tbody tr").first.locator("td").all_inner_texts()
    for text, number in zip(cells[:3], [found.median[0], *found.quantile((0.1, 0.9))[0]], strict=True):
        assert_shown(text, number)
    shown.click("Worst")
    scores = made.run.scores("index").filter(unique_id=HOSTILE)
    ranked = scores.tail(-first_ranked_row(made.run, made.run.data.position(HOSTILE)))
    worst = ranked.sort("crps", descending=True, nulls_last=True)["index"][0]
    shown.await_drawn(worst)
    shown.root.get_by_label("Model", exact=True).select_option(label="flat")
    shown.click("Latest")
    shown.await_drawn(0)
    shown.click("Density")
    assert shown.root.get_by_role("button", name="Cancel").is_hidden()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("() => window.hacked ?? null") is None
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "explorer-page.png", full_page=True)
    for background, is_dark in (
        ("#1e1e1e", "true"),
        ("#fdf6e3", "false"),
    ):  # W12: as VS Code sets them, JupyterLab's too
        page.evaluate(VSCODE_THEME, background)
        page.locator(f"[data-dark={is_dark}]").first.wait_for()
        assert "Segoe WPC" in shown.root.evaluate("el => getComputedStyle(el).fontFamily")
    context.close()
    made.close()
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert errors == []


def test_W6_a_page_shows_the_numbers_of_hard_series_and_prints(browser: Browser, tmp_path: Path) -> None:
    made = nbf.explore(hard_panel(), "naive", horizon=6, index=-30, wait=True)
    path = made.to_html(tmp_path / "page.html")
    made.close()
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    shown = Shown(page)
    shown.await_drawn(-30)
    for name in ("tiny", "huge", "exponential", "glitch", "level", "counts", "glucose"):
        shown.choose(name)
        shown.await_drawn(-30)
        forecast: Any = made.run.at(-30, name)
        scores = made.run.scores("series").filter(unique_id=name).row(0, named=True)
        error = np.abs(forecast.actual - forecast.median)
        assert_shown(shown.card("This origin")["MAE"], error.mean(dtype=float))
        for coverage in (50, 80, 95):
            low, high = forecast.interval(coverage).T
            inside = ((low <= forecast.actual) & (forecast.actual <= high)).sum()
            assert shown.card("This origin")[f"in {coverage} %"] == f"{inside} of 6", name
        for score in ("mae", "crps", "mase"):
            assert_shown(shown.card("All")[score.upper()], scores[score])
        time_text = f"{forecast.time:%H:%M}"
        caption = page.locator("table.nbf-sr caption", has_text=time_text)
        end = re.compile(
            r"Median (\S+) to (\S+), 80 % band at the end (\S+) to (\S+), observed (\S+)\.(?: Surprise: .*)?$"
        )
        numbers = [*forecast.median[[0, -1]], *forecast.interval(80)[-1], forecast.actual[-1]]
        caption.wait_for(state="attached")
        texts = end.search(caption.text_content() or "")
        assert texts, caption.text_content()
        for text, number in zip(texts.groups(), numbers, strict=True):
            assert_shown(text, number)
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    chart, card = (page.locator(part).bounding_box() for part in (".nbf-stage", ".nbf-card"))
    assert chart is not None
    assert card is not None
    assert chart["x"] + chart["width"] <= card["x"], "the chart is not drawn across the table"
    assert card["x"] + card["width"] <= 740, "everything is on the sheet"
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    await_true(lambda: (page.locator(".nbf-stage").bounding_box() or {})["width"] > 700)
    context.close()
