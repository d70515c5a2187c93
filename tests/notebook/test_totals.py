"""R1, J3: the notebook on totals and peaks, through a real papermill."""

from pathlib import Path

import nbformat
import papermill
import pytest

pytestmark = pytest.mark.slow

TOTALS = Path(__file__).parents[2] / "notebooks" / "totals.ipynb"


def test_R1_J3_the_notebook_on_totals_answers_its_questions(tmp_path: Path) -> None:
    out = tmp_path / "totals.ipynb"
    parameters = {"shops": 3, "days": 150, "model": "naive", "peak_model": "naive"}
    papermill.execute_notebook(TOTALS, out, parameters, progress_bar=False, log_output=False)
    shown = {
        cell.id: "\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in cell.outputs)
        for cell in nbformat.read(out, 4).cells
        if cell.cell_type == "code"
    }
    assert "with 80 % probability between" in shown["total"]
    assert "north (sales): forecast by naive" in shown["paths"]
    assert "reconciled" in shown["methods"]
    assert "at most" in shown["peak"]
    assert "frequency" in shown["reliability"]
