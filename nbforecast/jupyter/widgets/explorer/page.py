"""Writes runs and the explorer's front end as one page that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import html
import json
import logging
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from msgspec import structs

from nbforecast.atomic_write import atomic_write_text
from nbforecast.data.origins import time_label
from nbforecast.errors import OptionError
from nbforecast.jupyter.assets import bundle
from nbforecast.jupyter.widgets.explorer import encoding
from nbforecast.jupyter.widgets.explorer.messages import SHOWN_PATHS, HistoryMessage
from nbforecast.jupyter.widgets.explorer.panel import encode_panel
from nbforecast.jupyter.widgets.explorer.score_summary import encode_scores
from nbforecast.jupyter.widgets.explorer.surprises import encode_surprises, find_odd
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS
from nbforecast.text import listing, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbforecast.jupyter.validation import Message
    from nbforecast.jupyter.widgets.explorer.messages import StatusMessage
    from nbforecast.jupyter.widgets.explorer.surprises import OddTables
    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
PAGE = "application/vnd.nbforecast.page"  # the mime type of a page among a cell's outputs
BUDGET = 20 << 20  # bytes of a page
MIN_FORECASTS = 2 << 20  # bytes of forecasts in it, however large the rest is
OMITTED = 255  # the reason of an origin whose forecast the page leaves out
_SLICE_ROWS = 512  # packed and unpacked together
_STEPS = 4095  # between the least and the largest draw of one step of one origin, far below a pixel
_WORST = 12  # origins that are never left out; of a panel shared out, at least one a series
_BEST_RATIO = 16  # forecasts have never been packed to less than a sixteenth
_BEST_PATHS_RATIO = 2  # paths, which go all ways, to less than a half
_FOLDER = Path(__file__).parent


def write_page(path: Path, runs: Sequence[Run], traits: Mapping[str, Any], still: str) -> Path:
    """Writes the page of some runs that are done.

    Args:
        path: The file.
        runs: The runs, of the same data and horizon.
        traits: The traits that the page begins with.
        still: HTML of a picture, for where scripts do not run.

    Returns:
        The path.

    Raises:
        OptionError: If the folder does not exist.
    """
    if not path.parent.is_dir():
        raise OptionError(f"There is no folder {str(path.parent)!r} to write {path.name!r} in.")
    atomic_write_text(path, make_page(runs, traits, still, BUDGET))
    return path


def make_page(runs: Sequence[Run], traits: Mapping[str, Any], still: str, budget: int) -> str:
    """Makes the page of some runs that are done.

    Args:
        runs: The runs, of the same data and horizon.
        traits: The traits that the page begins with.
        still: HTML of a picture, for where scripts do not run.
        budget: The page's size in bytes; fewer origins are kept to stay within it.

    Returns:
        The HTML.
    """
    odd = [find_odd(run) for run in runs]
    messages = [_pack_message(message) for message in _messages(runs, odd)]
    room = max(budget - _size(messages) - len(bundle("explorer")) * 4 // 3 - len(still), MIN_FORECASTS)
    worst = _worst_rows(runs[0])
    every, tables = _thin(runs, worst, room)
    if every > 1:
        note = (
            f"To keep this page small, it holds the forecasts of one origin in {every} and of the worst ones; "
            "scores are over all of them."
        )
        messages = [_pack_message(message) for message in _messages(runs, odd, every, worst, note)]
    data = {"start": dict(traits), "messages": messages + tables, "paths": SHOWN_PATHS}
    parts = {
        "title": html.escape(_title(runs)),
        "heading": html.escape(f"{_data_title(runs)}: forecasts from every origin"),
        "provenance": html.escape(_provenance(runs)),
        "still": still,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "bundle": base64.b64encode(bundle("explorer").encode()).decode("ascii"),
    }
    template = (_FOLDER / "page.html").read_text(encoding="utf-8")
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    _log.info("A page of %.1f MB, %s.", len(page) / 1e6, "every origin" if every == 1 else f"one origin in {every}")
    return page


def _pack_message(message: Message) -> dict[str, Any]:
    """A message as JSON, its buffers compressed."""
    if isinstance(message, HistoryMessage):
        time, *values = message.buffers
        return {"content": message.content, "buffers": [_pack_times(time), *map(_pack, values)]}
    return {"content": message.content, "buffers": [_pack(buffer) for buffer in message.buffers]}


def _messages(
    runs: Sequence[Run], odd: Sequence[OddTables], every: int = 1, worst: Sequence[list[int]] = (), *notes: str
) -> list[Message]:
    """All messages but those with forecasts; with `every` > 1 some origins are marked as omitted."""
    meta, data = encoding.encode_meta(runs, live=False, notes=notes), runs[0].data
    if every > 1:
        meta.reasons[str(OMITTED)] = "left out of this page to keep it small"
    messages: list[Message] = [meta]
    for series in range(len(data.ids)):
        messages.append(encoding.encode_history(data, series, runs[0].horizon))
        for model, run in enumerate(runs):
            status = encoding.encode_status(run, series, model, 0, encoding.series_status(run, series))
            if every > 1:
                status = _omit(status, every, worst[series])
            messages += [status, encode_scores(run, series, model)]
            messages.append(encode_surprises(run, series, model, odd[model]))
    if len(data.ids) > 1:
        messages += [encode_panel(run, model, odd[model].surprises) for model, run in enumerate(runs)]
    note = f"; this page has one in {every}, and the worst" if every > 1 else ""
    return [*messages, *(encoding.encode_progress(run, model, note) for model, run in enumerate(runs))]


def _omit(message: StatusMessage, every: int, worst: list[int]) -> StatusMessage:
    """A status that says which origins the page omits: all but one in so many, and the worst."""
    status, reason, score = message.status.copy(), message.reason.copy(), message.score.copy()
    is_omitted = (np.arange(len(status))[::-1] % every > 0) & (status != Status.UNAVAILABLE)
    is_omitted[worst] = False
    status[is_omitted], reason[is_omitted], score[is_omitted] = Status.UNAVAILABLE, OMITTED, np.nan
    return structs.replace(message, status=status, reason=reason, score=score)


def _thin(runs: Sequence[Run], worst: Sequence[list[int]], room: int) -> tuple[int, list[dict[str, Any]]]:
    """Packs the forecasts of the worst origins and of as many others as fit.

    Returns:
        One in how many that is, counted from each series' newest, and the messages.
    """
    numbers = sum(run.horizon * (run.spec.draws + 2 * len(QUANTILE_LEVELS)) * len(run.data) for run in runs)
    paths = sum(run.horizon * SHOWN_PATHS * len(run.data) for run in runs)
    every = max(1, -(-(numbers * 4 // _BEST_RATIO + paths // _BEST_PATHS_RATIO) // room))
    while True:
        tables = _all_forecasts(runs, every, worst)
        size = _size(tables)
        if size <= room or every >= max(int(run.data.lengths.max()) for run in runs):
            return every, tables
        every = max(every + 1, int(every * size / room * 1.05))


def _all_forecasts(runs: Sequence[Run], every: int, worst: Sequence[list[int]]) -> list[dict[str, Any]]:
    return [
        table
        for series in range(len(runs[0].data.ids))
        for model, run in enumerate(runs)
        for table in _forecasts(run, series, model, every, worst[series])
    ]


def _forecasts(run: Run, series: int, model: int, every: int, worst: list[int]) -> list[dict[str, Any]]:
    """Packs rows of a series: first, first + every ... up to first + count, and the worst ones."""
    length = int(run.data.lengths[series])
    tables, span = [], _SLICE_ROWS * every

    def add(first: int, count: int, every: int) -> None:
        draws, ends = encoding.read_forecasts(run, series, first, count)
        content = {"kind": "rows", "series": series, "model": model, "first": first, "count": count, "every": every}
        tables.append({"content": content, "buffers": [*_pack_draws(draws[::every]), _pack_floats(ends[::every])]})
        joint = encoding.read_joint(run, series, np.arange(first, first + count, every))
        codes = {"as": "bytes", **_pack(joint.codes.tobytes())}
        others = [_pack_floats(values) for values in (joint.limits, joint.sums, joint.peaks[:, None])]
        tables.append({"content": content | {"kind": "joint"}, "buffers": [others[0], codes, *others[1:]]})

    for first in range((length - 1) % every, length, span):
        add(first, min(span, length - first), every)
    for row in worst:
        if (length - 1 - row) % every:
            add(row, 1, 1)
    return tables


def _worst_rows(run: Run) -> list[list[int]]:
    """For each series the rows with the largest mean CRPS among those that rank, a horizon or more apart."""
    most, worst = max(_WORST // len(run.data.ids), 1), []
    for series in range(len(run.data.ids)):
        score = encoding.encode_status(run, series, 0, 0, encoding.series_status(run, series)).score.copy()
        score[: encoding.first_ranked_row(run, series)] = np.nan
        rows: list[int] = []
        while len(rows) < most and np.isfinite(score).any():
            rows.append(int(np.nanargmax(score)))
            score[max(rows[-1] - run.horizon + 1, 0) : rows[-1] + run.horizon] = np.nan
        worst.append(rows)
    return worst


def _pack_draws(draws: Float32[np.ndarray, "R H Q"]) -> list[dict[str, Any]]:
    """Packs ascending draws: the least and the largest of a step as they are, those between as steps between these.

    Only the picture of a density shows the draws between; every number on the page comes from the ends of bands, which
    are packed without loss. A scale of each step's own keeps one wide forecast from coarsening its neighbours.
    """
    outer = draws[..., [0, -1]].astype(np.float64)
    spread = np.maximum(outer[..., 1:] - outer[..., :1], 0)
    scaled = (draws[..., 1:-1] - outer[..., :1]) * (_STEPS / np.where(spread > 0, spread, 1))
    codes = np.where(np.isfinite(scaled), np.rint(scaled), 0).astype(np.uint16)
    return [_pack_floats(draws[..., [0, -1]]), _pack_differences("codes", codes)]


def _pack_floats(values: Float32[np.ndarray, "R H K"]) -> dict[str, Any]:
    """Packs values without loss."""
    return _pack_differences("floats", np.ascontiguousarray(values, "<f4").view("<u4"))


def _pack_differences(kind: str, numbers: np.ndarray) -> dict[str, Any]:
    """Packs unsigned integers as differences from row to row, with bytes of one significance side by side."""
    rows = numbers.reshape(len(numbers), -1).copy()
    rows[1:] -= rows[:-1].copy()
    planes = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, numbers.itemsize).T
    return {"as": kind, "rows": len(rows), **_pack(planes.tobytes())}


def _pack_times(buffer: bytes) -> dict[str, Any]:
    """Packs times as differences, which are nearly nothing on a regular grid."""
    times = np.frombuffer(buffer, "<f8")
    steps = np.diff(times, prepend=0.0)
    if np.array_equal(np.cumsum(steps), times):
        return {"as": "sums", **_pack(steps.tobytes())}
    return _pack(buffer)


def _pack(buffer: bytes) -> dict[str, Any]:
    return {"gzip": base64.b64encode(gzip.compress(buffer, 6, mtime=0)).decode("ascii")}


def _size(messages: Sequence[dict[str, Any]]) -> int:
    """Bytes that messages take in the page, nearly."""
    return sum(200 + sum(len(b["gzip"]) + 80 for b in message["buffers"]) for message in messages)


def _title(runs: Sequence[Run]) -> str:
    return f"{_data_title(runs)}: {', '.join(encoding.model_names(runs))}"


def _data_title(runs: Sequence[Run]) -> str:
    names = runs[0].data.names
    return names.frame or names.target


def _provenance(runs: Sequence[Run]) -> str:
    """What the page was made of: models, data and version, the same for the same results."""
    run, data = runs[0], runs[0].data
    first, last = int(data.time.argmin()), int(data.time.argmax())
    parts = [
        listing(encoding.model_names(runs)),
        f"{plural(run.horizon, 'step')} ahead",
        f"{plural(len(data.ids), 'series', 'series')} of {plural(len(data), 'row')}, {data.frequency.describe()}, "
        f"from {time_label(data, first)} to {time_label(data, last)}",
        f"content hash {run.handle}",
        f"nbforecast {version('nbforecast')}",
    ]
    return " · ".join(parts)
