"""What identifies an entry: the data's content, and how its forecasts are made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recipe:
    """How forecasts are made: everything that decides them but the data.

    model: the forecaster's name, settings and weights, the seed and the gap rule, as one text.
    name: what people call the forecaster. horizon: H. levels: the probability levels of the Q ascending draws.
    context: L, the most grid steps a forecast depends on.
    """

    model: str
    name: str
    horizon: int
    levels: tuple[float, ...]
    context: int

    @property
    def draws(self) -> int:
        return len(self.levels)

    def key(self, handle: str) -> Key:
        """The key of the entry of that data."""
        return Key(handle, self)


@dataclass(frozen=True)
class Key:
    """What an entry is found by (SPEC: one of each handle, model and horizon)."""

    handle: str
    recipe: Recipe

    @property
    def group(self) -> str:
        """16 hex digits for the recipe: entries of one group may serve one another."""
        return hashlib.sha256(json.dumps(asdict(self.recipe)).encode()).hexdigest()[:16]
