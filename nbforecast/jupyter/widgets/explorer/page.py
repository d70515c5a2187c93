"""One page that holds runs and the explorer's front end, and needs nothing else."""

from __future__ import annotations

import base64
import gzip
import html
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from nbforecast.atomic_write import atomic_write_text
from nbforecast.errors import OptionError
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.widgets.explorer import messages as messages
from nbforecast.result_cache.status import Status
from nbforecast.scoring.calculations import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbforecast.jupyter.widgets.explorer.messages import Message
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
PAGE = "application/vnd.nbforecast.page"  # the mime type of a page among a cell's outputs
BUDGET = 20 << 20  # bytes of a page
LEAST = 2 << 20  # and of forecasts in it, whatever the rest takes
LEFT_OUT = 255  # the reason of an origin whose forecast the page leaves out
_SLICE = 512  # rows quantised, packed and unpacked together
_FINEST = 8190  # steps between the least and the most of a slice: finer ones are noise that packs badly
_NAN = 65535  # of quantised numbers
_WORST = 12  # origins that are never left out; of a panel shared out, at least one a series
_BEST = 8  # quantised forecasts have never been packed to less than an eighth
_HERE = Path(__file__).parent


def write_page(path: Path, runs: Sequence[Run], start: Mapping[str, Any], still: str) -> Path:
    """Write the page of some runs that are done; returns its path."""
    if not path.parent.is_dir():
        raise OptionError(f"There is no folder {str(path.parent)!r} to write {path.name!r} in.")
    atomic_write_text(path, make_page(runs, start, still, BUDGET))
    return path


def make_page(runs: Sequence[Run], start: Mapping[str, Any], still: str, budget: int) -> str:
    """The page of some runs that are done.

    start: the traits that the page begins with. still: HTML of a picture, for where scripts do not run. budget: bytes,
    into which fewer origins are made to fit.
    """
    told = [packed(m) for m in _plain(runs)]
    room = max(budget - _size(told) - len(bundle("explorer")) * 4 // 3 - len(still), LEAST)
    worst = _worst(runs[0])
    every, tables = _thinned(runs, worst, room)
    if every > 1:
        note = (
            f"To keep this page small, it holds the forecasts of one origin in {every} and of the worst ones; "
            "scores are over all of them."
        )
        told = [packed(m) for m in _plain(runs, every, worst, note)]
    data = {"start": dict(start), "messages": told + tables}
    parts = {
        "title": html.escape(_title(runs)),
        "still": still,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "bundle": base64.b64encode(bundle("explorer").encode()).decode("ascii"),
    }
    template = (_HERE / "page.html").read_text(encoding="utf-8")
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)
    kept = "every origin" if every == 1 else f"one origin in {every}"
    _log.info("A page of %.1f MB, %s.", len(page) / 1e6, kept)
    return page


def packed(message: Message) -> dict[str, Any]:
    """A message as JSON, its buffers compressed."""
    content = message.content
    if content["kind"] == "history":
        return {"content": content, "buffers": [_pack_times(message.buffers[0]), _pack(message.buffers[1])]}
    return {"content": content, "buffers": [_pack(b) for b in message.buffers]}


def _plain(runs: Sequence[Run], every: int = 1, worst: Sequence[list[int]] = (), *notes: str) -> list[Message]:
    """Everything but forecasts."""
    first = messages.meta(runs, live=False, notes=notes)
    if every > 1:
        first.content["reasons"][str(LEFT_OUT)] = "left out of this page to keep it small"
    told, data = [first], runs[0].data
    for series in range(len(data.ids)):
        told.append(messages.history(data, series))
        for model, run in enumerate(runs):
            stands = messages.standing(run, series)
            message = messages.status(run, series, model, 0, stands)
            if every > 1:
                message = _without(message, every, worst[series])
            told += [message, messages.scores(run, series, model)]
    ends = [messages.progress(run, model) for model, run in enumerate(runs)]
    for message in ends if every > 1 else ():
        message.content["note"] = f"; this page has one in {every}, and the worst"
    return [*told, *ends]


def _without(message: Message, every: int, worst: list[int]) -> Message:
    """A status that says which origins are left out: all but one in so many, and the worst."""
    kinds = ("u1", "u1", "<f4")
    status, reason, score = (np.frombuffer(b, k).copy() for b, k in zip(message.buffers, kinds, strict=True))
    out = (np.arange(len(status))[::-1] % every > 0) & (status != Status.UNAVAILABLE)
    out[worst] = False
    status[out], reason[out], score[out] = Status.UNAVAILABLE, LEFT_OUT, np.nan
    return message._replace(buffers=(status.tobytes(), reason.tobytes(), score.tobytes()))


