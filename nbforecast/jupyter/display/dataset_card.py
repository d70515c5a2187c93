"""The summary of a panel that is forecast in shards: how far it is, how fast, and what failed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nbforecast.charts.html import escape
from nbforecast.run_card import BOX, HEAD, MUTED, SMALL, TEXT, progress_bar, text_line
from nbforecast.safe_text import escape_controls
from nbforecast.text import duration, integer, plural

if TYPE_CHECKING:
    from nbforecast.distributed.run import DatasetRun

_MAX_FAILURES = 10  # that are listed


def dataset_card(run: DatasetRun) -> dict[str, str]:
    """Returns the mime bundle of a run over a panel as it is now: HTML and plain text."""
    head, state = _headline(run), _state(run)
    failures = run.failures
    body = [text_line(HEAD, head), text_line(MUTED, state)]
    if not run.done:
        body.append(progress_bar(run.progress))
    notes = [f"{name or 'rows'} ({kind}): {text}" for name, _, kind, text in failures.head(_MAX_FAILURES).iter_rows()]
    if len(failures) > _MAX_FAILURES:
        notes.append(f"... {len(failures) - _MAX_FAILURES:,} more: see .failures")
    if notes:
        lines = "<br>".join(escape(note) for note in notes)
        summary = plural(len(failures), "series is not forecast", "series are not forecast")
        body.append(f'<details style="{SMALL}"><summary>{summary}</summary>{lines}</details>')
    body.append(text_line(SMALL, str(run.folder)))
    return {
        "text/html": f'<div style="{BOX}"><div style="{TEXT}">{"".join(body)}</div></div>',
        "text/plain": escape_controls("\n".join([head, state, *notes, str(run.folder)]), keep_lines=True),
    }


def _headline(run: DatasetRun) -> str:
    of = "" if run.series is None else f" for each of {run.series:,} series, in {run.shards or 'some'} shards"
    return f"{run.name}: {run.model} forecasts {plural(run.horizon, 'step')} ahead{of}"


def _state(run: DatasetRun) -> str:
    if run.error is not None:
        return f"Failed: {run.error}"
    reused = f", {integer(run.reused)} were there" if run.reused else ""
    series = f"{integer(run.series_done)} of {integer(run.series or 0)} series"
    if run.done:
        word = "Cancelled" if run.cancelled else "Done"
        speed = f", {run.inferred / run.inference_seconds:,.0f} a second" if run.inferred else ""
        return f"{word}: {series}; {plural(run.inferred, 'origin')} inferred in {duration(run.seconds)}{speed}{reused}"
    if not run.series_done:
        return run.phase.capitalize()
    left = f" · {duration(run.eta_seconds)} left" if math.isfinite(run.eta_seconds) else ""
    return f"{series} · {plural(run.inferred, 'origin')} inferred{reused} · {run.rate:,.0f} a second{left}"
