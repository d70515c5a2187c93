"""Forecasters with weights: networks whose parameters come from a file."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Array, Float32

from nbforecast.device import full_precision, matmul_precision, replicate
from nbforecast.forecasters.checkpoint import digest
from nbforecast.forecasters.window_forecaster import WindowForecaster, jit_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbforecast.forecasters.windows import Windows


@dataclass(frozen=True)
class NetworkForecaster(WindowForecaster):
    """A network and its weights, which are arguments of the compiled function and no part of it.

    Two of them are equal where their settings and the digests of their weights are. A subclass implements `apply`.

    Attributes:
        weights: The weights, by the names of the file.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False, compare=False)
    batch_sizes: ClassVar[tuple[int, ...]] = (1, 8, 32, 128, 512)
    windows_per_core: ClassVar[int | None] = None  # matrix products keep all of them busy

    @cached_property
    def digest(self) -> str:
        """The digest of the weights."""
        return digest(self.weights)

    @property
    def settings(self) -> dict[str, Any]:
        """The digest of the weights, and the precision of matrix products."""
        return {"weights": self.digest, "precision": "float32" if full_precision() else "bfloat16"}

    @property
    def parameters(self) -> int:
        """The number of learned weights."""
        return sum(int(w.size) for w in self.weights.values())

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkForecaster) and self.key == other.key

    @cached_property
    def placed(self) -> Any:
        """The weights on the device."""
        return replicate(dict(self.weights))

    def compiled(self, horizon: int, seed: int, *, effort: int | None = None) -> Callable[[Windows], Any]:
        """See `WindowForecaster.compiled`; the weights are arguments, so that models of one size share a function."""
        jitted, shared = _jitted(self, horizon, effort), self.shared(seed)
        return lambda windows: jitted(self.placed, windows, shared)

    def shared(self, seed: int) -> Any:
        """Returns what all windows of a seed have in common: arrays that `apply` receives."""
        return ()

    def predict(self, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
        """See `WindowForecaster.predict`."""
        return self.apply(self.placed, windows, self.shared(0), horizon)

    @abstractmethod
    def apply(self, weights: Mapping[str, Any], windows: Windows, shared: Any, horizon: int) -> Float32[Array, "B H Q"]:
        """Returns what `predict` returns, from weights on the device.

        Args:
            weights: The weights.
            windows: B windows.
            shared: What `shared` returned.
            horizon: H.
        """


@lru_cache(maxsize=64)
def _jitted(forecaster: NetworkForecaster, horizon: int, effort: int | None) -> Callable[..., Any]:
    exact = full_precision()

    def apply(weights: Mapping[str, Any], windows: Windows, shared: Any) -> Any:
        with matmul_precision(full=exact):
            return forecaster.apply(weights, windows, shared, horizon)

    return jit_once(forecaster, apply, horizon, effort)
