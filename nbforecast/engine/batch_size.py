"""How many origins to infer at once: few enough to look at the queue often, enough to be quick about it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbforecast.device import cores

if TYPE_CHECKING:
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.key import ModelSpec

TARGET = 0.05  # seconds between two looks at the queue
_ANY = tuple(2**i for i in range(13))
_WORSE = 1.2  # an origin that takes this many times as long, in so many batches, is not noise
_SURE = 4


@dataclass
class _Size:
    """What is known of batches of one size: the seconds of the first, of a usual one, of all, and their number."""

    origins: int
    first: float = 0.0
    usual: float = 0.0
    spent: float = 0.0
    batches: int = 0

    def note(self, seconds: float) -> None:
        self.batches += 1
        self.spent += seconds
        if self.batches == 1:
            self.first = seconds
        else:
            self.usual += (seconds - self.usual) * (0.3 if self.usual else 1.0)

    @property
    def each(self) -> float:
        """Seconds an origin; 0 before they are known."""
        return self.usual / self.origins


class BatchSizer:
    """Finds the batch of one model, at one horizon on this machine, from how long batches have taken.

    It begins with the smallest of some sizes. The next one is tried where it should still end within `TARGET` seconds;
    if sizes are `compiled`, only once what the present one has cost, or is about to, exceeds what a first batch does.
    It is kept unless origins take longer in it. What does not fit the device's memory is not tried again.
    """

    def __init__(self, sizes: tuple[int, ...] = _ANY, *, compiled: bool = False) -> None:
        self._sizes = [_Size(origins) for origins in sizes]
        self._at = 0
        self._compiled = compiled
        self._longest = 0.0

    @classmethod
    def of(cls, forecaster: Forecaster) -> BatchSizer:
        """For a forecaster; its `batch_sizes`, if it has any, are the shapes that it is compiled for.

        Where batches are shared out to cores (`core` windows each), any size will do.
        """
        sizes: tuple[int, ...] | None = getattr(forecaster, "batch_sizes", None)
        if sizes is None:
            return cls()
        if getattr(forecaster, "core", None) is not None and cores() > 1:
            sizes = tuple(n for n in _ANY if sizes[0] <= n <= sizes[-1])
        return cls(sizes, compiled=True)

    @classmethod
    def fixed(cls, origins: int) -> BatchSizer:
        """Always so many, or half of that if they do not fit, or a quarter ..."""
        pace = cls(tuple(sorted({max(origins >> i, 1) for i in range(origins.bit_length())})))
        pace._at = len(pace._sizes) - 1
        return pace

    @property
    def size(self) -> int:
        """Origins of a batch."""
        return self._sizes[self._at].origins

    @property
    def chunk(self) -> int:
        """Origins until the next look at the queue: as many batches as `TARGET` has room for, at least one."""
        usual = self._sizes[self._at].usual
        return self.size * (max(int(TARGET / usual), 1) if usual else 1)

    def note(self, origins: int, seconds: float) -> None:
        """A batch of so many origins took so long."""
        if origins == self.size:
            self._sizes[self._at].note(seconds)

    def hear(self, seconds: float) -> None:
        """A few origins took somebody else so long: a compilation, if it is much."""
        self._longest = max(self._longest, seconds)

    def adapt(self, left: int) -> None:
        """Choose the size for the `left` origins that are still to be inferred."""
        now = self._sizes[self._at]
        if not now.usual:
            return
        if self._at and now.batches >= _SURE and now.each > _WORSE * self._sizes[self._at - 1].each > 0:
            self.shrink()
        elif self._at + 1 < len(self._sizes):
            larger = self._sizes[self._at + 1]
            first = max(now.first, self._longest)
            compiling = max(first - now.usual, 0.0) if self._compiled else 0.0
            fits = now.each * larger.origins <= TARGET
            if fits and left >= larger.origins and now.spent + left * now.each > compiling:
                self._at += 1

    def shrink(self) -> bool:
        """Take the next smaller size, for good, if there is one."""
        if not self._at:
            return False
        del self._sizes[self._at :]
        self._at -= 1
        return True


class BatchSizers:
    """The paces found so far, by model and horizon."""

    def __init__(self) -> None:
        self._known: dict[tuple[ModelSpec, int, int | None], BatchSizer] = {}
        self._lock = threading.Lock()

    def of(self, forecaster: Forecaster, model: ModelSpec, horizon: int, chunk: int | None) -> BatchSizer:
        """That of a forecaster, which `model` names with all its settings; of a `chunk` that was chosen, if any."""
        name = model, horizon, chunk
        with self._lock:
            if name not in self._known:
                self._known[name] = BatchSizer.of(forecaster) if chunk is None else BatchSizer.fixed(chunk)
            return self._known[name]
