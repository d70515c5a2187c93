"""Opening what users hand in: frames of any library, series, arrays and files, as one narwhals frame."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import InputError, OptionError

if TYPE_CHECKING:
    import narwhals as nw

    from nbforecast.data.dataset import DataWarning

STEP_COLUMN = "step"
VALUE_COLUMN = "y"
_ACCEPTED = (
    "a Polars, pandas, PyArrow, DuckDB or other frame that narwhals reads, a pandas Series with dates, a 1-D array, "
    "or the path of a CSV or Parquet file"
)


@dataclass(frozen=True)
class Source:
    """An opened input: its frame, what to call it, and the columns known for certain from where it came.

    index: a column made from the index of a pandas frame, to serve as time where no other column does.
    id: a column made from the other level of such an index.
    """

    frame: nw.DataFrame[Any] | nw.LazyFrame[Any]
    name: str | None = None
    time: str | None = None
    target: str | None = None
    index: str | None = None
    id: str | None = None
    warnings: tuple[DataWarning, ...] = ()


def open_source(frame: Any, time: str | None, target: str | None, id: str | None) -> Source:
    """Open a frame, series, array or path. Raises `InputError` for what is none of these or cannot be read."""
    import narwhals as nw

    if isinstance(frame, (str, os.PathLike)):
        from nbforecast.data.files import open_file

        return open_file(Path(frame).expanduser(), plain=time is not None or target is not None)
    if isinstance(frame, dict):
        import polars as pl

        try:
            frame = pl.DataFrame(frame)
        except Exception as error:
            raise InputError(f"The dict cannot be made into a table: {error}") from error
    if isinstance(frame, (list, tuple, np.ndarray)):
        return _from_array(np.asarray(frame))
    frame = nw.to_native(frame, pass_through=True)
    index = beside = None
    if _is_pandas(frame):
        frame, index, beside = _with_index(frame, time, id)
    try:
        opened = nw.from_native(frame, allow_series=True)
    except TypeError:
        if hasattr(frame, "__arrow_c_stream__"):
            import polars as pl

            return open_source(pl.DataFrame(frame), time, target, id)
        kind = f"{type(frame).__module__}.{type(frame).__qualname__}".removeprefix("builtins.")
        raise InputError(f"An object of type {kind} is no time series. Hand in {_ACCEPTED}.") from None
    except Exception as error:
        raise InputError(_unreadable(error)) from error
    if isinstance(opened, nw.Series):
        return _numbered(opened.alias(opened.name or VALUE_COLUMN).to_frame())
    return Source(opened, index=index, id=beside)


def _unreadable(error: Exception) -> str:
    if "unique column names" in str(error):
        names = ", ".join(line.split("'")[1] for line in str(error).splitlines() if line.startswith("- '"))
        return f"Several columns have the same name: {names}. Rename or drop all but one."
    return f"The frame cannot be read: {error}"


def _from_array(array: np.ndarray) -> Source:
    import narwhals as nw
    import polars as pl

    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1:
        raise InputError(
            f"An array of shape {array.shape} is not one series. Hand in a 1-D array, or a frame with the columns "
            "unique_id, ds and y for several series."
        )
    try:
        values = pl.Series(VALUE_COLUMN, array if array.dtype != object else array.tolist(), strict=False)
    except Exception as error:
        raise InputError(f"The array of {array.dtype} holds no numbers: {error}") from error
    return _numbered(nw.from_native(values.to_frame()))


def _numbered(frame: nw.DataFrame[Any]) -> Source:
    target = frame.columns[0]
    step = STEP_COLUMN if target != STEP_COLUMN else STEP_COLUMN + "_"
    return Source(frame.with_row_index(step), time=step, target=target)


def _is_pandas(frame: Any) -> bool:
    return hasattr(frame, "index") and hasattr(frame, "reset_index") and hasattr(frame, "iloc")


def _with_index(frame: Any, time: str | None, id: str | None) -> tuple[Any, str | None, str | None]:
    """The pandas object with index levels as columns: (frame, column of times, column of series ids).

    Levels that hold times or were asked for become columns; beside a level of times, a single other one tells series
    apart.
    """
    series = not hasattr(frame, "columns")
    taken = [frame.name] if series else list(frame.columns)
    if len(set(taken)) < len(taken):
        return frame, None, None  # narwhals reports the duplicates
    levels: dict[str, Any] = {}
    dated = beside = None
    temporal = [_is_temporal_index(_level(frame, n)) for n in range(frame.index.nlevels)]
    for number, label in enumerate(frame.index.names):
        panel = any(temporal) and not temporal[number] and frame.index.nlevels == 2
        asked = label is not None and label in (time, id, "unique_id", "ds")
        if not (temporal[number] or asked or panel) or (label is not None and label in taken):
            continue
        free = ("ds", "index", "level_time") if temporal[number] else ("unique_id", "level_id")
        column = next(n for n in free if n not in taken) if label is None else str(label)
        levels[column] = _level(frame, number).to_series().reset_index(drop=True)
        dated = column if temporal[number] else dated
        beside = column if panel else beside
    if not levels or (series and dated is None):
        return frame, None, None
    if series:
        frame = frame.to_frame(VALUE_COLUMN if frame.name is None else str(frame.name))
    return frame.reset_index(drop=True).assign(**levels), dated, beside


def _level(frame: Any, number: int) -> Any:
    level = frame.index.get_level_values(number)
    return level.to_timestamp() if str(level.dtype).startswith("period") else level


def _is_temporal_index(level: Any) -> bool:
    return str(level.dtype).startswith(("datetime64", "timestamp", "date32"))


def require_column(columns: list[str], name: str, argument: str) -> str:
    """The column asked for by an argument. Raises `InputError` listing what there is."""
    if not isinstance(name, str):
        raise OptionError(f"{argument}={name!r} is not the name of a column.")
    if name not in columns:
        near = [c for c in columns if c.lower().strip() == name.lower().strip()]
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"No column is called {name!r} ({argument}=).{hint} The columns are: {listing(columns)}.")
    return name


def listing(names: list[str], most: int = 12) -> str:
    """Names for a sentence, cut after a dozen."""
    shown = ", ".join(repr(str(n)) for n in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
