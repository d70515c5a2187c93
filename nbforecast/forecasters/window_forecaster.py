"""Forecasters that are a pure function of a window: jitted, a batch at a time, padded to few shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float32, Int64, UInt8

from nbforecast.device import CompileOnce, cores, map_on_cores, matmul_precision, shard_batch
from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.windows import Windows, cut_windows, partial_context_availability

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.data import Dataset


class WindowForecaster(ABC):
    """Base of forecasters that map a batch of windows to a batch of draws by a jitted, pure function.

    Subclasses are frozen dataclasses of their settings (hashable: the settings select the compiled function) and
    implement `predict`. Batches are padded to one of `batch_sizes`, so a function is compiled for few shapes; over
    several devices they are shared out.

    Attributes:
        algorithm: What computes the forecasts, as the key names it.
        algorithm_version: Raised whenever the same settings give other numbers, so that saved forecasts of an older
            version are not taken for this one's.
        batch_sizes: The numbers of windows that functions are compiled for, ascending.
        windows_per_core: The windows handed to each of several cores; None if all cores work on the same windows.
        least: The fewest observed values of a context.
    """

    algorithm: ClassVar[str]
    algorithm_version: ClassVar[int]
    batch_sizes: ClassVar[tuple[int, ...]] = (32, 256, 2048)
    windows_per_core: ClassVar[int | None] = (
        128  # windows handed to each of several cores; None: all work on the same ones
    )
    least: ClassVar[int] = 8

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the model."""
        ...

    @property
    @abstractmethod
    def context(self) -> int:
        """L, the length of a window in steps."""
        ...

    @property
    @abstractmethod
    def levels(self) -> tuple[float, ...] | None:
        """The ascending probability levels of quantiles; None if the draws are samples."""
        ...

    @property
    @abstractmethod
    def draws(self) -> int:
        """Q, the number of quantiles or samples of a step."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a forecast beside the algorithm, as values that JSON can hold."""
        return {"context": self.context}

    @property
    def key(self) -> str:
        """The algorithm, its version and the settings (see `model_key`)."""
        return model_key(self.algorithm, self.algorithm_version, **self.settings)

    def covariates(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int
    ) -> Float32[np.ndarray, "R L+H C"] | None:
        """Returns what is known beside the values, of the steps of the rows' contexts and horizons; None if nothing.

        Args:
            data: The dataset.
            rows: The R rows to forecast from.
            horizon: H.
        """
        return None

    def compiled(self, horizon: int, seed: int) -> Callable[[Windows], Any]:
        """Returns `predict` for one horizon as a jitted function of a batch.

        Args:
            horizon: H.
            seed: The seed of what all windows share. What differs between windows is drawn from their keys, which have
                the seed in them.
        """
        return _jitted(self, horizon)

    @abstractmethod
    def predict(self, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
        """Returns draws relative to each window's location.

        It is pure, traceable by JAX, and independent of the other windows of the batch.

        Args:
            windows: B windows.
            horizon: H.
        """

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """See `Forecaster.availability`."""
        return partial_context_availability(data, self.context, self.least)

    def forecast(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int = 0
    ) -> Float32[np.ndarray, "R H Q"]:
        """See `Forecaster.forecast`; batches are padded to few sizes, which are compiled once each."""
        out = np.empty((len(rows), horizon, self.draws), np.float32)
        shapes = self._shapes()

        def infer(start: int) -> None:
            part = rows[start : start + shapes[-1]]
            size = self._batch_size(len(part), horizon, shapes)
            padded_rows = np.concatenate([part, np.full(size - len(part), part[-1])])
            windows, location = cut_windows(data, padded_rows, self.context, seed)
            fields = windows._asdict() | {"covariates": self.covariates(data, padded_rows, horizon)}
            parts = {name: shard_batch(fields[name]) for name in _BATCHED if fields[name] is not None}
            run = partial(_compiled(self, horizon, seed), windows._replace(**parts))
            shape_key = (self, horizon, size)
            try:
                draws = _compile_once.call(shape_key, lambda: np.asarray(run()))
            except Exception:
                _compile_once.forget(shape_key)
                raise
            out[start : start + len(part)] = draws[: len(part)] + location[: len(part), None, None]

        map_on_cores(infer, range(0, len(rows), shapes[-1]))
        return out

    def _shapes(self) -> tuple[int, ...]:
        """The sizes that batches are compiled for: on several cores none larger than what one of them is handed."""
        if self.windows_per_core is None or cores() < 2:
            return self.batch_sizes
        return self.batch_sizes[0], self.windows_per_core

    def _batch_size(self, count: int, horizon: int, shapes: tuple[int, ...]) -> int:
        """The smallest batch that holds so many and is compiled already, else the smallest that will."""
        sizes = [size for size in shapes if size >= count]
        return next((size for size in sizes if (self, horizon, size) in _compile_once), sizes[0])


_BATCHED = tuple(name for name in Windows._fields if name != "seasons")
_compile_once = CompileOnce()


@lru_cache(maxsize=256)
def _compiled(forecaster: WindowForecaster, horizon: int, seed: int) -> Callable[[Windows], Any]:
    return forecaster.compiled(horizon, seed)


@lru_cache(maxsize=256)
def _jitted(forecaster: WindowForecaster, horizon: int) -> Callable[[Windows], Any]:
    def predict(windows: Windows) -> Any:
        with matmul_precision():
            return forecaster.predict(windows, horizon)

    return jax.jit(predict)
