"""R1, H1, H2, V1: notebooks on promotions, weather, meals, Chronos-2 and a stream, in one kernel of papermill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import papermill
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "notebooks"
SMALL = {
    "sales_promotions": {"model": "naive", "shops": 2, "days": 120},
    "load_weather": {"model": "naive", "days": 21},
    "glucose_meals": {"model": "naive", "days": 2},
    "chronos2": {"days": 8},
}
LIVE = {"live_glucose": {"model": "naive", "first": 1438, "readings": 5}}


def small(name: str) -> NotebookNode:
    """A notebook with parameters that save time, its cells named after it."""
    notebook = parameterize_notebook(load_notebook_node(str(FOLDER / f"{name}.ipynb")), (SMALL | LIVE)[name])
    for cell in notebook.cells:
        cell.id = f"{name}-{cell.id}"[:64]
    return notebook


def test_R1_H2_V1_notebooks_show_what_was_learned_and_told(tmp_path: Path) -> None:
    notebooks = [small(name) for name in SMALL | LIVE]
    together = notebooks[0].copy()
    together.cells = [cell for notebook in notebooks for cell in notebook.cells]
    nbformat.write(together, tmp_path / "in.ipynb")
    out = papermill.execute_notebook(
        tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False, log_output=False
    )
    shown = {
        cell.id: "\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in cell.outputs)
        for cell in out.cells
        if cell.cell_type == "code"
    }
    for name in SMALL:
        assert name == "chronos2" or "error_without" in shown[f"{name}-effects"]
        assert "data:image/svg+xml" in str(next(cell.outputs for cell in out.cells if cell.id == f"{name}-explorer")), (
            "a picture where no kernel is"
        )
    assert "naive-learned has the lowest CRPS" in shown["glucose_meals-comparison"]
    assert "within an hour after a meal" in shown["glucose_meals-after-meals"]
    assert "same weekday" in shown["sales_promotions-own"]
    assert "with weather and holidays" in shown["load_weather-comparison"]
    assert "{'random': '21 quantiles', 'pretrained': '10 quantiles'}" in shown["chronos2-forecast"]
    assert "compared by the WIS" in shown["chronos2-comparison"]
    promoted = [line for line in shown["sales_promotions-promoted"].splitlines() if "with promotion" in line]
    learned, base = (float(number) for number in promoted[0].split("┆")[1:3] for number in [number.strip(" │")])
    assert learned < base, "promotions are learned"
    assert "Largest difference of 5 probabilities: 0" in shown["live_glucose-back"]
    assert "Live: the newest row is of 2017-03-19" in shown["live_glucose-stream"]
    assert "begins: above 180 within 30min" in shown["live_glucose-told"]
