"""Forecasts that a table holds, made elsewhere, as a forecaster: it looks them up and infers nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8

from nbforecast.errors import ForecasterError
from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.unavailable import UnavailableReason

if TYPE_CHECKING:
    from nbforecast.data import Dataset


@dataclass(frozen=True, eq=False)
class TableForecaster:
    """The forecasts of one model in a table.

    Its key is a digest of the table's content, so equal forecasts share their results in the cache (X4).

    Attributes:
        name: The model's name.
        levels: The Q ascending probability levels of the draws; None where they are samples.
        ids: The ids of the series that have forecasts.
        series: (O,) the number of each origin's series, ascending.
        times: (O,) the time of each origin on the grid, ascending in a series.
        values: (O, H, Q) the draws.
    """

    name: str
    levels: tuple[float, ...] | None
    ids: tuple[str, ...]
    series: Int64[np.ndarray, " O"]
    times: Shaped[np.ndarray, " O"]
    values: Float32[np.ndarray, "O H Q"]
    uses_seed: ClassVar[bool] = False

    @classmethod
    def from_rows(
        cls,
        name: str,
        levels: tuple[float, ...] | None,
        data: Dataset,
        rows: Int64[np.ndarray, " O"],
        values: Float32[np.ndarray, "O H Q"],
    ) -> TableForecaster:
        """Returns the forecaster of forecasts as of some rows of a dataset.

        Args:
            name: The model's name.
            levels: The Q ascending probability levels of the draws; None where they are samples.
            data: The dataset.
            rows: (O,) the rows of the origins, ascending.
            values: (O, H, Q) the draws.
        """
        numbers, series = np.unique(np.searchsorted(data.offsets, rows, side="right") - 1, return_inverse=True)
        ids = tuple(data.ids[number] for number in numbers.tolist())
        return cls(name, levels, ids, series, data.time[rows], values)

    @property
    def context(self) -> int:
        """The origin itself: its series and time settle which forecast is meant."""
        return 1

    @property
    def draws(self) -> int:
        """Q, the number of draws per horizon step."""
        return self.values.shape[2]

    @cached_property
    def key(self) -> str:
        """The digest of the ids, origins, levels and draws."""
        digest = hashlib.sha256(repr((self.ids, self.levels, self.values.shape)).encode())
        for array in (self.series, self.times.view("i8"), self.values):
            digest.update(np.ascontiguousarray(array).data)
        return model_key("table", 1, digest=digest.hexdigest()[:16])

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """Returns 0 for each origin that the table holds, else `NOT_IN_TABLE`."""
        is_held = self._positions(data, np.arange(len(data))) >= 0
        return np.where(is_held, UnavailableReason.AVAILABLE, UnavailableReason.NOT_IN_TABLE).astype(np.uint8)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """Returns the table's forecasts as of some rows.

        Raises:
            ForecasterError: If the table holds fewer steps than the horizon, or not all of the origins.
        """
        if horizon > self.values.shape[1]:
            raise ForecasterError(f"The table of {self.name!r} holds {self.values.shape[1]} steps, not {horizon}.")
        positions = self._positions(data, rows)
        if (positions < 0).any():
            raise ForecasterError(f"The table of {self.name!r} does not hold all of these origins.")
        return self.values[positions, :horizon]

    def _positions(self, data: Dataset, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
        """The position of each row's origin in the table, -1 where it is not there."""
        numbers = {name: number for number, name in enumerate(self.ids)}
        number_of_series = np.array([numbers.get(name, -1) for name in data.ids], np.int64)
        series = number_of_series[np.searchsorted(data.offsets, rows, side="right") - 1]
        times, keys = self._times_and_keys
        place = np.minimum(np.searchsorted(times, data.time[rows]), len(times) - 1)
        sought = series * len(times) + place
        position = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
        is_held = (series >= 0) & (times[place] == data.time[rows]) & (keys[position] == sought)
        return np.where(is_held, position, -1)

    @cached_property
    def _times_and_keys(self) -> tuple[Shaped[np.ndarray, " T"], Int64[np.ndarray, " O"]]:
        """The distinct times, and a number for each origin that ascends with series and time."""
        times, place = np.unique(self.times, return_inverse=True)
        return times, self.series * len(times) + place
