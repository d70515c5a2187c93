"""Covariates as they were issued over time, such as forecasts of the weather: for each time several values (H2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, eq=False)
class IssuedCovariates:
    """Values of covariates, each with the time from which it is known.

    Attributes:
        names: The K covariates: `temperature`, and `sky = cloudy` for each text of a column of categories.
        columns: The user's column of each.
        series: (R,) the number of each row's series, -1 for a row of every series.
        steps: (R,) the grid step of the time that each row is about.
        known_from: (R,) the grid step of the first origin at which the row is known; of rows about one time that are
            known at an origin, the last counts.
        values: (K, R) the numbers, NaN where one is missing.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    series: Int64[np.ndarray, " R"]
    steps: Int64[np.ndarray, " R"]
    known_from: Int64[np.ndarray, " R"]
    values: Float64[np.ndarray, "K R"]

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of the content."""
        digest = hashlib.sha256(repr((self.names, self.columns)).encode())
        for array in (self.series, self.steps, self.known_from, self.values):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def as_of(
        self, series: Int64[np.ndarray, " N"], origins: Int64[np.ndarray, " N"], horizon: int
    ) -> Float64[np.ndarray, "K N H1"]:
        """The newest values that are known at some origins (L1).

        Args:
            series: (N,) the number of each origin's series.
            origins: (N,) the grid step of each origin.
            horizon: H, the number of steps forecast from each.

        Returns:
            (K, N, H + 1) values about the origin and the steps 1 to H after it, NaN where none is known.
        """
        about = origins[:, None] + np.arange(horizon + 1)
        of, known = (np.broadcast_to(each[:, None], about.shape) for each in (series, origins))
        return np.array([self._newest(row, of, about, known) for row in self.values])

    def _newest(
        self,
        values: Float64[np.ndarray, " R"],
        series: Int64[np.ndarray, "N M"],
        about: Int64[np.ndarray, "N M"],
        origins: Int64[np.ndarray, "N M"],
    ) -> Float64[np.ndarray, "N M"]:
        rows = np.flatnonzero(np.isfinite(values))
        if not len(rows):
            return np.full(about.shape, np.nan)
        if self.series[rows[0]] < 0:
            series = np.full_like(series, -1)
        order = rows[np.lexsort((rows, self.known_from[rows], self.steps[rows], self.series[rows]))]
        first_step, first_origin = int(self.steps[rows].min()), int(self.known_from[rows].min())
        step_count = int(self.steps[rows].max()) - first_step + 1
        origin_count = int(self.known_from[rows].max()) - first_origin + 1

        def key(
            series: Int64[np.ndarray, "*N"], steps: Int64[np.ndarray, "*N"], known: Int64[np.ndarray, "*N"]
        ) -> Int64[np.ndarray, "*N"]:
            return ((series + 1) * step_count + steps - first_step) * origin_count + known - first_origin

        keys = key(self.series[order], self.steps[order], self.known_from[order])
        known = np.clip(origins, first_origin, first_origin + origin_count - 1)
        wanted = key(series, np.clip(about, first_step, first_step + step_count - 1), known)
        place = np.searchsorted(keys, wanted, side="right") - 1
        is_same_time = (place >= 0) & (keys[np.maximum(place, 0)] // origin_count == wanted // origin_count)
        is_inside = (about >= first_step) & (about < first_step + step_count) & (origins >= first_origin)
        return np.where(is_same_time & is_inside, values[order[np.maximum(place, 0)]], np.nan)
