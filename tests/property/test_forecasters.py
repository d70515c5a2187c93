"""What must hold of every forecaster in the box, whatever the data: units, edge cases, long horizons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.registry import resolve
from tests.support.examples import examples
from tests.support.windows import CONTEXT, MODELS, context, forecast

pytestmark = pytest.mark.slow

HORIZON = 12  # as in the other tests of all forecasters, which compile the same functions
LONG = 70  # two passes of a network that forecasts 64 steps; the golden forecasts compile the same functions
every_model = pytest.mark.parametrize("model", MODELS)


def _series(seed: int, length: int = 700) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    return 50 + np.cumsum(rng.normal(size=length)) * 0.3 + 8 * np.sin(2 * np.pi * t / 24) + rng.normal(size=length)


@every_model
@examples(10)
@given(seed=st.integers(0, 2**16), factor=st.floats(1e-6, 1e6))
def test_units_do_not_matter(model: str, seed: int, factor: float) -> None:
    """F2: forecasts of a multiple are the multiple of the forecasts."""
    x = context(_series(seed))
    plain, scaled = forecast(model, np.concatenate([x, x * factor]), HORIZON)
    np.testing.assert_allclose(scaled / factor, plain, rtol=2e-3, atol=2e-3 * np.nanstd(x))


@every_model
@examples(10)
@given(seed=st.integers(0, 2**16), shift=st.floats(0, 1e6))
def test_the_zero_of_a_scale_does_not_matter_below_zero(model: str, seed: int, shift: float) -> None:
    """F2: forecasts shift with the data. Below zero only: positive data may be taken in logarithms."""
    x = context(_series(seed) - 500)
    apart = 2e-3 * np.nanstd(x) + np.spacing(np.float32(shift + 500))  # draws are in single precision
    plain, shifted = forecast(model, np.concatenate([x, x - shift]), HORIZON)
    np.testing.assert_allclose(shifted + shift, plain, atol=apart)


_rng = np.random.default_rng(5)
_EDGES = {
    "eight points": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0],
    "constant": [7.0] * 300,
    "short constant": [7.0] * 8,
    "all zero": [0.0] * 300,
    "billions": 1e9 + _rng.normal(size=400),
    "billionths": 1e-9 * (5 + _rng.normal(size=400)),
    "vast": 1e30 * _rng.normal(size=400),
    "a spike": [*[0.0] * 300, 1e6, *[0.0] * 50],
    "half missing": np.where(np.arange(400) % 2, np.nan, _rng.normal(size=400)),
    "a long gap": [*_rng.normal(size=200), *[np.nan] * 100, *_rng.normal(size=100)],
    "counts": _rng.poisson(0.3, 400).astype(float),
    "explosive": 1.03 ** np.arange(400),
    "season of two": np.tile([0.0, 1.0], 200),
    "last value alone differs": [*[2.0] * 300, 3.0],
}


@every_model
@pytest.mark.parametrize("horizon", [HORIZON, LONG])
def test_draws_are_finite_ascending_quantiles_whatever_the_data(model: str, horizon: int) -> None:
    """F2: short, constant, huge, tiny, sparse ... every edge case at once, since windows do not affect each other."""
    draws = forecast(model, context(*_EDGES.values()), horizon, (24, 168))
    assert draws.shape == (len(_EDGES), horizon, len(DRAW_LEVELS))
    for name, one in zip(_EDGES, draws, strict=True):
        assert np.isfinite(one).all(), name
        assert (np.diff(one, axis=-1) >= 0).all(), name
    by_name = dict(zip(_EDGES, draws, strict=True))
    np.testing.assert_allclose(by_name["constant"], 7.0, atol=1e-5)
    np.testing.assert_allclose(by_name["short constant"], 7.0, atol=1e-5)
    np.testing.assert_allclose(by_name["all zero"], 0.0, atol=1e-5)
    assert np.abs(by_name["billions"] - 1e9).max() < 200
    assert (by_name["counts"] >= 0).all()
    assert (by_name["billionths"] >= 0).all()
    assert (np.ptp(by_name["eight points"], axis=-1) > 1.0).all()


@every_model
def test_a_long_horizon_is_possible(model: str) -> None:
    draws = forecast(model, context(_series(1)), LONG, (24,))
    assert np.isfinite(draws).all()
    assert draws.shape == (1, LONG, 10)
    width = np.ptp(draws[0], axis=-1)
    assert width[-1] >= width[0]


@every_model
def test_data_that_stop_at_zero_have_no_negative_forecasts(model: str) -> None:
    """Counts with zeros among them; data that only happen to be positive may fall below zero."""
    rng = np.random.default_rng(2)
    walks = np.abs(np.cumsum(rng.normal(size=(20, 300)), axis=1))
    assert forecast(model, context(*np.where(walks < 2, 0, walks)), LONG).min() >= 0
    assert forecast(model, context(*(walks + 0.001)), LONG).min() < 0


@every_model
def test_forecasters_are_values(model: str) -> None:
    """F1: a forecaster is hashable, and says what it is."""
    forecaster = resolve(model)
    another = type(forecaster).load() if model == "pretrained" else type(forecaster)()
    assert forecaster == another
    assert hash(forecaster) == hash(another)
    assert (forecaster.name, forecaster.context, forecaster.draws) == (
        model,
        2048 if model == "pretrained" else CONTEXT,
        10,
    )
    assert forecaster.levels == DRAW_LEVELS
    assert model in forecaster.key
