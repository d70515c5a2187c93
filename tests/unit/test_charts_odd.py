"""A3: marks of odd observations in static charts: only where they are known, and only as far as they were then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

import nbforecast as nbf
from nbforecast import charts
from tests.support.explorers import series

if TYPE_CHECKING:
    from nbforecast.run import Run

AT = 300  # the row of a spike


@pytest.fixture(scope="module")
def run() -> Run:
    spike = pl.when(pl.int_range(pl.len()) == AT).then(40).otherwise(0)
    return nbf.forecast(series(400, 5).with_columns(y=pl.col("y") + spike), "naive", horizon=4, wait=True)


def test_A3_a_chart_marks_what_was_odd_once_that_has_been_found(run: Run) -> None:
    index = AT - 399
    assert run.at(index + 2).fan().odd == ()
    row = run.surprises().filter(index=index).row(0, named=True)
    assert row["kind"] is not None
    for origin in (index - 1, index, index + 2, index + 14):
        odd = run.at(origin).fan().odd
        steps = {point.step - (len(run.at(origin).fan().time) - 1) + origin: point.kind for point in odd}
        assert (index in steps) == (origin >= index), "later observations are not marked"
        known = run.data.locate(int(np.flatnonzero(run.data.time == np.datetime64(row["known_at"]))[0]))[1]
        if index in steps:
            assert steps[index] == (row["kind"] if origin >= known else None), "as of the origin"
    axes = Figure().add_subplot()
    run.plot(index + 2, ax=axes, surprises=True)
    assert "surprise" in axes.get_legend_handles_labels()[1]


@pytest.mark.parametrize("kind", ["spike", "level shift", "spread", "rhythm", "missing", None])
def test_A3_each_kind_has_a_shape_within_the_plot(run: Run, kind: str | None) -> None:
    fan = run.at(-1).fan()
    values = fan.values.copy()
    values[5] = np.nan if kind == "missing" else values[5]
    shapes = set()
    for is_low in (False, True):
        marked = charts.FanData(
            **{name: getattr(fan, name) for name in fan.__dataclass_fields__}
            | {"values": values, "odd": (charts.OddPoint(5, kind, is_low),)}
        )
        svg = charts.draw_fan(marked)
        marks = re.findall(r'<path class="([uv])" d="M(\d+) (\d+)([^"]*)"/>', svg)
        assert len(marks) == 1
        assert ">surprise</text>" in svg, "the legend"
        assert (marks[0][0] == "u") == (kind in (None, "missing"))
        assert 0 < int(marks[0][1]) < 8600
        assert 0 < int(marks[0][2]) < 3400
        shapes.add(marks[0][3])
        assert "1 odd observation is marked." in charts.describe(marked)
    assert len(shapes) == (2 if kind in ("spike", None) else 1)
