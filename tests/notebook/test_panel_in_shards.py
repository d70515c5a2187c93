"""E5: the card of a panel in shards, in a real kernel."""

from pathlib import Path

from tests.support.kernel import Kernel


def test_E5_the_card_of_a_panel_stays_up_to_date(shared_kernel: Kernel, tmp_path: Path) -> None:
    code = f"""
import numpy as np, polars as pl, nbforecast as nbf, threading
%reload_ext nbforecast
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
    outputs, error = shared_kernel.run(code)
    assert not error
    assert "p: last forecasts 12 steps ahead" in outputs[-1]["text/plain"]
    assert "text/html" in outputs[-1]
    shared_kernel.start("go.set()")
    shared_kernel.await_text("Done: 3 of 3 series")
    assert shared_kernel.value("run.done") is True
