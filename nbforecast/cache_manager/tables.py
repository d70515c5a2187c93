"""The state of the cache for people: HTML tables in a notebook, aligned text elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from nbforecast.charts.html import BAR, CELL, CODE, HEAD, NUMBER, TABLE, escape
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.safe_text import escape_controls
from nbforecast.text import UNKNOWN, age, aligned_table, byte_size, number, plural
from nbforecast.time_units import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbforecast.result_cache.cache import Cache
    from nbforecast.result_cache.inventory import Item

_TRACK = "display:inline-block;width:72px;height:6px;border-radius:3px;background:rgba(128,128,128,.25);overflow:hidden"
_BAR = f"display:block;{BAR}"


@dataclass(frozen=True)
class Info:
    """Totals of the cache.

    Attributes:
        directory: Directory with one file per entry; None if nothing is written.
        entries: Number of entries.
        origins: Number of origins that can be forecast.
        inferred: Number of origins with a forecast.
        memory_bytes: Size of the results in memory, in bytes.
        memory_budget: Size that they may have, in bytes.
        disk_bytes: Size of the files, in bytes.
        disk_budget: Size that they may have, in bytes.
        hits: Number of requests that found an entry.
        misses: Number of requests that found none.
        reused: Number of origins taken from other entries instead of being inferred.
    """

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
        """The totals of a cache with these items."""
        return cls(
            directory=None if cache.directory is None else cache.directory.path,
            entries=len(items),
            origins=sum(i.available for i in items if i.view_of is None),
            inferred=sum(i.inferred for i in items if i.view_of is None),
            memory_bytes=sum(i.memory_bytes for i in items),
            memory_budget=cache.memory,
            disk_bytes=sum(i.disk_bytes for i in items),
            disk_budget=cache.disk if cache.directory is not None else 0,
            hits=cache.hits,
            misses=cache.misses,
            reused=cache.reused,
        )

    def _lines(self) -> list[tuple[str, str]]:
        memory = f"{byte_size(self.memory_bytes)} of {byte_size(self.memory_budget)}"
        disk = f"{byte_size(self.disk_bytes)} of {byte_size(self.disk_budget)}"
        return [
            ("entries", f"{self.entries:,}, {self.inferred:,} of {self.origins:,} origins inferred"),
            ("in memory", memory),
            ("on disk", disk if self.directory is not None else "nothing is written (NBFORECAST_CACHE=memory)"),
            ("directory", str(self.directory or "none")),
            ("this kernel", f"{self.hits:,} hits, {self.misses:,} misses, {plural(self.reused, 'origin')} reused"),
        ]

    def __repr__(self) -> str:
        return aligned_table(self._lines())

    def _repr_html_(self) -> str:
        rows = (f'<tr><td style="{CELL};opacity:.72">{n}</td><td style="{CELL}">{escape(v)}</td></tr>'
                for n, v in self._lines())  # fmt: skip
        return f'<table style="{TABLE}">{"".join(rows)}</table>'


@dataclass(frozen=True)
class Change:
    """The effect of an action on the cache.

    Attributes:
        done: What was done: "Removed", "Saved" or "Loaded".
        entries: Number of entries concerned.
        origins: Number of origins concerned, if they are counted.
        memory_bytes: Bytes of memory concerned.
        disk_bytes: Bytes of disk concerned.
        what: The results concerned, where they are not whole entries.
        where: The folder concerned.
    """

    done: str
    entries: int
    origins: int | None
    memory_bytes: int
    disk_bytes: int
    what: str = ""
    where: Path | None = None

    def __repr__(self) -> str:
        if self.what and self.origins is None:
            return f"{self.done} {self.what}: {byte_size(self.disk_bytes)}."
        if self.what:
            return f"{self.done} {self.what} of {plural(self.origins or 0, 'origin')}."
        sentence = f"{self.done} {plural(self.entries, 'entry', 'entries')}"
        if self.origins is not None:
            sentence += f" with {plural(self.origins, 'inferred origin')}"
        parts = [(self.memory_bytes, "of memory"), (self.disk_bytes, "on disk" if self.done == "Saved" else "of disk")]
        sizes = " and ".join(f"{byte_size(size)} {place}" for size, place in parts if size)
        where = f", in {escape_controls(str(self.where))}" if self.where else ""
        return sentence + (f": {sizes}" if sizes else "") + where + "."


class Listing:
    """Entries as a table."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def frame(self) -> pl.DataFrame:
        """One row per entry, with sizes in bytes and times in UTC; columns as in `ResultCache.entries`."""
        counts = {"rows": pl.Int64, "series": pl.Int64, "available": pl.Int64, "inferred": pl.Int64,
                 "calculated": pl.Int64}  # fmt: skip
        schema = {"handle": pl.String, "name": pl.String, "model": pl.String, "horizon": pl.Int64, **counts,
                  "start": pl.String, "end": pl.String, "memory_bytes": pl.Int64, "disk_bytes": pl.Int64,
                  "hits": pl.Int64, "reused": pl.Int64, "view_of": pl.String, "created": pl.Float64,
                  "used": pl.Float64}  # fmt: skip
        rows = [
            {"handle": i.key.handle, "horizon": i.key.spec.horizon}
            | {n: getattr(i, n) for n in schema if n not in ("handle", "horizon")}
            for i in self._items
        ]
        times = (pl.col("created", "used") * SECOND).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        return pl.DataFrame(rows, schema=schema).with_columns(times)

    def _rows(self) -> list[tuple[str, ...]]:
        now = time.time()
        return [
            (
                i.key.handle[:8],
                i.name or "",
                i.model,
                str(i.key.spec.horizon),
                f"{i.series:,}",
                f"{i.available:,}",
                f"{i.calculated / i.available:.0%}" if i.available else UNKNOWN,
                f"in {i.view_of[:8]}" if i.view_of else byte_size(i.memory_bytes) if i.entry_slice else UNKNOWN,
                byte_size(i.disk_bytes) if i.file else UNKNOWN,
                f"{i.hits:,}",
                f"{i.reused:,}",
                age(now - i.used),
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
        head = "".join(f'<th style="{_style(n)};{HEAD}">{name}</th>' for n, name in enumerate(_HEADS))
        body = "".join(_html_row(i, row) for i, row in zip(self._items, self._rows(), strict=True))
        return f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


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
    """All facts about some entries."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __repr__(self) -> str:
        return "\n\n".join(aligned_table(_facts(item)) for item in self._items)

    def _repr_html_(self) -> str:
        line = '<tr><td style="{}">{}</td><td style="{}">{}</td></tr>'
        tables = (
            "".join(line.format(f"{CELL};opacity:.72", n, CELL, escape(v)) for n, v in _facts(item))
            for item in self._items
        )
        return "".join(f'<table style="{TABLE}">{rows}</table>' for rows in tables)


def _facts(item: Item) -> list[tuple[str, str]]:
    where = "nowhere" if item.entry_slice is None and item.file is None else ""
    if item.view_of:
        where = f"part of the entry {item.view_of}"
    elif item.entry_slice is not None:
        where = f"memory, {byte_size(item.memory_bytes)}"
    saved = f"{item.file.path} ({byte_size(item.disk_bytes)})" if item.file is not None else "no"
    origins = f"{item.available:,} of {plural(item.rows, 'time step')} can be forecast"
    progress = f"{item.inferred:,} inferred, {item.calculated:,} calculated"
    model = item.key.spec.model
    facts = [
        ("handle", item.key.handle),
        ("frame", item.name or UNKNOWN),
        ("model", model.name),
        ("model key", f"{model.key}, seed {model.seed}, gaps of up to {model.max_gap} steps bridged"),
        ("horizon", f"{item.key.spec.horizon} steps of {item.frequency}"),
        ("data", f"{plural(item.series, 'series', 'series')}, {item.start} to {item.end}"),
        ("origins", f"{origins}; {progress}"),
        ("results", where or "on disk"),
        ("saved", saved),
        ("version", item.version),
        (
            "use",
            f"{plural(item.hits, 'hit')}, {plural(item.reused, 'origin')} reused, last {age(time.time() - item.used)}",
        ),
    ]
    if isinstance(item.entry_slice, EntrySlice) and item.entry_slice.calculated:
        facts.append(("MAE", number(_mean_absolute_error(item.entry_slice), 4)))
    return facts


def _mean_absolute_error(entry_slice: EntrySlice) -> float:
    import numpy as np

    return float(np.nanmean(entry_slice.array("abs_error")))


def _html_row(item: Item, row: tuple[str, ...]) -> str:
    share = item.calculated / item.available if item.available else 0.0
    bar = f'<span style="{_TRACK}"><span style="{_BAR};width:{share:.0%}"></span></span> '
    cells = []
    for n, text in enumerate(row):
        extra = f";{CODE}" if n == 0 else ""
        hint = f' title="{item.key.handle}"' if n == 0 else ""
        cells.append(f'<td style="{_style(n)}{extra}"{hint}>{bar if n == _DONE else ""}{escape(text)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _style(column: int) -> str:
    return NUMBER if column in _RIGHT else CELL
