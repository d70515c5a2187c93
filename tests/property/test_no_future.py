"""L1, S3: from the frame to the forecast, nothing observed after an origin changes it, gaps and repairs included."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.compute.inference import run_inference
from nbforecast.forecasters.base import Forecaster, known, resolve
from nbforecast.forecasters.reasons import Reason
from nbforecast.series import prepare
from tests.networks import bolt

MODELS = [*(m.name for m in known() if not m.source), bolt()]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: m if isinstance(m, str) else m.name)
GLUCOSE = nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(900)


def forecasts(
    frame: pl.DataFrame, model: str | Forecaster, until: np.datetime64, count: int = 40
) -> tuple[list[object], np.ndarray]:
    """Times and forecasts of the newest `count` available origins not after a time."""
    data = prepare(frame, freq="5min")
    forecaster = resolve(model)
    times = data.times(data.time)
    usable = (forecaster.availability(data) == Reason.AVAILABLE) & (data.time <= until)
    rows = np.flatnonzero(usable)[-count:]
    return times.gather(rows).to_list(), run_inference(forecaster, data, rows, 12)


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
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3, err_msg=name)


@every_model
def test_C5_E8_nothing_older_than_the_context_matters(model: str | Forecaster) -> None:
    until = prepare(GLUCOSE, freq="5min").time[-1]
    older = GLUCOSE.head(200).with_columns(pl.col("y") * 3)
    times, expected = forecasts(GLUCOSE, model, until, 30)
    for other in (GLUCOSE.tail(-200), pl.concat([older, GLUCOSE.tail(-200)])):
        found_times, found = forecasts(other, model, until, 30)
        assert found_times == times
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


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
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
