"""Effects of features and what each group of them gains, as one table (H3)."""

from __future__ import annotations

from dataclasses import replace
from math import exp, isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from nbforecast.errors import OptionError
from nbforecast.postprocessing.effects import Effect, ErrorTable, Unit, estimate_effects, tabulate_errors
from nbforecast.postprocessing.gains import GroupLosses, measure_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float32

    from nbforecast.postprocessing.effect_features import FeatureNames
    from nbforecast.postprocessing.residual_model import BaseForecasts

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
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
    unit: str,
    by: pl.Series | Literal["horizon"] | None = None,
    percent: bool | None = None,
    learned: Float32[np.ndarray, "N H Q"] | None = None,
) -> pl.DataFrame:
    """The effect of every feature and the gain of its group.

    Args:
        base: The forecasts from every origin, and what was observed.
        names: Of the features.
        unit: Of the values.
        by: None for means over steps and series, "horizon" for each step, a label of each series for groups of series.
        percent: Whether effects are in per cent of the value; None decides by the data.
        learned: The correction by all features, if it is there already.

    Returns:
        A row for each change of a feature; see `LearnedRun.effects`.

    Raises:
        OptionError: Values are below zero and `percent` is True.
    """
    if percent and np.nanmin(base.values) < 0:
        raise OptionError("percent=True needs values of zero or more, and some are below.")
    table = tabulate_errors(base, names, percent)
    losses = measure_groups(base, names, learned)
    schema = dict(_SCHEMA)
    if by is not None:
        key, dtype = (by.name, by.dtype) if isinstance(by, pl.Series) else (by, pl.Int64())
        schema = {key: dtype, **schema}
    rows = [
        (*label, *row)
        for label, errors, members, steps in _parts(table, by)
        for row in _rows(errors, losses, unit, members, steps)
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col(*(n for n, t in _SCHEMA.items() if t == pl.Float64)).fill_nan(None))


def _parts(
    table: ErrorTable, by: pl.Series | Literal["horizon"] | None
) -> Iterator[tuple[tuple[Any, ...], ErrorTable, Bool[np.ndarray, " N"], list[int] | None]]:
    """What effects are estimated from: a label, errors, which rows of all these are, and which steps, None for all."""
    every = np.ones(int(table.offsets[-1]), bool)
    if by is None:
        yield (), table, every, None
    elif isinstance(by, str):
        for h in range(table.series[0].errors.shape[1]):
            yield (h + 1,), table, every, [h]
    else:
        lengths = np.diff(table.offsets)
        for label in by.unique().sort(nulls_last=True):
            is_member = by.eq_missing(pl.Series([label], dtype=by.dtype)).to_numpy()
            rows = np.repeat(is_member, lengths)
            series = tuple(one for one, member in zip(table.series, is_member.tolist(), strict=True) if member)
            offsets = np.append(0, np.cumsum(lengths[is_member]))
            yield (label,), replace(table, series=series, offsets=offsets, steps=table.steps[rows]), rows, None


def _rows(
    table: ErrorTable,
    losses: GroupLosses,
    unit: str,
    rows: Bool[np.ndarray, " N"],
    steps: list[int] | None,
) -> Iterator[tuple[Any, ...]]:
    """The rows of one part, those of the group that gains most first."""
    effects = estimate_effects(table, steps)
    groups = dict.fromkeys(effect.contrast.name.group for effect in effects)
    gains = {group: losses.gain(group, rows, steps) for group in groups}
    for group in sorted(groups, key=lambda g: -np.nan_to_num(gains[g].value, nan=-np.inf)):
        gain, share = gains[group], losses.share(group, rows, steps)
        of_group = (100 * gain.value, 100 * gain.standard_error, 100 * share)
        for effect in effects:
            if effect.contrast.name.group == group:
                yield (*_describe(effect, table.unit, unit), *of_group)


def _describe(effect: Effect, unit: Unit, name: str) -> tuple[Any, ...]:
    """An effect in the unit of the data, which has a name, or in per cent."""
    contrast, estimate = effect.contrast, effect.estimate
    slope = 1.0 if unit == "data" else 100 * exp(estimate.value if unit == "logarithm" and estimate.value < 700 else 0)
    effects = (_shown(estimate.value, unit), slope * estimate.standard_error)
    low, high = (_shown(end, unit) for end in estimate.interval())
    value = _shown(effect.value, unit) if contrast.is_in_unit else effect.value
    what = (contrast.name.group, contrast.name.feature, contrast.reference, value)
    return (*what, *effects, low, high, estimate.p_value, name if unit == "data" else "%", contrast.count)


def _shown(value: float, unit: Unit) -> float:
    """A value or its change in the unit of the data, or in per cent."""
    if unit == "data" or not isfinite(value):
        return value
    return 100 * (exp(min(value, 700.0)) - 1) if unit == "logarithm" else 100 * value
