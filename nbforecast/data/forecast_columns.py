"""Which columns of a table of forecasts hold what: the roles, the models, and the quantile level of each column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbforecast.errors import InputError
from nbforecast.text import did_you_mean, option, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

# names of libraries: Nixtla's, then those of AutoGluon and Chronos
_NAMES = {
    "id": ("unique_id", "item_id"),
    "time": ("ds", "timestamp"),
    "cutoff": ("cutoff",),
    "target": ("y", "target"),
}
_OWN = ("index", "step")  # columns that `Run.to_long` adds on request
_UNNAMED = "forecast"  # the model of columns that name none
_POINT_NAMES = ("mean", "predictions", "forecast")  # a point forecast beside quantiles that name no model
_INTERVAL = re.compile(r"(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(?:\.\d+)?)")  # Nixtla
_MEDIAN = re.compile(r"(?P<model>.+)-median")  # neuralforecast
_QUANTILE = re.compile(r"(?P<model>.+?)[-_]ql?[-_]?(?P<level>\d*\.?\d+)")  # neuralforecast, TimeGPT, Darts
_SAMPLE = re.compile(r"(?P<model>.+?)[-_](?:s|sample[-_])(?P<number>\d+)")  # Darts and others
_LEVEL = re.compile(r"0?\.\d+")  # AutoGluon, Chronos, GluonTS


@dataclass(frozen=True)
class Roles:
    """The columns that say which forecast a row belongs to.

    Attributes:
        time: The times that are forecast.
        cutoff: The times of the origins; None if the table has none.
        target: The actual values; None if the table has none.
        id: The ids of the series; None if the table is one series.
        model: The names of the models, one a row; None if columns name the models.
    """

    time: str
    cutoff: str | None = None
    target: str | None = None
    id: str | None = None
    model: str | None = None


@dataclass
class ModelColumns:
    """The columns of one model.

    Attributes:
        levels: The column of each quantile level.
        point: The column of point forecasts.
        samples: The columns of equally likely samples.
    """

    levels: dict[float, str] = field(default_factory=dict)
    point: str | None = None
    samples: list[str] = field(default_factory=list)


def find_roles(
    schema: Mapping[str, pl.DataType], time: str | None, cutoff: str | None, target: str | None, id: str | None
) -> Roles:
    """Choose the columns of times, origins, actual values and ids, by argument or by the names that libraries use.

    Args:
        schema: The columns of the table and their types.
        time: The column of times that the user names, or None.
        cutoff: The column of origins that the user names, or None.
        target: The column of actual values that the user names, or None.
        id: The column of ids that the user names, or None.

    Raises:
        InputError: If a column does not exist or the times cannot be found.
    """
    import polars as pl

    named = {"time": time, "cutoff": cutoff, "target": target, "id": id}
    columns: dict[str, str | None] = {}
    for role, name in named.items():
        if name is not None and name not in schema:
            raise InputError(
                f"No column is called {name!r} ({option(role)}).{did_you_mean(name, schema)} "
                f"The columns are: {quoted(list(schema))}."
            )
        columns[role] = name or next((known for known in _NAMES[role] if known in schema), None)
    time_column = columns.pop("time")
    if time_column is None:
        temporal = [name for name, dtype in schema.items() if dtype.is_temporal() and name not in columns.values()]
        if len(temporal) != 1:
            raise InputError(
                f"The table of forecasts has no column 'ds' of the times that are forecast. Name it with "
                f"{option('time')}. The columns are: {quoted(list(schema))}."
            )
        time_column = temporal[0]
    is_text = schema.get("model") in (pl.String, pl.Categorical, pl.Enum)
    return Roles(time_column, **columns, model="model" if is_text and "model" not in columns.values() else None)


def find_models(
    schema: Mapping[str, pl.DataType], roles: Roles, models: Sequence[str] | None
) -> dict[str, ModelColumns]:
    """Find the models of a table and what each of their columns holds.

    `MODEL` is a point forecast; `MODEL-lo-80` and `MODEL-hi-80`, `MODEL-median`, `MODEL-q-10`, `MODEL_q0.1` and `0.1`
    are quantiles; `MODEL-sample-3` and `MODEL_s3` are samples, as is a column of lists.

    Args:
        schema: The columns of the table and their types.
        roles: The columns that are no forecasts.
        models: The models that the user names; None for all.

    Returns:
        The columns of each model, in the order of the table.

    Raises:
        InputError: If there is no forecast, a named model does not exist, or a level is none.
    """
    taken = {roles.time, roles.cutoff, roles.target, roles.id, roles.model}
    columns = {name: dtype for name, dtype in schema.items() if name not in taken and _holds_forecasts(name, dtype)}
    found: dict[str, ModelColumns] = {}
    has_bare_levels = any(_LEVEL.fullmatch(name) for name in columns)
    for name, dtype in columns.items():
        model, level, is_sample = _parse(name, has_bare_levels)
        own = found.setdefault(model, ModelColumns())
        if is_sample or dtype.is_nested():
            own.samples.append(name)
        elif level is None:
            own.point = name
        elif not 0 < level < 1:
            raise InputError(f"The column {name!r} names the quantile level {level:g}, which is not between 0 and 1.")
        elif level in own.levels:
            raise InputError(f"The columns {own.levels[level]!r} and {name!r} hold the same quantile of {model!r}.")
        else:
            own.levels[level] = name
    if not found:
        raise InputError(f"The table holds no forecasts: none of {quoted(list(schema))} is a column of numbers beside "
                         f"the times, ids and actual values.")  # fmt: skip
    if models is None or roles.model is not None:
        return found
    for name in models:
        if name not in found:
            raise InputError(f"The table holds no model {name!r}.{did_you_mean(name, found)} "
                             f"There are: {quoted(list(found))}.")  # fmt: skip
    return {name: found[name] for name in models}


def _holds_forecasts(name: str, dtype: pl.DataType) -> bool:
    import polars as pl

    if isinstance(dtype, (pl.List, pl.Array)):
        return dtype.inner.is_numeric()
    return dtype.is_numeric() and not (name in _OWN and dtype.is_integer())


def _parse(name: str, has_bare_levels: bool) -> tuple[str, float | None, bool]:
    """Return the model, the quantile level and whether it is a sample, of a column of forecasts."""
    if match := _INTERVAL.fullmatch(name):
        tail = (100 - float(match["level"])) / 200
        return match["model"], round(tail if match["side"] == "lo" else 1 - tail, 9), False
    if match := _MEDIAN.fullmatch(name):
        return match["model"], 0.5, False
    if match := _SAMPLE.fullmatch(name):
        return match["model"], None, True
    if match := _QUANTILE.fullmatch(name):
        level = float(match["level"])
        return match["model"], round(level / 100, 9) if level >= 1 else level, False
    if _LEVEL.fullmatch(name):
        return _UNNAMED, float(name), False
    return (_UNNAMED if has_bare_levels and name in _POINT_NAMES else name), None, False
