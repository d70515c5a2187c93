"""W8: a row on each series of a panel, with Python's numbers, on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.jupyter.widgets.explorer.encoding import first_ranked_row
from nbforecast.jupyter.widgets.explorer.messages import Connect
from nbforecast.jupyter.widgets.explorer.panel import encode_panel
from nbforecast.jupyter.widgets.explorer.panel_messages import SPARK_POINTS, PanelMessage, PanelRequest
from nbforecast.jupyter.widgets.explorer.surprises import find_odd
from tests.support.explorers import answers, arrays, kinds, make_feed, panel, series, wait_for

if TYPE_CHECKING:
    from nbforecast.jupyter.validation import Message
    from nbforecast.run import Run

VERSION = 4


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(pl.concat([panel(), series(5, 4, "tiny")]), "naive", horizon=4, wait=True)


def test_W8_each_series_has_its_scores_its_worst_origin_and_a_small_line(run: Run) -> None:
    data, tables = run.data, find_odd(run)
    mase, coverage, worst, time, events, sparks = arrays(encode_panel(run, 0, tables.surprises))
    scores = run.scores("series")
    by_index = run.scores("index")
    for position, name in enumerate(data.ids):
        row = scores.filter(unique_id=name).row(0, named=True)
        np.testing.assert_equal(mase[position], np.nan if row["mase"] is None else row["mase"])
        np.testing.assert_equal(coverage[position], np.nan if row["coverage_80"] is None else row["coverage_80"])
        own = by_index.filter(unique_id=name)["crps"].to_numpy()
        ranked = first_ranked_row(run, position)
        if np.isfinite(own).any():
            assert worst[position] == ranked + np.nanargmax(own[ranked:])
            stamp = data.time[data.offsets[position] + worst[position]].astype("datetime64[ms]").astype(np.int64)
            assert time[position] == stamp
        else:
            assert worst[position] == -1
            assert np.isnan(time[position])
        own_events = tables.surprises.get(name)
        assert events[position] == (0 if own_events is None else own_events["event"].n_unique())
        line = sparks[position * SPARK_POINTS : (position + 1) * SPARK_POINTS]
        assert (line.max(), line[line > 0].min()) == (255, 1)
    gap = sparks[SPARK_POINTS * data.position("b") :][:SPARK_POINTS]
    assert (gap == 0).sum() in range(5, 9), "80 of 260 hours are missing"
    assert (sparks[SPARK_POINTS * data.position("tiny") :][5:SPARK_POINTS] == 0).all(), "five values, five points"
    assert (arrays(encode_panel(run, 0, None))[4] == -1).all(), "surprises are not known yet"


def test_W8_the_rows_come_when_a_page_asks_for_them(run: Run) -> None:
    feed = make_feed(run)
    assert "panel" not in kinds(answers(feed, Connect(VERSION)))
    feed.add_request(PanelRequest(0))
    received: list[Message] = []

    def has_come() -> bool:
        received.extend(feed.messages())
        return "panel" in kinds(received)

    wait_for(has_come)
    assert [message.model for message in received if isinstance(message, PanelMessage)] == [0]
