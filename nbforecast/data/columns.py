"""Choosing the columns of times, values and series ids of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbforecast.data.timestamps import are_times
from nbforecast.errors import InputError, OptionError
from nbforecast.text import did_you_mean, quoted

if TYPE_CHECKING:
    import narwhals as nw

    from nbforecast.data.source import Source

_ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__", "_duplicated_0")  # names of an index that was written to a file
_HEAD = 50  # rows that tell whether text is times
_MOST_NAMED = 12  # with their types


@dataclass(frozen=True)
class Columns:
    """The columns that serve.

    Attributes:
        time: The column of times.
        target: The column of values.
        id: The column of series ids; None if the frame is one series.
        labels: Further columns of text or integers, which might tell series apart.
    """

    time: str
    target: str
    id: str | None
    labels: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return [name for name in (self.time, self.target, self.id) if name is not None]


def choose_columns(source: Source, time: str | None, target: str | None, id: str | None) -> Columns:
    """Choose columns by argument, by name (`unique_id`, `ds`, `y`), or as the only one of their kind.

    Args:
        source: The opened input.
        time: The column of times that the user names, or None.
        target: The column of values that the user names, or None.
        id: The column of series ids that the user names, or None.

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
    time, target = time or source.time, target or source.target
    for name, argument in ((time, "time"), (target, "target"), (id, "id")):
        if name is not None:
            _check_exists(name, list(schema), argument)
    id = id or source.index_id
    if id is None and "unique_id" in schema and "unique_id" not in (time, target):
        id = "unique_id"
    reserved = {name for name in (target, id, "y" if target is None else None) if name}
    time = time or _find_time(source, schema, reserved)
    target = target or _find_target(schema, time, id)
    columns = Columns(time, target, id, ())
    if len(set(columns.names)) < len(columns.names):
        raise InputError(f"One column cannot serve twice: time={time!r}, target={target!r}, id={id!r}.")
    labels = [
        name
        for name, dtype in schema.items()
        if name not in columns.names and name not in _ROW_NUMBERS and _is_label(dtype)
    ]
    return Columns(time, target, id, tuple(labels))


def collect(source: Source, columns: Columns) -> nw.DataFrame[Any]:
    """Read the chosen columns as an eager frame.

    Raises:
        InputError: If a lazy frame fails to run.
    """
    try:
        return _eager(source.frame.select(columns.names))
    except Exception as error:  # of a lazy frame of any library
        raise InputError(f"The lazy frame failed to run: {error}") from error


def _check_exists(name: str, names: list[str], argument: str) -> None:
    if not isinstance(name, str):
        raise OptionError(f"{argument}={name!r} is not the name of a column.")
    if name not in names:
        raise InputError(
            f"No column is called {name!r} ({argument}=).{did_you_mean(name, names)} The columns are: {quoted(names)}."
        )


def _find_time(source: Source, schema: dict[str, Any], reserved: set[str]) -> str:
    if "ds" in schema and "ds" not in reserved and source.index_time != "ds":
        return "ds"
    free = {name: dtype for name, dtype in schema.items() if name not in reserved and name != source.index_time}
    temporal = [name for name, dtype in free.items() if _is_temporal(dtype)]
    if len(temporal) == 1:
        return temporal[0]
    if temporal:
        raise InputError(f"Several columns hold times: {quoted(temporal)}. Say which one with time=.")
    if source.index_time is not None:
        return source.index_time
    written = [name for name in _columns_of_written_times(source, schema) if name not in reserved]
    if len(written) == 1:
        return written[0]
    if written:
        raise InputError(f"Several columns hold times as text: {quoted(written)}. Say which one with time=.")
    raise InputError(
        f"No column holds times. The columns are: {_describe(schema)}. Name the column of times with time= (dates, "
        "text such as 2024-05-01 13:00, or integer steps), or give a single column as a Series or array."
    )


def _columns_of_written_times(source: Source, schema: dict[str, Any]) -> list[str]:
    text = [name for name, dtype in schema.items() if _is_text(dtype)]
    if not text:
        return []
    head = _eager(source.frame.select(text).head(_HEAD))
    return [name for name in text if are_times(head[name].to_list())]


def _find_target(schema: dict[str, Any], time: str, id: str | None) -> str:
    free = {name: dtype for name, dtype in schema.items() if name not in (time, id)}
    if "y" in free:
        return "y"
    numeric = [name for name, dtype in free.items() if dtype.is_numeric()]
    numeric = [name for name in numeric if name not in _ROW_NUMBERS] or numeric
    if len(numeric) == 1:
        return numeric[0]
    if numeric:
        raise InputError(f"Several columns hold numbers: {quoted(numeric)}. Say which one to forecast with target=.")
    text = [name for name, dtype in free.items() if _is_text(dtype)]
    if len(text) == 1:
        return text[0]  # numbers as text; reading the values reports the first that is none
    raise InputError(
        f"No column holds numbers (times: {time!r}). The columns are: {_describe(schema)}. Name the column to forecast "
        "with target=; text must be converted to numbers first."
    )


def _describe(schema: dict[str, Any]) -> str:
    first = ", ".join(f"{name!r} ({dtype})" for name, dtype in list(schema.items())[:_MOST_NAMED])
    others = len(schema) - _MOST_NAMED
    return f"{first} and {others:,} more" if others > 0 else first


def _eager(frame: Any) -> nw.DataFrame[Any]:
    import narwhals as nw

    return frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame


def _is_temporal(dtype: Any) -> bool:
    import narwhals as nw

    return isinstance(dtype, (nw.Datetime, nw.Date)) or dtype in (nw.Datetime, nw.Date)


def _is_text(dtype: Any) -> bool:
    import narwhals as nw

    return dtype in (nw.String, nw.Object)


def _is_label(dtype: Any) -> bool:
    import narwhals as nw

    return dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object) or dtype.is_integer()
