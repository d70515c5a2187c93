"""D1: the examples of docs/reference/scores.md run, and agree with each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scores.md"


def test_D1_the_examples_run_and_means_by_hand_are_those_of_scores() -> None:
    names: dict[str, Any] = {}
    results = []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        *lines, last = block.strip().splitlines()
        exec("\n".join(lines), names)
        results.append(eval(last, names))
    run = names["run"]
    by_hand = dict(results[1].iter_rows())
    by_scores = run.scores(pl.col("ds").dt.weekday().alias("weekday"))
    assert by_hand == pytest.approx(dict(by_scores.select("weekday", "mae").iter_rows()), rel=1e-5)
    assert results[2].item() == pytest.approx(run.scores()["coverage_80"].item())
    columns = re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert set(columns) - set(run.scores().columns) == {"calibrated_50"}
