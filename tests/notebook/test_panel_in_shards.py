"""R1, M7: the notebook of a panel in shards, through a real papermill; its card in a real kernel."""

from pathlib import Path

import nbformat
import papermill
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel

PANEL = Path(__file__).parents[2] / "notebooks" / "panel.ipynb"


def test_R1_M7_the_panel_runs_through_papermill(tmp_path: Path) -> None:
    out = tmp_path / "panel.ipynb"
    papermill.execute_notebook(PANEL, out, {"series": 30, "points": 200}, progress_bar=False, log_output=False)
    cells = [c for c in nbformat.read(out, 4).cells if c.cell_type == "code"]
    displays = {c.source: c.outputs[-1].get("data", {}) for c in cells if c.outputs}

    def text_of(code: str) -> str:
        return next(data["text/plain"] for source, data in displays.items() if code in source)

    first, again, more = text_of("run = nbf"), text_of("again = nbf"), text_of("more = nbf")
    assert "Done: 30 of 30 series" in first
    assert "company 007 (data)" in first
    assert "company 013 (values)" in first
    assert "Done: 30 of 30 series; 0 origins inferred" in again
    assert "company 013" not in more
    origins = int(first.split("series; ")[1].split(" origins")[0].replace(",", "")) // 28
    assert f"{origins + 1:,} origins inferred" in more
    assert "company 007" in text_of("run.wait()")
    assert "_failures.parquet" in text_of("sorted(path.name")
    assert "shape: (12, 6)" in text_of('run.scores(by="horizon")')
    explored = next(data for source, data in displays.items() if "nbf.explore" in source)
    assert "data:image/svg+xml;base64," in explored["text/html"]


def test_E5_the_card_of_a_panel_stays_up_to_date(tmp_path: Path) -> None:
    code = f"""
import numpy as np, polars as pl, nbforecast as nbf, threading
%load_ext nbforecast
go = threading.Event()
def last(contexts, horizon):
    go.wait(60)
    return np.repeat(contexts[:, -1:], horizon, 1)
ids, steps = np.repeat(["a", "b", "c"], 50), np.tile(np.arange(50), 3)
frame = pl.DataFrame({{"unique_id": ids, "ds": steps, "y": steps % 7}})
frame.write_parquet(r"{tmp_path}/p.parquet")
run = nbf.forecast_dataset(r"{tmp_path}/p.parquet", r"{tmp_path}/to", model=last)
run
"""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(client)
        outputs, error = kernel.run(code)
        assert not error
        assert "p: last forecasts 12 steps ahead" in outputs[-1]["text/plain"]
        assert "text/html" in outputs[-1]
        kernel.start("go.set()")
        kernel.await_text("Done: 3 of 3 series")
        assert kernel.value("run.done") is True
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
