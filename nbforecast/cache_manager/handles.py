"""Which entries, origins and results of the cache a person means."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nbforecast.data.named_times import read_moment
from nbforecast.data.origins import parse_origins
from nbforecast.errors import OptionError
from nbforecast.result_cache.status import FIRST_STATUS, Status
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbforecast.data import Dataset
    from nbforecast.result_cache.inventory import Item

ONLY = ("density", "scores", "quantiles", "forecast")
_HANDLE = re.compile(r"([0-9a-f]{1,32})(?:-([0-9a-f]{1,16}))?")
_RANGE = re.compile(r"(-?\d*):(-?\d*)")
_SHORT_DIGITS = 8


def pick(items: Sequence[Item], handle: str, model: str | None = None) -> list[Item]:
    """The items that a handle names.

    Args:
        items: All items of the cache.
        handle: A handle or its first digits; `HANDLE-SPEC` names the results of one model, horizon and settings.
        model: Name of the model; None for all.

    Raises:
        OptionError: Nothing or more than one handle fits; the error lists what there is.
    """
    match = _HANDLE.fullmatch(handle) if isinstance(handle, str) else None
    if match is None:
        raise OptionError(f"A handle is up to 32 digits of 0-9 and a-f, not {handle!r}.{_existing(items)}")
    matches = [i for i in items if i.key.handle.startswith(match[1])]
    if not matches:
        raise OptionError(f"The cache has no entry {handle!r}.{_existing(items)}")
    handles = sorted({i.key.handle for i in matches})
    if len(handles) > 1:
        prefixes = ", ".join(h[: len(match[1]) + 6] for h in handles[:8])
        raise OptionError(f"{handle!r} begins {len(handles)} handles: {prefixes}. Give more digits.")
    if match[2]:
        matches = [i for i in matches if i.key.group.startswith(match[2])]
        if not matches:
            raise OptionError(f"The cache has no entry {handle!r}.{_existing(items)}")
    models = sorted({i.model for i in matches})
    if model is not None and model not in models:
        raise OptionError(f"Entry {handle!r} has no results of model {model!r}; it has: {', '.join(models)}.")
    return [i for i in matches if model in (None, i.model)]


def pick_one(items: Sequence[Item], handle: str, model: str | None = None) -> Item:
    """The only item that a handle names; see `pick`.

    Raises:
        OptionError: Several items fit; the error states how to name each.
    """
    matches = pick(items, handle, model)
    if len({item.key for item in matches}) == 1:  # an earlier version wrote a file for each seed, also of those unused
        return matches[0]
    names = ", ".join(f"{_handle_and_group(i, items)} ({i.model}, horizon {i.key.spec.horizon})" for i in matches[:8])
    raise OptionError(f"{handle!r} has {len(matches)} results: {names}. Give one of these instead, or its model.")


def shortest_name(item: Item, items: Sequence[Item]) -> tuple[str, ...]:
    """The shortest arguments of `pick_one` that name an item: a handle, with a model where it is needed."""
    handle = _shortest_prefix(item.key.handle, {i.key.handle for i in items})
    siblings = [i for i in items if i.key.handle == item.key.handle]
    if len(siblings) == 1:
        return (handle,)
    if sum(i.model == item.model for i in siblings) == 1:
        return handle, item.model
    return (_handle_and_group(item, items),)


def parse_origins_to_drop(index: object) -> tuple[int, int] | slice | list[Any] | None:
    """Read what names origins: an index or a time, or a range of them with both ends included; None is all of them.

    Args:
        index: `-24`, `"-24:0"`, `"2025-01-05 18:00"`, `"2025-01-01..2025-01-31"`, a date, or a pair or slice of ends.

    Returns:
        The lowest and the highest index; a slice or a list where times are among them, as `select_rows` takes it.

    Raises:
        OptionError: It is none of these.
    """
    if index is None:
        return None
    origins: Any = index
    if isinstance(index, str) and (match := _RANGE.fullmatch(index.strip())):
        origins = slice(int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)
    elif isinstance(index, tuple) and len(index) == 2:
        origins = slice(*index)
    with suppress(OptionError):
        origins = parse_origins(origins)
        ends = [origins.start, origins.stop] if isinstance(origins, slice) else list(origins)
        if any(end is not None and read_moment(end) is not None for end in ends):
            return origins
        low, high = (ends[0], ends[-1]) if len(ends) <= 2 else (0, -1)
        low, high = -(1 << 62) if low is None else low, 0 if high is None else high
        if isinstance(low, int | np.integer) and isinstance(high, int | np.integer) and low <= high <= 0:
            return int(low), int(high)
    raise OptionError(
        f"{option('index', index)}: give an index such as -24, a time such as '2025-01-31 18:00', or a range such as "
        "'-24:0' or '2025-01-01..2025-01-31', both ends included."
    )


def index_spans(data: Dataset, rows: Int64[np.ndarray, " R"]) -> Iterable[tuple[tuple[int, int], tuple[str, ...]]]:
    """The lowest and the highest index of neighbouring rows, with the series that have these rows.

    Args:
        data: The dataset.
        rows: The R rows, ascending.
    """
    index, number = data.index()[rows], np.searchsorted(data.offsets, rows, side="right") - 1
    is_start = np.concatenate([[True], (np.diff(rows) != 1) | (np.diff(number) != 0)])
    starts = np.flatnonzero(is_start)
    ends = np.concatenate([starts[1:], [len(rows)]]) - 1
    series: dict[tuple[int, int], list[str]] = {}
    for start, end in zip(starts, ends, strict=True):
        series.setdefault((int(index[start]), int(index[end])), []).append(data.ids[number[start]])
    return ((span, tuple(ids)) for span, ids in series.items())


def remaining_status(only: str | None) -> Status | None:
    """The status of origins after some of their results are removed; None if only densities are.

    Args:
        only: One of `ONLY`, or a column; None removes everything.

    Raises:
        OptionError: There are no such results.
    """
    if only is None or only == "forecast":
        return Status.PENDING
    if only in ("density", "density_limits"):
        return None
    if only == "scores":
        return Status.UNSCORED
    if only in FIRST_STATUS:
        return Status(FIRST_STATUS[only] - 1)
    raise OptionError(f"{option('only', only)}: there are {', '.join(ONLY)}.")


def _handle_and_group(item: Item, items: Sequence[Item]) -> str:
    groups = {i.key.group for i in items if i.key.handle == item.key.handle}
    handle = _shortest_prefix(item.key.handle, {i.key.handle for i in items})
    return f"{handle}-{_shortest_prefix(item.key.group, groups)}"


def _shortest_prefix(text: str, texts: set[str]) -> str:
    """The fewest first digits, eight at least, that tell a text from the others."""
    for count in range(_SHORT_DIGITS, len(text)):
        if sum(other.startswith(text[:count]) for other in texts) <= 1:
            return text[:count]
    return text


def _existing(items: Sequence[Item]) -> str:
    if not items:
        return " The cache is empty."
    return " There are: " + ", ".join(sorted({i.key.handle[:_SHORT_DIGITS] for i in items})[:8]) + "."
