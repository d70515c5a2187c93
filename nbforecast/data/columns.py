"""Finding the time, target and id columns of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbforecast.data.source import Source, listing, require_column
from nbforecast.data.timestamps import looks_like_time
from nbforecast.errors import InputError

if TYPE_CHECKING:
    import narwhals as nw

_ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__", "_duplicated_0")
_PEEKED = 50


@dataclass(frozen=True)
class Chosen:
    """The columns that serve, and those of text that might have been ids."""

    time: str
    target: str
    id: str | None
    spare: tuple[str, ...]


def choose_columns(source: Source, time: str | None, target: str | None, id: str | None) -> Chosen:
    """Find the columns by argument, by name (`unique_id`, `ds`, `y`), or as the only one of their kind.

    Raises `InputError` naming the candidates and the argument to give.
    """
    try:
        schema = dict(source.frame.collect_schema())
    except Exception as error:  # a lazy frame of any library, with errors of its own
        raise InputError(f"The frame cannot be read: {error}") from error
    columns = list(schema)
    if not columns:
        raise InputError("The frame has no columns.")
    time, target = time or source.time, target or source.target
    for name, argument in ((time, "time"), (target, "target"), (id, "id")):
        if name is not None:
            require_column(columns, name, argument)
    id = id or source.id
    if id is None and "unique_id" in columns and "unique_id" not in (time, target):
        id = "unique_id"
    taken = {c for c in (target, id, "y" if target is None else None) if c}
    time = time or _find_time(source, schema, taken)
    target = target or _find_target(schema, {time, id}, time)
    serving = [c for c in (time, target, id) if c is not None]
    if len(set(serving)) < len(serving):
        raise InputError(f"One column cannot serve twice: time={time!r}, target={target!r}, id={id!r}.")
    spare = [c for c, kind in schema.items() if c not in serving and c not in _ROW_NUMBERS and _is_label(kind)]
    return Chosen(time, target, id, tuple(spare))


def _find_time(source: Source, schema: dict[str, Any], taken: set[str]) -> str:
    if "ds" in schema and "ds" not in taken and source.index != "ds":
        return "ds"
    temporal = [c for c, kind in schema.items() if _is_temporal(kind) and c not in taken and c != source.index]
    if len(temporal) == 1:
        return temporal[0]
    if len(temporal) > 1:
        raise InputError(f"Several columns hold times: {listing(temporal)}. Say which one with time=.")
    if source.index is not None:
        return source.index
    written = [c for c in _written_times(source, schema) if c not in taken]
    if len(written) == 1:
        return written[0]
    if len(written) > 1:
        raise InputError(f"Several columns hold times as text: {listing(written)}. Say which one with time=.")
    raise InputError(
        f"No column holds times. The columns are: {_typed(schema)}. Name the column of times with time= (dates, text "
        "such as 2024-05-01 13:00, or integer steps), or hand in a single column as a Series or array."
    )


def _written_times(source: Source, schema: dict[str, Any]) -> list[str]:
    text = [c for c, kind in schema.items() if _is_text(kind)]
    if not text:
        return []
    head = _eager(source.frame.select(text).head(_PEEKED))
    return [c for c in text if looks_like_time(head[c].to_list())]


def _find_target(schema: dict[str, Any], used: set[str | None], time: str) -> str:
    if "y" in schema and "y" not in used:
        return "y"
    numeric = [c for c, kind in schema.items() if kind.is_numeric() and c not in used]
    numeric = [c for c in numeric if c not in _ROW_NUMBERS] or numeric
    if len(numeric) == 1:
        return numeric[0]
    if numeric:
        raise InputError(f"Several columns hold numbers: {listing(numeric)}. Say which one to forecast with target=.")
    text = [c for c, kind in schema.items() if _is_text(kind) and c not in used]
    if len(text) == 1:
        return text[0]  # numbers as text, or an error that names the first that is none
    raise InputError(
        f"No column holds numbers (times: {time!r}). The columns are: {_typed(schema)}. Name the column to forecast "
        "with target=; text must be converted to numbers first."
    )


def collect(source: Source, chosen: Chosen) -> nw.DataFrame[Any]:
    """The chosen columns as an eager frame; raises `InputError` where a lazy frame fails to run."""
    wanted = [c for c in (chosen.time, chosen.target, chosen.id) if c is not None]
    try:
        return _eager(source.frame.select(wanted))
    except Exception as error:
        raise InputError(f"The lazy frame failed to run: {error}") from error


def _eager(frame: Any) -> nw.DataFrame[Any]:
    import narwhals as nw

    return frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame


def _is_temporal(kind: Any) -> bool:
    import narwhals as nw

    return isinstance(kind, (nw.Datetime, nw.Date)) or kind in (nw.Datetime, nw.Date)


def _is_text(kind: Any) -> bool:
    import narwhals as nw

    return kind in (nw.String, nw.Object)


def _is_label(kind: Any) -> bool:
    import narwhals as nw

    return kind in (nw.String, nw.Categorical, nw.Enum, nw.Object) or kind.is_integer()


def _typed(schema: dict[str, Any]) -> str:
    shown = [f"{c!r} ({kind})" for c, kind in list(schema.items())[:12]]
    return ", ".join(shown) + (f" and {len(schema) - 12} more" if len(schema) > 12 else "")
