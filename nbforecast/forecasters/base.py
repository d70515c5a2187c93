"""What a forecaster is, and how the key of a built-in one is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

if TYPE_CHECKING:
    from nbforecast.data import Dataset


WHOLE_HISTORY = 1 << 32  # the context of a forecaster that learns from all of a series' past, and from other series


@runtime_checkable
class Forecaster(Protocol):
    """What forecasts a dataset's origins.

    A forecaster that reads covariates says so with one more attribute, `covariate_use` (see `CovariateUse`). It finds
    them in `data`, by `data.covariate_grid.cut_covariates`, and forecasts of equal contexts and equal covariates are
    interchangeable. Without the attribute it reads none.

    A forecaster whose forecasts are the same for every seed says so by the attribute `uses_seed = False`: results of
    all seeds are then one. Without the attribute the seed counts.

    Attributes:
        name: The forecaster's name for users, and of its column in exported tables.
        context: L, the most grid steps that a forecast depends on, the origin's own included.
        levels: The Q ascending probability levels of the draws; None where draws are equally likely samples.
        draws: Q, the number of draws per horizon step.
        key: Everything but the data that decides a forecast: the algorithm and its version, settings, a digest of
            weights. It is part of the cache's key: equal keys mean equal forecasts.

    Example:
        >>> from nbforecast.forecasters.registry import resolve
        >>> isinstance(resolve("naive"), Forecaster)
    """

    @property
    def name(self) -> str:
        """What people call the model."""
        ...

    @property
    def context(self) -> int:
        """L, the most steps before an origin that a forecast depends on."""
        ...

    @property
    def levels(self) -> tuple[float, ...] | None:
        """The ascending probability levels of quantiles; None if the draws are samples."""
        ...

    @property
    def draws(self) -> int:
        """Q, the number of quantiles or samples of a step."""
        ...

    @property
    def key(self) -> str:
        """Names the version and all settings and weights: results under one key are interchangeable."""
        ...

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """Returns for each row 0 if it can be forecast, else an `UnavailableReason`.

        Args:
            data: A dataset of N rows.

        Example:
            >>> model.availability(run.data).shape
        """
        ...

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """Returns forecasts as of some rows, each from its own context alone.

        Args:
            data: The dataset.
            rows: The R rows to forecast from; each is available.
            horizon: H, the number of steps after each row.
            seed: The seed of random draws.

        Returns:
            Draws in the data's unit; they ascend where they are quantiles.

        Example:
            >>> model.forecast(run.data, np.array([299]), 12, seed=0).shape
        """
        ...


def uses_seed(forecaster: Forecaster) -> bool:
    """Return whether forecasts depend on the seed, which is assumed unless the forecaster says otherwise."""
    return bool(getattr(forecaster, "uses_seed", True))


def model_key(algorithm: str, version: int, /, **settings: Any) -> str:
    """Returns the key of a built-in forecaster: `theta v1 context=512`.

    Args:
        algorithm: What computes the forecasts. It is not the forecaster's name, which users choose.
        version: The version of the algorithm. It is raised whenever the same settings give other numbers.
        settings: What the user or a file of weights decides. They are written in alphabetical order, as compact JSON.
    """
    parts = (f"{name}={json.dumps(settings[name], separators=(',', ':'))}" for name in sorted(settings))
    return " ".join([algorithm, f"v{version}", *parts])
