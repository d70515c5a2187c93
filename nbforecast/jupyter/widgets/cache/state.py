"""The cache and the background as views of them have been told, and what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.cache_manager.rerun import why_not_recomputable
from nbforecast.cache_manager.tables import Info
from nbforecast.forecasters.base import registered_keys
from nbforecast.jupyter.widgets.cache import messages as messages
from nbforecast.result_cache.inventory import Inventory
from nbforecast.session import engine, results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.jupyter.widgets.cache.messages import Content
    from nbforecast.result_cache.inventory import Item
    from nbforecast.result_cache.key import ForecastSpec


class State:
    """One look after the other at what there is; used by one thread.

    busy: whether something went on, or waited, at the last look.
    """

    def __init__(self) -> None:
        self.busy = False
        self._inventory = Inventory(results())
        self._items: dict[str, Item] = {}
        self._reasons: dict[ForecastSpec, str] = {}
        self._models: frozenset[tuple[str, str | None]] | None = None
        self._told: dict[str, Content] = {}

    def everything(self) -> Iterator[Content]:
        """All there is, for views that know nothing."""
        self._items, self._told = {}, {}
        yield from self.changes(complete=True)

    def changes(self, *, complete: bool = False) -> Iterator[Content]:
        """What is not as it was at the last look. complete: nothing has been told before."""
        pieces, items = engine().work(), self._inventory.look()
        self.busy = bool(pieces)
        entries = self._entries({item.address: item for item in items}, complete=complete)
        changed = complete or entries["put"] or entries["gone"]
        totals = [messages.totals(Info.of(results(), items))] if changed else []
        for message in (*totals, messages.device(), messages.work(pieces)):
            if self._told.get(message["kind"]) != message:
                self._told[message["kind"]] = message
                yield message
        if changed:
            yield entries

    def _entries(self, items: dict[str, Item], *, complete: bool) -> Content:
        before, reasons, models = self._items, self._reasons, registered_keys()
        if models != self._models:
            self._models, self._reasons = models, {}
        put = [
            messages.entry(item, self._reason(item.key.spec))
            for key, item in items.items()
            if before.get(key) is not item
            or (self._reasons is not reasons and self._reason(item.key.spec) != reasons.get(item.key.spec))
        ]
        self._items = items
        return messages.entries(put, [key for key in before if key not in items], complete=complete)

    def _reason(self, spec: ForecastSpec) -> str:
        """Why entries of a spec cannot be recomputed."""
        known = self._reasons.get(spec)
        if known is None:
            known = self._reasons[spec] = why_not_recomputable(spec, self._models or frozenset())
        return known
