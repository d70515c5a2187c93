"""What identifies an entry: the data's content, and how its forecasts are made."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nbforecast.scoring.calculations import draw_levels

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster

_MAKER = re.compile(r"(.*)\|seed=(-?\d{1,40})\|gap=(\d{1,40})", re.DOTALL)


@dataclass(frozen=True)
class ModelSpec:
    """What makes forecasts: a forecaster's name and key (settings and weights), the seed and the gap rule."""

    name: str
    key: str
    seed: int
    max_gap: int

    def __str__(self) -> str:
        return f"{self.name}|{self.key}|seed={self.seed}|gap={self.max_gap}"


@dataclass(frozen=True)
class ForecastSpec:
    """How forecasts are made: everything that decides them but the data.

    model: their `ModelSpec`, as one text.
    name: what people call the forecaster. horizon: H. levels: the probability levels of the Q ascending draws.
    context: L, the most grid steps a forecast depends on.
    """

    model: str
    name: str
    horizon: int
    levels: tuple[float, ...]
    context: int

    @cached_property
    def group(self) -> str:
        """16 hex digits: entries of one group may serve one another."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @cached_property
    def maker(self) -> ModelSpec | None:
        """What `model` says; None for a text that nbforecast has not written."""
        found = _MAKER.fullmatch(self.model)
        if found is None or not found[1].startswith(f"{self.name}|"):
            return None
        return ModelSpec(self.name, found[1].removeprefix(f"{self.name}|"), int(found[2]), int(found[3]))

    @classmethod
    def of(cls, forecaster: Forecaster, data: Dataset, horizon: int, seed: int) -> ForecastSpec:
        """That of a forecaster for some data."""
        return cls(
            model=str(ModelSpec(forecaster.name, forecaster.key, seed, data.max_gap)),
            name=forecaster.name,
            horizon=horizon,
            levels=draw_levels(forecaster.levels, forecaster.draws),
            context=forecaster.context,
        )

    @property
    def draws(self) -> int:
        return len(self.levels)

    def key(self, handle: str) -> CacheKey:
        """The key of the entry of that data."""
        return CacheKey(handle, self)


@dataclass(frozen=True)
class CacheKey:
    """What an entry is found by (one of each handle, model and horizon)."""

    handle: str
    recipe: ForecastSpec

    @property
    def group(self) -> str:
        """The recipe's."""
        return self.recipe.group

    def __str__(self) -> str:
        """What a person can name it by (and the stem of its file)."""
        return f"{self.handle}-{self.group}"
