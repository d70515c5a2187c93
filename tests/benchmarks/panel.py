"""The panel: what a view of many entries costs the kernel, look by look."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbforecast import session
from nbforecast.notebook.cache_state import State
from nbforecast.results.view import View
from nbforecast.series import prepare
from tests.benchmarks.entries import RECIPE, daily, made_up_entry
from tests.benchmarks.table import Table, milliseconds, number
from tests.benchmarks.timing import compare, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTLED = 0.2  # seconds after which the directory's time says that nothing has changed


def tables(quick: bool) -> Iterator[Table]:
    count = 20 if quick else 1000
    cache, data = session.results(), prepare(daily(200))
    entries = [made_up_entry(replace(data, values=data.values + n), RECIPE, constant=True) for n in range(count)]
    for entry in entries:
        cache.offer(View.whole(entry))
    saving = seconds(cache.save_all)
    time.sleep(SETTLED)
    state = State()
    first = seconds(lambda: told(state, everything=True))

    def one_change() -> list[dict[str, Any]]:
        entries[count // 2].changes += 1
        return told(state)

    found = {
        "all": lambda: told(state, everything=True),
        "none": lambda: told(state),
        "one": one_change,
    }
    taken = compare(found, 3 if quick else 21)
    size = {name: len(json.dumps(call())) for name, call in found.items()}
    cache.clear()
    time.sleep(SETTLED)
    saved = State()
    restarted = seconds(lambda: told(saved, everything=True))
    unread = compare({"saved": lambda: told(saved)}, 3 if quick else 21)["saved"]
    cache.store.clear()  # type: ignore[union-attr]
    kilobytes = {name: number(bytes_ / 1e3) for name, bytes_ in size.items()}
    rows = [
        ("the first look, everything told", milliseconds(first), kilobytes["all"]),
        ("everything told again, to a view that comes later", milliseconds(taken["all"]), kilobytes["all"]),
        ("a look at which nothing has changed", milliseconds(taken["none"]), "0"),
        ("a look at which one entry has", milliseconds(taken["one"]), kilobytes["one"]),
        ("after a restart: the first look, at files alone", milliseconds(restarted), kilobytes["all"]),
        ("after a restart: nothing has changed", milliseconds(unread), "0"),
    ]
    note = f"There are two looks a second at most, five while something runs. Saving the entries took {saving:.1f} s."
    yield Table(f"A view of {count:,} entries", ("", "ms", "KB of JSON"), rows, (note,))


def told(state: State, *, everything: bool = False) -> list[dict[str, Any]]:
    return list(state.everything() if everything else state.changes())
