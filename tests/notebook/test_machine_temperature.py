"""R1, A3: the notebook on a machine's temperature finds its failure, through a real papermill."""

from pathlib import Path

import nbformat
import papermill
import pytest

pytestmark = pytest.mark.slow

MACHINE = Path(__file__).parents[2] / "notebooks" / "machine_temperature.ipynb"


def test_R1_A3_the_notebook_finds_the_failure_of_a_simulated_machine(tmp_path: Path) -> None:
    out = tmp_path / "machine.ipynb"
    parameters = {"data": "simulated", "model": "naive", "horizon": 8, "days": 30}
    papermill.execute_notebook(MACHINE, out, parameters, progress_bar=False, log_output=False)
    shown = {
        cell.id: "\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in cell.outputs)
        for cell in nbformat.read(out, 4).cells
        if cell.cell_type == "code"
    }
    assert "simulated machine: 2,880 values" in shown["data"]
    assert "are odd, in" in shown["surprises"]
    # It begins after 95 % of 30 days, and the shutdown after a third.
    assert "2024-01-29" in shown["events"] or "2024-01-11" in shown["events"]
    assert "odd observation" in shown["failure"] or "forecast by naive" in shown["failure"]
