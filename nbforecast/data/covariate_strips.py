"""Covariates as charts show them: one strip for each column, of numbers or of categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast.data.covariate_grid import covariate_grid

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset

YES = "yes"
NO_CATEGORY = -1.0
MOST_STRIPS = 8


@dataclass(frozen=True)
class CovariateStrip:
    """One column of covariates along a series and one horizon beyond.

    Attributes:
        name: The column's name, or that of the holidays.
        labels: The categories; `("yes",)` for a column of ones and zeros; empty for numbers.
        is_ahead: Whether it is known ahead; otherwise it is known up to the origin.
        values: (N + H,) numbers, or numbers of labels with `NO_CATEGORY` where none applies; NaN where it is not known.
        low, high: The smallest and the largest number of all series; NaN for categories.
    """

    name: str
    labels: tuple[str, ...]
    is_ahead: bool
    values: Float64[np.ndarray, " T"]
    low: float = np.nan
    high: float = np.nan


def covariate_strips(data: Dataset, series: int, horizon: int) -> tuple[CovariateStrip, ...]:
    """Make the strips of a series, the first `MOST_STRIPS` columns.

    Args:
        data: The dataset.
        series: The number of the series.
        horizon: H, the number of steps beyond its end.
    """
    if data.covariates is None:
        return ()
    grid = covariate_grid(data, horizon)
    is_row = np.zeros(int(grid.offsets[-1]), bool)
    is_row[grid.places(data.offsets)] = True
    part = slice(int(grid.offsets[series]), int(grid.offsets[series + 1]))
    strips = []
    for column in list(dict.fromkeys(grid.columns))[:MOST_STRIPS]:
        numbers = [k for k, other in enumerate(grid.columns) if other == column]
        names, is_ahead = [grid.names[k] for k in numbers], bool(grid.is_future[numbers[0]])
        values = grid.values[numbers] if is_ahead else np.where(is_row, grid.values[numbers], np.nan)
        is_known, is_flag = np.isfinite(values), np.isin(values, (0.0, 1.0))
        if len(numbers) == 1 and names[0] == column and not is_flag[is_known].all():
            low, high = (f(values[is_known], initial=i) for f, i in ((np.min, np.inf), (np.max, -np.inf)))
            strips.append(CovariateStrip(column, (), is_ahead, values[0, part], float(low), float(high)))
            continue
        labels = tuple(name.removeprefix(f"{column} = ") for name in names) if names != [column] else (YES,)
        own = values[:, part]
        codes = np.where((own == 1).any(0), (own == 1).argmax(0).astype(float), NO_CATEGORY)
        strips.append(CovariateStrip(column, labels, is_ahead, np.where(np.isnan(own).any(0), np.nan, codes)))
    return tuple(strips)
