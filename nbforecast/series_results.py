"""The results of one series of a run of a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.data.origins import Index
    from nbforecast.origin_forecast import Forecast


class PanelResults(Protocol):
    """What the results of one series are read from: a run of a panel."""

    data: Dataset

    @property
    def rows(self) -> Int64[np.ndarray, " R"]:
        """The rows of the data that the run is of."""
        ...

    def frame_part(self, positions: slice) -> pl.DataFrame:
        """Some rows of the Result DataFrame."""
        ...

    def column(self, name: str, positions: slice | None = None) -> Float32[np.ndarray, "R *T"]:
        """A column of results, or some rows of it."""
        ...

    def at(self, index: Index, series: str | None = None) -> Forecast:
        """The forecast as of one origin."""
        ...

    def surprises(self, rate: float = 0.01) -> pl.DataFrame:
        """The observations that their forecasts made improbable."""
        ...

    def changes(self, rate: float = 0.0001) -> pl.DataFrame:
        """The times at which a series stopped behaving as forecast."""
        ...


class SeriesResults:
    """The results of one series of a run; `Run.series` returns it.

    Attributes:
        id: Id of the series.

    Example:
        >>> shop = panel.series("harbour")
        >>> shop.at(-7).median  # the forecast as of a week ago
        >>> shop.surprises(0.1), shop.changes()
    """

    def __init__(self, run: PanelResults, series: str) -> None:
        position = run.data.position(series)
        self._run = run
        self.id = run.data.ids[position]
        bounds = np.searchsorted(run.rows, run.data.offsets[position : position + 2])
        self._rows = slice(*bounds.tolist())

    @property
    def frame(self) -> pl.DataFrame:
        """The rows of the series in the Result DataFrame."""
        return self._run.frame_part(self._rows)

    @property
    def array(self) -> Float32[np.ndarray, "N H Q"]:
        """The forecasts of the series, read-only."""
        return self._run.column("forecast", self._rows)

    def at(self, index: Index) -> Forecast:
        """The forecast as of one origin; see `Run.at`."""
        return self._run.at(index, self.id)

    def surprises(self, rate: float = 0.01) -> pl.DataFrame:
        """The surprises of the series, its events numbered from 0; see `Run.surprises`."""
        table = self._run.surprises(rate).filter(unique_id=self.id)
        return table.with_columns(pl.col("event") - pl.col("event").min())

    def changes(self, rate: float = 0.0001) -> pl.DataFrame:
        """The changes of the series; see `Run.changes`."""
        return self._run.changes(rate).filter(unique_id=self.id)

    def __repr__(self) -> str:
        return f"SeriesResults({self.id!r}, {self._rows.stop - self._rows.start:,} origins, {self._run!r})"
