"""W1, W2: what the explorer sends of a series that is too long to be sent whole, and sketches of forecasts."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.engine import engine
from nbforecast.engine.tasks import Priority, Task
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.explorer import encoding, feed, overview
from nbforecast.jupyter.widgets.explorer.messages import Connect, read_request
from nbforecast.jupyter.widgets.explorer.overview_messages import WINDOW, WindowRequest
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.status import Status
from tests.support.explorers import DRIFT, answers, arrays, kinds, make_feed, series

if TYPE_CHECKING:
    from nbforecast.jupyter.validation import Message
    from nbforecast.run import Run

ROWS = 2_600


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(series(ROWS), DRIFT, horizon=12, wait=True)


def of_kind(messages: list[Message], kind: str) -> Message:
    return next(message for message in messages if message.content["kind"] == kind)


@given(st.lists(st.tuples(st.sampled_from([0.5, 60_000, 3_600_000, 86_400_000.0]), st.integers(1, 9)), min_size=1))
def test_W1_times_are_runs_of_equal_steps(runs: list[tuple[float, int]]) -> None:
    stamps = 1e12 + np.cumsum([0.0, *(step for step, count in runs for _ in range(count))])
    decoded = [stamps[0]]
    for step, count in overview.equal_steps(stamps):
        start = decoded[-1]
        decoded += [start + k * step for k in range(1, int(count) + 1)]
    assert decoded == stamps.tolist()


def test_W1_one_time_has_no_steps() -> None:
    assert overview.equal_steps(np.array([5.0])).shape == (0, 2)


def test_W1_an_envelope_has_quantiles_and_means_of_parts() -> None:
    values = np.random.default_rng(0).normal(size=1_003)
    values[100:240] = np.nan
    found = overview.envelope(values, 10)
    for i, part in enumerate(found):
        known = np.sort(values[i * 1_003 // 10 : (i + 1) * 1_003 // 10])
        known = known[~np.isnan(known)]
        expected = [known[int(0.1 * len(known))], known[int(0.9 * len(known))], known.mean()] if len(known) else []
        assert np.allclose(part, expected if expected else np.nan, equal_nan=True)


def test_W1_a_long_series_comes_as_overview_and_windows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LONG_SERIES", 2_000)
    explorer = make_feed(run, row=ROWS - 1)
    messages = answers(explorer, Connect(4))
    assert kinds(messages)[:4] == ["meta", "long_history", "rows", "long_status"], "first what is seen first"
    assert sum(len(b) for m in messages if m.content["kind"] != "rows" for b in m.buffers) < 250_000
    history = of_kind(messages, "long_history").content
    assert (history["low"], history["high"]) == (run.data.values.min(), run.data.values.max())
    window = answers(explorer, WindowRequest(0, 0, WINDOW // 2, WINDOW))[0]
    assert window.content["count"] == ROWS + 12 - WINDOW // 2, "it ends with the horizon"
    value, covariates, score = arrays(window)
    assert np.array_equal(value[:-12], run.data.values[WINDOW // 2 :])
    assert np.isnan(value[-12:]).all()
    assert not len(covariates)
    expected = encoding.mean_over_steps(run.take("crps", np.arange(WINDOW // 2, ROWS)))
    assert np.array_equal(score[:-12], expected, equal_nan=True)


def test_W1_scores_of_a_long_series_are_rounded_down_and_the_worst_are_exact(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_WORST", 50)
    status = encoding.series_status(run, 0)
    message = overview.encode_long_status(run, 0, 0, status)
    runs, codes, worst, worst_score = arrays(message)
    runs = runs.reshape(-1, 3)
    assert np.array_equal(np.repeat(runs[:, 0], runs[:, 2]), status)
    assert np.array_equal(np.repeat(runs[:, 1], runs[:, 2]), run.reasons)
    rows = np.flatnonzero(status == Status.SCORED)
    score = encoding.mean_over_steps(run.take("crps", rows)).astype(np.float64)
    known = np.isfinite(score)
    assert np.array_equal(codes > 0, known)
    decoded = message.lowest * message.ratio ** (codes[known].astype(np.float64) - 1)
    assert (decoded <= score[known] * (1 + 1e-6)).all()
    assert (decoded * message.ratio >= score[known] * (1 - 1e-6)).all()
    assert set(worst) == set(rows[np.argsort(-np.nan_to_num(score, nan=-1), kind="stable")[:50]])
    assert np.array_equal(worst_score, score[np.searchsorted(rows, worst)].astype(np.float32))


def test_W1_a_sketch_is_as_exact_as_a_pixel(run: Run) -> None:
    rows = overview.sketch_rows(run, 0)
    assert len(rows) == 1024
    assert len(overview.sketch_rows(nbf.forecast(series(300), DRIFT, wait=True), 0)) == 0, "a page soon has all of it"
    found, limits, codes = arrays(overview.encode_sketch(run, 0, 0, rows))
    assert np.array_equal(found, rows)
    low, high = limits.reshape(-1, 2).astype(np.float64).T
    _, ends = encoding.read_rows(run, rows)
    decoded = low[:, None, None] + codes.reshape(ends.shape) / 65_535 * (high - low)[:, None, None]
    assert (np.abs(decoded - ends).max((1, 2)) <= (high - low) / 65_535).all()


def test_W1_a_view_receives_the_sketch_once(run: Run) -> None:
    explorer = make_feed(run, row=ROWS - 1)
    assert kinds(answers(explorer, Connect(4))).count("sketch") == 1
    assert "sketch" not in kinds(answers(explorer))
    assert kinds(answers(explorer, Connect(4))).count("sketch") == 1, "another view"


@given(st.integers(0, 300))
def test_W1_the_first_of_sketched_rows_lie_all_over(count: int) -> None:
    rows = np.arange(count) * 3
    ordered = overview.coarse_first(rows)
    assert sorted(ordered) == rows.tolist()
    few = np.sort(ordered[: max(count // 4, 1)])
    assert count < 8 or np.diff(np.append(few, rows[-1])).max() <= 3 * 64


def test_E6_preferred_rows_are_inferred_first() -> None:
    fresh = nbf.forecast(series(400, 7), DRIFT, horizon=12)
    fresh.wait()
    task = Task(fresh.entry_slice, fresh.forecaster, 0, Priority.BATCH)
    task._rows = np.arange(399, -1, -1)
    task.prefer(np.array([300, 17, 1000]))
    assert task._rows[:3].tolist() == [300, 17, 399]
    assert sorted(task._rows) == list(range(400))


@pytest.mark.parametrize(
    "change", [{"first": ROWS}, {"count": 0}, {"count": 9 * WINDOW}, {"series": 1}, {"model": 2}, {"first": -1}]
)
def test_W2_windows_outside_are_refused(change: dict[str, Any]) -> None:
    request = {"kind": "window_request", "series": 0, "model": 0, "first": 0, "count": 10}
    assert read_request(request, [ROWS], 1) == WindowRequest(0, 0, 0, 10)
    with pytest.raises(InvalidMessage):
        read_request(request | change, [ROWS], 1)


def test_W1_changed_statuses_of_scattered_rows_come_with_their_scores(run: Run) -> None:
    status = encoding.series_status(run, 0)
    is_changed = np.zeros(ROWS, bool)
    is_changed[::70] = True
    messages = list(encoding.encode_status_changes(run, 0, 0, status, is_changed))
    assert kinds(messages) == ["scattered_status"]
    rows, codes, reasons, score = arrays(messages[0])
    assert rows.tolist() == list(range(0, ROWS, 70))
    assert np.array_equal(codes, status[rows])
    assert np.array_equal(reasons, run.reasons[rows])
    expected = encoding.mean_over_steps(run.take("crps", rows.astype(np.int64)))
    assert np.array_equal(score, expected, equal_nan=True)
    assert pl.Series(score).is_not_nan().any()


def test_E6_a_run_rests_while_somebody_drags_unless_a_sketch_is_still_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(engine, "time", SimpleNamespace(sleep=rests.append, monotonic=time.monotonic))
    done = nbf.forecast(series(300, 8), DRIFT, horizon=12, wait=True)
    task = Task(done.entry_slice, done.forecaster, 0, Priority.BATCH)
    task._rows = np.array([5, 4])
    busy = engine.Engine(Cache(None, 1 << 20, 1 << 20))
    monkeypatch.setattr(busy, "_next", lambda: task)
    monkeypatch.setattr(busy, "_infer", lambda _: True)
    monkeypatch.setattr(busy._inference, "submit", lambda _: None)
    busy._step()
    assert not rests
    busy.ease()
    busy._step()
    assert rests == [engine.REST_SECONDS]
    task.prefer(np.array([4]))
    busy._step()
    assert rests == [engine.REST_SECONDS]
