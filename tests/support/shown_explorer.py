"""The explorer on a page, as a person sees and moves it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from tests.support.lab import Notebook


def assert_shown(text: str, *candidates: float) -> None:
    """A text shows one of some numbers to its last digit."""
    plain = text.replace(",", "").replace("−", "-")
    digits, _, exponent = plain.partition("e")
    place = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    assert any(abs(float(plain) - number) <= place * 0.501 for number in candidates), (text, candidates)


class Shown:
    """An explorer on a page."""

    def __init__(self, where: Locator | Page) -> None:
        self.root = where.locator(".nbf-explorer")
        self.surface = self.root.get_by_role("slider").and_(self.root.locator(".nbf-focus"))

    @property
    def index(self) -> int:
        return int(self.root.get_attribute("data-index") or "1")

    def await_drawn(self, index: int | None = None, seconds: float = 20) -> None:
        """Wait until a forecast is drawn, as of an index if one is given."""
        at = "" if index is None else f"[data-index='{index}']"
        self.root.and_(self.root.page.locator(f"[data-drawn=forecast]{at}")).wait_for(timeout=1000 * seconds)

    def await_moved(self, index: int) -> None:
        """Wait until the origin is another one."""
        await_true(lambda: self.index != index)

    def inked(self) -> float:
        """Share of the forecast's canvas that is painted on."""
        return float(
            self.root.locator("canvas.nbf-fan").first.evaluate(
                """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
                let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return 4 * n / d.length; }"""
            )
        )

    def press(self, *keys: str) -> None:
        self.surface.focus()
        for key in keys:
            self.surface.press(key)

    def choose(self, series: str) -> None:
        self.root.locator(".nbf-picker > button[aria-haspopup='listbox']").click()
        self.root.get_by_role("combobox", name="Find a series").fill(series)
        # what is typed may be part of other names, and cells with scores follow the name
        names = self.root.locator("[role=option] > span:first-child")
        names.filter(has_text=re.compile(rf"^{re.escape(series)}$")).click()
        # until the next frame the other series is still drawn
        self.root.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def card(self, heading: str) -> dict[str, str]:
        """The rows of the card's table whose heading begins with a text."""
        headings = self.root.page.locator("h4", has_text=re.compile(f"^{heading}"))
        rows = self.root.locator(".nbf-card section").filter(has=headings).locator("tbody tr").all_inner_texts()
        return dict(re.split(r"\t", row.strip(), maxsplit=1) for row in rows)

    def readout(self) -> list[str]:
        """The lines on what is under the pointer in the chart."""
        return self.root.locator(".nbf-readout:not(.nbf-idle) span").all_inner_texts()

    def click(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def drag(self, pixels: int) -> None:
        """Take the origin's handle and move it."""
        box = self.surface.bounding_box()
        grip = self.surface.evaluate(
            "e => e.closest('.nbf-explorer').querySelector('canvas.nbf-fan').dataset.x ?? null"
        )
        assert box is not None
        assert grip is None
        mouse, y = self.root.page.mouse, box["y"] + box["height"] / 2
        x = box["x"] + self.find_origin()
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + pixels, y, steps=12)
        mouse.up()

    def find_origin(self) -> float:
        """Where the handle is: over it the pointer's form changes. The page itself looks for it, in one message."""
        places: list[int] = self.surface.evaluate(
            """e => { const box = e.getBoundingClientRect(), near = [];
            for (let x = 0; x < box.width; x += 6) {
              const at = {clientX: box.x + x, clientY: box.y + box.height / 2, bubbles: true};
              e.dispatchEvent(new PointerEvent('pointermove', at));
              if (e.classList.contains('nbf-near')) near.push(x);
            }
            return near; }"""
        )
        assert places, "there is a handle"
        return sum(places) / len(places)


def await_value(notebook: Notebook, expression: str, expected: str, seconds: float = 10) -> None:
    """Wait until the kernel has it so: what a page sets arrives a little later."""
    end = time.monotonic() + seconds
    while (value := notebook.evaluate(expression)) != expected:
        assert time.monotonic() < end, (value, expected)
        time.sleep(0.1)


def await_true(true: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
