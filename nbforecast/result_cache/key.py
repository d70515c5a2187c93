"""What identifies an entry: the data's content, and how its forecasts are made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from nbforecast.forecasters.base import uses_seed
from nbforecast.forecasters.covariate_use import covariate_use
from nbforecast.result_cache import format_1
from nbforecast.scoring.origin_scores import draw_levels

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.forecasters.covariate_use import CovariateUse


@dataclass(frozen=True)
class ModelSpec:
    """The model of some forecasts, and the two options that change what it computes.

    Attributes:
        name: The forecaster's name.
        key: The forecaster's key: its algorithm's version, settings and weights.
        seed: The seed of random draws; 0 for a model that uses none, whatever the request says.
        max_gap: The longest gap, in grid steps, that is bridged inside a context.
        requested_seed: What the request says. Files of earlier versions have it in their names; it identifies nothing.
    """

    name: str
    key: str
    seed: int = 0
    max_gap: int = 0
    requested_seed: int = field(default=0, compare=False)

    @classmethod
    def of(cls, name: str, key: str, seed: int, max_gap: int, *, is_seeded: bool) -> ModelSpec:
        """Returns the spec of a model and a requested seed, which counts for a model that uses seeds only."""
        return cls(name, key, seed if is_seeded else 0, max_gap, seed)


@dataclass(frozen=True)
class ForecastSpec:
    """Everything but the data that decides forecasts.

    Attributes:
        model: The model.
        horizon: H, the number of steps that are forecast.
        levels: The probability levels of the Q ascending draws.
        context: L, the most grid steps that a forecast depends on.
        covariates: What the model reads beside a series' own values: covariates and other series; None if nothing.
    """

    model: ModelSpec
    horizon: int
    levels: tuple[float, ...]
    context: int
    covariates: CovariateUse | None = None

    @classmethod
    def from_forecaster(cls, forecaster: Forecaster, data: Dataset, horizon: int, seed: int) -> ForecastSpec:
        """Returns the spec of a forecaster's forecasts for a dataset."""
        return cls(
            model=ModelSpec.of(forecaster.name, forecaster.key, seed, data.max_gap, is_seeded=uses_seed(forecaster)),
            horizon=horizon,
            levels=draw_levels(forecaster.levels, forecaster.draws),
            context=forecaster.context,
            covariates=covariate_use(forecaster, data),
        )

    @cached_property
    def group(self) -> str:
        """16 hexadecimal digits: entries of equal groups may serve one another."""
        return self._group(self.model.seed)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups that name files of these forecasts: the present one, then those of earlier versions.

        Version 0.1 wrote models in another way, and seeds of models that use none.
        """
        model = self.model
        seeds = dict.fromkeys((model.seed, model.requested_seed) if model.seed == 0 else (model.seed,))
        groups = [self._group(seed) for seed in seeds]
        key = format_1.former_key(model.name, model.key)
        if key is not None:
            for seed in seeds:
                text = format_1.model_text(model.name, key, seed, model.max_gap)
                groups.append(format_1.group(text, model.name, self.horizon, self.levels, self.context))
        return tuple(groups)

    def _group(self, seed: int) -> str:
        facts = {
            "model_name": self.model.name,
            "model_key": self.model.key,
            "seed": seed,
            "max_gap": self.model.max_gap,
            "horizon": self.horizon,
            "levels": self.levels,
            "context": self.context,
        }
        if self.covariates is not None:
            facts["covariates"] = self.covariates.facts
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    @property
    def draws(self) -> int:
        """Q, the number of draws per origin and step."""
        return len(self.levels)

    def key(self, handle: str, covariates: str = "") -> CacheKey:
        """Returns the key of the entry of a dataset.

        Args:
            handle: The dataset's handle.
            covariates: The digest of the covariates that the forecasts depend on, of 16 digits; empty if on none.
        """
        return CacheKey(handle[: len(handle) - len(covariates)] + covariates, self)


@dataclass(frozen=True)
class CacheKey:
    """The key of an entry: the cache has one for each handle, model and horizon.

    Attributes:
        handle: The dataset's handle; its second half is the digest of covariates where forecasts depend on these.
        spec: How the forecasts are made.
    """

    handle: str
    spec: ForecastSpec

    @property
    def group(self) -> str:
        """The spec's group."""
        return self.spec.group

    @property
    def names(self) -> tuple[str, ...]:
        """The stems that a file of the entry may have: the present one, then that of nbforecast 0.1."""
        return tuple(f"{self.handle}-{group}" for group in self.spec.groups)

    def __str__(self) -> str:
        """The text by which a user names the entry: the stem of its file."""
        return f"{self.handle}-{self.group}"