def _thinned(runs: Sequence[Run], worst: Sequence[list[int]], room: int) -> tuple[int, list[dict[str, Any]]]:
    """Forecasts of the worst origins and of as many others as fit.

    Returns one in how many that is, counted from each series' newest, and the messages.
    """
    cells = sum(run.horizon * (run.spec.draws + len(LEVELS)) * len(run.data) for run in runs)
    every = max(1, -(-cells * 2 // (_BEST * room)))
    while True:
        tables = _tables(runs, every, worst)
        size = _size(tables)
        if size <= room or every >= max(int(run.data.lengths.max()) for run in runs):
            return every, tables
        every = max(every + 1, int(every * size / room * 1.05))


def _tables(runs: Sequence[Run], every: int, worst: Sequence[list[int]]) -> list[dict[str, Any]]:
    return [
        table
        for series in range(len(runs[0].data.ids))
        for model, run in enumerate(runs)
        for table in _table(run, series, model, every, worst[series])
    ]


def _table(run: Run, series: int, model: int, every: int, worst: list[int]) -> list[dict[str, Any]]:
    """Rows messages of a series: of the rows first, first + every ... up to first + count; and of the worst ones."""
    length = int(run.data.lengths[series])
    tables, span = [], _SLICE * every

    def add(first: int, count: int, every: int) -> None:
        draws, ends = messages.shown(run, series, first, count)
        content = {"kind": "rows", "series": series, "model": model, "first": first, "count": count, "every": every}
        tables.append({"content": content, "buffers": [_quantised(draws[::every]), _quantised(ends[::every])]})

    for first in range((length - 1) % every, length, span):
        add(first, min(span, length - first), every)
    for row in worst:
        if (length - 1 - row) % every:
            add(row, 1, 1)
    return tables


def _worst(run: Run) -> list[list[int]]:
    """For each series the rows with the largest mean CRPS, a horizon or more apart."""
    most, found = max(_WORST // len(run.data.ids), 1), []
    for series in range(len(run.data.ids)):
        score = np.frombuffer(
            messages.status(run, series, 0, 0, messages.standing(run, series)).buffers[2], "<f4"
        ).copy()
        rows: list[int] = []
        while len(rows) < most and np.isfinite(score).any():
            rows.append(int(np.nanargmax(score)))
            score[max(rows[-1] - run.horizon + 1, 0) : rows[-1] + run.horizon] = np.nan
        found.append(rows)
    return found


def _quantised(values: Float32[np.ndarray, "R H K"]) -> dict[str, Any]:
    """Whole numbers of steps, evenly spaced over the slice's range, as differences from one row to the next."""
    known = np.isfinite(values)
    low = float(values[known].min()) if known.any() else 0.0
    step = (float(values[known].max()) - low) / _FINEST if known.any() else 0.0
    scaled = (np.where(known, values, low).astype(np.float64) - low) / (step or 1.0)
    codes = np.where(known, np.rint(scaled), _NAN).astype(np.uint16).reshape(len(values), -1)
    codes[1:] -= codes[:-1].copy()
    # bytes of one significance lie together, so that they are packed better
    planes = np.ascontiguousarray(codes, "<u2").view(np.uint8).reshape(-1, 2).T
    return {"as": "codes", "low": low, "step": step, "rows": len(values), **_pack(planes.tobytes())}


def _pack_times(buffer: bytes) -> dict[str, Any]:
    """On a regular grid, differences are nearly nothing."""
    times = np.frombuffer(buffer, "<f8")
    steps = np.diff(times, prepend=0.0)
    if np.array_equal(np.cumsum(steps), times):
        return {"as": "sums", **_pack(steps.tobytes())}
    return _pack(buffer)


def _pack(buffer: bytes) -> dict[str, Any]:
    return {"gzip": base64.b64encode(gzip.compress(buffer, 6, mtime=0)).decode("ascii")}


def _size(told: Sequence[dict[str, Any]]) -> int:
    """Bytes that messages take in the page, nearly."""
    return sum(200 + sum(len(b["gzip"]) + 80 for b in m["buffers"]) for m in told)


def _title(runs: Sequence[Run]) -> str:
    data = runs[0].data
    what = data.names.frame or data.names.target
    return f"{what}: {', '.join(messages.names_of(runs))}"
