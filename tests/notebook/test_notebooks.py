"""R1, A3, H1, H2, J3, M7, V1: the notebooks but for the tour and the report, in one kernel of a real papermill.

A kernel of its own for each would take two seconds to import the same; `make docs` runs each by itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "notebooks"
EXPORT = SHARED / "data" / "raw" / "dexcom_clarity_g6.csv"
COVARIATES = {
    "sales_promotions": {"model": "naive", "shops": 2, "days": 120},
    "load_weather": {"model": "naive", "days": 21},
    "glucose_meals": {"model": "naive", "days": 2},
    "chronos2": {"days": 8},
}
SMALL = COVARIATES | {
    "live_glucose": {"model": "naive", "first": 1438, "readings": 5},
    "glucose": {"data": str(EXPORT) if EXPORT.exists() else "", "model": "theta", "max_duration": "3d"},
    "own_model": {"max_duration": 400},
    "totals": {"shops": 3, "days": 150, "model": "naive", "peak_model": "naive"},
    "machine_temperature": {"data": "simulated", "model": "naive", "horizon": 8, "days": 30},
    "panel": {"series": 30, "points": 200},
}  # fmt: skip


def small(name: str) -> NotebookNode:
    """A notebook with parameters that save time, its cells named after it."""
    notebook = parameterize_notebook(load_notebook_node(str(FOLDER / f"{name}.ipynb")), SMALL[name])
    for cell in notebook.cells:
        cell.id = f"{name}-{cell.id}"[:64]
    return notebook


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the cells of all notebooks show, by the cell's identity."""
    folder, notebooks = tmp_path_factory.mktemp("notebooks"), [small(name) for name in SMALL]
    together = notebooks[0].copy()
    together.cells = [cell for notebook in notebooks for cell in notebook.cells]
    nbformat.write(together, folder / "in.ipynb")
    out = papermill.execute_notebook(folder / "in.ipynb", folder / "out.ipynb", progress_bar=False, log_output=False)
    return {cell.id: cell.outputs for cell in out.cells if cell.cell_type == "code"}


@pytest.fixture(scope="module")
def shown(outputs: Mapping[str, Any]) -> Mapping[str, str]:
    """What they show as text."""
    return {
        name: "\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in all_of_it)
        for name, all_of_it in outputs.items()
    }


def test_R1_H2_V1_notebooks_show_what_was_learned_and_told(
    outputs: Mapping[str, Any], shown: Mapping[str, str]
) -> None:
    for name in COVARIATES:
        assert name == "chronos2" or "error_without" in shown[f"{name}-effects"]
        assert "data:image/svg+xml" in str(outputs[f"{name}-explorer"]), "a picture where no kernel is"
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


def test_R1_the_glucose_notebook_goes_from_an_export_to_probabilities(shown: Mapping[str, str]) -> None:
    assert "at steps of 5 minutes" in shown["glucose-data"]
    assert "moved to the nearest point" in shown["glucose-data"] or not EXPORT.exists()
    assert "calibrated 80 % band" in shown["glucose-current-forecast"]
    assert "shape: (12, 4)" in shown["glucose-range"]
    expected = r"theta expects the next hour to be [\d.]+ % below 70 and [\d.]+ % above 180"
    assert re.search(expected, shown["glucose-exceedance"])
    assert "1 hour ahead" in shown["glucose-horizons"]
    assert re.search(r"The 80 % bands contain [\d.]+ %", shown["glucose-calibration"])


def test_R1_a_model_of_ones_own_is_registered_drawn_and_compared(shown: Mapping[str, str]) -> None:
    assert "The MAE of yesterday is" in shown["own_model-points"]
    assert "fortnight" in shown["own_model-quickdraw"]
    assert "Done:" in shown["own_model-forecast"]
    assert re.search(r"yesterday .*no bands", shown["own_model-compare"])
    assert "returned an array of shape" in shown["own_model-errors"]


def test_R1_J3_the_notebook_on_totals_answers_its_questions(shown: Mapping[str, str]) -> None:
    assert "with 80 % probability between" in shown["totals-total"]
    assert "north (sales): forecast by naive" in shown["totals-paths"]
    assert "reconciled" in shown["totals-methods"]
    assert "at most" in shown["totals-peak"]
    assert "frequency" in shown["totals-reliability"]


def test_R1_A3_the_notebook_finds_the_failure_of_a_simulated_machine(shown: Mapping[str, str]) -> None:
    assert "simulated machine: 2,880 values" in shown["machine_temperature-data"]
    assert "are odd, in" in shown["machine_temperature-surprises"]
    # It begins after 95 % of 30 days, and the shutdown after a third.
    events, failure = (shown[f"machine_temperature-{name}"] for name in ("events", "failure"))
    assert "2024-01-29" in events or "2024-01-11" in events
    assert "odd observation" in failure or "forecast by naive" in failure


def test_R1_M7_the_panel_is_done_when_its_cell_ends(outputs: Mapping[str, Any], shown: Mapping[str, str]) -> None:
    first, again, more = (shown[f"panel-cell-{number}"] for number in ("05", "17", "19"))
    assert "Done: 30 of 30 series" in first
    assert "company 007 (data)" in first
    assert "company 013 (values)" in first
    assert "Done: 30 of 30 series; 0 origins inferred" in again
    assert "company 013" not in more
    origins = int(first.split("series; ")[1].split(" origins")[0].replace(",", "")) // 28
    assert f"{origins + 1:,} origins inferred" in more
    assert "company 007" in shown["panel-cell-06"]
    assert "_failures.parquet" in shown["panel-cell-08"]
    assert "shape: (12, 6)" in shown["panel-cell-10"]
    assert "data:image/svg+xml;base64," in outputs["panel-cell-15"][-1]["data"]["text/html"]
