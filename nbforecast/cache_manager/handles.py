"""Which entries, origins and results of the cache a person means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast.errors import OptionError
from nbforecast.result_cache.status import FIRST_STATUS, Status
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def parse_index_range(index: object) -> tuple[int, int] | None:
    """Read a range of indices: `-24`, `"-24:0"`, `(-24, 0)` or a slice, both ends included; None is all of them.

    Raises:
        OptionError: It is none of these.
    """
    if index is None:
        return None
    ends: tuple[Any, Any]
    if isinstance(index, str) and (match := _RANGE.fullmatch(index.strip())):
        ends = (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)
    elif isinstance(index, slice) and index.step is None:
        ends = (index.start, index.stop)
    elif isinstance(index, tuple) and len(index) == 2:
        ends = index
    else:
        text = str(index).strip()
        ends = (int(text), int(text)) if re.fullmatch(r"-?\d+", text) else ("", "")
    low, high = -(1 << 62) if ends[0] is None else ends[0], 0 if ends[1] is None else ends[1]
    if not (isinstance(low, int | np.integer) and isinstance(high, int | np.integer) and low <= high <= 0):
        raise OptionError(
            f"{option('index', index)}: give an index such as -24, or a range such as '-24:0', both ends included."
        )
    return int(low), int(high)


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
