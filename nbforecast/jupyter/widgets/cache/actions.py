"""What is done to the cache from a page: the same as by its magics, told in the same sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from nbforecast.cache_manager.handles import pick_one, shortest_name
from nbforecast.cache_manager.manager import cache
from nbforecast.jupyter.display.run_card import headline
from nbforecast.jupyter.widgets.cache import messages as messages
from nbforecast.jupyter.widgets.cache import requests as asked
from nbforecast.jupyter.widgets.explorer.explore import explore
from nbforecast.result_cache.inventory import inventory
from nbforecast.session import engine, results

if TYPE_CHECKING:
    from nbforecast.jupyter.widgets.cache.messages import Content
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run


class Done(NamedTuple):
    """answer: what to tell. run: what has begun by it. explorer: what has been opened."""

    answer: Content
    run: Run | None = None
    explorer: Explorer | None = None


def perform(action: asked.Action) -> Done:
    """Do it; raises `NbForecastError` for what cannot be done."""
    match action:
        case asked.Open(key, widget):
            return _open(key, widget=widget)
        case asked.Recompute(key):
            run = cache.recompute(key)
            return Done(messages.done(f"{headline(run)}, all anew."), run)
        case asked.Drop(key):
            change = cache.drop(key)
        case asked.Save():
            change = cache.save()
        case asked.Load():
            change = cache.load()
        case asked.Prune(max_size, max_age):
            change = cache.prune(max_size, max_age)
        case asked.Flush(memory, disk):
            change = cache.flush(memory, disk)
        case asked.Cancel(task):
            return Done(messages.done(_cancel(task)))
    return Done(messages.done(repr(change)))


def _open(key: str, *, widget: bool) -> Done:
    items = inventory(results())
    item = pick_one(items, key)
    arguments = ", ".join(
        json.dumps(word, ensure_ascii=False) for word in shortest_name(item, items)
    )  # a name may be a trap
    code = f"import nbforecast as nbf\nnbf.explore(nbf.cache.run({arguments}))"
    title = " · ".join(word for word in (item.name, item.model) if word)
    if not widget:
        return Done(messages.opened(title, code, None))
    made = explore(cache.run(key))
    made.connect()
    return Done(messages.opened(title, code, made.model_id), explorer=made)


def _cancel(number: int) -> str:
    for work in engine().work():
        if work.number == number and work.task is not None:
            engine().cancel(work.task)
            return f"Cancelled; {work.inferred:,} of {work.available:,} origins are inferred, and stay."
    return "It has ended already."
