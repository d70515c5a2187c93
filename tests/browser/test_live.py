"""V1: live data in a real JupyterLab: a file grows, the explorer follows, stays, comes back and says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.lab import Notebook
from tests.support.live_sources import GrowingFile, time_of, value

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.lab import Lab

SETUP = """
%load_ext nbforecast
import nbforecast as nbf, numpy as np
from nbforecast.forecasters.adapters.function import FunctionForecaster
def spread(contexts, horizon):
    return contexts[:, -1, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))
live = nbf.watch({path!r}, FunctionForecaster(spread, 'spread', context=8, least=8, draws=10, key='spread'), 12)
_ = live.wait()
"""


def test_V1_the_explorer_follows_the_newest_origin_until_somebody_looks_elsewhere(lab: Lab, page: Page) -> None:
    file = GrowingFile(lab.work / "glucose.csv", 100)
    cells = [SETUP.format(path=str(file.path)), "live", "live.stop()"]
    notebook = Notebook(page, lab, "live.ipynb", cells)
    notebook.run(0)
    notebook.run(1)
    root = notebook.outputs(1).locator(".nbf-explorer")
    badge, back = root.locator(".nbf-live"), root.get_by_role("button", name="Back to live")

    def expect(**shown: str) -> None:
        marks = "".join(f"[data-{name}='{text}']" for name, text in shown.items())
        notebook.outputs(1).locator(f".nbf-explorer{marks}").wait_for(timeout=20_000)

    expect(drawn="forecast", rows="100", index="0")
    assert badge.get_attribute("data-state") == "late"
    file.append(2)
    expect(drawn="forecast", rows="102", index="0")
    root.locator(".nbf-live[data-state=live]").wait_for()
    assert f"{time_of(101):%H:%M}" in root.locator(".nbf-card").inner_text()
    assert back.is_hidden()
    notebook.picture(1, "live")

    root.locator(".nbf-focus").press("ArrowLeft")
    root.locator(".nbf-focus").press("ArrowLeft")
    expect(index="-2")
    file.append(3)
    expect(drawn="forecast", rows="105", index="-5")
    assert f"{time_of(99):%H:%M}" in root.locator(".nbf-card").inner_text()
    back.click()
    expect(drawn="forecast", index="0")
    file.append()
    expect(drawn="forecast", rows="106", index="0")
    assert notebook.evaluate("live.run.data.values[-1]") in (f"np.float64({value(105)})", str(value(105)))

    file.path.unlink()
    root.locator(".nbf-live[data-state=failed]").wait_for()
    assert badge.inner_text().startswith("Failed since")
    assert "does not exist" in (badge.get_attribute("title") or "")
    notebook.picture(1, "live-failed")
    notebook.run(2)
    root.locator(".nbf-live[data-state=stopped]").wait_for()
