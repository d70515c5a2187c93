"""Covariates: columns beside the values, on the grid of the series and as far beyond their ends as they are known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nbforecast.errors import InputError
from nbforecast.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_MOST_CATEGORIES = 40
_LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Covariates:
    """Numbers beside the values of some series (H2).

    Attributes:
        names: The K covariates: `temperature`, and `event = Easter` for each text of a column of categories.
        is_future: (K,) whether each is known ahead; the others are known up to the origin.
        offsets: (S + 1,) the bounds of the series in `values`: each has its rows, then the steps beyond its end.
        values: (K, R) the numbers, NaN where one is missing.
        country: Whose public holidays are covariates, such as `DE-BY`; None for none.
        columns: The user's column of each: `event` for `event = Easter`.
    """

    names: tuple[str, ...]
    is_future: Bool[np.ndarray, " K"]
    offsets: Int64[np.ndarray, " S1"]
    values: Float64[np.ndarray, "K R"]
    country: str | None = None
    columns: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of the content; the handle of the data is that of their values alone."""
        digest = hashlib.sha256(repr((self.names, self.is_future.tolist(), self.country)).encode())
        for array in (self.offsets, self.values):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def now(self, offsets: Int64[np.ndarray, " S1"]) -> Float64[np.ndarray, "K N"]:
        """The covariates at every row of the data.

        Args:
            offsets: (S + 1,) the bounds of the series in the data.
        """
        return self.values[:, self.places(offsets)]

    def ahead(self, offsets: Int64[np.ndarray, " S1"], horizon: int) -> Float64[np.ndarray, "F N H"]:
        """Those known ahead at the steps 1 to H after every row of the data, NaN where one is not given.

        Args:
            offsets: (S + 1,) the bounds of the series in the data.
            horizon: H, the number of steps.
        """
        ends = np.repeat(self.offsets[1:], np.diff(offsets))[:, None]
        places = self.places(offsets)[:, None] + np.arange(1, horizon + 1)
        values = self.values[self.is_future]
        return np.where(places < ends, values[:, np.minimum(places, self.values.shape[1] - 1)], np.nan)

    def places(self, offsets: Int64[np.ndarray, " S1"]) -> Int64[np.ndarray, " N"]:
        """The column of `values` for every row of the data.

        Args:
            offsets: (S + 1,) the bounds of the series in the data.
        """
        lengths = np.diff(offsets)
        return np.arange(offsets[-1]) + np.repeat(self.offsets[:-1] - offsets[:-1], lengths)


def lay_out_covariates(
    columns: Sequence[pl.Series],
    is_future: Sequence[bool],
    series: Int64[np.ndarray, " R"],
    steps: Int64[np.ndarray, " R"],
    starts: Int64[np.ndarray, " S"],
    lengths: Int64[np.ndarray, " S"],
    country: str | None = None,
) -> Covariates:
    """Lay columns of a table out on the grid of the series.

    Args:
        columns: Columns of numbers, booleans or text, a value for each of R rows.
        is_future: Whether each column is known ahead.
        series: (R,) the number of each row's series, ascending.
        steps: (R,) the grid step of each row; of several rows on one step the last counts.
        starts: (S,) the first grid step of each series.
        lengths: (S,) the rows of each series.
        country: Whose public holidays are covariates, too; None for none.

    Raises:
        InputError: If a column has another type, too many different texts, or numbers that are too large.
    """
    beyond = np.zeros(len(starts), np.int64)
    if any(is_future):
        np.maximum.at(beyond, series, steps - starts[series] - lengths[series] + 1)
    offsets = np.append(0, np.cumsum(lengths + beyond))
    is_inside = (steps >= starts[series]) & (steps < (starts + lengths + beyond)[series])
    places = (offsets[:-1] - starts)[series[is_inside]] + steps[is_inside]
    names, future, laid_out, sources = [], [], [], []
    for column, known_ahead in zip(columns, is_future, strict=True):
        for name, numbers in as_numbers(column):
            values = np.full(int(offsets[-1]), np.nan)
            values[places] = numbers[is_inside]
            names.append(name)
            sources.append(column.name)
            future.append(known_ahead)
            laid_out.append(values)
    values = np.array(laid_out) if laid_out else np.zeros((0, int(offsets[-1])))
    return Covariates(tuple(names), np.array(future, bool), offsets, values, country, tuple(sources))


def as_numbers(column: pl.Series) -> list[tuple[str, Float64[np.ndarray, " R"]]]:
    """The columns of numbers that a column makes: itself, or one for each of its categories."""
    import polars as pl

    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        largest = np.fmax.reduce(np.where(np.isfinite(numbers), np.abs(numbers), 0.0), initial=0.0)
        if largest > _LARGEST:
            raise InputError(
                f"The covariate {column.name!r} has values as large as {largest:g}, with whose squares nothing can be "
                "computed. Where they mean a missing value, make them missing; else divide the column by a constant."
            )
        return [(column.name, numbers)]
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise InputError(
            f"The covariate {column.name!r} is of type {column.dtype}. Covariates are numbers, booleans or categories."
        )
    texts = column.cast(pl.String)
    categories = texts.drop_nulls().unique().sort().to_list()
    if len(categories) > _MOST_CATEGORIES:
        raise InputError(
            f"The covariate {column.name!r} has {len(categories):,} different texts ({quoted(categories, 3)}), and at "
            f"most {_MOST_CATEGORIES} categories are used. Convert it to numbers or join categories."
        )
    texts = texts.fill_null("")  # a row without a category has none: that is known
    return [(f"{column.name} = {c}", (texts == c).cast(pl.Float64).to_numpy()) for c in categories]
