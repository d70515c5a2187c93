"""The data of a fan chart: arrays that are already calculated."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from nbforecast.charts.odd_points import OddPoint
from nbforecast.errors import InputError

_SLOT = 1000  # between two slots of an axis that counts them: whole numbers, as times are


@dataclass(frozen=True, eq=False, slots=True)
class Band:
    """A central prediction interval.

    Attributes:
        coverage: In per cent.
        low: Lower ends, shape (H,).
        high: Upper ends, shape (H,).
    """

    coverage: int
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Density:
    """A probability density per step.

    Attributes:
        low: First point of each step's grid, shape (H,).
        high: Last point of each step's grid, shape (H,).
        values: Densities on G evenly spaced points, shape (H, G).
    """

    low: np.ndarray
    high: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Strip:
    """A covariate along history and forecast.

    Attributes:
        name: Of the covariate.
        labels: Its categories, one for a column of ones and zeros; empty for numbers.
        is_ahead: Whether it is known ahead.
        values: Shape (n + H,): numbers, or numbers of labels, negative where none applies; NaN where it is not known.
        low: The smallest number of the whole data; NaN for categories.
        high: The largest one.
    """

    name: str
    labels: tuple[str, ...]
    is_ahead: bool
    values: np.ndarray
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class FanData:
    """One forecast and its surroundings, ready to be drawn.

    Attributes:
        title: Name of the data.
        target: Name or unit of the values.
        model: Name of the model.
        index: Of the origin.
        time: Times of the history, shape (n,), datetime64[us] or integers; the last one is the origin.
        values: History, shape (n,), NaN where missing.
        future: Times of the forecast, shape (H,), of the same type as `time`.
        actual: Observed values of these times, shape (H,), NaN where not observed.
        median: Shape (H,), NaN where not calculated.
        bands: From the outermost inwards.
        density: Or None, where it is not calculated.
        notes: Data warnings (S4).
        zone: Name of the time zone of the labels; the times themselves are in UTC.
        slot: Where times are the slots of a calendar, the microseconds between two of them without closed times in
            between, 0 where they differ; the axis then counts slots. None where it shows time.
        paths: Joint paths, shape (P, H), some of which are drawn; None where they are not calculated.
        strips: Covariates, drawn under the chart.
        odd: The odd observations of the history that are marked.

    Raises:
        InputError: If there is no origin or no step, or the shapes do not fit each other.
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
    slot: int | None = None
    paths: np.ndarray | None = None
    strips: tuple[Strip, ...] = ()
    odd: tuple[OddPoint, ...] = ()

    def __post_init__(self) -> None:
        n, horizon = len(self.time), len(self.future)
        if n == 0 or horizon == 0:
            raise InputError(f"a chart needs an origin and at least one step, got {n} times and {horizon} steps")
        arrays: list[tuple[str, np.ndarray, tuple[int, ...]]] = [
            ("values", self.values, (n,)),
            ("actual", self.actual, (horizon,)),
            ("median", self.median, (horizon,)),
        ]
        for band in self.bands:
            arrays += [(f"the {band.coverage} % band", side, (horizon,)) for side in (band.low, band.high)]
        if self.density is not None:
            grid = self.density.values.shape[-1] if self.density.values.ndim else 0
            arrays += [("density.low", self.density.low, (horizon,)), ("density.high", self.density.high, (horizon,))]
            arrays += [("density.values", self.density.values, (horizon, grid))]
        if self.paths is not None:
            arrays.append(("paths", self.paths, (len(self.paths), horizon)))
        arrays += [(f"the covariate {strip.name!r}", strip.values, (n + horizon,)) for strip in self.strips]
        for name, array, shape in arrays:
            if np.shape(array) != shape:
                raise InputError(f"{name} of a chart has shape {np.shape(array)}, expected {shape}")
        if self.time.dtype.kind not in "Mi" or self.time.dtype.kind != self.future.dtype.kind:
            raise InputError(f"times of a chart are datetime64 or integers, got {self.time.dtype}, {self.future.dtype}")

    @property
    def calendar(self) -> bool:
        """Whether times are dates rather than counts."""
        return self.time.dtype.kind == "M"

    @cached_property
    def clock(self) -> tuple[np.ndarray, np.ndarray]:
        """History (n,) and future (H,) as int64: microseconds since 1970, or the counts themselves."""
        unit = "datetime64[us]" if self.calendar else "int64"
        return self.time.astype(unit).astype(np.int64), self.future.astype(unit).astype(np.int64)

    @cached_property
    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Where history (n,) and future (H,) are on the axis, int64: their times, or slot by slot."""
        if self.slot is None:
            return self.clock
        places = np.arange(len(self.time) + len(self.future), dtype=np.int64) * _SLOT
        return places[: len(self.time)], places[len(self.time) :]

    def slots_at(self, start: int, stop: int) -> tuple[float, float]:
        """Convert two positions of an axis that counts slots to numbers of slots."""
        return start / _SLOT, stop / _SLOT

    def by_slot(self) -> "FanData":
        """Return the same forecast with the numbers of its slots for times; itself where the axis shows time."""
        if self.slot is None:
            return self
        past, ahead = (place // _SLOT for place in self.positions)
        return replace(self, time=past, future=ahead, slot=None)

    @cached_property
    def step(self) -> int:
        """The step in microseconds (or counts): the median of those ahead, since months differ."""
        if self.slot:
            return self.slot
        past, ahead = self.clock
        steps: list[int] = sorted(b - a for a, b in pairwise([int(past[-1]), *ahead.tolist()]))
        return max(steps[len(steps) // 2], 1)


def history_steps(horizon: int) -> int:
    """Return how many steps of history a chart shows: enough to see the pattern, few enough to see the fan."""
    return max(24, min(4 * horizon, 96 + 2 * horizon))
