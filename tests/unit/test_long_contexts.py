"""F2: what the pretrained network makes of long windows: views, seasons, adjustment, autoregressions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_toeplitz

from nbforecast.forecasters.pretrained import autoregression
from nbforecast.forecasters.pretrained.adjustment import adjust
from nbforecast.forecasters.pretrained.long_context import COARSE, RECENT, long_context, recent
from nbforecast.forecasters.pretrained.seasons import autocorrelation, find_seasons
from nbforecast.forecasters.scaled_context import scale_context
from tests.support.windows import windows

LENGTH = 2048
pytestmark = pytest.mark.slow


@jax.jit
def _views(cut):
    past = scale_context(recent(cut))
    long = long_context(cut, past)
    seasons, calendar = find_seasons(past, long, cut.seasons)
    return past, long, seasons, calendar, adjust(past, long, seasons), autocorrelation(past)


def _history(*series: np.ndarray) -> np.ndarray:
    out = np.full((4, LENGTH), np.nan)
    for row, values in zip(out, [*series, *[series[-1]] * (4 - len(series))], strict=True):
        row[LENGTH - len(values) :] = values
    return out


def _pattern(period: int, length: int = LENGTH, seed: int = 0) -> np.ndarray:
    """A smooth season, a slow drift and noise."""
    random = np.random.default_rng(seed)
    t = np.arange(length)
    season = np.sin(2 * np.pi * t / period) + 0.5 * np.cos(4 * np.pi * t / period)
    return 30 + 4 * season + np.cumsum(random.normal(size=length)) * 0.02 + 0.3 * random.normal(size=length)


def test_old_steps_are_read_four_at_a_time() -> None:
    values = _pattern(288)
    values[100:180] = np.nan
    past, long, *_ = _views(windows(_history(values), (288,)))
    known = (values - values[-1]) / float(past.scale[0])
    np.testing.assert_allclose(long.values[RECENT:, 0], np.nan_to_num(known)[RECENT:], atol=1e-4)
    expected = known[200 : 200 + 40 * COARSE].reshape(-1, COARSE).mean(1)
    np.testing.assert_allclose(long.coarse[50:90, 0], expected, atol=1e-4)
    assert not long.coarse_known[26:44, 0].any()
    np.testing.assert_allclose(long.sums[-1, 0], np.nansum(known), rtol=1e-4)
    assert long.counts[-1, 0] == LENGTH - 80


def test_a_short_history_gives_the_same_numbers_in_a_window_of_either_length() -> None:
    """E8: a batch of short histories is cut shorter."""
    history = _history(_pattern(24, 400), _pattern(12, 90), _pattern(7, 30))
    wide = _views(windows(history, (24,)))
    narrow = _views(windows(history[:, -RECENT:], (24,)))
    for of_wide, of_narrow in ((wide[0], narrow[0]), (wide[2], narrow[2]), (wide[4].values, narrow[4].values)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), of_wide, of_narrow)


def test_long_seasons_are_found_where_the_recent_steps_are_too_few() -> None:
    history = _history(_pattern(288), _pattern(336), _pattern(672), _pattern(96))
    for calendar, row in (((288,), 0), ((48, 336), 1), ((96, 672), 2), ((96, 672), 3)):
        _, _, seasons, *_ = _views(windows(history, calendar))
        assert max(int(seasons.short[row]), int(seasons.long[row])) == (288, 336, 672, 96)[row]


def test_without_a_calendar_common_seasons_are_found_and_noise_has_none() -> None:
    random = np.random.default_rng(1)
    history = _history(_pattern(12, 70), _pattern(24, 700), random.normal(size=700), 20 + random.normal(size=60))
    _, _, seasons, calendar, *_ = _views(windows(history, ()))
    assert seasons.short.tolist() == [12, 24, 0, 0]
    assert calendar[:, 0].tolist() == [12, 0]
    assert calendar[:, 1].tolist() == [24, 168], "hours have weeks"


@pytest.mark.parametrize("period", [24, 288])
def test_adjusted_values_have_no_season(period: int) -> None:
    """From the first step on where older steps show the season."""
    values = _pattern(period)
    past, _, seasons, _, adjusted, _ = _views(windows(_history(values), (period,)))
    assert int(seasons.short[0]) == period
    rest = np.asarray(adjusted.values[:, 0]) * float(past.scale[0])
    assert rest.std() < 0.35 * values[-RECENT:].std()


def test_autocorrelations_are_those_of_clipped_changes() -> None:
    past, *_, (r, _) = _views(windows(_history(_pattern(24)), (24,)))
    changes = np.diff(np.asarray(past.values[:, 0], np.float64))
    changes = changes - changes.mean()
    limit = 4 * np.abs(changes).mean()
    changes = np.clip(changes, -limit, limit)
    expected = [(changes[lag:] * changes[: len(changes) - lag]).sum() / (len(changes) - lag) for lag in range(200)]
    np.testing.assert_allclose(r[:200, 0], np.array(expected) / expected[0], atol=0.01)


def test_autoregressions_solve_yule_and_walkers_equations() -> None:
    random = np.random.default_rng(0)
    values = np.zeros(600)
    for t in range(2, 600):
        values[t] = 1.2 * values[t - 1] - 0.5 * values[t - 2] + random.normal()
    values -= values.mean()
    found = autoregression.fit(jnp.array(values[:, None], jnp.float32), jnp.ones((600, 1), bool))[:, 0]
    lags = [(values[lag:] * values[: 600 - lag]).sum() for lag in range(autoregression.LAGS + 1)]
    lags[0] *= 1.01
    np.testing.assert_allclose(found, solve_toeplitz(lags[:-1], lags[1:]), atol=2e-3)
    assert found[0] == pytest.approx(1.2, abs=0.15)


def test_forecasts_of_an_autoregression_are_its_recursion() -> None:
    coefficients = np.array([0.7, -0.2, 0.1, 0.0, 0.05, 0.0, 0.0, -0.1])
    last = np.array([1.0, 2.0, -1.0, 0.5, 0.3, 0.2, -0.4, 1.0])  # the last first
    weights = autoregression.multistep_weights(jnp.array(coefficients[:, None], jnp.float32), 10)[..., 0]
    state, expected = last.copy(), []
    for _ in range(10):
        expected.append(coefficients @ state)
        state = np.concatenate([[expected[-1]], state[:-1]])
    np.testing.assert_allclose(weights @ last, expected, atol=1e-5)
