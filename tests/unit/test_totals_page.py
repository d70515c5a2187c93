"""D1: the examples of docs/how_to/totals_and_events.md run, and its tables list the columns that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "totals_and_events.md"

pytestmark = pytest.mark.slow


def test_D1_the_examples_run_and_the_tables_name_the_columns() -> None:
    names: dict[str, Any] = {}
    tables = []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.strip().splitlines():
            if "=" in line.partition("(")[0] or line.startswith("import"):
                exec(line, names)
            elif line:
                tables.append(eval(line, names))
    pyplot.close("all")
    total, event, paths = tables[-7], tables[-5], tables[-1]
    rows = re.findall(r"^\| (a number|an event|paths) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    for table, (_, text) in zip((total, event, paths), rows, strict=True):
        assert set(table.columns) == set(re.findall(r"`(\w+)`", text))
