"""Forecasters that are a pure function of a window: jitted, a batch at a time, padded to few shapes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float32, Int64, UInt8

from nbforecast.compile_times import record_compilation, seconds_to_compile
from nbforecast.device import (
    CompileOnce,
    cores,
    map_on_cores,
    matmul_precision,
    quick_compile_options,
    shard_batch,
)
from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.traced_programs import TracedProgram
from nbforecast.forecasters.windows import Windows, blank_windows, cut_windows, partial_context_availability

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

    Example:
        >>> import jax.numpy as jnp
        >>> class Flat(WindowForecaster):
        ...     algorithm, algorithm_version = "flat", 1
        ...     name, context, levels, draws = "flat", 16, (0.1, 0.5, 0.9), 3
        ...
        ...     def predict(self, windows, horizon):  # relative to the last value
        ...         spread = jnp.nanstd(windows.values, axis=1)[:, None, None]
        ...         return jnp.repeat(spread * jnp.array([-1.3, 0, 1.3]), horizon, axis=1)
        >>> nbf.forecast(df, Flat(), wait=True).array.shape
        (300, 12, 3)
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

    def window_length(self, data: Dataset, rows: Int64[np.ndarray, " R"]) -> int:
        """Returns the length of the windows of a batch: the context, or less where all histories are shorter.

        Args:
            data: The dataset.
            rows: The R rows to forecast from.
        """
        starts = data.offsets[np.searchsorted(data.offsets, rows, side="right") - 1]
        return self.length_for(int((rows - starts).max(initial=0)) + 1)

    def length_for(self, longest: int | None) -> int:
        """Returns the length of windows whose longest history has so many steps: one of the few that are compiled.

        Args:
            longest: The steps; None if they are not known.
        """
        return self.context

    def compiled(self, horizon: int, seed: int, *, effort: int | None = None) -> Callable[[Windows], Any]:
        """Returns `predict` for one horizon as a jitted function of a batch.

        Args:
            horizon: H.
            seed: The seed of what all windows share. What differs between windows is drawn from their keys, which have
                the seed in them.
            effort: How much XLA optimises: 0 for the shortest compilation, None for the fastest function.
        """
        return _jitted(self, horizon, effort)

    def compiled_steps(self, horizon: int) -> int:
        """Returns the steps that the function of a horizon forecasts; horizons of as many share one function.

        Args:
            horizon: H.
        """
        return horizon

    def seconds_to_compile(self, horizon: int, batch: int) -> float | None:
        """Returns how long the function of a batch took to compile; None if it is not compiled, nor was earlier.

        Args:
            horizon: H.
            batch: B, the number of windows.
        """
        shapes = self._shapes()
        size = next((size for size in shapes if size >= batch), shapes[-1])
        return seconds_to_compile(self._function_name(horizon, size, self.context))

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
        most = self._shapes()[-1]

        def infer(start: int) -> None:
            out[start : start + most] = self.infer(data, rows[start : start + most], horizon, seed)

        map_on_cores(infer, range(0, len(rows), most))
        return out

    def infer(
        self, data: Dataset, rows: Int64[np.ndarray, " R"], horizon: int, seed: int
    ) -> Float32[np.ndarray, "R H Q"]:
        """Returns the forecasts of one batch; see `Forecaster.forecast`.

        Args:
            data: The dataset.
            rows: R rows, not more than the largest batch has.
            horizon: H.
            seed: The seed of random draws.
        """
        length = self.window_length(data, rows)
        size = self._batch_size(len(rows), horizon, length, self._shapes())
        padded_rows = np.concatenate([rows, np.full(size - len(rows), rows[-1])])
        windows, location = cut_windows(data, padded_rows, length, seed)
        windows = windows._replace(covariates=self.covariates(data, padded_rows, horizon))  # type: ignore[arg-type]
        draws = self.run(windows, horizon, seed)
        return (draws[: len(rows)] + location[: len(rows), None, None]).astype(np.float32)

    def compile_ahead(self, horizon: int, batch: int = 1, longest: int | None = None) -> None:
        """Compiles what some windows need, if no process has done so: while the data are read, before they are known.

        Args:
            horizon: H.
            batch: B, the number of windows.
            longest: The most steps that a history can have; None if that is not known.
        """
        shapes = self._shapes()
        size = next((size for size in shapes if size >= batch), shapes[-1])
        length = self.length_for(longest)
        if (
            seconds_to_compile(self._function_name(horizon, size, length)) is not None
            or type(self).covariates is not WindowForecaster.covariates
        ):
            return
        self.run(blank_windows(size, length), horizon, 0)

    def run(self, windows: Windows, horizon: int, seed: int) -> Float32[np.ndarray, "B *V H Q"]:
        """Returns the draws of a batch, relative to the windows' locations.

        The first batch of a shape compiles its function. The smallest shapes are compiled quickly, since people wait
        for them.

        Args:
            windows: B windows; B is a size that functions are compiled for.
            horizon: H.
            seed: The seed of random draws.
        """
        size, length = windows.values.shape
        parts = {name: getattr(windows, name) for name in _BATCHED}
        windows = windows._replace(**{n: shard_batch(part) for n, part in parts.items() if part is not None})
        function = _compiled(self, horizon, seed, self._effort(size))
        shape_key = (self, self.compiled_steps(horizon), length, size)
        is_first, start = shape_key not in _compile_once, time.perf_counter()
        try:
            draws = _compile_once.call(shape_key, lambda: np.asarray(function(windows)))
        except Exception:
            _compile_once.forget(shape_key)
            raise
        if is_first:
            record_compilation(self._function_name(horizon, size, length), time.perf_counter() - start)
        return draws

    def _function_name(self, horizon: int, size: int, length: int) -> str:
        return f"{self.key} {self.compiled_steps(horizon)} {size} {length}"

    def _shapes(self) -> tuple[int, ...]:
        """The sizes that batches are compiled for: on several cores none larger than what one of them is handed."""
        if self.windows_per_core is None or cores() < 2:
            return self.batch_sizes
        return *(size for size in self.batch_sizes if size <= WindowForecaster.batch_sizes[0]), self.windows_per_core

    def _effort(self, size: int) -> int | None:
        """How much XLA optimises the function of a batch size."""
        if self.windows_per_core is None:  # a large network: its matrix products are compiled already
            return _QUICK if size == self._shapes()[0] else None
        return _QUICKEST if size == 1 else _QUICK if size <= WindowForecaster.batch_sizes[0] else None

    def _batch_size(self, count: int, horizon: int, length: int, shapes: tuple[int, ...]) -> int:
        """The smallest batch that holds so many and is compiled already, else the smallest that will."""
        sizes = [size for size in shapes if size >= count]
        steps = self.compiled_steps(horizon)
        return next((size for size in sizes if (self, steps, length, size) in _compile_once), sizes[0])


_QUICKEST, _QUICK = 0, 1  # levels of XLA
_BATCHED = tuple(name for name in Windows._fields if name != "seasons")
_compile_once = CompileOnce()


@lru_cache(maxsize=256)
def _compiled(forecaster: WindowForecaster, horizon: int, seed: int, effort: int | None) -> Callable[[Windows], Any]:
    return forecaster.compiled(horizon, seed, effort=effort)


@lru_cache(maxsize=256)
def _jitted(forecaster: WindowForecaster, horizon: int, effort: int | None) -> Callable[[Windows], Any]:
    def predict(windows: Windows) -> Any:
        with matmul_precision():
            return forecaster.predict(windows, horizon)

    return jit_once(forecaster, predict, horizon, effort)


def jit_once(
    forecaster: WindowForecaster, function: Callable[..., Any], horizon: int, effort: int | None
) -> Callable[..., Any]:
    """Returns a jitted function of a forecaster; those of the package are traced once on a machine.

    Args:
        forecaster: The forecaster.
        function: A pure function of arrays.
        horizon: H, the steps that it forecasts.
        effort: How much XLA optimises, see `WindowForecaster.compiled`.
    """
    options = None if effort is None else quick_compile_options(effort)
    kind = type(forecaster)
    if kind.__module__.partition(".")[0] != __package__.partition(".")[0]:  # users change their sources
        return jax.jit(function, compiler_options=options)
    return TracedProgram(function, f"{kind.__qualname__} {forecaster.key} {horizon}", options)
