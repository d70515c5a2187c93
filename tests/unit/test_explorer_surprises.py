"""A3: odd observations reach the explorer's page, and the page without a kernel, with Python's numbers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.jupyter.widgets.explorer import surprises
from nbforecast.jupyter.widgets.explorer.messages import Connect, OpenSeries
from nbforecast.jupyter.widgets.explorer.surprise_messages import SurpriseKind, SurprisesMessage
from nbforecast.jupyter.widgets.explorer.surprises import encode_surprises, find_odd
from nbforecast.surprises.table import by_strangeness
from tests.support.explorers import answers, arrays, kinds, make_feed, series, wait_for

if TYPE_CHECKING:
    from nbforecast.jupyter.validation import Message
    from nbforecast.run import Run

VERSION = 4


@pytest.fixture(scope="module")
def odd_run() -> Run:
    """Two series with a spike and a gap each, and one too short for a surprise."""

    def with_spikes(name: str, at: int) -> pl.DataFrame:
        wave = series(400, at, name).with_row_index()
        spike = pl.when(pl.col("index") == at).then(25).otherwise(0)
        return wave.with_columns(y=pl.col("y") + spike).filter(~pl.col("index").is_between(350, 353)).drop("index")

    frame = pl.concat([with_spikes("a", 300), with_spikes("b", 333), series(60, 3, "short")])
    return nbf.forecast(frame, "naive", horizon=4, wait=True)


def decoded(message: Message) -> dict[str, np.ndarray]:
    names = ("row", "event", "lead", "what", "p", "expected", "low", "high", "rank")
    return dict(zip((*names, "alarm", "since", "direction", "value"), arrays(message), strict=True))


def test_A3_messages_have_the_numbers_of_the_table(odd_run: Run) -> None:
    table, tables = odd_run.surprises(surprises.RATE), find_odd(odd_run)
    assert set(table["unique_id"]) == {"a", "b"}
    for position, name in enumerate(odd_run.data.ids):
        part, got = table.filter(unique_id=name), decoded(encode_surprises(odd_run, position, 0, tables))
        assert (got["row"] == part["index"].to_numpy() + odd_run.data.lengths[position] - 1).all()
        for column, other in (("p", "p"), ("expected", "expected"), ("lo", "low"), ("hi", "high"), ("y", "value")):
            np.testing.assert_array_equal(got[other], part[column].cast(float).to_numpy())
        for column in ("lead", "event"):
            assert got[column].tolist() == part[column].fill_null(1).to_list()
        words = ["" if code == 0 else SurpriseKind(code).name.lower().replace("_", " ") for code in got["what"]]
        assert words == part["kind"].fill_null("").to_list()
    assert len(decoded(encode_surprises(odd_run, 2, 0, tables))["row"]) == 0


def test_A3_the_strangest_has_the_least_p_and_lies_farthest_from_its_band() -> None:
    table = pl.DataFrame(
        {"p": [0.01, 0.002, 0.002, 0.002], "y": [9.0, 3.0, 9.0, None], "expected": 1.0, "lo": 0.0, "hi": 2.0}
    )
    assert by_strangeness(table).tolist() == [2, 1, 3, 0]


def test_A3_pages_receive_surprises_once_found_and_wait_for_nothing(
    odd_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    search = find_odd

    def slowly(run: Run) -> Any:
        assert gate.wait(10)
        return search(run)

    monkeypatch.setattr(surprises, "find_odd", slowly)
    feed = make_feed(odd_run)
    first = answers(feed, Connect(VERSION))
    assert {"meta", "history", "status", "rows"} <= set(kinds(first))
    assert "surprises" not in kinds(first)
    assert feed.expects_more
    gate.set()
    received: list[Message] = []

    def count() -> int:
        received.extend(feed.messages())
        return kinds(received).count("surprises")

    wait_for(lambda: count() == 1)
    assert not feed.expects_more
    feed.add_request(OpenSeries(1, 0))
    wait_for(lambda: count() == 2)
    sent = [message for message in received if isinstance(message, SurprisesMessage)]
    assert [(message.series, message.rate) for message in sent] == [(0, 0.01), (1, 0.01)]


def test_A3_the_page_without_a_kernel_has_them_too(odd_run: Run, tmp_path: Any) -> None:
    text = nbf.explore(odd_run).to_html(tmp_path / "page.html").read_text()
    assert text.count('"kind":"surprises"') == 3
