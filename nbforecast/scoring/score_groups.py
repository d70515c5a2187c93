"""Groups of forecast steps that scores are averaged over: steps ahead, series, origins, calendar parts, columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped

from nbforecast.errors import OptionError
from nbforecast.text import did_you_mean, quoted
from nbforecast.time_units import MONTHS, WEEKDAYS

if TYPE_CHECKING:
    from nbforecast.data import Dataset

Name = Literal["horizon", "series", "index", "hour", "weekday", "month"]
Key = str | pl.Expr | pl.Series
By = Key | Sequence[Key]
Where = pl.Expr | pl.Series | np.ndarray

_NAMES = get_args(Name)
_ORIGIN_COLUMNS = ("unique_id", "ds", "index", "y")
_STEP_COLUMNS = ("horizon", "time", "actual")
_CALENDAR = {"weekday": WEEKDAYS, "month": MONTHS}


@dataclass(frozen=True)
class ScoreGroups:
    """Which group each step of each origin belongs to.

    Attributes:
        codes: (R, H), (R, 1), (1, H) or (1, 1), the group's number; one of length 1 holds for the whole axis.
        labels: G rows that name the groups, in the order of the numbers; no column for one group overall.
        count: G, the number of groups.
    """

    codes: Int64[np.ndarray, "A B"]
    labels: pl.DataFrame
    count: int

    def sum(self, values: Shaped[np.ndarray, "R H"]) -> Shaped[np.ndarray, " G"]:
        """The sum of each group's values, (G,)."""
        constant = tuple(axis for axis in (0, 1) if self.codes.shape[axis] == 1)
        sums = values.sum(constant, keepdims=True, dtype=np.float64)
        if self.count == sums.size and np.array_equal(self.codes.ravel(), np.arange(self.count)):
            return sums.ravel()
        return np.bincount(self.codes.ravel(), sums.ravel(), self.count)


def group_keys(by: By | None) -> list[Key]:
    """The keys of a `by=`: none, one or several."""
    if by is None:
        return []
    return list(by) if isinstance(by, Sequence) and not isinstance(by, str) else [by]


def group_steps(data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, by: By | None) -> ScoreGroups:
    """Assign every step of some origins to a group.

    Args:
        data: The dataset.
        rows: (R,) rows of the origins.
        horizon: H, the number of steps forecast from each.
        by: A key or several: "horizon" (step ahead), "series", "index" (origin); "hour", "weekday" or "month" of the
            time that is forecast, in the data's time zone; a column or expression of `unique_id`, `ds`, `index` and `y`
            (of the origin), of the dataset's static columns, and of `horizon`, `time` and `actual` (of the step); or a
            Series with a value for each row of the data. None is one group.

    Returns:
        The groups: all for one key of the first six, those that occur for others.

    Raises:
        OptionError: A key is none of these, or the times have no hours, weekdays or months.
    """
    keys = group_keys(by)
    parts = [_key_groups(data, rows, horizon, key) for key in keys]
    if len(parts) == 1:
        return parts[0]
    codes, count = np.zeros((1, 1), np.int64), 1
    for part in parts:
        codes, count = codes * part.count + part.codes, count * part.count
    used = np.unique(codes) if parts else np.zeros(1, np.int64)
    codes = np.searchsorted(used, codes) if parts else codes
    labels = []
    for part in reversed(parts):
        labels.append(part.labels[used % part.count])
        used = used // part.count
    names = [name for part in labels for name in part.columns]
    if len(set(names)) < len(names):
        raise OptionError(f"by= names a column twice: {quoted(sorted(names))}.")
    return ScoreGroups(codes, pl.concat(labels[::-1], how="horizontal") if labels else pl.DataFrame(), len(used))


