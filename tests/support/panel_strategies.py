"""Panels as tests write them down, what may happen to them, and a forecaster that tells everything apart."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast import session
from nbforecast.forecasters.unavailable import UnavailableReason

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run

# A panel as these tests write it down: series name -> grid step -> observed value.
Panel = dict[str, dict[int, float]]
Context = tuple[tuple[int, float], ...]
Origin = tuple[str, int]

CONTEXT, HORIZON, DRAWS, MAX_GAP = 8, 3, 4, 3
START = dt.datetime(2024, 1, 1)
SCORES = ("median", "quantiles", "abs_error", "crps", "pinball", "covered")


def times(steps: list[int], kind: str) -> pl.Series:
    """Grid steps as the times of a column."""
    if kind == "integer":
        return pl.Series(steps, dtype=pl.Int64)
    if kind == "month":
        return pl.Series([dt.date(2000 + s // 12, s % 12 + 1, 1) for s in steps], dtype=pl.Date)
    return pl.Series([START + dt.timedelta(minutes=5 * s) for s in steps], dtype=pl.Datetime("us"))


FREQ: dict[str, Any] = {"5min": "5min", "month": "MS", "integer": 1}


def frame(panel: Panel, kind: str = "5min") -> pl.DataFrame:
    steps = [s for series in panel.values() for s in series]
    return pl.DataFrame(
        {
            "unique_id": [name for name, series in panel.items() for _ in series],
            "ds": times(steps, kind),
            "y": [value for series in panel.values() for value in series.values()],
        },
        schema_overrides={"unique_id": pl.String, "y": pl.Float64},
    )


def origins(panel: Panel) -> list[Origin]:
    """Every row of the prepared panel: from the first to the last observed step of each series, names sorted."""
    return [(name, s) for name in sorted(panel) for s in range(min(panel[name]), max(panel[name]) + 1)]


def seen(series: dict[int, float], first: int, last: int) -> Context:
    """What was observed from one step to another, both included."""
    return tuple((s, series[s]) for s in range(first, last + 1) if s in series)


def is_tail(new: dict[int, float], old: dict[int, float]) -> bool:
    """Whether a series is the newest part of another one, or all of it."""
    return (
        max(new) == max(old) and min(new) >= min(old) and seen(new, min(new), max(new)) == seen(old, min(new), max(new))
    )


def empty(memory: bool = True, disk: bool = True) -> None:
    """Empty the cache, with nothing at work that could put anything back."""
    session.engine().shutdown()
    nbf.cache.flush(memory, disk)


class Weighted:
    """A forecaster whose draws are sums over the observed pairs of the window, in one order for every batch.

    It tells apart values, lags, times of day, series and seeds, bars what the library's own forecasters bar (too little
    history, more than half of it missing, a long gap before the origin), and counts the origins it has been asked for.
    """

    name = "weighted"
    levels = None
    draws = DRAWS

    context = CONTEXT

    def __init__(self, key: str = "weighted", least: int = 2) -> None:
        self.key = f"{key}, least={least}"
        self.least = least
        self.count = 0

    def _windows(self, data: Dataset) -> np.ndarray:
        """(N, L) values, the origin's first, NaN where nothing was observed or the series had not begun."""
        out = np.full((len(data), self.context), np.nan)
        for first, end in zip(data.offsets[:-1], data.offsets[1:], strict=True):
            for lag in range(min(self.context, end - first)):
                out[first + lag : end, lag] = data.values[first : end - lag]
        return out

    def availability(self, data: Dataset) -> np.ndarray:
        there = ~np.isnan(self._windows(data))
        count = there.sum(1)
        length = self.context - np.argmax(there[:, ::-1], axis=1)
        out = np.zeros(len(data), np.uint8)
        out[count * 2 < length] = UnavailableReason.MISSING
        out[np.argmax(there, axis=1) > MAX_GAP] = UnavailableReason.LONG_GAP
        out[count < self.least] = UnavailableReason.TOO_SHORT
        return out

    def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
        self.count += len(rows)
        windows = self._windows(data)[rows]
        there = ~np.isnan(windows)
        names = np.array([sum(map(ord, name)) % 17 for name in data.ids])
        series = np.searchsorted(data.offsets, rows, side="right") - 1
        steps = data.frequency.to_step(data.time[rows])
        level = 0.013 * names[series] + 0.0071 * (steps % 288) + 0.003 * seed + 0.37 * (~there).sum(1)
        for lag in range(self.context):  # a sum over an axis may be grouped as the batch's size suggests
            level = level + np.where(there[:, lag], (0.9**lag / (1 + lag)) * np.nan_to_num(windows[:, lag]), 0.0)
        step, draw = np.arange(horizon)[:, None], np.arange(DRAWS)
        return (level[:, None, None] + 0.011 * step + (0.3 + 0.1 * step) * (draw - 1.37)).astype(np.float32)


