"""What the ports of the Chronos networks have in common: files, quantiles, and a context that can be shortened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from nbforecast.errors import OptionError, WeightsError
from nbforecast.forecasters.checkpoint import check, load
from nbforecast.forecasters.hub import FILES, find_folder
from nbforecast.forecasters.network_forecaster import NetworkForecaster

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

CONFIG, WEIGHTS = FILES
MAX_LAYERS = 256  # of an encoder or a decoder
MAX_CONTEXT = 1 << 16  # steps; the published networks take 2,048 or 8,192


class ChronosSizes(Protocol):
    """The sizes of a network, as its configuration has them."""

    @property
    def context(self) -> int:
        """The most time steps that it can take."""
        ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The probability levels of its quantiles."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """The sizes as part of a forecaster's key."""
        ...


@dataclass(frozen=True, eq=False)
class ChronosForecaster(NetworkForecaster):
    """Quantiles from a published network.

    Attributes:
        name: The forecaster's name.
        sizes: The network's sizes.
        longest: The most points of a context that are used; None uses as many as the network can take.
    """

    uses_seed: ClassVar[bool] = False
    name: str = "chronos"
    sizes: ChronosSizes = field(kw_only=True)
    longest: int | None = field(default=None, kw_only=True)

    @property
    def context(self) -> int:
        """The most steps that a forecast depends on."""
        return min(self.longest or self.sizes.context, self.sizes.context)

    @property
    def levels(self) -> tuple[float, ...]:
        """The probability levels that the network has learned."""
        return self.sizes.levels

    @property
    def draws(self) -> int:
        """The number of quantiles."""
        return len(self.sizes.levels)

    @classmethod
    def read_folder(
        cls,
        place: str | Path,
        name: str | None,
        context: int | None,
        read_sizes: Callable[[Path], Any],
        shapes: Callable[[Any], Mapping[str, tuple[int, ...]]],
        copies: Collection[str] = (),
    ) -> Self:
        """Returns the forecaster of a folder or a Hub id; see the `load` of the classes.

        Args:
            place: The folder with a configuration and weights, or the Hub id.
            name: The forecaster's name; by default the last part of `place`.
            context: The most points of a context that are used; None for as many as the network can take.
            read_sizes: Reads the sizes in a configuration.
            shapes: The names and shapes of the tensors of a network of some sizes.
            copies: Tensors that some files hold twice, under these names, too.
        """
        if context is not None and (isinstance(context, bool) or not isinstance(context, int) or context < 1):
            raise OptionError(f"context= takes a positive number of points, not {context!r}.")
        folder = find_folder(place, FILES)
        sizes = read_sizes(folder / CONFIG)
        weights, expected = load(folder / WEIGHTS), shapes(sizes)
        weights = {n: w for n, w in weights.items() if n in expected or n not in copies}
        try:
            check(weights, expected)
        except WeightsError as error:
            raise WeightsError(f"{folder / WEIGHTS}: {error}") from None
        weights = {n: np.asarray(w, np.float32) for n, w in weights.items()}
        return cls(weights, name or PurePath(place).name, sizes=sizes, longest=context)