def select_steps(
    data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, where: Where | None
) -> Bool[np.ndarray, "A B"]:
    """Choose steps by a condition.

    Args:
        data: The dataset.
        rows: (R,) rows of the origins.
        horizon: H, the number of steps forecast from each.
        where: An expression that is true or false, of the columns that `group_steps` lists; or a Series or array with a
            truth value for each row of the data. None chooses all.

    Returns:
        (R, H), (R, 1) or (1, 1), whether a step counts; null is false.

    Raises:
        OptionError: The condition cannot be evaluated, or is not true or false.
    """
    if where is None:
        return np.ones((1, 1), bool)
    expression = pl.Series("where", where) if isinstance(where, np.ndarray) else where
    if not isinstance(expression, pl.Expr | pl.Series):
        raise OptionError(f"where= takes an expression such as pl.col('unique_id') == 'A', not {where!r}.")
    values = _evaluate(data, rows, horizon, expression, "where=")
    if values.dtype != pl.Boolean:
        raise OptionError(f"where= takes a condition that is true or false, and this one is of type {values.dtype}.")
    return values.fill_null(False).to_numpy().reshape(len(rows), -1)


def series_labels(data: Dataset, by: str) -> pl.Series:
    """A label for each series: its id, or its value in a static column.

    Args:
        data: The dataset.
        by: "series", or a static column.

    Raises:
        OptionError: There is no such column.
    """
    if by == "series":
        return pl.Series("unique_id", data.ids)
    columns = [] if data.static is None else data.static.columns[1:]
    if data.static is None or by not in columns:
        hint = did_you_mean(by, ["horizon", "series", *columns])
        raise OptionError(f"by= takes None, {quoted(['horizon', 'series', *columns])}, not {by!r}.{hint}")
    return data.static[by]


def _key_groups(data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, key: object) -> ScoreGroups:
    if isinstance(key, pl.Expr | pl.Series):
        return _value_groups(_evaluate(data, rows, horizon, key, "by="), len(rows))
    match key:
        case "horizon":
            return ScoreGroups(np.arange(horizon)[None], pl.DataFrame({"horizon": np.arange(1, horizon + 1)}), horizon)
        case "series":
            series = np.searchsorted(data.offsets, rows, side="right") - 1
            return ScoreGroups(series[:, None], pl.DataFrame({"unique_id": list(data.ids)}), len(data.ids))
        case "index":
            return ScoreGroups(np.arange(len(rows))[:, None], origin_labels(data)[rows], len(rows))
        case "hour" | "weekday" | "month":
            return _calendar_groups(data, rows, horizon, key)
        case str() if key in (*_origin_columns(data), *_STEP_COLUMNS):
            return _key_groups(data, rows, horizon, pl.col(key))
        case str():
            hint = did_you_mean(key, (*_NAMES, *_origin_columns(data), *_STEP_COLUMNS))
            raise OptionError(f"by= has no {key!r}.{hint} It takes {_choices(data)}.")
    raise OptionError(f"by= takes {_choices(data)}, not {key!r}.")


def _choices(data: Dataset) -> str:
    columns = ", ".join((*_origin_columns(data), *_STEP_COLUMNS))
    return f"None, {quoted(_NAMES)}, an expression of {columns}, or a list of these"


def _calendar_groups(data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, name: str) -> ScoreGroups:
    """Groups by a part of the time that is forecast: that of the row `h` steps later, since others have no actual."""
    kind = data.time_type
    if not (kind == pl.Datetime or (kind == pl.Date and name != "hour")):
        times = "dates" if kind == pl.Date else "numbers"
        raise OptionError(f"by={name!r}: the times of the data are {times}, which have no {name}s.")
    part = getattr(data.times(data.time).dt, name)().cast(pl.Int64).to_numpy()
    values, code = np.unique(part, return_inverse=True)
    later = np.minimum(rows[:, None] + np.arange(1, horizon + 1), len(data) - 1)
    names = _CALENDAR.get(name)
    label = pl.Series(
        name, values if names is None else [names[v - 1] for v in values], None if names is None else pl.Enum(names)
    )
    return ScoreGroups(code[later], label.to_frame(), len(values))


