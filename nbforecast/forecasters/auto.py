"""The weight-free forecasters, weighted by their past errors in each context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from nbforecast.forecasters.history import combine, inverse_error_weights, mean_error
from nbforecast.forecasters.naive import naive_outlook
from nbforecast.forecasters.ridge import ridge_outlook
from nbforecast.forecasters.season import adjust
from nbforecast.forecasters.smoothing import smoothing_outlook
from nbforecast.forecasters.statistical import Statistical

if TYPE_CHECKING:
    from nbforecast.forecasters.history import History, Inner, Outlook
    from nbforecast.forecasters.season import Seasons

_POWER = 5.0


@dataclass(frozen=True)
class Auto(Statistical):
    """The three others, weighted by their past errors."""

    name: str = "auto"

    def outlook(self, past: History, seasons: Seasons, inner: Inner) -> Outlook:
        adjusted = adjust(past, seasons)
        outlooks = (
            naive_outlook(past, inner, jnp.maximum(seasons.short, seasons.long)),
            smoothing_outlook(adjusted, past, inner),
            ridge_outlook(adjusted, past, inner),
        )
        members = jax.tree.map(lambda *o: jnp.stack(o), *outlooks)
        weights = inverse_error_weights(mean_error(members.errors, inner.valid), _POWER)
        return combine(members, weights)
