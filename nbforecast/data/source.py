"""Opening what users provide as one narwhals frame: frames of any library, series, arrays, dicts and files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.data import cgm, files
from nbforecast.errors import InputError

if TYPE_CHECKING:
    import narwhals as nw

    from nbforecast.data.dataset import DataWarning

_STEP_COLUMN = "step"
_VALUE_COLUMN = "y"
_ACCEPTED = (
    "a Polars, pandas, PyArrow, DuckDB or other frame that narwhals reads, a pandas Series with dates, a 1-D array, "
    "or the path of a CSV or Parquet file"
)
_TIME_LEVEL_NAMES = ("ds", "index", "level_time")  # for index levels without a name, the first that is free
_ID_LEVEL_NAMES = ("unique_id", "level_id")


@dataclass(frozen=True)
class Source:
    """An opened input.

    Attributes:
        frame: The rows, eager or lazy.
        name: What the input is called; None if it has no name.
        time: The column of times, if the kind of input settles it.
        target: The column of values, if the kind of input settles it.
        index_time: A column made of an index level of a pandas frame; it holds the times where no other column does.
        index_id: A column made of the other level of such an index; it holds the series ids.
        warnings: What was repaired while the input was read.
    """

    frame: nw.DataFrame[Any] | nw.LazyFrame[Any]
    name: str | None = None
    time: str | None = None
    target: str | None = None
    index_time: str | None = None
    index_id: str | None = None
    warnings: tuple[DataWarning, ...] = ()


def open_source(frame: Any, time: str | None, target: str | None, id: str | None) -> Source:
    """Open a frame, series, array, dict or path.

    Args:
        frame: What the user provides; see `prepare`.
        time: The column of times that the user names, or None.
        target: The column of values that the user names, or None.
        id: The column of series ids that the user names, or None.

    Raises:
        InputError: If it is none of these or cannot be read.
        MissingExtra: If a sensor's export needs the library cgm-format and it is not installed.
    """
    import narwhals as nw

    if isinstance(frame, (str, os.PathLike)):
        return _open_path(Path(frame).expanduser(), named=time is not None or target is not None)
    if isinstance(frame, dict):
        return Source(_from_dict(frame))
    if isinstance(frame, (list, tuple, np.ndarray)):
        return _from_array(np.asarray(frame))
    native = nw.to_native(frame, pass_through=True)
    index_time = index_id = None
    if _is_pandas(native):
        native, index_time, index_id = _index_to_columns(native, time, id)
    try:
        opened = nw.from_native(native, allow_series=True)
    except nw.exceptions.DuplicateError as error:
        raise InputError(_duplicate_names(native)) from error
    except TypeError:
        if hasattr(native, "__arrow_c_stream__"):
            import polars as pl

            return open_source(pl.DataFrame(native), time, target, id)
        kind = f"{type(native).__module__}.{type(native).__qualname__}".removeprefix("builtins.")
        raise InputError(f"An object of type {kind} is no time series. Give {_ACCEPTED}.") from None
    except Exception as error:  # of any library
        raise InputError(f"The frame cannot be read: {error}") from error
    if isinstance(opened, nw.Series):
        return _with_steps(opened.alias(opened.name or _VALUE_COLUMN).to_frame())
    return Source(opened, index_time=index_time, index_id=index_id)


def _open_path(path: Path, named: bool) -> Source:
    """Open a file; where the user names columns, a CSV is a plain table even if it looks like a sensor's export."""
    import narwhals as nw

    name = path.name.split(".")[0]
    with files.input_errors(path):
        if not named and files.is_text_file(path) and cgm.is_export(files.read_head(path)):
            readings, warnings = cgm.read_export(path)
            return Source(nw.from_native(readings), name, cgm.TIME, cgm.TARGET, warnings=tuple(warnings))
        return Source(files.read_file(path), name)


def _from_dict(columns: dict[Any, Any]) -> nw.DataFrame[Any]:
    import narwhals as nw
    import polars as pl

    try:
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


def _is_pandas(native: Any) -> bool:
    return hasattr(native, "index") and hasattr(native, "reset_index") and hasattr(native, "iloc")


def _index_to_columns(frame: Any, time: str | None, id: str | None) -> tuple[Any, str | None, str | None]:
    """Make columns of the index levels of a pandas object that hold times or are named by the user.

    Beside a level of times, a single other level holds the series ids.

    Returns:
        The frame, its new column of times, and its new column of ids.
    """
    is_series = not hasattr(frame, "columns")
    names = [frame.name] if is_series else list(frame.columns)
    if len(set(names)) < len(names):
        return frame, None, None  # narwhals reports the duplicates
    columns: dict[str, Any] = {}
    time_column = id_column = None
    levels = [_index_level(frame, number) for number in range(frame.index.nlevels)]
    holds_times = [_is_temporal_level(level) for level in levels]
    for level, is_temporal in zip(levels, holds_times, strict=True):
        is_id = any(holds_times) and not is_temporal and len(levels) == 2
        is_named = level.name is not None and level.name in (time, id, "unique_id", "ds")
        if not (is_temporal or is_named or is_id) or (level.name is not None and level.name in names):
            continue
        if level.name is None:
            choices = _TIME_LEVEL_NAMES if is_temporal else _ID_LEVEL_NAMES
            column = next(name for name in choices if name not in names)
        else:
            column = str(level.name)
        columns[column] = level.to_series().reset_index(drop=True)
        time_column = column if is_temporal else time_column
        id_column = column if is_id else id_column
    if not columns or (is_series and time_column is None):
        return frame, None, None
    if is_series:
        frame = frame.to_frame(_VALUE_COLUMN if frame.name is None else str(frame.name))
    return frame.reset_index(drop=True).assign(**columns), time_column, id_column


def _index_level(frame: Any, number: int) -> Any:
    level = frame.index.get_level_values(number)
    return level.to_timestamp() if str(level.dtype).startswith("period") else level


def _is_temporal_level(level: Any) -> bool:
    return str(level.dtype).startswith(("datetime64", "timestamp", "date32"))
