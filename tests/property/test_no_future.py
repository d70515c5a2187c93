"""L1, S3, E8, for every forecaster: a forecast depends on its context alone.

Nothing observed after an origin changes it, gaps and repairs included, nor anything older than the context, nor what
else is forecast along with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.registry import registered_models, resolve
from nbforecast.forecasters.unavailable import UnavailableReason
from tests.support.networks import bolt, gluformer

if TYPE_CHECKING:
    from nbforecast.forecasters.base import Forecaster

pytestmark = pytest.mark.slow

HORIZON = 6


def mean_and_most(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """A function as anybody writes one."""
    ends = np.stack([np.nanmean(contexts, 1), np.nanmax(contexts, 1)], -1)
    return np.repeat(ends[:, None], horizon, 1)


def lagged() -> LinearRegression:
    values = np.random.default_rng(0).normal(0, 30, 400).cumsum()
    lags = np.lib.stride_tricks.sliding_window_view(values, 13)
    return LinearRegression().fit(lags[:, :-1], lags[:, -1])


MODELS: list[str | Forecaster] = [
    *(m.name for m in registered_models() if not m.source),
    bolt(),
    gluformer(),
    replace(gluformer(), name="gluformer, own masks", masks="window", output="samples", samples=4),
    FunctionForecaster(mean_and_most, context=48, draws=2),
    resolve(lagged()),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: m if isinstance(m, str) else m.name)
GLUCOSE = nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(900)


def forecasts(
    frame: pl.DataFrame, model: str | Forecaster, until: np.datetime64, count: int = 40
) -> tuple[list[object], np.ndarray]:
    """Times and forecasts of the newest `count` available origins not after a time."""
    data = prepare(frame, freq="5min")
    forecaster = resolve(model)
    times = data.times(data.time)
    usable = (forecaster.availability(data) == UnavailableReason.AVAILABLE) & (data.time <= until)
    rows = np.flatnonzero(usable)[-count:]
    return times.gather(rows).to_list(), run_inference(forecaster, data, rows, HORIZON)


@every_model
@settings(max_examples=6, deadline=None)
@given(cut=st.integers(560, 880), seed=st.integers(0, 2**16))
def test_L1_another_future_gives_the_same_forecasts(model: str | Forecaster, cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    until = prepare(GLUCOSE.head(cut), freq="5min").time[-1]
    past, future = GLUCOSE.head(cut), GLUCOSE.tail(-cut)
    futures = {
        "none": future.head(0),
        "wild": future.with_columns(y=pl.lit(rng.normal(0, 1e6, future.height))),
        "gappy": future.filter(pl.Series(rng.random(future.height) < 0.3)),
        "missing": future.with_columns(y=pl.lit(None, pl.Float64)),
    }
    times, expected = forecasts(GLUCOSE, model, until)
    for name, other in futures.items():
        found_times, found = forecasts(pl.concat([past, other]), model, until)
        assert found_times == times, name
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-3, err_msg=name)


@every_model
def test_C5_E8_nothing_older_than_the_context_matters(model: str | Forecaster) -> None:
    until = prepare(GLUCOSE, freq="5min").time[-1]
    older = GLUCOSE.head(200).with_columns(pl.col("y") * 3)
    times, expected = forecasts(GLUCOSE, model, until, 30)
    for other in (GLUCOSE.tail(-200), pl.concat([older, GLUCOSE.tail(-200)])):
        found_times, found = forecasts(other, model, until, 30)
        assert found_times == times
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-3)


@every_model
@settings(max_examples=6, deadline=None)
@given(cut=st.integers(560, 860), gap=st.integers(1, 12), factor=st.sampled_from([-100.0, 3.0, 1e4]))
def test_L1_an_origin_inside_a_gap_knows_nothing_of_its_other_end(
    model: str | Forecaster, cut: int, gap: int, factor: float
) -> None:
    past, future = GLUCOSE.head(cut), GLUCOSE.tail(-cut - gap)
    other = future.with_columns(pl.col("y") * factor)
    until = prepare(pl.concat([past, future.head(1)]), freq="5min").time[-2]
    times, expected = forecasts(pl.concat([past, future]), model, until, gap + 2)
    found_times, found = forecasts(pl.concat([past, other]), model, until, gap + 2)
    assert found_times == times
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-3)


@every_model
def test_E8_a_forecast_does_not_depend_on_its_batch(model: str | Forecaster) -> None:
    """Nor on its place there, nor on the series beside it, nor on how many origins are inferred at once."""
    alone = prepare(GLUCOSE, freq="5min")
    other = GLUCOSE.with_columns(pl.lit("another").alias("unique_id"), pl.col("y").reverse() * 3)
    both = prepare(pl.concat([other, GLUCOSE]), freq="5min")
    forecaster = resolve(model)
    rows = np.flatnonzero(forecaster.availability(alone) == UnavailableReason.AVAILABLE)[-37::3]
    expected = run_inference(forecaster, alone, rows, HORIZON)
    moved = rows + int(both.offsets[both.position("hall_2133-036")])
    beside = np.flatnonzero(forecaster.availability(both) == UnavailableReason.AVAILABLE)[:13]
    mixed = np.concatenate([moved[::-1], beside])
    found = run_inference(forecaster, both, mixed, HORIZON, sizer=BatchSizer.fixed(8))[: len(rows)][::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-3)
    for row in (0, len(rows) - 1):
        one = run_inference(forecaster, alone, rows[[row]], HORIZON)
        np.testing.assert_allclose(one, expected[[row]], rtol=1e-5, atol=4e-3)
