"""The card of a run: one line and a bar while it goes on; a headline, its scores and a picture when it is done."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from nbforecast.charts.html import BAR, escape
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.safe_text import escape_controls
from nbforecast.text import duration, integer, number, percent, plural

if TYPE_CHECKING:
    from nbforecast.run_results import RunResults

BOX = "max-width:860px;padding:2px 0 6px;font-size:13px;line-height:1.5;font-variant-numeric:tabular-nums"
TEXT = "padding:0 16px"  # the margin of the chart below
HEAD = "font-weight:600;font-size:14px"
MUTED = "opacity:.72"
SMALL = "opacity:.72;font-size:12px;margin-top:6px"
_TRACK = "height:4px;border-radius:2px;background:rgba(128,128,128,.25);margin:8px 0;max-width:480px;overflow:hidden"
_BAR = f"border-radius:2px;{BAR}"
_TILES = "display:flex;flex-wrap:wrap;gap:6px 28px;margin:8px 0 2px"
_NUMBER = "font-size:18px;font-weight:600;line-height:1.25"


def run_card(run: RunResults, chart: str = "") -> dict[str, str]:
    """Returns the mime bundle of a run as it is now: HTML and plain text.

    Args:
        run: The run.
        chart: The HTML of a picture below the scores.
    """
    head, state, scores, notes = headline(run), _state(run), _scores(run), _notes(run)
    body = [text_line(HEAD, head), text_line(MUTED, state)]
    if not run.done:
        body.append(progress_bar(run.progress))
    if scores:
        body.append(f'<div style="{_TILES}">{"".join(_tile(*score) for score in scores)}</div>')
    if run.error is not None:
        trace = "".join(traceback.format_exception(run.error.__cause__ or run.error))
        body.append(f"<details><summary>Where it failed</summary><pre>{escape(trace)}</pre></details>")
    if notes:
        lines = "<br>".join(escape(note) for note in notes)
        summary = f"{len(notes)} notes on the data"
        folded = f"<details><summary>{summary}</summary>{lines}</details>" if len(notes) > 1 else lines
        body.append(f'<div style="{SMALL}">{folded}</div>')
    score_lines = [", ".join(f"{name} {value}" for name, value in scores)] if scores else []
    return {
        "text/html": f'<div style="{BOX}"><div style="{TEXT}">{"".join(body)}</div>{chart}</div>',
        "text/plain": escape_controls("\n".join([head, state, *score_lines, *notes]), keep_lines=True),
    }


def headline(run: RunResults) -> str:
    """Returns a line on the data, the model, the horizon and the number of origins of a run."""
    data = run.data
    several = f" of {len(data.ids):,} series" if len(data.ids) > 1 else ""
    name = f"{data.names.frame}: " if data.names.frame else ""
    steps = f"{plural(run.horizon, 'step')} of {data.frequency.describe()}"
    past = f", and {run.supporting:,} past ones for calibration" if run.supporting else ""
    origins = plural(run.available - run.supporting, "origin")
    return f"{name}{run.model} forecasts {steps} ahead from {origins}{several}{past}"


def _state(run: RunResults) -> str:
    """How far the run has come, or how it has ended."""
    if run.error is not None:
        return f"Failed: {run.error}"
    if not run.available:
        return "No origin can be forecast"
    if not run.done and not run.started:
        return "Waiting until another forecast has ended"
    if not run.done and not run.inferred:
        return "Preparing the model: it is compiled once for each horizon, and kept"
    if not run.done:
        reused = f", {integer(run.reused)} of them from the cache" if run.reused else ""
        inferred = f"{integer(run.reused + run.inferred)} of {integer(run.available)} origins inferred{reused}"
        speed = f" · {run.rate:,.0f} a second · {duration(run.eta_seconds)} left" if run.rate else ""
        return f"{inferred} · {integer(run.calculated)} calculated{speed}"
    reused = f", {integer(run.reused)} from the cache" if run.reused else ""
    time = duration(run.seconds)
    if run.cancelled:
        return f"Cancelled: {integer(run.inferred)} of {integer(run.available)} origins inferred in {time}{reused}"
    work = f"{plural(run.inferred, 'origin')} inferred in {time}" if run.inferred else "nothing to infer"
    return f"Done: {work}{reused}"


def _scores(run: RunResults) -> list[tuple[str, str]]:
    """Names and values of the overall scores, once the run is done and something was observed to score by."""
    row = run.scores().row(0, named=True) if run.done and run.error is None else {"n": 0}
    if not row["n"]:
        return []
    scaled = [("MASE", f"{row['mase']:.3f}")] if row["mase"] is not None else []
    is_calibrated = run.calibrate and row["calibrated_80"] is not None
    if len(run.quantile_levels) == 1 and not is_calibrated:  # points have no bands
        return [("MAE", number(row["mae"], 4)), *scaled]
    column, word = ("calibrated", "calibrated ") if is_calibrated else ("coverage", "")
    coverage = [(f"in the {word}{c} % band", percent(row[f"{column}_{c}"])) for c in (50, 80, 95)]
    return [("MAE", number(row["mae"], 4)), ("CRPS", number(row["crps"], 4)), *scaled, *coverage]


def _notes(run: RunResults) -> list[str]:
    """Why origins are not forecast, and what was done to the data."""
    if not run.done:
        return []
    reasons = run.reasons[run.rows]
    counts = [(reason, int((reasons == reason).sum())) for reason in UnavailableReason if reason]
    unavailable = [
        f"{plural(n, 'origin is', 'origins are')} not forecast: {reason.sentence}." for reason, n in counts if n
    ]
    return [*unavailable, *(str(warning) for warning in run.warnings)]


def progress_bar(share: float) -> str:
    """Returns the HTML of a bar that is filled to a share of 0 to 1."""
    return f'<div style="{_TRACK}"><div style="{_BAR};width:{share:.1%}"></div></div>'


def text_line(style: str, text: str) -> str:
    """Returns the HTML of a line of text."""
    return f'<div style="{style}">{escape(text)}</div>'


def _tile(name: str, value: str) -> str:
    return f"<div>{text_line(_NUMBER, value)}{text_line(MUTED, name)}</div>"
