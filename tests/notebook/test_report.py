"""R2, R3, M7, W4: reports through a real papermill, exported by a real nbconvert."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import nbformat

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.jupyter.widgets.explorer.page import PAGE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from nbformat import NotebookNode

HEADINGS = [
    "The data",
    "Current forecast",
    "Sums and peaks",
    "Error by horizon",
    "Calibration",
    "Errors by hour, weekday and month",
    "Largest errors",
    "Surprises and changes",
    "Accuracy by series or period",
    "Models compared",
    "Every origin",
    "Provenance",
]


def report(data: Path, *options: str, status: int = 0) -> tuple[str, NotebookNode]:
    """The page and the kept notebook of a report beside its data."""
    page, executed = data.with_suffix(".html"), data.with_suffix(".ipynb")
    assert main(["report", str(data), "-o", str(page), "--notebook", str(executed), *options]) == status
    return page.read_text(), nbformat.read(executed, 4)


def cell_texts(notebook: NotebookNode) -> dict[str, str]:
    """The text that each cell shows, by the cell's identity."""
    return {
        cell.id: "\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def without_reuse(page: str) -> str:
    """A page without what a second report has from the cache."""
    page = re.sub(r"<li>[\d,]+ forecasts? (was|were) calculated.*?</li>", "", page)
    return re.sub(r'\{"content":\{"kind":"progress".*?\]\}', "", unescape(page))


def test_R2_R3_a_report_of_one_series_is_a_page_that_works_by_itself(tmp_path: Path) -> None:
    data = tmp_path / "taxi.csv"
    taxis = nbf.sample("taxi").tail(500)
    taxis.write_csv(data)
    other = nbf.forecast(taxis, "naive", 24, every="1d", at="06:00", wait=True).to_long()
    other = other.rename({name: name.replace("naive", "planner") for name in other.columns})
    other.write_csv(tmp_path / "planner.csv")
    options = ["-p", "compare", "naive,theta", "-p", "model", "ridge", "-p", "title", "Taxis <at> last"]
    options += ["-p", "forecasts", str(tmp_path / "planner.csv")]
    page, notebook = report(data, *options, "-p", "force", "true")
    assert "0 came from the cache" in page, "a forced report reads nothing (C6)"
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == HEADINGS
    assert "<title>Taxis &lt;at&gt; last</title>" in page
    assert "<h1>Taxis &lt;at&gt; last</h1>" in page
    for text in ("500 values at steps of 1 hour", "The MAE of ridge is", "The 80\xa0% bands contain", "p &lt; 0.001"):
        assert text in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|url\((?!data:)|@import""", page), "nothing is fetched"
    assert page.count("<iframe ") == 1
    assert '"kind":"rows"' in unescape(page), "the explorer holds forecasts"
    assert len(page) < 5_000_000
    cells = cell_texts(notebook)
    assert "ridge expects" in cells["current-forecast"]
    assert re.search(r"seasonal naive +[\d,]+", cells["comparison"])
    assert re.search(r"planner +[\d,]+", cells["comparison"]), "a table made elsewhere is compared, too (X4)"
    assert re.search(
        r"planner has forecasts from \d+ of the \d+ origins, and is compared by itself", cells["comparison"]
    )
    assert "ridge, naive, theta and planner" in cells["provenance"]
    assert str(tmp_path) not in cells["provenance"]

    mimes = {mime for cell in notebook.cells for o in cell.get("outputs", []) for mime in o.get("data", {})}
    assert mimes == {"text/html", "text/plain"}, "no dead widgets, and no page within a page"
    assert PAGE not in str(notebook)
    assert "widgets" not in notebook.metadata
    assert data.with_suffix(".ipynb").stat().st_size < 500_000

    again, executed = report(data, *options)
    assert without_reuse(again) == without_reuse(page), "the same data and parameters make the same report"
    assert "0 forecasts were calculated" in again
    cells.pop("provenance")
    assert {name: text for name, text in cell_texts(executed).items() if name in cells} == cells


def test_R3_A3_a_report_of_a_panel_ranks_its_series_and_fails_on_new_surprises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "people.parquet"
    nbf.sample("glucose").write_parquet(data)
    page, notebook = report(
        data, "-p", "compare", "naive", "-p", "model", "theta", "-p", "max_duration", "400", "-p", "worst", "1",
        "--fail-on-surprise", "0.01", "--since", "2d", status=3,
    )  # fmt: skip
    alarms = re.findall("^surprise: (.*)$", capsys.readouterr().err, re.MULTILINE)
    assert alarms
    pattern = (
        r"hall_[\d-]+, .*: (.*, outside the 99 % band of .* likely, odd already .* ahead|missing data, .* likely)$"
    )
    assert all(re.match(pattern, alarm) for alarm in alarms)
    assert all(f"New: {alarm}." in cell_texts(notebook)["surprises"] for alarm in alarms)
    assert re.search(r"theta has a lower CRPS than seasonal naive in \d of 4 series", page)
    assert len(re.findall(r"<h3>hall_[\d-]+: (?:among the worst|picked at random)</h3>", page)) == 4
    assert "MASE" in cell_texts(notebook)["horizons"]
    assert "nothing is inferred about other series" in cell_texts(notebook)["comparison"]


def test_R2_what_goes_wrong_is_told_with_its_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, executed = tmp_path / "taxi.csv", tmp_path / "kept.ipynb"
    nbf.sample("taxi").tail(100).write_csv(data)

    def fails(*options: str, path: Path = data) -> str:
        assert main(["report", str(path), "-o", str(tmp_path / "out.html"), *options]) == 2
        assert not (tmp_path / "out.html").exists()
        text = capsys.readouterr().err
        assert "site-packages" not in text
        return text

    assert "has no parameter 'horizn'. Did you mean 'horizon'? It has: data, model" in fails("-p", "horizn", "3")
    assert "-p horizon twelve is not a length of time" in fails("-p", "horizon", "twelve")
    assert "called 'nothing'; there are: backtest_report, chronos2, glucose" in fails("--template", "nothing")
    assert "There is no template 'no.ipynb'." in fails("--template", "no.ipynb")
    assert main(["report", str(data), "-o", "out.pdf"]) == 2
    assert "takes a .html file" in capsys.readouterr().err
    text = fails("-p", "model", "oracle", "--notebook", str(executed))
    assert "A cell of backtest_report.ipynb failed:\n\n    import nbforecast as nbf" in text
    assert "UnknownModel: No model is called 'oracle'" in text
    assert any(o.output_type == "error" for c in nbformat.read(executed, 4).cells for o in c.get("outputs", []))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    assert "broken.parquet' cannot be read as parquet" in fails(path=tmp_path / "broken.parquet")
