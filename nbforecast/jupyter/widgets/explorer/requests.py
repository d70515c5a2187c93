"""What the explorer's front end may ask for. Whatever else arrives is refused: it comes from outside the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbforecast.jupyter.validation import InvalidMessage, label, number
from nbforecast.jupyter.widgets.explorer.messages import MOST_ROWS, VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Hello:
    """A view has been opened: it knows nothing yet."""


@dataclass(frozen=True)
class Want:
    """Forecasts of `count` rows from `first` on; `request` comes back with the answer."""

    series: int
    model: int
    first: int
    count: int
    request: int | str | None


@dataclass(frozen=True)
class Open:
    """Everything but forecasts of a series by a model."""

    series: int
    model: int


@dataclass(frozen=True)
class Cancel:
    """End the run of a model."""

    model: int


@dataclass(frozen=True)
class Infer:
    """The forecast of one row, now."""

    series: int
    model: int
    row: int


Request = Hello | Want | Open | Cancel | Infer


def read(content: Any, lengths: Sequence[int], models: int) -> Request:
    """The request in a message. lengths: rows of each series. Raises `InvalidMessage`."""
    if not isinstance(content, dict):
        raise InvalidMessage("it is no object")
    kind = content.get("kind")
    if kind == "hello":
        number(content, "v", VERSION, VERSION)
        return Hello()
    if kind not in ("want", "open", "cancel", "infer"):
        raise InvalidMessage("its kind is unknown")
    model = number(content, "model", 0, models - 1)
    if kind == "cancel":
        return Cancel(model)
    series = number(content, "series", 0, len(lengths) - 1)
    if kind == "open":
        return Open(series, model)
    if kind == "infer":
        return Infer(series, model, number(content, "row", 0, lengths[series] - 1))
    first = number(content, "first", 0, lengths[series] - 1)
    count = number(content, "count", 1, MOST_ROWS)
    return Want(series, model, first, min(count, lengths[series] - first), label(content.get("request")))