def _value_groups(values: pl.Series, origins: int) -> ScoreGroups:
    """Groups of equal values; null is a group of its own, the last."""
    try:
        labels = values.unique().sort(nulls_last=True)
        code = values.rank("dense").cast(pl.Int64).fill_null(len(labels)).to_numpy() - 1
    except pl.exceptions.PolarsError as error:
        raise OptionError(f"by=: values of type {values.dtype} cannot be grouped: {error}.") from error
    return ScoreGroups(code.reshape(origins, -1), labels.to_frame(), len(labels))


def _evaluate(
    data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, key: pl.Expr | pl.Series, option: str
) -> pl.Series:
    """A value for each origin, R of them, or for each of their steps, R * H; of an expression, or one given per row."""
    if isinstance(key, pl.Series):
        if len(key) != len(data):
            raise OptionError(
                f"{option} takes a Series with a value for each of the {len(data):,} rows, not {len(key):,}."
            )
        return key.gather(rows)
    of_steps = bool(set(key.meta.root_names()) & set(_STEP_COLUMNS))
    frame = _origins(data)
    if of_steps:
        steps = frame[np.repeat(rows, horizon)] if len(rows) else frame.clear()
        frame = steps.with_columns(
            pl.Series("horizon", np.tile(np.arange(1, horizon + 1), len(rows))),
            data.times(data.future_times(rows, horizon)).alias("time"),
            pl.Series("actual", data.actuals(rows, horizon).ravel(), nan_to_null=True),
        )
    try:
        values = frame.select(key)
    except pl.exceptions.PolarsError as error:
        message = str(error).split("\n", 1)[0]
        raise OptionError(
            f"{option} cannot be evaluated: {message}. There are the columns {quoted(frame.columns)}."
        ) from error
    if values.width != 1 or len(values) not in (1, len(frame)):
        raise OptionError(f"{option} takes an expression of one value for each origin or step.")
    column = values.to_series()
    if len(column) < len(frame):
        column = column.new_from_index(0, len(frame))
    return column if of_steps else column.gather(rows)


def _origins(data: Dataset) -> pl.DataFrame:
    """A row for each origin, as in the Result DataFrame, and the static columns of its series."""
    of_series = pl.DataFrame({"unique_id": data.ids}) if data.static is None else data.static
    return of_series[np.repeat(np.arange(len(data.ids)), data.lengths)].with_columns(
        data.times(data.time), pl.Series("index", data.index()), pl.Series("y", data.values, nan_to_null=True)
    )


def spread_keys(
    keys: list[Key], where: Where | None, rows: Int64[np.ndarray, " R"] | None, count: int
) -> tuple[list[Key], Where | None]:
    """Return groups and a condition that are given for some rows as those of all rows, null for the others.

    Args:
        keys: What to group by; a Series has a value for each of the R rows.
        where: Which steps count; a Series or array has a value for each of the R rows.
        rows: (R,) ascending rows; None for all.
        count: N, the number of all rows.

    Raises:
        OptionError: A Series has not R values.
    """
    if rows is None:
        return keys, where
    position = pl.DataFrame({"row": np.arange(count)}).join(
        pl.DataFrame({"row": rows}).with_row_index("position"), on="row", how="left", maintain_order="left"
    )["position"]

    def spread(values: pl.Series) -> pl.Series:
        if len(values) != len(rows):
            raise OptionError(f"A Series needs a value for each of the {len(rows):,} origins, not {len(values):,}.")
        return values.gather(position)

    keys = [spread(key) if isinstance(key, pl.Series) else key for key in keys]
    return keys, spread(pl.Series(where)) if isinstance(where, pl.Series | np.ndarray) else where


def origin_labels(data: Dataset) -> pl.DataFrame:
    """Return unique_id, ds and index of each origin, a row each."""
    return _origins(data).select("unique_id", "ds", "index")


def _origin_columns(data: Dataset) -> tuple[str, ...]:
    return (*_ORIGIN_COLUMNS, *(() if data.static is None else data.static.columns[1:]))