# --- panels and what may happen to them ----------------------------------------------------------------------------


@st.composite
def panels(draw: st.DrawFn, least: int = 30, most: int = 110, names: st.SearchStrategy[str] | None = None) -> Panel:
    """One to three series with gaps, of few different values, so that equal contexts of other times occur."""
    ids = draw(st.lists(st.sampled_from("abcdef") if names is None else names, min_size=1, max_size=3, unique=True))
    panel = {}
    for name in ids:
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        length = draw(st.integers(least, most))
        start = draw(st.integers(0, 20))
        values = rng.integers(0, 4, length) / 2.0
        keep = rng.random(length) >= draw(st.sampled_from([0.0, 0.1, 0.4]))
        if draw(st.booleans()):
            at = draw(st.integers(1, length - 2))
            keep[at : at + draw(st.integers(1, 12))] = False
        keep[[0, 1, -2, -1]] = True
        panel[name] = {start + i: float(values[i]) for i in range(length) if keep[i]}
    return panel


CHANGES = (
    "same", "head", "tail", "both", "middle", "point", "append", "prepend", "edit", "insert", "shift", "drop",
    "rename", "add", "max_duration",
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, panel: Panel) -> Panel:
    """The panel after one change, of all its series or of one."""
    kind = draw(st.sampled_from(CHANGES))
    names = draw(st.sampled_from([sorted(panel), *([n] for n in sorted(panel))]))
    if kind == "drop":
        return {n: s for n, s in panel.items() if n not in names} or dict(panel)
    if kind == "rename":
        return {(n.upper() if n in names else n): s for n, s in panel.items()}
    if kind == "add":
        return {**panel, draw(st.sampled_from("xyz")): dict(panel[names[0]])}
    out = dict(panel)
    for name in names:
        new = _changed_series(draw, kind, panel[name])
        if len(new) >= 3:
            out[name] = new
    return out


def _changed_series(draw: st.DrawFn, kind: str, series: dict[int, float]) -> dict[int, float]:
    first, last = min(series), max(series)
    length = last - first + 1
    count = draw(st.integers(1, max(length - 4, 1)))
    at = draw(st.integers(first, last))
    value = draw(st.sampled_from([0.0, 0.5, 7.0]))
    if kind in ("head", "max_duration"):
        return {s: v for s, v in series.items() if s >= first + count}
    if kind == "tail":
        return {s: v for s, v in series.items() if s <= last - count}
    if kind == "both":
        return {s: v for s, v in series.items() if first + count // 2 <= s <= last - (count + 1) // 2}
    if kind == "middle":
        return {s: v for s, v in series.items() if not at <= s < at + count}
    if kind == "point":
        return {s: v for s, v in series.items() if s != at}
    if kind == "append":
        few = draw(st.integers(1, 12))
        return {**series, **{last + draw(st.integers(1, 2)) + i: value for i in range(few)}}
    if kind == "prepend":
        few = min(draw(st.integers(1, 12)), first)
        return {**{first - few + i: value for i in range(few)}, **series}
    if kind == "edit":
        return {s: (v + 1 + value if s == at else v) for s, v in series.items()}
    if kind == "insert":
        return {s: series.get(s, value) for s in sorted({*series, at})}
    if kind == "shift":
        return {s + count: v for s, v in series.items()}
    return dict(series)


@dataclass
class Result:
    """What a run has come to: arrays by origin."""

    status: dict[Origin, str]
    forecast: dict[Origin, bytes]
    columns: dict[str, np.ndarray]


def result(run: Run, panel: Panel) -> Result:
    """The arrays of a run of a panel, which has a row for every origin."""
    keys = origins(panel)
    table = run.frame
    assert table.height == len(keys)
    assert table["index"].to_list() == [s - max(panel[n]) for n, s in keys]
    forecast = np.ascontiguousarray(table["forecast"].to_numpy())
    status = dict(zip(keys, table["status"].to_list(), strict=True))
    assert np.isfinite(forecast).all((1, 2)).tolist() == [s != "unavailable" for s in status.values()]
    return Result(
        status,
        {o: f.tobytes() for o, f in zip(keys, forecast, strict=True) if status[o] != "unavailable"},
        {name: table[name].to_numpy() for name in SCORES},
    )
