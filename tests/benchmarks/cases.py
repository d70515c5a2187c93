"""The official windows of the shared data sets: contexts of up to 2,048 steps and what followed each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float64

CONTEXT = 2048
RECENT = 512  # what peers see, and what MASE is scaled by


@dataclass(frozen=True)
class Case:
    """history: the last 2,048 steps, NaN to the left of a shorter one. mase: the season of MASE's scale.

    calendar: the seasons that the time column gives away, () where it holds bare integers.
    """

    history: Float64[np.ndarray, " 2048"]
    actual: Float64[np.ndarray, " H"]
    mase: int
    calendar: tuple[int, ...]


def _series(file: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for part in pl.read_parquet(SHARED / "data" / f"{file}.parquet").partition_by("unique_id", maintain_order=True):
        yield part["ds"].to_numpy(), part["y"].to_numpy().astype(float)


def _grid(time: np.ndarray, values: np.ndarray, seconds: int) -> np.ndarray:
    step = np.rint(time.astype("datetime64[s]").astype(np.int64) / seconds).astype(np.int64)
    step, first = np.unique(step, return_index=True)
    values = values[first]
    span = step[-1] - step[0]
    if span > 40 * len(step):  # sessions months apart: keep the longer part
        cut = int(np.argmax(np.diff(step))) + 1
        part = slice(0, cut) if cut > len(step) / 2 else slice(cut, None)
        return _grid(time[first][part], values[part], seconds)
    out = np.full(span + 1, np.nan)
    out[step - step[0]] = values
    return out


def _case(history: np.ndarray, actual: np.ndarray, mase: int, calendar: tuple[int, ...]) -> Case:
    kept = np.full(CONTEXT, np.nan)
    tail = history[-CONTEXT:]
    kept[CONTEXT - len(tail) :] = tail
    return Case(kept, actual, mase, calendar)


def _last(file: str, horizon: int, mase: int, calendar: tuple[int, ...] = ()) -> Iterator[Case]:
    for _, y in _series(file):
        yield _case(y[:-horizon], y[-horizon:], mase, calendar)


def _roll(
    y: np.ndarray, horizon: int, low: int, count: int, mase: int, calendar: tuple[int, ...], share: float = 0.8
) -> Iterator[Case]:
    for origin in np.linspace(low, len(y) - horizon, count).astype(int):
        before, after = y[:origin], y[origin : origin + horizon]
        sparse = np.isnan(before[-2 * RECENT :]).mean() > 1 - share
        if not (np.isnan(after).any() or np.isnan(before[-6:]).any() or sparse):
            yield _case(before, after, mase, calendar)


def _nab(horizon: int) -> Iterator[Case]:
    kinds = {300: (24, 1, (288,)), 1800: (48, 48, (48, 336)), 3600: (24, 24, (24, 168))}
    for time, y in _series("nab_shared"):
        median = np.median(np.diff(time.astype("datetime64[s]").astype(np.int64)))
        seconds = min(kinds, key=lambda s: abs(s - median))
        steps, mase, calendar = kinds[seconds]
        if steps == horizon:
            grid = _grid(time, y, seconds)
            yield from _roll(grid, steps, len(grid) // 2, 7, mase, calendar, 0.5)


def _etth1() -> Iterator[Case]:
    for _, y in _series("etth1"):
        yield from _roll(y[:14400], 24, 11520, 12, 24, (24, 168))


def _cgm() -> Iterator[Case]:
    for time, y in _series("cgm_hall"):
        yield from _roll(_grid(time, y, 300), 12, 600, 12, 1, (288,))


def _vic() -> Iterator[Case]:
    for _, y in _series("vic_elec_30min"):
        yield from _roll(y, 48, 20000, 40, 48, (48, 336))


def _daily() -> Iterator[Case]:
    for _, y in _series("daily_misc"):
        yield from _roll(y, 14, max(len(y) // 2, 200), 8, 7, (7, 365))


def _classics() -> Iterator[Case]:
    for _, y in _series("monthly_classics"):
        yield from _roll(y, 12, max(len(y) // 2, 24), 5, 12, (12,))


# what choices of the pretrained network were made on; the other sets were only ever measured
SELECTION = ("m3_monthly_shared", "m4_hourly_shared", "etth1", "daily_misc", "nab_24")
SETS: dict[str, Callable[[], Iterator[Case]]] = {
    "m3_monthly_shared": lambda: _last("m3_monthly_shared", 18, 12, (12,)),
    "m4_hourly_shared": lambda: _last("m4_hourly_shared", 48, 24),
    "etth1": _etth1,
    "cgm_hall": _cgm,
    "m3_quarterly_shared": lambda: _last("m3_quarterly_shared", 8, 4, (4,)),
    "m4_weekly_shared": lambda: _last("m4_weekly_shared", 13, 1),
    "daily_misc": _daily,
    "monthly_classics": _classics,
    "nab_24": lambda: _nab(24),
    "nab_48": lambda: _nab(48),
    "vic_elec_30min": _vic,
}
