"""A run's summary: one line and a bar while it goes on; a headline, its scores and a picture when it is done."""

from __future__ import annotations

import html
import traceback
from typing import TYPE_CHECKING

from nbforecast.errors import OriginUnavailable
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.text import number

if TYPE_CHECKING:
    from nbforecast.run import Run

BOX = "max-width:860px;padding:2px 0 6px;font-size:13px;line-height:1.5;font-variant-numeric:tabular-nums"
TEXT = "padding:0 16px"  # the margin of the chart below
HEAD = "font-weight:600;font-size:14px"
MUTED = "opacity:.72"
SMALL = "opacity:.72;font-size:12px;margin-top:6px"
_TRACK = "height:4px;border-radius:2px;background:rgba(128,128,128,.25);margin:8px 0;max-width:480px;overflow:hidden"
_BAR = "height:100%;border-radius:2px;background:#3b6fd4"
_TILES = "display:flex;flex-wrap:wrap;gap:6px 28px;margin:8px 0 2px"
_NUMBER = "font-size:18px;font-weight:600;line-height:1.25"


def run_card(run: Run) -> dict[str, str]:
    """The mime bundle of a run as it stands."""
    head, state, tiles, notes = headline(run), _state(run), _tiles(run), _notes(run)
    body = [line(HEAD, head), line(MUTED, state)]
    if not run.done:
        body.append(track(run.progress))
    if tiles:
        body.append(f'<div style="{_TILES}">{"".join(_tile(*t) for t in tiles)}</div>')
    if run.error is not None:
        told = "".join(traceback.format_exception(run.error.__cause__ or run.error))
        body.append(f"<details><summary>Where it failed</summary><pre>{html.escape(told)}</pre></details>")
    if notes:
        told = "<br>".join(html.escape(n) for n in notes)
        summary = f"{len(notes)} notes on the data"
        folded = f"<details><summary>{summary}</summary>{told}</details>" if len(notes) > 1 else told
        body.append(f'<div style="{SMALL}">{folded}</div>')
    picture = _picture(run) if run.done and run.error is None and run.has_result(0) else ""
    scores = [", ".join(f"{name} {value}" for name, value in tiles)] if tiles else []
    return {
        "text/html": f'<div style="{BOX}"><div style="{TEXT}">{"".join(body)}</div>{picture}</div>',
        "text/plain": "\n".join([head, state, *scores, *notes]),
    }


def headline(run: Run) -> str:
    """What is forecast, by what, from where."""
    data = run.data
    several = f" of {len(data.ids):,} series" if len(data.ids) > 1 else ""
    name = f"{data.names.frame}: " if data.names.frame else ""
    steps = f"{run.horizon} step{'s' if run.horizon > 1 else ''} of {data.frequency.describe()}"
    return f"{name}{run.model} forecasts {steps} ahead from {run.available:,} origins{several}"


def _state(run: Run) -> str:
    if run.error is not None:
        return f"Failed: {run.error}"
    if not run.available:
        return "No origin can be forecast"
    if not run.done and not run.started:
        return "Waiting until another forecast has ended"
    if not run.done and not run.inferred:
        return "Preparing the model: it is compiled once for each horizon, and kept"
    if not run.done:
        kept = f", {run.reused:,} of them from the cache" if run.reused else ""
        known = f"{run.reused + run.inferred:,} of {run.available:,} origins inferred{kept}"
        speed = f" · {run.rate:,.0f} a second · {duration(run.eta_seconds)} left" if run.rate else ""
        return f"{known} · {run.calculated:,} calculated{speed}"
    kept = f", {run.reused:,} from the cache" if run.reused else ""
    if run.cancelled:
        return f"Cancelled: {run.inferred:,} of {run.available:,} origins inferred in {duration(run.seconds)}{kept}"
    origins = "origin" if run.inferred == 1 else "origins"
    work = f"{run.inferred:,} {origins} inferred in {duration(run.seconds)}" if run.inferred else "nothing to infer"
    return f"Done: {work}{kept}"


def _tiles(run: Run) -> list[tuple[str, str]]:
    """Names and values of the overall scores, once the run is done and an actual value is known."""
    row = run.scores().row(0, named=True) if run.done and run.error is None else {"n": 0}
    if not row["n"]:
        return []
    scaled = [("MASE", f"{row['mase']:.3f}")] if row["mase"] is not None else []
    kind = "calibrated" if run.calibrate and row["calibrated_80"] is not None else "coverage"
    told = "calibrated " if kind == "calibrated" else ""
    covered = [(f"in the {told}{c} % band", f"{row[f'{kind}_{c}']:.1%}") for c in (50, 80, 95)]
    return [("MAE", number(row["mae"], 4)), ("CRPS", number(row["crps"], 4)), *scaled, *covered]


def _notes(run: Run) -> list[str]:
    counts = [(r, int((run.reasons == r).sum())) for r in UnavailableReason if r]
    unavailable = [f"{n:,} origins are not forecast: {r.sentence}." for r, n in counts if n]
    return [*unavailable, *(str(w) for w in run.warnings)] if run.done else []


def _picture(run: Run) -> str:
    try:
        return run.at(0)._repr_mimebundle_()["text/html"]
    except OriginUnavailable as reason:
        return line(MUTED, str(reason))


def track(share: float) -> str:
    """A bar that is filled so far."""
    return f'<div style="{_TRACK}"><div style="{_BAR};width:{share:.1%}"></div></div>'


def line(style: str, text: str) -> str:
    """A line of text."""
    return f'<div style="{style}">{html.escape(text)}</div>'


def _tile(name: str, value: str) -> str:
    return f"<div>{line(_NUMBER, value)}{line(MUTED, name)}</div>"


def duration(seconds: float) -> str:
    """`2.5 s`, `80 s`, `12 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
