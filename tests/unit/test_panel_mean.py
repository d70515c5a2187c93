"""R4: the mean of a panel, clustered by series and time, against statsmodels, a slow definition and its own size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import sandwich_covariance as sandwich

from nbforecast.scoring.panel_mean import bartlett_variance, estimate_panel_mean


def panel(seed: int, series: int = 12, times: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with effects of series and of times that last, series by series."""
    rng = np.random.default_rng(seed)
    common = np.convolve(rng.standard_normal(times + 5), np.ones(6) / 2, "valid")
    values = 0.3 + rng.standard_normal((series, 1)) + common + rng.standard_normal((series, times))
    return values.ravel(), np.tile(np.arange(times), series), np.repeat(np.arange(series), times)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_R4_the_three_variances_are_those_of_statsmodels(seed: int) -> None:
    values, time, series = panel(seed)
    width, count = 6, len(values)
    fit = sm.OLS(values, np.ones(count)).fit()
    bounds = [(start, start + 90) for start in range(0, count, 90)]
    by_series = sandwich.cov_cluster(fit, series, use_correction=False).item()
    by_time = sandwich.cov_nw_groupsum(fit, width - 1, time, use_correction=0).item()
    within = sandwich.cov_nw_panel(fit, width - 1, bounds, use_correction=False).item()
    deviation = values - values.mean()
    assert bartlett_variance(deviation, series, width) / count**2 == pytest.approx(within)
    sums = np.bincount(time, deviation)
    assert bartlett_variance(sums, np.zeros(90, np.int64), width) / count**2 == pytest.approx(by_time)
    estimate = estimate_panel_mean(values, time, series, 3)
    share = width / 90
    corrected = by_series * 12 / 11 + max(by_time - within, 0) / (1 - share + share**2 / 3)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.standard_error == pytest.approx(math.sqrt(corrected))
    assert estimate.degrees_of_freedom == 11
    assert estimate.scope == "series and times"
    t = estimate.value / estimate.standard_error
    assert estimate.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(t), 11))


@given(st.integers(0, 1000), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_R4_the_kernel_weighs_every_pair_of_a_series_by_its_lag(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    series = np.sort(rng.integers(0, 4, 25))
    values = rng.standard_normal(25)
    slow = 0.0
    for a in range(25):
        for b in range(25):
            if series[a] == series[b]:
                slow += max(1 - abs(a - b) / width, 0) * values[a] * values[b]
    assert bartlett_variance(values, series, width) == pytest.approx(slow, abs=1e-9)


def test_R4_what_is_inferred_depends_on_how_many_series_and_times_there_are() -> None:
    assert estimate_panel_mean(*panel(0, 20, 60), 12).scope == "series and times"
    assert estimate_panel_mean(*panel(0, 20, 60), 12).degrees_of_freedom == 2
    few_times = estimate_panel_mean(*panel(0, 20, 40), 12)
    assert (few_times.scope, few_times.degrees_of_freedom) == ("series", 19)
    assert math.isnan(estimate_panel_mean(*panel(0, 4, 200), 3).p_value)
    assert math.isnan(estimate_panel_mean(np.full(4, np.nan), np.arange(4), np.zeros(4, np.int64), 1).value)
    values, time, series = panel(3)
    values[::7] = np.nan
    assert math.isfinite(estimate_panel_mean(values, time, series, 3).p_value)
    assert estimate_panel_mean(np.zeros(60), np.tile(np.arange(10), 6), np.repeat(np.arange(6), 10), 1).p_value == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["common", "series", "both"])
def test_R4_no_difference_is_found_more_often_than_it_should(kind: str) -> None:
    """In a twentieth of all panels, or somewhat more where times are few; a test by time alone finds one in most."""
    rng = np.random.default_rng(0)
    kernel, found = np.ones(6) / math.sqrt(6), 0
    series, time = np.repeat(np.arange(20), 150), np.tile(np.arange(150), 20)
    for _ in range(150):
        common = np.convolve(rng.standard_normal(155), kernel, "valid") * (kind != "series")
        own = rng.standard_normal((20, 1)) * (kind != "common")
        noise = np.stack([np.convolve(rng.standard_normal(155), kernel, "valid") for _ in range(20)])
        found += estimate_panel_mean((common + own + noise).ravel(), time, series, 6).p_value < 0.05
    assert found / 150 < 0.12
