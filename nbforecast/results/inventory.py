"""What the cache holds, in memory and on disk, as one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbforecast.results.cache import Cache
    from nbforecast.results.header import Header
    from nbforecast.results.recipe import Key
    from nbforecast.results.store import Found
    from nbforecast.results.view import View


@dataclass(frozen=True)
class Item:
    """One key's results (SPEC C11).

    name: what the frame was called, if that is known. start, end: the data's first and last time. view_of: the handle
    of the longer history in whose entry they are. used, created: seconds since the epoch. `view` is what is in memory,
    `found` the file; either may be missing.
    """

    key: Key
    name: str | None
    model: str
    series: int
    origins: int
    available: int
    inferred: int
    calculated: int
    start: str
    end: str
    frequency: str
    memory_bytes: int
    disk_bytes: int
    hits: int
    reused: int
    view_of: str | None
    version: str
    created: float
    used: float
    view: View | None
    found: Found | None


def inventory(cache: Cache) -> list[Item]:
    """Everything the cache holds, the last used first. Files that cannot be read are left out."""
    store = cache.store
    saved = {} if store is None else {(f.handle, f.group): f for f in store.files()}
    held = [_held(view, saved.pop((view.key.handle, view.key.group), None)) for view in cache.views()]
    rest = [] if store is None else [(found, store.header(found)) for found in saved.values()]
    kept = [_saved(found, header) for found, header in rest if header is not None]
    return sorted([*held, *kept], key=lambda item: -item.used)


def _held(view: View, found: Found | None) -> Item:
    entry, data = view.entry, view.data
    own = view.key == entry.key
    return Item(
        key=view.key,
        name=data.names.frame,
        model=view.recipe.name,
        series=len(data.ids),
        origins=len(data),
        available=view.available,
        inferred=view.inferred,
        calculated=view.calculated,
        start=_shown(data.time.min()),
        end=_shown(data.time.max()),
        frequency=data.frequency.describe(),
        memory_bytes=entry.nbytes if own else 0,
        disk_bytes=found.size if found is not None else 0,
        hits=entry.hits,
        reused=entry.reused if own else view.inferred,
        view_of=None if own else entry.key.handle,
        version=entry.version,
        created=entry.created,
        used=entry.used,
        view=view,
        found=found,
    )


def _saved(found: Found, header: Header) -> Item:
    facts = header.facts
    return Item(
        key=header.key,
        name=facts["name"],
        model=header.recipe.name,
        series=len(facts["ids"]),
        origins=header.rows,
        available=facts["available"],
        inferred=facts["inferred"],
        calculated=facts["calculated"],
        start=_shown(facts["start_time"]),
        end=_shown(facts["end_time"]),
        frequency=header.frequency.describe(),
        memory_bytes=0,
        disk_bytes=found.size,
        hits=0,
        reused=0,
        view_of=None,
        version=facts["version"],
        created=facts["created"],
        used=found.used,
        view=None,
        found=found,
    )


def _shown(moment: object) -> str:
    return str(moment).replace("T", " ").removesuffix(".000000").removesuffix(" 00:00:00")
