"""What pages do to the cache: the same as its magics do, reported in the same sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from nbforecast.cache_manager.handles import pick_one, shortest_name
from nbforecast.cache_manager.manager import cache
from nbforecast.jupyter.widgets.cache import messages
from nbforecast.jupyter.widgets.cache.messages import ActionRequest, DoneMessage, OpenedMessage
from nbforecast.jupyter.widgets.explorer.explore import explore
from nbforecast.result_cache.inventory import inventory
from nbforecast.run_card import headline
from nbforecast.session import engine, results

if TYPE_CHECKING:
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run


class Outcome(NamedTuple):
    """What an action has led to.

    Attributes:
        answer: The message to the page.
        run: The run that was started by it.
        explorer: The explorer that was opened by it.
    """

    answer: DoneMessage | OpenedMessage
    run: Run | None = None
    explorer: Explorer | None = None


def perform(request: ActionRequest) -> Outcome:
    """Performs an action.

    Raises:
        NbForecastError: If it cannot be done; the text says why.
    """
    run = None
    match request.action:
        case messages.Open(key, widget):
            return _open(request.id, key, widget=widget)
        case messages.Recompute(key):
            run = cache.recompute(key)
            text = f"{headline(run)}, all anew."
        case messages.Drop(key, index, only):
            text = repr(cache.drop(key, index=index, only=only))
        case messages.Save(path):
            text = repr(cache.save(path))
        case messages.Load(path):
            text = repr(cache.load(path))
        case messages.Prune(max_size, max_age):
            text = repr(cache.prune(max_size, max_age))
        case messages.Flush(memory, disk):
            text = repr(cache.flush(memory, disk))
        case messages.Cancel(task):
            text = _cancel(task)
    return Outcome(DoneMessage(id=request.id, text=text), run)


def _open(id: int | str, key: str, *, widget: bool) -> Outcome:
    items = inventory(results())
    item = pick_one(items, key)
    arguments = ", ".join(
        json.dumps(word, ensure_ascii=False) for word in shortest_name(item, items)
    )  # a name may be a trap
    code = f"import nbforecast as nbf\nnbf.explore(nbf.cache.run({arguments}))"
    title = " · ".join(word for word in (item.name, item.model) if word)
    if not widget:
        return Outcome(OpenedMessage(id=id, model_id=None, title=title, code=code))
    explorer = explore(cache.run(key))
    explorer.connect()
    return Outcome(OpenedMessage(id=id, model_id=explorer.model_id, title=title, code=code), explorer=explorer)


def _cancel(number: int) -> str:
    for task in engine().tasks_info():
        if task.number == number and task.task is not None:
            engine().cancel(task.task)
            return f"Cancelled; {task.inferred:,} of {task.available:,} origins are inferred, and stay."
    return "It has ended already."
