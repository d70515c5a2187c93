"""Choosing the columns of times, values and series ids of a frame."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbforecast.data.date_columns import find_parts, is_year_name, part_of_date
from nbforecast.data.missing_texts import drop_missing
from nbforecast.data.time_of_day_columns import are_clock_times, is_hour_name
from nbforecast.data.timestamps import are_times
from nbforecast.data.values import count_numbers
from nbforecast.errors import InputError, OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import did_you_mean, option, quoted

if TYPE_CHECKING:
    import narwhals as nw

    from nbforecast.data.source import Source

_ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__", "_duplicated_0")  # names of an index that was written to a file
_HEAD = 50  # rows that tell whether text is times
_SAMPLE = 1_000  # rows that tell whether text is numbers
_MOSTLY = 0.6  # share of a sample that is numbers, from which on text may be the values
_MOST_LABELS = 16  # further columns that are read with the chosen ones
ALL_SERIES = "all"  # names one group of all series, where no column is called so
_MOST_NAMED = 12  # with their types


@dataclass(frozen=True)
class Columns:
    """The columns that serve.

    Attributes:
        time: The column of times.
        target: The column of values.
        ids: The columns of series ids; several make one id together, and none means that the frame is one series.
        clocks: Columns of times of day, which complete the times if these are dates that repeat.
        is_clock_given: Whether the user names the column of times of day.
        parts: Columns of months or quarters, and days, which complete the times if these are years that repeat.
        are_parts_given: Whether the user names these columns.
        labels: Further columns of text, integers or booleans, which might tell series apart.
        future: Columns of covariates that are known ahead.
        past: Columns of covariates that are known up to the origin.
        static: Columns of one value a series; columns of ids can be among them.
        groups: Those of the static columns that group the series; None if none does.
    """

    time: str
    target: str
    ids: tuple[str, ...] = ()
    clocks: tuple[str, ...] = ()
    is_clock_given: bool = False
    labels: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    are_parts_given: bool = False
    groups: tuple[str, ...] | None = None

    @property
    def id(self) -> str | None:
        """What the columns of ids are called together; None if there is none."""
        return "/".join(self.ids) or None

    @property
    def names(self) -> list[str]:
        """The columns that serve as times, values and ids."""
        return [self.time, self.target, *self.ids]

    @property
    def static_beside_ids(self) -> list[str]:
        """The columns of one value a series that are no ids."""
        return [name for name in self.static if name not in self.ids]


def choose_columns(
    source: Source,
    time: Any,
    target: Any,
    id: Any,
    static: Any = None,
    future_covariates: Any = None,
    past_covariates: Any = None,
    groups: Any = None,
) -> Columns:
    """Choose columns by argument, by name (`unique_id`, `ds`, `y`), or as the only one of their kind.

    Args:
        source: The opened input.
        time: The column of times that the user names, or a column of dates and one of times of day, or None.
        target: The column of values that the user names, or None.
        id: The column or columns of series ids that the user names, or None.
        static: The columns of one value a series that the user names, or None.
        future_covariates: The columns of covariates known ahead, or None.
        past_covariates: The columns of covariates known up to the origin, or None.
        groups: The columns of one value a series that group them, `ALL_SERIES` for one group, or None.

    Raises:
        InputError: If a column does not exist or several might serve; the message names the candidates and the
            argument to give.
        OptionError: If an argument is no name.
    """
    try:
        schema = dict(source.frame.collect_schema())
    except Exception as error:  # of a lazy frame of any library
        raise InputError(f"The frame cannot be read: {error}") from error
    if not schema:
        raise InputError("The frame has no columns.")
    times = _named(source, schema, source.time if time is None else time, "time", most=3)
    targets = _named(source, schema, source.target if target is None else target, "target", most=1)
    ids = _named(source, schema, id, "id") or source.index_ids
    future = _named(source, schema, future_covariates, "future_covariates")
    past = _named(source, schema, past_covariates, "past_covariates")
    by_group = () if groups == ALL_SERIES and ALL_SERIES not in schema else _named(source, schema, groups, "groups")
    one_a_series = tuple(dict.fromkeys((*_named(source, schema, static, "static"), *by_group)))
    by_role = {"id": ids, "future_covariates": future, "past_covariates": past, "static": one_a_series}
    _check_conventional(schema, by_role, times, targets)
    chosen = {*times, *targets}
    if not ids and "unique_id" in schema and "unique_id" not in chosen:
        ids = ("unique_id",)
    reserved = {*targets, *ids, *future, *past, *one_a_series, *(() if targets else ("y",))}
    time_column = times[0] if times else _find_time(source, schema, reserved)
    others = [name for name in schema if name not in {time_column, *reserved}]
    are_parts_given = len(times) > 1 and all(map(part_of_date, times[1:]))
    parts = times[1:] if are_parts_given else _find_parts(schema, time_column, others) if len(times) < 2 else ()
    if len(times) > 2 and not are_parts_given:
        raise OptionError(f"{option('time')} takes a date and a time of day, or a year, a month and a day.")
    taken = {time_column, *ids, *parts, *future, *past, *one_a_series}
    clocks = times[1:] if len(times) > 1 and not parts else _find_clocks(source, schema, {*taken, *targets})
    target_column = targets[0] if targets else _find_target(source, schema, {*taken, *clocks})
    columns = Columns(
        time_column, target_column, ids, tuple(clocks), len(times) > 1 and not parts, (), future, past, one_a_series,
        parts, are_parts_given, None if groups is None else by_group,
    )  # fmt: skip
    names = [*columns.names, *columns.clocks, *columns.parts, *future, *past, *columns.static_beside_ids]
    if len(set(names)) < len(names):
        roles = [option("time", time_column), option("target", target_column), *(option("id", ids) for _ in ids[:1])]
        roles += [option("future_covariates", future)] * bool(future) + [option("past_covariates", past)] * bool(past)
        roles += [option("static", one_a_series)] * bool(one_a_series)
        raise InputError(f"One column cannot serve twice: {', '.join(roles)}.")
    in_order = [*source.index_columns, *(name for name in schema if name not in source.index_columns)]
    labels = [name for name in in_order if name not in names and name not in _ROW_NUMBERS]
    labels = [name for name in labels if _is_text(schema[name]) or _is_category(schema[name])] + [
        name for name in labels if schema[name].is_integer() or _is_boolean(schema[name])
    ]
    return replace(columns, labels=tuple(labels[:_MOST_LABELS]))


def collect(source: Source, columns: Columns) -> nw.DataFrame[Any]:
    """Read the chosen columns, and those that might tell series apart, as an eager frame.

    Raises:
        InputError: If a lazy frame fails to run.
    """
    try:
        further = [*columns.clocks, *columns.parts, *columns.labels, *columns.future, *columns.past]
        further += columns.static_beside_ids
        return eager(source.frame.select([*columns.names, *further]))
    except Exception as error:  # of a lazy frame of any library
        raise InputError(f"The lazy frame failed to run: {error}") from error


def _check_conventional(
    schema: dict[str, Any], roles: dict[str, tuple[str, ...]], times: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    """Refuse `ds` or `y` in another role where no argument names the column that takes its own."""
    for name, argument, own in (("ds", "time", times), ("y", "target", targets)):
        for role, columns in roles.items() if name in schema and not own else ():
            if name in columns:
                meaning = "times" if name == "ds" else "values"
                raise InputError(
                    f"The column {name!r} holds the {meaning} unless another one is named, and {option(role)} names "
                    f"it, too. Name the column of {meaning} with {option(argument)}, or leave {name!r} out."
                )


def _named(
    source: Source, schema: dict[str, Any], value: Any, argument: str, most: int | None = None
) -> tuple[str, ...]:
    """Return the columns that an argument names: one, or several in a list or with commas."""
    if value is None:
        return ()
    names = list(schema)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    label = source.labels.get(value) if isinstance(value, Hashable) else None
    if label is not None:
        return (label,)
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        is_list = argument.endswith("covariates") or any(part in names for part in parts)
        several = value not in names and len(parts) > 1 and is_list
        values: Sequence[Any] = parts if several else [value]
    elif isinstance(value, (list, tuple)) and value:
        values = [source.labels.get(part, part) if isinstance(part, Hashable) else part for part in value]
    else:
        values = [value]
    for name in values:
        if not isinstance(name, str):
            raise OptionError(f"{option(argument)} takes the name of a column, not {brief_repr(name)}.")
        if name not in names:
            raise InputError(
                f"No column is called {name!r} ({option(argument)}).{did_you_mean(name, names)} "
                f"The columns are: {quoted(names)}."
            )
    if most is not None and len(values) > most:
        allowed = "one column" if most == 1 else "a date and a time of day, or a year, a month and a day"
        raise OptionError(f"{option(argument)} takes {allowed}.")
    if len(set(values)) < len(values):
        raise OptionError(f"{option(argument)} names a column twice: {quoted(values)}.")
    return tuple(values)


def _find_time(source: Source, schema: dict[str, Any], reserved: set[str]) -> str:
    if "ds" in schema and "ds" not in reserved and source.index_time != "ds":
        return "ds"
    hidden = {*reserved, *source.index_columns}
    free = {name: dtype for name, dtype in schema.items() if name not in hidden}
    temporal = [name for name, dtype in free.items() if _is_temporal(dtype)]
    if len(temporal) == 1:
        return temporal[0]
    if temporal:
        raise InputError(f"Several columns hold times: {quoted(temporal)}. Say which one with {option('time')}.")
    if source.index_time is not None:
        return source.index_time
    written = [name for name in _columns_of_written_times(source, schema) if name not in reserved]
    if len(written) == 1:
        return written[0]
    if written:
        raise InputError(f"Several columns hold times as text: {quoted(written)}. Say which one with {option('time')}.")
    if source.index_steps is not None:
        return source.index_steps
    years = [name for name in free if is_year_name(name) and _find_parts(schema, name, [*free])]
    if len(years) == 1:
        return years[0]
    raise InputError(
        f"No column holds times. The columns are: {_describe(schema)}. Name the column of times with "
        f"{option('time')} (dates, text such as 2024-05-01 13:00, or integer steps), or give a single column as a "
        "Series or array."
    )


def _find_parts(schema: dict[str, Any], time: str, others: Sequence[str]) -> tuple[str, ...]:
    """Find the columns of months or quarters, and days, beside one of years."""
    if not (is_year_name(time) and schema[time].is_integer()):
        return ()
    return find_parts(n for n in others if schema[n].is_integer() or _is_text(schema[n]) or _is_category(schema[n]))


def _columns_of_written_times(source: Source, schema: dict[str, Any]) -> list[str]:
    text = [name for name, dtype in schema.items() if _is_text(dtype)]
    if not text:
        return []
    head = eager(source.frame.select(text).head(_HEAD))
    return [name for name in text if are_times(head[name].to_list())]


def _find_clocks(source: Source, schema: dict[str, Any], chosen: set[str]) -> tuple[str, ...]:
    """Find the columns of times of day, or else those of hours as numbers."""
    free = {name: dtype for name, dtype in schema.items() if name not in chosen}
    text = [name for name, dtype in free.items() if _is_text(dtype)]
    hours = [name for name, dtype in free.items() if dtype.is_integer() and is_hour_name(name)]
    if text:
        head = eager(source.frame.select(text).head(_HEAD))
        text = [name for name in text if are_clock_times(head[name].to_list())]
    clocks = [name for name, dtype in free.items() if _is_clock(dtype) or name in text]
    return tuple(clocks or hours)


def _find_target(source: Source, schema: dict[str, Any], chosen: set[str]) -> str:
    hidden = {*chosen, *source.index_columns}
    free = {name: dtype for name, dtype in schema.items() if name not in hidden}
    if "y" in free:
        return "y"
    numeric = [name for name, dtype in free.items() if dtype.is_numeric()]
    numeric = [name for name in numeric if name not in _ROW_NUMBERS] or numeric
    text = [name for name, dtype in free.items() if _is_text(dtype)]
    written = _columns_of_written_numbers(source, text)
    if len(numeric) == 1 and not written:
        return numeric[0]
    if numeric:
        remark = f" ({quoted(written)} as text, with other words between them)" if written else ""
        raise InputError(
            f"Several columns hold numbers: {quoted([*numeric, *written])}{remark}. Say which one to forecast with "
            f"{option('target')}; if each is a series of its own, stack them first, with their names as ids."
        )
    text = written if len(written) == 1 else text
    if len(text) == 1:
        return text[0]  # numbers as text; reading the values reports the first that is none
    raise InputError(
        f"No column holds numbers (times: {quoted(sorted(chosen))}). The columns are: {_describe(schema)}. Name the "
        f"column to forecast with {option('target')}; text must be converted to numbers first."
    )


def _columns_of_written_numbers(source: Source, text: list[str]) -> list[str]:
    """Return the columns of text whose values are mostly numbers; whole numbers throughout are codes."""
    if not text:
        return []
    sample = eager(source.frame.select(text).head(_SAMPLE))
    columns = []
    for name in text:
        values = drop_missing(sample[name].to_list())
        numbers, whole = count_numbers([str(value) for value in values])
        if numbers >= max(1, _MOSTLY * len(values)) and whole != len(values):
            columns.append(name)
    return columns


def _describe(schema: dict[str, Any]) -> str:
    first = ", ".join(f"{name!r} ({dtype})" for name, dtype in list(schema.items())[:_MOST_NAMED])
    others = len(schema) - _MOST_NAMED
    return f"{first} and {others:,} more" if others > 0 else first


def eager(frame: Any) -> nw.DataFrame[Any]:
    """The rows of a frame, of a lazy one as Polars collects them."""
    import narwhals as nw

    return frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame


def _is_temporal(dtype: Any) -> bool:
    import narwhals as nw

    return isinstance(dtype, (nw.Datetime, nw.Date)) or dtype in (nw.Datetime, nw.Date)


def _is_clock(dtype: Any) -> bool:
    import narwhals as nw

    return dtype == nw.Time


def _is_text(dtype: Any) -> bool:
    import narwhals as nw

    return dtype in (nw.String, nw.Object)


def _is_category(dtype: Any) -> bool:
    import narwhals as nw

    return dtype in (nw.Categorical, nw.Enum)


def _is_boolean(dtype: Any) -> bool:
    import narwhals as nw

    return dtype == nw.Boolean
