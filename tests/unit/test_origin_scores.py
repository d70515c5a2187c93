"""E3: quantiles, scores and densities, against slow definitions and scipy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.scoring.origin_scores import COVERAGES, QUANTILE_LEVELS, calculate, densities, draw_levels, quantiles

RNG = np.random.default_rng(0)
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def some_draws(n: int = 40, horizon: int = 12, count: int = 10) -> np.ndarray:
    walk = np.cumsum(RNG.standard_normal((n, horizon, count)), axis=1) * 5 + 100
    return np.sort(walk, -1).astype(np.float32)


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "quantiles.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_W6_quantiles_follow_the_rule_that_a_page_follows_too(case: dict[str, Any]) -> None:
    draws, expected = np.array(case["draws"], np.float32), np.array(case["quantiles"])
    assert tuple(GOLDEN["levels"]) == QUANTILE_LEVELS
    values = quantiles(draws, tuple(case["draw_levels"]), QUANTILE_LEVELS)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_E3_levels_of_samples_are_hazens_plotting_positions() -> None:
    draws = some_draws(8)
    levels = draw_levels(None, 10)
    at_levels = quantiles(draws, levels, levels)
    np.testing.assert_allclose(at_levels, draws, rtol=1e-5)
    wanted = np.quantile(draws, levels, axis=-1, method="hazen")
    np.testing.assert_allclose(np.moveaxis(at_levels, -1, 0), wanted, rtol=1e-5)


def test_E3_quantiles_of_a_normal_distribution_are_exact_within_and_beyond_the_levels() -> None:
    levels = draw_levels(None, 10)
    draws = scipy.stats.norm(50, 7).ppf(levels).astype(np.float32)
    wanted = (0.001, 0.025, 0.1, 0.33, 0.5, 0.77, 0.975)
    np.testing.assert_allclose(quantiles(draws, levels, wanted), scipy.stats.norm(50, 7).ppf(wanted), rtol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_E3_quantiles_beyond_draws_of_one_sign_do_not_cross_zero(sign: int) -> None:
    draws = np.sort(sign * np.array([0, 1, 5, 9, 12, 15, 19, 24, 30, 41], np.float32))
    outer = quantiles(draws, draw_levels(None, 10), (0.001, 0.025, 0.975, 0.999))
    assert (outer * sign >= 0).all()
    mixed = quantiles(draws - sign * 10, draw_levels(None, 10), (0.025, 0.975))
    assert mixed[0] < 0 < mixed[1]


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=10, max_size=10))
def test_E3_quantiles_never_cross(values: list[float]) -> None:
    draws = np.sort(np.array(values, np.float32))
    values_at_levels = quantiles(draws, draw_levels(None, 10), QUANTILE_LEVELS)
    assert (np.diff(values_at_levels) >= -1e-2).all()


def test_E3_crps_of_samples_is_that_of_their_empirical_distribution() -> None:
    draws, actual = some_draws(), 100 + RNG.standard_normal((40, 12)) * 8
    spread = np.abs(draws[..., :, None] - draws[..., None, :]).mean((-1, -2))
    slow = np.abs(draws - actual[..., None]).mean(-1) - spread / 2
    fast = calculate(draws, actual, draw_levels(None, 10), 64).crps
    np.testing.assert_allclose(fast, slow, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("levels", [draw_levels(None, 10), DECILES])
def test_E3_scores_equal_their_definitions_origin_by_origin(levels: tuple[float, ...]) -> None:
    draws, actual = some_draws(count=len(levels)), 100 + RNG.standard_normal((40, 12)) * 8
    out = calculate(draws, actual, levels, 64)
    for i, h in [(0, 0), (7, 3), (39, 11)]:
        y, q = actual[i, h], quantiles(draws[i, h], levels, QUANTILE_LEVELS)
        losses = [max(p * (y - v), (p - 1) * (y - v)) for p, v in zip(QUANTILE_LEVELS, q, strict=True)]
        assert out.pinball[i, h] == pytest.approx(np.mean(losses), rel=1e-4)
        assert out.abs_error[i, h] == pytest.approx(abs(y - q[3]), rel=1e-4)
        alphas = [1 - c / 100 for c in COVERAGES]
        interval = [
            (u - lo) + 2 / a * max(lo - y, 0) + 2 / a * max(y - u, 0)
            for a, lo, u in zip(alphas, q[2::-1], q[4:], strict=True)
        ]
        wis = (0.5 * abs(y - q[3]) + sum(a / 2 * s for a, s in zip(alphas, interval, strict=True))) / 3.5
        assert 2 * out.pinball[i, h] == pytest.approx(wis, rel=1e-3)
        assert out.covered[i, h].tolist() == [float(lo <= y <= u) for lo, u in zip(q[2::-1], q[4:], strict=True)]


def test_C2_an_unknown_actual_gives_NaN_scores_and_leaves_the_quantiles() -> None:
    draws, actual = some_draws(3), np.full((3, 12), 100.0)
    actual[1, 4:] = np.nan
    out = calculate(draws, actual, draw_levels(None, 10), 32)
    for layer in (out.abs_error, out.crps, out.pinball, out.covered[..., 1]):
        assert np.isnan(layer[1, 4:]).all()
        assert np.isfinite(layer[1, :4]).all()
    assert np.isfinite(out.quantiles).all()


def test_E3_a_batch_gives_what_single_origins_give() -> None:
    draws, actual = some_draws(20), RNG.standard_normal((20, 12)) + 100
    together = calculate(draws, actual, draw_levels(None, 10), 32)
    for i in range(20):
        alone = calculate(draws[i : i + 1], actual[i : i + 1], draw_levels(None, 10), 32)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a[0], b[i])


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6])
def test_E3_density_equals_scipys_gaussian_kde(offset: float) -> None:
    draws = np.sort(RNG.standard_normal((16, 12, 10)) * 40 + offset, -1).astype(np.float32)
    limits, density = densities(draws, 16)
    for i, h in np.ndindex(4, 12):
        kernel = scipy.stats.gaussian_kde(draws[i, h].astype(np.float64))
        at = np.linspace(*limits[i, h].astype(np.float64), density.shape[-1])
        expected = kernel(at)
        # relative to the peak: an offset of 1e6 leaves the grid's float32 limits a little off
        np.testing.assert_allclose(
            density[i, h], expected, rtol=1e-4, atol=(1e-4 if abs(offset) < 1e5 else 5e-3) * expected.max()
        )


@pytest.mark.parametrize("value", [5.0, 0.0, -1e9])
def test_E3_density_of_equal_draws_is_finite_and_integrates_to_one(value: float) -> None:
    limits, density = densities(np.full((1, 3, 10), value, np.float32), 32)
    assert np.isfinite(density).all()
    step = (limits[..., 1] - limits[..., 0]) / (density.shape[-1] - 1)
    np.testing.assert_allclose(density.sum(-1) * step, 1, rtol=5e-2)


@pytest.mark.parametrize("value", [5.1, 0.0, 1e9, -3.3e-7])
def test_E3_a_certain_forecast_that_comes_true_is_covered(value: float) -> None:
    draws = np.full((1, 12, 10), value, np.float32)
    out = calculate(draws, draws[..., 0].astype(np.float64), draw_levels(None, 10), 32)
    assert (out.covered == 1).all()
    assert (out.crps == 0).all()
    assert (out.quantiles == np.float32(value)).all()


@pytest.mark.parametrize("level", [0.0, 1e6, 1e9])
def test_E3_scores_take_actual_values_as_they_are_however_high_their_level(level: float) -> None:
    draws = (some_draws(10) * 100 + level).astype(np.float32)
    actual = draws[..., 5].astype(np.float64) + 7.25
    out = calculate(draws, actual, draw_levels(None, 10), 32)
    median = draws[..., 4:6].astype(np.float64).mean(-1)
    np.testing.assert_allclose(out.abs_error, np.abs(actual - median), rtol=1e-4, atol=np.spacing(np.float32(level)))
