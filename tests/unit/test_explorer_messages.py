"""W1, W2: the messages that the explorer sends to its page, and the requests that it takes from it."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.messages import (
    CancelRun,
    Connect,
    FaultMessage,
    InferOrigin,
    OpenSeries,
    RowsRequest,
    read_request,
)
from nbforecast.jupyter.widgets.explorer.score_summary import encode_scores

if TYPE_CHECKING:
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run

from tests.support.explorers import CODES, answers, arrays, kinds, make_feed, part, sender_threads, series, wait_for


def test_W1_a_new_view_receives_everything_in_order_and_as_the_frame_has_it(done: Run) -> None:
    messages = answers(make_feed(done), Connect(4))
    assert kinds(messages) == ["meta", "history", "status", "scores", "rows", "progress"]
    meta, past, status_message, scores, rows, progress = messages
    assert json.loads(json.dumps([m.content for m in messages], allow_nan=False)) == [m.content for m in messages]
    assert meta.content["series"] == [
        {"id": i, "rows": int(n)} for i, n in zip(done.data.ids, done.data.lengths, strict=True)
    ]
    assert meta.content["clock"] == "wall"
    assert meta.content["step"] == 3600
    assert meta.content["seasons"] == [24, 168]
    levels = list(done.quantile_levels)
    assert meta.content["models"] == [{"name": "naive", "draws": 10, "levels": levels, "code": "run"}]
    frame = part(done, 0)
    assert frame["unique_id"][0] == done.data.ids[0]
    times, values, covariates = arrays(past)
    assert not covariates.size
    hours = np.arange(len(frame) + done.horizon) * 3_600_000
    assert np.array_equal(times, frame["ds"].dt.epoch("ms")[0] + hours), "also those of the steps ahead of the last row"
    assert np.array_equal(values, frame["y"].fill_null(np.nan).to_numpy(), equal_nan=True)
    status, reason, score = arrays(status_message)
    assert status.tolist() == [CODES[s] for s in frame["status"].cast(str)]
    assert [meta.content["reasons"].get(str(r), "") != "" for r in reason] == frame["reason"].is_not_null().to_list()
    crps = frame["crps"].to_numpy()
    is_scored = np.isfinite(crps).any(1)
    assert np.allclose(score[is_scored], np.nanmean(crps[is_scored], 1))
    assert np.isnan(score[~is_scored]).all()
    draws, ends = arrays(rows)
    assert rows.content["count"] == len(frame)
    assert np.array_equal(draws, frame["forecast"].to_numpy().ravel(), equal_nan=True)
    assert np.array_equal(ends, frame["quantiles"].to_numpy().ravel(), equal_nan=True)
    overall = done.scores("series").row(0, named=True)
    names = ("mae", "crps", "mase", "coverage_50", "coverage_80", "coverage_95")
    assert {n: scores.content["overall"][n] for n in names} == pytest.approx({n: overall[n] for n in names})
    assert scores.content["overall"]["n"] == is_scored.sum()
    assert len(scores.content["horizon"]["mae"]) == 12
    assert np.average(scores.content["horizon"]["mae"]) == pytest.approx(overall["mae"], rel=0.05)
    assert progress.content["done"] is True
    assert progress.content["eta_seconds"] == 0
    assert progress.content["calculated"] == done.calculated


def test_W2_rows_of_a_gap_are_nan_and_its_status_says_why(done: Run) -> None:
    messages = answers(make_feed(done), Connect(4), OpenSeries(2, 0), RowsRequest(2, 0, 95, 100, "x"))
    rows = next(m for m in messages if m.content.get("request") == "x")
    frame = part(done, 2)[95:195]
    draws, ends = arrays(rows)
    assert rows.content == {
        "kind": "rows", "series": 2, "model": 0, "first": 95, "count": 100, "request": "x"
    }  # fmt: skip
    assert np.array_equal(draws, frame["forecast"].to_numpy().ravel(), equal_nan=True)
    assert np.array_equal(ends, frame["quantiles"].to_numpy().ravel(), equal_nan=True)
    is_missing = (frame["status"].cast(str) == "unavailable").to_numpy()
    assert is_missing.any()
    assert np.array_equal(np.isnan(draws.reshape(100, -1)).all(1), is_missing)
    status = [m for m in messages if m.content["kind"] == "status" and m.content["series"] == 2]
    assert [m.content["first"] for m in status] == [0]


def test_W2_rows_come_in_slices_and_are_bounded(done: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 12 * 17 * 4
    monkeypatch.setattr(encoding, "_MESSAGE_BYTES", 40 * size)
    messages = list(encoding.encode_rows(done, 0, 0, 10, 100, 7))
    assert [(m.content["first"], m.content["count"], m.content["request"]) for m in messages] == [
        (10, 40, 7), (50, 40, 7), (90, 20, 7)
    ]  # fmt: skip
    monkeypatch.setattr(encoding, "_ANSWER_BYTES", 50 * size)
    assert [m.content["first"] for m in encoding.encode_rows(done, 0, 0, 10, 100, 7)] == [35, 75]


def test_W1_only_changes_are_sent_again(cache: Any) -> None:
    run = nbf.forecast(series(), "naive", wait=True)
    view = make_feed(run)
    answers(view, Connect(4))
    wait_for(lambda: kinds(answers(view)) == ["surprises"])
    time.sleep(0.06)
    assert not answers(view), "nothing has changed"
    assert nbf.cache.drop(run.handle, index="-120:-101")
    time.sleep(0.06)
    messages = answers(view)
    assert [(m.content["first"], m.content["count"]) for m in messages if m.content["kind"] == "status"] == [(179, 20)]
    assert set(arrays(messages[0])[0].tolist()) == {0}
    assert np.isnan(arrays(next(iter(encoding.encode_rows(run, 0, 0, 185, 3, None))))[0]).all()
    view.add_request(InferOrigin(0, 0, 190))
    until = time.monotonic() + 20
    messages = []
    while "rows" not in kinds(messages):
        assert time.monotonic() < until
        messages = answers(view)
        time.sleep(0.01)
    rows = next(m for m in messages if m.content["kind"] == "rows")
    assert (rows.content["first"], rows.content["count"]) == (190, 1)
    assert np.array_equal(arrays(rows)[0].reshape(12, -1), run.at(190 - 299).draws)
    comm_sender.close()
    assert not sender_threads()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], []), ([3], [(3, 1)]), ([3, 4, 60], [(3, 58)]), ([0, 1, 300, 999], [(0, 2), (300, 1), (999, 1)]),
     (list(range(0, 1000, 2)), [(0, 999)])],
)  # fmt: skip
def test_W1_ranges_cover_what_has_changed(rows: list[int], expected: list[tuple[int, int]]) -> None:
    changed = np.zeros(1000, bool)
    changed[rows] = True
    ranges, scattered = encoding.changed_rows(changed)
    assert (ranges, len(scattered)) == (expected, 0)


def test_W1_scattered_changes_are_sent_row_by_row() -> None:
    changed = np.zeros(100_000, bool)
    changed[::100] = changed[500:900] = True
    ranges, scattered = encoding.changed_rows(changed)
    assert ranges == [(500, 401)]
    assert len(scattered) == 1000 - 5
    assert changed[scattered].all()


def test_W1_calibrated_bands_are_those_of_the_run() -> None:
    run = nbf.forecast(series(900), "naive", calibrate=True, wait=True)
    (rows,) = encoding.encode_rows(run, 0, 0, 500, 300, None)
    ends = arrays(rows)[1].reshape(300, 12, 7)
    frame = run.frame[500:800]
    bands = frame["calibrated"].to_numpy()
    assert np.isfinite(bands).all()
    assert np.allclose(ends[..., [0, 1, 2]], bands[..., [0, 2, 3]], rtol=1e-6)
    assert np.allclose(ends[..., [4, 5, 6]], bands[..., [4, 5, 7]], rtol=1e-6)
    assert np.array_equal(ends[..., 3], frame["median"].to_numpy())
    assert encoding.encode_meta([run]).content["calibrated"] is True


@pytest.mark.parametrize(
    ("frame", "clock", "zone", "step"),
    [
        (series().with_columns(pl.col("ds").dt.replace_time_zone("Europe/Berlin")), "utc", "Europe/Berlin", 3600),
        (nbf.sample("retail").filter(pl.col("unique_id") == pl.col("unique_id").first()), "wall", None, None),
        (np.sin(np.arange(200.0)), "number", None, 1),
    ],
)
def test_W1_times_are_sent_with_their_clock(frame: Any, clock: str, zone: str | None, step: float | None) -> None:
    run = nbf.forecast(frame, "naive", freq=1 if clock == "number" else None, wait=True)
    content = encoding.encode_meta([run]).content
    assert (content["clock"], content["zone"], content["step"]) == (clock, zone, step)
    times = arrays(encoding.encode_history(run.data, 0, run.horizon))[0]
    assert len(times) == len(run.data) + run.horizon
    ahead = run.at(0).future
    expected = ahead.to_numpy() if clock == "number" else ahead.dt.epoch("ms").to_numpy()
    assert times[len(run.data) :].tolist() == expected.tolist(), "months differ in length"
    assert (np.diff(times) > 0).all()
    assert times[0] == (0 if clock == "number" else run.data.time[0].astype("datetime64[ms]").astype(int))


def test_W1_several_models_are_sent_side_by_side(done: Run, other: Run) -> None:
    view = make_feed(done, other)
    messages = answers(view, Connect(4), OpenSeries(1, 1), RowsRequest(1, 1, 200, 10, 1), RowsRequest(1, 0, 200, 10, 2))
    assert [m["name"] for m in messages[0].content["models"]] == ["naive", "drift"]
    rows = {m.content["request"]: arrays(m)[0] for m in messages if m.content["kind"] == "rows"}
    assert np.array_equal(rows[1], part(other, 1)[200:210]["forecast"].to_numpy().ravel())
    assert np.array_equal(rows[2], part(done, 1)[200:210]["forecast"].to_numpy().ravel())
    assert [m.content["model"] for m in messages if m.content["kind"] == "progress"] == [0, 1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"kind": "connect", "v": 4}, Connect(4)),
        ({"kind": "open_series", "series": 1, "model": 0}, OpenSeries(1, 0)),
        (
            {"kind": "rows_request", "series": 1, "model": 0, "first": 5, "count": 4096, "request": "r"},
            RowsRequest(1, 0, 5, 25, "r"),
        ),
        (
            {"kind": "rows_request", "series": 0, "model": 1, "first": 2.0, "count": 3, "request": 9},
            RowsRequest(0, 1, 2, 3, 9),
        ),
        ({"kind": "cancel_run", "model": 1}, CancelRun(1)),
        ({"kind": "infer_origin", "series": 0, "model": 0, "row": 9}, InferOrigin(0, 0, 9)),
    ],
)
def test_W2_requests_are_read(content: dict[str, Any], expected: Any) -> None:
    assert read_request(content, [10, 30], 2) == expected


@pytest.mark.parametrize(
    "content",
    [
        None, [], "hello", 3, {}, {"kind": "eval", "code": "1"}, {"kind": ["connect"]}, {"kind": "connect", "v": 1},
        {"kind": "connect"}, {"kind": "open_series", "series": "0", "model": 0},
        {"kind": "open_series", "series": 0, "model": 2},
        {"kind": "open_series", "series": True, "model": 0}, {"kind": "open_series", "series": -1, "model": 0},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 0, "count": 4097, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 10, "count": 1, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": -1, "count": 1, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 0, "count": 0, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 0, "count": 1e300, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": float("nan"), "count": 1, "request": 1},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 0, "count": 1, "request": {"a": 1}},
        {"kind": "rows_request", "series": 0, "model": 0, "first": 0, "count": 1, "request": "x" * 65},
        {"kind": "cancel_run"}, {"kind": "infer_origin", "series": 0, "model": 0, "row": 10},
    ],
)  # fmt: skip
def test_W2_what_is_no_request_is_refused_and_logged(
    content: Any, explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidMessage):
        read_request(content, [10, 30], 2)
    if isinstance(content, dict) and content.get("first") == 10:
        return  # there are more rows in the explorer's series
    with caplog.at_level(logging.WARNING, "nbforecast"):
        explorer._receive(content if not isinstance(content, dict) or "row" not in content else {**content, "row": 999})
    assert "is ignored" in caplog.text
    assert len(caplog.text) < 1000
    assert comm_sender._thread is None
    (answer,) = (m for m in explorer._feed.messages() if isinstance(m, FaultMessage))
    assert answer.text.startswith("A message of the page is refused: ")


def test_W1_the_coverage_is_that_of_the_bands_that_are_drawn() -> None:
    run = nbf.forecast(series(400, 9), "naive", calibrate=True, wait=True)
    overall = encode_scores(run, 0, 0).content["overall"]
    expected = run.scores(by="series").row(0, named=True)
    assert overall["coverage_80"] == pytest.approx(expected["calibrated_80"])
    assert overall["coverage_80"] != pytest.approx(expected["coverage_80"])
    assert overall["crps"] == pytest.approx(expected["crps"])
