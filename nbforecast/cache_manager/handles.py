"""Which of the cache's entries a person means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.result_cache.inventory import Item

_HANDLE = re.compile(r"([0-9a-f]{1,32})(?:-([0-9a-f]{1,16}))?")
_SHORT = 8


def pick(items: Sequence[Item], handle: str, model: str | None = None) -> list[Item]:
    """The items of one handle (or its first digits), of one model; of one recipe with `HANDLE-RECIPE`.

    Raises `OptionError` with what there is.
    """
    match = _HANDLE.fullmatch(handle) if isinstance(handle, str) else None
    if match is None:
        raise OptionError(f"A handle is up to 32 digits of 0-9 and a-f, not {handle!r}.{_there(items)}")
    found = [i for i in items if i.key.handle.startswith(match[1])]
    if not found:
        raise OptionError(f"The cache has no entry {handle!r}.{_there(items)}")
    handles = sorted({i.key.handle for i in found})
    if len(handles) > 1:
        shown = ", ".join(h[: len(match[1]) + 6] for h in handles[:8])
        raise OptionError(f"{handle!r} begins {len(handles)} handles: {shown}. Give more digits.")
    if match[2]:
        found = [i for i in found if i.key.group.startswith(match[2])]
        if not found:
            raise OptionError(f"The cache has no entry {handle!r}.{_there(items)}")
    models = sorted({i.model for i in found})
    if model is not None and model not in models:
        raise OptionError(f"Entry {handle!r} has no results of model {model!r}; it has: {', '.join(models)}.")
    return [i for i in found if model in (None, i.model)]


def pick_one(items: Sequence[Item], handle: str, model: str | None = None) -> Item:
    """The only item that is meant; raises `OptionError` with what tells several from each other."""
    found = pick(items, handle, model)
    if len(found) == 1:
        return found[0]
    several = ", ".join(f"{_both(i, items)} ({i.model}, horizon {i.key.spec.horizon})" for i in found[:8])
    raise OptionError(f"{handle!r} has {len(found)} results: {several}. Give one of these instead, or its model.")


def named(item: Item, items: Sequence[Item]) -> tuple[str, ...]:
    """The shortest handle, with a model if need be, that means this item alone."""
    handle = _digits(item.key.handle, {i.key.handle for i in items})
    same = [i for i in items if i.key.handle == item.key.handle]
    if len(same) == 1:
        return (handle,)
    if sum(i.model == item.model for i in same) == 1:
        return handle, item.model
    return (_both(item, items),)


def _both(item: Item, items: Sequence[Item]) -> str:
    groups = {i.key.group for i in items if i.key.handle == item.key.handle}
    return f"{_digits(item.key.handle, {i.key.handle for i in items})}-{_digits(item.key.group, groups)}"


def _digits(text: str, others: set[str]) -> str:
    """As many first digits as tell a text from others."""
    for count in range(_SHORT, len(text)):
        if sum(other.startswith(text[:count]) for other in others) <= 1:
            return text[:count]
    return text


def _there(items: Sequence[Item]) -> str:
    if not items:
        return " The cache is empty."
    return " There are: " + ", ".join(sorted({i.key.handle[:_SHORT] for i in items})[:8]) + "."
