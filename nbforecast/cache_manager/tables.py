"""The cache's state as people read it: tables in a notebook, aligned text elsewhere."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from nbforecast.charts.html import CELL, CODE, HEAD, NUMBER, TABLE
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.text import aligned_table, number, time_span
from nbforecast.time_units import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.inventory import Item

_TRACK = "display:inline-block;width:72px;height:6px;border-radius:3px;background:rgba(128,128,128,.25);overflow:hidden"
_BAR = "display:block;height:100%;background:#3b6fd4"


@dataclass(frozen=True)
class Info:
    """Totals of the cache; sizes in bytes. `reused` origins came from other entries instead of being inferred."""

    directory: Path | None
    entries: int
    origins: int
    inferred: int
    memory_bytes: int
    memory_budget: int
    disk_bytes: int
    disk_budget: int
    hits: int
    misses: int
    reused: int

    @classmethod
    def of(cls, cache: Cache, items: Sequence[Item]) -> Info:
        """Of a cache that holds some items."""
        return cls(
            directory=None if cache.store is None else cache.store.directory,
            entries=len(items),
            origins=sum(i.origins for i in items),
            inferred=sum(i.inferred for i in items if i.view_of is None),
            memory_bytes=sum(i.memory_bytes for i in items),
            memory_budget=cache.memory,
            disk_bytes=sum(i.disk_bytes for i in items),
            disk_budget=cache.disk if cache.store is not None else 0,
            hits=cache.hits,
            misses=cache.misses,
            reused=cache.reused,
        )

    def _lines(self) -> list[tuple[str, str]]:
        memory = f"{size_words(self.memory_bytes)} of {size_words(self.memory_budget)}"
        disk = f"{size_words(self.disk_bytes)} of {size_words(self.disk_budget)}"
        return [
            ("entries", f"{self.entries:,}, {self.inferred:,} of {self.origins:,} origins inferred"),
            ("in memory", memory),
            ("on disk", disk if self.directory is not None else "nothing is written (NBFORECAST_CACHE=memory)"),
            ("directory", str(self.directory or "none")),
            ("this kernel", f"{self.hits:,} hits, {self.misses:,} misses, {self.reused:,} origins reused"),
        ]

    def __repr__(self) -> str:
        return aligned_table(self._lines())

    def _repr_html_(self) -> str:
        rows = (f'<tr><td style="{CELL};opacity:.72">{n}</td><td style="{CELL}">{html.escape(v)}</td></tr>'
                for n, v in self._lines())  # fmt: skip
        return f'<table style="{TABLE}">{"".join(rows)}</table>'


@dataclass(frozen=True)
class Change:
    """What an action has done: entries and origins concerned, bytes of memory and of disk."""

    done: str
    entries: int
    origins: int | None
    memory_bytes: int
    disk_bytes: int
    what: str = ""
    where: Path | None = None

    def __repr__(self) -> str:
        if self.what:
            return f"{self.done} {self.what} of {_count(self.origins or 0, 'origin')}."
        said = f"{self.done} {_count(self.entries, 'entry', 'entries')}"
        if self.origins is not None:
            said += f" with {_count(self.origins, 'inferred origin')}"
        sizes = [(self.memory_bytes, "of memory"), (self.disk_bytes, "on disk" if self.done == "Saved" else "of disk")]
        told = " and ".join(f"{size_words(size)} {of}" for size, of in sizes if size)
        return said + (f": {told}" if told else "") + (f", in {self.where}" if self.where else "") + "."


class Listing:
    """Entries as a table."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def frame(self) -> pl.DataFrame:
        """A row an entry, sizes in bytes, times in UTC."""
        kinds = {"origins": pl.Int64, "series": pl.Int64, "available": pl.Int64, "inferred": pl.Int64,
                 "calculated": pl.Int64}  # fmt: skip
        schema = {"handle": pl.String, "name": pl.String, "model": pl.String, "horizon": pl.Int64, **kinds,
                  "start": pl.String, "end": pl.String, "memory_bytes": pl.Int64, "disk_bytes": pl.Int64,
                  "hits": pl.Int64, "reused": pl.Int64, "view_of": pl.String, "created": pl.Float64,
                  "used": pl.Float64}  # fmt: skip
        rows = [
            {"handle": i.key.handle, "horizon": i.key.spec.horizon}
            | {n: getattr(i, n) for n in schema if n not in ("handle", "horizon")}
            for i in self._items
        ]
        moment = (pl.col("created", "used") * SECOND).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        return pl.DataFrame(rows, schema=schema).with_columns(moment)

    def _rows(self) -> list[tuple[str, ...]]:
        now = time.time()
        return [
            (
                i.key.handle[:8],
                i.name or "",
                i.model,
                str(i.key.spec.horizon),
                f"{i.series:,}",
                f"{i.origins:,}",
                f"{i.calculated / i.available:.0%}" if i.available else "–",
                f"in {i.view_of[:8]}" if i.view_of else size_words(i.memory_bytes) if i.view else "–",
                size_words(i.disk_bytes) if i.found else "–",
                f"{i.hits:,}",
                f"{i.reused:,}",
                f"{_ago(now - i.used)} ago",
            )
            for i in self._items
        ]

    def __repr__(self) -> str:
        if not self._items:
            return "The cache is empty."
        return aligned_table([_HEADS, *self._rows()], right=_RIGHT)

    def _repr_html_(self) -> str:
        if not self._items:
            return "<div>The cache is empty.</div>"
        heads = "".join(f'<th style="{_style(n)};{HEAD}">{head}</th>' for n, head in enumerate(_HEADS))
        body = "".join(_html_row(i, row) for i, row in zip(self._items, self._rows(), strict=True))
        return f'<table style="{TABLE}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


