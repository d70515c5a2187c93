"""Opening what users provide as one narwhals frame: frames of any library, series, arrays, dicts and files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.data import cgm, files
from nbforecast.data.pandas_tables import PandasTable, is_pandas, read_pandas
from nbforecast.errors import InputError, OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option
from nbforecast.user_path import user_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import narwhals as nw

    from nbforecast.data.dataset import DataWarning

_PATTERN = re.compile(r"\*|\^.*\$", re.DOTALL)
_STEP_COLUMN = "step"
_VALUE_COLUMN = "y"
_ACCEPTED = (
    "a Polars, pandas, PyArrow, DuckDB or other frame that narwhals reads, a pandas Series with dates, a 1-D array, "
    "or the path of a CSV or Parquet file"
)


@dataclass(frozen=True)
class Source:
    """An opened input.

    Attributes:
        frame: The rows, eager or lazy.
        name: What the input is called; None if it has no name.
        time: The column of times, if the kind of input settles it.
        target: The column of values, if the kind of input settles it.
        index_time: A column made of an index level of a pandas frame; it holds the times where no other column does.
        index_steps: A column made of the only index level of numbers; it holds the times where nothing else does.
        index_ids: Columns made of the other levels of such an index; together they hold the series ids.
        index_columns: All columns made of index levels; none is taken for the values without being named.
        labels: The column for each column label that is no text.
        warnings: What was repaired while the input was read.
        has_grown: Whether the rows are those of the reading before, and others below them.
    """

    frame: nw.DataFrame[Any] | nw.LazyFrame[Any]
    name: str | None = None
    time: str | None = None
    target: str | None = None
    index_time: str | None = None
    index_steps: str | None = None
    index_ids: tuple[str, ...] = ()
    index_columns: tuple[str, ...] = ()
    labels: Mapping[Hashable, str] = field(default_factory=dict)
    warnings: tuple[DataWarning, ...] = ()
    has_grown: bool = False


def open_source(frame: Any, time: Any, target: Any, id: Any, date_order: str | None = None) -> Source:
    """Open a frame, series, array, dict or path.

    Columns whose names Polars would take for patterns get a blank behind their names.

    Args:
        frame: What the user provides, see `prepare`; or a source that is opened already.
        time: The column of times that the user names, or None.
        target: The column of values that the user names, or None.
        id: The column or columns of series ids that the user names, or None.
        date_order: How dates such as `1/2/24` are ordered, or None.

    Raises:
        InputError: If it is none of these or cannot be read.
        MissingExtra: If a sensor's export needs the library cgm-format and it is not installed.
    """
    for argument, value in (("time", time), ("target", target), ("id", id)):
        _check_name(argument, value)
    source = frame if isinstance(frame, Source) else _open(frame, time, target, id, date_order)
    opened, labels = escape_names(source.frame)
    if not labels:
        return source
    return replace(
        source,
        frame=opened,
        labels={**source.labels, **labels},
        index_time=labels.get(source.index_time, source.index_time),
        index_steps=labels.get(source.index_steps, source.index_steps),
        index_ids=tuple(labels.get(name, name) for name in source.index_ids),
        index_columns=tuple(labels.get(name, name) for name in source.index_columns),
    )


def escape_names(frame: Any) -> tuple[Any, dict[Hashable, str]]:
    """Rename the columns of a narwhals frame that Polars would take for patterns, such as `^a$` and `*`.

    Returns:
        The frame, and the new name of each column that has one.
    """
    try:
        names = frame.collect_schema().names()
    except Exception:  # of a lazy frame of any library; it is reported when columns are chosen
        return frame, {}
    patterns = [name for name in names if _PATTERN.fullmatch(name)]
    labels = {name: name + " " * sum(other.startswith(name) for other in names) for name in patterns}
    return (frame.rename(labels) if labels else frame), labels


def _open(frame: Any, time: Any, target: Any, id: Any, date_order: str | None) -> Source:
    import narwhals as nw

    if isinstance(frame, (str, os.PathLike)):
        return _open_path(user_path(frame, InputError), time is not None or target is not None, id, date_order)
    if isinstance(frame, dict):
        return Source(_from_dict(frame))
    if isinstance(frame, (list, tuple, np.ndarray)):
        return _from_array(_filled(frame) if np.ma.isMaskedArray(frame) else np.asarray(frame))
    native = nw.to_native(frame, pass_through=True)
    table = read_pandas(native, time, target, id) if is_pandas(native) else PandasTable(native)
    native = table.frame
    try:
        opened = nw.from_native(native, allow_series=True)
    except nw.exceptions.DuplicateError as error:
        raise InputError(_duplicate_names(native)) from error
    except TypeError:
        if hasattr(native, "__arrow_c_stream__"):
            import polars as pl

            return _open(pl.DataFrame(native), time, target, id, date_order)
        kind = f"{type(native).__module__}.{type(native).__qualname__}".removeprefix("builtins.")
        raise InputError(f"An object of type {kind} is no time series. Give {_ACCEPTED}.") from None
    except Exception as error:  # of any library
        raise InputError(f"The frame cannot be read: {error}") from error
    if isinstance(opened, nw.Series):
        return _with_steps(opened.alias(opened.name or _VALUE_COLUMN).to_frame())
    return Source(
        opened,
        target=table.target,
        index_time=table.index_time,
        index_steps=table.index_steps,
        index_ids=table.index_ids,
        index_columns=table.index_columns,
        labels=table.labels,
        warnings=table.warnings,
    )


def _check_name(argument: str, value: Any) -> None:
    """Check that a value may name columns: text, another label of pandas, or a list of such."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    for part in parts:
        is_label = isinstance(part, Hashable) and (isinstance(part, (str, tuple)) or not hasattr(part, "__len__"))
        if not is_label or type(part).__name__ == "Expr":
            raise OptionError(f"{option(argument)} takes the name of a column, not {brief_repr(part)}.")


