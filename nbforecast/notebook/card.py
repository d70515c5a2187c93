"""A run's summary: one line and a bar while it goes on; a headline, its scores and a picture when it is done."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from nbforecast.errors import OriginUnavailable
from nbforecast.forecasters.reasons import Reason

if TYPE_CHECKING:
    from nbforecast.engine.run import Run

_MUTED = "opacity:.68"
_BOX = "max-width:860px;font-size:13px;line-height:1.55;font-variant-numeric:tabular-nums"
_TRACK = "height:4px;border-radius:2px;background:rgba(128,128,128,.25);margin:6px 0 8px;overflow:hidden"


def run_card(run: Run) -> dict[str, str]:
    """The mime bundle of a run as it stands."""
    head, lines = headline(run), [*_state(run), *(str(w) for w in run.warnings)]
    plain = "\n".join([head, *lines])
    body = [f'<div style="font-weight:600">{html.escape(head)}</div>']
    if not run.done:
        bar = f"width:{run.progress:.1%};height:100%;background:#3b6fd4"
        body.append(f'<div style="{_TRACK}"><div style="{bar}"></div></div>')
    body += [f'<div style="{_MUTED}">{html.escape(line)}</div>' for line in lines]
    if run.done and run.error is None:
        body.append(_picture(run))
    return {"text/html": f'<div style="{_BOX}">{"".join(body)}</div>', "text/plain": plain}


def headline(run: Run) -> str:
    """What is forecast, by what, from where."""
    data = run.data
    several = f" of {len(data.ids):,} series" if len(data.ids) > 1 else ""
    name = f"{data.names.frame}: " if data.names.frame else ""
    steps = f"{run.horizon} step{'s' if run.horizon > 1 else ''} of {data.frequency.describe()}"
    return f"{name}{run.model} forecasts {steps} ahead from {run.available:,} origins{several}"


def _state(run: Run) -> list[str]:
    if run.error is not None:
        return [f"Failed: {run.error}"]
    if not run.done:
        left = (run.available - run.calculated) / run.rate if run.rate else None
        rate = f" · {run.rate:,.0f} origins/s · {_duration(left)} left" if left is not None else ""
        return [f"{run.calculated:,} of {run.available:,} done ({run.progress:.0%}), {run.reused:,} reused{rate}"]
    work = f"{run.inferred:,} inferred in {_duration(run.seconds)}" if run.inferred else "nothing to infer"
    state = f"{'Cancelled' if run.cancelled else 'Done'}: {work}, {run.reused:,} reused"
    return [state, *_unavailable(run), *_scores(run)]


def _unavailable(run: Run) -> list[str]:
    counts = [(r, int((run.reasons == r).sum())) for r in Reason if r]
    if not any(n for _, n in counts):
        return []
    return ["Not forecast: " + "; ".join(f"{n:,} origins with {r.sentence}" for r, n in counts if n)]


def _scores(run: Run) -> list[str]:
    row = run.scores().row(0, named=True)
    if not row["n"]:
        return []
    scaled = f", {row['mase']:.2f} of the seasonal naive's (MASE)" if row["mase"] is not None else ""
    covered = ", ".join(f"{row[f'coverage_{c}']:.0%} in the {c} % band" for c in (50, 80, 95))
    return [f"Mean absolute error {row['mae']:.4g}{scaled}; CRPS {row['crps']:.4g}; of the actual values {covered}"]


def _picture(run: Run) -> str:
    try:
        return run.at(0)._repr_mimebundle_()["text/html"]
    except OriginUnavailable as reason:
        return f'<div style="{_MUTED}">{html.escape(str(reason))}</div>'


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