_HEADS = (
    "handle",
    "frame",
    "model",
    "horizon",
    "series",
    "origins",
    "done",
    "memory",
    "disk",
    "hits",
    "reused",
    "used",
)
_RIGHT = {3, 4, 5, 6, 7, 8, 9, 10}
_DONE = _HEADS.index("done")


class Detail:
    """Everything known of some entries."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __repr__(self) -> str:
        return "\n\n".join(aligned_table(_facts(item)) for item in self._items)

    def _repr_html_(self) -> str:
        line = '<tr><td style="{}">{}</td><td style="{}">{}</td></tr>'
        tables = (
            "".join(line.format(f"{CELL};opacity:.72", n, CELL, html.escape(v)) for n, v in _facts(item))
            for item in self._items
        )
        return "".join(f'<table style="{TABLE}">{rows}</table>' for rows in tables)


def size_words(size: float) -> str:
    """`480 B`, `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.3g} {unit}"


def _facts(item: Item) -> list[tuple[str, str]]:
    where = "nowhere" if item.view is None and item.found is None else ""
    if item.view_of:
        where = f"part of the entry {item.view_of}"
    elif item.view is not None:
        where = f"memory, {size_words(item.memory_bytes)}"
    saved = f"{item.found.path} ({size_words(item.disk_bytes)})" if item.found is not None else "no"
    there = f"{item.available:,} can be forecast, {item.inferred:,} inferred, {item.calculated:,} calculated"
    model = item.key.spec.model
    facts = [
        ("handle", item.key.handle),
        ("frame", item.name or "–"),
        ("model", model.name),
        ("model key", f"{model.key}, seed {model.seed}, gaps of up to {model.max_gap} steps bridged"),
        ("horizon", f"{item.key.spec.horizon} steps of {item.frequency}"),
        ("data", f"{_count(item.series, 'series', 'series')}, {item.start} to {item.end}"),
        ("origins", f"{item.origins:,}: {there}"),
        ("results", where or "on disk"),
        ("saved", saved),
        ("version", item.version),
        (
            "use",
            f"{_count(item.hits, 'hit')}, {item.reused:,} origins reused, last {_ago(time.time() - item.used)} ago",
        ),
    ]
    if isinstance(item.view, EntrySlice) and item.view.calculated:
        facts.append(("MAE", number(_error(item.view), 4)))
    return facts


def _error(view: EntrySlice) -> float:
    import numpy as np

    return float(np.nanmean(view.array("abs_error")))


def _html_row(item: Item, row: tuple[str, ...]) -> str:
    share = item.calculated / item.available if item.available else 0.0
    bar = f'<span style="{_TRACK}"><span style="{_BAR};width:{share:.0%}"></span></span> '
    cells = []
    for n, text in enumerate(row):
        extra = f";{CODE}" if n == 0 else ""
        hint = f' title="{item.key.handle}"' if n == 0 else ""
        cells.append(f'<td style="{_style(n)}{extra}"{hint}>{bar if n == _DONE else ""}{html.escape(text)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _style(column: int) -> str:
    return NUMBER if column in _RIGHT else CELL


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _ago(seconds: float) -> str:
    return time_span(max(int(seconds), 0) * SECOND).split("  ")[0] or "0 s"
