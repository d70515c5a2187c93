"""Other libraries' models, made and fitted for tests."""

from __future__ import annotations

import contextlib
import functools
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from statsforecast.models import RandomWalkWithDrift

from nbforecast.forecasters.registry import as_forecaster
from tests.support.requirements import library

if TYPE_CHECKING:
    from collections.abc import Iterator


LAGS, AHEAD, ROWS = 12, 6, np.array([40, 55, 70])
# whole numbers, which windows in single precision hold exactly
VALUES = np.round(100 + 20 * np.sin(np.arange(90) / 3) + np.random.default_rng(0).normal(0, 8, 90))
TRAINING = np.lib.stride_tricks.sliding_window_view(
    np.round(100 + 20 * np.sin(np.arange(300) / 3) + np.random.default_rng(1).normal(0, 8, 300)), LAGS + AHEAD
)
TRAINER = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}


def regression(steps: int | None = None, seed: int | None = None) -> Any:
    target = TRAINING[:, LAGS] if steps is None else TRAINING[:, LAGS : LAGS + steps]
    noise = 0 if seed is None else np.random.default_rng(seed).normal(0, 5, target.shape)
    return LinearRegression().fit(TRAINING[:, :LAGS], target + noise)


def autoregression(steps: int | None = None, seed: int | None = None) -> Any:
    """The regression as a forecaster, told that its features are lags."""
    return as_forecaster(regression(steps, seed), lags=LAGS)


def contexts(values: np.ndarray, length: int, rows: np.ndarray = ROWS) -> np.ndarray:
    return np.stack([values[row - length + 1 : row + 1] for row in rows])


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """For what the tests have libraries do themselves."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


@functools.cache
def darts(kind: str) -> Any:
    models = library("darts.models")
    if kind == "nlinear":
        library("pytorch_lightning")
    from darts import TimeSeries

    lags = {"lags": LAGS, "output_chunk_length": AHEAD}
    torch = {"input_chunk_length": LAGS, "output_chunk_length": AHEAD, "n_epochs": 1, "pl_trainer_kwargs": TRAINER}
    made = {
        "linear": lambda: models.LinearRegressionModel(**lags),
        "quantile": lambda: models.LinearRegressionModel(**lags, likelihood="quantile", quantiles=[0.1, 0.5, 0.9]),
        "poisson": lambda: models.LinearRegressionModel(lags=3, likelihood="poisson"),
        "nlinear": lambda: models.NLinearModel(**torch, random_state=0),
        "drift": models.NaiveDrift,
        "sampled": lambda: models.StatsForecastModel(RandomWalkWithDrift()),
    }[kind]()
    local = kind in ("drift", "sampled")
    series = TimeSeries.from_values(TRAINING[:, 0].astype(np.float32 if kind == "nlinear" else np.float64))
    with hushed():
        return made if local else made.fit(series)


@functools.cache
def neural(kind: str) -> Any:
    neuralforecast = library("neuralforecast")
    from neuralforecast.losses.pytorch import MAE, DistributionLoss, MQLoss
    from neuralforecast.models import MLP

    loss = {
        "points": MAE,
        "quantiles": lambda: MQLoss(level=[80]),
        "distribution": lambda: DistributionLoss("Normal"),
    }[kind]()
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=200, freq="h"), "y": TRAINING[:200, 0]})
    with hushed():
        model = neuralforecast.NeuralForecast(
            [MLP(h=AHEAD, input_size=LAGS, hidden_size=8, max_steps=2, loss=loss, **TRAINER)],
            freq="h",
            local_scaler_type="standard" if kind == "points" else None,
        )
        model.fit(frame)
    return model
