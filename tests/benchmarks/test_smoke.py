"""The benchmarks run and print tables; how fast things are is not tested."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks import benchmark2
from tests.benchmarks.__main__ import SECTIONS, main
from tests.benchmarks.spans import Spans
from tests.benchmarks.table import Table, number, ratio
from tests.benchmarks.timing import rate
from tests.support.requirements import shared

QUICKEST = "prepare"


@pytest.mark.parametrize(
    "name", [name if name == QUICKEST else pytest.param(name, marks=pytest.mark.long) for name in SECTIONS]
)
def test_every_section_gives_tables(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "darts", None)  # it is not among what the tests need
    out = tmp_path / "tables.md"
    main([name, "--quick", "--out", str(out)])
    text = out.read_text()
    assert text.startswith("# Benchmarks")
    assert f"## {name}" in text
    assert "\n### " in text
    assert "\n| --- |" in text
    assert "nan" not in text
    assert text.strip() in capsys.readouterr().out


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(SystemExit):
        main(["rollin"])


def test_a_table_is_markdown() -> None:
    table = Table("Speed", ("", "ms"), [("ours", "1.5")], ("A note.",))
    assert table.markdown() == "### Speed\n\n|  | ms |\n| --- | ---: |\n| ours | 1.5 |\n\nA note."
    with pytest.raises(ValueError, match="Speed"):
        Table("Speed", ("", "ms"), [("ours",)]).markdown()


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.012345, "0.0123"), (4.5678, "4.57"), (99.96, "100"), (17420, "17,400")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
    assert ratio(value) == f"x {text}"


def test_spans_leave_out_what_is_counted_elsewhere() -> None:
    spans = Spans()
    inner = spans.timed("inner", lambda: sum(range(200_000)))
    spans.timed("outer", lambda: [inner() for _ in range(3)])()
    assert spans.calls == {"inner": 3, "outer": 1}
    assert spans.seconds["outer"] < spans.seconds["inner"]


def test_a_rate_takes_as_much_work_as_fits() -> None:
    given: list[int] = []
    assert rate(given.append, budget=60, most=5)[0] == 5
    assert given == [2, 2, 5, 5, 5]


@pytest.mark.parametrize(("name", "horizon", "season"), [("m1_yearly", 6, 1), ("cif_2016", 12, 12)])
def test_scores_of_benchmark_2_are_those_that_were_published(name: str, horizon: int, season: int) -> None:
    shared(f"benchmark2/{name}.parquet")
    y, scale = benchmark2.last_windows(name, horizon, season)
    parts = benchmark2.read(name).sort("ds").partition_by("unique_id", maintain_order=True)
    order = benchmark2.read(name)["unique_id"].unique(maintain_order=True).to_list()
    history = {part["unique_id"][0]: part["y"].to_numpy()[:-horizon] for part in parts}
    steps = np.arange(horizon) % season - season
    naive = np.stack([history[u][steps] for u in order])
    published = pl.read_csv(benchmark2.DATA / "published.csv").filter(set=name, model=benchmark2.BASE)
    q = np.repeat(naive[..., None], 9, axis=2)  # the published one is a point forecast
    mase, wql = benchmark2.scores(q, y, scale)
    assert mase == pytest.approx(published["MASE"][0], rel=1e-3)
    assert wql == pytest.approx(published["WQL"][0], rel=1e-3)
