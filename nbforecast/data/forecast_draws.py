"""The forecasts of one model of a table, one array for each origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nbforecast.data.dataset import DataWarning
from nbforecast.errors import InputError
from nbforecast.text import plural, quoted

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.data.dataset import Dataset
    from nbforecast.data.forecast_columns import ModelColumns
    from nbforecast.data.forecast_points import Points

_LARGEST_CROSSING = 1e-6  # of two quantiles, relative to them, that rounding explains


@dataclass(frozen=True)
class ModelForecasts:
    """The forecasts of one model in a table.

    Attributes:
        model: The model's name.
        levels: The Q ascending probability levels of the draws; None where they are samples.
        rows: (O,) the data's rows of the origins, ascending.
        draws: (O, H, Q) the draws.
        warnings: What is odd about them.
    """

    model: str
    levels: tuple[float, ...] | None
    rows: Int64[np.ndarray, " O"]
    draws: Float32[np.ndarray, "O H Q"]
    warnings: tuple[DataWarning, ...] = ()


def read_forecasts_of_model(
    data: Dataset, points: Points, table: pl.DataFrame, model: str, columns: ModelColumns
) -> ModelForecasts:
    """Lay out the forecasts of a model.

    Args:
        data: The series.
        points: The model's rows on their grid.
        table: All rows of the user's table.
        model: The model's name.
        columns: The model's columns.

    Raises:
        InputError: If an origin has two forecasts of a step, or lacks one.
    """
    rows, number = np.unique(points.origins, return_inverse=True)
    horizon = int(points.steps.max())
    order = np.argsort(number * (horizon + 1) + points.steps, kind="stable")
    _check_steps(data, points.take(order), number[order], rows, model)
    levels, values, warnings = _read_draws(table, model, columns)
    draws = values[points.rows[order]].reshape(len(rows), horizon, -1)
    is_finite = np.isfinite(draws).all((1, 2))
    if not is_finite.any():
        raise InputError(f"Every forecast of {model!r} lacks a value.")
    if not is_finite.all():
        count = int((~is_finite).sum())
        origins = plural(count, "origin is", "origins are")
        sentence = f"The forecasts of {model!r} as of {origins} left out, because values are missing."
        warnings.append(DataWarning("missing_forecasts", count, sentence))
        draws, rows = draws[is_finite], rows[is_finite]
    if levels is not None and len(levels) > 1:
        draws, crossing = _in_order(draws)
        if crossing:
            sentence = f"Quantiles of {model!r} cross as of {plural(crossing, 'origin')}; they are sorted."
            warnings.append(DataWarning("crossed_quantiles", crossing, sentence))
    return ModelForecasts(model, levels, rows, draws, tuple(warnings))


def _check_steps(
    data: Dataset, points: Points, number: Int64[np.ndarray, " R"], rows: Int64[np.ndarray, " O"], model: str
) -> None:
    """Check that each origin has each step once.

    Args:
        data: The series.
        points: A model's points, ordered by origin and step.
        number: (R,) the number of each point's origin.
        rows: (O,) the data's rows of the origins.
        model: The model's name.

    Raises:
        InputError: If a step is missing or occurs twice. The message names the first.
    """
    horizon = int(points.steps.max())
    is_same = (np.diff(number) == 0) & (np.diff(points.steps) == 0)
    if is_same.any():
        first = int(np.argmax(is_same))
        raise InputError(
            f"{plural(int(is_same.sum()), 'forecast')} of {model!r} {'is' if is_same.sum() == 1 else 'are'} in the "
            f"table twice, the first in rows {points.rows[first]} and {points.rows[first + 1]}: "
            f"{_describe(data, int(rows[number[first]]), int(points.steps[first]))}. Drop one of each two, or name the "
            "column that tells series or models apart."
        )
    sizes = np.bincount(number, minlength=len(rows))
    if (sizes == horizon).all():
        return
    starts = np.cumsum(sizes) - sizes
    if (points.steps[starts] > 1).all():
        raise InputError(
            f"The forecasts of {model!r} begin {points.steps[starts].min()} or more steps after their origins and lack "
            f"the steps before; the first is of {_describe(data, int(rows[0]), int(points.steps[0]))}. If those are of "
            "no interest, give the time one step before the first as the origin's."
        )
    first = int(np.argmax(sizes < horizon))
    own = points.steps[starts[first] : starts[first] + sizes[first]]
    is_shifted = own != np.arange(1, len(own) + 1)
    step = int(np.argmax(is_shifted)) + 1 if is_shifted.any() else len(own) + 1
    count = len(rows) * horizon - len(number)
    raise InputError(
        f"{plural(count, 'step')} of {model!r} {'is' if count == 1 else 'are'} missing: each origin needs the steps 1 "
        f"to {horizon}, and the first without one is {_describe(data, int(rows[first]), step)}. Drop the origins that "
        "lack steps, or the later steps of the others."
    )


def _describe(data: Dataset, row: int, step: int) -> str:
    """Name the series, the origin and the step of a forecast."""
    moments = np.append(data.time[[row]], data.future_times(np.array([row]), step)[0, -1])
    origin, moment = data.times(moments).to_list()
    return f"series {data.ids[data.locate(row)[0]]!r} as of {origin}, step {step} ({moment})"


def _read_draws(
    table: pl.DataFrame, model: str, columns: ModelColumns
) -> tuple[tuple[float, ...] | None, Float32[np.ndarray, "R Q"], list[DataWarning]]:
    """Return the levels and the draws of each row; a point forecast is the median where no column is."""
    import polars as pl

    if columns.samples:
        others = [name for name in (columns.point, *columns.levels.values()) if name is not None]
        nested = [name for name in columns.samples if table[name].dtype.is_nested()]
        if nested:
            others += [name for name in columns.samples if name != nested[0]]
            values = _unnest(table[nested[0]], model)
        else:
            values = _to_matrix(table.select(columns.samples))
        return None, values, _unused(others, f"the samples of {model!r} serve")
    levels = dict(columns.levels)
    others = []
    if columns.point is not None and 0.5 in levels:
        others = [columns.point]
    elif columns.point is not None:
        levels[0.5] = columns.point
    ordered = tuple(sorted(levels))
    values = _to_matrix(table.select(pl.col(levels[level]).alias(str(level)) for level in ordered))
    warnings = _unused(others, f"the median of {model!r} is {levels.get(0.5)!r}")
    if 0.5 not in levels:
        source = (
            f"its {ordered[0]:g} quantile" if len(ordered) == 1 else f"made of its quantiles at {quoted(ordered, 9)}"
        )
        sentence = f"The table holds no median of {model!r}: the one in scores is {source}."
        warnings.append(DataWarning("no_median", 1, sentence))
    return ordered, values, warnings


def _unused(names: list[str], reason: str) -> list[DataWarning]:
    if not names:
        return []
    verb = "is" if len(names) == 1 else "are"
    return [DataWarning("unused_columns", len(names), f"{quoted(names, 4)} {verb} not used: {reason}.")]


def _to_matrix(table: pl.DataFrame) -> Float32[np.ndarray, "R Q"]:
    import polars as pl

    return table.select(pl.all().cast(pl.Float32).fill_null(float("nan"))).to_numpy()


def _unnest(column: pl.Series, model: str) -> Float32[np.ndarray, "R Q"]:
    """Return a column of lists of samples as a matrix."""
    import polars as pl

    lists = column.cast(pl.List(pl.Float32))
    sizes = lists.list.len().unique().to_list()
    if len(sizes) != 1 or not sizes[0]:
        raise InputError(f"The rows of {model!r} hold different numbers of samples: {quoted(sizes, 5)}.")
    return lists.explode().fill_null(float("nan")).to_numpy().reshape(len(column), -1)


def _in_order(draws: Float32[np.ndarray, "O H Q"]) -> tuple[Float32[np.ndarray, "O H Q"], int]:
    """Sort quantiles that cross; returns at how many origins more of them cross than rounding explains."""
    change = np.diff(draws, axis=2)
    if (change >= 0).all():
        return draws, 0
    crosses = change < -_LARGEST_CROSSING * np.abs(draws).max(2, keepdims=True)
    return np.sort(draws, axis=2), int(crosses.any((1, 2)).sum())
