"""V1, W2: the explorer of live data receives new rows alone, and stays at its origin unless that is the newest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.jupyter.widgets.explorer.live_explorer import LiveExplorer
from nbforecast.jupyter.widgets.explorer.live_feed import LiveFeed
from nbforecast.jupyter.widgets.explorer.messages import VERSION, Connect, OpenSeries
from nbforecast.live import lifetime
from tests.support.explorers import kinds
from tests.support.live_sources import GrowingFile, readings, value, watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbforecast.jupyter.validation import Message


@pytest.fixture
def file(tmp_path: Path) -> GrowingFile:
    return GrowingFile(tmp_path / "glucose.csv", 34)


@pytest.fixture
def live(file: GrowingFile) -> Iterator[nbf.Live]:
    with watch(file.path) as live:
        live.wait()
        yield live
    assert not lifetime.running()


def open_feed(live: nbf.Live, *requests: Any) -> LiveFeed:
    feed = LiveFeed(live, live.run, lambda: (0, 0, 33), lambda: None)
    for request in (Connect(v=VERSION), *requests):
        feed.add_request(request)
    list(feed.messages())
    return feed


def grow(feed: LiveFeed, live: nbf.Live) -> list[Message]:
    live.wait()
    return feed.advance(live.run)


def test_V1_new_rows_come_alone_and_their_forecast_before_all_else(live: nbf.Live, file: GrowingFile) -> None:
    feed = open_feed(live)
    file.append(2)
    messages = grow(feed, live)
    assert kinds(messages)[:3] == ["extend", "rows", "status"]
    extend, rows, status = messages[:3]
    assert (extend.rows, extend.first, extend.value.tolist()) == (36, 34, [value(34), value(35)])
    assert len(extend.time) == 2 + 4
    assert np.diff(extend.time).tolist() == [300_000] * 5
    assert (rows.first, rows.count) == (34, 2)
    assert rows.draws[1].mean() == pytest.approx(value(35), abs=1e-4)
    assert status.first + status.count == 36
    assert sum(len(buffer) for message in messages for buffer in message.buffers) < 4_000
    assert feed.advance(live.run) == []


def test_V1_a_corrected_row_comes_with_all_that_follow(live: nbf.Live, file: GrowingFile) -> None:
    feed = open_feed(live)
    lines = file.path.read_text().splitlines(keepends=True)
    lines[21] = lines[21].split(",")[0] + ",99.5\n"
    file.path.write_text("".join(lines))
    extend = grow(feed, live)[0]
    assert (extend.rows, extend.first, extend.value[0]) == (34, 20, 99.5)


def test_V1_other_data_begin_anew(live: nbf.Live, file: GrowingFile) -> None:
    feed = open_feed(live)
    file.path.write_text("".join(file.path.read_text().splitlines(keepends=True)[i] for i in (0, *range(5, 30))))
    assert kinds(grow(feed, live))[:3] == ["meta", "history", "status"]


def test_V1_of_series_that_no_page_has_the_count_grows_alone() -> None:
    def rows(count: int, name: str) -> pl.DataFrame:
        return readings(range(count)).with_columns(id=pl.lit(name))

    frames = iter([pl.concat([rows(20, "a"), rows(20, "b")]), pl.concat([rows(22, "a"), rows(21, "b")])])
    with watch(lambda: next(frames, None), id="id", poll=1000) as live:
        feed = open_feed(live)
        messages = [m for m in grow(feed, live) if m.content["kind"] == "extend"]
        assert [(m.series, m.rows, m.first, len(m.value)) for m in messages] == [(0, 22, 20, 2), (1, 21, 21, 0)]
        feed.add_request(OpenSeries(1, 0))
        history = next(m for m in feed.messages() if m.content["kind"] == "history")
        assert len(history.value) == 21


def test_V1_the_badge_changes_with_the_source(live: nbf.Live, file: GrowingFile) -> None:
    feed = open_feed(live)
    assert [m for m in feed.messages() if m.content["kind"] == "live"] == []  # it was told at once
    content = file.path.read_bytes()
    file.path.unlink()
    with pytest.raises(nbf.SourceError):
        live.wait()
    (message,) = [m for m in feed.messages() if m.content["kind"] == "live"]
    assert message.state == "failed"
    assert re.match(r"Failed since \d\d:\d\d: .* does not exist", message.text)
    assert message.since > 1.6e12
    file.path.write_bytes(content)
    live.wait()
    assert next(m for m in feed.messages() if m.content["kind"] == "live").state == "late"


def test_V1_an_explorer_without_a_page_stays_at_its_origin(live: nbf.Live, file: GrowingFile) -> None:
    newest, elsewhere = nbf.explore(live), nbf.explore(live)
    assert isinstance(newest, LiveExplorer)
    elsewhere.index = -3
    time = elsewhere.forecast.time
    file.append(2)
    live.wait()
    assert (newest.index, elsewhere.index) == (0, -5)
    assert elsewhere.forecast.time == time
    assert newest.forecast.actual.shape == (4,)
    assert newest.run is live.run
    file.path.write_text("".join(file.path.read_text().splitlines(keepends=True)[:9]))
    live.wait()
    assert (newest.index, elsewhere.index, live.error) == (0, 0, None)
    with pytest.raises(nbf.OptionError, match="newest origin"):
        nbf.explore(live, index=-3)
    for explorer in (newest, elsewhere):
        explorer.close()


def test_W12_live_data_show_themselves(live: nbf.Live, tmp_path: Path) -> None:
    bundle = live._repr_mimebundle_()
    assert "Late: a row after" in bundle["text/html"]
    assert "last forecasts 4 steps of 5 minutes ahead" in bundle["text/plain"]
    assert live._mime_() == ("text/html", bundle["text/html"])
    with watch(tmp_path / "none.csv") as waiting:
        assert "does not exist" in waiting._repr_mimebundle_()["text/html"]
