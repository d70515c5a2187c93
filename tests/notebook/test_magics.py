"""C5, C9, M1, M2, M3, M4, M5, M7, E5, R1: the magics in a real IPython kernel, the tour through a real papermill."""

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel

TOUR = Path(__file__).parents[2] / "notebooks" / "tour.ipynb"
SETUP = "import nbforecast as nbf\n%reload_ext nbforecast\ndf = nbf.sample('taxi').tail(400)"


@pytest.fixture(scope="module")
def kernel(shared_kernel: Kernel) -> Kernel:
    assert shared_kernel.run(SETUP) == ([], "")
    return shared_kernel


def test_M1_loading_imports_neither_jax_nor_polars() -> None:
    code = (
        "import sys; from IPython.testing.globalipapp import start_ipython; ip = start_ipython()\n"
        "before = set(sys.modules); ip.run_line_magic('load_ext', 'nbforecast')\n"
        "new = set(sys.modules) - before\n"
        "assert not {'jax', 'polars', 'pandas', 'numpy', 'pyarrow', 'matplotlib'} & new, new\n"
        "assert 'forecast' in ip.magics_manager.magics['line']\n"
        "ip.run_line_magic('unload_ext', 'nbforecast')\n"
        "assert 'forecast' not in ip.magics_manager.magics['line']\n"
        "ip.run_line_magic('load_ext', 'nbforecast')\n"
        "assert 'forecast' in ip.magics_manager.magics['line']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_M3_quickdraw_returns_a_chart_with_picture_and_text(kernel: Kernel) -> None:
    (output,), error = kernel.run("%quickdraw df -i -24 -m naive -H 6")
    assert not error
    assert {"text/html", "image/svg+xml", "text/plain"} <= set(output)
    assert "index -24" in output["text/plain"]
    assert output["image/svg+xml"].startswith("<svg")
    assert "<img src=" in output["text/html"]


def test_M3_quickdraw_sees_names_expressions_locals_and_files(kernel: Kernel) -> None:
    assert kernel.run('%quickdraw df["y"].to_numpy()[-300:] -m naive')[1] == ""
    assert kernel.run("boxes = {'a b': df}\n%quickdraw boxes['a b'] -m naive -i -3")[1] == ""
    assert (
        kernel.run("def f(inner):\n    return get_ipython().run_line_magic('quickdraw', 'inner -m naive')\nf(df)")[1]
        == ""
    )
    assert (
        kernel.run(
            "df.write_csv('taxi tail.csv')\n%quickdraw 'taxi tail.csv' -m naive\nimport os; os.remove('taxi tail.csv')"
        )[1]
        == ""
    )


def test_M2_forecast_returns_a_run_and_shows_one_live_card(kernel: Kernel) -> None:
    outputs, error = kernel.run("run = %forecast df -m naive -o stored")
    assert not error
    assert len(outputs) == 1
    assert "naive forecasts 12 steps of 1 hour ahead" in outputs[0]["text/plain"]
    assert kernel.value("[type(run).__name__, stored is run, run.wait().progress, run.frame.height]") == [
        "Run",
        True,
        1.0,
        400,
    ]
    assert len(kernel.run("%forecast df -m naive")[0]) == 1
    (output,), _ = kernel.run("run")
    assert "Done:" in output["text/plain"]
    assert "MAE" in output["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in output, "the explorer, in an interactive session"


def test_M7_in_a_session_without_a_person_the_work_is_done_when_the_cell_ends(kernel: Kernel) -> None:
    outputs, error = kernel.run("unseen = %forecast df -m theta", watched=False)
    assert not error
    assert "Done:" in outputs[-1]["text/plain"]
    assert kernel.value("unseen.done") is True


def test_Q3_a_matplotlib_plot_appears_below_the_cell(kernel: Kernel) -> None:
    outputs, error = kernel.run("axes = nbf.forecast(df, 'naive', wait=True).plot(-24);")
    assert not error
    assert any("image/png" in output for output in outputs)


def test_M5_the_models_table(kernel: Kernel) -> None:
    (output,), error = kernel.run("%forecast_models")
    assert not error
    assert "chronos-bolt-tiny   patches through a transformer" in output["text/plain"]
    assert "8.7 M</td>" in output["text/html"]
    assert "Computed on CPU" in output["text/plain"]
    assert kernel.value("nbf.models()['name'].to_list()")[:6] == [
        "pretrained",
        "auto",
        "naive",
        "theta",
        "ridge",
        "chronos-bolt-tiny",
    ]
    assert {"kind", "parameters", "licence", "weights", "device"} <= set(kernel.value("nbf.models().columns"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%forecast", "the following arguments are required: FRAME"),
        ("%forecast df --horizons 3", "unrecognized arguments"),
        ("%forecast df -H twelve", "'twelve' is neither a number of steps nor a span such as 1h"),
        ("%forecast 'df", "is not closed"),
        ("%forecast dff", "no variable 'dff' in this notebook, nor a file 'dff'. Tables here: df"),
        ("%quickdraw no_such_file.csv", "no_such_file.csv"),
        ("%quickdraw df -i 7", "Did you mean -7?"),
        ("%quickdraw df -i -100000", "valid indices run from -399 to 0"),
        ("%quickdraw df -s nobody", "No series is called 'nobody'"),
        ("%quickdraw df -m oracle", "No model is called 'oracle'"),
        ("%forecast df -H 0", "--horizon takes a number of steps from 1"),
        ("%forecast df --target price", "price"),
        ("%forecast df.filter(pq.col('y') > 0)", "no variable 'pq' in this notebook, in df.filter"),
        ("%forecast df.nothing -m naive", "df.nothing failed: AttributeError"),
        ("%forecast_models now", "unrecognized arguments"),
        ("%forecast_cache burn", "invalid choice: 'burn'"),
        ("%forecast_cache drop", "arguments are required: HANDLE"),
        ("%forecast_cache drop ../../etc", "A handle is up to 32 digits"),
        ("%forecast_cache drop 0123456789abcdef", "The cache has no entry '0123456789abcdef'"),
        ("%forecast_cache prune --max-size huge", "max_size='huge' is not a size"),
        ("%forecast_cache load /no/such/folder", "There is no folder or file '/no/such/folder'"),
    ],
)
def test_E5_a_wrong_line_is_a_sentence_without_our_traceback(kernel: Kernel, line: str, message: str) -> None:
    _, error = kernel.run(line)
    assert message in error
    assert "site-packages" not in error
    assert "Traceback" not in error


def test_E5_an_error_in_the_background_is_shown_with_its_cause(kernel: Kernel) -> None:
    kernel.run("""
class Broken:
    name, context, levels, draws, key = 'broken', 1, None, 10, 'broken'
    def availability(self, data): return (data.values != data.values).astype('uint8')
    def forecast(self, data, rows, horizon, seed=0): return 1 / 0
nbf.register('broken', Broken())
""")
    kernel.run("bad = %forecast df -m broken\nbad.wait_for_end(20)")
    (output,), _ = kernel.run("bad")
    assert "Failed: The model 'broken' failed: ZeroDivisionError" in output["text/plain"]
    _, error = kernel.run("bad.wait()")
    assert "ZeroDivisionError: division by zero" in error
    assert "in forecast" in error


def test_M_completion_of_options_models_and_tables(kernel: Kernel) -> None:
    assert "--horizon" in kernel.complete("%forecast df --ho")
    assert "--max-duration" in kernel.complete("run = %forecast df --max")
    assert kernel.complete("%forecast df -m na") == ["naive"]
    assert "df" in kernel.complete("%quickdraw d")
    assert not [m for m in kernel.complete("x = di") if m.startswith("--")]


def test_M4_completion_of_actions_and_handles(kernel: Kernel) -> None:
    kernel.run("run = nbf.forecast(df, 'naive', wait=True)")
    handle = kernel.value("run.handle")
    assert kernel.complete("%forecast_cache fl") == ["flush"]
    assert handle[:8] in kernel.complete("%forecast_cache drop ")
    assert "--index" in kernel.complete("%forecast_cache drop --")
    assert not [m for m in kernel.complete("%forecast_cache list ") if m.startswith("-") or m == "df"]


def test_M4_help_shows_every_action_and_its_options(kernel: Kernel) -> None:
    doc = kernel.value("get_ipython().magics_manager.magics['line']['forecast_cache'].__doc__")
    for word in ("info", "list", "show", "drop", "flush", "save", "load", "prune", "--index", "--max-age", "--memory"):
        assert word in doc


def test_M4_the_cache_is_shown_thinned_saved_and_flushed(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("other = df.with_columns(df['y'] + 1)\nrun = nbf.forecast(other, 'naive', wait=True)")
    handle = kernel.value("run.handle")

    def output_of(line: str) -> str:
        (output,), error = kernel.run(f"%forecast_cache {line}")
        assert not error
        return output["text/plain"]

    assert "entries" in output_of("")
    assert "in memory" in output_of("info")
    assert handle[:8] in output_of("list")
    assert "<table" in kernel.run("%forecast_cache list")[0][0]["text/html"]
    assert "<table" in kernel.run("nbf.cache")[0][0]["text/html"]
    assert handle in output_of(f"show {handle[:8]}")
    assert output_of(f"drop {handle[:8]} -m naive --index -24:0 --only scores") == "Removed scores of 25 origins."
    assert output_of(f"drop {handle[:8]} -m naive --index -24:0") == "Removed forecast of 25 origins."
    assert kernel.value("[(r := nbf.forecast(other, 'naive', wait=True)).inferred, r.progress]") == [25, 1.0]
    assert "Saved" in output_of(f"save {tmp_path}")
    assert output_of("flush").startswith("Removed ")
    assert output_of("list") == "The cache is empty."
    assert "Loaded" in output_of(f"load {tmp_path}")
    assert kernel.value("nbf.forecast(other, 'naive', wait=True).inferred") == 0
    assert output_of(f"drop {handle}").startswith("Removed ")
    assert "Removed" in output_of("prune --max-size 1GB --max-age 30d")


def test_C9_C5_after_a_restart_nothing_is_inferred_and_one_row_more_costs_one_origin() -> None:
    code = """
%load_ext nbforecast
import nbforecast as nbf, polars as pl
df = nbf.sample('taxi').head(700)
run = %forecast df -m theta
run.wait()
"""
    more = """
longer = nbf.sample('taxi').head(701)
next = %forecast longer -m theta
next.wait()
"""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(client)
        assert kernel.run(code)[1] == ""
        assert kernel.value("run.inferred") > 600
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        outputs, error = kernel.run(code)
        assert not error
        assert kernel.value("[run.inferred, run.reused == run.available]") == [0, True]
        assert kernel.value("set(run.frame['status'].cast(str).unique()) == {'scored', 'unavailable'}") is True
        assert "Done: nothing to infer" in outputs[0]["text/plain"]
        assert kernel.run(more)[1] == ""
        assert kernel.value("[next.inferred, next.reused == run.available]") == [1, True]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_M_help_shows_every_option(kernel: Kernel) -> None:
    doc = kernel.value("get_ipython().magics_manager.magics['line']['quickdraw'].__doc__")
    for option in ("--index", "--series", "--model", "--horizon", "--max-duration", "--time", "--target", "--force"):
        assert option in doc


def test_M2_M3_defaults_are_set_with_config_and_options_override_them(kernel: Kernel) -> None:
    assert kernel.run("%config NbForecast.model = 'naive'\n%config NbForecast.horizon = 5")[1] == ""
    kernel.run("run = %forecast df --wait\nchart = %quickdraw df -H 3")
    assert kernel.value("[run.model, run.horizon, len(chart.forecast.draws), chart.run.model]") == [
        "naive",
        5,
        3,
        "naive",
    ]
    assert "horizon" in kernel.run("%config NbForecast.horizon = 0")[1]
    (listed,), _ = kernel.run("%config NbForecast")
    assert "NbForecast.calibrate=<Bool>" in listed["text"]
    assert kernel.run("%config NbForecast.model = None\n%config NbForecast.horizon = 12")[1] == ""


def run_tour(folder: Path, sample: str, newest: int) -> nbformat.NotebookNode:
    """The tour of the newest part of a sample: `make demo` runs it on all."""
    tour, out = nbformat.read(TOUR, 4), folder / "tour.ipynb"
    place = next(i for i, cell in enumerate(tour.cells) if "df = nbf.sample" in cell.source) + 1
    shorten = f"df = df.group_by('unique_id', maintain_order=True).tail({newest})"
    tour.cells.insert(place, nbformat.v4.new_code_cell(shorten))
    nbformat.write(tour, folder / "short.ipynb")
    papermill.execute_notebook(folder / "short.ipynb", out, {"sample": sample}, progress_bar=False, log_output=False)
    assert out.stat().st_size < 500_000
    return nbformat.read(out, 4)


def test_R1_M7_the_tour_runs_through_papermill(tmp_path: Path) -> None:
    notebook = run_tour(tmp_path, "taxi", 200)
    by_source = {c.source: c.outputs for c in notebook.cells if c.cell_type == "code"}
    drawn = by_source["%quickdraw df -i -24"][-1].data
    assert "index -24" in drawn["text/plain"]
    assert "data:image/svg+xml;base64," in drawn["text/html"]
    card = by_source["run = %forecast df"][-1].data["text/plain"]
    assert "Done:" in card
    horizon_table = by_source['run.scores(by="horizon")'][-1].data["text/plain"]
    assert "shape: (12, " in horizon_table
    explored = by_source["nbf.explore(run)"][-1].data
    assert "data:image/svg+xml;base64," in explored["text/html"]
    assert set(explored) == {"text/html", "text/plain"}, "a saved page of the widget would be empty"
    assert "calibrated_80" in next(o for s, o in by_source.items() if "calibrate=True" in s)[-1].data["text/plain"]


@pytest.mark.long
def test_R1_C9_C5_a_tour_that_was_run_before_infers_nothing(tmp_path: Path) -> None:
    """As `test_C9_C5_after_a_restart_nothing_is_inferred_and_one_row_more_costs_one_origin` shows of one model."""
    run_tour(tmp_path, "retail", 60)
    cards = [
        output.data["text/plain"]
        for cell in run_tour(tmp_path, "retail", 60).cells
        for output in cell.get("outputs", [])
        if "Done:" in output.get("data", {}).get("text/plain", "")
    ]
    assert len(cards) == 3
    assert all("nothing to infer" in card for card in cards)
