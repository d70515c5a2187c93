"""L1, S3, E8, for every forecaster: a forecast depends on its context alone.

Nothing observed after an origin changes it, gaps and repairs included, nor anything older than the context, nor what
else is forecast along with it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters import random_keys
from nbforecast.forecasters.adapters import sklearn
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.forecasters.gluformer.forecaster import Gluformer
from nbforecast.forecasters.registry import registered_models, resolve
from nbforecast.forecasters.unavailable import UnavailableReason
from tests.support.examples import examples
from tests.support.networks import bolt, gluformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster

pytestmark = pytest.mark.slow

HORIZON = 12  # as in the other tests of all forecasters, which compile the same functions


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
    sklearn.build(lagged(), lags=12),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda m: m if isinstance(m, str) else m.name)
GLUCOSE = nbf.sample("glucose").filter(unique_id="hall_2133-036").tail(900)


def steps(forecaster: Forecaster) -> int:
    """How far it is tested."""
    return forecaster.sizes.horizon if isinstance(forecaster, Gluformer) else HORIZON


def prepare_together(variants: Mapping[str, pl.DataFrame]) -> Dataset:
    """Variants of one series as the series of one panel."""
    return prepare(pl.concat([frame.with_columns(unique_id=pl.lit(n)) for n, frame in variants.items()]), freq="5min")


def assert_same_forecasts(
    variants: Mapping[str, pl.DataFrame], model: str | Forecaster, until: np.datetime64, count: int
) -> None:
    """The newest `count` available origins not after a time are the same in every variant, and so are their forecasts.

    All are inferred together: that a forecast does not depend on what is beside it is tested by itself.
    """
    data = prepare_together(variants)
    forecaster = resolve(model)
    usable = (forecaster.availability(data) == UnavailableReason.AVAILABLE) & (data.time <= until)
    rows = np.stack(
        [
            start + np.flatnonzero(usable[start:stop])[-count:]
            for start, stop in itertools.pairwise(data.offsets.tolist())
        ]
    )
    with patch.object(random_keys, "_series_bits", return_value=0):  # the seed of dropout differs between names
        draws = run_inference(forecaster, data, rows.ravel(), steps(forecaster))
    draws = draws.reshape(*rows.shape, *draws.shape[1:])
    for number, name in enumerate(data.ids):
        np.testing.assert_array_equal(data.time[rows[number]], data.time[rows[0]], err_msg=name)
        np.testing.assert_allclose(draws[number], draws[0], rtol=1e-5, atol=4e-3, err_msg=name)


def with_other_futures(cut: int, seed: int) -> dict[str, pl.DataFrame]:
    """A series, and the same until its observation `cut`, with other observations afterwards."""
    rng = np.random.default_rng(seed)
    past, future = GLUCOSE.head(cut), GLUCOSE.tail(-cut)
    futures = {
        "as it was": future,
        "none": future.head(0),
        "wild": future.with_columns(y=pl.lit(rng.normal(0, 1e6, future.height))),
        "gappy": future.filter(pl.Series(rng.random(future.height) < 0.3)),
        "missing": future.with_columns(y=pl.lit(None, pl.Float64)),
    }
    return {name: pl.concat([past, frame]) for name, frame in futures.items()}


@examples(15)
@given(cut=st.integers(560, 880), seed=st.integers(0, 2**16))
def test_L1_another_future_gives_the_same_grid_and_values(cut: int, seed: int) -> None:
    """Each prepared alone, and all as one panel."""
    variants = with_other_futures(cut, seed)
    expected = prepare(variants["none"], freq="5min")
    together = prepare_together(variants)
    for number, frame in enumerate(variants.values()):
        start = together.offsets[number]
        for data, first in ((prepare(frame, freq="5min"), 0), (together, start)):
            rows = slice(first, first + len(expected))
            np.testing.assert_array_equal(data.time[rows], expected.time)
            np.testing.assert_array_equal(data.values[rows], expected.values)


@every_model
@examples(3)
@given(cut=st.integers(560, 880), seed=st.integers(0, 2**16))
def test_L1_another_future_gives_the_same_forecasts(model: str | Forecaster, cut: int, seed: int) -> None:
    until = prepare(GLUCOSE.head(cut), freq="5min").time[-1]
    assert_same_forecasts(with_other_futures(cut, seed), model, until, 12)


@every_model
def test_C5_E8_nothing_older_than_the_context_matters(model: str | Forecaster) -> None:
    copies = -(-resolve(model).context // 600)
    span = dt.timedelta(days=-(-(GLUCOSE["ds"].max() - GLUCOSE["ds"].min()) // dt.timedelta(days=1)))  # type: ignore[operator]
    whole = pl.concat([GLUCOSE.with_columns(pl.col("ds") + number * span) for number in range(copies)])
    until = prepare(whole, freq="5min").time[-1]
    newest = whole.tail(-200)
    older = whole.head(200).with_columns(pl.col("y") * 3)
    variants = {"whole": whole, "cut": newest, "other": pl.concat([older, newest])}
    assert_same_forecasts(variants, model, until, 20)


@every_model
@examples(3)
@given(cut=st.integers(560, 860), gap=st.integers(1, 12), factor=st.sampled_from([-100.0, 3.0, 1e4]))
def test_L1_an_origin_inside_a_gap_knows_nothing_of_its_other_end(
    model: str | Forecaster, cut: int, gap: int, factor: float
) -> None:
    past, future = GLUCOSE.head(cut), GLUCOSE.tail(-cut - gap)
    other = future.with_columns(pl.col("y") * factor)
    until = prepare(pl.concat([past, future.head(1)]), freq="5min").time[-2]
    variants = {"as it was": pl.concat([past, future]), "other": pl.concat([past, other])}
    assert_same_forecasts(variants, model, until, 14)


@every_model
def test_E8_a_forecast_does_not_depend_on_its_batch(model: str | Forecaster) -> None:
    """Nor on its place there, nor on the series beside it, nor on how many origins are inferred at once."""
    alone = prepare(GLUCOSE, freq="5min")
    other = GLUCOSE.with_columns(pl.lit("another").alias("unique_id"), pl.col("y").reverse() * 3)
    both = prepare(pl.concat([other, GLUCOSE]), freq="5min")
    forecaster = resolve(model)
    rows = np.flatnonzero(forecaster.availability(alone) == UnavailableReason.AVAILABLE)[-37::3]
    expected = run_inference(forecaster, alone, rows, steps(forecaster))
    moved = rows + int(both.offsets[both.position("hall_2133-036")])
    beside = np.flatnonzero(forecaster.availability(both) == UnavailableReason.AVAILABLE)[:13]
    mixed = np.concatenate([moved[::-1], beside])
    found = run_inference(forecaster, both, mixed, steps(forecaster), sizer=BatchSizer.fixed(8))[: len(rows)][::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-3)
    for row in (0, len(rows) - 1):
        one = run_inference(forecaster, alone, rows[[row]], steps(forecaster))
        np.testing.assert_allclose(one, expected[[row]], rtol=1e-5, atol=4e-3)
