"""J4, W4, W6: the explorer's paths, running totals and peaks are those of Python, live and on a page."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.jupyter.validation import InvalidMessage
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.messages import MAX_JOINT_ROWS, SHOWN_PATHS, JointRequest, read_request
from nbforecast.jupyter.widgets.explorer.widget import Explorer
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS
from tests.support.explorers import answers, arrays, make_feed, series

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.run import Run


@pytest.fixture(scope="module", params=[False, True])
def run(request: pytest.FixtureRequest) -> Run:
    return nbf.forecast(series(140), "naive", 3, calibrate=request.param, wait=True)


def test_J4_W6_totals_and_peaks_are_those_of_the_forecasts(run: Run) -> None:
    first, count = 100, 30
    limits, _, sums, peaks = (a for a in encoding.read_joint(run, 0, np.arange(first, first + count)))
    for place in (0, 17, 29):
        forecast = run.forecast_at(first + place)
        for steps in (1, 2, 3):
            total = forecast.total(steps)
            assert total.is_calibrated == run.calibrate
            np.testing.assert_allclose(sums[place, steps - 1], total.quantile(QUANTILE_LEVELS), rtol=1e-5)
        np.testing.assert_allclose(peaks[place], forecast.maximum().quantile(QUANTILE_LEVELS), rtol=1e-5)
        paths = forecast.paths()
        assert (limits[place, :, 0] >= paths.min(0)).all()
        assert (limits[place, :, 1] <= paths.max(0)).all()


def test_J4_a_request_for_paths_is_answered_with_its_label(run: Run) -> None:
    message = next(m for m in answers(make_feed(run), JointRequest(0, 0, 90, 20, 7)) if m.content["kind"] == "joint")
    assert (message.content["first"], message.content["count"], message.content["request"]) == (90, 20, 7)
    limits, codes, sums, peaks = arrays(message)
    assert (limits.size, codes.size, sums.size, peaks.size) == (20 * 3 * 2, 20 * SHOWN_PATHS * 3, 20 * 3 * 7, 20 * 7)
    low, high = limits.reshape(20, 1, 3, 2).transpose(3, 0, 1, 2)
    drawn = low + codes.reshape(20, SHOWN_PATHS, 3) / 63 * (high - low)
    exact = run.forecast_at(95).paths()[:: 100 // SHOWN_PATHS]
    np.testing.assert_allclose(drawn[5], exact, atol=float((high - low)[5].max()) / 100)


def test_J4_W2_requests_beyond_the_series_or_of_too_many_rows_are_refused() -> None:
    request = {"kind": "joint_request", "series": 0, "model": 0, "first": 3, "count": 9, "request": 1}
    assert read_request(request, [5], 1) == JointRequest(0, 0, 3, 2, 1)
    for change in ({"first": 5}, {"series": 1}, {"model": 1}, {"count": MAX_JOINT_ROWS + 1}):
        with pytest.raises(InvalidMessage):
            read_request(request | change, [5], 1)


def test_J4_origins_without_a_forecast_have_no_paths(run: Run) -> None:
    limits, codes, sums, peaks = encoding.read_joint(run, 0, np.arange(3))
    is_missing = run.reasons[:3] > 0
    assert is_missing.any()
    for values in (limits, sums, peaks):
        assert np.isnan(values[is_missing]).all()
    assert not codes[is_missing].any()


def test_J4_W4_a_page_holds_paths_and_totals(run: Run, tmp_path: Path) -> None:
    explorer = Explorer([run], style="total")
    text = explorer.to_html(tmp_path / "page.html").read_text()
    data = json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["start"]["drawing"] == "total"
    assert data["paths"] == SHOWN_PATHS
    (joint,) = [m for m in data["messages"] if m["content"]["kind"] == "joint"]
    assert (joint["content"]["first"], joint["content"]["count"]) == (0, 140)
    assert len(joint["buffers"]) == 4
    assert explorer.style == "total"
