"""The pretrained network of the package: zero-shot quantiles for every origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Array, Float32, UInt8

from nbforecast.errors import WeightsError
from nbforecast.forecasters.checkpoint import check, load
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.network_forecaster import NetworkForecaster
from nbforecast.forecasters.pretrained.candidates import STEPS
from nbforecast.forecasters.pretrained.long_context import COARSE, MAX_COARSE, RECENT
from nbforecast.forecasters.window_forecaster import WindowForecaster
from nbforecast.forecasters.windows import partial_context_availability
from nbforecast.user_path import user_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbforecast.data import Dataset
    from nbforecast.forecasters.windows import Windows

WEIGHTS = Path(__file__).parent / "pretrained.safetensors"


@dataclass(frozen=True, eq=False)
class Pretrained(NetworkForecaster):
    """Weighs and corrects the forecasts of simple models by what it has learned of synthetic series.

    It reads the last 512 steps as they are, and up to 2,048 four at a time. One pass forecasts 64 steps. Further ones
    go on from the medians before them, with bands that never narrow. The model card (`MODEL_CARD.md`) describes
    training and accuracy.

    Attributes:
        name: The forecaster's name.
        context: L, the steps it looks at.
        levels: The probability levels of its quantiles.
        draws: Q, their number.
    """

    algorithm: ClassVar[str] = "pretrained"
    algorithm_version: ClassVar[int] = 2
    uses_seed: ClassVar[bool] = False
    name: str = "pretrained"
    context: int = COARSE * MAX_COARSE
    levels: tuple[float, ...] = DRAW_LEVELS
    draws: int = len(DRAW_LEVELS)
    batch_sizes: ClassVar[tuple[int, ...]] = (1, *WindowForecaster.batch_sizes)  # that of one window compiles quickly
    windows_per_core: ClassVar[int | None] = WindowForecaster.windows_per_core

    @classmethod
    def load(cls, place: str | Path = WEIGHTS, name: str | None = None) -> Pretrained:
        """Returns the forecaster of some weights.

        Args:
            place: A file that `python -m nbforecast.pretrain` has written; by default that of the package.
            name: The forecaster's name; by default the stem of `place`.

        Raises:
            WeightsError: If the file or a tensor does not fit; the message names it.
        """
        file = user_path(place, WeightsError)
        weights = load(file)
        try:
            if file != WEIGHTS:  # the package's own fit; equinox, which takes long to import, is not needed for them
                from nbforecast.forecasters.pretrained.passes import network_structure, weights_by_name

                check(weights, {n: w.shape for n, w in weights_by_name(network_structure(weights)).items()})
        except WeightsError as error:
            raise WeightsError(f"{file}: {error}") from None
        return cls({n: np.asarray(w, np.float32) for n, w in weights.items()}, name or file.stem)

    def length_for(self, longest: int | None) -> int:
        """See `WindowForecaster.length_for`: the recent steps are enough where no history is longer."""
        return RECENT if longest is not None and longest <= RECENT else self.context

    def availability(self, data: Dataset) -> UInt8[np.ndarray, " N"]:
        """See `Forecaster.availability`: the recent steps decide."""
        return partial_context_availability(data, RECENT, self.least)

    def compiled(self, horizon: int, seed: int, *, effort: int | None = None) -> Callable[[Windows], Any]:
        """One function for all horizons of as many passes."""
        forecast_passes = super().compiled(self.compiled_steps(horizon), seed, effort=effort)
        return lambda windows: np.asarray(forecast_passes(windows))[:, :horizon]  # on the CPU nothing is copied

    def compiled_steps(self, horizon: int) -> int:
        """See `WindowForecaster.compiled_steps`: whole passes."""
        return -(-horizon // STEPS) * STEPS

    def apply(self, weights: Mapping[str, Any], windows: Windows, shared: Any, horizon: int) -> Float32[Array, "B H Q"]:
        """See `NetworkForecaster.apply`."""
        from nbforecast.forecasters.pretrained.passes import extend, restore_network

        return extend(restore_network(weights), windows, horizon)
