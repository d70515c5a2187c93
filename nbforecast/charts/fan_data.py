"""What a chart is drawn from: arrays that are already calculated."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from nbforecast.errors import InputError


@dataclass(frozen=True, eq=False, slots=True)
class Band:
    """A central interval: `coverage` in per cent, `low` and `high` of shape (H,)."""

    coverage: int
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Density:
    """A density per step: `values` (H, G) on G points evenly spaced from `low` (H,) to `high` (H,)."""

    low: np.ndarray
    high: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class FanData:
    """One forecast and its surroundings, ready to be drawn.

    `time` (n,) is datetime64[us] or an integer, its last entry is the origin; `values` (n,) is NaN where missing.
    `future`, `actual`, `median` are (H,), `actual` NaN where not known; `bands` go from the outermost inwards.
    `notes` are data warnings (S4); `zone` names the time zone of the labels, the times themselves being UTC then.
    """

    title: str
    target: str
    model: str
    index: int
    time: np.ndarray
    values: np.ndarray
    future: np.ndarray
    actual: np.ndarray
    median: np.ndarray
    bands: tuple[Band, ...]
    density: Density | None = None
    notes: tuple[str, ...] = ()
    zone: str | None = None

    def __post_init__(self) -> None:
        n, horizon = len(self.time), len(self.future)
        if n == 0 or horizon == 0:
            raise InputError(f"a chart needs an origin and at least one step, got {n} times and {horizon} steps")
        wanted: list[tuple[str, np.ndarray, tuple[int, ...]]] = [
            ("values", self.values, (n,)),
            ("actual", self.actual, (horizon,)),
            ("median", self.median, (horizon,)),
        ]
        for band in self.bands:
            wanted += [(f"the {band.coverage} % band", side, (horizon,)) for side in (band.low, band.high)]
        if self.density is not None:
            grid = self.density.values.shape[-1] if self.density.values.ndim else 0
            wanted += [("density.low", self.density.low, (horizon,)), ("density.high", self.density.high, (horizon,))]
            wanted += [("density.values", self.density.values, (horizon, grid))]
        for name, array, shape in wanted:
            if np.shape(array) != shape:
                raise InputError(f"{name} of a chart has shape {np.shape(array)}, expected {shape}")
        if self.time.dtype.kind not in "Mi" or self.time.dtype.kind != self.future.dtype.kind:
            raise InputError(f"times of a chart are datetime64 or integers, got {self.time.dtype}, {self.future.dtype}")

    @property
    def calendar(self) -> bool:
        """Whether times are dates rather than a count."""
        return self.time.dtype.kind == "M"

    @cached_property
    def clock(self) -> tuple[np.ndarray, np.ndarray]:
        """History (n,) and future (H,) as int64: microseconds since 1970, or the count itself."""
        unit = "datetime64[us]" if self.calendar else "int64"
        return self.time.astype(unit).astype(np.int64), self.future.astype(unit).astype(np.int64)

    @cached_property
    def step(self) -> int:
        """The step in microseconds (or counts): the middle one of those ahead, which months make differ."""
        past, ahead = self.clock
        steps: list[int] = sorted(b - a for a, b in pairwise([int(past[-1]), *ahead.tolist()]))
        return max(steps[len(steps) // 2], 1)


def history_steps(horizon: int) -> int:
    """How much history to show with a horizon: enough to see the pattern, little enough to see the fan."""
    return max(24, min(4 * horizon, 96 + 2 * horizon))