def _open_path(path: Path, is_named: bool, id: Any, date_order: str | None) -> Source:
    """Open a file.

    Args:
        path: The file.
        is_named: Whether the user names columns: text is a plain table then, even if it looks like a sensor's export.
        id: The column or columns of series ids that the user names, or None; ids keep their text.
        date_order: How dates of a sensor's export are ordered, or None.
    """
    import narwhals as nw

    name = path.name.split(".")[0]
    with files.input_errors(path):
        content = files.read_text(path) if files.is_text_file(path) else None
        if content and not is_named and cgm.is_export(content):
            readings, readings_name, warnings = cgm.read_export(content, str(path), date_order)
            return Source(nw.from_native(readings), name, cgm.TIME, readings_name, warnings=tuple(warnings))
        named = [id] if isinstance(id, str) else list(id or ["unique_id"])
        ids = [*named, *(part.strip() for column in named if isinstance(column, str) for part in column.split(","))]
        return Source(files.read_file(path, content, ids), name)


def _from_dict(columns: dict[Any, Any]) -> nw.DataFrame[Any]:
    import narwhals as nw
    import polars as pl

    try:
        columns = {name: _plain(x) for name, x in columns.items()}
        return nw.from_native(pl.DataFrame(columns))
    except Exception as error:
        raise InputError(f"The dict cannot be made into a table: {error}") from error


def _from_array(array: np.ndarray) -> Source:
    import narwhals as nw
    import polars as pl

    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1:
        raise InputError(
            f"An array of shape {array.shape} is not one series. Give a 1-D array, or a frame with the columns "
            "unique_id, ds and y for several series."
        )
    try:
        values = pl.Series(_VALUE_COLUMN, array if array.dtype != object else array.tolist(), strict=False)
    except Exception as error:
        raise InputError(f"The array of {array.dtype} holds no numbers: {error}") from error
    return _with_steps(nw.from_native(values.to_frame()))


def _plain(column: Any) -> Any:
    """Return a column as Polars takes it: without a mask, and times in microseconds instead of minutes or years."""
    column = _filled(column) if np.ma.isMaskedArray(column) else column
    if isinstance(column, np.ndarray) and column.dtype.kind == "M" and np.datetime_data(column.dtype)[0] in "YMWhms":
        return column.astype("datetime64[us]")
    return column


def _filled(array: np.ma.MaskedArray[Any, Any]) -> np.ndarray:
    """Return a masked array of values or times with NaN, NaT or None where it is masked."""
    if array.dtype.kind in "mM":
        return np.where(np.ma.getmaskarray(array), np.array("NaT", array.dtype), array.data)
    if array.dtype.kind in "biuf":
        return np.where(np.ma.getmaskarray(array), np.nan, array.data.astype(np.float64))
    values = array.data.astype(object)
    values[np.ma.getmaskarray(array)] = None
    return values


def _with_steps(frame: nw.DataFrame[Any]) -> Source:
    """Number the rows of a single column: its times are steps."""
    target = frame.columns[0]
    step = _STEP_COLUMN if target != _STEP_COLUMN else _STEP_COLUMN + "_"
    return Source(frame.with_row_index(step), time=step, target=target)


def _duplicate_names(native: Any) -> str:
    """Describe which columns of a frame of pandas or PyArrow have the same name."""
    names = native.columns if hasattr(native, "iloc") else native.column_names
    several = ", ".join(str(name) for name, count in Counter(names).items() if count > 1)
    return f"Several columns have the same name: {several}. Rename or drop all but one."
