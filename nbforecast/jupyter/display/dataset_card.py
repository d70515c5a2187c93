"""The summary of a panel that is forecast in shards: how far it is, how fast, and what failed."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from nbforecast.jupyter.display.run_card import BOX, HEAD, MUTED, SMALL, TEXT, duration, line, track

if TYPE_CHECKING:
    from nbforecast.distributed.run import DatasetRun

_SHOWN = 10


def dataset_card(run: DatasetRun) -> dict[str, str]:
    """The mime bundle of a run as it stands."""
    head, state = _headline(run), _state(run)
    failures = run.failures
    body = [line(HEAD, head), line(MUTED, state)]
    if not run.done:
        body.append(track(run.progress))
    notes = [f"{name or 'rows'} ({kind}): {told}" for name, _, kind, told in failures.head(_SHOWN).iter_rows()]
    if len(failures) > _SHOWN:
        notes.append(f"... {len(failures) - _SHOWN:,} more: see .failures")
    if notes:
        told = "<br>".join(html.escape(n) for n in notes)
        summary = "1 series is not forecast" if len(failures) == 1 else f"{len(failures):,} series are not forecast"
        body.append(f'<details style="{SMALL}"><summary>{summary}</summary>{told}</details>')
    body.append(line(SMALL, str(run.folder)))
    return {
        "text/html": f'<div style="{BOX}"><div style="{TEXT}">{"".join(body)}</div></div>',
        "text/plain": "\n".join([head, state, *notes, str(run.folder)]),
    }


def _headline(run: DatasetRun) -> str:
    of = "" if run.series is None else f" for each of {run.series:,} series, in {run.shards or 'some'} shards"
    return f"{run.name}: {run.model} forecasts {run.horizon} step{'s' if run.horizon > 1 else ''} ahead{of}"


def _state(run: DatasetRun) -> str:
    if run.error is not None:
        return f"Failed: {run.error}"
    kept = f", {run.reused:,} were there" if run.reused else ""
    known = f"{run.series_done:,} of {run.series or 0:,} series"
    if run.done:
        word = "Cancelled" if run.cancelled else "Done"
        speed = f", {run.inferred / run.inference_seconds:,.0f} a second" if run.inferred else ""
        return f"{word}: {known}; {run.inferred:,} origins inferred in {duration(run.seconds)}{speed}{kept}"
    if not run.series_done:
        return run.phase.capitalize()
    left = f" · {duration(run.eta_seconds)} left" if math.isfinite(run.eta_seconds) else ""
    return f"{known} · {run.inferred:,} origins inferred{kept} · {run.rate:,.0f} a second{left}"
