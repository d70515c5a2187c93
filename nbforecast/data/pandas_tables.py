"""Reading pandas objects like plain tables: index levels become columns, wide frames become long ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbforecast.data.dataset import DataWarning
from nbforecast.data.timestamps import are_times
from nbforecast.errors import InputError
from nbforecast.text import option, quoted

_VALUE_COLUMN = "y"
_ID_COLUMN = "unique_id"
_TIME_LEVEL_NAMES: tuple[str, ...] = (
    "ds",
    "index",
    "level_time",
)  # for index levels without a name, the first that is free
_ID_LEVEL_NAMES: tuple[str, ...] = ("unique_id", "level_id", *(f"level_{number}" for number in range(2, 100)))
_NAMED_COLUMNS = (_VALUE_COLUMN, _ID_COLUMN, "ds")  # a frame that has one of these is not wide
_HEAD = 50  # entries of a level that tell whether they are times


@dataclass(frozen=True)
class PandasTable:
    """A pandas object as a table whose columns are called by text.

    Attributes:
        frame: The table, or the Series itself if its index only counts rows.
        target: The column of values, if the kind of object settles it.
        index_time: The column made of the only index level that holds times.
        index_steps: The column made of the only index level that holds numbers; it holds the times where nothing else
            does.
        index_ids: The columns of series ids: the other index levels beside the times, or the names of stacked columns.
        index_columns: All columns made of index levels.
        labels: The column for each label that is no text.
        warnings: How the object is read, where that is not obvious.
    """

    frame: Any
    target: str | None = None
    index_time: str | None = None
    index_steps: str | None = None
    index_ids: tuple[str, ...] = ()
    index_columns: tuple[str, ...] = ()
    labels: dict[Hashable, str] = field(default_factory=dict)
    warnings: tuple[DataWarning, ...] = ()


def is_pandas(native: Any) -> bool:
    """Tell whether an object is a frame or Series of pandas or of a library like it."""
    return hasattr(native, "index") and hasattr(native, "reset_index") and hasattr(native, "iloc")


def read_pandas(native: Any, time: Any, target: Any, id: Any) -> PandasTable:
    """Read a pandas object like a table.

    Every index level is a column, but a numbering of the rows. Where one level holds times, the others together hold
    the series ids. A frame with times in its index and with nothing but numbers of one type is wide: each column is a
    series. So are the columns of several levels that share the label given as `target`.

    Args:
        native: A frame or Series.
        time: The column of times that the user names, or None.
        target: The column of values that the user names, or None.
        id: The column or columns of series ids that the user names, or None.

    Raises:
        InputError: If the index of a Series is neither times nor steps.
    """
    is_series = not hasattr(native, "columns")
    if is_series and _counts_rows(native.index):
        return PandasTable(native)
    if is_series:
        name = _VALUE_COLUMN if native.name is None else _label_text(native.name)
        table = _with_index(native.to_frame(name), (time, id))
        if table.index_time is None and table.index_steps is None and time is None:
            levels = ", ".join(repr(value) for value in native.index[:2].tolist())
            raise InputError(
                f"The index of the Series holds neither times nor steps ({levels} ...). Give it dates, name the level "
                f"of times with {option('time')}, or count the rows as steps with series.reset_index(drop=True)."
            )
        return PandasTable(**{**vars(table), "target": name})
    names = list(native.columns)
    if len(set(names)) < len(names):
        return PandasTable(native)  # narwhals reports the duplicates
    depth, axis_name = native.columns.nlevels, native.columns.name
    stacked = None if depth == 1 else _select_labelled(native, time, target)
    if stacked is not None:
        native, value_columns, series_ids, value_name = stacked
        table = _with_index(native, (time, id))
        return _stack(table, value_columns, series_ids, value_name, time)
    labels = {name: _label_text(name) for name in names if not isinstance(name, str)}
    if labels:
        native = native.set_axis([labels.get(name, name) for name in names], axis=1)
    if len(set(native.columns)) < len(names):
        return PandasTable(native)
    table = _with_index(native, (time, id))
    if time is None and target is None and id is None and depth == 1 and _is_wide(native, table, axis_name is not None):
        columns = list(native.columns)
        return _stack(table, columns, columns, None, None)
    return PandasTable(**{**vars(table), "labels": labels})


def _label_text(label: Any) -> str:
    """Write the label of a column or a row: dates without midnight, parts of a label of several levels with blanks."""
    if isinstance(label, tuple):
        return " ".join(text for part in label if (text := _label_text(part)))
    text = str(label)
    return text.removesuffix(" 00:00:00") if hasattr(label, "year") else text


def _counts_rows(index: Any) -> bool:
    """Tell whether an index is the one that pandas makes by itself."""
    is_range = getattr(index, "nlevels", 1) == 1 and index.name is None and hasattr(index, "start")
    return is_range and index.start == 0 and index.step == 1


def _with_index(frame: Any, named: tuple[Any, ...]) -> PandasTable:
    """Make columns of the index levels of a frame, and text of intervals and periods in its columns."""
    frame = _plain_columns(frame)
    if _counts_rows(frame.index):
        return PandasTable(frame)
    names = [*frame.columns]
    wanted = {name for value in named for name in ([value] if isinstance(value, Hashable) else value)}
    levels = [_plain(frame.index.get_level_values(number)) for number in range(frame.index.nlevels)]
    temporal = [_holds_times(level) for level in levels]
    numbers = [_holds_numbers(level) for level in levels]
    columns: dict[str, Any] = {}
    times: list[str] = []
    steps: list[str] = []
    ids: list[str] = []
    for level, is_time, is_number in zip(levels, temporal, numbers, strict=True):
        is_numbering = is_number and level.name is None and not any(temporal) and len(levels) > 1 and sum(numbers) > 1
        if (level.name is not None and _label_text(level.name) in names) or is_numbering:
            continue
        if is_time:
            choices = _TIME_LEVEL_NAMES
        elif any(temporal):
            choices = _ID_LEVEL_NAMES
        else:  # the labels of rows are no ids by themselves
            choices = ("step", "level_step") if is_number else _ID_LEVEL_NAMES[1:]
        used = {*names, *columns}
        column = (
            _label_text(level.name) if level.name is not None else next(name for name in choices if name not in used)
        )
        columns[column] = level.to_series().reset_index(drop=True)
        (times if is_time else steps if is_number else ids).append(column)
    frame = frame.reset_index(drop=True).assign(**columns)
    if len(times) == 1:
        others = tuple(name for name in columns if name not in times)
        return PandasTable(frame, None, times[0], None, others, tuple(columns))
    index_steps = steps[0] if len(steps) == 1 and not times else None
    if index_steps is not None and index_steps not in wanted and len(levels) == 1 and not levels[0].is_unique:
        index_steps = None  # rows of several tables one below the other
    index_ids = tuple(ids) if index_steps is not None and ids and len(names) == 1 else ()
    return PandasTable(frame, None, None, index_steps, index_ids, tuple(columns) if not times else ())


def _plain(level: Any) -> Any:
    """Return an index level with periods and intervals of time as their starts, other intervals as text."""
    kind = str(level.dtype)
    if kind == "category":
        level = level.astype(level.categories.dtype)
        kind = str(level.dtype)
    if kind.startswith("period"):
        return level.to_timestamp()
    if kind.startswith("interval"):
        return level.left if kind.startswith("interval[datetime") else level.astype(str)
    return level


def _plain_columns(frame: Any) -> Any:
    """Write intervals in columns as text, and replace periods by their starts."""
    changed = {}
    for name, dtype in frame.dtypes.items():
        kind = str(dtype)
        if kind == "category":
            kind = str(dtype.categories.dtype)
        if kind.startswith("period"):
            changed[name] = frame[name].astype(kind).dt.to_timestamp()
        elif kind.startswith("interval"):
            text = frame[name].astype(object)
            changed[name] = text.where(text.isna(), text.astype(str))
    return frame.assign(**changed) if changed else frame


def _holds_times(level: Any) -> bool:
    kind = str(level.dtype)
    if kind.startswith(("datetime64", "timestamp", "date32", "date64")):
        return True
    return kind in ("object", "str", "string") and are_times(level[:_HEAD].tolist())


def _holds_numbers(level: Any) -> bool:
    return str(level.dtype).lower().startswith(("int", "uint", "float", "timedelta"))


def _is_wide(frame: Any, table: PandasTable, is_axis_named: bool) -> bool:
    """Tell whether the columns of a frame are series of one kind: numbers of one type, or a named axis of numbers."""
    if table.index_time is None or table.index_ids or frame.shape[1] < 2 or any(n in frame for n in _NAMED_COLUMNS):
        return False
    types = {str(dtype) for dtype in frame.dtypes}
    are_numbers = all(kind.lower().startswith(("int", "uint", "float", "double")) for kind in types)
    is_unique = table.frame[table.index_time].is_unique
    return bool(are_numbers and is_unique and (len(types) == 1 or is_axis_named))


def _select_labelled(frame: Any, time: Any, target: Any) -> tuple[Any, list[str], list[str], str | None] | None:
    """Select columns of several levels that share a label, such as all closing prices.

    Returns:
        A frame with its columns called by text, the selected ones, the ids of the series that they are, and what their
        values are called. None if the columns cannot be stacked.
    """
    labels = list(frame.columns)
    texts = [_label_text(label) for label in labels]
    if len(set(texts)) < len(texts):
        return None
    flat = frame.set_axis(texts, axis=1)
    if isinstance(target, Hashable) and target in (*labels, *texts):
        return None
    depth = frame.columns.nlevels
    if target is None:
        numeric = [i for i, dtype in enumerate(flat.dtypes) if str(dtype).lower().startswith(("int", "uint", "float"))]
        parts = [{labels[i][level] for i in numeric} for level in range(depth)]
        varying = [level for level in range(depth) if len(parts[level]) > 1]
        if len(numeric) < len(labels) or len(numeric) < 2 or len(varying) != 1 or len(set(flat.dtypes)) > 1:
            return None
        constant = [str(next(iter(part))) for level, part in enumerate(parts) if level not in varying]
        return flat, texts, [_label_text(label[varying[0]]) for label in labels], " ".join(constant)
    for level in range(depth):
        chosen = [i for i, label in enumerate(labels) if label[level] == target or str(label[level]) == target]
        if chosen:
            ids = [_label_text(tuple(p for n, p in enumerate(labels[i]) if n != level)) for i in chosen]
            keep = [texts[i] for i in range(len(labels)) if i in chosen or _may_be_time(flat, texts[i], time)]
            return flat[keep], [texts[i] for i in chosen], ids, str(target)
    return None


def _may_be_time(frame: Any, name: str, time: Any) -> bool:
    return name == time or str(frame[name].dtype).startswith("datetime64")


def _stack(
    table: PandasTable, columns: Sequence[str], ids: Sequence[str], value_name: str | None, time: Any
) -> PandasTable:
    """Make one long table of the columns of a wide one."""
    frame = table.frame
    others = [name for name in frame.columns if name not in columns]
    target = value_name or _VALUE_COLUMN
    id_column = next(name for name in _ID_LEVEL_NAMES if name not in (*others, target))
    count = len(frame)
    rows = np.tile(np.arange(count), len(columns))
    long = frame[others].take(rows).reset_index(drop=True)
    long[id_column] = np.repeat(np.array([str(name) for name in ids], dtype=object), count)
    long[target] = np.concatenate([frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in columns])
    sentence = (
        f"Each of {len(columns):,} columns is a series of its own ({quoted(list(ids), 4)}); {option('target')} "
        "forecasts one of them alone."
    )
    warnings = (DataWarning("wide_frame", len(columns), sentence),) if len(columns) > 1 else ()
    return PandasTable(
        long,
        target,
        table.index_time,
        table.index_steps,
        (*table.index_ids, id_column),
        table.index_columns,
        warnings=warnings if value_name is None or time is None else (),
    )
