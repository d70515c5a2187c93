"""How many origins to infer at once: few enough to look at the queue often, enough to be quick about it (E2, E4)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from nbforecast.device import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.forecasters.base import Forecaster
    from nbforecast.result_cache.key import ModelSpec

TARGET = 0.05  # seconds between two looks at the queue
_POWERS_OF_TWO = tuple(2**i for i in range(13))
_SLOWER = 1.2  # an origin that takes this many times as long is not noise ...
_MIN_BATCHES = 4  # ... in so many batches
_SMOOTHING = 0.3  # weight of the newest batch in the usual time


@dataclass
class _Size:
    """Measurements of batches of one size.

    Attributes:
        origins: The size.
        first: Seconds of the first batch, compilation included.
        usual: Seconds of a usual batch, smoothed; 0 before the second one.
        spent: Seconds of all batches.
        batches: Their number.
    """

    origins: int
    first: float = 0.0
    usual: float = 0.0
    spent: float = 0.0
    batches: int = 0

    def observe(self, seconds: float) -> None:
        self.batches += 1
        self.spent += seconds
        if self.batches == 1:
            self.first = seconds
        else:
            self.usual += (seconds - self.usual) * (_SMOOTHING if self.usual else 1.0)

    @property
    def seconds_per_origin(self) -> float:
        """0 before it is known."""
        return self.usual / self.origins


class BatchSizer:
    """Chooses the batch size of one model, at one horizon on this machine, from how long batches take.

    It begins with the smallest size. It tries the next one if that should still end within `TARGET` seconds; if sizes
    are compiled, only once the present size has cost, or is about to cost, more than a first batch. It goes back if
    origins take longer in the larger batch. A size that does not fit the device's memory is not tried again (E7).
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = _POWERS_OF_TWO,
        *,
        compiled: bool = False,
        seconds_to_compile: Callable[[int], float | None] | None = None,
    ) -> None:
        """Create a sizer that has measured nothing.

        Args:
            sizes: The sizes to choose from, ascending, in origins.
            compiled: Whether the first batch of each size costs a compilation.
            seconds_to_compile: How long the function of a size took to compile; None where it has not been compiled.
        """
        self._sizes = [_Size(origins) for origins in sizes]
        self._number = 0  # of the present size
        self._compiled = compiled
        self._seconds_to_compile = seconds_to_compile or (lambda _: None)
        self._longest_elsewhere = 0.0

    @classmethod
    def for_forecaster(cls, forecaster: Forecaster, horizon: int) -> BatchSizer:
        """A sizer that has measured nothing.

        Args:
            forecaster: Its `batch_sizes`, if it has any, are the shapes that it is compiled for. Where batches are
                shared out to cores (`windows_per_core`), any size between them will do.
            horizon: H.

        Returns:
            The sizer.
        """
        sizes: tuple[int, ...] | None = getattr(forecaster, "batch_sizes", None)
        if sizes is None:
            return cls()
        shares_out = getattr(forecaster, "windows_per_core", None) is not None
        if shares_out and len(sizes) > 1:
            sizes = tuple(n for n in sizes if n > 1)  # that of one is for those who wait
        if shares_out and cores() > 1:
            sizes = tuple(n for n in _POWERS_OF_TWO if sizes[0] <= n <= sizes[-1])
        seconds = getattr(forecaster, "seconds_to_compile", None)
        return cls(sizes, compiled=True, seconds_to_compile=seconds and partial(seconds, horizon))

    @classmethod
    def fixed(cls, origins: int) -> BatchSizer:
        """A sizer that a person has chosen the size for.

        Args:
            origins: The size; a half, a quarter and so on of it are used where it does not fit the device's memory.

        Returns:
            The sizer.
        """
        sizer = cls(tuple(sorted({max(origins >> i, 1) for i in range(origins.bit_length())})))
        sizer._number = len(sizer._sizes) - 1
        return sizer

    @property
    def size(self) -> int:
        """Origins of a batch."""
        return self._sizes[self._number].origins

    @property
    def chunk(self) -> int:
        """Origins until the next look at the queue: as many batches as `TARGET` has room for, at least one."""
        usual = self._sizes[self._number].usual
        return self.size * (max(int(TARGET / usual), 1) if usual else 1)

    def observe(self, origins: int, seconds: float) -> None:
        """Record how long a batch took.

        Args:
            origins: Its size; another size than the present one is ignored, since it was cut short.
            seconds: Its duration.
        """
        if origins == self.size:
            self._sizes[self._number].observe(seconds)

    def observe_elsewhere(self, seconds: float) -> None:
        """Record how long a few origins took in another thread: a compilation, if it is much.

        Args:
            seconds: The duration.
        """
        self._longest_elsewhere = max(self._longest_elsewhere, seconds)

    def choose(self, remaining: int) -> int:
        """Choose the batch size for the origins that are still to be inferred.

        Args:
            remaining: Their number.

        Returns:
            The size, also `size` from now on.
        """
        present = self._sizes[self._number]
        if not present.usual:
            return self.size
        each = present.seconds_per_origin
        previous = self._sizes[self._number - 1].seconds_per_origin if self._number else 0.0
        if present.batches >= _MIN_BATCHES and each > _SLOWER * previous > 0:
            self.shrink()
        elif self._number + 1 < len(self._sizes):
            larger = self._sizes[self._number + 1].origins
            is_worth = self._worked() + remaining * each > self._compilation(larger)
            if each * larger <= TARGET and remaining >= larger and is_worth:
                self._number += 1
        return self.size

    def _worked(self) -> float:
        """Seconds of all batches of the present size, without the compilation of the first one."""
        present = self._sizes[self._number]
        return present.spent - (max(present.first - present.usual, 0.0) if self._compiled else 0.0)

    def _compilation(self, larger: int) -> float:
        """How many seconds the compilation of a larger size will take, from what is known of the present one."""
        if not self._compiled or self._seconds_to_compile(larger) is not None:
            return 0.0
        present = self._sizes[self._number]
        measured = max(present.first, self._longest_elsewhere) - present.usual
        return max(measured, self._seconds_to_compile(present.origins) or 0.0, 0.0)

    def shrink(self) -> bool:
        """Take the next smaller size, for good.

        Returns:
            Whether there was one.
        """
        if not self._number:
            return False
        del self._sizes[self._number :]
        self._number -= 1
        return True


class BatchSizers:
    """The batch sizers of this process, by model, horizon and the chunk that a person has chosen."""

    def __init__(self) -> None:
        self._sizers: dict[tuple[ModelSpec, int, int | None], BatchSizer] = {}
        self._lock = threading.Lock()

    def get(self, forecaster: Forecaster, model: ModelSpec, horizon: int, chunk: int | None) -> BatchSizer:
        """The sizer of a forecaster.

        Args:
            forecaster: The forecaster.
            model: What it is, with all its settings.
            horizon: The number of steps forecast.
            chunk: The number of origins that `NBFORECAST_CHUNK` names, or None to measure.

        Returns:
            The sizer, shared by all threads.
        """
        name = model, horizon, chunk
        with self._lock:
            if name not in self._sizers:
                sizer = BatchSizer.for_forecaster(forecaster, horizon) if chunk is None else BatchSizer.fixed(chunk)
                self._sizers[name] = sizer
            return self._sizers[name]
