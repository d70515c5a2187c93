"""Draws (F2): sorted, quantiles of errors that were made, and covering what they say they cover."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS, mean_error_by_step, quantile_forecast, sort_leading
from nbforecast.forecasters.scaled_context import BacktestOrigins, PointForecast
from tests.support.windows import MODELS, context, forecast, past_of, windows

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("n", [2, 8, 64])
def test_the_network_sorts(n: int) -> None:
    x = np.random.default_rng(n).normal(size=(n, 3, 5)).astype(np.float32)
    x[0, 0, 0] = np.inf
    np.testing.assert_array_equal(sort_leading(jnp.array(x)), np.sort(x, axis=0))


def _outlook(errors: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Draws of one window of unit scale around 0 with these (n, H) errors."""
    past = past_of(windows(context(-100 + np.random.default_rng(0).normal(size=300))))
    past = past._replace(scale=jnp.ones(1))
    origins = BacktestOrigins(
        jnp.zeros((64, 1), jnp.int32), jnp.zeros((64, *errors.shape[1:], 1)), jnp.array(valid)[..., None]
    )
    points = jnp.zeros((errors.shape[1], 1))
    return np.asarray(
        jax.jit(quantile_forecast)(past, origins, PointForecast(points, jnp.array(errors, jnp.float32)[..., None]))
    )[0]


def test_many_errors_give_their_quantiles() -> None:
    errors = np.tile(np.linspace(-2, 6, 64)[:, None], (1, 3))
    draws = _outlook(errors, np.ones((64, 3), bool))
    np.testing.assert_allclose(draws[0], np.quantile(errors[:, 0], DRAW_LEVELS), atol=1.0)
    assert draws[0].mean() == pytest.approx(2.0, abs=0.6)


def test_invalid_errors_do_not_count() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(64, 4))
    valid = np.arange(64)[:, None] < np.array([60, 50, 40, 30])
    spoilt = np.where(valid, errors, 1e6)
    np.testing.assert_array_equal(_outlook(errors, valid), _outlook(spoilt, valid))


def test_few_errors_still_give_a_spread() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(64, 12))
    valid = np.zeros((64, 12), bool)
    valid[:5, :3] = True
    width = np.ptp(_outlook(errors, valid), axis=-1)
    assert (width > 0.5).all()
    assert width[-1] > width[2]


def test_spread_never_falls_with_the_horizon() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(64, 12, 30)) * rng.uniform(0.5, 2, (1, 12, 1))
    size = np.asarray(mean_error_by_step(jnp.array(errors), jnp.ones((64, 12, 30), bool)))
    assert (np.diff(size, axis=0) >= 0).all()


def _simulated(kind: str, rng: np.random.Generator, n: int = 160, steps: int = 524) -> np.ndarray:
    noise = rng.normal(size=(n, steps))
    if kind == "white":
        return noise
    if kind == "walk":
        return np.cumsum(noise, axis=1)
    if kind == "seasonal":
        return 3 * np.sin(2 * np.pi * np.arange(steps) / 24) + noise
    y = np.zeros((n, steps))
    for t in range(1, steps):
        y[:, t] = 0.8 * y[:, t - 1] + noise[:, t]
    return y


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["white", "walk", "seasonal", "ar"])
def test_draws_are_calibrated_on_known_processes(model: str, kind: str) -> None:
    """F2: between the levels .05 and .95 lie nine tenths of what followed, and half between .25 and .75."""
    y = _simulated(kind, np.random.default_rng(7)) - 1000
    draws, actual = forecast(model, y[:, :512], 12, (24,)), y[:, 512:524, None]
    covered = (actual >= draws[..., :5]) & (actual <= draws[..., :4:-1])
    nine_tenths, _, half, *_ = covered.mean((0, 1))
    assert 0.83 <= nine_tenths <= 0.96
    # the network's bands are a little narrow where there is nothing but a season (see its model card)
    assert (0.38 if model == "pretrained" else 0.42) <= half <= 0.62
