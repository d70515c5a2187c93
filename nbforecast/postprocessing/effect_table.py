"""Effects of features and what each group of them gains, as one table (H3)."""

from __future__ import annotations

from dataclasses import replace
from math import exp, isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from nbforecast.errors import OptionError
from nbforecast.postprocessing.effects import Effect, ErrorTable, estimate_effects, tabulate_errors
from nbforecast.postprocessing.gains import GroupLosses, measure_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float32

    from nbforecast.postprocessing.effect_features import FeatureNames
    from nbforecast.postprocessing.residual_model import BaseForecasts

EffectsBy = Literal["horizon", "series"]
_KEYS: dict[str | None, str] = {"series": "unique_id", "horizon": "horizon"}
_SCHEMA = {
    "unique_id": pl.String,
    "horizon": pl.Int64,
    "group": pl.String,
    "feature": pl.String,
    "reference": pl.Float64,
    "value": pl.Float64,
    "effect": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "unit": pl.String,
    "count": pl.Int64,
    "error_without": pl.Float64,
    "error_without_std_error": pl.Float64,
    "share": pl.Float64,
}


def tabulate_effects(
    base: BaseForecasts,
    names: FeatureNames,
    *,
    ids: Sequence[str],
    unit: str,
    by: EffectsBy | None = None,
    percent: bool | None = None,
    learned: Float32[np.ndarray, "N H Q"] | None = None,
) -> pl.DataFrame:
    """The effect of every feature and the gain of its group.

    Args:
        base: The forecasts from every origin, and what was observed.
        names: Of the features.
        ids: The names of the series.
        unit: Of the values.
        by: None for means over steps and series, "horizon" for each step, "series" for each series.
        percent: Whether effects are in per cent of the value; None decides by the data.
        learned: The correction by all features, if it is there already.

    Returns:
        A row for each change of a feature; see `LearnedRun.effects`.

    Raises:
        OptionError: `by` is something else, or values are not positive and `percent` is True.
    """
    if by not in (None, "horizon", "series"):
        raise OptionError(f"by= takes None, 'horizon' or 'series', not {by!r}.")
    if percent and not (base.values[np.isfinite(base.values)] > 0).all():
        raise OptionError("percent=True needs positive values, and some are zero or less.")
    table = tabulate_errors(base, names, percent)
    losses = measure_groups(base, names, learned)
    rows = [row for part in _parts(table, by, ids) for row in _rows(table, losses, part, unit)]
    columns = [name for name in _SCHEMA if name not in ("unique_id", "horizon") or name == _KEYS.get(by)]
    frame = pl.DataFrame(rows, schema={name: _SCHEMA[name] for name in columns}, orient="row")
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


class _Part:
    """What effects are estimated from: rows of the table, and steps."""

    def __init__(self, label: Any, table: ErrorTable, rows: slice, steps: list[int] | None) -> None:
        self.label, self.table, self.rows, self.steps = label, table, rows, steps


def _parts(table: ErrorTable, by: EffectsBy | None, ids: Sequence[str]) -> Iterator[_Part]:
    whole = slice(0, int(table.offsets[-1]))
    if by is None:
        yield _Part(None, table, whole, None)
    elif by == "horizon":
        for h in range(table.series[0].errors.shape[1]):
            yield _Part(h + 1, table, whole, [h])
    else:
        for number, one in enumerate(table.series):
            rows = slice(int(table.offsets[number]), int(table.offsets[number + 1]))
            own = replace(table, series=(one,), offsets=np.array([0, len(one.values)]), steps=one.steps)
            yield _Part(ids[number], own, rows, None)


def _rows(table: ErrorTable, losses: GroupLosses, part: _Part, unit: str) -> Iterator[tuple[Any, ...]]:
    """The rows of one part, those of the group that gains most first."""
    effects = estimate_effects(part.table, part.steps)
    groups = dict.fromkeys(effect.contrast.name.group for effect in effects)
    gains = {group: losses.gain(group, part.rows, part.steps) for group in groups}
    for group in sorted(groups, key=lambda g: -np.nan_to_num(gains[g].value, nan=-np.inf)):
        gain, share = gains[group], losses.share(group, part.rows, part.steps)
        of_group = (100 * gain.value, 100 * gain.standard_error, 100 * share)
        for effect in effects:
            if effect.contrast.name.group == group:
                label = () if part.label is None else (part.label,)
                yield (*label, *_describe(effect, table.is_relative, unit), *of_group)


def _describe(effect: Effect, is_relative: bool, unit: str) -> tuple[Any, ...]:
    """An effect in the unit of the values, or in per cent of them."""
    contrast, estimate = effect.contrast, effect.estimate
    low, high = estimate.interval()
    effects = (estimate.value, estimate.standard_error, low, high)
    if is_relative:
        factor = exp(estimate.value) if isfinite(estimate.value) else float("nan")
        effects = (100 * (factor - 1), 100 * factor * estimate.standard_error, _percent(low), _percent(high))
    value = _percent(effect.value) if is_relative and contrast.is_in_unit else effect.value
    unit = "%" if is_relative else unit
    return (*contrast.name[::-1], contrast.reference, value, *effects, estimate.p_value, unit, contrast.count)


def _percent(logarithm: float) -> float:
    return 100 * (exp(logarithm) - 1) if isfinite(logarithm) else float("nan")
