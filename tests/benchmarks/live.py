"""Live data: the time from the write of a row to its forecast on the screen, in a real JupyterLab and browser."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.table import Table, milliseconds, number
from tests.support.lab import VIEWPORT, Lab, Notebook, launch_browser
from tests.support.requirements import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

START = dt.datetime(2015, 1, 1)
PAUSE = 1.0  # seconds between a row on the screen and the next
# the moment at which an explorer shows the forecast as of its newest row, once it has so many rows
SEEN = """(rows) => new Promise((done) => {
  const root = document.querySelector('.nbf-explorer');
  const isSeen = ({rows: count, index, drawn}) => Number(count) >= rows && index === '0' && drawn === 'forecast';
  const look = () => isSeen(root.dataset) ? done(Date.now()) : requestAnimationFrame(look);
  look();
})"""


def tables(quick: bool) -> Iterator[Table]:
    if chromium() is None:
        return
    sizes, rows = ([1_000], 3) if quick else ([1_000, 100_000, 1_000_000], 40)
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, launch_browser() as browser:
        lines = []
        for size in sizes:
            page = browser.new_page(viewport=VIEWPORT)
            lines.append((number(size), *_measure(lab, page, size, rows)))
            page.close()
            lab.shut_down_kernels()
    note = (
        f"A process appends {rows} lines to a CSV file, a second after the one before is seen; naive, horizon 12. "
        "The past of a million points is not inferred (origins='latest')."
    )
    yield Table("Row to screen, ms", ("points", "median", "95 %", "slowest"), lines, (note,))


def _measure(lab: Lab, page: Page, size: int, rows: int) -> tuple[str, ...]:
    path = lab.work / f"{size}.csv"
    values = np.round(140 + 30 * np.sin(np.arange(size + rows) * 2 * np.pi / 288), 1)
    lines = [f"{START + i * dt.timedelta(minutes=5)},{value}\n" for i, value in enumerate(values.tolist())]
    path.write_text("time,glucose\n" + "".join(lines[:size]))
    options = ", origins='latest'" if size >= 1_000_000 else ""
    cells = [
        "%load_ext nbforecast\nimport nbforecast as nbf",
        f"live = nbf.watch('{path}', 'naive'{options})\n_ = live.wait()",
        "live",
    ]
    notebook = Notebook(page, lab, f"{size}.ipynb", cells)
    for cell in range(3):
        notebook.run(cell)
    page.wait_for_selector(".nbf-explorer[data-drawn='forecast']", timeout=60_000)
    taken = []
    for row in range(size, size + rows):
        time.sleep(PAUSE)
        with path.open("a") as file:
            began = time.time()
            file.write(lines[row])
        taken.append(page.evaluate(SEEN, row + 1) / 1000 - began)
    return tuple(milliseconds(float(x)) for x in (*np.quantile(taken, [0.5, 0.95]), max(taken)))
