"""V1, V2: rows that are prepared behind others give the data that preparing all of them gives."""

from __future__ import annotations

import datetime as dt

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.data.source import Source
from nbforecast.live.growth import Preparation, settled_options
from nbforecast.options import ForecastOptions
from tests.support.examples import examples
from tests.support.live_sources import STEP

START = dt.datetime(2024, 3, 31, 20)  # days of its end alone can be read in two ways
BASE = 150
# of each new row: steps since the one before (0: the same time again), seconds off the grid, and its value
ROWS = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 0, 3, 40]), st.integers(-90, 90), st.integers(-50, 50)), min_size=1, max_size=8
)


def frame(rows: list[tuple[dt.datetime, float]], *, as_text: bool = False) -> pl.DataFrame:
    table = pl.DataFrame(rows, ["time", "y"], orient="row")
    return table.with_columns(pl.col("time").dt.strftime("%d/%m/%Y %H:%M:%S")) if as_text else table


@pytest.mark.parametrize("as_text", [False, True])
@given(chunks=st.lists(ROWS, min_size=1, max_size=4), late=st.sampled_from([None, None, 1, 100]))
@examples(10)
def test_V1_growth_is_prepared_as_everything_is(
    as_text: bool, chunks: list[list[tuple[int, int, int]]], late: int | None
) -> None:
    rows = [(START + i * STEP, float(i % 17)) for i in range(BASE)]
    options, preparation, step = ForecastOptions(), Preparation("rows"), BASE - 1
    data = preparation.prepare(Source(nw.from_native(frame(rows, as_text=as_text))), options)
    options = settled_options(options, data)
    for number, chunk in enumerate(chunks):
        for skip, off, value in chunk:
            step += skip
            rows.append((START + step * STEP + dt.timedelta(seconds=off), float(value)))
        if late is not None and number == 0:
            rows.append((START + (step - late) * STEP, 99.0))  # a row that comes late, or a second one of its time
        table = frame(rows, as_text=as_text)
        data = preparation.prepare(Source(nw.from_native(table), has_grown=True), options)
        whole = prepare(table, **options.preparation)
        assert data.handle == whole.handle
        np.testing.assert_array_equal(data.offsets, whole.offsets)
        assert (data.names, data.time_type, data.max_gap) == (whole.names, whole.time_type, whole.max_gap)


def test_V2_new_rows_alone_are_prepared_and_warnings_are_counted_now_and_then() -> None:
    rows = [(START + i * STEP, float(i % 17)) for i in range(BASE)]
    preparation = Preparation("rows")
    data = preparation.prepare(Source(nw.from_native(frame(rows))), ForecastOptions())
    options = settled_options(ForecastOptions(freq="5min"), data)
    continued = []
    for i in range(BASE, BASE + 70):
        rows.append((START + i * STEP, 1.0))
        data = preparation.prepare(Source(nw.from_native(frame(rows)), has_grown=True), options)
        continued.append(preparation._continued)
    assert continued == [*range(1, 65), 0, *range(1, 6)]
    assert len(data) == BASE + 70
