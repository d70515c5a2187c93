"""The cache and its tasks as messages, and what has changed since the last look."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from nbforecast.cache_manager.rerun import why_not_recomputable
from nbforecast.cache_manager.tables import Info
from nbforecast.device import describe, devices_if_configured
from nbforecast.forecasters.registry import registered_keys
from nbforecast.jupyter.widgets.cache.messages import (
    CacheEntry,
    CacheTask,
    DeviceMessage,
    EntriesMessage,
    TotalsMessage,
    WorkMessage,
)
from nbforecast.result_cache.inventory import Inventory
from nbforecast.session import engine, results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbforecast.engine.tasks import TaskInfo
    from nbforecast.jupyter.widgets.cache.messages import Messages
    from nbforecast.result_cache.inventory import Item
    from nbforecast.result_cache.key import ForecastSpec

_MAX_NAME = 200  # characters of a name that somebody else has chosen


class CacheState:
    """The cache at the last look; used by one thread.

    Attributes:
        is_busy: Whether a task ran, or waited, at the last look.
    """

    def __init__(self) -> None:
        self.is_busy = False
        self._inventory = Inventory(results())
        self._items: dict[str, Item] = {}
        self._reasons: dict[ForecastSpec, str] = {}
        self._models: frozenset[tuple[str, str | None]] | None = None
        self._sent: dict[type, Messages] = {}

    def everything(self) -> Iterator[Messages]:
        """Yields the whole cache, for views that hold nothing."""
        self._items, self._sent = {}, {}
        yield from self.changes(complete=True)

    def changes(self, *, complete: bool = False) -> Iterator[Messages]:
        """Yields what has changed since the last look.

        Args:
            complete: Whether views hold nothing yet.
        """
        tasks, items = engine().tasks_info(), self._inventory.items()
        self.is_busy = bool(tasks)
        entries = self._entries({item.address: item for item in items}, complete=complete)
        has_changed = complete or bool(entries.put or entries.gone)
        totals = [encode_totals(Info.of(results(), items))] if has_changed else []
        messages: list[Messages] = [*totals, encode_device(), encode_work(tasks)]
        for message in messages:
            if self._sent.get(type(message)) != message:
                self._sent[type(message)] = message
                yield message
        if has_changed:
            yield entries

    def _entries(self, items: dict[str, Item], *, complete: bool) -> EntriesMessage:
        before, reasons, models = self._items, self._reasons, registered_keys()
        if models != self._models:
            self._models, self._reasons = models, {}
        put = [
            encode_entry(item, self._reason(item.key.spec))
            for key, item in items.items()
            if before.get(key) is not item
            or (self._reasons is not reasons and self._reason(item.key.spec) != reasons.get(item.key.spec))
        ]
        self._items = items
        return EntriesMessage(put=put, gone=[key for key in before if key not in items], all=complete)

    def _reason(self, spec: ForecastSpec) -> str:
        """Why entries of a spec cannot be recomputed; empty where they can."""
        reason = self._reasons.get(spec)
        if reason is None:
            reason = self._reasons[spec] = why_not_recomputable(spec, self._models or frozenset())
        return reason


def encode_totals(info: Info) -> TotalsMessage:
    """Encodes the sums over all entries."""
    return TotalsMessage(**asdict(info) | {"directory": None if info.directory is None else str(info.directory)})


def encode_device() -> DeviceMessage:
    """Encodes the device that computes; does not start JAX."""
    devices = devices_if_configured()
    if devices is None:
        text = "JAX has not been started in this kernel"
        return DeviceMessage(platform=None, text=text, memory_bytes=None, memory_limit=None)
    statistics = [stats for stats in (device.memory_stats() for device in devices) if stats]
    return DeviceMessage(
        platform=devices[0].platform,
        text=describe(devices),
        memory_bytes=sum(stats.get("bytes_in_use", 0) for stats in statistics) if statistics else None,
        memory_limit=sum(stats.get("bytes_limit", 0) for stats in statistics) if statistics else None,
    )


def encode_work(tasks: Iterable[TaskInfo]) -> WorkMessage:
    """Encodes the tasks that run and wait, in their order."""
    return WorkMessage(tasks=[_encode_task(task) for task in tasks])


def _encode_task(task: TaskInfo) -> CacheTask:
    key = task.entry_slice.key
    return CacheTask(
        id=task.number,
        key=str(key),
        handle=key.handle,
        name=_shorten(task.entry_slice.data.names.frame),
        model=_shorten(key.spec.model.name) or "",
        priority=task.priority.name.lower(),  # type: ignore[arg-type]
        state=task.state,
        available=task.available,
        inferred=task.inferred,
        calculated=task.calculated,
        rate=round(task.rate, 1),
        eta_seconds=None if math.isnan(task.eta_seconds) else round(task.eta_seconds, 1),
        seconds=round(task.seconds, 1),
        cancellable=task.task is not None and task.state != "ending",
    )


def encode_entry(item: Item, reason: str) -> CacheEntry:
    """Encodes one entry.

    Args:
        item: The entry.
        reason: Why it cannot be recomputed; empty where it can.
    """
    return CacheEntry(
        key=item.address,
        handle=item.key.handle,
        name=_shorten(item.name),
        model=_shorten(item.model) or "",
        horizon=item.key.spec.horizon,
        series=item.series,
        origins=item.rows,
        available=item.available,
        inferred=item.inferred,
        calculated=item.calculated,
        start=item.start,
        end=item.end,
        frequency=item.frequency,
        memory_bytes=item.memory_bytes,
        disk_bytes=item.disk_bytes,
        hits=item.hits,
        reused=item.reused,
        view_of=item.view_of,
        created=item.created,
        used=item.used,
        recomputable=not reason,
        reason=reason,
    )


def _shorten(name: str | None) -> str | None:
    return name if name is None or len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 2]} …"
