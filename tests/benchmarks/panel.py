"""The panel: what a view of many entries costs the kernel, look by look, and the page, frame by frame."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from nbforecast import session
from nbforecast.data import prepare
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.widgets.cache.state import CacheState
from nbforecast.result_cache.entry_slice import EntrySlice
from tests.benchmarks.entries import SPEC, daily, made_up_entry
from tests.benchmarks.table import Table, milliseconds, number
from tests.benchmarks.timing import compare, seconds
from tests.support.lab import browser_page
from tests.support.requirements import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

# the view on a page of its own, with the messages of a kernel; then the times between frames while it is scrolled
# through from top to bottom, and while an entry changes five times a second, in ms
SHOW = """async ([script, messages]) => {
  const { default: widget } = await import(URL.createObjectURL(new Blob([script], {type: 'text/javascript'})));
  const listeners = new Set(), send = () => undefined;
  const model = {on: (_, f) => listeners.add(f), off: (_, f) => listeners.delete(f), send};
  widget.render({model, el: document.body});
  window.receive = message => listeners.forEach(f => f(message));
  const began = performance.now();
  messages.forEach(window.receive);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
SCROLL = """async ([frames, changes]) => {
  const list = document.querySelector('.nbf-scroll'), between = [], script = [];
  const frame = () => new Promise(requestAnimationFrame);
  let last = await frame();
  for (let i = 1; i <= frames; i++) {
    list.scrollTop = (list.scrollHeight - list.clientHeight) * i / frames;
    if (i % 12 === 0) {
      const began = performance.now();
      const put = [{...changes[i % changes.length], used: Date.now() / 1000}];
      window.receive({kind: 'entries', put, gone: [], all: false});
      script.push(performance.now() - began);
    }
    const now = await frame();
    between.push(now - last); last = now;
  }
  return {between: between.slice(5), script};
}"""
SETTLED = 0.2  # seconds after which the directory's time says that nothing has changed


def tables(quick: bool) -> Iterator[Table]:
    count = 20 if quick else 1000
    cache, data = session.results(), prepare(daily(200))
    entries = [made_up_entry(replace(data, values=data.values + n), SPEC, constant=True) for n in range(count)]
    for entry in entries:
        cache.publish(EntrySlice.whole(entry))
    saving = seconds(cache.save_all)
    time.sleep(SETTLED)
    state = CacheState()
    first = seconds(lambda: contents(state, everything=True))

    def one_change() -> list[dict[str, Any]]:
        entries[count // 2]._changes += 1
        return contents(state)

    found = {
        "all": lambda: contents(state, everything=True),
        "none": lambda: contents(state),
        "one": one_change,
    }
    taken = compare(found, 3 if quick else 21)
    size = {name: len(json.dumps(call())) for name, call in found.items()}
    messages = contents(state, everything=True)
    cache.clear()
    time.sleep(SETTLED)
    saved = CacheState()
    restarted = seconds(lambda: contents(saved, everything=True))
    unread = compare({"saved": lambda: contents(saved)}, 3 if quick else 21)["saved"]
    cache.directory.clear()  # type: ignore[union-attr]
    kilobytes = {name: number(bytes_ / 1e3) for name, bytes_ in size.items()}
    rows = [
        ("the first look, everything sent", milliseconds(first), kilobytes["all"]),
        ("everything sent again, to a view that comes later", milliseconds(taken["all"]), kilobytes["all"]),
        ("a look at which nothing has changed", milliseconds(taken["none"]), "0"),
        ("a look at which one entry has", milliseconds(taken["one"]), kilobytes["one"]),
        ("after a restart: the first look, at files alone", milliseconds(restarted), kilobytes["all"]),
        ("after a restart: nothing has changed", milliseconds(unread), "0"),
    ]
    note = f"There are two looks a second at most, five while something runs. Saving the entries took {saving:.1f} s."
    yield Table(f"A view of {count:,} entries", ("", "ms", "KB of JSON"), rows, (note,))

    if chromium() is not None:
        yield frames(messages, 60 if quick else 600)


def frames(messages: list[dict[str, Any]], count: int) -> Table:
    entries = next(m["put"] for m in messages if m["kind"] == "entries")
    rows = []
    for name, width in (("a side bar of 300 px", 300), ("a cell of 900 px", 900)):
        with browser_page(width, 800) as page:
            shown = page.evaluate(SHOW, [bundle("cache"), messages])
            taken = page.evaluate(SCROLL, [count, entries])
        between, script = sorted(taken["between"]), taken["script"]
        late = between[int(len(between) * 0.95)]
        rows.append((name, number(shown), number(1000 / median(between)), number(late), number(median(script))))
    head = ("", "first shown, ms", "frames/s", "95 % of frames within, ms", "a change, ms of script")
    note = "Headless Chromium without a GPU, scrolled from top to bottom while an entry changes five times a second."
    return Table(f"Scrolling through {len(entries):,} entries", head, rows, (note,))


def contents(state: CacheState, *, everything: bool = False) -> list[dict[str, Any]]:
    messages = state.everything() if everything else state.changes()
    return [message.content for message in messages]
