"""R4: coverages in per cent and probabilities are not mistaken for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.forecasters.adapters.function import FunctionForecaster

if TYPE_CHECKING:
    from nbforecast.run import Run


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(np.arange(40.0), "naive", 2, wait=True)


@pytest.mark.parametrize(
    ("coverage", "text"),
    [
        (0.8, r"coverages in per cent, above 1 and below 100, not 0\.8: write 80 for 80 %"),
        (np.float32(0.5), "write 50 for 50 %"),
        (1, "above 1 and below 100, not 1\\."),
        (0, "not 0"),
        (100, "not 100"),
        (float("nan"), "not nan"),
        ("80", "not '80'"),
        (None, "not None"),
    ],
)
def test_R4_a_share_is_no_coverage_of_an_interval(run: Run, coverage: float, text: str) -> None:
    forecast = run.at(0)
    with pytest.raises(nbf.NbForecastError, match=text):
        forecast.interval(coverage)
    with pytest.raises(nbf.NbForecastError, match=text):
        run.to_long(levels=[80, coverage])


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (95, r"probabilities between 0 and 1, not 95: write 0\.95 for 95 %"),
        (2.5, r"write 0\.025 for 2\.5 %"),
        (1, r"between 0 and 1, not 1\."),
        (0, "not 0"),
        (-0.5, r"not -0\.5"),
        (float("nan"), "not nan"),
        ("median", "not 'median'"),
    ],
)
def test_R4_a_percentage_is_no_probability_of_a_quantile(run: Run, probability: float, text: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=text):
        run.at(0).quantile(probability)
    with pytest.raises(nbf.NbForecastError, match=text):
        run.at(0).quantile([0.5, probability])
    with pytest.raises(nbf.NbForecastError, match=text):
        FunctionForecaster(lambda contexts, horizon: contexts, levels=[0.01, probability])


def test_R4_what_is_meant_is_taken(run: Run) -> None:
    forecast = run.at(0)
    np.testing.assert_array_equal(forecast.interval(80), forecast.quantile([0.1, 0.9]))
    np.testing.assert_array_equal(forecast.interval(np.int64(95)), forecast.quantile(np.array([0.025, 0.975])))
    assert forecast.quantile(np.float64(0.5)).shape == (2,)
    assert {"naive-lo-99.5", "naive-hi-99.5"} < set(run.to_long(levels=99.5).columns)
    assert {"naive-lo-80", "naive-hi-80"} < set(run.to_long(levels=np.int64(80)).columns)
