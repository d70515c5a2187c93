"""What views of the cache are told: JSON with a `kind`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbforecast.device import describe, devices_if_configured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbforecast.cache_manager.tables import Info
    from nbforecast.engine.work import TaskInfo
    from nbforecast.result_cache.inventory import Item

Content = dict[str, Any]

_LONGEST = 200  # letters of a name that somebody else has given


def totals(info: Info) -> Content:
    """Sums over all entries; sizes and budgets in bytes."""
    facts = asdict(info)
    return {"kind": "totals", **facts, "directory": None if info.directory is None else str(info.directory)}


def device() -> Content:
    """What computes, and its memory in bytes; says so where JAX has not been started, and does not start it."""
    there = devices_if_configured()
    if there is None:
        told = {"platform": None, "text": "JAX has not been started in this kernel"}
        return {"kind": "device", **told, "memory_bytes": None, "memory_limit": None}
    used = [stats for stats in (one.memory_stats() for one in there) if stats]
    return {
        "kind": "device",
        "platform": there[0].platform,
        "text": describe(there),
        "memory_bytes": sum(s.get("bytes_in_use", 0) for s in used) if used else None,
        "memory_limit": sum(s.get("bytes_limit", 0) for s in used) if used else None,
    }


def work(pieces: Iterable[TaskInfo]) -> Content:
    """What goes on and waits, in its order."""
    return {"kind": "work", "tasks": [_task(piece) for piece in pieces]}


def _task(piece: TaskInfo) -> Content:
    key = piece.view.key
    return {
        "id": piece.number,
        "key": str(key),
        "handle": key.handle,
        "name": _short(piece.view.data.names.frame),
        "model": _short(key.spec.model.name),
        "priority": piece.priority.name.lower(),
        "state": piece.state,
        "available": piece.available,
        "inferred": piece.inferred,
        "calculated": piece.calculated,
        "rate": round(piece.rate, 1),
        "left": None if math.isnan(piece.left) else round(piece.left, 1),
        "seconds": round(piece.seconds, 1),
        "cancellable": piece.task is not None and piece.state != "ending",
    }


def entries(put: Sequence[Content], gone: Sequence[str] = (), *, complete: bool = False) -> Content:
    """Entries that are new or have changed, and keys of those that are no more. complete: there are no others."""
    return {"kind": "entries", "put": list(put), "gone": list(gone), "all": complete}


def entry(item: Item, reason: str) -> Content:
    """One entry; `reason` says why it cannot be recomputed, if it cannot."""
    return {
        "key": item.address,
        "handle": item.key.handle,
        "name": _short(item.name),
        "model": _short(item.model),
        "horizon": item.key.spec.horizon,
        "series": item.series,
        "origins": item.origins,
        "available": item.available,
        "inferred": item.inferred,
        "calculated": item.calculated,
        "start": item.start,
        "end": item.end,
        "frequency": item.frequency,
        "memory_bytes": item.memory_bytes,
        "disk_bytes": item.disk_bytes,
        "hits": item.hits,
        "reused": item.reused,
        "view_of": item.view_of,
        "created": item.created,
        "used": item.used,
        "recomputable": not reason,
        "reason": reason,
    }


def done(text: str) -> Content:
    """What was asked for is done; a sentence that says what."""
    return {"kind": "done", "text": text}


def fault(text: str) -> Content:
    """What could not be done, and why."""
    return {"kind": "fault", "text": text}


def opened(title: str, code: str, model_id: str | None) -> Content:
    """An explorer is there under this model id, if it was wanted; `code` shows the same in a cell."""
    return {"kind": "opened", "model_id": model_id, "title": title, "code": code}


def _short(name: str | None) -> str | None:
    return name if name is None or len(name) <= _LONGEST else f"{name[: _LONGEST - 2]} …"
