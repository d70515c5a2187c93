"""S12: forecasts within bounds that the user names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nbforecast as nbf
from nbforecast.errors import OptionError


def test_S12_bounds_limit_draws_scores_and_bands():
    frame = pd.DataFrame(
        {"ds": pd.date_range("2024-01-01", periods=200, freq="h"), "y": np.sin(np.arange(200.0)) - 0.5}
    )
    free = nbf.forecast(frame, "naive", 3, wait=True)
    bounded = nbf.forecast(frame, "naive", 3, minimum=0, maximum=0.25, calibrate=True, wait=True)
    has_forecast = np.isfinite(free.array).all((1, 2))
    np.testing.assert_allclose(bounded.array[has_forecast], np.clip(free.array[has_forecast], 0, 0.25), atol=1e-6)
    assert bounded.array[has_forecast].min() == 0
    assert free.array[has_forecast].min() < 0
    assert bounded.reused == 0
    scores, free_scores = bounded.scores(), free.scores()
    actual = bounded.data.actuals(np.arange(200), 3)
    expected = np.nanmean(np.abs(bounded.take("median", np.arange(200)) - actual))
    assert scores["mae"][0] == pytest.approx(expected, rel=1e-5)
    assert scores["mae"][0] != pytest.approx(free_scores["mae"][0], rel=1e-3)
    bands = bounded.calibrated_bands()
    assert np.nanmin(bands) >= 0
    assert np.nanmax(bands) <= 0.25
    assert bounded.model == free.model == "naive"
    for options in ({"minimum": 1, "maximum": 0}, {"minimum": "a"}, {"maximum": float("inf")}):
        with pytest.raises(OptionError):
            nbf.forecast(frame, "naive", 3, **options)


@pytest.mark.slow
def test_S12_saved_bounded_results_find_their_model():
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=100, freq="h"), "y": np.sin(np.arange(100.0))})
    run = nbf.forecast(frame, "naive", 2, minimum=-0.5, wait=True)
    saved = nbf.cache.run(run.handle)
    assert float(saved.at(-5).draws.min()) >= -0.5
    assert saved.spec == run.spec
    nbf.cache.recompute(run.handle)
