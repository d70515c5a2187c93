"""Numbers, times and chances in words."""

from __future__ import annotations

import datetime as dt
from math import isfinite
from typing import TYPE_CHECKING

from nbforecast.text import step_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.data import Dataset
    from nbforecast.run import Run

_PLAIN = ("y", "value", "values")
SURE = 0.05  # what a p-value must be below for a difference to be more than chance


def percent(share: float, digits: int = 1) -> str:
    """`79.4 %` of a share of one."""
    return f"{100 * share:.{digits}f} %".replace("-", "−") if isfinite(share) else "–"


def relative(value: float, to: float) -> float:
    """How much larger a value is than another: 0.1 is 10 % more; NaN beside nothing."""
    return value / to - 1 if to else float("nan")


def change(by: float) -> str:
    """`18 % lower`, `0.3 % higher`, `equal` of a relative change."""
    if not isfinite(by):
        return "–"
    if abs(by) < 5e-5:
        return "equal"
    size = float(f"{100 * abs(by):.2g}") if abs(by) < 1 else round(100 * abs(by))
    return f"{size:,g} % {'lower' if by < 0 else 'higher'}"


def beside(by: float, other: str) -> str:
    """`is 18 % lower than that of auto`, `is equal to that of auto`, `cannot be compared with that of auto`."""
    if not isfinite(by):
        return f"cannot be compared with that of {other}"
    told = change(by)
    return f"is {told} {'to' if told == 'equal' else 'than'} that of {other}"


def chance(p: float) -> str:
    """`p < 0.001`, `p = 0.03`; `too few origins for a test` where nothing is known."""
    if not isfinite(p):
        return "too few origins for a test"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 origin`, `1,200 origins`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def when(data: Dataset, row: int) -> str:
    """The time of a row, no finer than the data's step."""
    at = data.times(data.time[[row]]).item()
    if not isinstance(at, (dt.datetime, dt.date)):
        return f"t = {at:,}"
    if data.frequency.kind == "month" and at.day == 1:
        return f"{at:%b %Y}"
    day = f"{at.day} {at:%b %Y}"
    return day if data.frequency.wall_clock or not isinstance(at, dt.datetime) else f"{at:%a} {day}, {at:%H:%M}"


def steps(run: Run, count: int | None = None) -> str:
    """`12 hours`, `35 minutes`, `12 months`, `12 steps`: how far so many steps reach, by default the horizon."""
    count, frequency = run.horizon if count is None else count, run.data.frequency
    if frequency.kind == "fixed":
        reach = count * frequency.every
        return step_span(reach)
    size, *rest = frequency.describe().split(" ", 1)
    unit = rest[0].split(" (")[0].split(",")[0] if rest else "step"
    return counted(count, unit) if size == "1" else f"{counted(count, 'step')} of {size} {unit}"


def target(data: Dataset) -> str:
    """What is forecast: the column's name, or nothing where it is called nothing in particular."""
    return "" if data.names.target in _PLAIN else data.names.target


def title(data: Dataset) -> str:
    """What the data are called."""
    return data.names.frame or target(data) or "the series"


def named(model: str) -> str:
    """What a model is called in a sentence."""
    return "seasonal naive" if model == "naive" else model
