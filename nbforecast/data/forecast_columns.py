"""Which columns of a table of forecasts hold what: the roles, the models, and the quantile level of each column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from nbforecast.errors import InputError
from nbforecast.text import did_you_mean, option, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

# names of libraries: Nixtla's, those of AutoGluon and Chronos, those of fev and Darts
NAMES = {
    "id": ("unique_id", "item_id", "id"),
    "time": ("ds", "timestamp", "time", "date"),
    "cutoff": ("cutoff",),
    "target": ("y", "target"),
}
UNNAMED = "forecast"  # the model of columns that name none
_RESERVED = ("unique_id", "ds", "cutoff", "y")  # columns of `Run.to_long`; Darts calls a forecast like its target
_COUNTERS = ("index", "step", "horizon", "h", "lead", "fold", "window")  # whole numbers under these are no forecasts
_POINT_NAMES = ("mean", "predictions", UNNAMED)  # a point forecast beside quantiles that name no model

_INTERVAL = re.compile(r"(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(?:\.\d+)?)")  # Nixtla
_MEDIAN = re.compile(r"(?P<model>.+)-median")  # neuralforecast
# neuralforecast `_ql0.1`, Darts `_q0.10`, TimeGPT `-q-10`, plain tables `_q10`
_QUANTILE = re.compile(r"(?P<model>.+?)[-_](?:ql?[-_]?(?P<share>0?\.\d+)|q-(?P<tick>\d+(?:\.\d+)?)|"
                       r"q(?P<percent>\d\d(?:\.\d+)?))")  # fmt: skip
_BARE_LEVEL = re.compile(r"[qp]?(?P<share>0?\.\d+)|[qp](?P<percent>\d\d(?:\.\d+)?)", re.IGNORECASE)  # `0.1`, `q10`
_SAMPLE = re.compile(r"(?P<model>.+?)[-_](?:s|sample[-_]?)(?P<number>\d+)")  # Darts and others
_UNLABELLED = re.compile(r"(?P<model>.*?)[-_]?(?P<side>lower|upper|lo|hi)")  # Prophet: ends of unstated coverage
_OTHER_SIDES = {"lower": "upper", "upper": "lower", "lo": "hi", "hi": "lo"}


@dataclass(frozen=True)
class Roles:
    """The columns that say which forecast a row belongs to.

    Attributes:
        time: The times that are forecast.
        cutoff: The times of the origins; None if the table has none.
        target: The actual values; None if the table has none.
        ids: The columns that together make the ids of the series; none if the table is one series.
        model: The names of the models, one a row; None if columns name the models.
    """

    time: str
    cutoff: str | None = None
    target: str | None = None
    ids: tuple[str, ...] = ()
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


class _Meaning(NamedTuple):
    """What a column of forecasts holds: a point forecast if it is neither a quantile nor a sample."""

    model: str
    level: float | None = None
    is_sample: bool = False


def find_roles(
    schema: Mapping[str, pl.DataType],
    time: str | None,
    cutoff: str | None,
    target: str | None,
    id: str | Sequence[str] | None,
    index_ids: tuple[str, ...] = (),
) -> Roles:
    """Choose the columns of times, origins, actual values and ids, by argument or by the names that libraries use.

    Args:
        schema: The columns of the table and their types.
        time: The column of times that the user names, or None.
        cutoff: The column of origins that the user names, or None.
        target: The column of actual values that the user names, or None.
        id: The column or columns of ids that the user names, or None.
        index_ids: The columns made of the levels of a pandas index beside the times.

    Raises:
        InputError: If a column does not exist or the times cannot be found.
    """
    import polars as pl

    ids = (id,) if isinstance(id, str) else tuple(id or ())
    for role, name in (("time", time), ("cutoff", cutoff), ("target", target), *(("id", name) for name in ids)):
        if name is not None and name not in schema:
            raise InputError(
                f"No column is called {name!r} ({option(role)}).{did_you_mean(name, schema)} "
                f"The columns are: {quoted(list(schema))}."
            )
    cutoff, target, id_column = (
        selection or next((name for name in NAMES[role] if name in schema and name != time), None)
        for role, selection in (("cutoff", cutoff), ("target", target), ("id", None))
    )
    ids = ids or ((id_column,) if id_column is not None else index_ids)
    other_roles = {cutoff, target, *ids}
    time = time or next((name for name in NAMES["time"] if name in schema and name not in other_roles), None)
    if time is None:
        temporal = [name for name, dtype in schema.items() if dtype.is_temporal() and name not in other_roles]
        if len(temporal) != 1:
            raise InputError(
                f"The table of forecasts has no column 'ds' of the times that are forecast. Name it with "
                f"{option('time')}. The columns are: {quoted(list(schema))}."
            )
        time = temporal[0]
    is_text = schema.get("model") in (pl.String, pl.Categorical, pl.Enum) and "model" not in other_roles
    return Roles(time, cutoff, target, ids, "model" if is_text else None)


def find_models(
    schema: Mapping[str, pl.DataType], roles: Roles, models: Sequence[str] | None
) -> dict[str, ModelColumns]:
    """Find the models of a table and what each of their columns holds.

    `MODEL` is a point forecast; `MODEL-lo-80` and `MODEL-hi-80`, `MODEL-median`, `MODEL-q-10`, `MODEL_q0.1` and `0.1`
    are quantiles; `MODEL-sample-3` and `MODEL_s3` are samples if they count from 0 or 1, as is a column of lists.

    Args:
        schema: The columns of the table and their types.
        roles: The columns that are no forecasts.
        models: The models that the user names; None for all.

    Returns:
        The columns of each model, in the order of the table; empty if the table holds no forecasts.

    Raises:
        InputError: If a named model does not exist, a level is none, or the ends of an interval state no coverage.
    """
    selection = () if models is None or roles.model is not None else tuple(models)
    other_roles = {roles.time, roles.cutoff, roles.target, roles.model, *roles.ids}
    types = {
        name: dtype
        for name, dtype in schema.items()
        if name not in other_roles and (_holds_forecasts(name, dtype) or (name in selection and dtype.is_numeric()))
    }
    by_model: dict[str, ModelColumns] = {}
    for name, meaning in _read_names(types).items():
        model = UNNAMED if meaning.model in _RESERVED else meaning.model
        columns = by_model.setdefault(model, ModelColumns())
        if meaning.is_sample or types[name].is_nested():
            columns.samples.append(name)
            continue
        if meaning.level is not None and not 0 < meaning.level < 1:
            raise InputError(
                f"The column {name!r} names the quantile level {meaning.level:g}, which is not between 0 and 1."
            )
        other = columns.point if meaning.level is None else columns.levels.get(meaning.level)
        if other is not None:
            content = "points" if meaning.level is None else "quantile"
            raise InputError(
                f"The columns {other!r} and {name!r} hold the same {content} of {model!r}. Drop one of them."
            )
        if meaning.level is None:
            columns.point = name
        else:
            columns.levels[meaning.level] = name
    for columns in by_model.values():
        columns.samples.sort(key=_sample_number)
    selection = tuple(UNNAMED if name in _RESERVED else name for name in selection)
    for name in selection:
        if name not in by_model:
            raise InputError(
                f"The table holds no model {name!r}.{did_you_mean(name, by_model)} There are: {quoted(list(by_model))}."
            )
    _check_coverage_stated(by_model, selection or tuple(by_model))
    return {name: by_model[name] for name in selection} if selection else by_model


def _check_coverage_stated(by_model: Mapping[str, ModelColumns], names: Sequence[str]) -> None:
    """Check that no column is the end of an interval whose coverage nothing states, as in tables of Prophet."""
    for name in names:
        match = _UNLABELLED.fullmatch(name)
        other = name[: match.start("side")] + _OTHER_SIDES[match["side"]] if match else None
        if match and other in by_model:
            point = match["model"] or UNNAMED
            raise InputError(
                f"{name!r} and {other!r} look like the ends of intervals, and nothing states their coverage. If they "
                f"are 80 % intervals, call them '{point}-lo-80' and '{point}-hi-80'; or name the models to take with "
                f"{option('models')}."
            )


def _holds_forecasts(name: str, dtype: pl.DataType) -> bool:
    import polars as pl

    if isinstance(dtype, (pl.List, pl.Array)):
        return dtype.inner.is_numeric()
    return dtype.is_numeric() and not (name.lower() in _COUNTERS and dtype.is_integer())


def _sample_number(name: str) -> int:
    match = _SAMPLE.fullmatch(name)
    return int(match["number"]) if match else 0


def _read_names(names: Iterable[str]) -> dict[str, _Meaning]:
    """Read what the columns of forecasts hold from their names."""
    numbers: dict[str, list[int]] = {}
    for name in names:
        if match := _SAMPLE.fullmatch(name):
            numbers.setdefault(match["model"], []).append(int(match["number"]))
    sample_models = {  # but `naive_s7` beside `naive_s24` are two models
        model
        for model, own in numbers.items()
        if len(own) > 1 and min(own) in (0, 1) and sorted(own) == list(range(min(own), min(own) + len(own)))
    }
    has_bare_levels = any(_BARE_LEVEL.fullmatch(name) for name in names)
    return {name: _read_name(name, sample_models, has_bare_levels) for name in names}


def _read_name(name: str, sample_models: set[str], has_bare_levels: bool) -> _Meaning:
    if match := _INTERVAL.fullmatch(name):
        tail = (100 - float(match["level"])) / 200
        return _Meaning(match["model"], round(tail if match["side"] == "lo" else 1 - tail, 9))
    if match := _MEDIAN.fullmatch(name):
        return _Meaning(match["model"], 0.5)
    if (match := _SAMPLE.fullmatch(name)) and match["model"] in sample_models:
        return _Meaning(match["model"], is_sample=True)
    if match := _QUANTILE.fullmatch(name):
        percent = match["tick"] or match["percent"]
        return _Meaning(match["model"], float(match["share"]) if percent is None else round(float(percent) / 100, 9))
    if match := _BARE_LEVEL.fullmatch(name):
        return _Meaning(UNNAMED, float(match["share"]) if match["share"] else round(float(match["percent"]) / 100, 9))
    return _Meaning(UNNAMED if has_bare_levels and name in _POINT_NAMES else name)
